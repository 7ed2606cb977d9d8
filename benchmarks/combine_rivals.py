"""Combine as a user would who has other libraries; run by an interpreter that has them, asked over standard input.

    python benchmarks/combine_rivals.py astropy|MPDAF

Both shift every plane and its variance by a cubic spline (`scipy.ndimage.shift`), clip at three standard deviations,
average, and write the mean and its noise as FITS. astropy: memory maps, blocks of planes, `sigma_clip`.
MPDAF's `CubeList` takes files on one grid: the shifted cubes are written, and then combined.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from commands import timed
from measuring import RIVALS, serve
from scipy import ndimage

CLIP, PASSES = 3.0, 3
_PLANES = 256

Shifts = list[list[float]]


class Astropy:
    """numpy, scipy and astropy."""

    def combine(self, files: list[str], out: str, shifts: Shifts, shape: list[int], extensions: list[int]) -> None:
        """Combine each IFU, of which the data are in one of the extensions and the noise in the next."""
        for number in extensions:
            with fits.open(files[0]) as first:
                n_planes, header = first[number].header["NAXIS3"], first[number].header
            mean = np.empty((n_planes, *shape), dtype=np.float32)
            noise = np.empty_like(mean)
            for start in range(0, n_planes, _PLANES):
                planes = slice(start, start + _PLANES)
                stack = [_shifted(file, number, planes, by, shape) for file, by in zip(files, shifts, strict=True)]
                mean[planes], noise[planes] = self.merge(*map(np.stack, zip(*stack, strict=True)))
            hdus = [fits.PrimaryHDU(), fits.ImageHDU(mean, header), fits.ImageHDU(noise, header)]
            fits.HDUList(hdus).writeto(Path(out) / f"astropy{number}.fits", overwrite=True)

    def merge(self, flux: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Clip, and return the mean and its noise."""
        from astropy.stats import sigma_clip

        kept = sigma_clip(flux, sigma=CLIP, maxiters=PASSES, axis=0, masked=False, copy=False)
        missing = np.isnan(kept)
        number = len(kept) - missing.sum(axis=0)
        variance[missing] = 0
        return np.nanmean(kept, axis=0), np.sqrt(variance.sum(axis=0)) / number


class Mpdaf:
    """MPDAF."""

    def combine(
        self, files: list[str], out: str, shifts: Shifts, shape: list[int], extensions: list[int], clip: float = CLIP
    ) -> None:
        """Shift and write, then let `CubeList` combine."""
        from mpdaf.obj import CubeList

        with tempfile.TemporaryDirectory(dir=out) as folder:
            for number in extensions:
                written = [
                    self._write(Path(folder) / f"{k}.fits", number, file, by, shape)
                    for k, (file, by) in enumerate(zip(files, shifts, strict=True))
                ]
                cube, _, _ = CubeList(written).combine(nmax=PASSES, nclip=clip)
                cube.write(str(Path(out) / f"mpdaf{number}.fits"))

    def _write(self, path: Path, number: int, file: str, by: list[float], shape: list[int]) -> str:
        """Shift a cube and write it as MPDAF reads it."""
        flux, variance = _shifted(file, number, slice(None), by, shape)
        header = fits.getheader(file, number)
        kept = fits.Header([(key, header[key]) for key in header if key.startswith(("C", "BUNIT"))])
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(flux, kept, "DATA"), fits.ImageHDU(variance, kept, "STAT")]
        fits.HDUList(hdus).writeto(path, overwrite=True)
        return str(path)


def _shifted(file: str, number: int, planes: slice, by: list[float], shape: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return planes and variances of one exposure on the grid, NaN around it."""
    with fits.open(file, memmap=True) as hdus:
        flux, noise = (np.asarray(hdus[extension].data[planes], dtype=np.float32) for extension in (number, number + 1))
    found = []
    start = [int(np.floor(one)) for one in by]
    rest = [one - first for one, first in zip(by, start, strict=True)]
    lost = [int(one > 0) for one in rest]
    for values in (flux, noise**2):
        grid = np.full((len(values), *shape), np.nan, dtype=np.float32)
        window = grid[:, start[0] :, start[1] :][:, : values.shape[1], : values.shape[2]]
        for plane, target in zip(values, window, strict=True):
            ndimage.shift(plane, rest, output=target, order=3, mode="nearest")
        window[:, : lost[0]] = np.nan
        window[:, :, : lost[1]] = np.nan
        found.append(grid)
    return found[0], found[1]


LIBRARIES: dict[str, Any] = {"astropy": Astropy, "MPDAF": Mpdaf}


def main(name: str) -> None:
    """Answer the parent."""
    warnings.simplefilter("ignore")
    serve({"version": lambda: version(RIVALS[name]), "combine": timed(LIBRARIES[name]().combine)})


if __name__ == "__main__":
    main(*sys.argv[1:])
