"""A study's output folder: its study, the trials that ended, and the checkpoints of unfinished ones.

study.json                 the study, its table and the version of the code
trials/<id>/record.json    an ended trial
trials/<id>/checkpoint/    its last checkpoint
trials/<id>/progress.json  the newest checkpoints of an unfinished trial, newest last
evaluations/               of a benchmark that is not free, once for each distinct cell of all trials, unless another store is named
provenance/                package lists and changes of code named in the records
tune/                      what Ray Tune writes; removed when every trial has ended
"""

import fcntl
import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from nadlab.benchmarks.files import short_digest
from nadlab.errors import UserError
from nadlab.json_text import strict_json, write_json
from nadlab.provenance.differences import differing, reasons
from nadlab.study.checkpoints import UNREADABLE, fingerprints, noted, of_one_moment
from nadlab.study.records import Record, StudyRecord, Trial, origin_text, read_record

logger = logging.getLogger(__name__)

KEPT_CHECKPOINTS = 2


class StudyFolder:
    """The state of one study; every method is safe to repeat after a kill at any moment."""

    def __init__(self, path: Path, study: StudyRecord) -> None:
        self.path = path
        self.study = study

    @classmethod
    @contextmanager
    def claim(cls, path: Path, study: StudyRecord, anyway: bool = False) -> Iterator["StudyFolder"]:
        """Open or create the folder for this study, for this process alone.

        anyway: also one that another version of the code filled. Raises UserError when the folder can't be written, is in
        use, or belongs to another study, table, setting or version.
        """
        _same_owner(path, study, anyway)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = (path / ".lock").open("w", encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"the output folder {path} can't be written ({error.strerror}): choose another with --out"
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{path} is in use by another run of this study: wait for it or stop it") from None
            owner = _same_owner(path, study, anyway)  # again: another run may have made the folder meanwhile
            study = _joined(owner, study) if owner else study
            write_json(path / "study.json", asdict(study))
            yield cls(path, study)

    def record(self, trial: Trial) -> Record | None:
        """Return the record of an ended trial, or None; an unreadable one counts as none."""
        path = self.trial_path(trial) / "record.json"
        if not path.exists():
            return None
        try:
            return read_record(path)
        except UNREADABLE as error:
            logger.warning("%s is unreadable (%s): the trial is run again", path, error)
            return None

    def records(self) -> list[Record]:
        """Return the record of every ended trial, ordered by seed and settings."""
        found = []
        for path in (self.path / "trials").glob("*/record.json"):
            try:
                found.append(read_record(path))
            except UNREADABLE as error:
                logger.warning("%s is unreadable (%s): left out", path, error)
        return sorted(found, key=lambda record: (record.trial.seed, strict_json(record.trial.settings)))

    def trial_path(self, trial: Trial) -> Path:
        """Return a trial's own folder."""
        return self.path / "trials" / trial.id

    @property
    def evaluations(self) -> Path:
        """The folder of the evaluation store (`nadlab.evaluations.store`)."""
        return self.path / "evaluations"

    def note_checkpoint(self, trial: Trial, folder: Path) -> None:
        """Add a complete checkpoint, with its origin and a fingerprint of each file; the oldest ones are deleted."""
        path = self.trial_path(trial) / "progress.json"
        own, place = self.path.absolute(), folder.absolute()
        place = place.relative_to(own) if place.is_relative_to(own) else place  # so that the study can be moved
        entries = [*noted(path), {"folder": str(place), "files": fingerprints(folder), "origin": self.study.origin}]
        write_json(path, entries[-KEPT_CHECKPOINTS:])
        for entry in entries[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(own / entry["folder"], ignore_errors=True)

    def resume_points(self, trial: Trial) -> Iterator[tuple[str, Path]]:
        """Yield the complete checkpoints of this version of the code, newest first, each after where it was written."""
        for entry in reversed(noted(self.trial_path(trial) / "progress.json")):
            folder: Path = self.path.absolute() / entry["folder"]
            if differing(entry.get("origin", {}), self.study.origin):
                logger.warning("%s is of another version of the code or of its packages: the trial starts anew", folder)
                return
            # the last one lies there where a kill came between it and the record
            places = [folder, self.trial_path(trial).absolute() / "checkpoint"]
            whole = next((each for each in places if each.is_dir() and fingerprints(each) == entry["files"]), None)
            if whole:
                yield entry["folder"], whole
            else:
                logger.warning("%s is incomplete or gone: the trial continues from an earlier checkpoint", folder)

    def resume_point(self, trial: Trial) -> Path | None:
        """Return the newest complete checkpoint of this version of the code; None: the trial starts anew."""
        return next((path for _, path in self.resume_points(trial)), None)

    def resume_together(self, trials: Sequence[Trial]) -> list[Path | None]:
        """Return the resume point of each trial of a process (`nadlab.study.checkpoints.of_one_moment`)."""
        if len(trials) == 1:
            return [self.resume_point(trials[0])]
        return of_one_moment([dict(self.resume_points(each)) for each in trials])

    def finish(self, record: Record, checkpoint: Path | None) -> None:
        """Write an ended trial: first its last checkpoint, then its record."""
        path = self.trial_path(record.trial)
        path.mkdir(parents=True, exist_ok=True)
        if checkpoint:
            shutil.rmtree(path / "checkpoint", ignore_errors=True)
            checkpoint.replace(path / "checkpoint")
        write_json(path / "record.json", asdict(record))
        if record.status == "FINISHED" or record.diverged:
            (path / "progress.json").unlink(missing_ok=True)

    def attach(self, files: Mapping[str, str]) -> None:
        """Write texts that records name, each once."""
        for name, text in files.items():
            path = self.path / "provenance" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def attached(self) -> list[Path]:
        """Return the files that records name."""
        return sorted((self.path / "provenance").glob("*"))

    def clear_engine(self) -> None:
        """Remove the files of Ray Tune, unless an unfinished trial needs its checkpoints."""
        unfinished = {path.parent.name for path in (self.path / "trials").glob("*/progress.json")}
        if not unfinished or unfinished <= {each.trial.id for each in self.records() if each.is_final}:
            shutil.rmtree(self.path / "tune", ignore_errors=True)
            for name in unfinished:  # a kill came between record and note, or the trial was pruned
                (self.path / "trials" / name / "progress.json").unlink(missing_ok=True)


def read_owner(path: Path) -> StudyRecord | None:
    """Return the study that a folder belongs to, None for a new folder; UserError when it contains something else."""
    file = path / "study.json"
    if file.exists():
        try:
            return StudyRecord(**json.loads(file.read_text(encoding="utf-8")))
        except UNREADABLE as error:
            raise UserError(
                f"{file} is not a record of a study ({error}): remove it or choose another folder with --out"
            ) from error
    if path.is_dir() and (foreign := [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]):
        raise UserError(
            f"{path} contains other files, such as {foreign[0]}, and no study: choose another folder with --out"
        )
    return None


def _same_owner(path: Path, study: StudyRecord, anyway: bool) -> StudyRecord | None:
    owner = read_owner(path)
    if owner:
        check_same(path, owner, study, anyway)
    return owner


def _joined(owner: StudyRecord, study: StudyRecord) -> StudyRecord:
    """Return the study as its folder goes on with it: what came from modules that are not used this time stays noted."""
    origin, sources = owner.origin | study.origin, owner.sources | study.sources
    seen = {seed for seeds in owner.looks for seed in seeds}
    looks = owner.looks + [seeds for seeds in study.looks if not seen or not set(seeds) <= seen]
    return replace(study, study_id=owner.study_id, origin=origin, sources=sources, looks=looks)


def check_same(path: Path, owner: StudyRecord, study: StudyRecord, anyway: bool = False) -> None:
    """Raise UserError when a folder that belongs to `owner` can't take this study's trials.

    anyway: results of another version of the code are no reason.
    """
    for name in ("study", "benchmark", "trainable"):
        old, new = getattr(owner, name), getattr(study, name)
        if old != new:
            raise UserError(f"{path} belongs to the {name} {old}, not {new}: choose another folder with --out")
    reason = _difference(owner, study)
    if not anyway:
        _check_origin(path, owner, study, mixable=reason is None)
    if reason:
        raise UserError(f"{path} {reason}: choose another folder with --out")


def _difference(owner: StudyRecord, study: StudyRecord) -> str | None:
    """Return what of table, protocol, factors and settings differs, None where nothing does."""
    if owner.digest != study.digest:
        digests = f"digest {short_digest(owner.digest)}, now {short_digest(study.digest)}"
        return f"contains trials on another version of the table {study.benchmark} ({digests})"
    if owner.preset != study.preset:
        return f"contains this study by the protocol {owner.preset}, not {study.preset}"
    if list(owner.default) != list(study.default):
        return f"varies {owner.factor}, not {study.factor}"
    for name in sorted(owner.settings.keys() | study.settings.keys()):
        old, new = owner.settings.get(name), study.settings.get(name)
        if old != new:
            return f"contains this study with {name} = {old}, not {new}"
    return None


def _check_origin(path: Path, owner: StudyRecord, study: StudyRecord, mixable: bool) -> None:
    """Raise UserError that names what differs when results of one folder would come from two origins.

    mixable: nothing else keeps the folder from taking them.
    """
    old, new = owner.origin or _recorded_origin(path), study.origin
    if not differing(old, new):
        return
    said = "; ".join(["", *reasons(old, new, owner.sources, study.sources)])
    other = "" if origin_text(new) == origin_text(old) else f", and this is {origin_text(new)}"
    raise UserError(
        f"{path} was filled by {origin_text(old)}{other}{said}: choose another "
        f"folder with --out{', or mix the results knowingly with --anyway' if mixable else ''}"
    )


def _recorded_origin(path: Path) -> Mapping[str, str]:
    """Return the provenance of a trial in a folder of an early version; empty where none has ended."""
    for file in sorted((path / "trials").glob("*/record.json")):
        try:
            return read_record(file).provenance
        except UNREADABLE as error:
            logger.warning("%s is unreadable (%s): left out", file, error)
    return {}
