# Each block below says something that is not so, and must fail, except for those
# that are called right. They run as a suite of its own; here its results are
# judged.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Temp qw( tempdir );
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $blocks = do { local $/; <DATA> };

mkdir "$dir/t" or die "mkdir: $!";
open my $out, '>', "$dir/t/inner.t" or die "inner.t: $!";
print {$out} <<'END', $blocks;
use Test::Nginx::Socket 'no_plan';
use DFP::Log;

our $Locations = <<'CONF';
    location = /t {
        add_header X-One 1;
        add_header X-Two a;
        add_header X-Two b;
        return 200 "hello\nworld\n";
    }
    location = /echo { return 200 "$http_x_body\n"; }
    location = /body {
        client_body_buffer_size 64k;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
        proxy_set_header X-Body [$request_body];
    }
    location = /404 { return 404 "none\n"; }
    location = /missing { root $TEST_NGINX_SERVER_ROOT/html; }
    location = /unix { proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/no.sock; }
    location = /port {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
    location = /stalls {
        limit_rate 1;
        limit_rate_after 1;
        return 200 "slow";
    }
CONF

Test::Nginx::Util::add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value(config => $Locations) if !defined $block->config;
    $block->set_value(request => 'GET /t') if !defined $block->request
                                              && !defined $block->raw_request;
});

run_tests();

__DATA__

END
close $out or die "inner.t: $!";

$ENV{PERL5LIB} = join ':', map { abs_path($_) // () } grep { !ref } @INC;
$ENV{TEST_NGINX_RANDOMIZE} = 1;
$ENV{TEST_NGINX_TIMEOUT} = 1;
delete $ENV{TEST_NGINX_LOAD_MODULES};

my $output = `cd '$dir' && prove -v t/inner.t 2>&1`;

isnt($?, 0, 'prove says that the suite failed');

for my $name ($blocks =~ /^=== (.*)/mg) {
    my @results = grep { /^(?:not )?ok \d+ - (?:t.inner\.t )?\Q$name\E/ }
                  split /\n/, $output;
    my $failed = grep { /^not/ } @results;

    my $ok = $name =~ /: right/
             ? ok(@results && !$failed, "$name: passes")
             : ok($failed, "$name: fails");

    diag(join "\n", @results) if !$ok;
}

done_testing();

__DATA__
=== BLOCK 1: right, an answer
--- response_headers
X-One: 1
X-Two: a, b
X-None:
--- raw_response_headers_like: X-Two: a\r\nX-Two: b\r\n
--- response_body
hello
world
--- access_log
GET /t



=== BLOCK 2: status
--- error_code: 404



=== BLOCK 3: status 200 is the default
--- request
GET /404



=== BLOCK 4: body
--- response_body
hello



=== BLOCK 5: body that lacks the new line
--- response_body chomp
hello
world



=== BLOCK 6: body like
--- response_body_like: ^world



=== BLOCK 7: header of another value
--- response_headers
X-One: 2



=== BLOCK 8: header that is missing
--- response_headers
X-None: 1



=== BLOCK 9: header that must not be there
--- response_headers
X-One:



=== BLOCK 10: raw headers
--- raw_response_headers_like: X-None



=== BLOCK 11: right, several requests
--- request eval
["GET /t", "GET /404", "HEAD /t"]
--- error_code eval
[200, 404, 200]
--- response_body_like eval
["hello", qr/none/, '^\z']



=== BLOCK 12: the second of two requests
--- request eval
["GET /t", "GET /t"]
--- response_body_like eval
["hello", "none"]



=== BLOCK 13: right, a body that loses white space at its ends
--- request eval
"POST /body\n  one two \n\n"
--- response_body_like: ^\[one two\]$



=== BLOCK 14: right, more headers
--- config
    location = /t { return 200 "$http_x_a $http_host\n"; }
--- more_headers
X-A: 1
--- response_body
1 localhost



=== BLOCK 15: right, a raw request
--- raw_request eval
"GET /404 HTTP/1.0\r\n\r\n"
--- error_code: 404



=== BLOCK 16: an answer that does not come in time
--- request
GET /stalls
--- response_body_like: s



=== BLOCK 17: right, lines by text and by pattern
--- request
GET /missing
--- error_code: 404
--- error_log eval
["missing\" failed", qr/\[error\] .*open\(\)/]
--- no_error_log
[warn]



=== BLOCK 18: error_log, text
--- error_log
there is no such line



=== BLOCK 19: error_log, text that would match as a pattern only
--- error_log
http re.uest line



=== BLOCK 20: error_log, pattern
--- error_log eval
qr/there is (?:no|a) such line/



=== BLOCK 21: error_log, the second of an array
--- error_log eval
["http request line", "there is no such line"]



=== BLOCK 22: error_log, a line of the first of two requests
--- request eval
["GET /404", "GET /t"]
--- error_code eval
[404, 200]
--- error_log
GET /404



=== BLOCK 23: no_error_log
--- request
GET /missing
--- error_code: 404
--- no_error_log
[error]



=== BLOCK 24: no_error_log in an array
--- request
GET /missing
--- error_code: 404
--- no_error_log eval
["there is no such line", qr/miss.*failed/]



=== BLOCK 25: right, grep_error_log
--- request
GET /missing
--- error_code: 404
--- grep_error_log eval
qr/missing" failed|never/
--- grep_error_log_out
missing" failed



=== BLOCK 26: grep_error_log_out
--- request
GET /missing
--- error_code: 404
--- grep_error_log eval
qr/\[error\]/
--- grep_error_log_out



=== BLOCK 27: access_log
--- access_log
GET /u



=== BLOCK 28: right, log_level
--- log_level: info
--- no_error_log
[debug]



=== BLOCK 29: a critical line that nobody expects
--- request
GET /unix
--- error_code: 502



=== BLOCK 30: right, a critical line that is expected
--- request
GET /unix
--- error_code: 502
--- error_log
no.sock failed



=== BLOCK 31: right, a port of the block
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / { return 200 "$server_port"; }
    }
--- request
GET /port
--- response_body_like: ^\d+$



=== BLOCK 32: init
--- init
Test::More::ok(0, 'BLOCK 32: init');



=== BLOCK 33: right, no configuration of locations
--- config
--- request
GET /index.html
--- response_body_like: It works
