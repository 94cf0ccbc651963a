"""Ablate the number of unlabelled architectures per epoch (Section 3.1.2).

python studies/ablate_unlabelled.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_unlabelled",
    question="What are the unlabelled architectures worth?",
    expectation="more of them help AG and D until every class of cells has been seen a few times; none means all, as in the paper.",
    trainable=BiArch2PerfTrainable,
    vary={"unlabelled_per_epoch": (256, 1024, 4096, None)},
)

if __name__ == "__main__":
    main(STUDY)
