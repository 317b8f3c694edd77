#include "ngx_dfp_events_all.h"
#include "ngx_dfp_listen.h"
#include "ngx_dfp_print_events.h"
#include "ngx_dfp_stream.h"

#include "dfp_feed.h"


#define NGX_DFP_ALL_POOL  16384
#define NGX_DFP_ALL_DEAF                                                      \
    "no messages of Redis can be received or sent now, which events need"


/* What the streams of a worker share. */
typedef struct {
    ngx_queue_t  joining;    /* those that begin when all is heard */
    ngx_queue_t  streams;
    ngx_queue_t  due;        /* those for which there may be something */
    ngx_uint_t   n;          /* of all */
    dfp_feed_t   feed;
    ngx_event_t  tell;
    ngx_event_t  close;
} ngx_dfp_all_t;


/* One of them, in the pool of its request. */
typedef struct {
    ngx_queue_t     queue;
    ngx_dfp_api_t  *api;
    ngx_event_t     timer;    /* while it is joining */
    uint64_t        at;       /* its place in the feed */
} ngx_dfp_all_stream_t;


static ngx_int_t ngx_dfp_all_open(ngx_dfp_api_t *api);
static void ngx_dfp_all_close(ngx_event_t *ev);
static ngx_dfp_all_stream_t *ngx_dfp_all_create(ngx_dfp_api_t *api);
static void ngx_dfp_all_cleanup(void *data);
static void ngx_dfp_all_deaf(ngx_event_t *ev);
static void ngx_dfp_all_refuse(ngx_dfp_all_stream_t *stream);
static void ngx_dfp_all_begin(ngx_dfp_all_stream_t *stream);
static void ngx_dfp_all_event(ngx_dfp_all_stream_t *stream, const char *name);
static void ngx_dfp_all_ready(ngx_dfp_api_t *api);
static void ngx_dfp_all_send(ngx_dfp_all_stream_t *stream);
static size_t ngx_dfp_all_whole(const char *p, size_t len);
static void ngx_dfp_all_missed(ngx_dfp_all_stream_t *stream);
static void ngx_dfp_all_on_ready(void);
static void ngx_dfp_all_on_changed(dfp_change_t *changes, ngx_uint_t n,
    ngx_dfp_job_list_t *list);
static void ngx_dfp_all_on_reset(void);
static void ngx_dfp_all_on_end(void);
static void ngx_dfp_all_append(dfp_str_t events);
static void ngx_dfp_all_tell(ngx_event_t *ev);


static ngx_dfp_listen_handlers_t  ngx_dfp_all_handlers = {
    ngx_dfp_all_on_ready,
    ngx_dfp_all_on_changed,
    ngx_dfp_all_on_reset,
    ngx_dfp_all_on_end,
    ngx_dfp_all_on_end
};

/* Of this worker; NULL: there are no streams. */
static ngx_dfp_all_t  *ngx_dfp_all;


void
ngx_dfp_events_all(ngx_dfp_api_t *api)
{
    ngx_dfp_all_stream_t  *stream;

    if (api->r->method == NGX_HTTP_HEAD) {
        (void) ngx_dfp_stream_start(api, ngx_dfp_all_ready);
        return;
    }

    /* the client comes back, to another worker */

    if (ngx_exiting) {
        if (ngx_dfp_stream_start(api, ngx_dfp_all_ready) == NGX_OK) {
            ngx_dfp_stream_end(api->stream, 1);
        }

        return;
    }

    stream = NULL;

    if (ngx_dfp_all_open(api) == NGX_OK) {
        stream = ngx_dfp_all_create(api);
    }

    if (stream == NULL) {
        ngx_dfp_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }

    if (ngx_dfp_listen_ready()) {
        ngx_dfp_all_begin(stream);
        return;
    }

    if (ngx_dfp_api_listen(api) != NGX_OK) {
        ngx_http_finalize_request(api->r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_queue_insert_tail(&ngx_dfp_all->joining, &stream->queue);
    ngx_add_timer(&stream->timer, NGX_DFP_ALL_WAIT);
}


/* The feed is allocated with the first stream. */

static ngx_int_t
ngx_dfp_all_open(ngx_dfp_api_t *api)
{
    ngx_log_t      *log;
    ngx_dfp_all_t  *all;

    if (ngx_dfp_all) {
        return NGX_OK;
    }

    log = ngx_cycle->log;

    all = ngx_alloc(sizeof(ngx_dfp_all_t) + NGX_DFP_ALL_FEED, log);
    if (all == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(all, sizeof(ngx_dfp_all_t));

    if (ngx_dfp_listen_open(api->store, &ngx_dfp_all_handlers) != NGX_OK) {
        ngx_free(all);
        return NGX_ERROR;
    }

    dfp_feed_init(&all->feed, (char *) (all + 1), NGX_DFP_ALL_FEED);

    ngx_queue_init(&all->joining);
    ngx_queue_init(&all->streams);
    ngx_queue_init(&all->due);

    all->tell.handler = ngx_dfp_all_tell;
    all->tell.data = all;
    all->tell.log = log;

    all->close.handler = ngx_dfp_all_close;
    all->close.data = all;
    all->close.log = log;

    ngx_dfp_all = all;

    return NGX_OK;
}


/* Posted, as a stream may end while another one is told of something. */

static void
ngx_dfp_all_close(ngx_event_t *ev)
{
    ngx_dfp_all_t  *all;

    all = ev->data;

    if (all->n) {
        return;
    }

    if (all->tell.posted) {
        ngx_delete_posted_event(&all->tell);
    }

    ngx_dfp_listen_close();
    ngx_free(all);
    ngx_dfp_all = NULL;
}


static ngx_dfp_all_stream_t *
ngx_dfp_all_create(ngx_dfp_api_t *api)
{
    ngx_pool_cleanup_t    *cln;
    ngx_dfp_all_stream_t  *stream;

    cln = ngx_pool_cleanup_add(api->r->pool, sizeof(ngx_dfp_all_stream_t));

    if (cln == NULL) {

        if (ngx_dfp_all->n == 0) {
            ngx_post_event(&ngx_dfp_all->close, &ngx_posted_events);
        }

        return NULL;
    }

    stream = cln->data;
    ngx_memzero(stream, sizeof(ngx_dfp_all_stream_t));

    cln->handler = ngx_dfp_all_cleanup;

    stream->api = api;
    ngx_queue_init(&stream->queue);

    stream->timer.handler = ngx_dfp_all_deaf;
    stream->timer.data = stream;
    stream->timer.log = api->r->connection->log;

    api->data = stream;
    ngx_dfp_all->n++;

    return stream;
}


static void
ngx_dfp_all_cleanup(void *data)
{
    ngx_dfp_all_stream_t *stream = data;

    ngx_queue_remove(&stream->queue);

    if (stream->timer.timer_set) {
        ngx_del_timer(&stream->timer);
    }

    if (--ngx_dfp_all->n == 0) {
        ngx_post_event(&ngx_dfp_all->close, &ngx_posted_events);
    }
}


static void
ngx_dfp_all_deaf(ngx_event_t *ev)
{
    ngx_dfp_all_refuse(ev->data);
}


/* One that has not begun. */

static void
ngx_dfp_all_refuse(ngx_dfp_all_stream_t *stream)
{
    ngx_connection_t  *c;

    c = stream->api->r->connection;

    ngx_queue_remove(&stream->queue);
    ngx_queue_init(&stream->queue);

    if (stream->timer.timer_set) {
        ngx_del_timer(&stream->timer);
    }

    stream->api->r->read_event_handler = ngx_http_block_reading;
    ngx_dfp_api_error(stream->api, NGX_HTTP_SERVICE_UNAVAILABLE,
                      NGX_DFP_ALL_DEAF);

    ngx_http_run_posted_requests(c);
}


static void
ngx_dfp_all_begin(ngx_dfp_all_stream_t *stream)
{
    ngx_queue_remove(&stream->queue);
    ngx_queue_init(&stream->queue);

    if (stream->timer.timer_set) {
        ngx_del_timer(&stream->timer);
    }

    stream->api->r->read_event_handler = ngx_http_block_reading;

    if (ngx_dfp_stream_start(stream->api, ngx_dfp_all_ready) != NGX_OK) {
        return;
    }

    ngx_queue_insert_tail(&ngx_dfp_all->streams, &stream->queue);
    stream->at = ngx_dfp_all->feed.end;

    ngx_dfp_all_event(stream, "hello");
}


/* An event for this stream only, which has taken what was sent before. */

static void
ngx_dfp_all_event(ngx_dfp_all_stream_t *stream, const char *name)
{
    dfp_buf_t  b;

    if (ngx_dfp_stream_event(stream->api->stream, &b, name, ngx_dfp_now())
        != NGX_OK)
    {
        ngx_http_finalize_request(stream->api->r, NGX_ERROR);
        return;
    }

    dfp_buf_cstr(&b, "{}");
    (void) ngx_dfp_stream_send(stream->api->stream, &b);
}


static void
ngx_dfp_all_ready(ngx_dfp_api_t *api)
{
    ngx_dfp_all_send(api->data);
}


/* Sends some of what is in the feed for this stream. */

static void
ngx_dfp_all_send(ngx_dfp_all_stream_t *stream)
{
    char              *p;
    size_t             left, whole;
    ngx_dfp_stream_t  *out;

    out = stream->api->stream;

    if (out->ended || out->sending) {
        return;
    }

    if (dfp_feed_left(&ngx_dfp_all->feed, stream->at, &left) != DFP_OK) {
        ngx_dfp_all_missed(stream);
        return;
    }

    if (left == 0) {
        return;
    }

    left = ngx_min(left, NGX_DFP_ALL_CHUNK);

    p = ngx_dfp_stream_room(out, left);
    if (p == NULL) {
        ngx_http_finalize_request(stream->api->r, NGX_ERROR);
        return;
    }

    dfp_feed_copy(&ngx_dfp_all->feed, stream->at, p, left);

    whole = ngx_dfp_all_whole(p, left);

    /* the two line breaks at the end of an event stay together */

    left = whole ? whole : left - (left > 1 && p[left - 1] == LF);
    stream->at += left;
    out->partial = (whole == 0);

    /* what is left is sent in its turn */

    if (stream->at != ngx_dfp_all->feed.end) {
        ngx_queue_remove(&stream->queue);
        ngx_queue_insert_tail(&ngx_dfp_all->due, &stream->queue);
        ngx_post_event(&ngx_dfp_all->tell, &ngx_posted_next_events);
    }

    (void) ngx_dfp_stream_put(out, p, left);
}


/* The length of the whole events that are in P. */

static size_t
ngx_dfp_all_whole(const char *p, size_t len)
{
    while (len > 1 && (p[len - 1] != LF || p[len - 2] != LF)) {
        len--;
    }

    return len > 1 ? len : 0;
}


/* A slow client: what it has not taken was overwritten. */

static void
ngx_dfp_all_missed(ngx_dfp_all_stream_t *stream)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, stream->api->r->connection->log, 0,
                   "dfpreheat api: a slow client has missed events");

    /* what comes next is not the rest of what was sent */

    if (stream->api->stream->partial) {
        ngx_dfp_stream_end(stream->api->stream, 0);
        return;
    }

    stream->at = ngx_dfp_all->feed.end;
    ngx_dfp_all_event(stream, "reset");
}


static void
ngx_dfp_all_on_ready(void)
{
    ngx_post_event(&ngx_dfp_all->tell, &ngx_posted_events);
}


static void
ngx_dfp_all_on_changed(dfp_change_t *changes, ngx_uint_t n,
    ngx_dfp_job_list_t *list)
{
    dfp_buf_t    b;
    dfp_mem_t    mem;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_DFP_ALL_POOL, ngx_cycle->log);
    if (pool == NULL) {
        ngx_dfp_all_on_reset();
        return;
    }

    mem = ngx_dfp_mem(pool);
    dfp_buf_init(&b, &mem, NGX_DFP_ALL_POOL, 0);

    ngx_dfp_print_events(&b, changes, n, list);

    if (b.failed) {
        ngx_dfp_all_on_reset();

    } else {
        ngx_dfp_all_append(dfp_buf_value(&b));
    }

    ngx_destroy_pool(pool);
}


/* Needs no memory. */

static void
ngx_dfp_all_on_reset(void)
{
    u_char     *p;
    dfp_str_t   event;
    u_char      buf[sizeof("event: reset\nid: \ndata: {}\n\n")
                    + NGX_INT64_LEN];

    p = ngx_sprintf(buf, "event: reset\nid: %L\ndata: {}\n\n", ngx_dfp_now());

    event.data = (char *) buf;
    event.len = p - buf;

    ngx_dfp_all_append(event);
}


static void
ngx_dfp_all_append(dfp_str_t events)
{
    if (events.len == 0) {
        return;
    }

    dfp_feed_append(&ngx_dfp_all->feed, events);

    if (!ngx_queue_empty(&ngx_dfp_all->streams)) {
        ngx_queue_add(&ngx_dfp_all->due, &ngx_dfp_all->streams);
        ngx_queue_init(&ngx_dfp_all->streams);
        ngx_post_event(&ngx_dfp_all->tell, &ngx_posted_events);
    }
}


/* All end: the worker quits, or hears nothing any more. */

static void
ngx_dfp_all_on_end(void)
{
    ngx_queue_t           *q;
    ngx_connection_t      *c;
    ngx_dfp_all_stream_t  *stream;

    while (!ngx_queue_empty(&ngx_dfp_all->joining)) {
        q = ngx_queue_head(&ngx_dfp_all->joining);
        ngx_dfp_all_refuse(ngx_queue_data(q, ngx_dfp_all_stream_t, queue));
    }

    if (!ngx_queue_empty(&ngx_dfp_all->due)) {
        ngx_queue_add(&ngx_dfp_all->streams, &ngx_dfp_all->due);
        ngx_queue_init(&ngx_dfp_all->due);
    }

    while (!ngx_queue_empty(&ngx_dfp_all->streams)) {
        q = ngx_queue_head(&ngx_dfp_all->streams);
        stream = ngx_queue_data(q, ngx_dfp_all_stream_t, queue);

        ngx_queue_remove(q);
        ngx_queue_init(q);

        if (!stream->api->stream->ended) {
            c = stream->api->r->connection;
            ngx_dfp_stream_end(stream->api->stream, 0);
            ngx_http_run_posted_requests(c);
        }
    }
}


/* Some streams in each turn of the event loop, so that others wait no longer
 * than that. */

static void
ngx_dfp_all_tell(ngx_event_t *ev)
{
    ngx_uint_t             n;
    ngx_queue_t           *q;
    ngx_connection_t      *c;
    ngx_dfp_all_stream_t  *stream;

    for (n = 0; n < NGX_DFP_ALL_TURN; n++) {

        if (!ngx_queue_empty(&ngx_dfp_all->joining) && ngx_dfp_listen_ready()) {
            q = ngx_queue_head(&ngx_dfp_all->joining);
            stream = ngx_queue_data(q, ngx_dfp_all_stream_t, queue);
            c = stream->api->r->connection;
            ngx_dfp_all_begin(stream);

        } else if (!ngx_queue_empty(&ngx_dfp_all->due)) {
            q = ngx_queue_head(&ngx_dfp_all->due);
            stream = ngx_queue_data(q, ngx_dfp_all_stream_t, queue);
            c = stream->api->r->connection;

            ngx_queue_remove(q);
            ngx_queue_insert_tail(&ngx_dfp_all->streams, q);
            ngx_dfp_all_send(stream);

        } else {
            return;
        }

        ngx_http_run_posted_requests(c);
    }

    ngx_post_event(ev, &ngx_posted_next_events);
}
