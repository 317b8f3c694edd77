/*
 * Which task a URL is. The ids of the table are from the code of dfdaemon (the
 * crate dragonfly-client-util 1.5.1 with url 2.5.4: IDGenerator's task_id),
 * and whether the scheduler finds the task is from that of the scheduler
 * (TaskIDV2ByURLBased, with Go 1.26).
 */

#include <openssl/evp.h>

#include "dfp_d7y.h"
#include "dfp_test.h"


#define HEX  "c40e1ab5a0435f3e2a25adb010356919c4bc6c3286733bb5ce28277151e1fd8d"
#define ZEX  "d8df1e1517728e5cb5bb33768c6c4cb919653010bda52a2e3f5340a5ba1e0d4c"
#define BLOB "http://r.lan/v2/a/blobs/sha256:" HEX

#define TASK(i, f, ...)  { .id = i, .found = f, .url = __VA_ARGS__ }


typedef struct {
    const char  *url;
    const char  *id;
    const char  *filter;
    const char  *tag;
    const char  *application;
    int64_t      piece_length;
    int          found;
} task_t;


static dfp_str_t          id;
static dfp_d7y_request_t  request;


static const task_t  tasks[] = {
    TASK("84473207d3cacefe73dd55ea49c71db18d8d6f814148ec7f1a6f2dba8d62d7cd", 1,
         "http://example.com"),
    TASK("84473207d3cacefe73dd55ea49c71db18d8d6f814148ec7f1a6f2dba8d62d7cd", 0,
         "http://example.com/"),
    TASK("84473207d3cacefe73dd55ea49c71db18d8d6f814148ec7f1a6f2dba8d62d7cd", 0,
         "HTTP://EXAMPLE.COM/"),
    TASK("c058b4454fdd8b341e618fe172efddeac19e1bb263022380725d72ed62285d61", 0,
         "https://Example.COM:443/a"),
    TASK("f77f15df17dde1375e73f751acf4e39f6e953c0888874fc81f2ce16996006ab6", 1,
         "https://example.com:80/a"),
    TASK("ea8a614f03a4689b0d8050b44a28d44767407b5ca273c1447cfacb3edcc3c8a6", 0,
         "http://example.com:80/a"),
    TASK("5e3664b9b9d8ddbe2e6c6ed0dab49155a0ab0ff359a34252242dce192c8cbbc3", 1,
         "http://example.com:8080/a"),
    TASK("8406ef2b98be1de5f5c358b7575070ad573092cd0fa104cf24a736df7a09ed19", 0,
         "http://example.com/a/"),
    TASK("96e81abea376b71195d84a17ec4a92c3944174369d4610b36b9a04d03facc8bf", 0,
         "http://example.com//"),
    TASK("de74df3b9693c52bdbdee5f64abefcff6f92a93894783753746abb8225884853", 0,
         "http://example.com/a/./b"),
    TASK("47ec992aaae66a5e3631dbb495b2dde787b9da6282a7d33498b4672217fa3427", 0,
         "http://example.com/a/../b"),
    TASK("47ec992aaae66a5e3631dbb495b2dde787b9da6282a7d33498b4672217fa3427", 0,
         "http://example.com/a/../../b"),
    TASK("84473207d3cacefe73dd55ea49c71db18d8d6f814148ec7f1a6f2dba8d62d7cd", 0,
         "http://example.com/.."),
    TASK("84473207d3cacefe73dd55ea49c71db18d8d6f814148ec7f1a6f2dba8d62d7cd", 0,
         "http://example.com//.."),
    TASK("84473207d3cacefe73dd55ea49c71db18d8d6f814148ec7f1a6f2dba8d62d7cd", 0,
         "http://example.com/a/.."),
    TASK("8406ef2b98be1de5f5c358b7575070ad573092cd0fa104cf24a736df7a09ed19", 0,
         "http://example.com/a/."),
    TASK("84473207d3cacefe73dd55ea49c71db18d8d6f814148ec7f1a6f2dba8d62d7cd", 0,
         "http://example.com/."),
    TASK("ea8a614f03a4689b0d8050b44a28d44767407b5ca273c1447cfacb3edcc3c8a6", 0,
         "http://example.com/%2e/a"),
    TASK("ea8a614f03a4689b0d8050b44a28d44767407b5ca273c1447cfacb3edcc3c8a6", 0,
         "http://example.com/%2E%2e/a"),
    TASK("47ec992aaae66a5e3631dbb495b2dde787b9da6282a7d33498b4672217fa3427", 0,
         "http://example.com/a/.%2E/b"),
    TASK("3e79e14865b6339ac93cb8a08a80821d11a58a8bfa8eac1099823b0f43d3fe80", 1,
         "http://example.com/a/..."),
    TASK("2df957dc0ce6eb515a47dcbb25da6dc432d91f878e325d74ff6d2dd0f8243476", 0,
         "http://example.com/a\\b\\..\\c"),
    TASK("08e878acddff8833ee1c68489cf625c1e2fe04121040b3e11ae136c1a48cd1eb", 0,
         "http://example.com/a\"b<c>d`e{f}g^h|i"),
    TASK("6c27d3f2be7975a6fd24ecf37c5fffcc0dd21deec88a6787245c1d0b89d66653", 1,
         "http://example.com/a%20b"),
    TASK("14d66c6dbcbb2be8fb59c9202df354780c4617d8774514ccde02feee78b82424", 1,
         "http://example.com/%7Euser/~user"),
    TASK("021b89879957432073e73544aa12825133bbe25aadf33c98e780f0e2058e8052", 1,
         "http://example.com/a;b=c,d"),
    TASK("394e94c95012f2a99e9d4d595e76ae469845c3fce185f53b9d5ea90ed97cd59e", 1,
         "http://example.com/a'b(c)d*e!f"),
    TASK("34a805beb67410640a95a65d4afb0461c2b35b69c94baa67546d905f598f90fb", 1,
         "http://example.com/[x]"),
    TASK("b7db5e96102c9a2e9881be227f7307665b73479e724c5ba8e8f9fed079f16c4b", 0,
         "http://example.com?x=1"),
    TASK("b7db5e96102c9a2e9881be227f7307665b73479e724c5ba8e8f9fed079f16c4b", 1,
         "http://example.com/?x=1"),
    TASK("ea8a614f03a4689b0d8050b44a28d44767407b5ca273c1447cfacb3edcc3c8a6", 0,
         "http://example.com/a?"),
    TASK("784aec7dea7ae33054ca7c4bf42acaf852f3bad7fea6e162d98a51bc92731bf1", 1,
         "http://example.com/a?" "?"),
    TASK("ea8a614f03a4689b0d8050b44a28d44767407b5ca273c1447cfacb3edcc3c8a6", 1,
         "http://example.com/a?&"),
    TASK("66fff1bd48be9d24ce084e4d1a09f8ae6418a8613697d59ace4dbb7f422effce", 1,
         "http://example.com/a?="),
    TASK("af8d54ef8b4669ae9e117bd53a912e92f779b1a16eee6b682967d120104aec24", 1,
         "http://example.com/a?=x&="),
    TASK("e18a38201ac50720f29999b14492cb8a17f37033099a508b0543cd47689685cd", 1,
         "http://example.com/a?flag"),
    TASK("76d12f62199070b7c3fd317991ada52e3f87b9b7784a13840e2d0ab0b8d48396", 0,
         "http://example.com/a?flag&b=1"),
    TASK("3eccbc38589c4bf7120825ff9858dbd2ec86d6d90bfd642505554eb45380caf8", 0,
         "http://example.com/a?b=1&a=2"),
    TASK("0a62fd4414d9248a1b85a884b959bda49fb0bdb9983300b596fb4e53a7317d5c", 1,
         "http://example.com/a?a=2&b=1"),
    TASK("b277b20f88d868da1e89a0b060308cdcfcbc24149f9d92aed9e4fec314cbe3c7", 1,
         "http://example.com/a?a=2&a=1"),
    TASK("70063f4ad2ce8a920b6a7ed855d49830cf6ad2fea441aea24261d832ab062597", 0,
         "http://example.com/a?a=1&A=2"),
    TASK("87bb31ad03fb9b60e931adca98fb6846138a189975454facf2095568cb9ee3b7", 1,
         "http://example.com/a?A=1&a=2"),
    TASK("83c8a71ddfd588be6a5b4dcd0d1844e8cc5db30c3a67df3c5dba21e740c8c06b", 1,
         "http://example.com/a?q=a%20b"),
    TASK("83c8a71ddfd588be6a5b4dcd0d1844e8cc5db30c3a67df3c5dba21e740c8c06b", 1,
         "http://example.com/a?q=a+b"),
    TASK("292ca9881a71c1cf34cb11d296a11bc73caf11bd6fe0609537310a303c2298fd", 1,
         "http://example.com/a?q=a%2Bb"),
    TASK("31e9ee5d728b62c6cd1be269610e03ba30dddfc629581f080b981be07f55ea90", 1,
         "http://example.com/a?q=%E2%82%AC"),
    TASK("28ffc68997483885f60bb42d081afc1135ad9e5100e70f5c896f6e8e79691d20", 0,
         "http://example.com/a?q=%ff"),
    TASK("28ffc68997483885f60bb42d081afc1135ad9e5100e70f5c896f6e8e79691d20", 0,
         "http://example.com/a?q=%e2%82"),
    TASK("917327dae50dbbe8941136698b9090d3780bc9d0c2b77d013e08cfa8dc07c51e", 0,
         "http://example.com/a?q=%e2%82%41"),
    TASK("a9af99a652e61ce348bf283dd776380e1a42731d259937b27c978cf90478a384", 0,
         "http://example.com/a?q=%f0%90%80x"),
    TASK("52ddd174b6d204fc68394a3505e09be7dd54c901ff71e64aff7d30701566d702", 0,
         "http://example.com/a?q=%ed%a0%80"),
    TASK("2ff080e762b14ffe31b063522d348b5ca680e5bf09f60eb2deb1296341ff2d01", 0,
         "http://example.com/a?q=%c0%af"),
    TASK("28ffc68997483885f60bb42d081afc1135ad9e5100e70f5c896f6e8e79691d20", 1,
         "http://example.com/a?q=%EF%BF%BD"),
    TASK("ba84e9e5f0b29c64e350a67bb14ea915a0fd1ea599637d2012176be7b317f6cd", 0,
         "http://example.com/a?q=~x*y-z._"),
    TASK("e0a7e287d5a582651833d2c0d1877c6e89d9bda1eaeba4c7d0fc2b076183050d", 0,
         "http://example.com/a?q=x*y"),
    TASK("2da55d3b21fd3dd0a42b225d9b56902ea6281f1d963f2bb7767ddba46fef4572", 0,
         "http://example.com/a?q=x~y"),
    TASK("192014ec79d8ead4433d660121b4c72de24f51e07c55cc296523f044ecf4e229", 1,
         "http://example.com/a?q='x'"),
    TASK("2d26490c76a2acf898e8902d4f910afe8404a243218d0be169a94dfd9e64285f", 1,
         "http://example.com/a?q=\"x\"<y>`{}|^\\"),
    TASK("10b26dc2ba836d874cec0d401de904b6b0fa137663ace448a1ffbd98133ffaa1", 1,
         "http://example.com/a?q=x=y=z"),
    TASK("1250b1e7c58adee8f7ee1a17bf6d677a31a1f76f5bc42475a7b79e187d806350", 0,
         "http://example.com/a?q=x;y"),
    TASK("6166678c4ab02b7cce5c59cd7590342af4e96a6a81e8f7c83413b6c6f9fb8222", 0,
         "http://example.com/a?x;y=1"),
    TASK("a6962e42835ff2836951f5b0ac1a82acc1416ebab1c7f3006611faf1e2a5590d", 0,
         "http://example.com/a?q=/"),
    TASK("33e070adb95bcdcbd4d0895ef518dcc76a965f6fb3acb1242a8313f004cdb274", 0,
         "http://example.com/a?q=a/b/"),
    TASK("66771b799c9bb68338f82476e988cd521b3d96489aec96192fab000a6e9331dd", 0,
         "http://example.com/?q=/"),
    TASK("10e0501cfe5b0847cdb56a428617e675e16df0f49241b120fa752325c9e40674", 0,
         "http://example.com/#/"),
    TASK("10e0501cfe5b0847cdb56a428617e675e16df0f49241b120fa752325c9e40674", 0,
         "http://example.com/#///"),
    TASK("10e0501cfe5b0847cdb56a428617e675e16df0f49241b120fa752325c9e40674", 0,
         "http://example.com#/"),
    TASK("362fc79e671e044311be61b53996b98313f8bf96bc09f0af31a4354a4e14196c", 0,
         "http://example.com/?q=1#/"),
    TASK("971508bf92c2bd03c52a9efea87678c7d0f9ca99aa870ac9e7664d1718d21b7c", 0,
         "http://example.com/?q=1#x/"),
    TASK("7ca933ffa1e5e9b94c928bb8568819885b53083408e6ce3c8abd6d62d5eb8d5a", 0,
         "http://example.com/a#/"),
    TASK("e40366aeb45206919a00ed3931e0b501b088a8122db45bb6cdce422d5e21a124", 0,
         "http://example.com/a#"),
    TASK("10e0501cfe5b0847cdb56a428617e675e16df0f49241b120fa752325c9e40674", 0,
         "http://example.com/#"),
    TASK("800a2030fdc6cd845df347b6a2edd4b53bcf242516be3d39d477f192a040a72c", 1,
         "http://example.com/a#frag"),
    TASK("379201a4d697da4330fce51e8cf87e2de9427f4ae82af4fddd9705e22caac0a9", 0,
         "http://example.com/a#frag?x=1#y"),
    TASK("a3b0a1676156ed27ca8fd32e4abdf71c112a8fd27ded654a278820d11b882c80", 0,
         "http://example.com/a#\"<>`{}|^\\"),
    TASK("81260a095e5ee24c4ecab6f54aec7f35ac592f1b40f56421b36bf1726ddd3ca2", 1,
         "http://example.com/a#a%20b"),
    TASK("274efd1dfa10bdc91629e310911885b4b54e358a30d745a604449b1cb24778ac", 1,
         "http://example.com/a?x=1#f"),
    TASK("7cd244d3988adadd5e0f9010231983018f4baf10ced5922ff59a9fd929371c85", 0,
         "http://example.com/a?#f"),
    TASK("cb92674019bd0335bd5517fd01f0fc114be9f83c359ffa24a744c436b9675c7f", 1,
         "http://127.0.0.1:15009/file/vec?size=1000"),
    TASK("fc00a7b8f0a7892402556b1122ca15f039159ee3bd87c7561112674dbdd55884", 0,
         "http://127.0.0.1/"),
    TASK("7e541354e4bee736274337d523ed964a92037565c3cd9181a90d5d98802bdd82", 1,
         "http://0.0.0.0/a"),
    TASK("a119e15563ba258c0fb1938b634ba67e6c8b2d18e0d73c7e531d3322ece9d8ff", 1,
         "http://[::1]/a"),
    TASK("a119e15563ba258c0fb1938b634ba67e6c8b2d18e0d73c7e531d3322ece9d8ff", 0,
         "http://[::1]:80/a"),
    TASK("f188a3031cdcc29db006d68dbe5a8a74bc0ef0da9402ea4a910254202b159749", 1,
         "http://[::1]:8080/a"),
    TASK("a119e15563ba258c0fb1938b634ba67e6c8b2d18e0d73c7e531d3322ece9d8ff", 0,
         "http://[0:0:0:0:0:0:0:1]/a"),
    TASK("bd3b2b70e6905642eb3a59fa38873ca5bc1c2e7acc399229475f678ef3e460ca", 1,
         "http://[::]/a"),
    TASK("74fbc4dca27441541ccb7c3ed3d1bda0831071921af909b90aa7874f97cb8097", 0,
         "http://[2001:DB8::1]/a"),
    TASK("2c9328994b521f2a52243eabaa88aecef054b46b065fb403c009fa963431fb26", 0,
         "http://[2001:db8:0:0:1:0:0:1]/a"),
    TASK("cb63d6a4226ddedf60bff93c750cf297055bc7f9564fac0166bf16e2430b7cc4", 1,
         "http://[2001:db8:0:1:1:1:1:1]/a"),
    TASK("fa7c9f337cefb44aa08e983827473c4a81ec93ade16535f191b4268bdbfa3451", 0,
         "http://[1:0:0:2:0:0:0:3]/a"),
    TASK("9cd5e6f33042a8da07dbfb2a7ae6d6e3945afe829c4c554577fed3c790c7c5c2", 0,
         "http://[::ffff:1.2.3.4]/a"),
    TASK("9cd5e6f33042a8da07dbfb2a7ae6d6e3945afe829c4c554577fed3c790c7c5c2", 1,
         "http://[::ffff:102:304]/a"),
    TASK("e8a4e525341c508a48e1d331490d73624eda1874616fdcf11b96b08b76b30ed2", 0,
         "http://[::1.2.3.4]/a"),
    TASK("bd73df5aed9a1a2beb430bdce5d6d27371d1341a8994b16c385a831ef548c913", 0,
         "http://[64:ff9b::1.2.3.4]/a"),
    TASK("63a4b4e24af1def88b599a66a26bb720e83f31eaf3911b629a82c33ed882e7bd", 0,
         "http://[1:2:3:4:5:6:7::]/a"),
    TASK("46fb2915fe20bc0723dde99972fad820ca56802250a2aa7bdc990aaa36e760ca", 0,
         "http://[::2:3:4:5:6:7:8]/a"),
    TASK("61920136cc612318044aa9554f9918fe845ab95dd383927a1c207908463b160d", 1,
         "http://a_b.lan/x"),
    TASK("4793377387b0e0f30086c2d3c623b93cddaa8dc94403089dea515d1bff0e8208", 1,
         "http://xn--mnchen-3ya.de/x"),
    TASK("7395f5b2fb85b8f4aeb5752b3e9e0a0d53903e61e0c6f0a72ad45f047ffe798c", 1,
         "http://a--b.lan/x"),
    TASK("a7e23d0759278ef3601a6c978f56cb9e91202c3336613f4d1dd302923e4e3b11", 1,
         "http://127.0.0.1:15009/file/vec-ea1554?size=9000000",
         .filter = "Expires&Signature"),
    TASK("3c3f230ef9f191dd2821510346a7bc138e4894bee9aee184ba250a3040701d2a", 1,
         "https://example.com", .tag = "foo"),
    TASK("c9f9261b7305c24371244f9f149f5d4589ed601348fdf22d7f6f4b10658fdba2", 1,
         "https://example.com", .application = "bar"),
    TASK("06408fbf247ddaca478f8cb9565fe5591c28efd0994b8fea80a6a87d3203c5ca", 1,
         "https://example.com", .tag = "foo", .application = "bar"),
    TASK("9775079fac63da9ba324b1ad6aff9cc215db592c7ef6ec95cb857b836509edd8", 1,
         "https://example.com", .tag = "foo", .application = "bar",
         .piece_length = 4194304),
    TASK("67c3835412fcc5007b8a4318958b514ff0120afa5a49cc07cdf9413de89a076c", 1,
         "https://example.com", .piece_length = 67108864),
    TASK("412b2be4deb7a46a32e160e16a7bbcf1fb6b0ac7e90d6382d605b6d3f3cbe308", 1,
         "http://example.com/a?a=1&b=2", .filter = "a"),
    TASK("ea8a614f03a4689b0d8050b44a28d44767407b5ca273c1447cfacb3edcc3c8a6", 1,
         "http://example.com/a?a=1&b=2", .filter = "a&b"),
    TASK("57f1cff5bb2eccdb41a65b0c6cc4b78e7d12de8a3480b0a735d8df46d25d80ec", 0,
         "http://example.com/a?b=1&x=2&a=3", .filter = "b"),
    TASK("9ba1dc9eb4db78b0dd7b54bd5c776b6043de05928d102bafc3ab0caa38af520e", 1,
         "http://example.com/a?b=1&x=2&a=3", .filter = "a"),
    TASK("7cd244d3988adadd5e0f9010231983018f4baf10ced5922ff59a9fd929371c85", 1,
         "http://example.com/a?a=1#f", .filter = "a"),
    TASK("10e0501cfe5b0847cdb56a428617e675e16df0f49241b120fa752325c9e40674", 0,
         "http://example.com/?a=1#/", .filter = "a"),
    TASK("3af064a73e9c1f9c36e7ab4f321037b266fa416d114c129b1efaf27107a28fa4", 1,
         "http://example.com/a?A=1", .filter = "a"),
    TASK("412b2be4deb7a46a32e160e16a7bbcf1fb6b0ac7e90d6382d605b6d3f3cbe308", 1,
         "http://example.com/a?%61=1&b=2", .filter = "a"),
    TASK("415f376fc885c552cd9164a55e02fa5e62de6a2d2ee0a30d0d0e690164955f40", 1,
         "http://example.com/a?a=1", .filter = "%61"),
    TASK("69931771b6b419529d9b4c1da324b72e3a4cbb80bd095308641fe90f3721007a", 1,
         "http://example.com/a?=1&b=2", .filter = "&&"),
    TASK("412b2be4deb7a46a32e160e16a7bbcf1fb6b0ac7e90d6382d605b6d3f3cbe308", 0,
         "http://example.com/a?%ff=1&b=2", .filter = "\xef\xbf\xbd"),
    TASK("412b2be4deb7a46a32e160e16a7bbcf1fb6b0ac7e90d6382d605b6d3f3cbe308", 1,
         "http://example.com/a?x*=1&b=2", .filter = "x*"),
    TASK("412b2be4deb7a46a32e160e16a7bbcf1fb6b0ac7e90d6382d605b6d3f3cbe308", 1,
         "http://example.com/a?x;y=1&b=2", .filter = "x;y"),
    TASK("412b2be4deb7a46a32e160e16a7bbcf1fb6b0ac7e90d6382d605b6d3f3cbe308", 1,
         "http://example.com/a?x+y=1&b=2", .filter = "x y"),
    TASK("dcb3404169d9d78adcf7ea7112f58edbcbcba86548f0c70075cc154f529e07b7", 1,
         "https://s3.lan/b/k?X-Amz-Date=1&part=7&X-Amz-Signature=abc",
         .filter = "X-Amz-Date&X-Amz-Signature"),
    TASK("dcb3404169d9d78adcf7ea7112f58edbcbcba86548f0c70075cc154f529e07b7", 1,
         "https://s3.lan/b/k?X-Amz-Date=1&part=7&X-Amz-Signature=abc",
         .filter = dfp_job_default_filter),
    TASK("0fcc1834230237264ddd8358c0cd58a788184e6be2574641c78b5081315d4ca4", 1,
         "https://s3.lan/b/k?part=7&X-Amz-Date=1"),
    TASK("c97c0f4282f9e8b7551e6e3da8fde107aca3eb94d195fd241e8bf8d529d689c2", 1,
         "http://example.com/a%20b\"c"),
    TASK("216decedd2b88be11361bf852c856b159402ff6c6a712a9be44c838fd3204465", 0,
         "http://example.com/a%2Fb\"c"),
    TASK("9e87b1a4f4feb5559fdfa6fb9f85b9c52f40919023ac3f094fc72c6df6df0774", 1,
         "http://example.com/a#a%20\""),
    TASK("e1094074515271e227c77b8c43ff8796624f9bf4b6ccc60788f6347a26f89d12", 1,
         BLOB, .filter = "ns"),
    TASK("e1094074515271e227c77b8c43ff8796624f9bf4b6ccc60788f6347a26f89d12", 1,
         BLOB "?ns=docker.io", .filter = "ns")
};


static void
start(const char *url)
{
    memset(&request, 0, sizeof(dfp_d7y_request_t));
    request.url = dfp_test_str(url);
}


static int
run_id(dfp_mem_t *mem, void *data)
{
    return dfp_d7y_task_id(mem, &request, &id);
}


static int
run_finds(dfp_mem_t *mem, void *data)
{
    int  rc;

    rc = dfp_d7y_stat_finds(mem, &request);

    return rc == DFP_ERROR ? rc : DFP_OK;
}


static dfp_str_t
id_of(const char *url)
{
    start(url);
    CHECK_INT(run_id(dfp_test_mem(), NULL), DFP_OK);

    return id;
}


/* SHA-256 of a text, by another way. */

static dfp_str_t
sha256(const char *text)
{
    char           *hex;
    size_t          i;
    unsigned        len;
    unsigned char   md[EVP_MAX_MD_SIZE];

    CHECK(EVP_Digest(text, strlen(text), md, &len, EVP_sha256(), NULL));

    hex = dfp_test_alloc(NULL, 2 * len + 1);

    for (i = 0; i < len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", md[i]);
    }

    return (dfp_str_t) { 2 * len, hex };
}


TEST("ids are dfdaemon's, and the scheduler's StatFile finds what it can")
{
    size_t         i;
    const task_t  *task;

    for (i = 0; i < sizeof(tasks) / sizeof(task_t); i++) {
        task = &tasks[i];

        start(task->url);
        request.filter = dfp_test_str(task->filter ? task->filter : "");
        request.tag = dfp_test_str(task->tag ? task->tag : "");
        request.application = dfp_test_str(task->application
                                           ? task->application : "");
        request.piece_length = task->piece_length;

        CHECK_INT(run_id(dfp_test_mem(), NULL), DFP_OK);

        if (!CHECK_SAME(id, dfp_test_str(task->id))
            || !CHECK_INT(dfp_d7y_stat_finds(dfp_test_mem(), &request),
                          task->found ? DFP_OK : DFP_DECLINED))
        {
            printf("#   of %s\n", task->url);
        }
    }
}


TEST("the recorded download's id")
{
    start("http://127.0.0.1:15009/file/vec-ea1554?size=9000000");
    request.filter = DFP_STR("Expires&Signature");
    CHECK_INT(run_id(dfp_test_mem(), NULL), DFP_OK);
    CHECK_STR(id, "a7e23d0759278ef3601a6c978f56cb9e"
                  "91202c3336613f4d1dd302923e4e3b11");
}


TEST("an id is the hash of what is written one after the other")
{
    CHECK_SAME(id_of("HTTP://A.lan:80/x/../y?a=b%20c&flag#z"),
               sha256("http://a.lan/y?a=b+c&flag=#zSTANDARD"));

    request.tag = DFP_STR("t");
    request.application = DFP_STR("app");
    request.piece_length = 4194304;
    CHECK_INT(run_id(dfp_test_mem(), NULL), DFP_OK);
    CHECK_SAME(id, sha256("http://a.lan/y?a=b+c&flag=#ztapp4194304STANDARD"));
}


TEST("what is written one after the other is not told apart")
{
    size_t     i;
    dfp_str_t  first;

    static const char  *pairs[][2] = { { "aa", "" }, { "", "aa" },
                                       { "a", "a" } };

    start("http://a.lan/x");
    request.piece_length = 4194304;
    CHECK_INT(run_id(dfp_test_mem(), NULL), DFP_OK);
    first = id;

    request.piece_length = 0;
    request.tag = DFP_STR("4194304");
    CHECK_INT(run_id(dfp_test_mem(), NULL), DFP_OK);
    CHECK_SAME(id, first);

    for (i = 0; i < 3; i++) {
        request.tag = dfp_test_str(pairs[i][0]);
        request.application = dfp_test_str(pairs[i][1]);
        CHECK_INT(run_id(dfp_test_mem(), NULL), DFP_OK);
        CHECK_SAME(id, sha256("http://a.lan/xaaSTANDARD"));
    }
}


TEST("headers, priority, time-out and certificates make no other task")
{
    dfp_str_t         first, certificate = DFP_STR("x");
    dfp_job_header_t  header = { DFP_STR("A"), DFP_STR("b") };

    first = id_of("http://a.lan/x");

    request.headers = &header;
    request.nheaders = 1;
    request.certificates = &certificate;
    request.ncertificates = 1;
    request.priority = 3;
    request.timeout = 1;
    request.piece_length = -1;

    CHECK_INT(run_id(dfp_test_mem(), NULL), DFP_OK);
    CHECK_SAME(id, first);
}


/* The id where blobs are known by their digest; "" where dfdaemon refuses. */

static dfp_str_t
blob_id(const char *url)
{
    int  rc;

    start(url);
    request.blob_digest = 1;
    request.tag = DFP_STR("t");

    rc = run_id(dfp_test_mem(), NULL);
    CHECK(rc == DFP_OK || rc == DFP_INVALID);

    return rc == DFP_OK ? id : DFP_STR("");
}


#define CHECK_BLOB(url, expected)  CHECK_STR(blob_id(url), expected)


TEST("a blob's id is its digest where that was asked for")
{
    CHECK_BLOB(BLOB, HEX);
    CHECK_BLOB(BLOB "?ns=docker.io", HEX);
    CHECK_BLOB("http://r.lan/v2/a/blobs/sha512:" HEX HEX, HEX HEX);
    CHECK_BLOB("http://r.lan/v2/a/blobs/crc32:1234567890", "1234567890");
    CHECK_BLOB("http://r.lan/v2//blobs/sha256:" HEX, HEX);
    CHECK_BLOB("http://r.lan/v2/a/blobs/blobs/sha256:" HEX, HEX);
    CHECK_BLOB("http://v2/v2/a/blobs/sha256:" HEX, HEX);
    CHECK_BLOB("http://r.lan/x?/v2/a/blobs/sha256:" HEX, HEX);
    CHECK_BLOB(BLOB "?x=/blobs/sha256:" ZEX, ZEX);
    CHECK_BLOB(BLOB "?x=/blobs/", HEX);
    CHECK_BLOB(BLOB "?x=/blobs/?y", HEX);
}


TEST("a blob whose digest is none has no id")
{
    CHECK_BLOB("http://r.lan/v2/a/blobs/sha256:abc", "");
    CHECK_BLOB("http://r.lan/v2/a/blobs/sha512:" HEX, "");
    CHECK_BLOB("http://r.lan/v2/a/blobs/SHA256:" HEX, "");
    CHECK_BLOB("http://r.lan/v2/a/blobs/md5:" HEX, "");
    CHECK_BLOB("http://r.lan/v2/a/blobs/x", "");
    CHECK_BLOB(BLOB "#x", "");
    CHECK_BLOB("r.lan/v2/a/blobs/sha256:" HEX, "");
    CHECK_BLOB(BLOB "/v2/x", "");
}


TEST("what is no blob has the id of its URL")
{
    CHECK_SAME(blob_id("http://r.lan/v2/a/manifests/sha256:" HEX),
               sha256("http://r.lan/v2/a/manifests/sha256:" HEX "tSTANDARD"));
    CHECK_SAME(blob_id("http://r.lan/v2/blobs/sha256:" HEX),
               sha256("http://r.lan/v2/blobs/sha256:" HEX "tSTANDARD"));
    CHECK_SAME(blob_id("http://r.lan/a/blobs/sha256:" HEX),
               sha256("http://r.lan/a/blobs/sha256:" HEX "tSTANDARD"));
    CHECK_SAME(blob_id("http://r.lan/v2/a/blobs/"),
               sha256("http://r.lan/v2/a/blobs/tSTANDARD"));
    CHECK_SAME(blob_id("http://r.lan/v2/a/blobs/?x"),
               sha256("http://r.lan/v2/a/blobs/?x=tSTANDARD"));
    CHECK_SAME(id_of(BLOB), sha256(BLOB "STANDARD"));
}


TEST("what no job can have has no id, and is not found")
{
    size_t  i;

    static const char  *urls[] = {
        "", "not a url", "/x", "//a.lan/x", "ftp://a.lan/x", "http:///x",
        "http://u:p@a.lan/x", "http://a.lan/%zz", "http://a.lan/\x80",
        "http://a.lan/a b", "http://a.lan:/x", "http://a.lan:65536/x",
        "http://127.1/x", "http://[::1/x", "http://a.lan/%00"
    };

    for (i = 0; i < sizeof(urls) / sizeof(char *); i++) {
        start(urls[i]);
        CHECK_INT(run_id(dfp_test_mem(), NULL), DFP_INVALID);
        CHECK_INT(dfp_d7y_stat_finds(dfp_test_mem(), &request),
                  DFP_DECLINED);
    }
}


TEST("no memory is an error")
{
    start("http://A.lan/x/../y?a=b%20c&flag&b"
          "&zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
          "=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
          "#f");
    request.filter = DFP_STR("a&b");
    dfp_test_oom(run_id, NULL);
    dfp_test_oom(run_finds, NULL);

    request.filter = DFP_STR("");
    dfp_test_oom(run_finds, NULL);

    start(BLOB);
    request.blob_digest = 1;
    dfp_test_oom(run_id, NULL);
}
