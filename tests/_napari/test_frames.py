import factories
import numpy as np
import pytest

from napari_kmos._napari.frames import Frame, frame_at, is_scattered, sheet_frames, sky_frame
from napari_kmos.spatial.wcs import pixel_to_sky

SHAPE = (13, 15)


def field(east_arcsec: float = 0.0, north_arcsec: float = 0.0, rotation_deg: float = 0.0):
    ra = factories.RA + east_arcsec / 3600 / np.cos(np.deg2rad(factories.DEC))
    return factories.make_wcs(ra=ra, dec=factories.DEC + north_arcsec / 3600, rotation_deg=rotation_deg), SHAPE


@pytest.mark.parametrize("rotation_deg", [0.0, 33.0, -171.0])
def test_a_field_is_drawn_where_its_wcs_says(rotation_deg: float):
    frame = Frame(factories.RA + 0.01, factories.DEC - 0.005, 3.0, -7.0)
    wcs, shape = field(4.0, -9.0, rotation_deg)
    scale, matrix = frame.transform((wcs, shape))
    corners = np.array([[0, 0], [0, 14], [12, 0], [12, 14], [3.5, 8.25]])
    drawn = corners * scale @ matrix[:2, :2].T + matrix[:2, 2]
    expected = np.stack(frame.to_canvas(*pixel_to_sky(wcs, corners[:, 0], corners[:, 1])), axis=1)
    # The two tangent planes differ by 36 arcsec: over 3 arcsec the field bends by less than a millionth of that.
    np.testing.assert_allclose(drawn, expected, atol=1e-5)
    assert scale == pytest.approx(0.2, abs=1e-6)


def test_north_is_up_and_east_is_left():
    frame = Frame(factories.RA, factories.DEC)
    y, x = frame.to_canvas(factories.RA, factories.DEC + 1 / 3600)
    assert (y, x) == pytest.approx((-1.0, 0.0), abs=1e-8)  # napari draws y downwards
    y, x = frame.to_canvas(factories.RA + 1 / 3600 / np.cos(np.deg2rad(factories.DEC)), factories.DEC)
    assert (y, x) == pytest.approx((0.0, -1.0), abs=1e-5)


def test_canvas_positions_convert_to_sky_and_back():
    frame = Frame(359.9999, -60.0, 3.0, 4.0)
    ra, dec = frame.to_sky(np.array([3.0, 5.5]), np.array([4.0, -8.25]))
    np.testing.assert_allclose(frame.to_canvas(ra, dec), [[3.0, 5.5], [4.0, -8.25]], atol=1e-8)


def test_arms_within_an_arcminute_are_drawn_on_the_sky_those_beyond_are_scattered():
    assert not is_scattered([field(), field(20.0, -30.0)])
    assert is_scattered([field(), field(20.0, -30.0), field(50.0, 50.0)])


def test_further_files_join_the_sky_in_use_unless_they_show_another():
    sky = sky_frame([field(), field(10.0, 4.0)])
    assert sky_frame([field(100.0, 0.0)], [sky]) is sky
    elsewhere = sky_frame([field(0.0, 7200.0)], [sky])
    assert elsewhere.dec == pytest.approx(factories.DEC + 2, abs=1e-3)


def test_cells_of_the_sheet_keep_apart_and_a_target_keeps_its_cell():
    fields = [field(200.0 * n, -90.0 * n, 10.0 * n) for n in range(5)]
    frames = sheet_frames(fields)
    places = np.array([(frame.y, frame.x) for frame in frames])
    apart = np.abs(places[:, None] - places[None]).max(axis=-1)[~np.eye(5, dtype=bool)]
    assert apart.min() > 3.0  # 15 spaxels of 0.2 arcsec
    dithered, new = field(200.5, -90.3), field(5000.0, 0.0)
    again = sheet_frames([dithered, new], frames)
    assert again[0] is frames[1]
    assert again[1].y > places[:, 0].max() + 3.0


def test_a_canvas_position_belongs_to_the_cell_it_lies_in():
    frames = sheet_frames([field(200.0 * n) for n in range(4)])
    assert frame_at(frames, frames[2].y + 1.2, frames[2].x - 1.3) is frames[2]
