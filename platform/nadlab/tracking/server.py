"""An MLflow server: SQLite and artifacts in one folder, on loopback; with a password, on another address too."""

import ipaddress
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from nadlab.errors import UserError
from nadlab.interrupts import RUN_PROGRAM, SIGNALS, check_arrived
from nadlab.sqlite import address
from nadlab.tracking.mlflow_internals import AUTH_SETTINGS, SERVER_SWITCHES
from nadlab.tracking.pages import comparisons, open_in_browser
from nadlab.tracking.store import STORE_ERRORS, follow_folder, make_database

LOOPBACK = "127.0.0.1"
USER = "admin"
PASSWORD_VARIABLE = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 - the variable that MLflow's own clients read
STORE_VARIABLE = "MLFLOW_BACKEND_STORE_URI"
PASSWORD_FILE = "password"  # noqa: S105 - a file's name
SHORTEST_PASSWORD = 12


@dataclass(frozen=True, kw_only=True)
class Server:
    """How a server is started. Raises UserError for an address that anybody could reach without a password."""

    folder: Path
    """of database, artifacts and passwords, unless others are given"""
    port: int = 5000
    host: str = LOOPBACK
    store: str | None = None
    """another database, such as `postgresql://...`"""
    artifacts: str | None = None
    """another location of artifacts, such as `s3://...`"""
    workers: int = 2
    """processes that answer"""
    auth: bool = False
    open: bool = False
    """whether a browser opens the comparison, or the list of studies where there are several or none"""
    allowed_hosts: str = ""
    """names, besides loopback's and the host, by which browsers may reach it, separated by commas"""

    def __post_init__(self) -> None:
        if not self.auth and not _is_loopback(self.host):
            raise UserError(f"{self.host} can be reached from other machines: add --auth, or leave out --host")

    def command(self) -> list[str]:
        """Return the command of the server; it contains no password."""
        # a page of another site can't reach the server by another name
        hosts = [LOOPBACK, "localhost", self.host, *filter(None, self.allowed_hosts.split(","))]
        # they are patterns, in which a bracket stands for itself in brackets alone; browsers put an IPv6 address into some
        patterns = [f"[[]{host}[]]:*" if ":" in host else f"{host}:*" for host in dict.fromkeys(hosts)]
        return [
            *RUN_PROGRAM,
            *(sys.executable, "-c", "from nadlab.tracking.ui import main; main()", "server"),
            *("--host", self.host, "--port", str(self.port), "--workers", str(self.workers)),
            *("--allowed-hosts", ",".join(patterns)),
            *("--artifacts-destination", self.artifacts or (self.folder / "artifacts").absolute().as_uri()),
            *("--uvicorn-opts", "--log-level warning"),  # else a line a request
            *(("--app-name", "basic-auth") if self.auth else ()),
        ]

    def environment(self) -> dict[str, str]:
        """Return the variables that it needs; UserError when the folder can't be written or the password is refused."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # here and not in the command, which every user of the machine can read: it may contain a password
            store = {STORE_VARIABLE: self.store or address(self.folder / "mlflow.db")}
            return SERVER_SWITCHES | store | (self._secrets() if self.auth else {})
        except OSError as error:
            raise UserError(
                f"the folder {self.folder} can't be written ({error.strerror}): choose another with --folder"
            ) from error

    def serve(self) -> NoReturn:
        """Become the process that holds the server and ends it within two seconds of a signal."""
        environment = os.environ | self.environment()
        if self.is_taken():
            raise UserError(
                f"{self.host}:{self.port} is taken, by another server perhaps: choose another port with --port"
            )
        os.umask(0o077)  # its files contain hashes of passwords and the results of others
        if not self.store:
            try:
                make_database(self.folder, "mlflow-artifacts:/")
                follow_folder(self.folder)  # a study's own is served too
            except STORE_ERRORS as error:
                raise UserError(
                    f"no database can be made in {self.folder} ({error}): choose another folder with --folder"
                ) from error
        pages = comparisons(self.store or address(self.folder / "mlflow.db"))
        print(self.said(pages), flush=True)
        if self.open:
            (link,) = pages.values() if len(pages) == 1 else ("#/experiments",)
            open_in_browser(self.address, link)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until that process handles them
        try:
            check_arrived()
            os.execve(sys.executable, self.command(), environment)  # noqa: S606
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        host = LOOPBACK if self.host in ("0.0.0.0", "::", "localhost") else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def is_taken(self) -> bool:
        """Return whether something listens on the port already."""
        try:
            with socket.create_connection(
                (LOOPBACK if self.address.startswith(f"http://{LOOPBACK}") else self.host, self.port), 1
            ):
                return True
        except OSError:
            return False

    def said(self, pages: Mapping[str, str]) -> str:
        """Return what the user reads: the address, and the comparison of every study (`comparisons`)."""
        lines = [f"MLflow will be ready at {self.address} in a few seconds; stop it with Ctrl-C"]
        if not pages:
            place = "that store" if self.store else self.folder
            lines.append(
                f"no study is in {place} yet: give studies --tracking-uri {self.address}, or serve a study's folder"
            )
        return "\n".join([*lines, *(f"{study}: {self.address}/{link}" for study, link in pages.items())])

    def _secrets(self) -> dict[str, str]:
        settings = self.folder / "auth.ini"
        lines = [
            "[mlflow]",
            f"database_uri = {address(self.folder / 'users.db').replace('%', '%%')}",  # as an ini file has a percent sign
            "default_permission = NO_PERMISSIONS",
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth",
            *AUTH_SETTINGS,
        ]
        settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return {
            "MLFLOW_AUTH_CONFIG_PATH": str(settings.absolute()),
            "MLFLOW_AUTH_ADMIN_USERNAME": USER,
            "MLFLOW_AUTH_ADMIN_PASSWORD": _password(self.folder / PASSWORD_FILE),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": _kept(self.folder / "session_key", secrets.token_hex(32)),
        }


def _password(file: Path) -> str:
    """Return the password of the folder's first start: $MLFLOW_TRACKING_PASSWORD, or one that is drawn."""
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None and len(given) < SHORTEST_PASSWORD:
        raise UserError(f"${PASSWORD_VARIABLE} must have at least {SHORTEST_PASSWORD} characters: MLflow requires them")
    password = _kept(file, given or secrets.token_urlsafe(24))
    if given is not None and given != password:
        raise UserError(
            f"${PASSWORD_VARIABLE} is not the password in {file}, which was set at the first start: unset it"
        )
    return password


def _kept(file: Path, fresh: str) -> str:
    """Return the content of a file that only its owner can read; a new file gets the fresh value."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as secret:
            secret.write(fresh)
    except FileExistsError:
        if file.stat().st_mode & 0o077:
            raise UserError(
                f"{file} can be read by others: chmod 600 it, or remove it and {file.parent / 'users.db'}"
            ) from None
    return file.read_text(encoding="utf-8")


def _is_loopback(host: str) -> bool:
    try:
        found = {ipaddress.ip_address(address[4][0]) for address in socket.getaddrinfo(host, None)}
    except (OSError, ValueError) as error:
        raise UserError(f"{host!r} is not an address of this machine: check --host") from error
    return all(address.is_loopback for address in found)
