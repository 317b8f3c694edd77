/*
 * The query of a URL as Dragonfly hashes it: its parameters, encoded anew as a
 * form.
 */

#include "dfp_char.h"
#include "dfp_d7y_parser.h"
#include "dfp_escape.h"
#include "dfp_hex.h"
#include "dfp_utf8.h"


/* What forms do not escape, and what Go treats differently. */
#define DFP_D7Y_FORM_PLAIN        "*-._"
#define DFP_D7Y_FORM_DIFFERS      "*~"


/* The parameters of a query, one after the other. */
typedef struct {
    const char        *p;
    const char        *last;
    const dfp_str_t   *filter;
    size_t             nfilter;
    dfp_buf_t          bytes;     /* unescaped */
    dfp_buf_t          name;      /* the same, as UTF-8 */
    dfp_buf_t          value;
    dfp_buf_t          previous;  /* name */
    unsigned           same:1;    /* to Go, so far, but for the order */
} dfp_d7y_query_t;


static void dfp_d7y_print_form(dfp_buf_t *b, dfp_str_t s);
static void dfp_d7y_query_init(dfp_d7y_query_t *query, dfp_mem_t *mem,
    const dfp_d7y_url_t *u, const dfp_str_t *names, size_t n);
static int dfp_d7y_query_next(dfp_d7y_query_t *query);
static int dfp_d7y_query_decode(dfp_d7y_query_t *query, dfp_str_t s,
    dfp_buf_t *b);


dfp_rc_t
dfp_d7y_print_query(dfp_buf_t *b, dfp_mem_t *mem, const dfp_d7y_url_t *u,
    const dfp_str_t *names, size_t n)
{
    int              sorted;
    const char      *between;
    dfp_buf_t        swap;
    dfp_d7y_query_t  query;

    dfp_d7y_query_init(&query, mem, u, names, n);

    sorted = 1;
    between = "?";

    while (dfp_d7y_query_next(&query)) {
        dfp_buf_cstr(b, between);
        dfp_d7y_print_form(b, dfp_buf_value(&query.name));
        dfp_buf_cstr(b, "=");
        dfp_d7y_print_form(b, dfp_buf_value(&query.value));

        sorted &= dfp_str_cmp(dfp_buf_value(&query.previous),
                              dfp_buf_value(&query.name)) <= 0;

        swap = query.previous;
        query.previous = query.name;
        query.name = swap;

        between = "&";
    }

    if (query.bytes.failed || query.name.failed || query.value.failed
        || query.previous.failed)
    {
        return DFP_ERROR;
    }

    return (sorted && query.same) ? DFP_OK : DFP_DECLINED;
}


static void
dfp_d7y_print_form(dfp_buf_t *b, dfp_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {

        if (dfp_alnum(s.data[i])
            || dfp_d7y_one_of(s.data[i], DFP_D7Y_FORM_PLAIN))
        {
            dfp_buf_append(b, &s.data[i], 1);

        } else if (s.data[i] == ' ') {
            dfp_buf_cstr(b, "+");

        } else {
            dfp_escape_byte(b, s.data[i]);
        }
    }
}


static void
dfp_d7y_query_init(dfp_d7y_query_t *query, dfp_mem_t *mem,
    const dfp_d7y_url_t *u, const dfp_str_t *names, size_t n)
{
    query->p = u->query.len ? u->query.data : "";
    query->last = query->p + u->query.len;
    query->filter = names;
    query->nfilter = n;
    query->same = 1;

    dfp_buf_init(&query->bytes, mem, 0, 0);
    dfp_buf_init(&query->name, mem, 0, 0);
    dfp_buf_init(&query->value, mem, 0, 0);
    dfp_buf_init(&query->previous, mem, 0, 0);
}


/* Moves to the next parameter that is not filtered; 0: there is none. */

static int
dfp_d7y_query_next(dfp_d7y_query_t *query)
{
    int          same;
    size_t       i;
    dfp_str_t    pair, name, value;
    const char  *p, *last;

    while (query->p < query->last) {

        pair = dfp_str_until(&query->p, query->last, "&");
        query->p += (query->p < query->last);

        p = pair.data;
        last = p + pair.len;

        if (p == last) {
            continue;
        }

        name = dfp_str_until(&p, last, "=");
        p += (p < last);
        value = (dfp_str_t) { last - p, p };

        same = dfp_d7y_query_decode(query, name, &query->name);

        for (i = 0; i < query->nfilter; i++) {
            if (dfp_str_eq(query->filter[i], dfp_buf_value(&query->name))) {
                break;
            }
        }

        if (i < query->nfilter) {

            /* Go compares the name with its malformed UTF-8 */

            query->same &= dfp_str_eq(dfp_buf_value(&query->name),
                                      dfp_buf_value(&query->bytes));
            continue;
        }

        /* Go ignores parameters with a ";" */

        same &= dfp_d7y_query_decode(query, value, &query->value);
        same &= (memchr(pair.data, ';', pair.len) == NULL);

        query->same &= same;

        return 1;
    }

    return 0;
}


/* Returns whether Go decodes S to the same text, and would encode it in the
 * same way. */

static int
dfp_d7y_query_decode(dfp_d7y_query_t *query, dfp_str_t s, dfp_buf_t *b)
{
    int         same;
    char        ch;
    size_t      i, n;
    uint32_t    code;
    dfp_buf_t  *bytes;

    bytes = &query->bytes;
    bytes->len = 0;
    b->len = 0;
    same = 1;

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if (ch == '%') {
            ch = (char) dfp_hex_byte(&s.data[i + 1]);
            i += 2;

        } else if (ch == '+') {
            ch = ' ';
        }

        dfp_buf_append(bytes, &ch, 1);
        same &= !dfp_d7y_one_of(ch, DFP_D7Y_FORM_DIFFERS);
    }

    for (i = 0; i < bytes->len; i += n) {
        n = dfp_utf8_decode(bytes->data + i, bytes->len - i, &code);

        if (code == DFP_UTF8_MALFORMED) {
            dfp_buf_cstr(b, DFP_UTF8_REPLACEMENT);

        } else {
            dfp_buf_append(b, bytes->data + i, n);
        }
    }

    return same && dfp_str_eq(dfp_buf_value(b), dfp_buf_value(bytes));
}
