/*
 * Sealing the secrets of a job while it lives: AES-256-GCM (NIST SP 800-38D)
 * with a random 96-bit nonce. The key's id is stored with the result, and the
 * job's UUID is the additional data, so a sealed text cannot be moved to
 * another job.
 *
 * Form of a sealed text: 8 bytes key id (hex), 12 bytes nonce, ciphertext,
 * 16 bytes tag.
 */

#ifndef DFP_SEAL_H
#define DFP_SEAL_H


#include "dfp_mem.h"


#define DFP_SEAL_MAX_KEYS   2
#define DFP_SEAL_ID_LEN     8
#define DFP_SEAL_OVERHEAD   (DFP_SEAL_ID_LEN + 12 + 16)


typedef struct {
    unsigned char  key[32];
    char           id[DFP_SEAL_ID_LEN];    /* of SHA-256(key), hex */
} dfp_seal_key_t;


typedef struct {
    dfp_seal_key_t  keys[DFP_SEAL_MAX_KEYS];   /* the first one seals */
    size_t          n;
} dfp_seal_keys_t;


/* Reads the text of a key file: one or two lines of 64 hex digits (as made by
 * `openssl rand -hex 32`); empty lines and lines that begin with # are passed
 * over. The first key seals, both open. */
dfp_rc_t dfp_seal_parse_keys(dfp_str_t text, dfp_seal_keys_t *keys,
    dfp_err_t *err);

/* DFP_ERROR without a key or a UUID, too. */
dfp_rc_t dfp_seal(dfp_mem_t *mem, const dfp_seal_keys_t *keys, dfp_str_t uuid,
    dfp_str_t text, dfp_str_t *sealed);

/* DFP_INVALID and a sentence: sealed with a key that is not there (its id is
 * named), or damaged, or another job's. */
dfp_rc_t dfp_unseal(dfp_mem_t *mem, const dfp_seal_keys_t *keys,
    dfp_str_t uuid, dfp_str_t sealed, dfp_str_t *text, dfp_err_t *err);


#endif /* DFP_SEAL_H */
