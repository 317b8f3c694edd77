/*
 * A small harness for tests of the plain C in src/. A test file includes it
 * once, after what it tests, and holds nothing but tests:
 *
 *     TEST("a URL without a path has the path /")
 *     {
 *         CHECK_STR(url.path, "/");
 *     }
 *
 * The program prints TAP, so `prove -e ''` runs it.
 */

#ifndef DFP_TEST_H
#define DFP_TEST_H


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dfp_mem.h"


#define DFP_TEST_MAX      512       /* tests of one file */
#define DFP_TEST_MAX_OOM  100000    /* allocations of one function */


typedef struct {
    const char       *name;
    void            (*run)(void);
} dfp_test_t;


typedef union dfp_test_block_u  dfp_test_block_t;

union dfp_test_block_u {
    dfp_test_block_t  *next;
    max_align_t        align;
};


static dfp_test_t  dfp_tests[DFP_TEST_MAX];
static size_t      dfp_ntests;

static unsigned           dfp_test_failures;      /* of the running test */
static dfp_test_block_t  *dfp_test_blocks;
static size_t             dfp_test_allocs;
static size_t             dfp_test_fail_at;
static size_t             dfp_test_lib_allocs;
static size_t             dfp_test_lib_fail_at;
static long               dfp_test_lib_live;


#define DFP_TEST_CAT2(a, b)  a##b
#define DFP_TEST_CAT(a, b)   DFP_TEST_CAT2(a, b)

#define TEST(text)                                                            \
    static void DFP_TEST_CAT(dfp_test_run_, __LINE__)(void);                  \
                                                                              \
    __attribute__((constructor)) static void                                  \
    DFP_TEST_CAT(dfp_test_add_, __LINE__)(void)                               \
    {                                                                         \
        dfp_test_add(text, DFP_TEST_CAT(dfp_test_run_, __LINE__));            \
    }                                                                         \
                                                                              \
    static void                                                               \
    DFP_TEST_CAT(dfp_test_run_, __LINE__)(void)


#define CHECK(condition)                                                      \
    dfp_test_check((condition) != 0, __LINE__, #condition)

#define CHECK_INT(got, expected)                                              \
    dfp_test_check_int(got, expected, __LINE__, #got)

/* a dfp_str_t, and its text as a literal, which may contain \0 */
#define CHECK_STR(got, expected)                                              \
    dfp_test_check_str(got, DFP_STR(expected), __LINE__, #got)

/* two dfp_str_t */
#define CHECK_SAME(got, expected)                                             \
    dfp_test_check_str(got, expected, __LINE__, #got)

/* NUL-terminated text */
#define CHECK_TEXT(got, expected)                                             \
    dfp_test_check_str(dfp_test_str(got), dfp_test_str(expected),             \
                       __LINE__, #got)

/* NUL-terminated text that contains a part, or must not */
#define CHECK_HAS(got, part)                                                  \
    dfp_test_check_has(got, part, 1, __LINE__, #got)

#define CHECK_HAS_NOT(got, part)                                              \
    dfp_test_check_has(got, part, 0, __LINE__, #got)

/*
 * NUL-terminated text of a message that says facts, in this order:
 *
 *     CHECK_SAYS(err.text, "args.url | 4096 bytes");
 *
 * The other words are free. Names and numbers count as a whole: neither
 * args.urls nor args.url[0] says args.url, and 14096 does not say 4096.
 */
#define CHECK_SAYS(got, facts)                                                \
    dfp_test_check_says(got, facts, __LINE__, #got)


static inline void
dfp_test_add(const char *name, void (*run)(void))
{
    if (dfp_ntests == DFP_TEST_MAX) {
        fprintf(stderr, "more than %d tests in a file\n", DFP_TEST_MAX);
        abort();
    }

    dfp_tests[dfp_ntests].name = name;
    dfp_tests[dfp_ntests].run = run;
    dfp_ntests++;
}


static inline dfp_str_t
dfp_test_str(const char *text)
{
    return (dfp_str_t) { strlen(text), text };
}


static inline void
dfp_test_print(const char *label, dfp_str_t s)
{
    size_t         i;
    unsigned char  ch;

    printf("#   %s \"", label);

    for (i = 0; i < s.len; i++) {
        ch = (unsigned char) s.data[i];

        if (ch >= 0x20 && ch < 0x7f) {
            putchar(ch);

        } else {
            printf("\\x%02x", ch);
        }
    }

    printf("\"\n");
}


static inline int
dfp_test_check(int good, int line, const char *what)
{
    if (!good) {
        printf("# line %d: %s\n", line, what);
        dfp_test_failures++;
    }

    return good;
}


static inline int
dfp_test_check_int(long long got, long long expected, int line,
    const char *what)
{
    int  good;

    good = dfp_test_check(got == expected, line, what);

    if (!good) {
        printf("#   expected %lld\n#   got      %lld\n", expected, got);
    }

    return good;
}


static inline int
dfp_test_check_str(dfp_str_t got, dfp_str_t expected, int line,
    const char *what)
{
    int  good;

    good = dfp_test_check(dfp_str_eq(got, expected), line, what);

    if (!good) {
        dfp_test_print("expected", expected);
        dfp_test_print("got     ", got);
    }

    return good;
}


static inline int
dfp_test_check_has(const char *got, const char *part, int wanted, int line,
    const char *what)
{
    int  good;

    good = dfp_test_check((strstr(got, part) != NULL) == wanted, line, what);

    if (!good) {
        dfp_test_print(wanted ? "expected in it" : "must not be in it",
                       dfp_test_str(part));
        dfp_test_print("got", dfp_test_str(got));
    }

    return good;
}


static inline int
dfp_test_is_word(char ch)
{
    return ch == '_' || (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z')
           || (ch >= 'A' && ch <= 'Z');
}


static inline int
dfp_test_joins(char ch)
{
    return ch == '.' || ch == '/';
}


/* Whether the LEN bytes at P are whole in TEXT: no word goes on before them or
 * after them. args.url[0] and linux/arm/v7 are one word each. */

static inline int
dfp_test_is_whole(const char *text, const char *p, size_t len)
{
    const char  *end;

    end = p + len;

    if (p != text && dfp_test_is_word(p[0])
        && (dfp_test_is_word(p[-1])
            || (dfp_test_joins(p[-1]) && p - text > 1
                && dfp_test_is_word(p[-2]))))
    {
        return 0;
    }

    return !dfp_test_is_word(end[-1])
           || !(dfp_test_is_word(end[0]) || end[0] == '['
                || (dfp_test_joins(end[0]) && dfp_test_is_word(end[1])));
}


/* Where FACT ends in TEXT; NULL if it is not there. */

static inline const char *
dfp_test_find(const char *text, const dfp_str_t *fact)
{
    const char  *p;

    for (p = text; fact->len && strlen(p) >= fact->len; p++) {
        if (memcmp(p, fact->data, fact->len) == 0
            && dfp_test_is_whole(text, p, fact->len))
        {
            return p + fact->len;
        }
    }

    return NULL;
}


/* FACT is the first one that GOT does not say. */

static inline int
dfp_test_says(const char *got, const char *facts, dfp_str_t *fact)
{
    const char  *end;

    do {
        end = strstr(facts, " | ");
        fact->data = facts;
        fact->len = end ? (size_t) (end - facts) : strlen(facts);

        got = dfp_test_find(got, fact);
        facts = end ? end + 3 : NULL;

    } while (got && facts);

    return got != NULL;
}


static inline int
dfp_test_check_says(const char *got, const char *facts, int line,
    const char *what)
{
    int        good;
    dfp_str_t  fact;

    good = dfp_test_check(dfp_test_says(got, facts, &fact), line, what);

    if (!good) {
        dfp_test_print("missing", fact);
        dfp_test_print("got    ", dfp_test_str(got));
    }

    return good;
}


/* Each allocation is a block of its own, so that the address sanitizer sees
 * whoever writes one byte too many. */

static inline void *
dfp_test_alloc(void *ctx, size_t size)
{
    dfp_test_block_t  *block;

    if (++dfp_test_allocs == dfp_test_fail_at) {
        return NULL;
    }

    block = malloc(sizeof(dfp_test_block_t) + size);
    if (block == NULL) {
        abort();
    }

    /* what is not set must not be zero by luck */
    memset(block + 1, 0xa5, size);

    block->next = dfp_test_blocks;
    dfp_test_blocks = block;

    return block + 1;
}


/* Text of any length, of the running test. */

static inline dfp_str_t
text_of(const char *fmt, ...)
{
    char     *text;
    size_t    len;
    va_list   args;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    text = dfp_test_alloc(NULL, len + 1);

    va_start(args, fmt);
    (void) vsnprintf(text, len + 1, fmt, args);
    va_end(args);

    return (dfp_str_t) { len, text };
}


/* The memory of the running test; it is freed when the test ends. */

static inline dfp_mem_t *
dfp_test_mem(void)
{
    static dfp_mem_t  mem = { dfp_test_alloc, NULL };

    return &mem;
}


static inline void
dfp_test_mem_free(void)
{
    dfp_test_block_t  *block;

    while (dfp_test_blocks) {
        block = dfp_test_blocks;
        dfp_test_blocks = block->next;
        free(block);
    }

    dfp_test_allocs = 0;
    dfp_test_fail_at = 0;
}


/* Makes the Nth allocation from now fail, once; 0: none. */

static inline void
dfp_test_fail(size_t n)
{
    dfp_test_allocs = 0;
    dfp_test_fail_at = n;
}


/*
 * malloc() and free() for a library that takes them as its own, as in
 * json_set_alloc_funcs(). A test fails when a block is left at its end.
 */

static inline void *
dfp_test_lib_malloc(size_t size)
{
    void  *p;

    if (++dfp_test_lib_allocs == dfp_test_lib_fail_at) {
        return NULL;
    }

    p = malloc(size);
    if (p == NULL) {
        abort();
    }

    dfp_test_lib_live++;

    return p;
}


static inline void
dfp_test_lib_free(void *p)
{
    if (p) {
        dfp_test_lib_live--;
        free(p);
    }
}


static inline void
dfp_test_lib_fail(size_t n)
{
    dfp_test_lib_allocs = 0;
    dfp_test_lib_fail_at = n;
}


/*
 * Calls RUN, which must return DFP_OK, again and again: the first allocation
 * fails, then the second, and so on until none does. Each failure must be
 * told by DFP_ERROR, and by nothing else.
 */

static inline void
dfp_test_oom(int (*run)(dfp_mem_t *mem, void *data), void *data)
{
    int     rc;
    size_t  n;

    for (n = 1; n < DFP_TEST_MAX_OOM; n++) {
        dfp_test_fail(n);
        rc = run(dfp_test_mem(), data);

        if (dfp_test_allocs < n) {
            CHECK_INT(rc, DFP_OK);
            break;
        }

        if (!CHECK_INT(rc, DFP_ERROR)) {
            printf("#   when allocation %zu failed\n", n);
        }
    }

    CHECK(n > 1 && n < DFP_TEST_MAX_OOM);
    dfp_test_fail(0);
}


/* The same for the library's memory. */

static inline void
dfp_test_lib_oom(int (*run)(dfp_mem_t *mem, void *data), void *data)
{
    int     rc;
    size_t  n;

    for (n = 1; n < DFP_TEST_MAX_OOM; n++) {
        dfp_test_lib_fail(n);
        rc = run(dfp_test_mem(), data);

        if (dfp_test_lib_allocs < n) {
            CHECK_INT(rc, DFP_OK);
            break;
        }

        if (!CHECK_INT(rc, DFP_ERROR)) {
            printf("#   when the library's allocation %zu failed\n", n);
        }
    }

    CHECK(n > 1 && n < DFP_TEST_MAX_OOM);
    dfp_test_lib_fail(0);
}


int
main(void)
{
    size_t    i;
    unsigned  failed;

    failed = 0;

    printf("1..%zu\n", dfp_ntests);

    for (i = 0; i < dfp_ntests; i++) {
        dfp_test_failures = 0;

        dfp_tests[i].run();

        if (dfp_test_lib_live != 0) {
            printf("# %ld blocks of a library were not freed\n",
                   dfp_test_lib_live);
            dfp_test_failures++;
            dfp_test_lib_live = 0;
        }

        dfp_test_mem_free();
        dfp_test_lib_fail(0);

        printf("%sok %zu - %s\n", dfp_test_failures ? "not " : "", i + 1,
               dfp_tests[i].name);
        (void) fflush(stdout);

        failed += (dfp_test_failures != 0);
    }

    return failed ? 1 : 0;
}


#endif /* DFP_TEST_H */
