/*
 * The header of an HTTP/1 answer as it came.
 */

#include "dfp_buf.h"
#include "dfp_head.h"


#define DFP_HEAD_HTTP  "HTTP/"


static int dfp_head_line(dfp_str_t *rest, dfp_str_t *line);
static int dfp_head_named(dfp_str_t line, dfp_str_t name);
static int dfp_head_blank(char ch);


dfp_str_t
dfp_head_value(dfp_str_t head, dfp_str_t name)
{
    dfp_str_t  line, value;

    while (dfp_head_line(&head, &line)) {

        if (!dfp_head_named(line, name)) {
            continue;
        }

        value.data = line.data + name.len + 1;
        value.len = line.len - name.len - 1;

        while (value.len && dfp_head_blank(value.data[0])) {
            value.data++;
            value.len--;
        }

        while (value.len && dfp_head_blank(value.data[value.len - 1])) {
            value.len--;
        }

        return value;
    }

    return DFP_STR_NULL;
}


dfp_rc_t
dfp_head_replace(dfp_mem_t *mem, dfp_str_t head, const dfp_head_field_t *fields,
    size_t n, dfp_str_t *out)
{
    size_t     i;
    dfp_buf_t  b;
    dfp_str_t  line;

    if (!dfp_head_line(&head, &line)
        || !dfp_str_case_starts(line, DFP_STR(DFP_HEAD_HTTP)))
    {
        return DFP_INVALID;
    }

    dfp_buf_init(&b, mem, line.len + head.len, 0);

    dfp_buf_str(&b, line);

    for (i = 0; i < n; i++) {
        dfp_buf_str(&b, fields[i].name);
        dfp_buf_cstr(&b, ": ");
        dfp_buf_str(&b, fields[i].value);
        dfp_buf_cstr(&b, "\r\n");
    }

    while (dfp_head_line(&head, &line)) {

        for (i = 0; i < n; i++) {
            if (dfp_head_named(line, fields[i].name)) {
                break;
            }
        }

        if (i == n) {
            dfp_buf_str(&b, line);
        }
    }

    dfp_buf_str(&b, head);

    if (b.failed) {
        return DFP_ERROR;
    }

    *out = dfp_buf_value(&b);

    return DFP_OK;
}


/* Takes the next line, with its end. */

static int
dfp_head_line(dfp_str_t *rest, dfp_str_t *line)
{
    const char  *end;

    end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;

    if (end == NULL) {
        return 0;
    }

    line->data = rest->data;
    line->len = end + 1 - rest->data;

    rest->data += line->len;
    rest->len -= line->len;

    return 1;
}


static int
dfp_head_named(dfp_str_t line, dfp_str_t name)
{
    return line.len > name.len && line.data[name.len] == ':'
           && dfp_str_case_starts(line, name);
}


static int
dfp_head_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}
