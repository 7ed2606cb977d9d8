"""How right velocities of late-type stars are, and their errors, in simulated cubes with sky, flexure and slitlets.

Each star lies alone in an IFU of an exposure that still has its sky; its spectrum is the sum over an aperture above a
ring, to which noise is added until the median of flux over noise in the SNR windows is what is asked for. Its velocity
comes from the template, after the zero point from the sky lines in what was subtracted. "off": rms of velocity minus
truth, and its mean; "pull": rms of the same over its error, with what is not known of it; "no zero": without the zero
point, as the wavelengths of the header have it. Lines: stars like the project's template; stars whose CO has another
temperature and depth than it; stars of the simulator, whose atomic lines are others. All are compared with the
project's template, and each line is judged.

    python benchmarks/measure_velocity.py [--seed 1] [--exposures 8] [--snr 50] [--workers 2]
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_kmos.aperture import Aperture
from napari_kmos.extract import extract_spectra
from napari_kmos.io import read_line_list
from napari_kmos.measure import late_template, velocity_by_template
from napari_kmos.simulate import SimulationParameters
from napari_kmos.simulate.detector import observe
from napari_kmos.simulate.lsf import smooth
from napari_kmos.simulate.scene import Scene, find_exposure, find_target, make_scene, usual_lsf
from napari_kmos.simulate.stars import Stars
from napari_kmos.simulate.templates import absorption
from napari_kmos.spectral import measure_snr
from napari_kmos.spectral.carbon_monoxide import co_absorption
from napari_kmos.spectral.zero_points import ZeroPoint

if TYPE_CHECKING:
    from napari_kmos.spectrum import StarSpectrum, Template

STARS = "the template's own", "other temperatures and depths", "the simulator's"
MOST_RMS, PULLS = 4.0, (0.9, 1.1)
#: ADU per second and plane: more than enough for the ratio asked for.
FLUX = 60.0
TEMPERATURES_K, DEPTHS = (3200.0, 4600.0), (30.0, 1000.0)
CORES = 0.5
VELOCITY_KMS = 80.0
RADIUS_ARCSEC = 0.6
FINER = 16
NO_ZERO = ZeroPoint(shift_pix=float("nan"))


class Trial(NamedTuple):
    """A star: velocity minus truth, its error, the same without zero point, the ratio."""

    off: float
    error: float
    plain: float
    snr: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exposures", type=int, default=8, help="of 24 stars each, for each line")
    parser.add_argument("--snr", type=float, default=50.0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    row("stars", "n", "SNR", "off (km/s)", "mean", "error", "pull", "no zero", "", is_head=True)
    every: list[Trial] = []
    with ProcessPoolExecutor(given.workers) as pool:
        for kind in STARS:
            seeds = [1000 * given.seed + number for number in range(given.exposures)]
            trials = [one for part in pool.map(_exposure, repeat(kind), seeds, repeat(given.snr)) for one in part]
            every += trials
            row(kind, *_cells(trials), _verdict(trials))
    row("all", *_cells(every), _verdict(every))


def _cells(trials: Sequence[Trial]) -> list[str]:
    """Return the numbers of a line."""
    known = [one for one in trials if np.isfinite(one.off)]
    off, error, plain, snr = np.array(known).T
    pull = _rms(off / error)
    numbers = (np.median(snr), _rms(off), off.mean(), np.median(error))
    pulls = f"{pull:.2f} ± {pull / np.sqrt(2 * off.size):.2f}"
    return [f"{len(known)} of {len(trials)}", *(f"{value:.2f}" for value in numbers), pulls, f"{_rms(plain):.2f}"]


def _verdict(trials: Sequence[Trial]) -> str:
    """Say whether velocities and errors are what is wanted."""
    off, error, *_ = np.array(trials).T
    return "met" if _rms(off) <= MOST_RMS and PULLS[0] <= _rms(off / error) <= PULLS[1] else "NOT MET"


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _exposure(kind: str, seed: int, snr: float) -> list[Trial]:
    """Measure the stars of an exposure."""
    parameters = SimulationParameters(seed=seed, ifus=24, exposures=1, epochs=1, pointing_arcsec=0.0, density=0.0)
    rng = np.random.default_rng([seed, 5])
    own = late_template(read_line_list())
    scene = _scene(parameters, kind, own, rng)
    conditions = find_exposure(scene, 0)
    trials = []
    for number, ifu in enumerate(scene.stars.ifu):
        cube = observe(scene, conditions, int(ifu))
        place = {"ra": float(scene.stars.ra[number]), "dec": float(scene.stars.dec[number])}
        star = Aperture(id=str(ifu), radius_arcsec=RADIUS_ARCSEC, **place)
        (spectrum,) = extract_spectra(cube, [star])
        spectrum, ratio = _degraded(spectrum, snr, rng)
        found, plain = (
            velocity_by_template(spectrum, own, zero_point=zero, frame="topocentric") for zero in (None, NO_ZERO)
        )
        truth = scene.stars.velocity_kms[number]
        trials.append(Trial(found.kms - truth, found.err_kms, plain.kms - truth, ratio))
    return trials


def _scene(parameters: SimulationParameters, kind: str, own: Template, rng: np.random.Generator) -> Scene:
    """Return a night with one star in the middle of each IFU."""
    scene = make_scene(parameters)
    n = parameters.ifus
    names = [f"star{number}" for number in range(n)]
    samples = round(parameters.step_um / np.diff(scene.fine_um)[0])
    absorbed = {
        name: smooth(_absorbed(kind, own, scene.fine_um, rng), usual_lsf(parameters), samples) for name in names
    }
    targets = [find_target(scene, int(target.ifu)) for target in scene.targets]
    conditions = find_exposure(scene, 0)
    east, north = np.array(conditions.dither_arcsec) / 3600
    ra = np.array([target.ra + east / np.cos(np.radians(target.dec)) for target in targets])
    stars = Stars(
        id=np.array(names),
        ifu=np.array([target.ifu for target in targets]),
        on_sky=np.zeros(n, dtype=bool),
        ra=ra,
        dec=np.array([target.dec + north for target in targets]),
        magnitude=np.full(n, 12.0),
        flux=np.full(n, FLUX),
        kind=np.array(names),
        velocity_kms=rng.normal(0, VELOCITY_KMS, n),
        slope=rng.normal(-1.0, 0.7, n),
        depth=rng.uniform(0.6, 1.1, n),
        contamination=np.zeros(n),
        isolated=np.ones(n, dtype=bool),
    )
    return dataclasses.replace(scene, stars=stars, absorptions=absorbed)


def _absorbed(kind: str, own: Template, fine_um: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the absorbed share of a star's light on the fine grid."""
    if kind == STARS[2]:
        return absorption("late", fine_um)
    step = np.diff(fine_um)[0] / FINER
    finer = fine_um[0] + (np.arange(fine_um.size * FINER) - (FINER - 1) / 2) * step
    flux = np.interp(finer, own.wavelength_um, own.flux)
    if kind == STARS[1]:
        cool = {"temperature_k": rng.uniform(*TEMPERATURES_K), "depth": np.exp(rng.uniform(*np.log(DEPTHS)))}
        ours, theirs = (1 - CORES * co_absorption(finer, **how) for how in ({}, cool))
        flux = flux * theirs / ours
    return (1 - flux).reshape(-1, FINER).mean(axis=1)


def _degraded(spectrum: StarSpectrum, snr: float, rng: np.random.Generator) -> tuple[StarSpectrum, float]:
    """Return a spectrum with noise added until it has the ratio, and the ratio."""
    ratio = measure_snr(spectrum.wavelength_um, spectrum.flux, noise=spectrum.noise).propagated
    factor = max(ratio / snr, 1.0)
    added = spectrum.noise * np.sqrt(factor**2 - 1)
    flux = spectrum.flux + added * rng.standard_normal(added.size)
    return dataclasses.replace(spectrum, flux=flux, noise=factor * spectrum.noise), ratio / factor


def row(*cells: str, is_head: bool = False) -> None:
    """Print a line of the table."""
    print("| " + " | ".join(cells) + " |", flush=True)
    if is_head:
        print("|---" * len(cells) + "|", flush=True)


if __name__ == "__main__":
    main()
