"""Parts of pages about files of searches: paired differences, and what the searches cannot show."""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from nadlab.analysis.statistics.comparisons import fewest_seeds, holm
from nadlab.analysis.statistics.intervals import mean_interval, paired, paired_difference
from nadlab.analysis.statistics.paired_tests import signed_rank
from nadlab.analysis.text import ends, listed, markdown_table, p_equals
from nadlab.benchmarks.oracle import facts_of, metric_of
from nadlab.benchmarks.registry import benchmark
from nadlab.study.incumbents import EQUAL
from nadlab.study.search_file import mean_regrets, regrets_of

CEILING = 0.5
"""share of searches at the optimum from which on that is said"""


def how_chosen(chosen: Mapping[str, Collection[str] | None], names: Sequence[str]) -> list[str]:
    """Return sentences on which of these benchmarks settings were chosen, and which are held out.

    chosen: method -> the benchmarks that its settings were chosen on, empty for published ones, None where that is not known.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        groups.setdefault(tuple(method for method, seen in chosen.items() if seen and name in seen), []).append(name)
    said = [
        f"Settings of {listed(methods)} were chosen on {listed(shared)}: their results there are optimistic."
        for methods, shared in groups.items()
        if methods
    ]
    if held := [name for name in names if facts_of(benchmark(name)).held_out]:
        said.append(f"No setting may be chosen on {listed(held)}: held out.")
    return said


def at_ceiling(rows: pd.DataFrame) -> list[str]:
    """Return a sentence for each benchmark on which most searches with one budget end at the optimum."""
    said = []
    for (name, queries), group in rows.groupby(["benchmark", "queries"]):
        reached = int((group["regret"].abs() < EQUAL).sum())
        if reached >= CEILING * len(group):
            said.append(
                f"On {name} {reached} of {len(group)} searches with {queries} queries find the optimum: their regrets can hardly "
                "show a difference."
            )
    return said


def too_few_seeds(seeds: int, comparisons: int) -> list[str]:
    """Return the sentence that a test of so many paired seeds cannot be significant; empty where it can."""
    fewest = fewest_seeds(comparisons)
    if seeds >= fewest:
        return []
    return [
        f"With {seeds} seeds no difference can be significant at 5 % after Holm's correction over {comparisons} benchmarks: that "
        f"needs at least {fewest}."
    ]


def difference_table(rows: pd.DataFrame, arms: Sequence[str], names: Sequence[str], reference: str | None) -> list[str]:
    """Return the lines about what each arm is behind the reference, or the arm before, on the same seeds, at one budget."""
    rng, regrets, gaps = np.random.default_rng(0), regrets_of(rows), list[tuple[str, ...]]()
    comparable = len(names) > 1 and len({metric_of(benchmark(name)).unit for name in names}) == 1
    most = (0, 1)
    for before, arm in pairwise(["", *arms]):
        other = reference or before
        if other in ("", arm):
            continue
        pairs = {name: paired(regrets.get((arm, name), {}), regrets.get((other, name), {})) for name in names}
        pairs = {name: each for name, each in pairs.items() if len(each)}
        corrected = dict(zip(pairs, holm([signed_rank(each) for each in pairs.values()]), strict=True))
        found = {name: mean_interval(each, rng) for name, each in pairs.items()}
        texts = [f"{it.mean:+.2f} ({ends(it)}), {p_equals(corrected[name])}" if (it := found.get(name)) else ""
                 for name in names]  # fmt: skip
        if comparable:
            own, others = (mean_regrets(regrets, each, names) for each in (arm, other))
            gap = paired_difference(own, others, rng)
            texts.append(f"{gap.mean:+.2f} ({ends(gap)})" if gap else "")
        gaps += [(arm, *texts)] if pairs else []
        most = max([most, *((len(each), len(pairs)) for each in pairs.values())])
    return [
        f"Regret minus that of {reference or 'the arm before'}, paired by seed; p from the signed-rank test, Holm-corrected "
        "over benchmarks, not over the rows:", "",
        *markdown_table(("method", *names, *(["mean of these"] if comparable else [])), gaps), "",
        *(line for sentence in too_few_seeds(*most) for line in (sentence, "")),
    ]  # fmt: skip
