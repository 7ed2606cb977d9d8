"""What every test can ask for, and which tests can run here."""

from __future__ import annotations

import functools
import importlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import factories
import pytest
from hypothesis import settings

from napari_kmos.cli.window import window_problem

# A slow machine is not a wrong answer.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

_problem = functools.cache(window_problem)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what needs a window system, a real file or a program that is not here."""
    for item in items:
        # Properties land in the JUnit report: the only tests that may be skipped where everything must pass.
        program = item.get_closest_marker("program")
        if program:
            item.user_properties.append(("program", program.args[0]))
            if shutil.which(program.args[0]) is None:
                item.add_marker(pytest.mark.skip(reason=f"the program {program.args[0]} is not installed"))
        if item.get_closest_marker("realdata"):
            item.user_properties.append(("realdata", True))
            if _real_data() is None:
                item.add_marker(pytest.mark.skip(reason="no real files: NAPARI_KMOS_DATA names no folder with some"))
        if item.get_closest_marker("viewer") and _problem():
            item.add_marker(pytest.mark.skip(reason=f"no window can be opened: {_problem()}"))


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skip, with the reason, the modules that cannot even be imported where the libraries of windows are missing."""
    if module_path.parent.name == "_napari" and _import_problem():
        return _Unimportable.from_parent(parent, path=module_path)
    return None


class _Unimportable(pytest.Module):
    """A module that is skipped whole."""

    def collect(self) -> NoReturn:
        pytest.skip(f"napari cannot be imported: {_import_problem()}", allow_module_level=True)


@functools.cache
def _import_problem() -> str:
    """Return why napari and Qt cannot be imported; empty if they can."""
    try:
        importlib.import_module("napari.components")
        importlib.import_module("qtpy.QtWidgets")
    except ImportError as err:
        return str(err) or type(err).__name__
    return ""


def _real_data() -> Path | None:
    """Return the folder of real KMOS files, if there is one."""
    folder = Path(os.environ.get("NAPARI_KMOS_DATA", ""))
    return folder if folder.name and any(folder.glob("*.fits")) else None


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty cache folder of each test: the user's own is left alone."""
    folder = tmp_path_factory.getbasetemp() / f"cache-{secrets.token_hex(8)}"
    monkeypatch.setenv("NAPARI_KMOS_CACHE", str(folder))
    return folder


@pytest.fixture
def real_data() -> Path:
    """Folder of real KMOS files, for tests marked ``realdata``."""
    folder = _real_data()
    assert folder is not None, "mark the test realdata"
    return folder


@pytest.fixture
def make_cube():
    """Factory of a small cube with a known truth."""
    return factories.make_cube


@pytest.fixture
def make_exposure():
    """Factory of an exposure of small cubes."""
    return factories.make_exposure


@pytest.fixture
def two_dithers():
    """Two exposures of one field with a known dither and pointing error."""
    return factories.two_dithers


@pytest.fixture(scope="session")
def cluster_address() -> Iterator[str]:
    """A dask.distributed cluster of two processes with one thread each; a worker that dies is replaced."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options, silence_logs="CRITICAL") as made:
        yield made.scheduler_address
