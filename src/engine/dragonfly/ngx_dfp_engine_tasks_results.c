#include "ngx_dfp_engine_tasks.h"


static void ngx_dfp_asked_peer(ngx_dfp_asked_t *peer,
    ngx_dfp_results_t *results);
static void ngx_dfp_asked_cached(ngx_dfp_asked_t *peer,
    ngx_dfp_results_t *results);


/* A task is deleted if no peer is left that may hold it. To tell who holds one, as
 * many have to answer as have to be preheated. */

ngx_int_t
ngx_dfp_asked_check(ngx_dfp_run_t *run)
{
    ngx_uint_t            i, failed, unreachable, needed;
    ngx_dfp_asked_t      *peer, *first;
    ngx_dfp_questions_t  *questions;

    questions = run->data;
    failed = 0;
    unreachable = 0;
    first = NULL;

    if (run->nfailed) {
        return NGX_DECLINED;
    }

    for (i = 0; i < questions->n; i++) {
        peer = &questions->peers[i];

        if (peer->reason.len) {
            first = first ? first : peer;
            failed++;
            unreachable += peer->unreachable;
        }
    }

    needed = questions->n;

    if (run->job.action != DFP_JOB_DELETE_TASK && questions->n) {
        needed = ngx_dfp_dragonfly_needed(run, questions->n, unreachable);
    }

    if (failed && questions->n - failed < needed) {
        ngx_dfp_run_fail(run, "%ui of %ui peers failed; %V (%V): %V", failed,
                         questions->n, &first->holder.hostname,
                         &first->holder.ip, &first->reason);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_dfp_asked_results(ngx_dfp_run_t *run, ngx_dfp_results_t *results)
{
    ngx_uint_t            i;
    ngx_dfp_questions_t  *questions;

    questions = run->data;

    if (questions == NULL) {
        return;
    }

    if (run->job.action == DFP_JOB_DISTRIBUTION) {
        for (i = 0; i < questions->ntasks; i++) {
            ngx_dfp_results_url(&results->tasks, &questions->layers[i]->shown);
        }
    }

    for (i = 0; i < questions->n; i++) {
        ngx_dfp_asked_peer(&questions->peers[i], results);
    }
}


static void
ngx_dfp_asked_peer(ngx_dfp_asked_t *peer, ngx_dfp_results_t *results)
{
    if (peer->reason.len) {
        ngx_dfp_results_told(peer->unreachable ? &results->unreachable
                                               : &results->failure,
                             &peer->holder, &peer->reason);
        return;
    }

    switch (peer->questions->run->job.action) {

    case DFP_JOB_DELETE_TASK:
        if (peer->deleted) {
            ngx_dfp_results_told(&results->success, &peer->holder, NULL);
        }

        break;

    case DFP_JOB_DISTRIBUTION:
        if (peer->holds) {
            ngx_dfp_asked_cached(peer, results);
        }

        break;

    default: /* DFP_JOB_GET_TASK */
        if (peer->holds) {
            ngx_dfp_results_holder(&results->success, &peer->holder);
        }

        break;
    }
}


static void
ngx_dfp_asked_cached(ngx_dfp_asked_t *peer, ngx_dfp_results_t *results)
{
    dfp_mem_t             mem;
    ngx_uint_t            i;
    ngx_dfp_list_t        layers;
    ngx_dfp_questions_t  *questions;

    questions = peer->questions;
    mem = ngx_dfp_mem(questions->run->pool);

    ngx_memzero(&layers, sizeof(ngx_dfp_list_t));
    dfp_buf_init(&layers.json, &mem, 256, 0);
    layers.max = results->tasks.max;

    for (i = 0; i < questions->ntasks; i++) {
        if (peer->held[i]) {
            ngx_dfp_results_url(&layers, &questions->layers[i]->shown);
        }
    }

    ngx_dfp_results_layers(&results->success, &peer->holder.hostname,
                           &peer->holder.ip, &layers);
}
