/*
 * Hashes, by OpenSSL: of a whole text, or of data that arrives in parts.
 */

#ifndef DFP_HASH_H
#define DFP_HASH_H


#include "dfp_mem.h"


#define DFP_SHA1_LEN        20      /* bytes */
#define DFP_SHA256_LEN      32
#define DFP_SHA512_LEN      64

#define DFP_SHA256_HEX_LEN  (DFP_SHA256_LEN * 2)

#define DFP_HASH_MAX_LEN    DFP_SHA512_LEN


typedef enum {
    DFP_SHA1 = 1,
    DFP_SHA256,
    DFP_SHA512
} dfp_hash_type_t;


/* A hash of data that arrives in parts; private. */
typedef struct {
    void  *ctx;
} dfp_hash_t;


/* The hash of TEXT. HASH has room for the bytes of its type. DFP_ERROR: OpenSSL
 * failed. */
dfp_rc_t dfp_hash(dfp_hash_type_t type, dfp_str_t text, unsigned char *hash);

/* SHA-256 of TEXT as lower-case hexadecimal digits with a NUL: HEX has room for
 * DFP_SHA256_HEX_LEN + 1 bytes. DFP_ERROR: OpenSSL failed. */
dfp_rc_t dfp_sha256_hex(dfp_str_t text, char *hex);

/* HMAC-SHA256 (RFC 2104) of TEXT; MAC has room for DFP_SHA256_LEN bytes.
 * DFP_ERROR: OpenSSL failed. */
dfp_rc_t dfp_hmac_sha256(dfp_str_t key, dfp_str_t text, unsigned char *mac);

/*
 * A hash that was started (DFP_OK) allocates memory until it is ended, once.
 * DFP_ERROR: OpenSSL failed, or has no memory; a hash that could not be started
 * must not be ended, one that data could not be added to must be.
 */
dfp_rc_t dfp_hash_start(dfp_hash_t *h, dfp_hash_type_t type);
dfp_rc_t dfp_hash_add(dfp_hash_t *h, const void *data, size_t len);
dfp_rc_t dfp_hash_end(dfp_hash_t *h, unsigned char *hash);


#endif /* DFP_HASH_H */
