"""One task after the other, as a user of another library would do it; run by an interpreter that has the library.

    python benchmarks/rivals.py astropy|MPDAF|spectral-cube MOSAIC

It is asked over standard input: see `measuring.Child`. A task opens the file anew unless it was
kept open, and returns its seconds. A noise
extension is taken along where the library can.
"""

from __future__ import annotations

import gc
import sys
import time
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
from measuring import RIVALS, serve

RADIUS_PIX, INNER_PIX, OUTER_PIX = 3.0, 6.0, 9.0


class Astropy:
    """Memory maps and numpy."""

    def open(self, path: str) -> Any:
        """Open the file."""
        from astropy.io import fits

        hdus = fits.open(path, memmap=True)
        return hdus[1].data, hdus[2].data

    def plane(self, cube: Any, number: int) -> Any:
        """One plane."""
        return np.array(cube[0][number], dtype=np.float32)

    def aperture(self, cube: Any, y: float, x: float) -> Any:
        """Sum in a circle less the median of a ring, with its error."""
        rows, columns = (slice(max(int(at - OUTER_PIX), 0), int(at + OUTER_PIX) + 2) for at in (y, x))
        flux, noise = (np.array(one[:, rows, columns], dtype=float) for one in cube)
        yy, xx = np.mgrid[rows, columns]
        inside, ring = _circles(yy, xx, y, x)
        sky = np.median(flux[:, ring[: flux.shape[1], : flux.shape[2]]], axis=1)
        inside = inside[: flux.shape[1], : flux.shape[2]]
        star = flux[:, inside].sum(axis=1) - inside.sum() * sky
        return star, np.sqrt((noise[:, inside] ** 2).sum(axis=1))

    def median(self, cube: Any) -> Any:
        """Median over the wavelengths."""
        return np.median(cube[0], axis=0)


class Mpdaf(Astropy):
    """MPDAF, which keeps variances: the square of the noise is not taken, for the time it would cost."""

    def open(self, path: str) -> Any:
        """Open the file."""
        from mpdaf.obj import Cube

        return Cube(path, ext=(1, 2))

    def plane(self, cube: Any, number: int) -> Any:
        """One plane."""
        return cube[number].data

    def aperture(self, cube: Any, y: float, x: float) -> Any:
        """Sum in a circle less the mean of a ring, both with variances."""
        ring = _mpdaf_ring(cube, y, x)
        star = cube.aperture((y, x), RADIUS_PIX, unit_center=None, unit_radius=None, is_sum=True)
        return star.data - np.pi * RADIUS_PIX**2 * ring.data, star.var

    def median(self, cube: Any) -> Any:
        """Median over the wavelengths."""
        return cube.median(axis=0).data


class SpectralCube(Astropy):
    """spectral-cube; the noise is a second cube."""

    def open(self, path: str) -> Any:
        """Open the file."""
        import spectral_cube

        cubes = [spectral_cube.SpectralCube.read(path, hdu=number) for number in (1, 2)]
        for cube in cubes:
            cube.allow_huge_operations = True
        return cubes

    def plane(self, cube: Any, number: int) -> Any:
        """One plane."""
        return cube[0][number].value

    def aperture(self, cube: Any, y: float, x: float) -> Any:
        """Sum in a circle less the median of a ring, with its error."""
        rows, columns = (slice(max(int(at - OUTER_PIX), 0), int(at + OUTER_PIX) + 2) for at in (y, x))
        flux, noise = (one[:, rows, columns] for one in cube)
        yy, xx = np.mgrid[rows.start : rows.start + flux.shape[1], columns.start : columns.start + flux.shape[2]]
        inside, ring = _circles(yy, xx, y, x)
        sky = flux.with_mask(ring).median(axis=(1, 2)).value
        star = flux.with_mask(inside).sum(axis=(1, 2)).value - inside.sum() * sky
        return star, np.sqrt((noise.with_mask(inside) ** 2).sum(axis=(1, 2)).value)

    def median(self, cube: Any) -> Any:
        """Median over the wavelengths."""
        return cube[0].median(axis=0).value


def _circles(yy: Any, xx: Any, y: float, x: float) -> tuple[Any, Any]:
    distance = np.hypot(yy - y, xx - x)
    return distance <= RADIUS_PIX, (distance > INNER_PIX) & (distance <= OUTER_PIX)


def _mpdaf_ring(cube: Any, y: float, x: float) -> Any:
    """Mean spectrum of a ring."""
    part = cube.subcube((y, x), 2 * OUTER_PIX, unit_center=None, unit_size=None)
    centre = (np.array(part.shape[1:]) - 1) / 2
    part.mask_region(centre, INNER_PIX, unit_center=None, unit_radius=None, inside=True)
    part.mask_region(centre, OUTER_PIX, unit_center=None, unit_radius=None, inside=False)
    return part.mean(axis=(1, 2))


LIBRARIES = {"astropy": Astropy, "MPDAF": Mpdaf, "spectral-cube": SpectralCube}


def main(name: str, path: str) -> None:
    """Answer the parent."""
    warnings.simplefilter("ignore")
    library = LIBRARIES[name]()
    opened: list[Any] = []

    def timed(task: str, keep: bool = False, places: Any = (), **arguments: Any) -> float:
        """Open the file, or take what was kept open, and do a task once or at many places."""
        start = time.perf_counter()
        if not opened:
            opened.append(library.open(path))
        for place in places or [arguments]:
            getattr(library, task)(opened[0], **place)
        taken = time.perf_counter() - start
        if not keep:
            close()
        return taken

    def close() -> None:
        """Let go of the file: what is mapped stays in memory, and nobody could read it from the disk again."""
        opened.clear()
        gc.collect()

    serve({"version": lambda: version(RIVALS[name]), "do": timed, "close": close})


if __name__ == "__main__":
    main(*sys.argv[1:])
