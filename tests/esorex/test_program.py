"""The program is found, its version known, its recipes listed; what is missing is named."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from napari_kmos.cli.main import main
from napari_kmos.errors import EngineError
from napari_kmos.esorex import EsorexOptions, find_esorex

RECIPES = Path(__file__).parent / "recipes"
LIBRARIES = ("-lcplui", "-lcpldfs", "-lcplcore", "-lm")


def put_program(path, text):
    """Write a program that prints something."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_real_program_tells_version_recipes_and_parameters(options):
    esorex = find_esorex(options)
    assert int(esorex.version.split(".")[0]) >= 3
    assert esorex.recipes() == {
        "kmos_combine": "Combine reconstructed cubes",
        "kmos_sky_tweak": "Removal of OH sky lines",
    }
    manual = esorex.manual("kmos_sky_tweak")
    assert manual.version == "1.4.3"
    expected = {"ifu": "0", "discard_subband": "FALSE", "stretch": "FALSE", "stretch_degree": "8"}
    assert manual.defaults == {**expected, "stretch_resampling": "spline", "tbsub": "TRUE"}
    assert manual.parameters["tbsub"].text.startswith("Subtract thermal background from input cube.")
    assert esorex.manual("kmos_combine").parameters["cmethod"].choices[-1] == "ksigma"


def test_missing_recipe_is_named_with_what_there_is(options):
    with pytest.raises(EngineError, match=r"has no recipe kmos_sci_red in .*it finds kmos_combine, kmos_sky_tweak; "):
        find_esorex(options).manual("kmos_sci_red")


def test_no_recipes_at_all(recipe_dir, tmp_path):
    with pytest.raises(EngineError, match=r"it finds no recipe of KMOS; install ESO's KMOS pipeline .*--recipe-dir"):
        find_esorex(EsorexOptions(recipe_dirs=(tmp_path,))).manual("kmos_combine")


def test_folder_of_recipes_that_is_not_there(options, tmp_path):
    with pytest.raises(EngineError, match=r"no recipe kmos_combine in \S+gone \(no such folder\): it finds no recipe"):
        find_esorex(EsorexOptions(recipe_dirs=(tmp_path / "gone",))).manual("kmos_combine")


def test_program_that_is_not_there(monkeypatch, tmp_path):
    with pytest.raises(EngineError, match=r"nowhere/esorex: no such program; install it .*--esorex PATH"):
        find_esorex(EsorexOptions(program=tmp_path / "nowhere" / "esorex"))
    monkeypatch.delenv("NAPARI_KMOS_ESOREX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"esorex is not on PATH; install it \(Debian: apt-get install esorex"):
        find_esorex(EsorexOptions())


def test_program_that_is_another(tmp_path):
    with pytest.raises(EngineError, match="is no esorex"):
        find_esorex(EsorexOptions(program=put_program(tmp_path / "a b", "echo pyesorex 1.0")))


def test_program_that_is_too_old(tmp_path):
    text = "echo '***** ESO Recipe Execution Tool, version {}  *****'"
    path = put_program(tmp_path / "esorex", text.format("2.0.5"))
    with pytest.raises(EngineError, match=r"is esorex 2\.0\.5, expected 3 or later"):
        find_esorex(EsorexOptions(program=path))
    assert find_esorex(EsorexOptions(program=put_program(path, text.format("3.9.6")))).version == "3.9.6"


def build(folder, name, text, *words):
    """Build a plug-in."""
    folder.mkdir(exist_ok=True)
    (folder / "source.c").write_text(text)
    command = ["gcc", "-shared", "-fPIC", "-o", str(folder / f"{name}.so"), str(folder / "source.c"), *words]
    subprocess.run(command, check=True)
    (folder / "source.c").unlink()


def test_recipe_of_an_old_pipeline(options, tmp_path):
    source = (RECIPES / "kmos_sky_tweak.c").read_text().replace("kmos_sky_tweak", "kmo_sky_tweak")
    build(tmp_path / "old", "kmo_sky_tweak", source, f"-I{RECIPES}", *LIBRARIES)
    with pytest.raises(EngineError, match=r"finds kmo_sky_tweak; kmo_sky_tweak is that of an old pipeline: install a"):
        find_esorex(EsorexOptions(recipe_dirs=(tmp_path / "old",))).manual("kmos_sky_tweak")


def test_recipes_that_cannot_be_loaded(options, tmp_path):
    """For another CPL, whose library is not there; and one that breaks the program that asks it."""
    library, folder = tmp_path / "library", tmp_path / "other"
    build(library, "libcplcore", "int other;", "-Wl,-soname,libcplcore.so.99")
    asks = "extern int other; int cpl_plugin_get_info(void *list) { return other; }"
    build(folder, "kmos_combine", asks, str(library / "libcplcore.so"))
    with pytest.raises(EngineError, match=r"cannot load \S+kmos_combine\.so: it is of another version of CPL.*one kit"):
        find_esorex(EsorexOptions(recipe_dirs=(folder,))).manual("kmos_combine")
    lacks = "int lacking(void); int cpl_plugin_get_info(void *list) { return lacking(); }"
    build(tmp_path / "broken", "kmos_combine", lacks)
    with pytest.raises(EngineError, match=r"tells nothing of kmos_combine: .*undefined symbol: lacking"):
        find_esorex(EsorexOptions(recipe_dirs=(tmp_path / "broken",))).manual("kmos_combine")


def test_program_that_cannot_be_run(tmp_path):
    path = put_program(tmp_path / "esorex", "")
    path.write_bytes(b"\x7fELF nonsense")
    with pytest.raises(EngineError, match=r"cannot be run \(Exec format error\)"):
        find_esorex(EsorexOptions(program=path))


def test_nothing_is_left_behind_by_asking(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    find_esorex(options).manual("kmos_combine")
    assert list(tmp_path.iterdir()) == []


def test_commands_list_what_there_is(recipe_dir, tmp_path, capsys):
    assert main(["combine", "--recipe-dir", str(recipe_dir), "--list-recipes"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("esorex 3.")
    assert "  kmos_sky_tweak  Removal of OH sky lines" in told
    assert "kmos_combine 1.4.3" in told
    assert "  method=none  The shifting method ('none', 'header', 'center' or 'user')." in told
    assert any(line.endswith("(average, median, sum, min_max, ksigma)") for line in told)
    assert main(["prepare", "--recipe-dir", str(recipe_dir), "--list-recipes"]) == 0
    assert "kmos_combine" in capsys.readouterr().out
    assert main(["sky-tweak", "--esorex", str(tmp_path / "none"), "--list-recipes"]) == 2
    assert "no such program" in capsys.readouterr().err
