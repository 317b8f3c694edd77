/*
 * Digests: which can be checked, and of what they are, at once or bit by bit.
 */

#include <openssl/evp.h>

#include "dfp_oci.h"


#define DFP_SHA256_LEN  32
#define DFP_SHA512_LEN  64


typedef struct {
    dfp_str_t       prefix;
    size_t          len;        /* of the digest, in bytes */
    const EVP_MD *(*md)(void);
} dfp_oci_algorithm_t;


static const dfp_oci_algorithm_t *dfp_oci_algorithm(dfp_str_t digest);
static dfp_rc_t dfp_oci_hex_digest(const dfp_oci_algorithm_t *algorithm,
    dfp_str_t body, char *hex);
static void dfp_oci_hex(const unsigned char *md, size_t len, char *hex);


static const dfp_oci_algorithm_t  dfp_oci_algorithms[] = {
    { { sizeof("sha256:") - 1, "sha256:" }, DFP_SHA256_LEN, EVP_sha256 },
    { { sizeof("sha512:") - 1, "sha512:" }, DFP_SHA512_LEN, EVP_sha512 },
    { { 0, NULL }, 0, NULL }
};


int
dfp_oci_digest_valid(dfp_str_t s)
{
    return dfp_oci_algorithm(s) != NULL;
}


/* NULL where the digest is not one that can be checked. */

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
    dfp_rc_t                    rc;
    char                        hex[2 * EVP_MAX_MD_SIZE];
    const dfp_oci_algorithm_t  *a;

    a = dfp_oci_algorithm(digest);
    if (a == NULL) {
        return DFP_INVALID;
    }

    rc = dfp_oci_hex_digest(a, body, hex);
    if (rc != DFP_OK) {
        return rc;
    }

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
    len = a->prefix.len + 2 * a->len;

    p = mem->alloc(mem->ctx, len);
    if (p == NULL) {
        return DFP_ERROR;
    }

    memcpy(p, a->prefix.data, a->prefix.len);
    *digest = (dfp_str_t) { len, p };

    return dfp_oci_hex_digest(a, body, p + a->prefix.len);
}


/* HEX has room for 2 * algorithm->len bytes. */

static dfp_rc_t
dfp_oci_hex_digest(const dfp_oci_algorithm_t *algorithm, dfp_str_t body,
    char *hex)
{
    unsigned char  md[EVP_MAX_MD_SIZE];

    if (!EVP_Digest(body.data, body.len, md, NULL, algorithm->md(), NULL)) {
        return DFP_ERROR;
    }

    dfp_oci_hex(md, algorithm->len, hex);

    return DFP_OK;
}


static void
dfp_oci_hex(const unsigned char *md, size_t len, char *hex)
{
    size_t  i;

    static const char  digits[] = "0123456789abcdef";

    for (i = 0; i < len; i++) {
        hex[2 * i] = digits[md[i] >> 4];
        hex[2 * i + 1] = digits[md[i] & 0x0f];
    }
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
    hash->ctx = EVP_MD_CTX_new();

    if (hash->ctx == NULL) {
        return DFP_ERROR;
    }

    if (EVP_DigestInit_ex(hash->ctx, a->md(), NULL) != 1) {
        EVP_MD_CTX_free(hash->ctx);
        return DFP_ERROR;
    }

    return DFP_OK;
}


dfp_rc_t
dfp_oci_hash_add(dfp_oci_hash_t *hash, const void *data, size_t len)
{
    return EVP_DigestUpdate(hash->ctx, data, len) == 1 ? DFP_OK : DFP_ERROR;
}


dfp_rc_t
dfp_oci_hash_end(dfp_oci_hash_t *hash)
{
    int                         done;
    char                        hex[2 * EVP_MAX_MD_SIZE];
    unsigned char               md[EVP_MAX_MD_SIZE];
    const dfp_oci_algorithm_t  *a;

    done = EVP_DigestFinal_ex(hash->ctx, md, NULL);
    EVP_MD_CTX_free(hash->ctx);

    if (done != 1) {
        return DFP_ERROR;
    }

    a = dfp_oci_algorithm(hash->digest);
    dfp_oci_hex(md, a->len, hex);

    return memcmp(hash->digest.data + a->prefix.len, hex, 2 * a->len) == 0
           ? DFP_OK : DFP_DECLINED;
}
