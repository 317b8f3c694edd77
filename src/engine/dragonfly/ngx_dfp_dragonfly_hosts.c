#include "ngx_dfp_dragonfly.h"


#define NGX_DFP_HOSTS_POOL      16384
#define NGX_DFP_SETTLE_PAUSE    5000    /* ms */


static void ngx_dfp_hosts_ask(ngx_event_t *ev);
static void ngx_dfp_hosts_listed(ngx_dfp_lister_t *lister,
    ngx_dfp_grpc_t *grpc);
static void ngx_dfp_hosts_refused(ngx_dfp_hosts_t *hosts,
    ngx_dfp_grpc_t *grpc);
static void ngx_dfp_hosts_checked(ngx_dfp_whole_t *whole);
static void ngx_dfp_hosts_stored(ngx_dfp_whole_t *whole);
static ngx_uint_t ngx_dfp_hosts_settling(ngx_dfp_run_t *run);
static void ngx_dfp_hosts_free(ngx_dfp_hosts_t *hosts);


ngx_int_t
ngx_dfp_hosts_start(ngx_dfp_hosts_t *hosts)
{
    hosts->lister.handler = ngx_dfp_hosts_listed;
    hosts->lister.data = hosts;
    hosts->lister.run = hosts->run;

    hosts->look.handler = ngx_dfp_hosts_ask;
    hosts->look.data = hosts;
    hosts->look.log = &hosts->run->log;

    hosts->whole.checked = ngx_dfp_hosts_checked;
    hosts->whole.stored = ngx_dfp_hosts_stored;
    hosts->whole.data = hosts;
    hosts->whole.run = hosts->run;

    return ngx_dfp_lister_start(&hosts->lister);
}


void
ngx_dfp_hosts_look(ngx_dfp_hosts_t *hosts, ngx_msec_t when)
{
    /* a list that was sent before this does not count */

    hosts->since = ngx_current_msec;

    if (!hosts->look.timer_set) {
        ngx_add_timer(&hosts->look, when);
    }
}


static void
ngx_dfp_hosts_ask(ngx_event_t *ev)
{
    ngx_dfp_hosts_t *hosts = ev->data;

    if (ngx_exiting) {
        hosts->run->wake(hosts->run);
        return;
    }

    ngx_dfp_lister_again(&hosts->lister, hosts->since);
}


/* The list is long, so the handler gets a pool of its own, and copies the hosts
 * that it chooses. */

static void
ngx_dfp_hosts_listed(ngx_dfp_lister_t *lister, ngx_dfp_grpc_t *grpc)
{
    ngx_dfp_hosts_t *hosts = lister->data;

    if (grpc) {
        ngx_dfp_hosts_refused(hosts, grpc);
        return;
    }

    hosts->list = lister->listed->hosts->list;
    hosts->n = lister->listed->hosts->n;
    hosts->pool = ngx_create_pool(NGX_DFP_HOSTS_POOL, &hosts->run->log);

    if (hosts->pool == NULL) {
        ngx_dfp_hosts_free(hosts);
        ngx_dfp_run_fail(hosts->run, "no memory");
        return;
    }

    if (!hosts->known && hosts->run->conf->settle) {
        ngx_dfp_whole_check(&hosts->whole, hosts->list, hosts->n);
        return;
    }

    hosts->handler(hosts);

    ngx_dfp_hosts_free(hosts);
}


static void
ngx_dfp_hosts_refused(ngx_dfp_hosts_t *hosts, ngx_dfp_grpc_t *grpc)
{
    if (hosts->known) {
        ngx_dfp_run_trouble(hosts->run, NULL, &grpc->server->name,
                            &grpc->text);

    } else if (grpc->unanswered) {
        ngx_dfp_run_fail(hosts->run, "%V", &grpc->text);

    } else if (grpc->status != DFP_GRPC_OK) {
        ngx_dfp_run_fail(hosts->run, "%V answered ListHosts: %V",
                         &grpc->server->name, &grpc->text);

    } else {
        ngx_dfp_run_fail(hosts->run, "%V returned an empty answer to "
                         "ListHosts", &grpc->server->name);
    }
}


/* Peers that live come one by one. */

static void
ngx_dfp_hosts_checked(ngx_dfp_whole_t *whole)
{
    u_char           *p;
    ngx_str_t         text;
    ngx_dfp_hosts_t  *hosts;
    u_char            buf[NGX_DFP_REASON_MAX];

    static ngx_str_t  who = ngx_string("the scheduler");

    hosts = whole->data;

    if (whole->lives == 0 || !ngx_dfp_hosts_settling(hosts->run)) {
        ngx_dfp_whole_store(whole);
        return;
    }

    p = ngx_slprintf(buf, buf + sizeof(buf), "its list of %uz hosts lacks "
                     "%ui peers that answer", hosts->n, whole->lives);
    text.data = buf;
    text.len = p - buf;

    ngx_dfp_run_trouble(hosts->run, NULL, &who, &text);

    ngx_dfp_hosts_free(hosts);
    ngx_dfp_hosts_look(hosts, NGX_DFP_SETTLE_PAUSE);
}


static void
ngx_dfp_hosts_stored(ngx_dfp_whole_t *whole)
{
    ngx_dfp_hosts_t *hosts = whole->data;

    hosts->run->trouble.len = 0;

    hosts->handler(hosts);

    ngx_dfp_hosts_free(hosts);

    hosts->run->wake(hosts->run);
}


static ngx_uint_t
ngx_dfp_hosts_settling(ngx_dfp_run_t *run)
{
    return ngx_current_msec - run->started < run->conf->settle;
}


void
ngx_dfp_hosts_none(ngx_dfp_hosts_t *hosts)
{
    ngx_dfp_run_t  *run;

    static ngx_str_t  who = ngx_string("the scheduler");
    static ngx_str_t  no_peer = ngx_string("it lists no peer");
    static ngx_str_t  no_seed = ngx_string("it lists no seed peer");

    run = hosts->run;

    ngx_dfp_run_trouble(run, NULL, &who,
                        run->job.scope == DFP_SCOPE_ALL_PEERS
                        ? &no_peer : &no_seed);

    if (!ngx_dfp_hosts_settling(run)) {
        ngx_dfp_run_fail(run, "%V", &run->trouble);
        return;
    }

    ngx_dfp_hosts_look(hosts, NGX_DFP_SETTLE_PAUSE);
}


static void
ngx_dfp_hosts_free(ngx_dfp_hosts_t *hosts)
{
    if (hosts->pool) {
        ngx_destroy_pool(hosts->pool);
        hosts->pool = NULL;
    }

    hosts->list = NULL;
    hosts->n = 0;

    ngx_dfp_lister_free(&hosts->lister);
}


void
ngx_dfp_hosts_stop(ngx_dfp_hosts_t *hosts)
{
    ngx_dfp_lister_stop(&hosts->lister);
    ngx_dfp_whole_stop(&hosts->whole);

    if (hosts->look.timer_set) {
        ngx_del_timer(&hosts->look);
    }

    ngx_dfp_hosts_free(hosts);
}
