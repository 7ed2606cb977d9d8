"""What a manual page tells is read as esorex prints it."""

from __future__ import annotations

import pytest

from napari_kmos.errors import EngineError
from napari_kmos.esorex.manual import parse_manual, parse_recipes

PAGE = """
NAME
  kmos_combine -- Combine reconstructed cubes

OPTIONS
  The following options are provided by this recipe.

  --ifus                : The indices of the IFUs to combine. "ifu1;ifu2;...".
                          []
  --method              : The shifting method ('none', 'header', 'center' or
                          'user'). [none]
  --cmethod             : Either "average", "median" or
                          "ksigma". <average | median | ksigma>
                          [ksigma]
  --cpos_rej            : The positive rejection threshold (sigma). [3.0]

  Note that it is also possible to create a configuration file containing
  these options.

AUTHOR
  nobody [at all]

RELEASE
  kmos_combine -- version 1.4.3
"""


def test_parameters_of_a_manual_page():
    manual = parse_manual("kmos_combine", PAGE)
    assert manual.version == "1.4.3"
    assert manual.defaults == {"ifus": "", "method": "none", "cmethod": "ksigma", "cpos_rej": "3.0"}
    cmethod = manual.parameters["cmethod"]
    assert cmethod.choices == ("average", "median", "ksigma")
    assert cmethod.text == 'Either "average", "median" or "ksigma".'
    assert manual.parameters["method"].text == "The shifting method ('none', 'header', 'center' or 'user')."


def test_unknown_parameter_is_refused_with_what_there_is():
    with pytest.raises(EngineError, match=r"no parameter 'cmetod'; did you mean cmethod.*There are ifus, method"):
        parse_manual("kmos_combine", PAGE).check(["method", "cmetod"])


def test_page_without_options_or_version():
    manual = parse_manual("kmos_test", "NAME\n  kmos_test -- Test\n")
    assert (manual.version, manual.parameters) == ("unknown", {})
    with pytest.raises(EngineError, match="There are none"):
        manual.check(["a"])


def test_list_of_recipes():
    text = "List of Available Recipes :\n\n  kmos_combine          : Combine cubes\n  kmo_x : A : b\n\n"
    assert parse_recipes(text) == {"kmos_combine": "Combine cubes", "kmo_x": "A : b"}
