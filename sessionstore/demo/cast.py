"""The invented people, places and models of the demo. Nobody here exists."""

from __future__ import annotations

from typing import Final

PEOPLE: Final = (
    "Ada Okafor", "Bruno Lindqvist", "Chiara Moretti", "Dmitri Halvorsen", "Elif Yıldız",
    "Farid Nasser", "Grace Adeyemi", "Hanna Kowalska", "Ines Duarte", "Jonas Weber",
    "Kenji Morita", "Lucía Navarro", "Mateo Rossi", "Noor Rahman", "Olga Petrenko",
    "Priya Nair", "Quentin Dubois", "Rosa Jiménez", "Søren Dahl", "Tomás Ferreira",
    "Uma Shankar", "Viktor Novák", "Wen Li", "Xenia Papadaki", "Yusuf Demir", "Zoë Martin",
)  # fmt: skip
GROUPS: Final = (
    "Family 🏡", "Sunday hikers", "Book club", "Neighbours, house 12", "Parents of class 3b",
    "Weekend football", "Allotment garden", "Choir rehearsal", "Board games ♟", "Carpool north",
)  # fmt: skip
ROOMS: Final = (
    "#general", "#eng", "#support", "#incidents", "#design", "#release", "#random", "#data",
    "#onboarding", "#billing",
)  # fmt: skip
TASKS: Final = (
    "Nightly report", "Morning briefing", "Check invoices", "Renew certificates",
    "Summarise tickets", "Water the plants", "Back up photos", "Weekly metrics",
)  # fmt: skip
TOPICS: Final = (
    "Compare the three offers", "Draft the release notes", "Plan the trip to Lisbon",
    "Why is the import slow?", "Translate the manual", "Review the contract",
    "Sketch the onboarding", "Collect sources on tides", "Fix the flaky test",
)  # fmt: skip
MODELS: Final = (
    ("openai", "gpt-5.5", 400_000),
    ("anthropic", "claude-opus-4.5", 200_000),
    ("anthropic", "claude-haiku-4.5", 200_000),
    ("google", "gemini-3-pro", 1_000_000),
    ("local", "qwen3-32b", 32_768),
)
FALLBACK: Final = ("anthropic", "claude-haiku-4.5")
SENTENCES: Final = (
    "Good morning! Here is the plan for today.",
    "I compared the offers; the second one is the cheapest over two years.",
    "The import is slow because every row is written twice.",
    "Noted. I will remind you on Thursday at nine.",
    "Could you send me the invoice again, please?",
    "Déjà vu ☕: this question came up last week as well.",
)
HOT_KEY: Final = "agent:main:telegram:group:-1001234567890"
"""The session that everybody wants at once."""
NOTE: Final = """Everything in this directory is invented: people, messages, ids and numbers.

It was made by `python -m sessionstore.demo` to show the console and to test it. No program
needs it; stop the demo and delete the whole directory whenever you like.
"""
