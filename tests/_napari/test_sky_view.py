"""What the dock *Sky tweak* shows of a subtraction: where it lies on screens of any size, and what it says."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QSplitter, QWidget

from napari_kmos._napari.schemes import DARK, LIGHT, PLAIN, Scheme
from napari_kmos._napari.sky_preview import Preview, PreviewMaker, Wish
from napari_kmos._napari.widgets.parts import Message, Scrolled, SideBySide
from napari_kmos._napari.widgets.sky_mask_page import SkyMaskPage
from napari_kmos._napari.widgets.sky_settings import SkySettings
from napari_kmos._napari.widgets.sky_view import SkyView
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.simulate import simulate
from napari_kmos.session import Session
from napari_kmos.simulate import SimulationParameters
from napari_kmos.sky import SkyParameters

pytestmark = pytest.mark.viewer

#: Room for the view beside the settings, in a window of 1600 x 1000 and of 1280 x 800 with a dock at its right side,
#: and below the settings in a dock at the side.
LARGE, SMALL, NARROW = (790, 340), (480, 290), (382, 503)


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Preview:
    """An IFU with the sky subtracted as it is."""
    parameters = SimulationParameters(ifus=1, exposures=1, epochs=1, skies=1, nz=512, sky_stars=1, seed=3)
    target, sky = simulate(tmp_path_factory.mktemp("night"), parameters=parameters).products
    maker = PreviewMaker()
    ifu = maker.exposure(target).cubes[0].ifu
    wish = {"pick": "nearest", "method": "plain", "parameters": SkyParameters()}
    return maker.make(Wish(target=target, skies=(sky,), ifu=ifu, **wish))


@pytest.fixture
def view(qtbot: QtBot, preview: Preview) -> SkyView:
    qtbot.addWidget(view := SkyView())
    view.resize(*LARGE)
    view.show_preview(preview)
    view.show()
    qtbot.waitExposed(view)
    return view


@pytest.mark.parametrize(
    ("size", "least", "orientation"),
    [
        (LARGE, (400, 125), Qt.Orientation.Horizontal),
        (SMALL, (400, 100), None),
        (NARROW, (350, 80), Qt.Orientation.Vertical),
    ],
)
def test_the_spectra_have_room_on_screens_of_all_sizes(view: SkyView, qtbot: QtBot, size, least, orientation):
    """Beside the tables, among them, or above them; whatever the size was before."""
    for step in (SMALL, LARGE, NARROW, size):
        view.resize(*step)
        qtbot.wait(1)
    plots, tables = view.plots, view.tables
    assert plots.isVisible()
    qtbot.waitUntil(lambda: plots.residual.plot.height() >= least[1])
    assert min(plots.spectra.plot.width(), plots.residual.plot.width()) >= least[0]
    assert (tables.indexOf(plots) == 0) == (orientation is None)
    if orientation is not None:
        parts = view.findChild(SideBySide)
        assert (parts.widget(0), parts.orientation()) == (plots, orientation)


def test_the_user_gives_the_room_to_what_he_looks_at(view: SkyView):
    """Each handle can be dragged until one side is gone."""
    for splitter in view.findChildren(QSplitter):
        splitter.setSizes([1, 0])
        assert splitter.sizes()[1] == 0


@pytest.mark.parametrize("scheme", [DARK, LIGHT], ids=["dark", "light"])
def test_names_of_the_curves_are_read_on_any_theme(view: SkyView, scheme: Scheme):
    """Their colours are those of the curves, so their ground is that of the plot."""
    view.setStyleSheet(f"QWidget {{ background: {scheme.ground} }}")  # as the themes of napari are made
    assert scheme.ground in view.plots.names.styleSheet()
    assert view.plots.spectra.plot.backgroundBrush().color().name() == scheme.ground
    assert scheme.curves[PLAIN] in view.plots.names.text()
    for name in ("object", "sky model", "before", "error", "after"):
        assert f">{name}</span>" in view.plots.names.text()


def test_images_fill_their_room_on_one_scale(view: SkyView, qtbot: QtBot, preview: Preview):
    images = view.tables.images
    view.tables.setCurrentWidget(images)
    sides = []
    for height in (300, 500):
        view.resize(LARGE[0], height)
        qtbot.wait(1)
        sides.append({picture.pixmap().height() for picture in images.images.values()})
    assert max(sides[0]) < min(sides[1])
    left = preview.result.images.left_after
    assert images.medians["after"].text() == f"median {np.nanmedian(left):.2f}"
    view.show_problem("no sky")
    assert images.images["left_after"].pixmap().isNull()
    assert (images.medians["after"].text(), view.line.text()) == ("", "no sky")


def test_a_run_tells_each_ifu_in_one_number(view: SkyView):
    """Above its bands."""
    band = {"name": "8-6", "factor": 1.2, "residual_over_noise": 0.9, "rms_before": 5.0, "rms_after": 1.0}
    whole = {"residual_over_noise": 1.1, "rms_before": 6.0, "rms_after": 2.0, "bands": [band]}
    view.tables.show_run(Outcome(products=(), measured={"a.fits": {"ifus": {"3": whole}}}))
    cells = [[view.tables.run.item(row, column).text() for column in range(7)] for row in range(2)]
    assert cells == [["3", "all", "", "1.1", "6", "2", "a.fits"], ["3", "8-6", "1.2", "0.9", "5", "1", "a.fits"]]


def test_what_takes_long_is_told_and_the_last_result_stays(view: SkyView):
    view.show_progress("trying sky b.fits on IFU 3")
    assert view.line.text() == "trying sky b.fits on IFU 3…"
    assert view.plots.spectra.names == ("object", "sky model")


def test_of_two_skies_it_is_said_whose_mask_is_shown(qtbot: QtBot, preview: Preview):
    qtbot.addWidget(page := SkyMaskPage(ViewerModel(), Session()))
    page.show_preview(preview)
    assert "mask of its own" not in page.text.text()
    source = preview.source
    other = dataclasses.replace(source, exposure=dataclasses.replace(source.exposure, path=Path("later.fits")))
    choice = dataclasses.replace(preview.choice, sources=(source, other), weights=(0.4, 0.6))
    page.show_preview(dataclasses.replace(preview, choice=choice))
    assert source.exposure.label in page.text.text().splitlines()[0]
    assert "later.fits, used as well, has a mask of its own" in page.text.text().splitlines()[1]


def test_no_field_of_the_settings_is_cut(qtbot: QtBot):
    """However narrow they are made: a page that scrolls up and down needs the width of its fields."""
    qtbot.addWidget(settings := SkySettings(ViewerModel(), Session(), lambda: ()))
    assert settings.sizeHint().width() == settings.minimumSizeHint().width()  # the rest is for the spectra
    settings.resize(settings.minimumSizeHint())
    settings.show()
    qtbot.waitExposed(settings)
    for index in range(settings.pages.count()):
        settings.pages.setCurrentIndex(index)
        qtbot.wait(1)
        (area,) = (area for area in settings.findChildren(Scrolled) if area.isVisible())
        assert area.widget().width() <= area.viewport().width()


def test_a_message_with_more_lines_than_room_shows_that_there_is_more(qtbot: QtBot):
    qtbot.addWidget(message := Message(most_lines=2))
    message.resize(300, 40)
    message.show()
    for n_lines, scrolls in ((1, False), (2, False), (5, True)):
        message.say("\n".join(n_lines * ["a line"]))
        qtbot.waitUntil(lambda: message.verticalScrollBar().isVisible() == scrolls)  # noqa: B023
        assert message.height() <= 2 * message.fontMetrics().lineSpacing() + 2


class Box(QWidget):
    def __init__(self, *size: int) -> None:
        super().__init__()
        self.size_needed = QSize(*size)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return self.size_needed


def test_a_splitter_needs_the_room_of_one_of_its_widgets(qtbot: QtBot):
    """Nobody's window must grow; in a high narrow place one lies below the other."""
    qtbot.addWidget(both := SideBySide(Box(200, 100), Box(150, 120)))
    both.show()
    for size, orientation in (
        ((600, 200), Qt.Orientation.Horizontal),
        ((380, 219), Qt.Orientation.Horizontal),  # not high enough for both
        ((380, 600), Qt.Orientation.Vertical),
        ((210, 150), Qt.Orientation.Vertical),  # neither: the narrow dock will be made higher
    ):
        both.resize(*size)
        assert both.orientation() == orientation
        assert both.minimumSizeHint() == QSize(200, 120)


def test_what_was_painted_is_kept_in_the_session_and_stays_the_same_object(qtbot: QtBot, preview: Preview):
    session = Session()
    qtbot.addWidget(page := SkyMaskPage(ViewerModel(), session))
    page.show_preview(preview)
    heard = []
    page.changed.connect(lambda: heard.append(page.given))
    mask = np.array([[True, False, True], [False, False, True]])
    page.layer.painted.emit(mask)
    (path,) = page.given
    assert path == preview.sky_path
    assert session.painted[0].rows == ("101", "001")
    np.testing.assert_array_equal(page.given[path].by_ifu[preview.sky.ifu], mask)
    assert page.given[path] is page.given[path]  # what was found with it is not looked for again
    other = dataclasses.replace(session.painted[0], file="/other.fits")
    before = page.given[path]
    session.painted = (*session.painted, other)
    assert page.given[path] is before
    page.find_again()
    assert session.painted == (other,)
    assert len(heard) == 3
