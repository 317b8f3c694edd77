/*
 * Peers that did not answer: each is known for a minute, within a limit.
 */

#include "dfp_doubts.h"
#include "dfp_test.h"


static dfp_doubts_t  doubts;


static dfp_str_t
peer(int i)
{
    static char  name[DFP_DOUBTS_NAME];

    snprintf(name, sizeof(name), "10.0.0.%d:4000", i);

    return dfp_test_str(name);
}


#define ADD(i, now)  dfp_doubts_add(&doubts, peer(i), now)
#define HAS(i, now)  dfp_doubts_has(&doubts, peer(i), now)


TEST("nobody is in doubt at first")
{
    memset(&doubts, 0, sizeof(doubts));

    CHECK_INT(HAS(1, 0), 0);
    CHECK_INT(dfp_doubts_has(&doubts, DFP_STR(""), 0), 0);
}


TEST("a doubt lasts a minute after the last time")
{
    memset(&doubts, 0, sizeof(doubts));

    ADD(1, 1000);
    CHECK_INT(HAS(1, 1000), 1);
    CHECK_INT(HAS(1, 60999), 1);
    CHECK_INT(HAS(1, 61000), 0);
    CHECK_INT(HAS(11, 1000), 0);
    CHECK_INT(HAS(2, 1000), 0);

    ADD(1, 50000);
    CHECK_INT(HAS(1, 109999), 1);
}


TEST("a peer that answers is in doubt no more")
{
    memset(&doubts, 0, sizeof(doubts));

    ADD(1, 1000);
    ADD(2, 1000);
    dfp_doubts_remove(&doubts, peer(1));
    dfp_doubts_remove(&doubts, peer(3));

    CHECK_INT(HAS(1, 1000), 0);
    CHECK_INT(HAS(2, 1000), 1);
}


TEST("of too many the oldest is forgotten")
{
    int  i;

    memset(&doubts, 0, sizeof(doubts));

    for (i = 0; i < DFP_DOUBTS_MAX; i++) {
        ADD(i, 1000 + i);
    }

    ADD(0, 2000);
    ADD(100, 2001);

    CHECK_INT(HAS(0, 2001), 1);
    CHECK_INT(HAS(1, 2001), 0);
    CHECK_INT(HAS(2, 2001), 1);
    CHECK_INT(HAS(100, 2001), 1);

    dfp_doubts_remove(&doubts, peer(7));
    ADD(101, 2002);

    CHECK_INT(HAS(2, 2002), 1);
    CHECK_INT(HAS(101, 2002), 1);
}


TEST("a name that is too long is not kept")
{
    static char  name[DFP_DOUBTS_NAME + 2];

    memset(&doubts, 0, sizeof(doubts));
    memset(name, 'x', DFP_DOUBTS_NAME + 1);

    dfp_doubts_add(&doubts, dfp_test_str(name), 0);
    CHECK_INT(dfp_doubts_has(&doubts, dfp_test_str(name), 0), 0);

    name[DFP_DOUBTS_NAME] = '\0';
    dfp_doubts_add(&doubts, dfp_test_str(name), 0);
    CHECK_INT(dfp_doubts_has(&doubts, dfp_test_str(name), 0), 1);
}
