"""The documents' code runs as it stands: each section from its top to its end, in a folder of its own.

A block marked `bash` or `python` is run; `python title="FILE"` is written to that file, for the sections below too; a block of another
kind, such as `text`, is shown only. A notebook's cells are one program: that needs no Jupyter, which brings 24 packages.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.conftest import Done, own_cache

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
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


def program(notebook: Path) -> Section:
    """Return the cells of a notebook as one block."""
    code = [cell["source"] for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    return Section(notebook.stem, 0, (("python", "\n".join("".join(lines) for lines in code)),), ())


SECTIONS = [section for document in DOCUMENTS for section in sections(document)] + [program(each) for each in NOTEBOOKS]


@pytest.mark.services
@pytest.mark.timeout(600)
@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.document}-{section.number}")
def test_every_block_of_a_section_runs(section: Section, place: Path) -> None:
    run_section(section, place)


@pytest.mark.timeout(600)
def test_readme_code_runs_on_the_study_that_it_names(smoke_study: Done, place: Path) -> None:
    (place / "runs" / "ablate_alpha").mkdir(parents=True)
    (place / "runs" / "ablate_alpha" / "mnist1d-201").symlink_to(smoke_study.out)
    (section,) = sections(ROOT / "README.md")
    run_section(section, place)


@pytest.mark.services
@pytest.mark.timeout(600)
def test_the_site_is_built_and_asks_nothing_of_the_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert {"index.html", "commands.html", "reference.html", "study.html"} <= {page.name for page in pages}
    loaded = r"<(?:script|link|img|iframe|source)[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*|url\((?:https?:)?//[^)]*|@import[^;]*"
    for path in [*pages, *tmp_path.rglob("*.css")]:
        assert re.findall(loaded, path.read_text()) == [], path


def run_section(section: Section, place: Path) -> None:
    """Run a section's blocks one after the other in a folder."""
    env = environment() | {"NADLAB_CACHE": own_cache(place), "MPLBACKEND": "agg"}
    env.pop("NADLAB_DATA", None)
    for name, content in section.files:
        (place / name).write_text(content)
    for language, content in section.blocks:
        done = subprocess.run([*RUN[language], content], cwd=place, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{section.document}:\n{content}\n{done.stdout}\n{done.stderr}"
