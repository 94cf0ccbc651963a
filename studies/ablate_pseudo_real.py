"""Ablate the unlabelled cells that D takes as real with PP's rank; 0 is the printed equation 6.

python studies/ablate_pseudo_real.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_pseudo_real",
    question="Does D need more real cells than the labelled ones?",
    expectation="with none D learns the labelled cells by heart and tells AG nothing about the others.",
    trainable=BiArch2PerfTrainable,
    vary={"pseudo_real": (0, 32, 128, 256)},
)

if __name__ == "__main__":
    main(STUDY)
