"""A second pass: what the subtraction of the sky left, found in the emptier IFUs and subtracted from the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from napari_kmos.errors import SkyError
from napari_kmos.sky._high_pass import HighPassed, take_high_pass
from napari_kmos.sky.residuals import IfuResidual, residual_of
from napari_kmos.sky.second_pass_parameters import SecondPassParameters
from napari_kmos.spectral.nan import divide, nan_median, robust_sigma
from napari_kmos.spectral.noise import ensure_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Array, Cube
    from napari_kmos.sky.residual_template import SkyTemplate

    Floats = NDArray[np.float64]

#: A scatter of amplitudes counts if it exceeds that of the noise by so many times its own error.
_SCATTER_SIGMA = 4.0
#: Error of the square of a scatter that is told by the median absolute deviation of n numbers, times the root of n.
_SCATTER_ERROR = 2.33
#: Rounds of the fit of an IFU.
_ROUNDS = 2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SecondPass:
    """How much of the residual sky is subtracted from an IFU.

    Parameters
    ----------
    template : SkyTemplate
        What is subtracted.
    amplitude, error : ndarray, shape (n_groups,)
        Of the IFU: 1 is as much as in the sources, 0 where it is not significant.
    spaxel, spaxel_error : ndarray, shape (n_groups, n_y, n_x)
        Of each spaxel.
    """

    template: SkyTemplate
    amplitude: Floats
    error: Floats
    spaxel: Floats
    spaxel_error: Floats

    @property
    def is_significant(self) -> bool:
        """Whether anything is subtracted."""
        return bool(self.spaxel.any())


def choose_emptier(
    residuals: Sequence[IfuResidual], given: Collection[int] = (), *, parameters: SecondPassParameters | None = None
) -> tuple[int, ...]:
    """Return the IFUs from which the residual sky is taken: those given, else those mostly free of stars.

    Raises
    ------
    SkyError
        If a given IFU has no data.
    """
    p = parameters or SecondPassParameters()
    have = [each.ifu for each in residuals if each.ifu is not None]
    unknown = sorted(set(given) - set(have))
    if unknown:
        msg = f"no data for IFU {', '.join(map(str, unknown))}; IFUs with data: {', '.join(map(str, have)) or 'none'}"
        raise SkyError(msg)
    empty = [each.ifu for each in residuals if each.ifu is not None and each.empty_share >= p.empty_share]
    return tuple(sorted(given or empty))


def fit_second_pass(
    cube: Cube, own: IfuResidual, template: SkyTemplate, *, parameters: SecondPassParameters | None = None
) -> tuple[SecondPass, IfuResidual]:
    """Find the amplitudes of an IFU and its spaxels; return them and what is left by group when they are applied.

    Parameters
    ----------
    cube : Cube
        Read once.
    own : IfuResidual
        Of the same cube.
    template : SkyTemplate
        Made without the cube.
    parameters : SecondPassParameters, optional
        Defaults if None.

    Notes
    -----
    The amplitudes of the IFU come from its mean spectrum without stars by weighted least squares. One that is not
    significant, or outside of what the same residual may have, is 0; the others are multiplied by
    1 - error^2 / amplitude^2 (positive-part James and Stein 1961). A spaxel's own are drawn towards them: they differ
    as far as the scatter among the spaxels exceeds that of the noise.
    """
    p = parameters or SecondPassParameters()
    amplitude, error = _fit_ifu(own, template, p)
    spectra = take_high_pass(cube, p)
    change, change_error = _fit_spaxels(spectra, template, amplitude, p)
    subtracted = np.where(amplitude != 0, error, 0.0)
    found = SecondPass(
        template=template,
        amplitude=amplitude,
        error=error,
        spaxel=spectra.image(amplitude[:, None] + change, amplitude),
        spaxel_error=spectra.image(np.hypot(subtracted[:, None], change_error), subtracted),
    )
    left = spectra.flux - template.columns @ (amplitude[:, None] + change)
    return found, residual_of(dataclasses.replace(spectra, flux=left), cube, p)


def subtract_residual(cube: Cube, second: SecondPass) -> Cube:
    """Return the cube without the residual sky: lazy if it was, NaN where it was, float32.

    The noise, estimated where the cube has none, grows by the error of the residual spectrum, which all spaxels of the
    IFU have in common, and by that of the amplitudes.
    """
    cube = ensure_noise(cube)
    t = second.template
    chunks = None if isinstance(cube.flux, np.ndarray) else (cube.flux.chunks[0], -1)

    def times(columns: Floats, images: Floats) -> Array:
        factor = columns if chunks is None else da.from_array(columns, chunks=chunks)
        product: Array = np.tensordot(factor, images, axes=1)
        return product

    flux = (cube.flux - times(t.columns, second.spaxel)).astype(np.float32)
    extra = times(t.column_errors, second.spaxel) ** 2 + times(t.columns**2, second.spaxel_error**2)
    noise: Any = cube.noise
    noise = np.sqrt(noise.astype(float) ** 2 + extra).astype(np.float32)
    return dataclasses.replace(cube, flux=flux, noise=noise)


def _fit_ifu(own: IfuResidual, template: SkyTemplate, p: SecondPassParameters) -> tuple[Floats, Floats]:
    """Amplitudes of an IFU and their errors, drawn towards 0."""
    sigma = np.hypot(own.true_error, template.error)
    known = np.isfinite(sigma) & np.isfinite(own.spectrum) & template.columns.any(axis=1)
    used = template.columns.any(axis=0)
    amplitude, error = np.zeros((2, len(template.name)))
    for _ in range(_ROUNDS):
        if not known.any():
            break
        columns = template.columns[known][:, used] / sigma[known, None]
        covariance = np.linalg.pinv(columns.T @ columns)
        amplitude[used] = covariance @ (columns.T @ (own.spectrum[known] / sigma[known]))
        z = (own.spectrum - template.columns @ amplitude) / sigma
        spread = max(1.0, robust_sigma(z[known]))
        error[used] = spread * np.sqrt(np.maximum(np.diag(covariance), 0))
        known &= ~(np.abs(z) > p.voxel_clip * spread)
    significant = (error > 0) & (amplitude >= p.significance * error) & (amplitude <= p.largest)
    kept = 1 - divide(error**2, np.where(significant, amplitude**2, 0.0))
    return np.where(significant, amplitude * np.nan_to_num(kept), 0.0), error


def _fit_spaxels(
    spectra: HighPassed, template: SkyTemplate, amplitude: Floats, p: SecondPassParameters
) -> tuple[Floats, Floats]:
    """Return by how much each spaxel's amplitudes differ from the IFU's and the errors, shape (n_groups, n_spaxels)."""
    z = (spectra.flux - (template.columns @ amplitude)[:, None]) / spectra.noise
    weight = np.where(np.isfinite(z) & (np.abs(z) <= p.voxel_clip), 1 / spectra.noise**2, 0.0)
    left = np.where(weight > 0, spectra.flux - (template.columns @ amplitude)[:, None], 0.0)
    n_groups, columns = len(template.name), template.columns
    products = (columns[:, :, None] * columns[:, None, :]).reshape(len(left), -1)
    normal = (products.T @ weight).T.reshape(-1, n_groups, n_groups)
    slope = (columns.T @ (weight * left)).T
    scatter = np.minimum(_true_scatter(normal, slope, spectra.starless), (p.spaxel_scatter * amplitude) ** 2)
    varies = scatter > 0
    change, error = np.zeros((2, n_groups, len(slope)))
    if varies.any():
        precision = normal[:, varies][:, :, varies] + np.diag(1 / scatter[varies])
        covariance = np.linalg.inv(precision)
        change[varies] = np.einsum("sij,sj->is", covariance, slope[:, varies])
        error[varies] = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)).T
    return change, error


def _true_scatter(normal: Floats, slope: Floats, starless: NDArray[np.bool_]) -> Floats:
    """Return by how much the amplitudes of the spaxels without stars scatter beyond their noise, as variances."""
    power = np.diagonal(normal, axis1=1, axis2=2)[starless]
    single = divide(slope[starless], power)
    found = np.array([robust_sigma(values) for values in single.T]) ** 2
    noise = nan_median(divide(np.ones(power.shape), power))
    beyond = found - noise
    least = _SCATTER_SIGMA * _SCATTER_ERROR / np.sqrt(max(len(single), 1)) * noise
    return np.where(np.nan_to_num(beyond) > np.nan_to_num(least), np.nan_to_num(beyond), 0.0)
