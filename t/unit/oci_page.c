/*
 * The pages of lists of referrers.
 */

#include "dfp_oci.h"
#include "dfp_test.h"

#define PATH  "/v2/team/app/referrers/sha256:1"
#define PAGE  "https://r.lan" PATH


static dfp_url_t  url;
static dfp_err_t  err;


static dfp_rc_t
find(dfp_mem_t *mem, const char *page, dfp_str_t link)
{
    dfp_rc_t   rc;
    dfp_url_t  from;

    rc = dfp_url_parse(mem, dfp_test_str(page), "page", &from, &err);

    return rc == DFP_OK ? dfp_oci_next_page(mem, &from, link, &url, &err) : rc;
}


static dfp_str_t
next(dfp_str_t link)
{
    dfp_rc_t  rc;

    rc = find(dfp_test_mem(), PAGE "?n=1", link);

    return rc == DFP_OK ? url.href
           : rc == DFP_DECLINED ? DFP_STR("none") : dfp_cstr(err.text);
}


#define CHECK_NEXT(link, out)  CHECK_STR(next(DFP_STR(link)), out)
#define CHECK_REFUSED(link, why)                                              \
    CHECK_SAYS(next(DFP_STR(link)).data, "the list of referrers | " why)


TEST("the next page")
{
    CHECK_NEXT("<" PATH "?last=a>; rel=\"next\"", PAGE "?last=a");
    CHECK_NEXT("<" PAGE "?last=a>;rel=next", PAGE "?last=a");
    CHECK_NEXT("<?last=a> ; REL = \"Next\"", PAGE "?last=a");
    CHECK_NEXT("<" PATH "?a=b,c;d>; rel=\"last next\"", PAGE "?a=b,c;d");
    CHECK_NEXT(",, <" PATH "?p=0>; rel=\"prev\" , <" PATH "?p=2>; rel=\"next\"",
               PAGE "?p=2");
    CHECK_NEXT(",<" PATH "?p=0>; rel=first;title=\"a, \\\"b; rel=next\","
               ",<" PATH "?p=2>; title=x; rel=next", PAGE "?p=2");
}


TEST("the last page")
{
    CHECK_STR(next(DFP_STR_NULL), "none");
    CHECK_NEXT("", "none");
    CHECK_NEXT(",", "none");
    CHECK_NEXT("<" PATH "?a=b>", "none");
    CHECK_NEXT("<" PATH "?a=b>; rel=\"prev\"", "none");
    CHECK_NEXT("<" PATH "?a=b>; rel=prev; rel=next", "none");
    CHECK_NEXT("<" PATH "?a=b>; rel=nextone", "none");
    CHECK_NEXT("<" PATH "?a=b>; rel", "none");
    CHECK_NEXT("<" PATH "?a=b>; rel=", "none");
    CHECK_NEXT("<" PATH "?a=b>; rel=\"", "none");
    CHECK_NEXT("<" PATH "?a=b>; title=\"next\\", "none");
    CHECK_NEXT("<" PATH "?a=b; rel=next", "none");
    CHECK_NEXT("next", "none");
    CHECK_NEXT("<", "none");
}


TEST("another host is not asked")
{
    CHECK_NEXT("<http://internal:5000" PATH "?last=a>; rel=next",
               PAGE "?last=a");
    CHECK_NEXT("<//other.lan" PATH "?last=a>; rel=next", PAGE "?last=a");
    CHECK_NEXT("</v2/team/app/referrers/sha256%3A1?last=a>; rel=next",
               PAGE "?last=a");
}


TEST("what cannot be followed")
{
    CHECK_REFUSED("</v2/team/other/referrers/sha256:1?a=b>; rel=next", "path");
    CHECK_REFUSED("<" PATH "2?a=b>; rel=next", "path");
    CHECK_REFUSED("</v2/team/app/referrers/sha256:?a=b>; rel=next", "path");
    CHECK_REFUSED("<" PATH ">; rel=next", "query");
    CHECK_REFUSED("<" PATH "?>; rel=next", "query");
    CHECK_REFUSED("<./sha256:1?a=b>; rel=next", "path");
    CHECK_REFUSED("<sha256:1?a=b>; rel=next", "URL");
    CHECK_REFUSED("<ftp://r.lan" PATH "?a=b>; rel=next", "http");
    CHECK_REFUSED("<" PATH "?a=%0a>; rel=next", "%0A");
}


static int
follow(dfp_mem_t *mem, void *data)
{
    return find(mem, PAGE, dfp_test_str(data));
}


TEST("no memory")
{
    dfp_test_oom(follow, "<" PATH "?last=a>; rel=next");
}
