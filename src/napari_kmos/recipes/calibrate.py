"""Bring cubes and spectra from counts to flux: a response curve and a zero point."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.calls import recorded
from napari_kmos.cube import Cube
from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.instrument import KEY_ZERO_MAGNITUDE
from napari_kmos.io import output_dir, read_curves, write_record
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step
from napari_kmos.recipes.light import Light, products_of, read_lights, write_lights
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.telluric import FLUX_UNIT, check_counts, flux_factor, measure_magnitude, scale_cube, scale_spectrum

if TYPE_CHECKING:
    from napari_kmos.curve import Curve

_ENDING = "FLUX"
#: A star whose magnitude differs by more than this from the catalogue's is warned of.
_MOST_OFF_MAG = 0.1


@recorded(each="files")
def calibrate(
    files: Sequence[Path | str],
    out_dir: Path | str,
    *,
    response: Path | str,
    telluric: Path | str | None = None,
    zero_point: float | None = None,
    check_magnitude: float | None = None,
    ifu: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Write cubes and spectra in erg s-1 cm-2 Angstrom-1, a cube per spaxel.

    Parameters
    ----------
    files : sequence of path
        Exposures, cubes, read and written a few planes at a time, and spectra of `extract`, in counts per second.
    out_dir : path
        Folder of the products.
    response : path
        ``RESPONSE`` of the pipeline for the grating, or the table that `telluric` writes.
    telluric : path, optional
        ``TELLURIC`` or ``STAR_SPEC`` product whose header tells the zero point.
    zero_point : float, optional
        Magnitude of a star that gives 1 per second on average over the range of the band's magnitude; by default that
        of ``telluric``, else of the response.
    check_magnitude : float, optional
        2MASS magnitude, by a catalogue, of the star (of a cube, its brightest): the difference is told.
    ifu : int, optional
        This one alone; by default all of an exposure that have data.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told the planes written; it may raise `Cancelled`.

    Returns
    -------
    Outcome
        Products ``<stem>_FLUX.fits``, whose headers name the file of the response. Extras: the records. Measured, by
        product: ``zero_point`` and ``response``, of several IFUs also ``zero_points`` by IFU; with a check ``band``,
        ``magnitude`` and ``difference``.

    Raises
    ------
    KmosError
        If there is no zero point, the unit is not counts per second, or the band has no magnitude.
    GeometryError
        If the response is of another grating.
    WriteError
        If a product exists and may not be replaced.
    """
    folder = output_dir(out_dir)
    targets = products_of(files, folder, _ENDING, overwrite=overwrite)
    curves = read_curves(response)
    zeros = () if telluric is None else read_curves(telluric)
    extras, told = [], {}
    for number, (path, target) in enumerate(targets.items()):
        lights = read_lights(path, ifu)
        zero_points, made = {}, []
        for light in lights:
            own = light.data.ifu
            check_counts(light.data.unit, str(path))
            zero_points[own] = _zero_point(zero_point, zeros, _of_ifu(curves, own), own, telluric)
            factor = flux_factor(light.data.wavelength_um, _of_ifu(curves, own), zero_point=zero_points[own])
            made.append(_calibrated(light, factor))
        measured = _measured(zero_points, response)
        if check_magnitude is not None:
            measured |= _check(lights, made, check_magnitude)
        step = _step(
            (path, response, telluric),
            {"zero_point": zero_point, "check_magnitude": check_magnitude, "ifu": ifu or 0},
            measured,
        )
        part = part_of(progress, number, len(targets))
        write_lights(lights, made, target, step=step, overwrite=overwrite, progress=part)
        extras.append(write_record(target, step, overwrite=overwrite))
        told[target.name] = measured
    return Outcome(products=tuple(targets.values()), extras=tuple(extras), measured={"calibrated": told})


def _step(files: Sequence[Path | str | None], shown: dict[str, Any], measured: dict[str, Any]) -> Step:
    """Describe what was done to a file."""
    return Step(
        name="calibrate",
        inputs=tuple(Path(file) for file in files if file is not None),
        parameters={"response": measured["response"], **shown},
        defaults={"zero_point": None, "check_magnitude": None, "ifu": 0},
        measured=_cards(measured),
    )


def _measured(zero_points: dict[int | None, float], response: Path | str) -> dict[str, Any]:
    """Return what is told of a product: the response, the zero point, of several IFUs their mean and each."""
    told: dict[str, Any] = {"zero_point": float(np.mean(list(zero_points.values()))), "response": Path(response).name}
    if len(zero_points) > 1:
        told["zero_points"] = zero_points
    return told


def _of_ifu(curves: Sequence[Curve], ifu: int | None) -> Curve:
    """Return the curve of an IFU, else the first."""
    return next((curve for curve in curves if ifu is not None and curve.ifu == ifu), curves[0])


def _zero_point(
    given: float | None, zeros: Sequence[Curve], curve: Curve, ifu: int | None, file: Path | str | None
) -> float:
    """Return the zero point that counts: given, of the TELLURIC of the IFU, else its mean, or of the response."""
    if given is not None:
        return given
    if not zeros:
        return curve.zero_point
    own = _of_ifu(zeros, ifu).zero_point if any(one.ifu == ifu for one in zeros) else math.nan
    known = [one.zero_point for one in zeros if math.isfinite(one.zero_point)]
    if not known:
        msg = f"{file}: no zero point in it ({KEY_ZERO_MAGNITUDE}); give one (--zero-point)"
        raise KmosError(msg)
    return own if math.isfinite(own) else float(np.mean(known))


def _calibrated(light: Light, factor: Any) -> Any:
    """Return the data in flux."""
    scaled = scale_cube(light.data, factor) if isinstance(light.data, Cube) else scale_spectrum(light.data, factor)
    return dataclasses.replace(scaled, unit=FLUX_UNIT)


def _check(lights: Sequence[Light], made: Sequence[Any], expected: float) -> dict[str, Any]:
    """Compare the star of a file with its magnitude by a catalogue."""
    if len(lights) > 1:
        msg = f"{lights[0].path}: {len(lights)} IFUs, and a magnitude to check is of one star; choose its IFU (--ifu)"
        raise KmosError(msg)
    light = lights[0]
    star = dataclasses.replace(light, data=made[0]).star()
    band, found = measure_magnitude(star.wavelength_um, np.where(star.mask, np.nan, star.flux))
    if abs(found - expected) > _MOST_OFF_MAG:
        text = (
            f"{light.path}: {star.label} has {band} = {found:.2f}, the catalogue {expected:.2f}: light beyond the "
            "aperture, clouds, or another star"
        )
        warnings.warn(text, KmosWarning, stacklevel=3)
    return {"band": band, "magnitude": found, "difference": found - expected}


def _cards(measured: dict[str, Any]) -> dict[str, Any]:
    """Return what the header tells."""
    names = {"zero_point": "FLUX ZPOINT", "response": "FLUX RESPONSE", "band": "FLUX CHECK BAND"}
    names |= {"magnitude": "FLUX CHECK MAG", "difference": "FLUX CHECK DIFF"}
    cards = {names[key]: value for key, value in measured.items() if key in names and _is_told(value)}
    each = measured.get("zero_points", {})
    return cards | {f"FLUX IFU{ifu} ZPOINT": zero for ifu, zero in each.items() if math.isfinite(zero)}


def _is_told(value: Any) -> bool:
    return isinstance(value, str) or math.isfinite(value)
