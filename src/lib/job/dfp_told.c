/*
 * Results of several parts, together.
 */

#include <stdio.h>

#include "dfp_json.h"
#include "dfp_told.h"


#define DFP_TOLD_LISTS  4


typedef struct {
    const char  *key;
    dfp_buf_t    json;          /* elements, joined by commas */
    json_int_t   omitted;
    unsigned     known:1;       /* a part has it */
} dfp_told_list_t;


static dfp_rc_t dfp_told_add(dfp_told_list_t *lists, dfp_told_t *told,
    dfp_mem_t *mem);
static dfp_rc_t dfp_told_open(dfp_told_t *told, dfp_mem_t *mem,
    dfp_json_t *in);
static void dfp_told_list(dfp_told_list_t *list, const json_t *results);
static void dfp_told_failed(dfp_told_list_t *list, dfp_told_t *told);
static void dfp_told_end(dfp_buf_t *b, dfp_told_list_t *list);
static dfp_rc_t dfp_told_layers(dfp_buf_t *b, json_t *layers, json_t *seen);
static void dfp_told_peers(dfp_buf_t *b, const json_t *peers,
    dfp_told_t *told);
static void dfp_told_unable(dfp_buf_t *b, const json_t *failed,
    dfp_told_t *told);
static dfp_str_t dfp_told_text(const json_t *object, const char *key);
static void dfp_told_unknown(dfp_buf_t *b, const dfp_told_t *told);


dfp_rc_t
dfp_told_print(dfp_buf_t *b, dfp_told_t *told, size_t n)
{
    size_t     i;
    dfp_rc_t   rc;

    dfp_told_list_t  lists[DFP_TOLD_LISTS] = {
        { .key = "failure_tasks", .known = 1 },
        { .key = "peers" },
        { .key = "success_tasks" },
        { .key = "unreachable" }
    };

    for (i = 0; i < DFP_TOLD_LISTS; i++) {
        dfp_buf_init(&lists[i].json, b->mem, 0, 0);
    }

    for (i = 0; i < n; i++) {
        rc = dfp_told_add(lists, &told[i], b->mem);

        if (rc != DFP_OK) {
            return rc;
        }
    }

    dfp_buf_cstr(b, "{\"scheduler_cluster_id\":");
    dfp_buf_int(b, n ? told[0].cluster : 0);

    for (i = 0; i < DFP_TOLD_LISTS; i++) {
        dfp_told_end(b, &lists[i]);
    }

    dfp_buf_cstr(b, "}");

    return b->failed ? DFP_ERROR : DFP_OK;
}


static dfp_rc_t
dfp_told_add(dfp_told_list_t *lists, dfp_told_t *told, dfp_mem_t *mem)
{
    size_t      i;
    dfp_rc_t    rc;
    dfp_json_t  in;

    rc = dfp_told_open(told, mem, &in);

    if (rc == DFP_ERROR) {
        return DFP_ERROR;
    }

    if (rc == DFP_OK) {
        for (i = 0; i < DFP_TOLD_LISTS; i++) {
            dfp_told_list(&lists[i], in.root);
        }

        dfp_json_close(&in);

    } else if (told->error.len && told->hostname.len) {
        dfp_told_failed(told->away ? &lists[DFP_TOLD_LISTS - 1] : &lists[0],
                        told);
    }

    return DFP_OK;
}


/* DFP_DECLINED: there are no results, or none that can be read. */

static dfp_rc_t
dfp_told_open(dfp_told_t *told, dfp_mem_t *mem, dfp_json_t *in)
{
    dfp_rc_t   rc;
    dfp_err_t  err;

    if (told->results.len == 0) {
        return DFP_DECLINED;
    }

    rc = dfp_json_open(in, mem, told->results, "results", "", &err);

    return rc == DFP_INVALID ? DFP_DECLINED : rc;
}


static void
dfp_told_list(dfp_told_list_t *list, const json_t *results)
{
    size_t   i;
    char     key[DFP_JSON_WHAT_LEN];
    json_t  *values;

    values = json_object_get(results, list->key);

    if (!json_is_array(values)) {
        return;
    }

    list->known = 1;

    for (i = 0; i < json_array_size(values); i++) {
        dfp_buf_cstr(&list->json, list->json.len ? "," : "");
        dfp_json_print(&list->json, json_array_get(values, i));
    }

    (void) snprintf(key, sizeof(key), "%s_omitted", list->key);

    list->omitted += json_integer_value(json_object_get(results, key));
}


static void
dfp_told_failed(dfp_told_list_t *list, dfp_told_t *told)
{
    dfp_buf_t  *b;

    b = &list->json;
    list->known = 1;

    dfp_buf_cstr(b, b->len ? ",{\"description\":" : "{\"description\":");
    dfp_buf_json(b, told->error);
    dfp_buf_cstr(b, ",\"host_type\":\"normal\",\"hostname\":");
    dfp_buf_json(b, told->hostname);
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, told->ip);
    dfp_buf_cstr(b, "}");
}


static void
dfp_told_end(dfp_buf_t *b, dfp_told_list_t *list)
{
    b->failed |= list->json.failed;

    if (!list->known) {
        return;
    }

    dfp_buf_cstr(b, ",\"");
    dfp_buf_cstr(b, list->key);
    dfp_buf_cstr(b, "\":[");
    dfp_buf_str(b, dfp_buf_value(&list->json));
    dfp_buf_cstr(b, "]");

    if (list->omitted) {
        dfp_buf_cstr(b, ",\"");
        dfp_buf_cstr(b, list->key);
        dfp_buf_cstr(b, "_omitted\":");
        dfp_buf_int(b, list->omitted);
    }
}


dfp_rc_t
dfp_told_distribution(dfp_buf_t *b, dfp_told_t *told, size_t n, size_t *layers)
{
    size_t      i;
    json_t     *seen;
    dfp_rc_t    rc;
    dfp_buf_t   peers;
    dfp_json_t  in;

    seen = json_object();
    if (seen == NULL) {
        return DFP_ERROR;
    }

    rc = DFP_OK;

    dfp_buf_init(&peers, b->mem, 0, 0);
    dfp_buf_cstr(b, "{\"image\":{\"layers\":[");

    for (i = 0; i < n && rc != DFP_ERROR; i++) {

        rc = dfp_told_open(&told[i], b->mem, &in);

        if (rc == DFP_OK) {
            rc = dfp_told_layers(b, json_object_get(in.root, "layers"), seen);
            dfp_told_peers(&peers, json_object_get(in.root, "peers"), &told[i]);
            dfp_told_unable(&peers, json_object_get(in.root, "failure_tasks"),
                            &told[i]);
            dfp_told_unable(&peers, json_object_get(in.root, "unreachable"),
                            &told[i]);
            dfp_json_close(&in);
        }

        if (rc == DFP_DECLINED && told[i].error.len == 0) {
            told[i].error = DFP_STR("its results are not valid: does it have "
                                    "another version?");
        }

        if (told[i].error.len) {
            dfp_told_unknown(&peers, &told[i]);
        }
    }

    *layers = json_object_size(seen);
    json_decref(seen);

    dfp_buf_cstr(b, "]},\"peers\":[");
    dfp_buf_str(b, dfp_buf_value(&peers));
    dfp_buf_cstr(b, "]}");

    return (rc == DFP_ERROR || b->failed || peers.failed) ? DFP_ERROR : DFP_OK;
}


/* Appends those that are not in SEEN yet. */

static dfp_rc_t
dfp_told_layers(dfp_buf_t *b, json_t *layers, json_t *seen)
{
    size_t       i;
    json_t      *url;
    const char  *text;

    for (i = 0; i < json_array_size(layers); i++) {
        url = json_object_get(json_array_get(layers, i), "url");
        text = json_string_value(url);

        if (text == NULL || json_object_get(seen, text)) {
            continue;
        }

        dfp_buf_cstr(b, json_object_size(seen) ? ",{\"url\":" : "{\"url\":");
        dfp_json_print(b, url);
        dfp_buf_cstr(b, "}");

        if (json_object_set_new(seen, text, json_true()) != 0) {
            return DFP_ERROR;
        }
    }

    return DFP_OK;
}


static void
dfp_told_peers(dfp_buf_t *b, const json_t *peers, dfp_told_t *told)
{
    size_t   i;
    json_t  *peer;

    for (i = 0; i < json_array_size(peers); i++) {
        peer = json_array_get(peers, i);

        if (json_object_set_new(peer, "scheduler_cluster_id",
                                json_integer(told->cluster))
            != 0)
        {
            continue;
        }

        dfp_buf_cstr(b, b->len ? "," : "");
        dfp_json_print(b, peer);
    }
}


/* Peers that could not tell, with their reasons. */

static void
dfp_told_unable(dfp_buf_t *b, const json_t *failed, dfp_told_t *told)
{
    size_t      i;
    json_t     *peer;
    dfp_told_t  one;

    for (i = 0; i < json_array_size(failed); i++) {
        peer = json_array_get(failed, i);

        one = *told;
        one.hostname = dfp_told_text(peer, "hostname");
        one.ip = dfp_told_text(peer, "ip");
        one.error = dfp_told_text(peer, "description");

        dfp_told_unknown(b, &one);
    }
}


static dfp_str_t
dfp_told_text(const json_t *object, const char *key)
{
    json_t  *value;

    value = json_object_get(object, key);

    return json_is_string(value)
           ? (dfp_str_t) { json_string_length(value), json_string_value(value) }
           : DFP_STR_NULL;
}


static void
dfp_told_unknown(dfp_buf_t *b, const dfp_told_t *told)
{
    dfp_buf_cstr(b, b->len ? ",{\"cached_layers\":[],\"error\":"
                           : "{\"cached_layers\":[],\"error\":");
    dfp_buf_json(b, told->error);
    dfp_buf_cstr(b, ",\"hostname\":");
    dfp_buf_json(b, told->hostname);
    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, told->ip);
    dfp_buf_cstr(b, ",\"scheduler_cluster_id\":");
    dfp_buf_int(b, told->cluster);
    dfp_buf_cstr(b, "}");
}
