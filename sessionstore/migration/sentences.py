"""The first line of a plan: what would happen, and whether anything is in the way."""

from __future__ import annotations

from typing import NamedTuple

from .shapes import Outcome


class Facts(NamedTuple):
    """What the sentence is made of. Counts are sessions; ``directory`` and ``store`` are names."""

    outcome: Outcome
    store: str
    directory: str
    written: int
    moved: int
    replaced: int
    kept: int
    equal: int
    blocked: int
    in_place: int
    taken_before: int
    odd: int
    backup_unfinished: bool
    trouble: str
    has_room: bool


def sentence_of(facts: Facts) -> str:
    """One or two plain sentences."""
    first = _FIRST[facts.outcome](facts)
    if facts.outcome in ("migrated", "merged"):
        return f"{first}; {_in_the_way(facts)}."
    if facts.outcome == "already" and facts.odd:
        return f"{first}; {_in_the_way(facts)}."
    return f"{first}."


def _in_the_way(facts: Facts) -> str:
    ways = []
    if facts.blocked:
        stay = "stays" if facts.blocked == 1 else "stay"
        ways.append(f"{_sessions(facts.blocked)} cannot be taken over and {stay} in what is kept")
    if not facts.has_room:
        ways.append("the disk has not enough room")
    if facts.odd:
        ways.append(f"{facts.odd} {'thing is' if facts.odd == 1 else 'things are'} to be looked at")
    return ", and ".join(ways) or "nothing in it is in the way"


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count:,} sessions"


def _migrated(facts: Facts) -> str:
    if facts.in_place:
        where = f"{facts.directory}, one file each, where they are"
        return f"Would take over {_sessions(facts.in_place)} in {where}"
    each = "one file" if facts.written == 1 else "one file each"
    return f"Would move {_sessions(facts.written)} into {each}"


def _merged(facts: Facts) -> str:
    if not facts.written:
        return (
            f"Would keep {facts.store} as a backup: all of it that counts is in {facts.directory} "
            "already"
        )
    parts = [
        (facts.moved, "new"),
        (facts.replaced, "newer"),
    ]
    which = " and ".join(f"{count:,} {kind}" for count, kind in parts if count)
    newer = "is newer and stays" if facts.kept == 1 else "are newer and stay"
    stays = f"; {facts.kept:,} in it {newer}" if facts.kept else ""
    return f"Would bring {which} into {facts.directory}, which stays{stays}"


def _already(facts: Facts) -> str:
    if facts.backup_unfinished:
        return (
            f"Already migrated: {facts.store} was taken over before, only giving it the name of a "
            "backup is left to do"
        )
    return f"Already migrated: there is nothing in an older form that {facts.directory} lacks"


def _missing(facts: Facts) -> str:
    return f"Nothing to migrate: there is no {facts.store} and no older form of it"


def _empty(facts: Facts) -> str:
    return f"Nothing to migrate: {facts.store} holds no sessions and stays as it is"


def _invalid(facts: Facts) -> str:
    if facts.blocked or facts.odd:
        return (
            f"Cannot migrate: none of what {facts.store} holds can be taken over; it stays as it is"
        )
    return f"Cannot migrate: {facts.store} cannot be read as sessions; it stays as it is"


def _failed(facts: Facts) -> str:
    return f"Cannot migrate: {facts.trouble}"


_FIRST = {
    "migrated": _migrated,
    "merged": _merged,
    "already": _already,
    "missing": _missing,
    "skipped_empty": _empty,
    "skipped_invalid": _invalid,
    "failed": _failed,
}
