"""Run all benchmarks of full-size cubes and put what they print into docs/performance.md.

Run it by `make bench ARGS="--mosaic FILE --exposure FILE --rivals PYTHON"`, with nothing else running. Without a mosaic
one of full size is made in the folder of temporary files (6.5 GiB), without an exposure one is simulated.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import HERE, facts

PAGE = HERE.parent / "docs" / "performance.md"
MARK = "<!-- From here on: printed by benchmarks/all.py. -->"
ON_MOSAIC = ("memory", "opening", "first_plane", "slider", "white_light", "apertures", "points_speed")


def main() -> None:
    """Run them, show what they print, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mosaic", type=Path)
    parser.add_argument("--exposure", type=Path)
    parser.add_argument("--rivals", default="", metavar="PYTHON", help="interpreter that has mpdaf and spectral-cube")
    parser.add_argument("--only", default="", metavar="NAME,...", help="these alone, and nothing is written")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mosaic = given.mosaic or _made(Path(folder))
        exposure = given.exposure or _simulated(Path(folder))
        words = {name: ["--mosaic", mosaic, "--rivals", given.rivals] for name in ON_MOSAIC} | {"ifus": [exposure]}
        chosen = given.only.split(",") if given.only else list(words)
        sections = [facts(mosaic)]
        for name in chosen:
            print(f"-- {name}", file=sys.stderr, flush=True)
            sections.append(f"### {name}\n\n{_run(name, words[name])}")
    text = "\n\n".join(section.strip() for section in sections) + "\n"
    print(text)
    if not given.only:
        PAGE.write_text(f"{PAGE.read_text(encoding='utf-8').partition(MARK)[0]}{MARK}\n\n{text}", encoding="utf-8")


def _run(name: str, words: list[object]) -> str:
    """Run a script; what it printed, or how it failed."""
    command = [sys.executable, str(HERE / f"{name}.py"), *map(str, words)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return f"{done.stdout}It failed."
    return done.stdout


def _made(folder: Path) -> Path:
    from mosaic import write_mosaic

    return write_mosaic(folder / "mosaic.fits")


def _simulated(folder: Path) -> Path:
    """Return an exposure of 24 IFUs."""
    words = ["--ifus", "24", "--exposures", "1", "--epochs", "1"]
    subprocess.run([sys.executable, "-m", "napari_kmos", "simulate", folder / "night", *words, "-q"], check=True)
    return next(path for path in sorted((folder / "night").rglob("*.fits")) if "Half1" in path.name)


if __name__ == "__main__":
    main()
