"""The real esorex with stand-ins of the recipes, built once a session; without them the tests are skipped."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

import product_trees as trees
import pytest

from napari_kmos.esorex import EsorexOptions

RECIPES = Path(__file__).parent / "recipes"
NEEDED = "esorex libcpl-dev gcc libc6-dev"
LIBRARIES = ("-lcplui", "-lcpldfs", "-lcplcore", "-lm")


@functools.cache
def build_problem(folder: Path) -> str:
    """Build the recipes; return why that is not possible, empty if they are built."""
    missing = [program for program in ("esorex", "gcc") if shutil.which(program) is None]
    if missing:
        return f"{' and '.join(missing)} not installed; what Debian needs: {NEEDED}"
    for source in RECIPES.glob("*.c"):
        words = ["gcc", "-shared", "-fPIC", "-o", str(folder / f"{source.stem}.so"), str(source), *LIBRARIES]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            first = next((line for line in done.stderr.splitlines() if "error" in line), "gcc fails")
            return f"the recipes cannot be built ({first}); what Debian needs: {NEEDED}"
    return ""


@pytest.fixture(scope="session")
def recipe_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the stand-in recipes; its name has a blank."""
    folder = tmp_path_factory.mktemp("recipes here")
    problem = build_problem(folder)
    if problem:
        pytest.skip(problem)
    return folder


@pytest.fixture
def options(recipe_dir: Path) -> EsorexOptions:
    """The real program, which finds the stand-ins."""
    return EsorexOptions(recipe_dirs=(recipe_dir,))


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a sky and two objects, one of which has a name that a set of frames cannot hold."""
    folder = tmp_path_factory.mktemp("night")
    for name, mjd in (("object é 1", 58001.0), ("sky", 58001.01), ("object2", 58001.02)):
        trees.put(folder / f"{name}.fits", mjd=mjd, shape=(12, 5, 7))
    return folder


@pytest.fixture
def objects(night: Path) -> list[Path]:
    """Two objects."""
    return [night / "object é 1.fits", night / "object2.fits"]
