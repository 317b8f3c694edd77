/*
 * Personal access tokens: the request and the secret.
 */

#include <jansson.h>

#include "dfp_buf.h"
#include "dfp_token.h"
#include "dfp_test.h"


#define NOW  INT64_C(1764028800000)    /* 2025-11-25T00:00:00Z */
#define LATE "\"expired_at\":\"2030-01-01T00:00:00Z\""


static dfp_err_t  err;


static dfp_str_t
body_of(const char *before, const char *filling, size_t n, const char *after)
{
    size_t     i;
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);
    dfp_buf_cstr(&b, before);

    for (i = 0; i < n; i++) {
        dfp_buf_cstr(&b, filling);
    }

    dfp_buf_cstr(&b, after);

    return dfp_buf_value(&b);
}


static void
check_refused(dfp_str_t body, const char *facts, int line)
{
    dfp_token_t  token;

    err.text[0] = '\0';

    dfp_test_check_int(dfp_token_parse(dfp_test_mem(), body, NOW, &token,
                                       &err), DFP_INVALID, line, "the result");
    dfp_test_check_says(err.text, facts, line, "the message");
}


static void
check_taken(dfp_str_t body, dfp_token_t *token, int line)
{
    if (!dfp_test_check_int(dfp_token_parse(dfp_test_mem(), body, NOW, token,
                                            &err), DFP_OK, line, "the result"))
    {
        printf("#   %s\n", err.text);
        memset(token, 0, sizeof(dfp_token_t));
    }
}


#define REFUSED(body, facts)  check_refused(body, facts, __LINE__)
#define TAKEN(body, token)       check_taken(body, token, __LINE__)


TEST("the request of Dragonfly's console makes a token")
{
    dfp_token_t  token;

    TAKEN(DFP_STR("{\"name\":\"pat-full\",\"bio\":\"b\",\"scopes\":[\"job\","
                  "\"cluster\"],\"expired_at\":\"2030-01-01T00:00:00Z\","
                  "\"user_id\":1}"), &token);

    CHECK_STR(token.name, "pat-full");
    CHECK_STR(token.bio, "b");
    CHECK_INT(token.scopes, DFP_TOKEN_JOB|DFP_TOKEN_CLUSTER);
    CHECK_INT(token.expired_at, INT64_C(1893456000000));
    CHECK_INT(token.user_id, 1);
}


TEST("name and expired_at are enough")
{
    dfp_token_t  token;

    TAKEN(DFP_STR("{\"name\":\"n\"," LATE "}"), &token);
    CHECK_STR(token.bio, "");
    CHECK_INT(token.scopes, DFP_TOKEN_JOB|DFP_TOKEN_CLUSTER);
    CHECK_INT(token.user_id, 0);

    TAKEN(DFP_STR("{\"name\":\"n\",\"bio\":null,\"scopes\":null,"
                  "\"user_id\":null," LATE "}"), &token);
    CHECK_INT(token.scopes, DFP_TOKEN_JOB|DFP_TOKEN_CLUSTER);
}


TEST("scopes are those asked for, and job and cluster when none is")
{
    dfp_token_t  token;

    TAKEN(DFP_STR("{\"name\":\"n\",\"scopes\":[]," LATE "}"), &token);
    CHECK_INT(token.scopes, DFP_TOKEN_JOB|DFP_TOKEN_CLUSTER);

    TAKEN(DFP_STR("{\"name\":\"n\",\"scopes\":[\"job\"]," LATE "}"), &token);
    CHECK_INT(token.scopes, DFP_TOKEN_JOB);

    TAKEN(DFP_STR("{\"name\":\"n\",\"scopes\":[\"origin-credentials\","
                  "\"job\",\"job\"]," LATE "}"), &token);
    CHECK_INT(token.scopes, DFP_TOKEN_JOB|DFP_TOKEN_ORIGIN_CREDENTIALS);

    REFUSED(DFP_STR("{\"name\":\"n\",\"scopes\":[\"job\",\"banana\"]," LATE
                    "}"), "scopes[1] | job | cluster | origin-credentials");
    REFUSED(DFP_STR("{\"name\":\"n\",\"scopes\":[\"\"]," LATE "}"),
            "scopes[0] | job | cluster | origin-credentials");
    REFUSED(DFP_STR("{\"name\":\"n\",\"scopes\":[1]," LATE "}"),
            "scopes[0] | job | cluster | origin-credentials");
    REFUSED(DFP_STR("{\"name\":\"n\",\"scopes\":\"job\"," LATE "}"),
            "scopes | list");

    TAKEN(body_of("{\"name\":\"n\",\"scopes\":[\"job\"", ",\"job\"", 15,
                  "]," LATE "}"), &token);
    REFUSED(body_of("{\"name\":\"n\",\"scopes\":[\"job\"", ",\"job\"", 16,
                    "]," LATE "}"), "scopes | 16 elements");
}


TEST("names and bios are taken up to their limits")
{
    dfp_token_t  token;

    TAKEN(body_of("{\"name\":\"", "n", DFP_TOKEN_MAX_NAME, "\"," LATE "}"),
          &token);
    CHECK_INT(token.name.len, DFP_TOKEN_MAX_NAME);
    REFUSED(body_of("{\"name\":\"", "n", DFP_TOKEN_MAX_NAME + 1,
                    "\"," LATE "}"), "name | 128 bytes");

    TAKEN(body_of("{\"name\":\"n\",\"bio\":\"", "b", DFP_TOKEN_MAX_BIO,
                  "\"," LATE "}"), &token);
    CHECK_INT(token.bio.len, DFP_TOKEN_MAX_BIO);
    REFUSED(body_of("{\"name\":\"n\",\"bio\":\"", "b", DFP_TOKEN_MAX_BIO + 1,
                    "\"," LATE "}"), "bio | 1024 bytes");
}


TEST("a request without what is required, or with wrong types, is refused")
{
    REFUSED(DFP_STR("{" LATE "}"), "name | required");
    REFUSED(DFP_STR("{\"name\":\"\"," LATE "}"), "name | required");
    REFUSED(DFP_STR("{\"name\":1," LATE "}"), "name | string");
    REFUSED(DFP_STR("{\"name\":\"a\\nb\"," LATE "}"), "name | CR | LF");
    REFUSED(DFP_STR("{\"name\":\"a\\u0000\"," LATE "}"), "name | NUL");
    REFUSED(DFP_STR("{\"name\":\"n\",\"user_id\":-1," LATE "}"),
            "user_id | integer | 0 | 9223372036854775807");
    REFUSED(DFP_STR("[]"), "body | JSON object");
    REFUSED(DFP_STR("{\"name\":"), "body | JSON | line 1 | column 8 | end");
}


TEST("a token must expire, and not in the past")
{
    dfp_token_t  token;

    REFUSED(DFP_STR("{\"name\":\"n\"}"), "expired_at | required");
    REFUSED(DFP_STR("{\"name\":\"n\",\"expired_at\":\"\"}"),
            "expired_at | required");
    REFUSED(DFP_STR("{\"name\":\"n\",\"expired_at\":1893456000}"),
            "expired_at | string");
    REFUSED(DFP_STR("{\"name\":\"n\",\"expired_at\":\"tomorrow\"}"),
            "expired_at | RFC 3339");
    REFUSED(DFP_STR("{\"name\":\"n\",\"expired_at\":"
                    "\"2025-11-25T00:00:00.000Z\"}"), "expired_at | future");
    REFUSED(DFP_STR("{\"name\":\"n\",\"expired_at\":"
                    "\"2025-11-25T01:00:00+01:00\"}"), "expired_at | future");

    TAKEN(DFP_STR("{\"name\":\"n\",\"expired_at\":"
                  "\"2025-11-25T00:00:00.001Z\"}"), &token);
    CHECK_INT(token.expired_at, NOW + 1);

    TAKEN(DFP_STR("{\"name\":\"n\",\"expired_at\":"
                  "\"9999-12-31T23:59:59.999Z\"}"), &token);
}


static dfp_rc_t
change_of(const char *body, dfp_token_change_t *change)
{
    err.text[0] = '\0';

    return dfp_token_parse_change(dfp_test_mem(), dfp_cstr(body), change, &err);
}


TEST("a change says what is to be changed")
{
    dfp_token_change_t  change;

    CHECK_INT(change_of("{\"bio\":\"b\",\"scopes\":[\"cluster\"],"
                        "\"state\":\"inactive\",\"user_id\":7,"
                        "\"expired_at\":\"2030-01-01T00:00:00Z\"}", &change),
              DFP_OK);
    CHECK_STR(change.bio, "b");
    CHECK_INT(change.bio_given, 1);
    CHECK_INT(change.scopes, DFP_TOKEN_CLUSTER);
    CHECK_INT(change.state, DFP_TOKEN_INACTIVE);
    CHECK_INT(change.user_id, 7);
    CHECK_INT(change.expiry_given, 1);
    CHECK_INT(change.expired_at, INT64_C(1893456000000));
}


TEST("what a change does not name stays as it is")
{
    size_t              i;
    dfp_token_change_t  change;

    static const char *const  bodies[] = {
        "{}",
        "{\"name\":\"other\",\"token\":1,\"id\":\"x\"}",
        "{\"bio\":null,\"scopes\":null,\"state\":null,\"user_id\":null,"
            "\"expired_at\":null}",
        /* all fields of a client in Go that has set none of them, but bio */
        "{\"scopes\":null,\"state\":\"\","
            "\"expired_at\":\"0001-01-01T00:00:00Z\",\"user_id\":0}"
    };

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        CHECK_INT(change_of(bodies[i], &change), DFP_OK);
        CHECK_INT(change.bio_given, 0);
        CHECK_INT(change.scopes, 0);
        CHECK_INT(change.state, DFP_TOKEN_ANY_STATE);
        CHECK_INT(change.user_id, 0);
        CHECK_INT(change.expiry_given, 0);
    }
}


TEST("a bio can be cleared, and a token can expire in the past")
{
    dfp_token_change_t  change;

    CHECK_INT(change_of("{\"bio\":\"\",\"state\":\"active\","
                        "\"expired_at\":\"1970-01-01T00:00:00Z\"}", &change),
              DFP_OK);
    CHECK_STR(change.bio, "");
    CHECK_INT(change.bio_given, 1);
    CHECK_INT(change.state, DFP_TOKEN_ACTIVE);
    CHECK_INT(change.expiry_given, 1);
    CHECK_INT(change.expired_at, 0);
}


TEST("a change that is wrong is refused")
{
    size_t              i;
    dfp_token_change_t  change;

    static const char *const  cases[][2] = {
        { "[]", "body | JSON object" },
        { "{\"bio\":1}", "bio | string" },
        { "{\"scopes\":[]}", "scopes | one element | inactive" },
        { "{\"scopes\":\"job\"}", "scopes | list" },
        { "{\"scopes\":[\"job\",\"x\"]}", "scopes[1] | job | cluster" },
        { "{\"state\":\"expired\"}", "state | active or inactive" },
        { "{\"state\":\"Active\"}", "state | active or inactive" },
        { "{\"state\":true}", "state" },
        { "{\"user_id\":-1}", "user_id | 0" },
        { "{\"expired_at\":\"2030-01-01\"}", "expired_at | RFC 3339" },
        { "{\"expired_at\":0}", "expired_at | string" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(change_of(cases[i][0], &change), DFP_INVALID);
        CHECK_SAYS(err.text, cases[i][1]);
    }
}


TEST("states are written in small letters")
{
    dfp_token_state_t  state;

    CHECK_INT(dfp_token_parse_state(DFP_STR(""), &state, &err), DFP_OK);
    CHECK_INT(state, DFP_TOKEN_ANY_STATE);
    CHECK_INT(dfp_token_parse_state(DFP_STR("active"), &state, &err), DFP_OK);
    CHECK_INT(state, DFP_TOKEN_ACTIVE);
    CHECK_INT(dfp_token_parse_state(DFP_STR("inactive"), &state, &err), DFP_OK);
    CHECK_INT(state, DFP_TOKEN_INACTIVE);

    CHECK_INT(dfp_token_parse_state(DFP_STR("activ"), &state, &err),
              DFP_INVALID);
    CHECK_SAYS(err.text, "state | active or inactive");
    CHECK_INT(dfp_token_parse_state(DFP_STR("ACTIVE"), &state, &err),
              DFP_INVALID);
}


static int
run_change(dfp_mem_t *mem, void *data)
{
    dfp_token_change_t  change;

    return dfp_token_parse_change(mem, DFP_STR("{\"bio\":\"b\","
                                  "\"scopes\":[\"job\"],"
                                  "\"expired_at\":\"2030-01-01T00:00:00Z\"}"),
                                  &change, &err);
}


static int
run_parse(dfp_mem_t *mem, void *data)
{
    dfp_token_t  token;

    return dfp_token_parse(mem, DFP_STR("{\"name\":\"n\",\"bio\":\"b\","
                           "\"scopes\":[\"job\"],\"user_id\":2,"
                           "\"expired_at\":\"2030-01-01T00:00:00Z\"}"), NOW,
                           &token, &err);
}


static int
run_lib_parse(dfp_mem_t *mem, void *data)
{
    int          rc;
    dfp_token_t  token;

    /* tokens of less than 16 bytes: jansson loses a byte of longer ones, and
     * says nothing, where it has no memory. So without a time that is right. */

    rc = dfp_token_parse(mem, DFP_STR("{\"name\":\"n\",\"bio\":\"b\","
                         "\"scopes\":[\"job\"],\"user_id\":2,"
                         "\"expired_at\":\"x\"}"), NOW, &token, &err);

    return (rc == DFP_INVALID && token.user_id == 2) ? DFP_OK : rc;
}


TEST("without memory no token is made by halves")
{
    dfp_test_oom(run_parse, NULL);
    dfp_test_oom(run_change, NULL);

    json_set_alloc_funcs(dfp_test_lib_malloc, dfp_test_lib_free);
    dfp_test_lib_oom(run_lib_parse, NULL);
    json_set_alloc_funcs(malloc, free);
}


TEST("a secret is 43 characters of base64url, and another one each time")
{
    int     i;
    size_t  len;
    char    one[DFP_TOKEN_LEN + 1], two[DFP_TOKEN_LEN + 1];

    CHECK_INT(dfp_token_generate(one), DFP_OK);

    for (i = 0; i < 100; i++) {
        CHECK_INT(dfp_token_generate(two), DFP_OK);

        len = strspn(two, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxy"
                     "z0123456789-_");

        CHECK_INT(len, DFP_TOKEN_LEN);
        CHECK_INT(two[DFP_TOKEN_LEN], 0);
        CHECK(strcmp(one, two) != 0);
        memcpy(one, two, sizeof(one));
    }
}


TEST("scopes are printed as names")
{
    char      text[sizeof("job,cluster,origin-credentials")];
    unsigned  scopes;

    static const char *const  names[] = {
        "", "job", "cluster", "job,cluster", "origin-credentials",
        "job,origin-credentials", "cluster,origin-credentials",
        "job,cluster,origin-credentials"
    };

    for (scopes = 0; scopes < 8; scopes++) {
        dfp_token_scopes_print(scopes, text, sizeof(text));
        CHECK_TEXT(text, names[scopes]);
    }
}


TEST("scopes that do not fit are cut between two names")
{
    char  text[16];

    dfp_token_scopes_print(DFP_TOKEN_JOB|DFP_TOKEN_CLUSTER, text,
                           sizeof("job,cluster"));
    CHECK_TEXT(text, "job,cluster");

    dfp_token_scopes_print(DFP_TOKEN_JOB|DFP_TOKEN_CLUSTER, text,
                           sizeof("job,cluster") - 1);
    CHECK_TEXT(text, "job");

    dfp_token_scopes_print(DFP_TOKEN_JOB, text, 1);
    CHECK_TEXT(text, "");

    memcpy(text, "x", 2);
    dfp_token_scopes_print(DFP_TOKEN_JOB, text, 0);
    CHECK_TEXT(text, "x");
}
