/*
 * Reading what a client posted as JSON: fields are fetched by name, and
 * whatever is wrong becomes a sentence that names the field and the limit, but
 * never shows a value, which may be a secret.
 *
 * A field that is null is a field that is not there. The letter case of names does
 * not matter, as for Go's encoding/json, which those who post are used to; of names
 * that are the same but for that the last one counts.
 */

#ifndef DFP_JSON_H
#define DFP_JSON_H


#include <jansson.h>

#include "dfp_mem.h"


#define DFP_JSON_MAX_DEPTH   32
#define DFP_JSON_MAX_VALUES  32768
#define DFP_JSON_WHAT_LEN    192    /* a field's name in a sentence */


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
    unsigned       zero:1;     /* 0 is a way to say "not given" */
    const char    *unit;       /* "" or, for people, " bytes" */
} dfp_json_range_t;


/*
 * Parses TEXT, which must be one JSON object; fields are then looked up in that.
 * Of double keys the last wins. WHAT is how errors call the text ("the body"),
 * PREFIX how they call its fields. After DFP_OK, and only then, the caller must
 * dfp_json_close() it.
 */
dfp_rc_t dfp_json_open(dfp_json_t *in, dfp_mem_t *mem, dfp_str_t text,
    const char *what, const char *prefix, dfp_err_t *err);
void dfp_json_close(dfp_json_t *in);

/*
 * Whether TEXT, which errors call WHAT, may be parsed at all: DFP_INVALID where it
 * is nested deeper, or has more values, counted about. dfp_json_open() sees to it
 * with the limits above.
 */
dfp_rc_t dfp_json_bounded(dfp_str_t text, const char *what, size_t max_depth,
    size_t max_values, dfp_err_t *err);

/* The field KEY (lower case, ASCII) of OBJECT; NULL where it is not there. */
const json_t *dfp_json_field(const json_t *object, const char *key);

/* All of these return DFP_OK, DFP_INVALID or DFP_ERROR; where the field is not
 * there, that is DFP_OK. */

/* A copy, at most MAX bytes and without NUL; "" where it is not there. */
dfp_rc_t dfp_json_text(dfp_json_t *in, const char *key, size_t max,
    dfp_str_t *s);

/* The same without line breaks, for what may end up in a header or a log. */
dfp_rc_t dfp_json_line(dfp_json_t *in, const char *key, size_t max,
    dfp_str_t *s);

/* The same of a value that was found already, and is called WHAT. */
dfp_rc_t dfp_json_value_line(dfp_json_t *in, const json_t *value,
    const char *what, size_t max, dfp_str_t *s);

/* The rest leaves its result alone where the field is not there. */

dfp_rc_t dfp_json_int(dfp_json_t *in, const char *key,
    const dfp_json_range_t *range, int64_t *n);

/* One of NAMES; "" counts as not there. */
dfp_rc_t dfp_json_choice(dfp_json_t *in, const char *key,
    const dfp_json_name_t *names, int *value);

dfp_rc_t dfp_json_value_choice(dfp_json_t *in, const json_t *value,
    const char *what, const dfp_json_name_t *names, int *choice);

dfp_rc_t dfp_json_object(dfp_json_t *in, const char *key,
    const json_t **object);

/* At most MAX elements. */
dfp_rc_t dfp_json_array(dfp_json_t *in, const char *key, size_t max,
    const json_t **array);


#endif /* DFP_JSON_H */
