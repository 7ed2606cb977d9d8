"""Lines to mark and places of levels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sky_pairs import make_pair

from napari_kmos.sky.result import LevelFactor
from napari_kmos.sky.views import level_places, line_marks
from napari_kmos.spectral.oh import sky_lines


@pytest.fixture(scope="module")
def cube():
    return make_pair().target


def test_marks_are_the_bright_lines_of_each_band(cube):
    marks = {mark.name: mark for mark in line_marks(cube)}
    assert {"8-6", "9-7"} <= set(marks)
    assert (marks["9-7"].v, marks["8-6"].v) == (9, 8)
    lines = sky_lines((cube.wavelength_um[0], cube.wavelength_um[-1]))
    brightest = lines.wavelength_um[np.argmax(lines.strength)]
    assert brightest in np.concatenate([mark.wavelength_um for mark in marks.values()])
    for mark in marks.values():
        assert mark.strength.min() >= 0.03
        assert np.all(np.diff(mark.wavelength_um) >= 0)
        assert cube.wavelength_um[0] <= mark.wavelength_um[0] <= mark.centre_um <= cube.wavelength_um[-1]
    assert len(line_marks(cube, faintest=0.5)) < len(marks)


def test_marks_are_in_the_medium_of_the_cube(cube):
    in_vacuum, in_air = line_marks(cube), line_marks(dataclasses.replace(cube, medium="air"))
    pairs = {mark.name: mark for mark in in_air}
    moved = in_vacuum[-1].centre_um - pairs[in_vacuum[-1].name].centre_um
    assert moved == pytest.approx(in_vacuum[-1].centre_um * 2.73e-4, rel=0.01)  # refractive index of air


def test_places_of_levels_grow_with_rotation_and_stay_with_their_vibration():
    levels = [LevelFactor(v=v, n=n, f=f, factor=1.0, error=0.1, light=1.0) for v, n, f in PLACES]
    found = level_places(levels)
    assert np.all(np.diff(found[:4]) > 0)
    assert np.all(np.abs(found - [level.v for level in levels]) < 0.5)
    assert found[-1] == -2


PLACES = [(8, 1, 1), (8, 1, 2), (8, 2, 1), (8, 17, 2), (0, 35, 0), (-2, 0, 0)]
