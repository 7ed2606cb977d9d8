"""The file of a recipe whose one product is a cube: the name it may have, the category it gets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import WriteError
from napari_kmos.io import check_free

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure

#: That of the record, and those that would promise a compressed file.
_OTHER_ENDINGS = {".json", ".gz", ".bz2", ".fz"}


def check_product(out: Path, inputs: Iterable[Path], overwrite: bool) -> Path:
    """Return the output if it and its record may be written; an input is never replaced.

    Raises
    ------
    WriteError
        If it exists and may not be replaced, is an input, or has the name of another kind of file.
    """
    if out.suffix.lower() in _OTHER_ENDINGS:
        msg = f"{out}: a cube is written as plain FITS; choose a name that ends in .fits (-o)"
        raise WriteError(msg)
    if out.exists() and any(out.samefile(file) for file in inputs):
        msg = f"{out}: is the input; choose another name (-o)"
        raise WriteError(msg)
    check_free(out.with_suffix(".json"), overwrite)
    return check_free(out, overwrite)


def product_category(exposure: Exposure) -> str:
    """Category of the product: an IFU of an exposure is a cube like a combined one."""
    return "COMBINED_CUBE" if exposure.kind == "exposure" else exposure.category
