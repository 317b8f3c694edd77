#include "ngx_dfp_engine_scheduler.h"


#define NGX_DFP_ORDER_PATIENCE      30000     /* ms, doubled up to */
#define NGX_DFP_ORDER_PATIENCE_MAX  600000


static ngx_int_t ngx_dfp_order_leads(ngx_dfp_task_t *task,
    ngx_dfp_call_t *call);
static void ngx_dfp_order_again(ngx_dfp_order_t *order, ngx_dfp_call_t *call);
static void ngx_dfp_order_note(ngx_dfp_order_t *order, ngx_dfp_call_t *call,
    const char *why);
static void ngx_dfp_order_ready(ngx_dfp_order_t *order);


void
ngx_dfp_order_probed(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    ngx_dfp_order_t *order = task->data;

    if (order->accepted) {
        ngx_dfp_order_again(order, call);
        return;
    }

    /* the rest of a file is not read */

    if (!call->answer.too_big
        && ngx_dfp_order_leads(task, call) != NGX_OK
        && ngx_dfp_task_trouble(task, call) == NGX_OK)
    {
        return;
    }

    ngx_dfp_task_grant_accepted(task);

    order->accepted = 1;
    order->patience = NGX_DFP_ORDER_PATIENCE;

    ngx_dfp_order_ready(order);
}


/* Peers follow the redirect of a file by themselves. NGX_DECLINED: it is
 * something else. */

static ngx_int_t
ngx_dfp_order_leads(ngx_dfp_task_t *task, ngx_dfp_call_t *call)
{
    return task->image == NULL && call->answer.result == NGX_DFP_CALL_OK
           && call->answer.leads_to.len
           ? NGX_OK : NGX_DECLINED;
}


/*
 * The origin had it, and the peers may be able to do without it: what is wrong
 * now fails nothing, but is told if the job fails. A 401 is a token that has
 * expired meanwhile.
 */

static void
ngx_dfp_order_again(ngx_dfp_order_t *order, ngx_dfp_call_t *call)
{
    dfp_err_t        why;
    ngx_dfp_task_t  *task;

    task = order->task;
    order->origin.len = 0;

    if (!call->answer.too_big && !call->answer.busy
        && ngx_dfp_order_leads(task, call) != NGX_OK
        && !(call->answer.result == NGX_DFP_CALL_OK
             && call->answer.status == NGX_HTTP_UNAUTHORIZED)
        && ngx_dfp_answer_verdict(call, &why) != NGX_OK)
    {
        ngx_dfp_order_note(order, call, why.text);
    }

    ngx_dfp_order_ready(order);
}


static void
ngx_dfp_order_note(ngx_dfp_order_t *order, ngx_dfp_call_t *call,
    const char *why)
{
    ngx_str_t  text;

    if (order->origin.data == NULL) {
        order->origin.data = ngx_pnalloc(order->orders->run->pool,
                                         NGX_DFP_REASON_MAX);
        if (order->origin.data == NULL) {
            return;
        }
    }

    text.data = (u_char *) why;
    text.len = ngx_strlen(why);
    text = ngx_dfp_secrets_mask(call->secrets, call->pool, text);

    order->origin.len = ngx_snprintf(order->origin.data, NGX_DFP_REASON_MAX,
                                     "%V", &text)
                        - order->origin.data;

    ngx_log_error(NGX_LOG_WARN, &order->orders->run->log, 0,
                  "dfpreheat: %V: %V", &order->task->shown, &order->origin);
}


static void
ngx_dfp_order_ready(ngx_dfp_order_t *order)
{
    ngx_dfp_task_t  *task;

    task = order->task;

    order->probed = 1;
    order->asked = ngx_current_msec;

    /* the next call to the origin is another matter */

    task->tries = 0;
    task->deadline = 0;

    ngx_queue_insert_head(&task->run->ready, &task->queue);
}


ngx_uint_t
ngx_dfp_order_silent(ngx_dfp_order_t *order)
{
    if (ngx_current_msec - order->asked < order->patience) {
        return 0;
    }

    order->patience = ngx_min(2 * order->patience, NGX_DFP_ORDER_PATIENCE_MAX);

    return 1;
}
