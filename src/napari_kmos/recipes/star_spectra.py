"""Spectra of stars as they are given: files, tables of them, folders; what cannot be used is told, the rest goes on."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.aperture import Aperture, separation_arcsec
from napari_kmos.errors import ExtractionError, KmosError, KmosWarning
from napari_kmos.io import read_spectrum, read_table
from napari_kmos.recipes.folders import files_below

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.spectrum import StarSpectrum

_SPECTRA = "spec_*.fits"
#: Ids that a message names.
_MOST_NAMED = 3

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
        Spectra of `extract`, their tables, or folders of them: those in it and up to two below it.
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
        msg = f"{what}; give files that `napari-kmos extract` wrote ({_SPECTRA}), their table, or folder"
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
    """Note which files have the same id, as epochs or reductions of a star have; warn of several stars of one id."""
    groups: dict[str, list[tuple[str, Aperture]]] = {}
    for one in found:
        if one.spectrum:
            groups.setdefault(one.spectrum.aperture.id, []).append((short_name(one.path), one.spectrum.aperture))
    _warn_of_strangers({name: group for name, group in groups.items() if not _is_one_star(group)})
    noted = []
    for one in found:
        others = groups[one.spectrum.aperture.id] if one.spectrum else []
        same = [path for path, _ in others if path != short_name(one.path)]
        note = f"the same id in {', '.join(same)}" if same else one.note
        noted.append(GivenSpectrum(path=one.path, spectrum=one.spectrum, note=note))
    return noted


def _is_one_star(group: Sequence[tuple[str, Aperture]]) -> bool:
    """Tell whether apertures are those of one star: centres lie within the larger radius of the first's."""
    first = group[0][1]
    return all(separation_arcsec(first, one) <= max(first.radius_arcsec, one.radius_arcsec) for _, one in group)


def _warn_of_strangers(groups: Mapping[str, Sequence[tuple[str, Aperture]]]) -> None:
    """Name the ids that are of several stars, and the files of the first of them."""
    for name, group in groups.items():
        files = ", ".join(path for path, _ in group)
        others = [repr(other) for other in groups if other != name]
        more = f" (and so are {len(others)} more: {', '.join(others[:_MOST_NAMED])})" if others else ""
        text = f"the id {name!r} is that of different places in {files}{more}; rows tell them apart by file"
        warnings.warn(text, KmosWarning, stacklevel=5)
        return


def short_name(path: Path) -> str:
    """Return the name of a file with its folder: those of two epochs may share the former."""
    return f"{path.parent.name}/{path.name}"


def _files(path: Path) -> Iterator[Path]:
    """Yield the spectra that a path stands for."""
    if path.is_dir():
        yield from files_below(path, _SPECTRA)
    elif path.suffix.lower() == ".ecsv":
        # An empty cell is read as a masked one.
        files = read_table(path, required=("id", "file"))["file"]
        yield from (path.parent / str(name) for name in files if name is not np.ma.masked and str(name))
    else:
        yield path
