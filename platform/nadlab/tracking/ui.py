"""MLflow's server, whose pages open on training runs: else each experiment opens on pages for language models.

The browser keeps what MLflow's UI shows first. The first page of this server sets it where the browser keeps nothing yet.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nadlab.json_text import strict_json

if TYPE_CHECKING:
    from fastapi import FastAPI

PREFERENCES = {
    "mlflow.workflowType": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad": True,  # it takes a quarter of the page
}
"""names in the browser's storage, without their version"""
VERSION = "_v1"


def main() -> None:
    """Run MLflow's command; the workers of its `server` are the apps below."""
    from mlflow import server
    from mlflow.cli import cli

    build: Any = server._build_uvicorn_command

    def command(*given: Any) -> Any:
        *place, app, env_file, _is_factory = given
        ours = with_users if app.startswith("mlflow.server.auth:") else without_users
        return build(*place, f"{__name__}:{ours.__name__}", env_file, True)

    server._build_uvicorn_command = command  # it takes other apps from packages' metadata alone
    cli()


def without_users() -> "FastAPI":
    """Return MLflow's app."""
    from mlflow.server import fastapi_app

    _open_on_runs()
    app: FastAPI = fastapi_app.app
    return app


def with_users() -> "FastAPI":
    """Return MLflow's app that asks for a password."""
    from mlflow.server.auth import create_app

    _open_on_runs()
    app: FastAPI = create_app()
    return app


def _open_on_runs() -> None:
    from flask import Response
    from mlflow.server import app

    kept = strict_json({f"{name}{VERSION}": strict_json(value) for name, value in PREFERENCES.items()})
    script = f"for (const [key, value] of Object.entries({kept})) localStorage.getItem(key) ?? localStorage.setItem(key, value)"
    page = Path(str(app.static_folder), "index.html").read_text(encoding="utf-8")
    first = page.replace("<head>", f"<head><script>{script}</script>", 1)
    app.view_functions["serve"] = lambda: Response(first, mimetype="text/html")
