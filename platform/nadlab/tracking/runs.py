"""The runs of a study in MLflow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nadlab.tracking.mlflow_internals import run_link


@dataclass(frozen=True)
class Runs:
    """Store, experiment, parent run and child runs of a study."""

    uri: str
    """of the store, without a password"""
    experiment: str
    parent: str
    children: Mapping[str, str]
    """trial id -> run id"""

    @property
    def is_served(self) -> bool:
        """The store is a server, which has pages."""
        return self.uri.startswith("http")

    @property
    def server(self) -> str:
        """Where the pages are: on the server, or where `nadlab mlflow` serves another store by default."""
        return self.uri.rstrip("/") if self.is_served else "http://127.0.0.1:5000"

    def link(self, run: str) -> str:
        """Return the page of a run."""
        return f"{self.server}/{run_link(self.experiment, run)}"


def without_password(uri: str) -> str:
    """Return a store's URI as it may be printed: a password stands before the host, however it is written, or in the query."""
    shown = uri if uri.startswith(("sqlite:", "file:")) else re.sub(r"(?<=://)[^?]*@", "", uri)
    return re.sub(r"(?i)(?<=[?&])([^=&]*(?:password|pwd|token|secret)[^=&]*)=[^&]*", r"\1=***", shown)
