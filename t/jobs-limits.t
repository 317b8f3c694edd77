# POST /oapi/v1/jobs: the limits of each field, from both sides.

use Test::Nginx::Socket 'no_plan';
use DFP;
use DFP::Jobs;

our $A_day = 24 * 60 * 60 * 1_000_000_000;

my $url = 'http://files.test/';
my $clusters = '"scheduler_clusters":['
               . shown_cluster(1, 'cluster-1', 'true') . ']';
my $int_max = 9_223_372_036_854_775_807;
my $scopes = 'single_seed_peer | all_seed_peers | all_peers | single_peer';
my $platforms = 'all | os/arch/variant';

sub n { return [ map { "http://files.test/$_" } 1 .. $_[0] ] }

sub headers { return (headers => { @_ }) }

sub numbered { my $n = shift; return map { ("X-$_-Key" => '1') } 1 .. $n }

# Jobs of which one thing is wrong: the field, with which the sentence about it
# begins, and the facts that it has.

our %Refused = (

    beside => [
        [ { args => file()->{args} }   => 'type', 'required | preheat' ],
        [ beside(type => 'sync_peers') => 'type', 'preheat' ],
        [ beside(type => 1)            => 'type', 'preheat' ],
        [ { type => 'preheat' }        => 'args', 'required' ],
        [ beside(args => undef)        => 'args', 'required' ],
        [ beside(args => [])           => 'args', 'object' ],
        [ beside(bio => 'b' x 1025)    => 'bio', '1024 bytes' ],
        [ beside(bio => "a\0b")        => 'bio', 'NUL' ],
        [ beside(user_id => -1)        => 'user_id', "integer | 0 | $int_max" ],
        [ beside(user_id => '1')       => 'user_id', "integer | 0 | $int_max" ],
        [ beside(scheduler_cluster_ids => 1)
              => 'scheduler_cluster_ids', 'list' ],
        [ beside(scheduler_cluster_ids => [ 1, 0 ])
              => 'scheduler_cluster_ids[1]', 'integer | 1' ],
        [ beside(scheduler_cluster_ids => ['1'])
              => 'scheduler_cluster_ids[0]', 'integer | 1' ],
        [ beside(scheduler_cluster_ids => [ (1) x 101 ])
              => 'scheduler_cluster_ids', '100' ],
        [ beside(scheduler_cluster_ids => [ 1, 9 ])
              => 'scheduler_cluster_ids', 'cluster 9 | 1' ],
    ],

    urls => [
        [ beside(args => { url => $url })
              => 'args.type', 'required | image or file' ],
        [ file(type => 'model')   => 'args.type', 'image or file' ],
        [ file(url => undef)      => 'args.url', 'args.urls | required' ],
        [ file(url => '', urls => [])
              => 'args.url', 'args.urls | required' ],
        [ image(url => '')        => 'args.url', 'args.urls | required' ],
        [ image(url => 'Alpine')  => 'args.url', 'repository | 255 bytes | a-z' ],
        [ file(url => 1)          => 'args.url', 'string' ],
        [ file(url => 'ftp://files.test/a')
              => 'args.url', 'http or https' ],
        [ file(url => $url . 'a' x (4097 - length $url))
              => 'args.url', '4096 bytes' ],
        [ file(url => "${url}a\r\nb")
              => 'args.url', 'CR or LF' ],
        [ file(url => "${url}a%0d%0ab") => 'args.url', '%0D' ],
        [ file(url => "${url}../a")     => 'args.url', '/\.\./ | path' ],
        [ file(url => 'http://me:secret@files.test/')
              => 'args.url', 'user name | password' ],
        [ file(url => 'http://files.test:65536/')
              => 'args.url', 'port | 1 | 65535' ],
        [ image(url => 'http://registry.test/v2/app/blobs/1')
              => 'args.url', 'manifest | https://registry/v2/library/alpine/'
                             . 'manifests/3.19' ],
        [ image(url => 'http://registry.test/v2/app/manifests/1?a=b')
              => 'args.url', 'manifest | query' ],
        [ file(urls => $url)      => 'args.urls', 'list' ],
        [ file(urls => [ $url, 'files.test' ])
              => 'args.urls[1]', 'http or https' ],
        [ file(urls => [undef])   => 'args.urls[0]', 'string' ],
        [ file(urls => n(10001))  => 'args.urls', '10000' ],
    ],

    texts => [
        (map {
            [ file($_ => 'x' x 1025)     => "args.$_", '1024 bytes' ],
            [ file($_ => "a\nb")         => "args.$_", 'CR or LF' ],
            [ file($_ => 1)              => "args.$_", 'string' ],
        } qw( tag application username password platform )),
        [ file(filtered_query_params => 'x' x 4097)
              => 'args.filtered_query_params', '4096 bytes' ],
        [ file(username => 'me:too')     => 'args.username', '":\\"' ],
        [ file(scope => 'some_peers')    => 'args.scope', $scopes ],
        [ image(platform => 'amd64')     => 'args.platform', $platforms ],
        [ image(platform => 'linux/')    => 'args.platform', $platforms ],
        [ image(platform => join ',', map { "linux/a$_" } 1 .. 17)
              => 'args.platform', '16 platforms' ],
    ],

    headers => [
        [ file(headers => [])      => 'args.headers', 'object' ],
        [ file(headers('X-One-Key' => 1))
              => 'args.headers.X-One-Key', 'string' ],
        [ file(headers(numbered(65)))
              => 'args.headers', '64 headers' ],
        [ file(headers('X' x 129 => ''))
              => 'args.headers', q(1 to 128 | !#$%&'*+-.^_`|~) ],
        [ file(headers('X One' => ''))
              => 'args.headers', q(1 to 128 | !#$%&'*+-.^_`|~) ],
        [ file(headers('X-One-Key' => 'x' x 8193))
              => 'args.headers.X-One-Key', '8192 bytes' ],
        [ file(headers('X-One-Key' => "a\r\nHost: b"))
              => 'args.headers.X-One-Key', 'CR or LF' ],
        [ file(headers('X-One-Key' => "a\x01b"))
              => 'args.headers.X-One-Key', 'control characters' ],
        [ file(headers('X-One-Key' => 'a', 'x-one-key' => 'b'))
              => 'args.headers', '/[Xx]-[Oo]ne-[Kk]ey/ | twice' ],
        (map { [ file(headers($_ => 'a')) => 'args.headers', $_ ] }
             qw( Host host Content-Length Transfer-Encoding Connection Range
                 If-None-Match Accept Accept-Encoding Cookie X-Forwarded-For
                 X-Original-URL Cache-Control X-Remote-User X-One )),
    ],

    numbers => [
        (map {
            my ($name, $min, $max, $unit) = @$_;
            map { [ file($name => $_) => "args.$name",
                    "integer | $min | $max" . ($unit // '') ] }
                $min - 1 || -1, $max + 1, "$min", $min + 0.5
        } [ count => 1, 200 ],
          [ percentage => 1, 100 ],
          [ concurrent_task_count => 1, 100 ],
          [ concurrent_peer_count => 1, 1000 ],
          [ piece_length => 4194304, 67108864, ' bytes' ],
          [ timeout => 1_000_000_000, $A_day, ' nanoseconds' ]),
        [ file(count => 0)           => 'args.count', '1 | 200' ],
        [ file(percentage => 0)      => 'args.percentage', '1 | 100' ],
        [ file(ips => [])            => 'args.ips', '1 | 100' ],
        [ file(ips => '192.0.2.1')   => 'args.ips', 'list' ],
        [ file(ips => [ ('192.0.2.1') x 101 ])
              => 'args.ips', '100' ],
        [ file(ips => [ '192.0.2.1', '192.0.2.256' ])
              => 'args.ips[1]', 'IPv4 | IPv6' ],
    ],

    json => [
        [ ' '                        => '', 'JSON | line 1, column 0' ],
        [ '{'                        => '', 'JSON | line 1, column 1' ],
        [ "{\n\"type\": 'preheat'}" => '', 'JSON | line 2, column 9' ],
        [ '{} {}'                    => '', 'JSON | line 1, column 4' ],
        [ qq({"type":"\xff"})        => '', 'JSON | UTF-8' ],
        [ '{"user_id":' . 9 x 30 . '}' => '', 'JSON | number' ],
        [ '[]'                       => '', 'JSON object' ],
        [ '[' x 33                   => '', '32 levels' ],
        [ '[' . '0,' x 32768 . '0]'  => '', '32768 values' ],
    ],
);

# Jobs at the limits, which are jobs, and what the answer shows of them.

our %Accepted = (

    beside => [
        [ beside(bio => 'b' x 1024)    => '"bio":"b{1024}"' ],
        [ beside(bio => "two\nlines")  => '"bio":"two\\\\nlines"' ],
        [ beside(user_id => 9223372036854775807)
              => '"user_id":9223372036854775807' ],
        (map { [ beside(scheduler_cluster_ids => $_) => "\Q$clusters" ] }
             undef, [], [1], [ (1) x 100 ]),
        [ beside(unknown => [ {} ])    => '"state":"PENDING"' ],
    ],

    urls => [
        [ file(url => $url . 'a' x (4096 - length $url)) => '/a{4076}' ],
        [ file(url => '', urls => n(10000))
              => '"url":"","urls":\\["http://files.test/1",.*/10000"\\]' ],
        [ file(urls => [ "${url}b", "${url}b" ])
              => '"url":"http://files.test/a","urls":\\['
                 . '"http://files.test/b","http://files.test/b"\\]' ],
        [ image(url => 'https://registry.test:5000/mirror/v2/a/b/manifests/'
                       . 'sha256:' . 'a' x 64)
              => '"url":"https://registry.test:5000/mirror/v2/a/b/manifests/'
                 . 'sha256:a{64}"' ],
    ],

    texts => [
        (map { [ file($_ => 'x' x 1024) => qq("$_":"x{1024}") ] }
             qw( tag application )),
        (map { [ file($_ => 'x' x 1024) => qq("$_":"\\*\\*\\*") ] }
             qw( username password )),
        [ file(filtered_query_params => 'x' x 4096)
              => '"filtered_query_params":"x{4096}"' ],
        [ file(filtered_query_params => '')
              => '"filtered_query_params":"' . quotemeta(default_filter())
                 . '"' ],
        [ image(platform => 'linux/arm/v7, linux/amd64')
              => '"platform":"linux/arm/v7, linux/amd64"' ],
        [ image(platform => 'all')     => '"platform":"all"' ],
        [ image(platform => join ',', map { "linux/a$_" } 1 .. 16)
              => 'linux/a16"' ],
        (map { [ file(scope => $_) => qq("scope":"$_") ] }
             qw( single_seed_peer all_seed_peers all_peers )),
        [ file(scope => 'single_peer') => '"scope":"all_peers"' ],
        [ file(scope => '')            => '"scope":"all_peers"' ],
    ],

    headers => [
        [ file(headers => {})          => '"headers":null' ],
        [ file(headers(numbered(64)))  => '"X-64-Key":"\\*\\*\\*"' ],
        [ file(headers('X' x 125 . 'Key' => 'x' x 8192))
              => '"X{125}Key":"\\*\\*\\*"' ],
        [ file(headers('User-Agent' => "a\tb")) => '"User-Agent":"a\\\\tb"' ],
        (map { [ file(headers($_ => 'hidden')) => qq("$_":"\\*\\*\\*") ] }
             qw( Authorization X-Registry-Token api_key X-JFrog-Art-Api X-Jwt
                 X-Passwd X-Pass X-PAT X-Sig X-Bearer X-Otp PRIVATE-TOKEN )),
    ],

    numbers => [
        (map {
            my ($name, @values) = @$_;
            map { [ file($name => $_) => qq("$name":$_,) ] } @values
        } [ count => 1, 200 ],
          [ percentage => 1, 100 ],
          [ concurrent_task_count => 1, 100 ],
          [ concurrent_peer_count => 1, 1000 ],
          [ piece_length => 4194304, 67108864 ],
          [ timeout => 1_000_000_000, $A_day ]),
        (map { [ file($_ => undef) => qq("$_":null) ] }
             qw( count percentage piece_length ips )),
        (map {
            my ($name, $default) = @$_;
            map { [ file($name => $_) => qq("$name":$default,) ] } 0, undef
        } [ concurrent_task_count => 8 ],
          [ concurrent_peer_count => 500 ],
          [ timeout => 3_600_000_000_000 ]),
        [ file(ips => [ ('192.0.2.1') x 99, '2001:db8::1' ])
              => '"192.0.2.1","2001:db8::1"\\]' ],
    ],
);

sub refused { return [ map { posting($_->[0]) } @{ $Refused{$_[0]} } ] }
sub accepted { return [ map { posting($_->[0]) } @{ $Accepted{$_[0]} } ] }

# What the answers to them are like.

sub sentences
{
    return [ map {
        my (undef, $field, $facts) = @$_;
        my $begin = $field eq '' ? '' : quotemeta($field) . '(?![\w.\[])';

        refusal(errors => qq(/^\\{"errors":"$begin/), $facts)
    } @{ $Refused{$_[0]} } ];
}

sub shown { return [ map { $_->[1] } @{ $Accepted{$_[0]} } ] }

sub codes
{
    my ($code, $cases) = @_;

    return [ ($code) x @$cases ];
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: what stands beside args is wrong
--- request eval: main::refused('beside')
--- error_code eval: main::codes(422, $main::Refused{beside})
--- response_body_like eval: main::sentences('beside')
--- redis
get dfpreheat:job:next =
zcard dfpreheat:deadlines = 0



=== TEST 2: URLs are wrong
--- request eval: main::refused('urls')
--- error_code eval: main::codes(422, $main::Refused{urls})
--- response_body_like eval: main::sentences('urls')
--- redis
get dfpreheat:job:next =
zcard dfpreheat:deadlines = 0



=== TEST 3: texts are wrong
--- request eval: main::refused('texts')
--- error_code eval: main::codes(422, $main::Refused{texts})
--- response_body_like eval: main::sentences('texts')
--- redis
get dfpreheat:job:next =
zcard dfpreheat:deadlines = 0



=== TEST 4: headers are wrong
--- request eval: main::refused('headers')
--- error_code eval: main::codes(422, $main::Refused{headers})
--- response_body_like eval: main::sentences('headers')
--- redis
get dfpreheat:job:next =
zcard dfpreheat:deadlines = 0



=== TEST 5: numbers and addresses are wrong
--- request eval: main::refused('numbers')
--- error_code eval: main::codes(422, $main::Refused{numbers})
--- response_body_like eval: main::sentences('numbers')
--- redis
get dfpreheat:job:next =
zcard dfpreheat:deadlines = 0



=== TEST 6: it is no JSON, or more than a job can be
--- request eval: main::refused('json')
--- error_code eval: main::codes(422, $main::Refused{json})
--- response_body_like eval: main::sentences('json')
--- redis
get dfpreheat:job:next =
zcard dfpreheat:deadlines = 0



=== TEST 7: at the limits, beside args
--- request eval: main::accepted('beside')
--- error_code eval: main::codes(200, $main::Accepted{beside})
--- response_body_like eval: main::shown('beside')



=== TEST 8: at the limits, URLs
--- request eval: main::accepted('urls')
--- error_code eval: main::codes(200, $main::Accepted{urls})
--- response_body_like eval: main::shown('urls')



=== TEST 9: at the limits, texts
--- request eval: main::accepted('texts')
--- error_code eval: main::codes(200, $main::Accepted{texts})
--- response_body_like eval: main::shown('texts')



=== TEST 10: at the limits, headers
--- request eval: main::accepted('headers')
--- error_code eval: main::codes(200, $main::Accepted{headers})
--- response_body_like eval: main::shown('headers')



=== TEST 11: at the limits, numbers and addresses
--- request eval: main::accepted('numbers')
--- error_code eval: main::codes(200, $main::Accepted{numbers})
--- response_body_like eval: main::shown('numbers')



=== TEST 12: dfpreheat_max_timeout limits a job's time
--- http_config eval: main::http('dfpreheat_max_timeout 10s;')
--- request eval
[map { main::posting(main::file(timeout => $_)) }
     10_000_000_000, 10_000_000_001, 0]
--- error_code eval
[200, 422, 200]
--- response_body_like eval
['"timeout":10000000000,',
 main::refusal(errors => 'args.timeout | 1000000000 | 10000000000'),
 '"timeout":10000000000,']
--- redis
get dfpreheat:job:next = 2



=== TEST 13: what is asked of the bytes is for nginx's own cache
--- http_config eval
main::http("dfpreheat_cluster 2 name=swarm engine=peers 127.0.0.1:1;\n")
--- config eval
main::api("location \@grpc { include \$TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf; }\n")
--- request eval
[map { my ($clusters, %args) = @$_;
       main::posting({ %{ main::file(%args) },
                       scheduler_cluster_ids => $clusters }) }
     [[1], size => 5, digest => 'sha256:' . 'a' x 64],
     [[1], refresh => \1], [[1, 2], size => 5], [[2], refresh => \1],
     [[2], digest => 'sha256:' . 'a' x 64], [[], size => 5],
     [[2], verify => \1]]
--- error_code eval
[200, 200, 422, 422, 422, 422, 422]
--- response_body_like eval
my $refused = 'args.digest | args.size | args.refresh | args.verify | '
              . 'engine=cache | cluster 2';
['"digest":"sha256:a{64}",.*"size":5,', '"refresh":true,',
 (main::refusal(errors => $refused)) x 5]
--- redis
get dfpreheat:job:next = 2
