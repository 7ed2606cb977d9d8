"""Offsets of exposures: what to add to their header WCS so that the stars fall on each other."""

from napari_kmos.align.catalogue import check_magnitudes, check_overlap, measure_by_catalogue
from napari_kmos.align.displacement import correction_arcsec, displacement_pix
from napari_kmos.align.images import white_light
from napari_kmos.align.methods import OFFSET_METHODS, NoReferenceError, measure_offsets
from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.rotation import Rotation, StarField, Stars, catalogue_stars, fit_rotation, locate_stars
from napari_kmos.align.single import measure_offset
from napari_kmos.align.star_lists import measure_by_stars

__all__ = [
    "OFFSET_METHODS",
    "AlignParameters",
    "NoReferenceError",
    "Rotation",
    "StarField",
    "Stars",
    "catalogue_stars",
    "check_magnitudes",
    "check_overlap",
    "correction_arcsec",
    "displacement_pix",
    "fit_rotation",
    "locate_stars",
    "measure_by_catalogue",
    "measure_by_stars",
    "measure_offset",
    "measure_offsets",
    "white_light",
]
