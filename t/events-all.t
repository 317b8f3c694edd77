# Server-Sent Events of all listed jobs: GET /oapi/v1/events.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Events;
use DFP::Process qw( free_port gone wait_until );
use DFP::Servers;
use DFP::Story qw( story );

use constant {
    SOON    => 10,      # s: what needs no timer
    AHEAD   => 2,       # s: what a message tells
    LEAVE   => 3,       # s
    NOTHING => 1.5,     # s: in which an event would have come
    MANY    => 60,      # jobs
    WATCHERS => 8,
    LARGE   => 4000,        # URLs of a job: ten of them exceed the feed
    FLUSH   => 0.15,        # s: longer than between two reads of jobs
    BUFFER  => 4096,        # bytes, of the socket of a slow client
    PATH    => '/oapi/v1/events',
};

my $number = 0;


sub watch
{
    my ($servers, %options) = @_;

    my $events = DFP::Events->open($servers, PATH, %options);

    $events->{hello} = $events->next(SOON) if $events->status == 200;

    return $events;
}


# The next event that is none of progress.

sub next_change
{
    my ($events, $seconds) = @_;

    my $end = time + ($seconds // SOON);

    while (my $event = $events->next($end - time)) {
        return $event if $event->{event} ne 'progress';
    }

    return;
}


# The events of a job up to its end, from the stream.

sub until_end
{
    my ($events, $id) = @_;

    my @seen;
    my $end = time + SOON;

    while (my $event = $events->next($end - time)) {
        next if $event->{data}{id} != $id;
        push @seen, $event;
        last if $event->{event} eq 'end';
    }

    return @seen;
}


sub gate
{
    my ($servers, %args) = @_;

    my $path = '/gate/1000/' . ++$number;
    my $id = $servers->post_files([$path], %args);

    return ($id, $path);
}


# A job with so many URLs, which are not fetched.

sub large
{
    my ($servers, $count) = @_;

    my $name = 'x' x 150;

    return $servers->post_files([ map { "/quick/1/$name-$_" } 1 .. $count ],
                                timeout => 1_000_000_000);
}


sub delete_job
{
    my ($servers, $id) = @_;

    $servers->client->request('DELETE', "/oapi/v1/jobs/$id");
}


story 'the events of a job', {}, sub
{
    my $servers = shift;

    my $before = $servers->post_files(['/quick/1000/before']);

    $servers->ended_job($before, SOON);

    my $events = watch($servers);

    is($events->status, 200, 'a stream');
    is($events->header('content-type'), 'text/event-stream; charset=utf-8',
       'of events');
    is($events->{hello}{event}, 'hello', 'begins with a greeting');
    is_deeply($events->{hello}{data}, {}, 'without data');

    my @paths = map { '/gate/1000/' . ++$number } 1 .. 2;
    my $posted = time;
    my $id = $servers->post_files(\@paths, concurrent_task_count => 1);
    my $event = next_change($events);

    is($event->{event}, 'created', 'a new job');
    cmp_ok(time - $posted, '<', AHEAD, 'is told at once');
    cmp_ok(abs($event->{id} / 1000 - time), '<', SOON, 'with a time');

    my ($listed) = @{ $servers->client->get('/oapi/v1/jobs')->{json} };

    delete @$_{qw( updated_at result )} for $listed, $event->{data};
    is_deeply($event->{data}, $listed, 'as it is in the list');

    $servers->origin->wait_at_gate($paths[0], SOON);
    $servers->origin->open_gate($paths[0]);

    my $opened = time;
    my $done = sub {
        $_[0]{data}{job_states}[0]{progress}[0]{tasks_done} // 0
    };

    $event = $events->next(SOON) while $event && !$done->($event);
    is($event->{event}, 'progress', 'its progress');
    cmp_ok(time - $opened, '<', AHEAD + 1, 'is told within a second');
    is_deeply([ sort keys %{ $event->{data} } ],
              [qw( id job_states state updated_at )], 'in short');

    $servers->origin->open_gate($paths[1]);
    $opened = time;
    $event = next_change($events);
    is_deeply([ $event->{event}, $event->{data}{id}, $event->{data}{state} ],
              [ 'end', $id, 'SUCCESS' ], 'its end');
    cmp_ok(time - $opened, '<', AHEAD, 'is told at once');

    my $job = $servers->job($id);
    my $state = $job->{result}{job_states}[0];

    is_deeply($event->{data}, {
        id => $id, state => 'SUCCESS', updated_at => $job->{updated_at},
        job_states => [ { scheduler_cluster_id => 1, state => 'SUCCESS',
                          error => '', progress => $state->{progress} } ] },
        'without its results');

    delete_job($servers, $id);
    $event = next_change($events);
    is_deeply([ $event->{event}, $event->{data} ], [ 'deleted', { id => $id } ],
              'its deletion');
    ok(!defined $events->next(NOTHING), 'nothing else is told');
};


story 'jobs that fail, and what is no job', {}, sub
{
    my $servers = shift;

    my $events = watch($servers);
    my $url = $servers->origin_url =~ s{[:/]}{sprintf '%%%02X', ord $&}ger;

    is($servers->client->get("/oapi/v1/cache?url=$url/quick/1/a")->{status},
       200, 'a look-up');

    my $id = $servers->post_files(['/status/404/none']);
    my @seen = until_end($events, $id);

    is_deeply([ map { $_->{event} } grep { $_->{event} ne 'progress' } @seen ],
              [qw( created end )], 'is not among the events');
    is($seen[0]{data}{id}, $id, 'but the first is of a job');
    is($seen[-1]{data}{state}, 'FAILURE', 'which fails');
    like($seen[-1]{data}{job_states}[0]{error}, qr/\b404\b/, 'with the reason');

    my $client = $servers->client;
    my $head = DFP::Events->open($servers, PATH, method => 'HEAD');

    is($head->status, 200, 'HEAD');
    is($client->request('POST', PATH, '')->{status}, 405, 'a wrong method');
    is($client->get(PATH . '/')->{status}, 404, 'a wrong path');
    $client->{token} = 'unknown';
    is($client->get(PATH)->{status}, 401, 'without a right');
    $client->{token} = $servers->token('cluster');
    is($client->get(PATH)->{status}, 403, 'with another one');
};


# What each of them has heard of each job, but for progress: it has been created,
# and then has ended, once.

sub wrong_in
{
    my ($events, @ids) = @_;

    my %seen;
    my $left = @ids;
    my $end = time + 2 * SOON;

    while ($left && (my $event = next_change($events, $end - time))) {
        my $id = $event->{data}{id} // 0;

        push @{ $seen{$id} }, $event->{event};
        $left-- if $event->{event} eq 'end';
    }

    return grep { "@{ $seen{$_} // [] }" ne 'created end' } @ids,
           exists $seen{0} ? 0 : ();
}


story 'many jobs, and many streams', {}, sub
{
    my $servers = shift;

    my @streams = map { watch($servers) } 1 .. WATCHERS;
    my @ids = map { $servers->post_files(["/quick/10/many-$_"]) } 1 .. MANY;

    # one of them leaves meanwhile

    (pop @streams)->close;

    is_deeply([ map { wrong_in($_, @ids) } @streams ], [],
              'each hears each beginning, and each end');
};


story 'more streams than a worker may have', {
    workers => 1, http => 'dfpreheat_streams 2;' }, sub
{
    my $servers = shift;

    my ($id, $path) = gate($servers);
    my $other = DFP::Events->open($servers, "/oapi/v1/jobs/$id/events");
    my $events = watch($servers);
    my $answer = $servers->client->get(PATH);

    is($answer->{status}, 503, 'the third is refused');
    like($answer->{json}{message}, qr/dfpreheat_streams/, 'and says why');
    $other->close;
    ok(wait_until(SOON, sub { watch($servers)->status == 200 }),
       'when one has gone there is room');
    $servers->origin->open_gate($path);
};


story 'Redis loses who listens', {}, sub
{
    my $servers = shift;

    my @streams = map { watch($servers) } 1 .. 4;

    $servers->redis('hdel', 'dfpreheat:schema', 'listen');
    is_deeply([ grep { (next_change($_) // { event => '' })->{event}
                       ne 'reset' } @streams ], [],
              'all are told that they may have missed something');
};


story 'Redis loses everything', {}, sub
{
    my $servers = shift;

    my $events = watch($servers);

    $servers->redis_kill;
    unlink glob("$servers->{dir}/redis/*"),
           glob("$servers->{dir}/redis/appendonlydir/*");
    $servers->redis_start;
    ok(wait_until(SOON, sub { $events->next(1); $events->ended(0) }),
       'also the token: the stream ends');
};


story 'Redis is restarted', { lease => '3s' }, sub
{
    my $servers = shift;

    my $events = watch($servers);

    $servers->redis_kill;
    sleep 1;
    $servers->redis_start;
    is(next_change($events, 2 * SOON)->{event}, 'reset',
       'the list has to be loaded again');

    my $id = $servers->post_files(['/quick/1000/after']);

    is_deeply([ map { $_->{event} } grep { $_->{event} ne 'progress' }
                until_end($events, $id) ], [qw( created end )],
              'and all is heard again');
};


story 'too many jobs change at once', { workers => 1 }, sub
{
    my $servers = shift;

    my $events = watch($servers);

    # as if an nginx told of them

    $servers->redis('eval', 'for i = 1, 3000 do
        redis.call("PUBLISH", "dfpreheat:wake", "progress " .. (5000 + i)) end', 0);

    my @seen = map { $_->{event} } next_change($events);

    while (my $event = $events->next(NOTHING)) {
        push @seen, $event->{event};
    }

    like("@seen", qr/^reset(?: reset){0,3}\z/,
         'the list has to be loaded again, but not all the time');

    my $id = $servers->post_files(['/quick/1000/after']);

    is_deeply([ map { $_->{event} } grep { $_->{event} ne 'progress' }
                until_end($events, $id) ], [qw( created end )],
              'and all is heard again');
};


story 'a token that is revoked', {}, sub
{
    my $servers = shift;

    my $admin = $servers->admin;
    my $new = $admin->post('/api/v1/personal-access-tokens', {
        name => 'revoked', expired_at => '2037-01-01T00:00:00Z' })->{json};
    my $mine = watch($servers, token => $new->{token});
    my $other = watch($servers);

    $admin->request('DELETE', "/api/v1/personal-access-tokens/$new->{id}");
    ok($mine->ended(AHEAD), 'its stream ends');
    $servers->post_files(['/quick/1000/other']);
    is(next_change($other)->{event}, 'created', 'others go on');
};


story 'nginx reloads', {}, sub
{
    my $servers = shift;

    my @streams = map { watch($servers) } 1 .. 4;
    my @old = $servers->nginx_reload;

    is(scalar(grep { !$_->ended(LEAVE) } @streams), 0, 'all streams end well');
    ok(wait_until(LEAVE, sub { !grep { !gone($_) } @old }),
       'so that the old workers leave');

    my $events = watch($servers);

    is($events->{hello}{event}, 'hello', 'who comes back is greeted');
    $servers->post_files(['/quick/1000/new']);
    is(next_change($events)->{event}, 'created', 'and hears');
};


my $port = free_port();

story 'HTTP/2, HTTP/1.0 and compression', { workers => 1, http => <<"END" }, sub
    server {
        listen 127.0.0.1:$port http2;
        gzip on;
        gzip_types text/event-stream;
        location / { dfpreheat on; }
    }
END
{
    my $servers = shift;

    my $token = $servers->{token} = $servers->token;
    my $curl = sub {
        my ($to, @how) = @_;

        open my $pipe, '-|', 'curl', '-sN', @how, '-m', 3, '-H',
             "Authorization: Bearer $token",
             "http://127.0.0.1:$to@{[ PATH ]}" or die "curl: $!";
        return $pipe;
    };
    my @pipes = ($curl->($port, '--http2-prior-knowledge'),
                 $curl->($port, '--http2-prior-knowledge', '--compressed'),
                 $curl->($servers->{port}, '--http1.0'));
    my $first = watch($servers);

    ok(wait_until(SOON, sub {
           $servers->redis('hget', 'dfpreheat:schema', 'listen') ne '';
       }), 'they listen');
    sleep 1;
    $servers->post_files(['/quick/1000/http2']);

    for my $pipe (@pipes) {
        my $text = do { local $/; <$pipe> };

        like($text, qr/^retry: \d+\nevent: hello\nid: \d+\ndata: \{\}\n\n/,
             'a greeting');
        like($text, qr/\n\nevent: created\n.*\nevent: end\n.*\n\n\z/s,
             'and the events');
        close $pipe;
    }
};


story 'a client that does not read', { workers => 1, http => <<"END" }, sub
    server {
        listen 127.0.0.1:$port sndbuf=8k;
        location / { dfpreheat on; }
    }
END
{
    my $servers = shift;

    my @ids = map { large($servers, $_) } 150, LARGE;

    $servers->ended_job($_, SOON) for @ids;

    my $slow = watch($servers, port => $port, buffer => BUFFER);

    # as if they were new again: first what fits into a chunk, so that the client
    # has whole events; then more than the feed holds

    for my $id (($ids[0]) x 12, ($ids[1]) x 10) {
        $servers->redis('publish', 'dfpreheat:wake', "new $id");
        sleep FLUSH;
    }

    $slow->widen;

    my @seen = map { $_->{event} } next_change($slow);

    while (my $event = next_change($slow, NOTHING)) {
        push @seen, $event->{event};
        last if $event->{event} eq 'reset';
    }

    is($seen[-1], 'reset', 'is told that it has missed something');

    my $id = $servers->post_files(['/quick/1/again']);

    is_deeply([ map { $_->{event} } grep { $_->{event} ne 'progress' }
                until_end($slow, $id) ], [qw( created end )],
              'and hears what comes then');
};


story 'a large job', { workers => 1 }, sub
{
    my $servers = shift;

    my $events = watch($servers);
    my $id = large($servers, LARGE);
    my $event = next_change($events);

    is(scalar @{ $event->{data}{args}{urls} // [] }, LARGE, 'is told in full');
    is_deeply([ map { $_->{event} } grep { $_->{event} ne 'progress' }
                until_end($events, $id) ], ['end'], 'and so is its end');
};


story 'no permission for the channel', {
    workers => 1, no_redis => 1, redis_user => 'no-channel',
    redis_password => 'secret', before_nginx => sub {
        my $servers = shift;

        $servers->redis_start('user no-channel on >secret ~* resetchannels +@all');
    } }, sub
{
    my $servers = shift;

    my $client = $servers->client;
    my $started = time;

    $client->start('GET', PATH);

    my $answer = $client->finish(SOON);

    is($answer->{status}, 503, 'there are no events');
    like($answer->{json}{message}, qr/\bmessages\b/, 'and it says why');
    cmp_ok(time - $started, '<', SOON, 'soon');
    is($servers->ended_job($servers->post_files(['/quick/1/a']), SOON)->{state},
       'SUCCESS', 'everything else works');
};


story 'two nginx', {}, sub
{
    my $servers = shift;

    my $second = DFP::Servers->new(no_redis => 1,
                                   redis_port => $servers->{redis_port});

    $second->start;
    $second->{token} = $servers->{token} = $servers->token;

    my $events = watch($second);
    my $id = $servers->post_files(['/quick/1000/first'],
                                  scope => 'single_seed_peer');

    is_deeply([ map { $_->{event} } grep { $_->{event} ne 'progress' }
                until_end($events, $id) ], [qw( created end )],
              'what is posted at one is heard at the other');
    delete_job($servers, $id);
    is(next_change($events)->{event}, 'deleted', 'also when it is deleted');
    $second->stop_all;
    is_deeply([ $second->severe ], [], 'nothing bad is logged');
};


story 'nobody listens', {}, sub
{
    my $servers = shift;

    my $published = sub {
        $servers->redis('info', 'commandstats')
            =~ /cmdstat_publish:calls=(\d+)/ ? $1 : 0;
    };

    $servers->ended_job($servers->post_files(['/quick/10/first']), SOON);

    my $before = $published->();

    $servers->ended_job($servers->post_files(['/quick/10/second']), SOON);
    is($published->() - $before, 1, 'nothing is told, but that a part waits');
};

done_testing();
