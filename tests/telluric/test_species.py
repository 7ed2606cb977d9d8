"""Water's part of the absorption."""

from __future__ import annotations

import numpy as np

from napari_kmos.telluric import water_share


def test_share_is_one_where_there_is_only_water():
    wave = np.linspace(0.78, 2.5, 4000)
    share = water_share(wave)
    assert np.all((share >= -1e-9) & (share <= 1 + 1e-9))
    assert np.all(share[(wave > 1.76) & (wave < 1.93)] > 0.99)
    assert np.all(share[(wave > 2.01) & (wave < 2.07)] < 0.15)
