"""Addresses of SQLite files, and who holds one."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import URL

from nadlab.errors import UserError


def address(file: Path) -> str:
    """Return SQLAlchemy's URL of a file at any path; what a URL reserves, such as `?`, `#` and `%`, is encoded."""
    # the driver is named: at `sqlite:///PATH` MLflow makes PATH's folder as the URL spells it
    return URL.create("sqlite+pysqlite", database=str(file.absolute())).render_as_string()


def is_locked(file: Path) -> bool:
    """Return whether another connection keeps this one from writing to a file that exists.

    Raises UserError when the file is no database.
    """
    try:
        with closing(sqlite3.connect(file, timeout=0)) as database:
            database.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    except sqlite3.DatabaseError as error:
        raise UserError(f"{file} is damaged ({error}): restore it, or choose another folder with --out") from error
    return False
