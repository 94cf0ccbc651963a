"""What decides a result decides its digest, and a study's folder says what differs."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from nadlab.benchmarks.registry import benchmark
from nadlab.engine.plans import on_device
from nadlab.errors import UserError
from nadlab.methods.request import SearchRequest
from nadlab.provenance.code import Origin, origin, provenance
from nadlab.provenance.differences import differing, mismatches, reasons
from nadlab.study.folder import StudyFolder, check_same
from nadlab.study.records import StudyRecord, Trial
from nadlab.study.study import Study, study_record
from tests.conftest import TOY
from trainables.searcher import SearcherTrainable

SEARCHER = "trainables.searcher:SearcherTrainable"


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a method of one's own, its helper, and a file that nothing imports."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [each for each in sys.modules if each.startswith("or_")]:  # loaded by an earlier test, from its folder
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "or_climb.py").write_text(
        "import or_helper\nimport yaml\nclass Climb:\n    def __call__(self, ledger, rng): ...\n"
    )
    (tmp_path / "or_other.py").write_text("class Other:\n    def __call__(self, ledger, rng): ...\n")
    (tmp_path / "or_helper.py").write_text("step = 1\n")
    (tmp_path / "or_notes.py").write_text("")
    return tmp_path


def recorded(methods: Sequence[str]) -> StudyRecord:
    study = Study(
        name="searches", question="?", expectation="none", trainable=SearcherTrainable, benchmark=TOY,
        settings=SearchRequest(method="random-search", queries=20), vary={"method": methods},
    )  # fmt: skip
    return study_record(study, benchmark(TOY), "id")


def different(one: Origin, other: Origin) -> list[str]:
    return differing(one.values, other.values)


@pytest.mark.parametrize("edited", ["or_climb", "or_helper"])
def test_edit_of_an_own_module_or_of_what_it_imports_is_noticed_and_named(own: Path, edited: str) -> None:
    before = origin(SEARCHER, ["or_climb:Climb", TOY, 3])
    (own / "or_notes.py").write_text("x = 2\n")
    assert different(before, origin(SEARCHER, ["or_climb:Climb"])) == []
    with (own / f"{edited}.py").open("a") as file:
        file.write("step = 2\n")
    after = origin(SEARCHER, ["or_climb:Climb"])
    assert different(before, after) == ["own or_climb"]
    said = [f"your module or_climb differs in {edited}.py"]
    assert reasons(before.values, after.values, before.sources, after.sources) == said
    assert different(origin(SEARCHER), origin(SEARCHER)) == []


@pytest.mark.usefixtures("data")
def test_folder_filled_by_an_own_method_refuses_its_edit_but_takes_another_method(own: Path, tmp_path: Path) -> None:
    owner = recorded(["random-search", "or_climb:Climb"])
    check_same(tmp_path, owner, recorded(["or_climb:Climb"]))
    check_same(tmp_path, owner, recorded(["random-search", "or_climb:Climb", "or_other:Other"]))
    (own / "or_helper.py").write_text("step = 2\n")
    check_same(tmp_path, owner, recorded(["random-search"]))
    changed = recorded(["or_climb:Climb"])
    with pytest.raises(UserError, match=r"; your module or_climb differs in or_helper\.py: choose another folder"):
        check_same(tmp_path, owner, changed)
    check_same(tmp_path, owner, changed, anyway=True)


@pytest.mark.usefixtures("data")
def test_folder_remembers_an_own_method_that_a_later_run_leaves_out(own: Path) -> None:
    out = own / "out"
    for methods in (["or_climb:Climb"], ["random-search"]):
        with StudyFolder.claim(out, recorded(methods)):
            pass
    (own / "or_climb.py").write_text("class Climb:\n    def __call__(self, ledger, rng): return 1\n")
    with (
        pytest.raises(UserError, match=r"your module or_climb differs in or_climb\.py and or_helper\.py"),
        StudyFolder.claim(out, recorded(["or_climb:Climb"])),
    ):
        pass


@pytest.mark.usefixtures("data")
def test_files_of_nadlab_that_differ_are_named(tmp_path: Path) -> None:
    new = recorded(["random-search"])
    files = new.sources["code"]
    cpp = "nadlab/nets/cpp/gin.hpp"
    old = replace(new, origin=new.origin | {"code": "0" * 16}, sources={"code": files | {cpp: "0" * 16}})
    with pytest.raises(UserError, match=f"the code differs in {cpp}: choose another folder"):
        check_same(tmp_path, old, new)
    many = dict.fromkeys(files, "0" * 16)
    (said,) = mismatches(old.origin, new.origin, {"code": many}, new.sources)
    assert said.startswith(f"code was {'0' * 16}, here it is {new.origin['code']} (different: ")
    assert said.endswith(f" and {len(files) - 5} others)")


def test_used_packages_count_by_their_version_and_no_others() -> None:
    values = origin(SEARCHER, ["or_climb:Climb"]).values
    assert {"numpy", "torch", "torch-geometric", "scikit-learn", "PyYAML"} <= values.keys()
    assert not {"mlflow", "matplotlib", "click", "optuna"} & values.keys()
    assert "PyYAML" not in origin(SEARCHER).values
    assert mismatches(values | {"numpy": "1.0", "mlflow": "1.0"}, values, {}, {}) == [
        f"numpy was 1.0, here it is {values['numpy']}"
    ]


@pytest.mark.parametrize(
    "same",
    [
        '"""What it does."""\nstep = 1\n"""steps a round"""\n',
        "# why\nstep = 1  # because\n",
        "\n\nstep = (\n    1\n)\n",
    ],
)
def test_docstrings_comments_and_layout_are_not_part_of_the_digest(own: Path, same: str) -> None:
    before = origin(SEARCHER, ["or_climb:Climb"])
    (own / "or_helper.py").write_text(same, encoding="utf-8")
    assert different(before, origin(SEARCHER, ["or_climb:Climb"])) == []


@pytest.mark.parametrize(
    "other", ["step = 1.0\n", "step = '1'\n", "step = +1\n", "steps = 1\n", "step = (1\n", "step: int = 1\n"]
)
def test_any_other_edit_is_part_of_the_digest(own: Path, other: str) -> None:
    before = origin(SEARCHER, ["or_climb:Climb"])
    (own / "or_helper.py").write_text(other, encoding="utf-8")
    assert different(before, origin(SEARCHER, ["or_climb:Climb"])) == ["own or_climb"]


def test_gaps_of_the_digest_are_stated_in_its_value(own: Path) -> None:
    (own / "or_late.py").write_text(
        "import importlib\nname = 'or_' + 'helper'\nhelper = importlib.import_module(name)\n"
    )
    value = origin(SEARCHER, ["or_late:helper"]).values["own or_late"]
    assert value.endswith("; or_late.py imports by computed names")


@pytest.mark.usefixtures("data")
def test_checkpoint_is_resumed_by_the_same_origin_alone(own: Path) -> None:
    owner = recorded(["or_climb:Climb"])
    trial, point = Trial(TOY, owner.digest, 0, {"method": "or_climb:Climb"}, SEARCHER), own / "checkpoint"
    point.mkdir()
    (point / "state.json").write_text("{}")
    StudyFolder(own, owner).note_checkpoint(trial, point)
    assert StudyFolder(own, owner).resume_point(trial) == point
    (own / "or_climb.py").write_text("Climb = print\n")
    assert StudyFolder(own, recorded(["or_climb:Climb"])).resume_point(trial) is None
    other = replace(owner, origin=owner.origin | {"torch": "1.0"})
    assert StudyFolder(own, other).resume_point(trial) is None


@pytest.mark.usefixtures("data")
def test_study_on_a_cpu_of_a_machine_with_gpus_is_another_than_on_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("nadlab.provenance.hardware._gpus", lambda: "H200")
    study = recorded(["random-search"])
    assert [on_device(study, gpus).origin["backend"] for gpus in (None, 0.5)] == ["cuda", "cuda"]
    assert on_device(study, 0).origin["backend"] in ("accelerator", "torch")


def test_provenance_lists_what_ran_and_what_it_used() -> None:
    made_by = origin(SEARCHER)
    found = provenance(made_by.values, made_by.sources)
    assert "nadlab/searchers/bananas.py" in found.files[found.values["sources"]]
    assert "numpy" in found.values["uses"].split(", ")
    assert not {"code", "backend", "git_revision"} & set(found.values["uses"].split(", "))
