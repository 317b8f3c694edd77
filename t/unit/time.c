/*
 * Times of RFC 3339, parsed and printed.
 */

#include "dfp_time.h"
#include "dfp_test.h"


static dfp_str_t
time_of(int64_t ms)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_time_print(&b, ms);
    CHECK(!b.failed);

    return dfp_buf_value(&b);
}


TEST("times of RFC 3339 are understood")
{
    size_t   i;
    int64_t  ms;

    static const struct {
        const char  *text;
        int64_t      ms;
    } times[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01t00:00:00z", 0 },
        { "1970-01-01T00:00:00.001Z", 1 },
        { "1970-01-01T00:00:00.0019999999999999999999Z", 1 },
        { "1970-01-01T00:00:00.5Z", 500 },
        { "1969-12-31T23:00:00-01:00", 0 },
        { "1970-01-01T05:30:00+05:30", 0 },
        { "1970-01-01T00:00:00-00:00", 0 },
        { "1985-04-12T23:20:50.52Z", INT64_C(482196050520) },
        { "1996-12-19T16:39:57-08:00", INT64_C(851042397000) },
        { "1990-12-31T23:59:60Z", INT64_C(662688000000) },
        { "1990-12-31T15:59:60-08:00", INT64_C(662688000000) },
        { "2000-02-29T12:00:00Z", INT64_C(951825600000) },
        { "2024-02-29T23:59:59.999Z", INT64_C(1709251199999) },
        { "2026-11-25T00:44:02.120Z", INT64_C(1795567442120) },
        { "2100-03-01T00:00:00Z", INT64_C(4107542400000) },
        { "9999-12-31T23:59:59.999Z", INT64_C(253402300799999) }
    };

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        ms = -1;

        if (!CHECK_INT(dfp_time_parse(dfp_test_str(times[i].text), &ms),
                       DFP_OK)
            || !CHECK_INT(ms, times[i].ms))
        {
            printf("#   for %s\n", times[i].text);
        }
    }
}


TEST("what is not a time of RFC 3339, or out of range, is refused")
{
    size_t   i;
    int64_t  ms;

    static const char *const  times[] = {
        "2026", "2026-11-25", "2026-11-25T00:44:02", "2026-11-25 00:44:02Z",
        "2026-11-25T00:44Z", "26-11-25T00:44:02Z", "2026-1-25T00:44:02Z",
        "2026-00-25T00:44:02Z", "2026-13-25T00:44:02Z",
        "2026-11-00T00:44:02Z", "2026-11-31T00:44:02Z",
        "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "2026-11-25T24:00:00Z", "2026-11-25T00:60:00Z",
        "2026-11-25T00:00:61Z", "2026-11-25T12:00:60Z",
        "2026-11-25T00:44:02.Z", "2026-11-25T00:44:02,5Z",
        "2026-11-25T00:44:02+01", "2026-11-25T00:44:02+0100",
        "2026-11-25T00:44:02+24:00", "2026-11-25T00:44:02+01:60",
        "2026-11-25T00:44:02Zx", " 2026-11-25T00:44:02Z",
        "2026-11-25T00:44:02 Z", "+026-11-25T00:44:02Z",
        "-026-11-25T00:44:02Z", "2026-11-25T-1:44:02Z",
        "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z",
        "10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
        "Wed, 25 Nov 2026 00:44:02 GMT"
    };

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (!CHECK_INT(dfp_time_parse(dfp_test_str(times[i]), &ms),
                       DFP_INVALID))
        {
            printf("#   for %s\n", times[i]);
        }
    }

    CHECK_INT(dfp_time_parse(DFP_STR_NULL, &ms), DFP_INVALID);
    CHECK_INT(dfp_time_parse(DFP_STR("2026-11-25T00:44:02Z\0"), &ms),
              DFP_INVALID);
}


TEST("each day from 1970 to 2100 is printed and parsed to the same")
{
    int64_t    ms, again;
    dfp_buf_t  b;

    for (ms = 0; ms < INT64_C(4133980800000); ms += 86400000) {
        dfp_buf_init(&b, dfp_test_mem(), 0, 0);
        dfp_time_print(&b, ms);

        again = -1;
        CHECK_INT(dfp_time_parse(dfp_buf_value(&b), &again), DFP_OK);
        CHECK_INT(again, ms);
    }
}


TEST("times are RFC 3339 in UTC with milliseconds")
{
    CHECK_STR(time_of(0), "1970-01-01T00:00:00.000Z");
    CHECK_STR(time_of(1), "1970-01-01T00:00:00.001Z");
    CHECK_STR(time_of(INT64_C(951782399999)), "2000-02-28T23:59:59.999Z");
    CHECK_STR(time_of(INT64_C(951782400000)), "2000-02-29T00:00:00.000Z");
    CHECK_STR(time_of(INT64_C(1795567442120)), "2026-11-25T00:44:02.120Z");
    CHECK_STR(time_of(INT64_C(253402300799999)), "9999-12-31T23:59:59.999Z");
}


TEST("times outside 1970 to 9999 print as the nearest that RFC 3339 has")
{
    CHECK_STR(time_of(-1), "1970-01-01T00:00:00.000Z");
    CHECK_STR(time_of(INT64_MIN), "1970-01-01T00:00:00.000Z");
    CHECK_STR(time_of(INT64_C(253402300800000)), "9999-12-31T23:59:59.999Z");
    CHECK_STR(time_of(INT64_MAX), "9999-12-31T23:59:59.999Z");
}
