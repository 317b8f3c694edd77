#include "ngx_dfp_store_args.h"
#include "ngx_dfp_reply.h"


#define NGX_DFP_CLUSTER_LEN                                                   \
    (NGX_INT64_LEN + 1 + DFP_UUID_LEN)


static void ngx_dfp_store_choice(ngx_dfp_store_args_t *args,
    ngx_dfp_choice_t *choice);
static ngx_int_t ngx_dfp_store_get_whole(ngx_dfp_op_t *op);
static ngx_int_t ngx_dfp_store_job(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_store_kind_e kind, ngx_dfp_stored_job_t *job, ngx_str_t *argv,
    ngx_uint_t argc);


ngx_int_t
ngx_dfp_store_create(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job)
{
    u_char                    *p;
    ngx_str_t                 *argv, *arg;
    ngx_uint_t                 i;
    ngx_dfp_instance_t        *instance;
    ngx_dfp_store_args_t       args;
    ngx_dfp_job_cluster_t  *cluster;

    static ngx_str_t  none = ngx_string("");

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
    ngx_dfp_store_choice(&args, &job->choice);
    ngx_dfp_store_arg(&args, &job->user);
    ngx_dfp_store_arg(&args, &job->once);
    ngx_dfp_store_arg(&args, &job->body_hash);
    ngx_dfp_store_arg(&args, &job->hook);
    ngx_dfp_store_arg(&args, &job->webhook.url);
    ngx_dfp_store_arg(&args, &job->kind);
    ngx_dfp_store_arg(&args, &job->task);

    if (job->keep_until) {
        ngx_dfp_store_arg_number(&args, job->keep_until);

    } else {
        ngx_dfp_store_arg(&args, &none);
    }

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


static void
ngx_dfp_store_choice(ngx_dfp_store_args_t *args, ngx_dfp_choice_t *choice)
{
    ngx_dfp_store_arg(args, &choice->selector);
    ngx_dfp_store_arg(args, &choice->addresses);
    ngx_dfp_store_arg_number(args, choice->count);
    ngx_dfp_store_arg_number(args, choice->percentage);
    ngx_dfp_store_arg_number(args, choice->unreachable);
    ngx_dfp_store_arg_number(args, choice->share);
    ngx_dfp_store_arg_number(args, choice->threshold);
}


/*
 * Most jobs have one part, and the time for a reply grows with its elements:
 * so the fields of one part are requested first, and the whole hash only for a
 * job that has more.
 */

ngx_int_t
ngx_dfp_store_get(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_job_t *job)
{
    ngx_uint_t  i;
    ngx_str_t   argv[2 + NGX_DFP_REPLY_FIELDS];

    ngx_str_set(&argv[0], "HMGET");

    op->again = ngx_dfp_store_get_whole;

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
ngx_dfp_store_wait(ngx_dfp_store_t *store, ngx_dfp_op_t *op, int64_t id,
    ngx_msec_t watch)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, id);
    ngx_dfp_store_arg_number(&args, watch);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_WAIT, &args, NULL);
}


ngx_int_t
ngx_dfp_store_delete(ngx_dfp_store_t *store, ngx_dfp_op_t *op, int64_t id,
    ngx_str_t *uuid, int64_t token)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, id);
    ngx_dfp_store_arg(&args, uuid);
    ngx_dfp_store_arg_number(&args, token);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_DELETE, &args, NULL);
}


ngx_int_t
ngx_dfp_store_patch(ngx_dfp_store_t *store, ngx_dfp_op_t *op, int64_t id,
    ngx_str_t *before, ngx_str_t *about, int64_t user, ngx_uint_t *changed)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, id);
    ngx_dfp_store_arg(&args, before);
    ngx_dfp_store_arg(&args, about);
    ngx_dfp_store_arg_number(&args, user);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_PATCH, &args, changed);
}


ngx_int_t
ngx_dfp_store_list(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_job_list_t *list)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, list->page);
    ngx_dfp_store_arg_number(&args, list->per_page);
    ngx_dfp_store_arg(&args, &list->state);
    ngx_dfp_store_arg(&args, &list->user);
    ngx_dfp_store_arg_number(&args, NGX_DFP_LIST_BYTES);
    ngx_dfp_store_arg(&args, &list->type);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_LIST, &args, list);
}


ngx_int_t
ngx_dfp_store_task_find(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_str_t *task, ngx_str_t *args)
{
    ngx_dfp_store_args_t  list;

    ngx_dfp_store_args_init(&list, store, NULL);
    ngx_dfp_store_arg(&list, task);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_TASK_FIND, &list,
                                args);
}


ngx_int_t
ngx_dfp_store_listen(ngx_dfp_store_t *store, ngx_dfp_op_t *op, ngx_msec_t time,
    int64_t *since)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, time);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_LISTEN, &args, since);
}


ngx_int_t
ngx_dfp_store_changed(ngx_dfp_store_t *store, ngx_dfp_op_t *op, ngx_str_t *ids,
    ngx_uint_t parts, size_t bytes, ngx_dfp_job_list_t *list)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, ids);
    ngx_dfp_store_arg_number(&args, parts);
    ngx_dfp_store_arg_number(&args, bytes);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_CHANGED, &args, list);
}
