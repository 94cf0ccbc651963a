"""The page of `studies/infer_paper_gaps.py`: how close the best reading comes, what is excluded, what nothing reproduces."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from nadlab.analysis.cells.printed import GROUPS, PRINTED, errors
from nadlab.analysis.statistics.intervals import mean_interval
from nadlab.analysis.text import markdown_table, setting

LEAST = 3
"""configurations with a level before the page says that it is excluded"""
REPRODUCED = 0.1
"""error, of the ratio as a share of the printed one, below which an observable counts as reproduced"""


def page(rows: pd.DataFrame, factors: Sequence[str], name: str, made_by: Sequence[Mapping[str, str]]) -> str:
    """Return the page in Markdown; rows hold a seed of a configuration each, with its factors and measurements."""
    searched, fresh = rows[~rows["fresh"]], rows[rows["fresh"]]
    by_reading = searched.groupby("configuration", sort=False).mean(numeric_only=True)
    best = str(by_reading["distance"].idxmin())
    chosen = searched[searched["configuration"] == best].iloc[0]
    of_best, today = fresh[fresh["configuration"] == best], fresh[fresh["configuration"] == "today"]
    revisions, processors = (sorted({each[key] for each in made_by}) for key in ("revision", "processor"))
    lines = [
        f"# Which reading of the paper's gaps gives its printed figures? ({name})",
        "",
        f"{len(by_reading)} configurations, seeds {_listed(searched['seed'])}; fresh seeds {_listed(fresh['seed'])}; "
        f"{rows['cpu seconds'].sum() / 3600:.2f} CPU hours of one thread, {', '.join(processors)}, revision {', '.join(revisions)}.",
        "The distance is the mean of three errors: of the valid share, of the ratio (as a share of the printed one, at most 1) and",
        "of the five signatures together. 0 is the paper, 1 has nothing of it. The ratio counts new classes alone.",
        "",
        f"The closest by its search seeds is configuration {best}: {', '.join(f'{each} = {setting(chosen[each])}' for each in factors)}.",
        "",
        "## The closest reading and today's at fresh seeds",
        "",
        *_fresh_table(of_best, today, by_reading[by_reading.index == best].iloc[0]),
        "",
        _verdict(of_best, today),
        "",
        "## Levels",
        "",
        *_levels(searched, by_reading, factors, _margin(of_best)),
        "",
        "## What no reading reproduces",
        "",
        *_closest(searched),
        "",
    ]
    return "\n".join(lines)


def _listed(seeds: pd.Series) -> str:
    return ", ".join(map(str, sorted(set(seeds))))


def _fresh_table(best: pd.DataFrame, today: pd.DataFrame, search: pd.Series) -> list[str]:
    body = []
    for each in ("distance", "diversity", *PRINTED, "above", "above as printed", "held"):
        printed = f"{PRINTED[each]:.3f}" if each in PRINTED else "0" if each == "distance" else ""
        body.append([each, printed, f"{search[each]:.3f}", _spread(best[each]), _spread(today[each])])
    heading = ["", "printed", "closest, search seeds", "closest, fresh seeds", "today's, fresh seeds"]
    return markdown_table(heading, body)


def _spread(values: pd.Series) -> str:
    known = values.dropna()
    return f"{known.mean():.3f} ({known.min():.3f} to {known.max():.3f})" if len(known) else "none"


def _verdict(best: pd.DataFrame, today: pd.DataFrame) -> str:
    """Return whether the closest reading is closer than today's, paired by fresh seed."""
    difference = (best.set_index("seed")["distance"] - today.set_index("seed")["distance"]).dropna()
    if not len(difference):
        return "Neither has run at fresh seeds."
    found = mean_interval(difference.to_numpy(), np.random.default_rng(0))
    if found.low is None or found.high is None:
        return f"At one fresh seed the distance differs by {found.mean:+.3f}: one seed decides nothing."
    closer = "The closest reading is closer." if found.high < 0 else "That the closest reading is closer is not shown."
    return (
        f"Paired difference of the distances: {found.mean:+.3f}, 95 % interval {found.low:+.3f} to {found.high:+.3f} "
        f"(bootstrap, n = {found.n}). {closer}"
    )


def _margin(best: pd.DataFrame) -> float:
    """Return twice the deviation of the closest reading over fresh seeds: a level is excluded beyond that."""
    return max(0.05, 2 * float(best["distance"].std(ddof=1))) if len(best) > 1 else 0.05


def _levels(searched: pd.DataFrame, by_reading: pd.DataFrame, factors: Sequence[str], margin: float) -> list[str]:
    params = searched.groupby("configuration", sort=False)[list(factors)].first()
    limit = by_reading["distance"].min() + margin
    body = []
    for factor in factors:
        for level, alike in _alike(params[factor]):
            distances = by_reading.loc[alike, "distance"]
            few, beyond = len(distances) < LEAST, distances.min() > limit
            said = "too few to say" if few else "excluded" if beyond else ""
            body.append(
                [factor, level, str(len(distances)), f"{distances.min():.3f}", f"{distances.median():.3f}", said]
            )
    said = f"A level is excluded where none of its configurations comes within {margin:.3f} of the closest one."
    return [said, "", *markdown_table(["factor", "level", "n", "least distance", "median", ""], body)]


def _alike(values: pd.Series) -> Iterator[tuple[str, pd.Index]]:
    """Yield the configurations of each level of a factor, of many numbers those of each third."""
    if values.dtype.kind == "f" and values.nunique() > LEAST:
        ascending = values.sort_values()
        for third in (ascending.iloc[part] for part in np.array_split(np.arange(len(values)), 3)):
            yield f"{setting(third.iloc[0])} to {setting(third.iloc[-1])}", third.index
    else:
        for level in sorted(set(values)):
            yield setting(level), values.index[values == level]


def _closest(searched: pd.DataFrame) -> list[str]:
    """Return, for each observable by itself, the configuration whose mean comes closest, and for all of them at once."""
    # errors before means: a seed of 76 % valid cells and one of none are not 37 %
    each_seed = pd.DataFrame([errors({name: float(row[name]) for name in PRINTED}) for _, row in searched.iterrows()])
    found = each_seed.groupby(searched["configuration"].to_numpy(), sort=False).mean()
    body = []
    for each in PRINTED:
        number = str(found[each].idxmin())
        said = "" if found[each].min() <= REPRODUCED else "not reproduced"
        seen = ", ".join(f"{value:.3f}" for value in searched.loc[searched["configuration"] == number, each])
        body.append([each, f"{PRINTED[each]:.3f}", seen, f"{found[each].min():.3f}", number, said])
    groups = pd.DataFrame({group[0]: found[list(group)].mean(axis=1) for group in GROUPS})
    together = int((groups <= REPRODUCED).all(axis=1).sum())
    return [
        f"Each observable by itself in the configuration with the least mean error over its seeds; up to {REPRODUCED:g} counts as",
        "reproduced.",
        "",
        *markdown_table(["", "printed", "closest, by seed", "mean error", "configuration", ""], body),
        "",
        f"Valid share, ratio and signatures within {REPRODUCED:g} at once: {together} of {len(found)} configurations.",
        "",
        "Of the printed valid cells at least 100 - 74.78 - 5.88 - 3.21 = 16.13 % have no operation at all (Figure 4). One class",
        "has none, the edge from input to output: so at least one printed valid cell in six is a copy of that one cell.",
    ]
