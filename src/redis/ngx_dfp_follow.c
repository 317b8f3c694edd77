#include "ngx_dfp_followed.h"


#define NGX_DFP_FOLLOW_LISTS  1024


static ngx_queue_t *ngx_dfp_follow_list(int64_t job);
static ngx_dfp_follow_t *ngx_dfp_follow_find(ngx_queue_t *list, int64_t job);
static void ngx_dfp_follow_all(ngx_uint_t reset);


/* Followed jobs by their id; a list that was never used is zeroed. */
static ngx_queue_t  ngx_dfp_follows[NGX_DFP_FOLLOW_LISTS];
static ngx_uint_t   ngx_dfp_follow_up;


ngx_int_t
ngx_dfp_follow_start(ngx_dfp_store_t *store, ngx_dfp_follower_t *follower)
{
    ngx_queue_t       *list;
    ngx_dfp_follow_t  *follow;

    list = ngx_dfp_follow_list(follower->job);

    follow = ngx_dfp_follow_find(list, follower->job);

    if (follow == NULL) {
        follow = ngx_dfp_followed_create(store, list, follower->job);
        if (follow == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_dfp_followed_join(follow, follower);

    return NGX_OK;
}


static ngx_queue_t *
ngx_dfp_follow_list(int64_t job)
{
    ngx_queue_t  *list;

    list = &ngx_dfp_follows[job % NGX_DFP_FOLLOW_LISTS];

    if (list->next == NULL) {
        ngx_queue_init(list);
    }

    return list;
}


static ngx_dfp_follow_t *
ngx_dfp_follow_find(ngx_queue_t *list, int64_t job)
{
    ngx_queue_t       *q;
    ngx_dfp_follow_t  *follow;

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        follow = ngx_queue_data(q, ngx_dfp_follow_t, queue);

        if (follow->job.id == job) {
            return follow;
        }
    }

    return NULL;
}


void
ngx_dfp_follow_wake(int64_t job)
{
    ngx_dfp_follow_t  *follow;

    follow = ngx_dfp_follow_find(ngx_dfp_follow_list(job), job);
    if (follow) {
        ngx_dfp_followed_look(follow);
    }
}


void
ngx_dfp_follow_progress(int64_t job)
{
    ngx_dfp_follow_t  *follow;

    follow = ngx_dfp_follow_find(ngx_dfp_follow_list(job), job);

    if (follow && follow->watching) {
        ngx_dfp_followed_soon(follow);
    }
}


void
ngx_dfp_follow_again(ngx_dfp_follower_t *follower)
{
    if (follower->follow) {
        ngx_dfp_followed_soon(follower->follow);
    }
}


void
ngx_dfp_follow_quit(void)
{
    ngx_dfp_follow_all(0);
}


void
ngx_dfp_follow_channel(ngx_uint_t up)
{
    ngx_uint_t  was;

    was = ngx_dfp_follow_up;
    ngx_dfp_follow_up = up;
    ngx_dfp_followed_channel(up);

    /* messages may have been missed, and Redis may have lost who waits */

    if (up && !was) {
        ngx_dfp_follow_all(1);
    }
}


static void
ngx_dfp_follow_all(ngx_uint_t reset)
{
    ngx_uint_t         i;
    ngx_queue_t       *q, *list;
    ngx_dfp_follow_t  *follow;

    for (i = 0; i < NGX_DFP_FOLLOW_LISTS; i++) {
        list = &ngx_dfp_follows[i];

        if (list->next == NULL) {
            continue;
        }

        for (q = ngx_queue_head(list);
             q != ngx_queue_sentinel(list);
             q = ngx_queue_next(q))
        {
            follow = ngx_queue_data(q, ngx_dfp_follow_t, queue);

            if (reset) {
                follow->registered = 0;
            }

            ngx_dfp_followed_look(follow);
        }
    }
}
