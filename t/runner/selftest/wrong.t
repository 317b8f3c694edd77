# Each block below says something that is not so, and must fail: a runner
# that lets one pass would let anything pass. They run as a test file of its
# own in a child; here its results are judged.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Temp qw( tempdir );
use Test::More;

my $dir = tempdir(CLEANUP => 1);

mkdir "$dir/t" or die "mkdir: $!";

my $spec = do { local $/; <DATA> };

open my $out, '>', "$dir/t/inner.t" or die "inner.t: $!";
print {$out} <<'_EOC_', $spec;
use Test::Nginx::Socket 'no_plan';
use DFP::Log;

master_on();

# kills the worker behind the back of the block's own checks
add_test_cleanup_handler(sub {
    my $block = shift;

    return if !defined $block->kill_worker;

    my $root = server_root();
    my $pid = qx(cat $root/logs/nginx.pid);
    chomp $pid;
    my ($worker) = split ' ', qx(cat /proc/$pid/task/$pid/children);

    kill KILL => $worker;

    for (1 .. 200) {
        last if qx(cat $root/logs/error.log) =~ /exited on signal/;
        select undef, undef, undef, 0.01;
    }
});

no_shuffle();
run_tests();

__DATA__

_EOC_
close $out or die "inner.t: $!";

$ENV{PERL5LIB} = join ':', map { abs_path($_) // () } grep { !ref } @INC;
$ENV{TEST_NGINX_RANDOMIZE} = 1;

my $output = `cd '$dir' && prove -v t/inner.t 2>&1`;

isnt($?, 0, 'prove says that the file failed');

unlike($output, qr/nginx does not start|Bailout called/i,
       'no block fails because of its configuration');

for my $name ($spec =~ /^=== (.*)/mg) {
    my @results = grep { /^(?:not )?ok .*t\/inner\.t \Q$name\E/ }
                  split /\n/, $output;
    my $failed = grep { /^not/ } @results;

    my $ok = $name =~ /: right/
             ? ok(@results && !$failed, "$name: passes")
             : ok($failed, "$name: fails");

    diag(join "\n", @results) if !$ok;
}

is_deeply([glob "$dir/t/servroot*"], [], 'the server root is gone');

my ($module) = grep { -e "$_/Test/Nginx/Socket.pm" } grep { !ref } @INC;

if (-d "$module/Test/Nginx/Runner") {
    like($output, qr/got: '200'\n#\s+expected: '404'/,
         'got and expected are shown');
    like($output, qr/the end of error\.log:\n# .*\[notice\]/,
         'and what nginx had to say');
    unlike($output, qr/^# .*\[debug\]/m, 'but nothing of level debug');
}

done_testing();

__DATA__
=== BLOCK 1: status
--- config
    location = /t { return 200 "t\n"; }
--- log_level: notice
--- request
GET /t
--- error_code: 404



=== BLOCK 2: status by pattern
--- config
    location = /t { return 200 "t\n"; }
--- request
GET /t
--- error_code_like: ^4



=== BLOCK 3: status 200 is the default
--- config
    location = /t { return 204; }
--- request
GET /t



=== BLOCK 4: body
--- config
    location = /t { return 200 "t\n"; }
--- request
GET /t
--- response_body
u



=== BLOCK 5: body that lacks the new line
--- config
    location = /t { return 200 "t"; }
--- request
GET /t
--- response_body
t



=== BLOCK 6: body by pattern
--- config
    location = /t { return 200 "t\n"; }
--- request
GET /t
--- response_body eval
qr/^u/



=== BLOCK 7: body like
--- config
    location = /t { return 200 "t\n"; }
--- request
GET /t
--- response_body_like: ^u



=== BLOCK 8: body unlike
--- config
    location = /t { return 200 "t\n"; }
--- request
GET /t
--- response_body_unlike: t



=== BLOCK 9: long body, different near its end
--- config
--- user_files eval
[["big", "0123456789" x 10000 . "x"]]
--- request
GET /big
--- response_body eval
"0123456789" x 10000 . "y"



=== BLOCK 10: header of another value
--- config
    location = /t { add_header X-A 1; return 200; }
--- request
GET /t
--- response_headers
X-A: 2



=== BLOCK 11: header that is missing
--- config
    location = /t { return 200; }
--- request
GET /t
--- response_headers
X-A: 2



=== BLOCK 12: header that must not be there
--- config
    location = /t { add_header X-A 1; return 200; }
--- request
GET /t
--- response_headers
!X-A



=== BLOCK 13: header like
--- config
    location = /t { add_header X-A 12; return 200; }
--- request
GET /t
--- response_headers_like
X-A: \d



=== BLOCK 14: raw headers
--- config
    location = /t { return 200; }
--- request
GET /t
--- raw_response_headers_like: X-A



=== BLOCK 15: error_log, text
--- config
    location = /t { return 200; }
--- request
GET /t
--- error_log
there is no such line



=== BLOCK 16: error_log, text that would match as a pattern only
--- config
    location = /t { return 200; }
--- request
GET /t
--- error_log
http re.uest line



=== BLOCK 17: error_log, pattern
--- config
    location = /t { return 200; }
--- request
GET /t
--- error_log eval
qr/there is (?:no|a) such line/



=== BLOCK 18: error_log, the second of an array
--- config
    location = /t { return 200; }
--- request
GET /t
--- error_log eval
["http request line", "there is no such line"]



=== BLOCK 19: error_log, a line of the first of two requests
--- config
    location = /t { return 200; }
    location = /404 { return 404; }
--- request eval
["GET /404", "GET /t"]
--- error_code eval
[404, 200]
--- error_log
GET /404



=== BLOCK 20: no_error_log
--- config
--- request
GET /missing
--- error_code: 404
--- no_error_log
[error]



=== BLOCK 21: no_error_log in an array
--- config
--- request
GET /missing
--- error_code: 404
--- no_error_log eval
["there is no such line", qr/miss.*failed/]



=== BLOCK 22: grep_error_log_out
--- config
--- request
GET /missing
--- error_code: 404
--- grep_error_log eval
qr/\[error\]/
--- grep_error_log_out



=== BLOCK 23: access_log
--- config
    location = /t { return 200; }
--- request
GET /t
--- access_log
GET /u



=== BLOCK 24: no_access_log
--- config
    location = /t { return 200; }
--- request
GET /t
--- no_access_log
GET /t



=== BLOCK 25: must_die, nginx starts
--- config
--- must_die



=== BLOCK 26: must_die with another exit code
--- config
    no_such_directive on;
--- must_die: 2
--- suppress_stderr
--- error_log
no_such_directive



=== BLOCK 27: must_die with another message
--- config
    no_such_directive on;
--- must_die
--- suppress_stderr
--- error_log
another_directive
[emerg]



=== BLOCK 28: the second of two requests
--- config
    location = /t { return 200 "t\n"; }
--- request eval
["GET /t", "GET /t"]
--- response_body eval
["t\n", "u\n"]



=== BLOCK 29: the second in a pipeline
--- config
    location = /t { return 200 "t\n"; }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- response_body eval
["t\n", "u\n"]



=== BLOCK 30: an answer that does not come in time
--- config
    location /t {
        limit_rate 1;
        limit_rate_after 1;
        return 200 "slow\n";
    }
--- request
GET /t
--- timeout: 100ms
--- ignore_response



=== BLOCK 31: chunks that end too early
--- config
    location /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        proxy_http_version 1.1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"
--- request
GET /t
--- error_log
prematurely closed



=== BLOCK 32: a critical line that nobody expects
--- config
    location /t { proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/no.sock; }
--- request
GET /t
--- error_code: 502



=== BLOCK 33: a critical line beside the one that is expected
--- config
    location /t { proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/no.sock; }
    location /u { proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/no2.sock; }
--- request eval
["GET /t", "GET /u"]
--- error_code eval
[502, 502]
--- error_log
no.sock failed



=== BLOCK 34: shutdown_error_log
--- config
    location = /t { return 200; }
--- request
GET /t
--- shutdown_error_log
there is no such line



=== BLOCK 35: no_shutdown_error_log
--- config
    location = /t { return 200; }
--- request
GET /t
--- no_shutdown_error_log
gracefully shutting down



=== BLOCK 36: an alert after the answer was checked
--- config
    location = /t { return 200; }
--- request
GET /t
--- kill_worker



=== BLOCK 37: right, an alert that is expected
--- config
    location = /t { return 200; }
--- request
GET /t
--- kill_worker
--- shutdown_error_log
exited on signal 9



=== BLOCK 38: right, so the file is not broken as a whole
--- config
    location = /t { return 200 "t\n"; }
--- request
GET /t
--- response_body
t



=== BLOCK 39: an alert after the last block
--- config
    location = /t { return 200; }
--- request
GET /t
--- kill_worker
