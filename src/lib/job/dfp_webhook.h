/*
 * Where the end of a job is told: webhook of a job, and the signature of what is
 * sent there (Standard Webhooks 1.0).
 */

#ifndef DFP_WEBHOOK_H
#define DFP_WEBHOOK_H


#include "dfp_buf.h"
#include "dfp_json.h"
#include "dfp_url.h"


#define DFP_WEBHOOK_MAX_SECRET     1024     /* bytes */
#define DFP_WEBHOOK_SIGNATURE_LEN  47       /* "v1," and base64 of 32 bytes */


typedef struct {
    dfp_url_t  url;         /* href.len 0: there is no webhook */
    dfp_str_t  secret;      /* as it was given */
    dfp_str_t  key;         /* its bytes; of "whsec_..." the base64 decoded */
} dfp_webhook_t;


/* Parses the field webhook of IN, if it is there. Results as of the functions of
 * dfp_json.h. */
dfp_rc_t dfp_webhook_parse(dfp_json_t *in, dfp_webhook_t *hook);

/* Parses what dfp_webhook_print() printed; strings are in MEM. */
dfp_rc_t dfp_webhook_open(dfp_mem_t *mem, dfp_str_t text, dfp_webhook_t *hook,
    dfp_err_t *err);

/* Appends the webhook as JSON, with its secret: to be sealed. */
void dfp_webhook_print(dfp_buf_t *b, const dfp_webhook_t *hook);

/* The signature of TEXT, "ID.TIMESTAMP.BODY", with a NUL: SIGNATURE has room for
 * DFP_WEBHOOK_SIGNATURE_LEN + 1 bytes. DFP_ERROR: OpenSSL failed. */
dfp_rc_t dfp_webhook_sign(const dfp_webhook_t *hook, dfp_str_t text,
    char *signature);


#endif /* DFP_WEBHOOK_H */
