"""What the methods of sky subtraction leave on the OH lines of simulated nights, as one table.

Each cell: the noise per spaxel and that of the mean of 36 spaxels, both over the noise of the object exposure alone,
averaged over all IFUs. z = (subtracted - true stars) / NOISE of the object exposure in the 36 star-poorest spaxels, a
running median of 61 planes taken off each, where the line part of the true sky (above its running 25 % percentile of 61
planes) exceeds 3 % of its maximum, widened by 2 planes; 25 planes at each end and voxels beyond 12 sigma are left out.
Per spaxel: 1.4826 times the median absolute deviation of z. Mean: rms of the mean of the 36 over its own noise. For
comparison the true sky taken off: "true mean", averaged over the IFU, from every spaxel; "true sky", from each its own,
which is what the noise alone leaves (the running median takes 1 to 2 % of it).

    python benchmarks/sky_levels.py [--quick] [--seeds 201,202,203,204,205] [--ifus 4] [--columns NAME,...]
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_kmos.errors import KmosWarning
from napari_kmos.simulate import Night, SimulationParameters, simulate_night, true_sky, true_stars
from napari_kmos.sky import nearest_sky, subtract_sky

if TYPE_CHECKING:
    from napari_kmos.cube import Cube

#: Column: parameters of the nights.
COLUMNS: dict[str, tuple[dict[str, Any], ...]] = {
    "10 %": ({},),
    "20 % flexure .25": ({"amplitude": 0.2, "flexure": 0.25},),
    "45 stars": ({"density": 45.0},),
    "28x28x3072": ({"pix_scale": 0.1, "nz": 3072},),
    "other bands": tuple({"band": band} for band in ("IZ", "YJ", "H", "HK")),
}
#: To reach: per spaxel, mean.
GOALS = {
    "10 %": (1.03, 1.5),
    "20 % flexure .25": (1.06, 2.3),
    "45 stars": (1.03, 1.9),
    "28x28x3072": (1.25, 4.5),
    "other bands": (1.15, 2.5),
}
N_SPAXELS, LINE_SHARE, WIDEN, WIDTH, END, LIMIT = 36, 0.03, 2, 61, 25, 12.0
TRUE_MEAN, TRUE_SKY = "true mean", "true sky"


@dataclass(frozen=True, slots=True)
class Score:
    """What one method left in one IFU, and its time in seconds."""

    spaxel: float
    mean: float
    seconds: float


def main() -> None:
    """Print the table, the largest single value of each cell, and the time of an IFU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="201,202,203,204,205")
    parser.add_argument("--ifus", type=int, default=4)
    parser.add_argument("--columns", default=",".join(COLUMNS))
    parser.add_argument("--methods", default="davies,levels")
    parser.add_argument("--quick", action="store_true", help="one seed, two IFUs")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")][: 1 if given.quick else None]
    methods = [*given.methods.split(","), TRUE_MEAN, TRUE_SKY]
    scores = {
        column: score_column(COLUMNS[column], seeds, 2 if given.quick else given.ifus, methods)
        for column in given.columns.split(",")
    }
    print_table(scores, methods)


def score_column(
    nights: tuple[dict[str, Any], ...], seeds: list[int], ifus: int, methods: list[str]
) -> dict[str, list[Score]]:
    """Return the scores of every IFU of every seed, by method."""
    found: dict[str, list[Score]] = {method: [] for method in methods}
    for parameters in nights:
        for seed in seeds:
            night = simulate_night(SimulationParameters(seed=seed, ifus=ifus, exposures=1, epochs=1, **parameters))
            for cube in night.objects[0].cubes:
                for method in methods:
                    found[method].append(score(night, cube, method))
    return found


def score(night: Night, cube: Cube, method: str) -> Score:
    """Subtract the sky of one IFU and measure what is left."""
    ifu = int(cube.ifu or 0)
    stars, light = true_stars(night, 0, ifu), true_sky(night, 0, ifu)
    good = np.isfinite(np.asarray(cube.flux)).mean(axis=0) > 0.5
    start = time.perf_counter()
    if method == TRUE_MEAN:
        left = np.asarray(cube.flux) - light[:, good].mean(axis=1)[:, None, None]
    elif method == TRUE_SKY:
        left = np.asarray(cube.flux) - light
    else:
        sky = nearest_sky(night.objects[0], night.skies).cube(ifu)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", KmosWarning)
            left = np.asarray(subtract_sky(cube, sky, method=method).cube.flux)
    seconds = time.perf_counter() - start
    return Score(*measure(left - stars, np.asarray(cube.noise, dtype=float), stars, light), seconds)


def measure(left: np.ndarray, noise: np.ndarray, stars: np.ndarray, light: np.ndarray) -> tuple[float, float]:
    """Return the noise per spaxel and that of the mean, over the object's; cubes of shape (n_planes, n_y, n_x)."""
    good = np.isfinite(noise).mean(axis=0) > 0.5
    white = np.where(good, stars.mean(axis=0), np.inf)
    dark = np.argsort(white, axis=None)[:N_SPAXELS]
    planes = np.flatnonzero(np.isfinite(noise[:, good]).any(axis=1))
    mean_light = light[:, good].mean(axis=1)
    lines = mean_light - ndimage.percentile_filter(mean_light, 25, WIDTH)
    is_line = ndimage.binary_dilation(lines > LINE_SHARE * lines.max(), np.ones(2 * WIDEN + 1, dtype=bool))[planes]
    is_line[:END] = is_line[-END:] = False
    z = (left / noise).reshape(len(left), -1)[planes][:, dark]
    z[np.abs(z) > LIMIT] = np.nan
    z -= ndimage.median_filter(np.nan_to_num(z), (WIDTH, 1))
    z = z[is_line]
    mean = np.nansum(z, axis=1) / np.sqrt(np.maximum(np.isfinite(z).sum(axis=1), 1))
    return float(1.4826 * np.nanmedian(np.abs(z - np.nanmedian(z)))), float(np.sqrt(np.mean(mean**2)))


def print_table(scores: dict[str, dict[str, list[Score]]], methods: list[str]) -> None:
    """Print mean, largest value and seconds a column and method."""
    rows: dict[str, Callable[[str], str]] = {}
    for method in methods:
        rows[method] = lambda column, m=method: _cell(scores[column][m], np.mean)
        rows[f"{method}, worst"] = lambda column, m=method: _cell(scores[column][m], np.max)
        rows[f"{method}, s/IFU"] = lambda column, m=method: f"{np.median([s.seconds for s in scores[column][m]]):.2f}"
    rows["to reach"] = lambda column: " / ".join(f"{goal:.2f}" for goal in GOALS[column])
    print(f"{'':18}" + "".join(f"{column:>18}" for column in scores))
    for name, cell in rows.items():
        print(f"{name:18}" + "".join(f"{cell(column):>18}" for column in scores))
    if {"davies", "levels"} <= set(methods):
        worse = [
            a.mean > b.mean or a.spaxel > b.spaxel
            for found in scores.values()
            for a, b in zip(found["levels"], found["davies"], strict=True)
        ]
        print(f"levels worse than davies in {sum(worse)} of {len(worse)} IFUs")


def _cell(scores: list[Score], what: Callable[[list[float]], Any]) -> str:
    return f"{what([score.spaxel for score in scores]):.2f} / {what([score.mean for score in scores]):.2f}"


if __name__ == "__main__":
    main()
