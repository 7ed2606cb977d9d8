"""How many stars of crowded fields are found, and how many are found that are none.

Fields as in `extract_psf.py`, of 15 x 15 spaxels of 0.2 arcsec with stars of 5 magnitudes, collapsed to white light. A
star is found if one is told within 0.3 arcsec; "bright" are those brighter than the middle of the five magnitudes.
"False" are those told that are further from every star. Stars on the outermost spaxels count, though none is looked for
there.

    python benchmarks/find_stars.py [--fields 20] [--seed 1] [--threshold 10]
"""

from __future__ import annotations

import argparse

import numpy as np
from extract_psf import NOISES, SPAXEL, Scene, simulated

from napari_kmos.recipes.find import white_with_noise
from napari_kmos.spatial.wcs import sky_to_pixel
from napari_kmos.stars import FindParameters, detect_stars

DENSITIES = 5, 15, 40
NEAR = 0.3 / SPAXEL
BRIGHT = 10.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=20, help="of each line")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threshold", type=float, default=FindParameters().threshold)
    given = parser.parse_args()
    print("| noise | stars | found | bright ones | false |\n|---|---|---|---|---|")
    for noise in NOISES:
        for n_stars in DENSITIES:
            counts = np.zeros(5, dtype=int)
            for number in range(given.fields):
                rng = np.random.default_rng((given.seed, n_stars, number))
                counts += counted(simulated(rng, n_stars, noise=noise), FindParameters(threshold=given.threshold))
            found, n_all, bright, n_bright, false = counts
            print(
                f"| {noise} | {n_stars} | {found / n_all:.0%} | {bright / n_bright:.0%} | {false} of {found + false} |",
                flush=True,
            )


def counted(scene: Scene, parameters: FindParameters) -> np.ndarray:
    """Return how many stars are found, there are, found bright, bright, and false."""
    cube = scene.cube
    stars = detect_stars(white_with_noise(cube), parameters, correlation=cube.correlation)
    told = np.array([sky_to_pixel(cube.wcs, star.ra, star.dec) for star in stars]).reshape(-1, 2)
    distances = np.linalg.norm(scene.places[:, None] - told, axis=-1)
    is_found = distances.min(axis=1, initial=np.inf) <= NEAR
    is_bright = scene.truth.mean(axis=1) > BRIGHT
    false = np.count_nonzero(distances.min(axis=0, initial=np.inf) > NEAR)
    return np.array([is_found.sum(), len(is_found), (is_found & is_bright).sum(), is_bright.sum(), false])


if __name__ == "__main__":
    main()
