"""What a store holds as a data frame, and as a CSV table that is a benchmark of its space."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, select

from nadlab.benchmarks.oracle import SPLITS
from nadlab.benchmarks.table import tables
from nadlab.errors import UserError
from nadlab.evaluations.rows import ROWS, engine_of, shown

HIDDEN = ("owner", "beat", "extras")
SUFFIXES: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda frame, file: frame.to_csv(file, index=False),
    ".parquet": lambda frame, file: frame.to_parquet(file, index=False),
}


def kept(place: str, benchmark: str | None = None) -> pd.DataFrame:
    """Return a row an evaluation of a store, of one benchmark or of all: what `ROWS` says, and a column a further quantity.

    place: as `EvaluationConfig.store`, or an SQLite file of such a folder. Raises UserError when there is no store.
    """
    found = [row for engine in _engines(place) for row in _rows(engine)]
    chosen = [row for row in found if benchmark in (None, row["benchmark"])]
    if not chosen:
        known = ", ".join(sorted({str(row["benchmark"]) for row in found})) or "no evaluations at all"
        raise UserError(f"{shown(place)} has no evaluations of {benchmark or 'a benchmark'}: it has {known}")
    frame = pd.DataFrame(chosen)
    return frame.sort_values(["benchmark", "digest", "fidelity", "seed", "ended"], ignore_index=True)


def export(frame: pd.DataFrame, file: Path) -> None:
    """Write a frame as CSV or Parquet, by the file's suffix; raise UserError for another."""
    if file.suffix not in SUFFIXES:
        raise UserError(f"{file} is neither .csv nor .parquet: name a file with one of these suffixes")
    SUFFIXES[file.suffix](frame, file)


def write_table(frame: pd.DataFrame, file: Path, epochs: int) -> list[str]:
    """Write the evaluations of one version of one benchmark as a table; return the names of the benchmarks that it holds.

    Training seeds are averaged, failures left out. epochs: what fidelity 0, the benchmark's own training, is called.
    Raises UserError for another space than NAS-Bench-101's and -201's, for several versions, and where the package could
    not read the table, such as with answers that are no accuracies in percent.
    """
    done = frame[frame["status"] == "done"]
    versions, spaces = done[["benchmark", "digest"]].drop_duplicates(), set(done["space"])
    if len(versions) != 1:
        raise UserError(
            f"there are evaluations of {len(versions)} versions of benchmarks: name one with --benchmark and --digest"
        )
    means = done.groupby(["cell", "fidelity"])[list(SPLITS)].mean().reset_index()
    # a table has one row a cell: those whose full training is there
    longest, shorter = _longest(means), int(means["fidelity"].max())
    if not longest and epochs <= shorter:
        raise UserError(
            f"there are trainings of {shorter} epochs beside the full ones, whose length is not stored: give it with --epochs"
        )
    means = means[means["cell"].isin(means.loc[means["fidelity"] == longest, "cell"])]
    if spaces == {"nasbench201"}:
        table = _nasbench201(means, re.split(r"[:/]", versions["benchmark"].iloc[0])[-1], epochs)
    elif spaces == {"nasbench101"}:
        table = _nasbench101(means[means["fidelity"] == _longest(means)])
    else:
        raise UserError(f"there are no tables of the space {spaces.pop()}: only of nasbench101 and nasbench201")
    if file.suffix != ".csv":
        raise UserError(f"{file} is not a table: name it with the suffix .csv")
    table.to_csv(file, index=False)
    found = tables(file)
    for opener in found.values():
        opener()
    return list(found)


def _nasbench201(means: pd.DataFrame, dataset: str, epochs: int) -> pd.DataFrame:
    columns = {"arch_str": means["cell"].drop_duplicates().to_numpy()}
    for (fidelity, split), values in means.melt(["cell", "fidelity"], list(SPLITS)).groupby(["fidelity", "variable"]):
        column = values.set_index("cell")["value"].reindex(columns["arch_str"]).to_numpy(np.float64)
        if not np.isnan(column).any():
            columns[f"{dataset}_{split}_{fidelity or epochs}"] = column
    return pd.DataFrame(columns)


def _nasbench101(means: pd.DataFrame) -> pd.DataFrame:
    parts = means["cell"].str.partition(";")
    columns = {"adjacency": parts[0], "operations": parts[2]}
    columns |= {f"{split}_accuracy_108": means[split] / 100 for split in SPLITS if means[split].notna().all()}
    return pd.DataFrame(columns)


def _longest(means: pd.DataFrame) -> int:
    return 0 if (means["fidelity"] == 0).any() else int(means["fidelity"].max())


def _rows(engine: Engine) -> list[dict[str, object]]:
    with engine.begin() as connection:
        rows = [dict(row) for row in connection.execute(select(ROWS)).mappings()]
    return [{name: value for name, value in row.items() if name not in HIDDEN} | _extras(row) for row in rows]


def _extras(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the further quantities of a row; one that has a column's name, and another value, gets another name."""
    extras: dict[str, float] = json.loads(row["extras"] or "{}")
    return {f"extra_{name}" if row.get(name, value) != value else name: value for name, value in extras.items()}


def _engines(place: str) -> list[Engine]:
    if "://" in place:
        return [engine_of(place, "")]
    path = Path(place)
    files = [path] if path.is_file() else sorted([*path.glob("*.db"), *path.glob("evaluations/*.db")])
    files = [file for file in files if file.name not in ("mlflow.db", "optuna.db")]
    if not files:
        raise UserError(f"{place} holds no evaluations: name a store, or the folder of a study")
    return [engine_of(str(file.parent), file.name) for file in files]
