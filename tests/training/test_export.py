"""An exported network is the one that the query trained, and works without nadlab."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from nadlab.benchmarks.registry import benchmark
from nadlab.benchmarks.training.benchmark import TrainingBenchmark
from nadlab.benchmarks.training.networks.load import load
from nadlab.errors import UserError
from nadlab.export.command import export as command
from nadlab.export.network import ONNX, export, from_record
from nadlab.queries.ledger import QueryLedger
from nadlab.study.records import Record, Trial
from tests.conftest import TOY

QUICK = "train:digits@epochs=2"
SETTINGS = {"method": "random-search", "queries": 2}


def record(folder: Path, name: str = QUICK) -> Path:
    """Write the record of a random search of two queries."""
    oracle = benchmark(name)
    ledger = QueryLedger(oracle, 2)
    ledger.query(oracle.pool()[[7, 11]] if name == TOY else oracle.space.unlabelled(2, np.random.default_rng(0)))
    trial = Trial(name, oracle.digest, 0, SETTINGS, "trainables.searcher:Searcher")
    path = folder / "record.json"
    queries = [asdict(query) for query in ledger.queries]
    path.write_text(json.dumps(asdict(Record(trial, "FINISHED", {}, [], queries, 0.0, 1.0, {}))))
    return path


def onnx(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr("nadlab.export.network.find_spec", lambda _: there or None)


def test_the_best_cell_is_written_as_its_query_trained_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx(monkeypatch, False)
    done = CliRunner().invoke(command, [str(record(tmp_path)), "--out", str(tmp_path / "best")])
    assert done.exit_code == 0, done.output
    assert "as recorded" in done.output
    assert "nadlab[onnx]" in done.output
    assert (tmp_path / "best" / "cell.svg").stat().st_size > 1000
    about = json.loads((tmp_path / "best" / "network.json").read_text())
    queries = json.loads((tmp_path / "record.json").read_text())["ledger"]
    assert about["valid"] == max(query["valid"] for query in queries)

    oracle = benchmark(QUICK)
    assert isinstance(oracle, TrainingBenchmark)
    test = oracle.data.test
    np.save(tmp_path / "images.npy", test.images)
    shutil.copytree(tmp_path / "best", tmp_path / "elsewhere")
    code = "import sys; sys.modules['nadlab'] = None; sys.argv = ['load', 'images.npy']; import runpy; "
    code += "sys.path.insert(0, 'elsewhere'); runpy.run_module('networks.load', run_name='__main__')"
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    right = np.mean([int(line) == label for line, label in zip(out.split(), test.labels.tolist(), strict=True)])
    assert 100 * right == pytest.approx(about["test"])


def test_a_failure_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    onnx(monkeypatch, False)
    monkeypatch.setattr("nadlab.export.network._draw", full)
    with pytest.raises(OSError, match="no space"):
        export(*from_record(record(tmp_path)), tmp_path / "best")
    assert {path.name for path in tmp_path.iterdir()} == {"record.json"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # torch.onnx's own
@pytest.mark.skipif(not all(map(find_spec, ONNX)), reason="needs pip install 'nadlab[onnx]'")
@pytest.mark.parametrize("space", ["nasbench201", "nasbench101", "darts"])
def test_onnx_computes_the_same(space: str, tmp_path: Path) -> None:
    import onnx
    from onnx.reference import ReferenceEvaluator

    name = f"train:digits@epochs=1@space={space}"
    trial, queries = from_record(record(tmp_path, name))
    done = export(trial, queries, tmp_path / "best")
    assert done.onnx
    images = benchmark(name).data.test.images[:5]  # type: ignore[attr-defined]
    (logits,) = ReferenceEvaluator(onnx.load(done.folder / "network.onnx")).run(None, {"images": images})
    with torch.inference_mode():
        torch.testing.assert_close(torch.from_numpy(logits), load(done.folder)(torch.from_numpy(images)))


@pytest.mark.parametrize("name", [None, QUICK])
def test_a_cell_of_another_space_is_no_network(name: str | None, tmp_path: Path) -> None:
    trial, queries = from_record(record(tmp_path, "tests.spaces.toy:error"))
    with pytest.raises(
        UserError, match="cells of perceptrons can't be exported: only those of nasbench201, nasbench101"
    ):
        export(trial, queries, tmp_path / "best", name)


@pytest.mark.usefixtures("data")
def test_a_cell_of_a_table_is_trained_on_images_that_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx(monkeypatch, False)
    trial, queries = from_record(record(tmp_path, TOY))
    with pytest.raises(UserError, match="--benchmark train:SOURCE"):
        export(trial, queries, tmp_path / "best")
    done = export(trial, queries, tmp_path / "best", QUICK)
    assert not done.same_benchmark
    assert done.valid > 20
    with pytest.raises(UserError, match="exists"):
        export(trial, queries, tmp_path / "best", QUICK)
    with pytest.raises(UserError, match="leave @space= out"):
        export(trial, queries, tmp_path / "other", f"{QUICK}@space=darts")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"digest": "0" * 64}, "differs from the trial"), ({"benchmark": "train:digits@epochs=1"}, "differs from")],
)
def test_other_images_or_settings_are_refused(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    path = record(tmp_path)
    raw = json.loads(path.read_text())
    path.write_text(json.dumps(raw | {"trial": raw["trial"] | change}))
    with pytest.raises(UserError, match=sentence):
        export(*from_record(path), tmp_path / "best")
    with pytest.raises(UserError, match="not a record"):
        from_record(tmp_path / "absent")
