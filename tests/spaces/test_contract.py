"""What every search space keeps, the package's and one's own; and the sentence for each broken promise."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nadlab.errors import UserError
from nadlab.queries.path_encoding import path_encoding
from nadlab.searchers.models.choices import choices_of
from nadlab.spaces import GROUP, SPACES, Cells, SearchSpace, check_space, complete, space
from nadlab.spaces.cells import is_valid
from nadlab.spaces.classes import classes
from tests.spaces.toy import Perceptrons, toy_space

STRAY = np.random.default_rng(0)
ALL = {**SPACES, "toy": toy_space()}


@pytest.fixture(params=list(ALL))
def any_space(request: pytest.FixtureRequest) -> SearchSpace:
    return ALL[request.param]


def test_every_space_keeps_its_promises(any_space: SearchSpace) -> None:
    assert check_space(any_space) == []


def test_choices_write_and_read_every_cell(any_space: SearchSpace) -> None:
    cells = any_space.canonical(any_space.sample(300, np.random.default_rng(0)))
    choices = choices_of(any_space)
    sequences = choices.encode(cells)
    assert (sequences < choices.sizes).all()
    assert (any_space.keys(choices.decode(sequences)) == any_space.keys(cells)).all()


def test_every_cell_has_a_path(any_space: SearchSpace) -> None:
    assert path_encoding(any_space.sample(100, np.random.default_rng(0)), any_space).any(axis=1).all()


def test_what_is_derived_for_the_toy_space_follows_from_its_cells() -> None:
    toy = toy_space()
    cells = toy.enumerate()
    assert toy.size == len(cells) == len(classes(toy)[0]) == 216
    one = toy.parse("01000/00100/00010/00001/00000;input|relu|relu|relu|output")
    # six other labels and three skips
    assert len(toy.neighbours(one)) == 9
    assert choices_of(toy).sizes.tolist() == [3, 2, 3, 4, 3]
    everything = choices_of(toy).decode(np.stack(np.unravel_index(np.arange(216), (3, 2, 3, 4, 3)), axis=1))
    assert is_valid(everything, toy).all()
    assert len(np.unique(toy.keys(everything))) == 216
    # every path but the one from input to output at once, which no cell has
    assert np.flatnonzero(~path_encoding(cells, toy).any(axis=0)).tolist() == [0]


def test_two_spaces_of_one_name_are_not_mixed_up() -> None:
    class Chains(Perceptrons):
        def enumerate(self) -> Cells:
            return super().enumerate()[:27]

        def invalid_reasons(self, cells: Cells) -> list[str | None]:
            skips: list[bool] = cells.adjacency[:, [0, 1, 0], [2, 3, 3]].any(axis=1).tolist()  # type: ignore[assignment]
            return [
                "a skip" if each else said for each, said in zip(skips, super().invalid_reasons(cells), strict=True)
            ]

    toy, chains = toy_space(), complete(Chains)
    assert toy.name == chains.name
    assert (len(classes(toy)[0]), len(classes(chains)[0])) == (216, 27)
    assert choices_of(chains).sizes.tolist() == [3, 3, 3]


def test_a_large_space_needs_no_list() -> None:
    class Large(Perceptrons):
        size = 10**9
        enumerate = property()

        def sample(self, count: int, rng: np.random.Generator) -> Cells:
            return Perceptrons().enumerate()[rng.integers(0, 216, count)]

        def canonical(self, cells: Cells) -> Cells:
            return cells

    class Small(Large):
        size = 216

    with pytest.raises(UserError, match="has 216 cells, and up to 600,000 are listed: give it `enumerate`"):
        complete(Small)
    large = complete(Large)
    with pytest.raises(UserError, match="too many to list"):
        large.enumerate()
    assert len(large.unlabelled(50, np.random.default_rng(0))) == 50
    with pytest.raises(UserError, match="too many to draw"):
        large.unlabelled(217, np.random.default_rng(0))


def test_what_is_absent_is_named() -> None:
    with pytest.raises(
        UserError, match="lacks name, operations, vertices, invalid_reasons, keys, size, sample, canonical"
    ):
        complete(object())
    with pytest.raises(UserError, match="unknown search space 'mlps': choose one of nasbench101"):
        space("mlps")


def test_a_space_is_checked_by_its_class_object_and_name() -> None:
    for own in (Perceptrons, Perceptrons(), toy_space(), "tests.spaces.toy:Perceptrons", "nasbench201"):
        assert check_space(own) == []
    (sentence,) = check_space(object())
    assert "lacks name" in sentence


def test_a_class_that_needs_arguments_is_named() -> None:
    class Sized(Perceptrons):
        def __init__(self, width: int) -> None:
            self.width = width

    with pytest.raises(UserError, match=r"Sized can't be called without arguments: .*'width'"):
        complete(Sized)


def test_a_space_that_lists_a_part_of_what_it_calls_valid_is_refused() -> None:
    class Part(Perceptrons):
        def enumerate(self) -> Cells:
            return super().enumerate()[:40]

    (sentence,) = check_space(Part)
    assert "accepts a cell that the space does not have" in sentence


def test_an_installed_package_can_register_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "perceptrons-1.0.dist-info").mkdir()
    points = "perceptrons = tests.spaces.toy:Perceptrons\ngone = no_such_module:Space\n"
    (tmp_path / "perceptrons-1.0.dist-info" / "entry_points.txt").write_text(f"[{GROUP}]\n{points}")
    (tmp_path / "perceptrons-1.0.dist-info" / "METADATA").write_text("Name: perceptrons\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert space("perceptrons").size == Perceptrons().enumerate().adjacency.shape[0]
    with pytest.raises(UserError, match="did you mean perceptrons"):
        space("perceptron")
    with pytest.raises(
        UserError, match="the search space 'gone' of perceptrons can't be loaded from no_such_module:Space"
    ):
        space("gone")


def reasons_for_nothing(_: Any, cells: Cells) -> list[str | None]:
    return [None] * len(cells)


def sample_of_floats(_: Any, count: int, rng: np.random.Generator) -> Cells:
    cells = Perceptrons().enumerate()[rng.integers(0, 216, count)]
    return Cells(cells.adjacency.astype(float), cells.operations)


@pytest.mark.parametrize(
    ("method", "broken", "words"),
    [
        ("vertices", 1, "`vertices` must be a whole number from 2"),
        ("operations", ["a", "b"], "`operations` must be a tuple"),
        ("keys", lambda _, cells: cells.operations[:, 1].astype(np.int32), "`keys` must return int64 of shape"),
        ("invalid_reasons", reasons_for_nothing, "accepts a cell that the space does not have: .*lists none with"),
        ("invalid_reasons", lambda _, cells: ["never"] * len(cells), "`enumerate` lists a cell that .* refuses: never"),
        ("sample", sample_of_floats, "`sample` must return Cells whose adjacency is uint8"),
        (
            "sample",
            lambda _, count, __: Perceptrons().enumerate()[np.asarray(STRAY.integers(0, 216, count))],
            "from `rng` alone",
        ),
        ("canonical", lambda _, cells: cells[np.arange(len(cells))[::-1]], "`canonical` must keep a cell's key"),
        ("format", lambda *_: "a\nb", "one line of text"),
        ("parse", lambda *_: Perceptrons().enumerate()[:1], "`parse` must read back"),
        ("neighbours", lambda _, cell: cell, "`neighbours` returned the cell itself"),
        (
            "neighbours",
            lambda _, cell: Cells(1 - cell.adjacency, cell.operations),
            "`neighbours` returned an adjacency",
        ),
        ("enumerate", lambda _: Perceptrons().enumerate()[[0, 1, 1]], "`enumerate` lists a cell twice"),
        ("enumerate", lambda _: [{"width": 3}], "`enumerate` must return Cells whose adjacency is uint8"),
        (
            "enumerate",
            lambda _: Perceptrons().enumerate()[STRAY.permutation(216)],
            "`enumerate` must list the cells in the same order each time",
        ),
    ],
)
def test_each_broken_promise_is_one_sentence(method: str, broken: Any, words: str) -> None:
    own = type("Broken", (Perceptrons,), {method: broken})
    with pytest.raises(UserError, match=words):
        complete(own)
    assert re.search(words, "; ".join(check_space(own)))
