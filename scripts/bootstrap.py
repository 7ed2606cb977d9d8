"""Set up what a command of the Makefile needs, then run it.

    python3 scripts/bootstrap.py demo|test|lint|bench [ARGUMENT...]

It makes an environment of its own in .venv, once and again when pyproject.toml changes. For windows it takes the
screen there is, else Xvfb. As root on Debian it installs the system libraries for that and, for the tests, esorex with
what builds recipes; elsewhere it says which are missing and goes on without. Needs Python 3.11 or later with venv, and
nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = str(BIN / "python")
OLDEST_PYTHON = (3, 11)
INSTALLS = {"run": ["--editable", ".[all,test]"], "dev": ["--editable", ".", "--group", "dev"]}
# What a Qt window and its canvas need on a bare Debian; Mesa and the other X libraries come with them.
DEBIAN_PACKAGES = [
    *("xvfb", "xauth", "libegl1", "libglib2.0-0", "libdbus-1-3", "libfontconfig1"),
    *("libxkbcommon-x11-0", "libxcb-cursor0", "libxcb-icccm4", "libxcb-keysyms1", "libxcb-shape0"),
]
# ESO's program that runs recipes, and what builds the stand-ins of recipes for the tests of what calls it.
ESOREX_PACKAGES = ["esorex", "libcpl-dev", "gcc", "libc6-dev"]
# Where no window of theirs takes the keys from another's, tests run side by side, files as they are.
SIDE_BY_SIDE = ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile"]
XVFB = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]
# These plugins of pytest end the run where the libraries of Qt or of fonts are missing.
NO_WINDOW_PLUGINS = ["-p", "no:pytest-qt", "-p", "no:napari"]
LINT = (
    "ruff check .",
    "ruff format --check .",
    "mypy",
    "lint-imports",
    "typos",
    "validate-pyproject pyproject.toml",
)


def main(arguments: list[str]) -> int:
    """Run one of the commands and return its exit status."""
    if sys.version_info < OLDEST_PYTHON:
        return fail(
            f"Python {sys.version.split()[0]} found, 3.11 or later needed: name one with `make ... PYTHON=python3.12`"
        )
    commands = {"demo": demo, "test": test, "lint": lint, "bench": bench}
    if not arguments or arguments[0] not in commands:
        return fail(f"expected one of {', '.join(commands)}")
    try:
        return commands[arguments[0]](arguments[1:])
    except subprocess.CalledProcessError as err:
        return fail(f"this did not work (exit status {err.returncode}): {' '.join(map(str, err.cmd))}")


def demo(arguments: list[str]) -> int:
    """Run the demo: with windows where there is a screen, else pictures only."""
    make_environment("run")
    show = on_desktop() and window_prefix() == []
    if not show:
        say("no window here: the demo writes its pictures only")
    command = [str(BIN / "napari-kmos"), "demo", "--overwrite", "-o", "demo"]
    return run([*command, *([] if show else ["--no-show"]), *arguments])


def test(arguments: list[str]) -> int:
    """Run the tests: on the screen there is, else under Xvfb, else without those that open a window.

    Those that run esorex are skipped where it is missing.
    """
    make_environment("run")
    provide_esorex()
    prefix = window_prefix()
    on_screen = prefix == []
    command = [PYTHON, "-m", "pytest", *([] if on_screen else SIDE_BY_SIDE), *arguments]
    if prefix is None:
        say("no window here: the tests that open one are skipped")
        return run([*command, *NO_WINDOW_PLUGINS])
    return run([*prefix, *command])


def lint(_: list[str]) -> int:
    """Run every check that needs no test."""
    make_environment("dev")
    return max(run([str(BIN / program), *words]) for program, *words in map(str.split, LINT))


def bench(arguments: list[str]) -> int:
    """Run the benchmarks of full-size cubes; they need a window."""
    make_environment("run")
    prefix = window_prefix()
    if prefix is None:
        return fail("the benchmarks open windows, and none can be opened here")
    return run([*prefix, PYTHON, "benchmarks/all.py", *arguments])


def make_environment(kind: str) -> None:
    """Make or bring up to date the environment, unless it was made for this pyproject.toml and this Python."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + sys.version.encode()).hexdigest()
    stamp = ENVIRONMENT / f".made-for-{kind}"
    if not runs(PYTHON):
        say(f"making an environment in {ENVIRONMENT.name}")
        make_venv()
    elif stamp.exists() and stamp.read_text() == wanted:
        return
    say("installing Python packages: a minute or two")
    install(INSTALLS[kind])
    stamp.write_text(wanted)


def make_venv() -> None:
    """Make an empty environment with pip."""
    try:
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
    except (subprocess.CalledProcessError, ImportError):
        raise SystemExit(
            fail("this Python cannot make environments: on Debian, apt-get install python3-venv")
        ) from None


def install(what: list[str]) -> None:
    """Install with pip, on a pip that knows dependency groups: those of older systems do not."""
    for words in (["--upgrade", "pip"], what):
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *words], cwd=ROOT, check=True)


def on_desktop() -> bool:
    """Whether there is a screen for a person to look at."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def window_prefix() -> list[str] | None:
    """Return what to put before a command so that it can open windows; None if nothing helps."""
    prefix, problem = find_screen()
    if problem and can_install():
        say(f"installing system libraries for windows ({problem})")
        install_packages(DEBIAN_PACKAGES)
        prefix, problem = find_screen()
    if problem:
        say(f"no window can be opened ({problem}); what Debian needs for it: {' '.join(DEBIAN_PACKAGES)}")
        return None
    return prefix


def find_screen() -> tuple[list[str], str]:
    """Return the prefix for the desktop's screen or else Xvfb's, and why no window opens on either."""
    problem = "neither a screen nor Xvfb"
    for prefix in ([[]] if on_desktop() else []) + ([XVFB] if shutil.which("xvfb-run") else []):
        problem = problem_with(prefix)
        if not problem:
            return prefix, ""
    return [], problem


def problem_with(prefix: list[str]) -> str:
    """Return why no window opens with this prefix; empty if one does."""
    command = [*prefix, PYTHON, "-m", "napari_kmos.cli.window"]
    probe = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if probe.returncode == 0 else (probe.stdout.strip() or probe.stderr.strip() or "Xvfb does not start")


def provide_esorex() -> None:
    """Install esorex and what builds recipes where that is possible; else say that it is missing."""
    problem = problem_with_esorex()
    if problem and can_install():
        say(f"installing esorex and what builds recipes for it ({problem})")
        install_packages(ESOREX_PACKAGES)
        problem = problem_with_esorex()
    if problem:
        say(f"the tests that run esorex are skipped ({problem}); what Debian needs: {' '.join(ESOREX_PACKAGES)}")


def problem_with_esorex() -> str:
    """Return what is missing to run esorex with recipes built here; empty if nothing is."""
    missing = [program for program in ("esorex", "gcc") if shutil.which(program) is None]
    if missing:
        return f"no {' and no '.join(missing)}"
    command = ["gcc", "-fsyntax-only", "-x", "c", "-"]
    built = subprocess.run(command, input="#include <cpl.h>\n", capture_output=True, text=True, check=False)
    return "" if built.returncode == 0 else "no headers of CPL"


def can_install() -> bool:
    """Whether this is root on a system with Debian's packages."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(packages: list[str]) -> None:
    """Install packages of Debian; what is still missing afterwards is said by the caller."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", "-qq", *words], env=quiet, stdout=subprocess.DEVNULL, check=False)


def runs(python: str) -> bool:
    """Whether this interpreter is there and works; an environment breaks when it is moved or its Python goes."""
    try:
        return subprocess.run([python, "-c", ""], check=False).returncode == 0
    except OSError:
        return False


def run(command: list[str]) -> int:
    """Run a command in the project and return its exit status."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(f"-- {text}", file=sys.stderr, flush=True)


def fail(text: str) -> int:
    """Tell what is wrong and return the exit status for it."""
    print(f"error: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
