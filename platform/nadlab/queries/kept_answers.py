"""Answers of a benchmark that are kept in a folder: each distinct cell is evaluated once, whoever asks for it.

FOLDER/<benchmark and digest>/<key>.json   the answer for a cell, up to isomorphism
FOLDER/<benchmark and digest>/lock         byte `key` is locked while a process evaluates that cell
"""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from nadlab.benchmarks.oracle import Evaluation, Oracle
from nadlab.json_text import strict_json
from nadlab.queries.answers import evaluated
from nadlab.spaces import Cells

logger = logging.getLogger(__name__)

LARGEST_OFFSET = 2**62


class KeptAnswers:
    """Evaluates what no process has evaluated before, in one call, and keeps the answers.

    Processes that want the same cell at once evaluate it once: the others wait. A kill releases the locks. Threads of
    one process do not exclude each other. Another name or digest of the benchmark has answers of its own.
    """

    def __init__(self, oracle: Oracle, folder: Path) -> None:
        self.oracle = oracle
        owner = hashlib.sha256(strict_json([oracle.name, oracle.digest]).encode()).hexdigest()
        self.folder = folder / owner[:16]

    def evaluate(self, cells: Cells) -> list[Evaluation]:
        """Return the answers for cells in their order; raises as `evaluated`."""
        keys = self.oracle.space.keys(cells).tolist()
        kept = self._read(keys)
        missing = set(keys) - kept.keys()
        if missing:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder / "lock", missing):
                kept |= self._read(missing)
                rows = {key: row for row, key in reversed(list(enumerate(keys))) if key not in kept}
                if rows:
                    order = sorted(rows.values())
                    answers = evaluated(self.oracle, cells[order])
                    found = dict(zip((keys[row] for row in order), answers, strict=True))
                    for key, answer in found.items():
                        self._write(key, answer)
                    kept |= found
        return [kept[key] for key in keys]

    def _path(self, key: int) -> Path:
        return self.folder / f"{key}.json"

    def _read(self, keys: Iterable[int]) -> dict[int, Evaluation]:
        found = {}
        for key in keys:
            try:
                found[key] = Evaluation(**json.loads(self._path(key).read_text(encoding="utf-8")))
            except FileNotFoundError:
                continue
            except (ValueError, TypeError) as error:
                logger.warning("%s is unreadable (%s): the cell is evaluated again", self._path(key), error)
        return found

    def _write(self, key: int, answer: Evaluation) -> None:
        path = self._path(key)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(strict_json(asdict(answer)), encoding="utf-8")
        draft.replace(path)  # what a power failure leaves incomplete is evaluated again


@contextmanager
def _locked(path: Path, keys: Iterable[int]) -> Iterator[None]:
    """Hold a lock for each key, taken in ascending order, so that two processes never wait for each other."""
    with path.open("ab") as file:
        for offset in sorted({key % LARGEST_OFFSET for key in keys}):
            fcntl.lockf(file, fcntl.LOCK_EX, 1, offset)
        yield  # closing the file releases all
