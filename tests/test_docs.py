"""The documents' code runs as it stands: each section from its top to its end, in a folder of its own.

A block marked `bash` or `python` is run; `python title="FILE"` is written to that file, for the sections below too; a block of another
kind, such as `text`, is shown only.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import nadlab
from tests.conftest import own_cache

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
WRAPPED = ("CHANGELOG.md", "CONTRIBUTING.md", "DESIGN.md")
RUN = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that looks like the repository to the commands."""
    for name in ("studies", "trainables", "docs", "README.md", "cluster.yaml", "cluster.local.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def environment() -> dict[str, str]:
    """The repository's code and its virtual environment come first, as after `. .venv/bin/activate`."""
    bin_folder = str(Path(sys.executable).parent)
    return os.environ | {
        "PATH": os.pathsep.join([bin_folder, os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)]),
    }


@dataclass(frozen=True)
class Section:
    """A heading's blocks that are run, and the files that the document has named up to its end."""

    document: str
    number: int
    blocks: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...]


def sections(document: Path) -> list[Section]:
    """Return the sections that run something, by headings of the second level."""
    found: list[list[tuple[str, str]]] = [[]]
    files: list[list[tuple[str, str]]] = [[]]
    for block in MarkdownIt().parse(document.read_text()):
        language, _, rest = block.info.partition(" ")
        title = re.search(r'title="([^"]+)"', rest)
        if (block.type, block.tag) == ("heading_open", "h2"):
            found.append([])
            files.append(list(files[-1]))
        elif block.type == "fence" and title:
            files[-1].append((title[1], block.content))
        elif block.type == "fence" and language in RUN:
            found[-1].append((language, block.content))
    parts = enumerate(zip(found, files, strict=True))
    return [Section(document.stem, number, tuple(run), tuple(named)) for number, (run, named) in parts if run]


SECTIONS = [section for document in DOCUMENTS for section in sections(document)]


@pytest.mark.services
@pytest.mark.timeout(600)
@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.document}-{section.number}")
def test_every_block_of_a_section_runs(section: Section, place: Path) -> None:
    env = environment() | {"NADLAB_CACHE": own_cache(place)}
    env.pop("NADLAB_DATA", None)
    for name, content in section.files:
        (place / name).write_text(content)
    for language, content in section.blocks:
        done = subprocess.run([*RUN[language], content], cwd=place, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{section.document}:\n{content}\n{done.stdout}\n{done.stderr}"


def test_every_public_name_is_documented() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert set(nadlab.__all__) <= set(rows)


@pytest.mark.parametrize("document", [*sorted(ROOT.glob("*.md")), *DOCUMENTS], ids=lambda path: path.stem)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", [*map(ROOT.joinpath, WRAPPED), *DOCUMENTS], ids=lambda path: path.stem)
def test_prose_is_wrapped(document: Path) -> None:
    prose = [block.content for block in MarkdownIt().parse(document.read_text()) if block.type == "inline"]
    lines = [line for content in prose for line in content.splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > 120] == []
