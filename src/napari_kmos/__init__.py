"""Finish KMOS data: sky, offsets, combination and star spectra, in napari, notebooks and scripts.

Names are loaded when first used: ``import napari_kmos`` and the command line start at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from napari_kmos._version import __version__

if TYPE_CHECKING:
    from napari_kmos.align import measure_offsets
    from napari_kmos.aperture import Aperture
    from napari_kmos.combine import combine_cubes, splice_cubes
    from napari_kmos.cube import Cube, Image
    from napari_kmos.errors import KmosError, KmosWarning
    from napari_kmos.exposure import Arm, Exposure
    from napari_kmos.extract import extract_spectra
    from napari_kmos.io import (
        read_apertures,
        read_cube,
        read_exposure,
        read_images,
        read_line_list,
        read_offsets,
        read_spectrum,
        read_template,
        write_apertures,
        write_cube,
        write_exposure,
        write_offsets,
        write_spectrum,
    )
    from napari_kmos.measure import (
        fit_lines,
        late_template,
        measure_star,
        normalise,
        smooth_spectrum,
        velocity_by_template,
    )
    from napari_kmos.offset import Offset
    from napari_kmos.simulate import simulate_night
    from napari_kmos.sky import subtract_sky
    from napari_kmos.spatial.crop import crop_cube
    from napari_kmos.spectral import collapse_median, make_maps, measure_snr
    from napari_kmos.spectrum import StarSpectrum

__all__ = [
    "Aperture",
    "Arm",
    "Cube",
    "Exposure",
    "Image",
    "KmosError",
    "KmosWarning",
    "Offset",
    "StarSpectrum",
    "__version__",
    "collapse_median",
    "combine_cubes",
    "crop_cube",
    "extract_spectra",
    "fit_lines",
    "late_template",
    "make_maps",
    "measure_offsets",
    "measure_snr",
    "measure_star",
    "normalise",
    "read_apertures",
    "read_cube",
    "read_exposure",
    "read_images",
    "read_line_list",
    "read_offsets",
    "read_spectrum",
    "read_template",
    "simulate_night",
    "smooth_spectrum",
    "splice_cubes",
    "subtract_sky",
    "velocity_by_template",
    "write_apertures",
    "write_cube",
    "write_exposure",
    "write_offsets",
    "write_spectrum",
]

_HOMES = {
    "align": ("measure_offsets",),
    "aperture": ("Aperture",),
    "combine": ("combine_cubes", "splice_cubes"),
    "cube": ("Cube", "Image"),
    "errors": ("KmosError", "KmosWarning"),
    "exposure": ("Arm", "Exposure"),
    "extract": ("extract_spectra",),
    "io": tuple(name for name in __all__ if name.startswith(("read_", "write_"))),
    "measure": (
        "fit_lines",
        "late_template",
        "measure_star",
        "normalise",
        "smooth_spectrum",
        "velocity_by_template",
    ),
    "offset": ("Offset",),
    "simulate": ("simulate_night",),
    "sky": ("subtract_sky",),
    "spatial.crop": ("crop_cube",),
    "spectral": ("collapse_median", "make_maps", "measure_snr"),
    "spectrum": ("StarSpectrum",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from the module it lives in."""
    if name not in _HOME_OF:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
