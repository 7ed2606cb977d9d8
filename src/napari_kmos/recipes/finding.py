"""Find the science and sky exposures in folders, and tell which is which and why."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.io import FITS_ENDINGS, read_exposure, read_recipe_blocks
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure

#: Product categories that are inputs, the one to prefer first: the telluric-corrected cubes, then those without.
CATEGORIES = ("SINGLE_CUBES", "SCI_RECONSTRUCTED")
_TWEAKED = ("kmos_sky_tweak", "napari-kmos sky-tweak")
#: Names that speak of the sky without being one: products and processing, and what has had it removed.
_NOT_SKY = re.compile(
    r"sky[_\- ]?(?:tweak|sub|corr|clean|mask|res)|(?:no|without|minus)[_\- ]?sky(?![a-z])", re.IGNORECASE
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SKY_WORDS = {"sky", "skies"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that was found, what it was taken as, and why.

    Parameters
    ----------
    file : Path
        Absolute path.
    role : str
        ``"object"``, ``"sky"`` or ``"skip"``.
    why : str
        What the role was decided by.
    band, ob, date, category : str
        From the headers; the date is UTC, ISO; empty where the header does not tell.
    mjd : float
        Start of the exposure; NaN where the header does not tell.
    planes : int
        Number of wavelengths.
    targets : dict
        IFU with data to target name.
    """

    file: Path
    role: str
    why: str
    band: str = ""
    ob: str = ""
    date: str = ""
    category: str = ""
    mjd: float = float("nan")
    planes: int = 0
    targets: dict[int, str] = field(default_factory=dict)

    @property
    def ifus(self) -> frozenset[int]:
        """IFUs with data."""
        return frozenset(self.targets)


def find_exposures(folders: Sequence[Path], *, progress: Progress = silent) -> tuple[Found, ...]:
    """Find the exposures in folders and below, in the order of time.

    Parameters
    ----------
    folders : sequence of Path
        Any tree: of Reflex, of EDPS, sorted by hand; single files are taken as well.
    progress : Progress
        Told the files looked at.

    Returns
    -------
    tuple of Found
        Objects, skies, and files that look like exposures but are not used (role ``"skip"``). FITS files that hold no
        exposure are left out.

    Raises
    ------
    KmosError
        If a folder does not exist or nothing was found.
    """
    files = list(_fits_files(folders))
    found = []
    for done, (top, path) in enumerate(files):
        progress(done, len(files), f"looking at the FITS files in {top}")
        if (item := _look(top, path)) is not None:
            found.append(item)
    progress(len(files), len(files), f"looked at {len(files)} FITS files")
    used = [item for item in found if item.role != "skip"]
    if not used:
        places = ", ".join(str(folder) for folder in folders)
        reasons = f"; {found[0].file.name}: {found[0].why}" if found else ""
        expected = " or ".join(CATEGORIES)
        msg = f"{places}: none of {len(files)} FITS files is an exposure ({expected}){reasons}; name other folders"
        raise KmosError(msg)
    return tuple(sorted(found, key=lambda item: (item.mjd if item.mjd == item.mjd else 1e9, str(item.file))))


def fits_beside(path: Path) -> tuple[Path, ...]:
    """Return the FITS files in the folder of a file, itself among them."""
    folder = path.absolute().parent
    return tuple(sorted({one for ending in FITS_ENDINGS for one in folder.glob(f"*{ending}")}))


def sky_word(text: str) -> bool:
    """Tell whether a name speaks of the sky: has the word, at a change of case or between signs.

    Examples
    --------
    >>> [sky_word(name) for name in ("GC_Sky_1", "DarkSky", "OB_SKY2", "x_SKY_TWEAK", "Skylab", "GC_1")]
    [True, True, True, False, False, False]
    """
    return any(word.lower() in _SKY_WORDS for word in _WORD.findall(_NOT_SKY.sub(" ", text)))


def decide_role(exposure: Exposure, path: Path, top: Path) -> tuple[str, str]:
    """Return the role of an exposure and what decided it: names first, since the arms of a sky OB are often of type O.

    Parameters
    ----------
    exposure : Exposure
        What its headers say.
    path, top : Path
        The file, and the folder that was searched: names of folders above it do not count.
    """
    below = path.relative_to(top.parent).parent.parts if top in path.parents else ()
    names = [("OB name", exposure.ob_name), ("OBJECT", exposure.object_name), ("file name", path.stem)]
    for what, name in [*names, *(("folder", folder) for folder in reversed(below))]:
        if sky_word(name):
            return "sky", f"the word sky in its {what} {name!r}"
    roles = [arm.role for arm in exposure.arms if arm.cube is not None]
    n_sky = roles.count("sky")
    if n_sky == len(roles):
        return "sky", "every arm in use is of type S"
    arms = "arms of type O" if not n_sky else f"{len(roles) - n_sky} arms of type O, {n_sky} of type S"
    return "object", f"{arms}; no word sky in its OB name, OBJECT, file or folder"


def _fits_files(folders: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield each FITS file once, with the folder under which it was found."""
    seen = set()
    for folder in folders:
        top = Path(folder).absolute()
        if not top.exists():
            msg = f"{folder}: no such folder; name the folders that hold the pipeline's products"
            raise KmosError(msg)
        files = [top] if top.is_file() else sorted(path for ending in FITS_ENDINGS for path in top.rglob(f"*{ending}"))
        for path in files:
            if path.name.startswith(".") or not path.is_file() or path.resolve() in seen:
                continue
            seen.add(path.resolve())
            yield (top.parent if top.is_file() else top), path


def _look(top: Path, path: Path) -> Found | None:
    """Return what a file is; None if it is no exposure."""
    named = any(category in path.name.upper() for category in CATEGORIES)
    try:
        exposure = read_exposure(path)
    except KmosError as err:
        if named and "no cube in it" not in str(err):
            warnings.warn(f"left out: {err}", KmosWarning, stacklevel=3)
        return None
    reason = _not_an_input(exposure, path, named)
    if reason is not None:
        return Found(file=path, role="skip", why=reason) if reason else None
    role, why = decide_role(exposure, path, top)
    return Found(
        file=path,
        role=role,
        why=why,
        band=exposure.band,
        ob=exposure.ob_name,
        date=exposure.date.utc.isot if exposure.date is not None else "",
        category=_category(exposure, path),
        mjd=float(exposure.date.mjd) if exposure.date is not None else float("nan"),
        planes=exposure.cubes[0].shape[0],
        targets={arm.number: arm.name for arm in exposure.arms if arm.cube is not None and arm.number is not None},
    )


def _not_an_input(exposure: Exposure, path: Path, named: bool) -> str | None:
    """Return why a file is not an input, the empty text if that is plain to see, or None if it is one."""
    if exposure.kind != "exposure" and exposure.category.upper() not in CATEGORIES:
        return ""  # a cube by itself may be an exposure of one target, but must say so
    recipes = [block.recipe for block in read_recipe_blocks(exposure.header)]
    if "SKY_TWEAK" in f"{path.name} {exposure.category}".upper() or any(recipe in _TWEAKED for recipe in recipes):
        return "its sky is subtracted already"
    if "SKY_CLEAN" in f"{path.name} {exposure.category}".upper():
        return "it was made from a sky exposure, in which sky-tweak replaces stars itself"
    if exposure.category and not named and not _category(exposure, path):
        return f"its category is {exposure.category}, not {' or '.join(CATEGORIES)}"
    return None


def _category(exposure: Exposure, path: Path) -> str:
    """Return which of the input categories a file is, by header or name; empty if neither tells."""
    texts = (exposure.category.upper(), path.name.upper())
    return next((category for text in texts for category in CATEGORIES if category in text), "")
