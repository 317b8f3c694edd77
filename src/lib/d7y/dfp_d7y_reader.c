/*
 * Decoding of messages. The encoding is that of protobuf ("Encoding",
 * protobuf.dev).
 */

#include "dfp_d7y_reader.h"


/*
 * protobuf-c may use at most DFP_D7Y_FACTOR * N + DFP_D7Y_BLOCK bytes for a
 * message of N bytes. Messages of Dragonfly need 3 to 9 bytes for each of
 * theirs. Without a limit, fields of two bytes each would need more than 100,
 * and an image that is sent again and again, with some layers each time, the
 * square of all.
 */
#define DFP_D7Y_FACTOR  16
#define DFP_D7Y_BLOCK   16384

/* of a tag: the number of the field is above the type of its value */
#define DFP_D7Y_TYPE_BITS   3
#define DFP_D7Y_TYPE_MASK   7
#define DFP_D7Y_NUMBER_MAX  536870911

#define DFP_D7Y_VARINT_BITS   7
#define DFP_D7Y_VARINT_MASK   0x7f
#define DFP_D7Y_VARINT_SHIFT  63    /* of the last byte that there can be */

#define DFP_D7Y_TYPE_VARINT   0
#define DFP_D7Y_TYPE_FIXED64  1
#define DFP_D7Y_TYPE_VALUE    2
#define DFP_D7Y_TYPE_FIXED32  5


struct dfp_d7y_block_s {
    dfp_d7y_block_t  *next;
    size_t            size;
    max_align_t       data[];
};


static void *dfp_d7y_reader_alloc(void *data, size_t size);
static dfp_d7y_block_t *dfp_d7y_reader_block(dfp_d7y_reader_t *reader,
    size_t size);
static void dfp_d7y_reader_free(void *data, void *p);
static dfp_rc_t dfp_d7y_read_field(dfp_d7y_reader_t *reader, const char **p,
    const char *last, dfp_str_t *value);
static dfp_rc_t dfp_d7y_read_varint(dfp_d7y_reader_t *reader, const char **p,
    const char *last, uint64_t *n);
static dfp_rc_t dfp_d7y_read_tag(dfp_d7y_reader_t *reader, uint64_t tag);
static dfp_rc_t dfp_d7y_read_value(dfp_d7y_reader_t *reader, const char **p,
    const char *last, dfp_str_t *value);


void
dfp_d7y_reader_init(dfp_d7y_reader_t *reader, const dfp_mem_t *mem,
    const char *what)
{
    memset(reader, 0, offsetof(dfp_d7y_reader_t, first));

    reader->mem = *mem;
    reader->what = what;
    reader->allocator.alloc = dfp_d7y_reader_alloc;
    reader->allocator.free = dfp_d7y_reader_free;
    reader->allocator.allocator_data = reader;

    dfp_buf_init(&reader->value, &reader->mem, 0, DFP_D7Y_FIELD_MAX);
}


dfp_d7y_reader_t *
dfp_d7y_reader_create(dfp_mem_t *mem, const char *what)
{
    dfp_d7y_reader_t  *reader;

    reader = mem->alloc(mem->ctx, sizeof(dfp_d7y_reader_t));

    if (reader) {
        dfp_d7y_reader_init(reader, mem, what);
    }

    return reader;
}


void *
dfp_d7y_unpack(dfp_d7y_reader_t *reader,
    const ProtobufCMessageDescriptor *type, dfp_str_t message)
{
    reader->next = &reader->blocks;
    reader->p = (char *) reader->first;
    reader->last = reader->p + sizeof(reader->first);
    reader->left = DFP_D7Y_FACTOR * message.len + DFP_D7Y_BLOCK;
    reader->failed = 0;
    reader->exceeded = 0;

    return protobuf_c_message_unpack(type, &reader->allocator, message.len,
                                     (const uint8_t *) message.data);
}


static void *
dfp_d7y_reader_alloc(void *data, size_t size)
{
    char              *p;
    dfp_d7y_block_t   *block;
    dfp_d7y_reader_t  *reader;

    reader = data;
    size += -size % sizeof(max_align_t);

    if (size <= (size_t) (reader->last - reader->p)) {
        p = reader->p;
        reader->p += size;
        return p;
    }

    /* the rest of the last block is lost, unless this one is full at once */

    block = dfp_d7y_reader_block(reader, size);
    if (block == NULL) {
        return NULL;
    }

    p = (char *) block->data;

    if (block->size > size) {
        reader->p = p + size;
        reader->last = p + block->size;
    }

    return p;
}


/* A block that an earlier message has used, or a new one. */

static dfp_d7y_block_t *
dfp_d7y_reader_block(dfp_d7y_reader_t *reader, size_t size)
{
    size_t            need;
    dfp_d7y_block_t  *block;

    need = (size > DFP_D7Y_BLOCK / 4) ? size : DFP_D7Y_BLOCK;

    if (need > reader->left) {
        reader->exceeded = 1;
        return NULL;
    }

    reader->left -= need;

    while (*reader->next) {
        block = *reader->next;
        reader->next = &block->next;

        if (block->size >= size) {
            return block;
        }
    }

    block = reader->mem.alloc(reader->mem.ctx, sizeof(dfp_d7y_block_t) + need);

    if (block == NULL) {
        reader->failed = 1;
        return NULL;
    }

    block->next = NULL;
    block->size = need;

    *reader->next = block;
    reader->next = &block->next;

    return block;
}


static void
dfp_d7y_reader_free(void *data, void *p)
{
    /* the memory is freed by the caller, all at once */
}


dfp_rc_t
dfp_d7y_unpack_error(const dfp_d7y_reader_t *reader, dfp_err_t *err)
{
    if (reader->failed) {
        return DFP_ERROR;
    }

    if (reader->exceeded) {
        return dfp_invalid(err, "%s has more fields than any message of "
                           "Dragonfly", reader->what);
    }

    return dfp_invalid(err, "%s is malformed",
                       reader->what);
}


dfp_mem_t
dfp_d7y_reader_mem(dfp_d7y_reader_t *reader)
{
    return (dfp_mem_t) { dfp_d7y_reader_alloc, reader };
}


dfp_rc_t
dfp_d7y_read(dfp_d7y_reader_t *reader, dfp_str_t part, int ends,
    dfp_d7y_field_pt field, void *data, dfp_err_t *err)
{
    dfp_rc_t     rc;
    dfp_str_t    value;
    const char  *p, *last;

    p = part.data;
    last = p + part.len;

    for ( ;; ) {
        rc = dfp_d7y_read_field(reader, &p, last, &value);

        if (rc == DFP_OK) {
            rc = field(data, reader->number, value, err);

            if (rc != DFP_OK) {
                return rc;
            }

            continue;
        }

        if (rc == DFP_DECLINED) {
            break;
        }

        if (rc == DFP_INVALID && reader->rest > DFP_D7Y_FIELD_MAX) {
            return dfp_invalid(err, "%s has a field of more than %d bytes",
                               reader->what, DFP_D7Y_FIELD_MAX);
        }

        return rc == DFP_INVALID ? dfp_d7y_unpack_error(reader, err) : rc;
    }

    if (ends && (reader->state != DFP_D7Y_TAG || reader->shift)) {
        return dfp_d7y_unpack_error(reader, err);
    }

    return DFP_OK;
}


/* Reads up to the next field with a value. DFP_DECLINED: all bytes were
 * taken. */

static dfp_rc_t
dfp_d7y_read_field(dfp_d7y_reader_t *reader, const char **p, const char *last,
    dfp_str_t *value)
{
    dfp_rc_t  rc;
    size_t    n;
    uint64_t  varint;

    for ( ;; ) {

        switch (reader->state) {

        case DFP_D7Y_TAG:
            rc = dfp_d7y_read_varint(reader, p, last, &varint);

            if (rc == DFP_OK) {
                rc = dfp_d7y_read_tag(reader, varint);
            }

            break;

        case DFP_D7Y_VARINT:
            rc = dfp_d7y_read_varint(reader, p, last, &varint);

            if (rc == DFP_OK) {
                reader->state = DFP_D7Y_TAG;
            }

            break;

        case DFP_D7Y_FIXED:
            n = last - *p;

            if (n < reader->rest) {
                reader->rest -= n;
                *p += n;
                return DFP_DECLINED;
            }

            *p += reader->rest;
            reader->state = DFP_D7Y_TAG;
            rc = DFP_OK;
            break;

        case DFP_D7Y_LENGTH:
            rc = dfp_d7y_read_varint(reader, p, last, &varint);

            if (rc == DFP_OK) {
                reader->state = DFP_D7Y_VALUE;
                reader->value.len = 0;
                reader->rest = varint;

                if (varint > DFP_D7Y_FIELD_MAX) {
                    reader->rest = DFP_D7Y_FIELD_MAX + 1;
                    rc = DFP_INVALID;
                }
            }

            break;

        default: /* DFP_D7Y_VALUE */
            return dfp_d7y_read_value(reader, p, last, value);
        }

        if (rc != DFP_OK) {
            return rc;
        }
    }
}


static dfp_rc_t
dfp_d7y_read_varint(dfp_d7y_reader_t *reader, const char **p, const char *last,
    uint64_t *n)
{
    unsigned char  byte;

    while (*p < last) {

        byte = (unsigned char) *(*p)++;

        if (reader->shift == DFP_D7Y_VARINT_SHIFT && byte > 1) {
            return DFP_INVALID;
        }

        reader->varint |= (uint64_t) (byte & DFP_D7Y_VARINT_MASK)
                          << reader->shift;
        reader->shift += DFP_D7Y_VARINT_BITS;

        if (byte <= DFP_D7Y_VARINT_MASK) {
            *n = reader->varint;
            reader->varint = 0;
            reader->shift = 0;
            return DFP_OK;
        }
    }

    return DFP_DECLINED;
}


static dfp_rc_t
dfp_d7y_read_tag(dfp_d7y_reader_t *reader, uint64_t tag)
{
    uint64_t  number;

    number = tag >> DFP_D7Y_TYPE_BITS;

    if (number == 0 || number > DFP_D7Y_NUMBER_MAX) {
        return DFP_INVALID;
    }

    reader->number = (unsigned) number;

    switch (tag & DFP_D7Y_TYPE_MASK) {

    case DFP_D7Y_TYPE_VARINT:
        reader->state = DFP_D7Y_VARINT;
        return DFP_OK;

    case DFP_D7Y_TYPE_FIXED64:
        reader->state = DFP_D7Y_FIXED;
        reader->rest = sizeof(uint64_t);
        return DFP_OK;

    case DFP_D7Y_TYPE_VALUE:
        reader->state = DFP_D7Y_LENGTH;
        return DFP_OK;

    case DFP_D7Y_TYPE_FIXED32:
        reader->state = DFP_D7Y_FIXED;
        reader->rest = sizeof(uint32_t);
        return DFP_OK;

    default:

        /* groups are deprecated */

        return DFP_INVALID;
    }
}


/* A value that has arrived completely is not copied. */

static dfp_rc_t
dfp_d7y_read_value(dfp_d7y_reader_t *reader, const char **p, const char *last,
    dfp_str_t *value)
{
    size_t  n;

    n = last - *p;

    if (n > reader->rest) {
        n = reader->rest;
    }

    *value = (dfp_str_t) { n, *p };

    if (n < reader->rest || reader->value.len) {
        dfp_buf_append(&reader->value, *p, n);
        *value = dfp_buf_value(&reader->value);
    }

    if (reader->value.failed) {
        return DFP_ERROR;
    }

    *p += n;
    reader->rest -= n;

    if (reader->rest) {
        return DFP_DECLINED;
    }

    reader->state = DFP_D7Y_TAG;

    return DFP_OK;
}
