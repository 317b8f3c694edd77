#include <string.h>

#include "dfp_doubts.h"


static size_t dfp_doubts_find(const dfp_doubts_t *doubts, dfp_str_t name);


void
dfp_doubts_add(dfp_doubts_t *doubts, dfp_str_t name, uint64_t now)
{
    size_t        i, k;
    dfp_doubt_t  *doubt;

    if (name.len == 0 || name.len > DFP_DOUBTS_NAME) {
        return;
    }

    k = dfp_doubts_find(doubts, name);

    if (k == DFP_DOUBTS_MAX) {

        k = 0;

        for (i = 0; i < DFP_DOUBTS_MAX; i++) {

            if (doubts->list[i].len == 0) {
                k = i;
                break;
            }

            if (doubts->list[i].since < doubts->list[k].since) {
                k = i;
            }
        }
    }

    doubt = &doubts->list[k];

    memcpy(doubt->name, name.data, name.len);
    doubt->len = name.len;
    doubt->since = now;
}


void
dfp_doubts_remove(dfp_doubts_t *doubts, dfp_str_t name)
{
    size_t  k;

    k = dfp_doubts_find(doubts, name);

    if (k < DFP_DOUBTS_MAX) {
        doubts->list[k].len = 0;
    }
}


int
dfp_doubts_has(const dfp_doubts_t *doubts, dfp_str_t name, uint64_t now)
{
    size_t  k;

    k = dfp_doubts_find(doubts, name);

    return k < DFP_DOUBTS_MAX && now - doubts->list[k].since < DFP_DOUBTS_MS;
}


/* DFP_DOUBTS_MAX: it is not there. */

static size_t
dfp_doubts_find(const dfp_doubts_t *doubts, dfp_str_t name)
{
    size_t              k;
    const dfp_doubt_t  *doubt;

    if (name.len == 0) {
        return DFP_DOUBTS_MAX;
    }

    for (k = 0; k < DFP_DOUBTS_MAX; k++) {
        doubt = &doubts->list[k];

        if (doubt->len == name.len
            && memcmp(doubt->name, name.data, name.len) == 0)
        {
            break;
        }
    }

    return k;
}
