"""What can run is found by the import statements alone."""

import sys
import types
from pathlib import Path

import pytest

from nadlab.provenance.reachable import Reach, reachable


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))


def written(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def package(folder: Path, name: str, text: str = "") -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "__init__.py").write_text(text)


def files(reach: Reach) -> set[str]:
    return set(reach.files)


def test_circles_relative_late_and_submodule_imports_are_followed(tmp_path: Path) -> None:
    package(tmp_path, "rp_mine")
    package(tmp_path, "rp_mine/inner", "from . import deep\n")
    written(
        tmp_path,
        rp_mine__start="from rp_mine import named\nfrom .inner import deep as d\n\ndef late():\n    from . import late_one\n",
        rp_mine__named="import rp_mine.start\n",
        rp_mine__late_one="class C:\n    async def f(self):\n        from ..rp_mine import no_such\n        import rp_mine.later\n",
        rp_mine__later="",
        rp_mine__inner__deep="from .. import above\n",
        rp_mine__above="x = 1\n",
        rp_mine__unused="",
        rp_mine__inner__unused="",
    )
    found = {"__init__", "start", "named", "late_one", "later", "inner/__init__", "inner/deep", "above"}
    assert files(reachable(["rp_mine.start"])) == {f"rp_mine/{name}.py" for name in found}


def test_what_only_a_type_checker_reads_is_left_out(tmp_path: Path) -> None:
    text = "import typing\nif typing.TYPE_CHECKING:\n    import rp_typed\nelse:\n    import rp_other\n"
    written(tmp_path, rp_start=text, rp_typed="", rp_other="")
    assert files(reachable(["rp_start"])) == {"rp_start.py", "rp_other.py"}


def test_namespace_packages_are_walked(tmp_path: Path) -> None:
    written(tmp_path, rp_space__sub__one="from rp_space.sub import two\n", rp_space__sub__two="")
    reach = reachable(["rp_space.sub.one"])
    assert files(reach) == {"rp_space/sub/one.py", "rp_space/sub/two.py"}
    assert not reach.without_file


def test_file_with_a_syntax_error_counts_and_leads_nowhere(tmp_path: Path) -> None:
    written(tmp_path, rp_start="import rp_broken\n", rp_broken="import rp_next\ndef (\n", rp_next="")
    assert files(reachable(["rp_start"])) == {"rp_start.py", "rp_broken.py"}


def test_import_by_name_is_followed_or_noted(tmp_path: Path) -> None:
    text = "import importlib\nimportlib.import_module('rp_constant')\n__import__(f'rp_{1}')\n"
    written(tmp_path, rp_start=text, rp_constant="")
    reach = reachable(["rp_start"])
    assert files(reach) == {"rp_start.py", "rp_constant.py"}
    assert reach.by_name == {"rp_start.py"}


def test_installed_packages_and_missing_ones_are_named_and_not_read(tmp_path: Path) -> None:
    installed = tmp_path / "site-packages"
    package(installed, "rp_installed", "import rp_hidden\n")
    written(tmp_path, rp_start="import os.path, numpy.linalg, rp_missing\nfrom scipy import stats\n", rp_hidden="")
    reach = reachable(["rp_start"])
    assert files(reach) == {"rp_start.py"}
    assert reach.packages == {"numpy.linalg", "rp_missing", "scipy"}


def test_own_package_counts_where_it_is_installed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(str(installed))
    package(installed, "rp_installed", "from rp_installed import part\n")
    written(installed, rp_installed__part="")
    assert reachable(["rp_installed"]).packages == {"rp_installed"}
    assert files(reachable(["rp_installed"], {"rp_installed"})) == {"rp_installed/__init__.py", "rp_installed/part.py"}


def test_cpp_that_a_module_names_counts_with_the_files_beside_it(tmp_path: Path) -> None:
    written(tmp_path, rp_start='SOURCE = Path(__file__).parent / "kernels" / "main.cpp"\n')
    for name in ("kernels/main.cpp", "kernels/part.hpp", "kernels/notes.txt", "elsewhere/other.cpp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert files(reachable(["rp_start"])) == {"rp_start.py", "kernels/main.cpp", "kernels/part.hpp"}


def test_module_without_a_file_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rp_session", types.ModuleType("rp_session"))
    assert reachable(["rp_session"]).without_file == {"rp_session"}


@pytest.mark.parametrize("name", ["biarch2perf", "searcher", "nacg"])
def test_trials_of_nadlab_reach_their_code_and_neither_reports_nor_command_lines(name: str) -> None:
    reach = reachable([f"trainables.{name}"], {"nadlab", "trainables"})
    expected = {
        "nadlab/semigan/losses.py",
        "nadlab/nets/cpp/gin.hpp",
        "nadlab/queries/ledger.py",
        f"trainables/{name}.py",
    }
    assert files(reach) >= expected
    assert ("nadlab/searchers/bananas.py" in reach.files) == (name == "searcher")
    folders = {file.split("/")[1] for file in reach.files}
    assert not folders & {"analysis", "cli", "tracking", "engine"}
    assert {each.partition(".")[0] for each in reach.packages} >= {"torch", "numpy"}
    assert not {each.partition(".")[0] for each in reach.packages} & {"mlflow", "matplotlib", "click"}
