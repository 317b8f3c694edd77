/*
 * Personal access tokens: the request for one, and the secret.
 */

#ifndef DFP_TOKEN_H
#define DFP_TOKEN_H


#include "dfp_mem.h"


#define DFP_TOKEN_LEN        43     /* 256 random bits, base64url, no padding */
#define DFP_TOKEN_MAX_NAME   128
#define DFP_TOKEN_MAX_BIO    1024

#define DFP_TOKEN_JOB                 0x01
#define DFP_TOKEN_CLUSTER             0x02
#define DFP_TOKEN_ORIGIN_CREDENTIALS  0x04


typedef struct {
    dfp_str_t    name;
    dfp_str_t    bio;
    unsigned     scopes;        /* DFP_TOKEN_JOB and so on */
    int64_t      expired_at;    /* milliseconds since 1970 */
    int64_t      user_id;
} dfp_token_t;


/*
 * Parses the body of POST /api/v1/personal-access-tokens; strings are in MEM.
 * name and expired_at (RFC 3339) are required; without scopes, or with [], the
 * token gets job and cluster. NOW is in milliseconds since 1970. DFP_INVALID:
 * err names the field; unknown scopes and an expired_at in the past are
 * refused, too. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_token_parse(dfp_mem_t *mem, dfp_str_t body, int64_t now,
    dfp_token_t *token, dfp_err_t *err);

/* A new secret with a NUL: OUT has room for DFP_TOKEN_LEN + 1 bytes. DFP_ERROR:
 * OpenSSL has no randomness. */
dfp_rc_t dfp_token_generate(char *out);

/*
 * The names of SCOPES, as "job,cluster", with a NUL. A name that does not fit
 * into SIZE bytes is left out, with those after it.
 */
void dfp_token_scopes_print(unsigned scopes, char *out, size_t size);


#endif /* DFP_TOKEN_H */
