#include "ngx_dfp_followed.h"


#define NGX_DFP_FOLLOW_POOL   1024    /* bytes; a read job is in it */


static void ngx_dfp_followed_free(ngx_dfp_follow_t *follow);
static void ngx_dfp_followed_deadline(ngx_event_t *ev);
static void ngx_dfp_followed_timer(ngx_event_t *ev);
static void ngx_dfp_followed_wait(ngx_dfp_follow_t *follow);
static ngx_int_t ngx_dfp_followed_read(ngx_dfp_follow_t *follow);
static void ngx_dfp_followed_failed(ngx_dfp_follow_t *follow);
static void ngx_dfp_followed_registered(void *data, ngx_int_t rc);
static void ngx_dfp_followed_got(void *data, ngx_int_t rc);
static void ngx_dfp_followed_settled(void *data, ngx_int_t rc);
static void ngx_dfp_followed_choose(ngx_dfp_follow_t *follow, ngx_int_t rc);
static ngx_int_t ngx_dfp_followed_rc(ngx_dfp_follow_t *follow,
    ngx_dfp_follower_t *follower);
static void ngx_dfp_followed_tell(ngx_event_t *ev);


/* Whether messages can come. */
static ngx_uint_t  ngx_dfp_followed_up;


void
ngx_dfp_followed_join(ngx_dfp_follow_t *follow, ngx_dfp_follower_t *follower)
{
    ngx_queue_insert_tail(&follow->followers, &follower->queue);
    follower->follow = follow;
    follow->watching += follower->watches;

    follower->timer.handler = ngx_dfp_followed_deadline;
    follower->timer.data = follower;
    follower->timer.log = follow->op.log;

    ngx_add_timer(&follower->timer,
                  ngx_max((ngx_msec_int_t) (follower->deadline
                                            - ngx_current_msec), 0));

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, follow->op.log, 0,
                   "dfpreheat wait: for the end of job %L", follower->job);

    /* others are being told of a read that this one may be too late for */

    if (!follow->registered || !ngx_queue_empty(&follow->told)
        || (follower->watches && !follow->told_watch))
    {
        ngx_dfp_followed_look(follow);
    }
}


void
ngx_dfp_follow_end(ngx_dfp_follower_t *follower)
{
    ngx_dfp_follow_t  *follow;

    follow = follower->follow;

    if (follow == NULL) {
        return;
    }

    follower->follow = NULL;
    follow->watching -= follower->watches;
    ngx_queue_remove(&follower->queue);

    if (follower->timer.timer_set) {
        ngx_del_timer(&follower->timer);
    }

    /* while it is told of, the last one that is told frees it */

    if (ngx_queue_empty(&follow->followers) && ngx_queue_empty(&follow->told)
        && !follow->tell.posted)
    {
        ngx_dfp_followed_free(follow);
    }
}


ngx_dfp_follow_t *
ngx_dfp_followed_create(ngx_dfp_store_t *store, ngx_queue_t *list, int64_t job)
{
    ngx_log_t        *log;
    ngx_dfp_follow_t  *follow;

    log = ngx_cycle->log;

    follow = ngx_calloc(sizeof(ngx_dfp_follow_t), log);
    if (follow == NULL) {
        return NULL;
    }

    follow->store = store;
    follow->job.id = job;
    follow->op.data = follow;
    follow->op.log = log;

    follow->timer.handler = ngx_dfp_followed_timer;
    follow->timer.data = follow;
    follow->timer.log = log;

    follow->tell.handler = ngx_dfp_followed_tell;
    follow->tell.data = follow;
    follow->tell.log = log;

    ngx_queue_init(&follow->followers);
    ngx_queue_init(&follow->told);
    ngx_queue_insert_tail(list, &follow->queue);

    return follow;
}


static void
ngx_dfp_followed_free(ngx_dfp_follow_t *follow)
{
    ngx_dfp_store_cancel(&follow->op);
    ngx_queue_remove(&follow->queue);

    if (follow->timer.timer_set) {
        ngx_del_timer(&follow->timer);
    }

    if (follow->tell.posted) {
        ngx_delete_posted_event(&follow->tell);
    }

    if (follow->op.pool) {
        ngx_destroy_pool(follow->op.pool);
    }

    ngx_free(follow);
}


/* The follower is told of the job as it is now. */

static void
ngx_dfp_followed_deadline(ngx_event_t *ev)
{
    ngx_dfp_follower_t *follower = ev->data;

    follower->over = 1;
    ngx_dfp_followed_look(follower->follow);
}


static void
ngx_dfp_followed_timer(ngx_event_t *ev)
{
    ngx_dfp_followed_look(ev->data);
}


/* Until the next read, which is not later than the job's deadline. */

static void
ngx_dfp_followed_wait(ngx_dfp_follow_t *follow)
{
    int64_t     left;
    ngx_msec_t  pause;

    pause = ngx_dfp_followed_up && !follow->failed ? NGX_DFP_FOLLOW_POLL
                                               : NGX_DFP_FOLLOW_POLL_AWAY;

    if (follow->deadline) {
        left = ngx_max(follow->deadline - ngx_dfp_now(),
                       NGX_DFP_FOLLOW_POLL_AWAY);
        pause = ngx_min((int64_t) pause, left);
    }

    if (follow->soon) {
        left = (ngx_msec_int_t) (follow->read + NGX_DFP_FOLLOW_PROGRESS
                                 - ngx_current_msec);
        pause = ngx_min((int64_t) pause, ngx_max(left, 1));
    }

    ngx_add_timer(&follow->timer, pause);
}


void
ngx_dfp_followed_soon(ngx_dfp_follow_t *follow)
{
    ngx_msec_int_t  left;

    left = follow->read + NGX_DFP_FOLLOW_PROGRESS - ngx_current_msec;

    if (left <= 0) {
        ngx_dfp_followed_look(follow);

    } else if (!follow->timer.timer_set
               || (ngx_msec_int_t) (follow->timer.timer.key - ngx_current_msec)
                  > left)
    {
        follow->soon = 1;

        if (follow->timer.timer_set) {
            ngx_add_timer(&follow->timer, left);
        }
    }
}


void
ngx_dfp_followed_look(ngx_dfp_follow_t *follow)
{
    ngx_int_t  rc;

    if (follow->op.cmd || follow->tell.posted) {
        follow->again = 1;
        return;
    }

    follow->again = 0;
    follow->soon = 0;
    follow->settled = 0;
    follow->read = ngx_current_msec;

    if (follow->watching
        && (!follow->told_watch
            || ngx_current_msec - follow->told_redis >= NGX_DFP_FOLLOW_RENEW))
    {
        follow->registered = 0;
    }

    if (follow->registered) {
        rc = ngx_dfp_followed_read(follow);

    } else {
        follow->op.handler = ngx_dfp_followed_registered;
        follow->told_redis = ngx_current_msec;
        follow->told_watch = (follow->watching != 0);
        rc = ngx_dfp_store_wait(follow->store, &follow->op, follow->job.id,
                                follow->watching ? NGX_DFP_FOLLOW_WATCH : 0);
    }

    if (rc != NGX_OK) {
        ngx_dfp_followed_failed(follow);
        return;
    }

    if (follow->timer.timer_set) {
        ngx_del_timer(&follow->timer);
    }
}


static ngx_int_t
ngx_dfp_followed_read(ngx_dfp_follow_t *follow)
{
    int64_t  id;

    if (follow->op.pool) {
        ngx_destroy_pool(follow->op.pool);
    }

    follow->op.pool = ngx_create_pool(NGX_DFP_FOLLOW_POOL, follow->op.log);
    if (follow->op.pool == NULL) {
        return NGX_ERROR;
    }

    id = follow->job.id;
    ngx_memzero(&follow->job, sizeof(ngx_dfp_stored_job_t));
    follow->job.id = id;

    follow->op.handler = ngx_dfp_followed_got;

    return ngx_dfp_store_get(follow->store, &follow->op, &follow->job);
}


/* No memory, or too many commands are queued: that may pass. */

static void
ngx_dfp_followed_failed(ngx_dfp_follow_t *follow)
{
    if (!follow->failed) {
        follow->failed = 1;
        follow->failing = ngx_current_msec;
    }

    if (follow->store->redis.conn.refused
        || (ngx_msec_int_t) (ngx_current_msec - follow->failing)
           >= NGX_DFP_REDIS_WAIT)
    {
        ngx_dfp_followed_choose(follow, NGX_ABORT);

    } else {
        ngx_dfp_followed_wait(follow);
    }
}


static void
ngx_dfp_followed_registered(void *data, ngx_int_t rc)
{
    ngx_dfp_follow_t *follow = data;

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        ngx_dfp_followed_choose(follow, rc);
        return;
    }

    /* it may have ended before */

    follow->registered = 1;
    follow->again = (follow->watching && !follow->told_watch);

    if (ngx_dfp_followed_read(follow) != NGX_OK) {
        ngx_dfp_followed_failed(follow);
    }
}


static void
ngx_dfp_followed_got(void *data, ngx_int_t rc)
{
    ngx_dfp_follow_t *follow = data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, follow->op.log, 0,
                   "dfpreheat wait: job %L is read, rc %i, state \"%V\"",
                   follow->job.id, rc, &follow->job.state);

    if (rc == NGX_OK && follow->job.state.len == 0) {
        rc = NGX_ERROR;
    }

    if (rc == NGX_OK) {
        follow->deadline = follow->job.deadline;

        if (follow->job.state.data[0] == 'P' && !follow->settled
            && follow->deadline <= ngx_dfp_now())
        {
            /* no worker has ended it: perhaps none is running */

            follow->settled = 1;
            follow->op.handler = ngx_dfp_followed_settled;

            if (ngx_dfp_store_settle(follow->store, &follow->op, follow->job.id)
                == NGX_OK)
            {
                return;
            }
        }
    }

    ngx_dfp_followed_choose(follow, rc);
}


static void
ngx_dfp_followed_settled(void *data, ngx_int_t rc)
{
    ngx_dfp_follow_t *follow = data;

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        ngx_dfp_followed_choose(follow, rc);

    } else if (ngx_dfp_followed_read(follow) != NGX_OK) {
        ngx_dfp_followed_failed(follow);
    }
}


/* Who is told of the read, whose result is RC. */

static void
ngx_dfp_followed_choose(ngx_dfp_follow_t *follow, ngx_int_t rc)
{
    ngx_queue_t        *q, *next;
    ngx_dfp_follower_t  *follower;

    follow->rc = rc;
    follow->failed = 0;

    for (q = ngx_queue_head(&follow->followers);
         q != ngx_queue_sentinel(&follow->followers);
         q = next)
    {
        next = ngx_queue_next(q);
        follower = ngx_queue_data(q, ngx_dfp_follower_t, queue);

        if (follower->watches || ngx_dfp_followed_rc(follow, follower) != NGX_BUSY)
        {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&follow->told, q);
        }
    }

    ngx_post_event(&follow->tell, &ngx_posted_events);
}


/* NGX_BUSY: the follower goes on. */

static ngx_int_t
ngx_dfp_followed_rc(ngx_dfp_follow_t *follow, ngx_dfp_follower_t *follower)
{
    ngx_str_t  *uuid;

    if (follow->rc != NGX_OK) {
        return follow->rc;
    }

    /* Redis may have lost the job, and another one has its id */

    uuid = &follow->job.uuid;

    if (uuid->len != DFP_UUID_LEN
        || ngx_memcmp(uuid->data, follower->uuid, DFP_UUID_LEN) != 0)
    {
        return NGX_DECLINED;
    }

    if (follow->job.state.data[0] != 'P') {
        return NGX_OK;
    }

    return follower->over || (ngx_exiting && !follower->stays) ? NGX_AGAIN
                                                             : NGX_BUSY;
}


/* Some followers in each turn of the event loop, so that others wait no longer
 * than that. A handler may end other followers, also of this job. */

static void
ngx_dfp_followed_tell(ngx_event_t *ev)
{
    ngx_dfp_follow_t *follow = ev->data;

    ngx_int_t           rc;
    ngx_uint_t          n;
    ngx_queue_t        *q;
    ngx_dfp_follower_t  *follower;

    /* posted: it is not freed meanwhile */

    ngx_post_event(ev, &ngx_posted_next_events);

    for (n = 0; n < NGX_DFP_FOLLOW_TURN; n++) {

        if (ngx_queue_empty(&follow->told)) {
            break;
        }

        q = ngx_queue_head(&follow->told);
        follower = ngx_queue_data(q, ngx_dfp_follower_t, queue);

        rc = ngx_dfp_followed_rc(follow, follower);

        if (rc == NGX_BUSY) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&follow->followers, q);

        } else {
            ngx_dfp_follow_end(follower);
        }

        follower->handler(follower->data, rc,
                          rc == NGX_OK || rc == NGX_AGAIN || rc == NGX_BUSY
                          ? &follow->job : NULL);
    }

    if (!ngx_queue_empty(&follow->told)) {
        return;
    }

    ngx_delete_posted_event(ev);

    if (ngx_queue_empty(&follow->followers)) {
        ngx_dfp_followed_free(follow);
        return;
    }

    if (follow->op.pool) {
        ngx_destroy_pool(follow->op.pool);
        follow->op.pool = NULL;
    }

    if (follow->again) {
        ngx_dfp_followed_look(follow);

    } else {
        ngx_dfp_followed_wait(follow);
    }
}


void
ngx_dfp_followed_channel(ngx_uint_t up)
{
    ngx_dfp_followed_up = up;
}
