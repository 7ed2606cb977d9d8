"""Tables as LaTeX, by astropy's writer, with texts that LaTeX takes as they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.io.atomic import atomic_path
from napari_kmos.words import printable

if TYPE_CHECKING:
    from astropy.table import Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{one: f"\\{one}" for one in "&%$#_{}"},
}


def write_latex(table: Table, path: Path | str, *, caption: str = "", overwrite: bool = False) -> Path:
    """Write a table as a LaTeX ``table``, atomically.

    Parameters
    ----------
    table : Table
        Cells and names of columns are LaTeX: `latex_text` makes it of a text.
    path : path
        File to write.
    caption : str
        LaTeX, too.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    """
    told = {"caption": caption} if caption else {}
    with atomic_path(path, overwrite) as temporary:
        table.write(temporary, format="ascii.latex", overwrite=True, latexdict=told)
    return Path(path)


def latex_text(text: str) -> str:
    r"""Return a text as LaTeX shows it.

    Examples
    --------
    >>> latex_text("a_1 & 5 %")
    'a\\_1 \\& 5 \\%'
    """
    return "".join(_SPECIAL.get(letter, letter) for letter in printable(" ".join(text.split())))
