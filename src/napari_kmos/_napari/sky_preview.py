"""The subtraction of the sky from one IFU, anew whenever something is changed: what was read is kept."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_kmos._napari.errors import overheard
from napari_kmos.cube import Cube
from napari_kmos.errors import KmosError
from napari_kmos.exposure import Exposure
from napari_kmos.io import read_exposure
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.finding import find_exposures
from napari_kmos.session import PaintedMask
from napari_kmos.sky import (
    SkyChoice,
    SkyParameters,
    SkyResult,
    SkySource,
    choose_best,
    choose_sky_cube,
    sky_options,
    subtract_skies,
)
from napari_kmos.sky.cleaning import SkyCleaner
from napari_kmos.sky.methods import in_memory
from napari_kmos.sky.views import LineMarks, line_marks
from napari_kmos.spectral.noise import ensure_noise

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks that are given for a sky exposure.

    Parameters
    ----------
    by_ifu : mapping
        IFU to image of bool, shape (n_y, n_x), True = sky.
    """

    by_ifu: Mapping[int | None, NDArray[np.bool_]]


def masks_of(painted: Iterable[PaintedMask], file: str) -> Masks:
    """Return the masks of a sky exposure among those a session keeps; as long as they are the same, the same object."""
    return _masks(tuple(one for one in painted if one.file == file))


@functools.lru_cache(maxsize=64)
def _masks(painted: tuple[PaintedMask, ...]) -> Masks:
    return Masks({one.ifu: np.array([[letter == "1" for letter in row] for row in one.rows]) for one in painted})


def painted_mask(path: Path, ifu: int | None, sky_mask: NDArray[np.bool_]) -> PaintedMask:
    """Return a mask, True = sky, as a session keeps it."""
    return PaintedMask(file=str(path), ifu=ifu, rows=tuple("".join("01"[one] for one in row) for row in sky_mask * 1))


@dataclass(frozen=True, eq=False, kw_only=True)
class Wish:
    """What is to be seen.

    Parameters
    ----------
    target : Path
        Object exposure.
    skies : tuple of Path
        Sky exposures.
    ifu : int, optional
        Of the object; None where it does not tell.
    pick, method, parameters
        As in `sky_tweak`.
    fills_stars : bool
        Whether sky is put in the place of stars of the sky.
    masks : mapping of Path to Masks
        Of skies; stars are looked for in IFUs without one.
    """

    target: Path
    skies: tuple[Path, ...]
    ifu: int | None
    pick: str
    method: str
    parameters: SkyParameters
    fills_stars: bool = True
    masks: Mapping[Path, Masks] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Preview:
    """What the subtraction does in one IFU.

    Parameters
    ----------
    wish : Wish
        What was asked for.
    result : SkyResult
        Cube, spectra, factors, images.
    choice : SkyChoice
        The sky that was taken.
    sky : Cube
        Its cube, of the first where there are two; lazy.
    sky_mask : ndarray of bool, shape (n_y, n_x), optional
        Where that shows sky; None if stars are not looked for.
    marks : tuple of LineMarks
        Sky lines to mark.
    notes : tuple of str
        What the steps warned of.
    seconds : float
        How long it took.
    """

    wish: Wish
    result: SkyResult
    choice: SkyChoice
    sky: Cube
    sky_mask: NDArray[np.bool_] | None
    marks: tuple[LineMarks, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def source(self) -> SkySource:
        """The sky that was taken, the first where there are two."""
        return self.choice.sources[0]

    @property
    def sky_path(self) -> Path:
        """Its file."""
        return self.source.exposure.path


class PreviewMaker:
    """Makes previews, one at a time; the cubes of one object and its sky stay in memory until others are asked for."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Hashable, Any]] = {}
        self._exposures: dict[Path, tuple[int, Exposure]] = {}

    def exposure(self, path: Path) -> Exposure:
        """Return an exposure, its headers read once unless the file has changed.

        Raises
        ------
        KmosError
            As `read_exposure`.
        """
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        if self._exposures.get(path, (-1,))[0] != stamp:
            self._exposures[path] = stamp, read_exposure(path)
        return self._exposures[path][1]

    def make(self, wish: Wish, progress: Progress = silent) -> Preview:
        """Subtract the sky from one IFU, in a thread; progress may raise `Cancelled` between the steps.

        Raises
        ------
        KmosError
            As the steps of `sky_tweak`.
        """
        began = time.monotonic()
        with overheard() as notes:
            progress(0, 3, "reading")
            target = self.exposure(wish.target)
            cube = self._keep("object", (target, wish.ifu), lambda: _loaded(target.cube(wish.ifu)))
            choice = self._choice(wish, target, cube, progress)
            progress(1, 3, "cleaning the sky")
            skies = self._keep(
                "skies", (cube, choice), lambda: [(_loaded(sky), w) for sky, w in choice.skies_for(cube)]
            )
            progress(2, 3, "subtracting")
            result = subtract_skies(cube, skies, method=wish.method, parameters=wish.parameters)
            source = choice.sources[0]
            sky = choose_sky_cube(cube, source.exposure)
            return Preview(
                wish=wish,
                result=result,
                choice=choice,
                sky=sky,
                sky_mask=None if source.cleaner is None else source.cleaner.mask(sky.ifu),
                marks=self._keep("marks", cube, lambda: line_marks(cube)),
                notes=tuple(dict.fromkeys([*([result.note] if result.note else []), *notes])),
                seconds=time.monotonic() - began,
            )

    def _choice(self, wish: Wish, target: Exposure, cube: Cube, progress: Progress) -> SkyChoice:
        """Return the sky that is taken; which is best is looked for once, with the method but not every parameter."""
        sources = tuple(self._source(path, wish) for path in wish.skies)
        cubes = target.cubes if wish.pick == "best" else (cube,)

        def choose() -> SkyChoice:
            options = sky_options(target, cubes, sources, wish.pick, wish.parameters)
            how = {"method": wish.method, "parameters": wish.parameters, "progress": progress}
            return choose_best(options, cubes, **how)

        p = wish.parameters
        key = (cube, sources, wish.pick, wish.method, p.pick_skies, p.pick_ifus, p.pick_hours)
        return self._keep("choice", key, choose)

    def _source(self, path: Path, wish: Wish) -> SkySource:
        """Return a sky; what was found in it is kept while its masks are the same."""
        exposure, masks = self.exposure(path), wish.masks.get(path)

        def make() -> SkySource:
            given = None if masks is None else masks.by_ifu
            return SkySource(exposure, SkyCleaner(exposure, masks=given) if wish.fills_stars else None)

        return self._keep(f"source {path}", (exposure, wish.fills_stars, masks), make)

    def _keep(self, name: str, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what is kept by a name if it was made for the same key, else make it in its place."""
        if name not in self._kept or self._kept[name][0] != key:
            self._kept.pop(name, None)  # not two in memory at once
            self._kept[name] = key, make()
        return self._kept[name][1]


def guess_files(paths: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return which files are object exposures and which sky, by their headers and names; none unless there are both."""
    try:
        found = find_exposures(paths) if paths else ()
    except KmosError:
        return (), ()
    objects, skies = (tuple(one.file for one in found if one.role == role) for role in ("object", "sky"))
    return (objects, skies) if objects and skies else ((), ())


def _loaded(cube: Cube) -> Cube:
    """Return a cube in memory with noise."""
    return ensure_noise(in_memory(cube))
