"""How far our mean of exposures is from that of other libraries, where they define the same.

reproject: 8 exposures of stars without noise, by dithers of parts of a spaxel and turned by 20 degrees, averaged where
all of them reach 2 spaxels inwards: the largest difference, in parts of the brightest spaxel. `reproject_interp` is
bilinear, or a spline of third order; `reproject_exact` shares spaxels out by their area.

MPDAF: `CubeList.combine` of 16 exposures with noise and cosmic rays, dithers of whole spaxels, so that nothing is
interpolated: the largest difference of mean and noise in parts of the noise, without clipping. With clipping the two
have other rules (ours are those of `kmos_combine`, by percentiles first): there it is the scatter of what is left of
noise and cosmic rays, around the star, over that of theirs, less 1.

    python benchmarks/combine_agreement.py [--rivals PYTHON]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import reproject
from astropy.io import fits
from combine_cases import FWHM_PIX, LARGEST_DITHER, dithers, grid_shape, write_exposures
from combine_trials import SHAPE, fields, star_cubes
from measuring import Child, FailedError

from napari_kmos import read_cube
from napari_kmos.combine import CombineParameters, combine_cubes
from napari_kmos.recipes.combine import combine
from napari_kmos.spatial.wcs import pixel_to_pixel

if TYPE_CHECKING:
    from astropy.wcs import WCS

N_EXPOSURES, N_STARS, MARGIN_PIX = 8, 6, 2
#: Our kernel, theirs, and the tolerance in parts of the brightest spaxel.
KERNELS: dict[str, tuple[Callable[..., Any], str, float]] = {
    "linear": (partial(reproject.reproject_interp, order="bilinear"), "reproject_interp bilinear", 1e-5),
    "spline": (partial(reproject.reproject_interp, order="bicubic"), "reproject_interp bicubic", 1e-3),
    "drizzle": (reproject.reproject_exact, "reproject_exact", 1e-3),
}
CASES = {"dithers": 0.0, "turned by 20 degrees": 20.0}
MPDAF_SHAPE, NO_CLIP = (256, 28, 28), 1e6
STAR_PIX = 2 * FWHM_PIX
#: Without clipping, in parts of the noise; with it, of the scatter.
PLAIN_TOLERANCE, CLIPPED_TOLERANCE = 1e-4, 0.05


def main() -> None:
    """Print a line a comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", default=sys.executable, metavar="PYTHON", help="interpreter that has mpdaf")
    given = parser.parse_args()
    print("| ours | theirs | of what | difference | tolerance |  |\n|---|---|---|---|---|---|")
    for kernel, (other, name, tolerance) in KERNELS.items():
        for case, rotation in CASES.items():
            wcs = fields(N_EXPOSURES, rotation, np.random.default_rng(1))
            _print_row(kernel, name, case, _reprojected(wcs, kernel, other), tolerance)
    with tempfile.TemporaryDirectory() as folder, Child("combine_rivals.py", "MPDAF", python=given.rivals) as mpdaf:
        try:
            version = mpdaf.ask("version")
        except FailedError as err:
            print(f"MPDAF does not take part: {err}; name an interpreter that has it with `--rivals`.")
            return
        _print_mpdaf(mpdaf, version, Path(folder))


def _print_row(ours: str, theirs: str, of_what: str, found: float, tolerance: float) -> None:
    verdict = "met" if found <= tolerance else "MISSED"
    print(f"| {ours} | {theirs} | {of_what} | {found:.1e} | {tolerance:g} | {verdict} |", flush=True)


def _reprojected(wcs: Sequence[WCS], kernel: str, other: Callable[..., Any]) -> float:
    """Return the largest difference from the mean of what reproject makes, in parts of the brightest spaxel."""
    cubes = star_cubes(wcs, N_STARS, np.random.default_rng(2))
    parameters = CombineParameters(cmethod="average", kernel=kernel, flux=False)  # type: ignore[arg-type]
    cube = combine_cubes(cubes, parameters=parameters).cube
    images = [
        [other((np.asarray(plane, dtype=float), one.wcs), cube.wcs, shape_out=cube.shape[1:])[0] for plane in one.flux]
        for one in cubes
    ]
    theirs, ours = np.mean(images, axis=0), np.asarray(cube.flux)
    inner = np.ones(cube.shape[1:], dtype=bool)
    for one in wcs:
        places = pixel_to_pixel(cube.wcs, one, *np.indices(inner.shape))
        for place, length in zip(places, SHAPE, strict=True):
            inner &= (place >= MARGIN_PIX) & (place <= length - 1 - MARGIN_PIX)
    return float(np.abs(ours - theirs)[:, inner].max() / ours[:, inner].max())


def _print_mpdaf(mpdaf: Child, version: str, folder: Path) -> None:
    """Print the lines of MPDAF."""
    places = [(float(round(y)), float(round(x))) for y, x in dithers(2 * N_EXPOSURES)]
    files = write_exposures(folder / "in", places, n_ifus=1, shape=MPDAF_SHAPE)
    words = {"files": list(map(str, files)), "out": str(folder), "shifts": places, "extensions": [1]}
    name, wholes = f"MPDAF {version} CubeList", {"shape": grid_shape(MPDAF_SHAPE[1])}
    for cmethod, clip in (("average", NO_CLIP), ("ksigma", 3.0)):
        mpdaf.ask("combine", **words, **wholes, clip=clip)
        parameters = CombineParameters(cmethod=cmethod)  # type: ignore[arg-type]
        ours = read_cube(combine(files, folder / "ours", parameters=parameters, overwrite=True).products[0])
        window = (slice(None), *(slice(length) for length in ours.shape[1:]))
        with fits.open(folder / "mpdaf1.fits") as hdus:
            theirs = hdus["DATA"].data[window], np.sqrt(hdus["STAT"].data[window])
        pairs = list(zip(map(np.asarray, (ours.flux, ours.noise)), theirs, strict=True))
        if cmethod == "average":
            for what, (one, other) in zip(("the mean, in noise", "the noise, in parts"), pairs, strict=True):
                far = np.abs(one - other) / pairs[1][0]
                _print_row(cmethod, name, what, float(np.nanmax(far)), PLAIN_TOLERANCE)
        else:
            one, other = (float(np.nanstd(values[:, _around_star(values.shape[1:])])) for values in pairs[0])
            _print_row(cmethod, name, "scatter around the star", one / other - 1, CLIPPED_TOLERANCE)


def _around_star(shape: tuple[int, ...]) -> np.ndarray:
    """Return which spaxels are far from the star and near enough to be in all exposures."""
    middle = MPDAF_SHAPE[1] / 2
    distance = np.hypot(*(np.indices(shape) - middle))
    return (distance > STAR_PIX) & (np.indices(shape).min(axis=0) >= LARGEST_DITHER) & (distance < middle)


if __name__ == "__main__":
    main()
