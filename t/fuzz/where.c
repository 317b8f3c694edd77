/*
 * Results of a job, whatever they are, become an answer that is JSON.
 */

#include <jansson.h>

#include "dfp_where.h"
#include "dfp_fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t       *root, *peers;
    dfp_buf_t     b;
    dfp_str_t     text;
    dfp_where_t   where[2];

    memset(where, 0, sizeof(where));

    /* two nginx, each with a part of the input */

    where[0].results = (dfp_str_t) { size, (const char *) data };
    where[1].results = (dfp_str_t) { size / 2, (const char *) data };

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);

    MUST(dfp_where_print(&b, where, 2) == DFP_OK);

    text = dfp_buf_value(&b);
    root = json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);

    MUST(root != NULL);

    peers = json_object_get(root, "peers");

    MUST(json_array_size(peers) == 2);
    MUST(json_is_array(json_object_get(json_object_get(root, "image"),
                                       "layers")));
    MUST(json_string_value(json_object_get(json_array_get(peers, 0), "error"))
         != NULL);

    json_decref(root);
    dfp_fuzz_free();

    return 0;
}
