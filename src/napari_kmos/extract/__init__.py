"""From a cube to the spectra of its stars."""

from napari_kmos.extract.aperture import extract_aperture
from napari_kmos.extract.crowded import extract_psf
from napari_kmos.extract.footprint import Footprint, draw_footprints, footprints
from napari_kmos.extract.methods import EXTRACT_METHODS, PSF_METHODS, ExtractMethod
from napari_kmos.extract.parameters import ExtractParameters, PsfParameters
from napari_kmos.extract.placing import apertures_around, apertures_inside, overlapping_apertures
from napari_kmos.extract.spectra import extract_sky, extract_spectra, extract_with_residual
from napari_kmos.extract.usable import split_usable

__all__ = [
    "EXTRACT_METHODS",
    "PSF_METHODS",
    "ExtractMethod",
    "ExtractParameters",
    "Footprint",
    "PsfParameters",
    "apertures_around",
    "apertures_inside",
    "draw_footprints",
    "extract_aperture",
    "extract_psf",
    "extract_sky",
    "extract_spectra",
    "extract_with_residual",
    "footprints",
    "overlapping_apertures",
    "split_usable",
]
