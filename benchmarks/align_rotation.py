"""Rotations of exposures by their stars: how exact, and how sure, in mosaics, whole exposures and single IFUs.

Fields of 0.2 arcsec spaxels with 20 stars, seeing of 0.7 and 0.8 arcsec, the header of the second exposure wrong by 0.3
degrees once its shift is measured. What too few stars are common to tells nothing, and is left out of the errors.

    python benchmarks/align_rotation.py [--trials 40] [--seed 0]
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np
from align_fields import DEC, RA

from napari_kmos.align import AlignParameters
from napari_kmos.align.rotation import Rotation, StarField, fit_rotation, locate_stars
from napari_kmos.cube import Image
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.spatial.correction import place_wcs
from napari_kmos.spatial.fields import centre_of
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky, sky_to_pixel

TURN, DITHER, LEFT = 0.3, (0.31, -0.22), (0.02, -0.03)
FWHM_PIX = (3.5, 4.0)
N_STARS, MATCH_ARCSEC = 20, 0.3
MOSAIC, IFU = (50, 60), (14, 14)
#: What is seen, the size of a field, and how many turn together.
CASES = (
    ("mosaic of 60 x 50 spaxels", MOSAIC, 1),
    ("20 IFUs", IFU, 20),
    ("6 IFUs", IFU, 6),
    ("one IFU", IFU, 1),
)


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0, help="another seed, other fields")
    given = parser.parse_args()
    print(f"{given.trials} trials a line; degrees\n")
    print("| simulated | told anything | stars matched | median error told | rms of the errors | pull |")
    print("|---|---|---|---|---|---|")
    for number, (name, shape, n_fields) in enumerate(CASES):
        found = [
            fit_rotation(
                [_field([given.seed, number, trial, field], shape) for field in range(n_fields)],
                match_arcsec=MATCH_ARCSEC,
            )
            for trial in range(given.trials)
        ]
        print(_line(name, found), flush=True)


def _field(seed: list[int], shape: tuple[int, int]) -> StarField:
    """Return a field in an exposure whose header is turned, and in one that is right."""
    rng = np.random.default_rng(seed)
    right = make_wcs(RA, DEC, crpix=(12.0, 9.0), rotation_deg=25.0)
    ra, dec = pixel_to_sky(right, *(rng.uniform(0, length - 1, N_STARS) for length in shape))
    flux = 150 + 2000 * rng.random(N_STARS) ** 3
    true = place_wcs((right, shape), *DITHER, 0.0)
    images = []
    for wcs, fwhm_pix in zip((right, true), FWHM_PIX, strict=True):
        light = np.tensordot(flux, moffat_images(*sky_to_pixel(wcs, ra, dec), shape, fwhm_pix=fwhm_pix), 1)
        images.append(Image(data=light + rng.standard_normal(shape), noise=np.ones(shape), wcs=wcs))
    header = place_wcs((true, shape), *LEFT, -TURN)
    reference, moving = images[0], dataclasses.replace(images[1], wcs=header)
    stars = [locate_stars(image, AlignParameters()) for image in (moving, reference)]
    return StarField(*stars, centre=centre_of((header, shape)))


def _line(name: str, found: list[Rotation]) -> str:
    told = [one for one in found if np.isfinite(one.err_deg)]
    off = np.array([one.deg - TURN for one in told])
    err = np.array([one.err_deg for one in told])
    matched = np.mean([one.n_stars for one in told])
    rms, pull = np.sqrt(np.mean(off**2)), np.sqrt(np.mean((off / err) ** 2))
    share = f"{len(told)} of {len(found)}"
    return f"| {name} | {share} | {matched:.0f} | {np.median(err):.2f} | {rms:.2f} | {pull:.2f} |"


if __name__ == "__main__":
    main()
