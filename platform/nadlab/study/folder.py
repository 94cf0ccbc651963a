"""A study's output folder: who owns it, which trials ended, and where a part-done trial goes on.

study.json                 the study and table that the folder belongs to
trials/<id>/record.json    an ended trial
trials/<id>/checkpoint/    its last checkpoint
trials/<id>/progress.json  the newest checkpoints of a part-done trial, newest last
provenance/                package lists and changes of code that records name
tune/                      what Ray Tune writes; removed when every trial has ended
"""

import fcntl
import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nadlab.errors import UserError
from nadlab.study.records import Record, StudyRecord, Trial, read_record, write_json

logger = logging.getLogger(__name__)

KEPT_CHECKPOINTS = 2
_UNREADABLE = (OSError, ValueError, KeyError, TypeError)


class StudyFolder:
    """The state of one study; every method is safe to repeat after a kill at any moment."""

    def __init__(self, path: Path, study: StudyRecord) -> None:
        self.path = path
        self.study = study

    @classmethod
    @contextmanager
    def claim(cls, path: Path, study: StudyRecord) -> Iterator["StudyFolder"]:
        """Open the folder for this study, alone; a new one is made.

        Raises UserError when it can't be written, is in use, or belongs to another study, table or setting.
        """
        _same_owner(path, study)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = (path / ".lock").open("w")
        except OSError as error:
            raise UserError(
                f"the output folder {path} can't be written ({error.strerror}): name another by --out"
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{path} is in use by another run of this study: wait for it or stop it") from None
            owner = _same_owner(path, study)  # again: another run may have made the folder meanwhile
            study = replace(study, study_id=owner.study_id) if owner else study
            write_json(path / "study.json", asdict(study))
            yield cls(path, study)

    def record(self, trial: Trial) -> Record | None:
        """Return the record of an ended trial, or None; an unreadable one counts as none."""
        path = self.trial_path(trial) / "record.json"
        if not path.exists():
            return None
        try:
            return read_record(path)
        except _UNREADABLE as error:
            logger.warning("%s is unreadable (%s): the trial is run again", path, error)
            return None

    def records(self) -> list[Record]:
        """Return the record of every ended trial, ordered by seed and settings."""
        found = []
        for path in (self.path / "trials").glob("*/record.json"):
            try:
                found.append(read_record(path))
            except _UNREADABLE as error:
                logger.warning("%s is unreadable (%s): left out", path, error)
        return sorted(found, key=lambda record: (record.trial.seed, json.dumps(record.trial.settings)))

    def trial_path(self, trial: Trial) -> Path:
        """Return a trial's own folder."""
        return self.path / "trials" / trial.id

    def note_checkpoint(self, trial: Trial, folder: Path) -> None:
        """Remember a checkpoint that is complete, with a fingerprint of each of its files; the oldest ones go."""
        path = self.trial_path(trial) / "progress.json"
        entries = [*self._checkpoints(path), {"folder": str(folder), "files": fingerprints(folder)}]
        write_json(path, entries[-KEPT_CHECKPOINTS:])
        for entry in entries[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(entry["folder"], ignore_errors=True)

    def resume_point(self, trial: Trial) -> Path | None:
        """Return the newest checkpoint that is whole, or None: the trial starts anew."""
        for entry in reversed(self._checkpoints(self.trial_path(trial) / "progress.json")):
            folder = Path(entry["folder"])
            if folder.is_dir() and fingerprints(folder) == entry["files"]:
                return folder
            logger.warning("%s is torn or gone: the trial goes on from an earlier point", folder)
        return None

    def finish(self, record: Record, checkpoint: Path | None) -> None:
        """Keep an ended trial: first its last checkpoint, then the record that says so."""
        path = self.trial_path(record.trial)
        path.mkdir(parents=True, exist_ok=True)
        if checkpoint:
            shutil.rmtree(path / "checkpoint", ignore_errors=True)
            checkpoint.replace(path / "checkpoint")
        write_json(path / "record.json", asdict(record))
        if record.status == "FINISHED":
            (path / "progress.json").unlink(missing_ok=True)

    def attach(self, files: Mapping[str, str]) -> None:
        """Keep texts that records name, each once."""
        for name, text in files.items():
            path = self.path / "provenance" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def attached(self) -> list[Path]:
        """Return the files that records name."""
        return sorted((self.path / "provenance").glob("*"))

    def clear_engine(self) -> None:
        """Remove what Ray Tune wrote; only when no part-done trial needs its checkpoints."""
        part_done = {path.parent.name for path in (self.path / "trials").glob("*/progress.json")}
        if not part_done or part_done <= {each.trial.id for each in self.records() if each.status != "FAILED"}:
            shutil.rmtree(self.path / "tune", ignore_errors=True)

    def _checkpoints(self, path: Path) -> list[dict[str, Any]]:
        if not path.exists():
            return []
        try:
            entries: list[dict[str, Any]] = json.loads(path.read_text())
            return [entry for entry in entries if entry["folder"] and entry["files"]]
        except _UNREADABLE as error:
            logger.warning("%s is unreadable (%s): the trial starts anew", path, error)
            return []


def read_owner(path: Path) -> StudyRecord | None:
    """Return the study that a folder belongs to, None for a new folder; UserError when it holds something else."""
    file = path / "study.json"
    if file.exists():
        try:
            return StudyRecord(**json.loads(file.read_text()))
        except _UNREADABLE as error:
            raise UserError(
                f"{file} is no record of a study ({error}): remove it or name another folder by --out"
            ) from error
    if path.is_dir() and (foreign := [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]):
        raise UserError(f"{path} holds other files, such as {foreign[0]}, and no study: name another folder by --out")
    return None


def _same_owner(path: Path, study: StudyRecord) -> StudyRecord | None:
    owner = read_owner(path)
    if owner:
        check_same(path, owner, study)
    return owner


def fingerprints(folder: Path) -> dict[str, str]:
    """Return relative path -> SHA-256 of every file of a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def check_same(path: Path, owner: StudyRecord, study: StudyRecord) -> None:
    """Raise UserError when a folder that belongs to `owner` can't take this study's trials."""
    for name in ("study", "benchmark", "trainable"):
        old, new = getattr(owner, name), getattr(study, name)
        if old != new:
            raise UserError(f"{path} holds the {name} {old}, not {new}: name another folder by --out")
    if owner.digest != study.digest:
        raise UserError(
            f"{path} holds trials on another version of the table {study.benchmark} (digest {owner.digest[:12]}, now "
            f"{study.digest[:12]}): name another folder by --out"
        )
    if list(owner.default) != list(study.default):
        raise UserError(f"{path} varies {owner.factor}, not {study.factor}: name another folder by --out")
    for name in sorted(owner.settings.keys() | study.settings.keys()):
        old, new = owner.settings.get(name), study.settings.get(name)
        if old != new:
            raise UserError(f"{path} holds this study with {name} = {old}, not {new}: name another folder by --out")
