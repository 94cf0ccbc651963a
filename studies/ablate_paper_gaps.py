"""Ablate what the paper leaves open or prints differently, one gap at a time, starting from the paper's own setting.

python studies/ablate_paper_gaps.py --smoke
"""

from dataclasses import replace

from nadlab import Study, main
from nadlab.semigan.settings import PAPER
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_paper_gaps",
    question="Which of the choices that the paper leaves open, or that depart from what it prints, matter?",
    expectation="PP decides what is queried, so its scale and learning rate matter most; AG's terms show in the share "
    "of valid cells. 2,048 unlabelled cells per epoch instead of all, so that the study takes an hour.",
    trainable=BiArch2PerfTrainable,
    settings=replace(PAPER, epochs=40, unlabelled_per_epoch=2048),
    one_at_a_time=True,
    vary={"saturating": (True, False), "scale": ("linear", "normal"), "coverage": (0.0, 0.3), "pseudo_real": (0, 128),
          "rank0_share": (0.1549, 0.05), "temperature": (0.3, 0.1, 1.0), "predictor_adversarial": (True, False),
          "width": (64, 32, 128), "learning_rate": (3e-3, 1e-3, 1e-2), "unlabelled_batch": (512, 128),
          "unlabelled_per_epoch": (2048, 512), "epochs": (40, 60), "generated": (5000, 500)},
)  # fmt: skip

if __name__ == "__main__":
    main(STUDY)
