"""How well a standard star takes out the atmosphere, and how right the flux is then.

Standards (black body, hydrogen) and stars seen through an atmosphere of H2O, CO2 and CH4, line by line and then
blurred, at other airmasses and with other water, in planes that flexure moves along the band. The correction knows none
of this: it has powers of what the instrument showed, and water's part by bands. The rms is that of the continuum about
the truth where 0.5 to 0.97 of the light comes through, without the target's own noise: after `telluric`, by the true
response of the instrument, which is still in; and after `calibrate`, by that of the standard. Level is how far the flux
is off, by the standard's magnitude. Below the table the same by how much more water one of the two was seen through,
airmass counted in, with the power of water that was fitted (or one over it) in the window of the shortest wavelengths,
so that users can look up what to expect: lines are saturated, and the power grows slower than the water.

    python benchmarks/telluric.py [--trials 60] [--seed 1] [--planes 2048] [--bands IZ YJ H HK]
    python benchmarks/telluric.py --mosaic FILE [--folder DIR] [--repeats 3]     (a whole cube, against copying it)
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from commands import run_command
from measuring import HERE, drop, seconds

sys.path.insert(0, str(HERE.parent / "tests"))

import observed_stars as stars

from napari_kmos.curve import Curve
from napari_kmos.errors import KmosError
from napari_kmos.instrument import BANDS
from napari_kmos.io import checksum, read_cube, write_spectrum
from napari_kmos.telluric import (
    StandardParameters,
    TelluricParameters,
    Throughput,
    band_mean,
    flux_factor,
    magnitude_of,
    measure_throughput,
    scale_throughput,
    zero_point_of,
)

OURS = "three windows"
WAYS = {
    "airmasses of the headers": TelluricParameters(fit=False),
    "one window": TelluricParameters(one_window=True),
    OURS: TelluricParameters(),
}
COLUMNS = ("rms after telluric, %", "rms after calibrate, %", "level, %")
BOUNDS = (2.0, 2.0, 3.0)
#: Ratios of the water that standard and target were seen through, by which nights are told apart.
RATIOS = (1.0, 1.3, 2.0, np.inf)
MAGNITUDE = 8.0
#: Limits of the stream: times the reading and writing, and MB.
MOST_TIMES, MOST_MB = 1.3, 500.0
_BLOCK = 2**24


def main() -> None:
    """Print the table, or time and memory of a cube."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--planes", type=int, default=2048)
    parser.add_argument("--bands", nargs="*", choices=list(BANDS), help="short tables of these bands (all) instead")
    parser.add_argument("--mosaic", type=Path, help="a cube of any size to be corrected instead")
    parser.add_argument("--folder", type=Path, help="where its products are written, and deleted again")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    if given.mosaic:
        _stream(given.mosaic.absolute(), given.folder, given.repeats)
        return
    is_short = given.bands is not None
    for band in (given.bands or list(BANDS)) if is_short else ["K"]:
        for flexure in (0.4,) if is_short else (0.0, 0.4):
            told = f"flexure up to {flexure:g} planes, {given.trials} nights, {given.planes} planes: median (worst)"
            print(f"\n{band}, {told}\n")
            nights = [_trial([given.seed, one], flexure, given.planes, band) for one in range(given.trials)]
            found = {name: np.array([night[name] for _, _, night in nights]) for name in WAYS}
            _print(found)
            _print_by_water(*(np.array(values) for values in list(zip(*nights, strict=True))[:2]), found[OURS])


def _trial(seed: list[int], flexure: float, nz: int, band: str) -> tuple[float, float, dict[str, tuple[float, ...]]]:
    """Return by how much water differs in a night, the power of it that is found, and the three numbers of each way."""
    rng = np.random.default_rng(seed)
    airmass, water = rng.uniform(1.0, 1.7, 2), rng.uniform(1.0, 3.5, 2)
    shift = rng.uniform(-flexure, flexure, 2)
    setup = stars.setup_of(band)
    night = {"rng": rng, "nz": nz, "seed": seed[1], "setup": setup}
    star = stars.see(stars.hot_star, airmass=airmass[0], water=water[0], snr=300.0, **night)
    curve = Curve(name="standard", wavelength_um=star.wave, flux=star.flux, noise=star.noise)
    throughput = measure_throughput(curve, airmass=airmass[0], parameters=StandardParameters())
    place = {"airmass": airmass[1], "water": water[1], "shift_pix": tuple(shift)}
    light = partial(stars.smooth_star, middle_um=setup.middle_um)
    seen = stars.see(light, snr=100.0, **place, **night)
    clean = stars.see(light, snr=1e9, **place, **night)
    factor, has_level = _factor(throughput)
    found = {}
    for name, parameters in WAYS.items():
        correction = scale_throughput(
            throughput, seen.wave, seen.flux, seen.noise, airmass=airmass[1], parameters=parameters
        )
        corrected = clean.flux / correction.transmission
        flux = corrected * factor / light(seen.wave)
        level = 100 * abs(float(np.nanmedian(flux)) - 1) if has_level else np.nan
        found[name] = (_rms(corrected / clean.truth, clean), _rms(flux, clean), level)
    columns = airmass * water
    power = correction.windows[0].water  # of the last way, which is ours
    return float(columns.max() / columns.min()), max(power, 1 / power), found


def _factor(throughput: Throughput) -> tuple[np.ndarray, bool]:
    """Return what counts are multiplied by to be in units of the standard's light, and whether the level is known."""
    wave = throughput.wavelength_um
    try:
        known = magnitude_of(wave)
    except KmosError:  # no magnitude of 2MASS lies in the band
        return 1 / throughput.response, False
    zero = zero_point_of(band_mean(wave, throughput.response, known), MAGNITUDE)
    response = Curve(name="standard", wavelength_um=wave, flux=throughput.response)
    unit = known.flux * 10 ** (-0.4 * MAGNITUDE) / band_mean(wave, stars.hot_star(wave), known)
    return flux_factor(wave, response, zero_point=zero) / unit, True


def _rms(ratio: np.ndarray, clean: stars.Seen) -> float:
    """Return the scatter about the truth in bands of absorption, in per cent."""
    return 100 * float(np.sqrt(np.nanmean((ratio[clean.absorbed] / np.nanmedian(ratio) - 1) ** 2)))


def _print(found: dict[str, np.ndarray]) -> None:
    """Print the table and the ratios."""
    print("| | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for name, values in found.items():
        print(f"| {name} | {' | '.join(_told(column) for column in values.T)} |")
    ours = found[OURS]
    columns = [column for column in zip(COLUMNS, BOUNDS, ours.T, strict=True) if np.isfinite(column[-1]).all()]
    told = (f"{name} {bound:g}: {np.mean(values <= bound):.0%}" for name, bound, values in columns)
    print(f"\nnights within the bounds: {'; '.join(told)}")
    for name in list(WAYS)[:2]:
        print(f"rms after calibrate, {name} over {OURS}: {np.median(found[name][:, 1] / ours[:, 1]):.2f}")


def _print_by_water(ratios: np.ndarray, powers: np.ndarray, ours: np.ndarray) -> None:
    """Print the nights by how much water differs: how many, the rms, and how many are within the bound."""
    headings = ("water differs by", "its power", "nights", *COLUMNS[:2], f"within {BOUNDS[1]:g} % after calibrate")
    print(f"\n| {' | '.join(headings)} |\n{'|---' * len(headings)}|")
    for low, high in itertools.pairwise(RATIOS):
        inside = (ratios >= low) & (ratios < high)
        chosen = ours[inside]
        name = f"{low:g}-{high:g}" if np.isfinite(high) else f"more than {low:g}"
        if chosen.size:
            n_within = np.count_nonzero(chosen[:, 1] <= BOUNDS[1])
            cells = (name, _told(powers[inside]), len(chosen), *(_told(column) for column in chosen.T[:2]), n_within)
            print(f"| {' | '.join(str(cell) for cell in cells)} |")


def _told(values: np.ndarray) -> str:
    """Return the median and the worst."""
    return f"{np.median(values):.2f} ({values.max():.2f})" if np.isfinite(values).all() else "not known"


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
