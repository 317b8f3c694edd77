#include "ngx_dfp_beat.h"
#include "dfp_text.h"


#define NGX_DFP_BEAT_POOL  1024
#define NGX_DFP_BEAT_NAME  200    /* bytes of a name in the log */
#define NGX_DFP_BEAT_ADDR  64


static void ngx_dfp_beat(ngx_event_t *ev);
static void ngx_dfp_beat_done(void *data, ngx_int_t rc);
static void ngx_dfp_beat_name(ngx_dfp_beat_t *beat);
static void ngx_dfp_beat_definitions(ngx_dfp_beat_t *beat);
static ngx_int_t ngx_dfp_beat_compare(ngx_dfp_beat_t *beat,
    ngx_dfp_member_t *from, ngx_dfp_beat_member_t *member);
static ngx_int_t ngx_dfp_beat_who(ngx_dfp_beat_t *beat, ngx_str_t *from,
    u_char *who);
static ngx_dfp_beat_member_t *ngx_dfp_beat_find(ngx_dfp_beat_member_t *list,
    ngx_uint_t n, u_char *queue);


void
ngx_dfp_beat_start(ngx_dfp_beat_t *beat, ngx_dfp_main_conf_t *conf,
    ngx_log_t *log)
{
    beat->conf = conf;
    beat->store = ngx_dfp_store_worker();
    beat->log = log;

    beat->timer.handler = ngx_dfp_beat;
    beat->timer.data = beat;
    beat->timer.log = log;
    beat->timer.cancelable = 1;

    beat->op.handler = ngx_dfp_beat_done;
    beat->op.data = beat;
    beat->op.log = log;
    beat->op.borrow = 1;

    ngx_dfp_beat(&beat->timer);
}


void
ngx_dfp_beat_stop(ngx_dfp_beat_t *beat)
{
    if (beat->timer.timer_set) {
        ngx_del_timer(&beat->timer);
    }

    ngx_dfp_store_cancel(&beat->op);
}


static void
ngx_dfp_beat(ngx_event_t *ev)
{
    ngx_dfp_beat_t *beat = ev->data;

    if (ngx_exiting) {
        return;
    }

    ngx_add_timer(&beat->timer, beat->conf->lease / 2);

    if (beat->op.cmd) {
        return;
    }

    (void) ngx_dfp_store_instance(beat->store, &beat->op, &beat->others);
}


/* An error does not matter: the next beat repeats it. */

static void
ngx_dfp_beat_done(void *data, ngx_int_t rc)
{
    ngx_dfp_beat_t *beat = data;

    if (rc == NGX_OK) {
        ngx_dfp_beat_name(beat);
        ngx_dfp_beat_definitions(beat);
    }
}


static void
ngx_dfp_beat_name(ngx_dfp_beat_t *beat)
{
    ngx_uint_t           is;
    ngx_dfp_namesake_t  *other;
    ngx_dfp_instance_t  *instance;

    other = &beat->others.namesake;
    instance = &beat->conf->instance;
    is = (other->name.len != 0);

    if (is && !beat->shared) {
        ngx_log_error(NGX_LOG_ERR, beat->log, 0,
                      "dfpreheat: another nginx runs as instance \"%V\": pid "
                      "%V on %V, address %V; each runs its own jobs, and jobs "
                      "that one leaves behind are not run while others have "
                      "its name: give each its own dfpreheat_instance",
                      &instance->id, &other->pid, &other->host,
                      &other->address);
    }

    if (!is && beat->shared) {
        ngx_log_error(NGX_LOG_NOTICE, beat->log, 0,
                      "dfpreheat: no other nginx runs as instance \"%V\" any "
                      "longer", &instance->id);
    }

    beat->shared = is;
}


/* Each member is logged when it begins to differ, when what differs changes,
 * and when it is equal or gone. */

static void
ngx_dfp_beat_definitions(ngx_dfp_beat_t *beat)
{
    ngx_uint_t              i, n;
    ngx_dfp_beat_member_t  *before, *member;
    ngx_dfp_beat_member_t   now[NGX_DFP_OTHERS_MAX];

    for (i = 0, n = 0; i < beat->others.n; i++) {
        member = &now[n];

        if (ngx_dfp_beat_compare(beat, &beat->others.members[i], member)
            != NGX_OK)
        {
            continue;
        }

        n++;
        before = ngx_dfp_beat_find(beat->differing, beat->ndiffering,
                                   member->queue);

        if (before == NULL
            || ngx_strcmp(before->cluster, member->cluster) != 0
            || ngx_strcmp(before->aspects, member->aspects) != 0)
        {
            ngx_log_error(NGX_LOG_WARN, beat->log, 0,
                          "dfpreheat: cluster %s differs from that of "
                          "instance %s: %s", member->cluster, member->who,
                          member->aspects);
        }
    }

    for (i = 0; i < beat->ndiffering; i++) {
        member = &beat->differing[i];

        if (ngx_dfp_beat_find(now, n, member->queue) == NULL) {
            ngx_log_error(NGX_LOG_NOTICE, beat->log, 0,
                          "dfpreheat: cluster %s no longer differs from that "
                          "of instance %s", member->cluster, member->who);
        }
    }

    ngx_memcpy(beat->differing, now, n * sizeof(ngx_dfp_beat_member_t));
    beat->ndiffering = n;
}


/* NGX_DECLINED: its clusters do not differ. NGX_ERROR: no memory. */

static ngx_int_t
ngx_dfp_beat_compare(ngx_dfp_beat_t *beat, ngx_dfp_member_t *from,
    ngx_dfp_beat_member_t *member)
{
    dfp_difference_t        difference;
    ngx_dfp_beat_member_t  *before;

    if (dfp_definition_differs(
            ngx_dfp_dfp_str(beat->conf->instance.definitions),
            ngx_dfp_dfp_str(from->definitions), &difference)
        != DFP_OK)
    {
        return NGX_DECLINED;
    }

    if (dfp_hash(DFP_SHA256, ngx_dfp_dfp_str(from->queue), member->queue)
        != DFP_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(member->aspects, difference.aspects, DFP_DEFINITION_NAMES);

    (void) ngx_snprintf(member->cluster, sizeof(member->cluster), "%*s%Z",
                        difference.cluster.len, difference.cluster.data);

    before = ngx_dfp_beat_find(beat->differing, beat->ndiffering,
                               member->queue);

    if (before) {
        ngx_memcpy(member->who, before->who, NGX_DFP_BEAT_WHO);
        return NGX_OK;
    }

    return ngx_dfp_beat_who(beat, &from->who, member->who);
}


/* FROM, "ADDRESS NAME", as it can be logged. */

static ngx_int_t
ngx_dfp_beat_who(ngx_dfp_beat_t *beat, ngx_str_t *from, u_char *who)
{
    dfp_mem_t    mem;
    dfp_str_t    address, name;
    ngx_int_t    rc;
    ngx_pool_t  *pool;
    const char  *p, *last;

    pool = ngx_create_pool(NGX_DFP_BEAT_POOL, beat->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    mem = ngx_dfp_mem(pool);
    p = (char *) from->data;
    last = p + from->len;

    address = dfp_str_until(&p, last, " ");
    p += (p < last);
    name = (dfp_str_t) { last - p, p };

    rc = NGX_ERROR;

    if (dfp_text_clean(&mem, address, NGX_DFP_BEAT_ADDR, &address) == DFP_OK
        && dfp_text_clean(&mem, name, NGX_DFP_BEAT_NAME, &name) == DFP_OK)
    {
        (void) ngx_snprintf(who, NGX_DFP_BEAT_WHO, "\"%*s\" (%*s)%Z",
                            name.len, name.data, address.len, address.data);
        rc = NGX_OK;
    }

    ngx_destroy_pool(pool);

    return rc;
}


static ngx_dfp_beat_member_t *
ngx_dfp_beat_find(ngx_dfp_beat_member_t *list, ngx_uint_t n, u_char *queue)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_memcmp(list[i].queue, queue, DFP_SHA256_LEN) == 0) {
            return &list[i];
        }
    }

    return NULL;
}
