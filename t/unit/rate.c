/*
 * A rate that is shared: what may be read when, and by how many.
 */

#include "dfp_rate.h"
#include "dfp_test.h"


#define SECOND  1000


static dfp_rate_t  rate;


TEST("nothing may be read at the beginning, and then what has come")
{
    dfp_rate_init(&rate, 1000, 5);

    CHECK_INT(dfp_rate_share(&rate, 1), 0);

    dfp_rate_pass(&rate, 5, SECOND);
    CHECK_INT(dfp_rate_share(&rate, 1), 0);

    dfp_rate_pass(&rate, 12, SECOND);
    CHECK_INT(dfp_rate_share(&rate, 1), 7);
    CHECK_INT(dfp_rate_share(&rate, 1), 0);
}


TEST("everybody gets the same, and what cannot be shared stays")
{
    dfp_rate_init(&rate, 1000, 0);
    dfp_rate_pass(&rate, 11, SECOND);

    CHECK_INT(dfp_rate_share(&rate, 4), 2);
    CHECK_INT(dfp_rate_share(&rate, 4), 0);
    CHECK_INT(dfp_rate_share(&rate, 3), 1);
    CHECK_INT(rate.left, 0);
}


TEST("a rate below a byte each millisecond comes, too")
{
    int64_t  now, sum;

    dfp_rate_init(&rate, 7, 0);

    for (now = 1, sum = 0; now <= 10 * SECOND; now++) {
        dfp_rate_pass(&rate, now, SECOND);
        sum += dfp_rate_share(&rate, 1);
    }

    CHECK_INT(sum, 70);
}


TEST("what nobody has read is saved for a short time only")
{
    dfp_rate_init(&rate, 1000, 0);
    dfp_rate_pass(&rate, 3600 * SECOND, 20);

    CHECK_INT(dfp_rate_share(&rate, 1), 20);

    dfp_rate_pass(&rate, 3600 * SECOND + 500, SECOND);
    dfp_rate_pass(&rate, 3600 * SECOND + 501, 20);

    CHECK_INT(dfp_rate_share(&rate, 1), 20);
}


TEST("what was read in advance has to come before anything else")
{
    dfp_rate_init(&rate, 1000, 0);
    CHECK_INT(dfp_rate_wait(&rate), 0);

    dfp_rate_return(&rate, -1500);
    CHECK_INT(dfp_rate_wait(&rate), 1500);

    dfp_rate_pass(&rate, 1499, 20);
    CHECK_INT(dfp_rate_share(&rate, 1), 0);
    CHECK_INT(dfp_rate_wait(&rate), 1);

    dfp_rate_pass(&rate, 1510, 20);
    CHECK_INT(dfp_rate_wait(&rate), 0);
    CHECK_INT(dfp_rate_share(&rate, 1), 10);

    dfp_rate_return(&rate, 4);
    CHECK_INT(dfp_rate_share(&rate, 1), 4);
}


TEST("a wait is not too short by a part of a millisecond")
{
    dfp_rate_init(&rate, 3, 0);
    dfp_rate_return(&rate, -1);

    CHECK_INT(dfp_rate_wait(&rate), 334);
}


TEST("a clock that stands still or goes back brings nothing")
{
    dfp_rate_init(&rate, 1000, 100);
    dfp_rate_pass(&rate, 50, SECOND);
    CHECK_INT(rate.left, 0);

    dfp_rate_pass(&rate, 101, SECOND);
    CHECK_INT(rate.left, 1);
}


TEST("the largest rate, the longest time and the largest debt are in range")
{
    dfp_rate_init(&rate, INT64_MAX, 0);
    CHECK_INT(rate.rate, DFP_RATE_MAX);

    dfp_rate_pass(&rate, INT64_C(1) << 50, SECOND);
    CHECK_INT(rate.left, DFP_RATE_MAX);

    dfp_rate_init(&rate, 1, 0);
    dfp_rate_return(&rate, - (INT64_C(1) << 50));
    dfp_rate_pass(&rate, INT64_C(1) << 49, SECOND);
    CHECK_INT(rate.left, - (INT64_C(1) << 50) + (INT64_C(1) << 49) / 1000);
}
