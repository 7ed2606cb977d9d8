"""Region files of ds9: apertures as circles, excluded spaxels as excluded points, stars as texts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from astropy import units as u
from astropy.coordinates import ICRS, SkyCoord

from napari_kmos.aperture import Aperture
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import ExtractionError, KmosError, KmosWarning, NotKmosError
from napari_kmos.io.text import read_text, write_text
from napari_kmos.words import printable

if TYPE_CHECKING:
    from astropy.wcs import WCS

_HEADER = """# Region file format: DS9 version 4.1
global color=green dashlist=8 3 width=1 font="helvetica 10 normal roman" select=1 highlite=1 dash=0 fixed=0 edit=1 \
move=1 delete=1 include=1 source=1
"""
Frame = Literal["fk5", "icrs"]
#: Colours of the classes of stars; what has another name takes the next of the rest.
CLASS_COLOURS: Mapping[str, str] = MappingProxyType({"": "green", "late": "red", "early": "cyan"})
_MORE_COLOURS = ("magenta", "yellow", "orange", "blue", "white")
_COLOURS = {"star": "green", "sky": "cyan"}
#: The id and SNR of a text that `write_star_regions` wrote.
_STAR_TEXT = re.compile(r"^(?P<id>.+?),\s*SN\s*=")
#: Tags of a circle and of an excluded point.
_SIDE, _EXCLUDED = "side ", "excluded from "
_SHAPES = "circles, points and texts"
#: Put before every text, or the parser would take "007" for a number.
_TEXT_OPENS = re.compile(r"""(\btext\s*=\s*[{"'])""")
_MARK = "\N{INVISIBLE SEPARATOR}"


class StarMark(NamedTuple):
    """A star in a region file: position in degrees; with a radius a circle, without one a text alone."""

    id: str
    ra: float
    dec: float
    snr: float
    radius_arcsec: float | None = None
    category: str = ""


def write_regions(
    apertures: Iterable[Aperture], path: Path | str, *, frame: Frame = "fk5", overwrite: bool = False
) -> Path:
    """Write apertures as ds9 circles: the id as text, the kind as tag and colour, excluded spaxels as excluded points.

    The frame is fk5, as the WCS of KMOS cubes, unless icrs is wanted.

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    """
    lines = []
    for row in apertures:
        text, side = _region_text(row.id), f" tag={{{_SIDE}{row.sky_side}}}" if row.sky_side else ""
        lines.append(
            f'circle({row.ra:.8f},{row.dec:.8f},{row.radius_arcsec:.5f}") # color={_COLOURS[row.kind]} '
            f"text={{{text}}} tag={{{row.kind}}}{side}{' background' if row.kind == 'sky' else ''}\n"
        )
        lines += [
            f"-point({ra:.8f},{dec:.8f}) # point=x color=red tag={{{_EXCLUDED}{text}}}\n"
            for ra, dec in row.excluded_spaxels
        ]
    return write_text(f"{_HEADER}{frame}\n{''.join(lines)}", path, overwrite=overwrite)


def write_star_regions(
    stars: Iterable[StarMark | tuple[str, float, float, float]],
    path: Path | str,
    *,
    colours: Mapping[str, str] = CLASS_COLOURS,
    frame: Frame = "fk5",
    overwrite: bool = False,
) -> Path:
    """Write stars with id and SNR: ds9 texts ``# text(ra,dec) text={id,SN = value}``, or circles with such a text.

    Parameters
    ----------
    stars : iterable of StarMark or (id, ra, dec, snr)
        Positions in degrees. Braces in an id become parentheses, line breaks blanks; the SNR has one decimal. A class
        is the colour, and a tag by which ds9 makes groups.
    path : path
        File to write.
    colours : mapping
        Of the classes; others take a colour each in the order in which they come.
    frame : str
        ``"fk5"`` or ``"icrs"``.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    """
    marks = [StarMark(*star) for star in stars]
    others = [name for name in dict.fromkeys(mark.category for mark in marks) if name not in colours]
    chosen = {name: _MORE_COLOURS[number % len(_MORE_COLOURS)] for number, name in enumerate(others)} | {**colours}
    lines = [_star_line(mark, chosen[mark.category]) for mark in marks]
    return write_text(f"{_HEADER}{frame}\n{''.join(lines)}", path, overwrite=overwrite)


def _star_line(mark: StarMark, colour: str) -> str:
    """Line of a star."""
    text = f"text={{{_region_text(mark.id)},SN = {mark.snr:.1f}}}"
    marked = f" color={colour} tag={{class {_region_text(mark.category)}}}" if mark.category else ""
    if mark.radius_arcsec is None:
        return f"# text({mark.ra:.8f},{mark.dec:.8f}) {text}{marked}\n"
    return f'circle({mark.ra:.8f},{mark.dec:.8f},{mark.radius_arcsec:.5f}") # {text} tag={{star}}{marked}\n'


def read_regions(path: Path, *, radius_arcsec: float | None = None, wcs: WCS | None = None) -> list[Aperture]:
    """Read the circles, points and texts of a ds9 region file as `read_apertures` says; others are left out, warned of.

    So are those that cannot be understood, unless there is no other.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    ExtractionError
        If a region cannot be understood, or has neither a radius nor one for all.
    """
    apertures: list[Aperture] = []
    excluded: dict[str, list[tuple[float, float]]] = {}
    failed: list[ExtractionError] = []
    for number, region in enumerate(_parsed(path), start=1):
        try:
            star = _excluded_from(region)
            if star is not None:
                excluded.setdefault(star, []).append(_on_sky(region, wcs)[:2])
            elif _is_left_out(region, path, number):
                continue
            else:
                apertures.append(_aperture(region, len(apertures) + 1, radius_arcsec, wcs))
        except KmosError as err:
            failed.append(ExtractionError(f"{path}: region {number}: {err}"))
    if failed and not apertures:
        raise failed[0]
    told = [f"{err}; it is left out" for err in failed]
    missing = sorted(excluded.keys() - {_region_text(row.id) for row in apertures})
    told += [f"{path}: spaxels are excluded from {', '.join(missing)}, which is not in the file"] if missing else []
    for text in told:
        warnings.warn(text, KmosWarning, stacklevel=3)
    return [replace(row, excluded_spaxels=tuple(excluded.get(_region_text(row.id), ()))) for row in apertures]


def _is_left_out(region: Any, path: Path, number: int) -> bool:
    """Tell, and warn, that a region is none of those that stand for an aperture."""
    what = type(region).__name__
    is_included = region.meta.get("include", 1)
    if is_included and what.startswith(("CircleSky", "CirclePixel", "Point", "Text")):
        return False
    shape = what.removesuffix("Region") if is_included else "an excluded region"
    text = f"{path}: region {number} is {shape} and left out; apertures are {_SHAPES}"
    warnings.warn(text, KmosWarning, stacklevel=4)
    return True


def _excluded_from(region: Any) -> str | None:
    """Id of the star from whose spectrum a point shall be excluded, if it is such a point."""
    if region.meta.get("include", 1) or not type(region).__name__.startswith("Point"):
        return None
    tags = (tag for tag in _tags(region) if tag.startswith(_EXCLUDED))
    return next((tag.removeprefix(_EXCLUDED) for tag in tags), None)


def _tags(region: Any) -> list[str]:
    """Tags of a region."""
    return [str(tag).replace(_MARK, "") for tag in region.meta.get("tag", ())]


def _parsed(path: Path) -> list[Any]:
    """Regions of a file; what the parser skips becomes a warning, what it stumbles over an error."""
    from regions import Regions

    try:
        text = read_text(path)
    except NotKmosError as err:
        msg = f"{path}: cannot be read as a region file; {str(err).removeprefix(f'{path}: ')}"
        raise NotKmosError(msg) from err
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = list(Regions.parse(_TEXT_OPENS.sub(rf"\1{_MARK}", _with_source(text)), format="ds9"))
        except (ValueError, TypeError, IndexError, KeyError, AttributeError) as err:
            msg = f"{path}: a region cannot be understood ({err}); expected ds9 {_SHAPES} in fk5, icrs or image"
            raise ExtractionError(msg) from err
    for warning in caught:
        warnings.warn(f"{path}: {warning.message}".replace(_MARK, ""), KmosWarning, stacklevel=5)
    return found


def _with_source(text: str) -> str:
    """Return region text in which ds9's word ``background`` also stands as ``source=0``, which the parser knows."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        shape, _, properties = line.partition("#")
        if shape.strip() and re.search(r"\bbackground\b", re.sub(r"""\{.*?\}|".*?"|'.*?'""", "", properties)):
            lines[number] = f"{line} source=0"
    return "\n".join(lines)


def _aperture(region: Any, number: int, radius_arcsec: float | None, wcs: WCS | None) -> Aperture:
    """One region as an aperture."""
    text = str(getattr(region, "text", "") or region.meta.get("text", "")).replace(_MARK, "").strip()
    star = _STAR_TEXT.match(text)
    name = star["id"].strip() if star else text
    tags = [tag.lower() for tag in _tags(region)]
    is_sky = any(tag.startswith("sky") for tag in tags) or (not tags and name.lower().startswith("sky"))
    is_sky = is_sky or not int(region.meta.get("source", 1))
    ra, dec, radius = _on_sky(region, wcs)
    if radius is None and radius_arcsec is None:
        msg = f"{name or 'a point'} has no radius; give a radius for all (--radius) or use circles"
        raise ExtractionError(msg)
    return Aperture(
        id=name or str(number),
        kind="sky" if is_sky else "star",
        ra=ra,
        dec=dec,
        radius_arcsec=float(radius_arcsec or 0) if radius is None else radius,
        sky_side=next((tag.removeprefix(_SIDE) for tag in tags if tag.startswith(_SIDE)), ""),
    )


def _on_sky(region: Any, wcs: WCS | None) -> tuple[float, float, float | None]:
    """Position in degrees, and radius in arcsec if the region has one."""
    radius = getattr(region, "radius", None)
    if isinstance(region.center, SkyCoord):
        ra, dec = _equatorial(region.center)
        return ra, dec, None if radius is None else float(radius.to_value(u.arcsec))
    if wcs is None:
        msg = "it is in image pixels, and it is not clear of which image; save the regions in fk5 or icrs"
        raise ExtractionError(msg)
    ra, dec = (float(value) for value in wcs.wcs_pix2world(region.center.x, region.center.y, 0))
    return ra, dec, None if radius is None else float(radius) * pixel_scale_arcsec(wcs)


def _equatorial(position: SkyCoord) -> tuple[float, float]:
    """Right ascension and declination in degrees; FK5 of J2000 is taken as it is, as the WCS of KMOS cubes is."""
    is_j2000 = position.frame.name == "fk5" and position.frame.equinox.jyear == 2000.0
    equatorial = position if is_j2000 or position.frame.name == "icrs" else position.transform_to(ICRS())
    return float(equatorial.ra.deg), float(equatorial.dec.deg)


def _region_text(text: str) -> str:
    """Text that ends where ds9 thinks it ends, in one line without control characters."""
    return printable(" ".join(text.split())).replace("{", "(").replace("}", ")")
