#include "ngx_dfp_store.h"
#include "ngx_dfp_reply.h"

#include "ngx_dfp_lua.h"


#define NGX_DFP_ARGS_MAX  24     /* of a script, without clusters */
#define NGX_DFP_CLUSTER_LEN                                                   \
    (NGX_INT64_LEN + 1 + DFP_UUID_LEN)


typedef struct {
    ngx_str_t   argv[NGX_DFP_ARGS_MAX];
    u_char      numbers[NGX_DFP_ARGS_MAX][NGX_INT64_LEN];
    ngx_uint_t  n;
} ngx_dfp_store_args_t;


static ngx_int_t ngx_dfp_store_kind(ngx_dfp_store_t *store, ngx_uint_t i,
    ngx_pool_t *pool);
static ngx_int_t ngx_dfp_store_start(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_str_t *argv, ngx_uint_t argc,
    ngx_msec_t timeout);
static ngx_int_t ngx_dfp_store_script(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_dfp_store_args_t *args, void *out);
static ngx_int_t ngx_dfp_store_get_whole(ngx_dfp_op_t *op);
static ngx_int_t ngx_dfp_store_job(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_dfp_stored_job_t *job, ngx_str_t *argv,
    ngx_uint_t argc);
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
    { "token_create", ngx_dfp_lua_token_create, ngx_dfp_reply_new_token,
      0, 0 },
    { "token_find", ngx_dfp_lua_token_find, ngx_dfp_reply_token, 0, 0 },
    { "instance", ngx_dfp_lua_instance, ngx_dfp_reply_instance, 1, 1 },
    { "leave", ngx_dfp_lua_leave, ngx_dfp_reply_one, 1, 1 },
    { "status", ngx_dfp_lua_status, ngx_dfp_reply_status, 0, 0 },
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


static void
ngx_dfp_store_arg(ngx_dfp_store_args_t *args, ngx_str_t *text)
{
    args->argv[args->n++] = *text;
}


static void
ngx_dfp_store_arg_number(ngx_dfp_store_args_t *args, int64_t number)
{
    ngx_str_t  *arg;

    arg = &args->argv[args->n];
    arg->data = args->numbers[args->n++];
    arg->len = ngx_sprintf(arg->data, "%L", number) - arg->data;
}


/* The first argument is the prefix; scripts of a run have their claim next. */

static void
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
ngx_dfp_store_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job)
{
    u_char                    *p;
    ngx_str_t                 *argv, *arg;
    ngx_uint_t                 i;
    ngx_dfp_choice_t          *choice;
    ngx_dfp_instance_t        *instance;
    ngx_dfp_store_args_t       args;
    ngx_dfp_job_cluster_t  *cluster;

    choice = &job->choice;
    instance = &store->conf->instance;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, &job->uuid);
    ngx_dfp_store_arg_number(&args, job->timeout);
    ngx_dfp_store_arg_number(&args, 1000 * (int64_t)
                             (job->keep ? job->keep : store->conf->retention));
    ngx_dfp_store_arg_number(&args, store->conf->queue_limit);
    ngx_dfp_store_arg(&args, &job->about);
    ngx_dfp_store_arg(&args, &job->args);
    ngx_dfp_store_arg(&args, &job->sealed);
    ngx_dfp_store_arg_number(&args, job->configured);
    ngx_dfp_store_arg_number(&args, job->token);
    ngx_dfp_store_arg_number(&args, instance->shared->newest);
    ngx_dfp_store_arg(&args, &instance->id);
    ngx_dfp_store_arg(&args, &instance->queue);
    ngx_dfp_store_arg(&args, &instance->who);
    ngx_dfp_store_arg(&args, &choice->selector);
    ngx_dfp_store_arg(&args, &choice->addresses);
    ngx_dfp_store_arg_number(&args, choice->count);
    ngx_dfp_store_arg_number(&args, choice->percentage);
    ngx_dfp_store_arg_number(&args, choice->unreachable);
    ngx_dfp_store_arg_number(&args, choice->share);
    ngx_dfp_store_arg_number(&args, choice->threshold);

    argv = ngx_palloc(op->pool,
                      (args.n + 2 * job->clusters.nelts) * sizeof(ngx_str_t)
                      + job->clusters.nelts * NGX_DFP_CLUSTER_LEN);
    if (argv == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(argv, args.argv, args.n * sizeof(ngx_str_t));
    arg = argv + args.n;
    p = (u_char *) (arg + 2 * job->clusters.nelts);
    cluster = job->clusters.elts;

    for (i = 0; i < job->clusters.nelts; i++) {
        arg->data = p;
        p = ngx_sprintf(p, "%L %V", cluster[i].id, &cluster[i].task_uuid);
        arg->len = p - arg->data;
        arg++;
        arg->data = (u_char *) cluster[i].mode;
        arg->len = ngx_strlen(cluster[i].mode);
        arg++;
    }

    op->out = job;

    return ngx_dfp_store_start(store, op, NGX_DFP_STORE_CREATE, argv,
                               arg - argv, NGX_DFP_REDIS_WAIT);
}


/*
 * Most jobs have one part, and the time for a reply grows with its elements:
 * so the fields of one part are requested first, and the whole hash only for a
 * job that has more. /
 */

ngx_int_t
ngx_dfp_store_get(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job)
{
    ngx_uint_t  i;
    ngx_str_t   argv[2 + NGX_DFP_REPLY_FIELDS];

    ngx_str_set(&argv[0], "HMGET");

    for (i = 0; i < NGX_DFP_REPLY_FIELDS; i++) {
        argv[2 + i] = ngx_dfp_reply_fields[i].name;
    }

    return ngx_dfp_store_job(store, op, NGX_DFP_STORE_GET, job, argv, 2 + i);
}


static ngx_int_t
ngx_dfp_store_get_whole(ngx_dfp_op_t *op)
{
    ngx_str_t  argv[2];

    ngx_str_set(&argv[0], "HGETALL");

    return ngx_dfp_store_job(op->store, op, NGX_DFP_STORE_GET_WHOLE, op->out,
                             argv, 2);
}


static ngx_int_t
ngx_dfp_store_job(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_dfp_stored_job_t *job, ngx_str_t *argv,
    ngx_uint_t argc)
{
    u_char     *p;
    ngx_str_t  *prefix;

    prefix = &store->conf->redis.prefix;

    p = ngx_pnalloc(op->pool, prefix->len + sizeof("job:") - 1 + NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    argv[1].data = p;
    argv[1].len = ngx_sprintf(p, "%Vjob:%L", prefix, job->id) - p;

    op->out = job;

    return ngx_dfp_store_start(store, op, kind, argv, argc,
                               NGX_DFP_REDIS_WAIT);
}


ngx_int_t
ngx_dfp_store_settle(ngx_dfp_store_t *store, ngx_dfp_op_t *op, int64_t id)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, id);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_SETTLE, &args, NULL);
}


ngx_int_t
ngx_dfp_store_wait(ngx_dfp_store_t *store, ngx_dfp_op_t *op, int64_t id)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, id);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_WAIT, &args, NULL);
}


ngx_int_t
ngx_dfp_store_look(ngx_dfp_store_t *store, ngx_dfp_op_t *op, ngx_uint_t want,
    ngx_str_t *without, ngx_dfp_look_t *look)
{
    ngx_str_t       worker;
    ngx_dfp_store_args_t  args;

    worker.data = store->worker;
    worker.len = DFP_UUID_LEN;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, store->conf->lease);
    ngx_dfp_store_arg_number(&args, store->conf->max_attempts);
    ngx_dfp_store_arg_number(&args, NGX_DFP_LOOK_MAX);
    ngx_dfp_store_arg_number(&args, ngx_min(want, NGX_DFP_CLAIMS_MAX));
    ngx_dfp_store_arg(&args, &worker);
    ngx_dfp_store_arg_number(&args, ++store->looks);
    ngx_dfp_store_arg_number(&args, store->answered);
    ngx_dfp_store_arg(&args, &store->conf->instance.id);
    ngx_dfp_store_arg(&args, &store->conf->instance.queue);
    ngx_dfp_store_arg(&args, without);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_LOOK, &args, look);
}


ngx_int_t
ngx_dfp_store_report(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim, ngx_str_t *progress)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, claim);
    ngx_dfp_store_arg_number(&args, store->conf->lease);
    ngx_dfp_store_arg(&args, progress);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_REPORT, &args, NULL);
}


ngx_int_t
ngx_dfp_store_finish(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim, ngx_uint_t success, ngx_str_t *error,
    ngx_str_t *results, ngx_str_t *progress)
{
    ngx_str_t       state;
    ngx_dfp_store_args_t  args;

    ngx_str_set(&state, "FAILURE");

    if (success) {
        ngx_str_set(&state, "SUCCESS");
    }

    ngx_dfp_store_args_init(&args, store, claim);
    ngx_dfp_store_arg(&args, &state);
    ngx_dfp_store_arg(&args, error);
    ngx_dfp_store_arg(&args, results);
    ngx_dfp_store_arg(&args, progress);

    return ngx_dfp_store_start(store, op, NGX_DFP_STORE_FINISH, args.argv,
                               args.n, NGX_DFP_FINISH_WAIT);
}


ngx_int_t
ngx_dfp_store_requeue(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, claim);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_REQUEUE, &args, NULL);
}


ngx_int_t
ngx_dfp_store_token_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, dfp_token_t *request, ngx_dfp_stored_token_t *token)
{
    ngx_str_t       name, bio;
    ngx_dfp_store_args_t  args;

    name = ngx_dfp_str(request->name);
    bio = ngx_dfp_str(request->bio);

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, hash);
    ngx_dfp_store_arg(&args, &name);
    ngx_dfp_store_arg(&args, &bio);
    ngx_dfp_store_arg_number(&args, request->scopes);
    ngx_dfp_store_arg_number(&args, request->expired_at);
    ngx_dfp_store_arg_number(&args, request->user_id);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_TOKEN_CREATE, &args,
                                token);
}


ngx_int_t
ngx_dfp_store_token_find(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, ngx_dfp_stored_token_t *token)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, hash);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_TOKEN_FIND, &args,
                                token);
}


ngx_int_t
ngx_dfp_store_instance(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *clusters, ngx_dfp_others_t *others)
{
    ngx_dfp_store_args_t       args;
    ngx_dfp_instance_t  *instance;

    instance = &store->conf->instance;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, &instance->id);
    ngx_dfp_store_arg(&args, &instance->queue);
    ngx_dfp_store_arg(&args, &instance->name);
    ngx_dfp_store_arg(&args, &instance->address);
    ngx_dfp_store_arg(&args, clusters);
    ngx_dfp_store_arg_number(&args, store->conf->lease);
    ngx_dfp_store_arg(&args, &instance->host);
    ngx_dfp_store_arg_number(&args, ngx_process == NGX_PROCESS_WORKER
                               ? ngx_parent : ngx_pid);
    ngx_dfp_store_arg_number(&args, instance->shared->newest);
    ngx_dfp_store_arg_number(&args, store->first);
    ngx_dfp_store_arg(&args, &instance->who);
    ngx_dfp_store_arg(&args, &instance->definitions);
    ngx_dfp_store_arg_number(&args, instance->cycle);

    op->out = others;

    return ngx_dfp_store_start(store, op, NGX_DFP_STORE_INSTANCE, args.argv,
                               args.n, store->conf->lease);
}


ngx_int_t
ngx_dfp_store_leave(ngx_dfp_store_t *store, ngx_dfp_op_t *op)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, &store->conf->instance.id);
    ngx_dfp_store_arg(&args, &store->conf->instance.queue);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_LEAVE, &args, NULL);
}


ngx_int_t
ngx_dfp_store_status(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_status_t *status)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, &store->conf->instance.queue);

    op->out = status;

    return ngx_dfp_store_start(store, op, NGX_DFP_STORE_STATUS, args.argv,
                               args.n, NGX_DFP_STATUS_WAIT);
}


/* A script with the usual number of arguments and time-out. */

static ngx_int_t
ngx_dfp_store_script(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_dfp_store_args_t *args, void *out)
{
    op->out = out;

    return ngx_dfp_store_start(store, op, kind, args->argv, args->n,
                               NGX_DFP_REDIS_WAIT);
}


static ngx_int_t
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
            if (ngx_dfp_store_get_whole(op) == NGX_OK) {
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
