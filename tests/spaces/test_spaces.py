"""Every search space: notation, keys, validity, enumeration, change."""

import numpy as np
import pytest

from nadlab.errors import UserError
from nadlab.spaces import SPACES, Cells, SearchSpace, space

PUBLISHED_COUNTS = {
    "nasbench101": (423_624, 423_624),
    "nasbench201": (15_625, 6_466),
    "nasbenchgraph": (26_206, 26_206),
    "natssize": (32_768, 32_768),
}
"""Of the spaces that can be listed."""


@pytest.fixture(params=list(SPACES))
def any_space(request: pytest.FixtureRequest) -> SearchSpace:
    return space(request.param)


@pytest.mark.parametrize("name", list(PUBLISHED_COUNTS))
def test_enumeration_has_the_published_number_of_cells_and_classes(name: str) -> None:
    any_space = space(name)
    cells = any_space.enumerate()
    some = cells[np.random.default_rng(0).choice(len(cells), 3_000, replace=False)]
    assert any_space.invalid_reasons(some) == [None] * len(some)
    cells_count, classes = PUBLISHED_COUNTS[any_space.name]
    assert len(cells) == any_space.size == cells_count
    if any_space.name != "nasbench101":
        assert len(np.unique(any_space.keys(cells))) == classes


def test_notation_is_read_back_without_loss(any_space: SearchSpace) -> None:
    for cell in any_space.sample(100, np.random.default_rng(1)):
        again = any_space.parse(any_space.format(cell))
        assert any_space.format(again) == any_space.format(cell)
        assert (any_space.keys(again) == any_space.keys(cell)).all()


def test_neighbours_are_distinct_valid_and_symmetric(any_space: SearchSpace) -> None:
    cell = any_space.sample(1, np.random.default_rng(3))
    near = any_space.neighbours(cell)
    identities = any_space.identities(near)
    assert len(np.unique(identities)) == len(near)
    assert any_space.identities(cell)[0] not in identities
    assert any_space.invalid_reasons(near) == [None] * len(near)


def test_unlabelled_cells_are_distinct_valid_and_repeatable(any_space: SearchSpace) -> None:
    cells = any_space.unlabelled(2_000, np.random.default_rng(4))
    assert len(np.unique(any_space.identities(cells))) == len(cells) == 2_000
    assert any_space.invalid_reasons(cells) == [None] * 2_000
    again = any_space.unlabelled(2_000, np.random.default_rng(4))
    assert (any_space.identities(again) == any_space.identities(cells)).all()


def test_more_unlabelled_cells_than_there_are_is_refused() -> None:
    with pytest.raises(UserError, match="the space has 15,625"):
        space("nasbench201").unlabelled(15_626, np.random.default_rng(0))


def test_relabelled_101_cells_share_a_key() -> None:
    nasbench101 = space("nasbench101")
    one = nasbench101.parse("0110/0001/0001/0000;input|conv3x3-bn-relu|maxpool3x3|output")
    two = nasbench101.parse("0110/0001/0001/0000;input|maxpool3x3|conv3x3-bn-relu|output")
    other = nasbench101.parse("0110/0001/0001/0000;input|maxpool3x3|maxpool3x3|output")
    assert nasbench101.keys(one) == nasbench101.keys(two)
    assert nasbench101.keys(one) != nasbench101.keys(other)


def test_every_101_cell_has_its_own_key_and_keeps_it_when_its_inner_vertices_are_reordered() -> None:
    nasbench101 = space("nasbench101")
    cells, keys, rng = nasbench101.enumerate(), nasbench101.all_keys(), np.random.default_rng(5)
    assert len(np.unique(keys)) == len(cells)
    assert (nasbench101.keys(cells) == keys).all()
    reordered = 0
    for _ in range(5):
        order = np.concatenate([[0], rng.permutation(np.arange(1, 6)), [6]])
        moved = Cells(cells.adjacency[:, order][:, :, order], cells.operations[:, order])
        upper = np.flatnonzero(~np.tril(moved.adjacency).any(axis=(1, 2)))
        assert (nasbench101.keys(moved[upper]) == keys[upper]).all()
        reordered += len(upper)
    assert reordered > 10_000


def test_the_101_cell_of_a_single_edge_has_no_neighbours() -> None:
    nasbench101 = space("nasbench101")
    assert len(nasbench101.neighbours(nasbench101.parse("01/00;input|output"))) == 0


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("nasbench201", "|conv~0|+|none~0|none~1|+|none~0|none~1|none~2|", "operation 'conv'"),
        ("nasbench201", "|none~0|+|none~0|none~1|", "3 nodes"),
        ("nasbench201", "|none~0|+|none~0|none~2|+|none~0|none~1|none~2|", "must come from node 1"),
        ("nasbenchgraph", "[0, 0, 0]; gcn", "write it as Arch"),
        ("nasbenchgraph", "Arch([0, 0, 0], ['gcn', 'gcn', 'gcn'])", "4 inputs and 4 operations"),
        ("nasbenchgraph", "Arch([0, 2, 0, 0], ['gcn', 'gcn', 'gcn', 'gcn'])", "node 2 takes its input from 0 to 1"),
        ("nasbenchgraph", "Arch([0, 0, 0, 0], ['gcn', 'conv', 'gcn', 'gcn'])", "operation 'conv'"),
        ("nasbenchgraph", "Arch([0, 0, 0, 0], ['skip', 'skip', 'skip', 'skip'])", "every node is 'skip'"),
        ("natssize", "8:16:24:32", "write five of 8, 16"),
        ("natssize", "8:16:24:32:72", "write five of 8, 16"),
        ("nasbench101", "01/00;input|input", "not a NAS-Bench-101 cell"),
        ("nasbench101", "00/00;input|output", "no path"),
        ("nasbench101", "010/00/000;input|maxpool3x3|output", "adjacency must be"),
    ],
)
def test_malformed_cell_is_refused_with_a_reason(name: str, text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        space(name).parse(text)


def test_a_key_of_the_size_space_is_the_number_in_the_official_files() -> None:
    size = space("natssize")
    # meta_archs[11] and [284] of NATS-sss-v1_0-50262
    for number, text in ((0, "8:8:8:8:8"), (11, "8:8:8:16:32"), (284, "8:8:40:32:40")):
        assert size.format(size.enumerate()[[number]]) == text
        assert size.keys(size.parse(text)).tolist() == [number]
    assert len(size.neighbours(size.parse("8:8:8:8:8"))) == 5 * 7
