"""Measured stars: tables, LaTeX, regions; what cannot be measured is told and the rest goes on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from measure_stars import DEC, RA, K, observed, star_of

from napari_kmos.cli.main import main
from napari_kmos.errors import ExtractionError, KmosError, KmosWarning, NotKmosError, WriteError
from napari_kmos.io import (
    ZeroPointRow,
    latex_text,
    read_apertures,
    read_line_list,
    read_table,
    write_spectrum,
    write_table,
    write_zero_points,
)
from napari_kmos.measure import MeasureParameters, late_template
from napari_kmos.recipes.measure import measure
from napari_kmos.simulate.templates import absorption
from napari_kmos.spectrum import SpectralLine

BR_GAMMA = SpectralLine(name="Br gamma", wavelength_um=2.16612, err_um=4e-6)
PA_BETA = SpectralLine(name="Pa beta", wavelength_um=1.282159)
SKY_ZERO = 0.1


def write_star(folder: Path, name: str, kind: str, *, kms: float = 0.0, seed: int = 1, **facts: object) -> Path:
    late = observed(late_template(read_line_list()), kms)
    flux = late if kind == "late" else 50 * (1 - absorption("early", K))
    noisy = flux + np.random.default_rng(seed).standard_normal(K.size)
    told = {
        "mjd": 58000.3,
        "exptime": 300.0,
        "target": "GC",
        "ifu": 3,
        "source": "night/cube.fits[IFU.3.DATA]",
        **facts,
    }
    star = star_of(noisy, np.ones(K.size), name=name, zero_pix=SKY_ZERO, zero_err_pix=0.01, **told)
    return write_spectrum(star, folder / f"spec_GC_ifu3_{name}.fits")


@pytest.fixture(scope="module")
def stars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spectra")
    write_star(folder, "late_1", "late", kms=60)
    write_star(folder, "early", "early", ra=RA + 1e-3)
    return folder


@pytest.fixture(scope="module")
def measured(stars: Path, tmp_path_factory: pytest.TempPathFactory):
    return measure([stars], tmp_path_factory.mktemp("out"), lines=[BR_GAMMA, PA_BETA])


def test_table_has_a_row_a_star(measured):
    table = read_table(measured.products[0])

    assert [path.name for path in measured.products] == [
        "measure.ecsv",
        "measure_lines.ecsv",
        "measure.tex",
        "measure.reg",
    ]
    assert list(table["id"]) == ["early", "late_1"]
    assert list(table["class"]) == ["early", "late"]
    assert list(table["ifu"]) == [3, 3]
    # 96 planes tell the ratio to 8 %, DER_SNR to 15 %.
    np.testing.assert_allclose(table["snr"], 50, rtol=0.25)
    np.testing.assert_allclose(table["snr_noise"], 50, rtol=0.05)
    np.testing.assert_allclose(table["snr_der"], 50, rtol=0.45)
    late = table[1]
    expected = 60 - SKY_ZERO * 36.5 + late["velocity_correction"]
    assert late["velocity"] == pytest.approx(expected, abs=4 * late["velocity_err"])
    assert late["velocity_frame"] == "barycentric"
    assert late["velocity_zero"] == pytest.approx(SKY_ZERO * 36.5, rel=0.02)
    assert np.isnan(table[0]["velocity"])
    assert "velocity: no lines like those of the template" in table[0]["note"]
    assert "Pa beta: its window 1.2724-1.2924 lies outside the spectrum" in late["note"]  # where it would be seen
    assert table[0]["br_gamma_width"] == pytest.approx(11.4, abs=2)
    assert late["co_index"] > 10 > 3 > abs(table[0]["co_index"])
    assert 0 < late["co_depth"] < 1


def test_lines_have_a_table_of_their_own(measured):
    table = read_table(measured.products[1])

    assert [tuple(row) for row in table["id", "line"]] == [
        (star, line) for star in ("early", "late_1") for line in ("Br gamma", "Pa beta")
    ]
    assert table["centre_um"][0] == pytest.approx(2.16612, abs=2e-4)
    assert np.isnan(table["centre_um"][1])
    assert "outside the spectrum" in table["note"][1]


def test_latex_is_read_back_and_regions_have_the_class_as_colour(measured):
    paper = Table.read(measured.products[2], format="ascii.latex")
    assert list(paper["ID"]) == ["early", r"late\_1"]
    assert list(paper["Class"]) == ["early", "late"]
    assert "\\pm" in paper[paper.colnames[4]][1]
    assert latex_text("50 % of #1 & ~2^3") == r"50 \% of \#1 \& \textasciitilde{}2\textasciicircum{}3"
    lines = measured.products[3].read_text().splitlines()[3:]
    assert ["cyan" in line for line in lines] == [True, False]
    assert "color=red" in lines[1]
    assert [row.id for row in read_apertures(measured.products[3], radius_arcsec=0.5)] == ["early", "late_1"]


def test_a_table_of_another_kind_is_told_and_the_rest_goes_on(tmp_path: Path, stars: Path):
    other = write_table(Table({"name": ["Br gamma"]}), tmp_path / "lines.ecsv")

    with pytest.warns(KmosWarning, match=r"lines.ecsv: columns? .*; it is left out"):
        outcome = measure([stars, other], tmp_path / "out", parameters=MeasureParameters(velocity="none"))

    table = read_table(outcome.products[0])
    assert table["file"][0] == "lines.ecsv"
    assert "column" in table["note"][0]
    assert len(table) == 1 + len(list(stars.glob("spec_*.fits")))


def test_other_files_are_told_and_the_rest_goes_on(tmp_path: Path, stars: Path):
    (tmp_path / "spec_other.fits").write_text("no FITS")
    again = tmp_path / "epoch2"
    again.mkdir()
    write_star(again, "late_1", "late", seed=2, ra=RA + 2 / 3600)
    files = [stars / "spec_GC_ifu3_late_1.fits", tmp_path / "spec_other.fits", again]

    with (
        pytest.warns(KmosWarning, match=r"spec_other.fits: not a FITS file .*; it is left out"),
        pytest.warns(KmosWarning, match="the id 'late_1' is that of different places in .*_late_1.fits, epoch2/spec_"),
    ):
        outcome = measure(files, tmp_path / "out", lines=[], parameters=MeasureParameters(velocity="none"))

    table = read_table(outcome.products[0])
    assert list(table["file"]) == ["spec_GC_ifu3_late_1.fits", "spec_other.fits", "spec_GC_ifu3_late_1.fits"]
    assert "the same id in epoch2/spec_GC_ifu3_late_1.fits" in table["note"][0]
    assert "not a FITS file" in table["note"][1]
    assert np.isnan(table["snr"][1])
    assert len(outcome.products[3].read_text().splitlines()) == 3 + 2


def test_zero_points_of_a_table_and_velocity_by_a_line(tmp_path: Path, stars: Path):
    rows = [ZeroPointRow(file="cube.fits", ifu=3, zero_pix=1.0, err_pix=0.02)]
    table = write_zero_points(rows, tmp_path / "zero.ecsv")
    early = stars / "spec_GC_ifu3_early.fits"
    how = MeasureParameters(velocity="Br gamma", frame="topocentric")

    told, none = (
        measure([early], tmp_path / str(n), lines=[BR_GAMMA], zero_points=zero, parameters=how).measured["stars"][0]
        for n, zero in enumerate((table, "none"))
    )

    # A plane is 39 km/s at Br gamma.
    assert none["velocity_kms"] - told["velocity_kms"] == pytest.approx(38.9, abs=0.2)
    assert "zero point of the wavelengths unknown" in none["note"]
    write_zero_points([ZeroPointRow(file="other.fits", ifu=3, zero_pix=1.0)], table, overwrite=True)
    with pytest.warns(KmosWarning, match=r"no zero point of its cube night"):
        measure([early], tmp_path / "2", lines=[BR_GAMMA], zero_points=table, parameters=how)


def test_lines_of_one_name_and_lines_outside_the_band_are_told(tmp_path: Path, stars: Path):
    lines = [
        BR_GAMMA,
        SpectralLine(name=BR_GAMMA.name, wavelength_um=2.11),
        SpectralLine(name="far", wavelength_um=3.2),
    ]

    with pytest.warns(KmosWarning) as told:
        measure([stars], tmp_path, lines=lines, parameters=MeasureParameters(velocity="none"))

    assert any("more than one line is named Br gamma" in str(one.message) for one in told)
    rows = read_table(tmp_path / "measure.ecsv", required=("note",))
    assert len(rows) == 2
    assert all("far: its window 3.1900-3.2100 lies outside the spectrum" in note for note in rows["note"])


def test_spectra_that_show_nothing_are_told_apart(tmp_path: Path):
    """No noise, no data, less than no light, other wavelengths: a row each, with the reason."""
    flux = observed(late_template(read_line_list()), 0.0)
    noise = flux / 50
    spectra = {
        "no_noise": star_of(flux),
        "no_data": star_of(np.full(K.size, np.nan)),
        "negative": star_of(-flux, noise),
        "in_air": star_of(flux, noise, medium="air"),
    }
    files = [
        write_spectrum(
            dataclasses.replace(one, aperture=dataclasses.replace(one.aperture, id=name)), tmp_path / f"{name}.fits"
        )
        for name, one in spectra.items()
    ]
    fits.writeto(tmp_path / "other.fits", flux, fits.Header([("CTYPE1", "AWAV"), ("CUNIT1", "Angstrom")]))

    with pytest.warns(KmosWarning, match="other.fits: not a star spectrum of napari-kmos"):
        measure([*files, tmp_path / "other.fits"], tmp_path / "out", lines=[BR_GAMMA])

    table = read_table(tmp_path / "out/measure.ecsv", required=("id",))
    notes = {str(row["id"]): str(row["note"]) for row in table}
    assert "too few planes with data" in notes["no_data"]
    assert "no signal" in notes["negative"]
    assert "wavelengths in air: only the SNR" in notes["in_air"]
    known = {str(row["id"]) for row in table if row["velocity"] is not np.ma.masked and np.isfinite(row["velocity"])}
    assert known == {"no_noise"}


def test_what_cannot_be_measured(tmp_path: Path, stars: Path):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ExtractionError, match="no spectrum in what was given"):
        measure([empty], out)
    with pytest.raises(NotKmosError, match="no such file"):
        measure([tmp_path / "no.fits"], out)
    with pytest.raises(KmosError, match="velocity by 'He I': no such line; the list has Br gamma"):
        measure([stars], out, lines=[BR_GAMMA], parameters=MeasureParameters(velocity="He I"))
    with pytest.raises(KmosError, match="frame 'x' is unknown"):
        MeasureParameters(frame="x")
    with pytest.raises(KmosError, match="profile 'x' is unknown"):
        MeasureParameters(profile="x")
    out.mkdir(exist_ok=True)
    (out / "measure.tex").write_text("mine")
    with pytest.raises(WriteError, match=r"measure.tex: exists already"):
        measure([stars], out, lines=[BR_GAMMA])
    assert (out / "measure.tex").read_text() == "mine"
    assert not (out / "measure.ecsv").exists()


def test_command_measures_and_tells(tmp_path: Path, stars: Path, capsys: pytest.CaptureFixture[str]):
    lines = write_table(Table({"name": ["Br gamma"], "wavelength_um": [2.16612]}), tmp_path / "lines.ecsv")
    template = late_template(read_line_list())
    near = (template.wavelength_um > 2.1) & (template.wavelength_um < 2.45)
    own = Table({"wavelength_um": template.wavelength_um[near], "flux": template.flux[near]})
    words = ["measure", str(stars), "-o", str(tmp_path / "out"), "--lines", str(lines), "--lsr", "--overwrite"]
    words += ["--template", str(write_table(own, tmp_path / "giant.ecsv")), "--windows", "2.2-2.28"]

    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert main([*words, "-q"]) == 0
    text = capsys.readouterr().out

    rows = {row["id"]: row for row in told["measured"]["stars"]}
    assert rows["late_1"]["velocity_frame"] == "lsr"
    assert rows["late_1"]["class"] == "late"
    assert rows["early"]["velocity_kms"] is None
    assert "star" in text
    assert f"{rows['late_1']['velocity_kms']:.1f} +-" in text
    table = read_table(tmp_path / "out" / "measure.ecsv")
    assert set(table["velocity_method"]) == {"template giant"}
    assert table["dec"][0] == DEC
