"""Combination of exposures on a common grid, with the methods and names of `kmos_combine`."""

from napari_kmos.combine.cubes import CombineResult, NoDataError, combine_cubes
from napari_kmos.combine.methods import COMBINE_METHODS, Combiner
from napari_kmos.combine.parameters import CombineParameters
from napari_kmos.combine.placing import PLACING_METHODS
from napari_kmos.combine.splicing import SpliceParameters, SpliceResult, splice_cubes

__all__ = [
    "COMBINE_METHODS",
    "PLACING_METHODS",
    "CombineParameters",
    "CombineResult",
    "Combiner",
    "NoDataError",
    "SpliceParameters",
    "SpliceResult",
    "combine_cubes",
    "splice_cubes",
]
