"""Offsets of exposures: what to add to their header WCS so that the stars fall on each other."""

from napari_kmos.align.displacement import correction_arcsec, displacement_pix
from napari_kmos.align.images import white_light
from napari_kmos.align.methods import OFFSET_METHODS, NoReferenceError, measure_offsets
from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.single import measure_offset

__all__ = [
    "OFFSET_METHODS",
    "AlignParameters",
    "NoReferenceError",
    "correction_arcsec",
    "displacement_pix",
    "measure_offset",
    "measure_offsets",
    "white_light",
]
