/*
 * Credentials of registries in the files of docker and podman: config.json and
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
                                       all names of Docker Hub */
    dfp_str_t           path;       /* "", or "team", "team/app" if the key
                                       names a repository, as in podman */
    dfp_str_t           username;
    dfp_str_t           password;
    dfp_str_t           token;      /* registrytoken: a ready Bearer token */
    dfp_str_t           identity;   /* identitytoken: a refresh token */
} dfp_credential_t;


typedef struct {
    dfp_credential_t   *list;
    size_t              n;
    size_t              unusable;   /* number of entries without credentials,
                                       which a helper program would have */
    dfp_str_t           unused;     /* their names */
    dfp_str_t           helped;     /* the names in credHelpers; "": none */
    unsigned            store:1;    /* there is a credsStore */
} dfp_credentials_t;


/*
 * Parses a config.json; the result is in MEM. The keys of its object "auths"
 * are as "registry.lan:5000", "https://registry.lan",
 * "https://index.docker.io/v1/" or "registry.lan/team"; the path of a URL is
 * ignored if it is "/v1/" or "/v2/". An entry has "auth" (base64 of
 * username:password, padding is optional), or username and password, or
 * registrytoken, or identitytoken. "auth" takes precedence over username and
 * password.
 *
 * Entries without credentials, as with a credsStore, are counted. Of these,
 * and of the entries of "credHelpers", the first DFP_CREDENTIALS_MAX_NAMES
 * names are kept for the log. Other fields of the file are ignored.
 *
 * DFP_INVALID: not a JSON object, a wrong type, a key without a host,
 * malformed base64, or without ":", control characters, or a limit is
 * exceeded. err names the entry by its key and never shows a value. DFP_ERROR:
 * no memory.
 */
dfp_rc_t dfp_credentials_parse(dfp_mem_t *mem, dfp_str_t text,
    dfp_credentials_t *credentials, dfp_err_t *err);

/*
 * The entry for the repository NAME, which may be "", of the registry at
 * AUTHORITY: host in lower case, and port unless it is the default one; all
 * names of Docker Hub are equal. If several entries match, the one with the
 * longest path is returned; a path matches whole segments of NAME, as
 * containers-auth.json(5) describes. NULL: there is none.
 */
const dfp_credential_t *dfp_credentials_find(
    const dfp_credentials_t *credentials, dfp_str_t authority, dfp_str_t name);

/* Whether AUTHORITY is one of Docker Hub's: docker.io, index.docker.io,
 * registry-1.docker.io, www.docker.io, registry.hub.docker.com. */
int dfp_docker_hub(dfp_str_t authority);


#endif /* DFP_CREDENTIALS_H */
