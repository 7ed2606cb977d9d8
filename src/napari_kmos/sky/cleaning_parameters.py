"""What can be set when stars are found in sky cubes and replaced by sky."""

from __future__ import annotations

from dataclasses import dataclass

from napari_kmos.errors import SkyError
from napari_kmos.sky._checks import check_finite, check_least, check_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningParameters:
    """Parameters of star masks and of filled sky cubes.

    Parameters
    ----------
    seed_sigma : float
        A spaxel whose continuum, relative to its sky lines, is brighter than the sky by this many sigma shows a star.
    wing_sigma : float
        The star reaches as far as spaxels that touch it are brighter by this many sigma.
    flat_error : float
        How well the sky lines of a spaxel tell its sky, wings of lines included: a share of its light, 1 sigma.
    kernel_arcsec : float
        FWHM of the smoothing with which faint stars and extended light are found.
    least_sky : float
        Where a smaller share of an IFU's spaxels shows sky, its mean sky is what the spectra of all of them tend to
        without starlight, at a level that another IFU tells.
    wing_share : float
        Where all IFUs are like that: starlight in the darkest spaxels of the darkest IFU over that of its usual ones,
        1 sigma.
    max_error : float
        Where the mean sky of such an IFU is still less certain than this many times the noise of a voxel, it is that
        of the other IFU.
    star_spread : float
        How much the spectra of stars differ between spaxels, as a share of their light.
    bad_sigma : float
        Single voxels of the sky that are off by this many sigma are left out of means and fits, and replaced.
    smooth_knots : int
        Knots of what is smooth in a spectrum, beside the lines.
    gain_spread, shift_spread, width_spread : float
        How much gain, wavelength shift (planes) and width (relative) of the lines of spaxels differ, 1 sigma.
    rounds : int
        How often mask and mean spectrum of the sky are found anew from each other.
    """

    seed_sigma: float = 5.0
    wing_sigma: float = 2.0
    flat_error: float = 0.005
    kernel_arcsec: float = 0.6
    least_sky: float = 0.5
    wing_share: float = 0.1
    max_error: float = 0.5
    star_spread: float = 0.05
    bad_sigma: float = 6.0
    smooth_knots: int = 40
    gain_spread: float = 0.1
    shift_spread: float = 0.2
    width_spread: float = 0.1
    rounds: int = 2

    def __post_init__(self) -> None:
        check_finite(self)
        check_positive(self, *_POSITIVE)
        check_least(self, 0, "wing_share")
        if not 0 <= self.least_sky <= 1:
            msg = f"least_sky is {self.least_sky}; expected a share from 0 to 1"
            raise SkyError(msg)
        if self.smooth_knots < 2 or self.rounds < 1:
            msg = f"smooth_knots is {self.smooth_knots} and rounds {self.rounds}; expected at least 2 and 1"
            raise SkyError(msg)


_POSITIVE = (
    "seed_sigma", "wing_sigma", "flat_error", "kernel_arcsec", "max_error", "star_spread", "bad_sigma", "gain_spread",
    "shift_spread", "width_spread",
)  # fmt: skip
