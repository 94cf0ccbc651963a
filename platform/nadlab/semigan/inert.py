"""Settings that change nothing given the others, and settings that a benchmark or a machine cannot meet."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nadlab.benchmarks.oracle import Metric, Oracle, facts_of, metric_of, optimum_of

if TYPE_CHECKING:
    from nadlab.semigan.settings import Settings


def inert(settings: "Settings") -> dict[str, str]:
    """Return setting -> why its value changes no number of a trial, given the others."""
    found: dict[str, str] = {}
    for reason, holds, names in _rules(settings):
        if holds:
            found |= dict.fromkeys(names, reason)
    return found


def _rules(settings: "Settings") -> Iterator[tuple[str, bool, tuple[str, ...]]]:
    """Yield a reason, whether it holds, and the settings that it makes inert."""
    rounds, no_game = settings.per_round, not settings.discriminator
    yield "labels and final_k are given", True, ("final_share",)
    yield f"t = {settings.t} decides what rank 0 is", settings.t is not None, ("rank0_share",)
    yield (
        "AG is not trained, as generator is false",
        not settings.generator,
        ("generator_adversarial", "generated_labels", "coverage", "alpha_p", "generator_depth"),
    )
    no_candidates = f"AG generates no candidates, as candidates_from is {settings.candidates_from}"
    yield no_candidates, not settings.generates, ("generation_temperature", "candidates", "generation_rounds")
    yield "neither D nor AG's likelihood takes real cells", no_game and not settings.covers, ("pseudo_real",)
    yield "a single PP has no deviation, as ensemble is 1", settings.ensemble == 1, ("optimism",)
    yield "PP alone is trained, which has no ranks", no_game and not settings.generator, ("t", "rank0_share", "beta_1")
    yield (
        "all K are queried at once, as per_round is none",
        rounds is None,
        ("round_epochs", "neighbours_of", "local_queries"),
    )
    game = "neither AG nor PP learns from D"
    yield game, no_game, ("alpha", "saturating", "discriminator_depth", "discriminator_steps", "discriminator_rate")
    yield (
        f"AG takes its likeliest choice, as generator_choice is {settings.generator_choice}",
        settings.generator_choice != "sampled",
        ("generation_temperature",),
    )
    # equation 9 and D read the rank itself; the temperature shapes its gradient alone
    yield (
        "no gradient passes PP's ranks, as predictor_adversarial is false",
        not settings.predictor_adversarial,
        ("temperature",),
    )
    yield "PP learns no generated cells, as generated_labels is false", not settings.generated_labels, ("alpha_p",)
    yield "NACG generates once, as generation_rounds is 1", settings.generation_rounds == 1, ("candidates",)


def misfits(settings: "Settings", oracle: Oracle, bfloat16: bool | None) -> dict[str, str]:
    """Return setting -> sentence that says why a trial could not run, or could learn nothing, with it.

    bfloat16: whether the machine has it; None where that is not known.
    """
    found = {}
    if settings.precision == "bfloat16" and bfloat16 is False:
        found["precision"] = "precision = bfloat16 needs a GPU, and there is none here: use float32"
    if settings.t is not None and (wrong := _wrong_unit(settings.t, metric_of(oracle))):
        found["t"] = wrong
    elif _too_high(settings, oracle) and _is_sure(oracle):
        found["t"] = (
            f"{_beyond(settings, oracle)}: no cell could have rank 0; take a {'lower' if metric_of(oracle).maximise else 'higher'} t"
        )
    return found


def doubts(settings: "Settings", oracle: Oracle) -> list[str]:
    """Return a sentence for each setting that may leave a trial nothing to learn on a benchmark."""
    if _too_high(settings, oracle) and not _is_sure(oracle):
        return [f"{_beyond(settings, oracle)}: few cells have rank 0, or none."]
    return []


def _too_high(settings: "Settings", oracle: Oracle) -> bool:
    best = optimum_of(oracle)
    score = metric_of(oracle).score
    return settings.t is not None and best is not None and score(settings.t) >= score(best)


def _wrong_unit(t: float, metric: Metric) -> str | None:
    """Return the sentence that says in which unit t is, None where it may be in that."""
    if metric.unit != "%":
        return (
            None
            if metric.number(t) is not None
            else f"t = {t:g} is not a valid {metric.name}: it must be {metric.range_text}"
        )
    if 1 < t < 100:
        return None
    return f"t is in percent{f': write {100 * t:g} for {t:g}' if 0 < t < 1 else ', between 1 and 100'}"


def _is_sure(oracle: Oracle) -> bool:
    """Return whether no answer of a query can be better than the optimum."""
    return oracle.search_split == oracle.report_split and facts_of(oracle).answers == "stored"


def _beyond(settings: "Settings", oracle: Oracle) -> str:
    metric, best = metric_of(oracle), optimum_of(oracle)
    assert best is not None
    side = "below" if metric.maximise else "above"
    return f"t = {settings.t:g} is not {side} the best known {metric.name} of {oracle.name}, {metric.text(best)}"
