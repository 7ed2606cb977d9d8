"""Spectra of stars as they are given: files, tables of them, folders; what cannot be used is told, the rest goes on."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import ExtractionError, KmosError, KmosWarning
from napari_kmos.io import read_spectrum, read_table

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.spectrum import StarSpectrum

_SPECTRA = "spec_*.fits"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class GivenSpectrum:
    """A file that was given as the spectrum of a star.

    Parameters
    ----------
    path : Path
        The file.
    spectrum : StarSpectrum, optional
        None if it is none.
    note : str
        Why it is none, or which other files have the same id.
    """

    path: Path
    spectrum: StarSpectrum | None = None
    note: str = ""


def read_star_spectra(spectra: Sequence[Path | str], progress: Progress, *, n_more: int = 1) -> list[GivenSpectrum]:
    """Read spectra of stars, each file once; sky spectra are left out.

    Parameters
    ----------
    spectra : sequence of path
        Spectra of `extract`, their tables, or folders of them.
    progress : Progress
        Told each file.
    n_more : int
        Further parts of the work that follow.

    Returns
    -------
    list of GivenSpectrum
        In the order given, tables that cannot be read first; what cannot be read has a note, and a warning says so.

    Raises
    ------
    ExtractionError
        If there is no spectrum of a star.
    NotKmosError
        If no file can be read.
    """
    files, found, failed = _listed(spectra)
    for number, path in enumerate(files):
        progress(number, len(files) + n_more, f"reading {path.name}")
        try:
            spectrum = read_spectrum(path)
        except KmosError as err:
            failed.append(err)
            found.append(GivenSpectrum(path=path, note=str(err).removeprefix(f"{path}: ")))
            continue
        if spectrum.aperture.kind == "star":
            found.append(GivenSpectrum(path=path, spectrum=spectrum))
        else:
            _log.info("%s: a sky spectrum, left out", path.name)
    if not any(one.spectrum for one in found):
        if failed:
            raise failed[0]
        what = f"{len(files)} files, no star's spectrum among them" if files else "no spectrum in what was given"
        msg = f"{what}; give files that `napari-kmos extract` wrote ({_SPECTRA}), their table, or their folder"
        raise ExtractionError(msg)
    for reason in failed:
        warnings.warn(f"{reason}; it is left out", KmosWarning, stacklevel=3)
    return _with_namesakes(found)


def _listed(spectra: Sequence[Path | str]) -> tuple[list[Path], list[GivenSpectrum], list[KmosError]]:
    """Return each file once, the tables that tell none, and why."""
    files: dict[Path, None] = {}
    bad: list[GivenSpectrum] = []
    failed: list[KmosError] = []
    for path in map(Path, spectra):
        try:
            files |= dict.fromkeys(one.absolute() for one in _files(path))
        except KmosError as err:
            failed.append(err)
            bad.append(GivenSpectrum(path=path.absolute(), note=str(err).removeprefix(f"{path}: ")))
    return list(files), bad, failed


def _with_namesakes(found: Sequence[GivenSpectrum]) -> list[GivenSpectrum]:
    """Note which files have the same id: epochs or reductions of a star, or two stars of one name."""
    files: dict[str, list[str]] = {}
    for one in found:
        if one.spectrum:
            files.setdefault(one.spectrum.aperture.id, []).append(short_name(one.path))
    repeated = {name: paths for name, paths in files.items() if len(paths) > 1}
    for name, paths in repeated.items():
        text = f"the id {name!r} is in {len(paths)} files: {', '.join(paths)}; rows tell them apart by file"
        warnings.warn(text, KmosWarning, stacklevel=4)
    noted = []
    for one in found:
        others = repeated.get(one.spectrum.aperture.id, []) if one.spectrum else []
        same = [path for path in others if path != short_name(one.path)]
        note = f"the same id in {', '.join(same)}" if same else one.note
        noted.append(GivenSpectrum(path=one.path, spectrum=one.spectrum, note=note))
    return noted


def short_name(path: Path) -> str:
    """Return the name of a file with its folder: those of two epochs may share the former."""
    return f"{path.parent.name}/{path.name}"


def _files(path: Path) -> Iterator[Path]:
    """Yield the spectra that a path stands for."""
    if path.is_dir():
        yield from sorted(path.rglob(_SPECTRA))
    elif path.suffix.lower() == ".ecsv":
        # An empty cell is read as a masked one.
        files = read_table(path, required=("id", "file"))["file"]
        yield from (path.parent / str(name) for name in files if name is not np.ma.masked and str(name))
    else:
        yield path
