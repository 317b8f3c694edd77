/*
 * The challenge of a 401 (RFC 9110, 11.6.1), the request to a token service and
 * its answer: the protocol of the distribution project ("Token Authentication
 * Specification"), as registries and their clients implement it.
 */

#ifndef DFP_CHALLENGE_H
#define DFP_CHALLENGE_H


#include "dfp_url.h"


#define DFP_CHALLENGE_MAX_HEADERS  16     /* WWW-Authenticate of one answer */
#define DFP_CHALLENGE_MAX_LEN      4096   /* bytes of one of them */
#define DFP_CHALLENGE_MAX_PARAMS   64     /* parameters of one challenge */
#define DFP_CHALLENGE_MAX_SCOPES   16     /* of one challenge */
#define DFP_CHALLENGE_MAX_TOKEN    16384  /* bytes of a token */
#define DFP_CHALLENGE_EXPIRES      60     /* s, if the service sends none
                                             (Token Authentication
                                             Specification) */
#define DFP_CHALLENGE_EXPIRES_MAX  86400  /* s; a longer time is cut */
#define DFP_CHALLENGE_CLIENT       "dfpreheat"    /* client_id of a form */
#define DFP_REGISTRY_ERROR_MAX     256    /* bytes of a registry's message */


typedef enum {
    DFP_CHALLENGE_BEARER = 1,
    DFP_CHALLENGE_BASIC
} dfp_challenge_scheme_t;


typedef struct {
    dfp_challenge_scheme_t  scheme;
    dfp_url_t               realm;      /* of Bearer: the token service */
    dfp_str_t               service;    /* "" where not given */
    dfp_str_t               scope;      /* as given: words between spaces */
    dfp_str_t               error;      /* error=, as insufficient_scope */
} dfp_challenge_t;


typedef struct {
    dfp_str_t               token;
    int64_t                 expires;    /* seconds from when it was issued */
} dfp_registry_token_t;


/* An answer that is an error. */
typedef struct {
    dfp_str_t               body;
    dfp_str_t               type;       /* Content-Type, "" where not given */
    const dfp_str_t        *secrets;    /* that were sent, and may be quoted */
    size_t                  nsecrets;
    unsigned                cut:1;      /* the body is not complete */
} dfp_registry_answer_t;


/*
 * Picks the challenge to answer from the WWW-Authenticate headers of a 401, in
 * their order: the first Bearer whose realm is a URL that dfp_url_parse()
 * accepts, otherwise the first Basic. The result is printable ASCII in MEM.
 *
 * A header may have several challenges, schemes and parameter names in any
 * letter case, tokens, quoted strings with escapes and commas, token68, empty
 * list elements, and spaces around "=". A duplicate parameter, or a syntax
 * error, makes that challenge and the rest of its header invalid, but not
 * other headers.
 *
 * DFP_DECLINED: no challenge can be answered; err says what was offered, in a
 * sentence whose subject is "it", the server. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_challenge_pick(dfp_mem_t *mem, const dfp_str_t *headers, size_t n,
    dfp_challenge_t *challenge, dfp_err_t *err);

/*
 * The URL from which a token is requested: the realm, to whose query are added
 * service, a scope for each word, and account unless it is "". The result is in
 * MEM. DFP_INVALID: the URL is longer than DFP_URL_MAX_LEN, or there are more
 * than DFP_CHALLENGE_MAX_SCOPES words; err begins with WHAT. DFP_ERROR: no
 * memory.
 */
dfp_rc_t dfp_challenge_url(dfp_mem_t *mem, const dfp_challenge_t *challenge,
    dfp_str_t account, const char *what, dfp_url_t *url, dfp_err_t *err);

/*
 * The form that exchanges the REFRESH token for an access token for service
 * and scope (distribution project, "OAuth2 Token Authentication"). It is sent
 * to the realm by POST, if there is no password. *FORM is in MEM. DFP_ERROR:
 * no memory.
 */
dfp_rc_t dfp_challenge_form(dfp_mem_t *mem, const dfp_challenge_t *challenge,
    dfp_str_t refresh, dfp_str_t *form);

/*
 * Parses the answer of a token service: "token" or "access_token", which must
 * be equal if both are given, and "expires_in" in seconds
 * (DFP_CHALLENGE_EXPIRES if it is missing, null, 0 or negative; at most
 * DFP_CHALLENGE_EXPIRES_MAX). The token is in MEM. DFP_INVALID: not a JSON
 * object, no token, or one that is too long or is not printable ASCII without
 * spaces; err never shows the answer. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_registry_token_parse(dfp_mem_t *mem, dfp_str_t body,
    dfp_registry_token_t *token, dfp_err_t *err);

/*
 * The message in the body of an error, in MEM:
 *
 *   code and message of the first element of "errors" (OCI distribution
 *   specification, "Error Codes"), as "DENIED: requested access is denied";
 *   or "error", "details" or "message", which token services send;
 *   or the body itself, if it is plain text (by its type, or without one) and
 *   not JSON;
 *   for HTML and XML the media type only.
 *
 * Secrets are removed, also one that was cut at the end of the body, and the
 * result is made printable by dfp_text_clean(), with at most
 * DFP_REGISTRY_ERROR_MAX bytes. DFP_DECLINED: the body has no message; *TEXT
 * is "". DFP_ERROR: no memory.
 */
dfp_rc_t dfp_registry_error(dfp_mem_t *mem,
    const dfp_registry_answer_t *answer, dfp_str_t *text);

/* The value of Authorization for a user name and a password (RFC 7617), in
 * MEM. DFP_INVALID: the user name has a ":", or both together are too long.
 * DFP_ERROR: no memory. */
dfp_rc_t dfp_basic_print(dfp_mem_t *mem, dfp_str_t username,
    dfp_str_t password, dfp_str_t *value);


#endif /* DFP_CHALLENGE_H */
