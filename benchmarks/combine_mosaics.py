"""Two epochs of a mosaic combined: seconds over those of reading and writing the same bytes, and memory.

On one grid, with the IFUs of the second epoch moved by parts of a spaxel, each by its own (24 tiles), and with those of
both epochs. The bound is a plain loop that reads both files in turn and writes as many bytes as the product has. Before
each, the system forgets the files (`--warm`: has them in memory, as far as they fit), and has written what it had to
write; each ends when its bytes are handed over to the system. Both take turns. Ours is the command less its start,
which a line of its own tells; memory is the most that was resident in all of it. Where others use the machine too, the
processor's time of each of two threads says how much was work: if it is less than the bound, the disk is the limit.

    python benchmarks/combine_mosaics.py [--planes 256] [--repeats 3] [--warm] [--folder DIR]
    python benchmarks/combine_mosaics.py --planes 3072 --first MOSAIC     # full size: 21 GB, 14 without a mosaic given
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from commands import Taken, one_of, run_command, taken_in_turn
from measuring import OURS, Row, drop, print_table, seconds, warm
from mosaic import write_mosaic

from napari_kmos.io.cut_tables import CutRow, write_cuts
from napari_kmos.io.offsets import write_offsets
from napari_kmos.io.records import checksum
from napari_kmos.offset import Offset

FLOOR, START = "reading and writing", "the start alone"
#: The limits: times the reading and writing, and MB.
BOUND_MB = 500.0
CASES = {"on one grid": 1.5, "one epoch moved": 2.5, "both epochs moved": 2.5}
TILES = 4, 6
LARGEST_OFFSET_ARCSEC = 0.09
_BLOCK = 2**24


def main() -> None:
    """Print a line a case for time and one for memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", type=int, default=256)
    parser.add_argument("--rows", type=int, default=433)
    parser.add_argument("--columns", type=int, default=650)
    parser.add_argument("--first", type=Path, metavar="MOSAIC", help="the first epoch; one is made if not given")
    parser.add_argument("--folder", type=Path, help="where mosaics and products are written, and deleted again")
    parser.add_argument("--cases", default=",".join(CASES), help="these alone (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--warm", action="store_true")
    given = parser.parse_args()
    shape = (given.planes, given.rows, given.columns)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        epochs = [given.first or write_mosaic(folder / "first.fits", shape), folder / "second.fits"]
        write_mosaic(epochs[1], shape, seed=2)
        known = seconds(lambda: [checksum(epoch) for epoch in epochs])
        prepare = functools.partial(_prepare, epochs, given.warm)
        product = folder / "product.fits"
        calls: dict[str, Callable[[], Taken]] = {
            FLOOR: lambda: _plain(epochs, product, prepare),
            START: lambda: run_command("combine", "--help"),
        }
        for case, words in _commands(epochs, folder).items():
            if case in given.cases.split(","):
                calls[case] = functools.partial(_combined, words, folder / "out", prepare)
        taken = taken_in_turn(calls, given.repeats)
        size = epochs[0].stat().st_size / 1e9
    how = "in memory" if given.warm else "on the disk alone"
    print(f"2 mosaics of {given.columns} x {given.rows} x {given.planes}, {size:.2f} GB each, {how} before each turn.")
    print(f"Checksums of the inputs, for the records, were made before: {known:.1f} s, once for a file.\n")
    print_table([row for case in calls if case in CASES for row in _rows(case, taken)])


def _commands(epochs: Sequence[Path], folder: Path) -> dict[str, list[object]]:
    """Return the arguments of each case."""
    cuts = write_cuts(_tiles(epochs[0]), folder / "tiles.ecsv")
    whole = [Offset(exposure=0, file=str(epochs[0]), ifu=None, **_moved(0.0, 0.0))]
    tables = {
        "one epoch moved": [*whole, *_offsets(epochs[1], 1)],
        "both epochs moved": [*_offsets(epochs[0], 0), *_offsets(epochs[1], 1)],
    }
    commands: dict[str, list[object]] = {"on one grid": [*epochs, "--mosaic"]}
    for number, (case, rows) in enumerate(tables.items()):
        offsets = write_offsets(rows, folder / f"offsets{number}.ecsv")
        commands[case] = [*epochs, "--mosaic", "--method", "user", "--offsets", offsets, "--cuts", cuts]
    return commands


def _tiles(mosaic: Path) -> Iterator[CutRow]:
    """Return the fields of 24 IFUs: rows and columns of the mosaic, shared out."""
    from napari_kmos import read_cube

    edges = [
        np.linspace(0, n, parts + 1).astype(int) for n, parts in zip(read_cube(mosaic).shape[1:], TILES, strict=True)
    ]
    for number in range(TILES[0] * TILES[1]):
        (y, after_y), (x, after_x) = (
            edges[axis][at : at + 2].tolist() for axis, at in enumerate(divmod(number, TILES[1]))
        )
        yield CutRow(ifu=number + 1, x=x + 1, y=y + 1, n_x=after_x - x, n_y=after_y - y)


def _offsets(mosaic: Path, seed: int) -> list[Offset]:
    """Return a correction for each IFU."""
    corrections = np.random.default_rng(seed).uniform(-1, 1, size=(TILES[0] * TILES[1], 2)) * LARGEST_OFFSET_ARCSEC
    return [
        Offset(exposure=0, file=str(mosaic), ifu=ifu, **_moved(*correction))
        for ifu, correction in enumerate(corrections.tolist(), start=1)
    ]


def _moved(east: float, north: float) -> dict[str, float | str]:
    return {"dra_arcsec": east, "ddec_arcsec": north, "err_arcsec": 0.0, "method": "known"}


def _prepare(epochs: Sequence[Path], is_warm: bool) -> None:
    """Let nothing be left to be written, and the mosaics be where they are said to be."""
    os.sync()
    for epoch in epochs:
        (warm if is_warm else drop)(epoch)


def _plain(epochs: Sequence[Path], product: Path, prepare: Callable[[], None]) -> Taken:
    """Read both files in turn, and write one of them."""
    prepare()

    def copy() -> None:
        block = bytearray(_BLOCK)
        with (
            epochs[0].open("rb", buffering=0) as one,
            epochs[1].open("rb", buffering=0) as other,
            product.open("wb", buffering=0) as out,
        ):
            while other.readinto(block) and (n_read := one.readinto(block)):
                out.write(memoryview(block)[:n_read])

    taken = seconds(copy)
    product.unlink()
    return Taken(taken, taken)


def _combined(words: Sequence[object], out: Path, prepare: Callable[[], None]) -> Taken:
    """Run the command, and delete what it made."""
    prepare()
    try:
        return run_command("combine", *words, "-o", out, "-q")
    finally:
        for file in out.glob("*"):
            file.unlink()


def _rows(case: str, taken: dict[str, Taken | str]) -> list[Row]:
    """Return time and memory of a case."""
    times, work, memory = (one_of(what, taken) for what in ("seconds", "processor_s", "peak_mb"))
    bound = float(times[FLOOR])
    own, busy = (
        value if isinstance(value, str) else value - float(of[START])
        for of, value in ((times, times[case]), (work, work[case]))
    )
    values: dict[str, float | str] = {OURS: own, FLOOR: bound, START: times[START]}
    limit = {"limit": f"{CASES[case]:g} x {FLOOR}", "bound": CASES[case] * bound}
    peak: dict[str, float | str] = {OURS: memory[case], START: memory[START]}
    halved: dict[str, float | str] = {OURS: busy if isinstance(busy, str) else busy / 2}
    return [
        Row(what=case, values=values, **limit),
        Row(what=f"{case}, processor time of each of two threads", values=halved),
        Row(what=f"{case}, memory", values=peak, limit=f"{BOUND_MB:g} MB", bound=BOUND_MB, unit="MB"),
    ]


if __name__ == "__main__":
    main()
