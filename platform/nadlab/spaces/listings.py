"""Listings of a space that take seconds: made once for a process, or once for a study and passed to its workers."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Listing = TypeVar("Listing")

_made: dict[str, dict[str, Any]] = {}


def once(space: str, kind: str, make: Callable[[], Listing]) -> Listing:
    """Return the listing of a space that was made in this process or passed to it; else make it."""
    known = _made.setdefault(space, {})
    if kind not in known:
        known[kind] = make()
    listing: Listing = known[kind]
    return listing


def take(space: str) -> dict[str, Any]:
    """Return kind -> listing of a space and forget them: a process that passes them on needs no copy."""
    return _made.pop(space, {})


def hand(space: str, listings: Mapping[str, Any]) -> None:
    """Use another process's listings of a space."""
    _made.setdefault(space, {}).update(listings)
