"""Ablate the depths of the three GINs, in every combination.

python studies/ablate_depth.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_depth",
    question="How deep must the GINs of AG, PP and D be?",
    expectation="little is gained beyond the paper's 5, 4 and 3 layers: a cell has at most seven vertices. A one-layer PP "
    "ranks worse, as it sees no paths.",
    trainable=BiArch2PerfTrainable,
    vary={"generator_depth": (1, 5), "predictor_depth": (1, 4), "discriminator_depth": (1, 3)},
)

if __name__ == "__main__":
    main(STUDY)
