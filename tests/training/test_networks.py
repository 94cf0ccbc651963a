"""Networks of cells have the published numbers of parameters and multiplications, and compute what their papers say."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from nadlab.benchmarks.official.unpickle import PLAIN, read_bz2, read_pickle
from nadlab.benchmarks.training.benchmark import plain_graph, size
from nadlab.benchmarks.training.networks import PUBLISHED, cell_network
from nadlab.benchmarks.training.networks.darts import DARTSNetwork
from nadlab.benchmarks.training.networks.layers import Skeleton
from nadlab.benchmarks.training.networks.nasbench201 import NASBench201Cell
from nadlab.spaces import space
from tests.conftest import real_data

NASBENCH201 = {
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|": 73_306,
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|": 1_531_546,
}
"""the smallest and the largest of NAS-Bench-201, 0.073 and 1.53 million"""


def network(name: str, text: str, classes: int = 10) -> nn.Module:
    with torch.device("meta"):
        graph = plain_graph(space(name).parse(text), space(name))
        return cell_network(name, *graph, PUBLISHED[name], 3, classes)


def parameters(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


@pytest.mark.parametrize(("text", "published"), NASBENCH201.items())
def test_nasbench201_has_the_published_parameters(text: str, published: int) -> None:
    assert parameters(network("nasbench201", text)) == published


def in_every_order(matrix: list[list[int]], labels: list[str]) -> list[int]:
    """Return a NAS-Bench-101 cell's parameters by every order of its vertices: which of them is the wider depends on it."""
    found, last = [], len(labels) - 1
    for inner in permutations(range(1, last)):
        order = [0, *inner, last]
        moved = [[matrix[a][b] for b in order] for a in order]
        if not any(any(row[: v + 1]) for v, row in enumerate(moved)):
            with torch.device("meta"):
                made = cell_network("nasbench101", moved, [labels[v] for v in order], PUBLISHED["nasbench101"], 3, 10)
            found.append(parameters(made))
    return found


def test_nasbench101_has_the_published_parameters_in_the_order_that_was_trained() -> None:
    table = pd.read_csv(real_data("nasbench101_sample.csv"), nrows=40)
    texts = [f"{row.adjacency};{row.operations}" for row in table.itertuples()]
    made = [parameters(network("nasbench101", text)) for text in texts]
    published = table["trainable_parameters"].tolist()
    other = [place for place, number in enumerate(made) if number != published[place]]
    assert len(other) <= 2  # nine of the first 400 rows list the vertices in another order than the training's
    cells = space("nasbench101")
    assert all(published[each] in in_every_order(*plain_graph(cells.parse(texts[each]), cells)) for each in other)


def test_darts_has_the_parameters_of_its_authors_network() -> None:
    # DARTS_V2 of quark0/darts with 36 channels and 20 cells: "param size = 3.349342MB", 3.3 in the paper's Table 1
    darts = space("darts")
    text = "Genotype(normal={0}, normal_concat=[2, 3, 4, 5], reduce={0}, reduce_concat=[2, 3, 4, 5])"
    normal = [("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
              ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)]  # fmt: skip
    reduce = [("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
              ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1)]  # fmt: skip
    graphs = [plain_graph(darts.parse(text.format(each)), darts) for each in (normal, reduce)]
    with torch.device("meta"):
        made = DARTSNetwork(*graphs[0], PUBLISHED["darts"], 3, 10, graphs[1])
    assert (len(made.cells), parameters(made)) == (20, 3_349_342)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 284])
def test_parameters_and_multiplications_are_those_in_the_official_files(number: int) -> None:
    path = real_data(f"NATS-tss-v1_0-3ffb9-simple/{number:06}.pickle.pbz2")
    results = read_pickle(read_bz2(path, 8 << 20), PLAIN, path)["200"]
    for (name, _), found in results["all_results"].items():
        classes, pixels = {"cifar100": (100, 32), "ImageNet16-120": (120, 16)}.get(name, (10, 32))
        millions, flops = size(network("nasbench201", results["arch_str"], classes), (3, pixels, pixels))
        assert millions == pytest.approx(found["params"], abs=1e-9)
        assert flops + classes / 1e6 == pytest.approx(found["flop"], abs=1e-9)  # it counts the linear layer's biases


def test_a_nasbench201_cell_sums_its_edges_node_by_node() -> None:
    nasbench201 = space("nasbench201")
    cell = nasbench201.parse("|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|skip_connect~1|skip_connect~2|")
    image = torch.rand(2, 3, 4, 4)
    made = NASBench201Cell(*plain_graph(cell, nasbench201), 3)
    torch.testing.assert_close(made(image), 3 * image)  # nodes: x, x, 2x, and x + 2x


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_parameter_of_a_cell_that_reaches_the_output_is_trained(name: str) -> None:
    cells = space(name)
    for cell in cells.canonical(cells.unlabelled(3, np.random.default_rng(0))):
        made = cell_network(name, *plain_graph(cell, cells), Skeleton(8, 1), 1, 4)
        made(torch.rand(6, 1, 8, 8)).square().sum().backward()
        assert all(each.grad is not None for each in made.parameters())
