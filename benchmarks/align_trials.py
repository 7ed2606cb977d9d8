"""How often the offset between two exposures of a field is found, how well, and how often a wrong one is accepted.

14 x 14 spaxels of 0.2 arcsec; seeing of 0.6-0.9 arcsec that does not match; headers wrong by up to 3.5 spaxels in each
axis; one edge without data; throughput different by up to 13 %. A field has so many stars on average, of 6 magnitudes,
and more lie around it. "Few faint stars" are fields in which nearly all stars are bright, which look alike more often;
in "slitlets" each row has a throughput of its own (2 %). Beside pairs of one field there are those of two fields, and
those that overlap without a star in common: nothing may be accepted there.

Found: the best proposal is within 0.5 spaxel, whether it is accepted or not. Error: the median distance of those, in
spaxels. Pull: scatter of accepted offsets over their errors, and how well it is known, by the scatter of fields. The
last line is of networks: all pairs of 6 exposures, whose errors are not independent, of half as many fields.

    python benchmarks/align_trials.py [--trials 300] [--densities 3,8,20,45] [--seed 1] [--workers 2]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import NamedTuple

import numpy as np
from align_fields import KINDS, RIGHT_PIX, SPAXEL, Sky, exposures

from napari_kmos.align import measure_offset
from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.together import measure_together

SKIES = {
    "as prescribed": Sky(),
    "few faint stars": Sky(depth=3.0, slope=0.1, faintest=50.0),
    "slitlets": Sky(slitlet_gain=0.02),
}
#: By stars a field: least share found, largest median error in spaxels.
WANTED = {8: (0.70, np.inf), 20: (0.96, 0.06), 45: (0.99, 0.045)}
PULL, WRONG = (0.8, 1.2), 0.01
N_EXPOSURES = 6


class Trial(NamedTuple):
    """What came of a pair: whether it was accepted, its distance from the truth in spaxels, and that over the error."""

    is_accepted: bool
    distance: float
    pulls: tuple[float, float]


def main() -> None:
    """Print a line for each kind of pairs and density."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=300, help="of each line")
    parser.add_argument("--densities", default="3,8,20,45", help="stars a field (default: %(default)s)")
    parser.add_argument("--skies", default=",".join(SKIES), help="of the table (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    given = parser.parse_args()
    densities = [int(word) for word in given.densities.split(",")]
    _print_row(
        ["fields", "pairs", "stars", "found", "error", "pull", "accepted", "wrong and accepted", ""], is_head=True
    )
    with ProcessPoolExecutor(given.workers) as pool:
        for sky in given.skies.split(","):
            for kind in KINDS:
                for density in densities:
                    seeds = [(given.seed, density, number) for number in range(given.trials)]
                    fields = list(pool.map(_pair, repeat(sky), repeat(kind), seeds, chunksize=8))
                    _print_row([sky, kind, str(density), *_cells(fields, density, sky)])
            for density in densities:
                seeds = [(given.seed, density, number) for number in range(-(-given.trials // 2))]
                fields = list(pool.map(_network, repeat(sky), seeds, chunksize=2))
                _print_row([sky, f"all of {N_EXPOSURES}", str(density), *_cells(fields, density, sky)])


def _pair(sky: str, kind: str, seed: tuple[int, ...]) -> list[Trial]:
    """Measure one pair."""
    pair = KINDS[kind](SKIES[sky], seed[1], np.random.default_rng(seed))
    found = measure_offset(pair.reference, pair.moving)
    return [_trial(found, pair.shift)]


def _network(sky: str, seed: tuple[int, ...]) -> list[Trial]:
    """Measure the exposures of one field together."""
    images, truth = exposures(SKIES[sky], seed[1], N_EXPOSURES, np.random.default_rng(seed))
    rows = measure_together(images, (0,), AlignParameters())
    return [_trial(row, shift) for row, shift in zip(rows[1:], truth[1:], strict=True)]


def _trial(found: object, shift: Sequence[float]) -> Trial:
    miss = np.array([found.dra_arcsec, found.ddec_arcsec]) - shift
    east, north = miss / found.err_arcsec
    return Trial(found.accepted, float(np.hypot(*miss)) / SPAXEL, (float(east), float(north)))


def _cells(fields: Sequence[Sequence[Trial]], density: int, sky: str) -> list[str]:
    """Return the numbers of a line, and whether they are as wanted."""
    trials = [one for field in fields for one in field]
    accepted = np.array([one.is_accepted for one in trials])
    distance = np.array([one.distance for one in trials])
    is_right = distance < RIGHT_PIX
    wrong = float(np.mean(accepted & ~is_right))
    shown = f"{100 * accepted.mean():.1f} %", f"{100 * wrong:.1f} %"
    if not np.isfinite(distance).any():
        return ["", "", "", *shown, "met" if wrong < WRONG else "MISSED"]
    found, error = float(is_right.mean()), float(np.median(distance[is_right]))
    pull, pull_err = _pull(fields)
    least, largest = WANTED.get(density, (0.0, np.inf))
    is_met = found >= least and error <= largest and wrong < WRONG and PULL[0] <= pull <= PULL[1]
    verdict = ("met" if is_met else "MISSED") if sky == next(iter(SKIES)) else ""
    return [f"{100 * found:.1f} %", f"{error:.3f}", f"{pull:.2f} ± {pull_err:.2f}", *shown, verdict]


def _pull(fields: Sequence[Sequence[Trial]]) -> tuple[float, float]:
    """Return the root mean square of the pulls of what is accepted and right, and its error: by leaving out fields."""
    right = [[one.pulls for one in field if one.is_accepted and one.distance < RIGHT_PIX] for field in fields]
    squares = np.array([np.square(one).sum() for one in right if one])
    numbers = np.array([2 * len(one) for one in right if one])
    without = np.sqrt((squares.sum() - squares) / (numbers.sum() - numbers))
    error = np.sqrt((len(without) - 1) * without.var())
    return float(np.sqrt(squares.sum() / numbers.sum())), float(error)


def _print_row(cells: Sequence[str], *, is_head: bool = False) -> None:
    """Print a line of a table in Markdown."""
    print("| " + " | ".join(cells) + " |" + ("\n" + "|---" * len(cells) + "|" if is_head else ""), flush=True)


if __name__ == "__main__":
    main()
