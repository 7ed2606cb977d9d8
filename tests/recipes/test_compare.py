"""Spectra side by side: the products, the ratios in chosen windows, the regions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u

from napari_kmos.aperture import Aperture
from napari_kmos.cli.main import main
from napari_kmos.errors import ExtractionError, KmosError, KmosWarning, NotKmosError, WriteError
from napari_kmos.io import read_apertures, read_table, write_spectrum, write_table
from napari_kmos.recipes.compare import compare, read_or_parse_windows
from napari_kmos.report.spectra import TableRow, spectra_table
from napari_kmos.spectrum import SpectralLine, StarSpectrum

N = 1500
WAVE = np.linspace(1.93, 2.49, N)


def write_star(folder: Path, name: str, *, snr: float = 40.0, kind: str = "star", ra: float = 266.4) -> Path:
    """Write a spectrum that has twice the noise beyond 2.3 um."""
    noise = np.where(WAVE > 2.3, 2, 1) / snr
    flux = 1 + noise * np.random.default_rng(len(name)).standard_normal(N)
    spectrum = StarSpectrum(
        aperture=Aperture(id=name, kind=kind, ra=ra, dec=-29.0, radius_arcsec=0.5),
        wavelength=WAVE * u.um,
        flux=flux,
        noise=noise,
        sky=np.zeros(N),
        mask=np.zeros(N, dtype=bool),
        target="GC",
        ifu=3,
        area_pix=19.6,
        coverage=np.ones(N),
    )
    return write_spectrum(spectrum, folder / f"{'spec' if kind == 'star' else 'sky'}_GC_ifu3_{name}.fits")


@pytest.fixture
def stars(tmp_path: Path) -> Path:
    folder = tmp_path / "spectra"
    folder.mkdir()
    write_star(folder, "a", ra=266.41)
    write_star(folder, "bb", snr=20.0)
    write_star(folder, "sky", kind="sky")
    return folder


def test_products_are_a_plot_twice_a_table_and_regions(tmp_path: Path, stars: Path):
    outcome = compare([stars], tmp_path / "out")

    assert [path.name for path in outcome.products] == ["compare.png", "compare.pdf", "compare.ecsv", "compare.reg"]
    assert [path.name for path in outcome.extras] == ["compare.json"]
    assert outcome.products[0].read_bytes().startswith(b"\x89PNG")
    assert outcome.products[1].read_bytes().startswith(b"%PDF")
    table = read_table(outcome.products[2])
    assert list(table["id"]) == ["a", "bb"]
    # 70 and 30 points in the two windows: a ratio is known to 8 %.
    np.testing.assert_allclose(table["snr"], [40, 20], rtol=0.2)
    np.testing.assert_allclose(table["snr_noise"], [40, 20], rtol=0.03)


def test_regions_hold_every_star_with_its_ratio(tmp_path: Path, stars: Path):
    outcome = compare([stars], tmp_path / "out")

    ratios = [row["snr"] for row in outcome.measured["spectra"]]
    lines = (tmp_path / "out" / "compare.reg").read_text().splitlines()
    assert lines[2:] == [
        "fk5",
        f"# text(266.41000000,-29.00000000) text={{a,SN = {ratios[0]:.1f}}}",
        f"# text(266.40000000,-29.00000000) text={{bb,SN = {ratios[1]:.1f}}}",
    ]
    assert [row.id for row in read_apertures(tmp_path / "out" / "compare.reg", radius_arcsec=0.5)] == ["a", "bb"]


@pytest.mark.parametrize("how", ["text", "file", "pairs"])
def test_ratio_is_measured_in_the_windows_asked_for(tmp_path: Path, stars: Path, how: str):
    path = tmp_path / "w.txt"
    path.write_text("2.31 2.36\n2.40 2.45\n")
    windows = {"text": "2.31-2.36, 2.40-2.45", "file": path, "pairs": [(2.31, 2.36), (2.40, 2.45)]}[how]

    outcome = compare([stars / "spec_GC_ifu3_a.fits"], tmp_path / "out", windows=windows)

    (row,) = outcome.measured["spectra"]
    assert row["windows_um"] == [[2.31, 2.36], [2.40, 2.45]]
    # 270 points with twice the noise.
    assert row["snr"] == pytest.approx(20, rel=0.15)
    assert row["snr_noise"] == pytest.approx(20, rel=0.03)


def test_folders_tables_and_files_name_each_spectrum_once(tmp_path: Path, stars: Path):
    files = sorted(stars.glob("spec_*"))
    lost = Aperture(id="lost", ra=1.0, dec=2.0, radius_arcsec=0.5)
    rows = [TableRow(aperture=lost, note="outside every cube"), TableRow(aperture=lost, file=files[1].name)]
    table = write_table(spectra_table(rows), stars / "spectra_GC_ifu3.ecsv")

    given = [table, files[0], stars]

    assert [row["id"] for row in compare(given, tmp_path / "out").measured["spectra"]] == ["bb", "a"]


def test_lines_of_ones_own(tmp_path: Path, stars: Path):
    outcome = compare([stars], tmp_path / "out", lines=[SpectralLine(name="mine", wavelength_um=2.2)])
    assert len(outcome.products) == 4


def test_star_without_a_ratio_is_warned_of(tmp_path: Path, stars: Path):
    with pytest.warns(KmosWarning, match="no SNR of a, bb: too little data"):
        outcome = compare([stars], tmp_path / "out", windows="2.60-2.70")
    assert "SN = nan" in outcome.products[3].read_text()


def test_what_cannot_be_compared(tmp_path: Path, stars: Path):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ExtractionError, match="no spectrum in what was given; give files that"):
        compare([empty], out)
    with pytest.raises(ExtractionError, match="1 files, no star's spectrum among them"):
        compare([stars / "sky_GC_ifu3_sky.fits"], out)
    with pytest.raises(NotKmosError, match="no such file"):
        compare([tmp_path / "no.fits"], out)
    assert not out.exists()
    compare([stars], out)
    with pytest.raises(WriteError, match=r"compare.png: exists already"):
        compare([stars], out)
    compare([stars], out, overwrite=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [("2.2-2.1", "window 2.2-2.1 does not go upwards"), ("2.1", "2.1: cannot be read"), ("a-b", "a-b: cannot be read")],
)
def test_windows_that_cannot_be_understood(text: str, message: str):
    with pytest.raises(KmosError, match=message):
        read_or_parse_windows(text)


def test_windows_are_parsed():
    assert read_or_parse_windows(None) is None
    assert read_or_parse_windows("2.10-2.15,2.2-2.28") == ((2.10, 2.15), (2.2, 2.28))
    assert read_or_parse_windows(".9-1") == ((0.9, 1.0),)


def test_command_compares_and_tells(tmp_path: Path, stars: Path, capsys: pytest.CaptureFixture[str]):
    words = ["compare", str(stars), "-o", str(tmp_path / "out"), "--windows", "2.2-2.28", "--json"]

    assert main(words) == 0

    told = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in told["measured"]["spectra"]] == ["a", "bb"]
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err


def test_pairs_are_compared_and_other_files_noted(tmp_path: Path, stars: Path):
    again = tmp_path / "epoch2"
    again.mkdir()
    write_star(again, "a", snr=60.0, ra=266.41 + 0.1 / 3600)
    (stars / "spec_other.fits").write_text("no FITS")

    # that both are of one star at one place is as it should be, and not told
    with pytest.warns(KmosWarning, match=r"spec_other.fits: not a FITS file .* it is left out"):
        outcome = compare([stars, again], tmp_path / "out", pairs=True)

    assert [path.name for path in outcome.products[4:]] == ["compare_pairs.ecsv", "compare_a.png"]
    (pair,) = read_table(outcome.products[4])
    assert pair["id"] == "a"
    assert pair["ratio"] == pytest.approx(1, abs=4 * pair["ratio_err"])
    assert pair["chi2"] < 1  # both have the same noise, scaled
    assert pair["separation_arcsec"] == pytest.approx(0.1 * np.cos(np.radians(29)), rel=0.01)
    table = read_table(outcome.products[2])
    assert list(table["file"])[-1] == "spec_other.fits"
    assert table["id"].mask[-1]
    assert "not a FITS file" in table["note"][-1]
    with pytest.warns(KmosWarning, match="no two spectra have the same id"):
        compare([stars / "spec_GC_ifu3_bb.fits"], tmp_path / "alone", pairs=True)
