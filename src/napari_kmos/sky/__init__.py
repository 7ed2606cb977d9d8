"""Sky subtraction from a sky cube: methods, their parameters and what they give back."""

from __future__ import annotations

from napari_kmos.sky.choosing import PICKS, SkyChoice, SkySource, sky_options
from napari_kmos.sky.cleaning import CleanedSky, SkyCleaner
from napari_kmos.sky.cleaning_parameters import CleaningParameters
from napari_kmos.sky.comparison import MethodScore, SkyComparison, compare_methods
from napari_kmos.sky.interpolation import subtract_skies
from napari_kmos.sky.methods import (
    DEFAULT_METHOD,
    SKY_METHODS,
    SkyMethod,
    check_pair,
    has_data,
    in_memory,
    subtract_sky,
)
from napari_kmos.sky.pairing import check_sky, choose_sky_cube, nearest_sky
from napari_kmos.sky.parameters import SkyParameters
from napari_kmos.sky.residual_template import SkyTemplate, make_template
from napari_kmos.sky.residuals import IfuResidual, measure_residual, residuals_by_group
from napari_kmos.sky.result import BandFit, GroupFit, LevelFactor, LineShapes, SkyImages, SkyResult, ThermalFit
from napari_kmos.sky.second_pass import SecondPass, choose_emptier, fit_second_pass, subtract_residual
from napari_kmos.sky.second_pass_parameters import SecondPassParameters
from napari_kmos.sky.trying import choose_best, n_trials
from napari_kmos.sky.views import LineMarks, level_places, line_marks

__all__ = [
    "DEFAULT_METHOD", "PICKS", "SKY_METHODS", "BandFit", "CleanedSky", "CleaningParameters", "GroupFit",
    "IfuResidual", "LevelFactor", "LineMarks", "LineShapes", "MethodScore", "SecondPass", "SecondPassParameters",
    "SkyChoice", "SkyCleaner", "SkyComparison", "SkyImages", "SkyMethod", "SkyParameters", "SkyResult", "SkySource",
    "SkyTemplate", "ThermalFit", "check_pair", "check_sky", "choose_best", "choose_emptier", "choose_sky_cube",
    "compare_methods", "fit_second_pass", "has_data", "in_memory", "level_places", "line_marks", "make_template",
    "measure_residual", "n_trials", "nearest_sky", "residuals_by_group", "sky_options", "subtract_residual",
    "subtract_skies", "subtract_sky",
]  # fmt: skip
