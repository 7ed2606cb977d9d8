"""What a notebook shows of cubes, images and exposures."""

from __future__ import annotations

import numpy as np
from factories import make_exposure, make_wcs

from napari_kmos.cube import Image


def test_what_is_shown_is_short():
    exposure = make_exposure(ifus=(3, 5), shape=(30, 5, 6))
    first, second, third = repr(exposure).splitlines()
    assert first.startswith("<Exposure ")
    assert "exposure" in first
    assert second.strip().startswith("<Cube IFU 3 ")
    assert "30 x 5 x 6, 1.9" in third
    assert third.endswith(", with noise>")
    image = Image(data=np.zeros((4, 7)), wcs=make_wcs(), name="star")
    assert repr(image) == "<Image star: 4 x 7, unknown unit>"
