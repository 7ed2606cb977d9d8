"""Cubes in which a known part of the sky lines is left."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from factories import make_exposure

from napari_kmos.sky import SecondPassParameters
from napari_kmos.sky._line_groups import find_line_groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure

SHAPE = (2048, 7, 9)
#: What is left in the brightest plane of the band, over the noise of a voxel.
HEIGHT = 15.0


def leftover_exposure(
    gains: Mapping[int, float], *, height: float = HEIGHT, crowded: tuple[int, ...] = (), seed: int = 1
) -> Exposure:
    """Return an exposure whose IFUs have the same residual lines, each with its gain; noise is 1."""
    stars = tuple((y, x, 3000.0) for y in (1.0, 3.3, 5.6) for x in (1.2, 4.1, 6.7))
    bare = make_exposure(ifus=tuple(gains), shape=SHAPE, background=0.0, stars=(), seed=seed)
    starry = make_exposure(ifus=tuple(gains), shape=SHAPE, background=0.0, stars=stars, seed=seed)
    arms = [
        dataclasses.replace(arm, cube=with_leftover(arm.cube, height * gains[arm.number])) if arm.cube else arm
        for arm in (
            full if full.number in crowded else empty for full, empty in zip(starry.arms, bare.arms, strict=True)
        )
    ]
    return dataclasses.replace(bare, arms=tuple(arms))


def leftover(cube: Cube) -> np.ndarray:
    """Return the residual lines, 1 in the brightest plane; shape (n_planes,)."""
    return find_line_groups(cube, SecondPassParameters(line_fwhm=2.0)).light.sum(axis=1)


def with_leftover(cube: Cube, height: float | np.ndarray) -> Cube:
    """Return the cube with residual lines of a height, the same or one a spaxel."""
    return dataclasses.replace(cube, flux=(cube.flux + leftover(cube)[:, None, None] * height).astype(np.float32))
