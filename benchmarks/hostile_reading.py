"""What reads each kind of file: commands, with sound files beside it, and the readers of `napari_kmos.io`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos import io
from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.recipes.plan_file import read_plan

if TYPE_CHECKING:
    from hostile_seeds import Seeds

FITS_KINDS = ("exposure", "cube", "foreign", "spectrum", "odd")
#: Of the words of a command, the mutated file.
FILE = "{file}"
READ = "read"
Command = tuple[str, ...]


def commands_of(kind: str, seeds: Seeds) -> tuple[Command, ...]:
    """Return the commands that read a file of a kind; the first is run for every file."""
    return ((READ, kind, FILE), *(tuple(str(word) for word in words) for words in _commands(seeds)[kind]))


def _commands(seeds: Seeds) -> Mapping[str, Iterable[tuple[object, ...]]]:
    _, two, sky, *subtracted = seeds["exposure"]
    cube, star, stars = seeds["cube"][0], seeds["spectrum"][0], seeds["apertures"][0]
    offsets, out = seeds["offsets"][0], ("-o", "out")
    some = (*out, "--apertures", stars, "--radius", "0.4")
    cubes = (
        ("info", FILE),
        ("info", FILE, "--json"),
        ("check", FILE),
        ("extract", FILE, *some),
        ("extract", FILE, *some, "--method", "optimal", "--text"),
        ("crop", FILE, "-o", "out/part.fits", "--wave", "2.1-2.2"),
        ("map", FILE, *out, "--line", "2.16-2.17"),
        ("find", FILE, "-o", "out/stars.ecsv"),
        ("cut", FILE, *out, "--from", *subtracted, "--no-halves"),
        ("cut", cube, *out, "--from", FILE),
        ("combine", FILE, subtracted[1], *out, "--unaccepted", "header"),
        ("combine", FILE, *out, "--mosaic", "--unaccepted", "header"),
        ("splice", FILE, cube, "-o", "out/joined.fits"),
        ("telluric", FILE, *out, "--standard", star, "--airmass", "1.2", "--standard-airmass", "1.1"),
        ("sky-second-pass", FILE, *out),
    )
    exposures = (
        ("sky-tweak", FILE, "--sky", sky, *out, "--method", "plain", "--no-figures"),
        ("sky-tweak", FILE, "--sky", sky, *out, "--no-figures"),
        ("sky-tweak", two, "--sky", FILE, *out, "--method", "plain", "--no-figures"),
        ("sky-mask", FILE, *out),
        ("plan", "in", "-o", "out/night.toml"),
        ("align", FILE, subtracted[1], "-o", "out/offsets.ecsv", "--method", "header"),
        ("align", FILE, subtracted[1], "-o", "out/offsets.ecsv", "--method", "correlation"),
        ("offsets", offsets, "--crval", *out),
    )
    spectra = (
        ("measure", FILE, *out),
        ("compare", FILE, *out),
        ("info", FILE),
        ("check", FILE),
        ("telluric", FILE, *out, "--standard", star, "--airmass", "1.2", "--standard-airmass", "1.1"),
        ("telluric", cube, *out, "--standard", FILE, "--airmass", "1.2", "--standard-airmass", "1.1"),
        ("calibrate", FILE, *out, "--response", star),
        ("calibrate", star, *out, "--response", FILE),
        ("measure", star, *out, "--template", FILE),
    )
    into = ("-o", "out/imported.ecsv", "--for", *subtracted)
    return {
        "exposure": (*cubes, *exposures),
        "cube": cubes,
        "foreign": cubes,
        "odd": (*cubes[:4], *spectra[:2], ("solve-wcs", cube, *out, "--catalogue", FILE), spectra[-1]),
        "spectrum": spectra,
        "offsets": (
            ("offsets", FILE, "--shifts", *out),
            ("offsets", FILE, "--crval", *out),
            ("combine", *subtracted, *out, "--method", "user", "--offsets", FILE),
            ("extract", subtracted[0], *some, "--offsets", FILE),
            ("offsets", "--import", FILE, *into),
        ),
        "record": (("check", "in"), ("info", FILE)),
        "plan": (("run", FILE, *out),),
        "apertures": (
            ("extract", cube, *out, "--apertures", FILE, "--radius", "0.4"),
            ("extract", cube, *out, "--apertures", FILE, "--text", "--radius", "0.4"),
            ("find", cube, "-o", "out/stars.ecsv", "--known", FILE),
        ),
        "catalogue": (
            ("solve-wcs", cube, *out, "--catalogue", FILE),
            ("align", *subtracted, "-o", "out/offsets.ecsv", "--method", "catalogue", "--catalogue", FILE),
        ),
        "cuts": (
            ("cut", cube, *out, "--table", FILE),
            ("combine", *subtracted, *out, "--cuts", FILE, "--unaccepted", "header"),
        ),
        "windows": (("measure", star, *out, "--windows", FILE), ("compare", star, *out, "--windows", FILE)),
        "lines": (("measure", star, *out, "--lines", FILE), ("compare", star, *out, "--lines", FILE)),
        "log": (("offsets", "--import", FILE, *into), ("cut", cube, *out, "--log", FILE, "--from", *subtracted)),
        "by eye": (("offsets", "--import", FILE, *into),),
        "template": (("measure", star, *out, "--template", FILE),),
        "pairs": (("solve-wcs", cube, *out, "--pairs", FILE),),
        "zero points": (
            ("measure", star, *out, "--zero-points", FILE),
            ("combine", *subtracted, *out, "--zero-points", FILE, "--unaccepted", "header"),
        ),
        "frames": (("offsets", "--import", FILE, *into),),
        "shifts": (("offsets", "--import", FILE, *into),),
    }


def read_file(kind: str, path: Path) -> None:
    """Read a file by every reader that takes its kind; that it cannot be read is an answer, too."""
    for reader in _READERS.get(kind, ()) if kind not in FITS_KINDS else _OF_FITS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", KmosWarning)  # commands show them, and that is looked at
                reader(path)
        except KmosError as err:
            if not str(err).strip():
                msg = f"{reader.__name__}: an error without a word"
                raise RuntimeError(msg) from err


def _read_pixels(path: Path) -> None:
    """Read a plane and a spectrum of each cube."""
    for one in io.read_exposure(path).cubes[:4]:
        _ = one.flux[0].compute(), one.flux[:, 0, 0].compute()
        if one.noise is not None:
            one.noise[-1].compute()


def _read_pairs(path: Path) -> None:
    from napari_kmos.catalogue import CatalogueColumns

    io.read_star_pairs(path, CatalogueColumns())


def _read_history(path: Path) -> None:
    primary = io.read_primary(path)
    io.read_airmass(primary)
    io.read_history(primary)
    io.read_recipe_blocks(primary)


_OF_FITS: tuple[Callable[[Path], Any], ...] = (
    *(_read_pixels, io.read_images, io.read_spectrum, io.read_curves, io.read_template, io.read_frame_facts),
    *(_read_history, io.read_sky_mask, io.read_catalogue, io.read_any_table),
)
_READERS: Mapping[str, tuple[Callable[[Path], Any], ...]] = {
    "offsets": (io.read_offsets, io.read_table, io.read_any_table),
    "record": (io.read_json,),
    "plan": (read_plan,),
    "apertures": (lambda path: io.read_apertures(path, radius_arcsec=0.4),),
    "catalogue": (io.read_catalogue,),
    "cuts": (io.read_cuts,),
    "windows": (io.read_windows,),
    "lines": (io.read_line_list,),
    "log": (io.read_logged_shifts,),
    "by eye": (io.read_xy_plus,),
    "template": (io.read_template, io.read_curves),
    "pairs": (_read_pairs,),
    "zero points": (io.read_zero_points,),
    "frames": (io.read_sof,),
    "shifts": (io.read_shifts, io.read_sof),
}
