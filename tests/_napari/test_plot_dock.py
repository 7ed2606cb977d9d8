"""The dock *Plot* in a real viewer, from files to tables and figures; and what of it needs no window."""

from collections.abc import Callable
from pathlib import Path

import factories
import numpy as np
import pytest
from measure_stars import STEP, K, observed, star_of
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent, QMouseEvent
from qtpy.QtWidgets import QApplication, QPushButton

from napari_kmos._napari import plotted
from napari_kmos._napari.measuring import Question, fit_text, measure_spectra
from napari_kmos._napari.points import ensure_points_layer, points_layer, show_points
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.schemes import DARK, LIGHT
from napari_kmos._napari.widgets.plot import PlotDock
from napari_kmos._napari.widgets.plot_lines import LinesEdit
from napari_kmos._napari.widgets.plot_measure import ResultsTable
from napari_kmos.errors import KmosError
from napari_kmos.io import read_line_list, read_table, write_spectrum
from napari_kmos.measure import MeasureParameters, StarMeasurement, late_template
from napari_kmos.measure.line_window import fit_window
from napari_kmos.report.traces import Look, Sourced
from napari_kmos.session import Session
from napari_kmos.spatial.wcs import pixel_to_sky
from napari_kmos.spectral.lines import LIGHT_KMS, moved_lines
from napari_kmos.spectral.snr import Snr
from napari_kmos.spectrum import SpectralLine, StarSpectrum

WAIT_MS = 20_000
KMS, SIGMA = 120.0, 0.5
NA_I, WINDOW = 2.2062, (2.2040, 2.2120)
PLACES = {"a": (4.3, 8.7), "b": (9.2, 3.6)}


def late_star(name: str, *, seed: int, kms: float = KMS) -> StarSpectrum:
    """A late star of SNR 100 where the factory's cube has a star."""
    flux = observed(late_template(read_line_list()), kms)
    flux += SIGMA * np.random.default_rng(seed).standard_normal(K.size)
    ra, dec = (float(one) for one in pixel_to_sky(factories.make_wcs(), *PLACES[name]))
    facts = {"ra": ra, "dec": dec, "target": "field", "ifu": 5}
    return star_of(flux, np.full(K.size, SIGMA), name=name, **facts)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Spectra of two stars, the second in two epochs, and a file that is none."""
    stars = {"1/a": late_star("a", seed=1), "1/b": late_star("b", seed=2), "2/b": late_star("b", seed=3)}
    for folder in ("1", "2"):
        (tmp_path / folder).mkdir()
    paths = [write_spectrum(star, tmp_path / f"{name}.fits") for name, star in stars.items()]
    (tmp_path / "2" / "c.fits").write_text("no spectrum")
    return [*paths, tmp_path / "2" / "c.fits"]


@pytest.mark.viewer
def test_from_files_to_tables_and_figures(
    make_napari_viewer: Callable[..., Viewer],
    exposure_file: Callable[..., Path],
    files: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    viewer = make_napari_viewer(show=True)
    add_file(viewer, exposure_file(ifus=(5,)))
    ensure_points_layer(viewer, "star")
    dock = PlotDock(viewer)
    session, controls, plot = dock.session, dock.controls, dock.canvas.spectra
    session.out_dir = tmp_path / "out"
    session.apertures = (late_star("a", seed=1).aperture, late_star("b", seed=1).aperture)
    show_points(viewer, session.apertures)
    viewer.window.add_dock_widget(dock, area="bottom")
    viewer.window.set_geometry(0, 0, 1400, 950)

    def drawn(condition: Callable[[], bool]) -> None:
        qtbot.waitUntil(lambda: dock.drawn is not None and condition(), timeout=WAIT_MS)

    # files are dropped; what is none is told
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in files])
    left, no_key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    controls.sources.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, left, no_key))
    drawn(lambda: len(dock.drawn.traces.spectra) == 3)
    assert plot.names == ("a IFU 5 field", "b IFU 5 field, 1", "b IFU 5 field, 2")
    assert "c.fits" in dock.message.text()
    assert plot.scheme is DARK
    viewer.theme = "light"
    qtbot.waitUntil(lambda: plot.scheme is LIGHT, timeout=WAIT_MS)
    assert plot.plot.backgroundBrush().color().name() == LIGHT.ground

    # named above, in the colours of the curves; of two epochs by their folders
    assert f'<span style="color: {LIGHT.curves[2]}">b IFU 5 field, 2</span>' in plot.legend.text()
    assert plot.legend.geometry().bottom() <= plot.plot.geometry().top()

    # normalised, in a window that is drawn by the mouse and dragged, of the selected star alone
    controls.look.form.rows["normalised"].value = True
    controls.look.form.rows["compared"].value = True
    drawn(lambda: len(dock.drawn.traces.differences) == 1)
    assert dock.drawn.traces.differences[0].name == "b IFU 5 field, 1 - 2"
    assert dock.canvas.differences.colour_of(0) == plot.colour_of(1)  # that of its first

    # in a stack there is room for names before the spectra, with differences below, too
    controls.look.form.rows["arrangement"].value = "stack"
    drawn(lambda: len(plot.edge_names.names) == 3)
    (left, right), _ = plot.plot.viewRange()
    assert (K[0] - left) / (right - left) > plot.edge_names.room / plot.plot.width() > 0.05
    assert plot.legend.text() == ""
    controls.look.form.rows["arrangement"].value = "overlay"
    drawn(lambda: plot.edge_names.names == ())
    session.selected = ("b",)
    drawn(lambda: len(dock.drawn.traces.spectra) == 4)  # what is seen of it comes, and goes
    session.plots_live = False
    drawn(lambda: len(dock.drawn.traces.spectra) == 3)
    controls.setCurrentIndex(2)
    before = dock.drawn.traces.spectra[1].continuum
    draw_window(plot, qtbot, 2.10, 2.28)
    (window,) = session.continua["b"].windows
    assert window == pytest.approx((2.10, 2.28), abs=0.01)
    assert set(session.continua) == {"b"}
    dock.canvas.windows["continuum"].regions[0].setRegion((2.15, 2.25))
    assert session.continua["b"].windows == ((2.15, 2.25),)
    assert not np.array_equal(dock.drawn.traces.spectra[1].continuum, before)  # at once, beneath the hand
    np.testing.assert_array_equal(session.continua["b"].windows[0], (2.15, 2.25))

    # of all stars, one is drawn at once where there is time for no more, the other after a rest
    session.selected = ()
    drawn(lambda: len(dock.drawn.traces.spectra) == 3)
    monkeypatch.setattr(plotted, "_STEP_S", 0.0)
    before = [trace.continuum for trace in dock.drawn.traces.spectra]
    dock.controls.continuum.windows.take(((2.06, 2.16),))
    assert [
        np.array_equal(trace.continuum, old) for trace, old in zip(dock.drawn.traces.spectra, before, strict=True)
    ] == [
        False,
        True,
        True,
    ]
    drawn(lambda: not np.array_equal(dock.drawn.traces.spectra[2].continuum, before[2]))
    session.selected = ("b",)

    # the cursor and the slider go together
    grid = viewer.layers[0].metadata["kmos"].parts[0].cube.wavelength_um
    viewer.dims.set_current_step(0, 11)
    assert plot.marker.value() == pytest.approx(grid[11])
    dock.canvas.marker_moved.emit(float(grid[23]))
    assert viewer.dims.current_step[0] == 23

    # lines are marked where they are seen
    session.velocity_kms = KMS
    (br_gamma,) = [line for line in plot.marks.lines if line.name == "Br gamma"]
    assert br_gamma.wavelength_um == pytest.approx(2.166120 * (1 + KMS / LIGHT_KMS), abs=2e-6)

    # a line is fitted beneath its window, everything is measured, and rows are stars
    controls.setCurrentIndex(4)
    controls.measure.snr.line.setText("2.242-2.258")
    controls.measure.snr.line.editingFinished.emit()
    controls.measure.snr.line.setText("2.3-2.2")
    controls.measure.snr.line.editingFinished.emit()
    assert "does not go upwards" in dock.message.text()
    assert session.snr_um == ((2.242, 2.258),)
    session.fit_um = WINDOW
    drawn(lambda: dock.drawn.fitted is not None)
    assert "Na I" in controls.measure.fit.text()
    dock.run()
    qtbot.waitUntil(lambda: len(session.measured) == 3 and not dock.is_running, timeout=WAIT_MS)
    for star in session.measured:
        assert star.velocity.kms == pytest.approx(KMS, abs=5 * star.velocity.err_kms)
        assert star.snr.windows == ((2.242, 2.258),)
        assert star.category == "late"
    assert [dock.results.item(row, 1).text() for row in range(3)] == ["1/a.fits", "1/b.fits", "2/b.fits"]
    dock.results.selectRow(0)
    assert session.selected == ("a",)
    y, x = viewer.layers[0].data_to_world((0, *PLACES["a"]))[1:]
    assert viewer.scene.camera.center[-2:] == pytest.approx((y, x), abs=0.02)
    assert points_layer(viewer, "star").selected_data == {0}
    points_layer(viewer, "star").selected_data = {1}
    assert session.selected == ("b",)
    assert {dock.results.item(index.row(), 0).text() for index in dock.results.selectionModel().selectedRows()} == {"b"}

    # tables and figures
    dock.write()
    table = read_table(tmp_path / "out" / "measure.ecsv")
    assert list(table["file"]) == ["1/a.fits", "1/b.fits", "2/b.fits"]
    assert (tmp_path / "out" / "measure.tex").exists()
    for suffix in ("png", "pdf", "svg"):
        dock.export(tmp_path / f"plot.{suffix}")
        assert (tmp_path / f"plot.{suffix}").stat().st_size > 10_000

    # where no file can be read, none is shown
    session.plots_live = False
    session.plotted = (files[-1],)
    drawn(lambda: dock.drawn.traces.spectra == ())
    assert "c.fits" in dock.message.text()
    session.plots_live = True
    session.plotted = ()
    drawn(lambda: len(dock.drawn.traces.spectra) == 1)

    # spectra of the list
    session.spectra = (late_star("b", seed=6), late_star("a", seed=7))
    session.plots_list = True
    drawn(lambda: [trace.source for trace in dock.drawn.traces.spectra] == ["list", "list", "as seen"])
    assert plot.names[:3] == ("b IFU 5 field", "a IFU 5 field", "b IFU 5 star5")
    session.plots_list = False

    # what is seen comes beside the files, and goes with the dock
    session.plotted = ()
    drawn(lambda: [trace.source for trace in dock.drawn.traces.spectra] == ["as seen"])
    dock.hide()
    session.plotted = tuple(files[:1])
    session.look = Look()
    dock.show()
    drawn(lambda: "a" in {trace.id for trace in dock.drawn.traces.spectra})

    # the continuum of one star is taken for all by a click
    session.selected = ("b",)
    session.plotted = tuple(files[:3])
    drawn(lambda: len(dock.drawn.traces.spectra) == 4)
    dock.controls.continuum.windows.take(((2.11, 2.19),))
    assert session.continua["a"].windows != ((2.11, 2.19),)
    controls.setCurrentIndex(2)
    (same,) = (one for one in dock.findChildren(QPushButton) if one.text() == "Same for all")
    qtbot.mouseClick(same, Qt.MouseButton.LeftButton)
    assert [session.continua[id_].windows for id_ in ("a", "b")] == [((2.11, 2.19),)] * 2

    # points that are drawn later tell of stars, too
    viewer.layers.remove(points_layer(viewer, "star"))
    show_points(viewer, session.apertures)
    points_layer(viewer, "star").selected_data = {0}
    assert session.selected == ("a",)
    assert {dock.results.item(index.row(), 0).text() for index in dock.results.selectionModel().selectedRows()} == {"a"}


def draw_window(plot, qtbot: QtBot, first_um: float, last_um: float) -> None:
    """Press, move and release over the plot, with Shift."""
    box, view = plot.plot.getViewBox(), plot.plot.viewport()
    level = float(np.mean(box.viewRange()[1]))
    ends = [plot.plot.mapFromScene(box.mapViewToScene(QPointF(x, level))) for x in (first_um, last_um)]
    way = [ends[0] + share * (ends[1] - ends[0]) for share in (0.0, 0.3, 0.7, 1.0)]
    press, move, release = QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove, QEvent.Type.MouseButtonRelease
    left, none, shift = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton, Qt.KeyboardModifier.ShiftModifier
    events = [
        (press, way[0], left, left),
        *((move, place, none, left) for place in way),
        (release, way[-1], left, none),
    ]
    for kind, place, button, held in events:
        local = QPointF(place)
        event = QMouseEvent(kind, local, view.mapToGlobal(local), button, held, shift)
        QApplication.sendEvent(view, event)
        qtbot.wait(30)


@pytest.mark.viewer
def test_rows_are_sorted_as_numbers_and_what_is_not_known_is_last(qtbot: QtBot):
    qtbot.addWidget(table := ResultsTable())
    ratios = {"x": 9.0, "y": 100.0, "z": float("nan"), "u": 20.0}
    stars = [
        StarMeasurement(id=name, snr=Snr(value=value, propagated=1.0, windows=(), n_points=9))
        for name, value in ratios.items()
    ]
    table.show_measured([*stars, StarMeasurement(id="none", notes=("not a spectrum",))], ("u",))
    assert [table.item(row, 0).text() for row in range(5)] == ["x", "y", "z", "u", "none"]
    table.sortByColumn(2, Qt.SortOrder.AscendingOrder)
    assert [table.item(row, 0).text() for row in range(3)] == ["x", "u", "y"]
    assert [index.row() for index in table.selectionModel().selectedRows()] == [1]
    assert "DER_SNR" in table.horizontalHeaderItem(4).toolTip()


@pytest.mark.viewer
def test_lines_are_edited_read_and_saved(qtbot: QtBot, tmp_path: Path):
    session, told = Session(), []
    qtbot.addWidget(edit := LinesEdit(session, lambda: (2.1, 2.2), lambda: 2.15))
    edit.told.connect(told.append)
    edit.show_state()
    names = [edit.table.item(row, 0).text() for row in range(edit.table.rowCount())]
    row = names.index("Br gamma")
    edit.table.item(row, 0).setCheckState(Qt.CheckState.Unchecked)
    assert {line.name: line.marked for line in session.lines}["Br gamma"] is False
    edit.table.item(row, 1).setText("nowhere")
    assert "'nowhere'" in told[-1]
    assert edit.table.item(row, 1).text() == "2.166120"
    edit._on_add()
    assert session.lines[-1].wavelength_um == 2.15
    session.velocity_kms = 500.0
    edit._on_add()
    assert moved_lines(session.lines[-1:], 500.0)[0].wavelength_um == pytest.approx(2.15, abs=1e-9)
    session.lines = session.lines[:-1]
    edit.save(tmp_path / "lines.ecsv")
    session.lines = None
    edit.read(tmp_path / "lines.ecsv")
    assert len(session.lines) == len(read_line_list()) + 1
    edit.read(tmp_path / "missing.ecsv")
    assert "missing.ecsv" in told[-1]


def test_what_is_measured_is_the_line_in_the_window_and_the_marked_ones():
    star = late_star("a", seed=4)
    lines = (
        SpectralLine(name="Na I 2.2062", wavelength_um=NA_I),
        SpectralLine(name="far", wavelength_um=2.3),
        SpectralLine(name="not asked for", wavelength_um=2.12, marked=False),
        SpectralLine(name="beyond", wavelength_um=1.6),
    )
    how = MeasureParameters(velocity="none")
    question = Question(lines=lines, fit_um=WINDOW, velocity_kms=KMS, parameters=how)
    (found,) = measure_spectra([Sourced(spectrum=star, source="a.fits")], question)
    assert [fit.line.name for fit in found.lines] == ["Na I 2.2062", "far"]
    assert found.file == "a.fits"
    assert found.lines[0].width_um > 5 * found.lines[0].width_err_um
    with pytest.raises(KmosError, match="no spectrum to measure"):
        measure_spectra([], question)


def test_a_fit_is_told_in_a_line_and_so_is_that_there_is_none():
    star = late_star("a", seed=5)
    assert "EW" in fit_text(fit_window(star, WINDOW))
    beyond = fit_window(star, (K[-1] + STEP, K[-1] + 9 * STEP))
    assert "outside" in fit_text(beyond)
