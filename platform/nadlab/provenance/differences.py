"""What differs between two origins of results, in words."""

from collections.abc import Mapping, Sequence

from nadlab.provenance.code import ALWAYS, OWN, Sources

FILES_NAMED = 5
"""differing files that a sentence names"""


def differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the names in `new` whose values decide results and differ; `old` may hold more.

    A module of one's own that `old` did not use is not a difference, nor are the packages that came with it.
    """
    grown = any(name.startswith(OWN) and name not in old for name in new)
    return [
        name
        for name in new
        if name != "git_revision" and old.get(name) != new[name] and (name in old or name in ALWAYS or not grown)
    ]


def reasons(old: Mapping[str, str], new: Mapping[str, str], ran: Sources, runs: Sources) -> list[str]:
    """Return what differs between two origins: parts of the code by their files, all else by both values.

    ran, runs: the sources of each; `ran` lacks what was not kept. `code` has no line of its own where its files are unknown.
    """
    found = []
    for name in differing(old, new):
        files = _changed(ran.get(name, {}), runs.get(name, {}))
        where = f" in {_listed(files)}" if files else ""
        if name.startswith(OWN):
            found.append(f"your module {name.removeprefix(OWN)} differs{where}")
        elif name != "code":
            found.append(f"{name} {old.get(name, 'unknown')}, now {new[name]}")
        elif files:
            found.append(f"the code differs{where}")
    return found


def mismatches(old: Mapping[str, str], new: Mapping[str, str], ran: Sources, runs: Sources) -> list[str]:
    """Return a sentence for each value that decides results and differs; arguments as of `reasons`."""
    files = {name: _changed(ran.get(name, {}), runs.get(name, {})) for name in differing(old, new)}
    return [
        f"{name} was {old.get(name, 'not recorded')}, here it is {new[name]}"
        + (f" (different: {_listed(changed)})" if changed else "")
        for name, changed in files.items()
    ]


def _changed(ran: Mapping[str, str], runs: Mapping[str, str]) -> list[str]:
    """Return the files that differ, none where they were not kept."""
    return sorted(file for file in ran.keys() | runs.keys() if ran.get(file) != runs.get(file)) if ran else []


def _listed(files: Sequence[str]) -> str:
    """Return files in words, at most `FILES_NAMED` of them by name."""
    if len(files) > FILES_NAMED:
        return f"{', '.join(files[:FILES_NAMED])} and {len(files) - FILES_NAMED} others"
    return " and ".join(filter(None, [", ".join(files[:-1]), files[-1]]))
