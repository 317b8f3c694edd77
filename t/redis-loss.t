# What Redis does to those who trust it: it loses its newest writes, has the
# data of another version, has no memory left, and falls silent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use JSON::PP qw( encode_json );
use Test::More;

use DFP::Events;
use DFP::Loss;
use DFP::Process qw( forget free_port gone wait_until );
use DFP::Relay;
use DFP::Story qw( story );

use constant {
    SOON     => 10,     # s: what needs no timer
    FLOOD    => 10_050, # requests: more than may wait for Redis
};


sub begin_job
{
    my ($servers, $path) = @_;

    my $id = $servers->post_files([$path]);

    $servers->origin->wait_at_gate($path, SOON) or die 'nobody fetches it';

    return $id;
}


story 'Redis loses a job that is run: the next one is not ended by that run',
    { workers => 1, lease => '10s' }, sub
{
    my $servers = shift;

    my ($lost, $new) = qw( /gate/1000/lost /gate/1000/new );

    $servers->token;
    $servers->client;
    saved($servers);
    my $old_id = begin_job($servers, $lost);
    loses_newest_writes($servers);

    my $id = begin_job($servers, $new);
    isnt($id, $old_id, 'a new job has another id');
    is($servers->client->get("/oapi/v1/jobs/$old_id")->{status}, 404,
       'who asks for the lost one is not shown the new one');

    # the old run ends first

    $servers->origin->open_gate($lost);
    ok(wait_until(SOON, sub {
           $servers->logged(qr/run 1 (?:ends|stops).*job: $old_id,/);
       }), 'the run of the lost job ends');
    is($servers->job($id)->{state}, 'PENDING', 'the new job goes on');

    $servers->origin->open_gate($new);
    my $job = $servers->ended_job($id, SOON);
    is($job->{state}, 'SUCCESS', 'and ends well');
    is(scalar @{ $job->{result}{job_states}[0]{results}[0]{success_tasks} }, 1,
       'with its own results');
    like($job->{result}{job_states}[0]{results}[0]{success_tasks}[0]{url},
         qr/\Q$new\E$/, 'of its own file');
};


story 'Redis loses a job whose end is awaited: who waits is told, and is not shown '
      . 'the job that gets its id', { workers => 1, lease => '10s' }, sub
{
    my $servers = shift;

    my $client = $servers->client;

    saved($servers);
    my $id = begin_job($servers, '/gate/1000/awaited');

    my $events = DFP::Events->open($servers, "/oapi/v1/jobs/$id/events");

    $client->start('GET', "/oapi/v1/jobs/$id?wait=30s&fail=1");
    ok(wait_until(SOON, sub {
           $servers->redis('hget', "dfpreheat:job:$id", 'wait') eq '1';
       }), 'it waits');
    loses_newest_writes($servers);
    is($client->finish(SOON)->{status}, 404, 'it is told');

    my $event = $events->next(SOON);

    $event = $events->next(SOON) while $event && $event->{event} eq 'progress';
    is($event && $event->{event}, 'deleted', 'and so is who watches');

    $servers->origin->open_gate('/gate/1000/awaited');
};


story 'Redis loses that somebody waits for a job: he is told of its end',
    { workers => 1, lease => '10s' }, sub
{
    my $servers = shift;

    my $id = begin_job($servers, '/gate/1000/kept');
    my $client = $servers->client;

    saved($servers);
    $client->start('GET', "/oapi/v1/jobs/$id?wait=30s&fail=1");
    ok(wait_until(SOON, sub {
           $servers->redis('hget', "dfpreheat:job:$id", 'wait') eq '1';
       }), 'it waits');
    loses_newest_writes($servers);
    ok(wait_until(SOON, sub {
           $servers->redis('hget', "dfpreheat:job:$id", 'wait') eq '1';
       }), 'Redis is told again');

    $servers->origin->open_gate('/gate/1000/kept');
    is($client->finish(SOON)->{json}{state}, 'SUCCESS', 'it is answered');
};


story 'Redis gets the data of another version: clients are told, and it is '
      . 'left alone', { lease => '1s' }, sub
{
    my $servers = shift;

    my $client = $servers->client;
    $servers->redis(qw( hset dfpreheat:schema version 2 ));

    ok(wait_until(SOON, sub {
           $client->post('/oapi/v1/jobs', $servers->files(['/quick/1000/a']))
                  ->{status} == 503;
       }), 'POST is refused');

    my $answer = $client->get('/oapi/v1/jobs/1');
    is($answer->{status}, 503, 'GET, too');
    like($answer->{json}{message}, qr/Redis.*\bversion\b/,
         'which says why');
    like($answer->{headers}{'retry-after'}, qr/^\d+$/, 'and when to ask again');
    is($servers->stored_jobs, 0, 'nothing was stored');

    # each worker has two connections

    my $lines = () = $servers->logged(qr/(?:another|different|other) version/);
    cmp_ok($lines, '>=', 1, 'the log says so');
    cmp_ok($lines, '<=', 4, 'once a connection');

    $servers->redis(qw( hset dfpreheat:schema version 1 ));
    ok(wait_until(SOON, sub {
           $answer = $client->post('/oapi/v1/jobs',
                                   $servers->files(['/quick/1000/b']));
           $answer->{status} == 200;
       }), 'when it is gone, jobs are taken');

    # the other worker may know it a moment later

    ok(wait_until(SOON, sub {
           my $job = eval { $servers->job($answer->{json}{id}) };
           $job && $job->{state} eq 'SUCCESS';
       }), 'and run');
};


story 'Redis has no memory left: jobs in flight end, new ones wait',
    { lease => '10s' }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/layer';
    my $id = begin_job($servers, $path);
    my $client = $servers->client;

    $servers->redis(qw( config set maxmemory 1 ));
    $servers->origin->open_gate($path);
    $client->start('POST', '/oapi/v1/jobs',
                   encode_json($servers->files(['/quick/1000/new'])));

    ok(wait_until(SOON, sub { $servers->stored_state($id) eq 'SUCCESS' }),
       'the job in flight ends');
    ok(wait_until(SOON, sub { $servers->logged(qr/OOM/) }), 'the log says why');
    ok(!$client->answered(0), 'the new one waits');
    is($servers->stored_jobs, 1, 'and no half of it is stored');

    $servers->redis(qw( config set maxmemory 0 ));
    my $answer = $client->finish(SOON);
    is($answer->{status}, 200, 'until there is memory');
    is($servers->ended_job($answer->{json}{id}, SOON)->{state}, 'SUCCESS',
       'and ends well');
    is($servers->stored_jobs, 2, 'it is there once');
};


{
    my $redis_port = free_port();
    my $relay = DFP::Relay->start($redis_port);

    story 'the subscription dies without a word: workers subscribe again',
        { workers => 1, lease => '2s', redis_port => $redis_port,
          via => $relay->port, http => 'dfpreheat_redis_timeout 500ms;' }, sub
    {
        my $servers = shift;

        ok(wait_until(SOON, sub { $relay->subscriptions == 1 }),
           'there is one subscription');
        $relay->mute_subscriptions;
        ok(wait_until(SOON, sub { $relay->subscriptions == 2 }),
           'when it has been silent for too long there is another');
        is(scalar $servers->logged(qr/subscription/), 1,
           'the log says why');
        is($servers->ended_job($servers->post_files(['/quick/1000/a']),
                               SOON)->{state}, 'SUCCESS', 'a job ends well');
    };
}


# So many GETs of a job on one connection, of HTTP/2, that nobody reads the
# answers of. Header fields are literal, as RFC 7541 numbers their names.

sub frame
{
    my ($type, $flags, $stream, $payload) = @_;

    return pack('CnCCN', 0, length $payload, $type, $flags, $stream)
           . $payload;
}


sub flood
{
    my ($servers, $port, $path) = @_;

    my $text = sub { pack 'CC/a*', @_ };
    my $token = $servers->{token};
    my $head = "\x82\x86" . $text->(0x04, $path) . $text->(0x01, 'localhost')
               . "\x0f\x08" . pack('C/a*', "Bearer $token");

    my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $port) or die "flood: $!";

    print {$client} "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, '');
    print {$client} frame(1, 5, 2 * $_ - 1, $head) for 1 .. FLOOD;
    $client->flush;

    return $client;
}


# A story of a job whose run ends while more clients ask than may wait; nginx is
# told to QUIT before that is stored, or is not.

sub flood_story
{
    my ($name, $quits, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $port = free_port();

    story $name, { workers => 1, lease => '20s', http => <<"END" }, sub
    server {
        listen 127.0.0.1:$port http2;
        http2_max_concurrent_streams 20000;
        keepalive_requests 20000;
        location / { dfpreheat on; }
    }
END
    {
        my $servers = shift;

        my $path = '/gate/1000/layer';
        my $id = begin_job($servers, $path);
        $servers->redis_kill;

        my $flood = flood($servers, $port, "/oapi/v1/jobs/$id");

        # one more is refused at once

        ok(wait_until(SOON, sub {
               my $late = $servers->client;
               $late->start('GET', "/oapi/v1/jobs/$id");
               $late->answered(0.5) && $late->finish(SOON)->{status} == 503;
           }), 'no more clients may wait');

        $servers->origin->open_gate($path);
        ok(wait_until(SOON, sub { $servers->logged(qr/run 1 ends/) }),
           'the run ends');
        $servers->nginx_signal('QUIT') if $quits;
        $servers->redis_start;

        ok(wait_until(SOON, sub { $servers->stored_state($id) eq 'SUCCESS' }),
           'the job ends well');
        is(scalar $servers->logged(qr/run \d+ starts/), 1, 'by its first run');
        close $flood;

        if ($quits) {
            ok(wait_until(SOON, sub { gone($servers->{nginx}) }),
               'nginx leaves');
            forget(delete $servers->{nginx});
        }
    };
}


flood_story('Redis is unavailable, and clients do not stop to ask: the end of a run '
            . 'is stored all the same', 0);
flood_story('the same while nginx quits: it waits for Redis, and leaves then',
            1);


story 'the clock of Redis goes back an hour: a dead worker\'s job is taken up, '
      . 'and one ends in time', { lease => '1s' }, sub
{
    my $servers = shift;

    my ($dead, $late) = qw( /gate/1000/dead /gate/1000/late );
    my $origin = $servers->origin;
    my $id = begin_job($servers, $dead);
    my $late_id = $servers->post_files([$late], timeout => 3_000_000_000);
    my $port = $origin->wait_at_gate($dead, SOON);
    my $worker = $servers->worker_of($port) or die 'no worker fetches it';

    $servers->redis(qw( hincrby dfpreheat:schema offset -3600000 ));
    $servers->expects(1, qr/worker process $worker exited on signal 9$/);
    kill 'KILL', $worker;

    ok(wait_until(SOON, sub { $origin->requests($dead) == 2 }),
       'another worker takes it up');
    $origin->open_gate($dead);
    is($servers->ended_job($id, SOON)->{state}, 'SUCCESS', 'it ends well');
    ok(wait_until(SOON, sub { $servers->stored_state($late_id) ne 'PENDING' }),
       'the other one ends when its time is over');
    like($servers->job($late_id)->{result}{job_states}[0]{error},
         qr/timeout.*\b3 s\b/, 'and says so');
};


done_testing();
