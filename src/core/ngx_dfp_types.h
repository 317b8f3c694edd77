/*
 * The configuration, and what several folders share. Every limit that is not a
 * directive has a name: here, or in the header of the folder that enforces it.
 */

#ifndef NGX_DFP_TYPES_H
#define NGX_DFP_TYPES_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_dfp_counters.h"

#include "dfp_hash.h"
#include "dfp_job.h"
#include "dfp_pattern.h"
#include "dfp_random.h"
#include "dfp_seal.h"
#include "dfp_token.h"


#define NGX_DFP_CLUSTERS_MAX  100     /* also of a job */
#define NGX_DFP_REASON_MAX    512     /* bytes of one reason */

#define NGX_DFP_VERIFY_KEY_LEN  DFP_UUID_LEN    /* of the rehearsals' key */


typedef struct ngx_dfp_engine_s       ngx_dfp_engine_t;
typedef struct ngx_dfp_dragonfly_s    ngx_dfp_dragonfly_t;
typedef struct ngx_dfp_credentials_s  ngx_dfp_credentials_t;


typedef struct {
    ngx_str_t         name;      /* as written, for the log */
    struct sockaddr  *sockaddr;
    socklen_t         socklen;
} ngx_dfp_redis_addr_t;


typedef struct {
    ngx_array_t  addrs;     /* redis_addr_t */
    ngx_str_t    user;
    ngx_str_t    password;
    ngx_str_t    prefix;    /* of every key */
    ngx_int_t    db;
    ngx_msec_t   timeout;   /* to connect, and for a reply */
} ngx_dfp_redis_conf_t;


typedef struct {
    int64_t               id;
    ngx_str_t             name;
    ngx_dfp_engine_t     *engine;
    ngx_dfp_dragonfly_t  *dragonfly;  /* NULL: another engine */
    ngx_str_t             json;       /* an element of scheduler_clusters */
    ngx_str_t             listed;     /* one of /oapi/v1/clusters, up to what
                                         Redis knows about its status */
    dfp_job_scope_t       scope;      /* of jobs without one */
    ngx_str_t             definition; /* for other instances */
    unsigned              caches:1;   /* the engine fills nginx's own cache */
    unsigned              untagged:1; /* the engine cannot preheat a file with
                                         a tag */
} ngx_dfp_cluster_t;


/* Which origins: one in full ("https://registry.lan"), those of a domain and
 * its subdomains (".example.com"), or any. */
typedef enum {
    NGX_DFP_RULE_FULL = 0,
    NGX_DFP_RULE_SUFFIX,
    NGX_DFP_RULE_ANY
} ngx_dfp_rule_e;


typedef struct {
    ngx_str_t       text;
    ngx_dfp_rule_e  kind;
} ngx_dfp_rule_t;


/* Origins bound to a location: dfpreheat_origin. */
typedef struct {
    ngx_dfp_rule_t        rule;
    ngx_http_conf_ctx_t  *ctx;       /* of that location */
    ngx_str_t             location;  /* "@name"; "": by its path */
} ngx_dfp_binding_t;


/* Where clients of some origins reach this nginx: dfpreheat_verify. */
typedef struct {
    ngx_str_t     url;       /* scheme, host, port and path, without a "/" at
                                its end */
    ngx_str_t     path;      /* of it, "": none */
    ngx_array_t  *origins;   /* rule_t; NULL: all that no other front has */
} ngx_dfp_front_t;


/* What is done about pushes of images: dfpreheat_policy. */
typedef struct {
    ngx_str_t       name;
    dfp_patterns_t  match;
    dfp_patterns_t  exclude;
    ngx_str_t       origin;    /* of the registry; "": that of the push */
    ngx_str_t       clusters;  /* "1,2"; "": all */
    ngx_str_t       args;      /* of its jobs: what follows the URL, as JSON */
    time_t          keep;      /* s; 0: its jobs are not kept */
    ngx_uint_t      subjects;  /* signatures and so on, too */
} ngx_dfp_policy_t;


/* In shared memory, for all workers of a master, before and after a reload. */
typedef struct {
    ngx_atomic_t  cycles;    /* configurations so far */
    ngx_atomic_t  newest;    /* the greatest known id of a job */
    ngx_atomic_t  name;      /* checksum of the newest configuration's
                                instance id */
    u_char        owner[DFP_UUID_LEN + 1];    /* names the master */
    u_char        verify[NGX_DFP_VERIFY_KEY_LEN + 1];    /* a secret: by it
                                workers recognize their requests to the
                                front */

    ngx_dfp_counters_t  counters;
} ngx_dfp_shared_t;


typedef struct {
    ngx_str_t          id;        /* unique */
    ngx_str_t          name;      /* "hostname" in results */
    ngx_str_t          address;   /* "ip" in results */
    ngx_str_t          who;       /* both: "ADDRESS NAME" */
    ngx_str_t          host;      /* the host's name */
    ngx_str_t          queue;     /* of this id and this master */
    ngx_str_t          counts;    /* the key where Redis counts for it */
    ngx_str_t          definitions;   /* of its clusters, by dfp_definition */
    ngx_dfp_shared_t  *shared;
    ngx_atomic_uint_t  cycle;     /* number of this configuration */
} ngx_dfp_instance_t;


typedef struct {
    ngx_dfp_redis_conf_t       redis;
    ngx_dfp_instance_t         instance;
    ngx_array_t                clusters;  /* cluster_t */
    ngx_array_t                bindings;  /* binding_t */
    ngx_dfp_binding_t         *verify;    /* of the fronts; NULL: none */
    ngx_array_t                fronts;    /* front_t */
    ngx_array_t                policies;  /* policy_t */
    ngx_array_t                redirects; /* conf_ctx_t *: locations with
                                             dfpreheat_redirect */
    ngx_array_t                bound;     /* void **: loc_conf of each location
                                             that is bound, or below such one */
    ngx_shm_zone_t            *access;    /* NULL: no dfpreheat_access */
    ngx_array_t                access_variables;  /* ngx_int_t: indices of
                                             the variables in its keys */
    ngx_array_t                grpc;      /* binding_t: locations with
                                             dfpreheat_grpc */
    ngx_module_t              *proxy;     /* NULL: nginx has none */
    ngx_int_t                  proxy_host;    /* indices of variables */
    ngx_int_t                  proxy_port;
    ngx_array_t               *peers_allow;   /* ngx_cidr_t */
    ngx_array_t               *certificates;  /* dfp_str_t, DER; NULL: none */
    ngx_uint_t                 unreachable;   /* peers, or per cent */
    ngx_uint_t                 success_threshold;  /* per cent of peers */
    dfp_seal_keys_t            keys;
    ngx_str_t                  admin_key;     /* "": none */
    ngx_dfp_credentials_t     *credentials;   /* NULL: no file */
    ngx_str_t                  platform;
    dfp_oci_platforms_t        platforms;     /* the same, parsed */
    ngx_msec_t                 max_timeout;   /* of a job */
    size_t                     max_body_size; /* of a request of the API */
    ngx_uint_t                 queue_limit;   /* unfinished jobs */
    ngx_uint_t                 streams;       /* of events, of a worker */
    ngx_msec_t                 lease;         /* of a part, for a run */
    ngx_uint_t                 max_attempts;  /* whose lease expired */
    ngx_uint_t                 worker_calls;  /* at once */
    size_t                     rate;          /* bytes a second that they read
                                                 into the cache; 0: any */
    time_t                     retention;     /* s, of ended jobs */
    ngx_msec_t                 keep_interval; /* between looks at a kept job */
    ngx_msec_t                 task_timeout;
    ngx_msec_t                 peer_timeout;  /* of a peer's silence */
    ngx_msec_t                 settle;        /* until a list is whole */
    size_t                     max_manifest_size;
    ngx_str_t                  thread_pool;   /* "": one of its own */
    struct ngx_thread_pool_s  *threads;
    ngx_flag_t                 skip_verify;
    unsigned                   used:1;        /* dfpreheat on somewhere */
    unsigned                   status:1;      /* ... dfpreheat_status on */
    unsigned                   unreachable_share:1;  /* it is per cent */
} ngx_dfp_main_conf_t;


typedef struct {
    ngx_flag_t    enable;
    ngx_flag_t    status;    /* shows metrics */
    ngx_array_t  *origins;   /* rule_t; NULL: not bound */
    ngx_array_t  *redirects; /* rule_t; NULL: not followed */
    ngx_uint_t    named;     /* ... in a named location */
    ngx_uint_t    pinned;    /* ... that leads to the host of each URL */
    ngx_flag_t    query_token;   /* access_token= is accepted */
    ngx_flag_t    share_blobs;
    ngx_flag_t    access;    /* clients need the origin's permission */
    ngx_uint_t    access_set;    /* ... on or off is in the configuration */
    ngx_array_t  *filter;    /* dfp_str_t: parameters of queries that are not
                                in cache keys; NULL: none */
    ngx_array_t  *kept;      /* dfp_str_t: headers of redirects that answers
                                have; NULL: none */
    time_t        tag_valid; /* s, of the manifest of a tag */
    ngx_uint_t    bound;     /* or below a location that is bound */
    ngx_uint_t    verify;    /* the origins are the fronts: no job's URL leads
                                here */
    ngx_flag_t    grpc;      /* for calls of gRPC */
} ngx_dfp_loc_conf_t;


extern ngx_module_t  ngx_http_dfpreheat_module;


static ngx_inline ngx_atomic_uint_t
ngx_dfp_instance_name(ngx_dfp_instance_t *instance)
{
    return ngx_crc32_long(instance->id.data, instance->id.len);
}


#define ngx_dfp_str(s)                                                        \
    ((ngx_str_t) { (s).len, (u_char *) (s).data })
#define ngx_dfp_dfp_str(s)                                                    \
    ((dfp_str_t) { (s).len, (const char *) (s).data })


/* Sets a variable that is not cacheable. VALUE is not copied. */

static ngx_inline void
ngx_dfp_variable(ngx_http_variable_value_t *v, ngx_str_t value)
{
    v->data = value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
}


/* Sets a variable to "1", or to not found. */

static ngx_inline void
ngx_dfp_variable_flag(ngx_http_variable_value_t *v, ngx_uint_t set)
{
    if (set) {
        ngx_dfp_variable(v, (ngx_str_t) ngx_string("1"));

    } else {
        v->not_found = 1;
    }
}


/* Milliseconds since 1970, by nginx's cached time. */

static ngx_inline int64_t
ngx_dfp_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


/* An allocator of a pool, for dfp_*. */

static ngx_inline void *
ngx_dfp_mem_alloc(void *ctx, size_t size)
{
    return ngx_palloc(ctx, size);
}


static ngx_inline dfp_mem_t
ngx_dfp_mem(ngx_pool_t *pool)
{
    dfp_mem_t  mem;

    mem.alloc = ngx_dfp_mem_alloc;
    mem.ctx = pool;

    return mem;
}


#endif /* NGX_DFP_TYPES_H */
