"""The public functions that drive a whole search or study; what they need is imported when they are called."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nadlab.errors import UserError
from nadlab.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from nadlab.study.tuning import Tuning


def main(study: "Study | Tuning") -> None:
    """Run a study or a tuning study as a command: parse the command line, run what is missing, report, exit."""
    from nadlab.cli.command_line import run_command

    if isinstance(study, Study):
        from nadlab.cli.study import command

        sys.exit(run_command(command(study)))
    from nadlab.cli.tuning import tuning_command

    sys.exit(run_command(tuning_command(study)))


def search(
    method: str | Sequence[str],
    benchmark: str = "mnist1d-201",
    queries: int | str = 160,
    seeds: Sequence[int] = range(10),
    concurrent: int | None = 1,
    hyperparameters: "Mapping[str, float | int | str | bool | None] | None" = None,
    protocol: str = "paper",
    objectives: Sequence[str] = (),
    at_most: "Mapping[str, float] | None" = None,
    evaluations: str | None = None,
) -> "pd.DataFrame":
    """Search a benchmark with one or more methods, once per seed; return one row per method and seed, in this order.

    method: a name that `nadlab methods` lists, `module:object` of your own, or several of them.
    benchmark: a name that `nadlab benchmarks` lists, or `module:object` of your own.
    queries: distinct architectures up to isomorphism that each search may evaluate, or a training budget as text:
        "20000epochs", "90min" or "6h"; the latter adds columns `trainings`, `epochs` and `training_seconds`.
    seeds: of the searches; every method has the same ones.
    concurrent: searches in parallel; one runs in this process, more (None: one per core) in separate processes, so that
        a script needs `if __name__ == "__main__":`. Each search uses one torch thread.
    hyperparameters: `method.setting` -> value, such as {"bananas.ensemble": 3}, for settings to change; `nadlab methods`
        lists them.
    protocol: `paper` (as in the SemiGAN-NAD paper: NAS-Bench-201 by test accuracy only), `validation` (search by
        validation, report test accuracy, if the benchmark has both) or `naslib` (as in NASLib).
    objectives: names of several, the benchmark's metric first, such as ("accuracy", "latency").
    at_most: quantity -> its maximum; a cell that violates a constraint is never the best.
    evaluations: the store of a benchmark that is not free, a folder or postgresql://...; None: runs/evaluations.

    Columns: `method`, `benchmark`, `protocol`, `seed`, `queries`; `best_valid` and `best_test`, percent, of the cell with the best
    search accuracy (missing where the benchmark has none); `regret`, percentage points (no column if the optimum is
    unknown, or with constraints); `seconds`, wall-clock; with constraints `feasible`, the number of queries that meet them
    (`best_valid` and `best_test` are missing if none does). With several objectives `front`, a list of dicts of cell and
    objectives, and `hypervolume`, a list, after each query (`nadlab.analysis.statistics.hypervolume`).

    Raises UserError, a ValueError with a one-sentence message, for an unknown method, benchmark or protocol and for a budget
    that the benchmark or a method can't meet.
    """
    import pandas as pd

    from nadlab.benchmarks.registry import benchmark as opened
    from nadlab.engine.searches.comparison import fronts
    from nadlab.engine.searches.run import searches
    from nadlab.evaluations.config import EvaluationConfig
    from nadlab.queries.budget import Budget
    from nadlab.queries.goals import Goals

    methods = [method] if isinstance(method, str) else list(method)
    if not methods or not seeds:
        raise UserError("a search needs at least one method and one seed")
    names = ",".join([objectives] if isinstance(objectives, str) else objectives) or None
    limits = ",".join(f"{name}={limit!r}" for name, limit in (at_most or {}).items()) or None
    changes = hyperparameters or {}
    kept = EvaluationConfig(evaluations)
    budget = Budget.of(queries) if isinstance(queries, str) else queries
    found = list(searches(methods, benchmark, budget, seeds, concurrent, changes, protocol, names, limits, kept))
    goals = Goals.of(names, limits)
    several = fronts(found, goals, opened(benchmark, protocol)) if names else [{}] * len(found)
    return pd.DataFrame([each.row() | more for each, more in zip(found, several, strict=True)])
