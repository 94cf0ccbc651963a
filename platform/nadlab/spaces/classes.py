"""The unlabelled set: one cell of every isomorphism class of a space, or of a sample of it."""

from functools import lru_cache

import numpy as np

from nadlab.spaces import SPACES
from nadlab.spaces.cells import Cells, Keys, SearchSpace
from nadlab.spaces.listings import once

SAMPLED_CELLS = 600_000
"""cells drawn from a space that is too large to enumerate (Section 4.2)"""


def classes(space: SearchSpace) -> tuple[Cells, Keys]:
    """Return one cell of every class of a space, or of a fixed sample of it, and their keys; none can be written to."""
    # a name is enough only for the package's own spaces: others may share one
    return once(space.name, "classes", lambda: _list(space)) if SPACES.get(space.name) is space else _own(space)


@lru_cache(maxsize=4)
def _own(space: SearchSpace) -> tuple[Cells, Keys]:
    return _list(space)


def _list(space: SearchSpace) -> tuple[Cells, Keys]:
    if space.size <= SAMPLED_CELLS:
        keys = space.all_keys()
        first = np.unique(keys, return_index=True)[1]
        cells, keys = space.enumerate()[first], keys[first]
    else:
        # so many that distinct ones can still be drawn
        cells = space.unlabelled(min(SAMPLED_CELLS, space.size // 2), np.random.default_rng(0))
        keys = space.keys(cells)
        first = np.sort(np.unique(keys, return_index=True)[1])
        cells, keys = cells[first], keys[first]
    for array in (cells.adjacency, cells.operations, keys):
        array.flags.writeable = False  # as it is where workers share it
    return cells, keys
