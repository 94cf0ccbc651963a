"""A file of searches that goes on after a stop: each is appended when it ends, with the digest of the code that made it."""

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from types import FunctionType
from typing import Any

import pandas as pd

from nadlab.benchmarks.files import short_digest
from nadlab.benchmarks.presets import PAPER
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.json_text import read_json, write_json
from nadlab.plugins import is_plugin
from nadlab.processes import finished
from nadlab.provenance.code import digest_of, git_revision, own_code_of
from nadlab.provenance.hardware import hardware

FOUND = ["best_valid", "best_test", "regret"]
_PROTOCOL = "protocol"
"""beside the digests, where it is not the paper's"""
Task = tuple[int, int, str, str]
"""what names a search: budget, seed, benchmark, method"""
Search = Callable[[Task], Mapping[str, Any]]
"""returns `FOUND` and the file's own columns, as far as they are known"""


def code_of(method: Callable[..., None]) -> str:
    """Return the digest of a method's code: of its module and all that it imports."""
    return digest_of((method if isinstance(method, FunctionType) else type(method)).__module__)[:16]


def regrets_of(rows: pd.DataFrame) -> dict[tuple[str, str], dict[int, float]]:
    """Return (method, benchmark) -> seed -> regret, of searches of one budget."""
    groups: Any = rows.groupby(["method", "benchmark"])
    return {key: dict(zip(group["seed"], group["regret"], strict=True)) for key, group in groups}


def mean_regrets(
    regrets: Mapping[tuple[str, str], Mapping[int, float]], method: str, names: Iterable[str]
) -> dict[int, float]:
    """Return seed -> a method's mean regret over benchmarks, of the seeds that ran on all of them."""
    own = [regrets.get((method, name), {}) for name in names]
    return {seed: sum(each[seed] for each in own) / len(own) for seed in set.intersection(*map(set, own))}


@dataclass(frozen=True)
class SearchFile:
    """A CSV of searches; several processes may append to it."""

    path: Path
    codes: Mapping[str, str]
    """method -> digest of its code today"""
    unit: str = "queries"
    """of budgets, and the name of their column"""
    own: tuple[str, ...] = ()
    """further columns"""
    protocol: str = PAPER
    """of all searches"""

    @property
    def key(self) -> list[str]:
        """The columns that name a search."""
        return [self.unit, "seed", "benchmark", "method"]

    @property
    def columns(self) -> list[str]:
        """All columns."""
        return [*self.key, *FOUND, *self.own, "cpu_seconds", "code", "revision"]

    def run(self, search: Search, tasks: Iterable[Task], concurrent: int | None, anyway: bool) -> None:
        """Run the searches that the file does not hold, `concurrent` at a time, with a progress bar.

        anyway: keep rows of the methods that other code made. Raises UserError without it where there are some.
        """
        missing = self._missing(tasks, anyway)[1]
        self._note({task[2] for task in missing})
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(",".join(self.columns) + "\n", encoding="utf-8")
        finished(partial(self._run, search, git_revision(Path(__file__).parent)), missing, "search", concurrent)

    def missing(self, tasks: Iterable[Task], anyway: bool) -> pd.DataFrame:
        """Return the searches that `run` would run, with the median `cpu_seconds` of their method and budget, NaN if unknown.

        Raises UserError where `run` would.
        """
        rows, missing = self._missing(tasks, anyway)
        seconds = rows.groupby([self.unit, "method"])["cpu_seconds"].median().reset_index()
        return pd.DataFrame(missing, columns=self.key).merge(seconds, how="left")

    def selected(
        self, budgets: Collection[int], seeds: Collection[int], benchmarks: Collection[str], methods: Collection[str]
    ) -> pd.DataFrame:
        """Return the rows of these; raise UserError when there are none."""
        self._check_versions(benchmarks)
        rows = self._rows()
        for name, wanted in zip(self.key, (budgets, seeds, benchmarks, methods), strict=True):
            rows = rows[rows[name].isin(wanted)]
        if rows.empty:
            raise UserError(f"{self.path} has no search of these yet")
        return rows

    def made_by(self, rows: pd.DataFrame) -> str:
        """Return sentences on some of the rows: revisions, methods whose code is another today, and CPU time.

        The processor is that of the page: the rows of several machines may be in a file.
        """
        revisions = ", ".join(sorted({revision[:12] for revision in rows["revision"]}))
        others = self._changed(rows)
        kept = f" Of {', '.join(others)} some searches are of other code than today's." if others else ""
        hours = rows["cpu_seconds"].sum() / 3600
        return f"Revision {revisions}.{kept} {hours:.2f} CPU hours of one thread; this page was written on {hardware()['cpu']}."

    def _rows(self) -> pd.DataFrame:
        if not self.path.exists():
            return pd.DataFrame(columns=self.columns)
        try:
            text = self.path.read_text(encoding="utf-8")
            rows = pd.read_csv(StringIO(text), dtype={"code": str, "revision": str}, skip_blank_lines=False)
        except ValueError as error:  # pandas' and Unicode's are such
            raise UserError(
                f"{self.path} is damaged ({error}): mend it, or choose another folder with --out"
            ) from error
        if lacking := [name for name in self.columns if name not in rows]:
            raise UserError(f"{self.path} has no column {lacking[0]}: choose another folder with --out")
        if not text.endswith("\n"):
            raise UserError(
                f"{self.path} ends within line {len(rows) + 1}: delete that line, and its search runs again"
            )
        self._check(rows)
        return rows.drop_duplicates(self.key)  # two processes may have run the same search

    def _check(self, rows: pd.DataFrame) -> None:
        """Raise UserError where a row is no whole search, or contradicts another."""
        numbers = rows[[*self.key[:2], *FOUND, "cpu_seconds"]]
        faults = {
            "lacks a field": rows[[*self.key, "cpu_seconds", "code", "revision"]].isna().any(axis=1),
            "has text for a number": (numbers.apply(pd.to_numeric, errors="coerce").isna() & numbers.notna()).any(
                axis=1
            ),
            "has another result than an earlier line of the same search": rows.duplicated(self.key)
            & ~rows.duplicated([*self.key, *FOUND]),
        }
        for what, where in faults.items():
            if where.any():
                raise UserError(f"line {where.argmax() + 2} of {self.path} {what}: mend or delete it")

    def _missing(self, tasks: Iterable[Task], anyway: bool) -> tuple[pd.DataFrame, list[Task]]:
        """Return the rows of the file and the tasks that are none; rows of other code count with `anyway` alone."""
        rows, asked = self._rows(), list(tasks)
        names = {task[2] for task in asked}
        self._check_versions(names)
        # a benchmark of one's own may be gone meanwhile, which is no matter to the others
        judged = rows[rows["benchmark"].isin(names) | ~rows["benchmark"].map(is_plugin).astype(bool)]
        if (others := self._changed(judged)) and not anyway:
            raise UserError(
                f"{self.path} holds searches by other code of {', '.join(others)}: delete those rows, check out their "
                "revision, keep them with --anyway, or choose another folder with --out"
            )
        done = set(rows[self.key].itertuples(index=False, name=None))
        return rows, [task for task in asked if task not in done]

    @property
    def _versions(self) -> Path:
        """Where the digests of the benchmarks are noted."""
        return self.path.with_suffix(".benchmarks.json")

    def _noted(self) -> dict[str, str]:
        """Return the digests that are noted; raise UserError where the searches are by another protocol."""
        found: dict[str, str] = read_json(self._versions) if self._versions.exists() else {}
        kept = found.pop(_PROTOCOL, PAPER)
        if kept != self.protocol and self.path.exists():
            raise UserError(
                f"{self.path} holds searches by the protocol {kept!r}, not {self.protocol!r}: choose another folder with --out"
            )
        return found

    def _check_versions(self, names: Iterable[str]) -> None:
        """Raise UserError where one of these benchmarks is another version today."""
        noted = self._noted()
        for name in noted.keys() & set(names):
            if noted[name] != (now := benchmark(name).digest):
                raise UserError(
                    f"{self.path} holds searches of another version of {name} (digest {short_digest(noted[name])}, here "
                    f"{short_digest(now)}): choose another folder with --out"
                )

    def _note(self, names: set[str]) -> None:
        """Note the digests of benchmarks that are about to be searched, and were checked."""
        noted = self._noted()
        if new := names - noted.keys():
            digests = noted | {name: benchmark(name).digest for name in sorted(new)}
            write_json(self._versions, digests if self.protocol == PAPER else digests | {_PROTOCOL: self.protocol})

    def _changed(self, rows: pd.DataFrame) -> list[str]:
        made = rows[["method", "benchmark", "code"]].drop_duplicates().itertuples(index=False, name=None)
        others = {method for method, name, code in made if method in self.codes and code != self._code(method, name)}
        return [method for method in self.codes if method in others]

    def _code(self, method: str, benchmark_name: str) -> str:
        """Return the digest of the code of a search: the method's, and that of a benchmark of one's own."""
        own = own_code_of(benchmark_name)
        code = self.codes[method]
        return code if own is None else hashlib.sha256(f"{code} {own}".encode()).hexdigest()[:16]

    def _run(self, search: Search, revision: str, task: Task) -> None:
        benchmark(task[2])  # opened before the clock starts
        started = time.process_time()
        found = search(task)
        seconds = f"{time.process_time() - started:.2f}"
        made = {"cpu_seconds": seconds, "code": self._code(task[3], task[2]), "revision": revision}
        row = {**found, **dict(zip(self.key, task, strict=True)), **made}
        values = ["" if row.get(column) is None else str(row[column]) for column in self.columns]
        line = ",".join(f'"{value}"' if "," in value else value for value in values)
        with self.path.open("ab", buffering=0) as file:
            file.write(f"{line}\n".encode())  # one write: neighbours append too, and a stop leaves no half
