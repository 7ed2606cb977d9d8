"""A product made once more from its record, and compared with what it was."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from napari_kmos.errors import KmosError, WriteError
from napari_kmos.io import PICTURES, Record, RecordedFile, differences, find_record, output_dir
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import package_versions
from napari_kmos.recipes.arguments import arguments_from
from napari_kmos.recipes.history import recorded_product
from napari_kmos.recipes.outcome import Outcome

#: Every recipe that can be called again, by its module: a record chooses among these, and can name nothing else.
RECIPES: Mapping[str, str] = MappingProxyType(
    {
        "align": "align",
        "calibrate": "calibrate",
        "combine": "combine",
        "compare": "compare",
        "crop": "crop",
        "cut": "cut",
        "extract": "extract",
        "find": "find",
        "import_offsets": "import_offsets",
        "map": "map_cube",
        "measure": "measure",
        "offsets": "offsets",
        "sky_compare": "sky_compare",
        "sky_mask": "sky_mask",
        "sky_second_pass": "sky_second_pass",
        "sky_tweak": "sky_tweak",
        "solve_wcs": "solve_wcs_of",
        "splice": "splice",
        "telluric": "telluric",
        "versus": "versus",
    }
)
#: Two numbers that differ by less, relative to the larger or to the largest of their plane, are the same.
TOLERANCE = 1e-6


def replay(
    file: Path | str,
    out_dir: Path | str,
    *,
    tolerance: float = TOLERANCE,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Make the products of a step again, as its record tells, and compare them with what they were.

    Parameters
    ----------
    file : path
        A record, or a product that has one.
    out_dir : path
        Folder of what is made: neither that of the product nor one that holds an input.
    tolerance : float
        Relative; see `napari_kmos.io.differences`.
    overwrite : bool
        Replace what an earlier replay made.
    progress : Progress
        Handed to the recipe.

    Returns
    -------
    Outcome
        What was made. Measured: ``equal``; ``step``; ``differences``, texts by product; ``inputs``, those that changed;
        ``versions``, packages of another version than then; ``not_compared``, pictures.

    Raises
    ------
    KmosError
        If there is no record, it does not tell all, or an input is gone.
    WriteError
        If the folder is one of the originals, or something there may not be replaced.
    """
    product, record = recorded_product(Path(file))
    if record is None:
        msg = f"{product}: cannot be made again: no record beside it tells how it was made"
        raise KmosError(msg)
    if not 0 <= tolerance < 1:
        msg = f"tolerance is {tolerance:g}; expected a fraction, such as 1e-6"
        raise KmosError(msg)
    recipe, plain = _call_of(record)
    files, changed = _located(record)
    out = _checked_folder(Path(out_dir), record, files.values())
    arguments = arguments_from(plain, recipe, files) | _place_of(record, out)
    made = _called(recipe, arguments, {"overwrite": overwrite, "progress": progress})
    return Outcome(
        products=made.products,
        extras=made.extras,
        measured=_verdict(record, (*made.products, *made.extras), changed, tolerance),
    )


def _call_of(record: Record) -> tuple[Callable[..., Outcome], Mapping[str, Any]]:
    """Return the recipe that a record names, and its arguments as written."""
    name, plain = record.call.get("recipe"), record.call.get("arguments")
    if not isinstance(plain, dict):
        told = record.call.get("unknown", f"{record.path.name} does not tell with which arguments it was made")
        msg = f"{record.path}: cannot be made again: {str(told)[:200]}"
        raise KmosError(msg)
    if not isinstance(name, str) or name not in RECIPES:
        msg = f"{record.path}: cannot be made again: there is no recipe {str(name)[:40]!r}"
        raise KmosError(msg)
    return getattr(importlib.import_module(f"napari_kmos.recipes.{name}"), RECIPES[name]), plain


def _located(record: Record) -> tuple[dict[str, Path], list[str]]:
    """Return where the files now are by the path they had, and those whose content is another."""
    files, changed = {}, []
    for each in (*record.inputs, *record.others):
        found, is_same = record.find(each)
        if found is None:
            msg = f"{each.file}: cannot be made again: this input is gone; expected it there or beside {record.path}"
            raise KmosError(msg)
        files[each.file] = found
        if not is_same:
            changed.append(str(found))
    return files, changed


def _checked_folder(out: Path, record: Record, inputs: Iterable[Path]) -> Path:
    """Return the folder if nothing that counts is in it or below."""
    place = output_dir(out).resolve()
    for path in (record.path, *inputs):
        if place in (path.resolve(), *path.resolve().parents):
            msg = f"{out}: holds {path.name}, which stays as it is; choose another folder (-o)"
            raise WriteError(msg)
    return out


def _place_of(record: Record, out: Path) -> dict[str, Path]:
    """Return the argument that says where the products go: the folder, or a file of the old name in it."""
    place = record.call.get("out")
    if isinstance(place, dict) and len(place) == 1:
        ((name, text),) = place.items()
        if text == ".":
            return {name: out}
        if isinstance(text, str) and text == Path(text).name and "\0" not in text and os.sep not in text:
            return {name: out / text}
    msg = f"{record.path}: cannot be made again: {str(place)[:60]!r} is no name of a product"
    raise KmosError(msg)


def _called(recipe: Callable[..., Outcome], arguments: Mapping[str, Any], how: Mapping[str, Any]) -> Outcome:
    """Call the recipe; what a record that was tampered with brings about is told in one line."""
    try:
        return recipe(**{**arguments, **how})
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as err:
        if isinstance(err, KmosError):
            raise
        msg = f"cannot be made again: the recipe does not take what the record tells ({type(err).__name__}: {err})"
        raise KmosError(msg) from err


def _verdict(record: Record, made: Sequence[Path], changed: list[str], tolerance: float) -> dict[str, Any]:
    """Compare every product with the original and tell what differs."""
    by_name = {path.name: path for path in reversed(made)}
    compared = [each for each in record.products if Path(each.file).suffix not in PICTURES]
    found = {each.file: _differences(record, each, by_name, tolerance) for each in compared}
    now = package_versions()
    versions = {
        name: {"then": version, "now": now.get(name, "")}
        for name, version in record.packages.items()
        if version != now.get(name, "")
    }
    return {
        "equal": not changed and not any(found.values()),
        "step": record.step,
        "record": str(record.path.absolute()),
        "differences": found,
        "inputs": changed,
        "versions": versions,
        "parameters": _other_parameters(record, made),
        "not_compared": [each.file for each in record.products if each not in compared],
    }


def _differences(record: Record, product: RecordedFile, made: Mapping[str, Path], tolerance: float) -> list[str]:
    """Return what differs between an original and what was made again."""
    original = record.path.parent / Path(product.file).name
    again = made.get(original.name)
    if again is None:
        return ["was not made this time"]
    if product.is_still(again):
        return []  # byte by byte what was made then, whatever became of the original
    if not original.is_file():
        return ["is not the same byte by byte, and the original is gone: nothing else can be compared"]
    if not product.is_still(original):
        return ["the original was changed after it was made", *differences(again, original, tolerance=tolerance)]
    return differences(again, original, tolerance=tolerance)


def _other_parameters(record: Record, made: Iterable[Path]) -> dict[str, Any]:
    """Return the parameters that had another value this time: a default that is another in this version."""
    names = {each.file for each in record.products}
    again = next((each for path in made if path.name in names and (each := find_record(path))), None)
    now = {} if again is None else again.parameters
    return {
        name: {"then": value, "now": now.get(name)}
        for name, value in record.parameters.items()
        if again is not None and now.get(name) != value
    }
