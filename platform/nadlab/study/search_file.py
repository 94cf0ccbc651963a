"""A file of searches that goes on after a stop: each is appended when it ends, with the digest of the code that made it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

import pandas as pd

from nadlab.errors import UserError
from nadlab.provenance.code import digest_of

KEY = ["queries", "seed", "benchmark", "method"]
"""what names a search"""
COLUMNS = [*KEY, "best_valid", "best_test", "regret", "cpu_seconds", "code", "revision"]
Task = tuple[int, int, str, str]
"""the values of KEY"""


def code_of(method: Callable[..., None]) -> str:
    """Return the digest of a method's code: of its module and all that it imports."""
    return digest_of((method if isinstance(method, FunctionType) else type(method)).__module__)[:16]


@dataclass(frozen=True)
class SearchFile:
    """A CSV of `COLUMNS`; several processes may append to it."""

    path: Path

    def begin(self, codes: Mapping[str, str], anyway: bool = False) -> None:
        """Begin the file if it is missing; raise UserError where other code made some of the methods' rows.

        codes: method -> digest of its code today. anyway: keep such rows.
        """
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
        if (others := self.changed(codes)) and not anyway:
            raise UserError(
                f"{self.path} holds searches by other code of {', '.join(others)}: delete those rows, check out their "
                "revision, keep them by --anyway, or name another folder by --out"
            )

    def append(self, row: Mapping[str, object]) -> None:
        """Append a row."""
        values = ["" if row.get(column) is None else str(row[column]) for column in COLUMNS]
        line = ",".join(f'"{value}"' if "," in value else value for value in values)
        with self.path.open("ab", buffering=0) as file:
            file.write(f"{line}\n".encode())  # one write: neighbours append too, and a stop leaves no half

    def rows(self) -> pd.DataFrame:
        """Return the rows."""
        return pd.read_csv(self.path, dtype={"code": str, "revision": str})

    def missing(self, tasks: Iterable[Task]) -> list[Task]:
        """Return those of the searches that the file does not hold."""
        done = set(self.rows()[KEY].itertuples(index=False, name=None))
        return [task for task in tasks if task not in done]

    def changed(self, codes: Mapping[str, str]) -> list[str]:
        """Return the methods of which some row was made by other code."""
        rows = self.rows()
        return [method for method, code in codes.items() if set(rows.loc[rows["method"] == method, "code"]) - {code}]

    def made_by(self, rows: pd.DataFrame, codes: Mapping[str, str]) -> str:
        """Return the sentences that say at which revisions some of the rows were made, and which are of other code than today's."""
        revisions = ", ".join(sorted({revision[:12] for revision in rows["revision"]}))
        others = [method for method in self.changed(codes) if method in set(rows["method"])]
        kept = f" Of {', '.join(others)} some searches are of other code than today's." if others else ""
        return f"Revision {revisions}.{kept}"
