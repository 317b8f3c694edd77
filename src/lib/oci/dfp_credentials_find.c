/*
 * The credentials for a repository.
 */

#include "dfp_credentials.h"


static int dfp_credentials_below(dfp_str_t name, dfp_str_t path);


const dfp_credential_t *
dfp_credentials_find(const dfp_credentials_t *credentials,
    dfp_str_t authority, dfp_str_t name)
{
    size_t                   i;
    const dfp_credential_t  *c, *best;

    if (dfp_docker_hub(authority)) {
        authority = DFP_CREDENTIALS_HUB;
    }

    best = NULL;

    for (i = 0; i < credentials->n; i++) {
        c = &credentials->list[i];

        if (!dfp_str_eq(c->authority, authority)
            || !dfp_credentials_below(name, c->path))
        {
            continue;
        }

        /* of equal keys the first one counts */

        if (best == NULL || c->path.len > best->path.len) {
            best = c;
        }
    }

    return best;
}


/* Whether NAME is PATH, or is below it. */

static int
dfp_credentials_below(dfp_str_t name, dfp_str_t path)
{
    if (path.len == 0) {
        return 1;
    }

    return name.len >= path.len
           && memcmp(name.data, path.data, path.len) == 0
           && (name.len == path.len || name.data[path.len] == '/');
}


int
dfp_docker_hub(dfp_str_t authority)
{
    size_t  i;

    static const dfp_str_t  names[] = {
        { sizeof("docker.io") - 1, "docker.io" },
        { sizeof("index.docker.io") - 1, "index.docker.io" },
        { sizeof("registry-1.docker.io") - 1, "registry-1.docker.io" },
        { sizeof("www.docker.io") - 1, "www.docker.io" },
        { sizeof("registry.hub.docker.com") - 1, "registry.hub.docker.com" }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (dfp_str_case_eq(authority, names[i])) {
            return 1;
        }
    }

    return 0;
}
