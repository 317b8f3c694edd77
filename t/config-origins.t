# Values of the directives about origins that nginx refuses, each with a sentence
# that says why.

use Test::Nginx::Socket 'no_plan';
use DFP;

use File::Temp ();

# user_files are open to everybody

my $private = File::Temp->new(TEMPLATE => 'dfpreheat-config-XXXXXXXX',
                              TMPDIR => 1);

print {$private} <<'END';
{"auths": {"registry.lan": {"auth": "YTpi"}}}
END
$private->flush;

$ENV{TEST_NGINX_CREDENTIALS} = $private->filename;
$ENV{TEST_NGINX_CA} = '/etc/ssl/certs/ca-certificates.crt';

run_tests();

__DATA__

=== TEST 1: everything at once, as in the README
--- http_config eval
main::http(<<'END');
dfpreheat_credentials        $TEST_NGINX_CREDENTIALS;
dfpreheat_task_timeout       30m;
dfpreheat_max_manifest_size  64k;
END
--- config eval
main::api(<<'END');
proxy_ssl_verify               on;
proxy_ssl_trusted_certificate  $TEST_NGINX_CA;

location /v2/ {
    dfpreheat_origin  https://registry.lan http://registry.lan:5000 https://[2001:db8::1];
    proxy_pass        https://127.0.0.1:1;
    proxy_cache       off;
    include           $TEST_NGINX_CONF_DIR/dfpreheat_follow.conf;
}
location /v2/again/ {
    dfpreheat_origin  https://registry.lan;
    proxy_pass        https://127.0.0.1:1;
}
location @dfpreheat_calls {
    dfpreheat_origin  https://auth.docker.io https://registry.lan .example.com;
    include           $TEST_NGINX_CONF_DIR/dfpreheat_calls.conf;
}
location @files {
    dfpreheat_origin  any;
    proxy_pass        $dfpreheat_target;
}
location @dfpreheat_redirect {
    dfpreheat_redirect  https://minio.lan:9000 .cloudflarestorage.com any;
    include             $TEST_NGINX_CONF_DIR/dfpreheat_redirect.conf;
}
END
--- request
GET /healthy
--- response_body chomp
"OK"
--- no_error_log
[error]
[warn]



=== TEST 2: dfpreheat_origin with a second value that is no URL of the web
--- config
location /v2/ { dfpreheat_origin http://registry.lan ftp://files.lan; }
--- must_die
--- error_log
dfpreheat_origin must be an http or https URL, or .example.com, or any



=== TEST 3: dfpreheat_origin with a host only
--- config
location /v2/ { dfpreheat_origin registry.lan; }
--- must_die
--- error_log
dfpreheat_origin must be an http or https URL, or .example.com, or any



=== TEST 4: dfpreheat_origin with a suffix that has a port
--- config
location @calls {
    dfpreheat_origin  .example.com:8443;
    include           $TEST_NGINX_CONF_DIR/dfpreheat_calls.conf;
    proxy_ssl_trusted_certificate  $TEST_NGINX_CA;
}
--- must_die
--- error_log eval
qr/dfpreheat_origin .*\.example\.com:8443/



=== TEST 5: dfpreheat_origin with a suffix that has a path
--- config
location @calls {
    dfpreheat_origin  .example.com/v2/;
    include           $TEST_NGINX_CONF_DIR/dfpreheat_calls.conf;
    proxy_ssl_trusted_certificate  $TEST_NGINX_CA;
}
--- must_die
--- error_log eval
qr{dfpreheat_origin .*\.example\.com/v2/}



=== TEST 6: dfpreheat_origin with a suffix that no host can have
--- config
location @calls {
    dfpreheat_origin  .*.example.com;
    include           $TEST_NGINX_CONF_DIR/dfpreheat_calls.conf;
    proxy_ssl_trusted_certificate  $TEST_NGINX_CA;
}
--- must_die
--- error_log eval
qr/dfpreheat_origin .*\.\*\.example\.com/



=== TEST 7: dfpreheat_origin with a wildcard
--- config
location /v2/ { dfpreheat_origin http://*.example.com; }
--- must_die
--- error_log eval
qr/dfpreheat_origin .*, or \.example\.com, or any/



=== TEST 8: dfpreheat_origin with a password
--- config
location /v2/ { dfpreheat_origin http://alice:secret@registry.lan; }
--- must_die
--- error_log
dfpreheat_origin must not have a user name or a password in it
--- no_error_log
secret@



=== TEST 9: dfpreheat_origin with a second value that has a path
--- config
location /v2/ { dfpreheat_origin http://one.lan http://two.lan:80/v2/; }
--- must_die
--- error_log
dfpreheat_origin "http://two.lan:80/v2/" must be scheme, host and port only: http://two.lan



=== TEST 10: dfpreheat_origin with an impossible port
--- config
location /v2/ { dfpreheat_origin http://one.lan:65536; }
--- must_die
--- error_log eval
qr/dfpreheat_origin .*port.* 65535/



=== TEST 11: an origin in two servers
--- http_config eval
main::http(<<'END');
server {
    listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    location /v2/ { dfpreheat_origin http://registry.lan; }
}
END
--- config
location /v2/ { dfpreheat_origin http://other.lan HTTP://Registry.lan:80/; }
--- must_die
--- error_log
dfpreheat_origin http://registry.lan is bound in another server: all of its locations must be in one



=== TEST 12: an origin in two named locations
--- config
location @one {
    dfpreheat_origin  http://auth.lan;
    proxy_pass        $dfpreheat_target;
}
location @two {
    dfpreheat_origin  http://files.lan http://auth.lan;
    proxy_pass        $dfpreheat_target;
}
--- must_die
--- error_log
dfpreheat_origin http://auth.lan is in location @one already



=== TEST 13: an origin of https whose location does not verify certificates
--- config
location /v2/ {
    dfpreheat_origin  https://registry.lan;
    proxy_pass        https://127.0.0.1:1;
}
--- must_die
--- error_log
the location of dfpreheat_origin https://registry.lan does not verify certificates: it needs "proxy_ssl_verify on" and "proxy_ssl_trusted_certificate", or all of them "dfpreheat_insecure_skip_verify on"



=== TEST 14: a second origin of https whose location does not verify certificates
--- config
location /v2/ {
    dfpreheat_origin  http://registry.lan https://registry.lan:8443;
    proxy_pass        http://127.0.0.1:1;
}
--- must_die
--- error_log
the location of dfpreheat_origin https://registry.lan:8443 does not verify certificates



=== TEST 15: any, and its location does not verify certificates
--- config
location @calls {
    dfpreheat_origin  any;
    proxy_pass        $dfpreheat_target;
}
--- must_die
--- error_log
the location of dfpreheat_origin any does not verify certificates



=== TEST 16: a location below one that verifies, and that does not
--- config
proxy_ssl_verify               on;
proxy_ssl_trusted_certificate  $TEST_NGINX_CA;
location /v2/ {
    dfpreheat_origin  https://registry.lan;
    proxy_pass        https://127.0.0.1:1;

    location /v2/team/ {
        dfpreheat_origin  https://registry.lan;
        proxy_pass        https://127.0.0.1:1;
        proxy_ssl_verify  off;
    }
}
--- must_die
--- error_log
the location of dfpreheat_origin https://registry.lan does not verify certificates



=== TEST 17: a suffix that is passed to a place of the location's own
--- config
proxy_ssl_verify               on;
proxy_ssl_trusted_certificate  $TEST_NGINX_CA;
location @calls {
    dfpreheat_origin  .example.com;
    proxy_pass        https://127.0.0.1:1;
}
--- must_die
--- error_log
the location of dfpreheat_origin .example.com needs "proxy_pass $dfpreheat_target": so the address that is checked is the one that is used



=== TEST 18: any, passed to a place of the location's own
--- config
proxy_ssl_verify               on;
proxy_ssl_trusted_certificate  $TEST_NGINX_CA;
location @calls {
    dfpreheat_origin  http://one.lan any;
    proxy_pass        http://127.0.0.1:1;
}
--- must_die
--- error_log
the location of dfpreheat_origin http://one.lan needs "proxy_pass $dfpreheat_target"



=== TEST 19: a named location that passes to a place of its own
--- config
location @calls {
    dfpreheat_origin  http://auth.lan;
    proxy_pass        http://127.0.0.1:1;
}
--- must_die
--- error_log
the location of dfpreheat_origin http://auth.lan needs "proxy_pass $dfpreheat_target"



=== TEST 20: a named location that passes to a place of its own in an "if"
--- config
location @calls {
    dfpreheat_origin  http://auth.lan;
    proxy_pass        $dfpreheat_target;

    if ($arg_x) {
        proxy_pass    http://127.0.0.1:1;
    }
}
--- must_die
--- error_log
the location of dfpreheat_origin http://auth.lan needs "proxy_pass $dfpreheat_target"



=== TEST 21: any in a location that clients can reach
--- config
proxy_ssl_verify               on;
proxy_ssl_trusted_certificate  $TEST_NGINX_CA;
location /v2/ {
    dfpreheat_origin  any;
    proxy_pass        $dfpreheat_target;
}
--- must_die
--- error_log
dfpreheat_origin any belongs into a named location, as in "location @dfpreheat_calls": a client's request does not say which origin it is for



=== TEST 22: a suffix beside an origin, in a location that clients can reach
--- config
proxy_ssl_verify               on;
proxy_ssl_trusted_certificate  $TEST_NGINX_CA;
location ~ ^/v2/ {
    dfpreheat_origin  https://registry.lan .example.com;
    proxy_pass        https://127.0.0.1:1;
}
--- must_die
--- error_log
dfpreheat_origin .example.com belongs into a named location



=== TEST 23: two origins that a variable tells apart
--- config
location /v2/ {
    dfpreheat_origin  http://one.lan http://two.lan;
    proxy_pass        http://$arg_ns;
}
--- must_die
--- error_log
the location of dfpreheat_origin http://one.lan and http://two.lan needs a proxy_pass without variables



=== TEST 24: two origins that a variable in an "if" tells apart
--- config
location /v2/ {
    dfpreheat_origin  http://one.lan http://two.lan;
    proxy_pass        http://127.0.0.1:1;

    if ($arg_ns) {
        proxy_pass    http://$arg_ns;
    }
}
--- must_die
--- error_log
the location of dfpreheat_origin http://one.lan and http://two.lan needs a proxy_pass without variables



=== TEST 25: two origins that a variable in limit_except tells apart
--- config
location /v2/ {
    dfpreheat_origin  http://one.lan http://two.lan;
    proxy_pass        http://127.0.0.1:1;

    limit_except HEAD {
        proxy_pass    http://$arg_ns;
    }
}
--- must_die
--- error_log
the location of dfpreheat_origin http://one.lan and http://two.lan needs a proxy_pass without variables



=== TEST 26: a variable in the proxy_cache of a location
--- config
location /v2/ {
    dfpreheat_origin  http://registry.lan;
    proxy_pass        http://127.0.0.1:1;
    proxy_cache       $arg_zone;
}
--- must_die
--- error_log
the location of dfpreheat_origin http://registry.lan needs a proxy_cache without variables: with one, a job could warm another cache than the one that clients get



=== TEST 27: a variable in the proxy_cache of the server
--- config
proxy_cache  $http_x_zone;
location /v2/ {
    location /v2/team/ {
        dfpreheat_origin  http://one.lan http://two.lan;
        proxy_pass        http://127.0.0.1:1;
    }
}
--- must_die
--- error_log
the location of dfpreheat_origin http://one.lan needs a proxy_cache without variables



=== TEST 28: a variable in the proxy_cache of where redirects are followed
--- config
location @redirect {
    dfpreheat_redirect  http://cdn.lan;
    proxy_pass          $dfpreheat_target;
    proxy_pass_request_headers off;
    proxy_cache         $arg_zone;
}
--- must_die
--- error_log
the location of dfpreheat_redirect http://cdn.lan needs a proxy_cache without variables



=== TEST 29: one origin behind a variable, and two behind none
--- config eval
main::api(<<'END');
location /v2/ {
    dfpreheat_origin  http://one.lan;
    set               $backend 127.0.0.1;
    proxy_pass        http://$backend;
}
location /two/ {
    dfpreheat_origin  http://one.lan http://two.lan;
    proxy_pass        http://127.0.0.1:1;

    if ($arg_x) {
        set           $backend 127.0.0.1:2;
    }
}
location /none/ { dfpreheat_origin http://one.lan http://two.lan; }
location /free/ {
    set               $backend 127.0.0.1;
    proxy_pass        http://$backend;
    proxy_cache       $arg_zone;
}
END
--- request
GET /healthy
--- response_body chomp
"OK"
--- no_error_log
[error]
[warn]



=== TEST 30: dfpreheat_redirect in a location that clients can reach
--- config
location /v2/ { dfpreheat_redirect http://cdn.lan; }
--- must_die
--- error_log
"dfpreheat_redirect" directive belongs into a named location, as in "location @dfpreheat_redirect", which error_page leads to



=== TEST 31: dfpreheat_redirect outside of locations
--- config
dfpreheat_redirect http://cdn.lan;
--- must_die
--- error_log
"dfpreheat_redirect" directive is not allowed here



=== TEST 32: dfpreheat_redirect twice
--- config
location @redirect {
    dfpreheat_redirect  http://one.lan;
    dfpreheat_redirect  http://two.lan;
}
--- must_die
--- error_log
"dfpreheat_redirect" directive is duplicate



=== TEST 33: dfpreheat_redirect beside dfpreheat_origin
--- config
location @redirect {
    dfpreheat_origin    http://one.lan;
    dfpreheat_redirect  http://two.lan;
}
--- must_die
--- error_log
"dfpreheat_redirect" directive cannot be in a location that has dfpreheat_origin



=== TEST 34: dfpreheat_origin beside dfpreheat_redirect
--- config
location @redirect {
    dfpreheat_redirect  http://two.lan;
    dfpreheat_origin    http://one.lan;
}
--- must_die
--- error_log
"dfpreheat_origin" directive cannot be in a location that has dfpreheat_redirect



=== TEST 35: dfpreheat_redirect that is no URL of the web
--- config
location @redirect { dfpreheat_redirect .cdn.lan s3://bucket; }
--- must_die
--- error_log
dfpreheat_redirect must be an http or https URL, or .example.com, or any



=== TEST 36: dfpreheat_redirect with a path
--- config
location @redirect { dfpreheat_redirect http://cdn.lan/bucket; }
--- must_die
--- error_log
dfpreheat_redirect "http://cdn.lan/bucket" must be scheme, host and port only: http://cdn.lan



=== TEST 37: redirects to where certificates are not verified
--- config
location @redirect {
    dfpreheat_redirect  http://cdn.lan https://cdn.lan;
    proxy_pass          $dfpreheat_target;
    proxy_pass_request_headers off;
}
--- must_die
--- error_log
the location of dfpreheat_redirect https://cdn.lan does not verify certificates: it needs "proxy_ssl_verify on" and "proxy_ssl_trusted_certificate"



=== TEST 38: redirects that are passed to a place of the location's own
--- config
location @redirect {
    dfpreheat_redirect  http://cdn.lan;
    proxy_pass          http://127.0.0.1:1;
    proxy_pass_request_headers off;
}
--- must_die
--- error_log
the location of dfpreheat_redirect http://cdn.lan needs "proxy_pass $dfpreheat_target"



=== TEST 39: redirects that take the headers of requests along
--- config
location @redirect {
    dfpreheat_redirect  http://cdn.lan;
    proxy_pass          $dfpreheat_target;
}
--- must_die
--- error_log
the location of dfpreheat_redirect http://cdn.lan needs "proxy_pass_request_headers off": headers of a request are not for whom a redirect leads to



=== TEST 40: dfpreheat_insecure_skip_verify spares locations from verifying, with a warning
--- http_config eval
main::http('dfpreheat_insecure_skip_verify on;');
--- config eval
main::api(<<'END');
location /v2/ {
    dfpreheat_origin  https://registry.lan;
    proxy_pass        https://127.0.0.1:1;
}
location @dfpreheat_calls {
    dfpreheat_origin  any;
    proxy_pass        $dfpreheat_target;
}
location @dfpreheat_redirect {
    dfpreheat_redirect  .example.com;
    proxy_pass          $dfpreheat_target;
    proxy_pass_request_headers off;
}
END
--- request
GET /healthy
--- response_body chomp
"OK"
--- error_log eval
qr{\[warn\] .*dfpreheat_insecure_skip_verify is on: whoever stands between here and a registry can read}



=== TEST 41: dfpreheat_insecure_skip_verify is a switch
--- http_config
dfpreheat_insecure_skip_verify yes;
--- must_die
--- error_log
invalid value "yes" in "dfpreheat_insecure_skip_verify" directive, it must be "on" or "off"



=== TEST 42: dfpreheat_credentials that are not there
--- http_config
dfpreheat_credentials $TEST_NGINX_SERVER_ROOT/html/none;
--- must_die
--- error_log eval
[qr{dfpreheat_credentials: open\(\) "\S+/html/none" failed \(2: No such file or directory\)},
 '"dfpreheat_credentials" directive cannot be used']



=== TEST 43: dfpreheat_credentials that are no JSON
--- http_config
dfpreheat_credentials $TEST_NGINX_SERVER_ROOT/html/config.json;
--- user_files
>>> config.json
{"auths": {"registry.lan": {"auth": "YWxpY2U6aHVudGVyMg=="
--- must_die
--- error_log eval
[qr{dfpreheat_credentials "\S+/html/config\.json": the file is not valid JSON: line \d+, column \d+: },
 '"dfpreheat_credentials" directive cannot be used']
--- no_error_log
YWxpY2U6



=== TEST 44: dfpreheat_credentials that are another JSON
--- http_config
dfpreheat_credentials $TEST_NGINX_SERVER_ROOT/html/config.json;
--- user_files
>>> config.json
["auths"]
--- must_die
--- error_log eval
[qr{dfpreheat_credentials "\S+/html/config\.json": the file must be a JSON object},
 '"dfpreheat_credentials" directive cannot be used']



=== TEST 45: dfpreheat_credentials with an auth that is none
--- http_config
dfpreheat_credentials $TEST_NGINX_SERVER_ROOT/html/config.json;
--- user_files
>>> config.json
{"auths": {"good.lan": {"auth": "YTpi"}, "bad.lan": {"auth": "hunter2!"}}}
--- must_die
--- error_log eval
[qr{dfpreheat_credentials "\S+/html/config\.json": .*"bad\.lan".* base64},
 '"dfpreheat_credentials" directive cannot be used']
--- no_error_log
hunter2



=== TEST 46: dfpreheat_credentials with a key that names no registry
--- http_config
dfpreheat_credentials $TEST_NGINX_SERVER_ROOT/html/config.json;
--- user_files
>>> config.json
{"auths": {"not a host": {"auth": "YTpi"}}}
--- must_die
--- error_log eval
[qr{dfpreheat_credentials "\S+/html/config\.json": .*"not a host"},
 '"dfpreheat_credentials" directive cannot be used']



=== TEST 47: dfpreheat_credentials that only a helper has
--- http_config eval
main::http('dfpreheat_credentials $TEST_NGINX_SERVER_ROOT/html/config.json;');
--- user_files eval
[["config.json", '{"auths":{"one.lan":{},"two.lan":{"auth":"Ym9iOg=="},'
                 . '"three.lan":{"auth":"YTpi"},"four.lan":'
                 . '{"identitytoken":"hunter2"}},"credsStore":"pass",'
                 . '"credHelpers":{"gcr.io":"gcloud","five.lan":"ecr-login"}}']]
--- request
GET /healthy
--- response_body chomp
"OK"
--- error_log eval
[qr{\[warn\] .*dfpreheat_credentials "\S+/html/config\.json": 2 entries are not used: .*"one\.lan", "two\.lan"},
 qr{\[warn\] .*dfpreheat_credentials "\S+": "credsStore" is not supported},
 qr{\[warn\] .*dfpreheat_credentials "\S+": "credHelpers" is not supported: .*"gcr\.io", "five\.lan"}]
--- no_error_log
hunter2



=== TEST 48: credHelpers of any kind are no failure
--- http_config eval
main::http('dfpreheat_credentials $TEST_NGINX_SERVER_ROOT/html/config.json;');
--- user_files eval
[["config.json", '{"auths":{},"credsStore":1,"credHelpers":[{}]}']]
--- request
GET /healthy
--- response_body chomp
"OK"
--- error_log
"credsStore" is not supported
--- no_error_log
[emerg]



=== TEST 49: dfpreheat_credentials that everybody may read are used, with a warning
--- http_config eval
main::http('dfpreheat_credentials $TEST_NGINX_SERVER_ROOT/html/config.json;');
--- user_files eval
[["config.json", '{"auths":{}}']]
--- request
GET /healthy
--- response_body chomp
"OK"
--- error_log eval
qr{\[warn\] .*"\S+/html/config\.json" holds secrets and is open to everybody}



=== TEST 50: dfpreheat_credentials twice
--- http_config
dfpreheat_credentials $TEST_NGINX_SERVER_ROOT/html/config.json;
dfpreheat_credentials $TEST_NGINX_SERVER_ROOT/html/config.json;
--- user_files eval
[["config.json", '{}']]
--- must_die
--- error_log
"dfpreheat_credentials" directive is duplicate



=== TEST 51: dfpreheat_task_timeout that is no time
--- http_config
dfpreheat_task_timeout long;
--- must_die
--- error_log
"dfpreheat_task_timeout" directive invalid value



=== TEST 52: dfpreheat_task_timeout in which nothing can be done
--- http_config eval
main::http('dfpreheat_task_timeout 0;');
--- must_die
--- error_log
dfpreheat_task_timeout must be at least



=== TEST 53: dfpreheat_max_manifest_size that is no size
--- http_config
dfpreheat_max_manifest_size large;
--- must_die
--- error_log
"dfpreheat_max_manifest_size" directive invalid value



=== TEST 54: dfpreheat_max_manifest_size that no manifest has
--- http_config eval
main::http('dfpreheat_max_manifest_size 0;');
--- must_die
--- error_log
dfpreheat_max_manifest_size must be at least



=== TEST 55: dfpreheat_access in a location that is bound to nothing
--- config eval
main::api(<<'END');
location /v2/ {
    dfpreheat_access  on;
    proxy_pass        http://127.0.0.1:1;
}
END
--- must_die
--- error_log
location "/v2/" has dfpreheat_access, and needs a dfpreheat_origin in full



=== TEST 56: dfpreheat_access in a location that is bound to hosts below one
--- config eval
main::api(<<'END');
location @files {
    dfpreheat_access  on;
    dfpreheat_origin  .example.com;
    proxy_pass        $dfpreheat_target;
    proxy_ssl_verify               on;
    proxy_ssl_trusted_certificate  $TEST_NGINX_CA;
}
END
--- must_die
--- error_log
location "@files" has dfpreheat_access, and needs a dfpreheat_origin in full



=== TEST 57: a location below one that has dfpreheat_access
--- config eval
main::api(<<'END');
location /v2/ {
    dfpreheat_access  on;
    dfpreheat_origin  http://registry.lan;
    proxy_pass        http://127.0.0.1:1;

    location ~ json {
        proxy_pass  http://127.0.0.1:1;
    }
}
END
--- must_die
--- error_log
location "json" has dfpreheat_access, and needs a dfpreheat_origin in full



=== TEST 58: or one that does without, or is bound itself
--- config eval
main::api(<<'END');
location /v2/ {
    dfpreheat_access  on;
    dfpreheat_origin  http://registry.lan;
    proxy_pass        http://127.0.0.1:1;

    location /v2/open/ {
        dfpreheat_access  off;
        proxy_pass        http://127.0.0.1:1;
    }

    location /v2/bound/ {
        dfpreheat_origin  http://registry.lan;
        proxy_pass        http://127.0.0.1:1;
    }
}
END
--- request
GET /healthy
--- response_body chomp
"OK"



=== TEST 59: the question of an auth_request, as it was
--- config eval
main::api(<<'END');
location = /access {
    proxy_pass  http://127.0.0.1:1/$dfpreheat_access_key;
}
END
--- must_die
--- error_log
unknown "dfpreheat_access_key" variable



=== TEST 60: dfpreheat_thread_pool names a pool
--- main_config
thread_pool few threads=2;
--- http_config eval
main::http('dfpreheat_thread_pool few;');
--- config
location = /healthy { dfpreheat on; }
--- request
GET /healthy
--- response_body chomp
"OK"



=== TEST 61: dfpreheat_thread_pool names a pool that there is not
--- http_config eval
main::http('dfpreheat_thread_pool nowhere;');
--- must_die
--- error_log
unknown thread pool "nowhere"



=== TEST 62: dfpreheat_thread_pool twice
--- http_config eval
main::http('dfpreheat_thread_pool default;', 'dfpreheat_thread_pool default;');
--- must_die
--- error_log
"dfpreheat_thread_pool" directive is duplicate



=== TEST 63: the pool of digests may be configured by its name
--- main_config
thread_pool dfpreheat threads=2;
--- config
location = /healthy { dfpreheat on; }
--- request
GET /healthy
--- response_body chomp
"OK"



=== TEST 53: dfpreheat_tag_valid that is no time
--- http_config
dfpreheat_tag_valid soon;
--- must_die
--- error_log
"dfpreheat_tag_valid" directive invalid value



=== TEST 54: dfpreheat_tag_valid twice
--- http_config
dfpreheat_tag_valid 1m;
dfpreheat_tag_valid 2m;
--- must_die
--- error_log
"dfpreheat_tag_valid" directive is duplicate
