"""Cross alpha with the number of labels: a full factorial design.

python studies/factorial_alpha_labels.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="factorial_alpha_labels",
    question="Does the best alpha depend on how many cells are labelled?",
    expectation="with few labels the predictor errs, so a small alpha, which trusts its ranks less, does better; "
    "with many it makes no difference.",
    trainable=BiArch2PerfTrainable,
    vary={"alpha": (0.1, 0.5, 0.9), "labels": (30, 60, 120)},
)

if __name__ == "__main__":
    main(STUDY)
