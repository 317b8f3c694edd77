#include "dfp_pattern.h"
#include "dfp_buf.h"


/* How a place in a pattern was reached. */
#define DFP_PATTERN_STAYED   1      /* by another character of a "*" */
#define DFP_PATTERN_ENTERED  2


static dfp_rc_t dfp_pattern_expand(dfp_mem_t *mem, dfp_str_t text,
    const char *what, dfp_patterns_t *patterns, dfp_err_t *err);
static dfp_rc_t dfp_pattern_braces(dfp_mem_t *mem, dfp_str_t text,
    const char *open, const char *what, dfp_patterns_t *patterns,
    dfp_err_t *err);
static dfp_rc_t dfp_pattern_add(dfp_str_t text, const char *what,
    dfp_patterns_t *patterns, dfp_err_t *err);
static dfp_rc_t dfp_pattern_check(dfp_str_t s, const char *more,
    const char *part, const char *what, dfp_err_t *err);
static int dfp_pattern_glob(dfp_str_t pattern, dfp_str_t s);
static void dfp_pattern_enter(dfp_str_t pattern, unsigned char *places,
    size_t i);
static int dfp_pattern_step(dfp_str_t pattern, const unsigned char *places,
    char ch, unsigned char *next);


/* Commas in braces do not separate patterns. */

dfp_rc_t
dfp_patterns_parse(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_patterns_t *patterns, dfp_err_t *err)
{
    int          inside;
    dfp_rc_t     rc;
    const char  *p, *start, *last;

    inside = 0;
    start = text.data;
    last = text.data + text.len;

    for (p = start; p <= last; p++) {

        if (p < last && *p == '{') {
            inside = 1;

        } else if (p < last && *p == '}') {
            inside = 0;

        } else if (p == last || (*p == ',' && !inside)) {
            rc = dfp_pattern_expand(mem, (dfp_str_t) { p - start, start },
                                    what, patterns, err);
            if (rc != DFP_OK) {
                return rc;
            }

            start = p + 1;
        }
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_pattern_expand(dfp_mem_t *mem, dfp_str_t text, const char *what,
    dfp_patterns_t *patterns, dfp_err_t *err)
{
    const char  *open;

    if (text.len > DFP_PATTERN_MAX_LEN) {
        return dfp_invalid(err, "%s: a pattern must have at most %d bytes",
                           what, DFP_PATTERN_MAX_LEN);
    }

    open = text.len ? memchr(text.data, '{', text.len) : NULL;

    if (open == NULL) {
        return dfp_pattern_add(text, what, patterns, err);
    }

    return dfp_pattern_braces(mem, text, open, what, patterns, err);
}


/* Each alternative of the first braces, with what is around them. */

static dfp_rc_t
dfp_pattern_braces(dfp_mem_t *mem, dfp_str_t text, const char *open,
    const char *what, dfp_patterns_t *patterns, dfp_err_t *err)
{
    dfp_rc_t     rc;
    dfp_buf_t    b;
    dfp_str_t    one;
    const char  *p, *last, *close;

    last = text.data + text.len;
    close = memchr(open, '}', last - open);

    if (close == NULL || memchr(open + 1, '{', close - open - 1)) {
        return dfp_invalid(err, "%s: \"%.*s\" must have a \"}\" for each "
                           "\"{\", and braces cannot be nested", what,
                           (int) text.len, text.data);
    }

    for (p = open + 1; p <= close; p++) {

        one = dfp_str_until(&p, close, ",");

        dfp_buf_init(&b, mem, text.len, 0);
        dfp_buf_append(&b, text.data, open - text.data);
        dfp_buf_str(&b, one);
        dfp_buf_append(&b, close + 1, last - close - 1);

        if (b.failed) {
            return DFP_ERROR;
        }

        rc = dfp_pattern_expand(mem, dfp_buf_value(&b), what, patterns, err);
        if (rc != DFP_OK) {
            return rc;
        }
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_pattern_add(dfp_str_t text, const char *what, dfp_patterns_t *patterns,
    dfp_err_t *err)
{
    dfp_rc_t        rc;
    const char     *p, *last;
    dfp_pattern_t  *pattern;

    if (patterns->n == DFP_PATTERNS_MAX) {
        return dfp_invalid(err, "%s: there are more than %d patterns; each "
                           "text that braces stand for counts", what,
                           DFP_PATTERNS_MAX);
    }

    pattern = &patterns->list[patterns->n];
    pattern->by_digest = 0;
    pattern->repository = text;
    pattern->reference = DFP_STR("*");

    last = text.data + text.len;
    p = text.len ? memchr(text.data, '@', text.len) : NULL;

    if (p) {
        pattern->by_digest = 1;

    } else {
        p = dfp_str_find_last(text, ":");
    }

    if (p) {
        pattern->repository.len = p - text.data;
        pattern->reference = (dfp_str_t) { last - p - 1, p + 1 };
    }

    rc = dfp_pattern_check(pattern->repository, "._-/", "a repository", what,
                           err);

    if (rc == DFP_OK) {
        rc = dfp_pattern_check(pattern->reference,
                               pattern->by_digest ? ":" : "._-",
                               pattern->by_digest ? "a digest" : "a tag", what,
                               err);
    }

    patterns->n += (rc == DFP_OK);

    return rc;
}


/* A character that no name has would be a pattern that never matches. */

static dfp_rc_t
dfp_pattern_check(dfp_str_t s, const char *more, const char *part,
    const char *what, dfp_err_t *err)
{
    size_t  i;
    char    ch;

    if (s.len == 0) {
        return dfp_invalid(err, "%s: the pattern of %s is empty", what, part);
    }

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '*'
            || ch == '?' || (ch && strchr(more, ch)))
        {
            continue;
        }

        /* only tags have upper-case letters */

        if (ch >= 'A' && ch <= 'Z' && strcmp(more, "._-") == 0) {
            continue;
        }

        return dfp_invalid(err, "%s: \"%.*s\" cannot match %s: it has a "
                           "character that no name has", what, (int) s.len,
                           s.data, part);
    }

    return DFP_OK;
}


int
dfp_patterns_match(const dfp_patterns_t *patterns, dfp_str_t repository,
    dfp_str_t tag, dfp_str_t digest)
{
    size_t                i;
    const dfp_pattern_t  *p;

    for (i = 0; i < patterns->n; i++) {
        p = &patterns->list[i];

        if (p->by_digest == (tag.len == 0)
            && dfp_pattern_glob(p->reference, p->by_digest ? digest : tag)
            && dfp_pattern_glob(p->repository, repository))
        {
            return 1;
        }
    }

    return 0;
}


int
dfp_patterns_repository(const dfp_patterns_t *patterns, dfp_str_t repository)
{
    size_t  i;

    for (i = 0; i < patterns->n; i++) {
        if (dfp_pattern_glob(patterns->list[i].repository, repository)) {
            return 1;
        }
    }

    return 0;
}


/* All places of the pattern where one can be after each character, at once: there
 * is no way back, so the time has a bound. */

static int
dfp_pattern_glob(dfp_str_t pattern, dfp_str_t s)
{
    int             some;
    size_t          i;
    unsigned char   one[DFP_PATTERN_MAX_LEN + 1];
    unsigned char   two[DFP_PATTERN_MAX_LEN + 1];
    unsigned char  *places, *next, *swap;

    places = one;
    next = two;

    memset(places, 0, pattern.len + 1);
    dfp_pattern_enter(pattern, places, 0);

    for (i = 0; i < s.len; i++) {
        memset(next, 0, pattern.len + 1);

        some = dfp_pattern_step(pattern, places, s.data[i], next);

        if (!some) {
            return 0;
        }

        swap = places;
        places = next;
        next = swap;
    }

    return places[pattern.len] != 0;
}


static int
dfp_pattern_step(dfp_str_t pattern, const unsigned char *places, char ch,
    unsigned char *next)
{
    int     some, deep;
    size_t  i;

    some = 0;

    for (i = 0; i < pattern.len; i++) {

        if (!places[i]) {
            continue;
        }

        if (pattern.data[i] == '*') {
            deep = (i + 1 < pattern.len && pattern.data[i + 1] == '*');

            if (ch != '/' || deep) {
                next[i] |= DFP_PATTERN_STAYED;
                dfp_pattern_enter(pattern, next, i + 1 + deep);
                some = 1;
            }

        } else if (pattern.data[i] == ch
                   || (pattern.data[i] == '?' && ch != '/'))
        {
            dfp_pattern_enter(pattern, next, i + 1);
            some = 1;
        }
    }

    return some;
}


/* A "*" may stand for nothing. "**" with the "/" after it may stand for no folder, but
 * only where it begins: else it would end within a name. */

static void
dfp_pattern_enter(dfp_str_t pattern, unsigned char *places, size_t i)
{
    int  deep;

    while (!(places[i] & DFP_PATTERN_ENTERED)) {

        places[i] |= DFP_PATTERN_ENTERED;

        if (i == pattern.len || pattern.data[i] != '*') {
            return;
        }

        deep = (i + 1 < pattern.len && pattern.data[i + 1] == '*');

        if (deep && i + 2 < pattern.len && pattern.data[i + 2] == '/'
            && (i == 0 || pattern.data[i - 1] == '/'))
        {
            dfp_pattern_enter(pattern, places, i + 3);
        }

        i += 1 + deep;
    }
}
