"""The contract of every command, shown with a command made for the purpose."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

from napari_kmos.cli import main as cli
from napari_kmos.cli.output import ProgressLine
from napari_kmos.errors import KmosError, KmosWarning, WriteError
from napari_kmos.progress import Cancelled
from napari_kmos.recipes.outcome import Outcome


def _raise(error):
    raise error


ACTIONS = {
    "done": lambda: Outcome(
        products=(Path("cube.fits"),), extras=(Path("cube.json"),), measured={"snr": np.float32(5)}
    ),
    "empty": Outcome,
    "nan": lambda: Outcome(measured={"rms": np.nan, "all": np.array([1.0, np.inf]), "n": (1, None)}),
    "print": lambda: sys.stdout.write("a library talks") and Outcome(),
    "kmos": lambda: _raise(KmosError("a.fits: two\nlines")),
    "write": lambda: _raise(WriteError("out.fits exists; use --overwrite")),
    "missing": lambda: Path("/no/such/file").read_text() and None,
    "full": lambda: _raise(OSError(errno.ENOSPC, "No space left on device")),
    "bug": lambda: {}["key"],
    "cancelled": lambda: _raise(Cancelled()),
    "interrupted": lambda: _raise(KeyboardInterrupt()),
    "terminated": lambda: os.kill(os.getpid(), signal.SIGTERM),
}


@pytest.fixture
def fake(monkeypatch):
    """Put a command `fake ACTION` among the commands."""

    def run(args, progress):
        progress(0, 2, "reading")
        progress(1, 2, "reading")
        if args.action == "done":
            for text in ("few stars", "few stars", "thin sky"):
                warnings.warn(text, KmosWarning, stacklevel=1)
        return ACTIONS[args.action]()

    module = types.SimpleNamespace(
        NAME="fake", HELP="Do nothing.", add_arguments=lambda p: p.add_argument("action", choices=ACTIONS), run=run
    )
    monkeypatch.setitem(cli.COMMANDS, "fake", "do nothing")
    monkeypatch.setattr(cli, "load_command", lambda name: {"fake": module}[name])
    return module


def test_products_are_lines_on_standard_output(fake, capsys, tmp_path, monkeypatch):
    """A line a product, absolute; warnings once each and progress on standard error."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["fake", "done"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'cube.fits'}\n"
    assert err.splitlines() == ["  0 %  reading", "warning: few stars", "warning: thin sky"]


def test_json_is_one_object(fake, capsys, tmp_path, monkeypatch):
    """With --json standard output is one JSON object with four keys."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["fake", "done", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "products": [str(tmp_path / "cube.fits")],
        "extras": [str(tmp_path / "cube.json")],
        "warnings": ["few stars", "thin sky"],
        "measured": {"snr": 5.0},
    }


def test_json_has_no_nan(fake, capsys, tmp_path, monkeypatch):
    """NaN and infinity are null: JSON has neither."""
    monkeypatch.chdir(tmp_path)
    cli.main(["fake", "nan", "--json"])
    measured = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["measured"]
    assert measured == {"rms": None, "all": [1.0, None], "n": [1, None]}


def test_describe_tells_what_was_found(fake, capsys):
    """A command that describes its outcome has the text printed, except with --json."""
    fake.describe = lambda outcome: f"found {len(outcome.products)}"
    cli.main(["fake", "empty"])
    assert capsys.readouterr().out == "found 0\n"
    cli.main(["fake", "empty", "--json"])
    assert "found" not in capsys.readouterr().out


def test_quiet_tells_nothing_but_results(fake, capsys):
    """-q silences progress and warnings."""
    assert cli.main(["fake", "done", "-q"]) == 0
    assert capsys.readouterr().err == ""


def test_library_output_does_not_spoil_json(fake, capsys):
    """What a library prints goes to standard error."""
    cli.main(["fake", "print", "--json"])
    out, err = capsys.readouterr()
    json.loads(out)
    assert "a library talks" in err


@pytest.mark.parametrize(
    ("action", "status", "last"),
    [
        ("kmos", 2, "error: a.fits: two lines"),
        ("write", 2, "error: out.fits exists; use --overwrite"),
        ("full", 2, "error: output: cannot be read or written (No space left on device); make room, try again"),
        ("missing", 2, "error: /no/such/file: No such file or directory; give a path that exists and may be used"),
        ("bug", 1, "error: KeyError: 'key'; this is a bug: please report it with the command and the traceback that"),
        ("cancelled", 130, "error: cancelled"),
        ("interrupted", 130, "error: cancelled"),
        ("terminated", 130, "error: cancelled"),
        ("nonsense", 2, "error: argument action: invalid choice: 'nonsense'"),
    ],
)
def test_an_error_is_the_last_line(fake, capsys, action, status, last):
    """The exit status tells who is to act, the last line of standard error what to do; no traceback unasked."""
    assert cli.main(["fake", action]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith(last)
    assert "Traceback" not in err


def test_verbose_shows_the_traceback(fake, capsys):
    """-v shows where it went wrong; the error stays the last line."""
    assert cli.main(["fake", "bug", "-v"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("error: KeyError")


@pytest.mark.parametrize("words", [[], ["nonsense"], ["fake"], ["fake", "done", "--nonsense"]])
def test_bad_usage_is_one_line(fake, capsys, words):
    """No usage text, one line that says where help is."""
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "--help" in line


def test_progress_on_a_terminal_is_one_line():
    """A terminal sees one line rewritten and left clean."""

    class Terminal:
        written = ""

        def write(self, text):
            self.written += text

        def isatty(self):
            return True

        def flush(self):
            """Nothing to do."""

        def fileno(self):
            return 1

    terminal = Terminal()
    size = os.terminal_size((40, 24))
    with pytest.MonkeyPatch.context() as patch, ProgressLine(stream=terminal) as progress:
        patch.setattr(os, "get_terminal_size", lambda _: size)
        progress(1, 4, "x" * 100)
        progress(4, 4, "combining")
    lines = terminal.written.split("\r\x1b[2K")
    assert lines == ["", (" 25 %  " + "x" * 100)[:39], "100 %  combining", ""]


def test_help_imports_no_science():
    """`--help` is quick: it imports no command module and nothing slow."""
    code = (
        "import sys; from napari_kmos.cli.main import main; main(['--help']); "
        "slow = {'numpy', 'napari', 'qtpy', 'dask', 'astropy', 'photutils', 'specutils'} & {*sys.modules}; "
        "sys.exit(str(slow) if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in cli.COMMANDS)


def test_module_runs_as_a_program():
    """`python -m napari_kmos` is the command."""
    done = subprocess.run(
        [sys.executable, "-m", "napari_kmos", "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("napari-kmos ")
