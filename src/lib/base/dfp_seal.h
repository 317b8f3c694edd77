/*
 * Encryption of a job's secrets as long as the job is stored: AES-256-GCM (NIST
 * SP 800-38D) with a random 96-bit nonce. The job's UUID is the additional
 * authenticated data, so a sealed text cannot be moved to another job.
 *
 * A sealed text consists of 8 bytes key id (hexadecimal), 12 bytes nonce, the
 * ciphertext and 16 bytes tag.
 */

#ifndef DFP_SEAL_H
#define DFP_SEAL_H


#include "dfp_mem.h"


#define DFP_SEAL_MAX_KEYS   2
#define DFP_SEAL_ID_LEN     8
#define DFP_SEAL_OVERHEAD   (DFP_SEAL_ID_LEN + 12 + 16)


typedef struct {
    unsigned char  key[32];
    char           id[DFP_SEAL_ID_LEN];    /* first digits of SHA-256 */
} dfp_seal_key_t;


typedef struct {
    dfp_seal_key_t  keys[DFP_SEAL_MAX_KEYS];   /* the first one seals */
    size_t          n;
} dfp_seal_keys_t;


/*
 * Parses a key file: one or two lines of 64 hexadecimal digits, as "openssl
 * rand -hex 32" prints them; empty lines and lines that begin with "#" are
 * ignored. The first key encrypts, both decrypt. DFP_INVALID: err names the
 * line.
 */
dfp_rc_t dfp_seal_parse_keys(dfp_str_t text, dfp_seal_keys_t *keys,
    dfp_err_t *err);

/* Encrypts TEXT for the job UUID; *SEALED is in MEM. DFP_ERROR: no memory,
 * OpenSSL failed, or there is no key or no UUID. */
dfp_rc_t dfp_seal(dfp_mem_t *mem, const dfp_seal_keys_t *keys, dfp_str_t uuid,
    dfp_str_t text, dfp_str_t *sealed);

/* Decrypts; *TEXT is in MEM, with a NUL. DFP_INVALID: the key is not in KEYS
 * (err names its id), or the text is damaged or belongs to another job. */
dfp_rc_t dfp_unseal(dfp_mem_t *mem, const dfp_seal_keys_t *keys,
    dfp_str_t uuid, dfp_str_t sealed, dfp_str_t *text, dfp_err_t *err);


#endif /* DFP_SEAL_H */
