#include "ngx_dfp_store_args.h"
#include "ngx_dfp_reply_hooks.h"
#include "ngx_dfp_reply_tokens.h"

#include "ngx_dfp_lua.h"


static ngx_int_t ngx_dfp_store_kind(ngx_dfp_store_t *store, ngx_uint_t i,
    ngx_pool_t *pool);
static void ngx_dfp_store_reply(void *data, redisReply *reply);


/* In the order of ngx_dfp_store_kind_e. */

static const struct {
    const char  *name;
    const char  *script;    /* NULL: a plain command */
    ngx_int_t  (*parse)(ngx_dfp_op_t *op, redisReply *reply);
    unsigned     once:1;
    unsigned     internal:1;
} ngx_dfp_store_kinds[] = {
    { "create", ngx_dfp_lua_create, ngx_dfp_reply_created, 0, 0 },
    { "look", ngx_dfp_lua_look, ngx_dfp_reply_look, 1, 1 },
    { "report", ngx_dfp_lua_report, ngx_dfp_reply_one, 0, 1 },
    { "finish", ngx_dfp_lua_finish, ngx_dfp_reply_one, 0, 1 },
    { "requeue", ngx_dfp_lua_requeue, ngx_dfp_reply_one, 0, 1 },
    { "settle", ngx_dfp_lua_settle, ngx_dfp_reply_one, 0, 0 },
    { "wait", ngx_dfp_lua_wait, ngx_dfp_reply_one, 0, 0 },
    { "list", ngx_dfp_lua_list, ngx_dfp_reply_list, 0, 0 },
    { "patch", ngx_dfp_lua_patch, ngx_dfp_reply_patched, 0, 0 },
    { "delete", ngx_dfp_lua_delete, ngx_dfp_reply_one, 0, 0 },
    { "token_create", ngx_dfp_lua_token_create, ngx_dfp_reply_new_token,
      0, 0 },
    { "token_find", ngx_dfp_lua_token_find, ngx_dfp_reply_token, 0, 0 },
    { "token_list", ngx_dfp_lua_token_list, ngx_dfp_reply_token_list, 0, 0 },
    { "token_change", ngx_dfp_lua_token_change, ngx_dfp_reply_shown_token,
      0, 0 },
    { "token_delete", ngx_dfp_lua_token_delete, ngx_dfp_reply_one, 0, 0 },
    { "instance", ngx_dfp_lua_instance, ngx_dfp_reply_instance, 1, 1 },
    { "leave", ngx_dfp_lua_leave, ngx_dfp_reply_one, 1, 1 },
    { "hook_look", ngx_dfp_lua_hook_look, ngx_dfp_reply_hook_look, 1, 1 },
    { "hook_claim", ngx_dfp_lua_hook_claim, ngx_dfp_reply_hook_claim, 1, 1 },
    { "hook_end", ngx_dfp_lua_hook_end, ngx_dfp_reply_hook_end, 0, 1 },
    { "members", ngx_dfp_lua_members, ngx_dfp_reply_members, 0, 0 },
    { "status", ngx_dfp_lua_status, ngx_dfp_reply_status, 0, 0 },
    { "listen", ngx_dfp_lua_listen, ngx_dfp_reply_since, 1, 0 },
    { "changed", ngx_dfp_lua_changed, ngx_dfp_reply_list, 1, 0 },
    { "task_find", ngx_dfp_lua_task_find, ngx_dfp_reply_found, 0, 0 },
    { "peers", ngx_dfp_lua_peers, ngx_dfp_reply_peers, 0, 1 },
    { "keep", ngx_dfp_lua_keep, ngx_dfp_reply_kept, 1, 1 },
    { "HMGET", NULL, ngx_dfp_reply_job, 0, 0 },
    { "HGETALL", NULL, ngx_dfp_reply_whole_job, 0, 0 }
};


static ngx_dfp_store_t  *ngx_dfp_store;


ngx_int_t
ngx_dfp_store_init(ngx_dfp_main_conf_t *conf, ngx_cycle_t *cycle)
{
    ngx_str_t         check;
    ngx_uint_t        i;
    ngx_dfp_store_t  *store;

    store = ngx_pcalloc(cycle->pool, sizeof(ngx_dfp_store_t));
    if (store == NULL) {
        return NGX_ERROR;
    }

    store->conf = conf;

    if (dfp_uuid((char *) store->worker) != DFP_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_DFP_STORE_KINDS; i++) {
        if (ngx_dfp_store_kind(store, i, cycle->pool) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    store->redis.key = conf->instance.counts;

    ngx_str_set(&check, ngx_dfp_lua_check);
    ngx_dfp_redis_init(&store->redis, &conf->redis, &check, cycle->log);

    ngx_dfp_store = store;

    return NGX_OK;
}


/* The text of a script is common.lua and its own file. */

static ngx_int_t
ngx_dfp_store_kind(ngx_dfp_store_t *store, ngx_uint_t i, ngx_pool_t *pool)
{
    size_t                 common, len;
    ngx_str_t              text;
    ngx_dfp_redis_kind_t  *kind;

    kind = &store->kinds[i];

    kind->name = ngx_dfp_store_kinds[i].name;
    kind->once = ngx_dfp_store_kinds[i].once;
    kind->internal = ngx_dfp_store_kinds[i].internal;

    if (ngx_dfp_store_kinds[i].script == NULL) {
        return NGX_OK;
    }

    common = sizeof(ngx_dfp_lua_common) - 1;
    len = ngx_strlen(ngx_dfp_store_kinds[i].script);

    text.len = common + len;
    text.data = ngx_pnalloc(pool, text.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text.data, ngx_dfp_lua_common, common);
    ngx_memcpy(text.data + common, ngx_dfp_store_kinds[i].script, len);

    ngx_dfp_redis_script(kind, &text);

    return NGX_OK;
}


void
ngx_dfp_store_done(void)
{
    ngx_dfp_store_t  *store;

    store = ngx_dfp_store;

    if (store) {
        ngx_dfp_store = NULL;
        ngx_dfp_redis_done(&store->redis);
    }
}


ngx_dfp_store_t *
ngx_dfp_store_worker(void)
{
    return ngx_dfp_store;
}


const char *
ngx_dfp_store_unavailable(ngx_dfp_store_t *store)
{
    switch (store->redis.conn.refused) {

    case NGX_DFP_REFUSED_RIGHTS:
        return "Redis refuses this nginx: see the error log";

    case NGX_DFP_REFUSED_SCHEMA:
        return "Redis contains data of another version of dfpreheat";

    default:
        return "Redis is unavailable";
    }
}


ngx_msec_t
ngx_dfp_store_down(ngx_dfp_store_t *store)
{
    ngx_dfp_conn_t  *conn;

    conn = &store->redis.conn;

    return ngx_dfp_conn_is_ready(conn) ? 0 : ngx_current_msec - conn->lost;
}


void
ngx_dfp_store_cancel(ngx_dfp_op_t *op)
{
    ngx_dfp_redis_cmd_t  *cmd;

    if (op->cmd) {
        cmd = op->cmd;
        op->cmd = NULL;
        ngx_dfp_redis_cancel(cmd);
    }
}


void
ngx_dfp_store_arg(ngx_dfp_store_args_t *args, ngx_str_t *text)
{
    args->argv[args->n++] = *text;
}


void
ngx_dfp_store_arg_number(ngx_dfp_store_args_t *args, int64_t number)
{
    ngx_str_t  *arg;

    arg = &args->argv[args->n];
    arg->data = args->numbers[args->n++];
    arg->len = ngx_sprintf(arg->data, "%L", number) - arg->data;
}


void
ngx_dfp_store_args_init(ngx_dfp_store_args_t *args, ngx_dfp_store_t *store,
    ngx_dfp_claim_t *claim)
{
    args->n = 0;
    ngx_dfp_store_arg(args, &store->conf->redis.prefix);

    if (claim) {
        ngx_dfp_store_arg_number(args, claim->id);
        ngx_dfp_store_arg(args, &claim->part);
        ngx_dfp_store_arg(args, &claim->run);
        ngx_dfp_store_arg(args, &claim->uuid);
    }
}


ngx_int_t
ngx_dfp_store_script(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_dfp_store_args_t *args, void *out)
{
    op->out = out;

    return ngx_dfp_store_start(store, op, kind, args->argv, args->n,
                               NGX_DFP_REDIS_WAIT);
}


ngx_int_t
ngx_dfp_store_start(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_str_t *argv, ngx_uint_t argc,
    ngx_msec_t timeout)
{
    op->store = store;

    if (op->deadline) {
        timeout = ngx_max((ngx_msec_int_t) (op->deadline - ngx_current_msec),
                          1);
    }

    op->parse = ngx_dfp_store_kinds[kind].parse;

    op->cmd = ngx_dfp_redis_send(&store->redis, &store->kinds[kind], argv, argc,
                                 timeout, ngx_dfp_store_reply, op);

    return op->cmd ? NGX_OK : NGX_ERROR;
}


static void
ngx_dfp_store_reply(void *data, redisReply *reply)
{
    ngx_dfp_op_t *op = data;

    ngx_int_t  rc;

    op->cmd = NULL;

    if (reply == NULL) {
        rc = NGX_ABORT;

    } else if (reply->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, op->log, 0,
            "dfpreheat: redis returned an error: %s",
                      reply->str);
        rc = NGX_ERROR;

    } else {
        rc = op->parse(op, reply);

        if (rc == NGX_AGAIN) {
            if (op->again(op) == NGX_OK) {
                return;
            }

            rc = NGX_ABORT;
        }

        if (rc == NGX_ERROR) {
            ngx_log_error(NGX_LOG_ERR, op->log, 0,
                          "dfpreheat: unexpected redis reply of type %d",
                          reply->type);
        }
    }

    op->handler(op->data, rc);
}
