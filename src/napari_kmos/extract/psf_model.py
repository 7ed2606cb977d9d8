"""Where the stars of a field are and how they look at each wavelength, as a function of few parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_kmos.spatial.moffat import MoffatSlopes, moffat_images, moffat_slopes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.extract.parameters import PsfParameters

    Floats = NDArray[np.float64]

#: Places of the parameters that all stars share; two for the position of each star follow.
LN_FWHM, EXPONENT, BETA, DRIFT, SHIFT = 0, 1, 2, slice(3, 5), slice(5, 7)
N_SHARED = 7
#: What the profile of a star depends on at one wavelength: y, x, ln FWHM, beta.
N_LOCAL = 4
#: Widths in pixels and powers that a fit may try.
FWHM_RANGE, BETA_RANGE = (1.0, 40.0), (1.2, 12.0)
#: Wavelengths at which images are made; between them they are interpolated (Chebyshev).
_NODES = 9


class Prior(NamedTuple):
    """Parameters as known beforehand and their 1 sigma, 0 of those that are held; of these, the errors they have."""

    values: Floats
    sigma: Floats
    held: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PsfModel:
    """Stars of a field.

    Parameters
    ----------
    places : ndarray, shape (n, 2)
        Given positions (y, x) in pixels of the field.
    shape : tuple of int
        (n_y, n_x).
    wave_range_um : tuple of float
        First and last wavelength. The width is that at their middle, the drift that from first to last.
    held : tuple of int
        Stars whose positions are not fitted: they stay where they are given.
    """

    places: Floats
    shape: tuple[int, int]
    wave_range_um: tuple[float, float]
    held: tuple[int, ...] = ()

    @property
    def middle_um(self) -> float:
        """Wavelength at which width and positions are told."""
        return sum(self.wave_range_um) / 2

    def prior(self, parameters: PsfParameters, scale_arcsec: float) -> Prior:
        """Return what is known before the fit, for spaxels of a size."""
        n_stars = len(self.places)
        values = np.zeros(N_SHARED + 2 * n_stars)
        values[:3] = np.log(parameters.fwhm_arcsec / scale_arcsec), parameters.exponent, parameters.beta
        sigma = np.empty_like(values)
        sigma[:3] = parameters.fwhm_error, parameters.exponent_error, parameters.beta_error
        sigma[DRIFT] = parameters.drift_error_arcsec / scale_arcsec
        sigma[SHIFT] = parameters.shift_error_arcsec / scale_arcsec
        sigma[N_SHARED:] = parameters.position_error_arcsec / scale_arcsec
        is_held = np.zeros(len(sigma), dtype=bool)
        for star in self.held:
            is_held[N_SHARED + 2 * star :][:2] = True
        held = np.where(is_held, sigma, 0.0)
        sigma[is_held] = 0
        return Prior(values, sigma, held)

    def matrix(self, wave_um: float) -> Floats:
        """Return how what the profiles depend on follows from the parameters, shape (4 n, n_parameters).

        Rows: y of all stars, x of all, ln FWHM of all, beta of all.
        """
        n_stars = len(self.places)
        first, last = self.wave_range_um
        along = (wave_um - self.middle_um) / max(last - first, 1e-9)
        matrix = np.zeros((N_LOCAL, n_stars, N_SHARED + 2 * n_stars))
        for axis in (0, 1):
            matrix[axis, :, DRIFT.start + axis] = along
            matrix[axis, :, SHIFT.start + axis] = 1
            matrix[axis, np.arange(n_stars), N_SHARED + 2 * np.arange(n_stars) + axis] = 1
        matrix[2, :, LN_FWHM] = 1
        matrix[2, :, EXPONENT] = np.log(wave_um / self.middle_um)
        matrix[3, :, BETA] = 1
        return matrix.reshape(N_LOCAL * n_stars, -1)

    def positions(self, theta: Floats, wave_um: float | None = None) -> Floats:
        """Return the places of the stars for some parameters, shape (n, 2), by default at the middle of the band."""
        found = self._local(theta, self.middle_um if wave_um is None else wave_um)
        return np.stack(found[:2], axis=1)

    def images(self, theta: Floats, wave_um: float) -> Floats:
        """Return the images of the stars with flux 1 at a wavelength, shape (n, n_y, n_x)."""
        y, x, fwhm, beta = self._local(theta, wave_um)
        return moffat_images(y, x, self.shape, fwhm_pix=fwhm, beta=beta)

    def slopes(self, theta: Floats, wave_um: float) -> MoffatSlopes:
        """Return the same with their derivatives by y, x, ln FWHM and beta."""
        y, x, fwhm, beta = self._local(theta, wave_um)
        return moffat_slopes(y, x, self.shape, fwhm_pix=fwhm, beta=beta)

    def _local(self, theta: Floats, wave_um: float) -> tuple[Floats, Floats, float, float]:
        y, x, ln_fwhm, beta = (self.matrix(wave_um) @ theta).reshape(N_LOCAL, -1)
        fwhm = float(np.clip(np.exp(ln_fwhm[0]), *FWHM_RANGE))
        return self.places[:, 0] + y, self.places[:, 1] + x, fwhm, float(np.clip(beta[0], *BETA_RANGE))


class BandImages:
    """Images of the stars of a field at all wavelengths of a band, interpolated.

    Parameters
    ----------
    model : PsfModel
        The stars.
    theta : ndarray
        Its parameters.
    """

    def __init__(self, model: PsfModel, theta: Floats) -> None:
        nodes = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
        first, last = model.wave_range_um
        waves = model.middle_um + nodes * (last - first) / 2
        images = np.stack([model.images(theta, float(wave)) for wave in waves])
        flat = images.reshape(_NODES, -1)
        self._coefficients = np.linalg.solve(np.polynomial.chebyshev.chebvander(nodes, _NODES - 1), flat)
        self._coefficients = self._coefficients.astype(np.float32)
        self.n_stars = images.shape[1]
        self._middle, self._half = model.middle_um, max((last - first) / 2, 1e-9)

    def at(self, wave_um: Floats) -> NDArray[np.float32]:
        """Return the images at some wavelengths, shape (n_wavelength, n, n_y * n_x)."""
        place = (wave_um - self._middle) / self._half
        basis = np.polynomial.chebyshev.chebvander(place, _NODES - 1).astype(np.float32)
        return np.asarray((basis @ self._coefficients).reshape(len(wave_um), self.n_stars, -1))


def background_terms(kind: str, shape: tuple[int, int]) -> Floats:
    """Return the images a background is made of, shape (n_terms, n_y * n_x): none, 1, or 1, y and x."""
    y, x = ((index - (length - 1) / 2) / max(length, 2) for index, length in zip(np.indices(shape), shape, strict=True))
    terms = {"none": [], "constant": [np.ones(shape)], "plane": [np.ones(shape), y, x]}[kind]
    return np.array(terms, dtype=float).reshape(len(terms), shape[0] * shape[1])
