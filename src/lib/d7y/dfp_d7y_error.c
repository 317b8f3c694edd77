/*
 * What peers say in words.
 */

#include "dfp_d7y.h"


int
dfp_d7y_backend_status(dfp_str_t text)
{
    int          status;
    const char  *p, *last;

    static const char  words[] = "backend error:";

    p = dfp_str_find(text, words);
    if (p == NULL) {
        return -1;
    }

    last = text.data + text.len;
    status = 0;

    /* where there are no words, the blank before them may be gone, too */

    for (p += sizeof(words) - 1; p < last && *p == ' '; p++) { /* void */ }

    for ( ; p < last && status < 100; p++) {

        if (*p < '0' || *p > '9') {
            return 0;
        }

        status = status * 10 + (*p - '0');
    }

    return status < 100 ? 0 : status;
}
