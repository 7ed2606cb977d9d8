"""One piece of work of a run: done once, and again only when something it depends on has changed.

What is known of a finished job stands in ``<job>.run.json`` beside its products: the inputs with their checksums, the
parameters, the version, and the products with theirs. Delete the file, or a product, and the job is done again.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos._version import __version__
from napari_kmos.errors import KmosError, KmosWarning, WriteError
from napari_kmos.io import checksum, json_text, output_dir, read_json, safe_name, write_json
from napari_kmos.recipes.outcome import Outcome

if TYPE_CHECKING:
    from napari_kmos.progress import Progress

_log = logging.getLogger(__name__)
#: Files a person may edit after they were made; such an edit is kept.
_EDITABLE = (".ecsv", ".reg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One call of a recipe.

    Parameters
    ----------
    step : str
        Step of the plan.
    name : str
        Unique in the folder.
    folder : Path
        Where the products go.
    inputs : tuple of Path
        Every file the products depend on.
    parameters : mapping
        Everything else they depend on, as plain values.
    call : callable
        ``call(overwrite, progress) -> Outcome``.
    """

    step: str
    name: str
    folder: Path
    inputs: tuple[Path, ...]
    parameters: Mapping[str, Any]
    call: Callable[[bool, Progress], Outcome]

    @property
    def record(self) -> Path:
        """File that tells what the job has done."""
        return self.folder / f"{safe_name(self.name)}.run.json"


def do_job(job: Job, *, again: bool = False, overwrite: bool = False, progress: Progress) -> tuple[Outcome, bool]:
    """Do a job unless it is done and unchanged.

    Parameters
    ----------
    job : Job
        The work.
    again : bool
        Do it even if nothing has changed.
    overwrite : bool
        Replace products which this job has not made.
    progress : Progress
        Handed to the recipe.

    Returns
    -------
    Outcome
        Of this time or of the last; its warnings are given again.
    bool
        Whether anything was done.

    Raises
    ------
    WriteError
        If a table was edited by hand while what it was made from has changed, too.
    """
    output_dir(job.folder)
    record = _read_record(job.record)
    wanted = _wanted(job, record)
    edited = _edited(job.folder, record)
    if not again and record.get("state") == "done" and _agree(record, wanted) and _is_whole(job.folder, record):
        _log.info("%s %s: unchanged", job.step, job.name)
        return _remembered(job, record, edited), False
    if edited and not overwrite:
        msg = (
            f"{edited[0]}: was edited after it was made, and what it was made from has changed; keep your edit under "
            f"another name, or delete the file to have it made again (--overwrite deletes it)"
        )
        raise WriteError(msg)
    write_json({**wanted, "state": "started", "products": record.get("products", [])}, job.record, overwrite=True)
    outcome, texts = _with_warnings(lambda: job.call(overwrite or bool(record), progress))
    outcome = replace(outcome, products=_absolute(outcome.products), extras=_absolute(outcome.extras))
    _remove_stale(job.folder, record, (*outcome.products, *outcome.extras))
    write_json({**wanted, **_done(job.folder, outcome), "warnings": texts}, job.record, overwrite=True)
    return outcome, True


def _wanted(job: Job, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the products of a job depend on."""
    known = {entry["file"]: entry for entry in record.get("inputs", ())}
    parameters: dict[str, Any] = json.loads(json_text(job.parameters))
    return {
        "step": job.step,
        "job": job.name,
        "version": __version__,
        "inputs": [_stamp(path, str(path.absolute()), known) for path in job.inputs],
        "parameters": parameters,
    }


def _agree(record: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a record speaks of the same work; inputs are compared by name and content, not by place or date."""
    for key in ("step", "version", "parameters"):
        if record.get(key) != wanted[key]:
            return False
    return _contents(record.get("inputs", ())) == _contents(wanted["inputs"])


def _contents(entries: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(Path(entry["file"]).name, entry["sha256"]) for entry in entries]


def _stamp(path: Path, name: str, known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return name, size, date and checksum of a file; the checksum is read only if size or date are not as known."""
    try:
        stat = path.stat()
    except OSError as err:
        msg = f"{path}: cannot be read ({err.strerror})"
        raise KmosError(msg) from err
    before = known.get(name, {})
    same = (before.get("size"), before.get("mtime_ns")) == (stat.st_size, stat.st_mtime_ns)
    digest = before["sha256"] if same else checksum(path)
    return {"file": name, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": digest}


def _is_whole(folder: Path, record: Mapping[str, Any]) -> bool:
    """Whether every product is there, as it was made or edited by hand."""
    return all(
        (folder / entry["file"]).is_file() and (not _is_changed(folder, entry) or _is_editable(entry))
        for entry in record["products"]
    )


def _edited(folder: Path, record: Mapping[str, Any]) -> list[Path]:
    """Return the tables that a person has edited."""
    if record.get("state") != "done":
        return []
    entries = [entry for entry in record["products"] if _is_editable(entry)]
    return [folder / entry["file"] for entry in entries if _is_changed(folder, entry)]


def _is_editable(entry: Mapping[str, Any]) -> bool:
    return Path(entry["file"]).suffix in _EDITABLE


def _is_changed(folder: Path, entry: Mapping[str, Any]) -> bool:
    """Whether a product exists with another content than it was made with."""
    path = folder / entry["file"]
    if not path.is_file():
        return False
    return bool(_stamp(path, entry["file"], {entry["file"]: entry})["sha256"] != entry["sha256"])


def _remembered(job: Job, record: Mapping[str, Any], edited: Iterable[Path]) -> Outcome:
    """Return the outcome of the last time, with its warnings."""
    for text in record["warnings"]:
        warnings.warn(text, KmosWarning, stacklevel=3)
    for path in edited:
        text = f"{path}: was edited after it was made; the edit is kept (delete the file to have it made again)"
        warnings.warn(text, KmosWarning, stacklevel=3)
    paths = {kind: [e["file"] for e in record["products"] if e["kind"] == kind] for kind in ("product", "extra")}
    return Outcome(
        products=tuple(job.folder.absolute() / name for name in paths["product"]),
        extras=tuple(job.folder.absolute() / name for name in paths["extra"]),
        measured=record["measured"],
    )


def _done(folder: Path, outcome: Outcome) -> dict[str, Any]:
    """Return what a record says of a finished job."""
    kinds = [("product", path) for path in outcome.products] + [("extra", path) for path in outcome.extras]
    return {
        "state": "done",
        "measured": outcome.measured,
        "products": [{**_stamp(path, _within(folder, path), {}), "kind": kind} for kind, path in kinds],
    }


def _remove_stale(folder: Path, record: Mapping[str, Any], now: Iterable[Path]) -> None:
    """Remove what the job made the last time and not this time, unless it was changed since."""
    made = {_within(folder, path) for path in now}
    for entry in record.get("products", ()):
        if entry["file"] not in made and not _is_changed(folder, entry):
            (folder / entry["file"]).unlink(missing_ok=True)


def _with_warnings(call: Callable[[], Outcome]) -> tuple[Outcome, list[str]]:
    """Call, and return the texts of the KmosWarnings as well; they are given again to whoever listens."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.filterwarnings("always", category=KmosWarning)
            outcome = call()
    finally:
        for item in caught:
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
    return outcome, list(dict.fromkeys(str(item.message) for item in caught if issubclass(item.category, KmosWarning)))


def _absolute(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(Path(path).absolute() for path in paths)


def _within(folder: Path, path: Path) -> str:
    """Return the name of a product relative to the job's folder."""
    return path.absolute().relative_to(folder.absolute()).as_posix()


def _read_record(path: Path) -> dict[str, Any]:
    """Return the record of the last time; empty if there is none or it cannot be used."""
    try:
        record = read_json(path)
    except KmosError:
        return {}
    return record if {"state", "inputs", "products"} <= set(record) else {}
