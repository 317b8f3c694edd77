# The sections that say what is sent: what nginx saw must be what was meant.

use Test::Nginx::Socket 'no_plan';
use DFP::Log;

no_long_string();
repeat_each(2);

our $Echo = <<'_EOC_';
    location / {
        return 200 "$request_method $request_uri $server_protocol\n";
    }
    location = /body {
        client_body_buffer_size 64k;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
        proxy_http_version 1.1;
        proxy_set_header X-Body $request_body;
        proxy_set_header X-Length $http_content_length;
    }
    location = /echo {
        return 200 "[$http_x_body] $http_x_length\n";
    }
_EOC_

no_root_location();
run_tests();

__DATA__

=== TEST 1: a request line only
--- config eval: $::Echo
--- request
GET /a?b=c
--- response_body
GET /a?b=c HTTP/1.1



=== TEST 2: the method alone asks for /
--- config eval: $::Echo
--- request
DELETE
--- response_body
DELETE / HTTP/1.1



=== TEST 3: the protocol is taken as given
--- config eval: $::Echo
--- request
GET /a HTTP/1.0
--- response_body
GET /a HTTP/1.0



=== TEST 4: comments above the request line are not sent
--- config eval: $::Echo
--- request
# a comment
    GET /indented
--- response_body
GET /indented HTTP/1.1



=== TEST 5: the body loses white space at both ends
--- config eval: $::Echo
--- request eval
"POST /body\n  one two \n\n"
--- response_body
[one two] 7



=== TEST 6: not with a length of its own
--- config
    location = /length {
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
    }
    location = /echo { return 200 "$http_content_length\n"; }
--- request eval
"POST /length\n one \n"
--- more_headers
Content-Length: 6
--- response_body
6
--- error_log
http client request body preread 6



=== TEST 7: a chunked body is sent as it is
--- config eval: $::Echo
--- request eval
"POST /body\n5\r\nhello\r\n0\r\n\r\n"
--- more_headers
Transfer-Encoding: chunked
--- response_body
[hello] 



=== TEST 8: more headers, with a comment among them
--- config
    location / {
        return 200 "$http_x_a|$http_x_b|$http_host|$http_connection\n";
    }
--- request
GET /
--- more_headers
X-A: 1
# X-B: not sent
Host: other
--- response_body
1||other|close



=== TEST 9: several requests, each on its own connection
--- config eval: $::Echo
--- request eval
["GET /1", "POST /body\nx",
 ["GE", "T /", { value => "3", delay_before => 0.02 }]]
--- more_headers eval
["X-A: 1", "X-A: 2", "X-A: 3"]
--- response_body eval
["GET /1 HTTP/1.1\n", "[x] 1\n", "GET /3 HTTP/1.1\n"]
--- error_code eval
[200, 200, 200]



=== TEST 10: a body in packets
--- config eval: $::Echo
--- request eval
[["POST /body\n", "ab", { value => "cd", delay_before => 0.05 }, "ef"]]
--- response_body
[abcdef] 6



=== TEST 11: requests in one pipeline
--- config
    location = /plain { return 200 "plain $http_connection\n"; }
    location = /chunked {
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/plain;
        proxy_set_header Connection upstream;
        proxy_http_version 1.1;
        proxy_hide_header Content-Length;
        gzip off;
        ssi on;
        ssi_types *;
    }
--- pipelined_requests eval
["GET /plain", "GET /chunked", "GET /plain"]
--- response_headers eval
["!Transfer-Encoding", "Transfer-Encoding: chunked", "!Transfer-Encoding"]
--- response_body eval
["plain keep-alive\n", "plain upstream\n", "plain close\n"]



=== TEST 12: a raw request
--- config eval: $::Echo
--- raw_request eval
"GET /raw HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
--- response_body
GET /raw HTTP/1.1



=== TEST 13: a raw request in packets
--- config eval: $::Echo
--- raw_request eval
["GET /r", "aw HTTP/1.0\r\n", "\r\n"]
--- raw_request_middle_delay: 0.02
--- response_body
GET /raw HTTP/1.0



=== TEST 14: HEAD has a length and no body
--- config eval: $::Echo
--- request
HEAD /
--- response_headers
Content-Length: 16
--- response_body chomp



=== TEST 15: a large answer comes whole
--- config
    location /big { root $TEST_NGINX_SERVER_ROOT/html; }
--- user_files eval
[["big", "0123456789" x 100000]]
--- request
GET /big
--- response_body eval
"0123456789" x 100000



=== TEST 16: an answer that does not come in time, where that is meant
--- config
    location / {
        limit_rate 1;
        limit_rate_after 1;
        return 200 "slow\n";
    }
--- request
GET /
--- timeout: 200ms
--- abort
--- ignore_response
--- no_error_log
[error]
