"""The dock that takes out the atmosphere: from files to a layer, with the fit of each window."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import factories
import numpy as np
import observed_stars as stars
import pytest
from astropy.io import fits
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from napari_kmos._napari.layers import kmos_layers, kmos_of
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.telluric import (
    MODEL,
    STAR,
    calibrate_files,
    correct_files,
    told_airmass,
    typed_edges,
    typed_ifu,
    typed_number,
)
from napari_kmos._napari.widgets.telluric import TelluricDock
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import read_cube, read_spectrum, read_table, write_cube, write_spectrum
from napari_kmos.progress import silent
from napari_kmos.telluric import FLUX_UNIT

WAIT_MS = 30_000
NZ = 700


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A standard and a spectrum, whose headers tell no airmass, and a small cube whose header does."""
    curve = stars.standard(np.random.default_rng(1), nz=NZ)
    how = {"airmass": stars.TARGET_AIRMASS, "water": stars.TARGET_WATER, "nz": NZ}
    seen, clean = (stars.see(stars.smooth_star, rng=np.random.default_rng(2), snr=snr, **how) for snr in (100.0, 1e9))
    standard = dataclasses.replace(seen, flux=curve.flux, noise=curve.noise)
    plain = factories.make_cube(shape=(NZ, 9, 11), background=0.0, sigma=0.0, stars=[(5.0, 4.0, 900.0)])
    noise = np.full(plain.shape, 0.1, np.float32)
    flux = plain.flux * clean.flux[:, None, None] + np.random.default_rng(3).normal(0, 0.1, plain.shape)
    cube = dataclasses.replace(plain, flux=flux.astype(np.float32), noise=noise)
    primary = fits.Header()
    primary["HIERARCH ESO TEL AIRM START"] = stars.TARGET_AIRMASS
    return (
        write_spectrum(stars.star_spectrum(standard), tmp_path / "star.fits"),
        write_spectrum(stars.star_spectrum(seen), tmp_path / "spec.fits"),
        write_cube(cube, tmp_path / "cube.fits", primary=primary, category="COMBINED_CUBE"),
    )


def click(parent, text: str) -> None:
    (found,) = (one for one in parent.findChildren(QPushButton) if one.text() == text)
    QTest.mouseClick(found, Qt.MouseButton.LeftButton)


def type_in(field, text: str) -> None:
    """Type in place of what is there, and leave the field."""
    field.selectAll()
    QTest.keyClicks(field, text) if text else field.clear()
    QTest.keyClick(field, Qt.Key.Key_Return)


@pytest.mark.viewer
def test_from_files_to_flux(make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, files, tmp_path: Path):
    """What is missing is told; typed in, the cube is corrected, its fit shown, and it is brought to flux."""
    standard, spectrum, cube = files
    viewer = make_napari_viewer(show=True)
    add_file(viewer, cube)
    dock = TelluricDock(viewer)
    viewer.window.add_dock_widget(dock, area="right")
    viewer.window.set_geometry(0, 0, 1400, 900)

    def done(text: str) -> None:
        qtbot.waitUntil(lambda: not dock.is_running and text in dock.message.text(), timeout=WAIT_MS)

    page = dock.correct_page
    dock.session.plotted = (spectrum,)
    click(page, "Correct")
    done("no cubes and no spectra")
    click(page, "Add open")
    assert page.files.paths() == (cube.absolute(), spectrum)
    qtbot.waitUntil(lambda: page.airmass.placeholderText() == "not in spec.fits: type it in", timeout=WAIT_MS)
    type_in(dock.out_dir.line, str(tmp_path / "new"))
    click(page, "Correct")
    done("no standard star: choose its file")
    type_in(page.standard.line, str(standard))
    qtbot.waitUntil(lambda: page.standard_airmass.placeholderText().startswith("not in star"), timeout=WAIT_MS)
    click(page, "Correct")
    done("type it in (standard_airmass)")
    for field, text in (
        (page.airmass, f"{stars.TARGET_AIRMASS}"),
        (page.standard_airmass, f"{stars.STANDARD_AIRMASS}"),
        (page.magnitude, "8.0"),
        (page.edges, "2.06 2.o"),
    ):
        type_in(field, text)
    click(page, "Correct")
    done("'2.o'; expected a number")
    type_in(page.edges, "2.06")
    click(page, "Correct")
    done("Done: 2 files")

    product = tmp_path / "new" / "cube_TELLURIC.fits"
    assert kmos_of(viewer.layers[-1]).path == product
    assert dock.session.plotted == (spectrum, product.with_name("spec_TELLURIC.fits"))
    assert [fit.name for fit in dock.view.fits] == ["cube_TELLURIC", "spec_TELLURIC"]
    stored, told = read_table(product.with_suffix(".ecsv")), dock.view.table
    assert told.rowCount() == len(stored) == 2
    assert told.item(0, 2).text() == f"{stored['water'][0]:.3f} ± {stored['water_err'][0]:.3f}"
    assert told.item(0, told.columnCount() - 1).text() == ""
    traces = read_table(product.with_name("cube_TELLURIC_fit.ecsv"))
    for row in (0, 1):
        told.selectRow(row)
        assert dock.view.plot.names == ("before", "after", "transmission")
        for curve, name in zip(dock.view.plot.curves, dock.view.plot.names, strict=True):
            np.testing.assert_array_equal(curve.getData()[1], traces[name][traces["window"] == row + 1])
    dock.view.which.setCurrentIndex(1)
    assert told.rowCount() == 2
    assert np.nanmax(dock.view.plot.curves[0].getData()[0]) < 2.06

    flux = dock.calibrate_page
    dock.pages.setCurrentWidget(flux)
    assert flux.response.path().name == "star_RESPONSE.ecsv"  # as the correction wrote it, with the zero point
    click(flux, "Calibrate")
    done("Done: 2 files")
    made = tmp_path / "new" / "cube_TELLURIC_FLUX.fits"
    assert read_cube(made).unit == FLUX_UNIT
    assert [kmos_of(layer).path for layer in kmos_layers(viewer)] == [cube.absolute(), product, made]
    assert read_spectrum(dock.session.plotted[-1]).unit == FLUX_UNIT
    click(flux, "Calibrate")
    done("exists")
    kept = dock.session.forms
    assert kept["telluric"]["standard"] == str(standard)
    assert kept["calibrate"] == {"response": str(flux.response.path())}
    dock.session.forms = {"telluric": {"way": MODEL}, "standard": {"order": 4}}  # as a session that is restored
    assert (page.standard.path(), page.dividing.rows["order"].value, flux.response.path()) == (None, 4, None)
    assert not page.standard.isEnabled()


def test_headers_tell_the_airmass(files):
    standard, _, cube = files
    assert told_airmass([cube], silent) == "1.400, by the header"
    assert told_airmass([cube, standard], silent) == "not in star.fits: type it in"
    assert told_airmass([], silent) == ""
    with fits.open(standard, mode="update") as hdus:
        hdus[0].header["HIERARCH ESO TEL AIRM START"] = 1.15
    assert told_airmass([cube, standard], silent) == "1.150 to 1.400, by the header"
    with pytest.raises(NotKmosError, match=r"nowhere\.fits"):
        told_airmass([cube.with_name("nowhere.fits")], silent)


def test_what_is_typed(tmp_path: Path):
    assert (typed_number(" 1.2 ", "airmass"), typed_number(" ", "airmass")) == (1.2, None)
    assert (typed_ifu("12"), typed_ifu("")) == (12, None)
    assert (typed_edges("2.06, 2.379"), typed_edges(" ")) == ((2.06, 2.379), None)
    with pytest.raises(KmosError, match="airmass is 'high'; expected a number, or nothing"):
        typed_number("high", "airmass")
    with pytest.raises(KmosError, match=r"IFU is '1\.5'; expected one of 1 to 24"):
        typed_ifu("1.5")
    with pytest.raises(KmosError, match="no cubes and no spectra"):
        correct_files([], tmp_path, way=STAR, standard=None)
    with pytest.raises(KmosError, match="no response: choose RESPONSE"):
        calibrate_files([tmp_path / "a.fits"], tmp_path, response=None)
