"""Ranges where the sky disturbs."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.instrument import BANDS
from napari_kmos.spectral.oh import sky_lines
from napari_kmos.spectral.sky_ranges import airglow_ranges, telluric_ranges
from napari_kmos.spectral.windows import in_windows


@pytest.mark.parametrize("band", ["IZ", "YJ", "H", "K"])
def test_bright_airglow_lies_in_ranges_that_do_not_touch(band: str):
    span = BANDS[band].start_um, BANDS[band].end_um
    ranges = airglow_ranges(*span)
    edges = np.array(ranges).ravel()
    assert np.all(np.diff(edges) > 0)
    lines = sky_lines(span, faintest=0.03)
    assert in_windows(lines.wavelength_um, ranges).all()
    assert np.diff(edges)[::2].sum() < 0.75 * (span[1] - span[0])


def test_between_airglow_lines_there_are_no_ranges():
    known = sky_lines((2.0, 2.2), faintest=0.0).wavelength_um
    place = int(np.argmax(np.diff(known)))
    assert airglow_ranges(known[place] + 1e-6, known[place + 1] - 1e-6) == ()


@pytest.mark.parametrize(("wavelength_um", "absorbs"), [(1.38, True), (1.85, True), (2.01, True), (2.2, False)])
def test_water_and_carbon_dioxide_absorb(wavelength_um: float, absorbs: bool):
    assert in_windows(np.array([wavelength_um]), telluric_ranges(0.8, 2.5))[0] == absorbs
