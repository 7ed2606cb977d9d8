"""Catalogues: the truth is a small table, written in every way."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from napari_kmos.catalogue import CatalogueColumns
from napari_kmos.errors import KmosError, KmosWarning, NotKmosError
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
    assert catalogue_of(table, "t", CatalogueColumns(ra="raj2000", dec="DEJ2000")).ra_name == "RAJ2000"


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
    assert catalogue_of(table, "t", CatalogueColumns(magnitude="FLUX")).magnitude_name == "flux"
    assert catalogue_of(Table({"ra": RA, "dec": DEC}), "t").magnitude_name == ""
    assert np.isnan(catalogue_of(Table({"ra": RA, "dec": DEC}), "t").magnitude).all()


def test_a_table_without_positions_says_what_it_has_and_what_is_expected(tmp_path: Path):
    Table({"x": [1, 2], "y": [3, 4]}).write(tmp_path / "t.csv")
    with pytest.raises(KmosError, match=r"known as RA and Dec; found x, y; expected right ascension"):
        read_catalogue(tmp_path / "t.csv")
    with pytest.raises(KmosError, match=r"has no column 'lon'; found x, y"):
        read_catalogue(tmp_path / "t.csv", CatalogueColumns(ra="lon"))


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(NotKmosError, match=r"nothere\.csv: cannot be read as a table \(no such file\); expected"):
        read_catalogue(tmp_path / "nothere.csv")


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


def _moving(**columns: object) -> Table:
    """The table with motions of 100 mas/yr east and -50 north, at 2000.0."""
    return _table(**{"pmRA": [100.0, 100.0, np.nan], "pmDE": [-50.0, -50.0, np.nan], **columns})


@pytest.mark.parametrize("how", ["column", "number", "J", "named column", "units"])
def test_proper_motions_move_the_positions(how: str):
    table, epoch = _moving(), "2000.0"
    if how == "column":
        table, epoch = _moving(ref_epoch=[2000.0] * 3), None
    elif how == "named column":
        table, epoch = _moving(seen=[2000.0] * 3), "SEEN"
    elif how == "J":
        epoch = "J2000"
    elif how == "units":
        table["pmRA"] = table["pmRA"] / 1000 * u.arcsec / u.yr
        table["pmDE"].unit = "mas / yr"
    found = catalogue_of(table, "t", CatalogueColumns(catalogue_epoch=epoch))
    later = found.at(2020.0)
    there, here = SkyCoord(later.ra, later.dec, unit="deg"), SkyCoord(found.ra, found.dec, unit="deg")
    east, north = (angle.to_value("arcsec") for angle in here.spherical_offsets_to(there))
    np.testing.assert_allclose(east, [2.0, 2.0, 0.0], atol=1e-4)  # a tangent plane bends by as much
    np.testing.assert_allclose(north, [-1.0, -1.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(later.at(2000.0).dec, DEC, atol=1e-12)
    assert len(later.table) == len(table)


@pytest.mark.parametrize(
    ("east", "north"),
    [("pmRA", "pmDE"), ("pmra", "pmdec"), ("pm_ra_cosdec", "pm_dec"), ("mu_alpha", "mu_delta"), ("PMRA*", "PMDec")],
)
def test_columns_of_motions_are_known_by_their_names(east: str, north: str):
    table = _moving()
    table.rename_columns(["pmRA", "pmDE"], [east, north])
    assert catalogue_of(table, "t", CatalogueColumns(catalogue_epoch="2000")).motion is not None


def test_motions_without_a_date_are_not_applied_silently():
    with pytest.warns(KmosWarning, match=r"t: has proper motions \(pmRA, pmDE\).*--catalogue-epoch"):
        found = catalogue_of(_moving(), "t")
    assert found.motion is None
    assert found.at(2020.0) is found
    asked = CatalogueColumns(pm_ra="pmra", pm_dec="pmde")
    with pytest.raises(KmosError, match="does not tell the date of its positions; give it"):
        catalogue_of(_moving(), "t", asked)
    assert catalogue_of(_table(), "t").motion is None


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"pm_ra": "speed"}, "t: has no column 'speed'; found"),
        ({"pm_ra": "id", "pm_dec": "pmDE"}, "t: column id holds no numbers"),
        ({"pm_ra": "plain", "pm_dec": "pmDE"}, "t: column plain is in deg; expected a proper motion such as mas/yr"),
        ({"pm_ra": "pmRA", "catalogue_epoch": "57000"}, "the date of its positions .57000. is 57000; expected Julian"),
        ({"catalogue_epoch": "Ksmag"}, "the date of its positions .Ksmag. is 9.75; expected Julian years"),
        ({"catalogue_epoch": "last year"}, "t: has no column 'last year'"),
        ({"magnitude": "id"}, "t: column id holds no numbers"),
    ],
)
def test_motions_that_cannot_be_understood(asked: dict[str, str], match: str):
    table = _moving(plain=RA * u.deg)
    with pytest.raises(KmosError, match=match):
        catalogue_of(table, "t", CatalogueColumns(**({"catalogue_epoch": "2000"} | asked)))


def test_one_motion_of_two_is_asked_for():
    with pytest.raises(KmosError, match="t: the proper motion in Dec is missing; choose both columns, or none"):
        catalogue_of(_table(speed=RA), "t", CatalogueColumns(pm_ra="speed", catalogue_epoch="2000"))
