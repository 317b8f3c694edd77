/*
 * gRPC over HTTP/2 as far as it is not nginx's: frames of messages, the time a
 * call may take, how it ended. Source: gRPC's "gRPC over HTTP2" (PROTOCOL-HTTP2).
 */

#ifndef DFP_GRPC_H
#define DFP_GRPC_H


#include "dfp_mem.h"


#define DFP_GRPC_PREFIX        5      /* bytes in front of each message */
#define DFP_GRPC_MESSAGE_MAX   256    /* bytes of a grpc-message, as shown */
#define DFP_GRPC_TIMEOUT_LEN   16     /* bytes of a grpc-timeout, with NUL */


/* The codes that are looked at by name (gRPC's statuscodes). */
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


/* Takes messages out of a stream that comes in pieces of any size. */
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


/* The next bytes of a message, none where it is empty. */
typedef struct {
    dfp_str_t       bytes;
    unsigned        begins:1;
    unsigned        ends:1;
} dfp_grpc_part_t;


void dfp_grpc_reader_init(dfp_grpc_reader_t *reader, dfp_mem_t *mem,
    size_t max);

/*
 * Takes bytes from *P up to LAST and moves *P on. DFP_OK: a message is complete
 * (it may be empty) and good until the next call; DFP_DECLINED: all bytes were
 * taken, and more are needed; DFP_INVALID: the message is compressed, though
 * nobody has offered that, or longer than MAX: err says so, and no further call
 * makes sense; DFP_ERROR: no memory.
 */
dfp_rc_t dfp_grpc_read(dfp_grpc_reader_t *reader, const char **p,
    const char *last, dfp_str_t *message, dfp_err_t *err);

/* As this, for messages of which nothing has to be kept. DFP_OK: PART is some of the
 * bytes up to LAST. */
dfp_rc_t dfp_grpc_read_part(dfp_grpc_reader_t *reader, const char **p,
    const char *last, dfp_grpc_part_t *part, dfp_err_t *err);

/* Whether the stream ends here between two messages, not within one. */
int dfp_grpc_reader_clean(const dfp_grpc_reader_t *reader);

/* The prefix of a message of LEN bytes, uncompressed. */
void dfp_grpc_prefix(size_t len, unsigned char prefix[DFP_GRPC_PREFIX]);

/* grpc-timeout of so many milliseconds: at most eight digits and the unit, never
 * less than MS where it has to be rounded, and "1m" (a millisecond) for 0. */
void dfp_grpc_timeout(int64_t ms, char text[DFP_GRPC_TIMEOUT_LEN]);

/* The number in a grpc-status header; DFP_GRPC_UNKNOWN for what is none. */
int dfp_grpc_status(dfp_str_t value);

/* "INTERNAL" and so on; "UNKNOWN" for codes that there are not. */
const char *dfp_grpc_status_name(int status);

/* A grpc-message for people: percent-decoded, printable UTF-8 only (white space is
 * one blank, other control characters are dropped, wrong UTF-8 is U+FFFD), at most
 * DFP_GRPC_MESSAGE_MAX bytes, cut between characters. */
dfp_rc_t dfp_grpc_message(dfp_mem_t *mem, dfp_str_t value, dfp_str_t *text);


#endif /* DFP_GRPC_H */
