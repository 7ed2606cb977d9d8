"""One call of a recipe: its frames, its parameters, and the folder in which it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_kmos.errors import WriteError
from napari_kmos.io import safe_name, write_text

#: Paths that a set of frames can hold: no blanks, and nothing that CFITSIO takes for a part of its syntax.
_PLAIN = re.compile(r"[A-Za-z0-9_./:-]+")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RecipeRun:
    """One call of a recipe.

    Parameters
    ----------
    name : str
        Of the run, and of what is kept of it.
    recipe : str
        The recipe.
    frames : tuple of (Path, str)
        Input files and their tags, in order.
    parameters : mapping of str to str
        Of the recipe, those that are given.
    files : mapping of str to str
        Texts that are written into the folder of the run, by name.
    config : str
        Text of a parameter file, for runs whose commands are written: the parameters stand there.
    """

    name: str
    recipe: str
    frames: tuple[tuple[Path, str], ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    config: str = ""


def lay_out(run: RecipeRun, folder: Path, sof: Path, *, overwrite: bool = False) -> None:
    """Make the folder of a run with what it needs, and write its set of frames.

    Files whose path a set of frames cannot hold (blanks, letters that are not ASCII) get a link in the folder, under
    a plain name.

    Parameters
    ----------
    run : RecipeRun
        The run.
    folder : Path
        Where it will run.
    sof : Path
        The set of frames.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    WriteError
        If something exists or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = [_entry(path, folder) for path in _linked([path for path, _ in run.frames], folder)]
    except OSError as err:
        msg = f"{folder}: cannot be made ready for {run.recipe} ({err.strerror})"
        raise WriteError(msg) from err
    for name, text in run.files.items():
        write_text(text, folder / name, overwrite=overwrite)
    lines = [f"{name} {tag}\n" for name, (_, tag) in zip(names, run.frames, strict=True)]
    write_text("".join(lines), sof, overwrite=overwrite)


def is_plain(path: Path) -> bool:
    """Tell whether a set of frames can hold a path."""
    return _PLAIN.fullmatch(str(path)) is not None


def _linked(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Return the paths, or links to them in the folder where they are not plain."""
    taken: dict[str, Path] = {}
    linked = []
    for path in (one.absolute() for one in paths):
        if is_plain(path):
            linked.append(path)
            continue
        name = plain = safe_name(path.name)
        number = 1
        while taken.setdefault(name, path) != path:
            number += 1
            name = f"{number}_{plain}"
        link = folder.absolute() / name
        if link.is_symlink():
            link.unlink()
        link.symlink_to(path)
        linked.append(link)
    return linked


def _entry(path: Path, folder: Path) -> str:
    """Return how a file is named in a set of frames: by its path, or by its name in the folder where it is read."""
    return str(path) if is_plain(path) else str(path.relative_to(folder.absolute()))
