#include "ngx_dfp_store_args.h"


#define NGX_DFP_IDS_MAX  (NGX_DFP_CLUSTERS_MAX * (NGX_INT64_LEN + 1))


static ngx_str_t ngx_dfp_store_ids(ngx_dfp_store_t *store, ngx_uint_t all,
    u_char *buf);


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
ngx_dfp_store_instance(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_others_t *others)
{
    ngx_str_t             clusters;
    ngx_dfp_instance_t   *instance;
    ngx_dfp_store_args_t  args;
    u_char                buf[NGX_DFP_IDS_MAX];

    instance = &store->conf->instance;
    clusters = ngx_dfp_store_ids(store, 1, buf);

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, &instance->id);
    ngx_dfp_store_arg(&args, &instance->queue);
    ngx_dfp_store_arg(&args, &instance->name);
    ngx_dfp_store_arg(&args, &instance->address);
    ngx_dfp_store_arg(&args, &clusters);
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
ngx_dfp_store_keep(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_keeping_t *kept)
{
    ngx_str_t             clusters;
    ngx_dfp_instance_t   *instance;
    ngx_dfp_store_args_t  args;
    u_char                buf[NGX_DFP_IDS_MAX];

    instance = &store->conf->instance;
    clusters = ngx_dfp_store_ids(store, 0, buf);

    if (clusters.len == 0) {
        return NGX_DECLINED;
    }

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg(&args, &instance->queue);
    ngx_dfp_store_arg(&args, &instance->id);
    ngx_dfp_store_arg(&args, &instance->who);
    ngx_dfp_store_arg(&args, &clusters);
    ngx_dfp_store_arg_number(&args, store->conf->keep_interval);
    ngx_dfp_store_arg_number(&args, NGX_DFP_LOOKS_MAX);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_KEEP, &args, kept);
}


/* The ids of the clusters of this nginx, "1,2", in BUF: of all, or of those with a
 * cache. */

static ngx_str_t
ngx_dfp_store_ids(ngx_dfp_store_t *store, ngx_uint_t all, u_char *buf)
{
    u_char             *p;
    ngx_str_t           ids;
    ngx_uint_t          i;
    ngx_dfp_cluster_t  *cluster;

    cluster = store->conf->clusters.elts;
    p = buf;

    for (i = 0; i < store->conf->clusters.nelts; i++) {
        if (all || cluster[i].caches) {
            p = ngx_sprintf(p, p == buf ? "%L" : ",%L", cluster[i].id);
        }
    }

    ids.data = buf;
    ids.len = p - buf;

    return ids;
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


ngx_int_t
ngx_dfp_store_members(ngx_dfp_store_t *store, ngx_dfp_op_t *op,
    ngx_dfp_stored_members_t *members)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);

    return ngx_dfp_store_script(store, op, NGX_DFP_STORE_MEMBERS, &args,
                                members);
}


ngx_int_t
ngx_dfp_store_peers(ngx_dfp_store_t *store, ngx_dfp_op_t *op, int64_t cluster,
    ngx_str_t *text, ngx_str_t *known)
{
    ngx_dfp_store_args_t  args;

    ngx_dfp_store_args_init(&args, store, NULL);
    ngx_dfp_store_arg_number(&args, cluster);
    ngx_dfp_store_arg(&args, text);

    op->out = known;

    return ngx_dfp_store_start(store, op, NGX_DFP_STORE_PEERS, args.argv,
                               args.n, NGX_DFP_PEERS_WAIT);
}
