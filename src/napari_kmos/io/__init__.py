"""The only code that opens or writes files."""

from napari_kmos.io.apertures import (
    GIVEN_ID,
    apertures_table,
    extra_column,
    plain_text,
    read_apertures,
    spaxels_text,
    write_apertures,
)
from napari_kmos.io.atomic import (
    FITS_ENDINGS,
    atomic_path,
    check_free,
    claimed,
    fits_stem,
    forget_record,
    output_dir,
    safe_name,
    temporary_beside,
)
from napari_kmos.io.catalogue import catalogue_of, read_any_table, read_catalogue
from napari_kmos.io.curves import (
    read_airmass,
    read_curves,
    read_primary,
    response_table,
)
from napari_kmos.io.cut_tables import CutRow, read_cuts, write_cuts
from napari_kmos.io.esorex_log import LoggedShift, find_log, read_logged_shifts
from napari_kmos.io.exposure_facts import exposure_facts
from napari_kmos.io.exposure_times import read_exposure_times, times_of, with_exposure_times
from napari_kmos.io.figures import write_figure
from napari_kmos.io.frame_facts import FrameFacts, read_frame_facts
from napari_kmos.io.history import RecipeBlock, read_history, read_recipe_blocks
from napari_kmos.io.latex import latex_text, write_latex
from napari_kmos.io.lines import read_line_list, read_windows, write_line_list
from napari_kmos.io.offsets import offsets_table, read_offsets, write_offsets
from napari_kmos.io.product_records import Record, RecordedFile, find_record, is_as_recorded, read_record, write_record
from napari_kmos.io.read import read_cube, read_exposure, read_images
from napari_kmos.io.records import (
    checksum,
    json_text,
    read_json,
    read_table,
    write_json,
    write_table,
)
from napari_kmos.io.regions import CLASS_COLOURS, StarMark, write_regions, write_star_regions
from napari_kmos.io.same import PICTURES, differences
from napari_kmos.io.shifts import combine_tag, read_shifts, read_sof, shifts_text, write_shifts, write_sof
from napari_kmos.io.sky_image import SkyImage, axes_held, open_sky_image
from napari_kmos.io.sky_masks import read_sky_mask, write_sky_mask
from napari_kmos.io.source import read_boxes, read_planes, read_spaxels, source_of
from napari_kmos.io.spectra import read_spectrum, write_spectrum
from napari_kmos.io.spectrum_text import write_spectrum_text
from napari_kmos.io.star_pairs import read_star_pairs
from napari_kmos.io.templates import read_template
from napari_kmos.io.text import read_text, read_toml, write_text
from napari_kmos.io.wcs_copy import write_copy, write_wcs_copy
from napari_kmos.io.write import write_cube, write_exposure, write_image
from napari_kmos.io.xy_plus import XyPlus, is_xy_plus, read_xy_plus
from napari_kmos.io.zero_points import ZeroPointRow, read_zero_points, write_zero_points

__all__ = [
    "CLASS_COLOURS",
    "FITS_ENDINGS",
    "GIVEN_ID",
    "PICTURES",
    "CutRow",
    "FrameFacts",
    "LoggedShift",
    "RecipeBlock",
    "Record",
    "RecordedFile",
    "SkyImage",
    "StarMark",
    "XyPlus",
    "ZeroPointRow",
    "apertures_table",
    "atomic_path",
    "axes_held",
    "catalogue_of",
    "check_free",
    "checksum",
    "claimed",
    "combine_tag",
    "differences",
    "exposure_facts",
    "extra_column",
    "find_log",
    "find_record",
    "fits_stem",
    "forget_record",
    "is_as_recorded",
    "is_xy_plus",
    "json_text",
    "latex_text",
    "offsets_table",
    "open_sky_image",
    "output_dir",
    "plain_text",
    "read_airmass",
    "read_any_table",
    "read_apertures",
    "read_boxes",
    "read_catalogue",
    "read_cube",
    "read_curves",
    "read_cuts",
    "read_exposure",
    "read_exposure_times",
    "read_frame_facts",
    "read_history",
    "read_images",
    "read_json",
    "read_line_list",
    "read_logged_shifts",
    "read_offsets",
    "read_planes",
    "read_primary",
    "read_recipe_blocks",
    "read_record",
    "read_shifts",
    "read_sky_mask",
    "read_sof",
    "read_spaxels",
    "read_spectrum",
    "read_star_pairs",
    "read_table",
    "read_template",
    "read_text",
    "read_toml",
    "read_windows",
    "read_xy_plus",
    "read_zero_points",
    "response_table",
    "safe_name",
    "shifts_text",
    "source_of",
    "spaxels_text",
    "temporary_beside",
    "times_of",
    "with_exposure_times",
    "write_apertures",
    "write_copy",
    "write_cube",
    "write_cuts",
    "write_exposure",
    "write_figure",
    "write_image",
    "write_json",
    "write_latex",
    "write_line_list",
    "write_offsets",
    "write_record",
    "write_regions",
    "write_shifts",
    "write_sky_mask",
    "write_sof",
    "write_spectrum",
    "write_spectrum_text",
    "write_star_regions",
    "write_table",
    "write_text",
    "write_wcs_copy",
    "write_zero_points",
]
