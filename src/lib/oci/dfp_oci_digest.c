/*
 * Digests: their syntax, and their verification.
 */

#include "dfp_hex.h"
#include "dfp_oci.h"


typedef struct {
    dfp_str_t        prefix;
    size_t           len;       /* of the hash, in bytes */
    dfp_hash_type_t  type;
} dfp_oci_algorithm_t;


static const dfp_oci_algorithm_t *dfp_oci_algorithm(dfp_str_t digest);
static dfp_rc_t dfp_oci_compare(dfp_str_t digest, const unsigned char *hash);


static const dfp_oci_algorithm_t  dfp_oci_algorithms[] = {
    { { sizeof("sha256:") - 1, "sha256:" }, DFP_SHA256_LEN, DFP_SHA256 },
    { { sizeof("sha512:") - 1, "sha512:" }, DFP_SHA512_LEN, DFP_SHA512 },
    { { 0, NULL }, 0, 0 }
};


int
dfp_oci_digest_valid(dfp_str_t s)
{
    return dfp_oci_algorithm(s) != NULL;
}


/* NULL: the digest cannot be verified. */

static const dfp_oci_algorithm_t *
dfp_oci_algorithm(dfp_str_t digest)
{
    size_t                      i;
    const dfp_oci_algorithm_t  *a;

    for (a = dfp_oci_algorithms; a->len; a++) {
        if (digest.len == a->prefix.len + 2 * a->len
            && memcmp(digest.data, a->prefix.data, a->prefix.len) == 0)
        {
            break;
        }
    }

    if (a->len == 0) {
        return NULL;
    }

    for (i = a->prefix.len; i < digest.len; i++) {
        if (dfp_hex(digest.data[i]) < 0
            || (digest.data[i] >= 'A' && digest.data[i] <= 'F'))
        {
            return NULL;
        }
    }

    return a;
}


dfp_rc_t
dfp_oci_digest_check(dfp_str_t digest, dfp_str_t body)
{
    unsigned char               hash[DFP_HASH_MAX_LEN];
    const dfp_oci_algorithm_t  *a;

    a = dfp_oci_algorithm(digest);
    if (a == NULL) {
        return DFP_INVALID;
    }

    if (dfp_hash(a->type, body, hash) != DFP_OK) {
        return DFP_ERROR;
    }

    return dfp_oci_compare(digest, hash);
}


static dfp_rc_t
dfp_oci_compare(dfp_str_t digest, const unsigned char *hash)
{
    char                        hex[2 * DFP_HASH_MAX_LEN];
    const dfp_oci_algorithm_t  *a;

    a = dfp_oci_algorithm(digest);

    (void) dfp_hex_print(hash, a->len, hex);

    return memcmp(digest.data + a->prefix.len, hex, 2 * a->len) == 0
           ? DFP_OK : DFP_DECLINED;
}


dfp_rc_t
dfp_oci_digest_of(dfp_mem_t *mem, dfp_str_t body, dfp_str_t *digest)
{
    char                       *p;
    size_t                      len;
    const dfp_oci_algorithm_t  *a;

    a = &dfp_oci_algorithms[0];
    len = a->prefix.len + DFP_SHA256_HEX_LEN;

    p = mem->alloc(mem->ctx, len + 1);
    if (p == NULL) {
        return DFP_ERROR;
    }

    memcpy(p, a->prefix.data, a->prefix.len);
    *digest = (dfp_str_t) { len, p };

    return dfp_sha256_hex(body, p + a->prefix.len);
}


dfp_rc_t
dfp_oci_hash_begin(dfp_oci_hash_t *hash, dfp_str_t digest)
{
    const dfp_oci_algorithm_t  *a;

    a = dfp_oci_algorithm(digest);
    if (a == NULL) {
        return DFP_INVALID;
    }

    hash->digest = digest;

    return dfp_hash_start(&hash->hash, a->type);
}


dfp_rc_t
dfp_oci_hash_add(dfp_oci_hash_t *hash, const void *data, size_t len)
{
    return dfp_hash_add(&hash->hash, data, len);
}


dfp_rc_t
dfp_oci_hash_end(dfp_oci_hash_t *hash)
{
    unsigned char  md[DFP_HASH_MAX_LEN];

    if (dfp_hash_end(&hash->hash, md) != DFP_OK) {
        return DFP_ERROR;
    }

    return dfp_oci_compare(hash->digest, md);
}
