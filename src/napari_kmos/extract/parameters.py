"""Parameters of the extraction of spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from napari_kmos.errors import ExtractionError

Sky = Literal["annulus", "areas", "none"]
Side = Literal["all", "left", "right", "up", "down"]
Statistic = Literal["median", "mean", "clipped"]
Background = Literal["constant", "plane", "none"]

#: Stars this many widths outside a field still reach into it.
_OUTSIDE = 2.0
_ERRORS = (
    "fwhm_error",
    "exponent_error",
    "beta_error",
    "drift_error_arcsec",
    "shift_error_arcsec",
    "position_error_arcsec",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PsfParameters:
    """How the point spread function is fitted (methods psf and optimal).

    What is known beforehand of the profile and of the places of the stars is given with its error, 1 sigma; an error of
    0 holds the value.

    Parameters
    ----------
    fwhm_arcsec, fwhm_error : float
        Full width at half maximum of the stars at the middle of the band, and by which part it may be off.
    exponent, exponent_error : float
        Power of the wavelength with which the width changes, and its error.
    beta, beta_error : float
        Power of the Moffat profile, and its error.
    drift_error_arcsec : float
        How far the stars may move from one end of the band to the other, in each axis (atmospheric refraction).
    shift_error_arcsec : float
        How far all positions may be off together, in each axis.
    position_error_arcsec : float
        How far each position may be off beside that, in each axis. No star is moved by more than five times that.
    blend_fwhm : float
        Stars closer than this, in units of the width, keep the distance given: their positions are not fitted.
    background : str
        Light beneath the stars at each wavelength: ``constant`` over the field, a tilted ``plane``, or ``none``.
    n_bins : int
        Wavelength bins into which the cube is collapsed to fit the profile.
    clip : float
        A voxel that stands out from its bin and its neighbours by so many sigma is left out; 0 keeps all.
    field_arcsec : float
        Stars within a square of this side are fitted together, those around it with them; larger fields are divided.
    reach_fwhm : float
        How far around its stars a field is fitted, in units of the width.
    min_light : float
        Share of a star's light that must fall on spaxels with data; below it the wavelength is masked.

    Raises
    ------
    ExtractionError
        If a value makes no sense.
    """

    fwhm_arcsec: float = 0.7
    fwhm_error: float = 0.5
    exponent: float = -0.2
    exponent_error: float = 0.1
    beta: float = 2.8
    beta_error: float = 1.0
    drift_error_arcsec: float = 0.1
    shift_error_arcsec: float = 0.1
    position_error_arcsec: float = 0.04
    blend_fwhm: float = 0.5
    background: Background = "constant"
    n_bins: int = 8
    clip: float = 6.0
    field_arcsec: float = 4.0
    reach_fwhm: float = 3.0
    min_light: float = 0.1

    def __post_init__(self) -> None:
        self._check("background", self.background in get_args(Background), f"one of {', '.join(get_args(Background))}")
        for name in ("fwhm_arcsec", "field_arcsec", "reach_fwhm"):
            self._check(name, 0 < getattr(self, name) < float("inf"), "a positive number")
        for name in (*_ERRORS, "blend_fwhm", "clip"):
            self._check(name, 0 <= getattr(self, name) < float("inf"), "zero or more")
        self._check("beta", 1 < self.beta < float("inf"), "more than 1")
        self._check("n_bins", self.n_bins >= 1, "one or more")
        self._check("min_light", 0 < self.min_light < 1, "a share between 0 and 1")

    @property
    def outside_arcsec(self) -> float:
        """How far outside a field stars still reach into it."""
        return _OUTSIDE * self.fwhm_arcsec

    def _check(self, name: str, is_right: bool, expected: str) -> None:
        """Refuse a value that makes no sense."""
        if not is_right:
            msg = f"{name} is {getattr(self, name)!r}; expected {expected}"
            raise ExtractionError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractParameters(PsfParameters):
    """How stars are told from the sky around them.

    Parameters
    ----------
    sky : str
        Sky to subtract: ``annulus``, a ring around each star; ``areas``, the apertures of kind sky in the same cube,
        any number of them; ``none``. The method psf fits a background instead.
    inner, outer : float
        Radii of the ring in units of the aperture's radius.
    side : str
        Side of the ring that is used, on the sky with north up: ``left`` is east, ``right`` west, ``up`` north,
        ``down`` south, in cubes turned by any angle. An aperture's own ``sky_side`` goes before.
    side_deg : float
        Angle of that side as seen from the star: 180 is half of the ring.
    avoid_arcsec : float
        Spaxels of the ring nearer than this to another star are left out; 0 keeps all.
    ring_statistic, areas_statistic : str
        How the values of the spaxels of a ring, or of the areas, make one: ``median``, ``mean``, or ``clipped``, the
        mean of those within ``sky_clip``.
    sky_clip : float
        How far from the median a value may lie, in units of the robust scatter.
    min_coverage : float
        Share of an aperture's area that must have data; below it the wavelength is masked, above it the flux is
        scaled up to the whole area.

    Raises
    ------
    ExtractionError
        If a value makes no sense.
    """

    sky: Sky = "annulus"
    inner: float = 2.0
    outer: float = 3.0
    side: Side = "all"
    side_deg: float = 180.0
    avoid_arcsec: float = 0.0
    ring_statistic: Statistic = "median"
    areas_statistic: Statistic = "mean"
    sky_clip: float = 3.0
    min_coverage: float = 0.8

    def __post_init__(self) -> None:
        PsfParameters.__post_init__(self)
        for name, known in (
            ("sky", Sky),
            ("side", Side),
            ("ring_statistic", Statistic),
            ("areas_statistic", Statistic),
        ):
            self._check(name, getattr(self, name) in get_args(known), f"one of {', '.join(get_args(known))}")
        if not 0 <= self.inner < self.outer < float("inf"):
            msg = f"the sky ring goes from {self.inner} to {self.outer} radii; expected 0 <= inner < outer"
            raise ExtractionError(msg)
        self._check("side_deg", 0 < self.side_deg <= 360, "an angle above 0, at most 360")
        self._check("avoid_arcsec", 0 <= self.avoid_arcsec < float("inf"), "zero or more")
        self._check("sky_clip", 0 < self.sky_clip < float("inf"), "a positive number")
        self._check("min_coverage", 0 < self.min_coverage <= 1, "a share above 0, at most 1")
