"""Options made from a parameter dataclass."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Literal

import dask.array
import pytest
from dask.base import get_scheduler
from dask.distributed import LocalCluster

from napari_kmos.cli.options import add_parameters, add_scheduler, build_parameters, scheduled
from napari_kmos.errors import EngineError, KmosError


@dataclass(frozen=True)
class Tuning:
    """How to tune.

    Parameters
    ----------
    cpos_rej : float
        Rejection above the mean,
        in 100 % of sigma.
    citer, cmax : int
        Counts.
    flux : bool
        Keep the flux.
    window_um : tuple of float
        Range.
    limit : int, optional
        None is no limit.
    mode : str
        How.

    Notes
    -----
    citer : not this.
    """

    cpos_rej: float = 3.0
    citer: int = 3
    cmax: int = 1
    flux: bool = True
    window_um: tuple[float, float] = (2.1, 2.2)
    names: tuple[str, ...] = ()
    limit: int | None = None
    mode: Literal["fast", "good"] = "fast"
    cmethod: str = field(default="ksigma", metadata={"choices": ("ksigma", "sum"), "help": "How to combine."})

    def __post_init__(self):
        if self.citer < 0:
            msg = f"citer is {self.citer}; expected 0 or more"
            raise ValueError(msg)


def _parse(*words):
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_parameters(parser, Tuning)
    return build_parameters(parser.parse_args(words), Tuning)


def test_without_options_the_defaults_are_the_dataclass():
    """There is one source of defaults."""
    assert _parse() == Tuning()


def test_options_become_fields():
    """Every kind of field, in our spelling and in ESO's."""
    words = ["--cpos_rej", "2.5", "--citer=1", "--no-flux", "--window-um", "2.0,2.3", "--names", "a, b", "--limit", "4"]
    assert _parse(*words, "--mode", "good", "--cmethod", "sum") == Tuning(
        cpos_rej=2.5,
        citer=1,
        flux=False,
        window_um=(2.0, 2.3),
        names=("a", "b"),
        limit=4,
        mode="good",
        cmethod="sum",
    )


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--window-um", "2.0"], "holds 1 values; expected 2"),
        (["--window-um", "2.0,x"], "is not a list of float"),
        (["--mode", "bad"], "invalid choice: 'bad'"),
        (["--citer", "2.5"], "invalid int value"),
    ],
)
def test_bad_values_are_told(words, match):
    """Argparse says which option and why."""
    with pytest.raises(argparse.ArgumentError, match=match):
        _parse(*words)


def test_value_the_dataclass_refuses_is_bad_input():
    """A ValueError of the parameters is the user's to act on."""
    with pytest.raises(KmosError, match="citer is -1; expected 0 or more"):
        _parse("--citer", "-1")


def test_help_tells_the_docstring_and_the_default():
    """Help comes from numpydoc or metadata; a percent sign does not break it."""
    parser = argparse.ArgumentParser()
    add_parameters(parser, Tuning, exclude=("cmax",))
    text = " ".join(parser.format_help().split())
    assert "Rejection above the mean, in 100 % of sigma. (default: 3.0)" in text
    assert "How to combine. (default: ksigma)" in text
    assert "Range. (default: 2.1,2.2)" in text
    assert "Counts. (default: 3)" in text
    assert "--cmax" not in text
    assert "not this" not in text


def test_unreachable_scheduler_is_told():
    """An address that is none ends with what to do."""
    parser = argparse.ArgumentParser()
    add_scheduler(parser)
    args = parser.parse_args(["--scheduler", "nonsense://x"])
    with pytest.raises(EngineError, match="no dask scheduler answers at nonsense"), scheduled(args):
        pass
    assert dask.config.get("scheduler", None) is None


def test_scheduler_computes_what_is_asked_meanwhile():
    """Inside the context the cluster computes, afterwards this machine's threads do."""
    with LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        args = argparse.Namespace(scheduler=cluster.scheduler_address)
        with scheduled(args):
            assert get_scheduler().__self__.scheduler.address == cluster.scheduler_address
            assert dask.array.ones(3).sum().compute() == 3
    assert dask.config.get("scheduler", None) is None
