#include "ngx_dfp_results.h"

#include "dfp_time.h"


static dfp_buf_t *ngx_dfp_results_begin(ngx_dfp_list_t *list);
static void ngx_dfp_results_text(dfp_buf_t *b, const char *key,
    ngx_str_t *text);
static void ngx_dfp_results_time(dfp_buf_t *b, const char *key, int64_t ms);
static void ngx_dfp_results_type(dfp_buf_t *b, ngx_dfp_holder_t *holder);


/* The names are those of the manager, also this one in camel case. */

void
ngx_dfp_results_holder(ngx_dfp_list_t *list, ngx_dfp_holder_t *holder)
{
    dfp_buf_t  *b;

    b = ngx_dfp_results_begin(list);

    if (b == NULL) {
        return;
    }

    dfp_buf_cstr(b, holder->finished ? "\"IsFinished\":true"
                                     : "\"IsFinished\":false");
    ngx_dfp_results_time(b, ",\"created_at\":\"", holder->created);
    dfp_buf_cstr(b, ",");
    ngx_dfp_results_type(b, holder);
    ngx_dfp_results_text(b, ",\"hostname\":", &holder->hostname);
    ngx_dfp_results_text(b, ",\"id\":", &holder->id);
    ngx_dfp_results_text(b, ",\"ip\":", &holder->ip);
    ngx_dfp_results_time(b, ",\"updated_at\":\"", holder->updated);
    dfp_buf_cstr(b, "}");
}


void
ngx_dfp_results_told(ngx_dfp_list_t *list, ngx_dfp_holder_t *holder,
    ngx_str_t *description)
{
    dfp_buf_t  *b;

    b = ngx_dfp_results_begin(list);

    if (b == NULL) {
        return;
    }

    if (description) {
        ngx_dfp_results_text(b, "\"description\":", description);
        dfp_buf_cstr(b, ",");
    }

    ngx_dfp_results_type(b, holder);
    ngx_dfp_results_text(b, ",\"hostname\":", &holder->hostname);
    ngx_dfp_results_text(b, ",\"ip\":", &holder->ip);
    dfp_buf_cstr(b, "}");
}


void
ngx_dfp_results_url(ngx_dfp_list_t *list, ngx_str_t *url)
{
    dfp_buf_t  *b;

    b = ngx_dfp_results_begin(list);

    if (b) {
        ngx_dfp_results_text(b, "\"url\":", url);
        dfp_buf_cstr(b, "}");
    }
}


void
ngx_dfp_results_layers(ngx_dfp_list_t *list, ngx_str_t *hostname,
    ngx_str_t *ip, ngx_dfp_list_t *layers)
{
    dfp_buf_t  *b;

    b = ngx_dfp_results_begin(list);

    if (b == NULL) {
        return;
    }

    dfp_buf_cstr(b, "\"cached_layers\":[");
    dfp_buf_str(b, dfp_buf_value(&layers->json));
    ngx_dfp_results_text(b, "],\"hostname\":", hostname);
    ngx_dfp_results_text(b, ",\"ip\":", ip);
    dfp_buf_cstr(b, "}");

    b->failed |= layers->json.failed;
}


/* NULL: the list is full. */

static dfp_buf_t *
ngx_dfp_results_begin(ngx_dfp_list_t *list)
{
    if (list->n == list->max) {
        list->omitted++;
        return NULL;
    }

    dfp_buf_cstr(&list->json, list->n++ ? ",{" : "{");

    return &list->json;
}


static void
ngx_dfp_results_text(dfp_buf_t *b, const char *key, ngx_str_t *text)
{
    dfp_buf_cstr(b, key);
    dfp_buf_json(b, ngx_dfp_dfp_str(*text));
}


static void
ngx_dfp_results_time(dfp_buf_t *b, const char *key, int64_t ms)
{
    dfp_buf_cstr(b, key);
    dfp_time_print(b, ms);
    dfp_buf_cstr(b, "\"");
}


/* The manager's names of the types of hosts. */

static void
ngx_dfp_results_type(dfp_buf_t *b, ngx_dfp_holder_t *holder)
{
    dfp_buf_cstr(b, holder->seed ? "\"host_type\":\"super\""
                                 : "\"host_type\":\"normal\"");
}


/* Clients are served by it: it is no seed peer. */

ngx_int_t
ngx_dfp_results_instance(ngx_dfp_run_t *run, ngx_dfp_holder_t *holder)
{
    u_char              *p;
    ngx_dfp_instance_t  *instance;

    ngx_memzero(holder, sizeof(ngx_dfp_holder_t));

    instance = &run->conf->instance;
    holder->hostname = instance->name;
    holder->ip = instance->address;

    p = ngx_pnalloc(run->pool, instance->name.len + instance->address.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    holder->id.data = p;
    holder->id.len = ngx_sprintf(p, "%V-%V", &instance->address,
                                 &instance->name)
                     - p;

    return NGX_OK;
}
