#include "dfp_feed.h"


void
dfp_feed_init(dfp_feed_t *feed, char *data, size_t size)
{
    feed->data = data;
    feed->size = size;
    feed->end = 0;
}


void
dfp_feed_append(dfp_feed_t *feed, dfp_str_t s)
{
    size_t  skipped, at, first;

    skipped = s.len > feed->size ? s.len - feed->size : 0;

    feed->end += skipped;
    s.data += skipped;
    s.len -= skipped;

    if (s.len == 0) {
        return;
    }

    at = feed->end % feed->size;
    first = feed->size - at;

    if (first > s.len) {
        first = s.len;
    }

    memcpy(feed->data + at, s.data, first);
    memcpy(feed->data, s.data + first, s.len - first);

    feed->end += s.len;
}


dfp_rc_t
dfp_feed_left(dfp_feed_t *feed, uint64_t at, size_t *left)
{
    if (feed->end - at > feed->size) {
        return DFP_DECLINED;
    }

    *left = (size_t) (feed->end - at);

    return DFP_OK;
}


void
dfp_feed_copy(dfp_feed_t *feed, uint64_t at, char *p, size_t len)
{
    size_t  from, first;

    from = at % feed->size;
    first = feed->size - from;

    if (first > len) {
        first = len;
    }

    memcpy(p, feed->data + from, first);
    memcpy(p + first, feed->data, len - first);
}
