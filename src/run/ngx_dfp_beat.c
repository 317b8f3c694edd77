#include "ngx_dfp_beat.h"


static void ngx_dfp_beat(ngx_event_t *ev);
static void ngx_dfp_beat_done(void *data, ngx_int_t rc);
static void ngx_dfp_beat_name(ngx_dfp_beat_t *beat);


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

    u_char             *p;
    ngx_str_t           list;
    ngx_uint_t          i;
    u_char              buf[NGX_DFP_CLUSTERS_MAX * NGX_INT64_LEN];
    ngx_dfp_cluster_t  *cluster;

    if (ngx_exiting) {
        return;
    }

    ngx_add_timer(&beat->timer, beat->conf->lease / 2);

    if (beat->op.cmd) {
        return;
    }

    cluster = beat->conf->clusters.elts;
    p = buf;

    for (i = 0; i < beat->conf->clusters.nelts; i++) {
        p = ngx_sprintf(p, i ? ",%L" : "%L", cluster[i].id);
    }

    list.data = buf;
    list.len = p - buf;

    (void) ngx_dfp_store_instance(beat->store, &beat->op, &list, &beat->other);
}


/* An error does not matter: the next beat repeats it. */

static void
ngx_dfp_beat_done(void *data, ngx_int_t rc)
{
    ngx_dfp_beat_t *beat = data;

    if (rc == NGX_OK) {
        ngx_dfp_beat_name(beat);
    }
}


static void
ngx_dfp_beat_name(ngx_dfp_beat_t *beat)
{
    ngx_uint_t           is;
    ngx_dfp_other_t     *other;
    ngx_dfp_instance_t  *instance;

    other = &beat->other;
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
