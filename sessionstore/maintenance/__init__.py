"""Find what is stale, orphaned, damaged or wasteful; plan to tidy it; do it; take it back."""

from .apply import TAKE_BACK_S, maintain
from .apply_blobs import retired_by_runs
from .check import Checked, check, examine
from .inventory import take
from .plan import plan_maintenance, plan_of, without
from .plan_records import decode_plan, encode_plan
from .plan_shapes import (
    ItemResult,
    MaintenancePlan,
    MaintenancePolicy,
    MaintenanceReport,
    PlannedItem,
)
from .policy import DEFAULTS, GatewayPolicy, policy_of
from .policy_values import parse_bytes, parse_count, parse_duration
from .rule import CheckOptions, Rule
from .rules import RULES
from .rules_fields import REBUILDABLE
from .runs import RunFacts, read_run, run_ids, runs
from .runs_expire import expire_runs
from .take_back import take_back

__all__ = [
    "DEFAULTS",
    "REBUILDABLE",
    "RULES",
    "TAKE_BACK_S",
    "CheckOptions",
    "Checked",
    "GatewayPolicy",
    "ItemResult",
    "MaintenancePlan",
    "MaintenancePolicy",
    "MaintenanceReport",
    "PlannedItem",
    "Rule",
    "RunFacts",
    "check",
    "decode_plan",
    "encode_plan",
    "examine",
    "expire_runs",
    "maintain",
    "parse_bytes",
    "parse_count",
    "parse_duration",
    "plan_maintenance",
    "plan_of",
    "policy_of",
    "read_run",
    "retired_by_runs",
    "run_ids",
    "runs",
    "take",
    "take_back",
    "without",
]
