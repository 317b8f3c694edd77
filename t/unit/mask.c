/*
 * Texts of others, without what was sent to them.
 */

#include "dfp_mask.h"
#include "dfp_test.h"


static const dfp_str_t  secrets[] = {
    { sizeof("secret") - 1, "secret" },
    { sizeof("secret-key") - 1, "secret-key" },
    { sizeof("abc") - 1, "abc" }
};


static dfp_str_t
masked(dfp_str_t text)
{
    dfp_str_t  out;

    CHECK_INT(dfp_mask(dfp_test_mem(), text, secrets, 3, &out), DFP_OK);

    return out;
}


TEST("a secret is hidden wherever it is, and however often")
{
    CHECK_STR(masked(DFP_STR("secret")), "***");
    CHECK_STR(masked(DFP_STR("a secret, and a secret")), "a ***, and a ***");
    CHECK_STR(masked(DFP_STR("secretsecret")), "******");
    CHECK_STR(masked(DFP_STR("[secret]")), "[***]");
}


TEST("the longest secret is hidden whole")
{
    CHECK_STR(masked(DFP_STR("secret-key")), "***");
    CHECK_STR(masked(DFP_STR("secret-ke")), "***-ke");
}


TEST("what is no secret stays as it is, in its own place")
{
    dfp_str_t  text = DFP_STR("nothing to hide: secre");

    CHECK(masked(text).data == text.data);
    CHECK_STR(masked(DFP_STR("")), "");
}


TEST("a secret that is too short is passed over")
{
    CHECK_STR(masked(DFP_STR("abc")), "abc");
}


TEST("without memory it is hidden by stars of its own length")
{
    char  text[] = "a secret-key and a secret";

    dfp_mask_in_place(text, sizeof(text) - 1, secrets, 3);
    CHECK_TEXT(text, "a ********** and a ******");
}


TEST("what is left of a secret where a text was cut goes, too")
{
    CHECK_STR(dfp_mask_end(DFP_STR("a secret-k"), secrets, 3), "a ");
    CHECK_STR(dfp_mask_end(DFP_STR("a secr"), secrets, 3), "a ");
    CHECK_STR(dfp_mask_end(DFP_STR("secret-key"), secrets, 3), "");
    CHECK_STR(dfp_mask_end(DFP_STR("a sec"), secrets, 3), "a sec");
    CHECK_STR(dfp_mask_end(DFP_STR("a secret "), secrets, 3), "a secret ");
    CHECK_STR(dfp_mask_end(DFP_STR(""), secrets, 3), "");
}


static int
mask_in(dfp_mem_t *mem, void *data)
{
    dfp_str_t  out;

    return dfp_mask(mem, DFP_STR("a secret"), secrets, 3, &out);
}


TEST("no memory is an error of its own")
{
    dfp_test_oom(mask_in, NULL);
}
