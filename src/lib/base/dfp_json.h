/*
 * JSON objects from outside, read field by field. Each error is a sentence
 * that names the field and the limit. It never shows a value, which may be a
 * secret.
 *
 * A field that is null counts as absent. Names are compared in any letter
 * case, as Go's encoding/json does, which clients rely on; if several names
 * match, the last one counts.
 */

#ifndef DFP_JSON_H
#define DFP_JSON_H


#include <jansson.h>

#include "dfp_buf.h"
#include "dfp_mem.h"


#define DFP_JSON_MAX_DEPTH   32
#define DFP_JSON_MAX_VALUES  32768
#define DFP_JSON_WHAT_LEN    192    /* a field's name in a sentence */
#define DFP_JSON_BUFFER_MIN  16     /* bytes of jansson's, before it grows */


typedef struct {
    dfp_mem_t     *mem;
    dfp_err_t     *err;
    json_t        *root;       /* what was parsed */
    const json_t  *object;     /* fields are looked up here: root, or in it */
    const char    *prefix;     /* and are called by this name: "args.", "" */
} dfp_json_t;


typedef struct {
    const char    *name;       /* NULL ends a list */
    int            value;      /* not 0 */
} dfp_json_name_t;


typedef struct {
    int64_t        min;
    int64_t        max;
    unsigned       zero:1;     /* 0 means that the field is not given */
    const char    *unit;       /* in errors: "", or as " bytes" */
} dfp_json_range_t;


/*
 * Parses TEXT, which must be one JSON object, in which fields are then looked
 * up. The last of duplicate keys counts. Errors call the text WHAT ("the body")
 * and begin the names of its fields with PREFIX. If this returns DFP_OK, and
 * only then, the caller must call dfp_json_close().
 */
dfp_rc_t dfp_json_open(dfp_json_t *in, dfp_mem_t *mem, dfp_str_t text,
    const char *what, const char *prefix, dfp_err_t *err);
void dfp_json_close(dfp_json_t *in);

/*
 * Checks TEXT, which errors call WHAT, before it is parsed. DFP_INVALID: it is
 * nested more than MAX_DEPTH levels deep, or has more than about MAX_VALUES
 * values. dfp_json_open() does this with the limits above.
 */
dfp_rc_t dfp_json_bounded(dfp_str_t text, const char *what, size_t max_depth,
    size_t max_values, dfp_err_t *err);

/*
 * Parses TEXT, with jansson's FLAGS, to *ROOT, which the caller must give to
 * json_decref(). DFP_INVALID: it is not JSON, as ERROR says; *ROOT is NULL.
 * DFP_ERROR: there is no memory; *ROOT and ERROR are not set. jansson's own
 * functions may return something else than TEXT then, see dfp_json_load.c.
 * TEXT needs twice its size while it is parsed. Not for several threads.
 */
dfp_rc_t dfp_json_load(dfp_str_t text, size_t flags, json_t **root,
    json_error_t *error);

/* The field KEY (lower-case ASCII) of OBJECT; NULL if it is absent. */
const json_t *dfp_json_field(const json_t *object, const char *key);

/*
 * The functions below return DFP_OK, also if the field is absent, DFP_INVALID
 * if it is wrong, and DFP_ERROR if there is no memory. Strings are copied to
 * the memory of IN.
 */

/* A string of at most MAX bytes without NUL; "" if the field is absent. */
dfp_rc_t dfp_json_text(dfp_json_t *in, const char *key, size_t max,
    dfp_str_t *s);

/* A string as above without line breaks, for headers and logs. */
dfp_rc_t dfp_json_line(dfp_json_t *in, const char *key, size_t max,
    dfp_str_t *s);

/* The same from a VALUE that was looked up already, which errors call WHAT. */
dfp_rc_t dfp_json_value_line(dfp_json_t *in, const json_t *value,
    const char *what, size_t max, dfp_str_t *s);

/* If the field is absent, the functions below do not change their result. */

dfp_rc_t dfp_json_int(dfp_json_t *in, const char *key,
    const dfp_json_range_t *range, int64_t *n);

/* The value of one of NAMES; "" counts as absent. */
dfp_rc_t dfp_json_choice(dfp_json_t *in, const char *key,
    const dfp_json_name_t *names, int *value);

dfp_rc_t dfp_json_value_choice(dfp_json_t *in, const json_t *value,
    const char *what, const dfp_json_name_t *names, int *choice);

dfp_rc_t dfp_json_object(dfp_json_t *in, const char *key,
    const json_t **object);

/* An array of at most MAX elements. */
dfp_rc_t dfp_json_array(dfp_json_t *in, const char *key, size_t max,
    const json_t **array);

/* Appends VALUE as it was parsed, without blanks. b->failed: there is no memory. */
void dfp_json_print(dfp_buf_t *b, const json_t *value);


#endif /* DFP_JSON_H */
