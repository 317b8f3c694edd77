#include "ngx_dfp_engine_tasks.h"


#define NGX_DFP_TASKS_ANSWER  1048576    /* bytes; it has the headers of the origin */


static dfp_rc_t ngx_dfp_asked_frame(ngx_dfp_asked_t *peer,
    ngx_dfp_grpc_t *grpc);
static dfp_rc_t ngx_dfp_asked_message(ngx_dfp_grpc_t *grpc, dfp_str_t message,
    dfp_err_t *err);
static void ngx_dfp_asked_ended(ngx_dfp_grpc_t *grpc);
static void ngx_dfp_asked_told(ngx_dfp_asked_t *peer, ngx_dfp_grpc_t *grpc);
static void ngx_dfp_asked_holds(ngx_dfp_asked_t *peer);
static void ngx_dfp_asked_lacks(ngx_dfp_asked_t *peer);
static void ngx_dfp_asked_next(ngx_dfp_asked_t *peer);
static void ngx_dfp_asked_failed(ngx_dfp_asked_t *peer, ngx_str_t *text);


ngx_int_t
ngx_dfp_asked_ask(ngx_dfp_asked_t *peer)
{
    ngx_dfp_run_t   *run;
    ngx_dfp_grpc_t  *grpc;

    run = peer->questions->run;

    grpc = ngx_dfp_grpc_create(&run->log);
    if (grpc == NULL) {
        return NGX_AGAIN;
    }

    grpc->handler = ngx_dfp_asked_ended;
    grpc->message = ngx_dfp_asked_message;
    grpc->data = peer;
    grpc->job = run->claim.id;
    grpc->server = &peer->server;
    grpc->method = (peer->step == NGX_DFP_ASK_DELETE) ? DFP_D7Y_DELETE_TASK
                                                      : DFP_D7Y_STAT_LOCAL;
    grpc->max = NGX_DFP_TASKS_ANSWER;
    grpc->timeout = run->conf->peer_timeout;

    /* at the timeout its library might answer for one that hangs */
    grpc->untold = 1;

    if (ngx_dfp_asked_frame(peer, grpc) != DFP_OK) {
        ngx_dfp_grpc_cancel(grpc);
        return NGX_AGAIN;
    }

    if (ngx_dfp_grpc_start(grpc) != NGX_OK) {
        return NGX_AGAIN;
    }

    peer->grpc = grpc;
    peer->questions->active++;
    run->calls++;

    return NGX_OK;
}


static dfp_rc_t
ngx_dfp_asked_frame(ngx_dfp_asked_t *peer, ngx_dfp_grpc_t *grpc)
{
    dfp_str_t  id;
    dfp_mem_t  mem;

    mem = ngx_dfp_mem(grpc->pool);
    id = peer->questions->tasks[peer->task];

    return peer->step == NGX_DFP_ASK_DELETE
           ? dfp_d7y_delete_task(&mem, id, &grpc->frame)
           : dfp_d7y_stat_local(&mem, id, &grpc->frame);
}


static dfp_rc_t
ngx_dfp_asked_message(ngx_dfp_grpc_t *grpc, dfp_str_t message, dfp_err_t *err)
{
    dfp_rc_t          rc;
    dfp_mem_t         mem;
    dfp_d7y_local_t   local;
    ngx_dfp_asked_t  *peer;

    peer = grpc->data;

    if (peer->step == NGX_DFP_ASK_DELETE) {
        return DFP_OK;
    }

    mem = ngx_dfp_mem(grpc->pool);
    rc = dfp_d7y_local_parse(&mem, message, &local, err);

    if (rc == DFP_OK) {
        peer->holder.finished = local.finished;
        peer->holder.created = local.created;
        peer->holder.updated = local.updated;
    }

    return rc;
}


static void
ngx_dfp_asked_ended(ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_run_t    *run;
    ngx_dfp_asked_t  *peer;

    peer = grpc->data;
    run = peer->questions->run;

    peer->grpc = NULL;
    peer->questions->active--;
    run->calls--;

    ngx_log_debug6(NGX_LOG_DEBUG_HTTP, &run->log, 0,
                   "dfpreheat: job %L: %s to %V ended, status:%d unreached:%d "
                   "timedout:%d", run->claim.id, grpc->method,
                   &peer->server.name, grpc->status, grpc->unreached,
                   grpc->timedout);

    if (grpc->unreached || grpc->timedout) {
        peer->unreachable = 1;
        ngx_dfp_asked_failed(peer, &grpc->text);

    } else {
        ngx_dfp_asked_told(peer, grpc);
    }

    run->changed = 1;
    run->wake(run);
}


/* Whatever DeleteTask has answered, StatLocalTask tells whether it is deleted: the
 * peer has deleted it also if its scheduler could not be told. */

static void
ngx_dfp_asked_told(ngx_dfp_asked_t *peer, ngx_dfp_grpc_t *grpc)
{
    ngx_str_t  text;

    if (peer->step == NGX_DFP_ASK_DELETE) {

        if (grpc->status != DFP_GRPC_OK) {
            peer->deletion.data = ngx_pstrdup(peer->questions->run->pool,
                                              &grpc->text);
            peer->deletion.len = peer->deletion.data ? grpc->text.len : 0;
        }

        peer->step = NGX_DFP_ASK_AGAIN;
        ngx_queue_insert_head(&peer->questions->ready, &peer->queue);
        return;
    }

    if (grpc->status == DFP_GRPC_NOT_FOUND) {
        ngx_dfp_asked_lacks(peer);
        return;
    }

    if (grpc->status != DFP_GRPC_OK) {
        ngx_dfp_asked_failed(peer, &grpc->text);
        return;
    }

    if (peer->step == NGX_DFP_ASK_AGAIN) {
        ngx_str_set(&text, "it still holds the task after DeleteTask");
        ngx_dfp_asked_failed(peer, peer->deletion.len ? &peer->deletion : &text);
        return;
    }

    ngx_dfp_asked_holds(peer);
}


static void
ngx_dfp_asked_holds(ngx_dfp_asked_t *peer)
{
    ngx_dfp_questions_t  *questions;

    questions = peer->questions;

    switch (questions->run->job.action) {

    case DFP_JOB_DELETE_TASK:
        peer->step = NGX_DFP_ASK_DELETE;
        ngx_queue_insert_head(&questions->ready, &peer->queue);
        return;

    case DFP_JOB_DISTRIBUTION:

        /* as in the manager's results of a preheat, a part is not enough */

        peer->held[peer->task] = peer->holder.finished;
        peer->holds |= peer->holder.finished;
        break;

    default: /* DFP_JOB_GET_TASK */
        peer->holds = 1;
        break;
    }

    ngx_dfp_asked_next(peer);
}


static void
ngx_dfp_asked_lacks(ngx_dfp_asked_t *peer)
{
    peer->deleted = (peer->step == NGX_DFP_ASK_AGAIN);
    ngx_dfp_asked_next(peer);
}


static void
ngx_dfp_asked_next(ngx_dfp_asked_t *peer)
{
    if (++peer->task < peer->questions->ntasks) {
        ngx_queue_insert_tail(&peer->questions->ready, &peer->queue);
        return;
    }

    peer->questions->left--;
}


static void
ngx_dfp_asked_failed(ngx_dfp_asked_t *peer, ngx_str_t *text)
{
    ngx_pool_t  *pool;

    pool = peer->questions->run->pool;

    peer->reason.data = ngx_pstrdup(pool, text);
    peer->reason.len = text->len;

    if (peer->reason.data == NULL) {
        ngx_str_set(&peer->reason, "no memory");
    }

    peer->questions->left--;
}


void
ngx_dfp_asked_cancel(ngx_dfp_asked_t *peer)
{
    if (peer->grpc) {
        peer->questions->active--;
        peer->questions->run->calls--;

        ngx_dfp_grpc_cancel(peer->grpc);
        peer->grpc = NULL;
    }
}
