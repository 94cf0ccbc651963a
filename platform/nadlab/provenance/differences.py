"""What differs between two origins of results, in words."""

from collections.abc import Iterable, Mapping

from nadlab.provenance.code import ALWAYS, OWN, Sources

FILES_NAMED = 5
"""differing files that a sentence names"""


def differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the names in `new` whose values decide results and differ; `old` may hold more.

    A module of one's own that `old` did not use is no difference, nor are the packages that came with it.
    """
    grown = any(name.startswith(OWN) and name not in old for name in new)
    return [
        name
        for name in new
        if name != "git_revision" and old.get(name) != new[name] and (name in old or name in ALWAYS or not grown)
    ]


def changed_files(name: str, old: Sources, new: Sources) -> str:
    """Return what differs in a part of the code, by the names of the files where they are known."""
    before, now = old.get(name, {}), new.get(name, {})
    files = sorted(file for file in before.keys() | now.keys() if before.get(file) != now.get(file)) if before else []
    return f"{part_text(name)} differs" + (f" in {listed(files)}" if files else "")


def part_text(name: str) -> str:
    """Return a part of the code in words."""
    return f"your module {name.removeprefix(OWN)}" if name.startswith(OWN) else "the code"


def is_code(name: str) -> bool:
    """Return whether a name of an origin is a part of the code."""
    return name == "code" or name.startswith(OWN)


def listed(files: Iterable[str]) -> str:
    """Return files in words, at most `FILES_NAMED` of them by name."""
    names = list(files)
    shown, others = names[:FILES_NAMED], len(names) - FILES_NAMED
    if others > 0:
        return f"{', '.join(shown)} and {others} others"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def mismatches(recorded: Mapping[str, str], here: Mapping[str, str], ran: Sources, runs: Sources) -> list[str]:
    """Return a sentence for each part of what decides a result that differs from where it was recorded.

    ran, runs: the sources then and now; `ran` is empty where they were not kept.
    """
    found = []
    for name in differing(recorded, here):
        values = f"{name} was {recorded.get(name, 'not recorded')}, here it is {here[name]}"
        found.append(f"{changed_files(name, ran, runs)} ({values})" if is_code(name) else values)
    return found
