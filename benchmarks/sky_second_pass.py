"""What the second pass leaves of sky lines in a simulated exposure of 24 IFUs whose sky was subtracted, IFU by IFU.

Every second IFU has no stars. The first pass stands for the pipeline's subtraction. Numbers as in sky_levels.py: noise
per spaxel and that of the mean of the 36 star-poorest spaxels on sky lines over that of the object exposure alone,
before and after. A sky cube subtracted spaxel by spaxel brings 1.41 to the first of them.

    python benchmarks/sky_second_pass.py [--quick] [--first davies] [--band K] [--seed 1] [--density 15]
        [--amplitude 0.1] [--flexure 0.1]
"""

from __future__ import annotations

import argparse
import dataclasses
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
from sky_cases import HARSH, measure

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
    from napari_kmos.sky import IfuResidual, SkyTemplate


def main() -> None:
    """Print a line an IFU, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", default="davies", help="method of the first pass")
    parser.add_argument("--quick", action="store_true", help="twelve IFUs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--band", default="K")
    for name, value in (("density", 15.0), ("amplitude", 0.1), ("flexure", 0.1)):
        parser.add_argument(f"--{name}", type=float, default=value)
    given = vars(parser.parse_args())
    first, ifus = given.pop("first"), 12 if given.pop("quick") else 24
    night = half_empty_night(SimulationParameters(ifus=ifus, exposures=1, epochs=1, **HARSH, **given))
    cubes = first_pass(night, first)
    start = time.perf_counter()
    residuals = [measure_residual(cube) for cube in cubes]
    emptier = choose_emptier(residuals)
    templates = [make_template(cube, residuals, emptier) for cube in cubes]
    after = [_second_pass(*each) for each in zip(cubes, residuals, templates, strict=True)]
    seconds = time.perf_counter() - start
    print(f"first pass: {first}; emptier IFUs: {', '.join(map(str, emptier))}; second pass: {seconds:.1f} s")
    print(f"{'IFU':>4}{'empty':>7}{'spaxel: before':>16}{'after':>8}{'mean: before':>16}{'after':>8}   from")
    rows = np.array([[*score(night, before), *score(night, later)] for before, later in zip(cubes, after, strict=True)])
    for residual, template, row in zip(residuals, templates, rows, strict=True):
        sources = ",".join(map(str, template.sources)) if template else ""
        print(f"{residual.ifu:4d}{residual.empty_share:7.2f}{_numbers(row)}   {sources}")
    print(f"{'mean':>11}{_numbers(rows.mean(axis=0))}")
    worse = np.count_nonzero((rows[:, 2:] > rows[:, :2]).any(axis=1))
    print(f"worse in {worse} of {len(rows)} IFUs")


def _second_pass(cube: Cube, residual: IfuResidual, template: SkyTemplate | None) -> Cube:
    if template is None:
        return cube
    return subtract_residual(cube, fit_second_pass(cube, residual, template)[0])


def _numbers(row: np.ndarray) -> str:
    return f"{row[0]:16.2f}{row[2]:8.2f}{row[1]:16.2f}{row[3]:8.2f}"


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
