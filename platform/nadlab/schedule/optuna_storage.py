"""Optuna's study in a folder: `optuna.db`, which other programs may open too, and lock."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.samplers import RandomSampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from nadlab.errors import UserError
from nadlab.sqlite import address, is_locked
from nadlab.study.tuning import OBJECTIVES

logger = logging.getLogger(__name__)

DATABASE = "optuna.db"
SILENT_WAIT, LONGEST_WAIT = 2.0, 600.0
"""seconds for which another program may lock the database: before a word is said, and at all"""
STATEMENT_WAIT = 60.0
"""seconds that a statement waits which a lock surprises; no signal ends this wait"""


def open_study(folder: Path, name: str, objectives: Sequence[str], maximise: bool = True) -> optuna.Study:
    """Open or create Optuna's study in a folder, where `optuna-dashboard sqlite:///optuna.db` shows it.

    maximise: whether the benchmark's metric, which is the objective `accuracy`, is better the larger it is.

    Waits and raises UserError as `wait_for_lock`.
    """
    wait_for_lock(folder)
    engine = {"connect_args": {"timeout": STATEMENT_WAIT}}
    return optuna.create_study(
        storage=RDBStorage(address(folder / DATABASE), engine_kwargs=engine),
        study_name=name,
        directions=[OBJECTIVES[each] if maximise else StudyDirection.MINIMIZE for each in objectives],
        load_if_exists=True,
        sampler=RandomSampler(),
    )


def wait_for_lock(folder: Path) -> None:
    """Wait while another program locks a folder's database, and say so; UserError after `LONGEST_WAIT` seconds."""
    database, started, said = folder / DATABASE, time.monotonic(), False
    while database.exists() and is_locked(database):
        waited = time.monotonic() - started
        if waited > LONGEST_WAIT:
            raise UserError(
                f"another program has locked {database} for {waited:.0f} s: stop it and run this command again"
            )
        if waited > SILENT_WAIT and not said:
            logger.warning("another program has locked %s: waiting until it is free", database)
            said = True
        time.sleep(0.05)
