"""Ablate the precision of the GINs' matrix products; weights, losses and optimizers stay in float32.

python studies/ablate_precision.py --smoke
"""

from nadlab.study import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_precision",
    question="Do bfloat16 products cost accuracy?",
    expectation="no: their rounding is small beside the noise of D's and AG's game; they take less time.",
    trainable=BiArch2PerfTrainable,
    vary={"precision": ("float32", "bfloat16")},
)

if __name__ == "__main__":
    main(STUDY)
