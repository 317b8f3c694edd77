# POST /oapi/v1/jobs: the limits of each field, from both sides.

use Test::Nginx::Socket 'no_plan';
use DFP;
use DFP::Jobs;

our $A_day = 24 * 60 * 60 * 1_000_000_000;

my $url = 'http://files.test/';
my $clusters = '"scheduler_clusters":['
               . shown_cluster(1, 'cluster-1', 'true') . ']';
my $scopes = 'single_seed_peer, all_seed_peers, all_peers or single_peer';
my $range = 'must be an integer between';
my $platforms = 'args.platform must be "all" or platforms of the form os/arch '
                . 'or os/arch/variant between commas, as linux/amd64';

sub n { return [ map { "http://files.test/$_" } 1 .. $_[0] ] }

sub headers { return (headers => { @_ }) }

sub numbered { my $n = shift; return map { ("X-$_-Key" => '1') } 1 .. $n }

# Jobs of which one thing is wrong, and the sentence about it.

our %Refused = (

    beside => [
        [ { args => file()->{args} }
              => 'type is required, and must be preheat' ],
        [ beside(type => 'sync_peers') => 'type must be preheat' ],
        [ beside(type => 1)            => 'type must be preheat' ],
        [ { type => 'preheat' }        => 'args is required' ],
        [ beside(args => undef)        => 'args is required' ],
        [ beside(args => [])           => 'args must be an object' ],
        [ beside(bio => 'b' x 1025)
              => 'bio must not be longer than 1024 bytes' ],
        [ beside(bio => "a\0b")        => 'bio must not contain NUL' ],
        [ beside(user_id => -1)
              => "user_id $range 0 and 9223372036854775807" ],
        [ beside(user_id => '1')
              => "user_id $range 0 and 9223372036854775807" ],
        [ beside(scheduler_cluster_ids => 1)
              => 'scheduler_cluster_ids must be a list' ],
        [ beside(scheduler_cluster_ids => [ 1, 0 ])
              => 'scheduler_cluster_ids[1] must be an integer of at least 1' ],
        [ beside(scheduler_cluster_ids => ['1'])
              => 'scheduler_cluster_ids[0] must be an integer of at least 1' ],
        [ beside(scheduler_cluster_ids => [ (1) x 101 ])
              => 'scheduler_cluster_ids must not have more than 100 '
                 . 'elements' ],
        [ beside(scheduler_cluster_ids => [ 1, 9 ])
              => 'scheduler_cluster_ids: there is no cluster 9, there is: 1' ],
    ],

    urls => [
        [ beside(args => { url => $url })
              => 'args.type is required, and must be image or file' ],
        [ file(type => 'model')   => 'args.type must be image or file' ],
        [ file(url => undef)
              => 'args.url or args.urls is required' ],
        [ file(url => '', urls => [])
              => 'args.url or args.urls is required' ],
        [ image(url => '')        => 'args.url or args.urls is required' ],
        [ image(url => 'Alpine')
              => 'args.url has a repository name that is longer than 255 '
                 . 'bytes, or not parts of a-z, 0-9, ".", "_" and "-" between '
                 . 'slashes' ],
        [ file(url => 1)          => 'args.url must be a string' ],
        [ file(url => 'ftp://files.test/a')
              => 'args.url must be an http or https URL' ],
        [ file(url => $url . 'a' x (4097 - length $url))
              => 'args.url must not be longer than 4096 bytes' ],
        [ file(url => "${url}a\r\nb")
              => 'args.url must not contain CR or LF' ],
        [ file(url => "${url}a%0d%0ab") => 'args.url must not contain %0D' ],
        [ file(url => "${url}../a")
              => 'args.url must not have "." or ".." as a part of its path' ],
        [ file(url => 'http://me:secret@files.test/')
              => 'args.url must not have a user name or a password in it' ],
        [ file(url => 'http://files.test:65536/')
              => 'args.url must have a port between 1 and 65535, or none' ],
        [ image(url => 'http://registry.test/v2/app/blobs/1')
              => 'args.url must be a manifest URL, as https://registry/v2/'
                 . 'library/alpine/manifests/3.19' ],
        [ image(url => 'http://registry.test/v2/app/manifests/1?a=b')
              => 'args.url must be a manifest URL, which has no query '
                 . 'string' ],
        [ file(urls => $url)      => 'args.urls must be a list' ],
        [ file(urls => [ $url, 'files.test' ])
              => 'args.urls[1] must be an http or https URL' ],
        [ file(urls => [undef])   => 'args.urls[0] must be a string' ],
        [ file(urls => n(10001))
              => 'args.urls must not have more than 10000 elements' ],
    ],

    texts => [
        (map {
            [ file($_ => 'x' x 1025)
                  => "args.$_ must not be longer than 1024 bytes" ],
            [ file($_ => "a\nb")  => "args.$_ must not contain CR or LF" ],
            [ file($_ => 1)       => "args.$_ must be a string" ],
        } qw( tag application username password platform )),
        [ file(filtered_query_params => 'x' x 4097)
              => 'args.filtered_query_params must not be longer than 4096 '
                 . 'bytes' ],
        [ file(username => 'me:too')
              => 'args.username must not contain ":"' ],
        [ file(scope => 'some_peers')    => "args.scope must be $scopes" ],
        [ image(platform => 'amd64')     => $platforms ],
        [ image(platform => 'linux/')    => $platforms ],
        [ image(platform => join ',', map { "linux/a$_" } 1 .. 17)
              => 'args.platform must not have more than 16 platforms' ],
    ],

    headers => [
        [ file(headers => [])      => 'args.headers must be an object' ],
        [ file(headers('X-One-Key' => 1))
              => 'args.headers.X-One-Key must be a string' ],
        [ file(headers(numbered(65)))
              => 'args.headers must not have more than 64 headers' ],
        [ file(headers('X' x 129 => ''))
              => 'args.headers must have names of 1 to 128 letters, digits '
                 . q(and any of !#$%&'*+-.^_`|~) ],
        [ file(headers('X One' => ''))
              => 'args.headers must have names of 1 to 128 letters, digits '
                 . q(and any of !#$%&'*+-.^_`|~) ],
        [ file(headers('X-One-Key' => 'x' x 8193))
              => 'args.headers.X-One-Key must not be longer than 8192 bytes' ],
        [ file(headers('X-One-Key' => "a\r\nHost: b"))
              => 'args.headers.X-One-Key must not contain CR or LF' ],
        [ file(headers('X-One-Key' => "a\x01b"))
              => 'args.headers.X-One-Key must not contain control characters' ],
        [ file(headers('X-One-Key' => 'a', 'x-one-key' => 'b'))
              => qr/args\.headers must not have [Xx]-[Oo]ne-[Kk]ey twice/ ],
        (map {
            [ file(headers($_ => 'a'))
                  => qr/args\.headers must not have $_: of a job's headers only .*/ ]
        } qw( Host host Content-Length Transfer-Encoding Connection Range
              If-None-Match Accept Accept-Encoding Cookie X-Forwarded-For
              X-Original-URL Cache-Control X-Remote-User X-One )),
    ],

    numbers => [
        (map {
            my ($name, $min, $max, $unit) = @$_;
            map { [ file($name => $_)
                        => "args.$name $range $min and $max" . ($unit // '') ]
                } $min - 1 || -1, $max + 1, "$min", $min + 0.5
        } [ count => 1, 200 ],
          [ percentage => 1, 100 ],
          [ concurrent_task_count => 1, 100 ],
          [ concurrent_peer_count => 1, 1000 ],
          [ piece_length => 4194304, 67108864, ' bytes' ],
          [ timeout => 1_000_000_000, $A_day, ' nanoseconds' ]),
        [ file(count => 0)           => "args.count $range 1 and 200" ],
        [ file(percentage => 0)      => "args.percentage $range 1 and 100" ],
        [ file(ips => [])
              => 'args.ips must have 1 to 100 elements' ],
        [ file(ips => '192.0.2.1')   => 'args.ips must be a list' ],
        [ file(ips => [ ('192.0.2.1') x 101 ])
              => 'args.ips must not have more than 100 elements' ],
        [ file(ips => [ '192.0.2.1', '192.0.2.256' ])
              => 'args.ips[1] must be an IPv4 or IPv6 address' ],
    ],

    json => [
        [ ' '                      => 'the body is not valid JSON: line 1, '
                                      . 'column 0: it ends too early' ],
        [ '{'                      => 'the body is not valid JSON: line 1, '
                                      . 'column 1: it ends too early' ],
        [ "{\n\"type\": 'preheat'}" => 'the body is not valid JSON: line 2, '
                                      . 'column 9: syntax error' ],
        [ '{} {}'                  => 'the body is not valid JSON: line 1, '
                                      . 'column 4: there is something after '
                                      . 'its end' ],
        [ qq({"type":"\xff"})      => qr/not valid JSON: .* invalid UTF-8/ ],
        [ '{"user_id":' . 9 x 30 . '}'
              => qr/not valid JSON: .* a number is too large/ ],
        [ '[]'                     => 'the body must be a JSON object' ],
        [ '[' x 33                 => 'the body must not be nested deeper '
                                      . 'than 32 levels' ],
        [ '[' . '0,' x 32768 . '0]' => 'the body must not have more than '
                                      . '32768 values' ],
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
        [ file(scope => '')            => '"scope":"single_seed_peer"' ],
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

sub sentences
{
    return [ map { ref $_->[1] ? '\A\{"errors":"[^"]*' . $_->[1] . '"\}\z'
                               : '\A' . quotemeta(errors($_->[1])) . '\z' }
             @{ $Refused{$_[0]} } ];
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
 'args.timeout must be an integer between 1000000000 and 10000000000 nanosec',
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
     [[2], digest => 'sha256:' . 'a' x 64], [[], size => 5]]
--- error_code eval
[200, 200, 422, 422, 422, 422]
--- response_body_like eval
my $refused = 'args.digest, args.size and args.refresh are for clusters with '
              . 'engine=cache, and cluster 2 is of another engine';
['"digest":"sha256:a{64}",.*"size":5,', '"refresh":true,', ($refused) x 4]
--- redis
get dfpreheat:job:next = 2
