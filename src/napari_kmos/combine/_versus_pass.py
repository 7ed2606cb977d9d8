"""One pass over the exposures of two subsets: what each piece of planes tells, and what follows from all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
A, B, UNION = "a", "b", "union"
KINDS = (A, B, UNION)
_STARS = ExtractParameters()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _ReadLayer(Layer):
    """An exposure of which some planes are read and resampled."""

    planes: Read

    def read(self, start: int, stop: int) -> Read:
        """Return what was read."""
        return self.planes


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """What some planes tell."""

    white: Mapping[str, WhiteSums]
    difference: WhiteSums
    counts: NDArray[np.int64]
    seen: Mapping[int, NDArray[np.bool_]]
    spectra: Mapping[str, Spectra]


class VersusPass:
    """Adds up what the pieces of a comparison tell.

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
        How many pieces there are.
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
        self._white = {kind: WhiteSums(shape) for kind in KINDS}
        self._difference = WhiteSums(shape)
        self._counts = np.zeros((len(KINDS), N_BINS), dtype=np.int64)
        self._seen: dict[int, NDArray[np.bool_]] = {}
        self._spectra: dict[str, list[Spectra]] = {kind: [] for kind in KINDS}

    def piece(self, span: Span) -> _Piece:
        """Return what planes tell; it changes nothing here, so that several threads may ask."""
        layers = self._result.stack.layers
        read = {number: self._read(number, *span) for number in self._members[UNION]}
        flux, noise = {}, {}
        for kind, members in self._members.items():
            flux[kind], noise[kind] = self._combine(members, self._tiles[kind], read, span)
        variance = {kind: np.square(one, dtype=np.float64) for kind, one in noise.items()}
        weights = plane_weights(noise[UNION])
        white, difference = {kind: WhiteSums(one.shape[1:]) for kind, one in flux.items()}, WhiteSums(flux[A].shape[1:])
        for kind, sums in white.items():
            sums.add(flux[kind], variance[kind], weights)
        kind_of_weight = self._result.stack.parameters.weight
        spread = difference_variance((variance[A], variance[B]), self._shares, layers, read, kind_of_weight)
        difference.add(flux[A] - flux[B], spread, weights)
        return _Piece(
            white=white,
            difference=difference,
            counts=noise_counts([flux[kind] for kind in KINDS], noise[UNION], self._n_planes),
            seen={number: np.isfinite(np.fmax.reduce(one)) for number, (one, _) in read.items()},
            spectra={kind: self._extract(flux[kind], noise[kind], span) for kind in KINDS},
        )

    def add(self, piece: _Piece) -> None:
        """Add a piece; in the order of the planes."""
        for kind in KINDS:
            self._white[kind].merge(piece.white[kind])
            self._spectra[kind].append(piece.spectra[kind])
        self._difference.merge(piece.difference)
        self._counts += piece.counts
        for number, seen in piece.seen.items():
            self._seen[number] = self._seen.get(number, False) | seen

    def comparison(self) -> Comparison:
        """Return what all pieces tell."""
        white = {kind: sums.image() for kind, sums in self._white.items()}
        difference = self._image(*self._difference.image())
        common = np.isfinite(difference.data)
        numbers = {kind: self._count(self._members[kind]) for kind in KINDS}
        typical = dict(zip(KINDS, typical_noise(self._counts), strict=True))

        def subset(kind: str) -> Subset:
            noise = NoiseRatio(
                measured=_over(typical[kind], typical[UNION]),
                propagated=_median(divide(white[kind][1], white[UNION][1]), common),
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

    def _combine(self, members: Sequence[int], tiles: tuple[Tile, ...], read: Mapping[int, Read], span: Span) -> Planes:
        """Flux and noise of planes of a subset."""
        layers = []
        for number in members:
            layer = self._result.stack.layers[number]
            facts: dict[str, Any] = {field.name: getattr(layer, field.name) for field in dataclasses.fields(Layer)}
            layers.append(_ReadLayer(planes=read[number], **facts))
        return dataclasses.replace(self._result.stack, layers=tuple(layers), tiles=tiles).combine(*span).planes

    def _extract(self, flux: Planes, noise: Planes, span: Span) -> Spectra:
        """Flux and noise of the stars at some wavelengths."""
        reader = CubeReader(self._cube(flux, noise, span))
        return [(star.flux, star.noise) for star in extract_aperture(reader, self._placed, (), _STARS)]

    def _cube(self, flux: Planes, noise: Planes, span: Span) -> Cube:
        cube = self._result.cube
        return dataclasses.replace(cube, flux=flux, noise=noise, wavelength=cube.wavelength[slice(*span)])

    def _stars(self) -> list[StarSnr]:
        """Ratios of the stars, at the wavelengths that all three have."""
        wave = self._result.cube.wavelength_um
        found = []
        for number, placed in enumerate(self._placed):
            spectra = [np.concatenate([piece[number] for piece in self._spectra[kind]], axis=1) for kind in KINDS]
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
