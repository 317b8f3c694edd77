/*
 * The definitions of clusters, which instances compare: the settings by which
 * another instance would treat the same job otherwise, or store something else in
 * its cache. A cluster of Dragonfly has the first one only.
 *
 *     engine    what warms the cluster
 *     cluster   its name, which instances a job warms, and how many must succeed
 *     origins   which URLs can be fetched, and how they are stored
 *     keys      which jobs with credentials can be decrypted
 *     platform  which images of an index are fetched
 *     limits    what is too large, or takes too long
 *
 * Where files are, which upstreams are used and how much a machine can do may
 * differ: paths, names of zones and locations, addresses, ports, leases and
 * numbers of calls are not part of it. Nor are limits of the API, which apply
 * where a job is posted.
 */

#include "ngx_dfp_conf.h"
#include "dfp_definition.h"
#include "dfp_hex.h"


#define NGX_DFP_KEY_LABEL  "dfpreheat definition, key"


/* An aspect is hashed as sorted lines without duplicates, so that the order in
 * the configuration does not matter. */
typedef struct {
    dfp_mem_t    mem;
    dfp_buf_t    line;     /* that is being printed */
    ngx_array_t  lines;    /* dfp_str_t */
} ngx_dfp_aspect_t;

typedef ngx_int_t (*ngx_dfp_aspect_pt)(ngx_dfp_aspect_t *aspect,
    ngx_dfp_main_conf_t *mcf, ngx_dfp_cluster_t *cluster);


static ngx_int_t ngx_dfp_definition(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf,
    ngx_dfp_cluster_t *cluster, dfp_buf_t *out);
static ngx_int_t ngx_dfp_definition_engine(ngx_dfp_aspect_t *aspect,
    ngx_dfp_main_conf_t *mcf, ngx_dfp_cluster_t *cluster);
static ngx_int_t ngx_dfp_definition_cluster(ngx_dfp_aspect_t *aspect,
    ngx_dfp_main_conf_t *mcf, ngx_dfp_cluster_t *cluster);
static ngx_int_t ngx_dfp_definition_origins(ngx_dfp_aspect_t *aspect,
    ngx_dfp_main_conf_t *mcf, ngx_dfp_cluster_t *cluster);
static void ngx_dfp_definition_names(ngx_dfp_aspect_t *aspect,
    const char *name, ngx_array_t *names);
static ngx_int_t ngx_dfp_definition_location(ngx_dfp_aspect_t *aspect,
    ngx_dfp_loc_conf_t *dlcf);
static ngx_int_t ngx_dfp_definition_keys(ngx_dfp_aspect_t *aspect,
    ngx_dfp_main_conf_t *mcf, ngx_dfp_cluster_t *cluster);
static ngx_int_t ngx_dfp_definition_key(ngx_dfp_aspect_t *aspect,
    dfp_seal_key_t *key);
static ngx_int_t ngx_dfp_definition_platform(ngx_dfp_aspect_t *aspect,
    ngx_dfp_main_conf_t *mcf, ngx_dfp_cluster_t *cluster);
static ngx_int_t ngx_dfp_definition_limits(ngx_dfp_aspect_t *aspect,
    ngx_dfp_main_conf_t *mcf, ngx_dfp_cluster_t *cluster);
static void ngx_dfp_aspect_text(ngx_dfp_aspect_t *aspect, const char *name,
    ngx_str_t text);
static void ngx_dfp_aspect_number(ngx_dfp_aspect_t *aspect, const char *name,
    int64_t n);
static ngx_int_t ngx_dfp_aspect_end_line(ngx_dfp_aspect_t *aspect);
static ngx_int_t ngx_dfp_aspect_end(ngx_dfp_aspect_t *aspect, const char *name,
    dfp_buf_t *out);
static int ngx_libc_cdecl ngx_dfp_aspect_cmp(const void *one,
    const void *two);


static const struct {
    const char         *name;
    ngx_dfp_aspect_pt   print;
    unsigned            any:1;    /* of clusters of Dragonfly, too */
} ngx_dfp_aspects[] = {
    { "engine", ngx_dfp_definition_engine, 1 },
    { "cluster", ngx_dfp_definition_cluster, 0 },
    { "origins", ngx_dfp_definition_origins, 0 },
    { "keys", ngx_dfp_definition_keys, 0 },
    { "platform", ngx_dfp_definition_platform, 0 },
    { "limits", ngx_dfp_definition_limits, 0 },
    { NULL, NULL, 0 }
};


ngx_int_t
ngx_dfp_conf_definitions(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf)
{
    dfp_mem_t           mem;
    dfp_buf_t           own, all;
    ngx_uint_t          i;
    ngx_dfp_cluster_t  *cluster;

    mem = ngx_dfp_mem(cf->pool);
    cluster = mcf->clusters.elts;

    dfp_buf_init(&all, &mem, 0, DFP_DEFINITIONS_MAX);

    for (i = 0; i < mcf->clusters.nelts; i++) {
        dfp_buf_init(&own, &mem, 0, 0);

        if (ngx_dfp_definition(cf, mcf, &cluster[i], &own) != NGX_OK) {
            return NGX_ERROR;
        }

        cluster[i].definition = ngx_dfp_str(dfp_buf_value(&own));
        dfp_definition_cluster(&all, cluster[i].id, dfp_buf_value(&own));
    }

    mcf->instance.definitions = ngx_dfp_str(dfp_buf_value(&all));

    return all.failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_dfp_definition(ngx_conf_t *cf, ngx_dfp_main_conf_t *mcf,
    ngx_dfp_cluster_t *cluster, dfp_buf_t *out)
{
    ngx_uint_t        i;
    ngx_dfp_aspect_t  aspect;

    aspect.mem = ngx_dfp_mem(cf->temp_pool);

    for (i = 0; ngx_dfp_aspects[i].name; i++) {

        if (!cluster->caches && !ngx_dfp_aspects[i].any) {
            continue;
        }

        if (ngx_array_init(&aspect.lines, cf->temp_pool, 16, sizeof(dfp_str_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        dfp_buf_init(&aspect.line, &aspect.mem, 0, 0);

        if (ngx_dfp_aspects[i].print(&aspect, mcf, cluster) != NGX_OK
            || ngx_dfp_aspect_end(&aspect, ngx_dfp_aspects[i].name, out)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return out->failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_dfp_definition_engine(ngx_dfp_aspect_t *aspect, ngx_dfp_main_conf_t *mcf,
    ngx_dfp_cluster_t *cluster)
{
    ngx_dfp_aspect_text(aspect, "engine", cluster->engine->name);

    return ngx_dfp_aspect_end_line(aspect);
}


/* The instance that accepts a job stores these with it, for all others. */

static ngx_int_t
ngx_dfp_definition_cluster(ngx_dfp_aspect_t *aspect, ngx_dfp_main_conf_t *mcf,
    ngx_dfp_cluster_t *cluster)
{
    ngx_str_t  scope;

    scope.data = (u_char *) dfp_job_scope_name(cluster->scope);
    scope.len = ngx_strlen(scope.data);

    ngx_dfp_aspect_text(aspect, "name", cluster->name);
    ngx_dfp_aspect_text(aspect, "default_scope", scope);
    ngx_dfp_aspect_number(aspect, "success_threshold", mcf->success_threshold);
    ngx_dfp_aspect_number(aspect, mcf->unreachable_share
                                  ? "unreachable, per cent" : "unreachable",
                          mcf->unreachable);

    return ngx_dfp_aspect_end_line(aspect);
}


/* The file of dfpreheat_credentials is read again when it changes, so only
 * whether there is one is part of the definition. */

static ngx_int_t
ngx_dfp_definition_origins(ngx_dfp_aspect_t *aspect, ngx_dfp_main_conf_t *mcf,
    ngx_dfp_cluster_t *cluster)
{
    void                ***loc_conf;
    ngx_uint_t             i;
    ngx_dfp_loc_conf_t    *dlcf;

    loc_conf = mcf->bound.elts;

    for (i = 0; i < mcf->bound.nelts; i++) {
        dlcf = loc_conf[i][ngx_http_dfpreheat_module.ctx_index];

        if (ngx_dfp_definition_location(aspect, dlcf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_dfp_aspect_number(aspect, "credentials", mcf->credentials != NULL);
    ngx_dfp_aspect_number(aspect, "skip_verify", mcf->skip_verify);

    if (mcf->verify) {
        ngx_dfp_aspect_number(aspect, "verify", 1);
    }

    return ngx_dfp_aspect_end_line(aspect);
}


static ngx_int_t
ngx_dfp_definition_location(ngx_dfp_aspect_t *aspect, ngx_dfp_loc_conf_t *dlcf)
{
    ngx_uint_t       i;
    ngx_array_t     *rules;
    ngx_dfp_rule_t  *rule;

    rules = dlcf->origins ? dlcf->origins : dlcf->redirects;

    /* each instance asks itself, by whichever name */

    if (rules == NULL || dlcf->verify) {
        return NGX_OK;
    }

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {

        if (dlcf->origins) {
            ngx_dfp_aspect_text(aspect, "origin", rule[i].text);
            ngx_dfp_aspect_number(aspect, "share_blobs", dlcf->share_blobs);
            ngx_dfp_aspect_number(aspect, "tag_valid", dlcf->tag_valid);
            ngx_dfp_aspect_number(aspect, "access", dlcf->access);
            ngx_dfp_definition_names(aspect, "filter", dlcf->filter);
            ngx_dfp_definition_names(aspect, "kept", dlcf->kept);

        } else {
            ngx_dfp_aspect_text(aspect, "redirect", rule[i].text);
        }

        if (ngx_dfp_aspect_end_line(aspect) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_dfp_definition_names(ngx_dfp_aspect_t *aspect, const char *name,
    ngx_array_t *names)
{
    ngx_uint_t   i;
    dfp_str_t   *text;

    if (names == NULL) {
        return;
    }

    text = names->elts;

    for (i = 0; i < names->nelts; i++) {
        ngx_dfp_aspect_text(aspect, name, ngx_dfp_str(text[i]));
    }
}


/* Which of the keys encrypts does not matter, if all instances have both. */

static ngx_int_t
ngx_dfp_definition_keys(ngx_dfp_aspect_t *aspect, ngx_dfp_main_conf_t *mcf,
    ngx_dfp_cluster_t *cluster)
{
    size_t  i;

    for (i = 0; i < mcf->keys.n; i++) {
        if (ngx_dfp_definition_key(aspect, &mcf->keys.keys[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_definition_key(ngx_dfp_aspect_t *aspect, dfp_seal_key_t *key)
{
    char           hex[DFP_SHA256_HEX_LEN];
    dfp_rc_t       rc;
    ngx_str_t      text;
    dfp_hash_t     h;
    unsigned char  hash[DFP_SHA256_LEN];

    if (dfp_hash_start(&h, DFP_SHA256) != DFP_OK) {
        return NGX_ERROR;
    }

    rc = dfp_hash_add(&h, NGX_DFP_KEY_LABEL, sizeof(NGX_DFP_KEY_LABEL));

    if (rc == DFP_OK) {
        rc = dfp_hash_add(&h, key->key, sizeof(key->key));
    }

    if (dfp_hash_end(&h, hash) != DFP_OK || rc != DFP_OK) {
        return NGX_ERROR;
    }

    text.data = (u_char *) hex;
    text.len = dfp_hex_print(hash, sizeof(hash), hex) - hex;

    ngx_dfp_aspect_text(aspect, "key", text);

    return ngx_dfp_aspect_end_line(aspect);
}


/* Of "all" there is no list. */

static ngx_int_t
ngx_dfp_definition_platform(ngx_dfp_aspect_t *aspect, ngx_dfp_main_conf_t *mcf,
    ngx_dfp_cluster_t *cluster)
{
    size_t               i;
    dfp_oci_platform_t  *platform;

    for (i = 0; i < mcf->platforms.n; i++) {
        platform = &mcf->platforms.list[i];

        ngx_dfp_aspect_text(aspect, "os", ngx_dfp_str(platform->os));
        ngx_dfp_aspect_text(aspect, "arch", ngx_dfp_str(platform->arch));
        ngx_dfp_aspect_text(aspect, "variant", ngx_dfp_str(platform->variant));

        if (ngx_dfp_aspect_end_line(aspect) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_definition_limits(ngx_dfp_aspect_t *aspect, ngx_dfp_main_conf_t *mcf,
    ngx_dfp_cluster_t *cluster)
{
    ngx_dfp_aspect_number(aspect, "max_manifest_size", mcf->max_manifest_size);
    ngx_dfp_aspect_number(aspect, "task_timeout", mcf->task_timeout);

    return ngx_dfp_aspect_end_line(aspect);
}


static void
ngx_dfp_aspect_text(ngx_dfp_aspect_t *aspect, const char *name, ngx_str_t text)
{
    dfp_buf_cstr(&aspect->line, name);
    dfp_buf_cstr(&aspect->line, "=");
    dfp_buf_json(&aspect->line, ngx_dfp_dfp_str(text));
    dfp_buf_cstr(&aspect->line, " ");
}


static void
ngx_dfp_aspect_number(ngx_dfp_aspect_t *aspect, const char *name, int64_t n)
{
    dfp_buf_cstr(&aspect->line, name);
    dfp_buf_cstr(&aspect->line, "=");
    dfp_buf_int(&aspect->line, n);
    dfp_buf_cstr(&aspect->line, " ");
}


static ngx_int_t
ngx_dfp_aspect_end_line(ngx_dfp_aspect_t *aspect)
{
    dfp_str_t  *line;

    line = ngx_array_push(&aspect->lines);

    if (line == NULL || aspect->line.failed) {
        return NGX_ERROR;
    }

    *line = dfp_buf_value(&aspect->line);
    dfp_buf_init(&aspect->line, &aspect->mem, 0, 0);

    return NGX_OK;
}


static ngx_int_t
ngx_dfp_aspect_end(ngx_dfp_aspect_t *aspect, const char *name, dfp_buf_t *out)
{
    dfp_buf_t   text;
    dfp_str_t  *line;
    ngx_uint_t  i;

    line = aspect->lines.elts;
    ngx_qsort(line, aspect->lines.nelts, sizeof(dfp_str_t), ngx_dfp_aspect_cmp);

    dfp_buf_init(&text, &aspect->mem, 0, 0);

    for (i = 0; i < aspect->lines.nelts; i++) {

        if (i && dfp_str_eq(line[i - 1], line[i])) {
            continue;
        }

        dfp_buf_str(&text, line[i]);
        dfp_buf_cstr(&text, "\n");
    }

    if (text.failed
        || dfp_definition_aspect(out, name, dfp_buf_value(&text)) != DFP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_dfp_aspect_cmp(const void *one, const void *two)
{
    return dfp_str_cmp(*(const dfp_str_t *) one, *(const dfp_str_t *) two);
}
