"""Every ablation is a declaration that can be imported: named as its file, its default among its levels."""

import importlib
from pathlib import Path

import pytest

from nadlab.study import Study

FILES = sorted(Path(__file__).parents[1].glob("studies/ablate_*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_ablation_is_named_as_its_file_and_compares_with_the_default(path: Path) -> None:
    study = importlib.import_module(f"studies.{path.stem}").STUDY
    assert isinstance(study, Study)
    assert study.name == path.stem
    assert len(path.read_text().splitlines()) < 30
    for factor, default in study.default.items():
        assert default in study.vary[factor]
