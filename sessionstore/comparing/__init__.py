"""One store in every form that is there, session by session: is it the same in all of them?

::

    comparison = compare_layouts(paths)
    comparison.counts            # {"equal": 9, "differs": 1, "only-sqlite": 2, …}
    states_of_key(paths, key)    # one session's entry in each form

Reads ``sessions.json``, ``sessions.d`` and OpenClaw's database; changes nothing, takes no lock.
"""

from .comparison import compare_layouts, without_marker
from .forms import states_of_key
from .shapes import FORMS, Compared, Comparison, Form, FormName, Outcome

__all__ = [
    "FORMS",
    "Compared",
    "Comparison",
    "Form",
    "FormName",
    "Outcome",
    "compare_layouts",
    "states_of_key",
    "without_marker",
]
