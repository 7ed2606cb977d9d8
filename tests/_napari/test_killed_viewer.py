"""What was decided in a viewer is there again after it was killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import killed_viewer
import pytest

from napari_kmos.session import kinds_of_decisions

pytestmark = pytest.mark.viewer

#: Decisions are on disk within a second.
KEPT_S = 1.0


@contextmanager
def running(what: str, files: tuple[Path, ...], folder: Path) -> Iterator[subprocess.Popen]:
    command = [sys.executable, killed_viewer.__file__, what, *map(str, files)]
    settings = {"NAPARI_CONFIG": str(folder / "napari.yaml"), "XDG_STATE_HOME": str(folder / "state")}
    errors = (folder / f"{what}.err").open("w")
    with (
        errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **settings}) as run,
    ):
        try:
            yield run
        finally:
            run.kill()


def told(run: subprocess.Popen, errors: Path) -> dict[str, Any]:
    """Return the line of JSON that a viewer prints."""
    for line in run.stdout:
        if line.startswith(b"{"):
            return json.loads(line)
    raise AssertionError(errors.read_text())


def test_a_killed_viewer_finds_its_offsets_again(pair_of_files: tuple[Path, Path], tmp_path: Path):
    with running("work", pair_of_files, tmp_path) as run:
        done = told(run, tmp_path / "work.err")
        time.sleep(KEPT_S)
        assert run.poll() is None
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    east, north = done["expected"]
    step = killed_viewer.STEP
    assert done["dragged"] == pytest.approx((east, north), abs=2e-5)
    assert done["nudged"] == pytest.approx((east + step, north + step), abs=2e-5)
    assert done["undone"] == pytest.approx((east + step, north), abs=2e-5)
    assert done["back"] == pytest.approx((0, 0), abs=1e-9)  # the drag is one step
    assert done["again"] == pytest.approx(done["dragged"], abs=1e-6)
    assert done["rows"][1][2:] == ["hand", "accepted"]
    with running("look", pair_of_files, tmp_path) as run:
        found = told(run, tmp_path / "look.err")
    assert found["rows"] == done["rows"]
    assert found["layers"] == [pytest.approx(place, abs=2e-5) for place in ((0, 0), done["undone"])]
    assert found["said"].startswith("Restored 2 offsets, 1 of them decided")


def test_every_decision_of_a_killed_viewer_is_offered_and_comes_back(pair_of_files: tuple[Path, Path], tmp_path: Path):
    for number in range(5):  # what is decided speaks of these, too; for one that is gone the dock would ask
        shutil.copy(pair_of_files[0], tmp_path / f"exp{number}.fits")
    with running("decide", pair_of_files, tmp_path) as run:
        done = told(run, tmp_path / "decide.err")
        time.sleep(KEPT_S)
        assert run.poll() is None
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    assert set(done["decisions"]) == set(kinds_of_decisions())
    with running("restore", pair_of_files[1:], tmp_path) as run:
        found = told(run, tmp_path / "restore.err")
    assert found["said"].startswith("Restored kmos_")
    for name, value in done["decisions"].items():
        if name == "files":
            assert set(value) == set(found["decisions"][name])  # the one that was opened first is the first
        else:
            assert (name, found["decisions"][name]) == (name, value)
    assert sorted(found["layers"]) == [pytest.approx(place, abs=2e-5) for place in sorted(done["layers"])]
    assert found["stars"] == done["stars"] == 2


def test_python_ends_well_with_a_dock_that_no_window_has_and_without_an_event_loop(tmp_path: Path):
    """Threads that import, and parts of the dock that outlive Qt, would be faults of memory."""
    script = (
        "import napari; from napari_kmos._napari.widgets.align import AlignDock; "
        "dock = AlignDock(napari.Viewer(show=False)); print('made')"
    )
    settings = {"NAPARI_CONFIG": str(tmp_path / "napari.yaml")}
    run = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.strip()) == (0, "made"), run.stderr
