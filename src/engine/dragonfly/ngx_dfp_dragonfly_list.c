#include "ngx_dfp_dragonfly.h"


#define NGX_DFP_LISTED_POOL  16384


static dfp_rc_t ngx_dfp_lister_part(ngx_dfp_grpc_t *grpc,
    dfp_grpc_part_t *part, dfp_err_t *err);
static void ngx_dfp_lister_ask(ngx_dfp_lister_t *lister);
static void ngx_dfp_lister_follow(ngx_dfp_lister_t *lister,
    ngx_dfp_lister_t *leader);
static void ngx_dfp_lister_tried(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc);
static void ngx_dfp_lister_asked(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc);
static void ngx_dfp_lister_answered(ngx_dfp_lister_t *lister,
    ngx_dfp_listed_t *listed);
static void ngx_dfp_lister_refused(ngx_dfp_lister_t *lister,
    ngx_dfp_grpc_t *grpc);
static ngx_dfp_lister_t *ngx_dfp_lister_follower(ngx_dfp_lister_t *leader);
static void ngx_dfp_lister_give(ngx_dfp_lister_t *lister,
    ngx_dfp_listed_t *listed);
static void ngx_dfp_lister_leave(ngx_dfp_lister_t *lister);
static void ngx_dfp_lister_alone(ngx_event_t *ev);
static ngx_uint_t ngx_dfp_lister_late(ngx_dfp_lister_t *lister,
    ngx_msec_t asked);
static ngx_dfp_listed_t *ngx_dfp_listed_create(void);
static void ngx_dfp_listed_turn(ngx_event_t *ev);
static void ngx_dfp_listed_keep(ngx_dfp_dragonfly_t *dragonfly,
    ngx_dfp_listed_t *listed);
static void ngx_dfp_listed_old(ngx_event_t *ev);
static void ngx_dfp_listed_free(ngx_dfp_listed_t *listed);


ngx_int_t
ngx_dfp_lister_start(ngx_dfp_lister_t *lister)
{
    dfp_mem_t       mem;
    ngx_dfp_ask_t  *ask;

    ask = &lister->ask;
    mem = ngx_dfp_mem(lister->run->pool);

    if (dfp_d7y_list_hosts(&mem, &ask->frame) != DFP_OK) {
        return NGX_ERROR;
    }

    ask->handler = ngx_dfp_lister_asked;
    ask->tried_one = ngx_dfp_lister_tried;
    ask->data = lister;
    ask->run = lister->run;
    ask->method = DFP_D7Y_LIST_HOSTS;
    ask->part = ngx_dfp_lister_part;

    lister->alone.handler = ngx_dfp_lister_alone;
    lister->alone.data = lister;
    lister->alone.log = &lister->run->log;

    ngx_queue_init(&lister->followers);

    ngx_dfp_lister_ask(lister);

    return NGX_OK;
}


void
ngx_dfp_lister_again(ngx_dfp_lister_t *lister, ngx_msec_t since)
{
    lister->since = since;
    lister->newer = 1;

    /* others wait for the active call; when it has ended it turns out whether
     * it was sent too early for this one */

    if (lister->leads && (!ngx_queue_empty(&lister->followers)
                          || !ngx_dfp_lister_late(lister, lister->ask.since)))
    {
        return;
    }

    ngx_dfp_lister_stop(lister);
    ngx_dfp_lister_ask(lister);
}


static void
ngx_dfp_lister_ask(ngx_dfp_lister_t *lister)
{
    ngx_dfp_run_t        *run;
    ngx_dfp_lister_t     *leader;
    ngx_dfp_dragonfly_t  *dragonfly;

    run = lister->run;
    dragonfly = run->cluster->dragonfly;
    leader = dragonfly->leader;

    if (dragonfly->listed
        && !ngx_dfp_lister_late(lister, dragonfly->listed->asked))
    {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                       "dfpreheat: job %L: takes the list of hosts that this "
                       "worker has", run->claim.id);

        ngx_dfp_lister_give(lister, dragonfly->listed);
        return;
    }

    if (leader && (leader->ask.grpc == NULL
                   || !ngx_dfp_lister_late(lister, leader->ask.since)))
    {
        ngx_dfp_lister_follow(lister, leader);
        return;
    }

    /* there may be another leader, whose call was sent too early */

    lister->leads = 1;
    dragonfly->leader = lister;

    ngx_dfp_ask_start(&lister->ask);
}


static void
ngx_dfp_lister_follow(ngx_dfp_lister_t *lister, ngx_dfp_lister_t *leader)
{
    ngx_dfp_run_t  *run;

    run = lister->run;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: waits for the list of hosts that job %L "
                   "asks for", run->claim.id, leader->run->claim.id);

    lister->leader = leader;
    ngx_queue_insert_tail(&leader->followers, &lister->queue);

    if (leader->why.len) {
        ngx_dfp_run_trouble(run, NULL, leader->who, &leader->why);
    }
}


/* The list has a pool of its own, which does not end with the run that asks. */

static dfp_rc_t
ngx_dfp_lister_part(ngx_dfp_grpc_t *grpc, dfp_grpc_part_t *part,
    dfp_err_t *err)
{
    ngx_dfp_ask_t     *ask;
    ngx_dfp_lister_t  *lister;

    ask = grpc->data;
    lister = ask->data;

    if (part->begins) {

        /* an earlier call may have been cut off in the middle of its list */

        ngx_dfp_lister_free(lister);

        lister->listed = ngx_dfp_listed_create();
        if (lister->listed == NULL) {
            return DFP_ERROR;
        }
    }

    return dfp_d7y_hosts_read(lister->listed->hosts, part->bytes, part->ends,
                              err);
}


/* A scheduler is unavailable, and another one is asked: what the others wait
 * for, too, also those that come later. */

static void
ngx_dfp_lister_tried(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc)
{
    ngx_queue_t       *q;
    ngx_dfp_lister_t  *lister, *follower;

    lister = ask->data;

    if (lister->why.data == NULL) {
        lister->why.data = ngx_pnalloc(ask->run->pool, NGX_DFP_REASON_MAX);
    }

    if (lister->why.data) {
        lister->who = &grpc->server->name;
        lister->why.len = ngx_min(grpc->text.len, NGX_DFP_REASON_MAX);
        ngx_memcpy(lister->why.data, grpc->text.data, lister->why.len);
    }

    for (q = ngx_queue_head(&lister->followers);
         q != ngx_queue_sentinel(&lister->followers);
         q = ngx_queue_next(q))
    {
        follower = ngx_queue_data(q, ngx_dfp_lister_t, queue);

        ngx_dfp_run_trouble(follower->run, NULL, &grpc->server->name,
                            &grpc->text);
    }
}


static void
ngx_dfp_lister_asked(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_lister_t  *lister;
    ngx_dfp_listed_t  *listed;

    lister = ask->data;
    listed = lister->listed;

    lister->leads = 0;
    lister->why.len = 0;

    if (lister->run->cluster->dragonfly->leader == lister) {
        lister->run->cluster->dragonfly->leader = NULL;
    }

    if (grpc->status == DFP_GRPC_OK && listed && listed->hosts->complete) {
        listed->asked = ask->since;

        ngx_dfp_lister_answered(lister, listed);

    } else {
        ngx_dfp_lister_free(lister);
        ngx_dfp_lister_refused(lister, grpc);
    }
}


static void
ngx_dfp_lister_answered(ngx_dfp_lister_t *lister, ngx_dfp_listed_t *listed)
{
    ngx_dfp_lister_t  *follower;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &lister->run->log, 0,
                   "dfpreheat: job %L: ListHosts lists %uz hosts",
                   lister->run->claim.id, listed->hosts->n);

    ngx_dfp_listed_keep(lister->run->cluster->dragonfly, listed);

    for ( ;; ) {
        follower = ngx_dfp_lister_follower(lister);

        if (follower == NULL) {
            break;
        }

        ngx_dfp_lister_give(follower, listed);
    }

    if (ngx_dfp_lister_late(lister, listed->asked)) {
        ngx_dfp_lister_free(lister);
        ngx_dfp_lister_ask(lister);
        return;
    }

    lister->handler(lister, NULL);
}


static void
ngx_dfp_lister_refused(ngx_dfp_lister_t *lister, ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_lister_t  *follower;

    for ( ;; ) {
        follower = ngx_dfp_lister_follower(lister);

        if (follower == NULL) {
            break;
        }

        follower->run->trouble.len = 0;
        follower->handler(follower, grpc);
        follower->run->wake(follower->run);
    }

    lister->handler(lister, grpc);
}


/* Takes the first one that waits for LEADER out of its queue. NULL: none. */

static ngx_dfp_lister_t *
ngx_dfp_lister_follower(ngx_dfp_lister_t *leader)
{
    ngx_queue_t       *q;
    ngx_dfp_lister_t  *follower;

    if (ngx_queue_empty(&leader->followers)) {
        return NULL;
    }

    q = ngx_queue_head(&leader->followers);
    follower = ngx_queue_data(q, ngx_dfp_lister_t, queue);

    ngx_queue_remove(q);
    follower->leader = NULL;

    return follower;
}


/* Choosing peers from a long list takes its time, so the listers of a list have
 * their turns one by one, and other events come between. */

static void
ngx_dfp_lister_give(ngx_dfp_lister_t *lister, ngx_dfp_listed_t *listed)
{
    listed->refs++;
    lister->listed = listed;
    lister->given = 1;

    ngx_queue_insert_tail(&listed->listers, &lister->queue);

    if (!listed->turn.posted) {
        ngx_post_event(&listed->turn, &ngx_posted_next_events);
    }
}


/* LISTER waits for nobody, and for no turn, any more. */

static void
ngx_dfp_lister_leave(ngx_dfp_lister_t *lister)
{
    ngx_dfp_lister_t     *follower;
    ngx_dfp_dragonfly_t  *dragonfly;

    if (lister->alone.timer_set) {
        ngx_del_timer(&lister->alone);
    }

    if (lister->leader || lister->given) {
        ngx_queue_remove(&lister->queue);
        lister->leader = NULL;
        lister->given = 0;
    }

    if (!lister->leads) {
        return;
    }

    lister->leads = 0;
    lister->why.len = 0;
    dragonfly = lister->run->cluster->dragonfly;

    if (dragonfly->leader == lister) {
        dragonfly->leader = NULL;
    }

    /* by an event: if the worker quits, they are stopped, too; and the timeout
     * of their jobs may have passed as well */

    for ( ;; ) {
        follower = ngx_dfp_lister_follower(lister);

        if (follower == NULL) {
            return;
        }

        (void) ngx_dfp_ask_overdue(&lister->ask, follower->run);

        ngx_add_timer(&follower->alone, 1);
    }
}


/* The one that asked was stopped. The first of the others asks now. */

static void
ngx_dfp_lister_alone(ngx_event_t *ev)
{
    ngx_dfp_lister_t *lister = ev->data;

    if (ngx_exiting) {
        lister->run->wake(lister->run);
        return;
    }

    ngx_dfp_lister_ask(lister);
}


/* Whether a call that was sent at the time ASKED was sent too early. */

static ngx_uint_t
ngx_dfp_lister_late(ngx_dfp_lister_t *lister, ngx_msec_t asked)
{
    return lister->newer && (ngx_msec_int_t) (asked - lister->since) <= 0;
}


ngx_int_t
ngx_dfp_lister_overdue(ngx_dfp_lister_t *lister)
{
    ngx_dfp_lister_t  *leader;

    leader = lister->leader ? lister->leader : lister;

    return ngx_dfp_ask_overdue(&leader->ask, lister->run);
}


void
ngx_dfp_lister_stop(ngx_dfp_lister_t *lister)
{
    ngx_dfp_lister_leave(lister);
    ngx_dfp_ask_stop(&lister->ask);
    ngx_dfp_lister_free(lister);
}


void
ngx_dfp_lister_free(ngx_dfp_lister_t *lister)
{
    if (lister->given) {
        ngx_queue_remove(&lister->queue);
        lister->given = 0;
    }

    if (lister->listed) {
        ngx_dfp_listed_free(lister->listed);
        lister->listed = NULL;
    }
}


/* With one reference, its creator's. */

static ngx_dfp_listed_t *
ngx_dfp_listed_create(void)
{
    dfp_mem_t          mem;
    ngx_pool_t        *pool;
    ngx_dfp_listed_t  *listed;

    pool = ngx_create_pool(NGX_DFP_LISTED_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    mem = ngx_dfp_mem(pool);

    listed = ngx_pcalloc(pool, sizeof(ngx_dfp_listed_t));

    if (listed) {
        listed->hosts = dfp_d7y_hosts_create(&mem);
    }

    if (listed == NULL || listed->hosts == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    listed->pool = pool;
    listed->refs = 1;
    listed->turn.handler = ngx_dfp_listed_turn;
    listed->turn.data = listed;
    listed->turn.log = ngx_cycle->log;

    ngx_queue_init(&listed->listers);

    return listed;
}


static void
ngx_dfp_listed_turn(ngx_event_t *ev)
{
    ngx_dfp_listed_t *listed = ev->data;

    ngx_queue_t       *q;
    ngx_dfp_run_t     *run;
    ngx_dfp_lister_t  *lister;

    if (ngx_queue_empty(&listed->listers)) {
        return;
    }

    q = ngx_queue_head(&listed->listers);
    lister = ngx_queue_data(q, ngx_dfp_lister_t, queue);

    ngx_queue_remove(q);
    lister->given = 0;

    if (!ngx_queue_empty(&listed->listers)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }

    run = lister->run;
    run->trouble.len = 0;

    lister->handler(lister, NULL);
    run->wake(run);
}


/* A list that was asked for later stays. */

static void
ngx_dfp_listed_keep(ngx_dfp_dragonfly_t *dragonfly, ngx_dfp_listed_t *listed)
{
    if (dragonfly->listed
        && (ngx_msec_int_t) (listed->asked - dragonfly->listed->asked) < 0)
    {
        return;
    }

    ngx_dfp_listed_forget(dragonfly);

    listed->refs++;
    dragonfly->listed = listed;

    dragonfly->old.handler = ngx_dfp_listed_old;
    dragonfly->old.data = dragonfly;
    dragonfly->old.log = ngx_cycle->log;
    dragonfly->old.cancelable = 1;

    ngx_add_timer(&dragonfly->old, NGX_DFP_LISTED_FRESH);
}


static void
ngx_dfp_listed_old(ngx_event_t *ev)
{
    ngx_dfp_listed_forget(ev->data);
}


void
ngx_dfp_listed_forget(void *data)
{
    ngx_dfp_dragonfly_t *dragonfly = data;

    if (dragonfly->old.timer_set) {
        ngx_del_timer(&dragonfly->old);
    }

    if (dragonfly->listed) {
        ngx_dfp_listed_free(dragonfly->listed);
        dragonfly->listed = NULL;
    }
}


static void
ngx_dfp_listed_free(ngx_dfp_listed_t *listed)
{
    if (--listed->refs) {
        return;
    }

    if (listed->turn.posted) {
        ngx_delete_posted_event(&listed->turn);
    }

    ngx_destroy_pool(listed->pool);
}
