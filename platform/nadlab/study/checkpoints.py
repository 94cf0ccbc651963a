"""The checkpoints that unfinished trials have noted in their `progress.json`: whole or not, and which belong together."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nadlab.benchmarks.files import file_sha256

logger = logging.getLogger(__name__)

UNREADABLE = (OSError, ValueError, KeyError, TypeError)
"""what reading a torn or foreign file raises"""


def fingerprints(folder: Path) -> dict[str, str]:
    """Return relative path -> SHA-256 of every file of a folder."""
    return {str(path.relative_to(folder)): file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def noted(path: Path) -> list[dict[str, Any]]:
    """Return the checkpoints that a `progress.json` names, newest last; none where it is missing or unreadable."""
    if not path.exists():
        return []
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return [entry for entry in entries if entry["folder"] and entry["files"]]
    except UNREADABLE as error:
        logger.warning("%s is unreadable (%s): the trial starts anew", path, error)
        return []


def of_one_moment(points: Sequence[Mapping[str, Path]]) -> list[Path | None]:
    """Return the checkpoint from which each trial of a pack continues: of one moment where they share one.

    Rounding depends on the pack, and trials that stand at other epochs are in packs of their own. points: of each trial,
    where a checkpoint was written -> where it lies now, newest first.
    """
    moments = [{str(Path(place).parent): path for place, path in each.items()} for each in points]
    if common := next((moment for moment in moments[0] if all(moment in each for each in moments)), None):
        return [each[common] for each in moments]
    if all(len(each) <= 1 for each in moments):  # a kill came while their first checkpoint was noted
        return [None] * len(moments)
    return [next(iter(each.values()), None) for each in moments]


def processes(study: Path) -> dict[str, str]:
    """Return trial -> the folder of the process that it began in, of every unfinished trial of a study's folder."""
    found = {}
    for path in (study / "trials").glob("*/progress.json"):
        for place in [Path(entry["folder"]) for entry in noted(path)]:
            if place.name != path.parent.name:
                found[path.parent.name] = str(place.parent)
                continue
            # of a pack: also those whose own note a kill prevented
            members = {each.name for each in (study / place.parent).glob("*")} | {path.parent.name}
            found |= dict.fromkeys(members, str(place.parents[1]))
    return found
