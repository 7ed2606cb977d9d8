"""Lines of a spectrum by Gaussians or Voigt profiles: centre, width, flux, equivalent width, each with its error.

Lines nearer to each other than their windows are fitted together, with one straight continuum. The flux of a line is a
parameter, so that its error is one of the fit's; `LineFit.to_model` gives the models of astropy and specutils.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import voigt_profile

from napari_kmos.errors import KmosError
from napari_kmos.spectral.lines import LIGHT_KMS
from napari_kmos.spectral.profiles import GAUSSIAN_FWHM, Profiles, fit_profiles, fwhm_of
from napari_kmos.spectral.windows import in_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectrum import SpectralLine, StarSpectrum

    Floats = NDArray[np.float64]

PROFILES = ("gaussian", "voigt")
#: Fewest planes beyond the parameters, and the least share of a window that must have data.
_SPARE, _LEAST_SHARE = 3, 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class LineParameters:
    """How lines are fitted.

    Parameters
    ----------
    profile : str
        ``"gaussian"`` or ``"voigt"``.
    half_width_um : float
        The window of a line reaches so far to both sides.
    velocity_kms : float
        Where lines are expected.
    reach_kms : float
        How far a line may lie from there.
    min_significance : float
        A line whose flux is less than so many sigma is none.

    Raises
    ------
    KmosError
        If a value makes no sense.
    """

    profile: Literal["gaussian", "voigt"] = "gaussian"
    half_width_um: float = 0.01
    velocity_kms: float = 0.0
    reach_kms: float = 400.0
    min_significance: float = 3.0

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            msg = f"profile {self.profile!r} is unknown; expected {', '.join(PROFILES)}"
            raise KmosError(msg)
        if not (0 < self.half_width_um < 1 and self.reach_kms > 0 and abs(self.velocity_kms) < LIGHT_KMS / 10):
            msg = (
                f"half_width_um {self.half_width_um:g}, reach_kms {self.reach_kms:g}, velocity_kms "
                f"{self.velocity_kms:g}: expected a width in micron, a positive reach, and a velocity below 30000 km/s"
            )
            raise KmosError(msg)


_DEFAULTS = LineParameters()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFit:
    """A fitted line; errors are 1 sigma.

    Parameters
    ----------
    line : SpectralLine
        Which.
    profile : str
        ``"gaussian"`` or ``"voigt"``.
    centre_um, centre_err_um : float
        As the wavelengths have it.
    fwhm_um, fwhm_err_um : float
        Of the profile, the instrument's width included.
    flux, flux_err : float
        Unit of the spectrum times micron; negative in absorption.
    width_um, width_err_um : float
        Equivalent width in micron, positive in absorption, the error of the continuum included; NaN where the
        continuum is not positive.
    continuum, slope : float
        At the centre, and per micron.
    sigma_um, gamma_um : float
        Of the profile: 1 sigma of the Gaussian, half width at half maximum of the Lorentzian part.
    chi2 : float
        Per degree of freedom; NaN where there is no noise.
    scaled : bool
        True where the spectrum has no noise: errors are by what the fit leaves.
    window : (float, float)
        Range in micron that was fitted.
    reason : str
        Why there is no result; empty if there is one.
    note : str
        What to know of it.
    """

    line: SpectralLine
    profile: str = "gaussian"
    centre_um: float = math.nan
    centre_err_um: float = math.nan
    fwhm_um: float = math.nan
    fwhm_err_um: float = math.nan
    flux: float = math.nan
    flux_err: float = math.nan
    width_um: float = math.nan
    width_err_um: float = math.nan
    continuum: float = math.nan
    slope: float = math.nan
    sigma_um: float = math.nan
    gamma_um: float = math.nan
    chi2: float = math.nan
    scaled: bool = False
    window: tuple[float, float] = (math.nan, math.nan)
    reason: str = ""
    note: str = ""

    @property
    def significance(self) -> float:
        """Flux over its error."""
        return abs(self.flux) / self.flux_err if self.flux_err > 0 else math.nan

    def to_model(self) -> Any:
        """Return this line and its continuum as a model of `astropy.modeling`, on wavelengths in micron.

        A `Gaussian1D`, or a `Voigt1D` where there is a Lorentzian part, and a `Polynomial1D`, as specutils takes them.
        """
        from astropy.modeling.models import Gaussian1D, Polynomial1D, Voigt1D

        line = Polynomial1D(1, c0=self.continuum - self.slope * self.centre_um, c1=self.slope)
        if self.gamma_um > 0:
            height = self.flux / (math.pi * self.gamma_um)
            return line + Voigt1D(self.centre_um, height, 2 * self.gamma_um, GAUSSIAN_FWHM * self.sigma_um)
        height = self.flux / (math.sqrt(2 * math.pi) * self.sigma_um)
        return line + Gaussian1D(height, self.centre_um, self.sigma_um)

    def evaluate(self, wavelength_um: Floats) -> Floats:
        """Return continuum and this line at wavelengths in micron; NaN without a fit."""
        away = np.asarray(wavelength_um, dtype=float) - self.centre_um
        profile = self.flux * voigt_profile(away, self.sigma_um, self.gamma_um)
        return np.asarray(self.continuum + self.slope * away + profile)


def fit_lines(
    spectrum: StarSpectrum,
    lines: Sequence[SpectralLine],
    *,
    exclude: Sequence[Window] = (),
    parameters: LineParameters = _DEFAULTS,
) -> tuple[LineFit, ...]:
    """Fit lines of a spectrum.

    Parameters
    ----------
    spectrum : StarSpectrum
        Planes without data or, where it has noise, without noise are left out. Noise counts as it is; without any the
        errors are by what the fits leave, and ``scaled`` is True.
    lines : sequence of SpectralLine
        At rest, in the spectrum's medium. Those nearer to each other than half a window are fitted together.
    exclude : sequence of (start, end) in micron
        What is left out.
    parameters : LineParameters
        Profile and window.

    Returns
    -------
    tuple of LineFit
        One for each line, in their order. ``reason`` says why one has no result: its window lies outside the spectrum,
        there is no data, it is a band head, the fit fails, or nothing stands out.
    """
    factor = 1 + parameters.velocity_kms / LIGHT_KMS
    found: dict[int, LineFit] = {}
    usable: list[int] = []
    wave = spectrum.wavelength_um
    for number, line in enumerate(lines):
        place = line.wavelength_um * factor
        window = (place - parameters.half_width_um, place + parameters.half_width_um)
        reason = _why_not(line, window, wave)
        if reason:
            found[number] = LineFit(line=line, profile=parameters.profile, window=window, reason=reason)
        else:
            usable.append(number)
    for group in _groups(usable, lines, parameters.half_width_um):
        fits = _fit_group(spectrum, [lines[number] for number in group], exclude, parameters)
        found |= dict(zip(group, fits, strict=True))
    return tuple(found[number] for number in range(len(lines)))


def _why_not(line: SpectralLine, window: Window, wave: Floats) -> str:
    """Say why a line cannot be fitted, whatever the flux."""
    if line.kind == "head":
        return "the head of a band is no line; see the indices"
    if window[0] < wave[0] or window[1] > wave[-1]:
        return f"its window {window[0]:.4f}-{window[1]:.4f} lies outside the spectrum, {wave[0]:.4f}-{wave[-1]:.4f} um"
    return ""


def _groups(usable: Sequence[int], lines: Sequence[SpectralLine], near_um: float) -> list[list[int]]:
    """Return the numbers of lines that lie together."""
    groups: list[list[int]] = []
    for number in sorted(usable, key=lambda one: lines[one].wavelength_um):
        if groups and lines[number].wavelength_um - lines[groups[-1][-1]].wavelength_um < near_um:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _fit_group(
    spectrum: StarSpectrum, lines: Sequence[SpectralLine], exclude: Sequence[Window], parameters: LineParameters
) -> list[LineFit]:
    """Fit lines that lie together."""
    wave, factor = spectrum.wavelength_um, 1 + parameters.velocity_kms / LIGHT_KMS
    places = np.array([line.wavelength_um for line in lines]) * factor
    window = (float(places[0] - parameters.half_width_um), float(places[-1] + parameters.half_width_um))
    blank = [LineFit(line=line, profile=parameters.profile, window=window) for line in lines]
    inside = in_windows(wave, [window]) & ~in_windows(wave, exclude)
    known = np.isfinite(spectrum.noise) & (spectrum.noise > 0)
    used = inside & np.isfinite(spectrum.flux) & (known if known.any() else True)
    n_parameters = 2 + len(lines) * (4 if parameters.profile == "voigt" else 3)
    n_used, n_window = np.count_nonzero(used), np.count_nonzero(in_windows(wave, [window]))
    if n_used < max(n_parameters + _SPARE, _LEAST_SHARE * n_window):
        reason = f"{n_used} of {n_window} planes of its window have data; too few"
        return [dataclasses.replace(one, reason=reason) for one in blank]
    points = (wave[used], spectrum.flux[used], spectrum.noise[used] if known.any() else None)
    reach_um = float(places[0]) * parameters.reach_kms / LIGHT_KMS
    try:
        fitted = fit_profiles(points, places, reach_um, is_voigt=parameters.profile == "voigt")
    except (ValueError, RuntimeError, np.linalg.LinAlgError) as err:
        return [dataclasses.replace(one, reason=f"the fit failed ({err})") for one in blank]
    blank = [dataclasses.replace(one, chi2=fitted.chi2, scaled=points[2] is None) for one in blank]
    return [_result(one, fitted, number, parameters.min_significance) for number, one in enumerate(blank)]


def _result(blank: LineFit, fitted: Profiles, number: int, least: float) -> LineFit:
    """Return the fit of one line."""
    level, slope = fitted.values[:2].tolist()
    own = fitted.line(number)
    flux, centre, sigma, gamma = fitted.values[own].tolist()
    flux_err, centre_err = np.sqrt(np.diag(fitted.covariance)[own][:2]).tolist()
    continuum = level + slope * centre
    if continuum == 0:  # of planes that are all zero
        return dataclasses.replace(blank, reason="its continuum is zero")
    gradients = np.zeros((2, fitted.values.size))
    fwhm, gradients[0, own.start + 2], gradients[0, own.start + 3] = fwhm_of(sigma, gamma)
    gradients[1, own.start : own.start + 2] = -1 / continuum, flux * slope / continuum**2
    gradients[1, :2] = flux / continuum**2, centre * flux / continuum**2
    variances = np.einsum("ki,ij,kj->k", gradients, fitted.covariance, gradients)
    fwhm_err, width_err = np.sqrt(variances).tolist()
    result = dataclasses.replace(
        blank,
        centre_um=fitted.origin_um + centre,
        centre_err_um=centre_err,
        fwhm_um=fwhm,
        fwhm_err_um=fwhm_err,
        flux=flux,
        flux_err=flux_err,
        width_um=-flux / continuum,
        width_err_um=width_err,
        continuum=continuum,
        slope=slope,
        sigma_um=sigma,
        gamma_um=gamma,
        note="errors by what the fit leaves: the spectrum has no noise" if blank.scaled else "",
    )
    return _judged(result, least)


def _judged(fit: LineFit, least: float) -> LineFit:
    """Return a fit with the reason why it is none, and without a width where there is no continuum."""
    if fit.significance < least:
        reason = f"nothing stands out: {fit.significance:.1f} sigma, {least:g} are wanted"
        return dataclasses.replace(fit, reason=reason)
    if fit.continuum > 0:
        return fit
    if fit.flux < 0:
        return dataclasses.replace(fit, reason="no signal: absorption from a continuum that is not positive")
    note = "; ".join(filter(None, (fit.note, "no equivalent width: its continuum is not positive")))
    return dataclasses.replace(fit, width_um=math.nan, width_err_um=math.nan, note=note)
