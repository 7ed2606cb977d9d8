"""What can be set when the sky is subtracted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_kmos.errors import SkyError
from napari_kmos.sky.level_parameters import LevelParameters, check_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyParameters(LevelParameters):
    """Parameters of the sky subtraction; names and defaults are those of ESO's recipes where they have one.

    `plain` uses those of the sky spaxels and of the line pixels only, to report its residuals. Of these, `levels` uses
    ``tbsub``, ``max_shift``, ``clip_sigma`` and those of line pixels and thermal background; its own come from
    `LevelParameters`.

    Parameters
    ----------
    tbsub : bool
        Fit the thermal background of object and sky and subtract each from its own cube, so that a change of
        temperature between the two is corrected. Without it the continuum of the sky is subtracted as it is.
    discard_subband : bool
        Do not fit the last band (beyond 2.30 um): it takes the factor of the band before it.
    stretch : bool
        Correct a wavelength shift that changes along the spectrum: a polynomial matched on the bright lines.
    stretch_degree : int
        Degree of that polynomial.
    stretch_resampling : str
        Interpolation of the sky at the corrected wavelengths.
    shift : bool
        Measure the wavelength shift between sky and object on the lines and correct the sky.
    max_shift : float
        Largest shift looked for, in pixels.
    rotation : bool
        Correct the low and medium rotational line groups relative to all other lines.
    mask_sigma : float
        A voxel is dark if it lies less than this many sigma above the mode of the object cube.
    min_frac : float
        A spaxel is sky if this fraction of its planes is dark.
    min_spaxels, max_spaxels : float
        Least and largest fraction of the good spaxels that is taken as sky.
    clip_sigma : float
        Rejection in the mean spectra and in the fits of the factors.
    line_hw : int
        Half width of a line in pixels.
    line_median, line_sigma : float
        A line pixel exceeds line_median times the median plus line_sigma times the standard deviation of the sky.
    min_pixels : int
        Line pixels, and continuum pixels, without which a band is not fitted.
    warn_pixels : int
        A band fitted on fewer line pixels than this is worth a warning.
    thermal_temperature : float
        First guess of the temperature of the thermal background in kelvin.
    thermal_sigma : float
        Pixels above the thermal fit by median plus this many sigma are lines and are left out of the next fit.
    thermal_iterations : int
        Largest number of thermal fits.
    sky_bkg_filter_width : int
        Width in pixels of the running median taken before the thermal fit.
    """

    tbsub: bool = True
    discard_subband: bool = False
    stretch: bool = False
    stretch_degree: int = 8
    stretch_resampling: Literal["spline", "linear"] = "spline"
    shift: bool = True
    max_shift: float = 2.0
    rotation: bool = True
    mask_sigma: float = 2.0
    min_frac: float = 0.8
    min_spaxels: float = 0.10
    max_spaxels: float = 0.25
    clip_sigma: float = 3.0
    line_hw: int = 4
    line_median: float = 10.0
    line_sigma: float = 1.0
    min_pixels: int = 3
    warn_pixels: int = 10
    thermal_temperature: float = 280.0
    thermal_sigma: float = 2.0
    thermal_iterations: int = 20
    sky_bkg_filter_width: int = 12

    def __post_init__(self) -> None:
        for name in ("line_hw", "min_pixels", "thermal_iterations", "sky_bkg_filter_width", "stretch_degree"):
            if getattr(self, name) < 1:
                msg = f"{name} is {getattr(self, name)}; expected 1 or more"
                raise SkyError(msg)
        for name in ("max_shift", "mask_sigma", "clip_sigma", "thermal_sigma", "thermal_temperature"):
            if not getattr(self, name) > 0:
                msg = f"{name} is {getattr(self, name)}; expected more than 0"
                raise SkyError(msg)
        if not 0 < self.min_frac <= 1:
            msg = f"min_frac is {self.min_frac}; expected a fraction between 0 and 1"
            raise SkyError(msg)
        if not 0 < self.min_spaxels <= self.max_spaxels <= 1:
            msg = (
                f"min_spaxels is {self.min_spaxels} and max_spaxels {self.max_spaxels}; "
                "expected fractions, the first not larger than the second"
            )
            raise SkyError(msg)
        if self.stretch_resampling not in ("spline", "linear"):
            msg = f"stretch_resampling is {self.stretch_resampling!r}; expected 'spline' or 'linear'"
            raise SkyError(msg)
        check_levels(self)
