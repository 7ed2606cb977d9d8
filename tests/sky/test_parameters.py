"""Names and defaults of the parameters, and what they refuse."""

from __future__ import annotations

import dataclasses

import pytest

from napari_kmos.errors import SkyError
from napari_kmos.provenance import descriptions_of
from napari_kmos.sky import SkyParameters


def test_eso_names_and_defaults():
    p = SkyParameters()
    assert (p.tbsub, p.discard_subband, p.stretch) == (True, False, False)
    assert (p.stretch_degree, p.stretch_resampling) == (8, "spline")
    assert (p.min_frac, p.line_hw, p.sky_bkg_filter_width) == (0.8, 4, 12)


def test_every_parameter_is_described():
    described = descriptions_of(SkyParameters)
    assert all(described.get(field.name) for field in dataclasses.fields(SkyParameters))


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"line_hw": 0}, "line_hw is 0; expected 1 or more"),
        ({"max_shift": -1.0}, "max_shift is -1.0; expected more than 0"),
        ({"huber": float("nan")}, "huber is nan; expected a number below 1000000"),
        ({"pick_hours": float("inf")}, "pick_hours is inf; expected a number below"),
        ({"line_sigma": -1.0}, "line_sigma is -1.0; expected 0 or more"),
        ({"voxel_clip": 0.0}, "voxel_clip is 0.0; expected more than 0"),
        ({"continuum_width": 0}, "continuum_width is 0; expected 1 or more"),
        ({"continuum_percentile": 101.0}, "continuum_percentile is 101.0; expected a percentile from 0 to 100"),
        ({"comb_flat": 1.1}, "comb_flat is 1.1; expected a share of at most 1"),
        ({"sky_crowded": -0.1}, "sky_crowded is -0.1; expected 0 or more"),
        ({"min_frac": 1.2}, "min_frac is 1.2; expected a fraction"),
        ({"min_spaxels": 0.5}, "min_spaxels is 0.5 and max_spaxels 0.25"),
        ({"stretch_resampling": "cubic"}, "stretch_resampling is 'cubic'; expected 'spline' or 'linear'"),
    ],
)
def test_values_that_make_no_sense_are_refused(values, match):
    with pytest.raises(SkyError, match=match):
        SkyParameters(**values)
