"""How a product came to be: the tree from it back to the pipeline's files, as records and headers tell it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import (
    FITS_ENDINGS,
    RecipeBlock,
    Record,
    RecordedFile,
    find_record,
    read_primary,
    read_recipe_blocks,
    read_record,
)
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.outcome import Outcome

#: Steps from a product to its beginnings, and files of a tree: more than any night has.
_DEEPEST, _MOST = 64, 20_000
_OURS = "napari-kmos"


def history(file: Path | str, *, progress: Progress = silent) -> Outcome:
    """Tell how a file came to be, back to the files of the pipeline; nothing is written.

    Each input is looked for beside the record, where it was, and under its name in the record's folder, and its
    checksum is compared. What a step made without a record was made from is told by the header of the file.

    Parameters
    ----------
    file : path
        A product, or a record.
    progress : Progress
        Told each file that is looked at.

    Returns
    -------
    Outcome
        ``measured["tree"]``: ``file``; ``state`` (``unchanged``, ``moved``, ``changed``, ``missing``; ``given`` for the
        file itself); ``step``, ``version``, ``time``, ``changed`` (parameters that are not at their defaults) and
        ``told_by`` (``record``, ``header`` or nothing) of what made it; ``earlier``, steps that its header tells of and
        no record; ``pipeline``, ESO's recipes in one line; ``again``, whether the tree has told of it before; and
        ``inputs``, a list of the same.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    """
    path = Path(file)
    if not path.is_file():
        msg = f"{path}: is no file; expected a product, or the record beside it (.json)"
        raise NotKmosError(msg)
    return Outcome(measured={"tree": _Tree(progress).node(path, "given", 0)})


def recorded_product(path: Path) -> tuple[Path, Record | None]:
    """Return a product and its record, from either of them; the record is None where there is none.

    Raises
    ------
    NotKmosError
        If it is a JSON file, and no record.
    """
    if path.suffix != ".json":
        return path, find_record(path)
    record = read_record(path)
    if not record.products:
        msg = f"{path}: names no product"
        raise NotKmosError(msg)
    return path.parent / Path(record.products[0].file).name, record


@dataclass
class _Tree:
    """The tree in the making, and which files it has told of."""

    progress: Progress
    seen: set[Path] = field(default_factory=set)

    def node(self, path: Path, state: str, depth: int) -> dict[str, Any]:
        """Return what is told of a file that is there."""
        self.progress(0, 0, f"looking at {path.name}")
        path, record = recorded_product(path) if depth == 0 else (path, find_record(path))
        told = {"file": str(path.absolute()), "state": state}
        place = path.resolve()
        if place in self.seen or depth >= _DEEPEST or len(self.seen) >= _MOST:
            return {**told, "again": True}
        self.seen.add(place)
        blocks = _blocks(path)
        told |= {"pipeline": _pipeline(blocks)}
        if record is None:
            return {**told, **_told_by_header(blocks)}
        inputs = [self._input(record, file, depth + 1) for file in record.inputs]
        return {**told, **_told_by_record(record), "inputs": inputs}

    def _input(self, record: Record, file: RecordedFile, depth: int) -> dict[str, Any]:
        """Return what is told of an input, wherever it is now."""
        found, is_same = record.find(file)
        if found is None:
            return {"file": file.file, "state": "missing"}
        if found.is_dir():
            return {"file": str(found.absolute()), "state": "unchanged"}
        is_moved = found.resolve() != Path(file.file)
        return self.node(found, "changed" if not is_same else "moved" if is_moved else "unchanged", depth)


def _told_by_record(record: Record) -> dict[str, Any]:
    """Return what a record tells of a step."""
    defaults = record.defaults
    changed = {
        name: value for name, value in record.parameters.items() if name not in defaults or defaults[name] != value
    }
    version = str(record.packages.get(_OURS, ""))
    return {"told_by": "record", "step": record.step, "version": version, "time": record.time, "changed": changed}


def _told_by_header(blocks: tuple[RecipeBlock, ...]) -> dict[str, Any]:
    """Return what a header tells of our last step, and of those before it."""
    own = [block for block in blocks if block.recipe.startswith(f"{_OURS} ")]
    steps = [
        {
            "step": block.recipe.removeprefix(f"{_OURS} "),
            "version": block.version.removeprefix(f"{_OURS}/"),
            "changed": block.changed,
            "names": list(block.inputs),
        }
        for block in own
    ]
    return {"told_by": "header", **steps[-1], "earlier": steps[-2::-1]} if steps else {"told_by": ""}


def _pipeline(blocks: tuple[RecipeBlock, ...]) -> str:
    """Return ESO's recipes in one line."""
    return ", ".join(f"{block.recipe} {block.version}".strip() for block in blocks if _OURS not in block.recipe)


def _blocks(path: Path) -> tuple[RecipeBlock, ...]:
    """Return the recipe blocks of a FITS file; none of another."""
    if path.name.endswith(FITS_ENDINGS):
        with suppress(KmosError):
            return read_recipe_blocks(read_primary(path))
    return ()


def told_changed(changed: Mapping[str, Any]) -> str:
    """Return parameters as one would write them: ``method=psf radius=1.2``."""
    return " ".join(f"{name}={'' if value is None else value}" for name, value in changed.items())
