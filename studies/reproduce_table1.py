"""Reproduce Table 1: search methods on NAS-Bench-101, at the paper's numbers of queries, and all at 110.

python studies/reproduce_table1.py --seeds 20
"""

from nadlab import Study, main
from nadlab.methods.request import SearchRequest
from nadlab.study.published import TABLE_1, beside, levels_of, rows_of
from trainables.searcher import SearcherTrainable

QUERIES = 110

STUDY = Study(
    name="reproduce_table1",
    question="How does SemiGAN-NAD compare with other methods on NAS-Bench-101?",
    expectation="as in the paper: with 110 queries SemiGAN-NAD is better than the traditional methods with 1,000, and "
    "close to GA-NAS and AG-Net. The paper reports test accuracy; for a table without it validation accuracy is "
    "reported, and then only the order is comparable.",
    trainable=SearcherTrainable,
    settings=SearchRequest(queries=QUERIES),
    vary=levels_of(TABLE_1, QUERIES),
    rows=rows_of(TABLE_1, QUERIES),
    benchmark="nasbench101",
    seeds=range(20),
    published=beside(TABLE_1),
)

if __name__ == "__main__":
    main(STUDY)
