/*
 * Messages as they were recorded from Dragonfly's scheduler (main of August
 * 2026) and dfdaemon (1.5.1): protobuf in hexadecimal, without the prefix of
 * gRPC. And what it takes to write others.
 */

#ifndef DFP_D7Y_TEST_H
#define DFP_D7Y_TEST_H


#include "dfp_buf.h"
#include "dfp_d7y.h"
#include "dfp_hex.h"
#include "dfp_test.h"


/* PreheatImageRequest, the least */
#define D7Y_PREHEAT_IMAGE                                                     \
    "0a30687474703a2f2f3132372e302e302e313a31353030302f76322f6c61622f6d"      \
    "756c74692f6d616e6966657374732f7631521073696e676c655f736565645f7065"      \
    "6572"

/* PreheatImageRequest, every field but certificate_chain */
#define D7Y_PREHEAT_IMAGE_ALL                                                 \
    "0a30687474703a2f2f3132372e302e302e313a31353030302f76322f6c61622f6d"      \
    "756c74692f6d616e6966657374732f763110808080021a017422036170702a0161"      \
    "2a0162320a0a05582d4f6e651201313a047573657242067365637265744a0b6c69"      \
    "6e75782f61726d36345209616c6c5f70656572735a093132372e302e302e315a09"      \
    "3132372e302e302e32603268027004780a820102083c880103980101"

/* PreheatImageRequest of "not a url" */
#define D7Y_PREHEAT_NO_URL                                                    \
    "0a096e6f7420612075726c521073696e676c655f736565645f70656572"

/* PreheatFileRequest */
#define D7Y_PREHEAT_FILE                                                      \
    "0a29687474703a2f2f3132372e302e302e313a31353030392f66696c652f766563"      \
    "3f73697a653d313030303a1073696e676c655f736565645f70656572"

/* StatImageRequest */
#define D7Y_STAT_IMAGE                                                        \
    "0a30687474703a2f2f3132372e302e302e313a31353030302f76322f6c61622f6d"      \
    "756c74692f6d616e6966657374732f7631"

/* StatFileRequest */
#define D7Y_STAT_FILE                                                         \
    "0a29687474703a2f2f3132372e302e302e313a31353030392f66696c652f766563"      \
    "3f73697a653d31303030"

/* DownloadTaskRequest; tag and application are "", remote_ip is set */
#define D7Y_DOWNLOAD                                                          \
    "0a7d0a33687474703a2f2f3132372e302e302e313a31353030392f66696c652f76"      \
    "65632d6561313535343f73697a653d393030303030302a00320042074578706972"      \
    "657342095369676e61747572654a1e0a0d417574686f72697a6174696f6e120d42"      \
    "656172657220746f6b3132336202083cc201093132372e302e302e31"

/* the same of another URL */
#define D7Y_DOWNLOAD_404                                                      \
    "0a760a2c687474703a2f2f3132372e302e302e313a31353030392f737461747573"      \
    "2f3430342f7665632d6561313535342a0032004207457870697265734209536967"      \
    "6e61747572654a1e0a0d417574686f72697a6174696f6e120d4265617265722074"      \
    "6f6b3132336202083cc201093132372e302e302e31"

/* ListHostsResponse */
#define D7Y_HOSTS                                                             \
    "0a8b020a153132372e302e302e312d736565642d312d7365656410011a06736565"      \
    "642d3122093132372e302e302e3128946e30946e3a056c696e757842056c696e75"      \
    "784a04756e6978520231325a0f362e31382e34342d66632d763636396218080210"      \
    "0219000000c09c82494021000000a05f29f03f2a006a2a0880a0e3945e1080a0de"      \
    "c95818808085cb05214a3f7708f3ba1740293d982d3f45d0d93f3080a092ea5072"      \
    "231a067261636b7c3122036c61624880c0ee8ed20b50c0c3065880c0ee8ed20b60"      \
    "c0c3067a1e0880a0e7f1ef07108080d6a186021880a091d0e905217abeca8da77e"      \
    "52408201160a05312e352e3112096666313763306237371a002a00880101980195"      \
    "6ea20102766d0afa010a103132372e302e302e332d706565722d331a0670656572"      \
    "2d3322093132372e302e302e3328dc6f30dc6f3a056c696e757842056c696e7578"      \
    "4a04756e6978520231325a0f362e31382e34342d66632d76363639620f08021002"      \
    "19000000c09c8249402a006a2a0880a0e3945e1080a0dec95818808085cb05214a"      \
    "3f7708f3ba1740291edf3ad9a0e5d73f3080a092ea50721f1a067261636b7c3322"      \
    "036c61624880c0ee8ed20b50005880c0ee8ed20b60007a210880a0e7f1ef071080"      \
    "a0d6a1860218808091d0e905211c2b7187a77e52405080208201160a05312e352e"      \
    "3112096666313763306237371a002a008801019801dd6fa20102766d0afa010a10"      \
    "3132372e302e302e322d706565722d321a06706565722d3222093132372e302e30"      \
    "2e3228f86e30f86e3a056c696e757842056c696e75784a04756e6978520231325a"      \
    "0f362e31382e34342d66632d76363639620f0802100219000000c09c8249402a00"      \
    "6a2a0880a0e3945e1080a0dec95818808085cb05214a3f7708f3ba174029b2e589"      \
    "233de3d73f3080a092ea50721f1a067261636b7c3222036c61624880c0ee8ed20b"      \
    "50005880c0ee8ed20b60007a210880a0e7f1ef071080a0d6a1860218808091d0e9"      \
    "05211c2b7187a77e52405080208201160a05312e352e3112096666313763306237"      \
    "371a002a008801019801f96ea20102766d"

/* ListHostsResponse, seed peers only */
#define D7Y_HOSTS_SEEDS                                                       \
    "0a8b020a153132372e302e302e312d736565642d312d7365656410011a06736565"      \
    "642d3122093132372e302e302e3128946e30946e3a056c696e757842056c696e75"      \
    "784a04756e6978520231325a0f362e31382e34342d66632d763636396218080210"      \
    "0219000000c09c82494021000000a05f29f03f2a006a2a0880a0e3945e1080a0de"      \
    "c95818808085cb05214a3f7708f3ba1740293d982d3f45d0d93f3080a092ea5072"      \
    "231a067261636b7c3122036c61624880c0ee8ed20b50c0c3065880c0ee8ed20b60"      \
    "c0c3067a1e0880a0e7f1ef07108080d6a186021880a091d0e905217abeca8da77e"      \
    "52408201160a05312e352e3112096666313763306237371a002a00880101980195"      \
    "6ea20102766d"

/* StatImageResponse */
#define D7Y_STAT_IMAGE_REPLY                                                  \
    "0ad4030a730a71687474703a2f2f3132372e302e302e313a31353030302f76322f"      \
    "6c61622f6d756c74692f626c6f62732f7368613235363a63343065316162356130"      \
    "343335663365326132356164623031303335363931396334626336633332383637"      \
    "3333626235636532383237373135316531666438640a730a71687474703a2f2f31"      \
    "32372e302e302e313a31353030302f76322f6c61622f6d756c74692f626c6f6273"      \
    "2f7368613235363a35643838663739636164613436323935646365386533353039"      \
    "636463333730366633626535656636396334376634353562386439643662616333"      \
    "6236383831380a730a71687474703a2f2f3132372e302e302e313a31353030302f"      \
    "76322f6c61622f6d756c74692f626c6f62732f7368613235363a63626462373033"      \
    "323537323264666238323234363662396331636334616265393039356431663736"      \
    "3763306238366366306235353034656662343234393565380a730a71687474703a"      \
    "2f2f3132372e302e302e313a31353030302f76322f6c61622f6d756c74692f626c"      \
    "6f62732f7368613235363a38366138643361333965626461323738386338666161"      \
    "306266613630323739303162353334386437326239323535353435343035366336"      \
    "30353337386434336212ef030a093132372e302e302e311206736565642d311a75"      \
    "0a71687474703a2f2f3132372e302e302e313a31353030302f76322f6c61622f6d"      \
    "756c74692f626c6f62732f7368613235363a633430653161623561303433356633"      \
    "653261323561646230313033353639313963346263366333323836373333626235"      \
    "6365323832373731353165316664386410011a750a71687474703a2f2f3132372e"      \
    "302e302e313a31353030302f76322f6c61622f6d756c74692f626c6f62732f7368"      \
    "613235363a38366138643361333965626461323738386338666161306266613630"      \
    "323739303162353334386437326239323535353435343035366336303533373864"      \
    "34336210011a750a71687474703a2f2f3132372e302e302e313a31353030302f76"      \
    "322f6c61622f6d756c74692f626c6f62732f7368613235363a6362646237303332"      \
    "353732326466623832323436366239633163633461626539303935643166373637"      \
    "633062383663663062353530346566623432343935653810011a750a7168747470"      \
    "3a2f2f3132372e302e302e313a31353030302f76322f6c61622f6d756c74692f62"      \
    "6c6f62732f7368613235363a356438386637396361646134363239356463653865"      \
    "333530396364633337303666336265356566363963343766343535623864396436"      \
    "626163336236383831381001"

/* StatFileResponse */
#define D7Y_STAT_FILE_REPLY                                                   \
    "0a420a093132372e302e302e311206736565642d311a2d0a29687474703a2f2f31"      \
    "32372e302e302e313a31353030392f66696c652f7665633f73697a653d31303030"      \
    "1001"

/* DownloadTaskResponse: a download starts */
#define D7Y_STARTED                                                           \
    "0a153132372e302e302e312d736565642d312d7365656412406137653233643037"      \
    "353932373865663336303161366339373866353663623965393132303263333333"      \
    "36363133663464316464333032393233653465336231311a3a3132372e302e302e"      \
    "312d736565642d312d33313530336638622d653666312d343935372d383232612d"      \
    "3131353663343866633966652d7365656422990208c0a8a5041a1c0a0465746167"      \
    "1214227665632d6561313535342d39303030303030221a190a0e636f6e74656e74"      \
    "2d6c656e6774681207393030303030301a280a0c636f6e74656e742d7479706512"      \
    "186170706c69636174696f6e2f6f637465742d73747265616d1a240a0673657276"      \
    "6572121a42617365485454502f302e3620507974686f6e2f332e31312e371a250a"      \
    "0464617465121d5765642c203235204e6f7620323032362030303a35323a323720"      \
    "474d541a160a0d6163636570742d72616e67657312056279746573221320808080"      \
    "024a0c08cbe298d8061096e3a3e501221a0801188080800220808080024a0c08cb"      \
    "e298d80610eff0a3e50122190802188080800420c0a8254a0c08cbe298d80610e7"      \
    "f1a3e501"

/* DownloadTaskResponse: a piece is there */
#define D7Y_PIECE_2                                                           \
    "0a153132372e302e302e312d736565642d312d7365656412406137653233643037"      \
    "353932373865663336303161366339373866353663623965393132303263333333"      \
    "36363133663464316464333032393233653465336231311a3a3132372e302e302e"      \
    "312d736565642d312d33313530336638622d653666312d343935372d383232612d"      \
    "3131353663343866633966652d736565642a360a340802188080800420c0a8252a"      \
    "1063726333323a313033333437373230313800420510b8a3f7104a0c08cbe298d8"      \
    "0610c9f798e601"

#define D7Y_PIECE_1                                                           \
    "0a153132372e302e302e312d736565642d312d7365656412406137653233643037"      \
    "353932373865663336303161366339373866353663623965393132303263333333"      \
    "36363133663464316464333032393233653465336231311a3a3132372e302e302e"      \
    "312d736565642d312d33313530336638622d653666312d343935372d383232612d"      \
    "3131353663343866633966652d736565642a370a35080118808080022080808002"      \
    "2a1063726333323a333437363436363437393800420510faa08c154a0c08cbe298"      \
    "d80610edd3d7e601"

#define D7Y_PIECE_0                                                           \
    "0a153132372e302e302e312d736565642d312d7365656412406137653233643037"      \
    "353932373865663336303161366339373866353663623965393132303263333333"      \
    "36363133663464316464333032393233653465336231311a3a3132372e302e302e"      \
    "312d736565642d312d33313530336638622d653666312d343935372d383232612d"      \
    "3131353663343866633966652d736565642a300a2e20808080022a106372633332"      \
    "3a333437363436363437393800420510899aef164a0c08cbe298d80610d7dde5e6"      \
    "01"


#define WHOLE   SIZE_MAX    /* a step: all at once */
#define NSTEPS  (sizeof(steps) / sizeof(size_t))


/* Takes the next bytes of a message: one of the readers that are tested. */
typedef int (*read_pt)(void *reader, dfp_str_t part, int ends, dfp_err_t *err);


/* bytes of a piece */
static const size_t  steps[] = { WHOLE, 1, 2, 3, 7 };

static size_t  allocated;


static inline void *
count_alloc(void *ctx, size_t size)
{
    allocated += size;

    return dfp_test_alloc(ctx, size);
}


/* The memory of the test, counted from now. */

static inline dfp_mem_t *
counting(void)
{
    static dfp_mem_t  mem = { count_alloc, NULL };

    allocated = 0;

    return &mem;
}


/* Hands MESSAGE to READ in pieces of STEP bytes. Each is a block of its own,
 * which is gone after the call. */

static inline int
feed(read_pt read, void *reader, dfp_str_t message, size_t step,
    dfp_err_t *err)
{
    int      rc;
    char    *piece;
    size_t   i, n;

    i = 0;

    do {
        n = (message.len - i < step) ? message.len - i : step;

        piece = malloc(n);
        if (piece == NULL) {
            abort();
        }

        if (n) {
            memcpy(piece, message.data + i, n);
        }

        i += n;
        rc = read(reader, (dfp_str_t) { n, piece }, i == message.len, err);

        free(piece);

    } while (rc == DFP_OK && i < message.len);

    return rc;
}


static inline dfp_str_t
from_hex(const char *hex)
{
    char    *p;
    size_t   i, len;

    len = strlen(hex) / 2;
    p = dfp_test_alloc(NULL, len);

    for (i = 0; i < len; i++) {
        p[i] = (char) dfp_hex_byte(&hex[2 * i]);
    }

    return (dfp_str_t) { len, p };
}


/* A message of less than 256 bytes, with its prefix. */

static inline dfp_str_t
frame_of(dfp_str_t message)
{
    char  *p;

    p = dfp_test_alloc(NULL, 5 + message.len);
    memset(p, 0, 5);
    p[4] = (char) message.len;

    if (message.len) {
        memcpy(p + 5, message.data, message.len);
    }

    return (dfp_str_t) { 5 + message.len, p };
}


static inline dfp_str_t
repeated(char ch, size_t n)
{
    char  *s;

    s = dfp_test_alloc(NULL, n + 1);
    memset(s, ch, n);
    s[n] = '\0';

    return (dfp_str_t) { n, s };
}


static inline void
put_varint(dfp_buf_t *b, uint64_t n)
{
    char  ch;

    do {
        ch = (char) ((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
        dfp_buf_append(b, &ch, 1);
        n >>= 7;
    } while (n);
}


static inline void
put_int(dfp_buf_t *b, unsigned field, uint64_t n)
{
    put_varint(b, field << 3);
    put_varint(b, n);
}


static inline void
put_str(dfp_buf_t *b, unsigned field, dfp_str_t s)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, s.len);
    dfp_buf_str(b, s);
}


/* What was written to PART becomes a field of B, and PART is empty again. */

static inline void
put_part(dfp_buf_t *b, unsigned field, dfp_buf_t *part)
{
    put_str(b, field, dfp_buf_value(part));
    part->len = 0;
}


/* A layer or a file, with its URL. */

static inline void
put_url(dfp_buf_t *b, unsigned field, dfp_str_t url, int finished)
{
    dfp_buf_t  part;

    dfp_buf_init(&part, dfp_test_mem(), 0, 0);
    put_str(&part, 1, url);
    put_int(&part, 2, finished);
    put_part(b, field, &part);
}


static inline dfp_buf_t
new_buf(void)
{
    dfp_buf_t  b;

    dfp_buf_init(&b, dfp_test_mem(), 0, 0);

    return b;
}


#endif /* DFP_D7Y_TEST_H */
