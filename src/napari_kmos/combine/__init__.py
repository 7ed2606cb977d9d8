"""Combination of exposures on a common grid, with the methods and names of `kmos_combine`."""

from napari_kmos.combine.agreement import NoDataError
from napari_kmos.combine.cubes import CombineResult, combine_cubes
from napari_kmos.combine.methods import COMBINE_METHODS, Merged, can_reject, merge
from napari_kmos.combine.parameters import CombineParameters
from napari_kmos.combine.parts import Part
from napari_kmos.combine.placing import PLACING_METHODS
from napari_kmos.combine.scatter import Scatter
from napari_kmos.combine.splicing import SpliceParameters, SpliceResult, splice_cubes
from napari_kmos.combine.streaming import CombinePass
from napari_kmos.combine.versus import Versus
from napari_kmos.combine.versus_result import Comparison, VersusParameters

__all__ = [
    "COMBINE_METHODS",
    "PLACING_METHODS",
    "CombineParameters",
    "CombinePass",
    "CombineResult",
    "Comparison",
    "Merged",
    "NoDataError",
    "Part",
    "Scatter",
    "SpliceParameters",
    "SpliceResult",
    "Versus",
    "VersusParameters",
    "can_reject",
    "combine_cubes",
    "merge",
    "splice_cubes",
]
