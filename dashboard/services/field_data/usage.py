"""Fields that count tokens, remember the model that ran, and keep what runs need."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from dashboard.services.field_spec import LATEST_MS, FieldSpec

_RUN = _("The gateway writes it with every run.")
_MEASURED = _("It is measured by the gateway.")
_CACHE = _("It is a cache, which the gateway makes again.")
_PLUGIN = _("A plugin keeps it.")
_CRASHES = _("A gateway of 2026.3 fails on every list when it is not text.")

USAGE = (
    FieldSpec(
        "modelProvider",
        "text",
        _("Provider of the last run"),
        why_not=_RUN,
        risk=_CRASHES,
        follows="modelOverride",
    ),
    FieldSpec(
        "model",
        "text",
        _("Model of the last run"),
        why_not=_RUN,
        risk=_CRASHES,
        follows="modelOverride",
    ),
    FieldSpec("inputTokens", "tokens", _("Tokens that the last run read"), why_not=_MEASURED),
    FieldSpec("outputTokens", "tokens", _("Tokens that the last run wrote"), why_not=_MEASURED),
    FieldSpec("totalTokens", "tokens", _("Size of the context now"), why_not=_MEASURED),
    FieldSpec(
        "totalTokensFresh", "flag", _("Whether the context size is up to date"), why_not=_MEASURED
    ),
    FieldSpec("cacheRead", "tokens", _("Tokens read from the provider's cache"), why_not=_MEASURED),
    FieldSpec(
        "cacheWrite", "tokens", _("Tokens written to the provider's cache"), why_not=_MEASURED
    ),
    FieldSpec("contextTokens", "tokens", _("Context window of the model"), why_not=_MEASURED),
    FieldSpec("estimatedCostUsd", "cost", _("Estimated cost so far"), why_not=_MEASURED),
    FieldSpec(
        "contextBudgetStatus",
        "group",
        _("Estimate of the context before the prompt"),
        types=("object",),
        why_not=_MEASURED,
    ),
    FieldSpec(
        "fallbackNoticeSelectedModel",
        "text",
        _("Model chosen when a fallback was announced"),
        why_not=_RUN,
    ),
    FieldSpec(
        "fallbackNoticeActiveModel",
        "text",
        _("Model used when a fallback was announced"),
        why_not=_RUN,
    ),
    FieldSpec("fallbackNoticeReason", "text", _("Why it fell back"), longest=10_000, why_not=_RUN),
    FieldSpec(
        "compactionCount", "count", _("How often the context was compacted"), why_not=_MEASURED
    ),
    FieldSpec(
        "compactionCheckpoints",
        "group",
        _("States kept before each compaction"),
        types=("array",),
        why_not=_RUN,
        risk=_("What was kept before a compaction may get out of reach."),
    ),
    FieldSpec(
        "memoryFlushAt",
        "time",
        _("When memory was written before a compaction"),
        most=LATEST_MS,
        why_not=_RUN,
    ),
    FieldSpec(
        "memoryFlushCompactionCount",
        "count",
        _("Compactions at the last memory write"),
        why_not=_RUN,
    ),
    FieldSpec(
        "cliSessionIds",
        "group",
        _("Session ids of external command-line programs"),
        types=("object",),
        why_not=_RUN,
    ),
    FieldSpec(
        "claudeCliSessionId",
        "id",
        _("Session id of an external command-line program"),
        why_not=_RUN,
    ),
    FieldSpec(
        "cliSessionBindings",
        "group",
        _("Bindings to external command-line programs"),
        types=("object",),
        why_not=_RUN,
    ),
    FieldSpec(
        "quotaSuspension",
        "group",
        _("Pause after a quota was used up"),
        types=("object",),
        why_not=_RUN,
        risk=_("Runs may start again before the quota allows them."),
    ),
    FieldSpec("goal", "group", _("Lasting goal of the session"), types=("object",), why_not=_RUN),
)

OTHER = (
    FieldSpec(
        "skillsSnapshot",
        "group",
        _("Cached skills; may be large, and is rebuilt when missing"),
        types=("object",),
        why_not=_CACHE,
    ),
    FieldSpec(
        "systemPromptReport",
        "group",
        _("Sizes of the last system prompt; may be large, only a cache"),
        types=("object",),
        why_not=_CACHE,
    ),
    FieldSpec(
        "lastHeartbeatText", "text", _("Last heartbeat's text"), longest=100_000, why_not=_RUN
    ),
    FieldSpec(
        "lastHeartbeatSentAt",
        "time",
        _("When the last heartbeat was sent"),
        most=LATEST_MS,
        why_not=_RUN,
    ),
    FieldSpec(
        "heartbeatIsolatedBaseSessionKey",
        "key",
        _("Session that the heartbeat belongs to"),
        longest=4096,
        why_not=_RUN,
    ),
    FieldSpec(
        "heartbeatTaskState",
        "group",
        _("State of heartbeat tasks"),
        types=("object",),
        why_not=_RUN,
    ),
    FieldSpec("lastTtsReadLatestHash", "id", _("Digest of what was spoken last"), why_not=_RUN),
    FieldSpec(
        "lastTtsReadLatestAt",
        "time",
        _("When something was spoken last"),
        most=LATEST_MS,
        why_not=_RUN,
    ),
    FieldSpec("pluginExtensions", "group", _("Data of plugins"), why_not=_PLUGIN),
    FieldSpec(
        "pluginNextTurnInjections",
        "group",
        _("What plugins add to the next turn"),
        why_not=_PLUGIN,
        risk=_("The model reads it as part of the next turn."),
    ),
    FieldSpec("pluginDebugEntries", "group", _("Notes of plugins"), why_not=_PLUGIN),
    FieldSpec("pluginExtensionSlotKeys", "group", _("Slots that plugins use"), why_not=_PLUGIN),
    FieldSpec("pendingSkillSuggestion", "group", _("A skill that may be suggested"), why_not=_RUN),
    FieldSpec("skillCaptureSignalHashes", "group", _("Digests of skill signals"), why_not=_RUN),
    FieldSpec(
        "acp",
        "group",
        _("State of an agent client protocol session"),
        types=("object",),
        why_not=_RUN,
        risk=_("The external agent may lose its session."),
    ),
)
