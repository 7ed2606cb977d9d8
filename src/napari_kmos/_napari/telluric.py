"""The correction for the atmosphere, and the flux, as their dock asks for them; and what the fits look like."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Row, Table

from napari_kmos._napari.curves import Curve
from napari_kmos._napari.schemes import GREEN, ORANGE, PLAIN
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import read_airmass, read_primary, read_spectrum, read_table
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.calibrate import calibrate
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.standards import Standard
from napari_kmos.recipes.telluric import telluric, traces_file

STAR, MODEL = "a standard star", "a model (pymolfit)"
WAYS = (STAR, MODEL)
_COLOURS = {"before": PLAIN, "after": GREEN, "transmission": ORANGE}
_RESPONSE = "_RESPONSE.ecsv"


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedStar:
    """The fit of a cube or spectrum.

    Parameters
    ----------
    name : str
        Of the product, with the IFU where there are several.
    rows : tuple of tuple
        What is told of each window.
    curves : tuple of tuple of Curve
        What each window looks like: the star before and after, and the transmission.
    """

    name: str
    rows: tuple[tuple[str | float | int, ...], ...]
    curves: tuple[tuple[Curve, ...], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Corrected:
    """What came of a step: its outcome, which products are cubes and which spectra, fits, and the response."""

    outcome: Outcome
    cubes: tuple[Path, ...]
    spectra: tuple[Path, ...]
    fits: tuple[FittedStar, ...] = ()
    response: Path | None = None


def correct_files(
    files: Sequence[Path],
    out_dir: Path,
    *,
    way: str,
    standard: Standard | None,
    progress: Progress = silent,
    **how: Any,
) -> Corrected:
    """Take the atmosphere out of files.

    Parameters
    ----------
    files, out_dir, progress, **how
        As for `telluric`.
    way : str
        One of `WAYS`.
    standard : Standard, optional
        The star, where the way asks for one.

    Raises
    ------
    KmosError
        If files or standard are missing, and as the recipe says.
    """
    _check_files(files)
    if way == STAR and standard is None:
        msg = "no standard star: choose its file, a STAR_SPEC, an extracted spectrum, or a cube"
        raise KmosError(msg)
    outcome = telluric(files, out_dir, standard=standard if way == STAR else None, progress=progress, **how)
    response = next((path for path in outcome.extras if path.name.endswith(_RESPONSE)), None)
    fits = tuple(fit for path in outcome.products for fit in read_fits(path))
    return dataclasses.replace(_sorted(outcome), fits=fits, response=response)


def calibrate_files(
    files: Sequence[Path], out_dir: Path, *, response: Path | None, progress: Progress = silent, **how: Any
) -> Corrected:
    """Bring files to flux; see `calibrate`.

    Raises
    ------
    KmosError
        If files or response are missing, and as the recipe says.
    """
    _check_files(files)
    if response is None:
        msg = "no response: choose RESPONSE of the pipeline for the grating, or what the correction has written"
        raise KmosError(msg)
    return _sorted(calibrate(files, out_dir, response=response, progress=progress, **how))


def read_fits(product: Path) -> tuple[FittedStar, ...]:
    """Return the fits that are stored beside a product of `telluric`, one an IFU."""
    windows, traces = read_table(product.with_suffix(".ecsv")), read_table(traces_file(product))
    ifus = [int(ifu) for ifu in dict.fromkeys(windows["ifu"])]
    return tuple(
        FittedStar(
            name=product.stem if len(ifus) == 1 else f"{product.stem}, IFU {ifu}",
            rows=tuple(_told(row) for row in windows[windows["ifu"] == ifu]),
            curves=_curves(traces[traces["ifu"] == ifu]),
        )
        for ifu in ifus
    )


def told_airmass(files: Sequence[Path], progress: Progress) -> str:
    """Return what the headers of files say of the airmass, in words; nothing without files.

    Raises
    ------
    KmosError
        If a file cannot be read.
    """
    found = {}
    for number, path in enumerate(files):
        progress(number, len(files), path.name)
        found[path] = read_airmass(read_primary(path))
    if without := [path.name for path, value in found.items() if not math.isfinite(value)]:
        return f"not in {without[0]}: type it in"
    texts = list(dict.fromkeys(f"{value:.3f}" for value in sorted(found.values())))
    return "" if not texts else f"{texts[0]}{f' to {texts[-1]}' if len(texts) > 1 else ''}, by the header"


def typed_number(text: str, what: str) -> float | None:
    """Return a number as typed; None for an empty line.

    Raises
    ------
    KmosError
        If it is none.
    """
    try:
        return float(text) if text.strip() else None
    except ValueError as err:
        msg = f"{what} is {text.strip()!r}; expected a number, or nothing"
        raise KmosError(msg) from err


def typed_ifu(text: str) -> int | None:
    """Return the number of an IFU as typed; None for an empty line.

    Raises
    ------
    KmosError
        If it is none.
    """
    try:
        return int(text) if text.strip() else None
    except ValueError as err:
        msg = f"IFU is {text.strip()!r}; expected one of 1 to 24, or nothing"
        raise KmosError(msg) from err


def typed_edges(text: str) -> tuple[float, ...] | None:
    """Return wavelengths as typed, with commas or blanks between; None for an empty line.

    Raises
    ------
    KmosError
        If one is no number.
    """
    typed = (typed_number(part, "one of the places where windows meet") for part in text.replace(",", " ").split())
    return tuple(place for place in typed if place is not None) or None


def _check_files(files: Sequence[Path]) -> None:
    if not files:
        msg = "no cubes and no spectra: add some to the list"
        raise KmosError(msg)


def _sorted(outcome: Outcome) -> Corrected:
    """Tell which products are cubes and which spectra."""
    spectra = tuple(path for path in outcome.products if _is_spectrum(path))
    cubes = tuple(path for path in outcome.products if path not in spectra)
    return Corrected(outcome=outcome, cubes=cubes, spectra=spectra)


def _is_spectrum(path: Path) -> bool:
    try:
        read_spectrum(path)
    except NotKmosError:
        return False
    return True


def _told(row: Row) -> tuple[str | float | int, ...]:
    """Return what is told of a window."""
    powers = (_with_error(row[name], row[f"{name}_err"]) for name in ("airmass", "water"))
    rms = (100 * float(row[name]) for name in ("rms_before", "rms_after"))
    place = f"{row['start_um']:.3f}-{row['end_um']:.3f}"
    note = "" if np.ma.is_masked(row["note"]) else str(row["note"])  # empty texts of a table come back masked
    return (place, *powers, float(row["shift_pix"]), *rms, int(row["n_planes"]), note)


def _with_error(value: float, error: float) -> str:
    return f"{value:.3f} ± {error:.3f}" if math.isfinite(error) else f"{value:.3f}"


def _curves(traces: Table) -> tuple[tuple[Curve, ...], ...]:
    """Return the curves of each window."""
    parts = [traces[traces["window"] == number] for number in dict.fromkeys(traces["window"])]
    return tuple(
        tuple(
            Curve(name=name, x=np.asarray(part["wavelength_um"]), y=np.asarray(part[name], dtype=float), colour=colour)
            for name, colour in _COLOURS.items()
        )
        for part in parts
    )
