"""The parts of a section of the report."""

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class RunLink:
    """One trial's run in MLflow."""

    run: str
    url: str
    label: str


@dataclass(frozen=True)
class Picture:
    """A plot; `name` is its files' stem."""

    name: str
    figure: Figure
    caption: str
    folded: bool = False
    """behind a fold: for those who ask on"""


@dataclass(frozen=True)
class Table:
    """A table of text; `name` is the stem of its LaTeX file."""

    name: str
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    runs: tuple[tuple[RunLink, ...], ...] = ()
    """for each row the runs that its numbers come from; empty where there is no store"""
    marked: frozenset[int] = frozenset()
    """rows that are highlighted, such as the default's"""
    folded: str = ""
    """what a click unfolds the table by; empty where it is open"""


@dataclass(frozen=True)
class Section:
    """A heading with sentences, plots and tables."""

    title: str
    sentences: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: bool = False
    """shown closed"""

    @property
    def anchor(self) -> str:
        """Name of the section in the page's address."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.title.lower())
