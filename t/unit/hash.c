/*
 * Hashes, whole and in parts, and hexadecimal digits.
 */

#include <openssl/err.h>

#include "dfp_hash.h"
#include "dfp_hex.h"
#include "dfp_test.h"


/* of "abc": FIPS 180-4, examples */
static const struct {
    dfp_hash_type_t  type;
    size_t           len;
    const char      *hex;
} hashes[] = {
    { DFP_SHA1, DFP_SHA1_LEN, "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { DFP_SHA256, DFP_SHA256_LEN,
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { DFP_SHA512, DFP_SHA512_LEN,
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" }
};


static void
check_hash(const unsigned char *hash, size_t i)
{
    char  hex[2 * DFP_HASH_MAX_LEN + 1];

    *dfp_hex_print(hash, hashes[i].len, hex) = '\0';
    CHECK_TEXT(hex, hashes[i].hex);
}


TEST("a text has the hash that the standard's examples have")
{
    size_t         i;
    unsigned char  hash[DFP_HASH_MAX_LEN];

    for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        CHECK_INT(dfp_hash(hashes[i].type, DFP_STR("abc"), hash), DFP_OK);
        check_hash(hash, i);
    }
}


TEST("parts have the hash of the whole")
{
    size_t         i;
    dfp_hash_t     h;
    unsigned char  hash[DFP_HASH_MAX_LEN];

    for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        CHECK_INT(dfp_hash_start(&h, hashes[i].type), DFP_OK);
        CHECK_INT(dfp_hash_add(&h, "a", 1), DFP_OK);
        CHECK_INT(dfp_hash_add(&h, "", 0), DFP_OK);
        CHECK_INT(dfp_hash_add(&h, "bc", 2), DFP_OK);
        CHECK_INT(dfp_hash_end(&h, hash), DFP_OK);
        check_hash(hash, i);
    }
}


TEST("SHA-256 prints as hexadecimal digits, of an empty text too")
{
    char  hash[DFP_SHA256_HEX_LEN + 1];

    CHECK_INT(dfp_sha256_hex(DFP_STR("abc"), hash), DFP_OK);
    CHECK_TEXT(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
               "f20015ad");

    CHECK_INT(dfp_sha256_hex(DFP_STR_NULL, hash), DFP_OK);
    CHECK_TEXT(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b"
               "7852b855");

    CHECK(ERR_peek_error() == 0);
}


TEST("each byte prints as two digits that are read as that byte")
{
    int            byte;
    char           hex[3];
    unsigned char  ch;

    for (byte = 0; byte < 256; byte++) {
        ch = (unsigned char) byte;
        *dfp_hex_print(&ch, 1, hex) = '\0';
        CHECK_INT(dfp_hex_byte(hex), byte);
    }

    CHECK_TEXT(hex, "ff");
    CHECK_INT(dfp_hex_byte("fF"), 255);
}


TEST("what is not a digit is not read")
{
    int  ch;

    for (ch = 0; ch < 256; ch++) {
        CHECK(dfp_hex((char) ch) == -1
              || strchr("0123456789abcdefABCDEF", ch) != NULL);
    }

    CHECK_INT(dfp_hex_byte("0g"), -1);
    CHECK_INT(dfp_hex_byte("g0"), -1);
    CHECK_INT(dfp_hex_byte(""), -1);
}
