"""Ablate AG's likelihood of real cells beside its adversarial loss; 0 is the printed equation 10.

python studies/ablate_coverage.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_coverage",
    question="Does AG need a likelihood beside its adversarial loss?",
    expectation="with none AG collapses onto a few cells; with much of it the adversarial loss no longer counts.",
    trainable=BiArch2PerfTrainable,
    vary={"coverage": (0.0, 0.1, 0.3, 1.0)},
)

if __name__ == "__main__":
    main(STUDY)
