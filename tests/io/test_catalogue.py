"""Catalogues: the truth is a small table, written in every way."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import catalogue_of, read_catalogue

RA = np.array([266.4168, 0.00025, 359.9999])
DEC = np.array([-29.0078, 12.5, -0.00125])
KS = np.array([11.2, 14.5, 9.75])


def _table(**columns: object) -> Table:
    return Table({"id": ["a", "b", "c"], "ra": RA, "dec": DEC, "Ksmag": KS, **columns})


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("t.fits", "fits"),
        ("t.ecsv", "ascii.ecsv"),
        ("t.vot", "votable"),
        ("t.csv", "ascii.csv"),
        ("t.txt", "ascii.tab"),
        ("t.dat", "ascii.basic"),
        ("t.tbl", "ascii.ipac"),
    ],
)
def test_any_table_is_read(tmp_path: Path, name: str, format_: str):
    _table().write(tmp_path / name, format=format_)
    found = read_catalogue(tmp_path / name)
    # Twelve digits are enough for a text.
    np.testing.assert_allclose(found.ra, RA, atol=1e-10)
    np.testing.assert_allclose(found.dec, DEC, atol=1e-10)
    np.testing.assert_allclose(found.magnitude, KS)
    assert found.ids(np.array([0, 2])) == ["a", "c"]
    assert (found.name, len(found), found.n_dropped) == ("t", 3, 0)


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ("RA", "DEC"),
        ("RA_ICRS", "DE_ICRS"),
        ("RAJ2000", "DEJ2000"),
        ("_RAJ2000", "_DEJ2000"),
        ("ra_deg", "dec_deg"),
        ("ALPHA_J2000", "DELTA_J2000"),
        ("ALPHAWIN_J2000", "DELTAWIN_J2000"),
        ("Right Ascension", "Declination"),
        ("raMean", "decMean"),
        ("RA2000", "DE2000"),
    ],
)
def test_positions_are_found_by_name(ra: str, dec: str):
    others = {"radius": KS, "e_" + ra: KS, "rank": KS, "decay": KS, "ra_error": KS, "dec_error": KS}
    found = catalogue_of(Table({**others, ra: RA, dec: DEC}), "t")
    assert (found.ra_name, found.dec_name) == (ra, dec)


def test_a_pair_of_one_kind_is_preferred():
    table = Table({"RA_hms": ["x"] * 3, "RAJ2000": RA, "Dec_dms": ["y"] * 3, "DEJ2000": DEC, "ra": RA, "dec": DEC})
    found = catalogue_of(table, "t")
    assert (found.ra_name, found.dec_name) == ("ra", "dec")
    table.remove_column("dec")
    with pytest.raises(KmosError, match="RA_hms cannot be understood as an angle"):
        catalogue_of(table, "t")
    assert catalogue_of(table, "t", ra="raj2000", dec="DEJ2000").ra_name == "RAJ2000"


@pytest.mark.parametrize("way", ["hourangle", "hour", "rad", "arcsec", "hms", "named hours", "named rad", "text"])
def test_units_and_texts_become_degrees(way: str):
    sky = SkyCoord(RA, DEC, unit="deg")
    names = {"named hours": ("ra_hours", "dec_deg"), "named rad": ("ra_rad", "dec_rad")}.get(way, ("ra", "dec"))
    columns = {
        "hourangle": (RA / 15 * u.hourangle, DEC * u.deg),
        "hour": (RA / 15 * u.hour, DEC * u.deg),
        "rad": (np.deg2rad(RA) * u.rad, np.deg2rad(DEC) * u.rad),
        "arcsec": (RA * 3600 * u.arcsec, DEC * 3600 * u.arcsec),
        "hms": (sky.ra.to_string("hour", precision=8), sky.dec.to_string(sep=":", precision=7, alwayssign=True)),
        "named hours": (RA / 15, DEC),
        "named rad": (np.deg2rad(RA), np.deg2rad(DEC)),
        "text": ([str(one) for one in RA], [str(one) for one in DEC]),
    }[way]
    found = catalogue_of(Table(dict(zip(names, columns, strict=True))), "t")
    np.testing.assert_allclose(found.ra, RA, atol=1e-9)
    np.testing.assert_allclose(found.dec, DEC, atol=1e-9)


def test_rows_without_a_position_are_left_out():
    table = _table()
    table["ra"] = MaskedColumn(RA, mask=[True, False, False])
    table["dec"][2] = np.nan
    found = catalogue_of(table, "t")
    assert (list(found.ra), found.ids(np.array([0])), found.n_dropped) == ([RA[1]], ["b"], 2)
    table["dec"] = np.nan
    with pytest.raises(KmosError, match="none of its 3 rows has a position in ra and dec"):
        catalogue_of(table, "t")


def test_magnitudes_are_found_by_unit_or_name_near_infrared_first():
    values = dict.fromkeys(("phot_g_mean_mag", "Jmag", "e_Jmag", "K", "flux", "Hmag", "Kmag_err", "size"), KS)
    table = _table(**values, odd=KS * u.mag, mag_err=KS * u.mag, name=["1", "2", "3"])
    table.remove_column("Ksmag")
    found = catalogue_of(table, "t")
    assert found.magnitudes == ("K", "Hmag", "Jmag", "phot_g_mean_mag", "odd")
    assert found.magnitude_name == "K"
    assert catalogue_of(table, "t", magnitude="FLUX").magnitude_name == "flux"
    assert catalogue_of(Table({"ra": RA, "dec": DEC}), "t").magnitude_name == ""
    assert np.isnan(catalogue_of(Table({"ra": RA, "dec": DEC}), "t").magnitude).all()


def test_a_table_without_positions_says_what_it_has_and_what_is_expected(tmp_path: Path):
    Table({"x": [1, 2], "y": [3, 4]}).write(tmp_path / "t.csv")
    with pytest.raises(KmosError, match=r"known as RA and Dec; found x, y; expected right ascension"):
        read_catalogue(tmp_path / "t.csv")
    with pytest.raises(KmosError, match=r"has no column 'lon'; found x, y"):
        read_catalogue(tmp_path / "t.csv", ra="lon")


def test_of_columns_with_endless_names_some_letters_are_told(tmp_path: Path):
    (tmp_path / "junk.fits").write_bytes(b"hello" * 1000)
    with pytest.raises(KmosError, match=r"found (hello){60}\.\.\.; expected"):
        read_catalogue(tmp_path / "junk.fits")


def test_what_is_no_table_is_told(tmp_path: Path):
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(tmp_path / "image.fits")
    (tmp_path / "noise.bin").write_bytes(np.random.default_rng(1).bytes(5000))
    for name in ("image.fits", "noise.bin", "absent.csv"):
        with pytest.raises(NotKmosError, match="cannot be read as a table"):
            read_catalogue(tmp_path / name)
