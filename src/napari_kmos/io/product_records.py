"""The record beside a product: what was done, to which files, how, by which call, and what came of it."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.calls import Call, current_call, paths_of, plain_arguments
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io.records import checksum, read_json, write_json
from napari_kmos.provenance import package_versions

if TYPE_CHECKING:
    from napari_kmos.provenance import Step

#: Of the layout of a record.
VERSION = 1
#: What no record of ours reaches: it is not looked into.
_MOST_BYTES = 32 * 2**20
#: Letters of a path or name, more than any system takes.
_MOST_LETTERS = 4096
#: Records of one folder that are looked through for a product that is not the main one of its step.
_MOST_RECORDS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFile:
    """A file as a record tells of it.

    Parameters
    ----------
    file : str
        Its path when it was read; of a product its name.
    relative : str
        The path from the folder of the record; empty if there is none.
    sha256 : str
        Checksum of the content; empty if it is not known, as of a folder.
    size : int, optional
        In bytes.
    """

    file: str
    relative: str = ""
    sha256: str = ""
    size: int | None = None

    def is_still(self, path: Path) -> bool:
        """Tell whether a file has the content that was recorded; the checksum is read only if the size is the same.

        Of one that cannot be read nobody can tell, so that it has not.
        """
        if not path.is_file():
            return path.is_dir() and not self.sha256
        if self.size not in (None, path.stat().st_size):
            return False
        with suppress(NotKmosError):
            return checksum(path) == self.sha256
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a record says; nothing in it is more than text and numbers.

    Parameters
    ----------
    path : Path
        The record.
    step : str
        What was done.
    inputs, products : tuple of RecordedFile
        What it was made from, and what was made.
    others : tuple of RecordedFile
        What the call was given beside the inputs.
    parameters, defaults, packages, call : dict
        As written; those that an older record lacks are empty.
    time : str
        When, UTC; empty if it is not told.
    """

    path: Path
    step: str
    inputs: tuple[RecordedFile, ...] = ()
    products: tuple[RecordedFile, ...] = ()
    others: tuple[RecordedFile, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    packages: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)
    time: str = ""

    def find(self, file: RecordedFile) -> tuple[Path | None, bool]:
        """Return where a file is now, and whether its content is what it was.

        It is looked for beside the record, where it was, and under its name in the record's folder; one that is
        unchanged goes before one that is not.
        """
        folder = self.path.parent
        texts = (file.relative, file.file, Path(file.file).name)
        there = [path for path in dict.fromkeys(folder / text for text in texts if text) if _is_there(path)]
        same = next((path for path in there if file.is_still(path)), None)
        return (same, True) if same else (next(iter(there), None), False)


def write_record(product: Path, step: Step, *, products: Iterable[Path] = (), overwrite: bool = False) -> Path:
    """Write ``<product stem>.json`` beside a product: what was done, to which files, how, and what came of it.

    Parameters
    ----------
    product : Path
        The main product.
    step : Step
        What made it; inputs are recorded with their checksums.
    products : iterable of Path
        All products of the step; the main one alone if empty.
    overwrite : bool
        Replace an existing record.

    Returns
    -------
    Path
        The record.
    """
    files = tuple(products) or (product,)
    record = product.with_suffix(".json")
    content = {
        "version": VERSION,
        "step": step.name,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "session": None,
        "packages": dict(package_versions()),
        "platform": platform.platform(),
        "inputs": [_told(path, record) for path in step.inputs],
        "parameters": dict(step.parameters),
        "defaults": dict(step.defaults),
        "measured": dict(step.measured),
        "products": [
            {"file": path.name, "size": path.stat().st_size, "sha256": checksum(path)} for path in map(Path, files)
        ],
        "call": _told_call(current_call(), step, record, files),
    }
    return write_json(content, record, overwrite=overwrite)


def read_record(path: Path | str) -> Record:
    """Read a record: of a step, or of a job of `run`.

    Raises
    ------
    NotKmosError
        If it cannot be read, or is no record.
    """
    target = Path(path)
    if not _is_readable(target):
        msg = f"{target}: is no plain file of {_MOST_BYTES >> 20} MiB at most; expected a record"
        raise NotKmosError(msg)
    content = read_json(target)
    if not {"step", "inputs", "products"} <= content.keys():
        msg = f"{target}: is no record; expected step, inputs and products in it"
        raise NotKmosError(msg)
    call = _mapping(content, "call", target)
    return Record(
        path=target,
        step=_text(content["step"], target),
        inputs=_files(content["inputs"], target),
        products=_files(content["products"], target),
        others=_files(call.get("files", []), target),
        **{name: _mapping(content, name, target) for name in ("parameters", "defaults", "packages")},
        call=call,
        time=_text(content.get("time", ""), target),
    )


def find_record(product: Path | str) -> Record | None:
    """Return the record that tells of a product: the one beside it with its name, else any in its folder.

    Those of the jobs of `run` come last: they say less.
    """
    path = Path(product)
    beside = path.with_suffix(".json")
    others = sorted((each for each in path.parent.glob("*.json") if each != beside), key=_is_of_a_job)
    for candidate in [beside, *others[:_MOST_RECORDS]]:
        with suppress(KmosError):
            record = read_record(candidate)
            if any(file.file == path.name for file in record.products):
                return record
    return None


def is_as_recorded(product: Path) -> bool:
    """Tell whether a product is what the record beside it says was written; True if there is none that tells of it."""
    try:
        told = read_record(product.with_suffix(".json")).products
    except KmosError:
        return True
    digests = [file.sha256 for file in told if file.file == product.name]
    return not digests or checksum(product) in digests


def _is_of_a_job(path: Path) -> tuple[bool, str]:
    return path.name.endswith(".run.json"), path.name


def _is_there(path: Path) -> bool:
    """Tell whether there is a plain file or a folder; a pipe or a device would never end."""
    with suppress(OSError, ValueError):
        return path.is_file() or path.is_dir()
    return False


def _is_readable(path: Path) -> bool:
    """Tell whether a record can be read as a whole; of one that is missing the reading says more."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        return True
    return stat.S_ISREG(state.st_mode) and state.st_size <= _MOST_BYTES


def _told(path: Path, record: Path) -> dict[str, Any]:
    """Return what a record says of a file that was read."""
    whole = path.resolve()
    told: dict[str, Any] = {"file": str(whole)}
    with suppress(ValueError):  # on another drive
        told["relative"] = Path(os.path.relpath(whole, record.resolve().parent)).as_posix()
    if not whole.is_dir():
        told |= {"sha256": checksum(path), "size": path.stat().st_size}
    return told


def _told_call(call: Call | None, step: Step, record: Path, products: Iterable[Path]) -> dict[str, Any]:
    """Return what a record says of the call, or why it does not."""
    if call is None:
        return {"unknown": "it was made by no recipe"}
    try:
        arguments = plain_arguments(call, step.inputs)
    except TypeError as err:
        return {"recipe": call.recipe, "unknown": str(err)}
    inputs = {path.resolve() for path in step.inputs}
    others = dict.fromkeys(path for path in paths_of(arguments) if path not in inputs)
    name = Path(call.arguments[call.out]).name
    return {
        "recipe": call.recipe,
        "arguments": arguments,
        "out": {call.out: name if name in {path.name for path in products} else "."},
        "files": [_told(path, record) for path in others if path.exists()],
    }


def _files(entries: Any, path: Path) -> tuple[RecordedFile, ...]:
    """Return the files that a record names."""
    if not isinstance(entries, list) or not all(isinstance(entry, str | Mapping) for entry in entries):
        msg = f"{path}: is no record; expected a list of files"
        raise NotKmosError(msg)
    whole = [{"file": entry} if isinstance(entry, str) else entry for entry in entries]
    return tuple(
        RecordedFile(
            file=_text(entry.get("file"), path),
            relative=_text(entry.get("relative", ""), path),
            sha256=_text(entry.get("sha256", ""), path),
            size=size if isinstance(size := entry.get("size"), int) else None,
        )
        for entry in whole
    )


def _mapping(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    found = content.get(name, {})
    if isinstance(found, dict):
        return found
    msg = f"{path}: is no record; {name} is a {type(found).__name__}"
    raise NotKmosError(msg)


def _text(value: Any, path: Path) -> str:
    """Return a text of a record, if it can be a name or path."""
    if not isinstance(value, str) or len(value) > _MOST_LETTERS or "\0" in value:
        told = repr(value)[:40]
        msg = f"{path}: is no record; {told} can be no name of a step or file"
        raise NotKmosError(msg)
    return value
