"""Make the embedded benchmarks of what `build.py` trained, and say how far their surrogates can be trusted.

`mnist1d-201` is a table of every class and every complete seed. `mnist1d-101` and `mnist1d-darts` are surrogates by
NAS-Bench-301's recipe (Siems et al. 2020): an ensemble of XGBoost models, each fitted to nine tenths of the trained
cells and stopped early on the rest. Kendall's tau and R2 are those of ensembles fitted without a fifth of the cells,
on that fifth, once for each fifth.

\b
    python studies/mnist1d/embed.py              # all three
    python studies/mnist1d/embed.py nasbench201
"""

import json
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from tqdm import tqdm

from nadlab.benchmarks.archive import Archive, write_archive
from nadlab.benchmarks.container import SUFFIX, write_container
from nadlab.benchmarks.official.xgboost_models import read_xgboost
from nadlab.benchmarks.registry import EMBEDDED
from nadlab.benchmarks.surrogates.features import VECTORS
from nadlab.benchmarks.surrogates.surrogate import Surrogate
from nadlab.benchmarks.surrogates.trees import Model, Trees, ensemble
from nadlab.benchmarks.tabular import DECODE
from nadlab.cli.command_line import run_command
from nadlab.errors import UserError
from nadlab.json_text import strict_json
from nadlab.spaces import space
from nadlab.spaces.cells import Keys

RESULTS = Path(__file__).parents[2] / "results" / "mnist1d"
BENCHMARKS = {"nasbench201": "mnist1d-201", "nasbench101": "mnist1d-101", "darts": "mnist1d-darts"}
MEMBERS = 10
TREES = {"objective": "reg:squarederror", "eta": 0.07, "max_depth": 4, "subsample": 0.8, "colsample_bytree": 0.5,
         "min_child_weight": 2, "nthread": 1}  # fmt: skip
MOST_TREES, PATIENCE = 250, 30
FOLDS = 5

Floats = NDArray[np.float64]


def fit(features: Floats, accuracies: Floats, seed: int) -> Trees:
    """Fit an ensemble to accuracies in percent, (N, F) and (N,)."""
    rng = np.random.default_rng(seed)
    return ensemble([_member(features, accuracies, rng) for _ in range(MEMBERS)], features.shape[1])


def _member(features: Floats, accuracies: Floats, rng: np.random.Generator) -> Model:
    import xgboost

    order = rng.permutation(len(features))
    held_out, fitted = np.split(order, [len(order) // 10])
    train, stop = (xgboost.DMatrix(features[rows], accuracies[rows]) for rows in (fitted, held_out))
    settings = TREES | {"seed": int(rng.integers(2**31)), "base_score": float(accuracies.mean())}
    booster = xgboost.train(
        settings, train, MOST_TREES, [(stop, "stop")], early_stopping_rounds=PATIENCE, verbose_eval=False
    )
    kept = booster[: booster.best_iteration + 1]
    return read_xgboost(bytes(kept.save_raw("json")), "the surrogate just fitted")


def held_out(features: Floats, accuracies: Floats) -> tuple[Floats, Floats]:
    """Return Kendall's tau and R2 of each fold's ensemble on the cells that it never saw."""
    taus, determinations = [], []
    for fitted, rest in tqdm(KFold(FOLDS, shuffle=True, random_state=0).split(features), "fold", FOLDS, leave=False):
        predicted = fit(features[fitted], accuracies[fitted], seed=0).predict(features[rest]).mean(axis=1)
        taus.append(kendalltau(predicted, accuracies[rest]).statistic)
        determinations.append(r2_score(accuracies[rest], predicted))
    return np.array(taus), np.array(determinations)


def embed_surrogate(name: str, rows: pd.DataFrame, provenance: dict[str, str], path: Path) -> str:
    """Fit, measure and write a surrogate; return what was measured as a sentence."""
    cells = DECODE[name](rows["cell"].to_numpy(np.int64))
    features, accuracies = VECTORS[name](cells), rows["valid"].to_numpy(np.float64)
    taus, determinations = held_out(features, accuracies)
    measured = f"held out: Kendall's tau {_mean(taus)}, R2 {_mean(determinations)}"
    facts = {**provenance, "cells": str(len(rows)), "held_out": measured}
    write_container(Surrogate(name, name, fit(features, accuracies, seed=0), None, facts).container(), path)
    return f"{len(rows):,} cells; {measured}"


def embed_table(name: str, rows: pd.DataFrame, provenance: dict[str, str], path: Path) -> str:
    """Write the seeds that every class of the space has; return what was written as a sentence."""
    cell_space = space(name)
    keys = cell_space.all_keys()
    classes, of = np.unique(keys, return_inverse=True)
    complete = [
        seed for seed in sorted(set(rows["seed"].tolist())) if set(classes) <= set(rows["cell"][rows["seed"] == seed])
    ]
    if not complete:
        raise UserError(f"no seed is complete yet: continue with python studies/mnist1d/build.py {name}")
    identities = cell_space.identities(cell_space.enumerate())
    epochs = json.loads(provenance["recipe"])["epochs"]
    prefix = f"mnist1d/{epochs}"
    arrays: dict[str, NDArray[Any]] = {
        "keys": identities,
        f"{prefix}/runs": np.tile(np.array(complete, np.int32), (len(keys), 1)),
    }
    for split in ("valid", "test"):
        arrays[f"{prefix}/{split}/accuracy"] = _by_seed(rows, split, classes, complete)[of][:, :, None]
        arrays[f"{prefix}/{split}/epochs"] = np.array([epochs], np.int32)
    answers = {"mnist1d": {str(epochs): {split: f"{prefix}/{split}" for split in ("valid", "test")}}}
    write_archive(Archive(name, answers, provenance, arrays), path)
    said = f"{len(classes):,} classes, seeds {', '.join(map(str, complete))}"
    if len(complete) > 1:
        by_seed = _by_seed(rows, "valid", classes, complete)
        within = np.sqrt(by_seed.var(axis=1, ddof=1).mean())
        said += f"; standard deviation of a cell over seeds {within:.2f}, of the means {by_seed.mean(axis=1).std():.2f}"
    return said


def _by_seed(rows: pd.DataFrame, split: str, classes: Keys, seeds: list[int]) -> NDArray[np.float32]:
    table = rows.pivot_table(index="cell", columns="seed", values=split).loc[classes, seeds]
    return np.asarray(table, np.float32)


def _mean(values: Floats) -> str:
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


@click.command(help=__doc__)
@click.argument("spaces", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option(
    "--results", type=click.Path(path_type=Path, exists=True), default=RESULTS, help="where the trained cells are"
)
@click.option("--to", type=click.Path(path_type=Path), default=EMBEDDED, help="where the benchmarks go")
def command(spaces: tuple[str, ...], results: Path, to: Path) -> None:
    for name in spaces or BENCHMARKS:
        source, path = results / f"{name}.csv", to / f"{BENCHMARKS[name]}{SUFFIX}"
        if not source.exists():
            raise UserError(f"{source} is missing: run python studies/mnist1d/build.py {name}")
        stamp = json.loads(source.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# "))
        provenance = {
            "command": f"python studies/mnist1d/build.py {name}",
            **{part: strict_json(stamp[part]) for part in ("recipe", "versions")},
        }
        rows = pd.read_csv(source, comment="#")
        embed = embed_table if name == "nasbench201" else embed_surrogate
        said = embed(name, rows, provenance, path)
        click.echo(f"{BENCHMARKS[name]}: {said}; {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    sys.exit(run_command(command))
