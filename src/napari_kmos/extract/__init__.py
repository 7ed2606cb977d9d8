"""From a cube to the spectra of its stars."""

from napari_kmos.extract.aperture import extract_aperture
from napari_kmos.extract.methods import EXTRACT_METHODS, ExtractMethod
from napari_kmos.extract.parameters import ExtractParameters
from napari_kmos.extract.placing import apertures_inside
from napari_kmos.extract.spectra import extract_sky, extract_spectra

__all__ = [
    "EXTRACT_METHODS",
    "ExtractMethod",
    "ExtractParameters",
    "apertures_inside",
    "extract_aperture",
    "extract_sky",
    "extract_spectra",
]
