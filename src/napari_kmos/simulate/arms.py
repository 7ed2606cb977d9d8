"""What is particular to an arm: slitlets with their gains and small wavelength errors, edges without data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.instrument import SPAXEL_ARCSEC, detector_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.simulate.parameters import SimulationParameters

_EDGE_PLANES = 0.03
_MOST_WING = 0.5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ArmResponse:
    """How an arm passes light on.

    Parameters
    ----------
    slitlet : ndarray of int, shape (n_y, n_x)
        Slitlet of each spaxel.
    gain : ndarray, shape (n_y, n_x)
        Sensitivity left over by the flat field, about 1.
    shift_pix : ndarray, shape (n_slitlets,)
        Wavelength error of slitlets in planes.
    spaxel_shift_pix : ndarray, shape (n_y, n_x)
        That of a spaxel on top of its slitlet's.
    width, wing : ndarray, shape (n_slitlets,)
        Width of the line spread function over the usual one, and share of its wing.
    no_spaxel : ndarray of bool, shape (n_y, n_x)
        Edge spaxels without data: rows in detectors 1 and 2, columns in detector 3.
    first_plane, last_plane : int
        Planes with data are ``first <= plane < last``.
    """

    slitlet: NDArray[np.int_]
    gain: NDArray[np.float64]
    shift_pix: NDArray[np.float64]
    spaxel_shift_pix: NDArray[np.float64]
    width: NDArray[np.float64]
    wing: NDArray[np.float64]
    no_spaxel: NDArray[np.bool_]
    first_plane: int
    last_plane: int


def make_response(parameters: SimulationParameters, ifu: int) -> ArmResponse:
    """Return the response of an arm on the grid of its detector: the same in all exposures of a night."""
    p = parameters
    rng = np.random.default_rng([p.seed, 6, ifu])
    n = p.n_spaxels
    number = (np.arange(n) * p.pix_scale / SPAXEL_ARCSEC + 1e-6).astype(int)
    slitlet, along = np.repeat(number[:, None], n, axis=1), np.linspace(-1, 1, n)
    edge = np.zeros((n, n), dtype=bool)
    if p.edges:
        edge[[0, -1]] = True
    each = int(number[-1]) + 1
    gain = 1 + rng.normal(0, p.slitlet_gain, each)[slitlet] + rng.normal(0, p.illumination) * along / 2
    blind = (_EDGE_PLANES * p.nz * rng.uniform(0.5, 1.0, 2)).astype(int) + 1 if p.edges else (0, 0)
    shift = rng.normal(0, p.slitlet_shift, each)
    width = (1 + rng.normal(0, p.arm_width)) * (1 + rng.normal(0, p.slitlet_width, each))
    inner = rng.normal(0, p.slitlet_tilt, each)[slitlet] * along + rng.normal(0, p.spaxel_shift, (n, n))
    wing = np.minimum(p.lsf_wing * np.exp(rng.normal(0, p.slitlet_wing, each)), _MOST_WING)
    gain += rng.normal(0, p.spaxel_gain, (n, n))
    if detector_of(ifu) == 3:
        slitlet, gain, inner, edge = slitlet.T, gain.T, inner.T, edge.T
    return ArmResponse(
        slitlet=slitlet,
        gain=gain,
        shift_pix=shift,
        spaxel_shift_pix=inner,
        width=width,
        wing=wing,
        no_spaxel=edge,
        first_plane=int(blind[0]),
        last_plane=p.nz - int(blind[1]),
    )


def throughput(n_planes: int) -> NDArray[np.float64]:
    """Return the sensitivity over the planes: a blaze, 1 near the middle."""
    u = np.linspace(-1, 1, n_planes)
    return np.asarray(1 - 0.3 * (u - 0.1) ** 2)
