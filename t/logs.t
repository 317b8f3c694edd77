# What a run leaves in error.log, and what it must not.

use Test::Nginx::Socket 'no_plan';
use DFP;
use DFP::Facts;
use DFP::Front;
use DFP::Jobs;

log_level('info');
no_root_location();
run_tests();

__DATA__

=== TEST 1: one line where a part starts, one where it ends
--- http_config eval: main::caching()
--- config eval: main::front()
--- init
main::ended_job(main::file(urls => [map { "http://files.test/$_" } 1 .. 3]));
--- request
GET /healthy
--- response_body chomp
"OK"
--- grep_error_log eval
qr/run \d+ (?:start|end)/
--- grep_error_log_out
run 1 start
run 1 end
--- error_log eval
[qr/\[info\] .* run 1 start.*"cluster-1", job: 1, cluster: 1$/,
 qr/\[info\] .* run 1 end.*"cluster-1": SUCCESS, 4 tasks, 0 failed, 52 bytes, \d+\.\d{3} s, job: 1, cluster: 1$/]
--- no_error_log
[warn]
[error]



=== TEST 2: the same of each cluster
--- http_config eval
main::caching() . 'dfpreheat_cluster 7 name=seven engine=cache;'
--- config eval: main::front()
--- init
main::ended_job(main::file());
--- request
GET /healthy
--- response_body chomp
"OK"
--- error_log eval
[qr/\[info\] .* run 1 start.*"cluster-1", job: 1, cluster: 1$/,
 qr/\[info\] .* run 1 start.*"seven", job: 1, cluster: 7$/,
 qr/\[info\] .* run 1 end.*"cluster-1": SUCCESS, 1 task.* s, job: 1, cluster: 1$/,
 qr/\[info\] .* run 1 end.*"seven": SUCCESS, 1 task.* s, job: 1, cluster: 7$/]



=== TEST 3: a part that fails says why in both of its last lines
--- http_config eval: main::caching()
--- config eval: main::front()
--- init
main::ended_job(main::file(url => 'http://files.test/none'));
--- request
GET /healthy
--- response_body chomp
"OK"
--- grep_error_log eval
qr/run \d+ (?:start|end)|dfpreheat: "\S+"/
--- grep_error_log_out
run 1 start
dfpreheat: "http://files.test/none"
run 1 end
--- error_log eval
[qr/\[warn\] .*"http:\/\/files\.test\/none" .*origin answered 404: text\/html, job: 1, cluster: 1$/,
 qr/\[info\] .* run 1 end.*"cluster-1": FAILURE, 1 task.*, 1 failed, 0 bytes.* http:\/\/files\.test\/none: .*origin answered 404: text\/html, job: 1, cluster: 1$/]
--- no_error_log
[error]



=== TEST 4: nginx's own lines about a run have the job's id, too
--- http_config eval: main::caching()
--- config eval: main::front(1)
--- init
main::ended_job(main::file(timeout => 1000000000));
--- request
GET /healthy
--- response_body chomp
"OK"
--- error_log eval
[qr/\[error\] .* connect\(\) failed \(111: Connection refused\) while connecting to upstream, job: 1, url: "http:\/\/files\.test\/a", upstream: "http:\/\/127\.0\.0\.1:1"$/,
 qr/\[info\] .*"http:\/\/files\.test\/a" .*\b\d+ ms\b.*origin.*connect\(\) failed .*, job: 1, cluster: 1$/]
--- no_error_log eval
qr/^(?=.*(?:files\.test|dfpreheat: (?:run|")))(?!.*job: 1\b).+/m



=== TEST 5: a signature is in no line, whatever goes wrong
--- http_config eval: main::caching()
--- config eval: main::front(1)
--- init
main::ended_job(main::file(timeout => 1000000000,
    url => 'http://files.test/a?Signature=the-signature&token=the-token',
    headers => { Authorization => 'Bearer the-bearer' }));
--- request
GET /healthy
--- response_body chomp
"OK"
--- error_log eval
[qr/connect\(\) failed .* url: "http:\/\/files\.test\/a\?Signature=\*\*\*&token=\*\*\*"/,
 qr/"http:\/\/files\.test\/a\?Signature=\*\*\*&token=\*\*\*" .*\b\d+ ms\b/,
 qr/ run 1 end.*timeout.*\b1 s\b/]
--- no_error_log eval
qr/the-signature|the-token|the-bearer/

