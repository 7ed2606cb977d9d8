"""Sky subtraction from a sky cube: methods, their parameters and what they give back."""

from __future__ import annotations

from napari_kmos.sky.methods import DEFAULT_METHOD, SKY_METHODS, SkyMethod, check_pair, has_data, subtract_sky
from napari_kmos.sky.pairing import check_sky, choose_sky_cube, nearest_sky
from napari_kmos.sky.parameters import SkyParameters
from napari_kmos.sky.result import BandFit, GroupFit, SkyResult, ThermalFit

__all__ = [
    "DEFAULT_METHOD", "SKY_METHODS", "BandFit", "GroupFit", "SkyMethod", "SkyParameters", "SkyResult", "ThermalFit",
    "check_pair", "check_sky", "choose_sky_cube", "has_data", "nearest_sky", "subtract_sky",
]  # fmt: skip
