"""The searches that a folder keeps, a file each: the same command runs only what is missing."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from nadlab.benchmarks.oracle import Oracle
from nadlab.engine.searches.result import Search
from nadlab.errors import UserError
from nadlab.json_text import strict_json, write_json
from nadlab.methods.request import SearchRequest
from nadlab.provenance.code import git_revision
from nadlab.queries.budget import Budget
from nadlab.queries.ledger import Query
from nadlab.study.search_file import code_of


@dataclass(frozen=True, slots=True)
class KeptSearches:
    """A folder of searches; one by other settings, another table or other code of its method has another name."""

    folder: Path

    def __post_init__(self) -> None:
        try:  # before any search, which may take hours
            (self.folder / "searches").mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=self.folder / "searches").close()
        except OSError as error:
            raise UserError(
                f"{error.filename or self.folder} can't be written ({error.strerror}): name another folder by --out"
            ) from error

    def read(self, oracle: Oracle, budget: int | Budget, request: SearchRequest, seed: int) -> Search | None:
        """Return a search that is kept, None for one that is not. Raises UserError for a file that is damaged."""
        content = asked(oracle, budget, request, seed)
        path = self._path(content)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            row = kept["found"]
            if kept["sha256"] != _digest(row) or _digest(kept["asked"]) != _digest(content):
                raise ValueError("it is not what was written")
            return Search(**row | {"ledger": tuple(Query(**query) for query in row["ledger"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} can't be read ({error}): delete it, and its search is run again") from error

    def write(self, oracle: Oracle, budget: int | Budget, request: SearchRequest, seed: int, search: Search) -> None:
        """Add a search."""
        content = asked(oracle, budget, request, seed)
        found = asdict(search)
        made = {"asked": content, "revision": git_revision(Path(__file__).parent), "found": found}
        write_json(self._path(content), made | {"sha256": _digest(found)})

    def _path(self, content: dict[str, Any]) -> Path:
        return self.folder / "searches" / f"{_digest(content)[:16]}.json"


def asked(oracle: Oracle, budget: int | Budget, request: SearchRequest, seed: int) -> dict[str, Any]:
    """Return all that decides a search, as JSON values."""
    spent = budget if isinstance(budget, Budget) else Budget(budget)
    return {
        "settings": request.flat(),
        "budget": [float(spent.amount), spent.unit],
        "seed": seed,
        "benchmark": oracle.name,
        "digest": oracle.digest,
        "protocol": oracle.preset,
        "code": code_of(request.searcher),
    }


def _digest(content: object) -> str:
    return hashlib.sha256(strict_json(content, sort_keys=True).encode()).hexdigest()
