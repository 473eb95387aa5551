"""What each known field of an entry means, in words, and what kind of value it holds.

Source: openclaw-format §3. Kinds: ``text``, ``choice``, ``flag``, ``time`` (epoch ms), ``count``,
``tokens``, ``milliseconds``, ``cost``, ``id``, ``key`` (of another session), ``path``, ``group``
(an object or list). A field that is not here is shown all the same, as not known.
"""

from __future__ import annotations

from dataclasses import dataclass

GROUPS = (
    ("identity", "Identity and life"),
    ("lineage", "Where it comes from"),
    ("choices", "Choices and overrides"),
    ("routing", "Channel and delivery"),
    ("usage", "Tokens, model and memory"),
    ("other", "Other"),
    ("unknown", "Not known to this version"),
)


@dataclass(frozen=True, slots=True)
class FieldGuide:
    """One field: its group, kind, and meaning."""

    group: str
    kind: str
    words: str


def _guide(group: str, table: str) -> dict[str, FieldGuide]:
    """Read lines of ``name | kind | words``."""
    found = {}
    for line in table.strip().splitlines():
        name, kind, words = (part.strip() for part in line.split("|"))
        found[name] = FieldGuide(group, kind, words)
    return found


FIELDS: dict[str, FieldGuide] = {
    **_guide(
        "identity",
        """
        sessionId | id | Id of the current transcript
        updatedAt | time | Last activity of this entry; decides sort, prune and cap
        sessionFile | path | Transcript path that the gateway wrote down
        sessionStartedAt | time | When the current session id became active
        lastInteractionAt | time | Last real message of a person or channel
        lastActivityAt | time | Last completed run worth an unread mark
        startedAt | time | Start of the last run
        endedAt | time | End of the last run
        runtimeMs | milliseconds | Time that runs have taken together
        status | choice | State of the last run: running, done, failed, killed or timeout
        systemSent | flag | The system introduction was sent
        abortedLastRun | flag | The last run was stopped
        abortCutoffMessageSid | id | After a stop, messages up to this one are skipped
        abortCutoffTimestamp | time | After a stop, messages up to this time are skipped
        lifecycleRevision | id | Revision that keeps late writes of an old run out
        archivedAt | time | When it was archived
        pinnedAt | time | When it was pinned
        lastReadAt | time | When it was last read
        markedUnreadAt | time | When it was marked unread
        usageFamilyKey | key | Session whose usage this one counts to
        usageFamilySessionIds | group | Session ids whose usage is counted together
        restartRecoveryRuns | group | Interrupted runs to ignore after a restart
        """,
    ),
    **_guide(
        "lineage",
        """
        spawnedBy | key | Session that spawned this one
        parentSessionKey | key | Session that this one belongs under
        spawnedWorkspaceDir | path | Workspace taken over from the spawner
        spawnedCwd | path | Working directory taken over from the spawner
        spawnDepth | count | 0 for main, 1 for a sub-agent, and so on
        subagentRole | choice | orchestrator or leaf
        subagentControlScope | choice | What it may control: children or none
        forkedFromParent | flag | The thread was forked from its parent's transcript
        inheritedToolAllow | group | Tools allowed by the spawner
        inheritedToolDeny | group | Tools denied by the spawner
        subagentRecovery | group | Tries to recover a stuck sub-agent
        pluginOwnerId | id | Plugin that made the session
        """,
    ),
    **_guide(
        "choices",
        """
        label | text | Name given by a person; unique within a store
        displayName | text | Name made by the channel
        category | text | Bucket chosen by a person
        thinkingLevel | choice | How much the model thinks
        fastMode | choice | Faster answers at the price of depth
        verboseLevel | choice | How much is told along the way
        traceLevel | choice | How much of the run is traced
        reasoningLevel | choice | Whether reasoning is shown
        elevatedLevel | choice | Whether elevated commands are allowed
        ttsAuto | choice | When answers are spoken
        execHost | choice | Where commands run: sandbox, gateway or node
        execSecurity | choice | Which commands may run: deny, allowlist or full
        execAsk | choice | When to ask before a command
        execNode | id | Node that runs commands
        responseUsage | choice | Usage line under answers
        providerOverride | text | Provider chosen for this session
        modelOverride | text | Model chosen for this session
        modelOverrideSource | choice | Who chose the model: user, or auto after a failure
        modelOverrideFallbackOriginProvider | text | Provider before the fallback
        modelOverrideFallbackOriginModel | text | Model before the fallback
        authProfileOverride | text | Credentials profile chosen for this session
        authProfileOverrideSource | choice | Who chose the profile: user or auto
        authProfileOverrideCompactionCount | count | Compactions when the profile was chosen
        agentRuntimeOverride | text | Runtime chosen for this session
        agentHarnessId | id | Harness that runs the agent
        liveModelSwitchPending | flag | A model switch waits for the next turn
        groupActivation | choice | When a group gets an answer: mention or always
        groupActivationNeedsSystemIntro | flag | The group still needs its introduction
        sendPolicy | choice | Whether it may send: allow or deny; absent inherits
        queueMode | choice | What a message does while a run is on
        queueDebounceMs | milliseconds | Quiet time before a run starts
        queueCap | count | Most messages in the queue
        queueDrop | choice | What goes when the queue is full: old, new or summarize
        """,
    ),
    **_guide(
        "routing",
        """
        chatType | choice | direct, group or channel
        channel | text | Messaging channel
        groupId | id | Group on that channel
        subject | text | Group's subject
        groupChannel | text | Room or channel inside the group
        space | text | Space or server that the room is in
        origin | group | Where the conversation came from
        deliveryContext | group | Where answers go
        lastChannel | text | Channel that answers went to last
        lastTo | id | Recipient that answers went to last
        lastAccountId | id | Own account that was used last
        lastThreadId | id | Thread that was used last
        route | group | Route of the conversation
        pendingFinalDelivery | group | An answer that was not delivered yet
        restartRecoveryDeliveryContext | group | Where to deliver after a restart
        restartRecoveryDeliveryRunId | id | Run to deliver after a restart
        ambientTranscriptWatermarks | group | How far each channel was read
        """,
    ),
    **_guide(
        "usage",
        """
        modelProvider | text | Provider of the last run
        model | text | Model of the last run
        inputTokens | tokens | Tokens that the last run read
        outputTokens | tokens | Tokens that the last run wrote
        totalTokens | tokens | Size of the context now
        totalTokensFresh | flag | Whether the context size is up to date
        cacheRead | tokens | Tokens read from the provider's cache
        cacheWrite | tokens | Tokens written to the provider's cache
        contextTokens | tokens | Context window of the model
        estimatedCostUsd | cost | Estimated cost so far
        contextBudgetStatus | group | Estimate of the context before the prompt
        fallbackNoticeSelectedModel | text | Model chosen when a fallback was announced
        fallbackNoticeActiveModel | text | Model used when a fallback was announced
        fallbackNoticeReason | text | Why it fell back
        compactionCount | count | How often the context was compacted
        compactionCheckpoints | group | States kept before each compaction
        memoryFlushAt | time | When memory was written before a compaction
        memoryFlushCompactionCount | count | Compactions at the last memory write
        cliSessionIds | group | Session ids of external command-line programs
        claudeCliSessionId | id | Session id of an external command-line program
        cliSessionBindings | group | Bindings to external command-line programs
        quotaSuspension | group | Pause after a quota was used up
        goal | group | Lasting goal of the session
        """,
    ),
    **_guide(
        "other",
        """
        skillsSnapshot | group | Cached skills; may be large, and is rebuilt when missing
        systemPromptReport | group | Sizes of the last system prompt; may be large, only a cache
        lastHeartbeatText | text | Last heartbeat's text
        lastHeartbeatSentAt | time | When the last heartbeat was sent
        heartbeatIsolatedBaseSessionKey | key | Session that the heartbeat belongs to
        heartbeatTaskState | group | State of heartbeat tasks
        lastTtsReadLatestHash | id | Digest of what was spoken last
        lastTtsReadLatestAt | time | When something was spoken last
        pluginExtensions | group | Data of plugins
        pluginNextTurnInjections | group | What plugins add to the next turn
        pluginDebugEntries | group | Notes of plugins
        pluginExtensionSlotKeys | group | Slots that plugins use
        pendingSkillSuggestion | group | A skill that may be suggested
        skillCaptureSignalHashes | group | Digests of skill signals
        acp | group | State of an agent client protocol session
        """,
    ),
}

UNKNOWN = FieldGuide("unknown", "", "Kept as it is")
