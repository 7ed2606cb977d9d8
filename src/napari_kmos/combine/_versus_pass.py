"""One pass over the exposures of two subsets: what some planes tell adds up, and what follows from all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.combine._versus_sums import (
    Shares,
    WhiteSums,
    difference_variance,
    noise_counts,
    plane_weights,
    typical_noise,
)
from napari_kmos.combine.scatter import N_BINS
from napari_kmos.combine.stack import Layer
from napari_kmos.combine.tiles import Tile, make_tiles
from napari_kmos.combine.versus_result import Comparison, NoiseRatio, StarSnr, Subset
from napari_kmos.cube import Image
from napari_kmos.extract import ExtractParameters, extract_aperture
from napari_kmos.extract.reading import CubeReader
from napari_kmos.spectral.nan import divide
from napari_kmos.spectral.snr import measure_snr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.combine.cubes import CombineResult
    from napari_kmos.combine.stack import Stack
    from napari_kmos.cube import Cube
    from napari_kmos.extract.placing import Placed

    Planes = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Read = tuple[Planes, Planes]
    Span = tuple[int, int]
    #: Flux and noise of each star.
    Spectra = list[tuple[Floats, Floats]]

#: The noise is told from planes spread evenly over all pieces, with so many spaxels together, and so many at least.
_NOISE_VALUES, _NOISE_PLANES = 2_000_000, 128
#: So many values of each image are added up at a time, in double precision.
_SUMMED_VALUES = 2**19
A, B, UNION = "a", "b", "union"
KINDS = (A, B, UNION)
_DIFFERENCE = "difference"
_STARS = ExtractParameters()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _ReadLayer(Layer):
    """An exposure of which some planes are read and resampled."""

    planes: Read

    def read(self, start: int, stop: int) -> Read:
        """Return what was read."""
        return self.planes


class VersusPass:
    """Adds up what the planes of a comparison tell.

    Parameters
    ----------
    result : CombineResult
        The exposures on their grid.
    shares : Shares
        The subsets.
    stars : sequence of Placed
        Apertures on the grid.
    read : callable
        Returns planes of an exposure by its number, first plane and last but one.
    n_pieces : int
        How many times planes are added.
    """

    def __init__(
        self,
        result: CombineResult,
        shares: Shares,
        stars: Sequence[Placed],
        read: Callable[[int, int, int], Read],
        n_pieces: int,
    ) -> None:
        self._result, self._shares, self._placed, self._read = result, shares, stars, read
        shape = result.stack.shape[1:]
        self._n_planes = -(-max(_NOISE_PLANES, _NOISE_VALUES // (shape[0] * shape[1])) // n_pieces)
        members = (shares.a, shares.b, sorted({*shares.a, *shares.b}))
        self._members = dict(zip(KINDS, map(tuple, members), strict=True))
        self._tiles = {kind: self._make_tiles(own) for kind, own in self._members.items()}
        self._shape, self._lock = shape, Lock()
        self._sums = {name: WhiteSums(shape) for name in (*KINDS, _DIFFERENCE)}
        self._counts = np.zeros((len(KINDS), N_BINS), dtype=np.int64)
        windows = {number: result.stack.layers[number].resampler.inside.shape for number in self._members[UNION]}
        self._seen = {number: np.zeros(window, dtype=bool) for number, window in windows.items()}
        self._spectra: dict[int, dict[str, Spectra]] = {}

    def add(self, span: Span) -> None:
        """Add what planes tell; several threads may, in any order."""
        planes = {kind: np.empty((2, span[1] - span[0], *self._shape), dtype=np.float32) for kind in KINDS}
        step = max(1, self._result.stack.planes_per_block() // 2)
        for start in range(*span, step):
            self._combine(planes, span[0], (start, min(start + step, span[1])))
        counts = noise_counts([planes[kind] for kind in KINDS], self._n_planes)
        spectra = {kind: self._extract(planes[kind], span) for kind in KINDS}
        with self._lock:
            self._counts += counts
            self._spectra[span[0]] = spectra

    def comparison(self) -> Comparison:
        """Return what all pieces tell."""
        white = {kind: self._sums[kind].image() for kind in KINDS}
        difference = self._image(*self._sums[_DIFFERENCE].image())
        common = np.isfinite(difference.data)
        numbers = {kind: self._count(self._members[kind]) for kind in KINDS}
        typical = dict(zip(KINDS, typical_noise(self._counts), strict=True))

        def subset(kind: str) -> Subset:
            propagated = _median(divide(white[kind][1], white[UNION][1]), common)
            noise = NoiseRatio(
                measured=propagated * _over(typical[kind], typical[UNION]),
                propagated=propagated,
                by_number=_median(np.sqrt(divide(numbers[UNION], numbers[kind])), common),
            )
            return Subset(
                members=self._members[kind], image=self._image(*white[kind]), n_exposures=numbers[kind], noise=noise
            )

        a, b, union = (subset(kind) for kind in KINDS)
        return Comparison(a=a, b=b, union=union, difference=difference, stars=tuple(self._stars()))

    def _make_tiles(self, members: Sequence[int]) -> tuple[Tile, ...]:
        stack = self._result.stack
        layers = [stack.layers[number] for number in members]
        return make_tiles(stack.shape[1:], [one.resampler for one in layers], [one.weight for one in layers])

    def _combine(self, planes: Mapping[str, Planes], first: int, span: Span) -> None:
        """Combine a few planes of each subset, and add them to the sums of the images."""
        read = {number: self._read(number, *span) for number in self._members[UNION]}
        part = slice(span[0] - first, span[1] - first)
        for kind, members in self._members.items():
            planes[kind][:, part] = self._stack(members, self._tiles[kind], read).combine(*span).planes
        step = max(1, _SUMMED_VALUES // (self._shape[0] * self._shape[1]))
        for start in range(0, span[1] - span[0], step):
            own = {
                number: (flux[start : start + step], noise[start : start + step])
                for number, (flux, noise) in read.items()
            }
            some = slice(part.start + start, min(part.start + start + step, part.stop))
            self._sum({kind: one[:, some] for kind, one in planes.items()}, own)
        with self._lock:
            for number, (flux, _) in read.items():
                self._seen[number] |= np.isfinite(np.fmax.reduce(flux))

    def _stack(self, members: Sequence[int], tiles: tuple[Tile, ...], read: Mapping[int, Read]) -> Stack:
        """Return the exposures of a subset, of which some planes are read."""
        layers = []
        for number in members:
            layer = self._result.stack.layers[number]
            facts: dict[str, Any] = {field.name: getattr(layer, field.name) for field in dataclasses.fields(Layer)}
            layers.append(_ReadLayer(planes=read[number], **facts))
        return dataclasses.replace(self._result.stack, layers=tuple(layers), tiles=tiles)

    def _sum(self, planes: Mapping[str, Planes], read: Mapping[int, Read]) -> None:
        """Add planes to the sums of the images."""
        weights = plane_weights(planes[UNION][1])
        variance = {kind: np.square(noise, dtype=np.float64) for kind, (_, noise) in planes.items()}
        layers, weight = self._result.stack.layers, self._result.stack.parameters.weight
        spread = difference_variance((variance[A], variance[B]), self._shares, layers, read, weight)
        with self._lock:
            for kind in KINDS:
                self._sums[kind].add(planes[kind][0], variance[kind], weights)
            self._sums[_DIFFERENCE].add(planes[A][0] - planes[B][0], spread, weights)

    def _extract(self, planes: Planes, span: Span) -> Spectra:
        """Flux and noise of the stars at some wavelengths."""
        reader = CubeReader(self._cube(planes[0], planes[1], span))
        return [(star.flux, star.noise) for star in extract_aperture(reader, self._placed, (), _STARS)]

    def _cube(self, flux: Planes, noise: Planes, span: Span) -> Cube:
        cube = self._result.cube
        return dataclasses.replace(cube, flux=flux, noise=noise, wavelength=cube.wavelength[slice(*span)])

    def _stars(self) -> list[StarSnr]:
        """Ratios of the stars, at the wavelengths that all three have."""
        wave = self._result.cube.wavelength_um
        pieces = [piece for _, piece in sorted(self._spectra.items())]
        found = []
        for number, placed in enumerate(self._placed):
            spectra = [np.concatenate([piece[kind][number] for piece in pieces], axis=1) for kind in KINDS]
            known = np.all([np.isfinite(flux) for flux, _ in spectra], axis=0)
            ratios = [measure_snr(wave, np.where(known, flux, np.nan), noise=noise) for flux, noise in spectra]
            a, b, union = ((one.value, one.propagated) for one in ratios)
            snr, propagated = zip(a, b, union, strict=True)
            found.append(StarSnr(aperture=placed.aperture, snr=snr, propagated=propagated))
        return found

    def _count(self, members: Sequence[int]) -> NDArray[np.int_]:
        """Count the exposures of a subset with data in a spaxel."""
        stack = self._result.stack
        total = np.zeros(stack.shape[1:], dtype=np.int32)
        for number in members:
            total[stack.layers[number].resampler.window] += self._seen[number]
        return total

    def _image(self, data: Floats, noise: Floats) -> Image:
        cube = self._result.cube
        facts: dict[str, Any] = {"unit": cube.unit, "name": cube.name, "ifu": cube.ifu, "header": cube.header}
        return Image(data=data.astype(np.float32), noise=noise.astype(np.float32), wcs=cube.wcs, **facts)


def _median(values: NDArray[Any], where: NDArray[np.bool_]) -> float:
    """Median of what is known at some places; NaN without any."""
    known = values[where & np.isfinite(values)]
    return float(np.median(known)) if known.size else np.nan


def _over(top: float, bottom: float) -> float:
    return top / bottom if bottom > 0 else np.nan
