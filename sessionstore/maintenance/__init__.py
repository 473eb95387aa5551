"""Find what is stale, orphaned, damaged or wasteful; plan to tidy it; do it; take it back."""

from .check import Checked, check, examine
from .inventory import take
from .rule import CheckOptions, Rule
from .rules import RULES

__all__ = ["RULES", "CheckOptions", "Checked", "Rule", "check", "examine", "take"]
