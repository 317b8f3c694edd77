/*
 * Encryption of a job's secrets, by OpenSSL.
 */

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "dfp_hash.h"
#include "dfp_hex.h"
#include "dfp_random.h"
#include "dfp_seal.h"


#define DFP_SEAL_KEY_LEN    32
#define DFP_SEAL_NONCE_LEN  12
#define DFP_SEAL_TAG_LEN    16

/* OpenSSL's lengths are int */
#define DFP_SEAL_MAX_LEN    ((size_t) INT_MAX - DFP_SEAL_OVERHEAD)


static dfp_rc_t dfp_seal_parse_key(dfp_str_t line, size_t number,
    dfp_seal_keys_t *keys, dfp_err_t *err);
static dfp_rc_t dfp_seal_key_id(dfp_seal_key_t *key);
static dfp_rc_t dfp_seal_encrypt(EVP_CIPHER_CTX *ctx,
    const dfp_seal_key_t *key, dfp_str_t uuid, dfp_str_t text,
    unsigned char *out);
static const dfp_seal_key_t *dfp_seal_find_key(const dfp_seal_keys_t *keys,
    const char *id);
static dfp_rc_t dfp_seal_unknown_key(const char *id, dfp_err_t *err);
static dfp_rc_t dfp_seal_decrypt(EVP_CIPHER_CTX *ctx,
    const dfp_seal_key_t *key, dfp_str_t uuid, dfp_str_t sealed,
    unsigned char *out);


dfp_rc_t
dfp_seal_parse_keys(dfp_str_t text, dfp_seal_keys_t *keys, dfp_err_t *err)
{
    dfp_rc_t     rc;
    size_t       number;
    dfp_str_t    line;
    const char  *p, *last, *end;

    memset(keys, 0, sizeof(dfp_seal_keys_t));

    number = 0;
    p = text.data;
    last = text.len ? p + text.len : p;

    while (p < last) {
        end = memchr(p, '\n', last - p);

        line.data = p;
        line.len = (end ? end : last) - p;

        p += line.len + (end != NULL);
        number++;

        if (line.len && line.data[line.len - 1] == '\r') {
            line.len--;
        }

        if (line.len == 0 || line.data[0] == '#') {
            continue;
        }

        rc = dfp_seal_parse_key(line, number, keys, err);

        if (rc != DFP_OK) {
            OPENSSL_cleanse(keys, sizeof(dfp_seal_keys_t));
            return rc;
        }
    }

    if (keys->n == 0) {
        return dfp_invalid(err, "no key of %d hexadecimal digits",
                           DFP_SEAL_KEY_LEN * 2);
    }

    return DFP_OK;
}


static dfp_rc_t
dfp_seal_parse_key(dfp_str_t line, size_t number, dfp_seal_keys_t *keys,
    dfp_err_t *err)
{
    int              byte;
    size_t           i;
    dfp_seal_key_t  *key;

    if (keys->n == DFP_SEAL_MAX_KEYS) {
        return dfp_invalid(err, "line %zu: too many keys, the maximum is %d",
                           number, DFP_SEAL_MAX_KEYS);
    }

    key = &keys->keys[keys->n];

    for (i = 0; line.len == DFP_SEAL_KEY_LEN * 2 && i < line.len; i += 2) {
        byte = dfp_hex_byte(&line.data[i]);

        if (byte < 0) {
            break;
        }

        key->key[i / 2] = (unsigned char) byte;
    }

    if (i != DFP_SEAL_KEY_LEN * 2) {
        return dfp_invalid(err, "line %zu must be a key of %d hexadecimal "
                           "digits", number, DFP_SEAL_KEY_LEN * 2);
    }

    keys->n++;

    return dfp_seal_key_id(key);
}


static dfp_rc_t
dfp_seal_key_id(dfp_seal_key_t *key)
{
    dfp_str_t      text;
    unsigned char  hash[DFP_SHA256_LEN];

    text = (dfp_str_t) { sizeof(key->key), (const char *) key->key };

    if (dfp_hash(DFP_SHA256, text, hash) != DFP_OK) {
        return DFP_ERROR;
    }

    (void) dfp_hex_print(hash, DFP_SEAL_ID_LEN / 2, key->id);

    return DFP_OK;
}


dfp_rc_t
dfp_seal(dfp_mem_t *mem, const dfp_seal_keys_t *keys, dfp_str_t uuid,
    dfp_str_t text, dfp_str_t *sealed)
{
    dfp_rc_t         rc;
    unsigned char   *out;
    EVP_CIPHER_CTX  *ctx;

    if (keys->n == 0 || uuid.len == 0 || text.len > DFP_SEAL_MAX_LEN) {
        return DFP_ERROR;
    }

    out = mem->alloc(mem->ctx, text.len + DFP_SEAL_OVERHEAD);
    if (out == NULL) {
        return DFP_ERROR;
    }

    ctx = EVP_CIPHER_CTX_new();

    rc = ctx ? dfp_seal_encrypt(ctx, &keys->keys[0], uuid, text, out)
             : DFP_ERROR;

    EVP_CIPHER_CTX_free(ctx);

    if (rc != DFP_OK) {
        ERR_clear_error();
        return rc;
    }

    sealed->data = (char *) out;
    sealed->len = text.len + DFP_SEAL_OVERHEAD;

    return DFP_OK;
}


static dfp_rc_t
dfp_seal_encrypt(EVP_CIPHER_CTX *ctx, const dfp_seal_key_t *key,
    dfp_str_t uuid, dfp_str_t text, unsigned char *out)
{
    int                   n;
    unsigned char        *nonce, *body, *tag;
    const unsigned char  *in;

    nonce = out + DFP_SEAL_ID_LEN;
    body = nonce + DFP_SEAL_NONCE_LEN;
    tag = body + text.len;

    /* OpenSSL takes NULL for the end of the input */
    in = (const unsigned char *) (text.len ? text.data : "");

    memcpy(out, key->id, DFP_SEAL_ID_LEN);

    if (dfp_random(nonce, DFP_SEAL_NONCE_LEN) != DFP_OK
        || EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key, nonce)
           != 1
        || EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *) uuid.data,
                             (int) uuid.len) != 1
        || EVP_EncryptUpdate(ctx, body, &n, in, (int) text.len) != 1
        || EVP_EncryptFinal_ex(ctx, tag, &n) != 1
        || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, DFP_SEAL_TAG_LEN,
                               tag) != 1)
    {
        return DFP_ERROR;
    }

    return DFP_OK;
}


dfp_rc_t
dfp_unseal(dfp_mem_t *mem, const dfp_seal_keys_t *keys, dfp_str_t uuid,
    dfp_str_t sealed, dfp_str_t *text, dfp_err_t *err)
{
    dfp_rc_t               rc;
    size_t                 len;
    unsigned char         *out;
    EVP_CIPHER_CTX        *ctx;
    const dfp_seal_key_t  *key;

    if (uuid.len == 0) {
        return DFP_ERROR;
    }

    if (sealed.len < DFP_SEAL_OVERHEAD || sealed.len > INT_MAX) {
        return dfp_invalid(err, "the sealed secrets are damaged");
    }

    key = dfp_seal_find_key(keys, sealed.data);
    if (key == NULL) {
        return dfp_seal_unknown_key(sealed.data, err);
    }

    len = sealed.len - DFP_SEAL_OVERHEAD;

    out = mem->alloc(mem->ctx, len + 1);
    if (out == NULL) {
        return DFP_ERROR;
    }

    ctx = EVP_CIPHER_CTX_new();
    rc = ctx ? dfp_seal_decrypt(ctx, key, uuid, sealed, out) : DFP_ERROR;
    EVP_CIPHER_CTX_free(ctx);

    if (rc != DFP_OK) {
        ERR_clear_error();
        OPENSSL_cleanse(out, len + 1);
    }

    if (rc == DFP_DECLINED) {
        return dfp_invalid(err, "the sealed secrets are damaged or belong to "
                           "another job");
    }

    if (rc == DFP_OK) {
        out[len] = '\0';
        text->data = (char *) out;
        text->len = len;
    }

    return rc;
}


static const dfp_seal_key_t *
dfp_seal_find_key(const dfp_seal_keys_t *keys, const char *id)
{
    size_t  i;

    for (i = 0; i < keys->n; i++) {
        if (memcmp(keys->keys[i].id, id, DFP_SEAL_ID_LEN) == 0) {
            return &keys->keys[i];
        }
    }

    return NULL;
}


/* An id that is not hexadecimal is not shown: no key has it. */

static dfp_rc_t
dfp_seal_unknown_key(const char *id, dfp_err_t *err)
{
    size_t  i;

    for (i = 0; i < DFP_SEAL_ID_LEN; i++) {
        if (dfp_hex(id[i]) < 0) {
            return dfp_invalid(err, "the sealed secrets are damaged");
        }
    }

    return dfp_invalid(err, "the secrets are sealed with the key %.*s, which "
                       "is not configured", DFP_SEAL_ID_LEN, id);
}


/* DFP_DECLINED: the tag, which OpenSSL compares in constant time, is wrong. */

static dfp_rc_t
dfp_seal_decrypt(EVP_CIPHER_CTX *ctx, const dfp_seal_key_t *key,
    dfp_str_t uuid, dfp_str_t sealed, unsigned char *out)
{
    int                   n;
    size_t                len;
    unsigned char         tag[DFP_SEAL_TAG_LEN];
    const unsigned char  *nonce, *body;

    nonce = (const unsigned char *) sealed.data + DFP_SEAL_ID_LEN;
    body = nonce + DFP_SEAL_NONCE_LEN;
    len = sealed.len - DFP_SEAL_OVERHEAD;

    /* EVP_CIPHER_CTX_ctrl() has no const parameter */
    memcpy(tag, body + len, sizeof(tag));

    if (EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key, nonce) != 1
        || EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *) uuid.data,
                             (int) uuid.len) != 1
        || EVP_DecryptUpdate(ctx, out, &n, body, (int) len) != 1
        || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, DFP_SEAL_TAG_LEN,
                               tag) != 1)
    {
        return DFP_ERROR;
    }

    return EVP_DecryptFinal_ex(ctx, out + len, &n) == 1 ? DFP_OK : DFP_DECLINED;
}
