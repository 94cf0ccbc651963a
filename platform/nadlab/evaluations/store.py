"""The evaluation store: one row an evaluation, claimed by a process, then written once; SQLite or PostgreSQL.

A row is of one architecture up to isomorphism, fidelity and training seed of one version of a benchmark. Many processes
use a store at once. The claim of a dead process is taken over: at once on the machine of that process, elsewhere when
its row was not touched for `LEASE` seconds by the clock of the process that waits, so that no clocks are compared.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from time import monotonic, time
from typing import Any

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from nadlab.benchmarks.oracle import Evaluation, Oracle, metric_of
from nadlab.evaluations.owners import is_dead, new_owner
from nadlab.evaluations.rows import INSERT, ROWS, engine_of, file_of
from nadlab.json_text import strict_json

logger = logging.getLogger(__name__)

LEASE = 30.0
"""seconds without a beat after which the claim of another machine's process is taken over"""
BEAT = 5.0
"""seconds between the beats of a claim"""


@dataclass(frozen=True, slots=True)
class Ended:
    """An evaluation that ended; one that failed says why in `evaluation.failed`."""

    evaluation: Evaluation
    seconds: float
    """of the last attempt"""
    attempts: int = 1
    host: str = ""


def failure(oracle: Oracle, reason: str) -> Evaluation:
    """Return what a failed training counts as: the worst value of the benchmark's metric, which it declares."""
    worst = metric_of(oracle).worst
    return Evaluation(worst, worst, failed=reason)


@dataclass(frozen=True)
class EvaluationStore:
    """The evaluations of one benchmark at one fidelity and training seed."""

    oracle: Oracle
    engine: Engine
    fidelity: int = 0
    """epochs of the training; 0 is the benchmark's own"""
    seed: int = 0

    @classmethod
    def opened(cls, place: str, oracle: Oracle) -> "EvaluationStore":
        """Open the store of a benchmark; see `engine_of`."""
        return cls(oracle, engine_of(place, file_of(oracle.name, oracle.digest)))

    @contextmanager
    def claims(self) -> Iterator["Claims"]:
        """Hold claims that beat; at the end those whose evaluation was not written are given up."""
        claims, over = Claims(self), Event()
        beating = Thread(target=claims.beat, args=(over,), daemon=True)
        beating.start()
        try:
            yield claims
        finally:
            over.set()
            beating.join()
            claims.release()

    def progress(self) -> str:
        """Return how many evaluations there are, in words."""
        counted = select(ROWS.c.status, func.count()).where(self.of_this()).group_by(ROWS.c.status)
        with self.engine.begin() as connection:
            found = {row[0]: row[1] for row in connection.execute(counted)}
        words = {"done": "done", "claimed": "under way", "failed": "failed"}
        counts = ", ".join(f"{found[each]} {word}" for each, word in words.items() if each in found)
        return f"evaluations: {counts or 'none yet'}"

    def of_this(self, keys: Iterable[int] | None = None) -> Any:
        """Return the condition on rows that they are of this benchmark, fidelity and seed, and of the keys."""
        owned = (ROWS.c.benchmark == self.oracle.name) & (ROWS.c.digest == self.oracle.digest)
        owned &= (ROWS.c.fidelity == self.fidelity) & (ROWS.c.seed == self.seed)
        return owned if keys is None else owned & ROWS.c.key.in_(list(keys))


@dataclass
class Claims:
    """What one call evaluates; no two claims have the same owner, not even those of threads."""

    store: EvaluationStore
    owner: str = field(default_factory=new_owner)
    seen: dict[int, tuple[str, int, float]] = field(default_factory=dict)
    """key -> owner and beat of another claim, and since when they are the same"""
    held: set[int] = field(default_factory=set)
    """keys that were claimed and not yet written"""

    def take(self, cells: Mapping[int, str]) -> tuple[dict[int, Evaluation], list[int]]:
        """Return the evaluations that are there by key, and the keys that are claimed now; others are being evaluated.

        cells: key -> the cell as text.
        """
        store, here, mine = self.store, self.store.of_this(cells), list[int]()
        with store.engine.begin() as connection:
            rows = {row.key: row for row in connection.execute(select(ROWS).where(here))}
        absent = cells.keys() - rows.keys()
        dead = [row for row in rows.values() if row.status == "claimed" and self._is_dead(row)]
        if absent or dead:
            with store.engine.begin() as connection:
                if absent:
                    new = [self._row(key, cells[key]) for key in sorted(absent)]
                    connection.execute(INSERT[store.engine.dialect.name](ROWS).on_conflict_do_nothing(), new)
                for row in dead:
                    same = (ROWS.c.owner == row.owner) & (ROWS.c.beat == row.beat) & (ROWS.c.status == "claimed")
                    taken = update(ROWS).where(store.of_this([row.key]) & same).values(owner=self.owner, beat=0)
                    connection.execute(taken)
                mine += connection.execute(select(ROWS.c.key).where(here & self._held)).scalars()
        self.held |= set(mine)
        return {key: _evaluation(store.oracle, row) for key, row in rows.items() if row.status != "claimed"}, mine

    def write(self, key: int, ended: Ended) -> None:
        """Write an evaluation, unless the claim was taken over meanwhile."""
        answer = ended.evaluation
        numbers = {} if answer.failed else {"valid": answer.valid, "test": answer.test}
        with self.store.engine.begin() as connection:
            connection.execute(
                update(ROWS)
                .where(self.store.of_this([key]) & self._held)
                .values(
                    status="failed" if answer.failed else "done", extras=strict_json(dict(answer.extras)),
                    reason=answer.failed or None, attempts=ended.attempts, host=ended.host, ended=time(),
                    seconds=ended.seconds if answer.seconds is None else answer.seconds, **numbers,
                )
            )  # fmt: skip
        self.held.discard(key)

    def beat(self, over: Event) -> None:
        """Touch the claimed rows every few seconds until it is over."""
        while not over.wait(BEAT):
            if not self.held:
                continue
            try:
                with self.store.engine.begin() as connection:
                    connection.execute(
                        update(ROWS).where(self.store.of_this() & self._held).values(beat=ROWS.c.beat + 1)
                    )
            except SQLAlchemyError as error:
                logger.warning("the evaluation store does not answer (%s): claims may be taken over", error)

    def release(self) -> None:
        """Delete the claimed rows."""
        if self.held:
            with self.store.engine.begin() as connection:
                connection.execute(delete(ROWS).where(self.store.of_this() & self._held))

    @property
    def _held(self) -> Any:
        return (ROWS.c.owner == self.owner) & (ROWS.c.status == "claimed")

    def _row(self, key: int, cell: str) -> dict[str, Any]:
        store, oracle = self.store, self.store.oracle
        return {
            "benchmark": oracle.name, "digest": oracle.digest, "key": key, "fidelity": store.fidelity,
            "seed": store.seed, "space": oracle.space.name, "cell": cell, "status": "claimed", "owner": self.owner, "beat": 0,
        }  # fmt: skip

    def _is_dead(self, row: Any) -> bool:
        owner, beat, since = self.seen.get(row.key, ("", 0, 0.0))
        if (owner, beat) != (row.owner, row.beat):
            since = monotonic()
            self.seen[row.key] = (row.owner, row.beat, since)
        return is_dead(row.owner) or monotonic() > since + LEASE


def _evaluation(oracle: Oracle, row: Any) -> Evaluation:
    if row.status == "failed":
        return replace(failure(oracle, row.reason), seconds=row.seconds)
    return Evaluation(row.valid, row.test, json.loads(row.extras), seconds=row.seconds)
