"""Split a budget of 160 queries between labelled cells and generated ones (Section 3.2).

python studies/ablate_split.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_split",
    question="Of 160 queries, how many label random cells before training, and how many are left for generated ones?",
    expectation="more for generated ones than the paper's 5: the first hundred labels teach PP most, and it ranks "
    "its best cells correctly only on average.",
    trainable=BiArch2PerfTrainable,
    vary={"labels": (155, 140, 120, 80), "final_k": (5, 20, 40, 80)},
    rows=((155, 5), (140, 20), (120, 40), (80, 80)),
)

if __name__ == "__main__":
    main(STUDY)
