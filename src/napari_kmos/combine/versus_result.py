"""What a comparison of two subsets found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosError
from napari_kmos.spectral.nan import divide, robust_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.aperture import Aperture
    from napari_kmos.cube import Image

#: Spaxels whose difference is larger than so many sigma stand out.
_STANDS_OUT = 5.0
#: The ratios of fainter stars over each other are noise.
_LEAST_SNR = 5.0
#: No star is wider than this; stars are looked for in windows that grow with the width.
_WIDEST_ARCSEC = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersusParameters:
    """How the stars are found whose signal-to-noise ratio is compared, where none are given.

    Parameters
    ----------
    fwhm_arcsec : float
        Width of a star in the white-light image; somewhat less than the seeing tells more of a crowd apart.
    threshold : float
        How far a star stands out of the image, in units of its noise.
    radius_arcsec : float
        Radius of the apertures.
    most_stars : int
        The brightest of so many are taken.
    """

    fwhm_arcsec: float = 0.6
    threshold: float = 10.0
    radius_arcsec: float = 0.4
    most_stars: int = 12

    def __post_init__(self) -> None:
        if self.fwhm_arcsec > _WIDEST_ARCSEC:
            msg = f"fwhm_arcsec is {self.fwhm_arcsec}, expected the width of a star, {_WIDEST_ARCSEC:g} at most"
            raise KmosError(msg)
        for name in ("fwhm_arcsec", "threshold", "radius_arcsec", "most_stars"):
            if not 0 < getattr(self, name) < math.inf:
                msg = f"{name} is {getattr(self, name)}, expected a positive number"
                raise KmosError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseRatio:
    """Noise of a subset over that of the union, where both subsets have data; NaN is unknown.

    Parameters
    ----------
    measured : float
        From the scatter of the values along the wavelength.
    propagated : float
        From the noise of the exposures.
    by_number : float
        From the number of exposures alone, as if all were equally good.
    """

    measured: float
    propagated: float
    by_number: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Subset:
    """One subset, or the union.

    Parameters
    ----------
    members : tuple of int
        Numbers of its exposures, from 0.
    image : Image
        White light with noise, shape (n_y, n_x): the mean over the planes, which weigh by one over their median
        variance in the union.
    n_exposures : ndarray of int, shape (n_y, n_x)
        How many of them have data in a spaxel in any plane.
    noise : NoiseRatio
        Over that of the union.
    """

    members: tuple[int, ...]
    image: Image
    n_exposures: NDArray[np.int_]
    noise: NoiseRatio


@dataclass(frozen=True, slots=True, kw_only=True)
class StarSnr:
    """Signal-to-noise ratios of a star, of A, B and the union; NaN is unknown.

    Parameters
    ----------
    aperture : Aperture
        Where.
    snr : tuple of float
        From the scatter of the continuum, as `measure_snr`, at wavelengths that all three have.
    propagated : tuple of float
        From the noise, likewise.
    """

    aperture: Aperture
    snr: tuple[float, float, float]
    propagated: tuple[float, float, float]


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Two subsets compared.

    Parameters
    ----------
    a, b, union : Subset
        The subsets, and all that is in one of them.
    difference : Image
        White light of A minus B where both have data, and its noise, which knows what they share. NaN too where the
        two are made of the same exposures.
    stars : tuple of StarSnr
        Those inside the field.
    """

    a: Subset
    b: Subset
    union: Subset
    difference: Image
    stars: tuple[StarSnr, ...]

    @cached_property
    def sigma(self) -> NDArray[np.float64]:
        """Difference over its noise, shape (n_y, n_x)."""
        noise = self.difference.noise
        assert noise is not None  # noqa: S101 - made with it
        return divide(self.difference.data, noise)

    @property
    def n_shared(self) -> int:
        """Exposures in both."""
        return len({*self.a.members} & {*self.b.members})

    @property
    def n_spaxels(self) -> int:
        """Spaxels with a difference."""
        return int(np.isfinite(self.sigma).sum())

    @property
    def scatter(self) -> float:
        """Robust scatter of the difference over its noise: 1 is noise alone."""
        return robust_sigma(self.sigma)

    @property
    def n_outstanding(self) -> int:
        """Spaxels whose difference is larger than 5 sigma."""
        return int(np.count_nonzero(np.abs(self.sigma) > _STANDS_OUT))

    def snr_over_union(self, *, propagated: bool = False) -> tuple[float, float]:
        """Return the median over the stars of their ratios in A and B over that in the union; NaN without stars.

        Stars whose ratio in the union is less than 5 do not count.
        """
        ratios = np.array([star.propagated if propagated else star.snr for star in self.stars]).reshape(-1, 3)
        known = ratios[np.isfinite(ratios).all(axis=1) & (ratios[:, 2] > _LEAST_SNR)]
        if not len(known):
            return math.nan, math.nan
        a, b = np.median(known[:, :2] / known[:, 2:], axis=0)
        return float(a), float(b)
