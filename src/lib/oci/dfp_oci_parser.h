/*
 * Shared by the two files that parse manifests; private to them.
 */

#ifndef DFP_OCI_PARSER_H
#define DFP_OCI_PARSER_H


#include <jansson.h>

#include "dfp_oci.h"


#define DFP_OCI_WHERE_LEN                                                     \
    sizeof("manifests[18446744073709551615].platform.")


/* In errors, names of fields begin with WHERE: "", "config.", "layers[3].",
 * "manifests[0].platform.". */
typedef struct {
    dfp_mem_t   *mem;
    dfp_err_t   *err;
    char         where[DFP_OCI_WHERE_LEN];
} dfp_oci_parser_t;


dfp_rc_t dfp_oci_parse_config(dfp_oci_parser_t *parser, const json_t *object,
    dfp_oci_manifest_t *m);

/* Parses the array KEY of ROOT, of at most MAX elements, into m->descs. */
dfp_rc_t dfp_oci_parse_descs(dfp_oci_parser_t *parser, const json_t *root,
    const char *key, size_t max, dfp_oci_manifest_t *m);

/* Looks up a field of this TYPE; *VALUE is NULL if it is absent or null.
 * DFP_INVALID: it has another type. */
dfp_rc_t dfp_oci_get(dfp_oci_parser_t *parser, const json_t *object,
    const char *key, json_type type, const json_t **value);

/* The field mediaType, "" if it is absent; it points into OBJECT. */
dfp_rc_t dfp_oci_get_type(dfp_oci_parser_t *parser, const json_t *object,
    dfp_str_t *type);

/* Replaces S by a copy of it. DFP_ERROR: no memory. */
dfp_rc_t dfp_oci_copy(dfp_oci_parser_t *parser, dfp_str_t *s);


#endif /* DFP_OCI_PARSER_H */
