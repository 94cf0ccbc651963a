"""The digest of a source file: of what Python runs, so that comments, docstrings and layout can change freely."""

import ast
import hashlib
from pathlib import Path


def source_digest(path: Path) -> str:
    """Return the digest of a file, 16 hexadecimal digits: of a Python file's syntax tree, else of its bytes."""
    content = path.read_bytes()
    return hashlib.sha256(_tree(content) if path.suffix == ".py" else content).hexdigest()[:16]


def _tree(content: bytes) -> bytes:
    try:
        return repr(_plain(ast.parse(content))).encode("utf-8", "surrogatepass")
    except (SyntaxError, ValueError):  # it cannot run: its bytes must do
        return content


def _plain(node: object) -> object:
    """Return a syntax tree as tuples and lists, without bare strings and without what a Python version may add empty."""
    if isinstance(node, ast.AST):
        fields = ((name, getattr(node, name, None)) for name in node._fields)
        return type(node).__name__, [(name, _plain(value)) for name, value in fields if value not in (None, [])]
    return [_plain(each) for each in node if not _is_bare_string(each)] if isinstance(node, list) else node


def _is_bare_string(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
