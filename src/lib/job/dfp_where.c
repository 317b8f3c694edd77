/*
 * Where an image or a file is.
 */

#include "dfp_json.h"
#include "dfp_where.h"


static dfp_rc_t dfp_where_open(dfp_buf_t *b, dfp_where_t *where,
    dfp_json_t *in);
static dfp_rc_t dfp_where_layers(dfp_buf_t *b, json_t *tasks, json_t *seen);
static void dfp_where_peer(dfp_buf_t *b, dfp_where_t *where, json_t *results);
static void dfp_where_cached(dfp_buf_t *b, json_t *tasks);
static void dfp_where_field(dfp_buf_t *b, const char *key, json_t *value);


dfp_rc_t
dfp_where_print(dfp_buf_t *b, dfp_where_t *where, size_t n)
{
    json_t      *seen;
    size_t       i;
    dfp_rc_t     rc;
    dfp_buf_t    peers;
    dfp_json_t   in;

    seen = json_object();
    if (seen == NULL) {
        return DFP_ERROR;
    }

    rc = DFP_OK;

    dfp_buf_init(&peers, b->mem, 1024, 0);
    dfp_buf_cstr(b, "{\"image\":{\"layers\":[");

    for (i = 0; i < n; i++) {
        rc = dfp_where_open(b, &where[i], &in);
        if (rc == DFP_ERROR) {
            break;
        }

        dfp_buf_cstr(&peers, i ? "," : "");

        if (rc != DFP_OK) {
            dfp_where_peer(&peers, &where[i], NULL);
            rc = DFP_OK;
            continue;
        }

        rc = dfp_where_layers(b, json_object_get(in.root, "success_tasks"),
                              seen);
        if (rc == DFP_OK) {
            rc = dfp_where_layers(b, json_object_get(in.root, "failure_tasks"),
                                  seen);
        }

        dfp_where_peer(&peers, &where[i], in.root);
        dfp_json_close(&in);

        if (rc != DFP_OK) {
            break;
        }
    }

    json_decref(seen);

    dfp_buf_cstr(b, "]},\"peers\":[");
    dfp_buf_str(b, dfp_buf_value(&peers));
    dfp_buf_cstr(b, "]}");

    return (rc != DFP_OK || b->failed || peers.failed) ? DFP_ERROR : DFP_OK;
}


/* DFP_DECLINED: there are no results, or none that can be read. */

static dfp_rc_t
dfp_where_open(dfp_buf_t *b, dfp_where_t *where, dfp_json_t *in)
{
    dfp_rc_t   rc;
    dfp_err_t  err;

    if (where->results.len == 0) {
        return DFP_DECLINED;
    }

    rc = dfp_json_open(in, b->mem, where->results, "results", "", &err);

    if (rc == DFP_INVALID) {
        where->error = DFP_STR("its results are not valid: does it have "
                               "another version?");
        return DFP_DECLINED;
    }

    return rc;
}


/* Appends the URLs of the tasks that are not in SEEN yet. */

static dfp_rc_t
dfp_where_layers(dfp_buf_t *b, json_t *tasks, json_t *seen)
{
    json_t      *url, *mark;
    size_t       i;
    const char  *text;

    for (i = 0; i < json_array_size(tasks); i++) {
        url = json_object_get(json_array_get(tasks, i), "url");
        text = json_string_value(url);

        if (text == NULL || json_object_get(seen, text)) {
            continue;
        }

        dfp_buf_cstr(b, json_object_size(seen) ? ",{" : "{");
        dfp_where_field(b, "\"url\":", url);
        dfp_buf_cstr(b, "}");

        mark = json_true();

        if (json_object_set_new(seen, text, mark) != 0) {
            return DFP_ERROR;
        }
    }

    return DFP_OK;
}


static void
dfp_where_peer(dfp_buf_t *b, dfp_where_t *where, json_t *results)
{
    json_t  *images, *omitted;

    dfp_buf_cstr(b, "{\"cached_layers\":[");

    dfp_where_cached(b, json_object_get(results, "success_tasks"));

    dfp_buf_cstr(b, "]");

    omitted = json_object_get(results, "success_tasks_omitted");

    if (omitted) {
        dfp_where_field(b, ",\"layers_omitted\":", omitted);
    }

    dfp_buf_cstr(b, ",\"error\":");
    dfp_buf_json(b, where->error);
    dfp_buf_cstr(b, ",\"hostname\":");
    dfp_buf_json(b, where->hostname);

    images = json_object_get(results, "images");

    if (images) {
        dfp_where_field(b, ",\"images\":", images);
    }

    dfp_buf_cstr(b, ",\"ip\":");
    dfp_buf_json(b, where->ip);
    dfp_buf_cstr(b, ",\"scheduler_cluster_id\":");
    dfp_buf_int(b, where->cluster);
    dfp_buf_cstr(b, "}");
}


/* What is in the cache has a size; the rest was only looked for. */

static void
dfp_where_cached(dfp_buf_t *b, json_t *tasks)
{
    size_t   i, n;
    json_t  *task;

    n = 0;

    for (i = 0; i < json_array_size(tasks); i++) {
        task = json_array_get(tasks, i);

        if (json_object_get(task, "size") == NULL) {
            continue;
        }

        (void) json_object_del(task, "hostname");
        (void) json_object_del(task, "ip");

        dfp_where_field(b, n++ ? "," : "", task);
    }
}


static void
dfp_where_field(dfp_buf_t *b, const char *key, json_t *value)
{
    dfp_buf_cstr(b, key);
    dfp_json_print(b, value);
}
