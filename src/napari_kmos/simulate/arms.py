"""What is particular to an arm: slitlets with their gains and small wavelength errors, edges without data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.instrument import SPAXEL_ARCSEC, detector_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.simulate.parameters import SimulationParameters

_GAIN_RMS, _SHIFT_RMS_PIX, _WIDTH_RMS, _ARM_WIDTH_RMS = 0.02, 0.03, 0.02, 0.03
_EDGE_PLANES = 0.03


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ArmResponse:
    """How an arm passes light on.

    Parameters
    ----------
    slitlet : ndarray of int, shape (n_y, n_x)
        Slitlet of each spaxel.
    gain : ndarray, shape (n_y, n_x)
        Sensitivity left over by the flat field, about 1.
    shift_pix, width : ndarray, shape (n_slitlets,)
        Wavelength error in planes, and width of the line spread function over the usual one.
    no_spaxel : ndarray of bool, shape (n_y, n_x)
        Edge spaxels without data: rows in detectors 1 and 2, columns in detector 3.
    first_plane, last_plane : int
        Planes with data are ``first <= plane < last``.
    """

    slitlet: NDArray[np.int_]
    gain: NDArray[np.float64]
    shift_pix: NDArray[np.float64]
    width: NDArray[np.float64]
    no_spaxel: NDArray[np.bool_]
    first_plane: int
    last_plane: int


def make_response(parameters: SimulationParameters, ifu: int) -> ArmResponse:
    """Return the response of an arm: the same in all exposures of a night."""
    rng = np.random.default_rng([parameters.seed, 6, ifu])
    n = parameters.n_spaxels
    along = np.arange(n)
    number = (along * parameters.pix_scale / SPAXEL_ARCSEC + 1e-6).astype(int)
    slitlet = np.repeat(number[:, None], n, axis=1)
    edge = np.zeros((n, n), dtype=bool)
    if parameters.edges:
        edge[[0, -1]] = True
    n_slitlets = int(number[-1]) + 1
    gain = 1 + rng.normal(0, _GAIN_RMS, n_slitlets)[slitlet] + rng.normal(0, 0.01) * (along / n - 0.5)
    if detector_of(ifu) == 3:
        slitlet, gain, edge = slitlet.T, gain.T, edge.T
    blind = (_EDGE_PLANES * parameters.nz * rng.uniform(0.5, 1.0, 2)).astype(int) + 1 if parameters.edges else (0, 0)
    return ArmResponse(
        slitlet=slitlet,
        gain=gain,
        shift_pix=rng.normal(0, _SHIFT_RMS_PIX, n_slitlets),
        width=(1 + rng.normal(0, _ARM_WIDTH_RMS)) * (1 + rng.normal(0, _WIDTH_RMS, n_slitlets)),
        no_spaxel=edge,
        first_plane=int(blind[0]),
        last_plane=parameters.nz - int(blind[1]),
    )


def throughput(n_planes: int) -> NDArray[np.float64]:
    """Return the sensitivity over the planes: a blaze, 1 near the middle."""
    u = np.linspace(-1, 1, n_planes)
    return np.asarray(1 - 0.3 * (u - 0.1) ** 2)
