"""What a command tells: progress and errors on standard error, results on standard output."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO

from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.progress import Cancelled
from napari_kmos.words import one_line, printable

if TYPE_CHECKING:
    from napari_kmos.recipes.outcome import Outcome

DONE, BUG, BAD_INPUT, CANCELLED = 0, 1, 2, 130
_REPORT = "this is a bug: please report it with the command and the traceback that -v shows"
_MIN_SECONDS = 0.1
#: What a disk says that takes no more: where it is told by no writer, the output of the command itself went there.
_OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE)


class ProgressLine:
    """Progress on standard error: one line that is rewritten, on a terminal; else a line whenever the text changes.

    Parameters
    ----------
    quiet : bool
        Tell nothing.
    stream : text file, optional
        Standard error by default.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._live = self._stream.isatty()
        self._text = ""
        self._last = 0.0

    def __call__(self, done: int, total: int, text: str) -> None:
        """Tell that ``done`` of ``total`` parts are done, and what is being done."""
        text = one_line(text)
        if self._quiet or not self._is_due(done, total, text):
            return
        self._text, self._last = text, time.monotonic()
        share = f"{100 * done // total:3d} %  " if total > 0 else ""
        if self._live:
            width = os.get_terminal_size(self._stream.fileno()).columns - 1
            self._stream.write("\r\x1b[2K" + f"{share}{text}"[: max(width, 20)])
        else:
            self._stream.write(f"{share}{text}\n")
        self._stream.flush()

    def _is_due(self, done: int, total: int, text: str) -> bool:
        """Whether this is news, and not too soon after the last."""
        if not self._live:
            return text != self._text
        return done >= total or text != self._text or time.monotonic() - self._last > _MIN_SECONDS

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave a clean line behind."""
        if self._live and self._text:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()


@contextlib.contextmanager
def collected_warnings(*, quiet: bool = False) -> Iterator[list[str]]:
    """Collect the texts of `KmosWarning`s, each once, and say each on standard error unless quiet."""
    texts: list[str] = []

    def show(message: Warning | str, category: type[Warning], *place: Any, **_: Any) -> None:
        text = " ".join(str(message).split())
        if not issubclass(category, KmosWarning):
            logging.getLogger("napari_kmos").debug("%s: %s (%s)", category.__name__, text, place[:2])
        elif text not in texts:
            texts.append(text)
            if not quiet:
                sys.stderr.write(f"warning: {one_line(text)}\n")

    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=KmosWarning)
        warnings.showwarning = show
        yield texts


@contextlib.contextmanager
def reserved_stdout() -> Iterator[None]:
    """Send what a library prints to standard error, so that standard output holds the result alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def print_outcome(outcome: Outcome, warned: Sequence[str], *, as_json: bool = False, text: str | None = None) -> None:
    """Print the result: a line a product and then the text, or one JSON object."""
    products = [absolute(path) for path in outcome.products]
    if as_json:
        from napari_kmos.io import json_text  # brings astropy: not for a message

        extras = [absolute(path) for path in outcome.extras]
        whole = {"products": products, "extras": extras, "warnings": list(warned), "measured": outcome.measured}
        lines = [json_text(whole)]
    else:
        lines = [*products, *([text.rstrip("\n")] if text else [])]
    for line in lines:
        sys.stdout.write(printable(line) + "\n")
    sys.stdout.flush()


def absolute(path: Path) -> str:
    """Return a path as the text of an absolute one, links kept."""
    return str(Path(path).absolute())


def tell_error(text: str) -> None:
    """Write the last line of standard error."""
    sys.stderr.write(f"error: {one_line(text)}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let a request to terminate end the work as Ctrl-C does, so that temporary files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def guarded(action: Callable[[], int | None], *, verbose: bool = False) -> int:
    """Do something and return the exit status, its own or that of an error, which is one line on standard error."""
    try:
        with terminable():
            return action() or DONE
    except (KeyboardInterrupt, Cancelled):
        tell_error("cancelled; finished products stay, nothing half-written was left")
        return CANCELLED
    except BrokenPipeError:
        # the reader of our output went away, as `| head` does: not an error, and nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KmosError as err:
        _tell_traceback(verbose)
        tell_error(str(err))
        return BAD_INPUT
    except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError) as err:
        _tell_traceback(verbose)
        tell_error(f"{err.filename}: {err.strerror}; give a path that exists and may be used")
        return BAD_INPUT
    except Exception as err:  # noqa: BLE001 - the last stop: a bug must end with a line, too
        _tell_traceback(verbose)
        if isinstance(err, OSError) and err.errno in _OF_DISKS:
            tell_error(f"{err.filename or 'output'}: cannot be read or written ({err.strerror}); make room, try again")
            return BAD_INPUT
        tell_error(f"{type(err).__name__}: {err}; {_REPORT}")
        return BUG


def _tell_traceback(verbose: bool) -> None:
    """Write the traceback of the error at hand if it was asked for."""
    if verbose:
        sys.stderr.write(printable(traceback.format_exc()))
