/* Stand-in of kmos_sky_tweak: subtracts the sky as it is, extension by extension. */
#include "stand_in.h"

#define RECIPE "kmos_sky_tweak"
#define PRODUCT "SKY_TWEAK.fits"

cpl_recipe_define(kmos_sky_tweak, VERSION, AUTHOR, PACKAGE_BUGREPORT, YEAR, "Removal of OH sky lines",
                  "A stand-in with the interface of the recipe, to test what calls it.");

static cpl_error_code kmos_sky_tweak_fill_parameterlist(cpl_parameterlist *list) {
    ADD(list, RECIPE, "ifu", CPL_TYPE_INT, "Only reduce the specified IFU", 0);
    ADD(list, RECIPE, "discard_subband", CPL_TYPE_BOOL, "Ignore last sub-band in the sky tweaking", FALSE);
    ADD(list, RECIPE, "stretch", CPL_TYPE_BOOL, "Stretch sky", FALSE);
    ADD(list, RECIPE, "stretch_degree", CPL_TYPE_INT, "Stretch polynomial degree", 8);
    ADD(list, RECIPE, "stretch_resampling", CPL_TYPE_STRING, "Stretch resampling method (linear/spline)", "spline");
    ADD(list, RECIPE, "tbsub", CPL_TYPE_BOOL,
        "Subtract thermal background from input cube.(TRUE (apply) or FALSE (don't apply)", TRUE);
    return cpl_error_get_code();
}

static void subtract(const char *object, const char *sky, int extension) {
    cpl_propertylist *header = cpl_propertylist_load(object, extension);
    const char *name = cpl_propertylist_get_string(header, "EXTNAME");
    if (cpl_propertylist_get_int(header, "NAXIS") == 0) {
        cpl_propertylist_save(header, PRODUCT, CPL_IO_EXTEND);
    } else {
        cpl_imagelist *cube = cpl_imagelist_load(object, CPL_TYPE_FLOAT, extension);
        int number = cpl_fits_find_extension(sky, name);
        if (strstr(name, "DATA") != NULL && number > 0) {
            cpl_imagelist *dark = cpl_imagelist_load(sky, CPL_TYPE_FLOAT, number);
            cpl_imagelist_subtract(cube, dark);
            cpl_imagelist_delete(dark);
        }
        cpl_msg_info(cpl_func, "Tweaking %s", name);
        cpl_imagelist_save(cube, PRODUCT, CPL_TYPE_FLOAT, header, CPL_IO_EXTEND);
        cpl_imagelist_delete(cube);
    }
    cpl_propertylist_delete(header);
}

static int kmos_sky_tweak(cpl_frameset *frames, const cpl_parameterlist *parameters) {
    if (cpl_frameset_count_tags(frames, "CUBE_OBJECT") < 1)
        return cpl_error_set_message(cpl_func, CPL_ERROR_NULL_INPUT, "At least one CUBE_OBJECT is required");
    if (cpl_frameset_count_tags(frames, "CUBE_SKY") != 1)
        return cpl_error_set_message(cpl_func, CPL_ERROR_NULL_INPUT, "Exactly one CUBE_SKY is required");
    set_groups(frames);
    obey();
    if (asked("fails")) return cpl_error_set_message(cpl_func, CPL_ERROR_ILLEGAL_INPUT, "no OH lines in IFU %d", 3);
    if (asked("nothing")) return CPL_ERROR_NONE;
    const cpl_frame *first = cpl_frameset_find_const(frames, "CUBE_OBJECT");
    char *object = cpl_strdup(cpl_frame_get_filename(first));
    char *sky = cpl_strdup(cpl_frame_get_filename(cpl_frameset_find_const(frames, "CUBE_SKY")));
    int extensions = cpl_fits_count_extensions(object);
    save_primary(frames, parameters, first, RECIPE, "OBJECT_S", PRODUCT);
    for (int i = 1; i <= extensions; i++) subtract(object, sky, i);
    cpl_free(object);
    cpl_free(sky);
    return cpl_error_get_code();
}
