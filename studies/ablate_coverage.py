"""Ablate AG's likelihood term on real cells, added to its adversarial loss; 0 is equation 10 as printed.

python studies/ablate_coverage.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_coverage",
    question="Does AG need a likelihood term in addition to its adversarial loss?",
    expectation="without it AG collapses onto a few cells; with too much the adversarial loss no longer matters.",
    trainable=BiArch2PerfTrainable,
    vary={"coverage": (0.0, 0.1, 0.3, 1.0)},
)

if __name__ == "__main__":
    main(STUDY)
