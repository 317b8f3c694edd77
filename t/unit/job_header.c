/*
 * The headers of a job: which are passed on, and which are secrets.
 */

#include "job_test.h"


TEST("headers are kept in order")
{
    dfp_job_t  job;

    TAKEN("\"headers\":{\"X-Two-Key\":\"2\",\"X-One-Key\":\"\",\"User-Agent\":"
          "\"a/b\\t\xc3\xa9\"}", &job);
    CHECK_INT(job.nheaders, 3);
    CHECK_STR(job.headers[0].name, "X-Two-Key");
    CHECK_STR(job.headers[1].name, "X-One-Key");
    CHECK_STR(job.headers[1].value, "");
    CHECK_STR(job.headers[2].value, "a/b\t\xc3\xa9");
    check_round_trip(&job);

    TAKEN("\"headers\":{}", &job);
    CHECK_INT(job.nheaders, 0);
    check_round_trip(&job);
}


TEST("there may be 64 headers, names of 128 bytes and values of 8192")
{
    int          i;
    dfp_job_t    job;
    const char  *list;

    list = "";

    for (i = 0; i < DFP_JOB_MAX_HEADERS; i++) {
        list = text_of("%s%s\"X-%d-Key\":\"v\"", list, i ? "," : "", i).data;
    }

    TAKEN(text_of("\"headers\":{%s}", list).data, &job);
    CHECK_INT(job.nheaders, DFP_JOB_MAX_HEADERS);

    REFUSED(text_of("\"headers\":{%s,\"X-Key\":\"v\"}", list).data,
            "args.headers | 64 headers");

    TAKEN(text_of("\"headers\":{\"%skey\":\"v\"}", repeated('n', 125)).data,
          &job);
    REFUSED(text_of("\"headers\":{\"%skey\":\"v\"}", repeated('n', 126)).data,
            "args.headers | 1 | 128 | !#$%&'*+-.^_`|~");

    TAKEN(text_of("\"headers\":{\"X-Key\":\"%s\"}", repeated('v', 8192)).data,
          &job);
    CHECK_INT(job.headers[0].value.len, 8192);
    REFUSED(text_of("\"headers\":{\"X-Key\":\"%s\"}", repeated('v', 8193)).data,
            "args.headers.X-Key | 8192 bytes");
    CHECK_HAS_NOT(err.text, "vvv");
}


TEST("headers that could smuggle something are refused")
{
    size_t  i;

    static const char *const  names[] = {
        "", "X One", "X:", "X\\r\\nY", "X(", "\xc3\xa9", "X\x7f", "\\\"", "@"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        REFUSED(text_of("\"headers\":{\"%s\":\"v\"}", names[i]).data,
                "args.headers | 1 | 128 | !#$%&'*+-.^_`|~");
    }

    REFUSED("\"headers\":[]", "args.headers | object");
    REFUSED("\"headers\":{\"X-Key\":1}", "args.headers.X-Key | string");
    REFUSED("\"headers\":{\"X-Key\":null}", "args.headers.X-Key | string");
    REFUSED("\"headers\":{\"X-Key\":\"a\\r\\nHost: b\"}",
            "args.headers.X-Key | CR | LF");
    CHECK_HAS_NOT(err.text, "Host");
    REFUSED("\"headers\":{\"X-Key\":\"a\\nb\"}",
            "args.headers.X-Key | CR | LF");
    REFUSED("\"headers\":{\"X-Key\":\"a\\u0000b\"}",
            "args.headers.X-Key | NUL");
    REFUSED("\"headers\":{\"X-Key\":\"a\\u0001b\"}",
            "args.headers.X-Key | control characters");
    REFUSED("\"headers\":{\"X-Key\":\"a\x7f\"}",
            "args.headers.X-Key | control characters");
    REFUSED("\"headers\":{\"X-One-Key\":\"1\",\"x-one-key\":\"2\"}",
            "args.headers | x-one-key | twice");
}


TEST("headers that say who asks are passed on, and few others")
{
    size_t     i;
    dfp_job_t  job;

    static const char *const  credentials[] = {
        "Authorization", "AUTHORIZATION", "X-Authorization", "X-JFrog-Art-Api",
        "X-Jwt", "X-Passwd", "X-Pass", "X-PAT", "X-Sig", "X-Bearer", "X-Otp",
        "PRIVATE-TOKEN", "Job-Token", "X-Registry-Auth", "X-Auth-Token",
        "X-AuthToken", "X-Api-Key", "ApiKey", "Api_Key", "x-api-key",
        "X-Amz-Security-Token", "X-Vault-Token", "X-Password", "X-Secret",
        "X-Session", "CF-Access-Client-Id", "CF-Access-Client-Secret",
        "X-Access-Key-Id", "X-Credentials", "X-Hmac", "key", "Auth", "token"
    };

    static const char *const  harmless[] = {
        "User-Agent", "user-agent", "Date", "X-Amz-Date",
        "X-Amz-Content-Sha256", "X-Ms-Version"
    };

    static const char *const  refused[] = {
        "Host", "host", "CONTENT-LENGTH", "Transfer-Encoding", "connection",
        "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "te",
        "Trailer", "Upgrade", "Expect", "Range", "If-Range", "If-Match",
        "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
        "Accept", "accept-encoding", "Accept-Language", "Cookie", "Set-Cookie",
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
        "X-Forwarded-Access-Token", "X_Forwarded_Access_Token",
        "Proxy_Authorization", "Forwarded", "X-Real-IP", "X-Original-URL",
        "X-Original-Auth", "X-Rewrite-URL", "X-HTTP-Method-Override",
        "X-HTTP-Token", "Content-Type", "Cache-Control", "Pragma", "Via",
        "X-Accel-Redirect", "X-Accel-Key", "Sec-WebSocket-Key",
        "Surrogate-Key", "X-Cache-Key", "X-Remote-User", "X-Auth-Request-User",
        "X-Compat", "X-Compass", "X-Capi", "Origin", "Referer", "X-Two", "X"
    };

    for (i = 0; i < sizeof(credentials) / sizeof(credentials[0]); i++) {
        TAKEN(text_of("\"headers\":{\"%s\":\"v\"}", credentials[i]).data, &job);
        CHECK_INT(dfp_job_header_secret(job.headers[0].name), 1);
    }

    for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        TAKEN(text_of("\"headers\":{\"%s\":\"v\"}", harmless[i]).data, &job);
        CHECK_INT(dfp_job_header_secret(job.headers[0].name), 0);
    }

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        REFUSED(text_of("\"headers\":{\"%s\":\"v\"}", refused[i]).data,
                text_of("args.headers | %s | Authorization | User-Agent",
                        refused[i]).data);
    }
}


TEST("headers by which a client says who it is")
{
    size_t  i;

    static const char  *personal[] = {
        "Authorization", "Cookie", "Cookie2", "Proxy-Authorization",
        "PRIVATE-TOKEN", "X-JFrog-Art-Api", "X-Access-Token", "X-Jwt",
        "X-Remote-User", "X-Forwarded-Email", "X-SSL-Client-Cert",
        "Cf-Access-Jwt-Assertion", NULL
    };

    static const char  *others[] = {
        "Accept", "Host", "User-Agent", "Range", "If-None-Match",
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "Connection",
        "Sec-WebSocket-Key", "", NULL
    };

    for (i = 0; personal[i]; i++) {
        CHECK(dfp_header_personal(dfp_test_str(personal[i])));
    }

    for (i = 0; others[i]; i++) {
        CHECK(!dfp_header_personal(dfp_test_str(others[i])));
    }
}
