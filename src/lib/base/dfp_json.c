/*
 * JSON objects from outside, read field by field.
 */

#include <inttypes.h>
#include <stdio.h>

#include "dfp_char.h"
#include "dfp_json.h"


static dfp_rc_t dfp_json_broken(const json_error_t *error, const char *what,
    dfp_err_t *err);
static const json_t *dfp_json_get(dfp_json_t *in, const char *key,
    char *what);
static int dfp_json_same(const char *name, const char *key);
static char dfp_json_fold(const char **p);
static dfp_rc_t dfp_json_value_text(dfp_json_t *in, const json_t *value,
    const char *what, size_t max, dfp_str_t *s);
static void dfp_json_join(const dfp_json_name_t *names, char *list,
    size_t size);


dfp_rc_t
dfp_json_open(dfp_json_t *in, dfp_mem_t *mem, dfp_str_t text,
    const char *what, const char *prefix, dfp_err_t *err)
{
    dfp_rc_t      rc;
    json_error_t  error;

    in->mem = mem;
    in->err = err;
    in->prefix = prefix;

    rc = dfp_json_bounded(text, what, DFP_JSON_MAX_DEPTH, DFP_JSON_MAX_VALUES,
                          err);
    if (rc != DFP_OK) {
        return rc;
    }

    /* NUL is accepted here, so that an error can name the field */

    rc = dfp_json_load(text, JSON_DECODE_ANY|JSON_ALLOW_NUL, &in->root,
                       &error);
    if (rc != DFP_OK) {
        return (rc == DFP_INVALID) ? dfp_json_broken(&error, what, err) : rc;
    }

    in->object = in->root;

    if (!json_is_object(in->root)) {
        dfp_json_close(in);

        return dfp_invalid(err, "%s must be a JSON object", what);
    }

    return DFP_OK;
}


void
dfp_json_close(dfp_json_t *in)
{
    json_decref(in->root);
}


/*
 * An empty array has three bytes in a body and needs a hundred of memory, and
 * each level of nesting needs stack. So values and levels are counted before
 * the text is parsed. Whether it is JSON does not matter here.
 */

dfp_rc_t
dfp_json_bounded(dfp_str_t text, const char *what, size_t max_depth,
    size_t max_values, dfp_err_t *err)
{
    int     quoted;
    size_t  i, depth, n;

    quoted = 0;
    depth = 0;
    n = 0;

    for (i = 0; i < text.len; i++) {

        if (quoted) {
            if (text.data[i] == '\\') {
                i++;

            } else if (text.data[i] == '"') {
                quoted = 0;
            }

            continue;
        }

        switch (text.data[i]) {

        case '"':
            quoted = 1;
            break;

        case '[':
        case '{':
            depth++;
            n++;
            break;

        case ']':
        case '}':
            depth -= (depth != 0);
            break;

        case ',':
            n++;
            break;
        }

        if (depth > max_depth) {
            return dfp_invalid(err, "%s must not be nested deeper than %zu "
                               "levels", what, max_depth);
        }

        if (n > max_values) {
            return dfp_invalid(err, "%s must not have more than %zu values",
                               what, max_values);
        }
    }

    return DFP_OK;
}


/* jansson's messages quote the text, so they are not used. */

static dfp_rc_t
dfp_json_broken(const json_error_t *error, const char *what, dfp_err_t *err)
{
    const char  *reason;

    switch (json_error_code(error)) {

    case json_error_premature_end_of_input:
        reason = "unexpected end";
        break;

    case json_error_end_of_input_expected:
        reason = "trailing characters";
        break;

    case json_error_invalid_utf8:
        reason = "invalid UTF-8";
        break;

    case json_error_numeric_overflow:
        reason = "a number is too large";
        break;

    case json_error_null_byte_in_key:
        reason = "a name contains NUL";
        break;

    default:
        reason = "syntax error";
    }

    return dfp_invalid(err, "%s is not valid JSON: line %d, column %d: %s",
                       what, error->line, error->column, reason);
}


/* Writes the name of a field for errors to WHAT, of DFP_JSON_WHAT_LEN bytes. */

static const json_t *
dfp_json_get(dfp_json_t *in, const char *key, char *what)
{
    (void) snprintf(what, DFP_JSON_WHAT_LEN, "%s%s", in->prefix, key);

    return dfp_json_field(in->object, key);
}


const json_t *
dfp_json_field(const json_t *object, const char *key)
{
    json_t        *value;
    const char    *name;
    const json_t  *found;

    found = NULL;

    /* jansson does not iterate over const objects; its order is that of the
     * text */

    json_object_foreach((json_t *) object, name, value) {
        if (dfp_json_same(name, key) && !json_is_null(value)) {
            found = value;
        }
    }

    return found;
}


/* KEY is lower-case ASCII. */

static int
dfp_json_same(const char *name, const char *key)
{
    while (*key && dfp_json_fold(&name) == *key) {
        key++;
    }

    return *key == '\0' && *name == '\0';
}


/*
 * Returns the lower case of the character at P, and moves P behind it; '\0' if
 * Unicode folds it to no ASCII character. Outside of ASCII two characters fold
 * to one: the long s (U+017F) and the Kelvin sign (U+212A).
 */

static char
dfp_json_fold(const char **p)
{
    size_t       i;
    const char  *s;

    static const struct {
        const char  *text;
        size_t       len;
        char         lower;
    } folded[] = {
        { "\xc5\xbf", 2, 's' },
        { "\xe2\x84\xaa", 3, 'k' }
    };

    s = *p;

    for (i = 0; i < sizeof(folded) / sizeof(folded[0]); i++) {
        if (strncmp(s, folded[i].text, folded[i].len) == 0) {
            *p += folded[i].len;
            return folded[i].lower;
        }
    }

    if (*s == '\0') {
        return '\0';
    }

    (*p)++;

    return dfp_lower(*s);
}


dfp_rc_t
dfp_json_text(dfp_json_t *in, const char *key, size_t max, dfp_str_t *s)
{
    char           what[DFP_JSON_WHAT_LEN];
    const json_t  *value;

    *s = DFP_STR("");

    value = dfp_json_get(in, key, what);
    if (value == NULL) {
        return DFP_OK;
    }

    return dfp_json_value_text(in, value, what, max, s);
}


dfp_rc_t
dfp_json_line(dfp_json_t *in, const char *key, size_t max, dfp_str_t *s)
{
    char           what[DFP_JSON_WHAT_LEN];
    const json_t  *value;

    *s = DFP_STR("");

    value = dfp_json_get(in, key, what);
    if (value == NULL) {
        return DFP_OK;
    }

    return dfp_json_value_line(in, value, what, max, s);
}


dfp_rc_t
dfp_json_value_line(dfp_json_t *in, const json_t *value, const char *what,
    size_t max, dfp_str_t *s)
{
    dfp_rc_t  rc;

    rc = dfp_json_value_text(in, value, what, max, s);
    if (rc != DFP_OK) {
        return rc;
    }

    if (memchr(s->data, '\r', s->len) || memchr(s->data, '\n', s->len)) {
        return dfp_invalid(in->err, "%s must not contain CR or LF", what);
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_json_value_text(dfp_json_t *in, const json_t *value, const char *what,
    size_t max, dfp_str_t *s)
{
    size_t       len;
    const char  *data;

    if (!json_is_string(value)) {
        return dfp_invalid(in->err, "%s must be a string", what);
    }

    data = json_string_value(value);
    len = json_string_length(value);

    if (len > max) {
        return dfp_invalid(in->err, "%s must not be longer than %zu bytes",
                           what, max);
    }

    if (memchr(data, '\0', len)) {
        return dfp_invalid(in->err, "%s must not contain NUL", what);
    }

    s->data = dfp_strdup(in->mem, data, len);
    if (s->data == NULL) {
        return DFP_ERROR;
    }

    s->len = len;

    return DFP_OK;
}


dfp_rc_t
dfp_json_int(dfp_json_t *in, const char *key, const dfp_json_range_t *range,
    int64_t *n)
{
    char           what[DFP_JSON_WHAT_LEN];
    int64_t        found;
    const json_t  *value;

    value = dfp_json_get(in, key, what);
    if (value == NULL) {
        return DFP_OK;
    }

    found = json_integer_value(value);

    if (json_is_integer(value) && found == 0 && range->zero) {
        return DFP_OK;
    }

    if (!json_is_integer(value) || found < range->min || found > range->max) {
        return dfp_invalid(in->err, "%s must be an integer between %" PRId64
                           " and %" PRId64 "%s", what, range->min, range->max,
                           range->unit);
    }

    *n = found;

    return DFP_OK;
}


dfp_rc_t
dfp_json_choice(dfp_json_t *in, const char *key,
    const dfp_json_name_t *names, int *value)
{
    char           what[DFP_JSON_WHAT_LEN];
    const json_t  *found;

    found = dfp_json_get(in, key, what);

    if (found == NULL
        || (json_is_string(found) && json_string_length(found) == 0))
    {
        return DFP_OK;
    }

    return dfp_json_value_choice(in, found, what, names, value);
}


dfp_rc_t
dfp_json_value_choice(dfp_json_t *in, const json_t *value, const char *what,
    const dfp_json_name_t *names, int *choice)
{
    char                    list[DFP_JSON_WHAT_LEN];
    dfp_str_t               s;
    const dfp_json_name_t  *p;

    if (json_is_string(value)) {
        s.data = json_string_value(value);
        s.len = json_string_length(value);

        for (p = names; p->name; p++) {
            if (dfp_str_eq(s, dfp_cstr(p->name))) {
                *choice = p->value;
                return DFP_OK;
            }
        }
    }

    dfp_json_join(names, list, sizeof(list));

    return dfp_invalid(in->err, "%s must be %s", what, list);
}


/* "a, b or c", cut at SIZE. */

static void
dfp_json_join(const dfp_json_name_t *names, char *list, size_t size)
{
    int                     n;
    const dfp_json_name_t  *p;

    list[0] = '\0';

    for (p = names; p->name; p++) {

        n = snprintf(list, size, "%s%s",
                     (p == names) ? "" : p[1].name ? ", " : " or ", p->name);

        if (n < 0 || (size_t) n >= size) {
            return;
        }

        list += n;
        size -= n;
    }
}


dfp_rc_t
dfp_json_object(dfp_json_t *in, const char *key, const json_t **object)
{
    char           what[DFP_JSON_WHAT_LEN];
    const json_t  *value;

    value = dfp_json_get(in, key, what);
    if (value == NULL) {
        return DFP_OK;
    }

    if (!json_is_object(value)) {
        return dfp_invalid(in->err, "%s must be an object", what);
    }

    *object = value;

    return DFP_OK;
}


dfp_rc_t
dfp_json_array(dfp_json_t *in, const char *key, size_t max,
    const json_t **array)
{
    char           what[DFP_JSON_WHAT_LEN];
    const json_t  *value;

    value = dfp_json_get(in, key, what);
    if (value == NULL) {
        return DFP_OK;
    }

    if (!json_is_array(value)) {
        return dfp_invalid(in->err, "%s must be a list", what);
    }

    if (json_array_size(value) > max) {
        return dfp_invalid(in->err, "%s must not have more than %zu elements",
                           what, max);
    }

    *array = value;

    return DFP_OK;
}


static int
dfp_json_append(const char *data, size_t len, void *ctx)
{
    dfp_buf_append(ctx, data, len);

    return 0;
}


void
dfp_json_print(dfp_buf_t *b, const json_t *value)
{
    if (json_dump_callback(value, dfp_json_append, b,
                           JSON_COMPACT|JSON_ENCODE_ANY|JSON_PRESERVE_ORDER)
        != 0)
    {
        b->failed = 1;
    }
}
