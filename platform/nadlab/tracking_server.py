"""An MLflow server on loopback: SQLite and artifacts in one folder, basic authentication on request."""

import os
import subprocess
import sys
from configparser import ConfigParser
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


def serve(
    folder: Path,
    port: int = 5000,
    store: str | None = None,
    artifacts: str | None = None,
    workers: int = 2,
    authenticated: bool = False,
) -> int:
    """Serve until stopped; return the server's exit status.

    authenticated: ask clients for MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, which are the
    administrator's, taken from this process's environment. Raises UserError when the folder can't be written or
    these are missing.
    """
    command = server_command(folder, port, store, artifacts, workers)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ) | (_authentication(folder) if authenticated else {})
    except OSError as error:
        raise UserError(f"the folder {folder} can't be written ({error.strerror}): name another by --folder") from error
    if authenticated:
        command += ["--app-name", "basic-auth"]
    return subprocess.run(command, env=environment, check=False).returncode


def _authentication(folder: Path) -> dict[str, str]:
    """Write the server's authentication file, readable by its owner alone; return where the server looks for it."""
    name, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if not name or not password:
        raise UserError("--basic-auth needs MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD: set both")
    settings = ConfigParser(interpolation=None)
    settings["mlflow"] = {
        "default_permission": "READ",
        "database_uri": f"sqlite:///{(folder / 'users.db').absolute()}",
        "admin_username": name,
        "admin_password": password,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    path = folder / "auth.ini"
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open("w") as file:
        settings.write(file)
    return {"MLFLOW_AUTH_CONFIG_PATH": str(path.absolute()), "MLFLOW_FLASK_SERVER_SECRET_KEY": os.urandom(32).hex()}
