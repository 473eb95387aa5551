"""Rules about who may read and write, and about names that mean the same elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ..errors import Finding, Severity
from .rule import CheckOptions, Rule, about_file, path_of, quoted
from .shapes import FileFacts, FolderFacts, Inventory

_READ, _WRITE, _ENTER = 0o044, 0o022, 0o011
_STRANGERS = ("other",)


def modes(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for folder in inventory.folders.values():
        if not _is_open(inventory, folder.name):
            continue
        if folder.mode & _WRITE:
            yield _about_folder(inventory, folder, "error", "others may change what is in it")
        elif folder.mode & _READ:
            yield _about_folder(inventory, folder, "info", "others may see which files it has")
    for name, facts in inventory.files.items():
        if facts.is_folder or facts.kind in (*_STRANGERS, "quarantined"):
            continue  # what is in quarantine may be a link, and stays as it was
        if not facts.mode & 0o400:
            yield _about_mode(inventory, facts, "warning", "its own owner may not read it")
        elif facts.mode & (_READ | _WRITE):
            yield _open_file(inventory, name, facts)


def _open_file(inventory: Inventory, name: str, facts: FileFacts) -> Finding:
    if not _is_open(inventory, name):
        what = "only its folder keeps others from it"
        return _about_mode(inventory, facts, "info", what)
    if facts.mode & _WRITE:
        return _about_mode(inventory, facts, "error", "others may change it")
    return _about_mode(inventory, facts, "warning", "others may read it")


def _is_open(inventory: Inventory, name: str) -> bool:
    """Whether the folders above a name let other users through."""
    above = name.split("/")[:-1]
    inner = ("/".join(above[:count]) for count in range(1, len(above) + 1))
    return inventory.is_open_to_others and all(
        folder.mode & _ENTER for one in inner if (folder := inventory.folders.get(one)) is not None
    )


def _about_folder(
    inventory: Inventory, folder: FolderFacts, severity: Severity, what: str
) -> Finding:
    return Finding(
        "wrong-mode",
        severity,
        None,
        path_of(inventory, folder.name),
        f"{what}: the mode of the folder is {folder.mode:04o}",
        "give the folder the mode 0700 unless another program needs it",
        "certain",
        (f"the owner is user {folder.uid}",),
    )


def _about_mode(inventory: Inventory, facts: FileFacts, severity: Severity, what: str) -> Finding:
    return about_file(
        "wrong-mode",
        severity,
        inventory,
        facts,
        f"{what}: the mode of the file is {facts.mode:04o}",
        "give it the mode 0600: it may hold conversations and secrets",
        evidence=(f"the owner is user {facts.uid}",),
    )


def owners(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    home = inventory.folders.get("")
    if home is None:
        return
    for facts in inventory.files.values():
        if facts.uid != home.uid and facts.kind not in _STRANGERS:
            yield about_file(
                "wrong-owner",
                "warning",
                inventory,
                facts,
                f"it belongs to user {facts.uid}, and the store's folder to user {home.uid}",
                "give it back to the user that the gateway runs as, or it cannot be written",
                evidence=(f"its mode is {facts.mode:04o}",),
            )
    for folder in inventory.folders.values():
        if folder.uid != home.uid:
            yield Finding(
                "wrong-owner",
                "warning",
                None,
                path_of(inventory, folder.name),
                f"the folder belongs to user {folder.uid}, and the store's to user {home.uid}",
                "give it back to the user that the gateway runs as",
                "certain",
                (f"its mode is {folder.mode:04o}",),
            )


def collisions(inventory: Inventory, options: CheckOptions) -> Iterator[Finding]:
    for same in inventory.collisions:
        names = ", ".join(quoted(name) for name in same)
        yield Finding(
            "name-collision",
            "warning",
            None,
            path_of(inventory, ""),
            f"the folders {names} all mean the same agent",
            "find out which one the gateway uses, and merge or move the others away",
            "certain",
            ("ids of agents are compared as OpenClaw spells them",),
        )
    yield from _colliding_files(inventory)
    yield from _colliding_keys(inventory)


def _colliding_files(inventory: Inventory) -> Iterator[Finding]:
    by_name: defaultdict[str, list[FileFacts]] = defaultdict(list)
    for name, facts in inventory.files.items():
        by_name[name.casefold()].append(facts)
    for same in by_name.values():
        for facts in same[1:] if len(same) > 1 else ():
            yield about_file(
                "name-collision",
                "info",
                inventory,
                facts,
                f"its name differs from that of {quoted(same[0].name)} by case only",
                "a copy to a file system that ignores case would keep one of them",
            )


def _colliding_keys(inventory: Inventory) -> Iterator[Finding]:
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    for key in inventory.entries:
        if not key.islower():
            by_key[key.lower()].append(key)
    for lowered, keys in by_key.items():
        same = [*keys, lowered] if lowered in inventory.entries and lowered not in keys else keys
        if len(same) > 1:
            same.sort()
            yield Finding(
                "name-collision",
                "info",
                same[0],
                None,
                f"its key differs from {quoted(same[1])} by case only",
                "they can be two rooms; do not merge them without looking",
                "possible",
                tuple(f"session {quoted(key)}" for key in same),
            )


RULES = (
    Rule(
        "wrong-mode",
        "Wrong modes",
        "Files that others may read (warning) or change (error), or that their owner may not "
        "read; folders that others may change (error) or look into (worth knowing). Where a "
        "folder above, from the state directory on, keeps others out, a file's mode is only "
        "worth knowing.",
        ("info", "warning", "error"),
        modes,
    ),
    Rule(
        "wrong-owner",
        "Wrong owners",
        "Files and folders of the store that belong to another user than the store's folder.",
        ("warning",),
        owners,
    ),
    Rule(
        "name-collision",
        "Names that differ by case only",
        "Folders of agents that mean the same agent (warning); files or keys that differ by case "
        "only, which is allowed, and which a file system that ignores case cannot hold.",
        ("info", "warning"),
        collisions,
    ),
)
