"""The spectrum of a star and the lines it may show: facts only, no operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from napari_kmos.errors import GeometryError, KmosError
from napari_kmos.times import ExposureTime, mean_mjd

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from specutils import Spectrum

    from napari_kmos.aperture import Aperture


@dataclass(frozen=True, slots=True, kw_only=True)
class PsfFit:
    """What a fit of the point spread function tells of a star and of the stars fitted with it.

    Parameters
    ----------
    ra, dec : float
        Where the star was found, in degrees, at the wavelength ``wave_um``.
    error_arcsec : float
        1 sigma of that in each axis; of a position that was held, that of the position given.
    fwhm_arcsec, fwhm_error_arcsec : float
        Full width at half maximum at ``wave_um``.
    exponent : float
        The width goes with this power of the wavelength.
    beta : float
        Power of the Moffat profile.
    wave_um : float
        The middle of the band.
    drift_arcsec : tuple of float
        How far stars move, east and north, from the first to the last wavelength.
    chi2 : float
        Per degree of freedom, of all planes of the field.
    psf_chi2 : float
        The same of the bins to which the profile was fitted; how well the profile is that of the stars.
    misfit : float
        Part of the stars' light in a spaxel by which the profile is off, so that chi2 of the bins is 1: flat field,
        profile, stars that are missing. It is in the errors of the fluxes. 0 where the noise explains the bins.
    noise_factor : float
        By how much the correlation of neighbouring spaxels makes the noise of the flux larger.
    blended : mapping
        Ids of the stars too close to be told apart, and the correlation of their fluxes' errors with this one's.
    """

    ra: float
    dec: float
    error_arcsec: float
    fwhm_arcsec: float
    fwhm_error_arcsec: float
    exponent: float
    beta: float
    wave_um: float
    drift_arcsec: tuple[float, float]
    chi2: float
    psf_chi2: float
    misfit: float = 0.0
    noise_factor: float = 1.0
    blended: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StarSpectrum:
    """Spectrum of one star in one cube, or the mean sky of a cube (then ``aperture.kind`` is ``"sky"``).

    Parameters
    ----------
    aperture : Aperture
        Where it was taken.
    wavelength : Quantity, shape (n_wavelength,)
        In micron, ascending, in the ``medium``.
    flux : ndarray of float, shape (n_wavelength,)
        Sum over the aperture of (flux - sky) in the cube's unit, by the methods psf and optimal all the light of the
        star; of a sky, the mean per spaxel. NaN where masked.
    noise : ndarray of float, same shape
        1 sigma in the same unit, the sky's share included; NaN where unknown.
    sky : ndarray of float, same shape
        What was subtracted from the aperture: by the method aperture, flux + sky is the plain sum over it.
    mask : ndarray of bool, same shape
        True where there is no flux.
    unit : Unit, optional
        None is unknown.
    target : str
        Target of the cube.
    ifu : int, optional
        1-24; None for a mosaic.
    area_pix : float
        Area of the aperture in spaxels.
    coverage : ndarray of float, same shape
        Share of that area which has data; by the method psf, of the star's light that falls on spaxels with data.
    snr : float
        Median over standard deviation of the normalised flux in ``snr_windows``; NaN if it could not be measured.
    snr_noise : float
        Median of flux over ``noise`` in the same windows.
    snr_windows : tuple of (float, float)
        Wavelength ranges in micron.
    method : str
        A key of ``EXTRACT_METHODS``.
    parameters : mapping
        Parameters of the method, as used.
    n_sky : int
        Spaxels (annulus, psf) or areas the sky was taken from.
    noise_estimated : bool
        True if the cube came without noise.
    noise_correlated : bool
        True if the noise allows for the correlation of neighbouring spaxels, as the cube tells it.
    medium : str
        ``"vacuum"`` or ``"air"``.
    exptime : float, optional
        Exposure time of the cube in seconds.
    mjd : float, optional
        Start of the exposure, UTC; of a combined cube, of the first.
    exposures : tuple of ExposureTime
        Those of a combined cube, where its file tells them.
    n_combined : int
        Of how many the cube is said to be combined.
    zero_pix, zero_err_pix : float
        Zero point of the cube's wavelengths in planes, as `ZeroPoint`, and 1 sigma; NaN where the file tells none.
    note : str
        Remark, such as what part of the aperture has no data.
    source : str
        Cube the spectrum came from.
    psf : PsfFit, optional
        What the fit of the point spread function tells, where there was one.

    Raises
    ------
    GeometryError
        If the arrays differ in length.
    """

    aperture: Aperture
    wavelength: u.Quantity
    flux: NDArray[np.float64]
    noise: NDArray[np.float64]
    sky: NDArray[np.float64]
    mask: NDArray[np.bool_]
    unit: u.UnitBase | None = None
    target: str = ""
    ifu: int | None = None
    area_pix: float
    coverage: NDArray[np.float64]
    snr: float = float("nan")
    snr_noise: float = float("nan")
    snr_windows: tuple[tuple[float, float], ...] = ()
    method: str = "aperture"
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    n_sky: int = 0
    noise_estimated: bool = False
    noise_correlated: bool = False
    medium: str = "vacuum"
    exptime: float | None = None
    mjd: float | None = None
    exposures: tuple[ExposureTime, ...] = ()
    n_combined: int = 1
    zero_pix: float = float("nan")
    zero_err_pix: float = float("nan")
    note: str = ""
    source: str = ""
    psf: PsfFit | None = None

    def __post_init__(self) -> None:
        lengths = {name: getattr(self, name).shape for name in ("flux", "noise", "sky", "mask", "coverage")}
        if any(shape != self.wavelength.shape for shape in lengths.values()):
            msg = f"spectrum {self.aperture.id}: wavelength has shape {self.wavelength.shape}, the others {lengths}"
            raise GeometryError(msg)

    @property
    def wavelength_um(self) -> NDArray[np.float64]:
        """Wavelengths in micron as a plain array."""
        return np.asarray(self.wavelength.to_value(u.um), dtype=float)

    @property
    def middle_mjd(self) -> float | None:
        """Middle of the exposure, UTC, or the mean of those of a combined cube; None without a date."""
        return mean_mjd(self.times)

    @property
    def times(self) -> tuple[ExposureTime, ...]:
        """The exposures: those told, else the one that has the date."""
        if self.exposures or self.mjd is None:
            return self.exposures
        seconds = self.exptime or 0.0
        return (ExposureTime(self.mjd + 0.5 * seconds / 86400, seconds),)

    @property
    def label(self) -> str:
        """What to call this spectrum in a message or a plot."""
        ifu = "" if self.ifu is None else f"IFU {self.ifu}"
        return " ".join(part for part in (self.aperture.id, ifu, self.target) if part)

    def to_specutils(self) -> Spectrum:
        """Return a copy as a `specutils.Spectrum`: flux, uncertainty, mask, wavelength in micron, facts in ``meta``.

        An unknown unit becomes dimensionless, as specutils has no word for it.
        """
        from astropy.nddata import StdDevUncertainty
        from specutils import Spectrum

        unit = u.dimensionless_unscaled if self.unit is None else self.unit
        names = ("target", "ifu", "area_pix", "snr", "snr_noise", "medium", "exptime", "note", "source")
        return Spectrum(
            flux=self.flux.copy() * unit,
            spectral_axis=self.wavelength.to(u.um),
            uncertainty=StdDevUncertainty(self.noise.copy() * unit),
            mask=self.mask.copy(),
            meta={"id": self.aperture.id, "aperture": self.aperture} | {name: getattr(self, name) for name in names},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralLine:
    """A spectral line, a blend of lines, or the head of a molecular band.

    Parameters
    ----------
    name : str
        Name, unique in a list.
    wavelength_um : float
        Vacuum wavelength at rest.
    err_um : float
        How well it is known; half the extent of a blend.
    kind : str
        ``"line"``, ``"blend"`` or ``"head"``.
    species : str
        Atom, ion or molecule.
    marked : bool
        Whether it is marked in plots by default.
    source : str
        Where the wavelength comes from.
    """

    name: str
    wavelength_um: float
    err_um: float = float("nan")
    kind: str = "line"
    species: str = ""
    marked: bool = True
    source: str = ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Template:
    """A spectrum at rest, to compare stars with.

    Parameters
    ----------
    name : str
        What to call it.
    wavelength_um : ndarray, shape (n,)
        In the ``medium``, ascending, in micron.
    flux : ndarray, shape (n,)
        Over the continuum, about 1 where there are no lines; finite.
    resolution : float
        Resolving power it has; infinite if lines have their own width.
    medium : str
        ``"vacuum"`` or ``"air"``.
    source : str
        Where it comes from.
    variants : tuple of ndarray, shape (n,)
        The flux of others of the kind. How their lines differ is fitted besides, so that a star whose lines have not
        the shape of the template's has no other velocity for it.

    Raises
    ------
    GeometryError
        If the arrays do not fit together, are not finite or not ascending.
    """

    name: str
    wavelength_um: NDArray[np.float64]
    flux: NDArray[np.float64]
    resolution: float = float("inf")
    medium: str = "vacuum"
    source: str = ""
    variants: tuple[NDArray[np.float64], ...] = ()

    def __post_init__(self) -> None:
        wave, flux = self.wavelength_um, self.flux
        fits = wave.ndim == 1 and wave.size >= 4 and all(one.shape == wave.shape for one in (flux, *self.variants))
        finite = fits and all(np.isfinite(one).all() for one in (flux, *self.variants))
        if not (finite and wave[0] > 0 and np.all(np.diff(wave) > 0)):
            msg = (
                f"template {self.name}: wavelengths {wave.shape}, flux {flux.shape}; expected four points or more, "
                "finite, with ascending wavelengths in micron"
            )
            raise GeometryError(msg)
        if not self.resolution > 0:
            msg = f"template {self.name}: its resolving power is {self.resolution:g}; expected a positive number"
            raise KmosError(msg)
