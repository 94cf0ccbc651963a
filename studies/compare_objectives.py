"""Compare search methods by the Pareto front of accuracy and latency that they find.

python studies/compare_objectives.py --seeds 20
"""

from nadlab import Study, main
from nadlab.methods.request import SearchRequest
from trainables.searcher import SearcherTrainable

STUDY = Study(
    name="compare_objectives",
    question="Which search method finds the best trade-off of accuracy and latency?",
    expectation="NSGA-II, which sees both objectives, dominates more than random search; the methods that see only accuracy "
    "find only the accurate end of the front.",
    trainable=SearcherTrainable,
    settings=SearchRequest(method="random-search", queries=100, objectives="accuracy,latency"),
    vary={"method": ("nsga-ii", "random-search", "regularized-evolution", "local-search")},
    benchmark="nas-bench-graph/arxiv",
    seeds=range(20),
)

if __name__ == "__main__":
    main(STUDY)
