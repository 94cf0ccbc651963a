"""Ablate α_p, the weight of PP's error on generated cells (equation 8).

python studies/ablate_alpha_p.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_alpha_p",
    question="How much does alpha_p, the weight of PP's error on generated cells, matter?",
    expectation="too much of it trains PP on the cells of an untrained generator; the paper uses 0.5 and shows no ablation.",
    trainable=BiArch2PerfTrainable,
    vary={"alpha_p": (0.05, 0.25, 0.5, 0.75, 0.95)},
)

if __name__ == "__main__":
    main(STUDY)
