"""An MLflow store: opened, or made in a study's folder."""

import logging
import shlex
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from nadlab.cache import cache_folder, is_there, locked, made_once, replacing
from nadlab.errors import UserError
from nadlab.sqlite import address
from nadlab.tracking import mlflow_internals as internals
from nadlab.tracking.runs import without_password

logger = logging.getLogger(__name__)

DRAFT = ".mlflow.db"
STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError)


def default_store(out: Path) -> tuple[str, Path]:
    """Return the URI of a study's own SQLite store and the folder of its artifacts, both in the output folder."""
    return address(out / "mlflow.db"), out / "mlartifacts"


def made_store(out: Path) -> tuple[str, Path]:
    """Return a study's own store, made where absent; UserError when it can't be used."""
    uri, artifacts = default_store(out)
    try:
        make_database(out, artifacts.absolute().as_uri())
    except sqlite3.Error as error:  # such as a path that it finds too long
        raise UserError(f"SQLite can't use {out / 'mlflow.db'} ({error}): choose another folder with --out") from error
    follow_folder(out)
    return uri, artifacts


def follow_folder(out: Path) -> None:
    """Have a store find its artifacts in the study's folder where that is now; one that can't be written stays as it is.

    Raises UserError when the store can't be used.
    """
    uri, artifacts = default_store(out)
    try:
        internals.move_artifacts(out / "mlflow.db", artifacts.absolute().as_uri())
    except SQLAlchemyError as error:
        code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
        if code & 0xFF != sqlite3.SQLITE_READONLY:
            raise unusable(uri, error) from error
        logger.warning("%s was moved and can't be written: MLflow looks for artifacts where it was before", out)


def make_database(folder: Path, artifacts: str) -> None:
    """Make mlflow.db in a folder where absent, whole or not at all: MLflow can't open what a kill leaves of one."""
    if (folder / "mlflow.db").exists():
        return
    for incomplete in folder.glob(f"{DRAFT}*"):
        incomplete.unlink()
    internals.quiet()
    try:
        shutil.copyfile(_tables(), folder / DRAFT)
    except UserError as error:
        logger.warning("%s: MLflow makes its tables anew for each study, which takes seconds", error)
    with closing(sqlite3.connect(folder / DRAFT)) as draft:
        draft.execute("PRAGMA schema_version")  # MLflow tries for minutes to open what SQLite refuses
    internals.make_default_experiment(folder / DRAFT, artifacts)
    (folder / DRAFT).replace(folder / "mlflow.db")


def _tables() -> Path:
    """Return a file with MLflow's tables, made once for a machine, as it takes seconds; a damaged one is made anew."""
    tables = cache_folder() / "mlflow" / f"{mlflow.__version__}.db"
    if is_there(tables) and not internals.has_tables(tables):
        with locked(tables):
            if not internals.has_tables(tables):  # another process may have made it meanwhile
                logger.warning("%s is damaged: it will be recreated", tables)
                with replacing(tables) as partial:
                    internals.make_tables(partial)
    return made_once(tables, internals.make_tables)


def check_store(uri: str) -> None:
    """Raise UserError when a store can't be used, before anything is written for it."""
    try:
        open_client(uri).search_experiments(max_results=1)
    except STORE_ERRORS as error:
        raise unusable(uri, error) from error


def open_client(uri: str) -> MlflowClient:
    """Return a client of a store; raise UserError when it can't be used."""
    internals.quiet()
    try:
        return MlflowClient(tracking_uri=uri)
    except Exception as error:  # a database is migrated here, which may raise anything
        raise unusable(uri, error) from error


def existing_client(uri: str) -> MlflowClient:
    """Return a client of a store that is only read; raise UserError when it can't be used or there is none, where MLflow would make one."""
    if urlsplit(uri).scheme.startswith("sqlite"):
        file = Path(make_url(uri).database or "")
        if not file.is_file():
            raise UserError(f"there is no tracking store {file}: check --tracking-uri")
    return open_client(uri)


def unusable(uri: str, error: Exception) -> UserError:
    """Return the error that names the store, the cause and what to do."""
    shown, scheme = without_password(uri), urlsplit(uri).scheme
    cause, advice = _first_sentence(error), "check --tracking-uri"
    if internals.refuses_user(error):
        cause = "it requires a user name and password"
        advice = "set $MLFLOW_TRACKING_USERNAME and $MLFLOW_TRACKING_PASSWORD"
    elif scheme in ("http", "https"):
        cause = "nothing answers there" if isinstance(error.__context__, OSError) else cause
    elif internals.is_database(scheme) and not isinstance(error, OSError):
        advice = (
            f"if another version of MLflow made this database, install that one or run `mlflow db upgrade {shlex.quote(shown)}`; if it is "
            "incomplete, move it away, and the study's command fills a new one from its folder"
        )
    return UserError(f"the tracking store {shown} can't be used ({cause.replace(uri, shown)}): {advice}")


def _first_sentence(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0].partition(". ")[0].strip(" .")[:200]
    return text if isinstance(error, STORE_ERRORS) and text else f"{type(error).__name__}: {text}"
