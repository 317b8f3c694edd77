/*
 * Messages of peers.
 */

#include "dfp_d7y.h"
#include "dfp_texts.h"


int
dfp_d7y_backend_status(dfp_str_t text)
{
    int          status;
    const char  *p, *last;

    p = dfp_str_find(text, DFP_D7Y_BACKEND_ERROR);
    if (p == NULL) {
        return -1;
    }

    last = text.data + text.len;
    status = 0;

    /* without a status, the space may be missing, too */

    p += sizeof(DFP_D7Y_BACKEND_ERROR) - 1;

    while (p < last && *p == ' ') {
        p++;
    }

    for ( ; p < last && status < 100; p++) {

        if (*p < '0' || *p > '9') {
            return 0;
        }

        status = status * 10 + (*p - '0');
    }

    return status < 100 ? 0 : status;
}
