/*
 * Jobs that have changed: each once, in order, within a limit.
 */

#include "dfp_changes.h"
#include "dfp_test.h"


#define MOST  4


static dfp_change_t   room[MOST], taken[MOST];
static dfp_changes_t  changes;


static void
begin(void)
{
    dfp_changes_init(&changes, room, MOST);
}


static void
check_taken(size_t i, int64_t id, unsigned what, int line)
{
    dfp_test_check_int(taken[i].id, id, line, "the id");
    dfp_test_check_int(taken[i].what, what, line, "what has happened");
}


#define TAKEN(i, id, what)  check_taken(i, id, what, __LINE__)
#define ADD(id, what)       CHECK_INT(dfp_changes_add(&changes, id, what), DFP_OK)


TEST("a job is taken once, with all that has happened to it")
{
    begin();
    ADD(7, DFP_CHANGE_CREATED);
    ADD(9, DFP_CHANGE_PROGRESS);
    ADD(7, DFP_CHANGE_END);

    CHECK_INT(dfp_changes_take(&changes, taken, MOST, 0), 2);
    TAKEN(0, 7, DFP_CHANGE_CREATED | DFP_CHANGE_END);
    TAKEN(1, 9, DFP_CHANGE_PROGRESS);
    CHECK_INT(dfp_changes_take(&changes, taken, MOST, 0), 0);
}


TEST("progress can wait")
{
    begin();
    ADD(1, DFP_CHANGE_PROGRESS);
    ADD(2, DFP_CHANGE_DELETED);
    ADD(3, DFP_CHANGE_PROGRESS);
    CHECK_INT(changes.urgent, 1);
    ADD(3, DFP_CHANGE_END);
    ADD(3, DFP_CHANGE_DELETED);
    CHECK_INT(changes.urgent, 2);

    CHECK_INT(dfp_changes_take(&changes, taken, MOST, 1), 2);
    TAKEN(0, 2, DFP_CHANGE_DELETED);
    TAKEN(1, 3, DFP_CHANGE_PROGRESS | DFP_CHANGE_END | DFP_CHANGE_DELETED);
    CHECK_INT(changes.urgent, 0);
    CHECK_INT(changes.n, 1);
    CHECK_INT(dfp_changes_take(&changes, taken, MOST, 1), 0);
    CHECK_INT(dfp_changes_take(&changes, taken, MOST, 0), 1);
    TAKEN(0, 1, DFP_CHANGE_PROGRESS);
}


TEST("not more are taken than are wanted, the first ones first")
{
    begin();
    ADD(1, DFP_CHANGE_END);
    ADD(2, DFP_CHANGE_END);
    ADD(3, DFP_CHANGE_END);

    CHECK_INT(dfp_changes_take(&changes, taken, 2, 1), 2);
    TAKEN(0, 1, DFP_CHANGE_END);
    TAKEN(1, 2, DFP_CHANGE_END);
    CHECK_INT(changes.urgent, 1);
    CHECK_INT(dfp_changes_take(&changes, taken, 2, 1), 1);
    TAKEN(0, 3, DFP_CHANGE_END);
}


TEST("there is a limit of jobs, not of changes")
{
    int64_t  id;

    begin();

    for (id = 1; id <= MOST; id++) {
        ADD(id, DFP_CHANGE_CREATED);
    }

    CHECK_INT(dfp_changes_add(&changes, id, DFP_CHANGE_END), DFP_DECLINED);
    ADD(1, DFP_CHANGE_END);
    ADD(MOST, DFP_CHANGE_END);
    CHECK_INT(changes.n, MOST);
}
