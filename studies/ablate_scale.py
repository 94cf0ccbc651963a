"""Ablate the scale on which PP predicts; linear is equation 9 up to a constant factor.

python studies/ablate_scale.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_scale",
    question="Should PP learn accuracies or their normal scores?",
    expectation="normal scores: accuracies pile up near the best, where PP must tell cells apart.",
    trainable=BiArch2PerfTrainable,
    vary={"scale": ("linear", "normal")},
)

if __name__ == "__main__":
    main(STUDY)
