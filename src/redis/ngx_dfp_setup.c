#include "ngx_dfp_setup.h"


#define NGX_DFP_MISSING_MAX  512     /* bytes, in the log */


static int ngx_dfp_setup_login(ngx_dfp_conn_t *conn);
static int ngx_dfp_setup_ask(ngx_dfp_conn_t *conn);
static void ngx_dfp_setup_done(redisAsyncContext *ac, void *reply, void *data);
static void ngx_dfp_setup_error(ngx_dfp_conn_t *conn, const char *what,
    const char *text);
static void ngx_dfp_setup_info(redisAsyncContext *ac, void *reply, void *data);
static ngx_int_t ngx_dfp_setup_usable(ngx_dfp_conn_t *conn, redisReply *reply);
static void ngx_dfp_setup_warn(ngx_dfp_conn_t *conn, const char *info);
static void ngx_dfp_setup_checked(redisAsyncContext *ac, void *reply,
    void *data);
static ngx_int_t ngx_dfp_setup_rights(ngx_dfp_conn_t *conn, redisReply *reply);


void
ngx_dfp_setup(ngx_dfp_conn_t *conn)
{
    ngx_log_debug3(NGX_LOG_DEBUG_CORE, conn->log, 0,
                   "dfpreheat redis: connection for %s to %V: set-up%s",
                   conn->name, ngx_dfp_conn_addr(conn),
                   conn->conf->password.len ? " with a password" : "");

    if (ngx_dfp_setup_login(conn) != REDIS_OK
        || ngx_dfp_setup_ask(conn) != REDIS_OK)
    {
        /* it can't be freed in this callback; the timer drops it */

        ngx_log_error(NGX_LOG_ERR, conn->log, 0,
                      "dfpreheat: no memory to set up redis %V",
                      ngx_dfp_conn_addr(conn));
    }
}


static int
ngx_dfp_setup_login(ngx_dfp_conn_t *conn)
{
    int                    rc;
    ngx_dfp_redis_conf_t  *conf;

    conf = conn->conf;
    rc = REDIS_OK;

    if (conf->password.len && conf->user.len) {
        rc = redisAsyncCommand(conn->ac, ngx_dfp_setup_done, "AUTH",
                               "AUTH %b %b", conf->user.data, conf->user.len,
                               conf->password.data, conf->password.len);

    } else if (conf->password.len) {
        rc = redisAsyncCommand(conn->ac, ngx_dfp_setup_done, "AUTH",
                               "AUTH %b", conf->password.data,
                               conf->password.len);
    }

    if (rc == REDIS_OK && conf->db) {
        rc = redisAsyncCommand(conn->ac, ngx_dfp_setup_done,
                               "SELECT", "SELECT %d", (int) conf->db);
    }

    return rc;
}


static int
ngx_dfp_setup_ask(ngx_dfp_conn_t *conn)
{
    int         rc;
    ngx_str_t  *prefix;

    rc = redisAsyncCommand(conn->ac, ngx_dfp_setup_info, NULL, "INFO");

    if (rc != REDIS_OK || conn->check.len == 0) {
        return rc;
    }

    prefix = &conn->conf->prefix;

    return redisAsyncCommand(conn->ac, ngx_dfp_setup_checked, NULL,
                             "EVAL %b 0 %b", conn->check.data, conn->check.len,
                             prefix->data, prefix->len);
}


static void
ngx_dfp_setup_done(redisAsyncContext *ac, void *reply, void *data)
{
    redisReply  *r = reply;

    if (r && r->type == REDIS_REPLY_ERROR) {
        ngx_dfp_setup_error(ac->data, data, r->str);
    }
}


/* TEXT is the error reply to WHAT. */

static void
ngx_dfp_setup_error(ngx_dfp_conn_t *conn, const char *what, const char *text)
{
    u_char             buf[NGX_DFP_MISSING_MAX];
    ngx_dfp_refused_e  refused;

    *ngx_snprintf(buf, sizeof(buf) - 1, "%s: %s", what, text) = '\0';

    refused = ngx_dfp_error_refused(text);

    if (refused) {
        ngx_dfp_conn_refuse(conn, refused, (char *) buf);

    } else {
        ngx_dfp_conn_drop(conn, (char *) buf);
    }
}


static void
ngx_dfp_setup_info(redisAsyncContext *ac, void *reply, void *data)
{
    ngx_dfp_conn_t *conn = ac->data;

    redisReply  *r = reply;

    if (r == NULL || (ac->c.flags & REDIS_FREEING)
        || ngx_dfp_setup_usable(conn, r) != NGX_OK)
    {
        return;
    }

    if (conn->check.len == 0) {
        ngx_dfp_conn_ready(conn);
    }
}


static ngx_int_t
ngx_dfp_setup_usable(ngx_dfp_conn_t *conn, redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_dfp_setup_error(conn, "INFO", reply->str);
        return NGX_DECLINED;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        ngx_dfp_conn_drop(conn, "INFO returned no text");
        return NGX_DECLINED;
    }

    if (strstr(reply->str, "\nloading:1")) {
        ngx_dfp_conn_drop(conn, "it is loading its data");
        return NGX_DECLINED;
    }

    if (strstr(reply->str, "\nrole:slave")) {
        ngx_dfp_conn_drop(conn, "it is a replica");
        return NGX_DECLINED;
    }

    ngx_dfp_setup_warn(conn, reply->str);

    return NGX_OK;
}


static void
ngx_dfp_setup_warn(ngx_dfp_conn_t *conn, const char *info)
{
    const char  *p;

    if (conn->warned) {
        return;
    }

    conn->warned = 1;

    p = strstr(info, "redis_version:");

    if (p && atoi(p + sizeof("redis_version:") - 1)
             < NGX_DFP_REDIS_VERSION_MIN)
    {
        ngx_log_error(NGX_LOG_WARN, conn->log, 0,
                      "dfpreheat: redis is older than version %d: scripts "
                      "will fail",
                      NGX_DFP_REDIS_VERSION_MIN);
    }

    p = strstr(info, "maxmemory_policy:");

    if (p && ngx_strncmp(p, "maxmemory_policy:noeviction",
                         sizeof("maxmemory_policy:noeviction") - 1)
             != 0)
    {
        ngx_log_error(NGX_LOG_WARN, conn->log, 0,
                      "dfpreheat: redis may evict jobs: set maxmemory-policy "
                      "to noeviction");
    }
}


/* The reply of check.lua. */

static void
ngx_dfp_setup_checked(redisAsyncContext *ac, void *reply, void *data)
{
    ngx_dfp_conn_t *conn = ac->data;

    redisReply  *r = reply;

    if (r == NULL || (ac->c.flags & REDIS_FREEING)) {
        return;
    }

    if (r->type == REDIS_REPLY_ERROR) {
        ngx_dfp_setup_error(conn, "EVAL", r->str);
        return;
    }

    if (r->type != REDIS_REPLY_ARRAY || r->elements == 0
        || r->element[0]->type != REDIS_REPLY_STRING)
    {
        ngx_dfp_conn_drop(conn, "EVAL returned no list");
        return;
    }

    if (ngx_dfp_setup_rights(conn, r) != NGX_OK) {
        return;
    }

    if (r->element[0]->len
        && ngx_strcmp(r->element[0]->str, NGX_DFP_SCHEMA) != 0)
    {
        ngx_dfp_conn_refuse(conn, NGX_DFP_REFUSED_SCHEMA, r->element[0]->str);
        return;
    }

    ngx_dfp_conn_ready(conn);
}


/* PUBLISH may be missing: workers also look without being told. */

static ngx_int_t
ngx_dfp_setup_rights(ngx_dfp_conn_t *conn, redisReply *reply)
{
    u_char       *p, *last;
    size_t        i;
    ngx_uint_t    refused;
    u_char        buf[NGX_DFP_MISSING_MAX];
    const char   *what;

    refused = 0;
    p = buf;
    last = buf + sizeof(buf) - 1;

    for (i = 1; i < reply->elements; i++) {

        if (reply->element[i]->type != REDIS_REPLY_STRING) {
            continue;
        }

        what = reply->element[i]->str;

        if (ngx_strncmp(what, "PUBLISH ", sizeof("PUBLISH ") - 1) != 0) {
            refused = 1;
        }

        p = ngx_slprintf(p, last, "%s\"%s\"",
                         p == buf ? "its user may not run " : ", ", what);
    }

    *p = '\0';

    if (refused) {
        ngx_dfp_conn_refuse(conn, NGX_DFP_REFUSED_RIGHTS, (char *) buf);
        return NGX_DECLINED;
    }

    if (p != buf) {
        ngx_dfp_conn_log(conn, NGX_LOG_ERR,
                         "does not notify other workers of new jobs",
                         (char *) buf);
    }

    return NGX_OK;
}
