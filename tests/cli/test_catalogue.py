"""`nadlab study` and `nadlab tune`: what studies/ holds, listed without an import and run as its files are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nadlab.cli.catalogue.studies import question, study_files
from nadlab.cli.command_line import run_command
from nadlab.cli.main import nadlab
from nadlab.cli.study import command
from studies import ablate_alpha, tune_semigan

ROOT = Path(__file__).parents[2]
STUDIES = study_files()


@pytest.mark.parametrize("name", STUDIES)
def test_help_of_every_study_computes_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)
    with pytest.raises(SystemExit) as end:
        run_command(nadlab, ["study", name, "-h"])
    assert end.value.code == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(f"Usage: {name}.py")
    assert any(line.split() == ["-h,", "--help", "Show", "this", "message", "and", "exit."] for line in shown)


def test_every_study_is_listed_with_its_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(STUDIES) == {path.stem for path in (ROOT / "studies").glob("*.py")} - {"__init__"}
    assert all(question(path).endswith((".", "?")) for path in STUDIES.values())
    assert question(STUDIES["ablate_alpha"]) == ablate_alpha.STUDY.question
    assert question(STUDIES["tune_semigan"]) == tune_semigan.TUNING.question
    assert run_command(nadlab, ["study"]) == run_command(nadlab, ["study", "list"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in STUDIES if shown.count(f"\n{name} ") != 2] == []
    assert run_command(nadlab, ["tune", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()[1:]
    # a question that is longer than the terminal goes on in lines that begin with spaces
    assert [line.split()[0] for line in listed if not line.startswith(" ")] == [
        "tune_default",
        "tune_methods",
        "tune_semigan",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["study", "ablate_alhpa"], "unknown study 'ablate_alhpa': did you mean ablate_alpha? `nadlab study list` names all"),
        (["tune", "semigan"], "unknown tuning study 'semigan': did you mean tune_semigan? `nadlab tune list` names all"),
        (["tune", "ablate_alpha"], "unknown tuning study 'ablate_alpha': `nadlab tune list` names all"),
        (["study", "list", "--smoke"], "`nadlab study list` takes no options: write `nadlab study NAME --smoke`"),
    ],
)  # fmt: skip
def test_an_unknown_study_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(nadlab, arguments) == 2
    assert capsys.readouterr().err == f"error: {sentence}\n"


def test_a_study_by_name_answers_as_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)
    asked = ["--smoke", "--benchmark", "nope"]
    with pytest.raises(SystemExit) as end:
        run_command(nadlab, ["study", "ablate_alpha", *asked])
    by_name = capsys.readouterr().err
    assert end.value.code == run_command(command(ablate_alpha.STUDY), asked) == 2
    assert by_name == capsys.readouterr().err
    assert "unknown benchmark 'nope'" in by_name
    assert sys.argv == [str(STUDIES["ablate_alpha"]), *asked]  # as its record and Ray's workers see it


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(nadlab, ["--version"]) == 0
    (line,) = [line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("version = ")]
    assert capsys.readouterr().out == f"nadlab {line.split()[-1].strip(chr(34))}\n"


def test_the_shell_completes_commands_and_studies() -> None:
    def answered(**variables: str) -> str:
        code = "import sys; sys.argv = ['nadlab']; from nadlab.cli.main import main; main()"  # as the installed command
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | variables)
        return done.stdout

    for shell in ("bash", "zsh", "fish"):
        line = re.search(rf"_NADLAB_COMPLETE=({shell}_source) nadlab", (ROOT / "docs" / "commands.md").read_text())
        assert line
        assert f"_NADLAB_COMPLETE={shell}_complete" in answered(_NADLAB_COMPLETE=line[1])
    asked = {"_NADLAB_COMPLETE": "bash_complete", "COMP_WORDS": "nadlab study ablate_al", "COMP_CWORD": "2"}
    assert answered(**asked).split() == ["plain,ablate_alpha", "plain,ablate_alpha_p"]
