"""From what the detectors sample to the planes and spaxels of a cube, as the pipeline does where these are finer.

A cubic spline along each of the three axes: noise is correlated then, and what the header calls the noise of a voxel
follows from the squares of the weights. Edges without data have no part in it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.simulate.scene import Scene

    Floats = NDArray[np.float64]
    Weights = tuple[csr_array, Floats, Floats]

#: Weights of a spline fall off by 0.27 a sample; less than this is left out.
_LEAST_WEIGHT = 1e-7


def to_cube(light: Floats, scene: Scene, ifu: int) -> Floats:
    """Bring light from the grid of an arm's detector to that of its cubes, keeping the light of an area.

    Parameters
    ----------
    light : ndarray, shape (n_planes, n_y, n_x)
        On the grid of the detector. Where the arm has no data its values have no part.
    scene : Scene
        The night.
    ifu : int
        Arm.

    Returns
    -------
    ndarray, shape (n_planes, n_y, n_x)
        Finite everywhere: beyond the last spaxels and planes with data these are repeated. Where the cubes are not
        finer, ``light`` itself.
    """
    if scene.detector == scene.parameters:
        return light
    return _apply(_weights(scene, ifu), light)


def noise_to_cube(sigma: Floats, scene: Scene, ifu: int) -> Floats:
    """Return the noise after `to_cube` of voxels that are independent, 1 sigma; shapes as there."""
    if scene.detector == scene.parameters:
        return sigma
    planes, rows, columns = _weights(scene, ifu)
    return np.sqrt(_apply((planes.power(2), rows**2, columns**2), sigma**2))


def spectra_to_cube(spectra: Floats, scene: Scene) -> Floats:
    """Bring spectra, shape (n, n_planes), from the planes of the detectors to those of cubes."""
    if scene.detector == scene.parameters:
        return spectra
    n = scene.detector.nz
    return np.asarray((_spline(tuple(_places(scene)[0]), 0, n, n) @ spectra.T).T)


def missing_in_cube(scene: Scene, ifu: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return planes, shape (n_planes,), and spaxels, shape (n_y, n_x), of an arm's cubes that have no data."""
    response = scene.responses[ifu]
    plane, spaxel = (np.round(at).astype(int) for at in _places(scene))
    outside = (plane < response.first_plane) | (plane >= response.last_plane)
    return outside, response.no_spaxel[np.ix_(spaxel, spaxel)]


def _places(scene: Scene) -> tuple[Floats, Floats]:
    """Return where the planes and the spaxels of cubes lie on the detector, 0-based and fractional."""
    fine, coarse = scene.parameters, scene.detector
    offset = np.arange(fine.n_spaxels) - (fine.n_spaxels - 1) / 2
    spaxels = offset * fine.pix_scale / coarse.pix_scale + (coarse.n_spaxels - 1) / 2
    return np.arange(fine.nz) * coarse.nz / fine.nz, np.clip(spaxels, 0, coarse.n_spaxels - 1)


def _weights(scene: Scene, ifu: int) -> Weights:
    """Return the weights of planes, rows and columns of the detector in those of the cube."""
    response, n, (planes, spaxels) = scene.responses[ifu], scene.detector.n_spaxels, _places(scene)
    known = ~response.no_spaxel
    rows, columns = (_spline(tuple(spaxels), *_ends(np.any(known, axis=axis)), n).toarray() for axis in (1, 0))
    area = scene.parameters.pix_scale / scene.detector.pix_scale
    along = _spline(tuple(planes), response.first_plane, response.last_plane, scene.detector.nz)
    return along, area * rows, area * columns


def _ends(known: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the first that is known, and the one behind the last."""
    places = np.flatnonzero(known)
    return int(places[0]), int(places[-1]) + 1


@functools.lru_cache(maxsize=64)
def _spline(places: tuple[float, ...], first: int, last: int, n: int) -> csr_array:
    """Return the weights of ``n`` samples at places between them, of which ``first <= sample < last`` have data."""
    samples = np.arange(first, last)
    spline = make_interp_spline(samples, np.eye(len(samples)), k=3, bc_type="natural")
    inside = np.clip(places, first, last - 1)
    weights = np.zeros((len(places), n))
    weights[:, first:last] = BSpline.design_matrix(inside, spline.t, 3) @ spline.c
    weights[np.abs(weights) < _LEAST_WEIGHT] = 0.0
    return csr_array(weights)


def _apply(weights: Weights, sampled: Floats) -> Floats:
    planes, rows, columns = weights
    fine = (planes @ sampled.reshape(len(sampled), -1)).reshape(-1, *sampled.shape[1:])
    return np.asarray(rows @ fine @ columns.T)
