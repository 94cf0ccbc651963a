"""Signatures of cells, and their drawings."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.sparse.csgraph import shortest_path

from nadlab.analysis.cells.drawing import draw_cell
from nadlab.analysis.cells.signature_figures import best_rows
from nadlab.analysis.cells.signatures import largest, overlap, shortest_path_lengths, signature
from nadlab.spaces import SPACES, space
from nadlab.spaces.cells import concatenate

SKIP = "011/001/000;input|conv3x3-bn-relu|output"
CHAIN = "0100/0010/0001/0000;input|conv3x3-bn-relu|maxpool3x3|output"


@pytest.mark.parametrize("name", sorted(SPACES))
def test_shortest_paths_agree_with_scipy(name: str) -> None:
    cells = space(name).sample(50, np.random.default_rng(0))
    lengths = [shortest_path(graph, unweighted=True)[0, -1] for graph in cells.adjacency]
    assert shortest_path_lengths(cells).tolist() == [0 if np.isinf(length) else length for length in lengths]


def test_signature_counts_edges_operations_and_skips_over_cells() -> None:
    nasbench101 = space("nasbench101")
    found = signature(concatenate([nasbench101.parse(SKIP), nasbench101.parse(CHAIN)]), nasbench101)
    includes = dict(zip(nasbench101.operations, found.includes.tolist(), strict=True))
    assert includes["conv3x3-bn-relu"] == 1
    assert (includes["maxpool3x3"], includes["conv1x1-bn-relu"]) == (0.5, 0)
    assert found.shortest_paths.tolist() == [0.5, 0, 0.5, 0, 0, 0]
    assert found.edges.sum() == 3  # of both cells' mean number of edges
    assert np.allclose(found.operations.sum(axis=1), 1)


def test_signature_is_alike_for_isomorphic_cells() -> None:
    nasbench101 = space("nasbench101")
    one = nasbench101.parse("01100/00010/00001/00001/00000;input|conv3x3-bn-relu|maxpool3x3|conv1x1-bn-relu|output")
    other = nasbench101.parse("01100/00001/00010/00001/00000;input|maxpool3x3|conv3x3-bn-relu|conv1x1-bn-relu|output")
    first, second = signature(one, nasbench101), signature(other, nasbench101)
    assert np.array_equal(first.edges, second.edges)
    assert np.array_equal(first.operations, second.operations)


def test_marks_are_the_largest_entries() -> None:
    shares = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert largest(shares, 2).tolist() == best_rows(shares).tolist() == [[True, False], [False, True]]
    assert overlap(shares, shares.T, 2) == 2
    assert overlap(shares, 1 - shares, 2) == 0


def test_drawing_has_a_vertex_for_each_that_takes_part_and_an_arrow_for_each_edge() -> None:
    nasbench101 = space("nasbench101")
    axes = Figure().subplots()
    draw_cell(axes, nasbench101.parse(SKIP), nasbench101)
    assert [text.get_text() for text in axes.texts] == ["in", "3x3", "out"]
    assert len(axes.patches) == 3


def test_drawing_leaves_out_edges_without_an_operation_and_nodes_without_an_edge() -> None:
    nasbench201 = space("nasbench201")
    axes = Figure().subplots()
    draw_cell(axes, nasbench201.parse("|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|"), nasbench201)
    assert sorted(text.get_text() for text in axes.texts) == ["1", "3x3", "avg", "in", "out"]
