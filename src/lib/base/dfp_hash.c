/*
 * Hashes, by OpenSSL.
 *
 * An error that stays in OpenSSL's queue would be reported as an alert by the
 * next TLS connection of the process, so each failure clears the queue.
 */

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "dfp_hash.h"
#include "dfp_hex.h"


static const EVP_MD *dfp_hash_md(dfp_hash_type_t type);
static dfp_rc_t dfp_hash_result(int done);


dfp_rc_t
dfp_hash(dfp_hash_type_t type, dfp_str_t text, unsigned char *hash)
{
    return dfp_hash_result(EVP_Digest(text.len ? text.data : "", text.len,
                                      hash, NULL, dfp_hash_md(type), NULL));
}


static const EVP_MD *
dfp_hash_md(dfp_hash_type_t type)
{
    return (type == DFP_SHA1) ? EVP_sha1()
           : (type == DFP_SHA256) ? EVP_sha256() : EVP_sha512();
}


static dfp_rc_t
dfp_hash_result(int done)
{
    if (done == 1) {
        return DFP_OK;
    }

    ERR_clear_error();

    return DFP_ERROR;
}


dfp_rc_t
dfp_sha256_hex(dfp_str_t text, char *hex)
{
    unsigned char  hash[DFP_SHA256_LEN];

    if (dfp_hash(DFP_SHA256, text, hash) != DFP_OK) {
        return DFP_ERROR;
    }

    *dfp_hex_print(hash, sizeof(hash), hex) = '\0';

    return DFP_OK;
}


dfp_rc_t
dfp_hmac_sha256(dfp_str_t key, dfp_str_t text, unsigned char *mac)
{
    return dfp_hash_result(HMAC(EVP_sha256(), key.len ? key.data : "",
                                (int) key.len,
                                (const unsigned char *) (text.len ? text.data
                                                                  : ""),
                                text.len, mac, NULL)
                           != NULL);
}


dfp_rc_t
dfp_hash_start(dfp_hash_t *h, dfp_hash_type_t type)
{
    h->ctx = EVP_MD_CTX_new();

    if (h->ctx == NULL
        || EVP_DigestInit_ex(h->ctx, dfp_hash_md(type), NULL) != 1)
    {
        EVP_MD_CTX_free(h->ctx);
        return dfp_hash_result(0);
    }

    return DFP_OK;
}


dfp_rc_t
dfp_hash_add(dfp_hash_t *h, const void *data, size_t len)
{
    return dfp_hash_result(EVP_DigestUpdate(h->ctx, data, len));
}


dfp_rc_t
dfp_hash_end(dfp_hash_t *h, unsigned char *hash)
{
    int  done;

    done = EVP_DigestFinal_ex(h->ctx, hash, NULL);
    EVP_MD_CTX_free(h->ctx);

    return dfp_hash_result(done);
}
