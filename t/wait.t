# Waiting instead of polling: "?wait=" of a job answers when it has ended, and
# with "fail=1" the status says how.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw( encode_json );
use POSIX qw( strftime );
use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Client;
use DFP::Events;
use DFP::Process qw( gone wait_until );
use DFP::Story qw( story );

use constant {
    SOON   => 10,    # s: what needs no timer
    AHEAD  => 3,     # s: less than until a read without a message
    WAITS  => 1.2,   # s: long enough for something to happen meanwhile
    SHORT  => 1,     # s, of a wait that is over before the job
    LEAVE  => 3,     # s
    MANY   => 50,
    REVOKED => 1,    # s: until a token is refused, ...
    POLLED => 6,     # s: ... without a message
    TOKENS => '/api/v1/personal-access-tokens',
};

my $number = 0;


# A job whose file is not sent until the gate is opened: its id, and the path.

sub gated
{
    my ($servers, %args) = @_;

    my $path = '/gate/1000/' . ++$number;
    my $id = $servers->post_files([$path], %args);

    $servers->origin->wait_at_gate($path, SOON) or die 'nobody fetches it';

    return ($id, $path);
}


# A request that waits, and is known to.

sub waiting
{
    my ($servers, $path, $method, $body, $headers) = @_;

    my $client = $servers->client;

    $client->start($method // 'GET', $path, $body, $headers);

    return $client;
}


sub registered
{
    my ($servers, $id) = @_;

    return wait_until(SOON, sub {
        $servers->redis('hget', "dfpreheat:job:$id", 'wait') eq '1';
    });
}


sub waiting_for
{
    my ($servers, $id, $query) = @_;

    my $client = waiting($servers, "/oapi/v1/jobs/$id?$query");

    registered($servers, $id) or die 'it does not wait';

    return $client;
}


story 'a job that ends', {}, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers);
    my $client = waiting_for($servers, $id, 'wait=30s');

    ok(!$client->answered(WAITS), 'is waited for');

    my $opened = time;
    $servers->origin->open_gate($path);

    my $answer = $client->finish(SOON);

    cmp_ok(time - $opened, '<', AHEAD, 'a message tells that it has ended');
    is($answer->{status}, 200, 'the answer');
    is($answer->{json}{state}, 'SUCCESS', 'has its state');
    is_deeply($answer->{json}, $servers->job($id), 'and is that of a GET');

    $client->start('GET', "/oapi/v1/jobs/$id?wait=30s&fail=1");
    is($client->finish(AHEAD)->{status}, 200,
       'one that has ended answers at once');
    $client->start('HEAD', "/oapi/v1/jobs/$id?wait=30s");
    ok($client->answered(AHEAD), 'also to HEAD');
};


story 'a job that has not ended when the time is over', {}, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers);
    my $client = $servers->client;

    for (['wait=1s', 200], ['wait=1s&fail=0', 200], ['wait=1s&fail=1', 504],
         ['wait=0&fail=1', 504], ['wait=0', 200], ['fail=1', 504])
    {
        my ($query, $status) = @$_;
        my $started = time;
        my $answer = $client->get("/oapi/v1/jobs/$id?$query");
        my $took = time - $started;

        is($answer->{status}, $status, "$query: the status");
        is($answer->{json}{state}, 'PENDING', 'the state');

        if ($query =~ /1s/) {
            cmp_ok($took, '>=', SHORT - 0.1, 'not before the time is over');
        }

        cmp_ok($took, '<', AHEAD, 'and not much later');
    }

    $servers->origin->open_gate($path);
};


story 'a job that fails', {}, sub
{
    my $servers = shift;

    my $id = $servers->post_files(['/status/404/none']);
    my $client = $servers->client;
    my $answer = $client->get("/oapi/v1/jobs/$id?wait=20s&fail=1");

    is($answer->{status}, 424, 'with fail=1 the status says so');
    is($answer->{json}{state}, 'FAILURE', 'the body is the job');
    like($answer->{json}{result}{job_states}[0]{error}, qr/\b404\b/,
         'with the reason');
    is($client->get("/oapi/v1/jobs/$id?wait=1s")->{status}, 200,
       'without it, it is an answer as any');
    is($client->get("/oapi/v1/jobs/$id?fail=1")->{status}, 424,
       'fail=1 needs no wait');
};


story 'a job whose timeout passes', {}, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers, timeout => 2_000_000_000);
    my $started = time;
    my $answer = $servers->client->get("/oapi/v1/jobs/$id?wait=30s&fail=1");

    is($answer->{status}, 424, 'has failed');
    cmp_ok(time - $started, '<', 2 + AHEAD, 'in time');
    $servers->origin->open_gate($path);
};


story 'POST and wait', {}, sub
{
    my $servers = shift;

    my $client = $servers->client;
    my $post = sub {
        my ($query, $path, %headers) = @_;

        $client->start('POST', "/oapi/v1/jobs?$query",
                       JSON::PP->new->canonical->encode(
                           $servers->files([$path])), \%headers);

        return $client->finish(SOON);
    };
    my $answer = $post->('wait=10s&fail=1', '/quick/1000/posted');

    is($answer->{status}, 200, 'answers at the end');
    is_deeply($answer->{json}, $servers->job($answer->{json}{id}),
              'with the job as GET shows it');

    $answer = $post->('wait=10s&fail=1', '/status/404/posted');
    is($answer->{status}, 424, 'also if it fails');
    is($answer->{json}{state}, 'FAILURE', 'with the job');

    $answer = $post->('wait=500ms&fail=1', '/gate/1000/posted');
    is($answer->{status}, 504,
       'if it has not ended, it is created all the same');

    my %key = ('Idempotency-Key' => 'gate');

    $answer = $post->('wait=500ms', '/gate/1000/again', %key);
    is($answer->{status}, 200, 'with a key');

    my $id = $answer->{json}{id};

    $servers->origin->open_gate('/gate/1000/again');
    $answer = $post->('wait=10s&fail=1', '/gate/1000/again', %key);
    is_deeply([ $answer->{status}, @{ $answer->{json} }{qw( id state )} ],
              [ 200, $id, 'SUCCESS' ], 'the same request waits on');

    my $before = $servers->stored_jobs;

    is($post->('wait=never', '/quick/1000/none')->{status}, 422,
       'with a wrong time');
    is($servers->stored_jobs, $before, 'there is no job');
    $servers->origin->open_gate('/gate/1000/posted');
};


story 'parameters that are wrong', {}, sub
{
    my $servers = shift;

    my $id = $servers->post_files(['/quick/1000/wrong']);
    my $client = $servers->client;

    for (qw( 30x -1 1h1s 2h 1.5s s 99999999999999999999 3601 30s%00 )) {
        my $answer = $client->get("/oapi/v1/jobs/$id?wait=$_");

        is($answer->{status}, 422, "wait=$_");
        like($answer->{json}{errors}, qr/^wait .*\b1h\b/, 'names it');
    }

    for (qw( 2 yes 01 )) {
        my $answer = $client->get("/oapi/v1/jobs/$id?fail=$_");

        is($answer->{status}, 422, "fail=$_");
        like($answer->{json}{errors}, qr/^fail /, 'names it');
    }

    is($client->get("/oapi/v1/jobs/$id?wait=$_&fail=0")->{status}, 200,
       "wait=$_") for qw( 1h 60m 30 500ms 1m30s );
    is($client->get('/oapi/v1/jobs/999?wait=10s')->{status}, 404,
       'a job that is not there is not waited for');
};


story 'a job that is deleted meanwhile', {}, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers);
    my @clients = map { waiting_for($servers, $id, $_) }
                      qw( wait=30s wait=30s&fail=1 );
    my $deleted = time;

    is($servers->client->request('DELETE', "/oapi/v1/jobs/$id")->{status}, 200,
       'it is deleted');
    is($_->finish(SOON)->{status}, 404, 'who waits is told') for @clients;
    cmp_ok(time - $deleted, '<', AHEAD, 'at once');
    $servers->origin->open_gate($path);
};


# A token of its own, with its id.

sub new_token
{
    my ($servers, %fields) = @_;

    return @{ $servers->admin->post(TOKENS, {
        name => 'own-' . ++$number, expired_at => '2037-01-01T00:00:00Z',
        %fields })->{json} }{qw( id token )};
}


sub changed
{
    my ($servers, $id, $change) = @_;

    $servers->admin->request($change ? 'PATCH' : 'DELETE', TOKENS . "/$id",
                             $change ? encode_json($change) : '');
}


story 'a token that is revoked meanwhile', {}, sub
{
    my $servers = shift;

    my ($job, $path) = gated($servers);
    my $other = waiting_for($servers, $job, 'wait=60s');

    for (['is deleted', 401, undef],
         ['is inactive', 403, { state => 'inactive' }],
         ['has expired', 403, { expired_at => '2001-01-01T00:00:00Z' }],
         ['has lost its scope', 403, { scopes => ['cluster'] }])
    {
        my ($name, $status, $change) = @$_;
        my ($id, $token) = new_token($servers);
        my ($get, $post) = map { $servers->client } 1, 2;
        my $events = DFP::Events->open($servers, "/oapi/v1/jobs/$job/events",
                                       token => $token);

        $_->{token} = $token for $get, $post;
        $get->start('GET', "/oapi/v1/jobs/$job?wait=30s");
        $post->start('POST', '/oapi/v1/jobs?wait=30s', encode_json(
            $servers->files(['/gate/1000/' . ++$number])));
        ok($servers->origin->wait_at_gate("/gate/1000/$number", SOON),
           "one that $name");
        ok($events->next(SOON), 'its stream has begun');
        ok(!$get->answered(WAITS / 4), 'its requests wait');
        changed($servers, $id, $change);

        my $since = time;

        is_deeply([ map { $_->finish(SOON)->{status} } $get, $post ],
                  [ $status, $status ], 'are refused');
        ok($events->ended(SOON), 'its stream ends');
        cmp_ok(time - $since, '<', REVOKED, 'at once');
        $servers->origin->open_gate("/gate/1000/$number");
    }

    $servers->origin->open_gate($path);
    is($other->finish(SOON)->{status}, 200, 'others wait on');
};


story 'a token whose time comes, or whose change is not told', {}, sub
{
    my $servers = shift;

    my ($job, $path) = gated($servers);
    my $end = time + 4;
    my ($id, $token) = new_token($servers, expired_at =>
        strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $end));
    my ($late, $untold) = new_token($servers);
    my ($timed, $quiet) = map { $servers->client } 1, 2;

    ($timed->{token}, $quiet->{token}) = ($token, $untold);
    $_->start('GET', "/oapi/v1/jobs/$job?wait=30s") for $timed, $quiet;
    ok(!$quiet->answered(WAITS), 'they wait');
    $servers->redis('hset', "dfpreheat:token:$late", 'state', 'inactive');

    my $since = time;

    is($timed->finish(SOON)->{status}, 403, 'who has no time left is told');
    cmp_ok(time, '<', $end + REVOKED, 'when it is over');
    is($quiet->finish(SOON)->{status}, 403, 'a lost message is made up for');
    cmp_ok(time - $since, '<', POLLED, 'soon');
    $servers->origin->open_gate($path);
};


story 'many wait with one token that is revoked', { workers => 1 }, sub
{
    my $servers = shift;

    my ($job, $path) = gated($servers);
    my ($id, $token) = new_token($servers);
    my @clients = map { DFP::Client->new(port => $servers->{port},
                                         token => $token) } 1 .. MANY;
    my $found = sub {
        $servers->redis('info', 'commandstats') =~ /cmdstat_get:calls=(\d+)/;
        return $1;
    };

    $_->start('GET', "/oapi/v1/jobs/$job?wait=30s") for @clients;
    $clients[-1]->answered(WAITS);

    my $before = $found->();

    changed($servers, $id, { state => 'inactive' });
    is(scalar(grep { $_->finish(SOON)->{status} == 403 } @clients), MANY,
       'all are refused');
    cmp_ok($found->() - $before, '<', 5, 'and looked up once');
    $servers->origin->open_gate($path);
};


story 'many wait, for some jobs', {}, sub
{
    my $servers = shift;

    my @jobs = map { [ gated($servers) ] } 1 .. 3;
    my %clients = map {
        my $id = $_->[0];
        $id => [ map { waiting_for($servers, $id, "wait=${_}s") }
                     map { 20 + $_ } 1 .. MANY ];
    } @jobs;

    # one of two goes away

    for my $clients (values %clients) {
        close $clients->[ 2 * $_ ]{socket} for 0 .. MANY / 2 - 1;
        @$clients = @$clients[ map { 2 * $_ + 1 } 0 .. MANY / 2 - 1 ];
    }

    for (@jobs) {
        my ($id, $path) = @$_;

        $servers->origin->open_gate($path);
        is_deeply([ grep { $_->{json}{id} != $id
                           || $_->{json}{state} ne 'SUCCESS' }
                    map { $_->finish(SOON) } @{ $clients{$id} } ], [],
                  "all who wait for job $id are told");
    }
};


# While a request waits

sub waits
{
    my ($name, $options, $code) = @_;

    story $name, $options, sub {
        my $servers = shift;

        my ($id, $path) = gated($servers);
        my $client = waiting_for($servers, $id, 'wait=30s&fail=1');

        $code->($servers, $id);
        $servers->origin->open_gate($path);

        my $answer = $client->finish(2 * SOON);

        is_deeply([ $answer->{status}, $answer->{json}{state} ],
                  [ 200, 'SUCCESS' ], 'it is answered as if nothing had been');
    };
}


waits 'Redis stops for a while', {}, sub
{
    my $servers = shift;

    $servers->redis_signal('STOP');
    sleep WAITS;
    $servers->redis_signal('CONT');
};

waits 'Redis is restarted', { lease => '10s' }, sub
{
    my $servers = shift;

    $servers->redis_kill;
    sleep WAITS;
    $servers->redis_start;
};

waits 'the message is lost', {}, sub
{
    my ($servers, $id) = @_;

    $servers->redis('hdel', "dfpreheat:job:$id", 'wait');
};

waits 'other clients of the job have gone away', {}, sub
{
    my ($servers, $id) = @_;

    close waiting_for($servers, $id, 'wait=30s')->{socket} for 1 .. 10;
    sleep WAITS;
};


story 'a client that goes away', {}, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers);
    my $client = waiting_for($servers, $id, 'wait=30s');

    close $client->{socket};

    ok(wait_until(SOON / 2, sub {
           $servers->logged(qr{closed.*GET /oapi/v1/jobs/$id});
       }), 'is not waited for');
    $servers->origin->open_gate($path);
    is($servers->ended_job($id, SOON)->{state}, 'SUCCESS', 'the job ends');
};


story 'nginx reloads', {}, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers);
    my ($plain, $gate) = map { waiting_for($servers, $id, $_) }
                             qw( wait=30m wait=30m&fail=1 );
    my $port = $servers->origin->wait_at_gate($path, SOON);
    my $busy = $servers->worker_of($port);
    my $reloaded = time;
    my @old = grep { $_ != $busy } $servers->nginx_reload;

    my $answer = $plain->finish(SOON);

    is_deeply([ $answer->{status}, $answer->{json}{state} ],
              [ 200, 'PENDING' ], 'who waits gets the job as it is');
    is($answer->{headers}{connection}, 'close', 'and comes back');
    is($gate->finish(SOON)->{status}, 504, 'with fail=1 it is not let pass');
    cmp_ok(time - $reloaded, '<', AHEAD, 'at once');
    ok(wait_until(LEAVE, sub { !grep { !gone($_) } @old }),
       'so the old worker leaves');

    my $client = waiting($servers, "/oapi/v1/jobs/$id?wait=30s&fail=1");

    $servers->origin->open_gate($path);
    is($client->finish(SOON)->{status}, 200, 'the next request waits on');
};


story 'nginx reloads while Redis is unavailable', {}, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers);
    my $client = waiting_for($servers, $id, 'wait=30m&fail=1');

    $servers->redis_kill;
    sleep WAITS;
    my @old = $servers->nginx_reload;
    $servers->origin->open_gate($path);
    sleep WAITS;
    ok(!$client->answered(0), 'who waits gets no error');

    $servers->redis_start;
    is($client->finish(SOON)->{status} =~ /^(?:200|504)$/, 1,
       'but the job as it is when it is back');
    ok(wait_until(SOON, sub { !grep { !gone($_) } @old }),
       'and the old workers leave');
    is($servers->ended_job($id, SOON)->{state}, 'SUCCESS', 'the job ends');
};

done_testing();
