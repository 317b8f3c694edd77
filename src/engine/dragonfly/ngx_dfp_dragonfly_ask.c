#include "ngx_dfp_dragonfly.h"
#include "ngx_dfp_pause.h"


#define NGX_DFP_ASK_PAUSE      500     /* ms, doubled up to */
#define NGX_DFP_ASK_PAUSE_MAX  10000
#define NGX_DFP_ASK_SLOW       1000    /* ms without an answer */


static void ngx_dfp_ask_try(ngx_dfp_ask_t *ask);
static void ngx_dfp_ask_called(ngx_dfp_grpc_t *grpc);
static void ngx_dfp_ask_next(ngx_dfp_ask_t *ask);
static void ngx_dfp_ask_again(ngx_event_t *ev);


void
ngx_dfp_ask_start(ngx_dfp_ask_t *ask)
{
    ask->again.handler = ngx_dfp_ask_again;
    ask->again.data = ask;
    ask->again.log = &ask->run->log;

    ask->at = ask->run->cluster->dragonfly->last;
    ask->tried = 0;
    ask->rounds = 0;

    ngx_dfp_ask_try(ask);
}


ngx_int_t
ngx_dfp_ask_overdue(ngx_dfp_ask_t *ask, ngx_dfp_run_t *run)
{
    u_char       buf[128];
    ngx_str_t    text;
    const char  *method;

    if (ask->grpc == NULL
        || ngx_current_msec - ask->since < NGX_DFP_ASK_SLOW)
    {
        return NGX_DECLINED;
    }

    method = strrchr(ask->method, '/') + 1;

    text.data = buf;
    text.len = ngx_snprintf(buf, sizeof(buf), "it has not answered %s for %M ms",
                            method, ngx_current_msec - ask->since)
               - buf;

    ngx_dfp_run_trouble(run, ask->secrets, &ask->grpc->server->name, &text);

    return NGX_OK;
}


void
ngx_dfp_ask_stop(ngx_dfp_ask_t *ask)
{
    if (ask->again.timer_set) {
        ngx_del_timer(&ask->again);
    }

    if (ask->grpc) {
        ask->run->calls--;
        ngx_dfp_grpc_cancel(ask->grpc);
        ask->grpc = NULL;
    }
}


static void
ngx_dfp_ask_try(ngx_dfp_ask_t *ask)
{
    ngx_dfp_run_t        *run;
    ngx_dfp_grpc_t       *grpc;
    ngx_dfp_server_t     *server;
    ngx_dfp_dragonfly_t  *dragonfly;

    run = ask->run;
    dragonfly = run->cluster->dragonfly;
    server = dragonfly->schedulers.elts;

    grpc = ngx_dfp_grpc_create(&run->log);

    if (grpc == NULL) {
        ngx_dfp_ask_next(ask);
        return;
    }

    grpc->handler = ngx_dfp_ask_called;
    grpc->part = ask->part;
    grpc->data = ask;
    grpc->job = run->claim.id;
    grpc->secrets = ask->secrets;
    grpc->server = &server[ask->at];
    grpc->method = ask->method;
    grpc->frame = ask->frame;
    grpc->max = NGX_DFP_REPLY_MAX;
    grpc->timeout = NGX_DFP_SCHEDULER_WAIT;

    if (ngx_dfp_grpc_start(grpc) != NGX_OK) {
        ngx_dfp_ask_next(ask);
        return;
    }

    ask->grpc = grpc;
    ask->since = ngx_current_msec;
    run->calls++;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: %s to %V, round %ui", run->claim.id,
                   ask->method, &server[ask->at].name, ask->rounds + 1);
}


static void
ngx_dfp_ask_called(ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_ask_t *ask = grpc->data;

    ngx_dfp_run_t  *run;

    run = ask->run;
    run->calls--;
    ask->grpc = NULL;

    ngx_log_debug7(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: %s to %V ended, status:%d "
                   "unreached:%d unanswered:%d broken:%d", run->claim.id,
                   ask->method, &grpc->server->name, grpc->status,
                   grpc->unreached, grpc->unanswered, grpc->broken);

    if ((grpc->status == DFP_GRPC_UNAVAILABLE && !(ask->once && grpc->broken))
        || (grpc->status == DFP_GRPC_DEADLINE_EXCEEDED && !ask->once)
        || (grpc->unanswered && !grpc->broken && !ask->once
            && ask->tried + 1 < run->cluster->dragonfly->schedulers.nelts))
    {
        ngx_dfp_run_trouble(run, ask->secrets, &grpc->server->name,
                            &grpc->text);

        if (ask->tried_one) {
            ask->tried_one(ask, grpc);
        }

        ngx_dfp_ask_next(ask);

    } else {
        run->trouble.len = 0;
        run->cluster->dragonfly->last = ask->at;
        ask->handler(ask, grpc);
    }

    run->wake(run);
}


static void
ngx_dfp_ask_next(ngx_dfp_ask_t *ask)
{
    ngx_msec_t            pause;
    ngx_dfp_dragonfly_t  *dragonfly;

    dragonfly = ask->run->cluster->dragonfly;
    ask->at = (ask->at + 1) % dragonfly->schedulers.nelts;

    /* always by an event, so that the caller has returned */
    pause = 1;

    if (++ask->tried >= dragonfly->schedulers.nelts) {
        ask->tried = 0;
        pause = ngx_dfp_pause(ask->rounds++, NGX_DFP_ASK_PAUSE,
                              NGX_DFP_ASK_PAUSE_MAX);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &ask->run->log, 0,
                   "dfpreheat: job %L: %s to the next scheduler in %M ms",
                   ask->run->claim.id, ask->method, pause);

    ngx_dfp_count_retry(NGX_DFP_RETRY_SCHEDULER);
    ngx_add_timer(&ask->again, pause);
}


static void
ngx_dfp_ask_again(ngx_event_t *ev)
{
    ngx_dfp_ask_t *ask = ev->data;

    if (ngx_exiting) {
        ask->run->wake(ask->run);
        return;
    }

    ngx_dfp_ask_try(ask);
}
