"""Region files of ds9: apertures as circles, stars as texts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy import units as u
from astropy.coordinates import ICRS, SkyCoord

from napari_kmos.aperture import Aperture
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import ExtractionError, KmosError, KmosWarning, NotKmosError
from napari_kmos.io.text import write_text

if TYPE_CHECKING:
    from astropy.wcs import WCS

_HEADER = """# Region file format: DS9 version 4.1
global color=green dashlist=8 3 width=1 font="helvetica 10 normal roman" select=1 highlite=1 dash=0 fixed=0 edit=1 \
move=1 delete=1 include=1 source=1
fk5
"""
_COLOURS = {"star": "green", "sky": "cyan"}
#: The id and SNR of a text that `write_star_regions` wrote.
_STAR_TEXT = re.compile(r"^(?P<id>.+?),\s*SN\s*=")
_SHAPES = "circles, points and texts"
#: Put before every text, or the parser would take "007" for a number.
_TEXT_OPENS = re.compile(r"""(\btext\s*=\s*[{"'])""")
_MARK = "\N{INVISIBLE SEPARATOR}"


def write_regions(apertures: Iterable[Aperture], path: Path | str, *, overwrite: bool = False) -> Path:
    """Write apertures as ds9 circles: fk5, as the WCS of KMOS cubes; the id as text, the kind as tag and colour.

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    """
    lines = [
        f'circle({row.ra:.8f},{row.dec:.8f},{row.radius_arcsec:.5f}") # color={_COLOURS[row.kind]} '
        f"text={{{_region_text(row.id)}}} tag={{{row.kind}}}{' background' if row.kind == 'sky' else ''}\n"
        for row in apertures
    ]
    return write_text(_HEADER + "".join(lines), path, overwrite=overwrite)


def write_star_regions(
    stars: Iterable[tuple[str, float, float, float]], path: Path | str, *, overwrite: bool = False
) -> Path:
    """Write stars as ds9 texts: ``# text(ra,dec) text={id,SN = value}``, fk5, the value with one decimal.

    Parameters
    ----------
    stars : iterable of (id, ra, dec, snr)
        Positions in degrees. Braces in an id become parentheses, line breaks blanks.
    path : path
        File to write.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    """
    lines = [
        f"# text({ra:.8f},{dec:.8f}) text={{{_region_text(name)},SN = {snr:.1f}}}\n" for name, ra, dec, snr in stars
    ]
    return write_text(_HEADER + "".join(lines), path, overwrite=overwrite)


def read_regions(path: Path, *, radius_arcsec: float | None = None, wcs: WCS | None = None) -> list[Aperture]:
    """Read the circles, points and texts of a ds9 region file as `read_apertures` says; others are left out, warned of.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    ExtractionError
        If a region cannot be understood, or has neither a radius nor one for all.
    """
    apertures: list[Aperture] = []
    for number, region in enumerate(_parsed(path), start=1):
        what = type(region).__name__
        if not what.startswith(("CircleSky", "CirclePixel", "Point", "Text")) or not region.meta.get("include", 1):
            shape = "an excluded region" if not region.meta.get("include", 1) else what.removesuffix("Region")
            text = f"{path}: region {number} is {shape} and left out; apertures are {_SHAPES}"
            warnings.warn(text, KmosWarning, stacklevel=4)
            continue
        try:
            apertures.append(_aperture(region, len(apertures) + 1, radius_arcsec, wcs))
        except KmosError as err:
            msg = f"{path}: region {number}: {err}"
            raise ExtractionError(msg) from err
    return apertures


def _parsed(path: Path) -> list[Any]:
    """Regions of a file; what the parser skips becomes a warning, what it stumbles over an error."""
    from regions import Regions

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        msg = f"{path}: cannot be read as a region file ({getattr(err, 'strerror', None) or err})"
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
    tags = [str(tag).lower() for tag in region.meta.get("tag", ())]
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
    """Text that ends where ds9 thinks it ends."""
    return " ".join(text.split()).replace("{", "(").replace("}", ")")
