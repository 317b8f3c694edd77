/*
 * Credentials of registries as docker and podman keep them: config.json and
 * auth.json.
 */

#ifndef DFP_CREDENTIALS_H
#define DFP_CREDENTIALS_H


#include "dfp_mem.h"


#define DFP_CREDENTIALS_HUB          DFP_STR("docker.io")

#define DFP_CREDENTIALS_MAX_FILE     (1024 * 1024)
#define DFP_CREDENTIALS_MAX_ENTRIES  1000
#define DFP_CREDENTIALS_MAX_KEY      512     /* bytes of an entry's name */
#define DFP_CREDENTIALS_MAX_TEXT     16384   /* username, password, token */
#define DFP_CREDENTIALS_MAX_NAMES    10      /* of entries, in one list */


typedef struct {
    dfp_str_t           authority;  /* lower case, host[:port]; docker.io for
                                       each of Docker Hub's names */
    dfp_str_t           path;       /* "" or "team", "team/app": of podman's
                                       keys that name a repository */
    dfp_str_t           username;
    dfp_str_t           password;
    dfp_str_t           token;      /* registrytoken: a ready Bearer token */
    dfp_str_t           identity;   /* identitytoken: a refresh token */
} dfp_credential_t;


typedef struct {
    dfp_credential_t   *list;
    size_t              n;
    size_t              unusable;   /* entries that only a helper program could
                                       make use of, and ... */
    dfp_str_t           unused;     /* ... what they are called */
    dfp_str_t           helped;     /* what is in credHelpers; "": nothing */
    unsigned            store:1;    /* there is a credsStore */
} dfp_credentials_t;


/*
 * Parses the text of a config.json: the object "auths", whose keys are
 * "registry.lan:5000", "https://registry.lan", "https://index.docker.io/v1/",
 * "registry.lan/team" ...; of a key that is a URL with a path "/v1/" or "/v2/"
 * only the authority counts. An entry has "auth" (base64 of username:password;
 * padding may be missing), or username and password, registrytoken or
 * identitytoken. "auth" wins where both forms are there. An entry with nothing
 * usable (empty, as with a credsStore) is counted, not listed. Of these, and of
 * those in "credHelpers", the first DFP_CREDENTIALS_MAX_NAMES are named, for a log.
 * What else is in the file ("HttpHeaders" ...) is passed over. DFP_INVALID: no JSON object, a wrong type, a key that names no host,
 * base64 that is none, no ":" in it, control characters, one of the limits; err
 * names the entry by its key, and never shows a value.
 */
dfp_rc_t dfp_credentials_parse(dfp_mem_t *mem, dfp_str_t text,
    dfp_credentials_t *credentials, dfp_err_t *err);

/*
 * What is there for a repository of the registry at AUTHORITY (host, and port
 * where it is not the scheme's own, lower case; Docker Hub's names are all the
 * same): the entry with the longest path that is a whole part of NAME, as
 * containers-auth.json(5) has it. NAME may be "". NULL: none.
 */
const dfp_credential_t *dfp_credentials_find(
    const dfp_credentials_t *credentials, dfp_str_t authority, dfp_str_t name);

/* Whether AUTHORITY is one of Docker Hub's: docker.io, index.docker.io,
 * registry-1.docker.io, www.docker.io, registry.hub.docker.com. */
int dfp_docker_hub(dfp_str_t authority);


#endif /* DFP_CREDENTIALS_H */
