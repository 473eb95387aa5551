"""A new incarnation of a session: same key, new transcript (openclaw-format §8.3, reset)."""

from __future__ import annotations

from .codec import Entry
from .compare import updated_at_ms

_PER_INCARNATION = frozenset(
    [
        "sessionFile",
        "status",
        "startedAt",
        "endedAt",
        "runtimeMs",
        "cacheRead",
        "cacheWrite",
        "estimatedCostUsd",
        "contextBudgetStatus",
        "systemPromptReport",
        "compactionCheckpoints",
        "memoryFlushAt",
        "memoryFlushCompactionCount",
        "memoryFlushContextHash",
        "abortCutoffMessageSid",
        "abortCutoffTimestamp",
        "fallbackNoticeSelectedModel",
        "fallbackNoticeActiveModel",
        "fallbackNoticeReason",
        "cliSessionIds",
        "claudeCliSessionId",
        "cliSessionBindings",
        "archivedAt",
    ]
)
_PINNED_BY_FAILOVER = frozenset(
    [
        "providerOverride",
        "modelOverride",
        "modelOverrideSource",
        "modelOverrideFallbackOriginProvider",
        "modelOverrideFallbackOriginModel",
    ]
)
_COUNTERS = ("inputTokens", "outputTokens", "totalTokens", "compactionCount")


def new_incarnation(entry: Entry, *, session_id: str, now_ms: int) -> Entry:
    """The entry after a reset: toggles, label, route and unknown fields stay; counters are 0.

    A model override that failover pinned goes; one that the user chose stays.
    """
    dropped = _PER_INCARNATION
    if entry.get("modelOverrideSource") == "auto":
        dropped |= _PINNED_BY_FAILOVER
    fresh = {name: value for name, value in entry.items() if name not in dropped}
    fresh.update({name: 0 for name in _COUNTERS if name in fresh})
    fresh.update(
        sessionId=session_id,
        updatedAt=max(updated_at_ms(entry) or 0, now_ms),
        sessionStartedAt=now_ms,
        systemSent=False,
        abortedLastRun=False,
    )
    return fresh
