"""What keeps text of others from becoming code is visible in the code itself.

CVE-2026-66418 and CVE-2026-12048 of peers were text that was put into a page as HTML. Whatever
switches Django's escaping off is listed here by file and function, each looked at; a new one
fails until somebody has looked at it too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
TEMPLATES = sorted((REPOSITORY / "templates").rglob("*.html"))
MODULES = sorted((REPOSITORY / "dashboard").rglob("*.py"))
SCRIPTS = sorted((REPOSITORY / "static" / "app").rglob("*.js"))

#: Functions that build markup from parts they have escaped one by one, for lists of many rows.
BUILD_MARKUP = frozenset(
    {
        "dashboard/row_html.py:rows",
        "dashboard/templatetags/facets.py:facet_choice",
    }
)
TRUSTING = frozenset(
    {"SafeString", "SafeText", "mark_safe", "SafeData", "html_safe", "format_lazy"}
)
#: Starting programs and reading code from data is for the commands, never for a request.
PROGRAMS = frozenset({"subprocess", "pickle", "marshal", "shelve", "pty", "ctypes", "code"})
MAY_START_PROGRAMS = ("dashboard/serving/", "dashboard/management/commands/")


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def calls(path: Path) -> Iterator[tuple[str, ast.Call, str]]:
    """Every call in a module: the function it stands in, the call, and what is called."""

    def walk(node: ast.AST, inside: str) -> Iterator[tuple[str, ast.Call, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                yield from walk(child, child.name)
                continue
            if isinstance(child, ast.Call):
                called = child.func
                word = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
                yield inside, child, word
            yield from walk(child, inside)

    yield from walk(ast.parse(path.read_text()), "")


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_no_template_trusts_text_or_holds_code(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\|\s*(safe|safeseq|unescape)\b", text)
    assert not re.search(r"{%\s*autoescape", text)
    assert not re.search(r"\son[a-z]+\s*=|hx-on|javascript:|\sstyle\s*=|<style", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"<(iframe|object|embed|base)\b|\ssrcdoc\s*=", text)
    assert not re.search(r"""hx-(vals|headers|vars)=['"]?\s*js:""", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_every_attribute_with_a_value_of_others_is_quoted(path: Path) -> None:
    assert not re.search(r"""\s[a-z-]+=\{[{%]""", path.read_text())


def test_only_looked_at_functions_build_markup() -> None:
    found = {
        f"{name_of(path)}:{inside}"
        for path in MODULES
        for inside, _call, word in calls(path)
        if word in TRUSTING
    }
    assert found == BUILD_MARKUP


def test_markup_is_formatted_from_constants_alone() -> None:
    """``format_html`` escapes its arguments, not its first one."""
    found = [
        f"{name_of(path)}:{call.lineno}"
        for path in MODULES
        for _inside, call, word in calls(path)
        if word in {"format_html", "format_html_join"}
        for argument in call.args[: 1 + (word == "format_html_join")]
        if not isinstance(argument, ast.Constant)
    ]
    assert found == []


def test_requests_start_no_program_and_read_no_code() -> None:
    """OpenClaw (CVE-2026-25593) took a program's path from a configuration write."""
    found = []
    for path in MODULES:
        if name_of(path).startswith(MAY_START_PROGRAMS):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name.partition(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").partition(".")[0]]
            found += [f"{name_of(path)}: {name}" for name in names if name in PROGRAMS]
        found += [
            f"{name_of(path)}:{call.lineno} {word}"
            for _inside, call, word in calls(path)
            if word in {"eval", "exec", "system", "popen", "execv", "spawnv", "__import__"}
        ]
    assert found == []


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_no_script_makes_markup_or_code_of_text(path: Path) -> None:
    text = path.read_text()
    words = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc"
    assert not re.search(words, text)


def test_the_lint_sees_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("def f(x):\n    return [mark_safe(x), format_html(x), os.system(x)]\n")
    assert [(inside, word) for inside, _call, word in calls(path)] == [
        ("f", "mark_safe"),
        ("f", "format_html"),
        ("f", "system"),
    ]
