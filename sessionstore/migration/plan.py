"""The plan of one store's migration: all that a run would do, and nothing of it done.

The page that shows it is the dry run. Writing the sample for the estimate is the only thing that
touches the disk, in this process's own staging folder. ``digest`` covers what the plan decides:
two plans of one digest would do the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..changes import now_ms
from ..databasefile import has_replaced_file
from ..errors import Finding, SessionStoreError, UnsafeFileError, UnsupportedStoreError
from ..opened import OpenDirectory, read_marker
from ..sqlitestore import read_only_error
from ..store import Store, held_locks
from .choosing import (
    Chosen,
    adopted_look,
    choose,
    files_look,
    in_place,
    nothing_there,
    stays,
    store_file_source,
)
from .digests import digest_of_plan
from .estimate import Estimate, estimate
from .names import check_names
from .programs import programs_for
from .sentences import Facts, sentence_of
from .shapes import MigrationPlan, Outcome, PlannedSession
from .sources import Collected, DirectoryState, classify, collect
from .sources.reading import opened
from .space import Space, measure_space

_NOTHING = Collected((), {}, (), (), (), None)
_UNCHOSEN = Chosen([], [], 0, 0, {}, False)


@dataclass(slots=True)
class _Draft:
    """What is known so far. ``trouble`` says why nothing can be done."""

    state: DirectoryState = DirectoryState.ABSENT
    collected: Collected = _NOTHING
    chosen: Chosen = _UNCHOSEN
    in_place: list[PlannedSession] = field(default_factory=list)
    blocked: list[PlannedSession] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    trouble: str = ""

    @property
    def sessions(self) -> list[PlannedSession]:
        """Everything that the plan names, by key."""
        if not self.in_place and not self.blocked:
            return self.chosen.sessions
        found = [*self.in_place, *self.chosen.sessions, *self.blocked]
        return sorted(found, key=lambda one: (one.key, one.action, one.source))


def plan_migration(store: Store, *, guard: bool = False, sample: int = 64) -> MigrationPlan:
    """Say what :func:`migrate` would do with this store. Changes nothing.

    ``guard``: leave a directory in the place of ``sessions.json``, so that programs that know only
    the old form fail loudly. ``sample``: how many sessions are written and removed again to
    measure how long a run takes; 0 measures nothing.

    Cost: reads every source once, and of a directory that stays the files of the sessions that
    the sources have; memory about three times ``sessions.json``. Trouble with the store is the
    outcome ``failed`` with a finding, never an error.
    """
    draft = _Draft()
    space, guess = Space(0, 0, 0, None), Estimate(0.0, 0)
    try:
        _read(store, draft)
        source = store_file_source(draft.collected, store.paths)
        space = measure_space(store.paths, draft.chosen.written, source)
        guess = estimate(store.paths, draft.chosen.written, sample)
    except (SessionStoreError, OSError) as error:
        _fail(draft, store, error)
    return _finish(store, draft, space, guess, guard)


def _read(store: Store, draft: _Draft) -> None:
    paths, limit = store.paths, store.max_entry_bytes
    draft.state = classify(paths)
    draft.collected = collect(paths, max_entry_bytes=limit, into_directory=stays(draft.state))
    draft.findings += draft.collected.findings
    draft.blocked += draft.collected.blocked
    if draft.state is DirectoryState.OURS:
        marker = read_marker(OpenDirectory(paths))
        with opened(paths.directory, paths.directory.name) as folder:
            look = nothing_there if folder is None else adopted_look(folder, limit)
            draft.chosen = choose(paths, draft.collected, marker, look)
    elif draft.state is DirectoryState.FILES:
        look, gathering = files_look(paths, limit)
        draft.chosen = choose(paths, draft.collected, None, look)
        draft.findings += gathering.settle()
        rows = draft.collected.rows
        draft.blocked += [one for one in gathering.blocked() if one.key not in rows]
        if not draft.collected.sources:
            draft.in_place = in_place(gathering)
    elif draft.collected.rows and has_replaced_file(paths):
        raise read_only_error(paths)
    else:
        draft.chosen = choose(paths, draft.collected, None, nothing_there)


def _fail(draft: _Draft, store: Store, error: SessionStoreError | OSError) -> None:
    message = error.message if isinstance(error, SessionStoreError) else str(error)
    rules: dict[type[Exception], str] = {
        UnsafeFileError: "unsafe-file",
        UnsupportedStoreError: "unsupported-store",
    }
    rule = next((rule for kind, rule in rules.items() if isinstance(error, kind)), "unreadable")
    path = getattr(error, "path", None) or str(store.paths.store_path)
    draft.trouble = _relative(store, message)
    draft.findings.append(
        Finding(rule, "error", None, path, message, getattr(error, "hint", "")),
    )


def _relative(store: Store, message: str) -> str:
    return message.replace(f"{store.paths.store_path.parent}/", "")


def _outcome(draft: _Draft, store: Store) -> Outcome:
    if draft.trouble:
        return "failed"
    collected, chosen = draft.collected, draft.chosen
    into = stays(draft.state)
    if chosen.written:
        return "merged" if into else "migrated"
    source = store_file_source(collected, store.paths)
    if into and source is not None and collected.rows and not chosen.store_file_taken:
        return "merged"  # nothing to bring, but the file still has to be kept as a backup
    if draft.in_place:
        return "migrated"
    if collected.problem == "invalid":
        return "skipped_invalid"
    if draft.state is DirectoryState.OURS:
        return "already"
    if collected.problem == "empty":
        return "skipped_empty"
    if collected.sources or draft.blocked:
        return "skipped_invalid"
    return "missing"


def _facts(draft: _Draft, store: Store, outcome: Outcome, space: Space) -> Facts:
    chosen = draft.chosen
    differs = [one for one in chosen.sessions if one.action == "differs"]
    moved = sum(one.action == "move" for one in chosen.sessions)
    replaced = len(chosen.written) - moved
    return Facts(
        outcome=outcome,
        store=store.paths.store_path.name,
        directory=store.paths.directory.name,
        written=len(chosen.written),
        moved=moved,
        replaced=replaced,
        kept=len(differs) - replaced,
        equal=sum(one.action == "equal" for one in chosen.sessions),
        blocked=len(draft.blocked),
        in_place=len(draft.in_place),
        taken_before=chosen.taken_before,
        odd=sum(one.severity != "info" for one in draft.findings),
        backup_unfinished=chosen.store_file_taken,
        trouble=draft.trouble,
        has_room=space.free_bytes >= space.needed_bytes,
    )


def _finish(
    store: Store, draft: _Draft, space: Space, guess: Estimate, guard: bool
) -> MigrationPlan:
    paths, collected = store.paths, draft.collected
    outcome = _outcome(draft, store)
    sentence = sentence_of(_facts(draft, store, outcome, space))
    programs = programs_for(paths, gateway_lock_dir=store.gateway_lock_dir)
    sessions = tuple(draft.sessions)
    if sessions:
        draft.findings.append(check_names(paths, sessions))
    draft.findings += _notes(draft, space)
    return MigrationPlan(
        paths=paths,
        outcome=outcome,
        sentence=sentence,
        sources=collected.sources,
        sessions=sessions,
        findings=(*draft.findings, *programs.findings),
        leftovers=collected.leftovers,
        programs=programs.programs,
        writers=tuple(held_locks(store, transcripts=False)),
        guard=guard,
        must_choose=programs.must_choose,
        gateway_pid=programs.gateway_pid,
        needed_bytes=space.needed_bytes,
        free_bytes=space.free_bytes,
        estimated_s=guess.seconds,
        sampled_entries=guess.sampled,
        created_ms=now_ms(),
        digest=digest_of_plan(
            f"{paths.store_path}\0{outcome}\0{guard}",
            collected.sources,
            sessions,
            draft.chosen.content,
        ),
    )


def _notes(draft: _Draft, space: Space) -> Iterable[Finding]:
    chosen = draft.chosen
    if chosen.taken_before:
        yield Finding(
            "taken-before",
            "info",
            None,
            None,
            f"{chosen.taken_before:,} sessions were taken over by an earlier run and are not taken "
            f"again; {chosen.gone_since:,} of them were deleted since and stay deleted",
        )
    if space.needed_bytes > space.free_bytes:
        yield Finding(
            "no-room",
            "error",
            None,
            None,
            f"a run needs {space.needed_bytes:,} bytes, the disk has {space.free_bytes:,} free",
            "free some space, then plan again",
        )
    if space.free_files is not None and space.needed_files > space.free_files:
        yield Finding(
            "no-room",
            "error",
            None,
            None,
            f"a run makes {space.needed_files:,} files, the disk has room for "
            f"{space.free_files:,} more",
            "remove files that are not needed, or use a volume with more inodes",
        )
