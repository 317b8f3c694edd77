/*
 * Definitions of clusters: what another instance has stored may be any text,
 * and only our own names appear in what is told about it. The input is THEIRS,
 * and, split at its first newline, also both.
 */

#include "dfp_definition.h"
#include "dfp_fuzz.h"


#define FUZZ_OURS  DFP_STR("1 cluster=11111111 origins=22222222;"             \
                           "2 cluster=33333333 origins=44444444")


static dfp_rc_t
compare(dfp_str_t ours, dfp_str_t theirs, dfp_difference_t *difference)
{
    dfp_rc_t  rc;

    memset(difference, 0xa5, sizeof(dfp_difference_t));

    rc = dfp_definition_differs(ours, theirs, difference);

    if (rc != DFP_OK) {
        MUST(rc == DFP_DECLINED);
        return rc;
    }

    MUST(theirs.len <= DFP_DEFINITIONS_MAX);
    MUST(memchr(difference->aspects, '\0', DFP_DEFINITION_NAMES) != NULL);
    MUST(difference->cluster.data >= ours.data);
    MUST(difference->cluster.data + difference->cluster.len
         <= ours.data + ours.len);

    return rc;
}


static void
check_theirs(dfp_str_t theirs)
{
    dfp_difference_t  difference;

    if (compare(FUZZ_OURS, theirs, &difference) != DFP_OK) {
        return;
    }

    MUST(dfp_str_eq(difference.cluster, DFP_STR("1"))
         || dfp_str_eq(difference.cluster, DFP_STR("2")));
    MUST(strcmp(difference.aspects, "cluster") == 0
         || strcmp(difference.aspects, "origins") == 0
         || strcmp(difference.aspects, "cluster, origins") == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dfp_str_t         text, ours;
    const char       *end;
    dfp_difference_t  difference;

    text = (dfp_str_t) { size, (const char *) data };
    check_theirs(text);

    end = size ? memchr(data, '\n', size) : NULL;

    if (end) {
        ours = (dfp_str_t) { end - text.data, text.data };
        text = (dfp_str_t) { size - ours.len - 1, end + 1 };

        (void) compare(ours, text, &difference);
    }

    dfp_fuzz_free();

    return 0;
}
