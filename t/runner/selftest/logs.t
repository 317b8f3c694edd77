# The sections about error.log and access.log.

use Test::Nginx::Socket 'no_plan';
use DFP::Log;

repeat_each(2);
master_on();

our $Missing = <<'_EOC_';
    location /missing { root $TEST_NGINX_SERVER_ROOT/html; }
    location /fine { return 200 "fine\n"; }
_EOC_

run_tests();

__DATA__

=== TEST 1: lines by text, each on its own
--- config eval: $::Missing
--- request
GET /missing1
--- error_code: 404
--- error_log
open()
missing1" failed
--- no_error_log
[warn]



=== TEST 2: by pattern
--- config eval: $::Missing
--- request
GET /missing2
--- error_code: 404
--- error_log eval
qr/\[error\] .* "\S+missing2" failed/



=== TEST 3: by an array of both, in which undefined ones do not count
--- config eval: $::Missing
--- request
GET /missing3
--- error_code: 404
--- error_log eval
["missing3", qr/open\(\) ".*missing3"/, undef]
--- no_error_log eval
[qr/missing[124-9]/, "[alert]"]



=== TEST 4: after each of several requests only its own lines count
--- config eval: $::Missing
--- request eval
["GET /missing4", "GET /missing4"]
--- error_code eval
[404, 404]
--- error_log
missing4" failed



=== TEST 5: what a pattern finds
--- config eval: $::Missing
--- request eval
["GET /missing5"]
--- error_code: 404
--- grep_error_log eval
qr/missing\d" failed|never/
--- grep_error_log_out
missing5" failed



=== TEST 6: what it finds in each repetition
--- config eval: $::Missing
--- request
GET /missing6
--- error_code: 404
--- grep_error_log: missing6" failed
--- grep_error_log_out eval
["missing6\" failed\n", "missing6\" failed\n"]



=== TEST 7: the access log, which is not cleared between requests
--- config eval: $::Missing
--- request eval
["GET /fine1", "GET /fine2"]
--- access_log eval
["GET /fine1", qr{"GET /fine\d HTTP/1\.1" 200}]
--- no_access_log
GET /missing



=== TEST 8: debug by default
--- config eval: $::Missing
--- request
GET /fine
--- error_log
[debug]



=== TEST 9: a level of the block's own
--- config eval: $::Missing
--- log_level: info
--- request
GET /fine
--- no_error_log
[debug]



=== TEST 10: a line that is late
--- config
    location /late {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        proxy_read_timeout 100ms;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / {
            limit_rate 1;
            limit_rate_after 1;
            return 200 "slow";
        }
    }
--- request
GET /late
--- ignore_response
--- timeout: 50ms
--- abort
--- wait: 0.3
--- error_log
--- no_error_log
[emerg]



=== TEST 11: what nginx says while it stops
--- config eval: $::Missing
--- request
GET /fine
--- log_level: notice
--- shutdown_error_log
gracefully shutting down
--- no_shutdown_error_log
[crit]



=== TEST 12: a severe line that the block names does not fail it
--- config
    location /unix { proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/no.sock; }
--- request
GET /unix
--- error_code: 502
--- error_log
no.sock failed (2: No such file
