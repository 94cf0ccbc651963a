"""The source root `platform/` must never shadow the standard library's module of that name."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_platform_folder_is_no_package() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_standard_library_platform_wins_at_the_root() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.system())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip()


def test_package_itself_does_not_import_its_public_api() -> None:
    # the lazy names of `nadlab` are invisible to import-linter: a layer could import one that lies above it
    found = [
        str(path)
        for path in (ROOT / "platform").rglob("*.py")
        if re.search(r"^\s*from nadlab import", path.read_text(), re.MULTILINE)
    ]
    assert found == [str(ROOT / "platform" / "nadlab" / "__init__.py")]  # its docstring
