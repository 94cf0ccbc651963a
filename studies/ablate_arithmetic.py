"""Ablate what makes training fast: the precision of the GINs' matrix products and the size of the unlabelled batch.

Every epoch sees all unlabelled cells, 60 times, as in the paper; weights, losses and optimizers stay in float32.
bfloat16 needs a GPU: without one that level is left out.

python studies/ablate_arithmetic.py --smoke
"""

from nadlab import Study, main
from nadlab.semigan.settings import Settings
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_arithmetic",
    question="Do bfloat16 products, or fewer and larger batches, cost accuracy?",
    expectation="no: rounding is small compared with the noise of adversarial training, and all have converged at half the "
    "steps. Both take less time.",
    trainable=BiArch2PerfTrainable,
    settings=Settings(unlabelled_per_epoch=None, epochs=60),
    vary={"precision": ("float32", "bfloat16"), "unlabelled_batch": (512, 1024)},
)

if __name__ == "__main__":
    main(STUDY)
