"""Search spaces by name: `space("nasbench101")`, `space("nasbench201")`, `space("darts")`, `space("nasbenchgraph")`."""

from nadlab.errors import UserError
from nadlab.spaces.cells import Cells, SearchSpace
from nadlab.spaces.darts import DARTS
from nadlab.spaces.nasbench101 import NASBench101
from nadlab.spaces.nasbench201 import NASBench201
from nadlab.spaces.nasbenchgraph import NASBenchGraph

SPACES: dict[str, SearchSpace] = {each.name: each for each in (NASBench101(), NASBench201(), DARTS(), NASBenchGraph())}


def space(name: str) -> SearchSpace:
    """Return the space of that name; raise UserError naming the known ones."""
    if name not in SPACES:
        raise UserError(f"unknown search space {name!r}: choose one of {', '.join(SPACES)}")
    return SPACES[name]


__all__ = ["DARTS", "SPACES", "Cells", "NASBench101", "NASBench201", "NASBenchGraph", "SearchSpace", "space"]
