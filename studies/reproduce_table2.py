"""Reproduce Table 2: search methods on NAS-Bench-201, at the paper's numbers of queries, and all at 160.

python studies/reproduce_table2.py --benchmark nasbench201/cifar10 --seeds 20
python studies/reproduce_table2.py --benchmark nasbench201/cifar100 --seeds 20
python studies/reproduce_table2.py --benchmark nasbench201/ImageNet16-120 --seeds 20

The last needs the official file: `nadlab benchmarks` says how to get it.
"""

from nadlab import Study, main
from nadlab.methods.request import SearchRequest
from nadlab.study.published import TABLE_2, beside, levels_of, rows_of
from trainables.searcher import SearcherTrainable

QUERIES = 160

STUDY = Study(
    name="reproduce_table2",
    question="How does SemiGAN-NAD compare with other methods on NAS-Bench-201?",
    expectation="as in the paper: SemiGAN-NAD is better than random search and SemiNAS, and close to the best others, "
    "which use 400 queries or more. Nothing is published for all methods at 160 queries.",
    trainable=SearcherTrainable,
    settings=SearchRequest(queries=QUERIES),
    vary=levels_of(TABLE_2, QUERIES),
    rows=rows_of(TABLE_2, QUERIES),
    benchmark="nasbench201/cifar10",
    seeds=range(20),
    published=beside(TABLE_2),
)

if __name__ == "__main__":
    main(STUDY)
