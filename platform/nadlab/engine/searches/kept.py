"""The searches that a folder keeps, a file each: the same command runs only what is missing."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from nadlab.engine.searches.result import Search
from nadlab.errors import UserError
from nadlab.json_text import strict_json, write_json
from nadlab.provenance.code import git_revision
from nadlab.queries.ledger import Query

Asked = Mapping[str, Any]
"""all that decides a search, as JSON values"""


@dataclass(frozen=True, slots=True)
class KeptSearches:
    """A folder of searches; one by other settings, another table or other code of its method has another name."""

    folder: Path
    revision: str = field(default_factory=lambda: git_revision(Path(__file__).parent))
    """of the code that runs the searches that are added"""

    def __post_init__(self) -> None:
        try:  # before any search, which may take hours
            (self.folder / "searches").mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=self.folder / "searches").close()
        except OSError as error:
            raise UserError(
                f"{error.filename or self.folder} can't be written ({error.strerror}): choose another folder with --out"
            ) from error

    def read(self, asked: Asked) -> Search | None:
        """Return a search that is kept, None for one that is not. Raises UserError for a file that is damaged."""
        path = self._path(asked)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            row = kept["found"]
            if kept["sha256"] != _digest(row) or _digest(kept["asked"]) != _digest(asked):
                raise ValueError("it is not what was written")
            return Search(**row | {"ledger": tuple(Query(**query) for query in row["ledger"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} can't be read ({error}): delete it, and its search is run again") from error

    def write(self, asked: Asked, search: Search) -> None:
        """Add a search."""
        found = asdict(search)
        made = {"asked": asked, "revision": self.revision, "found": found, "sha256": _digest(found)}
        write_json(self._path(asked), made)

    def _path(self, asked: Asked) -> Path:
        return self.folder / "searches" / f"{_digest(asked)[:16]}.json"


def _digest(content: object) -> str:
    return hashlib.sha256(strict_json(content, sort_keys=True).encode()).hexdigest()
