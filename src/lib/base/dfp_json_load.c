/*
 * The only place where JSON is parsed.
 *
 * jansson (2.14, 2.15) copies each token into a buffer and does not look whether
 * the buffer could grow: if it could not, the byte is left out. So a URL may
 * come out as another one; jansson may also stop the process by assert(), or
 * write beyond a string, if the byte was a quotation mark.
 *
 * Its buffer asks for memory right after a byte was read. So a spare block is
 * allocated before, large enough for any buffer of this text. The first
 * allocation that fails gets it, and after that the text is at its end: no
 * second one can be for the buffer. What was parsed then is not used. Other
 * allocations that fail end jansson's parser, as they should.
 */

#include "dfp_json.h"


typedef struct {
    json_malloc_t   alloc;
    json_free_t     free;
    void           *spare;      /* NULL: it is used */
    size_t          size;       /* of spare */
    int             ended;      /* an allocation has failed */
} dfp_json_memory_t;


static dfp_json_memory_t *dfp_json_memory(void);
static void *dfp_json_alloc(size_t size);
static size_t dfp_json_read(void *buffer, size_t size, void *ctx);


dfp_rc_t
dfp_json_load(dfp_str_t text, size_t flags, json_t **root,
    json_error_t *error)
{
    dfp_json_memory_t  *memory;

    memory = dfp_json_memory();

    json_get_alloc_funcs(&memory->alloc, &memory->free);

    /* the buffer doubles when a token of the text does not fit */

    memory->size = 2 * (text.len + DFP_JSON_BUFFER_MIN);
    memory->spare = memory->alloc(memory->size);
    memory->ended = 0;

    if (memory->spare == NULL) {
        return DFP_ERROR;
    }

    json_set_alloc_funcs(dfp_json_alloc, memory->free);

    *root = json_load_callback(dfp_json_read, &text, flags, error);

    json_set_alloc_funcs(memory->alloc, memory->free);

    if (memory->spare) {
        memory->free(memory->spare);
    }

    if (memory->ended) {
        json_decref(*root);
        return DFP_ERROR;
    }

    return *root ? DFP_OK : DFP_INVALID;
}


/* jansson calls its allocator with a size and nothing else. */

static dfp_json_memory_t *
dfp_json_memory(void)
{
    static dfp_json_memory_t  memory;

    return &memory;
}


static void *
dfp_json_alloc(size_t size)
{
    void               *p;
    dfp_json_memory_t  *memory;

    memory = dfp_json_memory();

    p = memory->alloc(size);
    if (p) {
        return p;
    }

    memory->ended = 1;

    if (size > memory->size) {
        return NULL;
    }

    p = memory->spare;
    memory->spare = NULL;

    return p;
}


/* One byte at a time, so that none is waiting when memory ends. */

static size_t
dfp_json_read(void *buffer, size_t size, void *ctx)
{
    dfp_str_t *text = ctx;

    if (text->len == 0 || dfp_json_memory()->ended) {
        return 0;
    }

    *(char *) buffer = *text->data;

    text->data++;
    text->len--;

    return 1;
}
