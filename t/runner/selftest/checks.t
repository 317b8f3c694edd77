# The sections that say what is expected of an answer, where it is right.
# wrong.t has those where it is not.

use Test::Nginx::Socket 'no_plan';
use DFP::Log;

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', <<'_EOC_') if !defined $block->config;
    location = /t {
        add_header X-One 1;
        add_header X-Two a;
        add_header X-Two b;
        return 200 "hello\nworld\n";
    }
    location = /404 { return 404 "none\n"; }
    location = /304 { return 304; }
    location = /204 { return 204; }
_EOC_

    $block->set_value('request', 'GET /t')
        if !defined $block->request && !defined $block->raw_request;
});

our $nchecked = 0;

add_response_body_check(sub {
    my ($block, $body, $request, $repeat) = @_;
    $nchecked++;
});

add_cleanup_handler(sub {
    die "body checks were not called" if !$nchecked;
});

run_tests();

__DATA__

=== TEST 1: status 200 is expected unless told otherwise
--- response_body
hello
world



=== TEST 2: another status, and the body by code
--- request
GET /404
--- error_code: 404
--- response_body eval
"no" . "ne\n"



=== TEST 3: a pattern as the body
--- response_body eval
qr/^hello\nw/



=== TEST 4: like and unlike
--- response_body_like
hello.world
--- error_code_like: ^20[0-9]$



=== TEST 5: unlike
--- response_body_unlike: goodbye



=== TEST 6: headers
--- response_headers
X-One: 1
!X-None
X-Two: a, b



=== TEST 7: headers by pattern
--- response_headers_like
X-One: \d
Server: nginx.*



=== TEST 8: raw headers
--- raw_response_headers_like: X-Two: a\r\nX-Two: b\r\n
--- raw_response_headers_unlike: X-None



=== TEST 9: answers that have no body
--- request eval
["GET /304", "GET /204"]
--- error_code eval
[304, 204]
--- response_body eval
["", ""]



=== TEST 10: the ports can be named
--- config
    location /t {
        return 200 "$server_port\n";
    }
--- response_body
$ServerPort



=== TEST 11: and environment variables
--- config
    location /t {
        return 200 "$server_port\n";
    }
--- response_body
$TEST_NGINX_SERVER_PORT



=== TEST 12: an answer that is not looked at
--- request
GET /404
--- ignore_response



=== TEST 13: a default of nginx's own root
--- request
GET /index.html
--- response_body_like: It works!
