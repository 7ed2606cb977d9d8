"""How well a standard star takes out the atmosphere, and how right the flux is then.

Standards (black body, hydrogen) and stars seen through an atmosphere of H2O, CO2 and CH4, line by line and then
blurred, at other airmasses and with other water, in planes that flexure moves along the band. The correction knows none
of this: it has powers of what the instrument showed, and water's part by bands. The rms is that of the continuum about
the truth where 0.5 to 0.97 of the light comes through, without the target's own noise: after `telluric`, by the true
response of the instrument, which is still in; and after `calibrate`, by that of the standard. Level is how far the flux
is off, by the standard's magnitude.

    python benchmarks/telluric.py [--trials 20] [--seed 1] [--planes 2048]
    python benchmarks/telluric.py --mosaic FILE         (time and memory of a whole cube, against copying it)
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import HERE

sys.path.insert(0, str(HERE.parent / "tests"))

import observed_stars as stars

from napari_kmos.curve import Curve
from napari_kmos.instrument import MAGNITUDES
from napari_kmos.io import read_exposure, write_cube
from napari_kmos.telluric import (
    Correction,
    StandardParameters,
    TelluricParameters,
    band_mean,
    correct_cube,
    flux_factor,
    magnitude_of,
    measure_throughput,
    scale_throughput,
    zero_point_of,
)

WAYS = {
    "airmasses of the headers": TelluricParameters(fit=False),
    "one window": TelluricParameters(one_window=True),
    "three windows": TelluricParameters(),
}
COLUMNS = ("rms after telluric, %", "rms after calibrate, %", "level, %")
BOUNDS = (2.0, 2.0, 3.0)
MAGNITUDE = 8.0


def main() -> None:
    """Print the table, or time and memory of a cube."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--planes", type=int, default=2048)
    parser.add_argument("--mosaic", type=Path)
    given = parser.parse_args()
    if given.mosaic:
        _stream(given.mosaic)
        return
    for flexure in (0.0, 0.4):
        print(f"\nflexure up to {flexure:g} planes, {given.trials} nights, {given.planes} planes: median (worst)\n")
        found = {name: [] for name in WAYS}
        for trial in range(given.trials):
            for name, values in _trial([given.seed, trial], flexure, given.planes).items():
                found[name].append(values)
        _print({name: np.array(values) for name, values in found.items()})


def _trial(seed: list[int], flexure: float, nz: int) -> dict[str, tuple[float, float, float]]:
    """Return the three numbers of each way, in a night."""
    rng = np.random.default_rng(seed)
    airmass, water = rng.uniform(1.0, 1.7, 2), rng.uniform(1.0, 3.5, 2)
    shift = rng.uniform(-flexure, flexure, 2)
    night = {"rng": rng, "nz": nz, "seed": seed[1]}
    star = stars.see(stars.hot_star, airmass=airmass[0], water=water[0], snr=300.0, **night)
    curve = Curve(name="standard", wavelength_um=star.wave, flux=star.flux, noise=star.noise)
    throughput = measure_throughput(curve, airmass=airmass[0], parameters=StandardParameters())
    place = {"airmass": airmass[1], "water": water[1], "shift_pix": tuple(shift)}
    seen = stars.see(stars.smooth_star, snr=100.0, **place, **night)
    clean = stars.see(stars.smooth_star, snr=1e9, **place, **night)
    k = magnitude_of(star.wave)
    zero = zero_point_of(band_mean(star.wave, throughput.response, k), MAGNITUDE)
    response = Curve(name="standard", wavelength_um=star.wave, flux=throughput.response)
    factor = flux_factor(seen.wave, response, zero_point=zero)
    unit = MAGNITUDES["K"].flux * 10 ** (-0.4 * MAGNITUDE) / band_mean(star.wave, stars.hot_star(star.wave), k)
    found = {}
    for name, parameters in WAYS.items():
        correction = scale_throughput(
            throughput, seen.wave, seen.flux, seen.noise, airmass=airmass[1], parameters=parameters
        )
        corrected = clean.flux / correction.transmission
        flux = corrected * factor / (unit * stars.smooth_star(seen.wave))
        level = 100 * abs(float(np.nanmedian(flux)) - 1)
        found[name] = (_rms(corrected / clean.truth, clean), _rms(flux, clean), level)
    return found


def _rms(ratio: np.ndarray, clean: stars.Seen) -> float:
    """Return the scatter about the truth in bands of absorption, in per cent."""
    return 100 * float(np.sqrt(np.nanmean((ratio[clean.absorbed] / np.nanmedian(ratio) - 1) ** 2)))


def _print(found: dict[str, np.ndarray]) -> None:
    """Print the table and the ratios."""
    print("| | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for name, values in found.items():
        median, worst = np.median(values, axis=0), np.max(values, axis=0)
        print(f"| {name} | " + " | ".join(f"{a:.2f} ({b:.2f})" for a, b in zip(median, worst, strict=True)) + " |")
    ours = found["three windows"]
    told = (f"{bound:g}: {np.mean(column <= bound):.0%}" for bound, column in zip(BOUNDS, ours.T, strict=True))
    print(f"\nnights within the bounds: {', '.join(told)}")
    for name in list(WAYS)[:2]:
        print(f"rms after calibrate, {name} over three windows: {np.median(found[name][:, 1] / ours[:, 1]):.2f}")


def _stream(path: Path) -> None:
    """Time a correction of a whole cube against reading and writing it, and tell the most memory."""
    exposure = read_exposure(path)
    cube = exposure.cubes[0]
    wave = cube.wavelength_um
    through = np.linspace(1.0, 0.5, wave.size)
    correction = Correction(
        wavelength_um=wave, transmission=through, relative_noise=through * 0.01, windows=(), standard="made up"
    )
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        taken = []
        for number, one in enumerate((cube, correct_cube(cube, correction), cube, correct_cube(cube, correction))):
            start = time.perf_counter()
            write_cube(one, Path(folder) / f"{number % 2}.fits", overwrite=True)
            taken.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"copied in {min(taken[::2]):.1f} s, corrected in {min(taken[1::2]):.1f} s: ", end="")
    print(f"{min(taken[1::2]) / min(taken[::2]):.2f} times; at most {peak:.0f} MB")


if __name__ == "__main__":
    main()
