import dataclasses
from collections.abc import Callable
from pathlib import Path

import factories
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_kmos._napari.apertures import ApertureSync
from napari_kmos._napari.commands import switch_layout
from napari_kmos._napari.points import points_layer, read_points
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.session import session_of
from napari_kmos.aperture import Aperture
from napari_kmos.errors import KmosWarning
from napari_kmos.spatial.wcs import pixel_to_sky

ROTATED = factories.make_wcs(rotation_deg=30.0)


def star(id_: str, y: float, x: float, **facts: object) -> Aperture:
    ra, dec = pixel_to_sky(ROTATED, y, x)
    return Aperture(**{"id": id_, "ra": ra, "dec": dec, "radius_arcsec": 0.35, **facts})


@pytest.fixture
def viewer(exposure_file: Callable[..., Path]) -> ViewerModel:
    viewer = ViewerModel()
    add_file(viewer, exposure_file(ifus=(5,), wcs=ROTATED))
    return viewer


@pytest.fixture
def sync(viewer: ViewerModel) -> ApertureSync:
    sync = ApertureSync(viewer, session_of(viewer))
    sync.follow()
    return sync


def positions(apertures: tuple[Aperture, ...]) -> list[tuple[str, str, float, float, float]]:
    return [(one.id, one.kind, one.ra, one.dec, one.radius_arcsec) for one in apertures]


def test_apertures_lie_on_their_spaxels_as_large_as_they_are(viewer: ViewerModel, sync: ApertureSync):
    sync.show([star("A", 4.3, 8.7), star("B", 9.2, 3.6, radius_arcsec=0.5), star("empty", 1.0, 2.0, kind="sky")])
    stars, sky = points_layer(viewer, "star"), points_layer(viewer, "sky")
    drawn = [viewer.layers[0].world_to_data((0, *place))[1:] for place in stars.data]
    np.testing.assert_allclose(drawn, [(4.3, 8.7), (9.2, 3.6)], atol=1e-4)
    assert list(stars.size) == pytest.approx([0.7, 1.0])
    assert (stars.name, sky.name, list(sky.features["id"])) == ("stars", "sky areas", ["empty"])
    assert stars.units == viewer.layers[0].units[1:]


def test_circles_and_names_are_seen_on_the_canvas_of_each_theme(viewer: ViewerModel, sync: ApertureSync):
    viewer.theme = "light"
    sync.show([star("A", 4.3, 8.7), star("empty", 1.0, 2.0, kind="sky")])
    layers = [points_layer(viewer, kind) for kind in ("star", "sky")]

    def contrasts(ground: float) -> list[float]:
        """Of WCAG 2: 3 is enough for marks and large letters."""
        drawn = [colour for layer in layers for colour in (*layer.border_color, layer.text.color.constant)]
        lights = [np.dot(np.power(colour[:3], 2.2), (0.2126, 0.7152, 0.0722)) for colour in drawn]
        return [(max(light, ground) + 0.05) / (min(light, ground) + 0.05) for light in lights]

    assert min(*contrasts(1.0), *contrasts(0.0)) > 3  # on the canvas, and on an image
    viewer.theme = "dark"
    assert min(contrasts(0.0)) > 10
    layers[1].add(layers[1].data[:1] + 0.5)
    assert min(contrasts(0.0)) > 10


def test_what_is_shown_is_what_is_read(viewer: ViewerModel, sync: ApertureSync):
    apertures = (star("A", 4.3, 8.7, extra={"K": 11.2}), star("sky", 1.0, 2.0, kind="sky"))
    sync.show(apertures)
    found = read_points(viewer, sync.session.apertures)
    for one, other in zip(found, apertures, strict=True):
        assert (one.id, one.kind, one.radius_arcsec, dict(one.extra)) == (
            other.id,
            other.kind,
            pytest.approx(other.radius_arcsec),
            dict(other.extra),
        )
        assert (one.ra, one.dec) == pytest.approx((other.ra, other.dec), abs=1e-9)


def test_points_added_moved_and_removed_in_the_viewer_reach_the_session(viewer: ViewerModel, sync: ApertureSync):
    sync.begin_adding("star")
    layer = points_layer(viewer, "star")
    layer.add([0.3, -0.2])
    layer.add([0.8, 0.5])
    assert [one.id for one in sync.session.apertures] == ["1", "2"]
    before = sync.session.apertures[1]
    layer.selected_data = {1}
    layer._move({1}, np.array([0.8, 0.5]))  # what napari calls while the mouse is moved
    layer._move({1}, np.array([0.8, 0.1]))
    after = sync.session.apertures[1]
    east = (after.ra - before.ra) * np.cos(np.deg2rad(before.dec)) * 3600
    assert (east, (after.dec - before.dec) * 3600) == pytest.approx((0.4, 0.0), abs=1e-4)
    assert sync.session.selected == ("2",)
    layer.selected_data = {0}
    layer.remove_selected()
    assert [one.id for one in sync.session.apertures] == ["2"]
    layer.add([0.0, 0.0])
    assert [one.id for one in sync.session.apertures] == ["2", "1"]


def test_no_two_apertures_have_the_same_id(viewer: ViewerModel, sync: ApertureSync):
    sync.show([star("A", 4.3, 8.7), star("B", 9.2, 3.6)])
    sync.rename("B", "A")
    assert [one.id for one in sync.session.apertures] == ["A", "A-2"]
    sync.add([star("A", 2.0, 2.0, kind="sky")])
    assert [one.id for one in sync.session.apertures] == ["A", "A-2", "A-3"]
    assert sync.session.selected == ()
    sync.select(("A-3",))
    assert viewer.layers.selection.active is points_layer(viewer, "sky")


def test_what_lies_on_the_far_side_of_the_sky_is_left_out_and_named(sync: ApertureSync):
    in_hours = dataclasses.replace(star("B", 9.2, 3.6), ra=factories.RA / 15)
    with pytest.warns(KmosWarning, match="more than 90 degrees from the cubes: 1 aperture, the first 'B'"):
        sync.add([star("A", 4.3, 8.7), in_hours])
    assert [one.id for one in sync.session.apertures] == ["A"]


def test_the_radius_is_that_of_the_selected_and_the_new(viewer: ViewerModel, sync: ApertureSync):
    sync.show([star("A", 4.3, 8.7), star("B", 9.2, 3.6)])
    sync.select(("B",))
    sync.resize(0.6)
    assert [one.radius_arcsec for one in sync.session.apertures] == pytest.approx([0.35, 0.6])
    points_layer(viewer, "star").add([0.0, 0.0])
    assert sync.session.apertures[-1].radius_arcsec == pytest.approx(0.6)


def test_apertures_stay_on_their_stars_when_the_layout_is_switched(viewer: ViewerModel, sync: ApertureSync):
    sync.show([star("A", 4.3, 8.7)])
    before = positions(sync.session.apertures)
    switch_layout(viewer)
    (place,) = points_layer(viewer, "star").data
    np.testing.assert_allclose(viewer.layers[0].world_to_data((0, *place))[1:], (4.3, 8.7), atol=1e-4)
    assert positions(sync.session.apertures) == [pytest.approx(one, abs=1e-9) for one in before]


def test_apertures_are_kept_when_their_cube_is_closed_and_another_is_opened(
    viewer: ViewerModel, sync: ApertureSync, exposure_file: Callable[..., Path]
):
    sync.show([star("A", 4.3, 8.7)])
    before = positions(sync.session.apertures)
    viewer.layers.remove(viewer.layers[0])
    sync.follow()
    assert positions(sync.session.apertures) == before
    # Another origin on the canvas, the same star in the field.
    elsewhere = factories.make_wcs(ra=factories.RA + 0.4 / 3600, rotation_deg=-10.0)
    add_file(viewer, exposure_file("other.fits", ifus=(7,), wcs=elsewhere))
    sync.follow()
    assert positions(sync.session.apertures) == [pytest.approx(one, abs=1e-9) for one in before]
    (place,) = points_layer(viewer, "star").data
    assert pixel_to_sky(elsewhere, *viewer.layers[-1].world_to_data((0, *place))[1:]) == pytest.approx(
        before[0][2:4], abs=1e-7
    )


def test_a_layer_that_is_deleted_takes_its_apertures_along(viewer: ViewerModel, sync: ApertureSync):
    sync.show([star("A", 4.3, 8.7), star("s1", 1.0, 2.0, kind="sky")])
    viewer.layers.remove(points_layer(viewer, "star"))
    sync.follow()
    assert [one.id for one in sync.session.apertures] == ["s1"]
    viewer.layers.remove(points_layer(viewer, "sky"))
    sync.follow()
    assert sync.session.apertures == ()
    assert sync.selected() == ()
    sync.add([star("B", 4.0, 4.0)])
    assert [one.id for one in sync.session.apertures] == ["B"]
