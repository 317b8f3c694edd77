/*
 * The headers Link of a registry, whatever they are: the next page is of the same list,
 * at the same registry.
 */

#include "dfp_oci.h"
#include "dfp_fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dfp_rc_t   rc;
    dfp_err_t  err;
    dfp_str_t  link;
    dfp_url_t  page, next;

    rc = dfp_url_parse(dfp_fuzz_mem(), DFP_STR("https://r.lan/v2/a/referrers/"
                                               "sha256:1?n=1"),
                       "page", &page, &err);
    MUST(rc == DFP_OK);

    link = (dfp_str_t) { size, (const char *) data };

    rc = dfp_oci_next_page(dfp_fuzz_mem(), &page, link, &next, &err);

    MUST(rc == DFP_OK || rc == DFP_INVALID || rc == DFP_DECLINED);

    if (rc == DFP_OK) {
        MUST(dfp_str_eq(next.origin, page.origin));
        MUST(dfp_str_eq(next.path, page.path));
        MUST(next.query.len > 0);
    }

    dfp_fuzz_free();

    return 0;
}
