# Personal access tokens: who can create one, and who gets in with one.

use Test::Nginx::Socket 'no_plan';
use DFP;

use Digest::SHA qw( sha256_hex );
use POSIX qw( strftime );

use DFP::Process qw( wait_until );

our $Path = '/api/v1/personal-access-tokens';

our $Late = '2037-01-01T00:00:00Z';
our $No_job = "Token doesn't have permission to access this resource. "
              . 'Required permission: job';

# What is wrong with a request for a token, the field that is told first, and
# other facts. Fields that are not given are good ones.

our @Refused = (
    [ { name => undef }          => 'name', 'required' ],
    [ { name => '' }             => 'name', 'required' ],
    [ { name => 1 }              => 'name', 'string' ],
    [ { name => 'n' x 129 }      => 'name', '128 bytes' ],
    [ { name => "a\nb" }         => 'name', 'CR or LF' ],
    [ { bio => 'b' x 1025 }      => 'bio', '1024 bytes' ],
    [ { scopes => 'job' }        => 'scopes', 'list' ],
    [ { scopes => ['admin'] }
          => 'scopes[0]', 'job, cluster or origin-credentials' ],
    [ { scopes => ['job', ''] }
          => 'scopes[1]', 'job, cluster or origin-credentials' ],
    [ { scopes => [('job') x 17] } => 'scopes', '16' ],
    [ { user_id => -1 }          => 'user_id', '0 | 9223372036854775807' ],
    [ { expired_at => undef }    => 'expired_at', 'required' ],
    [ { expired_at => '2037-01-01' }
          => 'expired_at', 'RFC 3339 | 2030-01-31T00:00:00Z' ],
    [ { expired_at => '2001-01-01T00:00:00Z' } => 'expired_at', 'future' ],
);

sub wanted { posting({ name => 'ci', expired_at => $Late, @_ }, $Path) }

sub refused { [ map { wanted(%{ $_->[0] }) } @Refused ] }
sub sentences
{
    [ map { refusal(errors => qq(/^\\{"errors":"\Q$_->[1]\E(?![\\w.\\[])/),
                    $_->[2]) } @Refused ]
}


# Creates one through the API; the answer.

sub created
{
    my %fields = (name => 'ci', expired_at => $Late, @_);

    my $answer = client(DFP::ADMIN_KEY)->post($Path, \%fields);
    die $answer->{body} if $answer->{status} != 200;

    return $answer->{json};
}


# What the holder of a token gets for a job that there is not.

sub status { client($_[0])->get('/oapi/v1/jobs/1')->{status} }

our $QueryToken = <<'END';
    location /oapi/ { dfpreheat on; dfpreheat_query_token on; }
    location /api/v1/personal-access-tokens {
        dfpreheat on;
        dfpreheat_query_token on;
    }
END

run_tests();

__DATA__

=== TEST 1: the admin key creates a token, which the answer shows
--- more_headers eval: main::admin()
--- request eval
main::wanted(bio => 'b "b"', scopes => ['cluster', 'job', 'job'], user_id => 1)
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body_like eval
main::shape('{"id":1,"created_at":TIME,"updated_at":TIME,"is_del":0,"name":"ci","bio":"b \\"b\\"","token":"SECRET","scopes":["job","cluster"],"state":"active","expired_at":"2037-01-01T00:00:00.000Z","last_used_at":null,"user_id":1,"user":USER}')
--- redis
hget dfpreheat:token:1 name = ci
hget dfpreheat:token:1 scopes = 3
hget dfpreheat:token:1 state = active
--- error_log eval
qr/\[notice\] .* dfpreheat: token 1 "ci" .*\bcreated\b/



=== TEST 2: a token without scopes has those of Dragonfly's
--- more_headers eval: main::admin()
--- request eval
[main::wanted(name => 'n' x 128, scopes => []),
 main::wanted(name => 'other', scopes => undef, bio => 'b' x 1024)]
--- response_body_like eval
['"scopes":\["job","cluster"\]', '"scopes":\["job","cluster"\]']



=== TEST 3: Redis holds the token's hash, not the token
--- init
my $token = main::created()->{token};
Test::More::is(main::redis('hget', 'dfpreheat:token:1', 'hash'),
               main::sha256_hex($token), 'the hash is stored');
Test::More::unlike(main::stored(), qr/\Q$token/, 'the token is not');
Test::More::like(main::stored(), qr/cluster-1|token-that-has-expired/,
                 'and that was all of Redis');
--- request
GET /healthy
--- response_body chomp
"OK"



=== TEST 4: each token is another one
--- init
my %seen = map { main::created(name => "ci-$_")->{token} => 1 } 1 .. 20;
Test::More::is(keys %seen, 20, 'twenty tokens');
--- request
GET /healthy
--- response_body chomp
"OK"



=== TEST 5: a name is given once
--- more_headers eval: main::admin()
--- request eval
[main::wanted(), main::wanted(bio => 'another')]
--- error_code eval
[200, 409]
--- response_body_like eval
['"name":"ci"', main::refusal(message => 'token | name | exists')]
--- redis
get dfpreheat:token:next = 1



=== TEST 6: nobody else creates tokens
--- request eval
[(main::wanted()) x 6]
--- more_headers eval
['', main::bearer('the-admin-key-of-the-test'),
 main::bearer('the-admin-key-of-the-tests-'), main::bearer('the admin key'),
 'Authorization: Basic ' . DFP::ADMIN_KEY,
 main::bearer('token-with-scope-job')]
--- error_code eval
[(401) x 6]
--- response_body eval
[(main::message('Unauthorized')) x 6]
--- response_headers eval
[('WWW-Authenticate: Bearer') x 6]
--- redis
get dfpreheat:token:next =
--- log_level: info
--- error_log
admin key
--- no_error_log
the-admin-key-of-the-test



=== TEST 7: without an admin key there is no way to create tokens
--- http_config
dfpreheat_redis 127.0.0.1:$TEST_NGINX_REDIS_PORT;
dfpreheat_cluster 1 name=cluster-1 engine=cache;
--- request eval
[(main::wanted()) x 2]
--- more_headers eval
['', main::admin()]
--- error_code eval
[403, 403]
--- response_body_like eval
[(main::refusal(message => 'dfpreheat_admin_key')) x 2]
--- redis
get dfpreheat:token:next =



=== TEST 8: a wrong request is refused with a sentence, and nothing is stored
--- more_headers eval: main::admin()
--- request eval: main::refused()
--- error_code eval
[(422) x @main::Refused]
--- response_body_like eval: main::sentences()
--- redis
get dfpreheat:token:next =



=== TEST 9: what is no JSON object is refused
--- more_headers eval: main::admin()
--- request eval
[main::posting('{"name":', $main::Path), main::posting('[]', $main::Path)]
--- error_code eval
[422, 422]
--- response_body_like eval
[main::refusal(errors => 'JSON | line 1, column 8'),
 main::refusal(errors => 'JSON object')]



=== TEST 10: without a token that is known nobody gets in
--- request eval
[('GET /oapi/v1/jobs/1') x 7, main::posting({})]
--- more_headers eval
['', 'Authorization: Bearer', main::bearer('token-of-nobody'),
 main::bearer('token-with-scope-job two'), main::bearer('t' x 513),
 'Authorization: Basic dG9rZW4td2l0aC1zY29wZS1qb2I=',
 'Authorization: token-with-scope-job', '']
--- error_code eval
[(401) x 8]
--- response_body eval
[(main::message('Unauthorized')) x 8]
--- response_headers eval
[('WWW-Authenticate: Bearer') x 8]
--- log_level: info
--- error_log
dfpreheat: refused: Unauthorized
--- no_error_log
token-of-nobody



=== TEST 11: a token in the query string is none, unless that is switched on
--- request eval
['GET /oapi/v1/jobs/1?access_token=token-with-scope-job', 'GET /oapi/v1/jobs/1']
--- more_headers
--- error_code eval
[401, 401]
--- response_body eval
[(main::message('Unauthorized')) x 2]
--- log_level: info
--- error_log eval
['dfpreheat: refused: Unauthorized', 'dfpreheat: refused: Unauthorized']
--- no_error_log
token-with-scope-job



=== TEST 12: with dfpreheat_query_token it is one, and no header is needed
--- config eval: $::QueryToken
--- request eval
['GET /oapi/v1/jobs/1?access_token=token-with-scope-job',
 'GET /oapi/v1/jobs/1?a=b&access_token=token-with%2Dscope-job&c=d',
 main::posting('{}', '/oapi/v1/jobs?access_token=token-with-scope-job')]
--- more_headers
--- error_code eval
[404, 404, 422]
--- log_level: info
--- no_error_log
refused



=== TEST 13: it wins over the header, also when it is wrong
--- config eval: $::QueryToken
--- request eval
[map { "GET /oapi/v1/jobs/1?access_token=$_" }
 'token-of-nobody', 'token-with-scope-job%20two', 't' x 513,
 'token-of-nobody&access_token=token-with-scope-job']
--- error_code eval
[(401) x 4]
--- response_body eval
[(main::message('Unauthorized')) x 4]



=== TEST 14: an empty one is ignored, and so is what is called otherwise
--- config eval: $::QueryToken
--- request eval
[map { "GET /oapi/v1/jobs/1?$_" }
 'access_token=', 'access_token', 'Access_Token=token-of-nobody',
 'my_access_token=token-of-nobody', 'access_token=&access_token=token-of-nobody']
--- error_code eval
[(404) x 5]
--- response_body eval
[(main::message('record not found')) x 5]



=== TEST 15: it needs its scope, its time and its state like any other
--- config eval: $::QueryToken
--- request eval
[map { "GET /oapi/v1/jobs/1?access_token=token-$_" }
 'with-other-scopes', 'that-has-expired', 'that-is-inactive']
--- error_code eval
[(403) x 3]
--- log_level: info
--- error_log
dfpreheat: refused: Token
--- no_error_log eval
qr/token-(with|that)/



=== TEST 16: no line of the error log shows it, whatever happens to the request
--- config eval: $::QueryToken
--- request eval
['GET /oapi/v1/jobs/1?access_token=token-with-scope-job&x=y',
 'PUT /oapi/v1/jobs/1?access_token=token-with-scope-job',
 'GET /oapi/v1/job?access_token=token-with-scope-job',
 'GET /api/v1/personal-access-tokens?access_token=token-with-scope-job',
 'POST /api/v1/personal-access-tokens?access_token=token-with-scope-job']
--- more_headers
--- error_code eval
[404, 405, 404, 401, 401]
--- access_log eval
qr{GET /oapi/v1/jobs/1\?access_token=\*{20}&x=y }
--- log_level: info
--- no_error_log
token-with-scope-job



=== TEST 17: it is nothing that nested locations inherit
--- config
    location /oapi/ {
        dfpreheat on;
        dfpreheat_query_token on;

        location /oapi/v1/jobs/1 { dfpreheat on; }
    }
--- request eval
[map { "GET /oapi/v1/jobs/$_?access_token=token-with-scope-job" } 1, 2]
--- more_headers
--- error_code eval
[401, 404]



=== TEST 18: a token must be valid, and for jobs
--- request eval
[('GET /oapi/v1/jobs/1') x 3]
--- more_headers eval
[map { main::bearer("token-$_") } qw( that-has-expired that-is-inactive
                                      with-other-scopes )]
--- error_code eval
[(403) x 3]
--- response_body eval
[map { main::message($_) } 'Token has expired', 'Token is inactive',
                           $main::No_job]



=== TEST 19: with one, the scheme in any letter case, everybody gets in
--- request eval
[('GET /oapi/v1/jobs/1') x 4]
--- more_headers eval
[map { "Authorization: $_ token-with-scope-job" } 'Bearer', 'bearer',
                                                  'BEARER', 'Bearer  ']
--- error_code eval
[(404) x 4]
--- response_body eval
[(main::message('record not found')) x 4]



=== TEST 20: a token that was just created is good for its scopes
--- init
Test::More::is(main::status(main::created()->{token}), 404, 'a job is 404');
Test::More::is(main::status(main::created(name => 'other',
                                          scopes => ['cluster'])->{token}),
               403, 'for another scope');
--- request
GET /healthy
--- response_body chomp
"OK"



=== TEST 21: a token that expires is not good for a moment longer
--- init
my $end = time + 2;
my $token = main::created(expired_at => main::strftime('%FT%TZ', gmtime $end))
            ->{token};
Test::More::is(main::status($token), 404, 'it is good until then');
main::wait_until(4, sub { time >= $end });
Test::More::ok(main::wait_until(1, sub { main::status($token) == 403 }),
               'and not afterwards');
--- request
GET /healthy
--- response_body chomp
"OK"



=== TEST 22: a token that is made inactive is refused within seconds
--- init
Test::More::is(main::status('token-with-scope-job'), 404, 'it is active');
my $hash = main::sha256_hex('token-with-scope-job');
my $id = main::redis('get', "dfpreheat:token:hash:$hash");
main::redis('hset', "dfpreheat:token:$id", 'state', 'inactive');
Test::More::ok(main::wait_until(7, sub {
                   main::status('token-with-scope-job') == 403
               }), 'and then it is not');
--- request
GET /healthy
--- error_code: 401
--- response_body_like: Token is inactive



=== TEST 23: other methods are not for these paths
--- request eval
["PUT $main::Path\n{}", "DELETE $main::Path", "OPTIONS $main::Path",
 "POST $main::Path/1\n{}", "OPTIONS $main::Path/1", "GET $main::Path/1/2"]
--- more_headers eval: main::admin()
--- error_code eval
[405, 405, 204, 405, 204, 404]
--- response_headers eval
[('Allow: GET, HEAD, POST, OPTIONS') x 3,
 ('Allow: GET, HEAD, PATCH, DELETE, OPTIONS') x 2,
 'Content-Type: application/json; charset=utf-8']
--- response_body eval
[(main::message('Method Not Allowed')) x 2, '', main::message('Method Not Allowed'),
 '', main::message('Not Found')]



=== TEST 24: without an admin key no token can be seen or changed
--- http_config
dfpreheat_redis 127.0.0.1:$TEST_NGINX_REDIS_PORT;
dfpreheat_cluster 1 name=cluster-1 engine=cache;
--- request eval
["GET $main::Path", "GET $main::Path/100", "PATCH $main::Path/100\n{}",
 "DELETE $main::Path/100"]
--- more_headers eval: main::admin()
--- error_code eval
[(403) x 4]
--- response_body_like eval
[(main::refusal(message => 'dfpreheat_admin_key')) x 4]



=== TEST 25: a token is not the admin key
--- request eval
["GET $main::Path", "GET $main::Path/100", "PATCH $main::Path/100\n{}",
 "DELETE $main::Path/100"]
--- error_code eval
[(401) x 4]
--- response_headers eval
[('WWW-Authenticate: Bearer') x 4]
--- redis
exists dfpreheat:token:100 = 1
