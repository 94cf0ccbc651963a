"""A benchmark of one's own, `module:function`: opened, and checked before anything relies on it."""

import re
from collections.abc import Iterator

import numpy as np

from nadlab.benchmarks.oracle import SPLITS, Cost, Facts, Metric, Oracle, cost_of, facts_of, metric_of, quantities_of
from nadlab.benchmarks.presets import check_protocol, under
from nadlab.errors import UserError
from nadlab.plugins import check_call, load_object
from nadlab.spaces import SearchSpace

_COLUMNS = (
    "number", "key", "cell", "valid", "test", "failed", "origin", "method", "seed", "trial", "level", "incumbent",
)  # fmt: skip
"""of tables of queries, to which each quantity adds one"""


def own_benchmark(name: str, preset: str) -> Oracle:
    """Return the benchmark that `module:function` gives, under a protocol; raise UserError that says what it lacks."""
    made = load_object(name)
    check_call(name, made, "its name")
    oracle: Oracle = made(name)
    needed = [each for each in vars(Oracle) if not each.startswith("_") and each != "preset"]
    absent = [each for each in needed if not hasattr(oracle, each)]
    if absent:
        raise UserError(
            f"{name} does not return a benchmark: it lacks {', '.join(absent)} (nadlab.benchmarks.oracle.Oracle)"
        )
    space = oracle.space
    lacking = [each for each in vars(SearchSpace) if not each.startswith("_") and not hasattr(space, each)]
    if lacking or type(space).__hash__ is None:
        what = f"lacks {', '.join(lacking)}" if lacking else "cannot be hashed"
        raise UserError(f"the search space of the benchmark {name} {what}: complete it with nadlab.spaces.complete")
    oracle = under(oracle, preset)
    if oracle.name != name:
        raise UserError(f"the benchmark {name} has the name {oracle.name!r}: it must be {name!r}")
    if oracle.preset != preset:
        check_protocol(preset)
        raise UserError(f"the benchmark {name} answers by the protocol {oracle.preset!r}, not {preset!r}")
    for what, got, right, needed_form in _declared(oracle):
        if not right:
            raise UserError(f"the benchmark {name} has the {what} {got!r}: it must be {needed_form}")
    optimum = getattr(oracle, "optimum", None)
    if optimum is not None and metric_of(oracle).number(optimum) is None:
        raise UserError(
            f"the benchmark {name} has the optimum {optimum!r}: it must be {metric_of(oracle).range_text}, or None"
        )
    return oracle


def _declared(oracle: Oracle) -> Iterator[tuple[str, object, bool, str]]:
    """Yield what a benchmark declares, whether it is of the kind that everything else relies on, and that kind."""
    digest, count, facts, metric, cost = (
        oracle.digest, oracle.queryable_count, facts_of(oracle), metric_of(oracle), cost_of(oracle),
    )  # fmt: skip
    yield "digest", digest, isinstance(digest, str), "text"
    yield "queryable_count", count, isinstance(count, int | np.integer), "a whole number"
    for what in ("search_split", "report_split"):
        yield what, getattr(oracle, what), getattr(oracle, what) in SPLITS, " or ".join(SPLITS)
    yield "facts", facts, isinstance(facts, Facts), "nadlab.benchmarks.oracle.Facts(...)"
    yield "metric", metric, isinstance(metric, Metric), "nadlab.benchmarks.oracle.Metric(...)"
    paid = cost is None or (isinstance(cost, Cost) and min(cost.cpus, cost.gpus) >= 0)
    quantities = quantities_of(oracle)
    listed = isinstance(quantities, tuple | list) and all(isinstance(each, Metric) for each in quantities)
    yield "quantities", quantities, listed, "a tuple of nadlab.benchmarks.oracle.quantity(...)"
    named = [each.name for each in quantities] if listed else []
    taken = {*_COLUMNS, metric_of(oracle).name}
    distinct = len(set(named)) == len(named) and not taken & set(named)
    plain = all(re.fullmatch(r"[^\s,=]+( [^\s,=]+)*", name) for name in named)
    form = f"different names without ',' and '=', and none of {', '.join(sorted(taken))}"
    yield "quantities' names", named, distinct and plain, form
    yield "cost", cost, paid, "nadlab.benchmarks.oracle.Cost(...) of no negative number"
    worst = getattr(metric, "worst", None)
    yield "metric's worst value", worst, cost is None or worst is not None, "a number, which failed trainings count as"
