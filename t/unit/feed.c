/*
 * A feed of text: readers get what they have not read, or learn that it is gone.
 */

#include "dfp_feed.h"
#include "dfp_test.h"


#define SIZE  8


static char  data[SIZE];


static const char *
read_from(dfp_feed_t *feed, uint64_t at)
{
    size_t       left;
    static char  text[SIZE + 1];

    if (dfp_feed_left(feed, at, &left) != DFP_OK) {
        return "gone";
    }

    dfp_feed_copy(feed, at, text, left);
    text[left] = '\0';

    return text;
}


static void
append(dfp_feed_t *feed, const char *text)
{
    dfp_feed_append(feed, dfp_cstr(text));
}


TEST("an empty feed has nothing to read")
{
    dfp_feed_t  feed;

    dfp_feed_init(&feed, data, SIZE);
    CHECK_TEXT(read_from(&feed, 0), "");
    append(&feed, "");
    CHECK_TEXT(read_from(&feed, 0), "");
}


TEST("what was appended is read from any place on")
{
    dfp_feed_t  feed;

    dfp_feed_init(&feed, data, SIZE);
    append(&feed, "abc");
    append(&feed, "de");
    CHECK_TEXT(read_from(&feed, 0), "abcde");
    CHECK_TEXT(read_from(&feed, 3), "de");
    CHECK_TEXT(read_from(&feed, 5), "");
}


TEST("the oldest is overwritten, and its readers learn it")
{
    int         i;
    dfp_feed_t  feed;

    dfp_feed_init(&feed, data, SIZE);
    append(&feed, "abcdefgh");
    CHECK_TEXT(read_from(&feed, 0), "abcdefgh");
    append(&feed, "ij");
    CHECK_TEXT(read_from(&feed, 1), "gone");
    CHECK_TEXT(read_from(&feed, 2), "cdefghij");

    for (i = 0; i < 100; i++) {
        append(&feed, "klm");
    }

    CHECK_TEXT(read_from(&feed, feed.end - 6), "klmklm");
    CHECK_TEXT(read_from(&feed, feed.end - SIZE - 1), "gone");
}


TEST("a text that is larger than the feed leaves its end")
{
    dfp_feed_t  feed;

    dfp_feed_init(&feed, data, SIZE);
    append(&feed, "xyz");
    append(&feed, "0123456789abcdef");
    CHECK_TEXT(read_from(&feed, 3), "gone");
    CHECK_TEXT(read_from(&feed, feed.end - SIZE), "89abcdef");
    CHECK_INT(feed.end, 19);
}
