"""Ablate the pseudo-labelled cells that D sees as real, with PP's rank; 0 is equation 6 as printed.

python studies/ablate_pseudo_real.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_pseudo_real",
    question="Does D need more real cells than the labelled ones?",
    expectation="without them D memorises the labelled cells and tells AG nothing about the others.",
    trainable=BiArch2PerfTrainable,
    vary={"pseudo_real": (0, 32, 128, 256)},
)

if __name__ == "__main__":
    main(STUDY)
