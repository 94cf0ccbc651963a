"""Train and query an ensemble with the official nasbench301 alone: what nadlab's conversion is compared with.

    python tests/benchmarks/official_ensemble.py FOLDER

in an environment of its own (docs/official_packages.md has the versions), which imports nothing of nadlab. It writes
results in the official format, lets the official classes train and save their ensembles on them, opens these with
`load_ensemble`, and stores what it predicts in FOLDER.zip.
"""

import json
import shutil
import sys
import types
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch_geometric.data  # noqa: F401  it looks for both of the modules below

# only the package's graph networks call these two, which PyPI has as C++ sources alone
for module, names in {"torch_scatter": ("scatter", "scatter_softmax"), "torch_cluster": ("knn_graph",)}.items():
    if find_spec(module) is None:
        sys.modules[module] = types.ModuleType(module)
        sys.modules[module].__dict__.update(dict.fromkeys(names))

import lightgbm  # noqa: E402
import nasbench301  # noqa: E402
import xgboost  # noqa: E402
from nasbench301.api import fixed_hyperparameters  # noqa: E402
from nasbench301.representations import OPS, Genotype, convert_genotype_to_config  # noqa: E402
from nasbench301.surrogate_models.ensemble import Ensemble  # noqa: E402

RESULTS, QUERIES, MEMBERS = 600, 300, 3
KINDS = {"xgb": "xgb_v1.0", "lgb_time": "lgb_runtime_v1.0"}
SHORT = {
    "xgb": {"param:num_rounds": 25, "param:max_depth": 4, "param:eta": 0.3},
    "lgb_time": {"param:num_iterations": 25, "param:num_leaves": 12, "param:learning_rate": 0.3},
}
PREFIX = "SimpleLearningrateSchedulerSelector:cosine_annealing:"


def genotype(rng: np.random.Generator) -> Any:
    cell = [
        (OPS[rng.integers(len(OPS))], int(source))
        for node in range(4)
        for source in rng.permutation(node + 2)[:2].tolist()
    ]
    return Genotype(normal=cell, normal_concat=[2, 3, 4, 5], reduce=cell, reduce_concat=[2, 3, 4, 5])


def write_results(folder: Path, rng: np.random.Generator) -> None:
    """Write trainings of random cells with other settings too, so that trees split on settings as well."""
    folder.mkdir(parents=True)
    for i in range(RESULTS):
        drawn = genotype(rng)
        settings = {
            f"{PREFIX}T_max": int(rng.choice([50, 100, 200])),
            "NetworkSelectorDatasetInfo:darts:init_channels": int(rng.choice([16, 32, 48])),
            "OptimizerSelector:sgd:learning_rate": float(rng.choice([0.01, 0.025, 0.1])),
        }
        convolutions = sum("conv" in operation for operation, _ in drawn.normal)
        accuracy = 88 + convolutions / 2 + sum(source for _, source in drawn.normal) / 9
        accuracy += settings[f"{PREFIX}T_max"] / 90 + rng.normal() / 5
        result = {
            "optimized_hyperparamater_config": {
                **fixed_hyperparameters,
                **settings,
                **convert_genotype_to_config(drawn),
            },
            "info": [{"val_accuracy": accuracy}],
            "test_accuracy": accuracy,
            "runtime": 900 * convolutions + 20 * settings[f"{PREFIX}T_max"] + rng.normal(),
        }
        (folder / f"results_{i:03d}.json").write_text(json.dumps(result))


def train(kind: str, data: Path, folder: Path) -> None:
    settings = {"model": kind, "early_stopping_rounds": 10, "param:bananas_enc": False, **SHORT[kind]}
    split = {"filepath_regex": "results_*.json", "type": "all_result_paths", "train": 0.8, "val": 0.1, "test": 0.1}
    ensemble = Ensemble(kind, str(data), str(folder), 6, settings, {"results": split}, MEMBERS)
    ensemble.train()
    ensemble.save()


def main(folder: Path) -> None:
    rng = np.random.default_rng(0)
    write_results(folder / "data", rng)
    queries = [genotype(rng) for _ in range(QUERIES)]
    versions = {module.__name__: module.__version__ for module in (xgboost, lightgbm, np)}
    stored: dict[str, Any] = {"versions": versions, "genotypes": [str(query) for query in queries]}
    for kind, name in KINDS.items():
        train(kind, folder / "data", folder / "trained" / name)
        for path in (folder / "trained" / name).glob("ensemble_member_*/*"):
            if path.name in ("surrogate_model.model", "model_config.json", "data_config.json"):
                kept = folder / "kept" / name / path.parent.name / path.name
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, kept)
        opened = nasbench301.load_ensemble(str(folder / "kept" / name))
        stored[kind] = [float(opened.predict(query, "genotype", with_noise=False)) for query in queries]
    (folder / "kept" / "predictions.json").write_text(json.dumps(stored))
    print(versions, shutil.make_archive(str(folder), "zip", folder / "kept"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
