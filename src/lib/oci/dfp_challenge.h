/*
 * What a 401 asks for (RFC 9110, 11.6.1), and what a token service answers:
 * the protocol of the distribution project ("Token Authentication
 * Specification"), as registries and their clients speak it.
 */

#ifndef DFP_CHALLENGE_H
#define DFP_CHALLENGE_H


#include "dfp_url.h"


#define DFP_CHALLENGE_MAX_HEADERS  16     /* WWW-Authenticate of one answer */
#define DFP_CHALLENGE_MAX_LEN      4096   /* bytes of one of them */
#define DFP_CHALLENGE_MAX_PARAMS   64     /* parameters of one challenge */
#define DFP_CHALLENGE_MAX_SCOPES   16     /* of one challenge */
#define DFP_CHALLENGE_MAX_TOKEN    16384  /* bytes of a token */
#define DFP_CHALLENGE_EXPIRES      60     /* s, where the service says nothing
                                             (Token Authentication
                                             Specification) */
#define DFP_CHALLENGE_EXPIRES_MAX  86400  /* s, as believed */
#define DFP_CHALLENGE_CLIENT       "dfpreheat"    /* client_id of a form */
#define DFP_REGISTRY_ERROR_MAX     256    /* bytes of a registry's own words */


typedef enum {
    DFP_CHALLENGE_BEARER = 1,
    DFP_CHALLENGE_BASIC
} dfp_challenge_scheme_t;


typedef struct {
    dfp_challenge_scheme_t  scheme;
    dfp_url_t               realm;      /* of Bearer: the token service */
    dfp_str_t               service;    /* "" where not given */
    dfp_str_t               scope;      /* as given: words between blanks */
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
    const dfp_str_t        *secrets;    /* what was sent, and may be repeated */
    size_t                  nsecrets;
    unsigned                cut:1;      /* there was more of the body */
} dfp_registry_answer_t;


/*
 * Picks the challenge to answer from the WWW-Authenticate headers of a 401, all
 * of them in order: the first Bearer whose realm is a URL that dfp_url_parse()
 * takes, else the first Basic. Schemes and parameter names in any letter case;
 * several challenges in one header; tokens, quoted strings with escapes and
 * commas, token68; empty list elements; blanks around "=". A parameter that is
 * there twice, or a header that does not follow the grammar, spoils that
 * challenge, and what follows it in the header, and nothing else. DFP_DECLINED:
 * none can be answered, and err says what was offered, as what "it" (who has
 * answered 401) does. Results are printable ASCII.
 */
dfp_rc_t dfp_challenge_pick(dfp_mem_t *mem, const dfp_str_t *headers, size_t n,
    dfp_challenge_t *challenge, dfp_err_t *err);

/*
 * The URL that a token is asked of: the realm with service, a scope for each
 * word, and account (not where it is "") appended to its query, escaped as
 * RFC 3986 wants. WHAT begins the error. DFP_INVALID: the URL becomes longer
 * than DFP_URL_MAX_LEN, or there are more than DFP_CHALLENGE_MAX_SCOPES words.
 */
dfp_rc_t dfp_challenge_url(dfp_mem_t *mem, const dfp_challenge_t *challenge,
    dfp_str_t account, const char *what, dfp_url_t *url, dfp_err_t *err);

/*
 * The form that a token service takes instead of a password (distribution project,
 * "OAuth2 Token Authentication"), to be sent to the realm by POST: an access token
 * for service and scope in return for the REFRESH token. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_challenge_form(dfp_mem_t *mem, const dfp_challenge_t *challenge,
    dfp_str_t refresh, dfp_str_t *form);

/*
 * The answer of a token service: "token" or "access_token" (the same where both
 * are there), "expires_in" in seconds (DFP_CHALLENGE_EXPIRES where it is
 * missing, null, 0 or negative; never more than DFP_CHALLENGE_EXPIRES_MAX).
 * DFP_INVALID: no JSON object, no token, one that is too long or has other
 * bytes than printable ASCII without blanks. err never shows what was there.
 */
dfp_rc_t dfp_registry_token_parse(dfp_mem_t *mem, dfp_str_t body,
    dfp_registry_token_t *token, dfp_err_t *err);

/*
 * A registry's own words from the body of an error: the code and message of the
 * first element of "errors" (OCI distribution specification, "Error Codes"), as
 * "DENIED: requested access is denied"; or "error", "details" or "message" as
 * token services have it; or the body itself where it is plain text (by its type,
 * or without one) and no JSON; of HTML and XML only the type is told. Without
 * secrets, also one that the end of the body cuts; only printable characters, at
 * most DFP_REGISTRY_ERROR_MAX bytes, URLs in it without their signatures (each word
 * that has "://" by dfp_url_redact()). DFP_DECLINED: nothing of the kind is
 * there; *TEXT is then "".
 */
dfp_rc_t dfp_registry_error(dfp_mem_t *mem,
    const dfp_registry_answer_t *answer, dfp_str_t *text);

/* "Basic " and the base64 of "USERNAME:PASSWORD" (RFC 7617). DFP_INVALID: a ":"
 * in the user name, or both together are too long. */
dfp_rc_t dfp_basic_print(dfp_mem_t *mem, dfp_str_t username,
    dfp_str_t password, dfp_str_t *value);


#endif /* DFP_CHALLENGE_H */
