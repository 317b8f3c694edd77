/*
 * Definitions of clusters, printed and compared.
 */

#include "dfp_definition.h"
#include "dfp_hash.h"


static int dfp_definition_next(dfp_str_t *text, const char *separator,
    const char *end, dfp_str_t *name, dfp_str_t *value);
static int dfp_definition_find(dfp_str_t text, const char *separator,
    const char *end, dfp_str_t name, dfp_str_t *value);
static size_t dfp_definition_compare(dfp_str_t ours, dfp_str_t theirs,
    char *names);


dfp_rc_t
dfp_definition_aspect(dfp_buf_t *b, const char *name, dfp_str_t text)
{
    char  hex[DFP_SHA256_HEX_LEN + 1];

    if (dfp_sha256_hex(text, hex) != DFP_OK) {
        return DFP_ERROR;
    }

    if (b->len) {
        dfp_buf_cstr(b, " ");
    }

    dfp_buf_cstr(b, name);
    dfp_buf_cstr(b, "=");
    dfp_buf_append(b, hex, DFP_DEFINITION_HASH_LEN);

    return DFP_OK;
}


void
dfp_definition_cluster(dfp_buf_t *b, int64_t id, dfp_str_t definition)
{
    if (b->len) {
        dfp_buf_cstr(b, ";");
    }

    dfp_buf_int(b, id);
    dfp_buf_cstr(b, " ");
    dfp_buf_str(b, definition);
}


dfp_rc_t
dfp_definition_differs(dfp_str_t ours, dfp_str_t theirs,
    dfp_difference_t *difference)
{
    dfp_str_t  id, our, their;

    if (theirs.len > DFP_DEFINITIONS_MAX) {
        return DFP_DECLINED;
    }

    while (dfp_definition_next(&ours, ";", " ", &id, &our)) {

        if (dfp_definition_find(theirs, ";", " ", id, &their)
            && dfp_definition_compare(our, their, difference->aspects))
        {
            difference->cluster = id;
            return DFP_OK;
        }
    }

    return DFP_DECLINED;
}


/* Splits off the first item of TEXT, up to SEPARATOR, and that at END. Returns
 * 0 if TEXT is empty. */

static int
dfp_definition_next(dfp_str_t *text, const char *separator, const char *end,
    dfp_str_t *name, dfp_str_t *value)
{
    dfp_str_t    item;
    const char  *p, *last;

    if (text->len == 0) {
        return 0;
    }

    p = text->data;
    last = p + text->len;

    item = dfp_str_until(&p, last, separator);
    p += (p < last);

    text->data = p;
    text->len = last - p;

    p = item.data;
    last = p + item.len;

    *name = dfp_str_until(&p, last, end);
    p += (p < last);

    *value = (dfp_str_t) { last - p, p };

    return 1;
}


/* The value of the first item of TEXT that is named NAME; 0: there is none. */

static int
dfp_definition_find(dfp_str_t text, const char *separator, const char *end,
    dfp_str_t name, dfp_str_t *value)
{
    dfp_str_t  other;

    while (dfp_definition_next(&text, separator, end, &other, value)) {
        if (dfp_str_eq(other, name)) {
            return 1;
        }
    }

    return 0;
}


/* Lists the aspects of a cluster that differ in NAMES, as far as there is room.
 * Returns the length of the list. */

static size_t
dfp_definition_compare(dfp_str_t ours, dfp_str_t theirs, char *names)
{
    size_t     n, before;
    dfp_str_t  name, our, their;

    n = 0;

    while (dfp_definition_next(&ours, " ", "=", &name, &our)) {

        if (!dfp_definition_find(theirs, " ", "=", name, &their)
            || dfp_str_eq(our, their))
        {
            continue;
        }

        before = n ? 2 : 0;

        if (n + before + name.len >= DFP_DEFINITION_NAMES) {
            break;
        }

        memcpy(names + n, ", ", before);
        memcpy(names + n + before, name.data, name.len);
        n += before + name.len;
    }

    names[n] = '\0';

    return n;
}
