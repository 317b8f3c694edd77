/*
 * What registries tell when an image was pushed: notifications of distribution
 * (docker-registry; its documentation of notifications, and notifications/event.go),
 * and webhooks of Harbor in both of its formats (its documentation of webhooks,
 * and src/pkg/notifier/formats).
 */

#ifndef DFP_PUSH_H
#define DFP_PUSH_H


#include "dfp_oci.h"


#define DFP_PUSH_MAX       100     /* events of an envelope, or resources of a
                                      webhook; distribution sends one */
#define DFP_PUSH_MAX_TEXT  1024    /* bytes of a field that is no URL */


/* One event. */
typedef struct {
    dfp_str_t    registry;      /* an origin, "https://registry.lan"; of Harbor,
                                   which tells no scheme, "harbor.lan" */
    dfp_str_t    base;          /* the path up to and including "/v2/" */
    dfp_str_t    repository;
    dfp_str_t    tag;           /* "": it was pushed by its digest */
    dfp_str_t    digest;
    const char  *ignored;       /* why it is not the push of an image, and then
                                   only repository and tag are set, if they are
                                   valid; NULL: it is one */
} dfp_push_t;


/*
 * Parses BODY into a list of *N events in MEM. The names in a push have been
 * checked, but not its registry: whoever sends this may name any. DFP_INVALID:
 * the body is no JSON, neither of these documents, or has more than DFP_PUSH_MAX
 * events; err says which. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_push_parse(dfp_mem_t *mem, dfp_str_t body, dfp_push_t **pushes,
    size_t *n, dfp_err_t *err);

/* Whether TAG is one by which signatures, attestations, SBOMs or a list of
 * referrers of an image are found: "sha256-", 64 digits, and ".sig", ".att",
 * ".sbom" or nothing; or "sha512-" and the first 64 digits. (cosign; OCI distribution
 * specification 1.1, Referrers Tag Schema.) */
int dfp_push_subject_tag(dfp_str_t tag);


#endif /* DFP_PUSH_H */
