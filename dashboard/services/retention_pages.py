"""What a policy would keep and remove, before anything is: by store, with rules and bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sessionstore.backup import RetentionPlan, RetentionPolicy, plan_retention
from sessionstore.errors import InvalidPolicyError

from .backup_catalogue import catalogue
from .backup_rows import BackupRow, row_of
from .backup_words import rule_word
from .fleet import fleet
from .problems import Problem, problem_of
from .readers import Reader
from .restore_plans import now_ms

__all__ = ["POLICY_FIELDS", "RetentionPolicy", "RetentionPreview", "preview"]

POLICY_FIELDS = ("keep_last", "hourly", "daily", "weekly", "monthly")


@dataclass(frozen=True, slots=True)
class RetentionPreview:
    """Each backup with the rules that keep it, or without any. ``digest`` names all of it.

    ``plans`` are the library's, by store id; ``problem`` is why there is none.
    """

    rows: tuple[BackupRow, ...] = ()
    plans: Mapping[str, tuple[Reader, RetentionPlan]] | None = None
    freed_bytes: int = 0
    removed: int = 0
    digest: str = ""
    problem: Problem | None = None

    @property
    def kept(self) -> int:
        """How many stay."""
        return len(self.rows) - self.removed


def preview(policy: RetentionPolicy, store_ids: Sequence[str] = ()) -> RetentionPreview:
    """Plan a policy for every store in scope, or for some. Touches nothing."""
    seen = catalogue()
    readers = [r for r in fleet().scan().readers if not store_ids or r.id in store_ids]
    plans: dict[str, tuple[Reader, RetentionPlan]] = {}
    rows: list[BackupRow] = []
    try:
        at_ms = now_ms()
        plan_retention((), policy, now_ms=at_ms)
        for reader in readers:
            mine = seen.of_store(reader.id)
            if not mine:
                continue
            plan = plan_retention([one.backup for one in mine], policy, now_ms=at_ms)
            if plan.remove:
                plans[reader.id] = reader, plan
            rules = {one.id: tuple(map(rule_word, words)) for one, words in plan.keep}
            rows.extend(row_of(one, rules.get(one.backup.id, ())) for one in mine)
    except InvalidPolicyError as error:
        return RetentionPreview(problem=problem_of(error))
    rows.sort(key=lambda row: (row.store, -row.created_at_ms))
    removed = [one for _reader, plan in plans.values() for one in plan.remove]
    return RetentionPreview(
        rows=tuple(rows),
        plans=plans,
        freed_bytes=sum(one.size_bytes for one in removed),
        removed=len(removed),
        digest="-".join(plan.digest[:16] for _reader, plan in plans.values()),
    )
