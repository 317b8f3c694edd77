/*
 * Personal access tokens: the requests to make and to change one, and the
 * secret.
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

typedef enum {
    DFP_TOKEN_ANY_STATE = 0,
    DFP_TOKEN_ACTIVE,
    DFP_TOKEN_INACTIVE
} dfp_token_state_t;


/* What is to be changed; the rest stays as it is. */
typedef struct {
    dfp_str_t          bio;           /* if bio_given */
    unsigned           scopes;        /* 0: not given */
    dfp_token_state_t  state;         /* ANY_STATE: not given */
    int64_t            expired_at;    /* if expiry_given */
    int64_t            user_id;       /* 0: not given */
    unsigned           bio_given:1;
    unsigned           expiry_given:1;
} dfp_token_change_t;


/*
 * Parses the body of POST /api/v1/personal-access-tokens; strings are in MEM.
 * name and expired_at (RFC 3339) are required; without scopes, or with [], the
 * token gets job and cluster. NOW is in milliseconds since 1970. DFP_INVALID:
 * err names the field; unknown scopes and an expired_at in the past are
 * refused, too. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_token_parse(dfp_mem_t *mem, dfp_str_t body, int64_t now,
    dfp_token_t *token, dfp_err_t *err);

/*
 * Parses the body of PATCH /api/v1/personal-access-tokens/:id. An expired_at in
 * the past is accepted; the zero time of Go, which clients of the manager send
 * for none, means that it is not given. "scopes": [] is refused: the manager
 * would take it for all scopes, and a reader for none. Results as above.
 */
dfp_rc_t dfp_token_parse_change(dfp_mem_t *mem, dfp_str_t body,
    dfp_token_change_t *change, dfp_err_t *err);

/* Parses the name of a state; "": any. DFP_INVALID: there is no such state. */
dfp_rc_t dfp_token_parse_state(dfp_str_t name, dfp_token_state_t *state,
    dfp_err_t *err);

/* A new secret with a NUL: OUT has room for DFP_TOKEN_LEN + 1 bytes. DFP_ERROR:
 * OpenSSL has no randomness. */
dfp_rc_t dfp_token_generate(char *out);

/*
 * The names of SCOPES, as "job,cluster", with a NUL. A name that does not fit
 * into SIZE bytes is left out, with those after it.
 */
void dfp_token_scopes_print(unsigned scopes, char *out, size_t size);


#endif /* DFP_TOKEN_H */
