"""Offsets of single IFUs against a catalogue: how many are found, how exact, how sure, and how many wrong ones pass.

The exposures are those of `align_fields`: 14 x 14 spaxels, seeing 0.6-0.9 arcsec, headers off by up to 3.5 spaxels, an
edge without data. The catalogue has the field's stars as another telescope sees them: positions good to 0.02 arcsec,
magnitudes to 0.15, the faintest stars missing more and more, and one in fifty of the brighter ones. What is measured
against the catalogue of another field must not be accepted.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np
from align_fields import DEC, RA, SHIFT, SPAXEL, Sky, Stars, draw_stars, expose
from astropy.table import Table

from napari_kmos.align import measure_by_catalogue
from napari_kmos.io import catalogue_of
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky

if TYPE_CHECKING:
    from napari_kmos.catalogue import Catalogue

#: Fields of 6 magnitudes whose rows of spaxels differ by 2 % in throughput.
SKY = Sky(slitlet_gain=0.02)
POSITION_ARCSEC, MAGNITUDE = 0.02, 0.15
#: Share of stars in the catalogue down to a depth below the brightest, and at the faintest.
COMPLETE, COMPLETE_DEPTH, COMPLETE_FAINTEST = 0.98, 4.5, 0.4
#: An offset further off than this, in spaxels, is wrong.
WRONG = 0.5


def main() -> None:
    """Print a line a density."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="another seed, other fields")
    parser.add_argument("--densities", default="8,20,45", metavar="N,...", help="stars in 14 x 14 spaxels")
    given = parser.parse_args()
    print(f"{given.trials} trials a line; errors in spaxels\n")
    print("| stars | catalogue | found | accepted | median error | pull | wrong and accepted | ms |")
    print("|---|---|---|---|---|---|---|---|")
    for density in map(float, given.densities.split(",")):
        for kind in ("its own", "another field's"):
            print(_line(density, kind, given.trials, given.seed), flush=True)


def observed(stars: Stars, rng: np.random.Generator) -> Catalogue:
    """Return the catalogue of a field as another telescope makes it."""
    depth = -2.5 * np.log10(stars.flux)
    slope = (COMPLETE - COMPLETE_FAINTEST) / (SKY.depth - COMPLETE_DEPTH)
    seen = rng.random(len(depth)) < COMPLETE - slope * np.maximum(depth - COMPLETE_DEPTH, 0)
    y, x = (one[seen] + rng.normal(0, POSITION_ARCSEC / SPAXEL, seen.sum()) for one in (stars.y, stars.x))
    ra, dec = pixel_to_sky(make_wcs(RA, DEC, crpix=(7.5, 7.5), scale_arcsec=SPAXEL), y, x)
    return catalogue_of(Table({"ra": ra, "dec": dec, "K": depth[seen] + rng.normal(0, MAGNITUDE, seen.sum())}), "stars")


def _line(density: float, kind: str, trials: int, seed: int) -> str:
    """Measure fields of one density, and return the line of the table."""
    rng = np.random.default_rng([seed, int(density), len(kind)])
    rows = []
    for _ in range(trials):
        stars, shift = draw_stars(SKY, density, rng), rng.uniform(-SHIFT, SHIFT, 2)
        image = expose(SKY, stars, rng, tuple(shift))
        catalogue = observed(stars if kind == "its own" else draw_stars(SKY, density, rng), rng)
        start = time.perf_counter()
        found = measure_by_catalogue(image, catalogue)
        seconds = time.perf_counter() - start
        off = np.array([found.dra_arcsec, found.ddec_arcsec]) / SPAXEL - [-shift[1], shift[0]]  # east is to the left
        rows.append((np.hypot(*off), found.err_arcsec / SPAXEL, found.accepted, seconds))
    distance, error, accepted, seconds = np.array(rows).T
    accepted = accepted.astype(bool)
    right = distance < WRONG
    exact, pull = "", ""
    if kind == "its own":
        exact = f"{np.median(distance[accepted]):.3f}"
        pull = f"{np.sqrt(np.mean((distance / error)[accepted & right] ** 2) / 2):.2f}"
    share = f"{np.mean(right):.1%}" if kind == "its own" else ""
    numbers = f"{share} | {np.mean(accepted):.1%} | {exact} | {pull} | {np.mean(accepted & ~right):.1%}"
    return f"| {density:g} | {kind} | {numbers} | {1000 * np.median(seconds):.0f} |"


if __name__ == "__main__":
    main()
