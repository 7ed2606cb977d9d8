"""The spaxels that a spectrum is made of, drawn over their cube: of the star, of its sky, and those excluded."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_kmos._napari.frames import AXIS_LABELS, UNITS
from napari_kmos._napari.points import KEY as POINTS
from napari_kmos._napari.under import Under
from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube, pixel_scale_arcsec
from napari_kmos.extract import ExtractParameters, draw_footprints, footprints
from napari_kmos.extract.footprint import excluded_spaxels
from napari_kmos.spatial.apertures import bounding_box
from napari_kmos.spatial.moffat import moffat_images
from napari_kmos.spatial.wcs import sky_to_pixel
from napari_kmos.spectrum import PsfFit, StarSpectrum

KEY = "kmos_pixels"
NAME = "spaxels used"
#: Arcsec by which a place may differ from another that is the same.
_SAME = 1e-9
#: How far a profile is drawn, and down to which part of its brightest spaxel.
_REACH_FWHM, _FAINTEST = 3.0, 0.01
#: Red, green, blue, and opacity of a spaxel that counts in full.
_STAR, _SKY, _EXCLUDED = (0.2, 0.9, 0.95, 0.5), (1.0, 1.0, 1.0, 0.28), (1.0, 0.25, 0.2, 0.65)


def pixels_layer(viewer: ViewerModel) -> Layer | None:
    """Return the layer of the spaxels, if there is one."""
    return next((layer for layer in viewer.layers if KEY in layer.metadata), None)


def pixels_of(
    under: Under,
    star: Aperture,
    known: list[Aperture],
    parameters: ExtractParameters,
    *,
    spectrum: StarSpectrum | None = None,
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Return the spaxels used for a star as colours, shape (n_y, n_x, 4), and the row and column of the first.

    Where its spectrum is one of a fit, they count by the profile that was fitted: all of them, or those in the circle.
    """
    others = [one for one in known if one.id != star.id]
    found = footprints(under.cube, [star, *others], parameters=parameters)
    mine = [one for one in found if one.placed.aperture.id == star.id or one.placed.aperture.kind == "sky"]
    shape = under.cube.shape[1:]
    weights, sky = draw_footprints(mine, shape)
    excluded = excluded_spaxels(under.cube, [star])
    if spectrum is not None and spectrum.psf is not None:
        profile = _profile(under.cube, spectrum.psf)
        weights = profile if spectrum.method == "psf" else weights * profile
        if spectrum.method == "psf":  # with a background beneath all stars, and without what one of them excludes
            sky[:] = False
            excluded = excluded_spaxels(under.cube, [one for one in (star, *others) if one.kind == "star"])
            excluded &= profile > 0
    rows, columns = np.nonzero((weights > 0) | sky | excluded)
    if not len(rows):
        return np.zeros((1, 1, 4), dtype=np.float32), (0, 0)
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    colours = np.zeros((*weights[box].shape, 4), dtype=np.float32)
    colours[sky[box]] = _SKY
    used = weights[box] > 0
    colours[used] = _STAR
    colours[used, 3] *= weights[box][used]
    colours[excluded[box]] = _EXCLUDED
    return colours, (int(box[0].start), int(box[1].start))


def show_pixels(viewer: ViewerModel, under: Under, drawn: tuple[NDArray[np.float32], tuple[int, int]]) -> None:
    """Draw spaxels over their cube, in place of those drawn before."""
    colours, corner = drawn
    scale, matrix = under.shown.frame.transform((under.cube.wcs, under.cube.shape[1:]))
    layer = pixels_layer(viewer) or _add(viewer)
    now = {"scale": (scale, scale), "translate": scale * np.array(corner), "affine": matrix}
    layer.data = colours
    for name, value in now.items():
        if not np.allclose(getattr(layer, name), value, rtol=0, atol=_SAME):  # napari takes long for each
            setattr(layer, name, value)


def _profile(cube: Cube, psf: PsfFit) -> NDArray[np.float32]:
    """Return a star as it was fitted, shape (n_y, n_x), over its brightest spaxel; 0 where it is faint."""
    y, x = (float(one) for one in sky_to_pixel(cube.wcs, psf.ra, psf.dec))
    fwhm = max(psf.fwhm_arcsec / pixel_scale_arcsec(cube.wcs), 1.0)
    n_y, n_x = cube.shape[1:]
    box = bounding_box((n_y, n_x), y, x, _REACH_FWHM * fwhm)
    shape = box[0].stop - box[0].start, box[1].stop - box[1].start
    place = np.array([y - box[0].start]), np.array([x - box[1].start])
    (image,) = moffat_images(*place, shape, fwhm_pix=fwhm, beta=psf.beta)
    image /= image.max(initial=np.finfo(float).tiny)
    drawn = np.zeros((n_y, n_x), dtype=np.float32)
    drawn[box] = np.where(image > _FAINTEST, image, 0)
    return drawn


def hide_pixels(viewer: ViewerModel) -> None:
    """Remove the layer of the spaxels."""
    layer = pixels_layer(viewer)
    if layer is not None:
        viewer.layers.remove(layer)


def _add(viewer: ViewerModel) -> Layer:
    """Add the layer below the apertures; the active layer stays active."""
    layer = Image(
        np.zeros((1, 1, 4), dtype=np.float32),
        rgb=True,
        name=NAME,
        units=UNITS[1:],
        axis_labels=AXIS_LABELS[1:],
        metadata={KEY: True},
    )
    active = viewer.layers.selection.active
    above = [index for index, one in enumerate(viewer.layers) if POINTS in one.metadata]
    viewer.layers.insert(min(above, default=len(viewer.layers)), layer)
    viewer.layers.selection.active = active
    return layer
