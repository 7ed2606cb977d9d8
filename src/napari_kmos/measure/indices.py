"""Equivalent widths between fixed wavelengths, and what class of star they tell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosError
from napari_kmos.spectral.lines import LIGHT_KMS
from napari_kmos.spectral.windows import in_windows, windows_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectrum import StarSpectrum

    Floats = NDArray[np.float64]

LATE, EARLY, UNKNOWN = "late", "early", "unknown"
CLASSES = (LATE, EARLY, UNKNOWN)
CO, BR_GAMMA = "CO", "Br gamma"
_FEWEST = 5
#: Part of a feature that must have data.
_LEAST_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDefinition:
    """Where a feature and the continuum beside it are, at rest, in micron.

    Parameters
    ----------
    name : str
        Unique.
    feature : (float, float)
        Range of the equivalent width.
    continuum : tuple of (float, float)
        Ranges through which a straight line is drawn.
    source : str
        Who defined it.
    """

    name: str
    feature: Window
    continuum: tuple[Window, ...]
    source: str = ""


#: Its numbers are not checked against the printed paper; that they are vacuum is concluded from where the lines lie.
_FROGEL = "Frogel et al. 2001, AJ 122, 1896"
#: By name. Br gamma reaches 830 km/s to both sides; its continuum is clear of He I 2.1617, H2 2.1542 and He II 2.1891.
INDICES: Mapping[str, IndexDefinition] = MappingProxyType(
    {
        one.name: one
        for one in (
            IndexDefinition(
                name=CO,
                feature=(2.2910, 2.3020),
                continuum=((2.2300, 2.2370), (2.2420, 2.2580), (2.2680, 2.2790), (2.2840, 2.2910)),
                source=_FROGEL,
            ),
            IndexDefinition(
                name=BR_GAMMA,
                feature=(2.1601, 2.1721),
                continuum=((2.1440, 2.1525), (2.1745, 2.1860)),
                source="this project",
            ),
            IndexDefinition(
                name="Na I",
                feature=(2.2040, 2.2107),
                continuum=((2.1910, 2.1966), (2.2125, 2.2170)),
                source=_FROGEL,
            ),
            IndexDefinition(
                name="Ca I",
                feature=(2.2577, 2.2692),
                continuum=((2.2450, 2.2560), (2.2700, 2.2720)),
                source=_FROGEL,
            ),
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The equivalent width of a feature.

    Parameters
    ----------
    name : str
        Of its definition.
    width_aa, err_aa : float
        Equivalent width in Angstrom, positive in absorption, and 1 sigma, that of the continuum included; NaN without.
    depth, depth_err : float
        Mean depth below the continuum: the width over that of the range.
    reason : str
        Why there is none; empty if there is one.
    """

    name: str
    width_aa: float = math.nan
    err_aa: float = math.nan
    depth: float = math.nan
    depth_err: float = math.nan
    reason: str = ""

    @property
    def significance(self) -> float:
        """Width over its error."""
        return self.width_aa / self.err_aa if self.err_aa > 0 else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassParameters:
    """When a star is of a class.

    Parameters
    ----------
    min_sigma : float
        CO of a late, Br gamma of an early star stand out by so many sigma.
    min_co_aa : float
        Least CO of a late star in Angstrom (`INDICES`); more than 2 sigma below it, a star has no CO.
    min_br_gamma_aa : float
        Least absorption by Br gamma of an early star in Angstrom.

    Raises
    ------
    KmosError
        If one is not positive.
    """

    min_sigma: float = 3.0
    min_co_aa: float = 3.0
    min_br_gamma_aa: float = 1.0

    def __post_init__(self) -> None:
        if not (self.min_sigma > 0 and self.min_co_aa > 0 and self.min_br_gamma_aa > 0):
            msg = (
                f"min_sigma {self.min_sigma:g}, min_co_aa {self.min_co_aa:g}, min_br_gamma_aa "
                f"{self.min_br_gamma_aa:g}: expected positive numbers"
            )
            raise KmosError(msg)


_DEFAULTS = ClassParameters()
_NO_CO_SIGMA = 2.0


def measure_index(spectrum: StarSpectrum, definition: IndexDefinition, *, velocity_kms: float = 0.0) -> Index:
    """Measure the equivalent width of a feature below a straight line through its continuum.

    Parameters
    ----------
    spectrum : StarSpectrum
        Vacuum. Planes without data are left out; those of the feature count as the mean of the others. Without noise
        the error is by the scatter about the continuum. Planes are taken as independent.
    definition : IndexDefinition
        Ranges at rest.
    velocity_kms : float
        By which the ranges are moved.

    Returns
    -------
    Index
        ``reason`` says why there is none, as where a range lies outside the spectrum.
    """
    wave = spectrum.wavelength_um
    factor = 1 + velocity_kms / LIGHT_KMS
    feature, *continuum = ((start * factor, end * factor) for start, end in (definition.feature, *definition.continuum))
    outside = [one for one in (feature, *continuum) if one[0] < wave[0] or one[1] > wave[-1]]
    if outside:
        reason = f"{windows_text(outside[:1])} um lies outside the spectrum"
        return Index(name=definition.name, reason=reason)
    known = np.isfinite(spectrum.noise) & (spectrum.noise > 0)
    there = np.isfinite(spectrum.flux) & (known if known.any() else True)
    share = _shares(wave, feature) * there
    covered = float(share.sum()) * float(np.median(np.diff(wave))) / (feature[1] - feature[0])
    used = there & in_windows(wave, continuum)
    if covered < _LEAST_SHARE or np.count_nonzero(used) < _FEWEST:
        return Index(name=definition.name, reason="too few planes with data in its ranges")
    sigma = spectrum.noise if known.any() else None
    return _index(definition, (wave, spectrum.flux, sigma), share / covered, used)


def classify(indices: Mapping[str, Index], *, parameters: ClassParameters = _DEFAULTS) -> tuple[str, str]:
    """Tell late from early types by CO and Br gamma.

    Parameters
    ----------
    indices : mapping of str to Index
        Those of `measure_index` by name; without `CO` nothing is told.
    parameters : ClassParameters
        Limits.

    Returns
    -------
    tuple of str
        ``"late"`` where CO stands out; ``"early"`` where there is none, and Br gamma stands out in absorption;
        ``"unknown"`` else. Then why.
    """
    co, br_gamma = (indices.get(name, Index(name=name, reason="not measured")) for name in (CO, BR_GAMMA))
    if co.reason or not math.isfinite(co.significance):
        return UNKNOWN, f"{CO}: {co.reason or 'no error'}"
    text = f"CO {co.width_aa:.1f} +- {co.err_aa:.1f} A"
    if co.significance >= parameters.min_sigma and co.width_aa >= parameters.min_co_aa:
        return LATE, text
    if co.width_aa + _NO_CO_SIGMA * co.err_aa > parameters.min_co_aa:
        return UNKNOWN, f"{text}: neither seen nor missing"
    if br_gamma.reason:
        return UNKNOWN, f"{text}, Br gamma: {br_gamma.reason}"
    text = f"{text}, Br gamma {br_gamma.width_aa:.1f} +- {br_gamma.err_aa:.1f} A"
    if br_gamma.significance >= parameters.min_sigma and br_gamma.width_aa >= parameters.min_br_gamma_aa:
        return EARLY, text
    if br_gamma.significance <= -parameters.min_sigma:
        return UNKNOWN, f"{text}: in emission"
    return UNKNOWN, text


def _index(
    definition: IndexDefinition, data: tuple[Floats, Floats, Floats | None], share: Floats, used: NDArray[np.bool_]
) -> Index:
    """Return the width of a feature whose planes count by their share."""
    wave, flux, noise = data
    middle = float(np.mean(wave[used]))
    design = np.stack([np.ones(wave.size), wave - middle], axis=1)
    weight = np.ones(wave.size) if noise is None else 1 / np.where(used, noise, np.inf)
    scaled = design[used] * weight[used, None]
    covariance = np.linalg.inv(scaled.T @ scaled)
    line = covariance @ (scaled.T @ (flux[used] * weight[used]))
    level = design @ line
    name = definition.name
    inside = share > 0
    if not np.all(level[inside] > 0):
        return Index(name=name, reason="its continuum is not positive")
    if noise is None:
        spread = float(np.sum((flux[used] - level[used]) ** 2)) / max(int(np.count_nonzero(used)) - 2, 1)
        covariance, noise = covariance * spread, np.full(wave.size, math.sqrt(spread))
    step_aa = 1e4 * float(np.median(np.diff(wave)))
    part, ratio = share[inside] * step_aa, flux[inside] / level[inside]
    width = float(np.sum(part * (1 - ratio)))
    gradient = (part * ratio / level[inside]) @ design[inside]
    variance = float(np.sum((part * noise[inside] / level[inside]) ** 2) + gradient @ covariance @ gradient)
    error, range_aa = math.sqrt(variance), float(np.sum(part))
    return Index(name=name, width_aa=width, err_aa=error, depth=width / range_aa, depth_err=error / range_aa)


def _shares(wave: Floats, window: Window) -> Floats:
    """Return which part of each plane lies in a window."""
    step = float(np.median(np.diff(wave)))
    edges = np.clip(np.stack([wave - 0.5 * step, wave + 0.5 * step]), *window)
    return np.asarray((edges[1] - edges[0]) / step)
