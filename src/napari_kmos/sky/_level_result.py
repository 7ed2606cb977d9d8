"""From the fits of the method `levels` to the cube without sky, its noise and the evidence."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.sky._comb import FWHM_PER_SIGMA
from napari_kmos.sky._evidence import band_fits
from napari_kmos.sky._images import sky_images
from napari_kmos.sky._level_spaxels import MeanLines
from napari_kmos.sky._level_spectra import gather_spectra
from napari_kmos.sky._level_stars import star_continua
from napari_kmos.sky._lines import FactorFit, band_pieces
from napari_kmos.sky._thermal import fit_thermal, thermal_shape
from napari_kmos.sky.result import LevelFactor, LineShapes, SkyResult, ThermalFit
from napari_kmos.spectral.nan import nan_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky._level_fit import LevelFit
    from napari_kmos.sky._level_groups import LevelGroups
    from napari_kmos.sky._level_model import LevelModel
    from napari_kmos.sky._level_spaxels import SpaxelTerms
    from napari_kmos.sky._level_spectra import SpaxelSpectra
    from napari_kmos.sky._lines import MeanSpectra
    from napari_kmos.sky.parameters import SkyParameters
    from napari_kmos.sky.result import BandFit

    Floats = NDArray[np.float64]
    Spaxels = tuple[SpaxelSpectra, NDArray[np.bool_], SpaxelTerms, SpaxelTerms]

#: Share of the variance of the noise that is left everywhere, whatever is fitted.
_LEAST_LEFT = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines of the sky as they are in the object's mean spectrum.

    Parameters
    ----------
    groups : LevelGroups
        The levels.
    model : LevelModel
        The comb of the sky, by level.
    fit : LevelFit
        What was found in the object.
    continuum : ndarray, shape (n_planes,)
        Smooth continuum of the mean sky.
    sky_error, error : ndarray, shape (n_planes,)
        Of the mean sky, and of the difference of the means; infinite without data.
    starlight : ndarray, shape (n_planes, n), optional
        Spectra of stars that the spaxels may have.
    """

    groups: LevelGroups
    model: LevelModel
    fit: LevelFit
    continuum: Floats
    sky_error: Floats
    error: Floats
    starlight: Floats | None = None

    def in_sky(self) -> MeanLines:
        """Return the lines of the mean sky."""
        found = self.model.derivatives(self.model.comb.light, 0.0, 0.0, order=2)
        found[0] += self.model.comb.rest
        return MeanLines(found, self.model.comb.fwhm / FWHM_PER_SIGMA)

    def in_object(self) -> MeanLines:
        """Return the lines in the object's mean."""
        found = self.model.derivatives(self.fit.light, self.fit.shifts(), self.fit.width, order=2)
        found[0] += self.model.rest(found[0], self.fit.shifts())
        sigma = self.model.comb.fwhm * float(np.exp(self.fit.width)) / FWHM_PER_SIGMA
        return MeanLines(found, sigma, self.starlight)

    def scale(self) -> Floats:
        """Return the factor of the sky lines about every plane."""
        usual, found = (
            self.model.derivatives(light, 0.0, 0.0, order=1)[0] for light in (self.model.comb.light, self.fit.light)
        )
        return self.model.factor_about(found, usual)


@dataclass(frozen=True, slots=True, eq=False)
class LevelSubtraction:
    """The model of every spaxel in small: to subtract it again nothing is fitted.

    Parameters
    ----------
    used : ndarray of bool, shape (n_y, n_x)
        The spaxels that have data.
    lines : MeanLines
        Mean lines in the object.
    terms : SpaxelTerms
        How those of each spaxel differ.
    below : ndarray, shape (n_planes,)
        Background below the lines; NaN where the sky is not known.
    gain : ndarray, shape (n_spaxels,)
        Of the background.
    mean_variance : ndarray, shape (n_planes,)
        Variance of the mean model.
    """

    used: NDArray[np.bool_]
    lines: MeanLines
    terms: SpaxelTerms
    below: Floats
    gain: Floats
    mean_variance: Floats

    def flux(self) -> Floats:
        """Return the model, shape (n_planes, n_spaxels)."""
        return self.lines.of_spaxels(self.terms.values) + self.below[:, None] * self.gain

    def __call__(self, cube: Cube, sky: Cube) -> Cube:
        """Return the cube without the model; NaN where the flux or the model has no data."""
        target = gather_spectra(cube, self.used)
        flux, noise = (np.full(cube.shape, np.nan, dtype=np.float32) for _ in range(2))
        left = target.flux - self.flux()
        variance = self.mean_variance[:, None] + _spaxel_variance(self.lines.derivatives, self.terms)
        flux[:, self.used] = left
        noise[:, self.used] = np.where(np.isfinite(left), np.sqrt(target.noise**2 + variance), np.nan)
        estimated = cube.noise_estimated or sky.noise_estimated
        return dataclasses.replace(cube, flux=flux, noise=noise, noise_estimated=estimated)


def build_levels_result(
    cube: Cube, sky: Cube, spaxels: Spaxels, seen: MeanSpectra, lines: Lines, p: SkyParameters
) -> SkyResult:
    """Subtract the model and put together the result."""
    target, dark, in_sky, terms = spaxels
    mean_lines, scale = lines.in_object(), lines.scale()
    left = target.flux - mean_lines.of_spaxels(terms.values)
    below, gain, thermal = _background(left, dark, 1 + in_sky.values[0], seen, lines, p)
    below = np.where(_covered(seen, lines.fit), below, np.nan)
    subtraction = LevelSubtraction(target.used, mean_lines, terms, below, gain, _mean_variance(lines, scale))
    model_spectrum = nan_mean(subtraction.flux()[:, dark].T)
    clean = subtraction(cube, sky)
    left, error = _left_over(seen, lines), _expected_error(lines)
    return SkyResult(
        cube=clean,
        method="levels",
        bands=_bands(seen, model_spectrum, scale, left / error, lines, p),
        shifts_pix=lines.fit.shifts(),
        thermal=thermal,
        wavelength_um=seen.wavelength_um,
        object_spectrum=seen.target,
        sky_spectrum=seen.sky,
        model_spectrum=model_spectrum,
        left_spectrum=left,
        error_spectrum=np.where(np.isfinite(error), error, np.nan),
        scale=scale,
        line_mask=seen.lines,
        sky_mask=target.image(dark.astype(float)) > 0,
        images=sky_images(cube, sky, clean, seen.lines),
        subtraction=subtraction,
        sky_source=sky.source,
        levels=_levels(lines),
        shapes=_shapes(target, terms, lines),
    )


def _background(
    left: Floats, dark: NDArray[np.bool_], gain: Floats, seen: MeanSpectra, lines: Lines, p: SkyParameters
) -> tuple[Floats, Floats, ThermalFit | None]:
    """Return what is subtracted below the lines, its gain in each spaxel, and the thermal fit behind it.

    The gain of the spaxels is that of the sky cube, not that of the object's lines.
    """
    gain_of_dark = float(np.mean(gain[dark]))
    if p.background == "none":
        return np.zeros(seen.sky.size), gain, None
    if p.background == "local":
        return lines.fit.continuum + lines.continuum, gain / gain_of_dark, None
    below, thermal = lines.continuum, None
    if p.background == "thermal" and not dark.all():
        above = left - lines.continuum[:, None] * gain
        starlight = star_continua(above[:, ~dark] - nan_mean(above[:, dark].T)[:, None], p)
        same_gain = dataclasses.replace(seen, sky=seen.sky * gain_of_dark)
        thermal = fit_thermal(same_gain, starlight, p)
    if thermal is not None:
        change = (thermal.object_level - thermal.sky_level) / gain_of_dark
        below = below + change * thermal_shape(seen.wavelength_um, thermal.temperature_k)
    return below, gain, thermal


def _covered(seen: MeanSpectra, fit: LevelFit) -> NDArray[np.bool_]:
    """Return the planes whose sky, where it lies in the sky cube, is known."""
    known = np.isfinite(seen.sky)
    position = np.rint(np.arange(known.size) - fit.shifts()).astype(int)
    return np.asarray(known[np.clip(position, 0, known.size - 1)] & known)


def _mean_variance(lines: Lines, scale: Floats) -> Floats:
    """Variance of the mean model: of its parameters, and of the mean sky it is made of."""
    return lines.fit.variance() + (scale * lines.sky_error) ** 2


def _spaxel_variance(derivatives: Floats, terms: SpaxelTerms) -> Floats:
    """Variance of each spaxel's lines by the errors of its gain, shift and width."""
    slopes = derivatives[:3].T
    products = (slopes[:, :, None] * slopes[:, None, :]).reshape(len(slopes), 9)
    return np.maximum(products @ terms.covariance.reshape(-1, 9).T, 0.0)


def _bands(
    seen: MeanSpectra, model: Floats, scale: Floats, z: Floats, lines: Lines, p: SkyParameters
) -> tuple[BandFit, ...]:
    """Report each band: factor and error weighted by light, and what is left over its expected error."""
    pieces = band_pieces(seen)
    counts = [int(np.count_nonzero(piece.lines)) for _, _, piece in pieces]
    fits = tuple(FactorFit(1.0 if n >= p.min_pixels else float("nan"), n) for n in counts)
    none = np.zeros(lines.model.parts.shape[1])
    usual = lines.model.groups(none, lines.fit.shifts(), lines.fit.width)
    bands = []
    for band, (_, planes, _) in zip(band_fits(seen, model, fits, scale, z), pieces, strict=True):
        light = usual[planes].sum(axis=0)
        share = light * np.exp(lines.fit.factors) / max(float(light.sum()), 1e-300)
        covariance = lines.fit.covariance[: light.size, : light.size]
        bands.append(
            dataclasses.replace(
                band,
                factor=float(share.sum()),
                error=float(np.sqrt(max(share @ covariance @ share, 0.0))),
            )
        )
    return tuple(bands)


def _left_over(seen: MeanSpectra, lines: Lines) -> Floats:
    """Return what the fit leaves of the mean spectrum."""
    return np.asarray(seen.target - lines.in_object().derivatives[0] - lines.fit.continuum - lines.continuum)


def _expected_error(lines: Lines) -> Floats:
    """Error of what is left in the mean spectrum: the noise that the fit does not follow; infinite without data."""
    return np.asarray(lines.error * np.sqrt(np.maximum(1 - lines.fit.leverage, _LEAST_LEFT)))


def _levels(lines: Lines) -> tuple[LevelFactor, ...]:
    """Report the factor of every level."""
    groups, fit = lines.groups, lines.fit
    factors = np.exp(fit.factors)
    errors = factors * np.sqrt(np.diag(fit.covariance)[: factors.size])
    light = lines.model.parts.sum(axis=0)
    columns = zip(groups.v, groups.n, groups.f, factors, errors, light, strict=True)
    return tuple(
        LevelFactor(v=int(v), n=int(n), f=int(f), factor=float(factor), error=float(error), light=float(total))
        for v, n, f, factor, error, total in columns
    )


def _shapes(target: SpaxelSpectra, terms: SpaxelTerms, lines: Lines) -> LineShapes:
    """Report shift, stretch and width of the mean and of the spaxels."""
    return LineShapes(
        stretch_pix=float(lines.fit.places[1]),
        width=float(np.exp(lines.fit.width)),
        fwhm_pix=lines.model.comb.fwhm,
        gain=target.image(1 + terms.values[0]),
        shift_pix=target.image(terms.values[1]),
        relative_width=target.image(np.exp(terms.values[2])),
    )
