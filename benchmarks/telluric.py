"""How well a standard star takes out the atmosphere, and how right the flux is then.

Standards (black body, hydrogen) and stars seen through an atmosphere of H2O, CO2 and CH4, line by line and then
blurred, at other airmasses and with other water, in planes that flexure moves along the band. The correction knows none
of this: it has powers of what the instrument showed, and water's part by bands. The rms is that of the continuum about
the truth where 0.5 to 0.97 of the light comes through, without the target's own noise: after `telluric`, by the true
response of the instrument, which is still in; and after `calibrate`, by that of the standard. Level is how far the flux
is off, by the standard's magnitude.

    python benchmarks/telluric.py [--trials 20] [--seed 1] [--planes 2048]
    python benchmarks/telluric.py --mosaic FILE [--folder DIR] [--repeats 3]     (a whole cube, against copying it)
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from commands import run_command
from measuring import HERE, drop, seconds

sys.path.insert(0, str(HERE.parent / "tests"))

import observed_stars as stars

from napari_kmos.curve import Curve
from napari_kmos.instrument import MAGNITUDES
from napari_kmos.io import checksum, read_cube, write_spectrum
from napari_kmos.telluric import (
    StandardParameters,
    TelluricParameters,
    band_mean,
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
#: Limits of the stream: times the reading and writing, and MB.
MOST_TIMES, MOST_MB = 1.3, 500.0
_BLOCK = 2**24


def main() -> None:
    """Print the table, or time and memory of a cube."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--planes", type=int, default=2048)
    parser.add_argument("--mosaic", type=Path, help="a cube of any size to be corrected instead")
    parser.add_argument("--folder", type=Path, help="where its products are written, and deleted again")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    if given.mosaic:
        _stream(given.mosaic.absolute(), given.folder, given.repeats)
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


def _stream(mosaic: Path, folder: Path | None, repeats: int) -> None:
    """Time the command on a whole cube against reading and writing its bytes, in turn, and tell its memory."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        out = Path(name)
        n_planes = read_cube(mosaic).shape[0]
        seen = stars.see(stars.hot_star, airmass=1.15, water=2.2, snr=300.0, rng=np.random.default_rng(1), nz=n_planes)
        star = write_spectrum(stars.star_spectrum(seen), out / "standard.fits")
        words = [mosaic, "--standard", star, "--standard-airmass", 1.15, "--airmass", 1.4, "-o", out / "new", "-q"]
        print(f"its checksum, for the record, was made before in {seconds(lambda: checksum(mosaic)):.0f} s", flush=True)
        found = []
        for _ in range(repeats):
            copied, start = _copied(mosaic, out / "copy.fits"), run_command("telluric", "--help").seconds
            os.sync()
            drop(mosaic)
            taken = run_command("telluric", *words)
            shutil.rmtree(out / "new")
            found.append((copied, taken.seconds - start, taken.processor_s, taken.peak_mb))
            told = "copied in {:.1f} s, corrected in {:.1f} s ({:.1f} s of processors), {:.0f} MB"
            print(told.format(*found[-1]), flush=True)
    copied, own, *_ = np.min(found, axis=0)
    peak = max(row[-1] for row in found)
    print(f"{own / copied:.2f} times (limit {MOST_TIMES:g}), at most {peak:.0f} MB (limit {MOST_MB:g})")


def _copied(mosaic: Path, product: Path) -> float:
    """Return the seconds of reading a file that the system has forgotten, and writing it."""
    os.sync()
    drop(mosaic)
    block = bytearray(_BLOCK)

    def copy() -> None:
        with mosaic.open("rb", buffering=0) as stream, product.open("wb", buffering=0) as out:
            while n_read := stream.readinto(block):
                out.write(memoryview(block)[:n_read])

    taken = seconds(copy)
    product.unlink()
    return taken


if __name__ == "__main__":
    main()
