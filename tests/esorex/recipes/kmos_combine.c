/* Stand-in of kmos_combine: the mean of the cubes on top of each other; shifts are read, told and not applied. */
#include "stand_in.h"

#define RECIPE "kmos_combine"

cpl_recipe_define(kmos_combine, VERSION, AUTHOR, PACKAGE_BUGREPORT, YEAR, "Combine reconstructed cubes",
                  "A stand-in with the interface of the recipe, to test what calls it.");

static cpl_error_code kmos_combine_fill_parameterlist(cpl_parameterlist *list) {
    ADD(list, RECIPE, "name", CPL_TYPE_STRING, "Name of the object to combine", "");
    ADD(list, RECIPE, "ifus", CPL_TYPE_STRING, "The indices of the IFUs to combine. \"ifu1;ifu2;...\"", "");
    ADD(list, RECIPE, "method", CPL_TYPE_STRING, "The shifting method ('none', 'header', 'center' or 'user')", "none");
    ADD(list, RECIPE, "fmethod", CPL_TYPE_STRING, "The fitting method ('gauss' or 'profile')", "gauss");
    ADD(list, RECIPE, "filename", CPL_TYPE_STRING, "The path to the file with the shift vectors", "");
    ADD(list, RECIPE, "edge_nan", CPL_TYPE_BOOL, "Set borders of cubes to NaN before combining them", FALSE);
    ADD(list, RECIPE, "skipped_frames", CPL_TYPE_STRING, "Comma separated list of frames to skip", "");
    ADD(list, RECIPE, "flux", CPL_TYPE_BOOL, "Apply flux conservation", FALSE);
    ADD(list, RECIPE, "suppress_extension", CPL_TYPE_BOOL, "Suppress arbitrary filename extension", FALSE);
    ADD(list, RECIPE, "collapse_combined", CPL_TYPE_BOOL, "Flag to collapse the combined images", FALSE);
    add(list,
        cpl_parameter_new_enum("kmos.kmos_combine.cmethod", CPL_TYPE_STRING,
                               "Apply \"average\", \"median\", \"sum\", \"min_max.\" or \"ksigma\"",
                               CONTEXT(RECIPE), "ksigma", 5, "average", "median", "sum", "min_max", "ksigma"),
        "cmethod");
    ADD(list, RECIPE, "cpos_rej", CPL_TYPE_DOUBLE, "The positive rejection threshold (sigma)", 3.0);
    ADD(list, RECIPE, "cneg_rej", CPL_TYPE_DOUBLE, "The negative rejection threshold (sigma)", 3.0);
    ADD(list, RECIPE, "citer", CPL_TYPE_INT, "The number of iterations for kappa-sigma-clipping", 3);
    ADD(list, RECIPE, "cmax", CPL_TYPE_INT, "The number of maximum pixel values to clip", 1);
    ADD(list, RECIPE, "cmin", CPL_TYPE_INT, "The number of minimum pixel values to clip", 1);
    return cpl_error_get_code();
}

static const char *text_of(const cpl_parameterlist *list, const char *name) {
    char *full = cpl_sprintf("kmos.kmos_combine.%s", name);
    const char *text = cpl_parameter_get_string(cpl_parameterlist_find_const(list, full));
    cpl_free(full);
    return text;
}

/* Return the IFU of a frame: that of the list, that whose arm has the name, or any name for a map; 0 if there is none. */
static int find_ifu(const char *file, const char *name, const char *ifus, cpl_size frame) {
    for (cpl_size i = 0; *ifus && i < frame; i++) ifus = strchr(ifus, ';') ? strchr(ifus, ';') + 1 : "";
    if (*ifus) return atoi(ifus);
    cpl_propertylist *header = cpl_propertylist_load(file, 0);
    int found = 0;
    for (int arm = 24; arm > 0; arm--) {
        char *key = cpl_sprintf("ESO OCS ARM%d NAME", arm);
        const char *target = cpl_propertylist_has(header, key) ? cpl_propertylist_get_string(header, key) : "";
        if (*target && (!*name || strcmp(target, name) == 0)) found = arm;
        cpl_free(key);
    }
    cpl_propertylist_delete(header);
    return found;
}

/* Tell the shifts as the recipe does; there must be one a frame but the first. */
static cpl_error_code tell_shifts(const char *file, cpl_size frames) {
    FILE *stream = fopen(file, "r");
    if (stream == NULL) return cpl_error_set_message(cpl_func, CPL_ERROR_FILE_NOT_FOUND, "no shift file %s", file);
    double dx, dy;
    cpl_size lines = 0;
    while (fscanf(stream, "%lf %lf", &dx, &dy) == 2)
        cpl_msg_info(cpl_func, "[frame %d, IFU %d] Shifts in x: %7.3f pix, in y: %7.3f pix", (int)++lines, 1, dx, dy);
    fclose(stream);
    if (lines == frames - 1) return CPL_ERROR_NONE;
    return cpl_error_set_message(cpl_func, CPL_ERROR_ILLEGAL_INPUT, "%d shifts for %d frames", (int)lines, (int)frames);
}

static cpl_imagelist *load(const char *file, int ifu) {
    char *name = cpl_sprintf("IFU.%d.DATA", ifu);
    cpl_imagelist *cube = cpl_imagelist_load(file, CPL_TYPE_FLOAT, cpl_fits_find_extension(file, name));
    cpl_free(name);
    return cube;
}

static void save(const cpl_imagelist *cube, const cpl_image *image, cpl_propertylist *header, const char *name,
                 const char *kind, const char *file) {
    char *full = cpl_sprintf("%s.%s", name, kind);
    cpl_propertylist_update_string(header, "EXTNAME", full);
    if (cube) cpl_imagelist_save(cube, file, CPL_TYPE_FLOAT, header, CPL_IO_EXTEND);
    if (image) cpl_image_save(image, file, CPL_TYPE_FLOAT, header, CPL_IO_EXTEND);
    cpl_free(full);
}

static int kmos_combine(cpl_frameset *frames, const cpl_parameterlist *parameters) {
    const char *name = text_of(parameters, "name"), *ifus = text_of(parameters, "ifus");
    const char *method = text_of(parameters, "method");
    cpl_size count = cpl_frameset_get_size(frames);
    set_groups(frames);
    obey();
    if (asked("fails")) return cpl_error_set_message(cpl_func, CPL_ERROR_ILLEGAL_INPUT, "orientations differ");
    if (asked("nothing")) return CPL_ERROR_NONE;
    if (strcmp(method, "user") == 0 && tell_shifts(text_of(parameters, "filename"), count)) return cpl_error_get_code();
    cpl_imagelist *sum = NULL;
    cpl_propertylist *header = NULL;
    for (cpl_size i = 0; i < count; i++) {
        const char *file = cpl_frame_get_filename(cpl_frameset_get_position_const(frames, i));
        int ifu = find_ifu(file, name, ifus, i);
        cpl_imagelist *cube = load(file, ifu);
        if (cube == NULL) return cpl_error_set_message(cpl_func, CPL_ERROR_DATA_NOT_FOUND, "no IFU %d in %s", ifu, file);
        if (sum == NULL) {
            char *extension = cpl_sprintf("IFU.%d.DATA", ifu);
            header = cpl_propertylist_load(file, cpl_fits_find_extension(file, extension));
            cpl_free(extension);
            sum = cube;
        } else {
            cpl_imagelist_add(sum, cube);
            cpl_imagelist_delete(cube);
        }
        cpl_msg_info(cpl_func, "Combined frame %d of %d", (int)i + 1, (int)count);
    }
    cpl_imagelist_divide_scalar(sum, (double)count);
    cpl_frame *first = cpl_frame_duplicate(cpl_frameset_get_position_const(frames, 0));
    const char *tag = cpl_frame_get_tag(first), *what = *name ? name : *ifus ? "IFU_etc" : "mapping";
    char *file = cpl_sprintf("COMBINE_%s_%s.fits", tag, what), *mask = cpl_sprintf("EXP_MASK_%s_%s.fits", tag, what);
    char *image = cpl_sprintf("COMBINED_IMAGE_%s.fits", what);
    save_primary(frames, parameters, first, RECIPE, "COMBINED_CUBE", file);
    save(sum, NULL, header, what, "DATA", file);
    cpl_imagelist_multiply_scalar(sum, 0.0);
    cpl_imagelist_add_scalar(sum, 1.0 / sqrt((double)count));
    save(sum, NULL, header, what, "NOISE", file);
    cpl_image *ones = cpl_image_duplicate(cpl_imagelist_get(sum, 0));
    cpl_image_multiply_scalar(ones, 0.0);
    cpl_image_add_scalar(ones, (double)count);
    cpl_propertylist_erase_regexp(header, "3|^NAXIS|^CD3", 0);
    save_primary(frames, parameters, first, RECIPE, "EXP_MASK", mask);
    save(NULL, ones, header, what, "DATA", mask);
    if (cpl_parameter_get_bool(cpl_parameterlist_find_const(parameters, "kmos.kmos_combine.collapse_combined"))) {
        save_primary(frames, parameters, first, RECIPE, "COMBINED_IMAGE", image);
        save(NULL, ones, header, what, "DATA", image);
    }
    cpl_image_delete(ones);
    cpl_imagelist_delete(sum);
    cpl_propertylist_delete(header);
    cpl_frame_delete(first);
    cpl_free(file);
    cpl_free(mask);
    cpl_free(image);
    return cpl_error_get_code();
}
