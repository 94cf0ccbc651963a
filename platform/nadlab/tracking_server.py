"""An MLflow server on loopback: SQLite and artifacts in one folder."""

import subprocess
import sys
from pathlib import Path

from nadlab.errors import UserError

HOST = "127.0.0.1"


def server_command(folder: Path, port: int, store: str | None, artifacts: str | None, workers: int) -> list[str]:
    """Return the command that serves a folder; store and artifacts name another database or an `s3://` place."""
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", HOST, "--port", str(port), "--workers", str(workers)),
        # the names by which a tunnel's end asks: a page of another site can't reach the server by one of its own
        *("--allowed-hosts", f"{HOST}:*,localhost:*"),
        *("--backend-store-uri", store or f"sqlite:///{(folder / 'mlflow.db').absolute()}"),
        *("--artifacts-destination", artifacts or (folder / "artifacts").absolute().as_uri()),
    ]


def serve(folder: Path, port: int, store: str | None, artifacts: str | None, workers: int) -> int:
    """Serve until stopped; return the server's exit status. Raises UserError when the folder can't be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the folder {folder} can't be written ({error.strerror}): name another by --folder") from error
    return subprocess.run(server_command(folder, port, store, artifacts, workers), check=False).returncode
