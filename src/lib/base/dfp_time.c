/*
 * Times in text: RFC 3339 to milliseconds since 1970.
 */

#include "dfp_token.h"


#define DFP_DAY            86400
#define DFP_DAYS_TO_1970   719468    /* from 0000-03-01 */

/* 9999-12-31T23:59:59.999Z */
#define DFP_TIME_MAX       INT64_C(253402300799999)


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
static int dfp_time_valid(const dfp_time_t *t);
static int64_t dfp_time_days(int64_t year, int64_t month, int64_t day);


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
        || !dfp_time_valid(&t))
    {
        return DFP_INVALID;
    }

    seconds = dfp_time_days(t.year, t.month, t.day) * DFP_DAY
              + t.hour * 3600 + (t.minute - t.offset) * 60 + t.second;

    /* a leap second is the last of a day in UTC */

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


/* One digit at least; what is finer than a millisecond is cut off. */

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


static int
dfp_time_valid(const dfp_time_t *t)
{
    int  leap, days;

    static const int  month_days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    /* the last day of 1969 is in 1970 already, west of Greenwich */

    if (t->year < 1969 || t->month < 1 || t->month > 12) {
        return 0;
    }

    leap = (t->year % 4 == 0 && t->year % 100 != 0) || t->year % 400 == 0;
    days = month_days[t->month - 1] + (t->month == 2 && leap);

    return t->day >= 1 && t->day <= days && t->hour <= 23 && t->minute <= 59
           && t->second <= 60;
}


/* Days since 1970-01-01. Counted from the first of March, the leap day is the
 * last of its year, and the months before it follow a formula. */

static int64_t
dfp_time_days(int64_t year, int64_t month, int64_t day)
{
    if (month <= 2) {
        year--;
        month += 12;
    }

    return year * 365 + year / 4 - year / 100 + year / 400
           + (153 * (month - 3) + 2) / 5 + day - 1 - DFP_DAYS_TO_1970;
}
