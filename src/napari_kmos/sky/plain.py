"""Object minus sky, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.sky._apply import SkyModel
from napari_kmos.sky._evidence import build_result, find_evidence
from napari_kmos.sky._lines import FactorFit, band_pieces
from napari_kmos.sky._resample import WaveResampler

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.sky.parameters import SkyParameters
    from napari_kmos.sky.result import SkyResult


def subtract_plain(cube: Cube, sky: Cube, parameters: SkyParameters) -> SkyResult:
    """Subtract the sky cube from the object cube without any change.

    The bands are reported with the factor 1 and not as fitted, so that the residual can be compared with that of
    other methods.
    """
    evidence = find_evidence(cube, sky, parameters)
    spectra = evidence.spectra
    n_planes = spectra.sky.size
    model = SkyModel(
        WaveResampler(np.arange(n_planes, dtype=float)), np.ones(n_planes), np.zeros(n_planes), np.zeros(n_planes)
    )
    fits = tuple(FactorFit(float("nan"), int(np.count_nonzero(piece.lines))) for _, _, piece in band_pieces(spectra))
    return build_result(cube, sky, evidence, model, (fits, model.scale), method="plain", shifts_pix=np.zeros(n_planes))
