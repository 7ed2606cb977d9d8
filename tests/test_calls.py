"""A call becomes plain values, and no more than what can be read again."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from napari_kmos.calls import current_call, paths_of, plain_arguments, recorded


@dataclasses.dataclass(frozen=True)
class Parameters:
    width: float = 1.5
    table: Path | None = None


@recorded(each="files")
def recipe(files, out_dir, *, reference: Path | str = "none", parameters=None, extra=None, overwrite=False):
    """Return what its record would keep."""
    return plain_arguments(current_call(), [Path(files[0])])


def test_everything_but_where_it_goes(tmp_path):
    one, two = tmp_path / "one.fits", tmp_path / "two.fits"
    one.touch()
    kept = recipe([one, two], tmp_path, reference=str(one), parameters=Parameters(math.inf, two), extra=np.float64(2))
    assert kept == {
        "files": [{"path": str(one)}],  # that which the product is made of
        "reference": {"path": str(one)},
        "parameters": {"type": "Parameters", "fields": {"width": {"number": "inf"}, "table": {"path": str(two)}}},
        "extra": 2.0,
    }
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert list(paths_of(kept)) == [one, one, two]


def test_defaults_are_kept_and_words_are_no_paths(tmp_path):
    kept = recipe([tmp_path / "one.fits"], tmp_path)
    assert (kept["reference"], kept["parameters"]) == ("none", None)
    assert recipe([tmp_path / "a"], tmp_path, reference="x" * 100_000)["reference"] == "x" * 100_000


def test_what_is_in_memory_alone_is_refused(tmp_path):
    with pytest.raises(TypeError, match="extra is a ndarray in memory"):
        recipe([tmp_path / "one.fits"], tmp_path, extra=np.zeros(3))


def test_no_call_is_left_behind(tmp_path):
    with pytest.raises(TypeError, match="missing"):
        recipe()
    with pytest.raises(TypeError):
        recipe([tmp_path / "one.fits"], tmp_path, extra=object())
    assert current_call() is None
