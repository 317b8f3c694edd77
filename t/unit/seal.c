/*
 * Sealed secrets: keys, sealing, and what must not open.
 */

#include <openssl/err.h>

#include "dfp_seal.h"
#include "dfp_test.h"


/* 64 digits each; the ids were computed with sha256sum */

#define KEY_A  "0001020304050607" "08090a0b0c0d0e0f"                          \
               "1011121314151617" "18191a1b1c1d1e1f"
#define KEY_B  "ffeeddccbbaa9988" "7766554433221100"                          \
               "FFEEDDCCBBAA9988" "7766554433221100"
#define ID_A   "630dcd29"

#define UUID   "4e37c960-aaf5-4adc-add5-3b1bd9f56bb0"
#define LITERAL(text)  { sizeof(text) - 1, text }

#define TEXT   "{\"password\":\"hunter2\"}"


static dfp_err_t  err;


static int
keys_of(dfp_str_t text, dfp_seal_keys_t *keys)
{
    err.text[0] = '\0';

    return dfp_seal_parse_keys(text, keys, &err);
}


static dfp_str_t
sealed_by(const char *key, dfp_str_t text)
{
    dfp_str_t        sealed;
    dfp_seal_keys_t  keys;

    CHECK_INT(keys_of(dfp_test_str(key), &keys), DFP_OK);
    CHECK_INT(dfp_seal(dfp_test_mem(), &keys, DFP_STR(UUID), text, &sealed),
              DFP_OK);

    return sealed;
}


static int
opened_by(const char *key, dfp_str_t uuid, dfp_str_t sealed, dfp_str_t *text)
{
    dfp_seal_keys_t  keys;

    CHECK_INT(keys_of(dfp_test_str(key), &keys), DFP_OK);
    err.text[0] = '\0';

    return dfp_unseal(dfp_test_mem(), &keys, uuid, sealed, text, &err);
}


TEST("a key file has one key or two, with comments and empty lines")
{
    dfp_seal_keys_t  keys;

    CHECK_INT(keys_of(DFP_STR(KEY_A), &keys), DFP_OK);
    CHECK_INT(keys.n, 1);
    CHECK_INT(keys.keys[0].key[0], 0x00);
    CHECK_INT(keys.keys[0].key[31], 0x1f);
    CHECK(memcmp(keys.keys[0].id, ID_A, DFP_SEAL_ID_LEN) == 0);

    CHECK_INT(keys_of(DFP_STR("# new\n" KEY_B "\n\n# old\r\n" KEY_A "\r\n\n"),
                      &keys), DFP_OK);
    CHECK_INT(keys.n, 2);
    CHECK_INT(keys.keys[0].key[0], 0xff);
    CHECK_INT(keys.keys[0].key[16], 0xff);
    CHECK(memcmp(keys.keys[1].id, ID_A, DFP_SEAL_ID_LEN) == 0);
}


TEST("a key file that is wrong is refused by the line, without showing it")
{
    size_t           i;
    dfp_seal_keys_t  keys, none;

    static const struct {
        dfp_str_t    text;
        const char  *facts;
    } files[] = {
        { { 0, NULL }, "no key | 64 hexadecimal" },
        { LITERAL("# nothing"), "no key | 64 hexadecimal" },
        { LITERAL("#" KEY_A "\n\r\n"), "no key | 64 hexadecimal" },
        { { 63, KEY_A }, "line 1 | key | 64 hexadecimal" },
        { LITERAL(KEY_A "0"), "line 1 | key | 64 hexadecimal" },
        { LITERAL(KEY_A " "), "line 1 | key | 64 hexadecimal" },
        { { 64, "g" KEY_A }, "line 1 | key | 64 hexadecimal" },
        { { 64, "\0" KEY_A }, "line 1 | key | 64 hexadecimal" },
        { LITERAL(KEY_A "\n\nabcd"), "line 3 | key | 64 hexadecimal" },
        { LITERAL(KEY_A "\n" KEY_B "\n" KEY_A), "line 3 | keys | 2" }
    };

    memset(&none, 0, sizeof(none));

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        CHECK_INT(keys_of(files[i].text, &keys), DFP_INVALID);
        CHECK_SAYS(err.text, files[i].facts);
        CHECK_HAS_NOT(err.text, "00010203");
        CHECK(memcmp(&keys, &none, sizeof(keys)) == 0);
    }
}


TEST("what is sealed opens again, to the byte")
{
    dfp_str_t  sealed, text;

    sealed = sealed_by(KEY_A, DFP_STR(TEXT));
    CHECK_INT(sealed.len, sizeof(TEXT) - 1 + DFP_SEAL_OVERHEAD);
    CHECK(memcmp(sealed.data, ID_A, DFP_SEAL_ID_LEN) == 0);

    CHECK_INT(opened_by(KEY_A, DFP_STR(UUID), sealed, &text), DFP_OK);
    CHECK_STR(text, TEXT);

    sealed = sealed_by(KEY_A, DFP_STR("a\0b"));
    CHECK_INT(opened_by(KEY_A, DFP_STR(UUID), sealed, &text), DFP_OK);
    CHECK_STR(text, "a\0b");
}


TEST("an empty text is sealed as any other")
{
    dfp_str_t  sealed, text;

    sealed = sealed_by(KEY_A, DFP_STR_NULL);
    CHECK_INT(sealed.len, DFP_SEAL_OVERHEAD);
    CHECK_INT(opened_by(KEY_A, DFP_STR(UUID), sealed, &text), DFP_OK);
    CHECK_STR(text, "");
}


TEST("a long text is sealed as any other")
{
    char       *data;
    size_t      len;
    dfp_str_t   sealed, text;

    len = 4 * 1024 * 1024 + 3;
    data = dfp_test_alloc(NULL, len);

    sealed = sealed_by(KEY_A, (dfp_str_t) { len, data });
    CHECK_INT(opened_by(KEY_A, DFP_STR(UUID), sealed, &text), DFP_OK);
    CHECK_INT(text.len, len);
    CHECK(text.len == len && memcmp(text.data, data, len) == 0);
}


TEST("the same text never looks the same, and is nowhere to be seen")
{
    int        i;
    size_t     k;
    dfp_str_t  one, two;

    one = sealed_by(KEY_A, DFP_STR(TEXT));

    for (i = 0; i < 20; i++) {
        two = sealed_by(KEY_A, DFP_STR(TEXT));
        CHECK(!dfp_str_eq(one, two));

        for (k = 0; k + 7 <= two.len; k++) {
            CHECK(memcmp(two.data + k, "hunter2", 7) != 0);
        }

        one = two;
    }
}


/* Made by another implementation of AES-GCM, with a nonce of zeros: so the
 * format cannot change unseen. */

TEST("a text that was sealed by another program opens")
{
    dfp_str_t  text;

    static const char  sealed[] =
        ID_A "\0\0\0\0\0\0\0\0\0\0\0\0"
        "\x75\x9e\xc5\xbf\xc6\x5f\xf4\xd2\x7a\xcc\x8b\x0f\x3a\x44"
        "\xe4\xf7\xa6\x26\x24\x61\x0a\xfc\x87\x15\x44\x7e\x6d\xbc"
        "\xc0\x12\x8d\x61\x6c\x43\x95\x78\xa3\x6b";

    CHECK_INT(opened_by(KEY_A, DFP_STR(UUID), DFP_STR(sealed), &text), DFP_OK);
    CHECK_STR(text, TEXT);
}


TEST("after a change of keys the old one still opens, and the new one seals")
{
    dfp_str_t  sealed, text;

    sealed = sealed_by(KEY_A, DFP_STR(TEXT));

    CHECK_INT(opened_by(KEY_B "\n" KEY_A, DFP_STR(UUID), sealed, &text),
              DFP_OK);
    CHECK_STR(text, TEXT);

    sealed = sealed_by(KEY_B "\n" KEY_A, DFP_STR(TEXT));
    CHECK_INT(opened_by(KEY_B, DFP_STR(UUID), sealed, &text), DFP_OK);
    CHECK_STR(text, TEXT);
}


TEST("a key that is gone is named by its id")
{
    dfp_str_t  sealed, text;

    sealed = sealed_by(KEY_A, DFP_STR(TEXT));

    CHECK_INT(opened_by(KEY_B, DFP_STR(UUID), sealed, &text), DFP_INVALID);
    CHECK_SAYS(err.text, "secrets | key " ID_A);
}


TEST("another job's secrets do not open")
{
    dfp_str_t  sealed, text;

    sealed = sealed_by(KEY_A, DFP_STR(TEXT));

    CHECK_INT(opened_by(KEY_A, DFP_STR("4e37c960-aaf5-4adc-add5-3b1bd9f56bb1"),
                        sealed, &text), DFP_INVALID);
    CHECK_SAYS(err.text, "secrets | damaged | another job");
    CHECK(ERR_peek_error() == 0);
}


TEST("a change of any byte, or of the length, is noticed")
{
    char       *copy;
    size_t      i;
    dfp_str_t   sealed, damaged, text;

    sealed = sealed_by(KEY_A, DFP_STR(TEXT));
    copy = dfp_strdup(dfp_test_mem(), sealed.data, sealed.len);

    for (i = 0; i < sealed.len; i++) {
        copy[i] ^= 1;
        damaged.data = copy;
        damaged.len = sealed.len;

        CHECK_INT(opened_by(KEY_A, DFP_STR(UUID), damaged, &text),
                  DFP_INVALID);

        copy[i] ^= 1;
        damaged.len = i;

        CHECK_INT(opened_by(KEY_A, DFP_STR(UUID), damaged, &text),
                  DFP_INVALID);
    }

    /* the copy's NUL is one byte too many */

    damaged.len = sealed.len + 1;
    CHECK_INT(opened_by(KEY_A, DFP_STR(UUID), damaged, &text), DFP_INVALID);

    CHECK_INT(opened_by(KEY_A, DFP_STR(UUID), DFP_STR_NULL, &text),
              DFP_INVALID);
    CHECK_SAYS(err.text, "secrets | damaged");
    CHECK(ERR_peek_error() == 0);
}


TEST("an id that is none is not shown")
{
    dfp_str_t  text;

    CHECK_INT(opened_by(KEY_A, DFP_STR(UUID), DFP_STR("hunter2!............"
                        "................"), &text), DFP_INVALID);
    CHECK_SAYS(err.text, "secrets | damaged");
    CHECK_HAS_NOT(err.text, "hunter2");
}


TEST("without a key or a job nothing is sealed")
{
    dfp_str_t        sealed;
    dfp_seal_keys_t  keys;

    memset(&keys, 0, sizeof(keys));
    CHECK_INT(dfp_seal(dfp_test_mem(), &keys, DFP_STR(UUID), DFP_STR(TEXT),
                       &sealed), DFP_ERROR);

    CHECK_INT(keys_of(DFP_STR(KEY_A), &keys), DFP_OK);
    CHECK_INT(dfp_seal(dfp_test_mem(), &keys, DFP_STR(""), DFP_STR(TEXT),
                       &sealed), DFP_ERROR);
}


static int
run_seal(dfp_mem_t *mem, void *data)
{
    dfp_str_t  sealed;

    return dfp_seal(mem, data, DFP_STR(UUID), DFP_STR(TEXT), &sealed);
}


static int
run_unseal(dfp_mem_t *mem, void *data)
{
    dfp_str_t        text;
    dfp_seal_keys_t  keys;

    (void) keys_of(DFP_STR(KEY_A), &keys);

    return dfp_unseal(mem, &keys, DFP_STR(UUID), *(dfp_str_t *) data, &text,
                      &err);
}


TEST("without memory nothing is sealed or opened")
{
    dfp_str_t        sealed;
    dfp_seal_keys_t  keys;

    CHECK_INT(keys_of(DFP_STR(KEY_A), &keys), DFP_OK);
    sealed = sealed_by(KEY_A, DFP_STR(TEXT));

    dfp_test_oom(run_seal, &keys);
    dfp_test_oom(run_unseal, &sealed);
}
