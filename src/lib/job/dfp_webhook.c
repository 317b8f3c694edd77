/*
 * Where the end of a job is told.
 */

#include <openssl/evp.h>

#include "dfp_base64.h"
#include "dfp_hash.h"
#include "dfp_webhook.h"


/* the serialization of Standard Webhooks: its libraries decode the rest */
#define DFP_WEBHOOK_PREFIX  "whsec_"

#define DFP_WEBHOOK_PREFIX_LEN  (sizeof(DFP_WEBHOOK_PREFIX) - 1)


static dfp_rc_t dfp_webhook_parse_fields(dfp_json_t *in, dfp_webhook_t *hook);
static dfp_rc_t dfp_webhook_parse_secret(dfp_json_t *in, dfp_webhook_t *hook);


dfp_rc_t
dfp_webhook_parse(dfp_json_t *in, dfp_webhook_t *hook)
{
    dfp_rc_t       rc;
    dfp_json_t     sub;
    const json_t  *object;

    object = NULL;

    rc = dfp_json_object(in, "webhook", &object);

    if (rc != DFP_OK || object == NULL) {
        return rc;
    }

    sub = *in;
    sub.object = object;
    sub.prefix = "webhook.";

    return dfp_webhook_parse_fields(&sub, hook);
}


static dfp_rc_t
dfp_webhook_parse_fields(dfp_json_t *in, dfp_webhook_t *hook)
{
    dfp_rc_t   rc;
    dfp_str_t  url;

    rc = dfp_json_line(in, "url", DFP_URL_MAX_LEN, &url);
    if (rc != DFP_OK) {
        return rc;
    }

    if (url.len == 0) {
        return dfp_invalid(in->err, "%surl is required", in->prefix);
    }

    rc = dfp_url_parse(in->mem, url, "webhook.url", &hook->url, in->err);
    if (rc != DFP_OK) {
        return rc;
    }

    return dfp_webhook_parse_secret(in, hook);
}


static dfp_rc_t
dfp_webhook_parse_secret(dfp_json_t *in, dfp_webhook_t *hook)
{
    char      *key;
    size_t     len;
    dfp_rc_t   rc;
    dfp_str_t  coded;

    rc = dfp_json_line(in, "secret", DFP_WEBHOOK_MAX_SECRET, &hook->secret);
    if (rc != DFP_OK) {
        return rc;
    }

    if (hook->secret.len == 0) {
        return dfp_invalid(in->err, "%ssecret is required", in->prefix);
    }

    hook->key = hook->secret;

    if (hook->secret.len < DFP_WEBHOOK_PREFIX_LEN
        || memcmp(hook->secret.data, DFP_WEBHOOK_PREFIX,
                  DFP_WEBHOOK_PREFIX_LEN)
           != 0)
    {
        return DFP_OK;
    }

    coded.data = hook->secret.data + DFP_WEBHOOK_PREFIX_LEN;
    coded.len = hook->secret.len - DFP_WEBHOOK_PREFIX_LEN;

    key = in->mem->alloc(in->mem->ctx, coded.len + 1);
    if (key == NULL) {
        return DFP_ERROR;
    }

    if (dfp_base64_decode(coded, key, &len) != DFP_OK || len == 0) {
        return dfp_invalid(in->err, "%ssecret begins with "
                           "\"" DFP_WEBHOOK_PREFIX "\": base64 must follow",
                           in->prefix);
    }

    hook->key = (dfp_str_t) { len, key };

    return DFP_OK;
}


dfp_rc_t
dfp_webhook_open(dfp_mem_t *mem, dfp_str_t text, dfp_webhook_t *hook,
    dfp_err_t *err)
{
    dfp_rc_t    rc;
    dfp_json_t  in;

    memset(hook, 0, sizeof(dfp_webhook_t));

    rc = dfp_json_open(&in, mem, text, "webhook", "webhook.", err);
    if (rc != DFP_OK) {
        return rc;
    }

    rc = dfp_webhook_parse_fields(&in, hook);

    dfp_json_close(&in);

    return rc;
}


void
dfp_webhook_print(dfp_buf_t *b, const dfp_webhook_t *hook)
{
    dfp_buf_cstr(b, "{\"url\":");
    dfp_buf_json(b, hook->url.href);
    dfp_buf_cstr(b, ",\"secret\":");
    dfp_buf_json(b, hook->secret);
    dfp_buf_cstr(b, "}");
}


dfp_rc_t
dfp_webhook_sign(const dfp_webhook_t *hook, dfp_str_t text, char *signature)
{
    unsigned char  mac[DFP_SHA256_LEN];

    static const char  version[] = "v1,";

    if (dfp_hmac_sha256(hook->key, text, mac) != DFP_OK) {
        return DFP_ERROR;
    }

    memcpy(signature, version, sizeof(version) - 1);

    (void) EVP_EncodeBlock((unsigned char *) signature + sizeof(version) - 1,
                           mac, sizeof(mac));

    return DFP_OK;
}
