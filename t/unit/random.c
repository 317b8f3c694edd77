/*
 * Random bytes, and UUIDs made of them.
 */

#include "dfp_random.h"
#include "dfp_test.h"


TEST("a UUID is of version 4, and another one each time")
{
    int   i, k;
    char  one[DFP_UUID_LEN + 1], two[DFP_UUID_LEN + 1];

    CHECK_INT(dfp_uuid(one), DFP_OK);

    for (i = 0; i < 100; i++) {
        CHECK_INT(dfp_uuid(two), DFP_OK);
        CHECK_INT(strlen(two), DFP_UUID_LEN);
        CHECK(strcmp(one, two) != 0);
        CHECK(two[14] == '4');
        CHECK(strchr("89ab", two[19]) != NULL);

        for (k = 0; k < DFP_UUID_LEN; k++) {
            CHECK((k == 8 || k == 13 || k == 18 || k == 23)
                  ? two[k] == '-' : strchr("0123456789abcdef", two[k]) != NULL);
        }

        memcpy(one, two, sizeof(one));
    }
}
