"""`nadlab report`: find a study's folders and write their reports."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from nadlab.analysis.across import across
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.page import PAGE, answer_of
from nadlab.analysis.reports import write_page, write_report
from nadlab.analysis.text import listed
from nadlab.cli.options import RUNS
from nadlab.errors import UserError
from nadlab.json_text import strict_json
from nadlab.study.folder import StudyFolder, read_owner
from nadlab.study.outcomes import check_outcomes
from nadlab.study.records import StudyRecord
from nadlab.tracking.runs import Runs
from nadlab.tracking.store import default_store, follow_folder
from nadlab.tracking.tracker import find_runs


def report_studies(
    name: str,
    tracking_uri: str | None,
    out: Path | None = None,
    outcomes: Sequence[str] = (),
    smallest_effect: float | None = None,
) -> None:
    """Write the report of every study folder that `name` means, and one over all of them where they are several.

    outcomes, smallest_effect: others than the study was run for. out: where to write instead of the study's folder; several get a folder each there, of their own names.
    Raises UserError when there is none, when one has no trial that ended, or when the store can't be used.
    """
    folders = study_folders(name)
    places = folders
    if out:
        places = [out] if len(folders) == 1 else [out / folder.name for folder in folders]
    if outcomes:
        check_outcomes(outcomes)
    studies = [
        report_on_folder(*each, tracking_uri, outcomes, smallest_effect) for each in zip(folders, places, strict=True)
    ]
    for place, each in zip(places, studies, strict=True):
        _say(place, each.study.benchmark_text, [answer_of(each), *each.conclusions])
    # tuning studies share no levels but the default
    alike = comparable([each for each in studies if not each.study.is_tuning])
    by_regret = bool(alike) and alike[0].study.outcomes[0] == "final"
    if unknown := [
        each.study.benchmark for each in alike if by_regret and each.study.optimum is None and len(alike) > 1
    ]:
        click.echo(f"left out of the comparison of benchmarks, which is by regret: {listed(unknown)}, optimum unknown")
    if len(alike := [each for each in alike if not by_regret or each.study.optimum is not None]) > 1:
        page, sections = across(alike, np.random.default_rng(0))
        parent = places[0].parent
        write_page(parent, page, sections)
        _say(parent, "all benchmarks", page.conclusions)


def comparable(studies: Sequence[Evidence]) -> list[Evidence]:
    """Return the most studies that differ in nothing but their benchmark, and measure the same.

    A smoke run or another protocol is left out.
    """
    groups: dict[str, dict[str, Evidence]] = {}
    for each in studies:
        study = each.study
        same = strict_json([study.settings, study.default, study.preset, study.metric, study.outcomes], sort_keys=True)
        groups.setdefault(same, {}).setdefault(each.study.benchmark, each)
    return list(max(groups.values(), key=len, default={}).values())


def _say(folder: Path, subject: str, sentences: Sequence[str]) -> None:
    click.echo("\n".join([f"{subject}:", *(f"  {sentence}" for sentence in sentences), f"  Report: {folder / PAGE}"]))


def study_folders(name: str) -> list[Path]:
    """Return a study's folder, or the folders below it, one a benchmark; a bare name is looked up in `runs/`."""
    for folder in (Path(name), RUNS / name):
        if (folder / "study.json").is_file():
            return [folder]
        if found := sorted(file.parent for file in folder.glob("*/study.json")):
            return found
    known = sorted(path.parent.parent.name for path in RUNS.glob("*/*/study.json"))
    there = f"{RUNS}/ holds {', '.join(dict.fromkeys(known))}" if known else f"{RUNS}/ holds none yet"
    raise UserError(f"{name!r} is neither a study's folder nor the name of one in {RUNS}/: {there}")


def report_on_folder(
    folder: Path,
    place: Path,
    tracking_uri: str | None,
    outcomes: Sequence[str] = (),
    smallest_effect: float | None = None,
) -> Evidence:
    """Write the report of a study's folder to a place, which is made where absent; return the evidence behind it."""
    study = read_owner(folder)
    assert study
    said = []
    if outcomes and list(outcomes) != study.outcomes:
        said = [
            f"The study was run for {', '.join(study.outcomes)}; these outcomes were chosen afterwards: read them as a hint."
        ]
        study = replace(study, outcomes=list(outcomes), smallest_effect=None)
    if smallest_effect is not None:
        study = replace(study, smallest_effect=smallest_effect)
    records = StudyFolder(folder, study).records()
    if not records:
        raise UserError(f"{folder} has no trial that ended: run the study first")
    place.mkdir(parents=True, exist_ok=True)
    report, _ = write_report(study, records, _runs(folder, study, tracking_uri), place, said)
    return report.evidence


def _runs(folder: Path, study: StudyRecord, tracking_uri: str | None) -> Runs | None:
    if tracking_uri:
        return find_runs(tracking_uri, study)
    if not (folder / "mlflow.db").is_file():
        return None
    follow_folder(folder)
    return find_runs(default_store(folder)[0], study)
