"""What is looked at of two cubes: one kind of image of both, and their score. Made in a thread; no window here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from numpy.typing import NDArray

from napari_kmos.align import white_light
from napari_kmos.align.catalogue_image import catalogue_image
from napari_kmos.align.images import cut_near
from napari_kmos.align.score import PairScore, Score, ScoreCurve
from napari_kmos.catalogue import Catalogue
from napari_kmos.cube import Cube, Image
from napari_kmos.errors import KmosError
from napari_kmos.progress import Progress, silent
from napari_kmos.spatial.crop import crop_cube
from napari_kmos.spatial.fields import field_of, window_near
from napari_kmos.spatial.wcs import shift_wcs
from napari_kmos.spectral import MapParameters, collapse_mean, make_maps
from napari_kmos.spectral.windows import Window
from napari_kmos.summary import has_white_light

WHITE, BAND, LINE = IMAGES = ("white light", "band", "line map")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairImage:
    """Which image of a cube is looked at. Of what is an image already, nothing else can be made.

    Parameters
    ----------
    kind : str
        One of `IMAGES`: the median over all wavelengths, the mean over a window, or that less the continuum.
    window_um : tuple of float, optional
        First and last wavelength in micron, for a band or a line.
    continuum_um : tuple of tuple of float
        Windows of the continuum in micron, for a line.

    Raises
    ------
    KmosError
        If there is no such kind, or a band or line has no window.
    """

    kind: str = WHITE
    window_um: Window | None = None
    continuum_um: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in IMAGES:
            msg = f"image {self.kind!r} does not exist; there are {', '.join(IMAGES)}"
            raise KmosError(msg)
        if self.kind != WHITE and self.window_um is None:
            msg = f"no wavelengths are given for the {self.kind}; choose a window in micron"
            raise KmosError(msg)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PairScored:
    """How well a pair agrees at an offset.

    Parameters
    ----------
    score : Score
        At the offset.
    curve : ScoreCurve
        Through it.
    difference : ndarray, shape (n_y, n_x), optional
        The moving image less the reference.
    """

    score: Score
    curve: ScoreCurve
    difference: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PairImages:
    """The images of a pair.

    Parameters
    ----------
    moving : Image
        By its header.
    reference : Image, optional
        The part about the moving image, with its corrected WCS; None if that is looked at alone.
    score : PairScore, optional
        How well they agree at any offset.
    scale : Score, optional
        A score whose gain and background bring them to one contrast.
    """

    moving: Image
    reference: Image | None = None
    score: PairScore | None = None
    scale: Score | None = None

    def score_at(self, east: float, north: float, *, difference: bool = False) -> PairScored:
        """Score an offset, in some milliseconds; there must be a reference."""
        return PairScored(
            score=self.score.at(east, north),
            curve=self.score.curve(east, north),
            difference=self.score.difference(east, north) if difference else None,
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Wanted:
    """The pair to be looked at.

    Parameters
    ----------
    reference : Cube, Image or Catalogue, optional
        By its header.
    moving : Cube or Image
        By its header.
    base, offset : tuple of float
        Where the two stand: corrections (east, north) in arcsec.
    image : PairImage
        Which image of each.
    reach_arcsec : float
        How far around the moving image the reference is used.
    """

    reference: Cube | Image | Catalogue | None
    moving: Cube | Image
    base: tuple[float, float] = (0.0, 0.0)
    offset: tuple[float, float] = (0.0, 0.0)
    image: PairImage = PairImage()
    reach_arcsec: float = 3.0


def make_pair(wanted: Wanted, *, progress: Progress = silent) -> PairImages:
    """Make the images of a pair, and prepare its score.

    Raises
    ------
    KmosError
        If the two do not lie on each other, one has no data, or a window holds no plane.
    """
    moving = image_of(wanted.moving, wanted.image, progress=progress)
    if wanted.reference is None:
        return PairImages(moving=moving)
    reference = reference_near(wanted, moving, progress)
    score = PairScore(reference, moving, reach_arcsec=wanted.reach_arcsec)
    return PairImages(reference=reference, moving=moving, score=score, scale=score.best_near(*wanted.offset))


def reference_near(wanted: Wanted, moving: Image, progress: Progress) -> Image:
    """Return the part of the reference about an image, with its corrected WCS."""
    if isinstance(wanted.reference, Catalogue):
        return catalogue_image(wanted.reference, moving, reach_arcsec=wanted.reach_arcsec)
    right = dataclasses.replace(wanted.reference, wcs=shift_wcs(wanted.reference.wcs, *wanted.base))
    is_known = isinstance(right, Cube) and wanted.image.kind == WHITE and has_white_light(right)
    part = right if is_known or isinstance(right, Image) else _cut(right, moving, wanted.reach_arcsec)
    near = image_of(part, wanted.image, progress=progress)
    return cut_near(near, moving, reach_arcsec=wanted.reach_arcsec)


def prepare() -> None:
    """Import what the first pair would wait for; to be called in a thread."""
    import photutils.detection  # noqa: F401


def image_of(product: Cube | Image, image: PairImage, *, progress: Progress = silent) -> Image:
    """Return an image of a cube; of an image, itself."""
    if isinstance(product, Image):
        return product
    progress(0, 1, f"{image.kind} of {product.label}")
    if image.kind == WHITE:
        return white_light(product, progress=progress)
    if image.kind == BAND:
        return collapse_mean(product, window=image.window_um * u.um)
    chosen = {"line_um": image.window_um, "continuum_um": image.continuum_um}
    return make_maps(product, **chosen, parameters=MapParameters(moments=()), progress=progress).line


def _cut(cube: Cube, moving: Image, reach_arcsec: float) -> Cube:
    """Cut the part of a cube about an image, so that of a mosaic little is read; what lies elsewhere is told later."""
    window = window_near(field_of(cube), field_of(moving), reach_arcsec=reach_arcsec)
    return cube if window is None else crop_cube(cube, rows=window[0], columns=window[1])
