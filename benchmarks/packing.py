"""Time S seeds of PP's training step in one program, weights stacked, against the S seeds in turn.

PP is the largest of the three networks and its step is of the same operators. Stacking saves the calls of operators and
fills their products; it can't save arithmetic, so the share of the machine's matrix peak that a single seed reaches
bounds what it gains.

\b
python benchmarks/packing.py
python benchmarks/packing.py --width 16 --cells 64    # small products, where calls cost most
"""

import sys

import click
import numpy as np
import torch
from torch import Tensor
from torch.func import stack_module_state
from tqdm import tqdm

from benchmarks.measuring import as_json, cpu_seconds, gigaflop, matrix_peak, ratios, show, spread
from nadlab.command_line import run_command
from nadlab.semigan.losses import squared_error
from nadlab.semigan.networks import Graphs, Predictor
from nadlab.spaces import space


def scores(weights: dict[str, Tensor], A: Tensor, X: Tensor, depth: int) -> Tensor:
    """Return what S predictors with stacked weights make of S batches of B cells each, (S, B)."""

    def linear(name: str, rows: Tensor) -> Tensor:
        return torch.baddbmm(weights[f"{name}.bias"][:, None], rows, weights[f"{name}.weight"].transpose(1, 2))

    identity = torch.eye(A.shape[-1])
    neighbours = A + A.transpose(2, 3) + identity
    hidden, pooled = torch.cat([X, identity.expand_as(A)], dim=3), []
    for layer in range(depth):
        rows = (neighbours @ hidden).flatten(1, 2)
        for part in ("inner", "outer"):
            rows = linear(f"encoder.gin.{part}.{layer}", rows).relu_()
        hidden = rows.unflatten(1, A.shape[1:3])
        pooled.append(hidden.mean(dim=2))
    return linear("head.2", linear("head.0", torch.cat(pooled, dim=2)).relu_()).squeeze(2)


@click.command(help=__doc__)
@click.option("--space", "name", default="nasbench201", show_default=True)
@click.option("--seeds", default=8, show_default=True, type=click.IntRange(2))
@click.option("--cells", default=512, show_default=True, type=click.IntRange(1), help="in a batch")
@click.option("--width", default=64, show_default=True, type=click.IntRange(1))
@click.option("--repetitions", default=10, show_default=True, type=click.IntRange(1))
@as_json
def command(name: str, seeds: int, cells: int, width: int, repetitions: int, as_json: bool) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    each = space(name)
    predictors = [Predictor(each.vertices, len(each.operations), width) for _ in range(seeds)]
    batches = [each.canonical(each.sample(cells, np.random.default_rng(seed))) for seed in range(seeds)]
    A = torch.stack([torch.from_numpy(batch.adjacency).float() for batch in batches])
    labels = torch.stack([torch.from_numpy(batch.operations).long() for batch in batches])
    X = torch.nn.functional.one_hot(labels, len(each.operations)).float()
    y = torch.randn(seeds, cells)
    weights, _ = stack_module_state(predictors)

    def at_once() -> dict[str, Tensor]:
        error = ((y - scores(weights, A, X, len(predictors[0].encoder.gin.inner))) ** 2).mean(dim=1).sum()
        return dict(zip(weights, torch.autograd.grad(error, list(weights.values())), strict=True))

    def in_turn() -> list[tuple[Tensor, ...]]:
        return [
            torch.autograd.grad(squared_error(y[i], predictor(Graphs(A[i], X[i]))), list(predictor.parameters()))
            for i, predictor in enumerate(predictors)
        ]

    differences = [
        (packed_gradient[i] - gradient).detach().abs().max().item()
        for i, gradients in enumerate(in_turn())
        for packed_gradient, gradient in zip(at_once().values(), gradients, strict=True)
    ]
    single, together = [], []
    for _ in tqdm(range(repetitions), unit="round", disable=None):
        single.append(cpu_seconds(in_turn))
        together.append(cpu_seconds(at_once))
    peak = matrix_peak(torch.float32)
    products = gigaflop(in_turn)
    figures = {
        "largest difference of a gradient": max(differences),
        f"CPU s of {seeds} seeds in turn": spread(single),
        f"CPU s of {seeds} seeds at once": spread(together),
        "in turn / at once": ratios(single, together),
        "matrix peak of a core, GFLOP/s": peak,
        "in turn / the products alone at this peak": spread([each * peak.median / products for each in single]),
    }
    show(figures, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
