"""Ablate α, the predictor's share of the pseudo pairs that the discriminator sees (equations 3-10).

python studies/ablate_alpha.py --smoke
"""

from nadlab import Study, main
from trainables.biarch2perf import BiArch2PerfTrainable

STUDY = Study(
    name="ablate_alpha",
    question="How much does alpha, the balance between predictor and generator, matter to PP's ranking of unqueried cells?",
    expectation="both ends lose: near 1 the generator gets no gradient (equation 10), near 0 the predictor's "
    "adversarial term is gone (equation 8). The paper uses 0.5 throughout and shows no ablation.",
    trainable=BiArch2PerfTrainable,
    vary={"alpha": (0.1, 0.3, 0.5, 0.7, 0.9)},
    # accuracy hardly moves here: all levels of a seed end at one or two cells, most of them with the first final queries
    outcomes=("predictor-tau", "predictor-tau-top", "fidelity", "lift", "novelty", "queries-to-best", "final"),
)

if __name__ == "__main__":
    main(STUDY)
