"""Runs of the real program: products, logs, failures, several at once, and their end."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_kmos.errors import EngineError
from napari_kmos.esorex import Esorex, RecipeRun, find_esorex, run_recipes
from napari_kmos.io import temporary_beside
from napari_kmos.io.atomic import remove_leftovers
from napari_kmos.progress import Cancelled

#: Far below the ten minutes that a slow recipe takes, far above what ending it takes.
SOON_S = 60.0


@pytest.fixture
def esorex(options):
    return find_esorex(options)


@pytest.fixture
def run(objects, night):
    frames = ((objects[0], "CUBE_OBJECT"), (night / "sky.fits", "CUBE_SKY"))
    return RecipeRun(name="a run", recipe="kmos_sky_tweak", frames=frames, parameters={"stretch": "TRUE"})


def processes_in(folder: Path) -> list[str]:
    """Return the processes whose working folder is below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(folder) in str((entry / "cwd").readlink()):
                found.append(entry.name)
    return found


def test_a_run_makes_its_product_and_tells_what_it_does(esorex, run, tmp_path):
    told = []
    for finished in run_recipes(esorex, [run], tmp_path, progress=lambda *words: told.append(words)):
        assert (finished.status, finished.problem) == (0, "")
        assert [path.name for path in finished.products] == ["SKY_TWEAK.fits"]
        assert "Invocation command line was" in finished.log
        assert "Tweaking IFU.22.NOISE" in finished.log
        assert any("Tweaking IFU.3.DATA" in line for line in finished.lines)
    assert told[0] == (0, 1, "starting kmos_sky_tweak")
    assert any(text.startswith("a run: ") for _, _, text in told)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "problem"),
    [("fails", "Illegal input: no OH lines in IFU 3"), ("crashes", "about to crash"), ("nothing", "")],
)
def test_failures_are_told_by_the_last_error(esorex, run, tmp_path, monkeypatch, mode, problem):
    monkeypatch.setenv("STAND_IN", mode)
    with contextlib.closing(run_recipes(esorex, [run], tmp_path)) as runs:
        finished = next(runs)
        assert finished.problem == problem
        assert finished.products == ()
    assert list(tmp_path.iterdir()) == []


def test_value_that_esorex_refuses(esorex, run, tmp_path):
    bad = dataclasses.replace(run, parameters={"stretch_degree": "many"})
    with contextlib.closing(run_recipes(esorex, [bad], tmp_path)) as runs:
        assert "Type mismatch" in next(runs).problem


def test_log_that_cannot_be_read_is_what_was_said(esorex, run, tmp_path):
    with contextlib.closing(run_recipes(esorex, [run], tmp_path)) as runs:
        finished = next(runs)
        (finished.folder / "esorex.log").unlink()
        (finished.folder / "esorex.log").mkdir()
        assert "Tweaking IFU.3.DATA" in finished.log


def test_letters_of_a_log_that_are_no_text_do_not_matter(esorex, run, tmp_path):
    with contextlib.closing(run_recipes(esorex, [run], tmp_path)) as runs:
        finished = next(runs)
        (finished.folder / "esorex.log").write_bytes(b"\xff\xfe fin\xe9\n")
        assert "fin" in finished.log


@pytest.mark.parametrize("mode", ["slow", "stubborn"])
def test_cancelling_ends_all_and_leaves_nothing(esorex, run, tmp_path, monkeypatch, mode):
    monkeypatch.setenv("STAND_IN", mode)
    monkeypatch.setattr("napari_kmos.esorex.running._GRACE_SECONDS", 0.3)
    at_once = []

    def stop(done: int, total: int, text: str) -> None:
        at_once.append(len(processes_in(tmp_path)))
        if "Working" in text:
            raise Cancelled

    runs = [dataclasses.replace(run, name=f"run {number}") for number in range(4)]
    started = time.monotonic()
    with pytest.raises(Cancelled):
        list(run_recipes(esorex, runs, tmp_path, jobs=2, progress=stop))
    assert time.monotonic() - started < SOON_S
    assert max(at_once) <= 2
    assert processes_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_program_that_is_gone(run, tmp_path):
    with pytest.raises(EngineError, match="cannot be started"):
        list(run_recipes(Esorex(str(tmp_path / "gone"), "3.13"), [run], tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_several_runs_at_once_all_end(esorex, run, tmp_path):
    runs = [dataclasses.replace(run, name=f"run {number}") for number in range(5)]
    done = [finished.run.name for finished in run_recipes(esorex, runs, tmp_path, jobs=3)]
    assert sorted(done) == [one.name for one in runs]


def test_what_a_killed_process_leaves_is_removed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    left, mine = temporary_beside(tmp_path / "run", pid=gone.pid), temporary_beside(tmp_path / "run")
    for folder in (left, mine):
        folder.mkdir()
        (folder / "SKY_TWEAK.fits").write_text("half")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]


def command_of(objects, night, recipe_dir, folder):
    """Return the command that subtracts a sky by the recipe."""
    words = ["sky-tweak", str(objects[0]), "--sky", str(night / "sky.fits"), "-o", str(folder), "--engine", "esorex"]
    return [sys.executable, "-m", "napari_kmos", *words, "--recipe-dir", str(recipe_dir)]


def test_terminating_the_command_ends_the_recipe(recipe_dir, objects, night, tmp_path):
    words = command_of(objects, night, recipe_dir, tmp_path / "out")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env={**os.environ, "STAND_IN": "slow"}) as command:
        assert command.stderr is not None
        next(line for line in command.stderr if "Working" in line)
        command.send_signal(signal.SIGTERM)
        rest = command.stderr.read()
        assert command.wait(SOON_S) == 130
    assert "error: cancelled" in rest
    assert processes_in(tmp_path) == []
    assert not (tmp_path / "out").exists()


def test_killing_the_command_ends_the_recipe_and_the_next_run_clears_up(recipe_dir, objects, night, tmp_path):
    """Nobody listens to the recipe any more; a message ends it."""
    words = command_of(objects, night, recipe_dir, tmp_path / "out")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env={**os.environ, "STAND_IN": "slow"}) as command:
        assert command.stderr is not None
        next(line for line in command.stderr if "Working" in line)
        command.kill()
    until = time.monotonic() + SOON_S
    while processes_in(tmp_path) and time.monotonic() < until:
        time.sleep(0.1)
    assert processes_in(tmp_path) == []
    (left,) = (tmp_path / "out").iterdir()
    assert left.name.endswith(".part")
    subprocess.run(words, stderr=subprocess.DEVNULL, check=True)
    stem = f"{objects[0].stem}_SKY_TWEAK"
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted([f"{stem}.fits", f"{stem}.json", f"{stem}_esorex.log"])
