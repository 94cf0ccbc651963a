"""Reproduce Table 3: search methods on NAS-Bench-301, at the paper's numbers of queries, and all at 150.

Needs the surrogate: `nadlab benchmarks` says how to get it. The paper does not name the version.

python studies/reproduce_table3.py --seeds 20
python studies/reproduce_table3.py --benchmark nasbench301-v0.9 --seeds 20
"""

from nadlab import Study, main
from nadlab.methods.request import SearchRequest
from nadlab.study.published import TABLE_3, beside, levels_of, rows_of
from trainables.searcher import SearcherTrainable

QUERIES = 150

STUDY = Study(
    name="reproduce_table3",
    question="How does SemiGAN-NAD compare with other methods on NAS-Bench-301?",
    expectation="as in the paper: SemiGAN-NAD is better than all but AG-Net and regularized evolution, which use 192 "
    "queries.",
    trainable=SearcherTrainable,
    settings=SearchRequest(queries=QUERIES),
    vary=levels_of(TABLE_3, QUERIES),
    rows=rows_of(TABLE_3, QUERIES),
    benchmark="nasbench301-v1.0",
    seeds=range(20),
    published=beside(TABLE_3),
)

if __name__ == "__main__":
    main(STUDY)
