/*
 * JSON that is parsed while memory ends: a parser that cannot keep a byte must
 * not go on without it.
 */

#include "dfp_json.h"
#include "dfp_test.h"


#define TEXT_MAX  600


static dfp_err_t  err;
static size_t     allocs, fails_at, fails;


/* The FAILS_AT-th allocation fails, and those after it up to FAILS in all. */

static void *
failing_malloc(size_t size)
{
    allocs++;

    if (fails_at && allocs >= fails_at && allocs - fails_at < fails) {
        return NULL;
    }

    return malloc(size);
}


/* A string of N characters, each of WIDTH bytes, which differ. */

static dfp_str_t
string_of(size_t n, size_t width)
{
    size_t       i;
    dfp_buf_t    b;

    static const char  *wide[] = { "ä", "ö", "ü", "ß" };

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);

    for (i = 0; i < n; i++) {

        if (width == 2) {
            dfp_buf_cstr(&b, wide[i % 4]);

        } else {
            dfp_buf_append(&b, &"abcdefghijklmnopqrstuvwxyz"[i % 26], 1);
        }
    }

    return dfp_buf_value(&b);
}


static dfp_str_t
object_of(dfp_str_t value)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"list\":[1,2.5,\"x\",true],\"url\":\"");
    dfp_buf_str(&b, value);
    dfp_buf_cstr(&b, "\",\"n\":123456789012345678}");

    return dfp_buf_value(&b);
}


/* What is read of TEXT is what is in it, or there is no memory. */

static dfp_rc_t
read_object(dfp_str_t text, dfp_str_t value)
{
    int64_t           n;
    dfp_rc_t          rc;
    dfp_str_t         s;
    dfp_json_t        in;
    dfp_json_range_t  range = { 0, INT64_MAX, 0, "" };

    rc = dfp_json_open(&in, dfp_test_mem(), text, "it", "", &err);
    if (rc != DFP_OK) {
        return rc;
    }

    n = 0;

    CHECK_INT(dfp_json_text(&in, "url", TEXT_MAX * 2, &s), DFP_OK);
    CHECK_SAME(s, value);
    CHECK_INT(dfp_json_int(&in, "n", &range, &n), DFP_OK);
    CHECK_INT(n, INT64_C(123456789012345678));

    dfp_json_close(&in);

    return DFP_OK;
}


static void
each_failure(size_t n, size_t width)
{
    size_t     at;
    dfp_rc_t   rc;
    dfp_str_t  value, text;

    value = string_of(n, width);
    text = object_of(value);

    for (at = 1; /* void */ ; at++) {
        allocs = 0;
        fails_at = at;
        rc = read_object(text, value);

        if (allocs < at) {
            CHECK_INT(rc, DFP_OK);
            break;
        }

        if (!CHECK_INT(rc, DFP_ERROR)) {
            printf("#   %zu characters, allocation %zu failed\n", n, at);
        }
    }

    dfp_test_mem_free();
}


static void
every_failure(size_t width)
{
    size_t  n;

    json_set_alloc_funcs(failing_malloc, free);

    for (n = 0; n < TEXT_MAX; n++) {
        fails = 1;
        each_failure(n, width);

        fails = SIZE_MAX;
        each_failure(n, width);
    }

    json_set_alloc_funcs(malloc, free);
}


TEST("a string of any length is read whole or not at all when memory ends")
{
    every_failure(1);
}


TEST("... with characters of more than one byte")
{
    every_failure(2);
}
