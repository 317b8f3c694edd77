/*
 * What the fuzz targets share: memory that is freed after each input, and
 * assertions.
 */

#ifndef DFP_FUZZ_H
#define DFP_FUZZ_H


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dfp_mem.h"


#define MUST(condition)                                                       \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                          \
        }                                                                     \
    } while (0)


typedef union dfp_fuzz_block_u  dfp_fuzz_block_t;

union dfp_fuzz_block_u {
    dfp_fuzz_block_t  *next;
    max_align_t        align;
};


static dfp_fuzz_block_t  *dfp_fuzz_blocks;


/* A block of its own for each, so that the address sanitizer sees its end. */

static inline void *
dfp_fuzz_alloc(void *ctx, size_t size)
{
    dfp_fuzz_block_t  *block;

    block = malloc(sizeof(dfp_fuzz_block_t) + size);
    MUST(block != NULL);

    memset(block + 1, 0xa5, size);

    block->next = dfp_fuzz_blocks;
    dfp_fuzz_blocks = block;

    return block + 1;
}


static inline dfp_mem_t *
dfp_fuzz_mem(void)
{
    static dfp_mem_t  mem = { dfp_fuzz_alloc, NULL };

    return &mem;
}


static inline void
dfp_fuzz_free(void)
{
    dfp_fuzz_block_t  *block;

    while (dfp_fuzz_blocks) {
        block = dfp_fuzz_blocks;
        dfp_fuzz_blocks = block->next;
        free(block);
    }
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


#endif /* DFP_FUZZ_H */
