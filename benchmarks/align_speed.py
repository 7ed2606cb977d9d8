"""How long it takes to measure the offsets of a night: all pairs of the exposures of each IFU, from cubes in memory.

python benchmarks/align_speed.py [--ifus 24] [--exposures 8] [--density 20] [--planes 64]
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
from align_fields import RIGHT_PIX, SPAXEL, Sky, exposures
from astropy import units as u

from napari_kmos.align import measure_offsets
from napari_kmos.cube import Cube, Image

#: Seconds, on two cores, of 24 IFUs with 8 exposures.
LIMIT = 90.0


def main() -> None:
    """Print the time, and how many offsets are right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ifus", type=int, default=24)
    parser.add_argument("--exposures", type=int, default=8)
    parser.add_argument("--density", type=float, default=20.0, help="stars a field")
    parser.add_argument("--planes", type=int, default=64, help="of each cube")
    given = parser.parse_args()
    right = total = 0
    wall, work = 0.0, 0.0
    for ifu in range(given.ifus):
        images, truth = exposures(Sky(), given.density, given.exposures, np.random.default_rng(ifu))
        cubes = [_cube(image, given.planes) for image in images]
        start, cpu = time.perf_counter(), time.process_time()
        rows = measure_offsets(cubes)
        wall, work = wall + time.perf_counter() - start, work + time.process_time() - cpu
        misses = [
            np.hypot(row.dra_arcsec - east, row.ddec_arcsec - north)
            for row, (east, north) in zip(rows, truth, strict=True)
        ]
        right += sum(row.accepted and miss < RIGHT_PIX * SPAXEL for row, miss in zip(rows, misses, strict=True))
        total += len(rows)
    pairs = given.ifus * given.exposures * (given.exposures - 1) // 2
    verdict = "met" if wall <= LIMIT else "MISSED"
    print(f"{given.ifus} IFUs x {given.exposures} exposures, {pairs} pairs, {os.cpu_count()} cores: {wall:.1f} s,")
    print(f"{work:.1f} s of one processor, {1000 * work / pairs:.0f} ms a pair (limit {LIMIT:g} s: {verdict}).")
    print(f"{right} of {total} offsets are accepted and right.")


def _cube(image: Image, n_planes: int) -> Cube:
    """Return a cube that is this image in all planes."""
    flux = np.repeat(image.data[None].astype(np.float32), n_planes, axis=0)
    noise = np.full(flux.shape, image.noise[0, 0] * np.sqrt(n_planes), dtype=np.float32)
    return Cube(flux=flux, noise=noise, wavelength=np.linspace(1.95, 2.45, n_planes) * u.um, wcs=image.wcs)


if __name__ == "__main__":
    main()
