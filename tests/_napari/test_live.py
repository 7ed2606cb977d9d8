"""Live spectra: those of the extraction, whatever they are read from."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import factories
import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_kmos._napari import live
from napari_kmos._napari.layers import kmos_of
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.widgets.live_plot import LivePlot
from napari_kmos.aperture import Aperture
from napari_kmos.extract import ExtractParameters, extract_spectra
from napari_kmos.progress import Cancelled
from napari_kmos.spatial.wcs import pixel_to_sky
from napari_kmos.summary import index, is_indexed

FIELDS = ("flux", "noise", "sky", "coverage")


def star_at(id_: str, y: float, x: float, kind: str = "star") -> Aperture:
    ra, dec = pixel_to_sky(factories.make_wcs(), y, x)
    return Aperture(id=id_, kind=kind, ra=ra, dec=dec, radius_arcsec=0.35)


STARS = (star_at("A", 4.3, 8.7), star_at("B", 9.2, 3.6))
SKY = star_at("s", 2.0, 2.0, kind="sky")


@pytest.fixture
def viewer(exposure_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ViewerModel:
    monkeypatch.setenv("NAPARI_KMOS_CACHE", str(tmp_path / "cache"))
    viewer = ViewerModel()
    add_file(viewer, exposure_file(ifus=(5,)))
    return viewer


@pytest.fixture
def as_if_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every cube as one that is too large to be kept."""
    monkeypatch.setattr("napari_kmos._napari.live._SMALL_BYTES", 0)
    monkeypatch.setattr("napari_kmos.extract.reading._WHOLE_BYTES", 0)
    monkeypatch.setattr("napari_kmos.summary.medians.LARGE_BYTES", 0)


def spectra(viewer: ViewerModel, **sky: object) -> tuple:
    return live.spectra_of(live.cubes_as_seen(viewer), STARS, [SKY], ExtractParameters(**sky))


@pytest.mark.parametrize("sky", ["annulus", "areas", "none"])
def test_spectra_are_the_same_bit_for_bit_with_and_without_the_copy(viewer: ViewerModel, as_if_large: None, sky: str):
    (cube,) = live.cubes_as_seen(viewer)
    before = spectra(viewer, sky=sky)
    assert not is_indexed(cube)
    index(cube)
    assert is_indexed(cube)
    after = spectra(viewer, sky=sky)
    for one, other in zip(before, after, strict=True):
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_noise_that_is_missing_is_estimated_around_the_star_until_it_is_known_of_the_whole_cube(
    exposure_file: Callable[..., Path], viewer: ViewerModel, as_if_large: None
):
    viewer.layers.clear()
    add_file(viewer, exposure_file("quiet.fits", ifus=(5,), noise=None, sigma=1.0, shape=(60, 13, 15)))
    (cube,) = live.cubes_as_seen(viewer)
    expected = extract_spectra(cube, STARS)
    for found, one in zip(spectra(viewer), expected, strict=True):
        np.testing.assert_array_equal(found.noise, one.noise)
    index(cube)
    for found, one in zip(spectra(viewer), expected, strict=True):
        np.testing.assert_array_equal(found.flux, one.flux)
        assert found.noise_estimated
        # The field is smaller than the surroundings of a star: both are estimated from the whole.
        np.testing.assert_allclose(found.noise, one.noise, rtol=1e-5)


def test_spectra_of_small_cubes_kept_in_memory_are_those_of_the_extraction(viewer: ViewerModel):
    (cube,) = live.cubes_as_seen(viewer)
    for found, expected in zip(spectra(viewer), extract_spectra(cube, STARS), strict=True):
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_a_sky_area_shows_its_own_light(viewer: ViewerModel):
    cubes = live.cubes_as_seen(viewer)
    (found,) = live.spectra_of(cubes, [SKY], [SKY], ExtractParameters())
    # The background of the factory, over the area of the circle; the noise of some 10 spaxels.
    assert np.median(found.flux / found.area_pix) == pytest.approx(10, abs=0.5)


def test_what_is_kept_in_memory_is_bounded(
    viewer: ViewerModel, exposure_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    for number in range(4):
        add_file(viewer, exposure_file(f"more{number}.fits", ifus=(7,)))
    n_bytes = 8 * 40 * 13 * 15
    monkeypatch.setattr("napari_kmos._napari.live._KEPT_BYTES", 2 * n_bytes)
    live._loaded.clear()
    for cube in live.cubes_as_seen(viewer):
        live.spectra_of([cube], STARS, [], ExtractParameters())
    assert len(live._loaded) == 2


def test_the_reading_of_a_large_cube_can_be_given_up(viewer: ViewerModel, as_if_large: None):
    def stop(done: int, total: int, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        live.spectra_of(live.cubes_as_seen(viewer), STARS, [], ExtractParameters(), progress=stop)


def test_as_much_as_may_be_held_is_read_ahead_of_a_star_and_of_where_it_is_dragged(
    viewer: ViewerModel, exposure_file: Callable[..., Path], as_if_large: None, monkeypatch: pytest.MonkeyPatch
):
    viewer.layers.clear()
    add_file(viewer, exposure_file("wide.fits", ifus=(5,), shape=(10, 60, 70)))
    monkeypatch.setattr("napari_kmos.io.source.HELD_BYTES", 8 * 10 * 40**2)  # flux and noise of 40 x 40 spaxels
    cubes = live.cubes_as_seen(viewer)
    how = ExtractParameters()

    def ahead(y: float, x: float, before: live.Box | None = None) -> live.Box | None:
        ra, dec = pixel_to_sky(cubes[0].wcs, y, x)
        star = Aperture(id="A", ra=float(ra), dec=float(dec), radius_arcsec=0.4)  # its ring reaches 6 spaxels far
        found = live.ahead_of(cubes, star, how, before=before)
        if found is not None:
            live.read_ahead(*found)
            assert live.ahead_of(cubes, star, how) is None
        return None if found is None else found[1]

    first = ahead(30.3, 30.3)
    assert first == (slice(11, 51), slice(11, 51))
    assert ahead(30.3, 32.3, first) is None  # most of the way to the edge is left
    assert ahead(30.3, 36.3, first) == (slice(10, 50), slice(21, 61))  # where it goes to
    assert ahead(50.3, 20.3, first) == (slice(31, 60), slice(1, 41))  # not dragged there
    assert live.ahead_of(cubes, Aperture(id="B", ra=0.0, dec=0.0, radius_arcsec=0.4), how) is None


def test_a_file_that_vanishes_is_told_in_the_plot_and_spectra_come_back_with_it(
    viewer: ViewerModel, as_if_large: None, qtbot: QtBot
):
    path = kmos_of(viewer.layers[0]).path
    plot, said = LivePlot(), []
    qtbot.addWidget(plot)
    plot.answered.connect(said.append)
    cubes = live.cubes_as_seen(viewer)

    def ask() -> None:
        plot.request(STARS, partial(live.spectra_of, cubes, STARS, [], ExtractParameters()))

    ask()
    qtbot.waitUntil(lambda: len(said) == 1, timeout=10_000)
    assert [one.aperture.id for one in plot.spectra] == ["A", "B"]
    path.rename(path.with_suffix(".away"))
    ask()
    qtbot.waitUntil(lambda: len(said) == 2, timeout=10_000)
    assert (plot.spectra, plot.names) == ((), ())
    assert "exposure.fits: changed or vanished since it was opened" in said[1]
    path.with_suffix(".away").rename(path)
    ask()
    qtbot.waitUntil(lambda: len(said) == 3, timeout=10_000)
    assert len(plot.spectra) == 2
