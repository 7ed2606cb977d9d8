"""How much of the sky lines each method leaves on simulated nights, against plain subtraction, and its time an IFU.

Per spaxel and for the mean of the dark spaxels that no method used: the rms on sky lines over the object's noise. A sky
cube as noisy as the object brings 1.41 to the first number of every method that subtracts it spaxel by spaxel.

    python benchmarks/sky_residuals.py [--bands K,H] [--amplitude 0.1] [--flexure 0.1] [--density 15] [--seed 1]
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from scipy import ndimage

from napari_kmos.instrument import BANDS
from napari_kmos.simulate import Night, SimulationParameters, simulate_night, true_sky, true_stars
from napari_kmos.sky import SKY_METHODS, SkyResult, nearest_sky, subtract_sky

LINE_SIGMA = 5
BAD_SIGMA = 50
WIDTH_PIX = 61


def main() -> None:
    """Print a line a band and method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bands", default=",".join(BANDS))
    for name, value in (("amplitude", 0.1), ("flexure", 0.1), ("density", 15.0)):
        parser.add_argument(f"--{name}", type=float, default=value)
    parser.add_argument("--seed", type=int, default=1)
    args = vars(parser.parse_args())
    print(f"{'band':5}{'method':8}{'spaxel':>8}{'mean':>8}{'mean/plain':>12}{'s/IFU':>8}")
    for band in args.pop("bands").split(","):
        night = simulate_night(SimulationParameters(band=band, ifus=3, exposures=2, epochs=2, **args))
        plain = None
        for method in SKY_METHODS:
            spaxel, mean, seconds = score(night, method)
            plain = plain or mean
            print(f"{band:5}{method:8}{spaxel:8.2f}{mean:8.2f}{mean / plain:12.2f}{seconds:8.2f}")


def score(night: Night, method: str) -> tuple[float, float, float]:
    """Return the two numbers and the time, averaged over all IFUs of all exposures."""
    rows = []
    for index, exposure in enumerate(night.objects):
        sky = nearest_sky(exposure, night.skies)
        for cube in exposure.cubes:
            start = time.perf_counter()
            result = subtract_sky(cube, sky.cube(cube.ifu), method=method)
            seconds = time.perf_counter() - start
            rows.append((*residuals(night, index, result), seconds))
    spaxel, mean, seconds = np.mean(rows, axis=0)
    return float(spaxel), float(mean), float(seconds)


def residuals(night: Night, index: int, result: SkyResult) -> tuple[float, float]:
    """Return the rms on sky lines per spaxel and of the mean, over the noise of the object."""
    ifu = result.cube.ifu
    stars = true_stars(night, index, ifu)
    light = true_sky(night, index, ifu).mean(axis=(1, 2))
    white = stars.mean(axis=0)
    usable = (np.isfinite(result.cube.flux).mean(axis=0) > 0.5) & ~result.sky_mask
    dark = usable & (white <= np.median(white[usable]))
    noise = np.asarray(night.objects[index].cube(ifu).noise, dtype=float)[:, dark]
    left = np.asarray(result.cube.flux, dtype=float)[:, dark] - stars[:, dark]
    left[np.abs(left) > BAD_SIGMA * noise] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # planes without data
        mean, typical = np.nanmean(left, axis=1), np.nanmedian(noise)
        error = np.sqrt(np.nanmean(noise**2, axis=1) / dark.sum())
    background = ndimage.median_filter(np.nan_to_num(mean), WIDTH_PIX)
    lines = light - ndimage.percentile_filter(light, 25, WIDTH_PIX) > LINE_SIGMA * typical
    lines &= np.isfinite(mean) & np.isfinite(error)
    per_spaxel = (left - background[:, None]) / noise
    return (
        float(np.sqrt(np.nanmean(per_spaxel[lines] ** 2))),
        float(np.sqrt(np.mean(((mean - background) / error)[lines] ** 2))),
    )


if __name__ == "__main__":
    main()
