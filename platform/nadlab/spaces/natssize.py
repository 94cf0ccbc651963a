"""NATS-Bench's size space (Dong et al. 2021): five layers, each of 8 to 64 channels in steps of 8, 32,768 networks.

A network is a chain: input, its five layers, output; a layer's label is its number of output channels. The notation is
NATS-Bench's, `8:16:24:32:40`: the first convolution, then stage and residual block, twice. A key is the network's number
in the official files, `8:8:8:8:8` the first and the last layer changing fastest.
"""

from functools import cache
from itertools import product

import numpy as np

from nadlab.errors import UserError
from nadlab.spaces.cells import Cells, Keys, first_broken

LAYERS = 5
CHANNELS = tuple(str(8 * step) for step in range(1, 9))
OUTPUT = len(CHANNELS) + 1

_VERTICES = LAYERS + 2
_CHAIN = np.eye(_VERTICES, k=1, dtype=np.uint8)
_PLACES = len(CHANNELS) ** np.arange(LAYERS, dtype=np.int64)[::-1]


class NATSSize:
    """The search space; `nadlab.spaces.derived` completes it."""

    name = "natssize"
    operations = ("input", *CHANNELS, "output")
    vertices = _VERTICES

    def enumerate(self) -> Cells:
        return _every_cell()

    def invalid_reasons(self, cells: Cells) -> list[str | None]:
        ends, inner = cells.operations[:, [0, -1]], cells.operations[:, 1:-1]
        rules = [
            ((ends != (0, OUTPUT)).any(axis=1), "the first vertex must be 'input' and the last 'output'"),
            (((inner == 0) | (inner >= OUTPUT)).any(axis=1), "every layer must have 8, 16, ... or 64 channels"),
            ((cells.adjacency != _CHAIN).any(axis=(1, 2)), "every layer must read the one before it, and no other"),
        ]
        return first_broken(rules)

    def keys(self, cells: Cells) -> Keys:
        return np.asarray((cells.operations[:, 1:-1].astype(np.int64) - 1) @ _PLACES, np.int64)

    def format(self, cell: Cells) -> str:
        return ":".join(self.operations[label] for label in cell.operations[0, 1:-1].tolist())

    def parse(self, text: str) -> Cells:
        layers = text.strip().split(":")
        if len(layers) != LAYERS or not set(layers) <= set(CHANNELS):
            raise UserError(
                f"{text!r} is not a cell of NATS-Bench's size space: write five of {', '.join(CHANNELS)} with ':' between them"
            )
        return _cells([[CHANNELS.index(layer) + 1 for layer in layers]])


def _cells(labels: list[list[int]]) -> Cells:
    operations = np.full((len(labels), _VERTICES), OUTPUT, np.uint8)
    operations[:, 0] = 0
    operations[:, 1:-1] = labels
    return Cells(np.repeat(_CHAIN[None], len(labels), axis=0), operations)


@cache
def _every_cell() -> Cells:
    return _cells([list(layers) for layers in product(range(1, OUTPUT), repeat=LAYERS)])
