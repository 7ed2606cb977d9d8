"""Cubes of one observation, each right in another range of wavelengths, joined plane by plane."""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.combine._fading import join_planes
from napari_kmos.combine._ratios import Ratio, chain_ratios, measure_ratio
from napari_kmos.combine.agreement import check_spaxels, check_wavelengths, common_unit
from napari_kmos.errors import GeometryError, KmosError, KmosWarning
from napari_kmos.lazy import read_piece
from napari_kmos.spectral import ensure_noise

if TYPE_CHECKING:
    from astropy import units as u

    from napari_kmos.cube import Cube


@dataclass(frozen=True, slots=True, kw_only=True)
class SpliceParameters:
    """Where and how cubes are joined.

    Parameters
    ----------
    edges : tuple of float
        Wavelengths in micron at which one cube ends and the next begins, upwards, one fewer than cubes: planes whose
        centre lies below it are of the first.
    fade : int
        Planes about each joint over which the weight goes evenly from one cube to the next; 0 cuts hard.
    level : bool
        Scale the cubes to the level of the reference by their ratios at the joints.
    level_planes : int
        Planes on each side of a joint from which the ratio is measured.
    reference : int, optional
        Number, from 1, of the cube whose level is kept; the one with most planes if not given.
    """

    edges: tuple[float, ...] = (2.060, 2.379)
    fade: int = 0
    level: bool = False
    level_planes: int = 10
    reference: int | None = None

    def __post_init__(self) -> None:
        ends = (0.0, *self.edges, math.inf)
        upwards = all(low < high for low, high in itertools.pairwise(ends))
        self._check("edges", upwards and len(self.edges) > 0, "micron, each larger than the one before")
        self._check("fade", self.fade >= 0, "zero or more")
        self._check("level_planes", self.level_planes > 1, "two or more")
        numbers = range(1, len(self.edges) + 2)
        self._check("reference", self.reference in (None, *numbers), f"1 to {numbers[-1]}")

    def _check(self, name: str, is_fine: bool, expected: str) -> None:
        """Refuse a value that cannot be meant."""
        if not is_fine:
            msg = f"{name} is {getattr(self, name)}, expected {expected}"
            raise KmosError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplicedPart:
    """What one cube gave.

    Parameters
    ----------
    source : str
        The cube.
    planes : slice
        Planes in which it counts, those of its fades included.
    wavelength_um : tuple of float
        Centres of the first and the last of them.
    level : Ratio
        What its flux and noise were multiplied by.
    """

    source: str
    planes: slice
    wavelength_um: tuple[float, float]
    level: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Where two cubes meet.

    Parameters
    ----------
    edge_um : float
        The wavelength asked for.
    fade : slice
        Planes in which both count, empty where the joint is hard: then it lies before its start.
    ratio : Ratio
        Flux of the first cube over that of the second at the joint, before any match of levels; NaN without common
        data.
    """

    edge_um: float
    fade: slice
    ratio: Ratio


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SpliceResult:
    """The joined cube and where its planes come from.

    Parameters
    ----------
    cube : Cube
        Lazy: computed in blocks of planes.
    parts : tuple of SplicedPart
        One for each cube, in their order.
    joints : tuple of Joint
        One between each two.
    """

    cube: Cube
    parts: tuple[SplicedPart, ...]
    joints: tuple[Joint, ...]


def splice_cubes(cubes: Sequence[Cube], *, parameters: SpliceParameters | None = None) -> SpliceResult:
    """Join cubes that are the same light corrected in different ways, each over its range of wavelengths.

    Parameters
    ----------
    cubes : sequence of Cube
        Two or more in the order of their wavelengths, each of the whole grid: shape (n_wavelength, n_y, n_x), in
        memory or lazy; they are not modified.
    parameters : SpliceParameters, optional
        The defaults, which are for three cubes of the K band, if not given.

    Returns
    -------
    SpliceResult
        The cube has grid, name and header of the first; nothing is resampled. Where the cube that counts has no data
        there is none, but in a fade, where the other then counts alone. There is noise if any cube has it, estimated in
        those that come without.

    Raises
    ------
    KmosError
        If cubes and edges do not fit in number.
    GeometryError
        If wavelengths, spaxels or units differ, a cube is left without a plane, fades do not fit between the joints,
        or the level at a joint cannot be matched.

    Notes
    -----
    Different corrections of one observation share its photons: their noise is fully correlated. In a fade it is
    (1 - w) s1 + w s2; the sum in quadrature, which is smaller, would be that of independent exposures.

    The error of a level is one unknown factor for a whole part. It is told, not added to the noise, which is that of
    single voxels: apertures and line profiles would average it away.
    """
    p = parameters or SpliceParameters()
    unit = _check_cubes(cubes, p)
    joints = _find_joints(cubes, p)
    _warn_of_doubts(cubes, joints)
    levels = _levels(cubes, joints, p) if p.level else [Ratio()] * len(cubes)
    noisy = _with_noise(cubes)
    flux, noise = join_planes(
        [cube.flux for cube in noisy],
        None if noisy[0].noise is None else [cube.noise for cube in noisy if cube.noise is not None],
        [joint.fade for joint in joints],
        [level.value for level in levels],
    )
    estimated = any(cube.noise_estimated for cube in noisy)
    cube = dataclasses.replace(noisy[0], flux=flux, noise=noise, unit=unit, noise_estimated=estimated, source="")
    return SpliceResult(cube=cube, parts=_parts(cubes, joints, levels), joints=joints)


def _check_cubes(cubes: Sequence[Cube], p: SpliceParameters) -> u.UnitBase | None:
    """Return the unit of the cubes if they can be joined at the edges."""
    if len(cubes) != len(p.edges) + 1:
        msg = f"cubes: {len(cubes)}, edges: {_text(p.edges)}; expected two cubes or more, and an edge between each two"
        raise KmosError(msg)
    for cube in cubes[1:]:
        check_wavelengths(cubes[0], cube)
        check_spaxels(cubes[0], cube)
    return common_unit(cubes)


def _text(edges: Sequence[float]) -> str:
    return ", ".join(f"{edge:g}" for edge in edges) + " um"


def _find_joints(cubes: Sequence[Cube], p: SpliceParameters) -> tuple[Joint, ...]:
    """Find the planes of the joints, check that each cube has some of its own, and measure the ratios about them."""
    wave = cubes[0].wavelength_um
    places = [0, *np.searchsorted(wave, p.edges).tolist(), len(wave)]
    fades = [slice(place - p.fade // 2, place - p.fade // 2 + p.fade) for place in places]
    fades[0], fades[-1] = slice(0, 0), slice(len(wave), len(wave))
    for number, (before, after) in enumerate(itertools.pairwise(fades), start=1):
        if after.start - before.stop < 1:
            planes = max(places[number] - places[number - 1], 0)
            msg = (
                f"cube {number} of {len(cubes)} is left without a plane of its own: it has {planes} planes between its "
                f"edges, fades take {p.fade} about each; edges are {_text(p.edges)}, the grid is "
                f"{wave[0]:.4f}-{wave[-1]:.4f} um: choose other edges or shorter fades"
            )
            raise GeometryError(msg)
    joints = []
    for number, (edge, place) in enumerate(zip(p.edges, places[1:-1], strict=True)):
        ratio = measure_ratio(cubes[number], cubes[number + 1], place, p.level_planes)
        joints.append(Joint(edge_um=edge, fade=fades[number + 1], ratio=ratio))
    return tuple(joints)


def _levels(cubes: Sequence[Cube], joints: Sequence[Joint], p: SpliceParameters) -> list[Ratio]:
    """Return what each cube is multiplied by to have the level of the reference at the joints."""
    for number, joint in enumerate(joints):
        if not joint.ratio.value > 0:
            names = " and ".join(cube.source or cube.label for cube in cubes[number : number + 2])
            msg = (
                f"the level cannot be matched at {joint.edge_um:g} um: the ratio of {names} is {joint.ratio.value:.3g} "
                f"in {p.level_planes} planes on each side; take another edge, more planes, or no match of levels"
            )
            raise GeometryError(msg)
    lengths = [part.stop - part.start for part in _ranges(cubes[0].shape[0], joints)]
    reference = int(np.argmax(lengths)) if p.reference is None else p.reference - 1
    return chain_ratios([joint.ratio for joint in joints], reference)


def _ranges(n_planes: int, joints: Sequence[Joint]) -> list[slice]:
    """Planes in which each cube counts."""
    starts = [0, *(joint.fade.start for joint in joints)]
    stops = [*(joint.fade.stop for joint in joints), n_planes]
    return [slice(start, stop) for start, stop in zip(starts, stops, strict=True)]


def _parts(cubes: Sequence[Cube], joints: Sequence[Joint], levels: Sequence[Ratio]) -> tuple[SplicedPart, ...]:
    """Return what each cube gave."""
    wave = cubes[0].wavelength_um
    return tuple(
        SplicedPart(
            source=cube.source or cube.label,
            planes=planes,
            wavelength_um=(float(wave[planes.start]), float(wave[planes.stop - 1])),
            level=level,
        )
        for cube, planes, level in zip(cubes, _ranges(len(wave), joints), levels, strict=True)
    )


def _warn_of_doubts(cubes: Sequence[Cube], joints: Sequence[Joint]) -> None:
    """Warn of exposure times that differ, and of joints in planes without data."""
    times = sorted({cube.exptime for cube in cubes if cube.exptime is not None})
    if len(times) > 1:
        text = (
            f"exposure times differ ({', '.join(f'{time:g}' for time in times)} s): cubes of one observation are "
            "expected, whose noise is the same"
        )
        warnings.warn(text, KmosWarning, stacklevel=3)
    for number, joint in enumerate(joints):
        for cube, plane in ((cubes[number], joint.fade.start - 1), (cubes[number + 1], joint.fade.stop)):
            if not np.isfinite(read_piece(cube.flux, (slice(plane, plane + 1),))).any():
                text = f"{cube.source or cube.label}: no data at {cube.wavelength_um[plane]:.4f} um, next to the joint"
                warnings.warn(text, KmosWarning, stacklevel=3)


def _with_noise(cubes: Sequence[Cube]) -> list[Cube]:
    """Return the cubes, all with noise or all without; what is missing in some is estimated, with a warning."""
    missing = [cube.source or cube.label for cube in cubes if cube.noise is None]
    if not missing or len(missing) == len(cubes):
        return list(cubes)
    text = f"no noise in {', '.join(missing)}: estimated from the flux"
    warnings.warn(text, KmosWarning, stacklevel=3)
    return [ensure_noise(cube) for cube in cubes]
