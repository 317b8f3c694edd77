/*
 * Webhooks: what is accepted, and how a delivery is signed.
 */

#include "dfp_base64.h"
#include "dfp_hash.h"
#include "dfp_hex.h"
#include "job_test.h"


#define HOOK  "\"webhook\":{\"url\":\"https://hooks.lan/a\",\"secret\":\"s\"}"


TEST("a webhook is beside args, and optional")
{
    dfp_job_t  job;

    TAKEN_TOP(HOOK, &job);
    CHECK_SAME(job.webhook.url.href, DFP_STR("https://hooks.lan/a"));
    CHECK_STR(job.webhook.secret, "s");
    CHECK_STR(job.webhook.key, "s");

    TAKEN_TOP("\"webhook\":null", &job);
    CHECK_INT(job.webhook.url.href.len, 0);
    TAKEN("\"webhook\":{\"url\":1}", &job);
    CHECK_INT(job.webhook.url.href.len, 0);
}


TEST("a webhook needs both of its fields, and a URL that is one")
{
    REFUSED_TOP("\"webhook\":\"https://hooks.lan\"", "webhook | object");
    REFUSED_TOP("\"webhook\":{}", "webhook.url | required");
    REFUSED_TOP("\"webhook\":{\"url\":\"https://hooks.lan\"}",
                "webhook.secret | required");
    REFUSED_TOP("\"webhook\":{\"url\":\"https://hooks.lan\",\"secret\":\"\"}",
                "webhook.secret | required");
    REFUSED_TOP("\"webhook\":{\"url\":\"https://hooks.lan\",\"secret\":7}",
                "webhook.secret | string");
    REFUSED_TOP("\"webhook\":{\"url\":\"ftp://hooks.lan\",\"secret\":\"s\"}",
                "webhook.url | http");
    REFUSED_TOP("\"webhook\":{\"url\":\"https://u:p@hooks.lan\","
                "\"secret\":\"s\"}", "webhook.url | user name");
    REFUSED_TOP("\"webhook\":{\"url\":\"https://hooks.lan/../a\","
                "\"secret\":\"s\"}", "webhook.url");
    REFUSED_TOP("\"webhook\":{\"url\":\"https://hooks.lan\","
                "\"secret\":\"a\\nb\"}", "webhook.secret | CR");
}


TEST("a secret has at most 1024 bytes, a URL 4096")
{
    dfp_job_t  job;

    TAKEN_TOP(text_of("\"webhook\":{\"url\":\"https://hooks.lan\","
                      "\"secret\":\"%s\"}", repeated('x', 1024)).data, &job);
    CHECK_INT(job.webhook.secret.len, 1024);

    REFUSED_TOP(text_of("\"webhook\":{\"url\":\"https://hooks.lan\","
                        "\"secret\":\"%s\"}", repeated('x', 1025)).data,
                "webhook.secret | 1024");
    REFUSED_TOP(text_of("\"webhook\":{\"url\":\"https://hooks.lan/%s\","
                        "\"secret\":\"s\"}", repeated('x', 4096)).data,
                "webhook.url | 4096");
}


TEST("no error shows the secret")
{
    dfp_job_t  job;

    CHECK_INT(parse(DFP_STR("{\"type\":\"preheat\",\"args\":{" FILE_URL "},"
                            "\"webhook\":{\"url\":\"x\",\"secret\":"
                            "\"hunter2\"}}"), &job), DFP_INVALID);
    CHECK_HAS_NOT(err.text, "hunter2");
    CHECK_INT(parse(DFP_STR("{\"type\":\"preheat\",\"args\":{" FILE_URL "},"
                            "\"webhook\":{\"url\":\"http://a\",\"secret\":"
                            "\"whsec_hunter2*\"}}"), &job), DFP_INVALID);
    CHECK_HAS_NOT(err.text, "hunter2");
}


TEST("what is sealed is read again")
{
    dfp_buf_t      b;
    dfp_job_t      job;
    dfp_webhook_t  again;

    TAKEN_TOP("\"webhook\":{\"url\":\"https://HOOKS.lan/a?sig=12345678#x\","
              "\"secret\":\"\\\"\xc3\xa4\"}", &job);

    dfp_buf_init(&b, dfp_test_mem(), 16, 0);
    dfp_webhook_print(&b, &job.webhook);
    CHECK_STR(dfp_buf_value(&b), "{\"url\":\"https://hooks.lan/a?sig=12345678\","
                                 "\"secret\":\"\\\"\xc3\xa4\"}");

    CHECK_INT(dfp_webhook_open(dfp_test_mem(), dfp_buf_value(&b), &again, &err),
              DFP_OK);
    CHECK_SAME(again.url.href, job.webhook.url.href);
    CHECK_SAME(again.secret, job.webhook.secret);

    CHECK_INT(dfp_webhook_open(dfp_test_mem(), DFP_STR("{\"type\":1}"), &again,
                               &err), DFP_INVALID);
}


TEST("a secret as Standard Webhooks serializes it is decoded")
{
    dfp_job_t  job;

    TAKEN_TOP("\"webhook\":{\"url\":\"https://hooks.lan\","
              "\"secret\":\"whsec_c2VjcmV0\"}", &job);
    CHECK_STR(job.webhook.key, "secret");
    CHECK_STR(job.webhook.secret, "whsec_c2VjcmV0");

    REFUSED_TOP("\"webhook\":{\"url\":\"https://hooks.lan\","
                "\"secret\":\"whsec_\"}", "webhook.secret | base64");
    REFUSED_TOP("\"webhook\":{\"url\":\"https://hooks.lan\","
                "\"secret\":\"whsec_c2Vj*\"}", "webhook.secret | base64");

    /* a shorter beginning is none */

    TAKEN_TOP("\"webhook\":{\"url\":\"https://hooks.lan\","
              "\"secret\":\"whsec\"}", &job);
    CHECK_STR(job.webhook.key, "whsec");
}


/* The key and the message that the libraries of Standard Webhooks are tested
 * with. */

TEST("a delivery has the signature that other implementations expect")
{
    char           signature[DFP_WEBHOOK_SIGNATURE_LEN + 1];
    dfp_webhook_t  hook;

    CHECK_INT(dfp_webhook_open(dfp_test_mem(), DFP_STR("{\"url\":\"http://a\","
        "\"secret\":\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"}"), &hook, &err),
        DFP_OK);
    CHECK_INT(dfp_webhook_sign(&hook, DFP_STR("msg_p5jXN8AQM9LWM0D4loKWxJek."
        "1614265330.{\"test\": 2432232314}"), signature), DFP_OK);
    CHECK_TEXT(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}


TEST("an HMAC is that of RFC 4231")
{
    char           hex[DFP_SHA256_HEX_LEN + 1];
    unsigned char  mac[DFP_SHA256_LEN];

    CHECK_INT(dfp_hmac_sha256(DFP_STR("Jefe"),
                              DFP_STR("what do ya want for nothing?"), mac),
              DFP_OK);
    *dfp_hex_print(mac, sizeof(mac), hex) = '\0';
    CHECK_TEXT(hex, "5bdcc146bf60754e6a042426089575c7"
                    "5a003f089d2739839dec58b964ec3843");
}


static int
webhook_in(dfp_mem_t *mem, void *data)
{
    dfp_webhook_t  hook;

    return dfp_webhook_open(mem, DFP_STR("{\"url\":\"http://a\","
                            "\"secret\":\"whsec_c2VjcmV0\"}"), &hook, &err);
}


TEST("no memory is an error of its own")
{
    dfp_test_oom(webhook_in, NULL);
}
