"""Cut a cube in wavelength and on the sky, and write what is left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy import units as u
from astropy.coordinates import Angle

from napari_kmos.calls import recorded
from napari_kmos.errors import KmosError
from napari_kmos.io import read_exposure, write_cube, write_record
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.product_cube import check_product, product_category
from napari_kmos.spatial.crop import SkyBox, crop_cube, spaxels_in
from napari_kmos.spectral.collapse import plane_range
from napari_kmos.spectral.windows import Window, check_windows, windows_text

if TYPE_CHECKING:
    from napari_kmos.cube import Cube

_EXPECTED = "expected RA,DEC,WIDTH,HEIGHT: degrees, or hours and degrees with colons; the sides in arcsec"


@recorded(out="out")
def crop(
    file: Path | str,
    out: Path | str,
    *,
    wave_um: Window | None = None,
    box: SkyBox | None = None,
    ifu: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Cut a cube in wavelength and on the sky, and write what is left as a combined cube.

    Parameters
    ----------
    file : path
        An exposure, a combined cube or a mosaic; it is read and written a few planes at a time.
    out : path
        File to write.
    wave_um : tuple of float, optional
        First and last wavelength in micron: planes are kept whose centre lies in it. All by default.
    box : SkyBox, optional
        Part of the sky: the smallest rectangle of spaxels that holds it is kept, as far as the cube reaches. All by
        default.
    ifu : int, optional
        The IFU, where the file holds several.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told the planes written; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Product: the cube, with its noise. Extra: the record. Measured: ``shape``, ``wavelength_um`` (first and last
        plane), and the ranges kept of the input, 0-based and without their ends: ``planes``, ``rows``, ``columns``.

    Raises
    ------
    KmosError
        If the file cannot be used, holds no such IFU, or nothing is asked for.
    GeometryError
        If window or box lie outside the cube.
    WriteError
        If the product exists and may not be replaced, is the input, or has the name of another kind of file.
    """
    exposure = read_exposure(file)
    cube = exposure.cube(ifu)
    if wave_um is None and box is None and ifu is None:
        msg = f"{cube.label}: nothing to cut; give a range of wavelengths (--wave), a box on the sky (--box) or an IFU"
        raise KmosError(msg)
    target = check_product(Path(out), [Path(file)], overwrite)
    window = None if wave_um is None else u.Quantity(check_windows([wave_um])[0], u.um)
    key = {"planes": plane_range(cube, window)}
    rows, columns = (slice(0, length) for length in cube.shape[1:]) if box is None else spaxels_in(cube, box)
    key |= {"rows": rows, "columns": columns}
    cut = crop_cube(cube, **key)
    step = _step(Path(file), wave_um, box, ifu)
    write_cube(
        cut,
        target,
        step=step,
        primary=exposure.header,
        category=product_category(exposure),
        overwrite=overwrite,
        progress=progress,
    )
    record = write_record(target, step, overwrite=overwrite)
    return Outcome(products=(target,), extras=(record,), measured=_measured(cut, key))


def parse_box(text: str) -> SkyBox:
    """Return the box that a text such as ``"266.4168,-29.0078,4.0,3.0"`` or ``"17:45:40.0,-29:00:28,4,3"`` means.

    Raises
    ------
    KmosError
        If it is written in another way, or there is no such box.
    """
    try:
        ra, dec, width, height = (part.strip() for part in text.split(","))
        return SkyBox(
            ra=float(Angle(ra, unit=u.hourangle if ":" in ra else u.deg).deg),
            dec=float(Angle(dec, unit=u.deg).deg),
            width_arcsec=float(width),
            height_arcsec=float(height),
        )
    except ValueError as err:
        msg = f"box {text!r} is not understood; {_EXPECTED}"
        raise KmosError(msg) from err


def _step(file: Path, wave_um: Window | None, box: SkyBox | None, ifu: int | None) -> Step:
    """Describe what was done."""
    sides = "" if box is None else f"{box.ra:.7f},{box.dec:.7f},{box.width_arcsec:g},{box.height_arcsec:g}"
    wave = "" if wave_um is None else windows_text([wave_um])
    return Step(
        name="crop",
        inputs=(file,),
        parameters={"wave": wave, "box": sides, "ifu": ifu or 0},
        defaults={"wave": "", "box": "", "ifu": 0},
    )


def _measured(cut: Cube, key: dict[str, slice]) -> dict[str, Any]:
    """Return what is told of the cut."""
    wave = cut.wavelength_um
    ranges = {name: [part.start, part.stop] for name, part in key.items()}
    return {"shape": list(cut.shape), "wavelength_um": [float(wave[0]), float(wave[-1])], **ranges}
