/*
 * What a registry answers: the content type on the first line, the body after
 * it; and what is picked from an index.
 */

#include "dfp_oci.h"
#include "dfp_fuzz.h"


static void
check_text(dfp_str_t s, size_t max)
{
    size_t  i;

    MUST(s.len <= max);

    for (i = 0; i < s.len; i++) {
        MUST(s.data[i] > 0x20 && s.data[i] < 0x7f);
    }
}


static void
check_desc(const dfp_oci_desc_t *desc)
{
    MUST(dfp_oci_digest_valid(desc->digest));
    MUST(desc->size >= 0 && desc->size <= DFP_OCI_MAX_SIZE);

    check_text(desc->media_type, DFP_OCI_MAX_TYPE);
    check_text(desc->platform.os, DFP_OCI_MAX_PART);
    check_text(desc->platform.arch, DFP_OCI_MAX_PART);
    check_text(desc->platform.variant, DFP_OCI_MAX_PART);
}


static void
check_pick(const dfp_oci_manifest_t *m, const char *text)
{
    int                  rc;
    size_t               i, n, *picked;
    dfp_err_t            err;
    dfp_str_t            s = { strlen(text), text };
    dfp_oci_platforms_t  wanted, fallback;

    MUST(dfp_oci_parse_platforms(dfp_fuzz_mem(), s, "wanted", &wanted, &err)
         == DFP_OK);
    MUST(dfp_oci_parse_platforms(dfp_fuzz_mem(), DFP_STR("linux/amd64"),
                                 "fallback", &fallback, &err) == DFP_OK);

    picked = dfp_fuzz_alloc(NULL, m->n * sizeof(size_t));
    err.text[0] = '\0';

    rc = dfp_oci_pick(dfp_fuzz_mem(), m, &wanted, &fallback, NULL, picked, &n,
                      &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(err.text[0] != '\0');
        return;
    }

    MUST(n > 0 && n <= m->n);
    MUST(!wanted.all || n == m->n);

    for (i = 0; i < n; i++) {
        MUST(picked[i] < m->n);
        MUST(i == 0 || picked[i] > picked[i - 1]);
        MUST(wanted.all || !m->descs[picked[i]].attestation);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 rc;
    size_t              i;
    dfp_err_t           err;
    dfp_str_t           type, body;
    const char         *end;
    dfp_oci_manifest_t  m;

    type.data = (const char *) data;
    end = size ? memchr(type.data, '\n', size) : NULL;

    if (end == NULL) {
        return 0;
    }

    type.len = end - type.data;
    body = (dfp_str_t) { size - type.len - 1, end + 1 };

    err.text[0] = '\0';
    rc = dfp_oci_parse_manifest(dfp_fuzz_mem(), body, type, &m, &err);

    if (rc == DFP_OK) {
        MUST(m.kind == DFP_OCI_MANIFEST || m.kind == DFP_OCI_INDEX);
        MUST(m.n <= (m.kind == DFP_OCI_INDEX ? DFP_OCI_MAX_ENTRIES
                                             : DFP_OCI_MAX_LAYERS));
        check_text(m.media_type, DFP_OCI_MAX_TYPE);

        for (i = 0; i < m.n; i++) {
            check_desc(&m.descs[i]);
        }

        if (m.kind == DFP_OCI_MANIFEST) {
            check_desc(&m.config);

        } else {
            check_pick(&m, "");
            check_pick(&m, "all");
            check_pick(&m, "linux/amd64/v3,linux/arm64/v9.2,linux/arm");
            check_pick(&m, "linux/arm, windows/amd64/v2");
        }

    } else {
        MUST(rc == DFP_INVALID);
        MUST(err.text[0] != '\0');
    }

    dfp_fuzz_free();

    return 0;
}
