# Server-Sent Events of a job: its state, its progress, and its end.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Events;
use DFP::Process qw( free_port gone wait_until );
use DFP::Story qw( story );

use constant {
    SOON    => 10,      # s: what needs no timer
    AHEAD   => 4,       # s: less than between two reads without a message
    COMMENT => 15,      # s: between two comments
    LEAVE   => 3,       # s
    STALLED => 5,       # s: when a client that does not read is given up
    SLOW    => 20,      # s
    LARGE   => 3000,    # URLs of a job: more than small sockets hold
    BUFFER  => 4096,    # bytes, of such a socket
};

my $number = 0;


# A job of files that are not sent until their gates are opened, one by one: its
# id, and the paths.

sub gated
{
    my ($servers, $count, %args) = @_;

    my @paths = map { '/gate/1000/' . ++$number } 1 .. $count;
    my $id = $servers->post_files(\@paths, concurrent_task_count => 1, %args);

    $servers->origin->wait_at_gate($paths[0], SOON) or die 'nobody fetches it';

    return ($id, @paths);
}


sub events_of
{
    my ($servers, $id) = @_;

    return DFP::Events->open($servers, "/oapi/v1/jobs/$id/events");
}


sub done { $_[0]{data}{job_states}[0]{progress}[0]{tasks_done} // 0 }


story 'a job with progress', {}, sub
{
    my $servers = shift;

    my ($id, @paths) = gated($servers, 3);
    my $events = events_of($servers, $id);

    is($events->status, 200, 'a stream');
    is($events->header('content-type'), 'text/event-stream; charset=utf-8',
       'of events');
    is($events->header('cache-control'), 'no-store', 'is not cached');
    is($events->header('x-accel-buffering'), 'no', 'and not held back');

    my $event = $events->next(SOON);

    is($event->{event}, 'progress', 'begins with the state');
    is($event->{data}{state}, 'PENDING', 'as it is');
    is($event->{data}{id}, $id, 'of the job');
    like($event->{id}, qr/^\d+$/, 'and has an id');

    for my $n (1 .. 2) {
        my $opened = time;

        $servers->origin->open_gate(shift @paths);
        $event = $events->next(SOON) while $event && done($event) < $n;
        is($event && done($event), $n, "$n of 3 tasks are done");
        cmp_ok(time - $opened, '<', AHEAD, 'a message tells it');
    }

    my $job = $servers->job($id);

    is_deeply($event->{data}{job_states}[0]{progress},
              $job->{result}{job_states}[0]{progress},
              'progress is what GET shows');

    $servers->origin->open_gate(shift @paths);

    my $opened = time;

    $event = $events->next(SOON) while $event && $event->{event} eq 'progress';
    is($event->{event}, 'end', 'the last event is the end');
    cmp_ok(time - $opened, '<', AHEAD, 'at once');
    is_deeply($event->{data}, $servers->job($id), 'with the job as GET shows it');
    ok($events->ended(SOON), 'then the stream ends');
    ok(!defined $events->next(0), 'without further events');
};


story 'jobs that have ended, and are not there', {}, sub
{
    my $servers = shift;

    my $id = $servers->post_files(['/quick/1000/ended']);

    $servers->ended_job($id, SOON);

    my $events = events_of($servers, $id);

    is($events->next(SOON)->{event}, 'end', 'one that has ended has an end');
    ok($events->ended(SOON), 'and nothing else');

    $events = DFP::Events->open($servers, "/oapi/v1/jobs/$id/events",
                                last => 17);
    is($events->next(SOON)->{event}, 'end', 'also for who comes back');

    my $client = $servers->client;

    is($client->get('/oapi/v1/jobs/999/events')->{status}, 404, 'none');
    is($client->get('/oapi/v1/jobs/x/events')->{status}, 422, 'a wrong id');
    is($client->get('/oapi/v1/jobs/events')->{status}, 422, 'no id');
    is($client->get('/oapi/v1/jobs/1/event')->{status}, 404, 'a wrong path');
    is($client->request('DELETE', "/oapi/v1/jobs/$id/events")->{status}, 405,
       'a wrong method');

    $client->{token} = 'unknown';
    is($client->get("/oapi/v1/jobs/$id/events")->{status}, 401,
       'without a right');
};


story 'a job that is deleted', {}, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers, 1);
    my $events = events_of($servers, $id);

    is($events->next(SOON)->{event}, 'progress', 'is watched');
    $servers->client->request('DELETE', "/oapi/v1/jobs/$id");

    my $event = $events->next(AHEAD);

    $event = $events->next(AHEAD) if $event && $event->{event} eq 'progress';
    is($event->{event}, 'deleted', 'the stream says so');
    is_deeply($event->{data}, { id => $id }, 'of which job');
    ok($events->ended(SOON), 'and ends');
    $servers->origin->open_gate($path);
};


story 'more streams than a worker may have', {
    workers => 1, http => 'dfpreheat_streams 2;' }, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers, 1);
    my @events = map { events_of($servers, $id) } 1 .. 2;
    my $answer = $servers->client->get("/oapi/v1/jobs/$id/events");

    is($answer->{status}, 503, 'the third is refused');
    like($answer->{headers}{'retry-after'}, qr/^\d+$/, 'for a while');
    like($answer->{json}{message}, qr/dfpreheat_streams/, 'and says why');
    is($servers->client->get("/oapi/v1/jobs/$id?wait=10ms")->{status}, 200,
       'one may still wait');

    (shift @events)->close;
    ok(wait_until(SOON, sub { events_of($servers, $id)->status == 200 }),
       'when one has gone there is room');
    $servers->origin->open_gate($path);
};


my $port = free_port();

story 'HTTP/2', { http => <<"END" }, sub
    server {
        listen 127.0.0.1:$port http2;
        location / { dfpreheat on; }
    }
END
{
    my $servers = shift;

    my ($id, @paths) = gated($servers, 2);

    $servers->token;
    $servers->client;
    open my $curl, '-|', 'curl', '-sN', '--http2-prior-knowledge', '-m', SOON,
         '-H', "Authorization: Bearer $servers->{token}",
         "http://127.0.0.1:$port/oapi/v1/jobs/$id/events" or die "curl: $!";

    ok(wait_until(SOON, sub {
           $servers->redis('hget', "dfpreheat:job:$id", 'watch') ne '';
       }), 'is watched');
    $servers->origin->open_gate($_) for @paths;

    my $text = do { local $/; <$curl> };

    close $curl;
    is($?, 0, 'the stream ends well');
    like($text, qr/^retry: \d+\nevent: progress\nid: \d+\ndata: \{.*\}\n\n/,
         'with its events');
    like($text, qr/\nevent: end\nid: \d+\ndata: \{"id":$id,.*\}\n\n\z/,
         'and the end');
};


story 'nothing happens, and clients that do not read', { workers => 1,
                                                         http => <<"END" }, sub
    server {
        listen 127.0.0.1:$port sndbuf=8k;
        send_timeout @{[ STALLED ]}s;
        location / { dfpreheat on; }
    }
END
{
    my $servers = shift;

    my ($quiet, $gate) = gated($servers, 1);
    my $events = events_of($servers, $quiet);
    my $path = '/gate/1000/' . ++$number;
    my $name = 'x' x 200;
    my @quick = map { "/quick/1/$name-$_" } 1 .. LARGE - 1;
    my $id = $servers->post_files([ $path, @quick ],
                                  concurrent_task_count => 100);
    my ($late, $never) = map {
        DFP::Events->open($servers, "/oapi/v1/jobs/$id/events", port => $port,
                          buffer => BUFFER) } 1 .. 2;

    is($_->next(SOON)->{event}, 'progress', 'watch a job') for $late, $never;
    $servers->origin->open_gate($path);
    ok(wait_until(SLOW, sub { $servers->job($id)->{state} ne 'PENDING' }),
       'whose result is large');

    # what is not read does not fit into the sockets

    my $event = $late->next(SOON);

    $event = $late->next(SOON) while $event && $event->{event} eq 'progress';
    is($event && $event->{event}, 'end', 'who reads late gets the end');
    is_deeply($event && $event->{data}, $servers->job($id), 'all of it');
    ok($late->ended(SOON), 'and the stream ends');
    ok(wait_until(SLOW, sub {
           $servers->logged(qr/timed out.*jobs.*events|does not read its events/);
       }), 'who never reads is given up');

    wait_until(COMMENT + SOON, sub {
        $events->next(1);
        $events->{comments};
    });
    ok($events->{comments}, 'where nothing happens a comment is sent');
    $servers->origin->open_gate($gate);
};


story 'nginx reloads', {}, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers, 1);
    my @events = map { events_of($servers, $id) } 1 .. 4;
    my $port = $servers->origin->wait_at_gate($path, SOON);
    my $busy = $servers->worker_of($port);

    $_->next(SOON) for @events;

    my @old = grep { $_ != $busy } $servers->nginx_reload;

    is(scalar(grep { !$_->ended(LEAVE) } @events), 0, 'all streams end well');
    ok(wait_until(LEAVE, sub { !grep { !gone($_) } @old }),
       'so that the old worker leaves');

    my $events = events_of($servers, $id);

    $servers->origin->open_gate($path);

    my $event = $events->next(SOON);

    $event = $events->next(SOON) while $event && $event->{event} eq 'progress';
    is($event && $event->{event}, 'end', 'who comes back sees the end');
};


story 'Redis is restarted', { lease => '10s' }, sub
{
    my $servers = shift;

    my ($id, $path) = gated($servers, 1);
    my $events = events_of($servers, $id);

    $events->next(SOON);
    $servers->redis_kill;
    sleep 1;
    $servers->redis_start;
    $servers->origin->open_gate($path);

    my $event = $events->next(SOON);

    $event = $events->next(SOON) while $event && $event->{event} eq 'progress';
    is($event && $event->{event}, 'end', 'the stream goes on');
};


story 'nobody watches', {}, sub
{
    my $servers = shift;

    my ($id, @paths) = gated($servers, 2);
    my $published = sub {
        $servers->redis('info', 'commandstats') =~ /cmdstat_publish:calls=(\d+)/
            ? $1 : 0;
    };

    sleep 1;
    my $before = $published->();

    $servers->origin->open_gate($paths[0]);
    $servers->origin->wait_at_gate($paths[1], SOON);
    wait_until(SOON, sub { done({ data => $servers->job($id)->{result} }) });
    $servers->origin->open_gate($paths[1]);
    $servers->ended_job($id, SOON);
    is($published->(), $before, 'progress and the end are not published');
};

done_testing();
