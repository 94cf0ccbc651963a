"""A space, a method and a benchmark in files outside the package: searched, studied, tuned, reported, reproduced by commands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import optuna
import pandas as pd
import pytest
from mlflow import MlflowClient

ROOT = Path(__file__).parents[1]
FILES = {
    "gates.py": '''
GATES = ("and", "or", "xor")
''',
    "circuits.py": '''
"""Circuits: four gates in a row, each reads the one before and at most one other earlier vertex."""

from itertools import product

import numpy as np

from gates import GATES
from nadlab.spaces import Cells


class Circuits:
    name, vertices, operations = "circuits", 6, ("in", *GATES, "out")

    def enumerate(self):
        choices = list(product((None, 0), (None, 0, 1), (None, 0, 1, 2), *[(1, 2, 3)] * 4))
        cells = Cells(np.zeros((len(choices), 6, 6), np.uint8), np.zeros((len(choices), 6), np.uint8))
        cells.adjacency[:, range(5), range(1, 6)] = 1
        for row, choice in enumerate(choices):
            for gate, source in enumerate(choice[:3], 2):
                if source is not None:
                    cells.adjacency[row, source, gate] = 1
            cells.operations[row, 1:] = (*choice[3:], 4)
        return cells

    def invalid_reasons(self, cells):
        chain = (cells.adjacency[:, range(5), range(1, 6)] == 1).all(axis=1) & ~cells.adjacency[:, :4, 5].any(axis=1)
        few = np.all([cells.adjacency[:, : gate - 1, gate].sum(axis=1) <= 1 for gate in (2, 3, 4)], axis=0)
        gates = np.isin(cells.operations[:, 1:5], (1, 2, 3)).all(axis=1) & (cells.operations[:, [0, 5]] == (0, 4)).all(axis=1)
        return [None if each else "four gates in a row, each with one further source" for each in chain & few & gates]

    def keys(self, cells):
        wires = [cells.adjacency[:, source, gate] for gate in (2, 3, 4) for source in range(gate - 1)]
        digits = np.stack([*wires, *cells.operations[:, 1:5].T], axis=1).astype(np.int64)
        return digits @ 4 ** np.arange(digits.shape[1])
''',
    "faults.py": '''
"""The share of inputs that a circuit gets wrong."""

import hashlib
from dataclasses import dataclass

import numpy as np

from nadlab.benchmarks.oracle import Evaluation, Metric
from nadlab.spaces import space


@dataclass(frozen=True, eq=False)
class Faults:
    name: str
    space: object
    search_split: str = "valid"
    report_split: str = "test"
    preset: str = "paper"
    digest: str = hashlib.sha256(b"faults 1").hexdigest()
    queryable_count: int = 1944
    metric: Metric = Metric("error", unit="", maximise=False, low=0.0, high=1.0)

    def pool(self):
        return self.space.enumerate()

    def queryable(self, cells):
        return np.ones(len(cells), bool)

    def evaluate(self, cells):
        right = (cells.operations[:, 1:5] == (3, 1, 3, 2)).sum(axis=1)
        errors = 0.95 - 0.15 * right - 0.04 * cells.adjacency.sum(axis=(1, 2))
        return [Evaluation(float(error), float(error) + 0.01) for error in errors]


def faults(name):
    return Faults(name, space("circuits:Circuits"))
''',
    "mine.py": '''
"""Walk to neighbours of a cell among the best so far."""

from dataclasses import dataclass, field

from nadlab.parameters.hyperparameters import tunable
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.sampling import draw


@dataclass(frozen=True)
class Walk:
    starts: int = field(default=4, metadata=tunable(2, 8))
    """random cells first"""
    share: float = field(default=0.9, metadata=tunable(0.1, 1.0))
    """of the queried cells that may be parents"""

    def __call__(self, ledger, rng):
        neighbourhood = Neighbourhood(ledger, rng)
        ledger.query(draw(ledger, min(self.starts, ledger.remaining), rng))
        while ledger.remaining:
            ranked = sorted(ledger.queries, key=ledger.answer, reverse=True)
            parents = ranked[: max(1, int(self.share * len(ranked)))]
            parent = ledger.oracle.space.parse(parents[rng.integers(len(parents))].cell)
            ledger.query(neighbourhood.child(parent))
''',
}  # fmt: skip
STUDIES = {
    "compare.py": """
from nadlab import Study, main
from nadlab.methods.request import SearchRequest
from trainables.searcher import SearcherTrainable

STUDY = Study(
    name="compare", question="Is it better than chance?", expectation="yes.", trainable=SearcherTrainable,
    settings=SearchRequest(method="random-search", queries=24), vary={"method": ("random-search", "local-search")},
)
if __name__ == "__main__":
    main(STUDY)
""",
    "tune.py": """
from nadlab import Tuning, main
from nadlab.methods.request import SearchRequest
from nadlab.methods.tuning_space import tuning_space
from trainables.searcher import SearcherTrainable

TUNING = Tuning(
    name="tune", question="Which settings?", expectation="a small share.", trainable=SearcherTrainable,
    settings=SearchRequest(method="mine:Walk", queries=24), space=tuning_space("mine:Walk"), benchmark="faults:faults",
)
if __name__ == "__main__":
    main(TUNING)
""",
}  # fmt: skip
PERCENT = re.compile(r"accuracy|percentage|points|[^5] %")
"""a word or unit of accuracies; intervals are of 95 %"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("outside")
    for name, text in (FILES | STUDIES).items():
        (made / name).write_text(text.lstrip())
    return made


def run(folder: Path, *command: str) -> str:
    """Run a command in the folder and return its output; it must succeed."""
    own = {"PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}", "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def nadlab(folder: Path, *arguments: str) -> str:
    return run(folder, "-c", "from nadlab.cli.main import main; main()", *arguments)


def test_the_files_are_few_lines() -> None:
    assert sum(len(text.strip().splitlines()) for text in FILES.values()) < 120


@pytest.mark.services
@pytest.mark.timeout(900)
def test_searches_of_an_error_name_and_minimise_it(folder: Path) -> None:
    asked = ["search", "--benchmark", "faults:faults", "--method", "random-search,mine:Walk", "--queries", "40"]
    said = nadlab(folder, *asked, "--set", "mine:Walk.share=0.2", "--seeds", "5", "--concurrent", "1")
    assert re.search(r"best cell by \w+, its \w+ error", said)
    assert not PERCENT.search(said)
    behind = re.search(r"mine:Walk +│ +5 │.*│ (-?[\d.]+) \(", said)
    assert behind
    assert float(behind[1]) < 0  # it ends with less error than random search


@pytest.mark.services
@pytest.mark.timeout(900)
def test_a_study_of_an_own_method_s_setting_reports_and_reproduces(folder: Path) -> None:
    vary = ["--vary", "method=random-search,mine:Walk,semigan-nad", "--vary", "mine:Walk.share=0.1,0.9"]
    sizes = {"epochs": 1, "width": 16, "generated": 100, "unlabelled_per_epoch": 256}
    small = [part for name, size in sizes.items() for part in ("--set", f"semigan-nad.{name}={size}")]
    asked = ["compare.py", "--benchmark", "faults:faults", *vary, *small, "--seeds", "2", "--out", "study"]
    run(folder, *asked, "--concurrent", "1")
    out = folder / "study"
    found = pd.read_csv(out / "levels.csv").set_index("level")
    assert len(found) == 4
    default = found[found["is_default"]].iloc[0]
    for _, row in found[~found["is_default"]].iterrows():  # a chance to be better above a half is a smaller error
        assert (row["superiority_mean"] - 0.5) * (row["mean"] - default["mean"]) <= 1e-12
    nadlab(folder, "report", "study")
    report = (out / "report.md").read_text()
    assert f"lowest mean, {found['mean'].min():.4f}." in report
    assert "| n | error | 95 % interval |" in report
    assert not PERCENT.search(report)
    page = re.sub("<svg.*?</svg>", "", (out / "report.html").read_text(), flags=re.DOTALL)
    assert "Anytime error" in page
    assert not re.search("accuracy|percentage points", page)
    assert (out / "figures" / "best_cells.png").exists()
    client = MlflowClient(uri := f"sqlite:///{out / 'mlflow.db'}")
    (experiment,) = (each for each in client.search_experiments() if each.name == "compare")
    (trial, *_) = client.search_runs([experiment.experiment_id], "params.`mine:Walk.share` = '0.1'")
    assert "| error |" in trial.data.tags["mlflow.note.content"]
    with pytest.raises(AssertionError, match=r"has no trained networks to go on from: .* runs again with --retrain"):
        nadlab(folder, "reproduce", trial.info.run_id, "--tracking-uri", uri)
    said = nadlab(folder, "reproduce", trial.info.run_id, "--tracking-uri", uri, "--retrain")
    assert "equal bit for bit" in said
    assert "%" not in said


@pytest.mark.services
@pytest.mark.timeout(900)
def test_a_tuning_study_takes_the_settings_with_the_least_error(folder: Path) -> None:
    asked = ["tune.py", "--configurations", "3", "--seeds", "2", "--fresh", "1", "--out", "tuned", "--concurrent", "1"]
    run(folder, *asked)
    out = folder / "tuned"
    found = pd.read_csv(out / "configurations.csv")
    assert found["mean"].is_monotonic_increasing
    (study,) = optuna.get_all_study_summaries(storage=f"sqlite:///{out / 'optuna.db'}")
    assert [direction.name for direction in study.directions] == ["MINIMIZE"]
    loaded = optuna.load_study(study_name="tune", storage=f"sqlite:///{out / 'optuna.db'}")
    assert loaded.best_value == pytest.approx(found["mean"].min())
    nadlab(folder, "report", "tuned")
    report = (out / "report.md").read_text()
    assert f": {found['mean'].min():.4f}." in report
    assert not PERCENT.search(report)


def test_help_lists_the_settings_of_the_study_s_own_method(folder: Path) -> None:
    said = run(folder, "tune.py", "--help")
    assert "mine:Walk.starts: 2 to 8" in said
    assert "bananas.ensemble=5" not in said
