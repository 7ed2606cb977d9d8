"""Sound files of every kind that the commands read, made small: what the mutations start from."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
from collections.abc import Mapping
from importlib import resources
from io import StringIO
from pathlib import Path
from types import MappingProxyType

import numpy as np
from astropy.io import fits

from napari_kmos.cli.main import main
from napari_kmos.io import write_sof, write_zero_points
from napari_kmos.io.zero_points import ZeroPointRow

Seeds = Mapping[str, tuple[Path, ...]]
_N_WAVE, _N_Y, _N_X = 12, 6, 8
_RA, _DEC, _SCALE = 266.41, -28.93, 0.2 / 3600
_LOG = "[{name}, IFU {ifu}] Shifts in x: {x:.3f} pix, in y: {y:.3f} pix\n"
#: Names and types of the extensions of other instruments' cubes.
_LAYOUTS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "muse": (("DATA", "f4"), ("STAT", "f4"), ("DQ", "i2")),
        "jwst": (("SCI", "f4"), ("ERR", "f4"), ("DQ", "u4")),
        "manga": (("FLUX", "f8"), ("IVAR", "f4"), ("MASK", "i4")),
        "bare": (("", "i2"),),
    }
)


def make_seeds(folder: Path) -> Seeds:
    """Make the files in a folder and return them by kind."""
    night = folder / "night"
    _run("simulate", night, "--nz", 80, "--ifus", 2, "--exposures", 2, "--epochs", 1, "--skies", 1)
    one, two = sorted(night.rglob("*SCI_REC*Half*.fits")) or sorted(night.rglob("*Half*.fits"))
    (sky,) = night.rglob("*Sky_SCI*.fits")
    _run("plan", night / "con1", "-o", folder / "night.toml")
    plan = folder / "night.toml"
    plan.write_text(plan.read_text().replace('"night/', f'"{night}/'))
    _run("sky-tweak", one, two, "--sky", sky, "-o", folder / "sub", "--method", "plain")
    subtracted = sorted((folder / "sub").glob("*.fits"))
    _run("combine", *subtracted, "-o", folder / "comb")
    cubes = sorted((folder / "comb").glob("*.fits"))
    _run("extract", cubes[0], "--apertures", night / "apertures.ecsv", "-o", folder / "spectra", "--radius", 0.4)
    _run("measure", folder / "spectra", "-o", folder / "measured")
    offsets = folder / "offsets.ecsv"
    _run("align", *subtracted, "-o", offsets, "--method", "header")
    offsets.write_text(offsets.read_text().replace(" sub/sim_", f" {folder}/sub/sim_"))
    _run("offsets", offsets, "--shifts", "-o", folder / "shifts")
    return {
        "exposure": (one, two, sky, *subtracted),
        "cube": tuple(cubes),
        "foreign": _foreign(folder / "foreign", cubes[0]),
        "spectrum": tuple(sorted((folder / "spectra").glob("*.fits")))[:4],
        "odd": _odd(folder / "odd"),
        "offsets": (offsets,),
        "record": tuple(sorted((folder / "comb").glob("*.json"))),
        "plan": (plan,),
        **_texts(folder / "texts", night, one),
        "shifts": tuple(path for path in sorted((folder / "shifts").iterdir()) if path.suffix in (".sof", ".txt")),
    }


def _run(*words: object) -> None:
    """Run a command that must succeed."""
    with contextlib.redirect_stdout(StringIO()):
        status = main([*map(str, words), "-q"])
    if status != 0:
        msg = f"a sound file could not be made: {' '.join(map(str, words))}"
        raise RuntimeError(msg)


def _foreign(folder: Path, cube: Path) -> tuple[Path, ...]:
    """Cubes as other instruments have them, plain, compressed in tiles, and as a whole."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 4.0, "CRPIX2": 3.0, "CTYPE3": "AWAV"})
    header.update({"CRVAL1": _RA, "CRVAL2": _DEC, "CDELT1": -_SCALE, "CDELT2": _SCALE})
    header.update({"CUNIT3": "Angstrom", "CRPIX3": 1.0, "CRVAL3": 20000.0, "CDELT3": 2.5})
    made = []
    for layout, parts in _LAYOUTS.items():
        arrays = [rng.normal(50, 5, (_N_WAVE, _N_Y, _N_X)).astype(kind) for _, kind in parts]
        names = [name for name, _ in parts]
        hdus = [fits.ImageHDU(data, header, name=name) for data, name in zip(arrays, names, strict=True)]
        first = fits.PrimaryHDU() if names[0] else fits.PrimaryHDU(arrays[0], header)
        made.append(folder / f"{layout}.fits")
        fits.HDUList([first, *(hdus if names[0] else [])]).writeto(made[-1])
    tiles = [fits.CompImageHDU(arrays[0].astype("f4"), header, name=name) for name in ("DATA", "STAT")]
    fits.HDUList([fits.PrimaryHDU(), *tiles]).writeto(folder / "tiled.fits.fz")
    with cube.open("rb") as source, gzip.open(folder / "packed.fits.gz", "wb") as packed:
        shutil.copyfileobj(source, packed)
    return (*made, folder / "tiled.fits.fz", folder / "packed.fits.gz")


def _odd(folder: Path) -> tuple[Path, ...]:
    """Copy the files that astropy tests its own reader with, and small real ones of ``NAPARI_KMOS_DATA``."""
    folder.mkdir()
    found = [path for path in Path(str(resources.files("astropy.io.fits.tests") / "data")).glob("*") if path.is_file()]
    real = os.environ.get("NAPARI_KMOS_DATA")
    found += [path for path in Path(real).rglob("*.fits") if path.stat().st_size < 2**25] if real else []
    return tuple(Path(shutil.copy(path, folder / path.name)) for path in sorted(found))


def _texts(folder: Path, night: Path, one: Path) -> dict[str, tuple[Path, ...]]:
    """Text files: as people and other programs write them."""
    folder.mkdir()
    truth = (night / "apertures.ecsv", night / "truth.ecsv")
    rows = [line.split() for line in truth[0].read_text().splitlines() if line and line[0] != "#"]
    ra, dec = rows[0].index("ra"), rows[0].index("dec")
    stars = [(number, row[ra], row[dec]) for number, row in enumerate(rows[1:12])]
    circles = "".join(f'circle({ra},{dec},0.4") # color=red text={{star {n}}} tag={{star}}\n' for n, ra, dec in stars)
    files = {
        "stars.reg": f"# Region file format: DS9\nglobal color=green\nfk5\n{circles}-point({_RA},{_DEC})\n",
        "catalogue.csv": "id,RAJ2000,DEJ2000,Kmag\n" + "".join(f"s{n},{ra},{dec},{9 + n}\n" for n, ra, dec in stars),
        "cuts.csv": "ifu,half,x,y,n_x,n_y\n3,1,1,1,10,10\n7,2,3,4,8,8\n",
        "windows.txt": "# um\n2.10 2.12\n2.21 2.24\n",
        "esorex.log": "".join(_LOG.format(name=one.name, ifu=n, x=n * 1.5, y=-n) for n in (3, 7, 12)),
        "ifu3_half1_xy_plus.txt": "# xp, yp\n3 4\n",
        "template.txt": "".join(f"{2.0 + 0.01 * n:.3f} {1 - 0.01 * (n % 7):.3f}\n" for n in range(50)),
        "pairs.csv": "x,y,ra,dec\n" + "".join(f"{n},{n + 1},{ra},{dec}\n" for n, ra, dec in stars),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    lines = shutil.copy(str(resources.files("napari_kmos") / "data" / "lines.ecsv"), folder / "lines.ecsv")
    zeros = [ZeroPointRow(file=one.name, ifu=ifu, zero_pix=0.1) for ifu in (None, 3, 7)]
    return {
        "apertures": (*truth[:1], folder / "stars.reg", folder / "catalogue.csv"),
        "catalogue": (folder / "catalogue.csv", *truth),
        "cuts": (folder / "cuts.csv",),
        "windows": (folder / "windows.txt",),
        "lines": (Path(lines),),
        "log": (folder / "esorex.log",),
        "by eye": (folder / "ifu3_half1_xy_plus.txt",),
        "template": (folder / "template.txt",),
        "pairs": (folder / "pairs.csv",),
        "zero points": (write_zero_points(zeros, folder / "zero_points.ecsv"),),
        "frames": (write_sof([(one, "SINGLE_CUBES")], folder / "frames.sof"),),
    }
