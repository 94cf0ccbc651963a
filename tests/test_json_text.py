"""JSON is strict, wherever the product writes or prints it."""

import ast
import json
from pathlib import Path

import pytest

from nadlab.errors import UserError
from nadlab.json_text import strict_json

ROOT = Path(__file__).parents[1]
NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"history": [{"D": 1.0}, {"D": NAN}]}, r"history\[1\]\.D is nan"),
        ({"metrics": {"regret": -INFINITE}}, r"metrics\.regret is -inf"),
        ([1.0, (2.0, INFINITE)], r"\[1\]\[1\] is inf"),
        (NAN, "the value is nan"),
    ],
)
def test_field_that_is_no_number_is_named(value: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        strict_json(value)


def test_what_is_missing_is_null_and_what_is_finite_is_as_ever() -> None:
    value = {"b": [1, 2.5, None, "é"], "a": {}}
    assert strict_json(value) == json.dumps(value)
    assert strict_json(value, indent=1, sort_keys=True) == json.dumps(value, indent=1, sort_keys=True)


def test_circle_stays_the_error_that_it_is() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(ValueError, match="Circular"):
        strict_json(value)


def test_nothing_writes_json_past_it() -> None:
    lax = []
    for path in (
        each for folder in ("platform", "trainables", "studies", "perf") for each in (ROOT / folder).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (
                isinstance(node, ast.Call) and ast.unparse(node.func) in {"json.dump", "json.dumps", "dump", "dumps"}
            ):
                continue
            strict = any(each.arg == "allow_nan" and ast.unparse(each.value) == "False" for each in node.keywords)
            if "json" in ast.unparse(node.func) and not strict:
                lax.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not lax
