"""The folder of a run: plain names for files that have none, and the set of frames."""

from __future__ import annotations

import pytest

from napari_kmos.errors import WriteError
from napari_kmos.esorex import RecipeRun, lay_out


@pytest.fixture
def files(tmp_path):
    names = ["a b/x é.fits", "c d/x é.fits", "KMOS.2018-05-01T03:04:05.678.fits", "a b/cube[1].fits"]
    for number, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(number))
    return [tmp_path / name for name in names]


def make_run(files):
    tags = ("CUBE_OBJECT", "CUBE_OBJECT", "CUBE_SKY", "CUBE_SKY")
    return RecipeRun(name="run", recipe="r", frames=tuple(zip(files, tags, strict=True)), files={"shifts.txt": "1 2\n"})


def test_names_are_plain_and_lead_to_the_files(tmp_path, files):
    lay_out(make_run(files), tmp_path / "run", tmp_path / "run.sof")
    words = [line.split() for line in (tmp_path / "run.sof").read_text(encoding="ascii").splitlines()]
    assert [tag for _, tag in words] == ["CUBE_OBJECT", "CUBE_OBJECT", "CUBE_SKY", "CUBE_SKY"]
    assert [(tmp_path / "run" / path).read_text() for path, _ in words] == ["0", "1", "2", "3"]
    assert words[2][0] == str(files[2])  # needs no link
    assert (tmp_path / "run" / "shifts.txt").read_text() == "1 2\n"


def test_folder_whose_own_path_is_not_plain(tmp_path, files):
    folder = tmp_path / "out é" / "run"
    lay_out(make_run(files), folder, folder / "r.sof")
    names = [line.split()[0] for line in (folder / "r.sof").read_text(encoding="ascii").splitlines()]
    assert names == ["x__.fits", "2_x__.fits", str(files[2]), "cube_1_.fits"]
    assert [(folder / name).read_text() for name in names] == ["0", "1", "2", "3"]


def test_same_file_twice_has_one_link(tmp_path, files):
    run = RecipeRun(name="run", recipe="r", frames=((files[0], "A"), (files[0], "B")))
    lay_out(run, tmp_path / "run", tmp_path / "run.sof")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["x__.fits"]


def test_what_is_there_is_replaced_when_asked_for_only(tmp_path, files):
    lay_out(make_run(files), tmp_path / "run", tmp_path / "run.sof")
    with pytest.raises(WriteError, match="exists already"):
        lay_out(make_run(files), tmp_path / "run", tmp_path / "run.sof")
    lay_out(make_run(files), tmp_path / "run", tmp_path / "run.sof", overwrite=True)


def test_folder_that_cannot_be_made(tmp_path, files):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(WriteError, match="cannot be made ready for r"):
        lay_out(make_run(files), tmp_path / "run", tmp_path / "run.sof")
