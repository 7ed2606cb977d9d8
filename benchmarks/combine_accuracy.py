"""What combining makes of stars and of noise, by kernel: against the same stars on the grid, and the scatter of sums.

8 exposures of 14 x 14, on one grid by dithers of parts of a spaxel, and turned by 20 degrees. Stars: Moffat profiles of
3-4.5 spaxels, seen through the spaxels, without noise; the largest error of all of them. Noise: predicted noise of
sums within circles of 1, 2 and 3 spaxels (`extract`) over their scatter from plane to plane, the farthest from 1 of all
seeds; "spaxels alone" is what it were without the correlation of neighbours. Scatter: two IFUs of which one tells too
little noise; what is found of each, and predicted over empirical noise before and after it is scaled. The limits are
those of the default.

    python benchmarks/combine_accuracy.py [--trials 60] [--planes 4000] [--seeds 3] [--kernels spline,linear]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from combine_trials import FWHM_PIX, NOISE_RADII, Error, fields, noise_ratios, scatter_found, star_errors

#: By name in the table: the parameters. The first is the default.
KERNELS: dict[str, dict[str, object]] = {
    "spline": {},
    "linear": {"kernel": "linear"},
    "lanczos3": {"kernel": "lanczos3"},
    "nearest": {"kernel": "nearest"},
    "drizzle 1": {"kernel": "drizzle"},
    "drizzle 0.6": {"kernel": "drizzle", "pixfrac": 0.6},
}
#: Beside them for the noise alone: no star is seen through spaxels other than those of the exposures.
FINER: dict[str, dict[str, object]] = {"spline to 0.1 arcsec": {"pix_scale": 0.1}}
CASES = {"dithers": 0.0, "turned by 20 degrees": 20.0}
#: Parts of the flux, spaxels, parts of the width; predicted over empirical noise.
LIMITS = Error(0.001, 0.01, 0.01)
NOISE_LIMITS = 0.95, 1.05
N_EXPOSURES = 8
#: By how much one IFU tells too little noise.
WRONG = 1.5


def main() -> None:
    """Print a table of stars and one of noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60, help="stars of each case and seed")
    parser.add_argument("--planes", type=int, default=4000, help="planes of noise of each case and seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kernels", default=",".join(KERNELS), help="of the table (default: %(default)s)")
    given = parser.parse_args()
    chosen = given.kernels.split(",")
    total = given.trials * given.seeds
    print(f"{total} stars a line, FWHM {FWHM_PIX[0]}-{FWHM_PIX[1]} spaxels; the largest error (rms).\n")
    _print_row(["kernel", "exposures", "flux, %", "centroid, spaxels", "FWHM, %", ""], is_head=True)
    for name in chosen:
        for case, rotation in CASES.items():
            _print_row([name, case, *_stars(name, rotation, given.trials, given.seeds)])
    print(f"\n{given.planes} planes of each of {given.seeds} seeds; predicted over empirical noise (spaxels alone).\n")
    _print_row(["kernel", "exposures", *(f"radius {radius:g}" for radius in NOISE_RADII), ""], is_head=True)
    for name in (*chosen, *FINER):
        for case, rotation in CASES.items():
            _print_row([name, case, *_noise(name, rotation, given.planes, given.seeds)])
    print("\nScatter over noise of each IFU; predicted over empirical noise as told, and scaled.\n")
    _print_scatter(given.planes, given.seeds)


def _print_scatter(n_planes: int, n_seeds: int) -> None:
    """Print what is found of noise that is told too small, and what scaling makes of it."""
    _print_row(
        ["exposures", "seed", "IFU 1: told 1", f"IFU 2: told 1/{WRONG:g}", "as told", "scaled", ""], is_head=True
    )
    for case, rotation in CASES.items():
        for seed in range(n_seeds):
            wcs = fields(N_EXPOSURES, rotation, np.random.default_rng(seed))
            by_ifu, plain, scaled = scatter_found(wcs, n_planes, seed, WRONG)
            cells = [case, str(seed), *(f"{by_ifu[ifu]:.2f}" for ifu in (1, 2)), f"{plain:.3f}", f"{scaled:.3f}"]
            _print_row([*cells, "met" if NOISE_LIMITS[0] <= scaled <= NOISE_LIMITS[1] else "MISSED"])


def _stars(name: str, rotation: float, n_trials: int, n_seeds: int) -> list[str]:
    """Return the largest errors of stars, and whether they are small enough."""
    errors = []
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        errors += star_errors(fields(N_EXPOSURES, rotation, rng), n_trials, rng, **KERNELS[name])
    found = np.abs(errors)
    largest, rms = found.max(axis=0), np.sqrt(np.square(found).mean(axis=0))
    scales = (100, "{:.3f}"), (1, "{:.4f}"), (100, "{:.2f}")
    cells = [
        f"{text.format(scale * one)} ({text.format(scale * other)})"
        for (scale, text), one, other in zip(scales, largest, rms, strict=True)
    ]
    return [*cells, _verdict(name, (largest <= LIMITS).all())]


def _noise(name: str, rotation: float, n_planes: int, n_seeds: int) -> list[str]:
    """Return the ratios that are farthest from 1, by radius, and whether they are near enough."""
    ratios = []
    for seed in range(n_seeds):
        wcs = fields(N_EXPOSURES, rotation, np.random.default_rng(seed))
        ratios.append(noise_ratios(wcs, n_planes, seed, **(KERNELS | FINER)[name]))
    worst = [max(of_radius, key=lambda pair: abs(np.log(pair[0]))) for of_radius in zip(*ratios, strict=True)]
    cells = [f"{ratio:.3f} ({alone:.3f})" for ratio, alone in worst]
    return [*cells, _verdict(name, all(NOISE_LIMITS[0] <= ratio <= NOISE_LIMITS[1] for ratio, _ in worst))]


def _verdict(name: str, is_met: bool) -> str:
    """Tell whether the limits hold; for others than the default they are no promise."""
    return ("met" if is_met else "MISSED") if name.startswith("spline") else ("within" if is_met else "beyond")


def _print_row(cells: Sequence[str], *, is_head: bool = False) -> None:
    """Print a line of a table in Markdown."""
    print("| " + " | ".join(cells) + " |" + ("\n" + "|---" * len(cells) + "|" if is_head else ""), flush=True)


if __name__ == "__main__":
    main()
