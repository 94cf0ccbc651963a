"""A benchmark's `evaluate` that asks the store first: each cell is evaluated once, whoever asks for it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from socket import gethostname

from nadlab.benchmarks.oracle import Evaluation, Oracle, cost_of
from nadlab.errors import UserError
from nadlab.evaluations.answers import evaluated
from nadlab.evaluations.config import EvaluationConfig
from nadlab.evaluations.store import Ended, EvaluationStore
from nadlab.spaces import Cells

POLL = 0.1
"""seconds between two looks at what others evaluate"""

Train = Callable[[Cells, int | None], Iterator[tuple[int, Ended]]]
"""distinct cells, epochs or None -> their rows and what came of each, in any order"""


@dataclass(frozen=True)
class StoredEvaluations:
    """Evaluates what the store does not have, and waits for what others evaluate at this moment."""

    store: EvaluationStore
    train: Train

    @classmethod
    def of(cls, oracle: Oracle, config: EvaluationConfig) -> "StoredEvaluations":
        """Return the evaluations of a benchmark: in parallel on Ray where it declares its cost, else in one call here.

        Raises UserError when the configuration names no store, or one that can't be used.
        """
        if not config.store:
            raise UserError("the evaluations have no store: name a folder or the URL of a database")
        cost = cost_of(oracle)
        if cost is None:
            return cls(EvaluationStore.opened(config.store, oracle), partial(_here, oracle))
        from nadlab.evaluations.tasks import train  # late: a search of a table does without Ray

        return cls(EvaluationStore.opened(config.store, oracle), partial(train, oracle, config.granted(cost), config))

    def evaluate(self, cells: Cells, fidelity: int | None = None) -> list[Evaluation]:
        """Return the evaluations of cells in their order; raises what `train` raises."""
        space = self.store.oracle.space
        store = self.store if fidelity is None else replace(self.store, fidelity=fidelity)
        keys = space.keys(cells).tolist()
        rows = {key: row for row, key in reversed(list(enumerate(keys)))}
        texts = {key: space.format(cells[row : row + 1]) for key, row in rows.items()}
        found: dict[int, Evaluation] = {}
        with store.claims() as claims:
            while absent := {key: text for key, text in texts.items() if key not in found}:
                there, mine = claims.take(absent)
                found |= there
                order = sorted(mine, key=rows.__getitem__)
                if order:
                    for place, ended in self.train(cells[[rows[key] for key in order]], fidelity):
                        claims.write(order[place], ended)
                elif len(there) < len(absent):
                    time.sleep(POLL)
        return [found[key] for key in keys]


def _here(oracle: Oracle, cells: Cells, fidelity: int | None) -> Iterator[tuple[int, Ended]]:
    started = time.perf_counter()
    answers = evaluated(oracle, cells, fidelity)
    seconds = (time.perf_counter() - started) / len(cells)
    yield from enumerate(Ended(each, seconds, host=gethostname()) for each in answers)
