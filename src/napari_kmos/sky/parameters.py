"""What can be set when the sky is subtracted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_kmos.errors import SkyError
from napari_kmos.sky import level_parameters
from napari_kmos.sky._checks import check_finite, check_least, check_positive
from napari_kmos.sky.level_parameters import LevelParameters


@dataclass(frozen=True, kw_only=True)
class LineParameters:
    """Line pixels, and the factors of `davies`.

    `plain` and `levels` use those of the line pixels to report their residuals.

    Parameters
    ----------
    line_hw : int
        Half width of a line in pixels.
    line_median, line_sigma : float
        A line pixel exceeds line_median times the median plus line_sigma times the standard deviation of the sky.
    min_pixels : int
        Line pixels, and continuum pixels, without which a band is not fitted. With fewer line pixels that stand out of
        the noise of the whole sky `levels` leaves it to `davies`.
    warn_pixels : int
        A band fitted on fewer line pixels than this is worth a warning.
    clip_sigma : float
        Rejection in the mean spectra, in the fits of the factors and in that of the thermal change.
    rotation : bool
        Correct the low and medium rotational line groups relative to all other lines.
    discard_subband : bool
        Do not fit the last band (beyond 2.30 um): it takes the factor of the band before it.
    stretch_resampling : str
        Interpolation of the sky at the wavelengths that ``stretch`` has corrected; a shift alone takes the spline.
    """

    line_hw: int = 4
    line_median: float = 10.0
    line_sigma: float = 1.0
    min_pixels: int = 3
    warn_pixels: int = 10
    clip_sigma: float = 3.0
    rotation: bool = True
    discard_subband: bool = False
    stretch_resampling: Literal["spline", "linear"] = "spline"


@dataclass(frozen=True, kw_only=True)
class SkySpaxelParameters:
    """Sky spaxels of `davies` and `plain`.

    Parameters
    ----------
    mask_sigma : float
        A voxel is dark if it lies less than this many sigma above the mode of the object cube.
    min_frac : float
        A spaxel is sky if this fraction of its planes is dark.
    min_spaxels, max_spaxels : float
        Least and largest fraction of the good spaxels that is taken as sky.
    """

    mask_sigma: float = 2.0
    min_frac: float = 0.8
    min_spaxels: float = 0.10
    max_spaxels: float = 0.25


@dataclass(frozen=True, kw_only=True)
class ThermalParameters:
    """Thermal background.

    Parameters
    ----------
    thermal_temperature : float
        First guess of the temperature of the thermal background in kelvin.
    thermal_change : float
        How much of it may change between sky and object, as a share, 1 sigma.
    thermal_sigma : float
        Pixels above the thermal fit by median plus this many sigma are lines and are left out of the next fit.
    thermal_iterations : int
        Largest number of thermal fits.
    sky_bkg_filter_width : int
        Width in pixels of the running median taken before the thermal fit.
    """

    thermal_temperature: float = 280.0
    thermal_change: float = 0.05
    thermal_sigma: float = 2.0
    thermal_iterations: int = 20
    sky_bkg_filter_width: int = 12


@dataclass(frozen=True, kw_only=True)
class PickParameters:
    """Which of several skies.

    Parameters
    ----------
    pick_hours : float
        ``interpolate`` takes the nearest where the skies before and after lie further apart than this.
    pick_skies, pick_ifus : int
        ``best`` tries so many skies, those nearest in time, on so many IFUs, spread over all.
    """

    pick_hours: float = 3.0
    pick_skies: int = 5
    pick_ifus: int = 6


@dataclass(frozen=True, kw_only=True)
class SkyParameters(LevelParameters, ThermalParameters, SkySpaxelParameters, LineParameters, PickParameters):
    """Parameters of the sky subtraction.

    Names and defaults are those of ESO's recipes where they have one. Each class this one is made of holds those of
    one part; its own are the ones to look at first.

    Parameters
    ----------
    background : str
        What `levels` subtracts below the lines: the smooth continuum of the sky cube (``"sky"``), the same with the
        change of the thermal background between sky and object (``"thermal"``; in crowded fields starlight is taken
        for it), the smooth continuum of the dark spaxels of the object (``"local"``, which takes diffuse starlight
        away), or nothing (``"none"``).
    tbsub : bool
        Fit the thermal background of object and sky and subtract each from its own cube, so that a change of
        temperature between the two is corrected. Without it the continuum of the sky is subtracted as it is. For
        `davies`; `levels` has ``background``.
    dark_share : float
        The darkest share of the object's spaxels from which `levels` takes its sky, and of the sky's where stars are
        so many or bright that their wings are everywhere.
    star_sigma : float
        A dark spaxel brighter than the others by this many sigma of their scatter shows a star and is left out.
    shift : bool
        Measure the wavelength shift between sky and object on the lines and correct the sky; `levels` always does.
    max_shift : float
        Largest shift looked for, in pixels; where `levels` finds as much, `davies` is tried as well.
    stretch : bool
        Correct a wavelength shift that changes along the spectrum, by a polynomial; without it the shift is the same
        everywhere, with `levels` a straight line.
    stretch_degree : int
        Degree of that polynomial.
    misfit_sigma, misfit_gain : float
        Warn that lines still lie beside those of the model where that is so many sigma, and makes so much of what is
        left on all line pixels.
    """

    background: Literal["sky", "thermal", "local", "none"] = "sky"
    tbsub: bool = True
    dark_share: float = 0.4
    star_sigma: float = 4.0
    shift: bool = True
    max_shift: float = 2.0
    stretch: bool = False
    stretch_degree: int = 8
    misfit_sigma: float = 5.0
    misfit_gain: float = 0.1

    def __post_init__(self) -> None:
        check_finite(self)
        check_least(self, 0, *_NOT_NEGATIVE)
        check_least(self, 1, *_COUNTS, *level_parameters.COUNTS)
        check_least(self, 2, *level_parameters.KNOTS)
        check_positive(self, *_POSITIVE, *level_parameters.POSITIVE)
        if not 0 <= self.continuum_percentile <= 100:
            msg = f"continuum_percentile is {self.continuum_percentile}; expected a percentile from 0 to 100"
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
        if not (self.dark_share <= 1 and self.comb_power < 2):
            msg = f"dark_share is {self.dark_share} and comb_power {self.comb_power}; expected at most 1, less than 2"
            raise SkyError(msg)
        if self.comb_flat > 1:
            msg = f"comb_flat is {self.comb_flat}; expected a share of at most 1"
            raise SkyError(msg)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                expected = f"{', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}"
                msg = f"{name} is {getattr(self, name)!r}; expected {expected}"
                raise SkyError(msg)


_COUNTS = (
    "line_hw", "min_pixels", "thermal_iterations", "sky_bkg_filter_width", "stretch_degree", "pick_skies", "pick_ifus",
    "continuum_width",
)  # fmt: skip
_POSITIVE = (
    "max_shift", "mask_sigma", "clip_sigma", "thermal_sigma", "thermal_temperature", "thermal_change", "dark_share",
    "star_sigma", "pick_hours", "misfit_sigma", "misfit_gain", "voxel_clip", "label_wing_sigma",
)  # fmt: skip
_NOT_NEGATIVE = ("line_median", "line_sigma", "warn_pixels", "label_wing", "doubt_share", "doubt_least", "sky_crowded")
_CHOICES = {"stretch_resampling": ("spline", "linear"), "background": ("sky", "thermal", "local", "none")}
