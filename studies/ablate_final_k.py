"""Ablate K, the generated architectures that are queried at the end (Section 3.2); the levels of a seed share a training.

python studies/ablate_final_k.py --smoke
"""

from nadlab import Study, main
from trainables.nacg import NACGTrainable

STUDY = Study(
    name="ablate_final_k",
    question="How many generated architectures are worth querying?",
    expectation="tens: PP ranks its best cells correctly only on average. The paper uses 5.",
    trainable=NACGTrainable,
    vary={"final_k": (1, 5, 10, 20, 40, 80)},
)

if __name__ == "__main__":
    main(STUDY)
