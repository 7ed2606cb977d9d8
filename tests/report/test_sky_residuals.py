"""The figure of what is left on the sky lines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy import units as u
from leftover_sky import leftover_exposure

from napari_kmos.report.sky_residuals import residual_figure
from napari_kmos.sky import measure_residual


@pytest.fixture(scope="module")
def residuals():
    return [measure_residual(cube) for cube in leftover_exposure({1: 1.0, 2: 1.0, 9: 0.5}).cubes]


def test_several_ifus_are_drawn_by_detector_and_mapped_by_group(residuals):
    figure = residual_figure(residuals, [residuals[1], None, None], (2, 9), "object.fits")
    spectra, marks, before, after, _ = figure.axes
    assert [text.get_text() for text in spectra.texts] == ["detector 1, IFU 2", "detector 2, IFU 9"]
    assert np.array_equal(spectra.lines[0].get_ydata(), residuals[1].spectrum, equal_nan=True)
    assert [label.get_text() for label in marks.get_yticklabels()][-1] == "9-7"
    names = [label.get_text() for label in before.get_xticklabels()]
    image = before.images[0].get_array()
    assert image.shape == (3, len(names))
    group = next(group for group in residuals[2].groups if group.group == "9-7 low")
    assert image[2, names.index("9-7 low")] == pytest.approx(group.mean)
    assert np.isnan(np.asarray(after.images[0].get_array())[1:]).all()
    assert names[-2:] == ["other", "edge"]


def test_the_unit_is_named_where_it_is_known(residuals):
    figure = residual_figure(residuals, [None] * 3, (), "object.fits", unit=u.Unit("adu / s"))
    assert figure.axes[0].get_ylabel().startswith("left in spaxels without stars (adu / s)")
    figure = residual_figure(residuals, [None] * 3, (), "object.fits")
    assert figure.axes[0].get_ylabel().startswith("left in spaxels without stars\n")


def test_groups_of_one_ifu_alone_stand_before_planes_of_no_line(residuals):
    """Which groups an IFU has depends on its planes with data."""
    first = dataclasses.replace(residuals[0], groups=residuals[0].groups[1:])
    figure = residual_figure([first, residuals[1]], [None] * 2, (), "object.fits")
    names = [label.get_text() for label in figure.axes[2].get_xticklabels()]
    assert set(names[-2:]) == {"other", "edge"}


def test_one_cube_has_bars(residuals):
    figure = residual_figure(residuals[:1], [None], (), "combined.fits")
    _, _, bars = figure.axes
    assert len(bars.patches) == len(residuals[0].groups)
    assert figure.get_suptitle() == "combined.fits"
