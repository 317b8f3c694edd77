/*
 * Times as RFC 3339 writes them.
 */

#include <time.h>

#include "dfp_time.h"


#define DFP_DAY       86400     /* s */

/* 9999-12-31T23:59:59.999Z: RFC 3339 has no years of five digits */
#define DFP_TIME_MAX  INT64_C(253402300799999)


typedef struct {
    const char  *p;
    const char  *last;
} dfp_time_text_t;


typedef struct {
    int64_t      year;
    int64_t      month;
    int64_t      day;
    int64_t      hour;
    int64_t      minute;
    int64_t      second;
    int64_t      ms;
    int64_t      offset;    /* east of Greenwich, in minutes */
} dfp_time_t;


static dfp_rc_t dfp_time_scan(dfp_time_text_t *text, dfp_time_t *t);
static dfp_rc_t dfp_time_digits(dfp_time_text_t *text, int n, int64_t *value);
static dfp_rc_t dfp_time_char(dfp_time_text_t *text, const char *any);
static dfp_rc_t dfp_time_fraction(dfp_time_text_t *text, int64_t *ms);
static dfp_rc_t dfp_time_offset(dfp_time_text_t *text, int64_t *offset);
static dfp_rc_t dfp_time_seconds(const dfp_time_t *t, int64_t *seconds);
static void dfp_time_number(char *p, int number, int n);


dfp_rc_t
dfp_time_parse(dfp_str_t text, int64_t *ms)
{
    int64_t          seconds, value;
    dfp_time_t       t;
    dfp_time_text_t  in;

    if (text.len == 0) {
        return DFP_INVALID;
    }

    in.p = text.data;
    in.last = text.data + text.len;

    if (dfp_time_scan(&in, &t) != DFP_OK || in.p != in.last
        || dfp_time_seconds(&t, &seconds) != DFP_OK)
    {
        return DFP_INVALID;
    }

    /* a leap second ends a day of UTC */

    if (t.second == 60 && seconds % DFP_DAY != 0) {
        return DFP_INVALID;
    }

    value = seconds * 1000 + t.ms;

    if (value < 0 || value > DFP_TIME_MAX) {
        return DFP_INVALID;
    }

    *ms = value;

    return DFP_OK;
}


static dfp_rc_t
dfp_time_scan(dfp_time_text_t *text, dfp_time_t *t)
{
    if (dfp_time_digits(text, 4, &t->year) != DFP_OK
        || dfp_time_char(text, "-") != DFP_OK
        || dfp_time_digits(text, 2, &t->month) != DFP_OK
        || dfp_time_char(text, "-") != DFP_OK
        || dfp_time_digits(text, 2, &t->day) != DFP_OK
        || dfp_time_char(text, "Tt") != DFP_OK
        || dfp_time_digits(text, 2, &t->hour) != DFP_OK
        || dfp_time_char(text, ":") != DFP_OK
        || dfp_time_digits(text, 2, &t->minute) != DFP_OK
        || dfp_time_char(text, ":") != DFP_OK
        || dfp_time_digits(text, 2, &t->second) != DFP_OK)
    {
        return DFP_INVALID;
    }

    if (dfp_time_fraction(text, &t->ms) != DFP_OK) {
        return DFP_INVALID;
    }

    return dfp_time_offset(text, &t->offset);
}


static dfp_rc_t
dfp_time_digits(dfp_time_text_t *text, int n, int64_t *value)
{
    *value = 0;

    while (n--) {
        if (text->p == text->last || *text->p < '0' || *text->p > '9') {
            return DFP_INVALID;
        }

        *value = *value * 10 + (*text->p++ - '0');
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_time_char(dfp_time_text_t *text, const char *any)
{
    if (text->p == text->last || memchr(any, *text->p, strlen(any)) == NULL) {
        return DFP_INVALID;
    }

    text->p++;

    return DFP_OK;
}


/* At least one digit; what is finer than a millisecond is cut off. */

static dfp_rc_t
dfp_time_fraction(dfp_time_text_t *text, int64_t *ms)
{
    int64_t  digit, unit;

    *ms = 0;

    if (dfp_time_char(text, ".") != DFP_OK) {
        return DFP_OK;
    }

    if (dfp_time_digits(text, 1, &digit) != DFP_OK) {
        return DFP_INVALID;
    }

    unit = 100;

    do {
        *ms += digit * unit;
        unit /= 10;
    } while (dfp_time_digits(text, 1, &digit) == DFP_OK);

    return DFP_OK;
}


static dfp_rc_t
dfp_time_offset(dfp_time_text_t *text, int64_t *offset)
{
    int64_t  sign, hours, minutes;

    *offset = 0;

    if (dfp_time_char(text, "Zz") == DFP_OK) {
        return DFP_OK;
    }

    if (dfp_time_char(text, "+") == DFP_OK) {
        sign = 1;

    } else if (dfp_time_char(text, "-") == DFP_OK) {
        sign = -1;

    } else {
        return DFP_INVALID;
    }

    if (dfp_time_digits(text, 2, &hours) != DFP_OK
        || dfp_time_char(text, ":") != DFP_OK
        || dfp_time_digits(text, 2, &minutes) != DFP_OK
        || hours > 23 || minutes > 59)
    {
        return DFP_INVALID;
    }

    *offset = sign * (hours * 60 + minutes);

    return DFP_OK;
}


static dfp_rc_t
dfp_time_seconds(const dfp_time_t *t, int64_t *seconds)
{
    time_t     midnight;
    struct tm  tm;

    if (t->hour > 23 || t->minute > 59 || t->second > 60) {
        return DFP_INVALID;
    }

    memset(&tm, 0, sizeof(struct tm));

    tm.tm_year = t->year - 1900;
    tm.tm_mon = t->month - 1;
    tm.tm_mday = t->day;

    midnight = timegm(&tm);

    /* timegm() has turned a date that does not exist into another one */

    if (tm.tm_mon != t->month - 1 || tm.tm_mday != t->day) {
        return DFP_INVALID;
    }

    *seconds = (int64_t) midnight + t->hour * 3600
               + (t->minute - t->offset) * 60 + t->second;

    return DFP_OK;
}


void
dfp_time_print(dfp_buf_t *b, int64_t ms)
{
    char       text[] = "1970-01-01T00:00:00.000Z";
    time_t     sec;
    struct tm  tm;

    if (ms < 0) {
        ms = 0;
    }

    if (ms > DFP_TIME_MAX) {
        ms = DFP_TIME_MAX;
    }

    sec = ms / 1000;
    (void) gmtime_r(&sec, &tm);

    dfp_time_number(text, tm.tm_year + 1900, 4);
    dfp_time_number(text + 5, tm.tm_mon + 1, 2);
    dfp_time_number(text + 8, tm.tm_mday, 2);
    dfp_time_number(text + 11, tm.tm_hour, 2);
    dfp_time_number(text + 14, tm.tm_min, 2);
    dfp_time_number(text + 17, tm.tm_sec, 2);
    dfp_time_number(text + 20, ms % 1000, 3);

    dfp_buf_append(b, text, sizeof(text) - 1);
}


/* By hand: a list of jobs has many times, and snprintf() is slow. */

static void
dfp_time_number(char *p, int number, int n)
{
    while (n--) {
        p[n] = '0' + number % 10;
        number /= 10;
    }
}
