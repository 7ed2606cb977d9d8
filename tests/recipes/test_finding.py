"""Which files are found, and what they are taken as."""

from __future__ import annotations

import factories
import numpy as np
import product_trees as trees
import pytest
from astropy.io import fits

from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.io import write_cube
from napari_kmos.recipes.finding import find_exposures, sky_word


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sky", True),
        ("GC_SKY_1", True),
        ("comoving_group_mosaic_K_Sky", True),
        ("DarkSky2", True),
        ("SKY1", True),
        ("sky-a", True),
        ("OB1", False),
        ("x_SKY_TWEAK", False),
        ("SkyTweak", False),
        ("sky_tweak", False),
        ("sky_subtracted", False),
        ("NoSky", False),
        ("no_sky_subtraction", False),
        ("Skylab", False),
        ("Husky", False),
    ],
)
def test_sky_is_a_word(name, expected):
    assert sky_word(name) is expected


def test_names_decide_before_arm_types(tmp_path):
    """In a sky OB all arms are of type O; the OB's name tells."""
    found = find_exposures([trees.reflex_tree(tmp_path / "data")])
    roles = {item.file.name: item.role for item in found}
    assert {name for name, role in roles.items() if role == "sky"} == {
        f"comoving_group_mosaic_K_Sky_SINGLE_CUBES_KMOS.{period}_2.fits" for period in ("p105", "p107")
    }
    assert found[2].why == "the word sky in its OB name 'comoving_group_mosaic_K_Sky'"
    assert found[0].why == "arms of type O; no word sky in its OB name, OBJECT, file or folder"
    assert found[0].targets == {3: "star3", 5: "star5", 22: "star22"}
    assert [item.mjd for item in found] == sorted(item.mjd for item in found)


def test_folder_decides_where_no_name_does(tmp_path):
    """In a concatenation tree only the folder is called Sky; products of sky_tweak are left out."""
    found = find_exposures([trees.concatenation_tree(tmp_path)])
    by_folder = {item.file.relative_to(tmp_path).parts[1]: item for item in found if item.role != "skip"}
    assert {folder: item.role for folder, item in by_folder.items()} == {"OB1": "object", "Sky": "sky", "OB2": "object"}
    assert by_folder["Sky"].why == "the word sky in its folder 'Sky'"
    (skipped,) = (item for item in found if item.role == "skip")
    assert skipped.why == "its sky is subtracted already"


def test_the_folder_given_counts_but_not_those_above(tmp_path):
    """`plan .../Sky` finds skies; a home folder called sky does not make everything one."""
    path = trees.put(tmp_path / "sky" / "night" / "a.fits", mjd=58001)
    assert find_exposures([tmp_path / "sky" / "night"])[0].role == "object"
    assert find_exposures([tmp_path / "sky"])[0].role == "sky"
    assert find_exposures([path])[0].role == "object"


def test_arm_types_decide_last(tmp_path):
    """All arms of type S make a sky, some do not."""
    trees.put(tmp_path / "a.fits", mjd=58001, kind="S")
    assert find_exposures([tmp_path])[0].why == "every arm in use is of type S"
    with fits.open(tmp_path / "a.fits", mode="update") as hdus:
        hdus[0].header["ESO OCS ARM5 TYPE"] = "O"
    (item,) = find_exposures([tmp_path])
    assert item.role == "object"
    assert item.why.startswith("1 arms of type O, 2 of type S")


def test_products_that_are_no_inputs_are_left_out(tmp_path):
    """Combined cubes and other FITS files are not listed, other categories with the reason."""
    trees.put(tmp_path / "a.fits", mjd=58001)
    trees.put(tmp_path / "std.fits", mjd=58002, category="STD_CUBE")
    write_cube(factories.make_cube(shape=(8, 3, 4)), tmp_path / "COMBINE_SCI_RECONSTRUCTED_star.fits")
    fits.writeto(tmp_path / "dark.fits", np.zeros((3, 4)))
    (tmp_path / "notes.txt").write_text("not a FITS file")
    found = find_exposures([tmp_path])
    assert {item.file.name: item.role for item in found} == {"a.fits": "object", "std.fits": "skip"}
    assert found[1].why == "its category is STD_CUBE, not SINGLE_CUBES or SCI_RECONSTRUCTED"


def test_exposure_of_one_target_in_a_file(tmp_path):
    """A cube by itself is an input if its category says so: that is how one file a target is written."""
    primary = factories.primary_header((5,), band="K", mjd=58001)
    for name, category in (("a", "SINGLE_CUBES"), ("b", "COMBINED_CUBE")):
        write_cube(factories.make_cube(shape=(8, 3, 4)), tmp_path / f"{name}.fits", primary=primary, category=category)
    (item,) = find_exposures([tmp_path])
    assert (item.file.name, item.role, item.targets) == ("a.fits", "object", {5: "star5"})


def test_a_file_reached_twice_is_taken_once(tmp_path):
    """Overlapping folders and links are the same file."""
    path = trees.put(tmp_path / "OB1" / "a.fits", mjd=58001)
    (tmp_path / "link.fits").symlink_to(path)
    assert len(find_exposures([tmp_path, tmp_path / "OB1", path])) == 1


def test_damaged_exposure_is_told(tmp_path):
    """A truncated product is left out with a warning, not silently."""
    trees.put(tmp_path / "a.fits", mjd=58001)
    path = trees.put(tmp_path / "b_SINGLE_CUBES.fits", mjd=58002)
    path.write_bytes(path.read_bytes()[:-60000])
    with pytest.warns(KmosWarning, match=r"left out: .*b_SINGLE_CUBES.fits.*copy the file again"):
        assert len(find_exposures([tmp_path])) == 1


def test_nothing_found_is_told(tmp_path):
    """The message counts what was looked at and says what is expected."""
    fits.writeto(tmp_path / "dark.fits", np.zeros((3, 4)))
    with pytest.raises(KmosError, match=r"none of 1 FITS files is an exposure \(SINGLE_CUBES or SCI_RECONSTRUCTED\)"):
        find_exposures([tmp_path])
    with pytest.raises(KmosError, match="nowhere: no such folder"):
        find_exposures([tmp_path / "nowhere"])
