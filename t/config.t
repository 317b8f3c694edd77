# Values of directives that nginx refuses, each with a sentence that says why.

use Test::Nginx::Socket 'no_plan';
use DFP;

run_tests();

__DATA__

=== TEST 1: everything at once, as in the README
--- http_config
dfpreheat_redis          127.0.0.1:$TEST_NGINX_REDIS_PORT unix:/nowhere
                         db=1 prefix=lab:;
dfpreheat_redis_timeout  3s;
dfpreheat_key            $TEST_NGINX_SEAL_KEY;
dfpreheat_admin_key      $TEST_NGINX_ADMIN_KEY;
dfpreheat_cluster        1 name=one engine=cache;
dfpreheat_cluster        2 engine=cache "name=number two";
dfpreheat_instance       edge-1 address=192.0.2.1;
dfpreheat_platform       linux/arm64,linux/amd64;
dfpreheat_max_timeout    2h;
dfpreheat_max_body_size  64k;
dfpreheat_queue_limit    10;
dfpreheat_lease          2s;
dfpreheat_max_attempts   2;
dfpreheat_worker_calls   16;
dfpreheat_job_retention  1d;
--- config
location = /healthy { dfpreheat on; }
location /v2/ {
    dfpreheat_origin  https://registry.test:443/ http://registry.test;
    proxy_pass        http://127.0.0.1:1;
    proxy_ssl_verify  on;
}
--- request
GET /healthy
--- response_body chomp
"OK"
--- no_error_log
[error]



=== TEST 2: dfpreheat is a switch
--- config
location /oapi/ { dfpreheat maybe; }
--- must_die
--- error_log
invalid value "maybe" in "dfpreheat" directive, it must be "on" or "off"



=== TEST 3: dfpreheat belongs into a location
--- config
dfpreheat on;
--- must_die
--- error_log
"dfpreheat" directive is not allowed here



=== TEST 4: no jobs without Redis
--- http_config
dfpreheat_cluster 1 name=one engine=cache;
--- must_die
--- error_log
"dfpreheat on" needs dfpreheat_redis, as in "dfpreheat_redis 127.0.0.1:6379;"



=== TEST 5: no jobs without a cluster
--- http_config
dfpreheat_redis 127.0.0.1:1;
--- must_die
--- error_log
"dfpreheat on" needs a dfpreheat_cluster, as in "dfpreheat_cluster 1 name=cluster-1 engine=cache;"



=== TEST 6: dfpreheat_redis without an address
--- http_config
dfpreheat_redis db=1;
--- must_die
--- error_log
"dfpreheat_redis" directive has no address



=== TEST 7: dfpreheat_redis with a user and no password
--- http_config
dfpreheat_redis 127.0.0.1:1 user=preheat;
--- must_die
--- error_log
"dfpreheat_redis" directive has user= but no password_file=



=== TEST 8: dfpreheat_redis with a database that is no number
--- http_config
dfpreheat_redis 127.0.0.1:1 db=first;
--- must_die
--- error_log
dfpreheat_redis: "db=first" is no database: it must be a whole number, as in db=1



=== TEST 9: dfpreheat_redis with an impossible port
--- http_config
dfpreheat_redis 127.0.0.1:65536;
--- must_die
--- error_log
dfpreheat_redis: invalid port "127.0.0.1:65536": it must be host:port, unix:/path, user=, password_file=, db= or prefix=



=== TEST 10: dfpreheat_redis with a password that is not there
--- http_config
dfpreheat_redis 127.0.0.1:1 password_file=$TEST_NGINX_SERVER_ROOT/html/none;
--- must_die
--- error_log eval
qr{open\(\) "\S+/html/none" failed \(2: No such file or directory\)}



=== TEST 11: dfpreheat_redis twice
--- http_config
dfpreheat_redis 127.0.0.1:1;
dfpreheat_redis 127.0.0.1:2;
--- must_die
--- error_log
"dfpreheat_redis" directive is duplicate



=== TEST 12: dfpreheat_cluster without a number
--- http_config
dfpreheat_cluster one engine=cache;
--- must_die
--- error_log
dfpreheat_cluster: "one" is no cluster id: it must be a whole number from 1



=== TEST 13: dfpreheat_cluster with the number 0
--- http_config
dfpreheat_cluster 0 name=zero engine=cache;
--- must_die
--- error_log
dfpreheat_cluster: "0" is no cluster id: it must be a whole number from 1



=== TEST 14: dfpreheat_cluster with an engine that there is not
--- http_config
dfpreheat_cluster 1 name=one engine=steam;
--- must_die
--- error_log
dfpreheat_cluster 1: engine "steam" is not known: it must be engine=cache



=== TEST 15: dfpreheat_cluster without a name
--- http_config
dfpreheat_cluster 1 engine=cache;
--- must_die
--- error_log
dfpreheat_cluster 1 has no name=



=== TEST 16: dfpreheat_cluster twice
--- http_config
dfpreheat_cluster 7 name=one engine=cache;
dfpreheat_cluster 7 name=two engine=cache;
--- must_die
--- error_log
dfpreheat_cluster 7 is there twice



=== TEST 17: dfpreheat_cluster with what the engine does not know
--- http_config
dfpreheat_cluster 1 name=one engine=cache scheduler.lan:8002;
--- must_die
--- error_log
engine=cache takes no parameter "scheduler.lan:8002"



=== TEST 18: dfpreheat_instance with an unknown parameter
--- http_config
dfpreheat_instance edge-1 ip=192.0.2.1;
--- must_die
--- error_log
dfpreheat_instance: "ip=192.0.2.1" is not known: after the name there may be address=



=== TEST 19: dfpreheat_instance without a name
--- http_config
dfpreheat_instance "";
--- must_die
--- error_log
"dfpreheat_instance" directive has an empty name



=== TEST 20: dfpreheat_instance twice
--- http_config
dfpreheat_instance edge-1;
dfpreheat_instance edge-2;
--- must_die
--- error_log
"dfpreheat_instance" directive is duplicate



=== TEST 21: dfpreheat_key that is not there
--- http_config
dfpreheat_key $TEST_NGINX_SERVER_ROOT/html/none;
--- must_die
--- error_log eval
qr{open\(\) "\S+/html/none" failed \(2: No such file or directory\)}



=== TEST 22: dfpreheat_key that is empty
--- http_config
dfpreheat_key $TEST_NGINX_SERVER_ROOT/html/key;
--- user_files eval
[["key", "\n"]]
--- must_die
--- error_log eval
qr{"\S+/html/key" is empty: it must have 1 to 4095 bytes}



=== TEST 23: dfpreheat_key that is no key
--- http_config
dfpreheat_key $TEST_NGINX_SERVER_ROOT/html/key;
--- user_files eval
[["key", "0123456789abcdef" x 3 . "\n"]]
--- must_die
--- error_log eval
qr{dfpreheat_key "\S+/html/key": line 1 must be a key of 64 hexadecimal digits}



=== TEST 24: dfpreheat_key twice
--- http_config
dfpreheat_key $TEST_NGINX_SEAL_KEY;
dfpreheat_key $TEST_NGINX_SEAL_KEY;
--- must_die
--- error_log
"dfpreheat_key" directive is duplicate



=== TEST 25: dfpreheat_admin_key that can be guessed
--- http_config
dfpreheat_admin_key $TEST_NGINX_SERVER_ROOT/html/key;
--- user_files eval
[["key", "fifteen-letters\n"]]
--- must_die
--- error_log eval
qr{dfpreheat_admin_key "\S+/html/key": it must have at least 16 characters}



=== TEST 26: dfpreheat_admin_key of several words
--- http_config
dfpreheat_admin_key $TEST_NGINX_SERVER_ROOT/html/key;
--- user_files eval
[["key", "correct horse battery staple\n"]]
--- must_die
--- error_log eval
qr{dfpreheat_admin_key "\S+/html/key": it must be one word of printable characters}



=== TEST 27: dfpreheat_admin_key in a file that is something else
--- http_config
dfpreheat_admin_key $TEST_NGINX_SERVER_ROOT/html/key;
--- user_files eval
[["key", "x" x 4096]]
--- must_die
--- error_log eval
qr{"\S+/html/key" is too large: it must have 1 to 4095 bytes}



=== TEST 28: dfpreheat_admin_key twice
--- http_config
dfpreheat_admin_key $TEST_NGINX_ADMIN_KEY;
dfpreheat_admin_key $TEST_NGINX_ADMIN_KEY;
--- must_die
--- error_log
"dfpreheat_admin_key" directive is duplicate



=== TEST 29: a key that everybody may read is used, with a warning
--- http_config
dfpreheat_redis 127.0.0.1:$TEST_NGINX_REDIS_PORT;
dfpreheat_cluster 1 name=one engine=cache;
dfpreheat_admin_key $TEST_NGINX_SERVER_ROOT/html/key;
--- user_files eval
[["key", "an-open-secret-of-everyone\n", undef, 0644]]
--- request
GET /healthy
--- response_body chomp
"OK"
--- error_log eval
qr{\[warn\] .*"\S+/html/key" holds a secret and is open to everybody}



=== TEST 30: dfpreheat_platform that is none
--- http_config
dfpreheat_platform amd64;
--- must_die
--- error_log
dfpreheat_platform must be "all" or platforms of the form os/arch or os/arch/variant between commas, as linux/amd64



=== TEST 31: dfpreheat_max_timeout shorter than any job's
--- http_config
dfpreheat_max_timeout 999ms;
--- must_die
--- error_log
dfpreheat_max_timeout must be at least 1s



=== TEST 32: dfpreheat_lease that no worker could keep
--- http_config
dfpreheat_lease 999ms;
--- must_die
--- error_log
dfpreheat_lease must be at least 1000 ms



=== TEST 33: dfpreheat_queue_limit 0
--- http_config
dfpreheat_queue_limit 0;
--- must_die
--- error_log
value must be equal to or greater than 1



=== TEST 34: dfpreheat_max_attempts 0
--- http_config
dfpreheat_max_attempts 0;
--- must_die
--- error_log
value must be equal to or greater than 1



=== TEST 35: dfpreheat_worker_calls 0
--- http_config
dfpreheat_worker_calls 0;
--- must_die
--- error_log
value must be equal to or greater than 1



=== TEST 36: dfpreheat_max_body_size that is no size
--- http_config
dfpreheat_max_body_size large;
--- must_die
--- error_log
"dfpreheat_max_body_size" directive invalid value



=== TEST 37: dfpreheat_job_retention that is no time
--- http_config
dfpreheat_job_retention long;
--- must_die
--- error_log
"dfpreheat_job_retention" directive invalid value



=== TEST 38: dfpreheat_redis_timeout that is no time
--- http_config
dfpreheat_redis_timeout soon;
--- must_die
--- error_log
"dfpreheat_redis_timeout" directive invalid value



=== TEST 39: dfpreheat_origin that is no URL of the web
--- config
location / { dfpreheat_origin ftp://registry.lan; }
--- must_die
--- error_log
dfpreheat_origin must be an http or https URL



=== TEST 40: dfpreheat_origin with a path
--- config
location / { dfpreheat_origin https://registry.lan:443/v2/; }
--- must_die
--- error_log
dfpreheat_origin "https://registry.lan:443/v2/" must be scheme, host and port only: https://registry.lan



=== TEST 41: dfpreheat_origin twice in a location
--- config
location / {
    dfpreheat_origin https://one.lan;
    dfpreheat_origin https://two.lan;
}
--- must_die
--- error_log
"dfpreheat_origin" directive is duplicate



=== TEST 42: dfpreheat_origin belongs into a location
--- http_config
dfpreheat_origin https://registry.lan;
--- must_die
--- error_log
"dfpreheat_origin" directive is not allowed here
