/*
 * What the two files that parse manifests share; for nobody else.
 */

#ifndef DFP_OCI_PARSER_H
#define DFP_OCI_PARSER_H


#include <jansson.h>

#include "dfp_oci.h"


#define DFP_OCI_WHERE_LEN                                                     \
    sizeof("manifests[18446744073709551615].platform.")


/* WHERE goes before the names of fields in errors: "", "config.",
 * "layers[3].", "manifests[0].platform.". */
typedef struct {
    dfp_mem_t   *mem;
    dfp_err_t   *err;
    char         where[DFP_OCI_WHERE_LEN];
} dfp_oci_parser_t;


dfp_rc_t dfp_oci_parse_config(dfp_oci_parser_t *parser, const json_t *object,
    dfp_oci_manifest_t *m);

/* The array KEY of ROOT, to m->descs and m->n. */
dfp_rc_t dfp_oci_parse_descs(dfp_oci_parser_t *parser, const json_t *root,
    const char *key, size_t max, dfp_oci_manifest_t *m);

/* *VALUE is NULL where there is none, or null. */
dfp_rc_t dfp_oci_get(dfp_oci_parser_t *parser, const json_t *object,
    const char *key, json_type type, const json_t **value);

/* mediaType, "" where there is none; it points into OBJECT. */
dfp_rc_t dfp_oci_get_type(dfp_oci_parser_t *parser, const json_t *object,
    dfp_str_t *type);

/* Makes S a copy of itself. */
dfp_rc_t dfp_oci_copy(dfp_oci_parser_t *parser, dfp_str_t *s);


#endif /* DFP_OCI_PARSER_H */
