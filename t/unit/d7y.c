/*
 * Dragonfly's messages that are sent: byte for byte what others were seen to
 * send.
 */

#include "d7y_test.h"


#define IMAGE  "http://127.0.0.1:15000/v2/lab/multi/manifests/v1"
#define FILE_  "http://127.0.0.1:15009/file/vec?size=1000"

#define CHECK_SENT(rc, hex)                                                   \
    CHECK_INT(rc, DFP_OK);                                                    \
    CHECK_SAME(frame, frame_of(from_hex(hex)))


static dfp_str_t          frame;
static dfp_job_t          job;
static dfp_d7y_request_t  request;


static void
start(dfp_job_type_t type, const char *url)
{
    memset(&job, 0, sizeof(dfp_job_t));
    memset(&request, 0, sizeof(dfp_d7y_request_t));

    job.type = type;
    job.scope = DFP_SCOPE_SINGLE_SEED_PEER;
    request.url = dfp_test_str(url);
}


static void
set_headers(dfp_job_header_t *headers, size_t n)
{
    request.headers = headers;
    request.nheaders = n;
}


/* Every field that there is. */

static void
fill(dfp_job_type_t type)
{
    static dfp_str_t         certificates[] = { { 3, "\1\0\2" }, { 1, "x" } };
    static dfp_str_t         ips[] = { { 9, "127.0.0.1" },
                                       { 9, "127.0.0.2" } };
    static dfp_job_header_t  headers[] = {
        { { 5, "X-One" }, { 1, "1" } }, { { 5, "X-Two" }, { 0, "" } }
    };

    start(type, IMAGE);
    set_headers(headers, 2);

    request.tag = DFP_STR("t");
    request.application = DFP_STR("app");
    request.filter = DFP_STR("a&b");
    request.piece_length = 4194304;
    request.timeout = INT64_C(60000000001);
    request.priority = 3;
    request.certificates = certificates;
    request.ncertificates = 2;
    request.blob_digest = 1;

    job.scope = DFP_SCOPE_ALL_PEERS;
    job.username = DFP_STR("user");
    job.password = DFP_STR("secret");
    job.platform = DFP_STR("linux/arm64");
    job.ips = ips;
    job.nips = 2;
    job.percentage = 50;
    job.count = 2;
    job.concurrent_task_count = 4;
    job.concurrent_peer_count = 10;
}


static int
preheat(void)
{
    return dfp_d7y_preheat(dfp_test_mem(), &request, &job, &frame);
}


static int
stat_(void)
{
    return dfp_d7y_stat(dfp_test_mem(), &request, &job, &frame);
}


static int
download(void)
{
    return dfp_d7y_download(dfp_test_mem(), &request, &frame);
}


/* A recorded message without the part that HEX is, which is there once. */

static dfp_str_t
without(dfp_str_t message, const char *hex)
{
    char       *p;
    size_t      i, n;
    dfp_str_t   part;

    part = from_hex(hex);
    p = (char *) message.data;
    n = 0;

    for (i = 0; i + part.len <= message.len; i++) {
        if (memcmp(p + i, part.data, part.len) == 0) {
            memmove(p + i, p + i + part.len, message.len - i - part.len);
            message.len -= part.len;
            n++;
        }
    }

    CHECK_INT(n, 1);

    return message;
}


TEST("ListHosts of everything")
{
    CHECK_SENT(dfp_d7y_list_hosts(dfp_test_mem(), &frame), "");
    CHECK_STR(frame, "\0\0\0\0\0");
}


TEST("the least PreheatImage")
{
    start(DFP_JOB_IMAGE, IMAGE);
    CHECK_SENT(preheat(), D7Y_PREHEAT_IMAGE);

    start(DFP_JOB_IMAGE, "not a url");
    CHECK_SENT(preheat(), D7Y_PREHEAT_NO_URL);
}


TEST("PreheatImage with every field")
{
    dfp_str_t         message;
    dfp_job_header_t  header = { DFP_STR("X-One"), DFP_STR("1") };

    fill(DFP_JOB_IMAGE);
    set_headers(&header, 1);
    request.ncertificates = 0;
    request.timeout = INT64_C(60000000000);

    /* insecure_skip_verify is never asked for */

    message = without(from_hex(D7Y_PREHEAT_IMAGE_ALL), "980101");

    CHECK_INT(preheat(), DFP_OK);
    CHECK_SAME(frame, frame_of(message));
}


TEST("PreheatFile")
{
    start(DFP_JOB_FILE, FILE_);
    CHECK_SENT(preheat(), D7Y_PREHEAT_FILE);
}


TEST("StatImage and StatFile")
{
    start(DFP_JOB_IMAGE, IMAGE);
    CHECK_SENT(stat_(), D7Y_STAT_IMAGE);

    start(DFP_JOB_FILE, FILE_);
    CHECK_SENT(stat_(), D7Y_STAT_FILE);
}


TEST("DownloadTask, but for what is empty or not sent")
{
    size_t             i;
    dfp_str_t          message;
    dfp_job_header_t   header = { DFP_STR("Authorization"),
                                  DFP_STR("Bearer tok123") };
    static const char  *hex[] = { D7Y_DOWNLOAD, D7Y_DOWNLOAD_404 };
    static const char  *urls[] = {
        "http://127.0.0.1:15009/file/vec-ea1554?size=9000000",
        "http://127.0.0.1:15009/status/404/vec-ea1554"
    };

    for (i = 0; i < 2; i++) {
        start(DFP_JOB_FILE, urls[i]);
        set_headers(&header, 1);
        request.filter = DFP_STR("Expires&Signature");
        request.timeout = INT64_C(60000000000);

        message = without(from_hex(hex[i]), "2a00");
        message = without(message, "3200");
        message = without(message, "c201093132372e302e302e31");
        ((char *) message.data)[1] = (char) (message.len - 2);

        CHECK_INT(download(), DFP_OK);
        CHECK_SAME(frame, frame_of(message));
    }
}


TEST("PreheatFile with every field has neither credentials nor a platform")
{
    fill(DFP_JOB_FILE);
    CHECK_SENT(preheat(),
               "0a30687474703a2f2f3132372e302e302e313a31353030302f76322f6c6162"
               "2f6d756c74692f6d616e6966657374732f7631" "1080808002" "1a0174"
               "2203617070" "2a0161" "2a0162" "320a" "0a05582d4f6e65120131"
               "3207" "0a05582d54776f" "3a09616c6c5f7065657273"
               "42093132372e302e302e31" "42093132372e302e302e32" "4832" "5002"
               "5804" "600a" "6a04" "083c1001" "7003" "7a03010002" "7a0178");
}


TEST("StatImage and StatFile with every field have no scope and no priority")
{
    fill(DFP_JOB_IMAGE);
    CHECK_SENT(stat_(),
               "0a30687474703a2f2f3132372e302e302e313a31353030302f76322f6c6162"
               "2f6d756c74692f6d616e6966657374732f7631" "1080808002" "1a0174"
               "2203617070" "2a0161" "2a0162" "320a" "0a05582d4f6e65120131"
               "3207" "0a05582d54776f" "3a0475736572" "4206736563726574"
               "4a0b6c696e75782f61726d3634" "5004" "580a" "6204" "083c1001"
               "6a03010002" "6a0178");

    fill(DFP_JOB_FILE);
    CHECK_SENT(stat_(),
               "0a30687474703a2f2f3132372e302e302e313a31353030302f76322f6c6162"
               "2f6d756c74692f6d616e6966657374732f7631" "1080808002" "1a0174"
               "2203617070" "2a0161" "2a0162" "320a" "0a05582d4f6e65120131"
               "3207" "0a05582d54776f" "380a" "4204" "083c1001" "4a03010002"
               "4a0178");
}


TEST("DownloadTask with every field")
{
    fill(DFP_JOB_FILE);
    CHECK_SENT(download(), "0a6d"
               "0a30687474703a2f2f3132372e302e302e313a31353030302f76322f6c6162"
               "2f6d756c74692f6d616e6966657374732f7631" "2a0174" "3203617070"
               "3803" "420161" "420162" "4a0a" "0a05582d4f6e65120131" "4a07"
               "0a05582d54776f" "5080808002" "6204" "083c1001" "7a03010002"
               "7a0178" "f00101");
}


TEST("StatLocalTask")
{
    CHECK_SENT(dfp_d7y_stat_local(dfp_test_mem(), DFP_STR("abc"), &frame),
               "0a03616263");
    CHECK_SENT(dfp_d7y_stat_local(dfp_test_mem(), DFP_STR(""), &frame), "");
}


TEST("the scopes")
{
    start(DFP_JOB_FILE, "u");

    job.scope = DFP_SCOPE_SINGLE_SEED_PEER;
    CHECK_SENT(preheat(), "0a0175" "3a1073696e676c655f736565645f70656572");

    job.scope = DFP_SCOPE_ALL_SEED_PEERS;
    CHECK_SENT(preheat(), "0a0175" "3a0e616c6c5f736565645f7065657273");

    job.scope = DFP_SCOPE_ALL_PEERS;
    CHECK_SENT(preheat(), "0a0175" "3a09616c6c5f7065657273");
}


TEST("a time-out in seconds, nanoseconds, both, or none")
{
    start(DFP_JOB_FILE, "u");

    request.timeout = INT64_C(1000000000);
    CHECK_SENT(stat_(), "0a0175" "4202" "0801");

    request.timeout = 999999999;
    CHECK_SENT(stat_(), "0a0175" "4206" "10ff93ebdc03");

    request.timeout = INT64_C(1000000001);
    CHECK_SENT(stat_(), "0a0175" "4204" "08011001");

    request.timeout = INT64_MAX;
    CHECK_SENT(stat_(), "0a0175" "420c" "08" "84fa85ae22" "10" "ffafcb9703");

    request.timeout = 0;
    CHECK_SENT(stat_(), "0a0175");

    request.timeout = -1;
    CHECK_SENT(stat_(), "0a0175");
}


TEST("no number that is 0 or less is sent")
{
    start(DFP_JOB_IMAGE, "u");

    request.piece_length = -1;
    request.priority = -1;
    job.percentage = -1;
    job.count = -1;
    job.concurrent_task_count = -1;
    job.concurrent_peer_count = -1;

    CHECK_SENT(preheat(), "0a0175" "521073696e676c655f736565645f70656572");
    CHECK_SENT(stat_(), "0a0175");
    CHECK_SENT(download(), "0a03" "0a0175");
}


TEST("the names of a filter, without empty ones")
{
    start(DFP_JOB_FILE, "u");

    request.filter = DFP_STR("&a&&bc&");
    CHECK_SENT(stat_(), "0a0175" "2a0161" "2a026263");

    request.filter = DFP_STR("&");
    CHECK_SENT(stat_(), "0a0175");

    request.filter = DFP_STR_NULL;
    CHECK_SENT(stat_(), "0a0175");
}


TEST("addresses are sent as the scheduler spells them")
{
    dfp_str_t  ips[] = { DFP_STR("2001:DB8:0:0::1"),
                         DFP_STR("::ffff:10.0.0.1"), DFP_STR("x"),
                         DFP_STR("0.0.0.0") };

    start(DFP_JOB_FILE, "u");
    job.ips = ips;
    job.nips = 4;

    CHECK_SENT(preheat(), "0a0175" "3a1073696e676c655f736565645f70656572"
               "420b323030313a6462383a3a31" "420831302e302e302e31" "420178"
               "4207302e302e302e30");
}


TEST("a request may be longer than a byte tells, and have many headers")
{
    size_t            i;
    dfp_job_header_t  headers[DFP_JOB_MAX_HEADERS];

    start(DFP_JOB_FILE, "u");
    set_headers(headers, DFP_JOB_MAX_HEADERS);

    for (i = 0; i < DFP_JOB_MAX_HEADERS; i++) {
        headers[i].name = repeated('n', DFP_JOB_MAX_HEADER_NAME);
        headers[i].value = repeated('v', DFP_JOB_MAX_HEADER_VALUE);
    }

    CHECK_INT(download(), DFP_OK);

    /* each length takes two bytes, that of all three */

    CHECK_INT(frame.len, 5 + 4 + 3 + 64 * (3 + 3 + 128 + 3 + 8192));
    CHECK(memcmp(frame.data, "\0\0\x08\x22\x47", 5) == 0);
}


static int
run_list_hosts(dfp_mem_t *mem, void *data)
{
    return dfp_d7y_list_hosts(mem, &frame);
}


static int
run_download(dfp_mem_t *mem, void *data)
{
    return dfp_d7y_download(mem, &request, &frame);
}


static int
run_preheat(dfp_mem_t *mem, void *data)
{
    return dfp_d7y_preheat(mem, &request, &job, &frame);
}


static int
run_stat(dfp_mem_t *mem, void *data)
{
    return dfp_d7y_stat(mem, &request, &job, &frame);
}


TEST("no memory is an error")
{
    dfp_test_oom(run_list_hosts, NULL);

    fill(DFP_JOB_IMAGE);
    dfp_test_oom(run_download, NULL);
    dfp_test_oom(run_preheat, NULL);
    dfp_test_oom(run_stat, NULL);

    fill(DFP_JOB_FILE);
    dfp_test_oom(run_preheat, NULL);
    dfp_test_oom(run_stat, NULL);
}
