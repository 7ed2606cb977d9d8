"""Standard stars as they are given: which file, which IFU, at which airmass; each is measured once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_kmos.cube import Cube
from napari_kmos.curve import Curve
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.instrument import KEY_AIRMASS_START
from napari_kmos.io import read_curves, read_template
from napari_kmos.recipes.light import brightest_star, read_light
from napari_kmos.telluric import (
    StandardParameters,
    Throughput,
    band_mean,
    magnitude_of,
    measure_throughput,
    zero_point_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """The standard star of a correction.

    Parameters
    ----------
    file : Path
        ``STAR_SPEC``, a star spectrum of `extract`, or a cube, of which the brightest star is taken.
    airmass : float, optional
        That of the header by default.
    ifu : int, optional
        Where the file holds several; the target's by default, else the brightest.
    template : Path, optional
        Spectrum of such a star; a black body without.
    magnitude : float, optional
        Of 2MASS in the band: with it the response gets a zero point.
    radius_arcsec : float
        Aperture by which it is taken from a cube: all its light is wanted.
    parameters : StandardParameters
        How it is divided by its model.
    """

    file: Path
    airmass: float | None = None
    ifu: int | None = None
    template: Path | None = None
    magnitude: float | None = None
    radius_arcsec: float = 1.2
    parameters: StandardParameters = dataclasses.field(default_factory=StandardParameters)


class MeasuredStandard:
    """What a standard star tells, by IFU.

    Parameters
    ----------
    standard : Standard
        The star as given.

    Raises
    ------
    KmosError
        If the file holds no spectrum and no star.
    """

    def __init__(self, standard: Standard) -> None:
        self.given = standard
        self._curves = _read(standard)
        self._measured: dict[int, Throughput] = {}

    def throughput(self, ifu: int | None) -> Throughput:
        """Return what the standard tells for a target in an IFU.

        Raises
        ------
        KmosError
            If the IFU asked for has none, or its airmass is not known.
        """
        given = self.given
        index = _choose(self._curves, given.ifu, ifu, given.file)
        if index not in self._measured:
            curve = self._curves[index]
            airmass = curve.airmass if given.airmass is None else given.airmass
            if not math.isfinite(airmass):
                msg = f"{given.file}: its header tells no airmass ({KEY_AIRMASS_START}); type it in "
                raise KmosError(msg + "(--standard-airmass)")
            template = None if given.template is None else read_template(given.template)
            self._measured[index] = measure_throughput(
                curve, airmass=airmass, parameters=given.parameters, template=template
            )
        return self._measured[index]

    def response(self) -> Curve:
        """Return the response of the instrument as the standard tells it, with a zero point if its magnitude is given.

        That of the first target's IFU.
        """
        through = next(iter(self._measured.values()), None) or self.throughput(None)
        wave, zero = through.wavelength_um, math.nan
        if self.given.magnitude is not None:
            zero = zero_point_of(band_mean(wave, through.response, magnitude_of(wave)), self.given.magnitude)
        return Curve(
            name=through.name,
            wavelength_um=wave,
            flux=through.response,
            zero_point=zero,
            airmass=through.airmass,
        )


def _read(standard: Standard) -> tuple[Curve, ...]:
    """Return the spectra of the standard in a file; of a cube that of its brightest star."""
    try:
        return read_curves(standard.file)
    except NotKmosError:
        light = read_light(standard.file, standard.ifu)
    if not isinstance(light.data, Cube):
        raise NotKmosError(str(standard.file))
    star = brightest_star(light.data, radius_arcsec=standard.radius_arcsec, sky=False)
    noise = star.noise if np.isfinite(star.noise).any() else None
    airmass = light.airmass(standard.airmass, "--standard-airmass")
    flux = np.where(star.mask, np.nan, star.flux)
    name = standard.file.name
    return (Curve(name=name, wavelength_um=star.wavelength_um, flux=flux, noise=noise, ifu=star.ifu, airmass=airmass),)


def _choose(curves: Sequence[Curve], asked: int | None, own: int | None, file: Path) -> int:
    """Return which spectrum counts: that of the IFU asked for, of the target's, or the brightest."""
    ifus = [curve.ifu for curve in curves]
    if asked is not None and asked not in ifus and len(curves) > 1:
        have = ", ".join(str(ifu) for ifu in ifus)
        msg = f"{file}: no standard in IFU {asked}; IFUs with data: {have} (--standard-ifu)"
        raise KmosError(msg)
    for ifu in (asked, own):
        if ifu is not None and ifu in ifus:
            return ifus.index(ifu)
    return int(np.argmax([np.nanmedian(curve.flux) for curve in curves]))
