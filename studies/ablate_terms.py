"""Ablate the adversarial and the pseudo-label terms, each on or off, in every combination.

python studies/ablate_terms.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_terms",
    question="Which of the terms that couple AG, PP and D pay off?",
    expectation="without AG's adversarial term (equation 10) only coverage trains it, so it follows ranks less well; "
    "without PP's (gamma_1 of equation 8) or the generated labels (gamma_3) PP ranks like a supervised predictor.",
    trainable=BiArch2PerfTrainable,
    vary={
        "generator_adversarial": (True, False),
        "predictor_adversarial": (True, False),
        "generated_labels": (True, False),
    },
)

if __name__ == "__main__":
    main(STUDY)
