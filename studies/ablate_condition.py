"""Ablate what lets D teach AG the rank that it is asked for, from the paper's objectives: wrong ranks, pseudo-labelled cells, likelihood.

python studies/ablate_condition.py --smoke
"""

from dataclasses import replace

from nadlab import Study, main
from nadlab.semigan.settings import PAPER
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_condition",
    question="What must D be shown so that AG's cells of rank 0 are of rank 0?",
    expectation="as printed AG's cells are no better than all cells. D must see labelled cells with wrong ranks, and, so that "
    "it does not know the labelled cells by heart, cells that PP labelled; AG's own likelihood of the labelled cells does "
    "without D. Four updates an epoch, as in studies/infer_paper_gaps.py.",
    trainable=BiArch2PerfTrainable,
    settings=replace(PAPER, labels=105, epochs=40, unlabelled_batch=105, unlabelled_per_epoch=420),
    vary={"mismatched": (0.0, 1.0), "pseudo_real": (0, 52), "coverage": (0.0, 0.3)},
    outcomes=("lift", "fidelity", "novelty", "final"),
    benchmark="mnist1d-101",
    seeds=range(20),
)

if __name__ == "__main__":
    main(STUDY)
