"""What documents say of files, headings, commands and benchmarks is there; spelling is checked by `make check` itself."""

import json
import re
import runpy
from itertools import pairwise
from pathlib import Path

import click
import pytest
from markdown_it import MarkdownIt

import nadlab
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.main import nadlab as command

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(path for folder in (ROOT, ROOT / "docs") for path in folder.glob("*.md"))
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub and the site make them."""
    blocks = MarkdownIt().parse(document.read_text())
    heads = [after.content for each, after in pairwise(blocks) if each.type == "heading_open"]
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", head).strip().lower()) for head in heads}


def links(document: Path) -> list[str]:
    blocks = MarkdownIt().enable("table").parse(document.read_text())
    inline = [child for block in blocks for child in block.children or ()]
    found = [child.attrGet("href") or child.attrGet("src") for child in inline if child.type in ("link_open", "image")]
    return [str(link) for link in found if not str(link).startswith(("http://", "https://"))]


def broken(document: Path) -> list[str]:
    """Return the relative links that lead to no file, or to no heading of it."""
    found = []
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@each_document
def test_links_lead_to_a_file_and_a_heading(document: Path) -> None:
    assert broken(document) == []


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "# A *b*, c\n[1](page.md) [2](#a-b-c) [3](#a-b)\n\n| a |\n| --- |\n| ![4](no.png) [5](no.md#a) |\n"
    )
    assert broken(document) == ["#a-b", "no.png", "no.md#a"]


@each_document
def test_no_line_is_longer_than_120_characters(document: Path) -> None:
    assert [line for line in document.read_text().splitlines() if len(line) > 120] == []


def test_readme_is_one_page() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 100
    assert len(text.split()) <= 1_000


def test_readme_names_the_splits_of_the_benchmarks_that_are_here() -> None:
    rows = re.findall(r"^\| (`.*) \| .* \| (\w+) \| (\w+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    here = 0
    for names, search_split, report_split in rows:
        for name in re.findall(r"`([^`]+)`", names):
            if name.startswith(("mnist1d", "analog-nasbench", "nas-bench-graph")):
                oracle = benchmark(name)
                assert (oracle.search_split, oracle.report_split) == (search_split, report_split), name
                here += 1
    assert here == 5


def test_every_public_name_is_documented() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    reference = re.findall(r"^::: nadlab\S*\.(\w+)$", (ROOT / "docs" / "reference.md").read_text(), re.MULTILINE)
    assert set(nadlab.__all__) <= set(rows)
    assert set(nadlab.__all__) <= set(reference)


def test_every_page_is_in_the_sites_navigation() -> None:
    named = re.findall(r"([\w/]+)\.md", (ROOT / "mkdocs.yml").read_text())
    pages = [path.stem for path in (ROOT / "docs").glob("*.md")] + [f"notebooks/{path.stem}" for path in NOTEBOOKS]
    assert sorted(named) == sorted(pages)


@pytest.mark.parametrize("name", ["commands.md", "results.md", "studies.md"])
def test_generated_pages_are_current(name: str) -> None:
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()
    path = ROOT / "docs" / name
    assert path.read_text() == pages[path], "run `python docs/generate.py`"


def test_an_option_without_a_help_text_is_refused() -> None:
    section = runpy.run_path(str(ROOT / "docs" / "generate.py"))["_section"]
    silent = click.Command("silent", params=[click.Option(["--quiet"])], help="Say nothing.")
    with pytest.raises(ValueError, match="silent --quiet has no help text"):
        section("silent", silent)
    assert isinstance(command, click.Group)
    assert all(f"## nadlab {name}\n" in (ROOT / "docs" / "commands.md").read_text() for name in command.commands)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_keep_no_outputs(notebook: Path) -> None:
    code = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
