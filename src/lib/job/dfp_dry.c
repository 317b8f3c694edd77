/*
 * What a dry run tells.
 */

#include <string.h>

#include "dfp_dry.h"
#include "dfp_json.h"


#define DFP_DRY_NONE  ((size_t) -1)


/* A task, as all parts tell about it. */
typedef struct {
    const json_t     *task;      /* of the first part that has it */
    const json_t     *size;      /* the first that is known */
    size_t            part;      /* the last part that has it */
    size_t            held;      /* parts that hold it */
    size_t            absent;    /* parts that do not */
    size_t            next;      /* the next task that is shown with the same
                                    URL, because what differs is secret */
} dfp_dry_task_t;


typedef struct {
    const dfp_dry_t  *parts;
    size_t            n;
    json_t          **results;   /* of each part; NULL: none */
    json_t           *urls;      /* the first task with each URL */
    dfp_dry_task_t   *tasks;
    size_t            ntasks;
    json_int_t        total;     /* tasks, with those that are omitted */
} dfp_dry_merge_t;


static dfp_rc_t dfp_dry_open(dfp_dry_merge_t *merge, dfp_mem_t *mem);
static void dfp_dry_close(dfp_dry_merge_t *merge);
static dfp_rc_t dfp_dry_merge(dfp_dry_merge_t *merge, dfp_mem_t *mem);
static dfp_rc_t dfp_dry_add(dfp_dry_merge_t *merge, size_t part,
    const json_t *task);
static dfp_dry_task_t *dfp_dry_find(dfp_dry_merge_t *merge, size_t part,
    const char *url, dfp_rc_t *rc);
static json_int_t dfp_dry_omitted(const json_t *results, const char *key);
static void dfp_dry_targets(dfp_buf_t *b, dfp_dry_merge_t *merge);
static void dfp_dry_target(dfp_buf_t *b, const json_t *target,
    const dfp_dry_t *part);
static void dfp_dry_tasks(dfp_buf_t *b, dfp_dry_merge_t *merge);
static void dfp_dry_member(dfp_buf_t *b, const char *key,
    const json_t *value);


dfp_rc_t
dfp_dry_print(dfp_buf_t *b, const dfp_dry_t *parts, size_t n)
{
    dfp_rc_t         rc;
    dfp_dry_merge_t  merge;

    memset(&merge, 0, sizeof(dfp_dry_merge_t));

    merge.parts = parts;
    merge.n = n;

    rc = dfp_dry_open(&merge, b->mem);

    if (rc == DFP_OK) {
        rc = dfp_dry_merge(&merge, b->mem);
    }

    if (rc == DFP_OK) {
        dfp_dry_targets(b, &merge);
        dfp_dry_tasks(b, &merge);
    }

    dfp_dry_close(&merge);

    return (rc == DFP_OK && !b->failed) ? DFP_OK : DFP_ERROR;
}


/* Results that cannot be read, as those of another version, are none. */

static dfp_rc_t
dfp_dry_open(dfp_dry_merge_t *merge, dfp_mem_t *mem)
{
    size_t      i;
    dfp_rc_t    rc;
    dfp_err_t   err;
    dfp_json_t  in;

    merge->urls = json_object();
    merge->results = mem->alloc(mem->ctx,
                                (merge->n + 1) * sizeof(json_t *));

    if (merge->urls == NULL || merge->results == NULL) {
        return DFP_ERROR;
    }

    memset(merge->results, 0, (merge->n + 1) * sizeof(json_t *));

    for (i = 0; i < merge->n; i++) {

        if (merge->parts[i].results.len == 0) {
            continue;
        }

        rc = dfp_json_open(&in, mem, merge->parts[i].results, "results", "",
                           &err);

        if (rc == DFP_ERROR) {
            return rc;
        }

        if (rc == DFP_OK) {
            merge->results[i] = in.root;
        }
    }

    return DFP_OK;
}


static void
dfp_dry_close(dfp_dry_merge_t *merge)
{
    size_t  i;

    for (i = 0; merge->results && i < merge->n; i++) {
        json_decref(merge->results[i]);
    }

    json_decref(merge->urls);
}


static dfp_rc_t
dfp_dry_merge(dfp_dry_merge_t *merge, dfp_mem_t *mem)
{
    size_t         i, k, max;
    dfp_rc_t       rc;
    json_int_t     total;
    const json_t  *tasks, *task;

    max = 0;

    for (i = 0; i < merge->n; i++) {
        max += json_array_size(json_object_get(merge->results[i], "tasks"));
    }

    merge->tasks = mem->alloc(mem->ctx, (max + 1) * sizeof(dfp_dry_task_t));
    if (merge->tasks == NULL) {
        return DFP_ERROR;
    }

    for (i = 0; i < merge->n; i++) {
        tasks = json_object_get(merge->results[i], "tasks");
        total = dfp_dry_omitted(merge->results[i], "tasks_omitted");

        for (k = 0; k < json_array_size(tasks); k++) {
            task = json_array_get(tasks, k);

            if (!json_is_string(json_object_get(task, "url"))) {
                continue;
            }

            rc = dfp_dry_add(merge, i, task);

            if (rc != DFP_OK) {
                return rc;
            }

            total++;
        }

        merge->total = (total > merge->total) ? total : merge->total;
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_dry_add(dfp_dry_merge_t *merge, size_t part, const json_t *task)
{
    dfp_rc_t         rc;
    const char      *url;
    const json_t    *held, *size;
    dfp_dry_task_t  *known;

    url = json_string_value(json_object_get(task, "url"));
    rc = DFP_OK;

    known = dfp_dry_find(merge, part, url, &rc);
    if (known == NULL) {
        return rc;
    }

    if (known->task == NULL) {
        known->task = task;
    }

    held = json_object_get(task, "held");
    size = json_object_get(task, "size");

    known->part = part;
    known->held += json_is_true(held);
    known->absent += json_is_false(held);

    if (known->size == NULL && json_is_integer(size)) {
        known->size = size;
    }

    return DFP_OK;
}


/* The task of this URL that PART has not told about yet, or a new one. NULL: no
 * memory, and RC says so. */

static dfp_dry_task_t *
dfp_dry_find(dfp_dry_merge_t *merge, size_t part, const char *url,
    dfp_rc_t *rc)
{
    size_t           i;
    json_t          *first;
    dfp_dry_task_t  *task;

    first = json_object_get(merge->urls, url);
    task = NULL;

    if (first) {
        task = &merge->tasks[json_integer_value(first)];

        while (task->part == part && task->next != DFP_DRY_NONE) {
            task = &merge->tasks[task->next];
        }

        if (task->part != part) {
            return task;
        }
    }

    i = merge->ntasks;

    if (first == NULL
        && json_object_set_new(merge->urls, url, json_integer(i)) != 0)
    {
        *rc = DFP_ERROR;
        return NULL;
    }

    if (task) {
        task->next = i;
    }

    task = &merge->tasks[merge->ntasks++];

    memset(task, 0, sizeof(dfp_dry_task_t));
    task->part = part;
    task->next = DFP_DRY_NONE;

    return task;
}


static json_int_t
dfp_dry_omitted(const json_t *results, const char *key)
{
    json_int_t  n;

    n = json_integer_value(json_object_get(results, key));

    return (n > 0 && n < INT32_MAX) ? n : 0;
}


/* An nginx that has reported nothing is a target, too: it was chosen. */

static void
dfp_dry_targets(dfp_buf_t *b, dfp_dry_merge_t *merge)
{
    size_t         i, k, some;
    json_int_t     omitted;
    const json_t  *targets;

    some = 0;
    omitted = 0;

    dfp_buf_cstr(b, ",\"targets\":");

    for (i = 0; i < merge->n; i++) {
        targets = json_object_get(merge->results[i], "targets");

        for (k = 0; k < json_array_size(targets); k++) {
            dfp_buf_cstr(b, some++ ? "," : "[");
            dfp_dry_target(b, json_array_get(targets, k), &merge->parts[i]);
        }

        if (k == 0 && merge->parts[i].ip.len) {
            dfp_buf_cstr(b, some++ ? "," : "[");
            dfp_dry_target(b, NULL, &merge->parts[i]);
        }

        omitted += dfp_dry_omitted(merge->results[i], "targets_omitted");
    }

    dfp_buf_cstr(b, some ? "]" : "null");

    if (omitted) {
        dfp_buf_cstr(b, ",\"targets_omitted\":");
        dfp_buf_int(b, omitted);
    }
}


static void
dfp_dry_target(dfp_buf_t *b, const json_t *target, const dfp_dry_t *part)
{
    const json_t  *held;

    held = json_object_get(target, "held");

    dfp_buf_cstr(b, "{\"held\":");
    dfp_dry_member(b, "", json_is_integer(held) ? held : NULL);

    if (target) {
        dfp_dry_member(b, ",\"hostname\":", json_object_get(target, "hostname"));
        dfp_dry_member(b, ",\"ip\":", json_object_get(target, "ip"));

    } else {
        dfp_buf_cstr(b, ",\"hostname\":");
        dfp_buf_json(b, part->hostname);
        dfp_buf_cstr(b, ",\"ip\":");
        dfp_buf_json(b, part->ip);
    }

    dfp_buf_cstr(b, "}");
}


static void
dfp_dry_tasks(dfp_buf_t *b, dfp_dry_merge_t *merge)
{
    size_t                 i;
    const json_t          *task;
    const dfp_dry_task_t  *merged;

    dfp_buf_cstr(b, ",\"tasks\":");

    for (i = 0; i < merge->ntasks; i++) {
        merged = &merge->tasks[i];
        task = merged->task;

        dfp_buf_cstr(b, i ? ",{\"held\":" : "[{\"held\":");
        dfp_buf_cstr(b, merged->absent ? "false"
                        : merged->held == merge->n ? "true" : "null");
        dfp_dry_member(b, ",\"media_type\":",
                       json_object_get(task, "media_type"));
        dfp_dry_member(b, ",\"size\":", merged->size);
        dfp_dry_member(b, ",\"type\":", json_object_get(task, "type"));
        dfp_dry_member(b, ",\"url\":", json_object_get(task, "url"));
        dfp_buf_cstr(b, "}");
    }

    dfp_buf_cstr(b, i ? "]" : "null");

    if (merge->total > (json_int_t) merge->ntasks) {
        dfp_buf_cstr(b, ",\"tasks_omitted\":");
        dfp_buf_int(b, merge->total - merge->ntasks);
    }
}


/* A string or an integer; everything else is null. */

static void
dfp_dry_member(dfp_buf_t *b, const char *key, const json_t *value)
{
    dfp_str_t  text;

    dfp_buf_cstr(b, key);

    if (json_is_string(value)) {
        text.data = json_string_value(value);
        text.len = json_string_length(value);
        dfp_buf_json(b, text);

    } else if (json_is_integer(value)) {
        dfp_buf_int(b, json_integer_value(value));

    } else {
        dfp_buf_cstr(b, "null");
    }
}
