#include "dfp_changes.h"


void
dfp_changes_init(dfp_changes_t *changes, dfp_change_t *items, size_t max)
{
    changes->items = items;
    changes->n = 0;
    changes->max = max;
    changes->urgent = 0;
}


dfp_rc_t
dfp_changes_add(dfp_changes_t *changes, int64_t id, unsigned what)
{
    size_t         i;
    dfp_change_t  *item;

    /* the newest change most often */

    for (i = changes->n; i > 0; i--) {
        if (changes->items[i - 1].id == id) {
            break;
        }
    }

    if (i > 0) {
        item = &changes->items[i - 1];

    } else if (changes->n == changes->max) {
        return DFP_DECLINED;

    } else {
        item = &changes->items[changes->n++];
        item->id = id;
        item->what = 0;
    }

    if (!(item->what & DFP_CHANGE_URGENT) && (what & DFP_CHANGE_URGENT)) {
        changes->urgent++;
    }

    item->what |= what;

    return DFP_OK;
}


size_t
dfp_changes_take(dfp_changes_t *changes, dfp_change_t *items, size_t n,
    int urgent)
{
    size_t         i, taken, kept;
    dfp_change_t  *item;

    taken = 0;
    kept = 0;

    for (i = 0; i < changes->n; i++) {
        item = &changes->items[i];

        if (taken == n || (urgent && !(item->what & DFP_CHANGE_URGENT))) {
            changes->items[kept++] = *item;
            continue;
        }

        changes->urgent -= (item->what & DFP_CHANGE_URGENT) != 0;
        items[taken++] = *item;
    }

    changes->n = kept;

    return taken;
}
