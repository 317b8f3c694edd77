/*
 * What peers say in words.
 */

#include "dfp_d7y.h"


int
dfp_d7y_backend_status(dfp_str_t text)
{
    int     status;
    size_t  i, len;

    static const char  words[] = "backend error:";

    len = sizeof(words) - 1;

    for (i = 0; i + len <= text.len; i++) {
        if (memcmp(text.data + i, words, len) == 0) {
            break;
        }
    }

    if (i + len > text.len) {
        return -1;
    }

    status = 0;

    /* where there are no words, the blank before them may be gone, too */

    for (i += len; i < text.len && text.data[i] == ' '; i++) { /* void */ }

    for ( ; i < text.len && status < 100; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }

        status = status * 10 + (text.data[i] - '0');
    }

    return status < 100 ? 0 : status;
}
