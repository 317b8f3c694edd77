#include "ngx_dfp_store.h"
#include "ngx_dfp_reply.h"

#include "ngx_dfp_lua.h"


#define NGX_DFP_ARGS_MAX  16     /* of a script, but for parts */
#define NGX_DFP_PART_LEN                                                      \
    (NGX_INT64_LEN + 1 + DFP_UUID_LEN)


typedef struct {
    ngx_str_t   argv[NGX_DFP_ARGS_MAX];
    u_char      numbers[NGX_DFP_ARGS_MAX][NGX_INT64_LEN];
    ngx_uint_t  n;
} ngx_dfp_args_t;


static ngx_int_t ngx_dfp_store_start(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_script_e script, ngx_str_t *argv, ngx_uint_t argc,
    ngx_msec_t timeout);
static ngx_int_t ngx_dfp_store_script(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_script_e script, ngx_dfp_args_t *args, void *out);
static ngx_int_t ngx_dfp_store_get_whole(ngx_dfp_op_t *op);
static ngx_int_t ngx_dfp_store_job(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_script_e command, ngx_dfp_stored_job_t *job, ngx_str_t *argv,
    ngx_uint_t argc);
static void ngx_dfp_store_reply(void *data, redisReply *reply);


/* In the order of ngx_dfp_script_e. */

static const struct {
    const char  *text;
    ngx_int_t  (*parse)(ngx_dfp_op_t *op, redisReply *reply);
    ngx_uint_t   flags;
} ngx_dfp_scripts[] = {
    { ngx_dfp_lua_create, ngx_dfp_reply_created, 0 },
    { ngx_dfp_lua_look, ngx_dfp_reply_look,
      NGX_DFP_REDIS_OWN|NGX_DFP_REDIS_ONCE },
    { ngx_dfp_lua_report, ngx_dfp_reply_one,
      NGX_DFP_REDIS_OWN },
    { ngx_dfp_lua_finish, ngx_dfp_reply_one,
      NGX_DFP_REDIS_OWN },
    { ngx_dfp_lua_back, ngx_dfp_reply_one,
      NGX_DFP_REDIS_OWN },
    { ngx_dfp_lua_settle, ngx_dfp_reply_one, 0 },
    { ngx_dfp_lua_token_create,
      ngx_dfp_reply_new_token, 0 },
    { ngx_dfp_lua_token_find, ngx_dfp_reply_token, 0 },
    { ngx_dfp_lua_instance, ngx_dfp_reply_instance,
      NGX_DFP_REDIS_OWN|NGX_DFP_REDIS_ONCE },
    { ngx_dfp_lua_leave, ngx_dfp_reply_one,
      NGX_DFP_REDIS_OWN|NGX_DFP_REDIS_ONCE },
    { NULL, ngx_dfp_reply_job, 0 },
    { NULL, ngx_dfp_reply_whole_job, 0 }
};


ngx_int_t
ngx_dfp_store_init(ngx_dfp_store_t *store, ngx_dfp_main_conf_t *conf,
    ngx_cycle_t *cycle)
{
    size_t       common, len;
    ngx_str_t    text, check;
    ngx_uint_t   i;

    store->conf = conf;

    if (dfp_uuid((char *) store->worker) != DFP_OK) {
        return NGX_ERROR;
    }

    common = sizeof(ngx_dfp_lua_common) - 1;

    for (i = 0; i < NGX_DFP_SCRIPTS; i++) {
        len = ngx_strlen(ngx_dfp_scripts[i].text);

        text.len = common + len;
        text.data = ngx_pnalloc(cycle->pool, text.len);
        if (text.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(text.data, ngx_dfp_lua_common, common);
        ngx_memcpy(text.data + common, ngx_dfp_scripts[i].text, len);

        ngx_dfp_redis_script(&store->scripts[i], &text);
    }

    ngx_str_set(&check, ngx_dfp_lua_check);
    ngx_dfp_redis_init(&store->redis, &conf->redis, &check, cycle->log);

    return NGX_OK;
}


void
ngx_dfp_store_done(ngx_dfp_store_t *store)
{
    ngx_dfp_redis_done(&store->redis);
}


const char *
ngx_dfp_store_trouble(ngx_dfp_store_t *store)
{
    switch (store->redis.conn.refused) {

    case NGX_DFP_REFUSED_RIGHTS:
        return "Redis refuses this nginx, see its error log";

    case NGX_DFP_REFUSED_SCHEMA:
        return "Redis has the data of another version of dfpreheat";

    default:
        return "Redis is away";
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
ngx_dfp_args_text(ngx_dfp_args_t *args, ngx_str_t *text)
{
    args->argv[args->n++] = *text;
}


static void
ngx_dfp_args_number(ngx_dfp_args_t *args, int64_t number)
{
    ngx_str_t  *arg;

    arg = &args->argv[args->n];
    arg->data = args->numbers[args->n++];
    arg->len = ngx_sprintf(arg->data, "%L", number) - arg->data;
}


/* Every script begins with the prefix, those of a run with what it claimed. */

static void
ngx_dfp_args_init(ngx_dfp_args_t *args, ngx_dfp_store_t *store,
    ngx_dfp_claim_t *claim)
{
    args->n = 0;
    ngx_dfp_args_text(args, &store->conf->redis.prefix);

    if (claim) {
        ngx_dfp_args_number(args, claim->id);
        ngx_dfp_args_text(args, &claim->part);
        ngx_dfp_args_text(args, &claim->run);
        ngx_dfp_args_text(args, &claim->uuid);
    }
}


ngx_int_t
ngx_dfp_store_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job)
{
    u_char          *p;
    ngx_str_t       *argv, *arg;
    ngx_uint_t       i;
    ngx_dfp_args_t   args;

    ngx_dfp_args_init(&args, store, NULL);
    ngx_dfp_args_text(&args, &job->uuid);
    ngx_dfp_args_number(&args, job->timeout);
    ngx_dfp_args_number(&args, (int64_t) store->conf->retention * 1000);
    ngx_dfp_args_number(&args, store->conf->queue_limit);
    ngx_dfp_args_text(&args, &job->about);
    ngx_dfp_args_text(&args, &job->args);
    ngx_dfp_args_text(&args, &job->sealed);
    ngx_dfp_args_number(&args, job->configured);
    ngx_dfp_args_number(&args, job->nparts);
    ngx_dfp_args_number(&args, store->conf->instance.shared->newest);
    ngx_dfp_args_text(&args, &store->conf->instance.id);

    argv = ngx_palloc(op->pool,
                      (args.n + 2 * job->nparts) * sizeof(ngx_str_t)
                      + job->nparts * NGX_DFP_PART_LEN);
    if (argv == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(argv, args.argv, args.n * sizeof(ngx_str_t));
    arg = argv + args.n;
    p = (u_char *) (arg + 2 * job->nparts);

    for (i = 0; i < job->nparts; i++) {
        arg->data = p;
        p = ngx_sprintf(p, "%L %V", job->parts[i].cluster,
                        &job->parts[i].task_uuid);
        arg->len = p - arg->data;
        arg++;
        *arg++ = job->parts[i].queue;
    }

    op->out = job;

    return ngx_dfp_store_start(store, op, NGX_DFP_CREATE, argv, arg - argv,
                               NGX_DFP_REDIS_WAIT);
}


/*
 * Most jobs have one part, and a reply costs by its elements: so the fields of
 * one part are asked for, and all of the hash only where there are more.
 */

ngx_int_t
ngx_dfp_store_get(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job)
{
    ngx_uint_t  i;
    ngx_str_t   argv[2 + NGX_DFP_JOB_FIELDS];

    ngx_str_set(&argv[0], "HMGET");

    for (i = 0; i < NGX_DFP_JOB_FIELDS; i++) {
        argv[2 + i] = ngx_dfp_reply_fields[i].name;
    }

    return ngx_dfp_store_job(store, op, NGX_DFP_GET, job, argv, 2 + i);
}


static ngx_int_t
ngx_dfp_store_get_whole(ngx_dfp_op_t *op)
{
    ngx_str_t  argv[2];

    ngx_str_set(&argv[0], "HGETALL");

    return ngx_dfp_store_job(op->store, op, NGX_DFP_GET_WHOLE, op->out, argv,
                             2);
}


static ngx_int_t
ngx_dfp_store_job(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_script_e command, ngx_dfp_stored_job_t *job, ngx_str_t *argv,
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

    return ngx_dfp_store_start(store, op, command, argv, argc,
                               NGX_DFP_REDIS_WAIT);
}


ngx_int_t
ngx_dfp_store_settle(ngx_dfp_store_t *store, ngx_dfp_op_t *op, int64_t id)
{
    ngx_dfp_args_t  args;

    ngx_dfp_args_init(&args, store, NULL);
    ngx_dfp_args_number(&args, id);

    return ngx_dfp_store_script(store, op, NGX_DFP_SETTLE, &args, NULL);
}


ngx_int_t
ngx_dfp_store_look(ngx_dfp_store_t *store, ngx_dfp_op_t *op, ngx_uint_t want,
    ngx_dfp_look_t *look)
{
    ngx_str_t       worker;
    ngx_dfp_args_t  args;

    worker.data = store->worker;
    worker.len = DFP_UUID_LEN;

    ngx_dfp_args_init(&args, store, NULL);
    ngx_dfp_args_number(&args, store->conf->lease);
    ngx_dfp_args_number(&args, store->conf->max_attempts);
    ngx_dfp_args_number(&args, NGX_DFP_LOOK_MAX);
    ngx_dfp_args_number(&args, ngx_min(want, NGX_DFP_CLAIMS_MAX));
    ngx_dfp_args_text(&args, &worker);
    ngx_dfp_args_number(&args, ++store->looks);
    ngx_dfp_args_number(&args, store->answered);
    ngx_dfp_args_text(&args, &store->conf->instance.id);
    ngx_dfp_args_text(&args, &store->conf->instance.queue);

    op->out = look;

    return ngx_dfp_store_start(store, op, NGX_DFP_LOOK, args.argv, args.n,
                               NGX_DFP_REDIS_WAIT);
}


ngx_int_t
ngx_dfp_store_report(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim, ngx_str_t *progress)
{
    ngx_dfp_args_t  args;

    ngx_dfp_args_init(&args, store, claim);
    ngx_dfp_args_number(&args, store->conf->lease);
    ngx_dfp_args_text(&args, progress);

    return ngx_dfp_store_script(store, op, NGX_DFP_REPORT, &args, NULL);
}


ngx_int_t
ngx_dfp_store_finish(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim, ngx_uint_t success, ngx_str_t *error,
    ngx_str_t *results, ngx_str_t *progress)
{
    ngx_str_t       state;
    ngx_dfp_args_t  args;

    ngx_str_set(&state, "FAILURE");

    if (success) {
        ngx_str_set(&state, "SUCCESS");
    }

    ngx_dfp_args_init(&args, store, claim);
    ngx_dfp_args_text(&args, &state);
    ngx_dfp_args_text(&args, error);
    ngx_dfp_args_text(&args, results);
    ngx_dfp_args_text(&args, progress);

    return ngx_dfp_store_start(store, op, NGX_DFP_FINISH, args.argv, args.n,
                               NGX_DFP_FINISH_WAIT);
}


ngx_int_t
ngx_dfp_store_back(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_claim_t *claim)
{
    ngx_dfp_args_t  args;

    ngx_dfp_args_init(&args, store, claim);

    return ngx_dfp_store_script(store, op, NGX_DFP_BACK, &args, NULL);
}


ngx_int_t
ngx_dfp_store_token_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, dfp_token_t *request, ngx_dfp_token_t *token)
{
    ngx_str_t       name, bio;
    ngx_dfp_args_t  args;

    name = ngx_dfp_str(request->name);
    bio = ngx_dfp_str(request->bio);

    ngx_dfp_args_init(&args, store, NULL);
    ngx_dfp_args_text(&args, hash);
    ngx_dfp_args_text(&args, &name);
    ngx_dfp_args_text(&args, &bio);
    ngx_dfp_args_number(&args, request->scopes);
    ngx_dfp_args_number(&args, request->expired_at);
    ngx_dfp_args_number(&args, request->user_id);

    return ngx_dfp_store_script(store, op, NGX_DFP_TOKEN_CREATE, &args, token);
}


ngx_int_t
ngx_dfp_store_token_find(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *hash, ngx_dfp_token_t *token)
{
    ngx_dfp_args_t  args;

    ngx_dfp_args_init(&args, store, NULL);
    ngx_dfp_args_text(&args, hash);

    return ngx_dfp_store_script(store, op, NGX_DFP_TOKEN_FIND, &args, token);
}


ngx_int_t
ngx_dfp_store_instance(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *clusters, ngx_dfp_other_t *other)
{
    ngx_dfp_args_t       args;
    ngx_dfp_instance_t  *instance;

    instance = &store->conf->instance;

    ngx_dfp_args_init(&args, store, NULL);
    ngx_dfp_args_text(&args, &instance->id);
    ngx_dfp_args_text(&args, &instance->queue);
    ngx_dfp_args_text(&args, &instance->name);
    ngx_dfp_args_text(&args, &instance->address);
    ngx_dfp_args_text(&args, clusters);
    ngx_dfp_args_number(&args, 2 * (int64_t) store->conf->lease);
    ngx_dfp_args_text(&args, &instance->host);
    ngx_dfp_args_number(&args, ngx_process == NGX_PROCESS_WORKER
                               ? ngx_parent : ngx_pid);
    ngx_dfp_args_number(&args, instance->shared->newest);
    ngx_dfp_args_number(&args, store->first);

    op->out = other;

    return ngx_dfp_store_start(store, op, NGX_DFP_INSTANCE, args.argv, args.n,
                               store->conf->lease);
}


ngx_int_t
ngx_dfp_store_leave(ngx_dfp_store_t *store, ngx_dfp_op_t *op)
{
    ngx_dfp_args_t  args;

    ngx_dfp_args_init(&args, store, NULL);
    ngx_dfp_args_text(&args, &store->conf->instance.id);
    ngx_dfp_args_text(&args, &store->conf->instance.queue);

    return ngx_dfp_store_script(store, op, NGX_DFP_LEAVE, &args, NULL);
}


/* What most of them have in common. */

static ngx_int_t
ngx_dfp_store_script(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_script_e script, ngx_dfp_args_t *args, void *out)
{
    op->out = out;

    return ngx_dfp_store_start(store, op, script, args->argv, args->n,
                               NGX_DFP_REDIS_WAIT);
}


static ngx_int_t
ngx_dfp_store_start(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_script_e script, ngx_str_t *argv, ngx_uint_t argc,
    ngx_msec_t timeout)
{
    op->store = store;

    if (op->deadline) {
        timeout = ngx_max((ngx_msec_int_t) (op->deadline - ngx_current_msec),
                          1);
    }

    op->parse = ngx_dfp_scripts[script].parse;

    op->cmd = ngx_dfp_redis_send(&store->redis,
                  script < NGX_DFP_SCRIPTS
                      ? &store->scripts[script] : NULL,
                  argv, argc, timeout,
                  ngx_dfp_scripts[script].flags,
                  ngx_dfp_store_reply, op);

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
        ngx_log_error(NGX_LOG_ERR, op->log, 0, "dfpreheat: redis said: %s",
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
                          "dfpreheat: unexpected reply of redis, type %d",
                          reply->type);
        }
    }

    op->handler(op->data, rc);
}
