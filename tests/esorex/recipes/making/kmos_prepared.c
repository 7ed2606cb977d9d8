/* Stand-in of the recipes that `prepare` writes commands for, one by its name put in the place of kmos_prepared: takes
   what the recipe of that name takes, and tells in the header of its product what it was given. */
#include "../stand_in.h"

#define RECIPE "kmos_prepared"
#define IS(name) (strcmp(RECIPE, "kmos_" name) == 0)

cpl_recipe_define(kmos_prepared, VERSION, AUTHOR, PACKAGE_BUGREPORT, YEAR, "Stand-in",
                  "A stand-in with the parameters of the recipe, to test what is written for it.");

static cpl_error_code kmos_prepared_fill_parameterlist(cpl_parameterlist *list) {
    if (IS("sci_red")) {
        ADD(list, RECIPE, "no_subtract", CPL_TYPE_BOOL, "Don't subtract object and references", FALSE);
        ADD(list, RECIPE, "sky_tweak", CPL_TYPE_BOOL, "Use modified sky cube for sky subtraction", FALSE);
        ADD(list, RECIPE, "b_samples", CPL_TYPE_INT, "The number of samples in wavelength", 2048);
        ADD(list, RECIPE, "pix_scale", CPL_TYPE_DOUBLE, "Change the pixel scale [arcsec]", 0.2);
    }
    if (IS("molecfit_model")) ADD(list, RECIPE, "wave_range", CPL_TYPE_STRING, "Wavelength ranges", "-1");
    if (IS("molecfit_model") || IS("molecfit_calctrans"))
        ADD(list, RECIPE, "use_input_kernel", CPL_TYPE_BOOL, "Use the kernel library", TRUE);
    if (IS("gen_telluric")) ADD(list, RECIPE, "method", CPL_TYPE_INT, "How TELLURIC is generated", 1);
    return cpl_error_get_code();
}

static int kmos_prepared(cpl_frameset *frames, const cpl_parameterlist *parameters) {
    for (cpl_size i = 0; i < cpl_frameset_get_size(frames); i++) {
        const cpl_frame *frame = cpl_frameset_get_position_const(frames, i);
        cpl_propertylist *header = cpl_propertylist_load(cpl_frame_get_filename(frame), 0);
        if (header == NULL) return cpl_error_get_code();
        cpl_propertylist_delete(header);
        cpl_msg_info(cpl_func, "got %s", cpl_frame_get_tag(frame));
    }
    set_groups(frames);
    cpl_frame *first = cpl_frame_duplicate(cpl_frameset_get_position_const(frames, 0));
    save_primary(frames, parameters, first, RECIPE, "STAND_IN", "PRODUCT.fits");
    cpl_frame_delete(first);
    return cpl_error_get_code();
}
