"""The line fit of the Davies method on the mean spectra: bands and rotational groups, one on top of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.sky._bands import FINAL_BIT, group_masks
from napari_kmos.sky._lines import FactorFit, band_pieces, fit_factor, has_enough
from napari_kmos.sky.result import GroupFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._lines import MeanSpectra
    from napari_kmos.sky.parameters import SkyParameters

#: Bands and groups are fitted in turn, so that each is fitted on what the other leaves.
_ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class LineFactors:
    """What was found for each band the spectrum covers and for the groups, and the factor at every wavelength.

    A band that was not fitted has a NaN factor here; ``band_scale`` holds what it takes instead.
    """

    bands: tuple[FactorFit, ...]
    groups: tuple[GroupFit, ...]
    band_scale: NDArray[np.float64]
    rotation: NDArray[np.float64]

    @property
    def scale(self) -> NDArray[np.float64]:
        """Factor of the sky lines at every wavelength."""
        return self.band_scale * self.rotation


def fit_lines(spectra: MeanSpectra, p: SkyParameters) -> LineFactors:
    """Fit a factor to each band, and to each listed rotational group relative to all other lines.

    The group factors multiply the sky at their lines; then the bands are fitted again, so that lines of no listed
    group have the factor of their band alone.
    """
    rotation = np.ones(spectra.sky.size)
    groups: tuple[GroupFit, ...] = ()
    for _ in range(_ROUNDS if p.rotation else 0):
        scale, _ = _fit_bands(spectra.with_sky(spectra.sky * rotation), p)
        rotation, groups = _fit_groups(spectra.with_sky(spectra.sky * rotation * scale), rotation, p)
    scale, bands = _fit_bands(spectra.with_sky(spectra.sky * rotation), p)
    return LineFactors(bands, groups, scale, rotation)


def _fit_bands(spectra: MeanSpectra, p: SkyParameters) -> tuple[NDArray[np.float64], tuple[FactorFit, ...]]:
    """Factor at every wavelength, interpolated over bands without a fit, and the fit of each band."""
    scale = np.full(spectra.sky.size, np.nan)
    fits = []
    for name, planes, piece in band_pieces(spectra):
        fit = fit_factor(piece, p)
        if name == FINAL_BIT and p.discard_subband:
            fit = FactorFit(float("nan"), fit.n_pixels)
        scale[planes] = fit.factor
        fits.append(fit)
    known = np.flatnonzero(np.isfinite(scale))
    filled = np.interp(np.arange(scale.size), known, scale[known]) if known.size else np.ones(scale.size)
    return filled, tuple(fits)


def _fit_groups(
    spectra: MeanSpectra, rotation: NDArray[np.float64], p: SkyParameters
) -> tuple[NDArray[np.float64], tuple[GroupFit, ...]]:
    """Factor of the groups at every wavelength, corrected by what the scaled sky of ``spectra`` still lacks."""
    masks = group_masks(spectra.wavelength_um, p)
    fits = {name: fit_factor(spectra.within(mask), p) for name, mask in masks.items()}
    reference = fits.pop("high").factor
    if not np.isfinite(reference):
        return rotation, ()
    corrected = rotation.copy()
    groups = []
    for name, fit in fits.items():
        if np.isfinite(fit.factor) and has_enough(spectra.within(masks[name]), p):
            corrected[masks[name]] *= fit.factor / reference
            factor = float(corrected[masks[name]][0])
            groups.append(GroupFit(name=name, factor=factor, n_line_pixels=fit.n_pixels))
    return corrected, tuple(groups)
