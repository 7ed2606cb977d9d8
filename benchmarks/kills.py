"""Kill every step at random moments, and look whether anything is lost.

Run it by `nice python benchmarks/kills.py --kills 200`, on Linux. Each step works on a small simulated night and is
killed with its whole process group, at a moment chosen evenly over the time that it takes; half of the times its
products are there already and are being replaced. Counted as lost is

- an input that has changed, by its checksum;
- a file under a final name that is not whole, or is not what the record beside it says;
- a next run that fails, leaves temporary files behind, or whose products are not those of a run never killed.

`run` goes on where it was killed, up to four times; the other steps are begun again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from surviving import (
    STEPS,
    Night,
    checksums,
    damages,
    fork,
    import_everything,
    leftovers,
    make_night,
    must,
    run_in_fork,
    unequal,
)

#: So many times in a row a run is killed before it may end.
_IN_A_ROW = 4


@dataclass
class Tally:
    """What came of the kills of a step."""

    seconds: float
    kills: int = 0
    late: int = 0
    swept: int = 0
    losses: list[str] = field(default_factory=list)


def main() -> int:
    """Print the table and the losses; 1 if there are any."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="napari-kmos-kills-") as name:
        top = Path(name)
        os.environ |= {"HOME": str(top / "home"), "MPLBACKEND": "Agg", "NAPARI_KMOS_CACHE": str(top / "cache")}
        import_everything()
        (top / "inputs").mkdir()
        night = make_night(top / "inputs", n_wave=given.planes)
        rng = np.random.default_rng(given.seed)
        tallies = {step: _kill_all(step, night, top / step, given.kills, len(given.steps), rng) for step in given.steps}
    _tell(tallies)
    return any(tally.losses for tally in tallies.values())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="over all steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the moments (default: %(default)s)")
    parser.add_argument("--planes", type=int, default=320, metavar="N", help="of the cubes (default: %(default)s)")
    parser.add_argument(
        "--steps", default=",".join(STEPS), metavar="NAME,...", help="these only (default: %(default)s)"
    )
    given = parser.parse_args()
    given.steps = given.steps.split(",")
    return given


def _kill_all(step: str, night: Night, box: Path, n_kills: int, n_steps: int, rng: np.random.Generator) -> Tally:
    """Kill a step its share of times."""
    box.mkdir()
    said, whole = box / "said.txt", box / "whole"
    seconds = []
    for _ in range(2):  # the first is slower: it compiles
        shutil.rmtree(whole, ignore_errors=True)
        started = time.monotonic()
        must(STEPS[step](night, whole), said)
        seconds.append(time.monotonic() - started)
    tally, before = Tally(seconds[-1]), checksums(night.folder)
    while tally.kills < n_kills // n_steps:
        _kill_in_a_row(step, night, box, tally, rng)
        changed = [path.name for path, digest in checksums(night.folder).items() if before.get(path) != digest]
        tally.losses += [f"{name}: an input, changed" for name in changed]
    return tally


def _kill_in_a_row(step: str, night: Night, box: Path, tally: Tally, rng: np.random.Generator) -> None:
    """Kill a step, once or more, then let it end and look at everything."""
    out, whole, said = box / "out", box / "whole", box / "said.txt"
    shutil.rmtree(out, ignore_errors=True)
    if step not in ("run", "cache") and rng.uniform() < 0.5:
        shutil.copytree(whole, out)
    for _ in range(_IN_A_ROW if step == "run" else 1):
        pid = fork(STEPS[step](night, out), said)
        time.sleep(rng.uniform(0, tally.seconds))
        os.killpg(pid, signal.SIGKILL)
        was_killed = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        tally.kills += was_killed
        tally.late += not was_killed
        tally.losses += damages(out)
        tally.swept += bool(leftovers(out))
    if run_in_fork(STEPS[step](night, out), said):
        tally.losses.append(f"the next run failed: {said.read_text()[-300:]}")
    tally.losses += [*damages(out), *leftovers(out), *unequal(out, whole)]


def _tell(tallies: dict[str, Tally]) -> None:
    print("| step | seconds | kills | ended before | left temporary files | losses |")
    print("|---|---|---|---|---|---|")
    total: Counter[str] = Counter()
    for step, tally in tallies.items():
        row = {"kills": tally.kills, "late": tally.late, "swept": tally.swept, "losses": len(tally.losses)}
        total.update(row)
        print(f"| {step} | {tally.seconds:.1f} | {' | '.join(map(str, row.values()))} |")
    print(f"| all | | {' | '.join(map(str, total.values()))} |")
    for step, tally in tallies.items():
        for loss, number in Counter(tally.losses).most_common():
            print(f"{step}: {number} times: {loss}")


if __name__ == "__main__":
    raise SystemExit(main())
