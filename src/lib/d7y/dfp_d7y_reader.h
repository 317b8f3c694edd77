/*
 * Decoding of Dragonfly's messages; private to dfp_d7y and dfp_held. protobuf-c
 * decodes a message into memory that is reused for the next one. A long message
 * is not kept: it is decoded field by field as it arrives.
 */

#ifndef DFP_D7Y_READER_H
#define DFP_D7Y_READER_H


#include <protobuf-c/protobuf-c.h>

#include "dfp_buf.h"


#define DFP_D7Y_FIELD_MAX  4194304  /* bytes of one field of a long message */
#define DFP_D7Y_FIRST      4096     /* in the reader: enough for most events */


typedef struct dfp_d7y_block_s  dfp_d7y_block_t;

/* What comes next in a field that is not complete. */
typedef enum {
    DFP_D7Y_TAG = 0,
    DFP_D7Y_VARINT,
    DFP_D7Y_FIXED,
    DFP_D7Y_LENGTH,
    DFP_D7Y_VALUE
} dfp_d7y_state_e;


typedef struct dfp_d7y_reader_s  dfp_d7y_reader_t;

struct dfp_d7y_reader_s {
    dfp_mem_t             mem;
    const char           *what;     /* "the scheduler's list of hosts" */

    /* memory for protobuf-c, from which nothing is freed */

    ProtobufCAllocator    allocator;
    dfp_d7y_block_t      *blocks;
    dfp_d7y_block_t     **next;     /* those that this message has not used */
    char                 *p;        /* what is free of the last one */
    char                 *last;
    size_t                left;     /* bytes that the message may still need */

    /* of a message that is taken field by field */

    dfp_d7y_state_e       state;
    unsigned              number;   /* of the field */
    uint64_t              varint;
    unsigned              shift;    /* bits of it that are there */
    size_t                rest;     /* bytes of the field that are to come */
    dfp_buf_t             value;    /* those that came before */

    unsigned              failed:1;
    unsigned              exceeded:1;
    max_align_t           first[DFP_D7Y_FIRST / sizeof(max_align_t)];
};


/* Called for each field with a length (a string, a message). VALUE is valid
 * within the call only. */
typedef dfp_rc_t (*dfp_d7y_field_pt)(void *data, unsigned number,
    dfp_str_t value, dfp_err_t *err);


void dfp_d7y_reader_init(dfp_d7y_reader_t *reader, const dfp_mem_t *mem,
    const char *what);

/* A reader in MEM. Errors call the message WHAT. NULL: no memory. */
dfp_d7y_reader_t *dfp_d7y_reader_create(dfp_mem_t *mem, const char *what);

/* Decodes MESSAGE. The result is valid until the next call; NULL: see
 * dfp_d7y_unpack_error(). */
void *dfp_d7y_unpack(dfp_d7y_reader_t *reader,
    const ProtobufCMessageDescriptor *type, dfp_str_t message);

/* Why dfp_d7y_unpack() failed: DFP_ERROR, no memory, or DFP_INVALID, with
 * err. */
dfp_rc_t dfp_d7y_unpack_error(const dfp_d7y_reader_t *reader, dfp_err_t *err);

/* Memory that is valid as long as the decoded message. */
dfp_mem_t dfp_d7y_reader_mem(dfp_d7y_reader_t *reader);

/*
 * Takes the next bytes of a message and calls FIELD for each of its fields.
 * ENDS: they are the last ones. A result of FIELD other than DFP_OK is
 * returned at once. DFP_INVALID: this is not a message, or a field is longer
 * than DFP_D7Y_FIELD_MAX. DFP_ERROR: no memory. After an error the reader must
 * not be used again.
 */
dfp_rc_t dfp_d7y_read(dfp_d7y_reader_t *reader, dfp_str_t part, int ends,
    dfp_d7y_field_pt field, void *data, dfp_err_t *err);


#endif /* DFP_D7Y_READER_H */
