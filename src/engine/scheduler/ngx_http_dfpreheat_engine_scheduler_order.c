#include "ngx_http_dfpreheat_engine_scheduler.h"


#define NGX_HTTP_DFPREHEAT_ORDER_POOL       4096
#define NGX_HTTP_DFPREHEAT_ORDER_PAUSE      200     /* ms, doubled up to */
#define NGX_HTTP_DFPREHEAT_ORDER_PAUSE_MAX  10000
#define NGX_HTTP_DFPREHEAT_ORDER_ERRORS     4       /* of stats in a row */

/* ms: a scheduler drops what is for seeds in the 30 s before it first looks for
 * them (its SeedPeerRefreshInterval), and answers OK */
#define NGX_HTTP_DFPREHEAT_ORDER_ANEW       35000


static ngx_int_t ngx_http_dfpreheat_order_frames(
    ngx_http_dfpreheat_order_t *order);
static void ngx_http_dfpreheat_order_preheat(
    ngx_http_dfpreheat_order_t *order);
static void ngx_http_dfpreheat_order_preheated(ngx_http_dfpreheat_ask_t *ask,
    ngx_http_dfpreheat_grpc_t *grpc);
static void ngx_http_dfpreheat_order_stat(ngx_event_t *ev);
static int ngx_http_dfpreheat_order_told(ngx_http_dfpreheat_grpc_t *grpc,
    dfp_grpc_part_t *part, dfp_err_t *err);
static void ngx_http_dfpreheat_order_statted(ngx_http_dfpreheat_ask_t *ask,
    ngx_http_dfpreheat_grpc_t *grpc);
static ngx_int_t ngx_http_dfpreheat_order_count(
    ngx_http_dfpreheat_order_t *order);
static void ngx_http_dfpreheat_order_wait(ngx_http_dfpreheat_order_t *order);
static void ngx_http_dfpreheat_order_done(ngx_http_dfpreheat_order_t *order);
static void ngx_http_dfpreheat_order_failed(ngx_http_dfpreheat_order_t *order,
    const char *what, ngx_http_dfpreheat_grpc_t *grpc);
static void ngx_http_dfpreheat_order_ended(ngx_http_dfpreheat_order_t *order);
static void ngx_http_dfpreheat_order_forget(ngx_pool_t **pool);


ngx_http_dfpreheat_order_t *
ngx_http_dfpreheat_order_get(ngx_http_dfpreheat_task_t *task)
{
    ngx_http_dfpreheat_run_t    *run;
    ngx_http_dfpreheat_order_t  *order;

    if (task->data) {
        return task->data;
    }

    run = task->run;

    order = ngx_pcalloc(run->pool, sizeof(ngx_http_dfpreheat_order_t));
    if (order == NULL) {
        return NULL;
    }

    order->orders = run->data;
    order->task = task;
    order->pause = NGX_HTTP_DFPREHEAT_ORDER_PAUSE;

    order->ask.run = run;
    order->ask.data = order;
    order->ask.once = 1;

    order->again.handler = ngx_http_dfpreheat_order_stat;
    order->again.data = order;
    order->again.log = &run->log;

    task->data = order;

    return order;
}


void
ngx_http_dfpreheat_order_start(ngx_http_dfpreheat_order_t *order)
{
    ngx_int_t  rc;

    rc = ngx_http_dfpreheat_order_frames(order);

    if (rc == NGX_DECLINED) {
        ngx_http_dfpreheat_order_ended(order);
        ngx_http_dfpreheat_task_failed(order->task, "the scheduler's StatFile "
                                       "could never find this URL: its query "
                                       "is not spelled as the scheduler does, "
                                       "with sorted keys (engine=peers can "
                                       "preheat it)");
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_dfpreheat_order_ended(order);
        ngx_http_dfpreheat_task_failed(order->task, "no memory");
        return;
    }

    if (order->sent) {
        ngx_http_dfpreheat_order_stat(&order->again);

    } else {
        ngx_http_dfpreheat_order_preheat(order);
    }
}


/* NGX_DECLINED: nobody could tell whether it is there. */

static ngx_int_t
ngx_http_dfpreheat_order_frames(ngx_http_dfpreheat_order_t *order)
{
    int                         finds;
    dfp_job_t                   job;
    dfp_mem_t                   mem;
    dfp_d7y_request_t           request;
    ngx_http_dfpreheat_task_t  *task;

    task = order->task;
    job = order->orders->job;

    order->pool = ngx_create_pool(NGX_HTTP_DFPREHEAT_ORDER_POOL,
                                  &task->run->log);
    if (order->pool == NULL) {
        return NGX_ERROR;
    }

    mem = ngx_http_dfpreheat_mem(order->pool);
    order->serial = task->grant->serial;
    order->ask.secrets = ngx_http_dfpreheat_task_secrets(task, order->pool);

    if (order->ask.secrets == NULL
        || ngx_http_dfpreheat_dragonfly_request(task, order->pool, &request)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (job.type == DFP_JOB_FILE) {
        finds = dfp_d7y_stat_finds(&mem, &request);

        if (finds != 1) {
            return finds == 0 ? NGX_DECLINED : NGX_ERROR;
        }
    }

    /* what the origin takes is in the headers */

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
ngx_http_dfpreheat_order_preheat(ngx_http_dfpreheat_order_t *order)
{
    ngx_http_dfpreheat_ask_t  *ask;

    ask = &order->ask;

    ask->handler = ngx_http_dfpreheat_order_preheated;
    ask->part = NULL;
    ask->frame = order->preheat;
    ask->method = (order->orders->job.type == DFP_JOB_IMAGE)
                  ? DFP_D7Y_PREHEAT_IMAGE : DFP_D7Y_PREHEAT_FILE;

    ngx_http_dfpreheat_ask_start(ask);
}


static void
ngx_http_dfpreheat_order_preheated(ngx_http_dfpreheat_ask_t *ask,
    ngx_http_dfpreheat_grpc_t *grpc)
{
    ngx_http_dfpreheat_order_t *order = ask->data;

    if (grpc->status != DFP_GRPC_OK) {
        ngx_http_dfpreheat_order_failed(order, "the preheat", grpc);
        return;
    }

    order->sent = ngx_current_msec;
    ngx_http_dfpreheat_order_wait(order);
}


static void
ngx_http_dfpreheat_order_stat(ngx_event_t *ev)
{
    ngx_http_dfpreheat_order_t *order = ev->data;

    ngx_http_dfpreheat_ask_t    *ask;
    ngx_http_dfpreheat_task_t   *task;
    ngx_http_dfpreheat_grant_t  *grant;

    task = order->task;
    grant = task->grant;

    if (ngx_exiting) {
        task->run->wake(task->run);
        return;
    }

    if (order->held == 0
        && ngx_current_msec - order->sent >= NGX_HTTP_DFPREHEAT_ORDER_ANEW)
    {
        order->sent = 0;
        order->pause = NGX_HTTP_DFPREHEAT_ORDER_PAUSE;
    }

    /* with another token, or less time left, they are other messages */

    if (order->sent == 0 || grant->call || grant->serial != order->serial
        || (grant->renew && ngx_time() >= grant->renew))
    {
        ngx_http_dfpreheat_order_ended(order);
        ngx_queue_insert_head(&task->run->ready, &task->queue);
        task->run->wake(task->run);
        return;
    }

    ask = &order->ask;

    ask->handler = ngx_http_dfpreheat_order_statted;
    ask->part = ngx_http_dfpreheat_order_told;
    ask->frame = order->stat;
    ask->method = (order->orders->job.type == DFP_JOB_IMAGE)
                  ? DFP_D7Y_STAT_IMAGE : DFP_D7Y_STAT_FILE;

    ngx_http_dfpreheat_ask_start(ask);
}


static int
ngx_http_dfpreheat_order_told(ngx_http_dfpreheat_grpc_t *grpc,
    dfp_grpc_part_t *part, dfp_err_t *err)
{
    dfp_mem_t                     mem;
    ngx_http_dfpreheat_ask_t     *ask;
    ngx_http_dfpreheat_order_t   *order;
    ngx_http_dfpreheat_orders_t  *orders;

    ask = grpc->data;
    order = ask->data;
    orders = order->orders;

    if (part->begins) {
        ngx_http_dfpreheat_order_forget(&order->told);

        order->told = ngx_create_pool(NGX_HTTP_DFPREHEAT_ORDER_POOL,
                                      grpc->log);
        if (order->told == NULL) {
            return DFP_ERROR;
        }

        mem = ngx_http_dfpreheat_mem(order->told);

        order->reply = dfp_held_create(&mem, orders->host, orders->n,
                                       orders->job.type == DFP_JOB_IMAGE);
        if (order->reply == NULL) {
            return DFP_ERROR;
        }
    }

    return dfp_held_read(order->reply, part->bytes, part->ends, err);
}


static void
ngx_http_dfpreheat_order_statted(ngx_http_dfpreheat_ask_t *ask,
    ngx_http_dfpreheat_grpc_t *grpc)
{
    ngx_http_dfpreheat_order_t *order = ask->data;

    ngx_int_t  rc;

    rc = NGX_DECLINED;

    if (grpc->status == DFP_GRPC_OK) {
        order->errors = 0;

        if (order->told && order->reply->complete) {
            rc = ngx_http_dfpreheat_order_count(order);
        }

    } else if (grpc->broken
               || ++order->errors == NGX_HTTP_DFPREHEAT_ORDER_ERRORS)
    {
        ngx_http_dfpreheat_order_failed(order, "the stat", grpc);
        return;
    }

    if (rc == NGX_OK) {
        ngx_http_dfpreheat_order_done(order);
        return;
    }

    ngx_http_dfpreheat_order_forget(&order->told);
    ngx_http_dfpreheat_order_wait(order);
}


/* NGX_OK: each layer is on as many peers as it should be. */

static ngx_int_t
ngx_http_dfpreheat_order_count(ngx_http_dfpreheat_order_t *order)
{
    size_t                        i;
    dfp_held_t                   *reply;
    ngx_http_dfpreheat_orders_t  *orders;

    orders = order->orders;
    reply = order->reply;

    if (reply->nlayers == 0) {
        return NGX_DECLINED;
    }

    order->held = 0;
    order->wanted = reply->nlayers * orders->needed;

    for (i = 0; i < reply->nlayers; i++) {
        order->held += ngx_min(reply->counts[i], orders->needed);
    }

    orders->run->changed = 1;

    return order->held == order->wanted ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_dfpreheat_order_wait(ngx_http_dfpreheat_order_t *order)
{
    ngx_msec_t  pause, passed;

    pause = order->pause;
    passed = ngx_current_msec - order->sent;

    if (order->held == 0 && passed < NGX_HTTP_DFPREHEAT_ORDER_ANEW) {
        pause = ngx_min(pause, NGX_HTTP_DFPREHEAT_ORDER_ANEW - passed);
    }

    ngx_add_timer(&order->again, pause);

    order->pause = ngx_min(2 * order->pause,
                           NGX_HTTP_DFPREHEAT_ORDER_PAUSE_MAX);
}


static void
ngx_http_dfpreheat_order_done(ngx_http_dfpreheat_order_t *order)
{
    size_t                        i, k;
    dfp_str_t                     posted;
    ngx_str_t                     ip, hostname, url;
    dfp_held_t                   *reply;
    ngx_http_dfpreheat_orders_t  *orders;

    orders = order->orders;
    reply = order->reply;

    for (k = 0; k < reply->nlayers; k++) {

        url = order->task->shown;

        if (reply->layers
            && ngx_http_dfpreheat_dragonfly_posted(order->task, order->told,
                                                   reply->layers[k], &posted)
               == NGX_OK)
        {
            url = ngx_http_dfpreheat_str(posted);
        }

        for (i = 0; i < orders->n; i++) {

            if (!dfp_held_by(reply, i, k)) {
                continue;
            }

            ip = ngx_http_dfpreheat_str(orders->host[i].ip);
            hostname = ngx_http_dfpreheat_str(orders->host[i].hostname);

            ngx_http_dfpreheat_list_add(&orders->success, &hostname, &ip, &url,
                                        NULL);
        }
    }

    ngx_http_dfpreheat_order_ended(order);
    ngx_http_dfpreheat_task_done(order->task);
}


static void
ngx_http_dfpreheat_order_failed(ngx_http_dfpreheat_order_t *order,
    const char *what, ngx_http_dfpreheat_grpc_t *grpc)
{
    ngx_str_t  text;

    text = ngx_http_dfpreheat_secrets_mask(order->ask.secrets, grpc->pool,
                                           grpc->text);

    ngx_http_dfpreheat_order_ended(order);
    ngx_http_dfpreheat_task_failed(order->task, "%V answered %s: %V%s",
                                   &grpc->server->name, what, &text,
                                   grpc->broken
                                   ? " (does it have a Redis for its job "
                                     "service? engine=peers needs none)" : "");
}


static void
ngx_http_dfpreheat_order_ended(ngx_http_dfpreheat_order_t *order)
{
    if (order->busy) {
        order->busy = 0;
        order->orders->busy--;
    }

    ngx_http_dfpreheat_order_forget(&order->pool);
    ngx_http_dfpreheat_order_forget(&order->told);
}


static void
ngx_http_dfpreheat_order_forget(ngx_pool_t **pool)
{
    if (*pool) {
        ngx_destroy_pool(*pool);
        *pool = NULL;
    }
}


void
ngx_http_dfpreheat_order_stop(ngx_http_dfpreheat_order_t *order)
{
    ngx_http_dfpreheat_ask_stop(&order->ask);

    if (order->again.timer_set) {
        ngx_del_timer(&order->again);
    }

    ngx_http_dfpreheat_order_ended(order);
}
