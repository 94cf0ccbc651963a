"""What takes seconds to list of a space: made once a process, or once a study, whose workers are handed it."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Listing = TypeVar("Listing")

_made: dict[str, dict[str, Any]] = {}


def once(space: str, kind: str, make: Callable[[], Listing]) -> Listing:
    """Return the listing of a space that was made in this process or handed to it; else make it."""
    known = _made.setdefault(space, {})
    if kind not in known:
        known[kind] = make()
    listing: Listing = known[kind]
    return listing


def take(space: str) -> dict[str, Any]:
    """Return kind -> listing of a space and forget them: a process that hands them on needs no copy of its own."""
    return _made.pop(space, {})


def hand(space: str, listings: Mapping[str, Any]) -> None:
    """Take another process's listings of a space for this one's."""
    _made.setdefault(space, {}).update(listings)
