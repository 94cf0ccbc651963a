"""NAS-Bench-Graph's space: what counts as one network, against the package's own code."""

import importlib.util
from types import ModuleType

import numpy as np
import pytest

from nadlab.spaces import Cells, space
from nadlab.spaces.nasbenchgraph import NODE_OPERATIONS, cells_of, links_of

GRAPH = space("nasbenchgraph")


@pytest.fixture
def architecture() -> ModuleType:
    """Return the package's module of architectures; the package itself would import its reader of pickles."""
    package = importlib.util.find_spec("nas_bench_graph")
    if package is None or not package.submodule_search_locations:
        pytest.skip("nas-bench-graph is not installed: pip install 'nadlab[nas-bench-graph]'")
    path = f"{package.submodule_search_locations[0]}/architecture.py"
    spec = importlib.util.spec_from_file_location("architecture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def number(module: ModuleType, cell: Cells) -> int:
    labels = [NODE_OPERATIONS[label - 1] for label in cell.operations[0, 1:-1]]
    found: int = module.Arch(links_of(cell)[0].tolist(), labels).valid_hash()
    return found


def test_every_key_is_the_number_by_which_the_package_finds_the_cell(architecture: ModuleType) -> None:
    assert tuple(architecture.gnn_list) == NODE_OPERATIONS
    numbers = [number(architecture, cell) for cell in GRAPH.enumerate()]
    assert numbers == GRAPH.all_keys().tolist() == sorted(each.hash_arch() for each in architecture.all_archs())


def test_any_order_of_nodes_and_any_skip_leads_to_the_package_s_number(architecture: ModuleType) -> None:
    rng, count = np.random.default_rng(0), 10_000
    links = np.stack([rng.integers(0, node, count) for node in range(1, 5)], axis=1)
    skips = rng.random((count, 4)) < 0.4
    cells = cells_of(links, np.where(skips, 8, rng.integers(0, 9, (count, 4))))
    cells = cells[np.flatnonzero([reason is None for reason in GRAPH.invalid_reasons(cells)])]
    assert len(cells) > 9_000
    assert [number(architecture, cell) for cell in cells] == GRAPH.keys(cells).tolist()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Arch([0, 1, 2, 1], ['gcn', 'gin', 'fc', 'cheb'])", "Arch([0, 1, 1, 2], ['gcn', 'cheb', 'gin', 'fc'])", False),
        ("Arch([0, 1, 2, 1], ['gcn', 'gin', 'fc', 'cheb'])", "Arch([0, 1, 1, 3], ['gcn', 'cheb', 'gin', 'fc'])", True),
        ("Arch([0, 1, 2, 3], ['gcn', 'skip', 'gin', 'fc'])", "Arch([0, 1, 2, 3], ['skip', 'gcn', 'gin', 'fc'])", True),
        ("Arch([0, 1, 1, 2], ['gcn', 'gin', 'skip', 'fc'])", "Arch([0, 1, 2, 3], ['skip', 'gcn', 'gin', 'fc'])", False),
        ("Arch([0, 0, 1, 2], ['gcn', 'skip', 'gin', 'fc'])", "Arch([0, 1, 2, 1], ['skip', 'gcn', 'gin', 'fc'])", True),
        ("Arch([0, 0, 1, 1], ['gcn', 'skip', 'gin', 'fc'])", "Arch([0, 1, 2, 2], ['skip', 'gcn', 'gin', 'fc'])", True),
    ],
    ids=["children change places", "order", "in a chain", "beside a node", "from the input", "to the output"],
)
def test_cells_are_one_when_order_or_idle_skips_alone_differ(one: str, other: str, same: bool) -> None:
    assert (GRAPH.keys(GRAPH.parse(one)) == GRAPH.keys(GRAPH.parse(other)))[0] == same


def test_neighbours_go_both_ways() -> None:
    for cell in GRAPH.sample(10, np.random.default_rng(2)):
        for near in GRAPH.neighbours(cell):
            assert GRAPH.keys(cell)[0] in GRAPH.keys(GRAPH.neighbours(near))


@pytest.mark.parametrize(
    ("edge", "words"),
    [((0, 5), "without descendants"), ((0, 2), "exactly one input"), ((3, 2), "upper triangular")],
)
def test_a_graph_that_is_no_tree_is_refused(edge: tuple[int, int], words: str) -> None:
    cell = GRAPH.parse("Arch([0, 1, 1, 2], ['gcn', 'gin', 'fc', 'cheb'])")
    adjacency = cell.adjacency.copy()
    adjacency[0][edge] = 1
    assert words in str(GRAPH.invalid_reasons(Cells(adjacency, cell.operations))[0])
