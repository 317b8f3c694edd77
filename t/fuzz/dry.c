/*
 * Results of a dry run, whatever they are, become members of an object of JSON.
 */

#include <jansson.h>

#include "dfp_dry.h"
#include "dfp_fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       i;
    json_t      *root, *tasks, *task;
    dfp_buf_t    b;
    dfp_str_t    text;
    dfp_dry_t    parts[2];

    memset(parts, 0, sizeof(parts));

    /* two nginx, each with a part of the input */

    parts[0].results = (dfp_str_t) { size, (const char *) data };
    parts[1].results = (dfp_str_t) { size / 2, (const char *) data };
    parts[1].ip = DFP_STR("192.0.2.1");

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"a\":1");

    MUST(dfp_dry_print(&b, parts, 2) == DFP_OK);

    dfp_buf_cstr(&b, "}");

    text = dfp_buf_value(&b);
    root = json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);

    MUST(root != NULL);

    /* one of them has told nothing, or not all */

    tasks = json_object_get(root, "tasks");

    MUST(tasks != NULL && json_object_get(root, "targets") != NULL);

    for (i = 0; i < json_array_size(tasks); i++) {
        task = json_array_get(tasks, i);

        MUST(json_is_string(json_object_get(task, "url")));
        MUST(json_object_get(task, "held") != NULL);
    }

    json_decref(root);
    dfp_fuzz_free();

    return 0;
}
