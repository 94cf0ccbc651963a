"""What pages about files of searches say besides their tables."""

import numpy as np
import pandas as pd

from nadlab.analysis.sections.search_pages import at_ceiling, difference_table, how_chosen, too_few_seeds


def rows(regrets: dict[str, list[float]], name: str = "mnist1d-201", queries: int = 40) -> pd.DataFrame:
    return pd.DataFrame([
        {"method": method, "benchmark": name, "queries": queries, "seed": seed, "regret": regret}
        for method, group in regrets.items()
        for seed, regret in enumerate(group)
    ])  # fmt: skip


def test_a_page_says_whose_settings_were_chosen_on_its_benchmarks_and_which_are_held_out() -> None:
    chosen = {"mine": None, "published": (), "tuned": ("mnist1d-201", "mnist1d-darts")}
    assert how_chosen(chosen, ["mnist1d-201", "nas-bench-graph/cora", "mnist1d-darts"]) == [
        "Settings of tuned were chosen on mnist1d-201 and mnist1d-darts: their results there are optimistic.",
        "No setting may be chosen on nas-bench-graph/cora: held out.",
    ]
    assert how_chosen(chosen, ["mnist1d-101"]) == []


def test_a_page_names_the_budget_with_which_most_searches_find_the_optimum() -> None:
    easy, hard = rows({"a": [0.0, 0.0, 1e-12, 0.4]}, queries=160), rows({"a": [0.0, 0.3, 0.5, 0.4]})
    assert at_ceiling(pd.concat([easy, hard])) == [
        "On mnist1d-201 3 of 4 searches with 160 queries find the optimum: their regrets can hardly show a difference."
    ]


def test_differences_of_too_few_seeds_say_so() -> None:
    found = {"random-search": [0.5] * 5, "a": [0.1] * 5}
    said = "\n".join(difference_table(rows(found), ["random-search", "a"], ["mnist1d-201"], "random-search"))
    assert "With 5 seeds no difference can be significant" in said
    assert "needs at least 6." in said
    more = {"random-search": [0.5] * 6, "a": np.linspace(0.1, 0.2, 6).tolist()}
    said = "\n".join(difference_table(rows(more), ["random-search", "a"], ["mnist1d-201"], "random-search"))
    assert "p = 0.031" in said
    assert "significant" not in said.partition("p = 0.031")[2]


def test_more_benchmarks_need_more_seeds() -> None:
    assert too_few_seeds(6, 1) == too_few_seeds(8, 5) == []
    assert too_few_seeds(7, 5) == [
        "With 7 seeds no difference can be significant at 5 % after Holm's correction over 5 benchmarks: that needs at least 8."
    ]
