"""What the methods of sky subtraction leave on the sky lines of simulated nights, and what they take from stars.

Each cell: the noise per spaxel and that of the mean of 36 spaxels, both over the noise of the object exposure alone,
averaged over all IFUs. z = (subtracted - true stars) / NOISE of the object exposure in the 36 star-poorest spaxels, a
running median of 61 planes taken off each, where the line part of the true sky (above its running 25 % percentile of 61
planes) exceeds 3 % of its maximum, widened by 2 planes; 25 planes at each end and voxels beyond 12 sigma are left out.
Per spaxel: 1.4826 times the median absolute deviation of z. Mean: rms of the mean of the 36 over its own noise. For
comparison the true sky taken off: "true mean", averaged over the IFU, from every spaxel; "true sky", from each its own,
which is what the noise alone leaves (the running median takes 1 to 2 % of it; noise that was interpolated is
correlated). "Spoilt" with `--spoil`: the known lines are wrong by 1.5 angstrom rms and 40 % rms in flux.

    python benchmarks/sky_levels.py [--quick] [--spoil] [--seeds 201,202,203,204,205] [--ifus 4] [--nights NAME;...]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np
from sky_cases import NIGHTS, Score, cases, score
from sky_stars import print_stars, stars_lost

OTHERS = ("IZ", "YJ", "H", "HK")
#: To reach: per spaxel, mean.
GOALS = {
    "10 %": (1.03, 1.5),
    "20 %, flexure 0.25": (1.06, 2.3),
    "45 stars": (1.03, 1.9),
    "28x28x3072": (1.25, 4.5),
    "other bands": (1.15, 2.5),
}
FINE, STARS = "28x28x3072", ("10 %", "45 stars")
#: What the spoilt list may cost, and how far off the shift may be.
SPOIL_COST, SHIFT_PIX = 0.15, 0.02

#: By way: the scores of all IFUs, in the same order for all ways.
Scores = Mapping[str, list[Score]]


def main() -> None:
    """Print the table, then the exceptions, shifts and times, then the stars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="201,202,203,204,205")
    parser.add_argument("--ifus", type=int, default=4)
    parser.add_argument("--nights", default=";".join(NIGHTS), metavar="NAME;...")
    parser.add_argument("--methods", default="davies,levels")
    parser.add_argument("--spoil", action="store_true", help="levels with a spoilt list of lines as well")
    parser.add_argument("--quick", action="store_true", help="one seed, two IFUs")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")][: 1 if given.quick else None]
    ifus = 2 if given.quick else given.ifus
    ways = [*given.methods.split(","), *["spoilt"] * given.spoil, "true mean", "true sky"]
    names = given.nights.split(";")
    scores = {name: _scores(name, seeds, ifus, [*ways, *["before"] * (name == FINE)]) for name in names}
    if set(OTHERS) <= set(scores):
        scores["other bands"] = {way: [one for band in OTHERS for one in scores[band][way]] for way in ways}
    print_table(scores, ways)
    if "levels" in ways:
        print_facts(scores)
        for name in STARS:
            if name in scores:
                print(f"\nStars put into the nights of {name}:", flush=True)
                print_stars(stars_lost(cases(name, seeds, ifus)))


def _scores(name: str, seeds: list[int], ifus: int, ways: list[str]) -> Scores:
    """Return the scores of every IFU of every seed, by way."""
    rows = [{way: score(case, way) for way in ways} for case in cases(name, seeds, ifus)]
    return {way: [row[way] for row in rows] for way in ways}


def print_table(scores: Mapping[str, Scores], ways: list[str]) -> None:
    """Print a line a night: the means, the largest of levels, what is to be reached and whether it is."""
    head = ["", "IFUs", *ways]
    shown = "levels" in ways
    head += ["levels, largest", "to reach", ""] if shown else []
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for name, found in scores.items():
        cells = [name, str(len(found[ways[0]])), *(_cell(found[way], np.mean) for way in ways)]
        if shown:
            goal = GOALS.get(name)
            cells += [_cell(found["levels"], np.max), " / ".join(f"{one:.2f}" for one in goal or ())]
            cells.append("" if goal is None else "met" if _is_met(found["levels"], goal) else "MISSED")
        print("| " + " | ".join(cells) + " |", flush=True)


def print_facts(scores: Mapping[str, Scores]) -> None:
    """Print where levels is worse than davies, what a spoilt list costs, shifts, times, and the order of steps."""
    alone = {name: found for name, found in scores.items() if name in NIGHTS}
    if all("davies" in found for found in alone.values()):
        worse = [
            f"{name} IFU {number}"
            for name, found in alone.items()
            for number, (one, other) in enumerate(zip(found["levels"], found["davies"], strict=True))
            if one.mean > other.mean or one.spaxel > other.spaxel
        ]
        n_ifus = sum(len(found["levels"]) for found in alone.values())
        print(f"\nLevels is worse than davies in {len(worse)} of {n_ifus} IFUs. {', '.join(worse)}")
    doubtful = sum(one.method != "levels" for found in alone.values() for one in found["levels"])
    print(f"Levels was doubtful, and davies stood in, in {doubtful} IFUs.")
    for name, found in scores.items():
        print(f"{name}: {'; '.join(_facts(found))}.")


def _facts(found: Scores) -> list[str]:
    levels = found["levels"]
    off = np.array([one.off_pix for one in levels])
    facts = [f"shift off by {np.sqrt(np.mean(off**2)):.3f} planes rms, {off.max():.3f} at most (limit {SHIFT_PIX})"]
    facts += [
        f"{way} {np.median([one.seconds for one in found[way]]):.2f} s an IFU"
        for way in ("davies", "levels")
        if way in found
    ]
    if "spoilt" in found:
        cost = [_mean(found["spoilt"], what) / _mean(levels, what) - 1 for what in ("spaxel", "mean")]
        verdict = "met" if max(cost) < SPOIL_COST else "MISSED"
        facts.append(f"the spoilt list costs {100 * cost[0]:.0f} % / {100 * cost[1]:.0f} % ({verdict})")
    if "before" in found:
        better = [1 - _mean(found["before"], what) / _mean(levels, what) for what in ("spaxel", "mean")]
        cell = _cell(found["before"], np.mean)
        facts.append(f"subtracted before the interpolation {cell}: less by {better[0]:.0%} / {better[1]:.0%}")
    return facts


def _is_met(found: list[Score], goal: tuple[float, float]) -> bool:
    return _mean(found, "spaxel") <= goal[0] and _mean(found, "mean") <= goal[1]


def _mean(found: list[Score], what: str) -> float:
    return float(np.mean([getattr(one, what) for one in found]))


def _cell(found: list[Score], of: np.ufunc) -> str:
    return f"{of([one.spaxel for one in found]):.2f} / {of([one.mean for one in found]):.2f}"


if __name__ == "__main__":
    main()
