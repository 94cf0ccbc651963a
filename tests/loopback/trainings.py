"""Say whether searches that trainings.sh has run are those of one undisturbed process, and what was trained twice.

python tests/loopback/trainings.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np

from nadlab.benchmarks.registry import benchmark
from nadlab.methods.registry import run_search
from nadlab.methods.request import SearchRequest
from nadlab.queries.ledger import QueryLedger
from perf.faults.trainings import trainings


def main(folder: Path) -> int:
    lines = (folder / "rows").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.startswith("{")]  # Ray prints which nodes it lost
    keys, different = [], 0
    for row in rows:
        ledger = QueryLedger(benchmark(row["benchmark"]), row["queries"])
        request = SearchRequest(method=row["method"], queries=row["queries"])
        run_search(request.searcher, ledger, np.random.default_rng(row["seed"]))
        keys += [query.key for query in ledger.queries]
        different += (row["best_valid"], row["best_test"]) != (ledger.best().valid, ledger.best().test)
    found = trainings(folder / "log", folder / "store", keys)
    print(
        f"{len(rows)} searches, {different} of them with another result than undisturbed ones; {found.cells} cells queried, "
        f"{found.missing} of them not in the store; {found.begun} trainings begun, {found.begun - found.cells} of them lost in "
        f"flight, {found.again} begun after the store had the answer"
    )
    return 0 if len(rows) == 4 and not (different or found.missing or found.again) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
