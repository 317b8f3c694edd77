#include "ngx_dfp_wait.h"


#define NGX_DFP_WAIT_LISTS  1024


static void ngx_dfp_wait_event(ngx_event_t *ev);
static void ngx_dfp_wait_timer(ngx_dfp_wait_t *wait);
static void ngx_dfp_wait_wake_list(ngx_queue_t *list, int64_t job);


/* Waits by the id of their job; a list that was never used is zeroed. */
static ngx_queue_t  ngx_dfp_waits[NGX_DFP_WAIT_LISTS];
static ngx_uint_t   ngx_dfp_wait_up;


void
ngx_dfp_wait_start(ngx_dfp_wait_t *wait)
{
    ngx_queue_t  *list;

    list = &ngx_dfp_waits[wait->job % NGX_DFP_WAIT_LISTS];

    if (list->next == NULL) {
        ngx_queue_init(list);
    }

    ngx_queue_insert_tail(list, &wait->queue);
    wait->started = 1;

    wait->event.handler = ngx_dfp_wait_event;
    wait->event.data = wait;
    wait->event.log = wait->log;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, wait->log, 0,
                   "dfpreheat wait: for the end of job %L", wait->job);

    ngx_dfp_wait_timer(wait);
}


void
ngx_dfp_wait_end(ngx_dfp_wait_t *wait)
{
    if (!wait->started) {
        return;
    }

    wait->started = 0;
    ngx_queue_remove(&wait->queue);

    if (wait->event.timer_set) {
        ngx_del_timer(&wait->event);
    }

    if (wait->event.posted) {
        ngx_delete_posted_event(&wait->event);
    }
}


static void
ngx_dfp_wait_event(ngx_event_t *ev)
{
    ngx_dfp_wait_t *wait = ev->data;

    ngx_dfp_wait_timer(wait);

    wait->handler(wait->data);
}


static void
ngx_dfp_wait_timer(ngx_dfp_wait_t *wait)
{
    ngx_msec_t  pause, left;

    pause = ngx_dfp_wait_up ? NGX_DFP_WAIT_POLL : NGX_DFP_WAIT_POLL_AWAY;
    left = ngx_max((ngx_msec_int_t) (wait->deadline - ngx_current_msec), 0);

    /* once more after the deadline, in case the owner cannot end it then */

    ngx_add_timer(&wait->event, left ? ngx_min(pause, left) : pause);
}


void
ngx_dfp_wait_wake(int64_t job)
{
    ngx_uint_t  i;

    if (job) {
        ngx_dfp_wait_wake_list(&ngx_dfp_waits[job % NGX_DFP_WAIT_LISTS], job);
        return;
    }

    for (i = 0; i < NGX_DFP_WAIT_LISTS; i++) {
        ngx_dfp_wait_wake_list(&ngx_dfp_waits[i], 0);
    }
}


/* By events: a handler may end other waits. */

static void
ngx_dfp_wait_wake_list(ngx_queue_t *list, int64_t job)
{
    ngx_queue_t     *q;
    ngx_dfp_wait_t  *wait;

    if (list->next == NULL) {
        return;
    }

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        wait = ngx_queue_data(q, ngx_dfp_wait_t, queue);

        if ((job == 0 || wait->job == job) && !wait->event.posted) {
            ngx_post_event(&wait->event, &ngx_posted_events);
        }
    }
}


void
ngx_dfp_wait_channel(ngx_uint_t up)
{
    ngx_dfp_wait_up = up;
}
