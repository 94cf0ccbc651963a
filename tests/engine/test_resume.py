"""A study resumes after any stop, and never on results of another version of the code unless it is told to."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nadlab.analysis.reports import mixture
from nadlab.errors import UserError
from nadlab.provenance.code import ALWAYS
from nadlab.study.folder import StudyFolder, read_owner
from tests.conftest import TOY, children, records_of, run_alpha, same_results

ROOT = Path(__file__).parents[2]
LONGER = ["--smoke", "--benchmark", TOY, "--seeds", "1", "--set", "epochs=40", "--concurrent", "1"]


def stopped(out: Path, number: signal.Signals, when: Callable[[], bool]) -> tuple[int, str]:
    """Start the longer study as a process of its own, send it a signal, return its status and last words."""
    process = subprocess.Popen(
        [sys.executable, "studies/ablate_alpha.py", *LONGER, "--out", str(out)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not when():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    return process.returncode, words


def under_way(out: Path, launch: int) -> bool:
    """Say whether that launch, counted from 1, has written two checkpoints; of each trial no more are kept."""
    launches = sorted(out.glob("tune/launch-*"))
    return len(launches) == launch and len(list(launches[-1].glob("*/checkpoint_*"))) >= 2


def test_more_seeds_and_levels_run_only_what_is_missing(smoke_study: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_alpha(out, "--smoke", "--benchmark", TOY, "--seeds", "1") == 0
    before = {record.trial.id: record for record in records_of(out)}
    assert run_alpha(out, "--smoke", "--benchmark", TOY, "--seeds", "2", "--vary", "alpha=0.1,0.5,0.9") == 0
    after = {record.trial.id: record for record in records_of(out)}
    assert len(after) == 6
    assert before.items() <= after.items()
    assert len(children(out)) == 6
    shared = [record for record in after.values() if record.trial.settings["alpha"] != 0.9]
    assert same_results(shared, records_of(smoke_study.out))


@pytest.mark.usefixtures("local_ray")
def test_killed_and_interrupted_study_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    status, _ = stopped(broken, signal.SIGKILL, lambda: under_way(broken, launch=1))
    assert status == -signal.SIGKILL
    status, words = stopped(broken, signal.SIGINT, lambda: under_way(broken, launch=2))
    assert status == 130
    assert (
        words.strip().splitlines()[-1] == f"Stopped. The records are in {broken}: the same command resumes the study."
    )
    assert run_alpha(broken, *LONGER) == 0
    assert run_alpha(whole, *LONGER) == 0
    assert same_results(records_of(broken), records_of(whole))
    assert [child.info.status for child in children(broken)] == ["FINISHED"] * 2
    assert not (broken / "tune").exists()


def test_torn_checkpoint_falls_back_and_torn_record_runs_again(
    smoke_study: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    owner = read_owner(smoke_study.out)
    assert owner
    folder, trial = StudyFolder(tmp_path, owner), records_of(smoke_study.out)[0].trial
    for name in ("older", "newer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.json").write_text('{"whole": true}')
        folder.note_checkpoint(trial, tmp_path / name)
    assert folder.resume_point(trial) == tmp_path / "newer"
    (tmp_path / "newer" / "state.json").write_text('{"who')
    assert folder.resume_point(trial) == tmp_path / "older"
    (folder.trial_path(trial) / "progress.json").write_text("[{")
    assert folder.resume_point(trial) is None
    (folder.trial_path(trial) / "record.json").write_text('{"trial"')
    assert folder.record(trial) is None
    assert "is unreadable" in caplog.text


def test_checkpoints_of_a_failed_trial_stay_until_it_has_ended(smoke_study: Any, tmp_path: Path) -> None:
    owner = read_owner(smoke_study.out)
    assert owner
    folder, record = StudyFolder(tmp_path, owner), replace(records_of(smoke_study.out)[0], status="FAILED")
    checkpoint = tmp_path / "tune" / "checkpoint"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.json").write_text("{}")
    folder.note_checkpoint(record.trial, checkpoint)
    folder.finish(record, None)
    folder.clear_engine()  # a run of other levels ended
    assert folder.resume_point(record.trial) == checkpoint
    folder.finish(replace(record, status="FINISHED"), None)
    folder.clear_engine()
    assert not checkpoint.exists()


def filled_before(smoke_study: Any, out: Path, **changes: Any) -> Path:
    """Return a copy of the smoke study's folder whose record of the study has other values."""
    shutil.copytree(smoke_study.out, out, ignore=shutil.ignore_patterns("mlflow.db", "mlartifacts"))
    owner = json.loads((out / "study.json").read_text())
    (out / "study.json").write_text(json.dumps(owner | changes))
    return out


def test_folder_of_another_version_of_the_code_is_refused_with_both_and_mixed_knowingly(
    smoke_study: Any, tmp_path: Path
) -> None:
    owner = read_owner(smoke_study.out)
    assert owner
    other = owner.origin | {"code": "0" * 16, "git_revision": "a" * 40 + "+dirty"}
    out = filled_before(smoke_study, tmp_path / "out", origin=other)
    ours = f"revision {owner.origin['git_revision'][:12]}"
    for arguments in ([], ["--dry-run"]):
        with pytest.raises(UserError) as error:
            run_alpha(out, "--smoke", "--benchmark", TOY, *arguments)
        said = str(error.value)
        assert said.count("\n") == 0
        assert f"{out} was filled by revision {'a' * 12}+dirty (code {'0' * 16}), and this is {ours}" in said
        assert (
            f"(code {owner.origin['code']}): choose another folder with --out, or mix the results knowingly with"
            in said
        )
    for record in (out / "trials").glob("*/record.json"):
        content = json.loads(record.read_text())
        record.write_text(json.dumps(content | {"provenance": content["provenance"] | other}))
    assert run_alpha(out, "--smoke", "--benchmark", TOY, "--seeds", "2", "--vary", "alpha=0.1,0.5,0.9", "--anyway") == 0
    assert len({record.provenance["code"] for record in records_of(out)}) == 2
    mixed = f"The results are mixed: they come from 2 versions of the code, revision {'a' * 12}+dirty"
    assert mixed in (out / "report.md").read_text()
    assert mixed in (out / "report.html").read_text()


def test_folder_of_another_backend_is_refused(smoke_study: Any, tmp_path: Path) -> None:
    owner = read_owner(smoke_study.out)
    assert owner
    assert owner.origin.keys() > {"git_revision", "torch", "numpy", *ALWAYS}
    out = filled_before(smoke_study, tmp_path / "out", origin=owner.origin | {"backend": "abacus"})
    with pytest.raises(UserError, match=f"; backend abacus, now {re.escape(owner.origin['backend'])}: choose another"):
        run_alpha(out, "--smoke", "--benchmark", TOY)


def test_folder_of_the_version_before_is_refused_by_its_records_or_as_unknown(smoke_study: Any, tmp_path: Path) -> None:
    """Before, the folder did not name its code, and the setting `local_queries` was `climb`."""
    owner = json.loads((smoke_study.out / "study.json").read_text())
    settings = {{"local_queries": "climb"}.get(name, name): value for name, value in owner["settings"].items()}
    out = filled_before(smoke_study, tmp_path / "out", settings=settings)
    before = {key: value for key, value in owner.items() if key != "origin"} | {"settings": settings}
    (out / "study.json").write_text(json.dumps(before))
    for record in (out / "trials").glob("*/record.json"):
        content = json.loads(record.read_text())
        content["provenance"] |= {"code": "1" * 16, "git_revision": "b" * 40}
        record.write_text(json.dumps(content))
    with pytest.raises(UserError) as error:
        run_alpha(out, "--smoke", "--benchmark", TOY)
    assert f"filled by revision {'b' * 12} (code {'1' * 16}), and this is revision" in str(error.value)
    assert str(error.value).endswith("choose another folder with --out")  # with other settings results can't be mixed
    with pytest.raises(UserError, match="contains this study with climb = 0, not None"):
        run_alpha(out, "--smoke", "--benchmark", TOY, "--anyway")
    shutil.rmtree(out / "trials")
    with pytest.raises(UserError, match=r"filled by revision unknown \(code unknown\), and this is revision"):
        run_alpha(out, "--smoke", "--benchmark", TOY)


def test_unfinished_trial_of_another_version_of_the_code_starts_anew(
    smoke_study: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    owner = read_owner(smoke_study.out)
    assert owner
    trial = records_of(smoke_study.out)[0].trial
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "state.json").write_text("{}")
    StudyFolder(tmp_path, owner).note_checkpoint(trial, tmp_path / "checkpoint")
    assert StudyFolder(tmp_path, owner).resume_point(trial) == tmp_path / "checkpoint"
    newer = replace(owner, origin=owner.origin | {"code": "0" * 16})
    assert StudyFolder(tmp_path, newer).resume_point(trial) is None
    assert "another version of the code" in caplog.text


def test_mixture_is_of_code_or_backend_and_not_of_commits_of_the_same_code(smoke_study: Any) -> None:
    one, two, *_ = records_of(smoke_study.out)
    assert mixture([one, two]) is None
    assert mixture([one, replace(two, provenance=two.provenance | {"git_revision": "later"})]) is None
    said = mixture(
        [one, replace(two, provenance=two.provenance | {"code": "1", "git_revision": "later", "backend": "?"})]
    )
    assert said
    assert "from 2 versions of the code, revision" in said
    assert f"revision later (code 1), and from 2 values of backend, ?; {one.provenance['backend']}." in said
