#include "ngx_dfp_guard.h"


#define NGX_DFP_GUARD_LISTS  256


/* A token, and the requests with it. */
struct ngx_dfp_guard_token_s {
    ngx_queue_t              queue;     /* of its list */
    ngx_queue_t              guards;
    ngx_dfp_store_t         *store;
    ngx_dfp_op_t             op;
    ngx_event_t              timer;
    ngx_event_t              tell;
    ngx_dfp_stored_token_t   token;     /* without its name */
    ngx_uint_t               scope;
    ngx_dfp_auth_verdict_t   verdict;
    u_char                   hash[DFP_SHA256_HEX_LEN];
    unsigned                 again:1;   /* it was changed during the look-up */
};


static ngx_queue_t *ngx_dfp_guard_list(u_char *hash);
static ngx_dfp_guard_token_t *ngx_dfp_guard_find(ngx_queue_t *list,
    ngx_dfp_auth_t *auth);
static ngx_dfp_guard_token_t *ngx_dfp_guard_create(ngx_dfp_store_t *store,
    ngx_queue_t *list, ngx_dfp_auth_t *auth);
static void ngx_dfp_guard_free(ngx_dfp_guard_token_t *token);
static void ngx_dfp_guard_dropped(int64_t id);
static void ngx_dfp_guard_timer(ngx_event_t *ev);
static void ngx_dfp_guard_wait(ngx_dfp_guard_token_t *token);
static void ngx_dfp_guard_look(ngx_dfp_guard_token_t *token);
static void ngx_dfp_guard_found(void *data, ngx_int_t rc);
static void ngx_dfp_guard_tell(ngx_event_t *ev);


/* By the hashes of tokens; a list that was never used is zeroed. */
static ngx_queue_t  ngx_dfp_guards[NGX_DFP_GUARD_LISTS];


ngx_int_t
ngx_dfp_guard_start(ngx_dfp_store_t *store, ngx_dfp_auth_t *auth,
    ngx_dfp_guard_t *guard)
{
    ngx_queue_t            *list;
    ngx_dfp_guard_token_t  *token;

    list = ngx_dfp_guard_list(auth->hash);
    token = ngx_dfp_guard_find(list, auth);

    if (token == NULL) {
        token = ngx_dfp_guard_create(store, list, auth);
        if (token == NULL) {
            return NGX_ERROR;
        }
    }

    guard->token = token;
    ngx_queue_insert_tail(&token->guards, &guard->queue);

    /* it was changed after AUTH had found it */

    if (auth->drops != ngx_dfp_token_cache_drops()) {
        ngx_dfp_guard_look(token);
    }

    return NGX_OK;
}


static ngx_queue_t *
ngx_dfp_guard_list(u_char *hash)
{
    ngx_queue_t  *list;

    list = &ngx_dfp_guards[ngx_hextoi(hash, 4) % NGX_DFP_GUARD_LISTS];

    if (list->next == NULL) {
        ngx_queue_init(list);
    }

    return list;
}


static ngx_dfp_guard_token_t *
ngx_dfp_guard_find(ngx_queue_t *list, ngx_dfp_auth_t *auth)
{
    ngx_queue_t            *q;
    ngx_dfp_guard_token_t  *token;

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        token = ngx_queue_data(q, ngx_dfp_guard_token_t, queue);

        if (token->scope == auth->scope
            && ngx_memcmp(token->hash, auth->hash, DFP_SHA256_HEX_LEN) == 0)
        {
            return token;
        }
    }

    return NULL;
}


static ngx_dfp_guard_token_t *
ngx_dfp_guard_create(ngx_dfp_store_t *store, ngx_queue_t *list,
    ngx_dfp_auth_t *auth)
{
    ngx_log_t              *log;
    ngx_dfp_guard_token_t  *token;

    log = ngx_cycle->log;

    token = ngx_calloc(sizeof(ngx_dfp_guard_token_t), log);
    if (token == NULL) {
        return NULL;
    }

    token->store = store;
    token->token = auth->token;
    ngx_str_null(&token->token.name);
    token->scope = auth->scope;
    ngx_memcpy(token->hash, auth->hash, DFP_SHA256_HEX_LEN);

    token->op.handler = ngx_dfp_guard_found;
    token->op.data = token;
    token->op.log = log;
    token->op.borrow = 1;

    token->timer.handler = ngx_dfp_guard_timer;
    token->timer.data = token;
    token->timer.log = log;
    token->timer.cancelable = 1;

    token->tell.handler = ngx_dfp_guard_tell;
    token->tell.data = token;
    token->tell.log = log;

    ngx_queue_init(&token->guards);
    ngx_queue_insert_tail(list, &token->queue);

    ngx_dfp_token_cache_watch(ngx_dfp_guard_dropped);

    /* it may have been found in the cache */

    ngx_dfp_guard_wait(token);

    return token;
}


void
ngx_dfp_guard_end(ngx_dfp_guard_t *guard)
{
    ngx_dfp_guard_token_t  *token;

    token = guard->token;

    if (token == NULL) {
        return;
    }

    guard->token = NULL;
    ngx_queue_remove(&guard->queue);

    /* while others are told, the last one that is told frees it */

    if (ngx_queue_empty(&token->guards) && !token->tell.posted) {
        ngx_dfp_guard_free(token);
    }
}


static void
ngx_dfp_guard_free(ngx_dfp_guard_token_t *token)
{
    ngx_dfp_store_cancel(&token->op);
    ngx_queue_remove(&token->queue);

    if (token->timer.timer_set) {
        ngx_del_timer(&token->timer);
    }

    ngx_free(token);
}


/* No handler is called from here, and no token is freed. */

static void
ngx_dfp_guard_dropped(int64_t id)
{
    ngx_uint_t              i;
    ngx_queue_t            *q, *list;
    ngx_dfp_guard_token_t  *token;

    for (i = 0; i < NGX_DFP_GUARD_LISTS; i++) {
        list = &ngx_dfp_guards[i];

        if (list->next == NULL) {
            continue;
        }

        for (q = ngx_queue_head(list);
             q != ngx_queue_sentinel(list);
             q = ngx_queue_next(q))
        {
            token = ngx_queue_data(q, ngx_dfp_guard_token_t, queue);

            if (id == 0 || token->token.id == id) {
                ngx_dfp_guard_look(token);
            }
        }
    }
}


static void
ngx_dfp_guard_timer(ngx_event_t *ev)
{
    ngx_dfp_guard_look(ev->data);
}


static void
ngx_dfp_guard_wait(ngx_dfp_guard_token_t *token)
{
    int64_t  left;

    left = ngx_max(token->token.expired_at - ngx_dfp_now(), 1);

    ngx_add_timer(&token->timer, ngx_min(left, NGX_DFP_GUARD_POLL));
}


static void
ngx_dfp_guard_look(ngx_dfp_guard_token_t *token)
{
    ngx_str_t  hash;

    if (token->op.cmd) {
        token->again = 1;
        return;
    }

    token->again = 0;

    hash.data = token->hash;
    hash.len = DFP_SHA256_HEX_LEN;

    /* what waits for Redis meanwhile are commands of clients */

    if (ngx_dfp_store_down(token->store)) {
        ngx_add_timer(&token->timer, NGX_DFP_GUARD_RETRY);
        return;
    }

    if (ngx_dfp_store_token_find(token->store, &token->op, &hash,
                                 &token->token)
        != NGX_OK)
    {
        ngx_add_timer(&token->timer, NGX_DFP_GUARD_POLL);
        return;
    }

    if (token->timer.timer_set) {
        ngx_del_timer(&token->timer);
    }
}


static void
ngx_dfp_guard_found(void *data, ngx_int_t rc)
{
    ngx_dfp_guard_token_t *token = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, token->op.log, 0,
                   "dfpreheat auth: token %L of requests that are held is looked "
                   "up, rc %i", token->token.id, rc);

    ngx_str_null(&token->token.name);

    if (token->again) {
        ngx_dfp_guard_look(token);
        return;
    }

    /* nobody is refused because Redis is unavailable */

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        ngx_add_timer(&token->timer, NGX_DFP_GUARD_POLL);
        return;
    }

    if (ngx_dfp_auth_verdict(rc, &token->token, token->scope, &token->verdict)
        == NGX_HTTP_OK)
    {
        ngx_dfp_guard_wait(token);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, token->op.log, 0,
                  "dfpreheat: refused: %s", token->verdict.text);

    /* requests that come from now on have been checked later than that */

    ngx_queue_remove(&token->queue);
    ngx_queue_init(&token->queue);
    ngx_post_event(&token->tell, &ngx_posted_events);
}


/* Some in each turn of the event loop, so that others wait no longer than
 * that. */

static void
ngx_dfp_guard_tell(ngx_event_t *ev)
{
    ngx_dfp_guard_token_t *token = ev->data;

    ngx_uint_t        n;
    ngx_queue_t      *q;
    ngx_dfp_guard_t  *guard;

    /* posted: it is not freed meanwhile */

    ngx_post_event(ev, &ngx_posted_next_events);

    for (n = 0; n < NGX_DFP_GUARD_TURN; n++) {

        if (ngx_queue_empty(&token->guards)) {
            break;
        }

        q = ngx_queue_head(&token->guards);
        guard = ngx_queue_data(q, ngx_dfp_guard_t, queue);

        ngx_dfp_guard_end(guard);
        ngx_dfp_count(&ngx_dfp_counters->token_failures[token->verdict.why],
                      1);

        guard->handler(guard->data, token->verdict.status,
                       token->verdict.text);
    }

    if (ngx_queue_empty(&token->guards)) {
        ngx_delete_posted_event(ev);
        ngx_dfp_guard_free(token);
    }
}
