# GET /oapi/v1/jobs/:id: what became of a job.

use Test::Nginx::Socket 'no_plan';
use DFP;
use DFP::Jobs;
use DFP::Front;

# A result, of job states.

sub result
{
    my ($state, @states) = @_;

    return '{"created_at":TIME,"group_uuid":"group_UUID","job_states":['
           . join(',', @states) . qq(],"state":"$state","updated_at":TIME});
}

sub job_state
{
    my ($state, $error, $progress, $results) = @_;

    return qq({"created_at":TIME,"error":"$error","lost_attempts":0,)
           . qq("progress":$progress,"results":$results,"state":"$state",)
           . q("task_name":"preheat","task_uuid":"task_UUID","ttl":0});
}

sub progress
{
    my ($done, $failed, $bytes) = @_;

    my $total = $done + $failed;

    return qq([{"tasks_done":$done,"tasks_failed":$failed,)
           . qq("tasks_total":$total,"bytes_done":$bytes,)
           . qq("bytes_total":$bytes,"hostname":"edge-1",)
           . q("ip":"192.0.2.1"}]);
}

sub results
{
    my ($cluster, $failed, $done) = @_;

    return qq([{"failure_tasks":[$failed],"scheduler_cluster_id":$cluster,)
           . qq("success_tasks":[$done]}]);
}

# A URL in these lists.

sub url
{
    my ($url, $description) = @_;

    my $why = defined $description ? qq("description":"$description",) : '';

    return qq({$why"hostname":"edge-1","ip":"192.0.2.1","url":"$url"});
}

our $A = 'http://files.test/a';
our $None = 'http://files.test/none';

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a job that has just been posted
--- http_config eval: main::caching()
--- config eval: main::stalling_front()
--- request eval
[main::posting(main::file()), 'GET /oapi/v1/jobs/1']
--- response_headers eval
[('Content-Type: application/json; charset=utf-8') x 2]
--- response_body_like eval
[main::shape(main::shown_file(1, 'PENDING', 'null')),
 main::shape(main::shown_file(1, 'PENDING',
     main::result('PENDING', main::job_state('PENDING', '', 'null', 'null'))))]



=== TEST 2: a job that has succeeded
--- http_config eval: main::caching()
--- config eval: main::front()
--- init
main::ended_job(main::file());
--- request
GET /oapi/v1/jobs/1
--- response_body_like eval
main::shape(main::shown_file(1, 'SUCCESS',
    main::result('SUCCESS', main::job_state('SUCCESS', '',
        main::progress(1, 0, length 'what is in /a'),
        main::results(1, '', main::url($main::A))))))



=== TEST 3: a job that has failed
--- http_config eval: main::caching()
--- init
main::ended_job(main::file());
--- request
GET /oapi/v1/jobs/1
--- response_body_like eval
main::shape(main::shown_file(1, 'FAILURE',
    main::result('FAILURE', main::job_state('FAILURE',
        "TEXT1 of 1TEXT$main::A: TEXT", main::progress(0, 1, 0),
        main::results(1, main::url($main::A, 'TEXT(dfpreheat_origin)'), '')))))



=== TEST 4: a job of which a part has failed
--- http_config eval: main::caching()
--- config eval: main::front()
--- init
main::ended_job(main::file(url => $main::A, urls => [$main::None]));
--- request
GET /oapi/v1/jobs/1
--- response_body_like eval
'"state":"FAILURE".*' . main::part('"failure_tasks":['
          . main::url($main::None, 'TEXTorigin answered 404: text/html')
          . '],"scheduler_cluster_id":1,"success_tasks":['
          . main::url($main::A) . ']')



=== TEST 5: a job of two clusters has a state for each
--- http_config eval
main::caching() . 'dfpreheat_cluster 7 name=seven engine=cache;'
--- config eval: main::front()
--- init
main::ended_job(main::file());
--- request
GET /oapi/v1/jobs/1
--- response_body_like eval
my @states = map { main::job_state('SUCCESS', '',
                       main::progress(1, 0, length 'what is in /a'),
                       main::results($_, '', main::url($main::A))) } 1, 7;
main::shape(main::shown_file(1, 'SUCCESS', main::result('SUCCESS', @states),
                             main::shown_cluster(1, 'cluster-1', 'true'),
                             main::shown_cluster(7, 'seven', 'false')))



=== TEST 6: the task_id is the group_uuid, and stays what it was
--- http_config eval: main::caching()
--- config eval: main::front()
--- init
my $posted = main::client()->post('/oapi/v1/jobs', main::file())->{json};
my $got = main::client()->get('/oapi/v1/jobs/1')->{json};
Test::More::is($got->{$_}, $posted->{$_}, $_)
    for qw( id task_id created_at user_id );
Test::More::is($got->{result}{group_uuid}, $posted->{task_id}, 'group_uuid');
Test::More::is_deeply($got->{args}, $posted->{args}, 'args');
--- request
GET /healthy
--- response_body chomp
"OK"



=== TEST 7: a job that there is not
--- request eval
[map { "GET /oapi/v1/jobs/$_" } 1, 2147483648, 9223372036854775807, '007']
--- error_code eval
[(404) x 4]
--- response_headers eval
[('Content-Type: application/json; charset=utf-8') x 4]
--- response_body eval
[(main::message('record not found')) x 4]



=== TEST 8: what is no number of a job is told to be none
--- request eval
[map { "GET /oapi/v1/jobs/$_" } 0, 'abc', '-1', '+1', '1a', '1.0', '%31a', '%20',
                                '9223372036854775808', 9 x 100, '00']
--- error_code eval
[(422) x 11]
--- response_headers eval
[('Content-Type: application/json; charset=utf-8') x 11]
--- response_body_like eval
[(main::refusal(errors => '1 | 9223372036854775807')) x 11]



=== TEST 9: who has no token is not told anything about it
--- request
GET /oapi/v1/jobs/abc
--- more_headers
--- error_code: 401
--- response_body eval: main::message('Unauthorized')



=== TEST 10: what is no path of a job
--- request eval
[map { "$_ /oapi/v1/jobs/" } qw( GET OPTIONS )]
--- error_code eval
[(404) x 2]
--- response_body eval
[(main::message('Not Found')) x 2]



=== TEST 11: nor what is below one
--- request eval
[map { "$_ /oapi/v1/jobs/1/2" } qw( GET OPTIONS )]
--- error_code eval
[(404) x 2]
--- response_body eval
[(main::message('Not Found')) x 2]



=== TEST 12: zeros before a number do not count
--- init
main::ended_job(main::file());
--- request
GET /oapi/v1/jobs/0001
--- response_body_like: ^\{"id":1,



=== TEST 13: HEAD is answered as GET, without the body
--- http_config eval: main::caching()
--- config eval: main::front()
--- init
our $Length = length main::ended_job(main::file())->{body};
--- request eval
['HEAD /oapi/v1/jobs/1', 'HEAD /oapi/v1/jobs/2', 'HEAD /healthy']
--- error_code eval
[200, 404, 200]
--- response_body eval
['', '', '']
--- raw_response_headers_like eval
['Content-Length: \d{4}\r', 'Content-Length: 30\r', 'Content-Length: 4\r']



=== TEST 14: other methods are refused, and told what is not
--- request eval
[(map { "$_ /oapi/v1/jobs/1" } qw( POST PUT LOCK FOO )),
 'PUT /oapi/v1/jobs/abc', 'POST /healthy']
--- error_code eval
[(405) x 6]
--- response_headers eval
[('Allow: GET, HEAD, PATCH, DELETE, OPTIONS') x 5, 'Allow: GET, HEAD, OPTIONS']
--- response_body eval
[(main::message('Method Not Allowed')) x 6]



=== TEST 15: OPTIONS tells the methods of each path, and needs no token
--- request eval
[map { "OPTIONS $_" } '/oapi/v1/jobs/1', '/oapi/v1/jobs/abc', '/healthy',
                      '/oapi/v1/jobs', '/api/v1/personal-access-tokens',
                      '/api/v1/personal-access-tokens/1']
--- more_headers
--- error_code eval
[(204) x 6]
--- response_headers eval
[map { "Allow: $_, OPTIONS\nContent-Length:\nContent-Type:" }
     ('GET, HEAD, PATCH, DELETE') x 2, 'GET, HEAD', ('GET, HEAD, POST') x 2,
     'GET, HEAD, PATCH, DELETE']
--- response_body eval
[('') x 6]



=== TEST 16: and a path that there is not is still none
--- request eval
['OPTIONS /oapi/v1/job', 'OPTIONS /oapi/', 'HEAD /oapi/v1/job']
--- error_code eval
[(404) x 3]
--- response_body eval
[(main::message('Not Found')) x 2, '']



=== TEST 17: a body that comes with OPTIONS is not taken for the next request
--- init
use IO::Socket::INET;
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Timeout => 5,
    PeerPort => Test::Nginx::Util::server_port()) or die "no connection: $!";
my $body = 'GET /oapi/ HTTP/1.1';
print {$socket} "OPTIONS /oapi/v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: ",
                length $body, "\r\n\r\n${body}GET /healthy HTTP/1.1\r\n",
                "Host: a\r\nConnection: close\r\n\r\n";
my $answers = do { local $/; <$socket> };
Test::More::like($answers, qr{^HTTP/1\.1\ 204\ .*?\r\n\r\nHTTP/1\.1\ 200\ .*
                               \r\n\r\n"OK"\z}xs, 'one answer for each');
--- request
GET /healthy
--- response_body chomp
"OK"



=== TEST 18: whether it is healthy needs no token
--- request
GET /healthy
--- more_headers
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body chomp
"OK"



=== TEST 19: secrets are sealed while the job lives, and gone afterwards
--- http_config eval: main::caching()
--- config eval: main::stalling_front()
--- init
my $secrets = 'password-1|bearer-2|cookie-3|signature-4|username-5';
my %args = (password => 'password-1', username => 'username-5',
            headers => { Authorization => 'Bearer bearer-2',
                         'X-JFrog-Art-Api' => 'cookie-3' },
            url => "$main::A?X-Amz-Signature=signature-4&name=value");
my $client = main::client();
my $posted = $client->post('/oapi/v1/jobs',
                           main::file(%args, timeout => 1000000000));

Test::More::like(main::stored(), qr/^sealed$/m, 'there are sealed secrets');
Test::More::unlike(main::stored(), qr/$secrets/, 'none is in clear in Redis');
Test::More::like(main::stored(), qr/name=value/, 'what is none is there');
Test::More::unlike($posted->{body}, qr/$secrets/, 'none is in the answer');

my $got;
Test::More::ok(DFP::wait_until(5, sub {
    $got = $client->get('/oapi/v1/jobs/1');
    $got->{json}{state} eq 'FAILURE';
}), 'the job ends');

Test::More::unlike($got->{body}, qr/$secrets/, 'none is in the last answer');
Test::More::like($got->{body},
                 qr/"url":"\Q$main::A\E\?X-Amz-Signature=\*\*\*&name=value"/,
                 'what hides the signature is');
Test::More::unlike(main::stored(), qr/^sealed$/m, 'they are gone');
Test::More::unlike(main::stored(), qr/$secrets/, 'all of them');
--- request
GET /healthy
--- response_body chomp
"OK"
--- log_level: info
--- no_error_log eval
qr/password-1|bearer-2|cookie-3|signature-4|username-5/
