# The sections and functions about nginx itself: how it starts, what it is
# given, and that it may have to refuse.

use Test::Nginx::Socket 'no_plan';
use DFP::Log;

no_shuffle();
master_on();
workers(2);
worker_connections(128);
log_level('info');
config_preamble('location = /preamble { return 200 "preamble\n"; }');

$ENV{SELFTEST_WORD} = 'hello';
env_to_nginx('SELFTEST_WORD', 'SELFTEST_PAIR=a');

# Code in init sections finds what tests have, under the same names.
sub slurp
{
    my $path = shift;

    open my $in, '<', $path or die "cannot read $path: $!\n";
    return do { local $/; <$in> };
}

our $cleaned = 0;
add_test_cleanup_handler(sub { $cleaned++ });
add_cleanup_handler(sub { die "no block was cleaned up" if !$cleaned });

run_tests();

__DATA__

=== TEST 1: master, two workers, the environment and the preamble
--- config
    location = /t { return 200 "t\n"; }
--- init
use Test::More ();
my $conf = main::slurp($ConfFile);
Test::More::like($conf, qr/worker_processes\s+2;/, 'workers');
Test::More::like($conf, qr/worker_connections\s+128;/, 'connections');
Test::More::like($conf, qr/env SELFTEST_WORD;/, 'an environment variable');
Test::More::like($conf, qr/env SELFTEST_PAIR=a;/, 'and one with a value');
Test::More::ok(-s $PidFile, 'nginx runs when init does');
--- request
GET /preamble
--- response_body
preamble



=== TEST 2: main, http and post_main sections with random ports
--- main_config
    worker_rlimit_nofile 1000;
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / { return 200 "$server_port $TEST_NGINX_RAND_PORT_2\n"; }
    }
--- post_main_config
    worker_shutdown_timeout 1s;
--- config
    location /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- init
die "the same port twice"
    if $RandPorts->{TEST_NGINX_RAND_PORT_1}
       == $RandPorts->{TEST_NGINX_RAND_PORT_2};
--- request
GET /t
--- response_body
$TEST_NGINX_RAND_PORT_1 $TEST_NGINX_RAND_PORT_2



=== TEST 3: files, some in folders, with variables and dates
--- config
--- user_files
>>> a/b.txt
port $TEST_NGINX_SERVER_PORT
>>> c.txt 198510102030.00
second
--- request eval
["GET /a/b.txt", "GET /c.txt"]
--- response_headers eval
["X-None: ", "Last-Modified: Thu, 10 Oct 1985 20:30:00 GMT"]
--- response_body eval
["port $ENV{TEST_NGINX_SERVER_PORT}\n", "second\n"]



=== TEST 4: files of the block before are gone
--- config
--- request
GET /c.txt
--- error_code: 404



=== TEST 5: a block without a config goes on with the one before
--- request
GET /index.html
--- response_body_like: It works!



=== TEST 6: nginx refuses a wrong configuration
--- config
    no_such_directive on;
--- must_die
--- suppress_stderr
--- error_log
unknown directive "no_such_directive"



=== TEST 7: with the exit code that is expected
--- config
    return;
--- must_die: 1
--- suppress_stderr
--- error_log eval
qr/\[emerg\] .*invalid number of arguments in "return"/



=== TEST 8: and starts again
--- config
    location = /t { return 200 "t\n"; }
--- request
GET /t
--- response_body
t



=== TEST 9: not for a newer nginx
--- config
    no_such_directive on;
--- skip_nginx: 2: >= 0.1.0
--- request
GET /
--- response_body
never



=== TEST 10: only for a newer nginx
--- config
    location = /t { return 200 "t\n"; }
--- skip_nginx: 2: < 0.1.0: too old
--- request
GET /t
--- response_body
t



=== TEST 11: skipped by code
--- config
    no_such_directive on;
--- skip_eval: 2: 1 == 1
--- request
GET /



=== TEST 12: not skipped by code
--- config
    location = /t { return 200 "t\n"; }
--- skip_eval: 2: 1 == 2
--- request
GET /t
--- response_body
t



=== TEST 13: to be done
--- config
    location = /t { return 200 "t\n"; }
--- todo
2: not yet there
--- request
GET /t
--- response_body
what it will be



=== TEST 14: not at all
--- SKIP
--- config
    no_such_directive on;
--- request
GET /



=== TEST 15: not looked at for leaks, and a server of the block's own
--- config
    location /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
["HTTP/1.0 200 OK\r\n\r\n", "by ", "tcp\n"]
--- request
GET /t
--- no_check_leak
--- response_body
by tcp



=== TEST 16: its answer by code, over a unix socket
--- config
    location /t {
        proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/html/tcp.sock;
    }
--- tcp_listen: $TEST_NGINX_SERVER_ROOT/html/tcp.sock
--- tcp_reply eval
sub {
    my $request = shift;
    my ($line) = $request =~ /^(.*?)\r/;
    return "HTTP/1.0 200 OK\r\n\r\n$line\n";
}
--- request
GET /t
--- response_body
GET /t HTTP/1.0



=== TEST 17: the last block that runs
--- LAST
--- config
    location = /t { return 200 "t\n"; }
--- request
GET /t
--- response_body
t



=== TEST 18: which this is not
--- config
    no_such_directive on;
--- request
GET /
