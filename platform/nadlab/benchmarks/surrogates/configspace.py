"""NAS-Bench-301's features: a DARTS cell as the vector that ConfigSpace made of its configuration.

Order and values are those of ConfigSpace 0.4 on `configspace.json` of automl/nasbench301 with the fixed
hyperparameters of `nasbench301/api.py`: unconditional hyperparameters by name, then conditional ones by name; a
choice is its index; what does not apply is -1. Training settings are the same for every architecture.
"""

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces import Cells
from nadlab.spaces.darts_cells import NODES, operations_of, pair_places, sources_of

FEATURES = 56
_CONSTANTS = {
    0: 0.5863451791322553,  # batch size
    4: 0.16666444442962952,  # holes of the cutout
    5: 0.3099999239999697,  # length of the cutout
    14: 0.003149999006299998,  # initial channels
    21: 0.000749999001499998,  # layers
    24: -3.6888794541139363,  # learning rate
    25: 0.8988764044943821,  # momentum
    26: -8.111728083308073,  # weight decay
    27: 0.009949999019899998,  # epochs of the cosine schedule
    28: 1e-12,  # its least learning rate
    31: 0.7051278400653053,  # mixup
}
_FIRST_EDGE = (0, 2, 5, 9)
"""Edge number of (node, source 0): node 2 has edges 0 and 1, node 3 edges 2 to 4, and so on."""
_EDGES_BY_NAME = sorted(range(2, 14), key=str)
_CELLS = ((10, 32, 15), (12, 44, 18))
"""Columns of the normal and the reduction cell: edges 0 and 1, the other edges, inputs of nodes 3 to 5."""


def vectors(cells: Cells) -> NDArray[np.float64]:
    """Return the features of valid cells, (N, 56); both cells of an architecture are the same one."""
    sources, operations = sources_of(cells), operations_of(cells)
    edges = np.full((len(cells), 14), -1.0)
    rows = np.arange(len(cells))
    for node in range(NODES):
        for slot in range(2):
            edges[rows, _FIRST_EDGE[node] + sources[:, node, slot]] = operations[:, node, slot]
    features = np.zeros((len(cells), FEATURES))
    for column, value in _CONSTANTS.items():
        features[:, column] = value
    for first_edges, other_edges, inputs in _CELLS:
        features[:, first_edges : first_edges + 2] = edges[:, :2]
        features[:, other_edges : other_edges + 12] = edges[:, _EDGES_BY_NAME]
        for node in range(1, NODES):
            features[:, inputs + node - 1] = pair_places(node + 2)[sources[:, node].min(1), sources[:, node].max(1)]
    return features
