/*
 * Requests for tokens, and what is read beside them: times, key files
 * and sealed texts.
 */

#include "dfp_buf.h"
#include "dfp_seal.h"
#include "dfp_time.h"
#include "dfp_token.h"
#include "dfp_fuzz.h"


#define FUZZ_NOW   INT64_C(1764028800000)
#define FUZZ_UUID  DFP_STR("4e37c960-aaf5-4adc-add5-3b1bd9f56bb0")
#define FUZZ_KEY   "000102030405060708090a0b0c0d0e0f"                         \
                   "101112131415161718191a1b1c1d1e1f"


static void
check_time(dfp_str_t text)
{
    int64_t    ms, again;
    dfp_buf_t  b;

    if (dfp_time_parse(text, &ms) != DFP_OK) {
        return;
    }

    MUST(ms >= 0);

    dfp_buf_init(&b, dfp_fuzz_mem(), 0, 0);
    dfp_time_print(&b, ms);

    MUST(dfp_time_parse(dfp_buf_value(&b), &again) == DFP_OK);
    MUST(again == ms);
}


static void
check_token(dfp_str_t body)
{
    int          rc;
    dfp_err_t    err;
    dfp_token_t  token;

    rc = dfp_token_parse(dfp_fuzz_mem(), body, FUZZ_NOW, &token, &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(strlen(err.text) > 0);
        return;
    }

    MUST(token.name.len > 0 && token.name.len <= DFP_TOKEN_MAX_NAME);
    MUST(token.bio.len <= DFP_TOKEN_MAX_BIO);
    MUST(token.scopes != 0);
    MUST(token.expired_at > FUZZ_NOW);
    MUST(token.user_id >= 0);

    MUST(token.scopes < 8);
}


static void
check_change(dfp_str_t body)
{
    int                 rc;
    dfp_err_t           err;
    dfp_token_change_t  change;

    rc = dfp_token_parse_change(dfp_fuzz_mem(), body, &change, &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(strlen(err.text) > 0);
        return;
    }

    MUST(change.bio.len <= DFP_TOKEN_MAX_BIO);
    MUST(change.bio_given || change.bio.len == 0);
    MUST(change.scopes < 8);
    MUST(change.state <= DFP_TOKEN_INACTIVE);
    MUST(change.expired_at >= 0);
    MUST(change.user_id >= 0);
}


/* Nobody can make up a sealed text; what was sealed opens again. */

static void
check_seal(dfp_str_t text)
{
    dfp_err_t        err;
    dfp_str_t        sealed, opened;
    dfp_seal_keys_t  keys, own;

    if (dfp_seal_parse_keys(text, &keys, &err) == DFP_OK) {
        MUST(keys.n == 1 || keys.n == DFP_SEAL_MAX_KEYS);
    }

    MUST(dfp_seal_parse_keys(DFP_STR(FUZZ_KEY), &own, &err) == DFP_OK);
    MUST(dfp_unseal(dfp_fuzz_mem(), &own, FUZZ_UUID, text, &opened, &err)
         == DFP_INVALID);

    MUST(dfp_seal(dfp_fuzz_mem(), &own, FUZZ_UUID, text, &sealed) == DFP_OK);
    MUST(dfp_unseal(dfp_fuzz_mem(), &own, FUZZ_UUID, sealed, &opened, &err)
         == DFP_OK);
    MUST(dfp_str_eq(opened, text));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dfp_str_t  text = { size, (const char *) data };

    check_token(text);
    check_change(text);
    check_time(text);
    check_seal(text);

    dfp_fuzz_free();

    return 0;
}
