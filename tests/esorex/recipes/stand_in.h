/* What the stand-ins of KMOS recipes share: tags, parameters and products are those of the pipeline, the science is not.
   The variable STAND_IN asks for a failure: fails, crashes, nothing, slow, stubborn. */
#define PACKAGE_NAME "KMOS stand-in"
#define PACKAGE_VERSION "1.4.3"
#define PACKAGE_BUGREPORT "nobody"

#include <cpl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPELINE "kmos/1.4.3"
#define AUTHOR "napari-kmos"
#define YEAR "2026"
#define VERSION 10403

static inline void add(cpl_parameterlist *list, cpl_parameter *parameter, const char *name) {
    cpl_parameter_set_alias(parameter, CPL_PARAMETER_MODE_CLI, name);
    cpl_parameter_disable(parameter, CPL_PARAMETER_MODE_ENV);
    cpl_parameterlist_append(list, parameter);
}

#define CONTEXT(recipe) "kmos." recipe
#define ADD(list, recipe, name, type, text, value) \
    add(list, cpl_parameter_new_value("kmos." recipe "." name, type, text, CONTEXT(recipe), value), name)

/* Tell whether a way to fail was asked for; those that end or hold the process do so here. */
static inline int asked(const char *what) {
    const char *mode = getenv("STAND_IN");
    return mode != NULL && strcmp(mode, what) == 0;
}

static inline void obey(void) {
    if (asked("crashes")) {
        cpl_msg_error(cpl_func, "about to crash");
        abort();
    }
    if (asked("stubborn")) signal(SIGTERM, SIG_IGN);
    if (asked("slow") || asked("stubborn")) {
        for (int second = 0; second < 600; second++) {
            cpl_msg_info(cpl_func, "Working on IFU %d", second);
            usleep(200000);
        }
    }
}

static inline cpl_error_code set_groups(cpl_frameset *frames) {
    for (cpl_size i = 0; i < cpl_frameset_get_size(frames); i++)
        cpl_frame_set_group(cpl_frameset_get_position(frames, i), CPL_FRAME_GROUP_RAW);
    return cpl_error_get_code();
}

/* Save the primary header of a product. */
static inline void save_primary(cpl_frameset *frames, const cpl_parameterlist *parameters, const cpl_frame *first,
                                const char *recipe, const char *category, const char *file) {
    cpl_propertylist *added = cpl_propertylist_new();
    cpl_frameset *used = cpl_frameset_duplicate(frames);
    cpl_propertylist_append_string(added, CPL_DFS_PRO_CATG, category);
    cpl_dfs_save_propertylist(frames, NULL, parameters, used, first, recipe, added, NULL, PIPELINE, file);
    cpl_frameset_delete(used);
    cpl_propertylist_delete(added);
}
