"""Ablate the additions that `sequential`, and with it `default`, makes to the paper's setting: leave out one at a time.

python studies/ablate_additions.py --smoke
"""

from dataclasses import replace

from nadlab import Study, main
from nadlab.semigan.settings import SEQUENTIAL
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_additions",
    question="What is each addition to the paper's setting worth?",
    expectation="rounds and neighbours matter most. 60 queries, because with the paper's 160 nearly every seed "
    "finds the best cell.",
    trainable=BiArch2PerfTrainable,
    settings=replace(SEQUENTIAL, labels=20, final_k=40),
    one_at_a_time=True,
    vary={"per_round": (10, None), "round_epochs": (4, 1), "neighbours_of": (5, 0), "local_queries": (5, 0), "scale": ("normal", "linear"),
          "saturating": (False, True), "coverage": (0.3, 0.0), "pseudo_real": (64, 0), "generator_adversarial": (True, False),
          "predictor_adversarial": (True, False), "generated_labels": (True, False), "unlabelled_per_epoch": (2048, 256),
          "candidates": (200, 10)},
)  # fmt: skip

if __name__ == "__main__":
    main(STUDY)
