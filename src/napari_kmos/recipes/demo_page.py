"""The pictures and the page of the demo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.extract import apertures_inside
from napari_kmos.io import (
    read_apertures,
    read_cube,
    read_exposure,
    read_images,
    read_spectrum,
    write_figure,
    write_text,
)
from napari_kmos.report.summary import SkyPanel, Summary, summary_figures, summary_html
from napari_kmos.sky.views import line_marks
from napari_kmos.spectral.nan import nan_mean, nan_median

if TYPE_CHECKING:
    from napari_kmos.aperture import Aperture
    from napari_kmos.cube import Cube, Image

_DARK_SPAXELS = 36
_TITLE = "napari-kmos: a simulated night from cubes to spectra"


def write_page(
    out: Path,
    *,
    numbers: Sequence[tuple[str, str, str]],
    sky: tuple[Path, Path],
    cubes: Sequence[Path],
    by_headers: Sequence[Path],
    spectra: Sequence[Path],
    files: Sequence[tuple[Path, str]],
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Write ``summary.html``, ``summary.png`` and the pictures of the page.

    Parameters
    ----------
    out : Path
        Folder of the page; the click list ``stars.ecsv`` is in it.
    numbers : sequence of (str, str, str)
        Name, value and meaning of what was measured.
    sky : tuple of Path
        An object exposure before and after its sky was subtracted.
    cubes : sequence of Path
        Combined cubes; their images ``<stem>_IMAGE.fits`` are beside them.
    by_headers : sequence of Path
        The same, combined without the offsets.
    spectra : sequence of Path
        Spectra of stars.
    files : sequence of (Path, str)
        Files the page links to, and what they are.

    Returns
    -------
    tuple of Path
        The page, the picture of the whole, the pictures of its parts.
    """
    apertures = read_apertures(out / "stars.ecsv")
    summary = Summary(
        title=_TITLE,
        numbers=tuple(numbers),
        sky=sky_panel(*sky),
        fields=tuple(_field(cube, apertures) for cube in cubes),
        by_headers=tuple(read_images(image_of(cube))[0] for cube in by_headers),
        spectra=tuple(read_spectrum(path) for path in spectra),
        files=tuple((_relative(path, out), what) for path, what in files),
    )
    figures = summary_figures(summary)
    whole = write_figure(figures.pop("summary"), out / "summary.png", overwrite=overwrite)
    pictures = [write_figure(f, out / f"summary_{name}.png", overwrite=overwrite) for name, f in figures.items()]
    text = summary_html(summary, {name: path.name for name, path in zip(figures, pictures, strict=True)})
    return (write_text(text, out / "summary.html", overwrite=overwrite), whole, *pictures)


def sky_panel(before: Path, after: Path) -> SkyPanel:
    """Return the median spectrum of the darkest spaxels of the first IFU of an exposure, before and after."""
    exposure = read_exposure(before)
    first = exposure.cubes[0]
    second = read_cube(after, first.ifu)
    flux = np.asarray(first.flux, dtype=float)
    dark = _darkest(flux)
    clean = np.asarray(second.flux, dtype=float)[:, dark]
    sigma = np.asarray(second.noise, dtype=float)[:, dark] if second.noise is not None else np.full_like(clean, np.nan)
    return SkyPanel(
        title=f"{first.label}, {exposure.ob_name or exposure.label}: median of {_DARK_SPAXELS} dark spaxels",
        wavelength_um=first.wavelength_um,
        before=nan_median(flux[:, dark].T),
        after=nan_median(clean.T),
        noise=np.sqrt(nan_mean(sigma.T**2) / _DARK_SPAXELS * np.pi / 2),
        unit="" if first.unit is None else first.unit.to_string(),
        marks=line_marks(first),
    )


def _darkest(flux: np.ndarray) -> np.ndarray:
    """Return the mask of the spaxels with the lowest median, of those with data."""
    share = np.isfinite(flux).mean(axis=0)
    light = np.full(flux.shape[1:], np.inf)
    usable = share > 0.9 * share.max()
    light[usable] = np.nanmedian(flux[:, usable], axis=0)
    mask = np.zeros(light.shape, dtype=bool)
    mask.flat[np.argsort(light, axis=None)[:_DARK_SPAXELS]] = True
    return mask


def image_of(cube_file: Path) -> Path:
    """Return the file of the image of a combined cube."""
    return cube_file.with_name(f"{cube_file.stem}_IMAGE.fits")


def _field(cube_file: Path, apertures: Sequence[Aperture]) -> tuple[Image, tuple[Aperture, ...]]:
    """Return the white light of a combined cube and the apertures on it."""
    cube: Cube = read_cube(cube_file)
    return read_images(image_of(cube_file))[0], tuple(apertures_inside(cube, apertures))


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
