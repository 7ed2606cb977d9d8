"""Correct cubes and spectra for the absorption of the atmosphere, by a standard star or a model."""

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
from napari_kmos.instrument import likeliest_band
from napari_kmos.io import check_free, fits_stem, output_dir, response_table, write_figure, write_record, write_table
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.light import Light, NoStarError, products_of, read_light, read_lights, write_lights
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.standards import MeasuredStandard, Standard
from napari_kmos.report.telluric import telluric_figure, traces_table, windows_table
from napari_kmos.telluric import (
    Correction,
    StandardParameters,
    TelluricParameters,
    correct_cube,
    correct_spectrum,
    model_transmission,
    scale_throughput,
)

if TYPE_CHECKING:
    from napari_kmos.spectrum import StarSpectrum

_ENDING = "TELLURIC"


@recorded(each="files")
def telluric(
    files: Sequence[Path | str],
    out_dir: Path | str,
    *,
    standard: Standard | None,
    parameters: TelluricParameters | None = None,
    airmass: float | None = None,
    reference: Path | str | None = None,
    ifu: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Divide cubes and spectra by the transmission of the atmosphere.

    Parameters
    ----------
    files : sequence of path
        Exposures, cubes, read and written a few planes at a time, and spectra of `extract`.
    out_dir : path
        Folder of the products.
    standard : Standard, optional
        The standard star; None models the atmosphere by pymolfit.
    parameters : TelluricParameters, optional
        How the standard is scaled; the defaults if not given.
    airmass : float, optional
        Of the targets; that of each header by default.
    reference : path, optional
        Spectrum to which the scaling is fitted, for all files; by default each spectrum itself, and of a cube its
        brightest star; for IFUs of an exposure without a bright one that of the brightest IFU, with a warning.
    ifu : int, optional
        This one alone; by default all of an exposure that have data.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told the planes written; it may raise `Cancelled`.

    Returns
    -------
    Outcome
        Products ``<stem>_TELLURIC.fits``. Extras of each: the fits of the windows (.ecsv), what they look like, as a
        table (``_fit.ecsv``) and as a figure (.png) an IFU, and the record; and ``<standard's stem>_RESPONSE.ecsv``,
        for `calibrate`. Measured: ``windows``, by product.

    Raises
    ------
    KmosError
        If an airmass is missing, a standard has no signal or is of another band, or pymolfit is missing.
    WriteError
        If a product exists and may not be replaced.
    """
    folder = output_dir(out_dir)
    p = parameters or TelluricParameters()
    targets = products_of(files, folder, _ENDING, overwrite=overwrite)
    for target in targets.values():
        check_free(traces_file(target), overwrite)
    star = None if standard is None else MeasuredStandard(standard)
    response = None if standard is None else folder / f"{fits_stem(standard.file)}_RESPONSE.ecsv"
    if response is not None:
        check_free(response, overwrite)
    job = _Job(star, p, airmass=airmass, reference=None if reference is None else Path(reference))
    extras: list[Path] = []
    windows = {}
    for number, (path, target) in enumerate(targets.items()):
        lights = read_lights(path, ifu)
        fitted = job.fitted(lights)
        step, part = job.step(path, fitted, ifu), part_of(progress, number, len(targets))
        made = [_corrected(light, one.correction) for light, one in zip(lights, fitted, strict=True)]
        write_lights(lights, made, target, step=step, overwrite=overwrite, progress=part)
        extras += [*_told(fitted, target, overwrite=overwrite), write_record(target, step, overwrite=overwrite)]
        windows[target.name] = [
            {"ifu": one.ifu, **dataclasses.asdict(fit)} for one in fitted for fit in one.correction.windows
        ]
    if star is not None and response is not None:
        extras.append(write_table(response_table(star.response()), response, overwrite=overwrite))
    return Outcome(products=tuple(targets.values()), extras=tuple(extras), measured={"windows": windows})


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """The transmission for a cube or spectrum, and the star to which it was fitted."""

    ifu: int | None
    correction: Correction
    star: StarSpectrum


def _told(fitted: Sequence[_Fitted], target: Path, *, overwrite: bool) -> list[Path]:
    """Write the table of the windows, that of the spectra in them, and the figures, one an IFU."""
    windows = windows_table([(one.ifu, one.correction) for one in fitted])
    traces = traces_table([(one.ifu, one.correction, one.star) for one in fitted])
    tables = {target.with_suffix(".ecsv"): windows, traces_file(target): traces}
    extras = [write_table(table, path, overwrite=overwrite) for path, table in tables.items()]
    for one in fitted:
        name = target.stem if len(fitted) == 1 else f"{target.stem}_IFU{one.ifu}"
        picture = target.with_name(f"{name}.png")
        extras.append(write_figure(telluric_figure(one.correction, one.star), picture, overwrite=overwrite))
    return extras


def traces_file(product: Path) -> Path:
    """Return the table beside a product that tells what the fits look like."""
    return product.with_name(f"{product.stem}_fit.ecsv")


def _corrected(light: Light, correction: Correction) -> Cube | StarSpectrum:
    if isinstance(light.data, Cube):
        return correct_cube(light.data, correction)
    return correct_spectrum(light.data, correction)


class _Job:
    """What is the same for all targets: the standard, which is measured once for each IFU, and the parameters."""

    def __init__(
        self,
        standard: MeasuredStandard | None,
        parameters: TelluricParameters,
        *,
        airmass: float | None,
        reference: Path | None,
    ) -> None:
        self._standard, self._p, self._airmass, self._reference = standard, parameters, airmass, reference

    def fitted(self, lights: Sequence[Light]) -> list[_Fitted]:
        """Return the transmission for each cube of a file, or its spectrum, with the star to which it was fitted."""
        if self._reference is None:
            stars = _stars(lights, self._p.min_snr)
        else:
            stars = [read_light(self._reference).star()] * len(lights)
        return [
            _Fitted(light.data.ifu, self._correction(light, star), star)
            for light, star in zip(lights, stars, strict=True)
        ]

    def _correction(self, light: Light, star: StarSpectrum) -> Correction:
        """Return the transmission that fits a star best."""
        airmass = light.airmass(self._airmass)
        wave = light.data.wavelength_um
        if star.wavelength.shape != wave.shape or not np.allclose(star.wavelength_um, wave, rtol=1e-7):
            msg = f"{self._reference}: other wavelengths than {light.path}; expected a spectrum of the same planes"
            raise KmosError(msg)
        if self._standard is None:
            resolution = likeliest_band(float(wave[0]), float(wave[-1])).resolution
            least = self._p.min_transmission
            return model_transmission(star, airmass=airmass, resolution=resolution, min_transmission=least)
        through = self._standard.throughput(light.data.ifu)
        flux = np.where(star.mask, np.nan, star.flux)
        return scale_throughput(through, wave, flux, star.noise, airmass=airmass, parameters=self._p)

    def step(self, path: Path, fitted: Sequence[_Fitted], ifu: int | None) -> Step:
        """Describe what was done to a file."""
        shown: dict[str, Any] = {**parameters_of(self._p), "edges": ",".join(f"{x:g}" for x in self._p.edges or ())}
        usual: dict[str, Any] = {**defaults_of(TelluricParameters()), "edges": ""}
        shown |= {"airmass": self._airmass, "ifu": ifu or 0}
        usual |= {"airmass": None, "ifu": 0}
        inputs = [path]
        if self._standard is not None:
            given = self._standard.given
            shown |= parameters_of(given.parameters) | {"magnitude": given.magnitude}
            usual |= defaults_of(StandardParameters()) | {"magnitude": None}
            inputs += [file for file in (given.file, given.template) if file]
        inputs += [self._reference] if self._reference else []
        cards: dict[str, Any] = {}
        for one in fitted:
            cards |= _cards(one.correction, "TELLURIC" if len(fitted) == 1 else f"TELLURIC IFU{one.ifu}")
        return Step(name="telluric", inputs=tuple(inputs), parameters=shown, defaults=usual, measured=cards)


def _stars(lights: Sequence[Light], min_snr: float) -> list[StarSpectrum]:
    """Return the star of each; for arms that have none bright enough that of the brightest arm, at the same moment.

    Raises
    ------
    KmosError
        If there is none at all.
    """
    if len(lights) == 1:
        return [lights[0].star()]
    found: list[StarSpectrum | None] = []
    for light in lights:
        try:
            found.append(light.star())
        except NoStarError:
            found.append(None)
    ratios = [_signal_to_noise(star) for star in found]
    best = found[int(np.argmax(ratios))]
    if best is None:
        msg = f"{lights[0].path}: no star stands out in any IFU; give the spectrum of one (--reference)"
        raise KmosError(msg)
    without = ", ".join(str(one.data.ifu) for one, ratio in zip(lights, ratios, strict=True) if ratio < min_snr)
    if without:
        text = (
            f"{lights[0].path}: no bright star in IFU {without}; the absorption there is scaled as in IFU {best.ifu}, "
            "which saw through the same air"
        )
        warnings.warn(text, KmosWarning, stacklevel=4)
    return [best if star is None or ratio < min_snr else star for star, ratio in zip(found, ratios, strict=True)]


def _signal_to_noise(star: StarSpectrum | None) -> float:
    """Return the median over the planes, 0 without a star or noise."""
    if star is None:
        return 0.0
    known = ~star.mask & (star.noise > 0)
    return float(np.median(star.flux[known] / star.noise[known])) if known.any() else 0.0


def _cards(correction: Correction, prefix: str) -> dict[str, Any]:
    """Return what the header tells of the fit."""
    cards: dict[str, Any] = {f"{prefix} STANDARD": correction.standard}
    for number, fit in enumerate(correction.windows, start=1):
        cards[f"{prefix} WIN{number} UM"] = f"{fit.start_um:.5f}-{fit.end_um:.5f}"
        for name in ("airmass", "water", "shift_pix", "rms_after"):
            value = getattr(fit, name)
            if math.isfinite(value):
                cards[f"{prefix} WIN{number} {name.replace('_', ' ').upper()}"] = round(value, 6)
        if fit.note:
            cards[f"{prefix} WIN{number} NOTE"] = fit.note
    return cards
