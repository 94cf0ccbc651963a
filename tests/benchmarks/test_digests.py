"""What is shown of the digest of a benchmark's answers."""

import pytest

from nadlab.benchmarks.files import short_digest


@pytest.mark.parametrize(
    ("digest", "shown"),
    [("0123456789abcdef" * 4, "0123456789ab"), ("flowers, version 1", "flowers, version 1"), ("abcdef", "abcdef")],
)
def test_a_checksum_is_shortened_and_a_text_is_not(digest: str, shown: str) -> None:
    assert short_digest(digest) == shown
