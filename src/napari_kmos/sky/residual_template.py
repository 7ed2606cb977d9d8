"""The residual sky that an IFU may have, made from what is left in others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_kmos.instrument import detector_of
from napari_kmos.sky._line_groups import find_line_groups
from napari_kmos.sky.methods import same_wavelengths
from napari_kmos.sky.second_pass_parameters import SecondPassParameters
from napari_kmos.spectral.nan import divide, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky.residuals import IfuResidual

    Floats = NDArray[np.float64]

#: Planes over which the significance of the residual, and how its sources agree, is averaged.
_AVERAGED = 5
#: With so many sources it is told which of them is off.
_FEWEST_TO_COMPARE = 3


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SkyTemplate:
    """The residual sky that an IFU may have, by line group.

    Parameters
    ----------
    sources : tuple of int
        The IFUs it comes from; never the one it is for.
    same_detector : bool
        Whether they are on its detector.
    spectrum, error : ndarray, shape (n_planes,)
        Residual spectrum and 1 sigma; NaN without data.
    name : tuple of str
        Line groups.
    columns, column_errors : ndarray, shape (n_planes, n_groups)
        What an amplitude of 1 of each group subtracts, less where the residual is little above its noise, and its
        error; 0 beside known lines.
    """

    sources: tuple[int, ...]
    same_detector: bool
    spectrum: Floats
    error: Floats
    name: tuple[str, ...]
    columns: Floats
    column_errors: Floats


def make_template(
    cube: Cube,
    residuals: Sequence[IfuResidual],
    emptier: Collection[int],
    *,
    parameters: SecondPassParameters | None = None,
) -> SkyTemplate | None:
    """Combine the residuals of the emptier IFUs, the cube's own left out, into what the cube may have.

    Parameters
    ----------
    cube : Cube
        Of which only the wavelength axis and the number of its IFU are looked at.
    residuals : sequence of IfuResidual
        Of `measure_residual`; those with another wavelength axis are left out.
    emptier : collection of int
        The IFUs to take it from: those of the same detector where there are some, else all.
    parameters : SecondPassParameters, optional
        Defaults if None.

    Returns
    -------
    SkyTemplate or None
        None if no other IFU is there to take it from.

    Notes
    -----
    Mean weighted with the errors, planes in which one of three or more sources is off left out. Where the sources
    differ by more than their errors the error grows. Groups in which no more is left than noise are left out, and each
    plane is multiplied by the share of its square that is no noise, so that little is subtracted where little is left.
    """
    p = parameters or SecondPassParameters()
    others = [
        each
        for each in residuals
        if each.ifu in emptier
        and each.ifu not in (None, cube.ifu)
        and same_wavelengths(each.wavelength_um, cube.wavelength_um)
    ]
    if cube.ifu is None or not others:
        return None
    near = [each for each in others if detector_of(each.ifu or 0) == detector_of(cube.ifu)]
    chosen = near or others
    spectrum, error = _combined(chosen, p)
    groups = find_line_groups(cube, p)
    inner = np.isin(chosen[0].member, (*groups.name,))
    light = np.stack([_is_light(spectrum[each], error[each], p) for each in (groups.share * inner[:, None] > 0.5).T])
    shares = groups.share * (_share_that_is_light(spectrum, error) * inner)[:, None] * light
    return SkyTemplate(
        sources=tuple(sorted(each.ifu or 0 for each in chosen)),
        same_detector=bool(near),
        spectrum=spectrum,
        error=error,
        name=groups.name,
        columns=np.nan_to_num(spectrum)[:, None] * shares,
        column_errors=np.nan_to_num(error)[:, None] * shares,
    )


def _combined(sources: Sequence[IfuResidual], p: SecondPassParameters) -> tuple[Floats, Floats]:
    """Mean of several residuals and its error."""
    spectra, errors = (np.stack([getattr(each, name) for each in sources]) for name in ("spectrum", "true_error"))
    if len(sources) >= _FEWEST_TO_COMPARE:
        off = np.abs(spectra - nan_median(spectra))
        usual = np.maximum(1.4826 * nan_median(off), errors)
        errors = np.where(off > p.voxel_clip * usual, np.nan, errors)
    weight = np.where(np.isfinite(spectra), 1 / errors**2, np.nan)
    total = np.nansum(weight, axis=0)
    mean = divide(np.nansum(weight * spectra, axis=0), total)
    number = np.count_nonzero(np.isfinite(weight), axis=0)
    chi2 = _smoothed(np.nansum(weight * (spectra - mean) ** 2, axis=0)) / np.maximum(_smoothed(number - 1.0), 1.0)
    return mean, np.sqrt(divide(np.maximum(chi2, 1.0), total))


def _is_light(spectrum: Floats, error: Floats, p: SecondPassParameters) -> bool:
    """Tell whether the planes of a group hold more than noise."""
    z = (spectrum / error)[np.isfinite(spectrum) & np.isfinite(error)]
    return bool(np.sum(z**2) - z.size > p.significance * np.sqrt(2 * z.size))


def _share_that_is_light(spectrum: Floats, error: Floats) -> Floats:
    """Return the share of the square of a spectrum that is no noise, about each plane."""
    power, noise = (_smoothed(np.nan_to_num(values) ** 2) for values in (spectrum, error))
    return np.nan_to_num(divide(np.maximum(power - noise, 0.0), power))


def _smoothed(values: Floats) -> Floats:
    return np.asarray(ndimage.uniform_filter1d(np.nan_to_num(values), _AVERAGED, mode="nearest"))
