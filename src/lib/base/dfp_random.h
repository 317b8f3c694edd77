/*
 * Random bytes, and UUIDs made of them.
 */

#ifndef DFP_RANDOM_H
#define DFP_RANDOM_H


#include "dfp_mem.h"


#define DFP_UUID_LEN  36


/* Fills DATA with LEN bytes that nobody can guess. DFP_ERROR: OpenSSL has no
 * randomness. */
dfp_rc_t dfp_random(unsigned char *data, size_t len);

/* A random UUID (RFC 9562, version 4) as text with a NUL: OUT has room for
 * DFP_UUID_LEN + 1 bytes. DFP_ERROR: as above. */
dfp_rc_t dfp_uuid(char *out);


#endif /* DFP_RANDOM_H */
