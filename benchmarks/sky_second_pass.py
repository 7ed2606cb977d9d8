"""What the second pass leaves of sky lines in a simulated exposure of 24 IFUs whose sky was subtracted, IFU by IFU.

Every second IFU has no stars. The first pass stands for the pipeline's subtraction. Numbers as in sky_levels.py: noise
per spaxel and that of the mean of the 36 star-poorest spaxels on sky lines over that of the object exposure alone,
before and after. A sky cube subtracted spaxel by spaxel brings 1.41 to the first of them.

    python benchmarks/sky_second_pass.py [--quick] [--first davies] [--seed 1] [--density 15] [--amplitude 0.1]
"""

from __future__ import annotations

import argparse
import dataclasses
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
from sky_levels import measure

from napari_kmos.errors import KmosWarning
from napari_kmos.simulate import Night, SimulationParameters, true_sky, true_stars
from napari_kmos.simulate.night import simulate_exposure
from napari_kmos.simulate.scene import find_exposure, make_scene
from napari_kmos.simulate.stars import select_stars
from napari_kmos.sky import (
    choose_emptier,
    fit_second_pass,
    make_template,
    measure_residual,
    subtract_residual,
    subtract_sky,
)

if TYPE_CHECKING:
    from napari_kmos.cube import Cube


def main() -> None:
    """Print a line an IFU, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", default="davies", help="method of the first pass")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ifus", type=int, default=24)
    parser.add_argument("--quick", action="store_true", help="twelve IFUs")
    for name, value in (("density", 15.0), ("amplitude", 0.1), ("flexure", 0.1)):
        parser.add_argument(f"--{name}", type=float, default=value)
    given = vars(parser.parse_args())
    first, ifus = given.pop("first"), given.pop("ifus")
    night = half_empty_night(
        SimulationParameters(ifus=12 if given.pop("quick") else ifus, **given, exposures=1, epochs=1)
    )
    cubes = first_pass(night, first)
    start = time.perf_counter()
    residuals = {cube.ifu: measure_residual(cube) for cube in cubes}
    emptier = choose_emptier(list(residuals.values()))
    print(f"emptier IFUs: {', '.join(map(str, emptier))}")
    print(f"{'IFU':>4}{'empty':>7}{'spaxel: before':>16}{'after':>8}{'mean: before':>16}{'after':>8}   from")
    rows = []
    for cube in cubes:
        template = make_template(cube, list(residuals.values()), emptier)
        after, sources = cube, ""
        if template is not None:
            second, _ = fit_second_pass(cube, residuals[cube.ifu], template)
            after, sources = subtract_residual(cube, second), ",".join(map(str, template.sources))
        rows.append([number for each in (cube, after) for number in score(night, each)])
        before, later = rows[-1][:2], rows[-1][2:]
        print(
            f"{cube.ifu:4d}{residuals[cube.ifu].empty_share:7.2f}{before[0]:16.2f}{later[0]:8.2f}"
            f"{before[1]:16.2f}{later[1]:8.2f}   {sources}"
        )
    told = np.array(rows)
    worse = int(np.count_nonzero((told[:, 2:] > told[:, :2]).any(axis=1)))
    average = told.mean(axis=0)
    print(f"{'mean':>11}{average[0]:16.2f}{average[2]:8.2f}{average[1]:16.2f}{average[3]:8.2f}")
    print(f"worse in {worse} of {len(rows)} IFUs; {time.perf_counter() - start:.1f} s with the measuring")


def half_empty_night(parameters: SimulationParameters) -> Night:
    """Return a night with one object and one sky exposure; the second, fourth, ... arm in use sees no stars."""
    scene = make_scene(parameters)
    crowded = sorted(scene.responses)[::2]
    scene = dataclasses.replace(scene, stars=select_stars(scene.stars, np.isin(scene.stars.ifu, crowded)))
    target, sky = (simulate_exposure(scene, find_exposure(scene, 0, on_sky=on_sky)) for on_sky in (False, True))
    return Night(objects=(target,), skies=(sky,), files=(), sky_files=(), truth=(), scene=scene)


def first_pass(night: Night, method: str) -> list[Cube]:
    """Subtract the sky."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KmosWarning)
        return [
            subtract_sky(cube, night.skies[0].cube(cube.ifu), method=method).cube for cube in night.objects[0].cubes
        ]


def score(night: Night, cube: Cube) -> tuple[float, float]:
    """Return the noise per spaxel and that of the mean on lines, over that of the object exposure."""
    ifu = int(cube.ifu or 0)
    stars, light = true_stars(night, 0, ifu), true_sky(night, 0, ifu)
    noise = np.asarray(night.objects[0].cube(ifu).noise, dtype=float)
    return measure(np.asarray(cube.flux) - stars, noise, stars, light)


if __name__ == "__main__":
    main()
