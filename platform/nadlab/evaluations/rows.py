"""The table of evaluations and the databases that hold it: an SQLite file, or PostgreSQL."""

from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Double, Engine, Integer, MetaData, String, Table, create_engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from nadlab.errors import UserError
from nadlab.sqlite import address

LOCKED = 60.0
"""seconds that a statement waits for other writers of an SQLite file"""
INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

ROWS = Table(
    "evaluations",
    MetaData(),
    Column("benchmark", String, primary_key=True),
    Column("digest", String, primary_key=True),
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("fidelity", Integer, primary_key=True, autoincrement=False),
    Column("seed", BigInteger, primary_key=True, autoincrement=False),
    Column("space", String, nullable=False),
    Column("cell", String, nullable=False),
    Column("status", String, nullable=False),  # claimed, done or failed
    Column("valid", Double),
    Column("test", Double),
    Column("extras", String),
    Column("reason", String),
    Column("seconds", Double),
    Column("attempts", Integer),
    Column("host", String),
    Column("ended", Double),
    Column("owner", String, nullable=False),
    Column("beat", Integer, nullable=False),
)


def file_of(benchmark: str, digest: str) -> str:
    """Return the name of the SQLite file of a benchmark."""
    return f"{''.join(each if each.isalnum() else '-' for each in benchmark)}-{digest[:12]}.db"


def shown(place: str) -> str:
    """Return a store as it may be printed, without a password."""
    return place.rpartition("@")[2]


def engine_of(place: str, file: str) -> Engine:
    """Open a store: a database by its URL, else a file in the folder `place`, which is made.

    Raises UserError when it is neither, or does not answer.
    """
    try:
        if "://" in place:
            engine = create_engine(place, poolclass=NullPool)
        else:
            Path(place).mkdir(parents=True, exist_ok=True)
            engine = create_engine(address(Path(place) / file), poolclass=NullPool, connect_args={"timeout": LOCKED})
        if engine.dialect.name not in INSERT:
            raise UserError(
                f"the evaluation store {shown(place)} is a {engine.dialect.name} database: use PostgreSQL, or a folder"
            )
        try:
            with engine.begin() as connection:
                connection.execute(CreateTable(ROWS, if_not_exists=True))
        except IntegrityError:
            pass  # PostgreSQL's answer when another process makes the same table at this moment
    except (ArgumentError, ImportError, OSError, SQLAlchemyError) as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise UserError(f"the evaluation store {shown(place)} can't be used: {reason}") from error
    return engine
