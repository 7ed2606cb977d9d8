"""Combination of exposures on a common grid, with the methods and names of `kmos_combine`."""

from napari_kmos.combine.cubes import CombineResult, NoDataError, combine_cubes
from napari_kmos.combine.methods import COMBINE_METHODS, Merged, can_reject, merge
from napari_kmos.combine.parameters import CombineParameters
from napari_kmos.combine.parts import Part
from napari_kmos.combine.placing import PLACING_METHODS
from napari_kmos.combine.splicing import SpliceParameters, SpliceResult, splice_cubes

__all__ = [
    "COMBINE_METHODS",
    "PLACING_METHODS",
    "CombineParameters",
    "CombineResult",
    "Merged",
    "NoDataError",
    "Part",
    "SpliceParameters",
    "SpliceResult",
    "can_reject",
    "combine_cubes",
    "merge",
    "splice_cubes",
]
