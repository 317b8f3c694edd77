#include "ngx_dfp_engine_scheduler.h"


static void ngx_dfp_order_tell_layer(ngx_dfp_order_t *order, size_t layer,
    ngx_dfp_list_t *success, ngx_dfp_list_t *failure);
static ngx_str_t ngx_dfp_order_url(ngx_dfp_order_t *order, size_t layer);
static ngx_str_t ngx_dfp_order_lacks(ngx_dfp_order_t *order, u_char *buf,
    size_t size);


ngx_int_t
ngx_dfp_order_tell(ngx_dfp_order_t *order, ngx_dfp_list_t *success,
    ngx_dfp_list_t *failure)
{
    size_t       k;
    dfp_held_t  *known;

    known = order->last ? order->known : NULL;

    if (known == NULL || known->nlayers == 0 || order->orders->n == 0) {
        return NGX_DECLINED;
    }

    for (k = 0; k < known->nlayers; k++) {
        if (dfp_held_reported(known, k)) {
            ngx_dfp_order_tell_layer(order, k, success, failure);
        }
    }

    return NGX_OK;
}


static void
ngx_dfp_order_tell_layer(ngx_dfp_order_t *order, size_t layer,
    ngx_dfp_list_t *success, ngx_dfp_list_t *failure)
{
    size_t             i;
    ngx_str_t          hostname, ip, url, lacks;
    ngx_dfp_orders_t  *orders;
    u_char             buf[2 * NGX_DFP_REASON_MAX];

    orders = order->orders;
    url = ngx_dfp_order_url(order, layer);
    lacks = ngx_dfp_order_lacks(order, buf, sizeof(buf));

    for (i = 0; i < orders->n; i++) {
        hostname = ngx_dfp_str(orders->host[i].hostname);
        ip = ngx_dfp_str(orders->host[i].ip);

        if (dfp_held_by(order->known, i, layer)) {
            ngx_dfp_results_add(success, &hostname, &ip, &url, NULL);

        } else if (failure) {
            ngx_dfp_results_add(failure, &hostname, &ip, &url, &lacks);
        }
    }
}


/* As the job calls it. */

static ngx_str_t
ngx_dfp_order_url(ngx_dfp_order_t *order, size_t layer)
{
    dfp_str_t  posted;

    if (order->known->layers
        && ngx_dfp_dragonfly_posted(order->task, order->last,
                                    order->known->layers[layer], &posted)
           == NGX_OK)
    {
        return ngx_dfp_str(posted);
    }

    return order->task->shown;
}


static ngx_str_t
ngx_dfp_order_lacks(ngx_dfp_order_t *order, u_char *buf, size_t size)
{
    ngx_str_t  text;

    text.data = buf;
    text.len = ngx_snprintf(buf, size, "%V; the scheduler does not report it as "
                            "complete on this peer%s%V", &order->task->reason,
                            order->origin.len ? "; " : "", &order->origin)
               - buf;

    return text;
}
