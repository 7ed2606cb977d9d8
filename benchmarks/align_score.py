"""How long the live score takes while an IFU is moved, against the limit of 50 ms.

Run it by `python benchmarks/align_score.py [--moves 200]`. A move is the score at an offset and the curve through it:
of images of crowded fields of 14 x 14 and 28 x 28 spaxels, against one like it and against a mosaic, and of mosaics.
Preparing a pair is done once, in a thread.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from napari_kmos.align.score import PairScore
from napari_kmos.cube import Image
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.spatial.wcs import make_wcs

LIMIT_MS = 50.0
SPAXEL = 0.2
DENSITY = 0.1  # stars a spaxel
CASES = {
    "14 x 14 on 14 x 14": ((14, 14), (14, 14)),
    "28 x 28 on 28 x 28": ((28, 28), (28, 28)),
    "28 x 28 on a mosaic of 433 x 650": ((433, 650), (28, 28)),
    "a mosaic of 433 x 650 on another": ((433, 650), (433, 650)),
}


def main() -> None:
    """Print a row for each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=200)
    moves = parser.parse_args().moves
    print(f"{'case':34} {'prepare':>9} {'median':>9} {'95 %':>9} {'slowest':>9}  of {LIMIT_MS:.0f} ms")
    for name, shapes in CASES.items():
        prepared, times = measure(*shapes, moves)
        median, most, slowest = np.percentile(times, [50, 95, 100])
        print(f"{name:34} {prepared:6.0f} ms {median:6.1f} ms {most:6.1f} ms {slowest:6.1f} ms  {most / LIMIT_MS:.2f}")


def measure(reference: tuple[int, int], moving: tuple[int, int], moves: int) -> tuple[float, list[float]]:
    """Return the time to prepare a pair and those of the moves, in ms."""
    rng = np.random.default_rng(1)
    images = [_field(shape, rng) for shape in (reference, moving)]
    PairScore(*images)  # what is imported when first needed is no part of it
    began = time.perf_counter()
    score = PairScore(*images)
    prepared = time.perf_counter() - began
    times = []
    for east, north in rng.uniform(-0.7, 0.7, (moves, 2)):
        began = time.perf_counter()
        score.at(east, north)
        score.curve(east, north)
        times.append(1e3 * (time.perf_counter() - began))
    return 1e3 * prepared, times


def _field(shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return stars about the middle of an image, which is the middle of the sky of all."""
    side = 40
    y, x = rng.uniform(0, side, (2, int(DENSITY * side**2)))
    offset = (np.array(shape) - side) / 2
    small = tuple(np.minimum(shape, side))
    low = (np.array(shape) - small) // 2
    stars = moffat_images(y + offset[0] - low[0], x + offset[1] - low[1], small, fwhm_pix=0.7 / SPAXEL)
    data = rng.standard_normal(shape)
    window = tuple(slice(start, start + size) for start, size in zip(low, small, strict=True))
    data[window] += np.tensordot(1000 * rng.random(len(y)) ** 4, stars, 1)
    wcs = make_wcs(266.4, -29.0, crpix=((shape[1] + 1) / 2, (shape[0] + 1) / 2), scale_arcsec=SPAXEL)
    return Image(data=data, noise=np.ones(shape), wcs=wcs)


if __name__ == "__main__":
    main()
