"""The pieces of a cube that apertures need, read from it a batch at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from dask.base import compute

from napari_kmos.errors import ExtractionError
from napari_kmos.io import read_boxes
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.spatial.covariance import correlated_variance
from napari_kmos.spectral.nan import divide
from napari_kmos.spectral.noise import NoiseModel, ensure_noise, with_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.extract.footprint import Footprint
    from napari_kmos.io.source import Box

#: A cube up to this size is read whole, once; of a larger one only the surroundings of the apertures.
_WHOLE_BYTES = 64 * 2**20
#: What is read of a larger cube at a time, flux and noise. Sums and medians need as much again.
_BATCH_BYTES = 256 * 2**20
#: Surroundings from which the noise of a large cube is estimated, in spaxels: an IFU's field or more.
_NOISE_REACH_PIX = 14


@dataclass(frozen=True, slots=True)
class Spaxels:
    """Spectra of some spaxels as the cube has them, shape (n_spaxels, n_wavelength), the weight and place of each."""

    flux: NDArray[Any]
    noise: NDArray[Any]
    weights: NDArray[np.float64]
    places: tuple[NDArray[np.intp], NDArray[np.intp]]
    correlation: NDArray[np.float64] | None

    def variance(self, known: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the variance of the weighted sum of the spaxels whose noise is known.

        Weights are one a spaxel, or of the shape of the spectra. In float64, as a calibrated noise squared underflows
        in float32.
        """
        terms = np.where(known, self.noise, 0).astype(float)
        terms *= weights if weights.ndim == 2 else weights[:, None]
        if self.correlation is not None:
            return correlated_variance(terms, *self.places, self.correlation)
        return np.asarray(np.square(terms, out=terms).sum(axis=0))

    def mean(
        self, area_pix: float, min_coverage: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the weighted mean, its variance, and the share of the area with data; NaN where that is too small."""
        weights, squares = self.weights, self.weights**2
        used = np.isfinite(self.flux)
        total = weights @ used.astype(float)
        coverage = total / area_pix
        mean = divide(weights @ np.where(used, self.flux, 0), total)
        mean[coverage < min_coverage] = np.nan
        known = used & np.isfinite(self.noise)
        # A spaxel with flux but without noise is taken to be as noisy as the others.
        unknown_share = divide(squares @ used.astype(float), squares @ known.astype(float))
        variance = divide(self.variance(known, weights) * unknown_share, total**2)
        return mean, variance, coverage


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The part of a cube that an aperture needs: flux and noise in memory, all wavelengths."""

    footprint: Footprint
    flux: NDArray[Any]
    noise: NDArray[Any]
    correlation: NDArray[np.float64] | None

    def circle(self) -> Spaxels:
        """Return the spaxels that the aperture touches, with exact weights."""
        return self._spaxels(self.footprint.weights)

    def ring(self) -> Spaxels:
        """Return the spaxels of the ring around the aperture; weights are one."""
        return self._spaxels(self.footprint.sky)

    def _spaxels(self, weights: NDArray[np.float64] | NDArray[np.bool_]) -> Spaxels:
        chosen = weights > 0
        flux, noise = (values[:, chosen].T for values in (self.flux, self.noise))
        y, x = np.nonzero(chosen)
        return Spaxels(flux, noise, weights[chosen].astype(float), (y, x), self.correlation)


class Piece(NamedTuple):
    """Rows and columns of a cube: flux and noise in memory, all wavelengths."""

    box: Box
    flux: NDArray[Any]
    noise: NDArray[Any]


class CubeReader:
    """Reads the surroundings of apertures, with noise; a large lazy cube is never held whole.

    Parameters
    ----------
    cube : Cube
        In memory or lazy. Where it has no noise, it is estimated: from the whole of a small cube, from the
        surroundings of the aperture in a large one.
    noise_model : NoiseModel, optional
        What the noise of a large cube is known to follow from; then it need not be estimated.
    excluded : ndarray of bool, shape (n_y, n_x), optional
        Spaxels that are read as if they had no data.
    progress : Progress
        Told while a large cube is read; it may raise `Cancelled`.
    """

    def __init__(
        self,
        cube: Cube,
        *,
        noise_model: NoiseModel | None = None,
        excluded: NDArray[np.bool_] | None = None,
        progress: Progress = silent,
    ) -> None:
        self.cube = cube
        self._excluded = excluded
        self.noise_estimated = cube.noise_estimated or cube.noise is None
        self._model = noise_model
        self._progress = progress
        self._whole: Cube | None = None
        if _is_small(cube):
            whole = ensure_noise(cube)
            flux, noise = compute(whole.flux, whole.noise)  # together, so that shared work is done once
            self._whole = replace(whole, flux=flux, noise=noise)

    def around(self, found: Sequence[Footprint]) -> Iterator[Surroundings]:
        """Yield what each footprint needs in turn; see `pieces`."""
        for one, piece in zip(found, self.pieces([one.box for one in found]), strict=True):
            yield Surroundings(one, piece.flux, piece.noise, self.cube.correlation)

    def pieces(self, boxes: Sequence[Box]) -> Iterator[Piece]:
        """Yield rows and columns of the cube in turn, with noise.

        Of a large cube as many are read in one pass over the file as fit into a quarter of a gigabyte.

        Raises
        ------
        ExtractionError
            If one alone does not fit.
        """
        batches = [list(boxes)] if self._whole is not None else self._batches(boxes)
        for number, batch in enumerate(batches):
            yield from self._read(batch, part_of(self._progress, number, len(batches)))

    def _batches(self, boxes: Sequence[Box]) -> list[list[Box]]:
        """Boxes in turn, as many together as fit into memory."""
        batches: list[list[Box]] = []
        left = -1
        for box in boxes:
            if problem := memory_problem(self.cube, box, has_model=self._model is not None):
                msg = f"{self.cube.label}: {problem}"
                raise ExtractionError(msg)
            n_bytes = _n_bytes(self.cube, self._read_box(box))
            if n_bytes > left:
                batches.append([])
                left = _BATCH_BYTES
            batches[-1].append(box)
            left -= n_bytes
        return batches

    def _read_box(self, box: Box) -> Box:
        """Rows and columns to read."""
        return box if self._whole is not None else _read_box(self.cube, box, has_model=self._model is not None)

    def _read(self, boxes: Sequence[Box], progress: Progress) -> Iterator[Piece]:
        """Read a batch, and hand out each piece with its noise."""
        cube = self._whole or self.cube
        read = [self._read_box(box) for box in boxes]
        fluxes = read_boxes(cube.flux, read, progress=part_of(progress, 0, 3))
        noises = None if cube.noise is None else read_boxes(cube.noise, read, progress=part_of(progress, 1, 3))
        for number, (box, around) in enumerate(zip(boxes, read, strict=True)):
            part_of(progress, 2, 3)(number, len(boxes), "extracting")
            noise = None if noises is None else noises[number]
            piece = replace(cube, flux=fluxes[number], noise=noise)
            piece = with_noise(piece, self._model) if noise is None and self._model else ensure_noise(piece)
            inner = (slice(None), *(_within(one, other) for one, other in zip(box, around, strict=True)))
            yield Piece(box, self._used(np.asarray(piece.flux)[inner], box), np.asarray(piece.noise)[inner])

    def _used(self, flux: NDArray[Any], box: Box) -> NDArray[Any]:
        """Flux of a box without the spaxels that are excluded."""
        if self._excluded is None or not self._excluded[box].any():
            return flux
        return np.where(self._excluded[box], np.float32(np.nan), flux)


def memory_problem(cube: Cube, box: Box, *, has_model: bool = False) -> str:
    """Tell that rows and columns of a large cube need too much memory; empty if they do not.

    Where the noise has to be estimated, and is not known to follow from a model, that is so much sooner.
    """
    read = _read_box(cube, box, has_model=has_model)
    n_bytes = _n_bytes(cube, read)
    if _is_small(cube) or n_bytes <= _BATCH_BYTES:
        return ""
    rows, columns = (part.stop - part.start for part in read)
    return (
        f"a piece of {rows} x {columns} spaxels takes {n_bytes / 2**30:.1f} GiB of memory; choose a smaller radius, "
        "a smaller outer radius of the ring, or where stars are fitted a smaller field"
    )


def _is_small(cube: Cube) -> bool:
    """Tell whether a cube is read whole."""
    return not cube.is_lazy or 4 * math.prod(cube.shape) <= _WHOLE_BYTES


def _read_box(cube: Cube, box: Box, *, has_model: bool) -> Box:
    """Rows and columns of a large cube to read: more than is wanted where the noise is estimated from them."""
    if cube.noise is not None or has_model:
        return box
    _, n_y, n_x = cube.shape
    return _widened(box[0], n_y), _widened(box[1], n_x)


def _n_bytes(cube: Cube, box: Box) -> int:
    """Size of flux and noise of rows and columns."""
    rows, columns = box
    n_bytes: int = 8 * cube.shape[0] * (rows.stop - rows.start) * (columns.stop - columns.start)
    return n_bytes


def _within(part: slice, whole: slice) -> slice:
    """Rows or columns as counted from the first of those read."""
    return slice(part.start - whole.start, part.stop - whole.start)


def _widened(part: slice, length: int) -> slice:
    """Rows or columns and some on either side, as far as there are any."""
    return slice(max(part.start - _NOISE_REACH_PIX, 0), min(part.stop + _NOISE_REACH_PIX, length))
