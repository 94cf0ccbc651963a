"""The first minute of a user, timed in a terminal."""

import pytest

from nadlab.errors import UserError
from perf.scale.quick_start import smoke


@pytest.mark.services
def test_the_moments_of_a_study_follow_each_other() -> None:
    seconds = smoke(("--seeds", "1", "--vary", "alpha=0.5"))
    moments = [seconds[name] for name in ("first words", "first epoch", "trained", "report", "end")]
    assert moments == sorted(moments)
    assert 0 < seconds["driver's CPU"] < 4 * seconds["end"]


def test_a_study_that_fails_is_one_sentence_with_its_last_words() -> None:
    with pytest.raises(UserError, match=r"the study failed") as error:
        smoke(("--seeds", "x"))
    assert "'x' names no seeds" in str(error.value)
