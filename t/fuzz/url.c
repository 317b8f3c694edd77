/*
 * URLs: what is accepted means the same when it is read again, and what is
 * shown never shows more the second time.
 */

#include "dfp_url.h"
#include "dfp_fuzz.h"


static void
check_parts(const dfp_url_t *url)
{
    size_t  i;

    MUST(url->href.len <= DFP_URL_MAX_LEN);
    MUST(url->host.len > 0 && url->host.len <= DFP_HOST_MAX_LEN);
    MUST(url->port > 0);
    MUST(url->path.len > 0 && url->path.data[0] == '/');

    /* the parts are one after the other in href, and all of it */

    MUST(url->origin.data == url->href.data);
    MUST(url->authority.data == url->origin.data + (url->tls ? 8 : 7));
    MUST(url->host.data == url->authority.data);
    MUST(url->host.len <= url->authority.len);
    MUST(url->authority.data + url->authority.len
         == url->origin.data + url->origin.len);
    MUST(url->path.data == url->origin.data + url->origin.len);

    MUST(url->href.len == url->origin.len + url->path.len
                          + (url->query.data ? 1 + url->query.len : 0));

    if (url->query.data) {
        MUST(url->query.data == url->path.data + url->path.len + 1);
        MUST(url->query.data[-1] == '?');
    }

    for (i = 0; i < url->href.len; i++) {
        MUST(url->href.data[i] > 0x20 && url->href.data[i] < 0x7f);
        MUST(url->href.data[i] != '#');
    }

    MUST(memchr(url->authority.data, '@', url->authority.len) == NULL);
    MUST(memchr(url->path.data, '\\', url->path.len) == NULL);
    MUST(memchr(url->path.data, '?', url->path.len) == NULL);
}


static void
check_again(const dfp_url_t *url)
{
    dfp_err_t  err;
    dfp_url_t  again;

    MUST(dfp_url_parse(dfp_fuzz_mem(), url->href, "again", &again, &err)
         == DFP_OK);

    MUST(dfp_str_eq(url->href, again.href));
    MUST(dfp_str_eq(url->origin, again.origin));
    MUST(dfp_str_eq(url->authority, again.authority));
    MUST(dfp_str_eq(url->host, again.host));
    MUST(dfp_str_eq(url->path, again.path));
    MUST(dfp_str_eq(url->query, again.query));
    MUST((url->query.data == NULL) == (again.query.data == NULL));
    MUST(url->port == again.port);
    MUST(url->tls == again.tls);
    MUST(url->default_port == again.default_port);
}


static void
check_joined(const dfp_url_t *base, dfp_str_t text)
{
    int        rc;
    dfp_err_t  err;
    dfp_url_t  url, again;

    rc = dfp_url_join(dfp_fuzz_mem(), base, text, "joined", &url, &err);

    if (rc != DFP_OK) {
        MUST(rc == DFP_INVALID);
        MUST(strncmp(err.text, "joined ", 7) == 0);
        return;
    }

    MUST(url.href.len <= DFP_URL_MAX_LEN);
    MUST(memchr(url.authority.data, '@', url.authority.len) == NULL);

    MUST(dfp_url_join(dfp_fuzz_mem(), base, url.href, "again", &again, &err)
         == DFP_OK);
    MUST(dfp_str_eq(url.href, again.href));
}


static void
check_redacted(dfp_str_t text)
{
    int        changed, again;
    dfp_str_t  out, twice;

    MUST(dfp_url_redact(dfp_fuzz_mem(), text, &out, &changed) == DFP_OK);
    MUST(changed == !dfp_str_eq(out, text));
    MUST(changed || out.data == text.data);

    MUST(dfp_url_redact(dfp_fuzz_mem(), out, &twice, &again) == DFP_OK);
    MUST(!again);
    MUST(dfp_str_eq(out, twice));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int        rc;
    dfp_err_t  err;
    dfp_str_t  text = { size, (const char *) data };
    dfp_url_t  url, base;

    MUST(dfp_url_parse(dfp_fuzz_mem(), DFP_STR("https://a.lan/b/c?d"), "base",
                       &base, &err) == DFP_OK);
    check_joined(&base, text);

    rc = dfp_url_parse(dfp_fuzz_mem(), text, "args.url", &url, &err);

    if (rc == DFP_OK) {
        check_parts(&url);
        check_again(&url);

    } else {
        MUST(rc == DFP_INVALID);
        MUST(strncmp(err.text, "args.url ", 9) == 0);
    }

    check_redacted(text);

    dfp_fuzz_free();

    return 0;
}
