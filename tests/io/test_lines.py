"""The packaged line list agrees with physics; lists and windows of users are read or refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from astropy import units as u
from astropy.table import Table

from napari_kmos.errors import KmosError, NotKmosError, WriteError
from napari_kmos.instrument import BANDS
from napari_kmos.io import read_line_list, read_windows, write_line_list
from napari_kmos.spectral import air_to_vacuum, lines_between, rydberg_wavelength
from napari_kmos.spectrum import SpectralLine

LINES = {line.name: line for line in read_line_list()}
GREEK = {"alpha": 1, "beta": 2, "gamma": 3, "delta": 4, "epsilon": 5}


def test_every_line_has_a_source_an_error_and_lies_in_a_band():
    for line in LINES.values():
        assert line.source
        assert line.species
        assert 0 < line.err_um < 0.005
        assert line.kind in {"line", "blend", "head"}
        assert any(band.start_um <= line.wavelength_um <= band.end_um for band in BANDS.values()) or (
            line.name == "Pa alpha"  # between H and K, inside HK
        )


@pytest.mark.parametrize("band", BANDS)
def test_every_band_has_marked_lines(band: str):
    limits = BANDS[band]
    found = lines_between(LINES.values(), limits.start_um * u.um, limits.end_um * u.um, marked=True)
    assert len(found) >= 8
    assert [line.wavelength_um for line in found] == sorted(line.wavelength_um for line in found)


@pytest.mark.parametrize("name", [name for name, line in LINES.items() if line.species == "H I"])
def test_hydrogen_agrees_with_rydberg(name: str):
    series, member = name.split()
    lower = {"Pa": 3, "Br": 4}[series]
    upper = lower + GREEK[member] if member in GREEK else int(member)
    expected = rydberg_wavelength(upper, lower).to_value(u.um)
    # Fine structure, left out of the formula, makes the lines 3 to 8 parts in a million shorter.
    assert LINES[name].wavelength_um == pytest.approx(expected, rel=1e-5)
    assert LINES[name].wavelength_um < expected


@pytest.mark.parametrize("name", [name for name, line in LINES.items() if line.species == "He II"])
def test_ionised_helium_agrees_with_rydberg(name: str):
    upper, lower = (int(number) for number in re.findall(r"\d+", name))
    expected = rydberg_wavelength(upper, lower, charge=2).to_value(u.um)
    assert LINES[name].wavelength_um == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize(
    ("name", "air_um"),
    [
        ("He I 2.0587", 2.05813),
        ("Br gamma", 2.16553),
        ("Na I 2.2062", 2.20564),
        ("[Fe III] 2.2184", 2.2178),
        ("Fe II 2.0894", 2.0888),
        ("[Fe II] 1.6440", 1.64355),
        ("Pa beta", 1.28181),
        ("Ca II 0.8544", 0.854209),
    ],
)
def test_list_is_in_vacuum(name: str, air_um: float):
    # Wavelengths in air as the literature has them, to the last digit it gives.
    digits = len(str(air_um).split(".")[1])
    assert LINES[name].wavelength_um == pytest.approx(air_to_vacuum(air_um * u.um).value, abs=0.6 * 10**-digits)


@pytest.mark.parametrize("upper_v", range(2, 9))
def test_heads_of_the_first_overtone_of_co(upper_v: int):
    # Frequencies of T. Geballe's list for Gemini; his wavelength of 4-2, 2.3535, is a slip of the pen for 2.3525.
    per_cm = {2: 4360.1, 3: 4305.4, 4: 4250.8, 5: 4196.5, 6: 4142.2, 7: 4088.2, 8: 4034.3}[upper_v]
    line = LINES[f"CO {upper_v}-{upper_v - 2}"]
    assert line.kind == "head"
    assert line.wavelength_um == pytest.approx(1e4 / per_cm, abs=6e-5)


def test_energy_levels_give_the_listed_wavelengths():
    # Upper and lower level, per cm: C IV and Mg II from CHIANTI (NIST), He I from NIST.
    levels = {
        "C IV 2.0705": (324879.8, 320050.1),
        "C IV 2.0796": (324890.3, 320081.7),
        "C IV 2.0842": (324879.8, 320081.7),
        "Mg II 2.1375": (97468.9, 92790.5),
        "[Fe III] 2.2184": (24558.8, 20051.1),
        "[Fe II] 1.6440": (7955.299, 1872.567),
        "He I 2.0587": (171134.8969, 166277.4403),
    }
    for name, (upper, lower) in levels.items():
        assert LINES[name].wavelength_um == pytest.approx(1e4 / (upper - lower), abs=2e-6), name


def test_a_list_of_ones_own(tmp_path: Path):
    path = tmp_path / "mine.ecsv"
    Table({"name": ["x"], "wavelength_um": [21661.2] * u.AA, "marked": ["no"]}).write(path, format="ascii.ecsv")

    (line,) = read_line_list(path)

    assert (line.name, line.marked, line.kind) == ("x", False, "line")
    assert line.wavelength_um == pytest.approx(2.16612)


def test_lists_that_cannot_be_used(tmp_path: Path):
    path = tmp_path / "mine.ecsv"
    Table({"name": ["x"]}).write(path, format="ascii.ecsv")
    with pytest.raises(KmosError, match="column wavelength_um missing"):
        read_line_list(path)
    Table({"name": ["x"], "wavelength_um": [-2.0]}).write(path, format="ascii.ecsv", overwrite=True)
    with pytest.raises(KmosError, match="line 'x' has no wavelength; expected a positive number"):
        read_line_list(path)


def test_windows_as_text_and_as_table(tmp_path: Path):
    text, table = tmp_path / "w.txt", tmp_path / "w.ecsv"
    text.write_text("# continuum\n2.24 2.26\n2.268, 2.279  # short\n\n")
    Table({"start_um": [2240.0] * u.nm, "end_um": [2.26] * u.um}).write(table, format="ascii.ecsv")

    assert read_windows(text) == ((2.24, 2.26), (2.268, 2.279))
    assert read_windows(table)[0] == pytest.approx((2.24, 2.26))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no window"),
        ("2.3 2.2", "window 2.3 to 2.2; expected"),
        ("2.1 2.2 2.3", "line 1 is '2.1 2.2 2.3'; expected two wavelengths"),
        ("a b", "line 1 is 'a b'"),
        ("nan 2", "window nan to 2"),
    ],
)
def test_windows_that_cannot_be_used(tmp_path: Path, content: str, message: str):
    path = tmp_path / "w.txt"
    path.write_text(content)
    with pytest.raises(KmosError, match=message):
        read_windows(path)


def test_windows_of_a_missing_file(tmp_path: Path):
    with pytest.raises(NotKmosError, match="cannot be read"):
        read_windows(tmp_path / "no.txt")


def test_a_list_is_read_as_it_was_written(tmp_path: Path):
    lines = (*read_line_list()[:9], SpectralLine(name="ours", wavelength_um=2.2, err_um=1e-5, marked=False))
    path = write_line_list(lines, tmp_path / "lines.ecsv")
    assert read_line_list(path) == lines
    with pytest.raises(WriteError, match="exists"):
        write_line_list(lines, path)
