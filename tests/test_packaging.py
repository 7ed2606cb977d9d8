"""What is built installs, and napari finds the plugin in it: in the wheel, the sdist and an editable install."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import pytest
from npe2 import PluginManifest

ROOT = Path(__file__).parent.parent
MANIFEST = ROOT / "src" / "napari_kmos" / "napari.yaml"
NO_SOURCE = shutil.ignore_patterns(".*", "demo", "dist", "build", "__pycache__")

# npe2 registers plugins whose code cannot be imported, so every command is imported.
CHECK = """
import json
import napari_kmos
from npe2 import PluginManifest
from npe2.manifest.utils import import_python_name

found = next(r for r in PluginManifest.discover() if r.distribution.metadata["Name"] == "napari-kmos")
if found.error:
    raise found.error
commands = found.manifest.contributions.commands
for command in commands:
    import_python_name(command.python_name)
print(json.dumps({
    "distribution": str(found.distribution.locate_file("")),
    "package": napari_kmos.__file__,
    "commands": [command.id for command in commands],
}))
"""


def run(*command: object) -> str:
    """Return what a command prints; its complaint is the test's."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of its own, so that what is imported is what was installed."""
    copy = tmp_path_factory.mktemp("packaging") / "checkout"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=NO_SOURCE)
    return copy


@pytest.fixture(scope="module")
def dist(source: Path) -> Path:
    """The folder with the sdist, and the wheel that was built from it."""
    run(sys.executable, "-m", "build", "--no-isolation", source)
    return source / "dist"


def install(where: Path, *what: object) -> Path:
    """Install into a new environment that borrows every other package from this one; return its Python."""
    venv.create(where, with_pip=False)
    paths = {"base": str(where), "platbase": str(where)}
    own = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = Path(sysconfig.get_path("scripts", "venv", vars=paths)) / "python"
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, "--force-reinstall", *what)
    return python


@pytest.mark.viewer
@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable"])
def test_napari_finds_the_plugin_and_imports_every_command(kind: str, source: Path, dist: Path, tmp_path: Path):
    what = {"wheel": [*dist.glob("*.whl")], "sdist": [*dist.glob("*.tar.gz")], "editable": ["--editable", source]}
    python = install(tmp_path / "environment", *what[kind])
    found = json.loads(run(python, "-c", CHECK))
    assert Path(found["distribution"]).is_relative_to(tmp_path)
    assert Path(found["package"]).is_relative_to(source if kind == "editable" else tmp_path)
    assert found["commands"] == [command.id for command in PluginManifest.from_file(MANIFEST).contributions.commands]


def test_sdist_holds_the_tests_and_the_manifest_at_the_top(dist: Path):
    (archive,) = dist.glob("*.tar.gz")
    top = archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as sdist:
        assert f"{top}/tests/test_packaging.py" in sdist.getnames()
        manifest = sdist.extractfile(f"{top}/napari.yaml")  # follows the link
        assert manifest.read() == MANIFEST.read_bytes()


def test_top_level_manifest_is_the_package_s():
    assert (ROOT / "napari.yaml").read_bytes() == MANIFEST.read_bytes()
