#include "ngx_dfp_engine_scheduler.h"


#define NGX_DFP_ORDER_POOL       4096
#define NGX_DFP_ORDER_PAUSE      200     /* ms, doubled up to */
#define NGX_DFP_ORDER_PAUSE_MAX  10000
#define NGX_DFP_ORDER_ERRORS     4       /* of stats in a row */

/* ms: a scheduler drops what is for seeds in the 30 s before it first looks
 * for them (its SeedPeerRefreshInterval), and answers OK */
#define NGX_DFP_ORDER_ANEW       35000


static ngx_int_t ngx_dfp_order_frames(ngx_dfp_order_t *order);
static void ngx_dfp_order_preheat(ngx_dfp_order_t *order);
static void ngx_dfp_order_preheated(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc);
static void ngx_dfp_order_stat(ngx_event_t *ev);
static dfp_rc_t ngx_dfp_order_told(ngx_dfp_grpc_t *grpc, dfp_grpc_part_t *part,
    dfp_err_t *err);
static void ngx_dfp_order_statted(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc);
static ngx_int_t ngx_dfp_order_count(ngx_dfp_order_t *order);
static void ngx_dfp_order_wait(ngx_dfp_order_t *order);
static void ngx_dfp_order_done(ngx_dfp_order_t *order);
static void ngx_dfp_order_failed(ngx_dfp_order_t *order, const char *what,
    ngx_dfp_grpc_t *grpc);
static void ngx_dfp_order_cleanup(void *data);


ngx_dfp_order_t *
ngx_dfp_order_get(ngx_dfp_task_t *task)
{
    ngx_dfp_run_t       *run;
    ngx_dfp_order_t     *order;
    ngx_pool_cleanup_t  *cleanup;

    if (task->data) {
        return task->data;
    }

    run = task->run;

    order = ngx_pcalloc(run->pool, sizeof(ngx_dfp_order_t));
    cleanup = ngx_pool_cleanup_add(run->pool, 0);

    if (order == NULL || cleanup == NULL) {
        return NULL;
    }

    /* results are told after the order has stopped */

    cleanup->handler = ngx_dfp_order_cleanup;
    cleanup->data = &order->last;

    order->orders = run->data;
    order->task = task;
    order->pause = NGX_DFP_ORDER_PAUSE;

    order->ask.run = run;
    order->ask.data = order;
    order->ask.once = 1;

    order->again.handler = ngx_dfp_order_stat;
    order->again.data = order;
    order->again.log = &run->log;

    task->data = order;

    return order;
}


void
ngx_dfp_order_start(ngx_dfp_order_t *order)
{
    ngx_int_t  rc;

    rc = ngx_dfp_order_frames(order);

    if (rc == NGX_DECLINED) {
        ngx_dfp_order_ended(order);
        ngx_dfp_task_failed(order->task,
            "the scheduler's StatFile cannot find this URL: the keys of its "
            "query are not sorted (engine=peers can preheat it)");
        return;
    }

    if (rc != NGX_OK) {
        ngx_dfp_order_ended(order);
        ngx_dfp_task_failed(order->task, "no memory");
        return;
    }

    if (order->sent) {
        ngx_dfp_order_stat(&order->again);

    } else {
        ngx_dfp_order_preheat(order);
    }
}


/* Creates the messages. NGX_DECLINED: StatFile would never find the file. */

static ngx_int_t
ngx_dfp_order_frames(ngx_dfp_order_t *order)
{
    dfp_rc_t           rc;
    dfp_job_t          job;
    dfp_mem_t          mem;
    dfp_d7y_request_t  request;
    ngx_dfp_task_t    *task;

    task = order->task;
    job = order->orders->job;

    order->pool = ngx_create_pool(NGX_DFP_ORDER_POOL, &task->run->log);
    if (order->pool == NULL) {
        return NGX_ERROR;
    }

    mem = ngx_dfp_mem(order->pool);
    order->serial = task->grant->serial;
    order->ask.secrets = ngx_dfp_task_secrets(task, order->pool);

    if (order->ask.secrets == NULL
        || ngx_dfp_dragonfly_request(task, order->pool, &request)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (job.type == DFP_JOB_FILE) {
        rc = dfp_d7y_stat_finds(&mem, &request);

        if (rc != DFP_OK) {
            return rc == DFP_DECLINED ? NGX_DECLINED : NGX_ERROR;
        }
    }

    /* the Authorization is in the headers */

    if (task->grant->authorization.len) {
        job.username = DFP_STR("");
        job.password = DFP_STR("");
    }

    if (dfp_d7y_preheat(&mem, &request, &job, &order->preheat) != DFP_OK
        || dfp_d7y_stat(&mem, &request, &job, &order->stat) != DFP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_dfp_order_preheat(ngx_dfp_order_t *order)
{
    ngx_dfp_ask_t  *ask;

    ask = &order->ask;

    ask->handler = ngx_dfp_order_preheated;
    ask->part = NULL;
    ask->frame = order->preheat;
    ask->method = (order->orders->job.type == DFP_JOB_IMAGE)
                  ? DFP_D7Y_PREHEAT_IMAGE : DFP_D7Y_PREHEAT_FILE;

    ngx_dfp_ask_start(ask);
}


static void
ngx_dfp_order_preheated(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_order_t *order = ask->data;

    if (grpc->status != DFP_GRPC_OK) {
        ngx_dfp_order_failed(order, "the preheat", grpc);
        return;
    }

    order->sent = ngx_current_msec;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &order->task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": the scheduler preheats it",
                   order->task->run->claim.id, &order->task->shown);

    ngx_dfp_order_wait(order);
}


static void
ngx_dfp_order_stat(ngx_event_t *ev)
{
    ngx_dfp_order_t *order = ev->data;

    ngx_dfp_ask_t    *ask;
    ngx_dfp_task_t   *task;
    ngx_dfp_grant_t  *grant;

    task = order->task;
    grant = task->grant;

    if (ngx_exiting) {
        task->run->wake(task->run);
        return;
    }

    if (ngx_dfp_order_silent(order)) {
        order->probed = 0;
    }

    if (order->held == 0
        && ngx_current_msec - order->sent >= NGX_DFP_ORDER_ANEW)
    {
        order->sent = 0;
        order->pause = NGX_DFP_ORDER_PAUSE;
    }

    /* the messages contain the token and the remaining time */

    if (order->sent == 0 || !order->probed || grant->call
        || grant->serial != order->serial
        || (grant->renew && ngx_time() >= grant->renew))
    {
        ngx_dfp_order_ended(order);
        ngx_queue_insert_head(&task->run->ready, &task->queue);
        task->run->wake(task->run);
        return;
    }

    ask = &order->ask;

    ask->handler = ngx_dfp_order_statted;
    ask->part = ngx_dfp_order_told;
    ask->frame = order->stat;
    ask->method = (order->orders->job.type == DFP_JOB_IMAGE)
                  ? DFP_D7Y_STAT_IMAGE : DFP_D7Y_STAT_FILE;

    ngx_dfp_ask_start(ask);
}


static dfp_rc_t
ngx_dfp_order_told(ngx_dfp_grpc_t *grpc, dfp_grpc_part_t *part, dfp_err_t *err)
{
    dfp_mem_t          mem;
    ngx_dfp_ask_t     *ask;
    ngx_dfp_order_t   *order;
    ngx_dfp_orders_t  *orders;

    ask = grpc->data;
    order = ask->data;
    orders = order->orders;

    if (part->begins) {
        ngx_dfp_order_forget(&order->told);

        order->told = ngx_create_pool(NGX_DFP_ORDER_POOL, grpc->log);
        if (order->told == NULL) {
            return DFP_ERROR;
        }

        mem = ngx_dfp_mem(order->told);

        order->reply = dfp_held_create(&mem, orders->host, orders->n,
                                       orders->job.type == DFP_JOB_IMAGE);
        if (order->reply == NULL) {
            return DFP_ERROR;
        }
    }

    return dfp_held_read(order->reply, part->bytes, part->ends, err);
}


static void
ngx_dfp_order_statted(ngx_dfp_ask_t *ask, ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_order_t *order = ask->data;

    ngx_int_t  rc;

    rc = NGX_DECLINED;

    if (grpc->status == DFP_GRPC_OK) {
        order->errors = 0;

        if (order->told && order->reply->complete) {
            ngx_dfp_order_forget(&order->last);

            order->last = order->told;
            order->known = order->reply;
            order->told = NULL;

            rc = ngx_dfp_order_count(order);
        }

    } else if (grpc->broken
               || ++order->errors == NGX_DFP_ORDER_ERRORS)
    {
        ngx_dfp_order_failed(order, "the stat", grpc);
        return;
    }

    ngx_log_debug7(NGX_LOG_DEBUG_HTTP, &order->task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": %s, status:%d, "
                   "%ui copies of %ui, %ui errors",
                   order->task->run->claim.id, &order->task->shown,
                   ask->method, grpc->status, order->held, order->wanted,
                   order->errors);

    if (rc == NGX_OK) {
        ngx_dfp_order_done(order);
        return;
    }

    ngx_dfp_order_forget(&order->told);
    ngx_dfp_order_wait(order);
}


/* NGX_OK: each layer is on enough peers; NGX_DECLINED: it is not. */

static ngx_int_t
ngx_dfp_order_count(ngx_dfp_order_t *order)
{
    size_t             i;
    ngx_uint_t         held;
    dfp_held_t        *reply;
    ngx_dfp_orders_t  *orders;

    orders = order->orders;
    reply = order->known;

    if (reply->nlayers == 0) {
        return NGX_DECLINED;
    }

    held = order->held;
    order->held = 0;
    order->wanted = reply->nlayers * orders->needed;

    for (i = 0; i < reply->nlayers; i++) {
        order->held += ngx_min(reply->counts[i], orders->needed);
    }

    if (order->held != held) {
        order->asked = ngx_current_msec;
    }

    orders->run->changed = 1;

    return order->held == order->wanted ? NGX_OK : NGX_DECLINED;
}


static void
ngx_dfp_order_wait(ngx_dfp_order_t *order)
{
    ngx_msec_t  pause, passed;

    pause = order->pause;
    passed = ngx_current_msec - order->sent;

    if (order->held == 0 && passed < NGX_DFP_ORDER_ANEW) {
        pause = ngx_min(pause, NGX_DFP_ORDER_ANEW - passed);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &order->task->run->log, 0,
                   "dfpreheat: job %L: task \"%V\": stat in %M ms",
                   order->task->run->claim.id, &order->task->shown, pause);

    ngx_add_timer(&order->again, pause);

    order->pause = ngx_min(2 * order->pause, NGX_DFP_ORDER_PAUSE_MAX);
}


static void
ngx_dfp_order_done(ngx_dfp_order_t *order)
{
    (void) ngx_dfp_order_tell(order, &order->orders->success, NULL);

    ngx_dfp_order_ended(order);
    ngx_dfp_order_forget(&order->last);
    ngx_dfp_task_done(order->task);
}


static void
ngx_dfp_order_failed(ngx_dfp_order_t *order, const char *what,
    ngx_dfp_grpc_t *grpc)
{
    ngx_str_t  text;

    text = ngx_dfp_secrets_mask(order->ask.secrets, grpc->pool, grpc->text);

    ngx_dfp_order_ended(order);
    ngx_dfp_task_failed(order->task, "%V %s %s: %V%s", &grpc->server->name,
                        grpc->status == DFP_GRPC_DEADLINE_EXCEEDED
                        ? "has not answered" : "answered", what, &text,
                        grpc->broken
                        ? " (does its job service have a Redis? engine=peers "
                          "needs none)" : "");

    order->listed = (ngx_dfp_order_tell(order, &order->orders->success,
                                        &order->orders->failure)
                     == NGX_OK);
    ngx_dfp_order_forget(&order->last);
}


void
ngx_dfp_order_ended(ngx_dfp_order_t *order)
{
    if (order->busy) {
        order->busy = 0;
        order->orders->busy--;
    }

    ngx_dfp_order_forget(&order->pool);
    ngx_dfp_order_forget(&order->told);
}


void
ngx_dfp_order_forget(ngx_pool_t **pool)
{
    if (*pool) {
        ngx_destroy_pool(*pool);
        *pool = NULL;
    }
}


static void
ngx_dfp_order_cleanup(void *data)
{
    ngx_dfp_order_forget(data);
}


void
ngx_dfp_order_stop(ngx_dfp_order_t *order)
{
    ngx_dfp_ask_stop(&order->ask);

    if (order->again.timer_set) {
        ngx_del_timer(&order->again);
    }

    ngx_dfp_order_ended(order);
}
