/*
 * The parts of gRPC over HTTP/2 that nginx does not implement: the prefix of
 * messages, time-outs, and the status of a call. Source: gRPC's "gRPC over
 * HTTP2" (PROTOCOL-HTTP2).
 */

#ifndef DFP_GRPC_H
#define DFP_GRPC_H


#include "dfp_mem.h"


#define DFP_GRPC_PREFIX        5      /* bytes in front of each message */
#define DFP_GRPC_MESSAGE_MAX   256    /* bytes of a grpc-message, as shown */
#define DFP_GRPC_TIMEOUT_LEN   16     /* bytes of a grpc-timeout, with NUL */


/* Status codes of gRPC. */
#define DFP_GRPC_OK                   0
#define DFP_GRPC_CANCELLED            1
#define DFP_GRPC_UNKNOWN              2
#define DFP_GRPC_INVALID_ARGUMENT     3
#define DFP_GRPC_DEADLINE_EXCEEDED    4
#define DFP_GRPC_NOT_FOUND            5
#define DFP_GRPC_RESOURCE_EXHAUSTED   8
#define DFP_GRPC_ABORTED              10
#define DFP_GRPC_INTERNAL             13
#define DFP_GRPC_UNAVAILABLE          14
#define DFP_GRPC_UNAUTHENTICATED      16


/* Splits a stream, which arrives in parts of any size, into messages. */
typedef struct {
    dfp_mem_t      *mem;       /* of the buffer, which is used again and only
                                  grows */
    size_t          max;       /* bytes of one message */
    unsigned char   prefix[DFP_GRPC_PREFIX];
    size_t          nprefix;
    char           *buf;
    size_t          size;      /* of buf */
    size_t          len;       /* of the message: what the prefix says */
    size_t          have;      /* of that, so far */
} dfp_grpc_reader_t;


/* The next bytes of a message, which may be empty. */
typedef struct {
    dfp_str_t       bytes;
    unsigned        begins:1;
    unsigned        ends:1;
} dfp_grpc_part_t;


void dfp_grpc_reader_init(dfp_grpc_reader_t *reader, dfp_mem_t *mem,
    size_t max);

/*
 * Takes bytes from *P up to LAST, and moves *P. DFP_OK: a message is complete;
 * it may be empty, and is valid until the next call. DFP_DECLINED: all bytes
 * were taken, and the message is not complete. DFP_INVALID: the message is
 * compressed, which was not offered, or longer than MAX; err says which, and
 * the reader must not be used again. DFP_ERROR: no memory.
 */
dfp_rc_t dfp_grpc_read(dfp_grpc_reader_t *reader, const char **p,
    const char *last, dfp_str_t *message, dfp_err_t *err);

/* As dfp_grpc_read(), without a buffer: DFP_OK, and PART has those bytes up to
 * LAST that belong to one message. */
dfp_rc_t dfp_grpc_read_part(dfp_grpc_reader_t *reader, const char **p,
    const char *last, dfp_grpc_part_t *part, dfp_err_t *err);

/* Whether the stream may end here: no message is incomplete. */
int dfp_grpc_reader_clean(const dfp_grpc_reader_t *reader);

/* Writes the prefix of a message of LEN bytes that is not compressed. */
void dfp_grpc_prefix(size_t len, unsigned char prefix[DFP_GRPC_PREFIX]);

/* Writes a grpc-timeout of MS milliseconds, with a NUL: at most eight digits
 * and a unit, rounded up. 0 becomes "1m", a millisecond. */
void dfp_grpc_timeout(int64_t ms, char text[DFP_GRPC_TIMEOUT_LEN]);

/* The number in a grpc-status header; DFP_GRPC_UNKNOWN if it is malformed. */
int dfp_grpc_status(dfp_str_t value);

/* The name of a code, as "INTERNAL"; "UNKNOWN" for unknown codes. */
const char *dfp_grpc_status_name(int status);

/* A grpc-message as it can be shown, in MEM: percent-decoded, made printable
 * by dfp_text_clean(), at most DFP_GRPC_MESSAGE_MAX bytes. DFP_ERROR: no
 * memory. */
dfp_rc_t dfp_grpc_message(dfp_mem_t *mem, dfp_str_t value, dfp_str_t *text);


#endif /* DFP_GRPC_H */
