"""What a sky subtraction gives back: the cube and the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.sky._lines import beside_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_kmos.cube import Cube


@dataclass(frozen=True, slots=True, kw_only=True)
class BandFit:
    """One vibrational band (or other stretch of the spectrum) with its own factor.

    Parameters
    ----------
    name : str
        Upper and lower vibrational level, ``"O2"``, or ``"final bit"``.
    start_um, end_um : float
        The part of the band that the cube covers.
    factor : float
        The sky lines were multiplied by this.
    n_line_pixels : int
        Pixels on which it was fitted; of a band that was not fitted, those that were found.
    rms_before, rms_after : float
        Standard deviation of object minus sky on the line pixels of the mean spectra, for the sky as it is and for
        the model; NaN without line pixels.
    fitted : bool
        False if the factor was taken or interpolated from other bands.
    error : float
        Of the factor, 1 sigma; NaN without a fit.
    residual_over_noise : float
        What is left of the mean spectrum on line pixels over its expected error, 1.4826 times the median of the
        absolute: 1 is noise alone; NaN without line pixels or noise.
    misfit_pix, misfit_error_pix : float
        How far the lines of the object still lie beside those of the model, in pixels, positive towards longer
        wavelengths, and 1 sigma: at the end of the band, or in its middle, where it stands out most. NaN with too few
        lines.
    misfit_share : float
        Share of the squared residual on the line pixels that this makes.
    """

    name: str
    start_um: float
    end_um: float
    factor: float
    n_line_pixels: int
    rms_before: float
    rms_after: float
    fitted: bool = True
    error: float = float("nan")
    residual_over_noise: float = float("nan")
    misfit_pix: float = float("nan")
    misfit_error_pix: float = float("nan")
    misfit_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFactor:
    """An upper level of the airglow and the factor of all its lines.

    Parameters
    ----------
    v, n, f : int
        Vibration, rotation and spin component of OH; v = 0 is O2; negative: light of no known line, by band.
    factor, error : float
        The sky lines were multiplied by this; 1 sigma, with what is expected of the levels taken into account.
    light : float
        Light of the level in the sky, summed over the spectrum, in the unit of the flux.
    """

    v: int
    n: int
    f: int
    factor: float
    error: float
    light: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LineShapes:
    """Where and how broad the object's lines are relative to those of the sky, in the mean and by spaxel.

    Parameters
    ----------
    stretch_pix : float
        The straight part of the shift changes along the spectrum from minus to plus this.
    width, fwhm_pix : float
        Width of the object's lines over that of the sky's; FWHM of the comb's lines in planes.
    gain, shift_pix, relative_width : ndarray, shape (n_y, n_x)
        Of each spaxel relative to the mean of the sky spaxels; NaN without data.
    """

    stretch_pix: float
    width: float
    fwhm_pix: float
    gain: NDArray[np.float64]
    shift_pix: NDArray[np.float64]
    relative_width: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SkyImages:
    """The field before the sky was matched and after; all of shape (n_y, n_x), NaN without data.

    Parameters
    ----------
    white_before, white_after : ndarray
        Median over all planes of object minus sky as it is, and of the cube without sky.
    left_before, left_after : ndarray
        What stands above the continuum of the spaxel on line pixels over its noise, 1.4826 times the median of the
        absolute: 1 is noise alone; features of stars count as well.
    """

    white_before: NDArray[np.float64]
    white_after: NDArray[np.float64]
    left_before: NDArray[np.float64]
    left_after: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFit:
    """A rotational group of lines and its factor on top of the bands', relative to the lines of no listed group."""

    name: str
    factor: float
    n_line_pixels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThermalFit:
    """Thermal background of the mean spectra: the same temperature, an amplitude for object and for sky.

    Parameters
    ----------
    temperature_k : float
        Temperature in kelvin.
    object_level, sky_level : float
        Thermal background at its maximum in the range of the cube, in the unit of the flux.
    """

    temperature_k: float
    object_level: float
    sky_level: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SkyResult:
    """A cube without sky, and how the sky model was found.

    Parameters
    ----------
    cube : Cube
        The object cube minus the model.
    method : str
        Key of `SKY_METHODS`.
    bands : tuple of BandFit
        One for each band the cube covers.
    groups : tuple of GroupFit
        Low and medium rotational group; empty if they were not fitted.
    shifts_pix : ndarray, shape (n_wavelength,)
        By how many pixels the object's lines were found to lie further than those of the sky, positive towards longer
        wavelengths.
    thermal : ThermalFit, optional
        None if no thermal background was fitted.
    wavelength_um : ndarray, shape (n_wavelength,)
        Wavelengths of the spectra below.
    object_spectrum, sky_spectrum, model_spectrum : ndarray, shape (n_wavelength,)
        Means over the sky spaxels: object, sky as it came, and the model that was subtracted. NaN is no data.
    left_spectrum, error_spectrum : ndarray, shape (n_wavelength,)
        What is left in the mean of the object less its lines, a smooth continuum and starlight; and the error that is
        expected of it, 1 sigma. NaN is not known.
    scale : ndarray, shape (n_wavelength,)
        Factor of the sky lines: bands times groups; with `levels`, that of all levels about each wavelength.
    line_mask : ndarray of bool, shape (n_wavelength,)
        True on the line pixels.
    sky_mask : ndarray of bool, shape (n_y, n_x)
        True on the spaxels taken as sky.
    images : SkyImages
        Before and after.
    subtraction : callable
        Subtracts the same model from an object and a sky cube in memory, without another fit.
    sky_source : str
        Where the sky cube came from.
    levels : tuple of LevelFactor
        Of the method `levels`; empty otherwise.
    shapes : LineShapes, optional
        Of the method `levels`; None otherwise.
    note : str
        Why another method stands in for the one that was asked for.
    """

    cube: Cube
    method: str
    bands: tuple[BandFit, ...]
    groups: tuple[GroupFit, ...] = ()
    thermal: ThermalFit | None = None
    shifts_pix: NDArray[np.float64]
    wavelength_um: NDArray[np.float64]
    object_spectrum: NDArray[np.float64]
    sky_spectrum: NDArray[np.float64]
    model_spectrum: NDArray[np.float64]
    left_spectrum: NDArray[np.float64]
    error_spectrum: NDArray[np.float64]
    scale: NDArray[np.float64]
    line_mask: NDArray[np.bool_]
    sky_mask: NDArray[np.bool_]
    images: SkyImages
    subtraction: Callable[[Cube, Cube], Cube]
    sky_source: str = ""
    levels: tuple[LevelFactor, ...] = ()
    shapes: LineShapes | None = None
    note: str = ""

    @property
    def shift_pix(self) -> float:
        """Shift of the object's lines, the median over the spectrum."""
        return float(np.median(self.shifts_pix))

    @property
    def shift_range_pix(self) -> tuple[float, float]:
        """Smallest and largest shift on the line pixels; beyond the lines it is not known."""
        known = self.shifts_pix[self.line_mask] if self.line_mask.any() else self.shifts_pix
        return float(known.min()), float(known.max())

    @property
    def residual_spectrum(self) -> NDArray[np.float64]:
        """Mean object spectrum of the sky spaxels minus the model."""
        return self.object_spectrum - self.model_spectrum

    @property
    def left_spectrum_before(self) -> NDArray[np.float64]:
        """The same as ``left_spectrum`` for the sky as it is: its lines were not matched."""
        change = self.model_spectrum - self.sky_spectrum
        return self.left_spectrum + change - beside_lines(change, self.line_mask)

    @property
    def rms_before(self) -> float:
        """Residual on all line pixels for the sky as it is; NaN without line pixels."""
        return _pooled([(band.n_line_pixels, band.rms_before) for band in self.bands])

    @property
    def rms_after(self) -> float:
        """Residual on all line pixels for the model; NaN without line pixels."""
        return _pooled([(band.n_line_pixels, band.rms_after) for band in self.bands])

    @property
    def residual_over_noise(self) -> float:
        """That of the bands in one number; NaN without line pixels or noise."""
        return _pooled([(band.n_line_pixels, band.residual_over_noise) for band in self.bands])


def _pooled(parts: list[tuple[int, float]]) -> float:
    """Root mean square over bands, weighted by their pixels."""
    known = [(n, value) for n, value in parts if n > 0 and np.isfinite(value)]
    total = sum(n for n, _ in known)
    return float(np.sqrt(sum(n * value**2 for n, value in known) / total)) if total else float("nan")
