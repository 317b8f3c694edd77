/*
 * Text for people and logs.
 */

#include "dfp_buf.h"
#include "dfp_text.h"
#include "dfp_url.h"
#include "dfp_utf8.h"


#define DFP_TEXT_SCHEME  "://"
#define DFP_TEXT_SHORT   512     /* bytes */


/* Code points, from the first to the last of a range. */
typedef struct {
    uint32_t    first;
    uint32_t    last;
} dfp_text_range_t;


static void dfp_text_buf(dfp_buf_t *b, dfp_mem_t *mem, char *start);
static dfp_rc_t dfp_text_copy(dfp_mem_t *mem, dfp_str_t s, dfp_str_t *text);
static int dfp_text_plain(dfp_str_t s, size_t max);
static void dfp_text_print(dfp_buf_t *b, dfp_str_t s);
static int dfp_text_unprintable(uint32_t ch);
static dfp_rc_t dfp_text_word(dfp_buf_t *b, dfp_str_t word);
static dfp_str_t dfp_text_cut(dfp_str_t text, size_t max);


/* Control characters, and invisible ones that change how others look: soft
 * hyphens, marks of direction, joiners, tags. */

static const dfp_text_range_t  dfp_text_unseen[] = {
    { 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad },
    { 0x061c, 0x061c }, { 0x180e, 0x180e }, { 0x200b, 0x200f },
    { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff },
    { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe0fff }
};


/* A word that begins within the limit is processed completely: a URL that was
 * cut could have lost the "@" that separates a password from the host. */

dfp_rc_t
dfp_text_clean(dfp_mem_t *mem, dfp_str_t s, size_t max, dfp_str_t *text)
{
    char         one[DFP_TEXT_SHORT], two[DFP_TEXT_SHORT];
    dfp_buf_t    plain, b;
    dfp_str_t    word;
    const char  *p, *last;

    if (s.len == 0) {
        *text = DFP_STR("");
        return DFP_OK;
    }

    if (dfp_text_plain(s, max)) {
        return dfp_text_copy(mem, s, text);
    }

    dfp_text_buf(&plain, mem, one);
    dfp_text_buf(&b, mem, two);

    dfp_text_print(&plain, s);

    if (plain.failed) {
        return DFP_ERROR;
    }

    p = plain.data;
    last = p + plain.len;

    while (p < last && b.len < max) {

        word.data = p;
        p = memchr(p, ' ', last - p);
        p = p ? p : last;
        word.len = p - word.data;

        if (dfp_text_word(&b, word) != DFP_OK) {
            return DFP_ERROR;
        }

        p += (p < last);
    }

    return dfp_text_copy(mem, dfp_text_cut(dfp_buf_value(&b), max), text);
}


/* Most texts are short, and some messages have many of them. */

static void
dfp_text_buf(dfp_buf_t *b, dfp_mem_t *mem, char *start)
{
    dfp_buf_init(b, mem, 0, 0);

    b->data = start;
    b->size = DFP_TEXT_SHORT;
}


static dfp_rc_t
dfp_text_copy(dfp_mem_t *mem, dfp_str_t s, dfp_str_t *text)
{
    text->data = dfp_strdup(mem, s.data, s.len);
    text->len = text->data ? s.len : 0;

    return text->data ? DFP_OK : DFP_ERROR;
}


/* Whether nothing has to be changed: a short word of ASCII, and not a URL. */

static int
dfp_text_plain(dfp_str_t s, size_t max)
{
    size_t  i;

    if (s.len > max) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= 0x20 || s.data[i] >= 0x7f) {
            return 0;
        }
    }

    return dfp_str_find(s, DFP_TEXT_SCHEME) == NULL;
}


/* White space becomes a space. Unprintable characters are removed and not
 * replaced, so that URLs stay URLs. */

static void
dfp_text_print(dfp_buf_t *b, dfp_str_t s)
{
    size_t    i, n;
    uint32_t  ch;

    for (i = 0; i < s.len; i += n) {
        n = dfp_utf8_decode(s.data + i, s.len - i, &ch);

        if (ch == DFP_UTF8_MALFORMED) {
            dfp_buf_cstr(b, DFP_UTF8_REPLACEMENT);

        } else if (ch == '\t' || (ch >= '\n' && ch <= '\r')) {
            dfp_buf_cstr(b, " ");

        } else if (!dfp_text_unprintable(ch)) {
            dfp_buf_append(b, s.data + i, n);
        }
    }
}


static int
dfp_text_unprintable(uint32_t ch)
{
    size_t  i, n;

    n = sizeof(dfp_text_unseen) / sizeof(dfp_text_range_t);

    for (i = 0; i < n; i++) {
        if (ch >= dfp_text_unseen[i].first && ch <= dfp_text_unseen[i].last) {
            return 1;
        }
    }

    return 0;
}


/* A URL may follow other characters, as in url=(https://u:p@a.lan/), where
 * dfp_url_redact() would not recognize it. */

static dfp_rc_t
dfp_text_word(dfp_buf_t *b, dfp_str_t word)
{
    int          changed;
    const char  *p;

    if (word.len == 0) {
        return DFP_OK;
    }

    dfp_buf_cstr(b, b->len ? " " : "");

    if (dfp_str_find(word, DFP_TEXT_SCHEME)) {

        if (dfp_url_redact(b->mem, word, &word, &changed) != DFP_OK) {
            return DFP_ERROR;
        }

        p = dfp_str_find(word, DFP_TEXT_SCHEME);
        p = p ? p : word.data + word.len;

        dfp_buf_append(b, word.data, p - word.data);

        word = (dfp_str_t) { word.data + word.len - p, p };

        if (dfp_url_redact(b->mem, word, &word, &changed) != DFP_OK) {
            return DFP_ERROR;
        }
    }

    dfp_buf_str(b, word);

    return b->failed ? DFP_ERROR : DFP_OK;
}


/* Cuts between two characters, and removes spaces at the end. */

static dfp_str_t
dfp_text_cut(dfp_str_t text, size_t max)
{
    if (text.len > max) {
        text.len = max;

        while (text.len && (text.data[text.len] & 0xc0) == 0x80) {
            text.len--;
        }
    }

    while (text.len && text.data[text.len - 1] == ' ') {
        text.len--;
    }

    return text;
}
