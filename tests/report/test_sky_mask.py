"""The picture of star masks shows every IFU, and outlines what is masked."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.image import AxesImage

from napari_kmos.report.sky_mask import MaskPanel, sky_mask_figure


def panel(title, *, masked=(), shape=(5, 7)):
    """An IFU with stars in some spaxels, and no data in its first row."""
    starlight = np.random.default_rng(1).normal(0, 1, shape)
    sky_mask = np.ones(shape, dtype=bool)
    for place in masked:
        starlight[place] = 100.0
        sky_mask[place] = False
    starlight[0] = np.nan
    sky_mask[0] = False
    return MaskPanel(title=title, starlight=starlight, sky_mask=sky_mask)


def test_every_ifu_has_a_panel_that_tells_its_spaxels():
    panels = [panel(f"IFU {number}", masked=[(2, 3), (2, 4)][: number % 3]) for number in range(1, 9)]
    figure = sky_mask_figure(panels, title="sky.fits")
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in shown[:3]] == [
        "IFU 1\n1 of 28 masked", "IFU 2\n2 of 28 masked", "IFU 3\n0 of 28 masked",
    ]  # fmt: skip
    assert len(shown) == 8
    assert figure.get_suptitle() == "sky.fits"
    assert "tinted where masked" in figure.get_supxlabel()


@pytest.mark.parametrize(
    ("masked", "sides"),
    [([], 0), ([(2, 3)], 4), ([(2, 3), (2, 4)], 6), ([(4, 6)], 4), ([(1, 0), (1, 1)], 6)],
    ids=["none", "one", "two", "corner", "beside no data"],
)
def test_masked_spaxels_are_outlined_together(masked, sides):
    (axes,) = sky_mask_figure([panel("IFU 3", masked=masked)], title="").axes
    assert len(axes.lines) == sides
    if masked:
        places = np.concatenate([line.get_xydata() for line in axes.lines])
        rows, columns = np.array(masked).T
        assert places.min(axis=0) == pytest.approx([columns.min() - 0.5, rows.min() - 0.5])
        assert places.max(axis=0) == pytest.approx([columns.max() + 0.5, rows.max() + 0.5])


def test_masked_spaxels_are_tinted():
    """An outline alone does not say on which side the stars are."""
    (axes,) = sky_mask_figure([panel("IFU 3", masked=[(2, 3), (4, 6)])], title="").axes
    (tint,) = (child for child in axes.get_children() if isinstance(child, QuadMesh))
    assert np.argwhere(~np.ma.getmaskarray(tint.get_array())).tolist() == [[2, 3], [4, 6]]


def test_faint_light_is_told_from_bright():
    """The scatter of the sky takes a part of the range although a star is a hundred times brighter."""
    one = panel("IFU 3", masked=[(2, 3)])
    (axes,) = sky_mask_figure([one], title="").axes
    (image,) = (child for child in axes.get_children() if isinstance(child, AxesImage))
    assert image.origin == "lower"
    dark = image.norm(one.starlight[one.sky_mask])
    assert np.ptp(dark) > 0.2


@pytest.mark.parametrize("value", [np.nan, 0.0], ids=["no data", "constant"])
def test_ifu_with_nothing_to_see_is_drawn(value):
    nothing = MaskPanel(title="IFU 3", starlight=np.full((5, 7), value), sky_mask=np.isfinite(np.full((5, 7), value)))
    figure = sky_mask_figure([nothing], title="")
    figure.canvas.draw()
    assert "0 of" in figure.axes[0].get_title()
