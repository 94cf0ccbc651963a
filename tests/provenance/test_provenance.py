"""Provenance: what changed since the commit, which sources ran, and where."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from nadlab.provenance.code import ALWAYS, git_diff, git_revision, origin
from nadlab.provenance.hardware import FIELDS, backend, hardware


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)  # noqa: S607


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    (tmp_path / "one.py").write_text("x = 1\n")
    (tmp_path / "numbers.csv").write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    return tmp_path


def test_diff_is_empty_at_the_commit_and_outside_a_checkout(checkout: Path) -> None:
    assert git_diff(checkout) == ""
    assert not git_revision(checkout).endswith("+dirty")
    assert git_diff(Path("/")) == ""
    assert git_revision(Path("/")) == "unknown"


def test_diff_holds_changed_and_new_code_and_names_other_changes(checkout: Path) -> None:
    (checkout / "one.py").write_text("x = 2\n")
    (checkout / "two.py").write_text("y = 3\n")
    (checkout / "numbers.csv").write_text("2\n")
    diff = git_diff(checkout)
    for words in ("-x = 1", "+x = 2", "+++ two.py\ny = 3", " M numbers.csv"):
        assert words in diff
    assert "+2" not in diff.splitlines()
    assert git_revision(checkout).endswith("+dirty")


def test_odd_names_and_links_that_lead_nowhere_hide_no_change(checkout: Path) -> None:
    (checkout / "one.py").write_text("x = 2\n")
    (checkout / "ä ö.py").write_text("z = 4\n")
    (checkout / "gone.py").symlink_to(checkout / "nowhere.py")
    diff = git_diff(checkout)
    for words in ("+x = 2", "+++ ä ö.py\nz = 4", "+++ gone.py\nunreadable: "):
        assert words in diff


def test_project_around_an_environment_is_not_the_checkout_of_its_packages(checkout: Path) -> None:
    (checkout / ".gitignore").write_text(".venv\n")
    (checkout / "secret.py").write_text("password = 1\n")
    packages = checkout / ".venv" / "lib" / "nadlab"
    packages.mkdir(parents=True)
    (packages / "code.py").write_text("")
    assert git_revision(packages) == "unknown"
    assert git_diff(packages) == ""


@pytest.mark.parametrize(
    ("cuda", "gpus", "compiler", "name"),
    [("13.0", "H200", "g++", "cuda"), (None, "H200", "g++", "accelerator"), ("13.0", "none", "none", "torch")],
)
def test_backend_is_cuda_the_accelerator_or_torch(
    monkeypatch: pytest.MonkeyPatch, cuda: str | None, gpus: str, compiler: str, name: str
) -> None:
    monkeypatch.setattr("torch.version.cuda", cuda)
    monkeypatch.setattr("nadlab.provenance.hardware._gpus", lambda: gpus)
    monkeypatch.setattr("nadlab.provenance.hardware.compiler_version", lambda: compiler)
    assert backend() == name == origin("trainables.nacg:NACGTrainable").values["backend"]


def test_every_run_says_code_packages_hardware_and_cluster_and_the_study_keeps_the_lists(smoke_study: Any) -> None:
    client = MlflowClient(tracking_uri=smoke_study.store)
    (experiment,) = [each.experiment_id for each in client.search_experiments() if each.name == "ablate_alpha"]
    runs = client.search_runs([experiment], "tags.kind = 'trial'")
    (parent,) = client.search_runs([experiment], "tags.kind = 'study'")
    for run in runs:
        tags = run.data.tags
        assert {name: tags[name] for name in FIELDS} == hardware()
        assert tags["cluster"].startswith("1 nodes, 1 CPUs, 0 GPUs")
        assert {
            "git_revision",
            "git_diff",
            "packages",
            "protocol",
            "benchmark_digest",
            "sources",
            "uses",
            *ALWAYS,
        } <= tags.keys()
    named = {run.data.tags[name] for run in runs for name in ("packages", "git_diff", "sources")} - {"none"}
    stored = {Path(file.path).name for file in client.list_artifacts(parent.info.run_id, "provenance")}
    assert stored == named
    (packages,) = [file for file in (smoke_study.out / "provenance").iterdir() if file.name.startswith("packages-")]
    assert any(line.startswith("torch==") for line in packages.read_text().splitlines())
