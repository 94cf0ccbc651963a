"""The DARTS space of NAS-Bench-301."""

import numpy as np
import pytest

from nadlab.errors import UserError
from nadlab.spaces import Cells, space
from nadlab.spaces.darts.cells import CELL_COUNT, cells_of, operations_of, sources_of

DARTS = space("darts")
# normal cell of the example in automl/nasbench301 `example.py`
NORMAL = "[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)]"
GENOTYPE = f"Genotype(normal={NORMAL}, normal_concat=range(2, 6), reduce={NORMAL}, reduce_concat=[2, 3, 4, 5])"


def test_a_genotype_has_arch2vec_s_eleven_vertices() -> None:
    cell = DARTS.parse(GENOTYPE)
    names = [DARTS.operations[o] for o in cell.operations[0]]
    assert names[:4] == ["c_k-2", "c_k-1", "sep_conv_3x3", "sep_conv_3x3"]
    assert names[-1] == "output"
    edges = {(int(a), int(b)) for a, b in zip(*np.nonzero(cell.adjacency[0]), strict=True)}
    inputs = {(0, 2), (1, 3), (0, 4), (1, 5), (0, 6), (1, 7), (0, 8), (2, 9), (3, 9)}
    assert edges == inputs | {(vertex, 10) for vertex in range(2, 10)}


def test_the_number_of_cells_is_that_of_their_codes() -> None:
    ends = cells_of(
        np.array([[[0, 1], [0, 1], [0, 1], [0, 1]], [[0, 1], [1, 2], [2, 3], [3, 4]]]),
        np.array([np.zeros((4, 2), int), np.full((4, 2), 6)]),
    )
    assert DARTS.identities(ends).tolist() == [0, CELL_COUNT - 1]
    assert DARTS.size == CELL_COUNT == 180 * 7**8


def test_codes_are_read_back_without_loss() -> None:
    cells = DARTS.sample(5_000, np.random.default_rng(0))
    again = cells_of(sources_of(cells), operations_of(cells))
    assert (again.adjacency == cells.adjacency).all()
    assert (again.operations == cells.operations).all()
    assert len(np.unique(DARTS.identities(cells))) == 5_000


def test_nodes_in_another_order_share_a_key_and_have_their_own_identity() -> None:
    sources = np.array([[[0, 1], [0, 1], [0, 2], [1, 3]]])
    operations = np.array([[[0, 1], [2, 3], [4, 5], [6, 0]]])
    swapped = cells_of(np.array([[[0, 1], [0, 1], [1, 2], [0, 3]]]), np.array([[[2, 3], [0, 1], [6, 0], [4, 5]]]))
    cell = cells_of(sources, operations)
    assert DARTS.invalid_reasons(swapped) == [None]
    assert DARTS.keys(cell) == DARTS.keys(swapped)
    assert DARTS.identities(cell) != DARTS.identities(swapped)
    assert DARTS.keys(DARTS.canonical(cell)) == DARTS.keys(cell) == DARTS.identities(DARTS.canonical(cell))


def test_the_order_of_a_node_s_two_operations_does_not_matter() -> None:
    cell = DARTS.parse(GENOTYPE)
    flipped = GENOTYPE.replace("('sep_conv_3x3', 1), ('skip_connect', 0)", "('skip_connect', 0), ('sep_conv_3x3', 1)")
    assert DARTS.identities(DARTS.parse(flipped)) == DARTS.identities(cell)


def test_a_cell_has_sixty_neighbours() -> None:
    near = DARTS.neighbours(DARTS.sample(1, np.random.default_rng(1)))
    assert len(near) == 60
    assert len(np.unique(DARTS.identities(near))) == 60


def test_six_hundred_thousand_unique_cells_are_drawn_in_seconds() -> None:
    cells = DARTS.unlabelled(600_000, np.random.default_rng(2))
    assert len(np.unique(DARTS.keys(cells))) == 600_000


def broken(change: str) -> Cells:
    cell = DARTS.sample(1, np.random.default_rng(3))
    adjacency, operations = cell.adjacency.copy(), cell.operations.copy()
    if change == "ends":
        operations[0, 0] = 1
    elif change == "inside":
        operations[0, 4] = 9
    elif change == "unread":
        adjacency[0, :, 5] = 0
    elif change == "half a node":
        adjacency[0, :, 9] = 0
        adjacency[0, 2, 9] = 1
    elif change == "not joined":
        adjacency[0, 3, 10] = 0
    else:
        adjacency[0, :, 3] = adjacency[0, :, 2]
    return Cells(adjacency, operations)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("ends", "the first two vertices"),
        ("inside", "stands on an operation's vertex"),
        ("unread", "must read one input or one earlier node"),
        ("half a node", "must read one input or one earlier node"),
        ("not joined", "feed the output"),
        ("same", "read the same source"),
    ],
)
def test_an_invalid_cell_is_told_its_reason(change: str, reason: str) -> None:
    (found,) = DARTS.invalid_reasons(broken(change))
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("__import__('os').mkdir('x')", "write it as Genotype"),
        ("Genotype(normal=[], normal_concat=[2, 3, 4, 5], reduce=[], reduce_concat=[2, 3, 4, 5])", "needs 8 pairs"),
        (GENOTYPE.replace("dil_conv_3x3", "conv"), "'conv' is not one of"),
        (
            GENOTYPE.replace(
                "('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0)",
                "('sep_conv_3x3', 0), ('sep_conv_3x3', 2), ('sep_conv_3x3', 0)",
            ),
            "node 2 cannot read 2",
        ),
        (GENOTYPE.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 0)"), "read the same source"),
        (GENOTYPE.replace("range(2, 6)", "[2, 3]"), "must join the nodes 2 to 5"),
        (GENOTYPE.replace("dil_conv_3x3", "dil_conv_5x5", 1), "must be equal"),
        ("(" * 10_000, "write it as Genotype"),
    ],
)
def test_a_malformed_genotype_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        DARTS.parse(text)


def test_listing_all_cells_is_refused() -> None:
    with pytest.raises(UserError, match="1,037,664,180 cells, too many to list"):
        DARTS.enumerate()
