"""How accuracy grows with the number of queries, for every search method.

python studies/label_efficiency.py --benchmark nasbench201/cifar10 --seeds 20
"""

from nadlab import Study, main
from nadlab.methods.registry import COMPARED
from nadlab.methods.request import SearchRequest
from trainables.searcher import SearcherTrainable

STUDY = Study(
    name="label_efficiency",
    question="How many queries does each search method need?",
    expectation="methods that learn from unlabelled cells lead at few queries, and all converge near the table's best at "
    "400. The paper claims that SemiGAN-NAD needs few labels and shows only 110, 160 and 150 queries.",
    trainable=SearcherTrainable,
    settings=SearchRequest(queries=160),
    vary={"method": COMPARED, "queries": (16, 32, 64, 110, 160, 256, 400)},
    seeds=range(10),
)

if __name__ == "__main__":
    main(STUDY)
