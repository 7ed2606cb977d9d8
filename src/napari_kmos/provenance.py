"""What was done to which file with which parameters: the record every product carries."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a product's history: a `HISTORY` line and an ``ESO PRO RECk`` block.

    Parameters
    ----------
    name : str
        The command, e.g. ``"sky-tweak"``.
    inputs : tuple of Path
        Files the step read; they are named in the header and, with a checksum, in the record.
    parameters : mapping
        Name to value, as used.
    defaults : mapping
        Name to default value; a subset of the parameters.
    measured : mapping
        Scalars the step found, written as ``ESO QC`` keywords.
    """

    name: str
    inputs: tuple[Path, ...] = ()
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    measured: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def parameters_of(parameters: Any) -> dict[str, Any]:
    """Return the fields of a frozen parameter dataclass as a plain mapping."""
    return dataclasses.asdict(parameters)


def defaults_of(parameters: Any) -> dict[str, Any]:
    """Return the defaults of a frozen parameter dataclass, for the fields that have one."""
    return {
        field.name: field.default
        for field in dataclasses.fields(parameters)
        if field.default is not dataclasses.MISSING
    }
