"""The velocity of a star by comparison with a template, everywhere at once.

For each velocity the template, at rest on a fine grid, is brought to the spectrum's own planes: the noise of the data
stays as it is. A polynomial continuum, the depth of the template's lines, their width and what its variants have else
are fitted linearly, and what that leaves, chi squared, is the cross-correlation: its coefficient is sqrt(1 - chi2 /
chi2 without lines), and its peak the most likely velocity (Zucker 2003, MNRAS 342, 1291). The error comes from its
curvature, from what the fit leaves, and from the correlation of that over neighbouring planes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import KmosError
from napari_kmos.instrument import likeliest_band
from napari_kmos.measure._matching import Compared, depth_of, error_of, lone_outliers, prepare, refine, slope_of, solve
from napari_kmos.measure.templates import over_continuum
from napari_kmos.spectral.lines import LIGHT_KMS
from napari_kmos.spectral.observed import as_observed, in_vacuum
from napari_kmos.spectral.windows import check_windows, in_windows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.interpolate import CubicSpline

    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectrum import Template

    Floats = NDArray[np.float64]

#: Where late types have most of their lines, by band.
LATE_WINDOWS: MappingProxyType[str, tuple[Window, ...]] = MappingProxyType(
    {
        "IZ": ((0.84, 0.90), (0.97, 1.05)),
        "YJ": ((1.15, 1.34),),
        "H": ((1.48, 1.75),),
        "K": ((2.18, 2.40),),
        "HK": ((1.50, 1.75), (2.18, 2.39)),
    }
)
#: Velocities are tried at so many steps a plane.
_STEPS_PER_PLANE = 4
_CLIP_PASSES = 3
#: A variant counts if what is its own is this part of the lines of the template.
_LEAST_SHARE = 0.01
#: Of lines broader or narrower than the template's, the change is taken from this part of their width.
_WIDER = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationParameters:
    """How a spectrum is compared with a template.

    Parameters
    ----------
    windows : tuple of (start, end) in micron
        What is compared; `LATE_WINDOWS` of the band if empty, as far as the spectrum reaches.
    exclude : tuple of (start, end) in micron
        What is left out of that: sky lines, bad regions.
    max_kms : float
        Velocities are looked for up to this on both sides of the start.
    degree : int
        Of the polynomial of the continuum, one for each window.
    fit_width : bool
        Let lines be somewhat broader or narrower than the template's: it keeps an asymmetric band from moving.
    lsf_fwhm_um : float
        Of the instrument's lines in micron; 0 takes the resolving power of the band.
    clip : float
        Single planes this many robust standard deviations off what is fitted, and far off their neighbours, are left
        out.
    min_significance : float
        What a template must explain to count, as a square root of chi squared.

    Raises
    ------
    KmosError
        If a value makes no sense.
    """

    windows: tuple[Window, ...] = ()
    exclude: tuple[Window, ...] = ()
    max_kms: float = 600.0
    degree: int = 3
    fit_width: bool = True
    lsf_fwhm_um: float = 0.0
    clip: float = 5.0
    min_significance: float = 6.0

    def __post_init__(self) -> None:
        if not (0 < self.max_kms < LIGHT_KMS / 10 and 0 <= self.lsf_fwhm_um < 1 and self.degree >= 0):
            msg = (
                f"max_kms {self.max_kms:g}, lsf_fwhm_um {self.lsf_fwhm_um:g}, degree {self.degree}: expected a range "
                "of velocities below 30000 km/s, a width in micron, and a degree of 0 or more"
            )
            raise KmosError(msg)


_DEFAULTS = CorrelationParameters()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Correlation:
    """The velocity that a template tells.

    Parameters
    ----------
    velocity_kms, err_kms : float
        As the wavelengths given have it, and 1 sigma; NaN where there is none.
    depth : float
        What the star's lines take away of its light over what those of the template would, where it is compared: 0.5
        where half of the light is another, hot star's. The depths of bands and atoms differ: this is that of all.
    significance : float
        Square root of the chi squared that the template explains.
    chi2 : float
        Of what is left, per degree of freedom; NaN without noise.
    n_points : int
        Planes compared.
    middle_um : float
        Their mean wavelength, each by the weight that a shift of it has in the velocity.
    trial_kms, coefficient : ndarray, shape (n,)
        The correlation, -1 to 1, at all velocities tried.
    reason : str
        Why there is no velocity; empty if there is one.
    """

    velocity_kms: float = math.nan
    err_kms: float = math.nan
    depth: float = math.nan
    significance: float = 0.0
    chi2: float = math.nan
    n_points: int = 0
    middle_um: float = math.nan
    trial_kms: Floats = field(default_factory=lambda: np.empty(0))
    coefficient: Floats = field(default_factory=lambda: np.empty(0))
    reason: str = ""


def correlate(
    wavelength_um: ArrayLike,
    flux: ArrayLike,
    template: Template,
    *,
    noise: ArrayLike | None = None,
    parameters: CorrelationParameters = _DEFAULTS,
) -> Correlation:
    """Measure a velocity by cross-correlation with a template.

    Parameters
    ----------
    wavelength_um, flux : array_like of float, shape (n_wavelength,)
        Spectrum, ascending, evenly spaced; NaN is left out.
    template : Template
        At rest; one in air is converted, one of fluxes divided by its continuum (`over_continuum`).
    noise : array_like of float, shape (n_wavelength,), optional
        1 sigma. Where what the fit leaves is more, the error grows with it; without noise it is what counts.
    parameters : CorrelationParameters
        What is compared, and how.

    Returns
    -------
    Correlation
        Without a velocity ``reason`` says why.

    Raises
    ------
    KmosError
        If a window does not go upwards.
    """
    template = in_vacuum(template)
    wave, values = np.asarray(wavelength_um, dtype=float), np.asarray(flux, dtype=float)
    band = likeliest_band(float(wave[0]), float(wave[-1]))
    chosen = check_windows(parameters.windows or LATE_WINDOWS[band.name])
    plane_kms = LIGHT_KMS * float(np.median(np.diff(wave))) / float(np.median(wave))
    fwhm_um = parameters.lsf_fwhm_um or float(np.median(wave)) / band.resolution
    reach = parameters.max_kms + 2 * plane_kms
    widths = (fwhm_um, (1 + _WIDER) * fwhm_um)[: 1 + parameters.fit_width]
    inside = in_windows(wave, chosen) & ~in_windows(wave, check_windows(parameters.exclude))
    beyond = reach / LIGHT_KMS
    covered = (wave * (1 - beyond) > template.wavelength_um[0]) & (wave * (1 + beyond) < template.wavelength_um[-1])
    step = plane_kms / _STEPS_PER_PLANE
    trial = np.arange(-np.ceil(parameters.max_kms / step), np.ceil(parameters.max_kms / step) + 1) * step
    used = inside & covered
    template = over_continuum(template, chosen, degree=parameters.degree, reach_kms=reach)
    shapes = _shapes(template, wave, used, widths_um=widths, reach_kms=reach)
    for _ in range(_CLIP_PASSES):
        data = prepare(wave, values, noise, used, (chosen, parameters.degree))
        if data is None:
            return Correlation(reason=_why_too_few(inside, covered, values, template))
        if not data.scale.mean() > 0:
            return Correlation(reason="no signal: the continuum is not positive", n_points=data.wave.size)
        found, left = _best(data, shapes, trial, parameters.min_significance)
        bad = lone_outliers(left, parameters.clip)
        if not bad.any():
            break
        used[data.planes[bad]] = False
    return found


def _shapes(template: Template, wave: Floats, used: NDArray[np.bool_], **how: Any) -> list[CubicSpline]:
    """Return a template as observed at each width, and those variants whose lines are no combination of the others.

    Where there is no CO, for one, its depth makes no difference.
    """
    shapes = as_observed(template, wave, **how)
    for flux in template.variants:
        (shape,) = as_observed(
            dataclasses.replace(template, flux=flux), wave, **how | {"widths_um": how["widths_um"][:1]}
        )
        lines, *others = (1 - one(wave[used]) for one in (shape, *shapes))
        columns = np.stack(others, axis=1)
        left = lines - columns @ np.linalg.lstsq(columns, lines)[0]
        if np.linalg.norm(left) > _LEAST_SHARE * np.linalg.norm(others[0]):
            shapes.append(shape)
    return shapes


def _best(data: Compared, shapes: Sequence[CubicSpline], trial: Floats, least: float) -> tuple[Correlation, Floats]:
    """Find the velocity that explains most, its error, and what it leaves."""
    coarse = solve(data, shapes, trial)
    total = float(data.values @ data.values)
    signs = np.where(coarse.coefficients[:, 0] < 0, 1.0, -1.0)  # absorption takes away from the continuum
    curve = signs * np.sqrt(np.clip(coarse.explained / total, 0, 1)) if total > 0 else np.zeros(trial.size)
    peak = int(np.argmax(curve))
    found: dict[str, Any] = {"trial_kms": trial, "coefficient": curve, "n_points": data.wave.size}
    velocity = float(trial[peak])
    if 0 < peak < trial.size - 1:
        velocity = refine(data, shapes, velocity, float(trial[1] - trial[0]))
    last = solve(data, shapes, np.array([velocity]))
    left = data.values - last.coefficients[0] @ last.columns[:, 0]
    chi2 = float(left @ left) / max(data.wave.size - data.basis.shape[1] - len(shapes) - 2, 1)
    variance = 1.0 if data.has_noise else chi2
    significance = math.sqrt(max(float(last.explained[0]), 0.0) / variance) if variance > 0 else math.inf
    found |= {"significance": significance, "chi2": chi2 if data.has_noise else math.nan}
    depth = depth_of(data, shapes, velocity, last)
    if significance < least or curve[peak] <= 0 or depth <= 0:
        why = f"they explain {significance:.1f} sigma, {least:g} are wanted"
        if significance >= least:
            why = "what they explain best is the other way round, emission for absorption"
        return Correlation(**found, reason=f"no lines like those of the template: {why}"), left
    if peak in (0, trial.size - 1):
        reason = f"the correlation still rises at {velocity:.0f} km/s; look further (max_kms)"
        return Correlation(**found, reason=reason), left
    slope, whole = slope_of(data, shapes, velocity, last)
    best = Correlation(
        **found,
        velocity_kms=velocity,
        err_kms=error_of(data, slope, left, max(chi2, 1.0) if data.has_noise else chi2),
        middle_um=float(np.average(data.wave, weights=slope * whole)),
        depth=depth,
    )
    return best, left


def _why_too_few(inside: NDArray[np.bool_], covered: NDArray[np.bool_], values: Floats, template: Template) -> str:
    """Say what leaves too few planes."""
    if not inside.any():
        return "the windows lie outside the spectrum"
    if not (inside & covered).any():
        start, end = template.wavelength_um[[0, -1]]
        return f"the template {template.name} covers {start:.4g}-{end:.4g} um, not the windows"
    return f"too few planes with data in the windows: {np.count_nonzero(inside & covered & np.isfinite(values))}"
