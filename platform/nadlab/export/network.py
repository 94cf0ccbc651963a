"""The best cell of a trial as a trained network: modules, weights, ONNX and a drawing in one folder.

networks/            the package `nadlab.benchmarks.training.networks`; `networks/load.py` says how to use it
network.json         cell, skeleton, classes, accuracies
network.safetensors  weights
network.onnx         the same for other programs; it needs `pip install 'nadlab[onnx]'`
cell.svg             a drawing
"""

import shutil
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save_file

from nadlab.analysis.cells.drawing import draw_cell
from nadlab.analysis.figures.style import figure_of, grid
from nadlab.benchmarks.files import short_digest
from nadlab.benchmarks.oracle import metric_of
from nadlab.benchmarks.registry import benchmark
from nadlab.benchmarks.training import networks
from nadlab.benchmarks.training.benchmark import TrainingBenchmark, plain_graph, size
from nadlab.benchmarks.training.networks import PUBLISHED, Normalised
from nadlab.benchmarks.training.networks.load import DESCRIPTION, WEIGHTS, load
from nadlab.errors import UserError
from nadlab.json_text import write_json
from nadlab.plugins import TRAINING
from nadlab.queries.goals import Goals
from nadlab.queries.ledger import Query, best
from nadlab.spaces import Cells
from nadlab.study.records import Trial, read_record
from nadlab.tracking.recorded import recorded_trial

ONNX = ("onnx", "onnxscript")
"""packages that `torch.onnx` needs"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how its accuracies compare."""

    folder: Path
    cell: str
    valid: float
    """percent, of the network that was written"""
    test: float
    recorded: tuple[float | None, float | None]
    """what the query answered, validation and test"""
    same_benchmark: bool
    """whether the query was a training by the same benchmark"""
    onnx: bool


def from_record(path: Path) -> tuple[Trial, list[Query]]:
    """Return the trial and queries of a study's record, a file `record.json` or its folder; raise UserError where it is none."""
    file = path / "record.json" if path.is_dir() else path
    try:
        record = read_record(file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file} is not a record of a trial: name trials/ID/record.json of a study, or a run's id"
        ) from error
    return record.trial, list(record.queries)


def from_run(run_id: str, tracking_uri: str) -> tuple[Trial, list[Query]]:
    """Return the trial and queries of a run in MLflow; raise UserError where it cannot be read or is not a finished trial."""
    recorded, known = recorded_trial(run_id, tracking_uri), Query.__dataclass_fields__
    queries = [Query(**{name: value for name, value in row.items() if name in known}) for row in recorded.ledger]
    return recorded.trial, queries


def export(trial: Trial, queries: list[Query], folder: Path, name: str | None = None) -> Exported:
    """Train the trial's best cell once more, as its query did, and write it to a new folder.

    name: another benchmark `train:SOURCE` to train it by; needed where the trial's is none. Raises UserError where there is none,
    where the benchmark's images or settings are others than the trial's, and where the folder exists.
    """
    if folder.exists():
        raise UserError(f"{folder} exists: choose another with --out")
    searched = benchmark(trial.benchmark, trial.protocol)
    trainer = _trainer(trial, searched.space.name, name)
    goals = Goals.in_settings(trial.settings)
    feasible = [query for query in queries if goals.feasible(query)]
    if not feasible:
        raise UserError("the trial has no query that keeps its constraints: there is no best cell")
    chosen = best(feasible, searched.search_split, metric_of(searched))
    cell = searched.space.parse(chosen.cell)
    torch.set_num_threads(1)  # as in the query: with more the last digits differ
    network, trained = trainer.trained(cell)
    network.cpu().eval()
    canonical = trainer.space.canonical(cell)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:  # a failure leaves no half folder
        draft = Path(made) / folder.name
        source = Path(networks.__file__).parent
        shutil.copytree(source, draft / "networks", ignore=shutil.ignore_patterns("__pycache__"))
        write_json(
            draft / DESCRIPTION,
            _description(trainer, canonical, network) | {"valid": trained.valid, "test": trained.test},
        )
        save_file(network.state_dict(), draft / WEIGHTS)
        images = torch.from_numpy(trainer.data.test.images[:2])
        with torch.inference_mode():
            torch.testing.assert_close(load(draft)(images), network(images))
        has_onnx = all(find_spec(package) for package in ONNX)
        if has_onnx:
            _write_onnx(network, images, draft / "network.onnx")
        _draw(canonical, trainer, draft / "cell.svg")
        draft.rename(folder)
    return Exported(
        folder, trainer.space.format(canonical), trained.valid, trained.test, (chosen.valid, chosen.test),
        trainer.digest == trial.digest, has_onnx,
    )  # fmt: skip


def _trainer(trial: Trial, space: str, name: str | None) -> TrainingBenchmark:
    if space not in PUBLISHED:
        raise UserError(f"cells of {space} can't be exported: only those of {', '.join(PUBLISHED)} become networks")
    name = name or trial.benchmark
    if not name.startswith(TRAINING):
        raise UserError(f"{name} trains no networks: name images to train the cell on with --benchmark train:SOURCE")
    found = benchmark(name if "@space=" in name or name == trial.benchmark else f"{name}@space={space}")
    assert isinstance(found, TrainingBenchmark)
    if found.space.name != space:
        raise UserError(f"{name} has cells of {found.space.name}, the trial's are of {space}: leave @space= out")
    if name == trial.benchmark and found.digest != trial.digest:
        raise UserError(
            f"{name} differs from the trial's benchmark (digest {short_digest(trial.digest)}, here {short_digest(found.digest)})"
        )
    return found


def _description(trainer: TrainingBenchmark, cell: Cells, network: Normalised) -> dict[str, Any]:
    matrix, labels = plain_graph(cell, trainer.space)
    parameters, flops = size(network, trainer.data.shape)
    return {
        "benchmark": trainer.name, "space": trainer.space.name, "cell": trainer.space.format(cell), "matrix": matrix,
        "labels": labels, "skeleton": asdict(trainer.skeleton), "recipe": asdict(trainer.recipe),
        "image": list(trainer.data.shape), "pixel": str(trainer.data.train.images.dtype),
        "classes": list(trainer.data.classes), "params": parameters, "flops": flops,
    }  # fmt: skip


def _write_onnx(network: Normalised, images: torch.Tensor, path: Path) -> None:
    shapes = {"images": {0: torch.export.Dim("batch")}}
    torch.onnx.export(
        network, (images,), path, input_names=["images"], output_names=["logits"], dynamic_shapes=shapes, verbose=False,
        external_data=False,
    )  # fmt: skip


def _draw(cell: Cells, trainer: TrainingBenchmark, path: Path) -> None:
    (axes,) = grid(1, 1, (4.6, 2.3))
    draw_cell(axes, cell, trainer.space)
    figure_of(axes).savefig(path)
