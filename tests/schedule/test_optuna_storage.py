"""Optuna's database lies in the study's folder, and a program that locks it is waited for."""

from pathlib import Path

from nadlab.schedule.optuna_storage import open_study


def test_database_lies_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "what?now#1 50%20 'é' & \"q\";x+y"
    folder.mkdir()
    open_study(folder, "search", ("accuracy",)).ask().suggest_float("alpha", 0, 1)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert [path.name for path in folder.iterdir()] == ["optuna.db"]
    (again,) = open_study(folder, "search", ("accuracy",)).trials
    assert again.params.keys() == {"alpha"}
