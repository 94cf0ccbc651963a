"""The unlabelled set: one cell of every isomorphism class of a space, or of a sample of it."""

import numpy as np

from nadlab.spaces import SPACES
from nadlab.spaces.cells import Cells, Keys
from nadlab.spaces.listings import once

SAMPLED_CELLS = 600_000
"""cells drawn from a space that is too large to enumerate (Section 4.2)"""


def classes(name: str) -> tuple[Cells, Keys]:
    """Return one cell of every class of a space, or of a fixed sample of it, and their keys; none can be written to."""
    return once(name, "classes", lambda: _list(name))


def _list(name: str) -> tuple[Cells, Keys]:
    space = SPACES[name]
    if space.size <= SAMPLED_CELLS:
        keys = space.all_keys()
        first = np.unique(keys, return_index=True)[1]
        cells, keys = space.enumerate()[first], keys[first]
    else:
        cells = space.unlabelled(SAMPLED_CELLS, np.random.default_rng(0))
        keys = space.keys(cells)
    for array in (cells.adjacency, cells.operations, keys):
        array.flags.writeable = False  # as it is where workers share it
    return cells, keys
