"""Ablate t, the accuracy above which a cell has rank 0 (equation 11).

python studies/ablate_t.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_t",
    question="How much does t, the bound of rank 0, matter?",
    expectation="too low a t makes rank 0 ordinary, too high a t leaves it without labels to learn from; none uses "
    "the best tenth of the labels. The paper gives 0.93, for NAS-Bench-101 only.",
    trainable=BiArch2PerfTrainable,
    vary={"t": (None, 85.0, 88.0, 90.0, 92.0)},
)

if __name__ == "__main__":
    main(STUDY)
