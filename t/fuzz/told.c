/*
 * Results of jobs about tasks, whatever they are, become JSON.
 */

#include <jansson.h>

#include "dfp_told.h"
#include "dfp_fuzz.h"


static json_t *
read_back(dfp_buf_t *b)
{
    dfp_str_t  text;

    text = dfp_buf_value(b);

    return json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t      *root;
    size_t       layers;
    dfp_buf_t    b;
    dfp_told_t   told[2];

    memset(told, 0, sizeof(told));

    /* two parts, the second of which has a part of the input */

    told[0].results = (dfp_str_t) { size, (const char *) data };
    told[1].results = (dfp_str_t) { size / 2, (const char *) data };
    told[1].hostname = DFP_STR("one");
    told[1].error = DFP_STR("why");

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    MUST(dfp_told_print(&b, told, 2) == DFP_OK);

    root = read_back(&b);
    MUST(json_is_array(json_object_get(root, "failure_tasks")));
    json_decref(root);

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    MUST(dfp_told_distribution(&b, told, 2, &layers) == DFP_OK);

    root = read_back(&b);
    MUST(json_array_size(json_object_get(json_object_get(root, "image"),
                                         "layers")) == layers);
    MUST(json_is_array(json_object_get(root, "peers")));
    json_decref(root);
    dfp_fuzz_free();

    return 0;
}
