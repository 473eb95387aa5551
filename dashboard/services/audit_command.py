"""What ``manage.py sessions check`` does: looks at stores and says what is wrong, masked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore import open_store
from sessionstore.errors import Finding, SessionStoreError
from sessionstore.maintenance import RULES, examine, take
from sessionstore.paths import StorePaths

from .command_stores import UsageError, chosen
from .findings import masked_finding
from .fleet import fleet
from .migration_command import NOTHING, OK
from .readers import Reader

__all__ = [
    "FOUND",
    "NOTHING",
    "OK",
    "Checked",
    "UsageError",
    "checked",
    "chosen",
    "rule_slugs",
    "skipped",
    "status_of",
    "summary",
    "title_of",
]

FOUND = 10
_FOUND_S = 30.0
_UNOPENED = "not-opened"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of one store found. ``findings`` and ``told``, the JSON, are masked."""

    store: str
    findings: tuple[Finding, ...]
    rules: int
    sessions: int
    files: int
    told: dict[str, Any]

    @property
    def sentence(self) -> str:
        """How much was looked at and what that came to."""
        looked = _("%(rules)s rules, %(sessions)s sessions and %(files)s files examined")
        looked %= {
            "rules": f"{self.rules:,}",
            "sessions": f"{self.sessions:,}",
            "files": f"{self.files:,}",
        }
        count = len(self.findings)
        if not count:
            return _("%s, nothing to do.") % looked
        found = ngettext("%(n)s finding.", "%(n)s findings.", count) % {"n": f"{count:,}"}
        return f"{looked}, {found}"

    @property
    def is_sound(self) -> bool:
        """Whether nothing is more than worth knowing."""
        return all(finding.severity == "info" for finding in self.findings)

    @property
    def by_rule(self) -> Mapping[str, list[Finding]]:
        """The findings of each rule, in the order of the check."""
        found: defaultdict[str, list[Finding]] = defaultdict(list)
        for finding in self.findings:
            found[finding.rule].append(finding)
        return found


def rule_slugs() -> tuple[str, ...]:
    """The rules that there are."""
    return tuple(RULES)


def title_of(slug: str) -> str:
    """A rule's title; a slug without a rule stands for itself."""
    return RULES[slug].title if slug in RULES else slug


def checked(reader: Reader, rules: Sequence[str] | None) -> Checked:
    """Check one store. What keeps it from being opened is a finding as well."""
    looked_for = len(RULES if rules is None else rules)
    try:
        with open_store(reader.paths, report=False) as store:
            found = examine(take(store), rules=rules)
    except SessionStoreError as error:
        unopened = (_unopened(reader.paths, error),)
        return _result(reader.name, unopened, looked_for, 0, 0)
    return _result(reader.name, found.findings, len(found.rules), found.entries, found.files)


def skipped() -> list[Checked]:
    """The stores of the state directory that are found and must not be opened, as findings."""
    found = fleet().scan(budget_s=_FOUND_S).skipped
    return [_result(one.agent, (one.finding,), 0, 0, 0) for one in found]


def _unopened(paths: StorePaths, error: SessionStoreError) -> Finding:
    if paths.problem is not None:
        return paths.problem
    return Finding(_UNOPENED, "error", error.key, error.path, error.message, error.hint, "certain")


def _result(
    name: str, findings: Sequence[Finding], rules: int, sessions: int, files: int
) -> Checked:
    masked = tuple(masked_finding(finding) for finding in findings)
    told = {
        "agent": name,
        "rules": rules,
        "sessions": sessions,
        "files": files,
        "findings": [asdict(finding) for finding in masked],
    }
    return Checked(name, masked, rules, sessions, files, told)


def status_of(results: Sequence[Checked]) -> int:
    """The exit status: one store that is not sound is enough."""
    if not results:
        return NOTHING
    return OK if all(result.is_sound for result in results) else FOUND


def summary(results: Sequence[Checked]) -> str:
    """All stores in one sentence."""
    findings = [finding for result in results for finding in result.findings]
    worse = sum(finding.severity != "info" for finding in findings)
    said = _("%(stores)s stores checked: %(findings)s findings, %(worse)s of them to be looked at.")
    return said % {
        "stores": f"{len(results):,}",
        "findings": f"{len(findings):,}",
        "worse": f"{worse:,}",
    }
