#include "ngx_dfp_error.h"


#define NGX_DFP_ERROR_CODE_MAX  32     /* bytes */


ngx_uint_t
ngx_dfp_error_unavailable(const char *text)
{
    size_t              len;
    ngx_uint_t          i;
    char                within[NGX_DFP_ERROR_CODE_MAX];

    static const char  *codes[] = {
        "LOADING ", "READONLY ", "MASTERDOWN ", "BUSY ", "MISCONF ",
        "NOREPLICAS ", "OOM ", NULL
    };

    for (i = 0; codes[i]; i++) {
        len = ngx_strlen(codes[i]);

        if (ngx_strncmp(text, codes[i], len) == 0) {
            return 1;
        }

        /* Redis 6 and older quotes it: ERR Error running script ... -BUSY */

        within[0] = '-';
        ngx_memcpy(within + 1, codes[i], len + 1);

        if (strstr(text, within)) {
            return 1;
        }
    }

    return 0;
}


ngx_dfp_refused_e
ngx_dfp_error_refused(const char *text)
{
    if (ngx_strncmp(text, "DFPSCHEMA ", sizeof("DFPSCHEMA ") - 1) == 0) {
        return NGX_DFP_REFUSED_SCHEMA;
    }

    if (ngx_strncmp(text, "NOPERM", sizeof("NOPERM") - 1) == 0
        || ngx_strncmp(text, "NOAUTH", sizeof("NOAUTH") - 1) == 0
        || ngx_strncmp(text, "WRONGPASS", sizeof("WRONGPASS") - 1) == 0
        || strstr(text, "user executing the script can't"))
    {
        return NGX_DFP_REFUSED_RIGHTS;
    }

    return NGX_DFP_NOT_REFUSED;
}
