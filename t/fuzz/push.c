/*
 * A notification of a registry, whatever it is: names that are taken are valid. The
 * same input is a list of patterns, too.
 */

#include "dfp_pattern.h"
#include "dfp_push.h"
#include "dfp_fuzz.h"


static void
check(dfp_push_t *push, dfp_patterns_t *patterns)
{
    MUST(push->tag.len == 0 || push->ignored || dfp_oci_tag_valid(push->tag));

    if (push->ignored) {
        return;
    }

    MUST(dfp_oci_name_valid(push->repository));
    MUST(dfp_oci_digest_valid(push->digest));
    MUST(push->base.len >= 4);

    (void) dfp_push_subject_tag(push->tag);
    (void) dfp_patterns_match(patterns, push->repository, push->tag,
                              push->digest);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           i, n;
    dfp_rc_t         rc;
    dfp_err_t        err;
    dfp_str_t        text;
    dfp_push_t      *pushes;
    dfp_patterns_t   patterns;

    text = (dfp_str_t) { size, (const char *) data };
    patterns.n = 0;

    rc = dfp_patterns_parse(dfp_fuzz_mem(), text, "match", &patterns, &err);

    MUST(rc == DFP_OK || rc == DFP_INVALID);
    MUST(patterns.n <= DFP_PATTERNS_MAX);

    if (rc == DFP_OK) {
        (void) dfp_patterns_match(&patterns, text, text, text);
        (void) dfp_patterns_match(&patterns, DFP_STR("team/a/b/app"),
                                  DFP_STR(""), DFP_STR("sha256:0"));
    }

    rc = dfp_push_parse(dfp_fuzz_mem(), text, &pushes, &n, &err);

    MUST(rc == DFP_OK || rc == DFP_INVALID);

    for (i = 0; rc == DFP_OK && i < n; i++) {
        check(&pushes[i], &patterns);
    }

    dfp_fuzz_free();

    return 0;
}
