/*
 * What the tests of credentials share: files of one entry, and what becomes of
 * them.
 */

#ifndef CREDENTIALS_TEST_H
#define CREDENTIALS_TEST_H


#include "dfp_buf.h"
#include "dfp_credentials.h"
#include "dfp_test.h"


/* base64 of "bob:secret" */
#define BOB  "{\"auth\":\"Ym9iOnNlY3JldA==\"}"


static dfp_credentials_t  credentials;
static dfp_err_t          err;


static inline int
parse(dfp_str_t text)
{
    int  rc;

    err.text[0] = '\0';
    memset(&credentials, 0xa5, sizeof(dfp_credentials_t));

    rc = dfp_credentials_parse(dfp_test_mem(), text, &credentials, &err);

    CHECK((rc == DFP_INVALID) == (err.text[0] != '\0'));

    return rc;
}


/* After a failure the list is full of nothing, so that a test may go on. */

static inline void
check_taken(dfp_str_t text, size_t n, size_t unusable, int line)
{
    static dfp_credential_t  nothing[DFP_CREDENTIALS_MAX_ENTRIES];

    if (dfp_test_check_int(parse(text), DFP_OK, line, "the result")) {
        dfp_test_check_int(credentials.n, n, line, "listed");
        dfp_test_check_int(credentials.unusable, unusable, line, "unusable");

        if (credentials.n == n) {
            return;
        }

    } else {
        printf("#   %s\n", err.text);
    }

    credentials.list = nothing;
    credentials.n = 0;
}


static inline void
check_refused(dfp_str_t text, const char *facts, int line)
{
    dfp_test_check_int(parse(text), DFP_INVALID, line, "the result");
    dfp_test_check_says(err.text, facts, line, "the message");
    dfp_test_check_has(err.text, "secret", 0, line, "the message");

    /* nothing is left by halves */

    dfp_test_check_int(credentials.n + credentials.unusable, 0, line,
                       "listed");
    dfp_test_check(credentials.list == NULL, line, "the list");
}


/* A file with one entry. */

static inline dfp_str_t
entry_of(const char *key, const char *value)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_cstr(&b, "{\"auths\":{");
    dfp_buf_json(&b, dfp_test_str(key));
    dfp_buf_cstr(&b, ":");
    dfp_buf_cstr(&b, value);
    dfp_buf_cstr(&b, "}}");

    return dfp_buf_value(&b);
}


/* N bytes: START, and then CH again and again. */

static inline const char *
filled(const char *start, char ch, size_t n)
{
    char  *text;

    text = dfp_test_alloc(NULL, n + 1);
    memset(text, ch, n);
    memcpy(text, start, strlen(start));
    text[n] = '\0';

    return text;
}


#define TAKEN(text, n, unusable)                                              \
    check_taken(DFP_STR(text), n, unusable, __LINE__)
#define REFUSED(text, facts)                                                  \
    check_refused(DFP_STR(text), facts, __LINE__)


#endif /* CREDENTIALS_TEST_H */
