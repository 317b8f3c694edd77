#include "ngx_dfp_keep.h"


static void ngx_dfp_keep_look(ngx_event_t *ev);
static void ngx_dfp_keep_looked(void *data, ngx_int_t rc);


void
ngx_dfp_keep_start(ngx_dfp_keep_t *keep, ngx_dfp_main_conf_t *conf,
    ngx_log_t *log)
{
    keep->conf = conf;
    keep->store = ngx_dfp_store_worker();
    keep->log = log;

    keep->timer.handler = ngx_dfp_keep_look;
    keep->timer.data = keep;
    keep->timer.log = log;
    keep->timer.cancelable = 1;

    keep->op.handler = ngx_dfp_keep_looked;
    keep->op.data = keep;
    keep->op.log = log;
    keep->op.borrow = 1;

    ngx_dfp_keep_look(&keep->timer);
}


void
ngx_dfp_keep_stop(ngx_dfp_keep_t *keep)
{
    if (keep->timer.timer_set) {
        ngx_del_timer(&keep->timer);
    }

    ngx_dfp_store_cancel(&keep->op);
}


static void
ngx_dfp_keep_look(ngx_event_t *ev)
{
    ngx_dfp_keep_t *keep = ev->data;

    if (ngx_exiting) {
        return;
    }

    /* the reply says when the next look is due; without one, Redis may be there
       again long before an interval is over */

    ngx_add_timer(&keep->timer, ngx_min(keep->conf->keep_interval,
                                        keep->conf->lease));

    if (keep->op.cmd) {
        return;
    }

    (void) ngx_dfp_store_keep(keep->store, &keep->op, &keep->kept);
}


static void
ngx_dfp_keep_looked(void *data, ngx_int_t rc)
{
    ngx_dfp_keep_t *keep = data;

    ngx_msec_t  next;

    if (rc != NGX_OK) {
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, keep->log, 0,
                   "dfpreheat keep: %L looks under way, next:%L ms",
                   keep->kept.looks, keep->kept.next);

    next = keep->conf->keep_interval;

    if (keep->kept.next != -1) {
        next = ngx_min(next, (ngx_msec_t) keep->kept.next);
    }

    ngx_add_timer(&keep->timer, ngx_max(next, NGX_DFP_KEEP_BUSY));
}
