"""The distance of generated cells from the paper's printed figures, and the page that it is reported on."""

import numpy as np
import pandas as pd
import pytest

from nadlab.analysis.cells.printed import PRINTED, distance, errors, generated
from nadlab.analysis.cells.reading_page import page
from nadlab.semigan.diagnostics import Fidelity
from nadlab.spaces import space
from nadlab.spaces.cells import concatenate

BY = [{"revision": "abc", "code": "def", "processor": "some CPU"}]


def test_printed_figures_themselves_have_distance_0_and_nothing_has_1() -> None:
    assert distance(PRINTED) == 0
    assert distance(dict.fromkeys(PRINTED, float("nan"))) == 1
    assert errors(dict(PRINTED) | {"ratio": PRINTED["ratio"] / 2})["ratio"] == pytest.approx(0.5)
    # validity counts as much as all signatures together
    assert distance(dict(PRINTED) | {"valid": PRINTED["valid"] + 0.3}) == pytest.approx(0.1)
    assert distance(dict(PRINTED) | {"path 1": PRINTED["path 1"] - 0.3}) == pytest.approx(0.02)


def test_observables_count_duplicates_and_the_ratio_is_that_of_new_classes() -> None:
    cells = space("nasbench101").sample(40, np.random.default_rng(0))
    judged = Fidelity(100, 80, 40, 0, 20, above=0.5, base=0.25, above_as_printed=0.9)
    made = generated(concatenate([cells, cells]), judged, space("nasbench101"))
    assert made.observables["valid"] == 0.8
    assert made.observables["ratio"] == 2
    assert made.diversity == 0.5
    assert 0.5 < made.observables["conv 3x3"] <= 1
    assert made.observables["path 1"] + made.observables["path 2"] <= 1
    empty = generated(cells[:0], Fidelity(100, 0, 0, 0, 0, float("nan"), 0.25, float("nan")), space("nasbench101"))
    assert distance(empty.observables) == pytest.approx((PRINTED["valid"] + 2) / 3)


def row(configuration: str, fresh: bool, seed: int, choice: str, by: float) -> dict[str, object]:
    seen = {name: value - by for name, value in PRINTED.items()}
    measured = {"above": 0.7, "above as printed": 0.8, "held": 30, "diversity": 0.4, "cpu seconds": 9.0}
    where = {"configuration": configuration, "fresh": fresh, "seed": seed, "choice": choice}
    return where | seen | measured | {"distance": distance(seen)}


def test_page_says_what_is_closer_excluded_and_reproduced() -> None:
    rows = [
        row(str(each), False, seed, "far" if each % 2 else "near", 0.3 if each % 2 else 0.02)
        for each in range(8)
        for seed in (0, 1)
    ]
    rows += [row("0", True, seed, "near", 0.02 + seed / 1e4) for seed in range(100, 104)]
    rows += [row("today", True, seed, "far", 0.3) for seed in range(100, 104)]
    rate = {str(each): 10.0**-each for each in range(8)} | {"today": 1.0}
    for each in rows:
        each["rate"] = rate[str(each["configuration"])]
    text = page(pd.DataFrame(rows), ["choice", "rate"], "readings", BY)
    for third, count in (("1e-07 to 1e-05", 3), ("0.0001 to 0.01", 3), ("0.1 to 1", 2)):
        assert f"| rate | {third} | {count} |" in text
    assert "The closest by its search seeds is configuration 0: choice = near, rate = 1." in text
    assert "The closest reading is closer." in text
    assert "| choice | far | 4 |" in text
    assert [line for line in text.splitlines() if "excluded |" in line] == [
        line for line in text.splitlines() if "| far |" in line
    ]
    assert "within 0.1 at once: 4 of 8" in text
    assert "not reproduced" not in text
