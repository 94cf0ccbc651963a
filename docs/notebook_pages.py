"""MkDocs' hook: each notebook also becomes a page of its texts and code."""

import json
from pathlib import Path
from typing import Any


def on_files(files: Any, config: Any) -> Any:
    """Add a page beside every notebook of the site."""
    from mkdocs.structure.files import File

    for name in [each.src_uri for each in files if each.src_uri.endswith(".ipynb")]:
        text = page(json.loads((Path(config["docs_dir"]) / name).read_text(encoding="utf-8")))
        files.append(File.generated(config, name.replace(".ipynb", ".md"), content=text))
    return files


def page(notebook: dict[str, Any]) -> str:
    """Return a notebook as Markdown."""
    cells = [("".join(cell["source"]), cell["cell_type"] == "code") for cell in notebook["cells"]]
    return "\n\n".join(f"```python\n{text}\n```" if code else text for text, code in cells)
