"""Label efficiency: ablate the number of labelled architectures N (Section 3.2).

python studies/ablate_labels.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_labels",
    question="How many labelled architectures does the method need?",
    expectation="accuracy rises steeply up to about a hundred labels, then slowly.",
    trainable=BiArch2PerfTrainable,
    vary={"labels": (20, 40, 60, 80, 120, 240)},
)

if __name__ == "__main__":
    main(STUDY)
