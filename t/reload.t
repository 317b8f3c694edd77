# Reload (HUP): neither clients nor jobs notice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw( tempdir );
use HTTP::Tiny;
use JSON::PP qw( decode_json encode_json );
use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Process qw( run_child gone stop wait_until );
use DFP::Story qw( story );

use constant {
    SOON         => 5,      # s: what needs no timer
    LEAVE        => 3,      # s: "within seconds of their calls in flight"
    CLIENTS      => 4,
    RELOADS      => 5,
    BETWEEN      => 0.5,    # s: between two reloads
    PAUSE        => 0.01,   # s: of a client, between two jobs
    LOAD_SECONDS => 30,     # a client ends by itself
    LEAST        => 100,    # answers, for the load to have been one
};


# One client of the load: posts a job and asks for it, again and again, until
# the file STOP is there; writes what came of it into a file.

sub client_load
{
    my ($servers, $number, $stop, $result) = @_;

    my $client = $servers->client;
    my $end = time + LOAD_SECONDS;
    my $repeated = 0;
    my (@jobs, @failures);

    while (!-e $stop && time < $end) {

        # a run in four is still at work when the next job is posted

        my $mode = @jobs % 4 ? 'quick' : 'slow';
        my $path = "/$mode/2000/client-$number-" . @jobs;

        my $done = eval {
            my $answer = $client->post('/oapi/v1/jobs',
                                       $servers->files([$path]));
            die "POST: $answer->{status}\n" if $answer->{status} != 200;
            push @jobs, $answer->{json}{id};

            $answer = $client->get("/oapi/v1/jobs/$jobs[-1]");
            die "GET: $answer->{status}\n" if $answer->{status} != 200;
            1;
        };

        if (!$done) {
            push @failures, $@;
            $repeated += $client->{repeated};
            $client = $servers->client;
        }

        sleep PAUSE;
    }

    $repeated += $client->{repeated};

    open my $file, '>', "$result.new" or die "$result: $!";
    print {$file} encode_json({ jobs => \@jobs, failures => \@failures,
                                repeated => $repeated });
    close $file or die "$result: $!";
    rename "$result.new", $result or die "$result: $!";
}


# Reloads under load; the pids of all old workers, and what clients saw.

sub reload_under_load
{
    my $servers = shift;

    my $stop = "$servers->{dir}/stop";
    my @results = map { "$servers->{dir}/client-$_" } 1 .. CLIENTS;

    # made here once: the clients are to share it
    $servers->client;

    my @pids = map {
        my $number = $_;
        run_child(sub {
            client_load($servers, $number, $stop, $results[$number - 1]);
        });
    } 1 .. CLIENTS;

    my @old;

    for (1 .. RELOADS) {
        sleep BETWEEN;
        push @old, $servers->nginx_reload;
    }

    sleep BETWEEN;
    open my $file, '>', $stop or die "$stop: $!";

    wait_until(SOON, sub { !grep { !-e $_ } @results });
    stop($_) for @pids;

    return \@old, map { local (@ARGV, $/) = $_; decode_json(<>) } @results;
}


sub all_gone
{
    my ($seconds, @pids) = @_;

    return wait_until($seconds, sub { !grep { !gone($_) } @pids });
}


story 'reloads under load: every request is answered, every job ends',
    {}, sub
{
    my $servers = shift;

    my ($old, @seen) = reload_under_load($servers);

    is(@seen, CLIENTS, 'all clients have ended');
    ok(all_gone(LEAVE, @$old), 'the old workers leave');

    my @jobs = map { @{ $_->{jobs} } } @seen;

    is_deeply([ map { @{ $_->{failures} } } @seen ], [],
              'no error, refused connection or lost answer');
    cmp_ok(scalar @jobs, '>=', LEAST, 'it was a load');

    # nginx may close what it takes for idle while a request is on its way

    my $repeated = 0;
    $repeated += $_->{repeated} for @seen;
    cmp_ok($repeated, '<=', CLIENTS * RELOADS,
           'a client sends a request again once a reload at most');
    is($servers->stored_jobs, @jobs, 'each job that is stored was answered');

    my (%states, $lost);

    for my $id (@jobs) {
        my $job = $servers->ended_job($id, SOON);
        $states{ $job->{state} }++;
        $lost += $servers->lost_attempts($job);
    }

    is_deeply(\%states, { SUCCESS => scalar @jobs }, 'each job ends well');
    is($lost, 0, 'no attempt was lost');
};


story 'a reload with nothing to do: the old workers leave at once', {}, sub
{
    my $servers = shift;

    # a client that keeps its connection, and says nothing

    my $client = $servers->client;
    $client->get('/healthy');

    my @old = $servers->nginx_reload;
    ok(all_gone(2, @old), 'they leave');
    is($client->get('/healthy')->{status}, 200, 'the client goes on');
};


story 'a reload while a long layer is fetched: the old worker ends it', {},
    sub
{
    my $servers = shift;

    my $path = '/gate/1000/long';
    my $id = $servers->post_files([$path]);
    my $port = $servers->origin->wait_at_gate($path, SOON);
    my $worker = $servers->worker_of($port);

    my @old = $servers->nginx_reload;
    my ($idle) = grep { $_ != $worker } @old;
    ok(all_gone(LEAVE, $idle), 'the worker that has no call leaves');

    my $next = $servers->post_files(['/quick/1000/next']);
    is($servers->ended_job($next, SOON)->{state}, 'SUCCESS',
       'other jobs go on meanwhile');
    ok(!gone($worker), 'the worker with the call is there');
    is($servers->job($id)->{state}, 'PENDING', 'and goes on with it');

    $servers->origin->open_gate($path);

    my $job = $servers->ended_job($id, SOON);
    is($job->{state}, 'SUCCESS', 'the job ends well');
    is($servers->lost_attempts($job), 0, 'no attempt was lost');
    is($servers->origin->requests($path), 1, 'the file was fetched once');
    ok(all_gone(LEAVE, $worker), 'the worker leaves');
};


story 'a reload in the middle of a run: a new worker goes on with it', {},
    sub
{
    my $servers = shift;

    my ($first, $second) = qw( /gate/1000/first /gate/1000/second );
    my $origin = $servers->origin;
    my $id = $servers->post_files([ $first, $second ],
                                  concurrent_task_count => 1);

    $origin->wait_at_gate($first, SOON) or die 'nobody fetches it';
    my @old = $servers->nginx_reload;
    $origin->open_gate($first);
    ok(all_gone(LEAVE, @old), 'the old workers leave after their call');

    my $port = $origin->wait_at_gate($second, SOON) or die 'nobody goes on';
    my $worker = $servers->worker_of($port);
    ok($worker && !(grep { $_ == $worker } @old),
       'a new worker fetches the second file');
    $origin->open_gate($second);

    my $job = $servers->ended_job($id, SOON);
    is($job->{state}, 'SUCCESS', 'the job ends well');
    is($servers->lost_attempts($job), 0, 'no attempt was lost');
    is($origin->requests($first), 1, 'the first file was fetched once');
};


story 'worker_shutdown_timeout cuts a call off: a new worker makes it again',
    { main => 'worker_shutdown_timeout 1s;', lease => '10s' }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/long';
    my $id = $servers->post_files([$path]);

    $servers->origin->wait_at_gate($path, SOON) or die 'nobody fetches it';
    my @old = $servers->nginx_reload;
    ok(all_gone(LEAVE, @old), 'the old workers leave');

    ok(wait_until(SOON, sub { $servers->origin->requests($path) == 2 }),
       'the file is fetched again');
    $servers->origin->open_gate($path);

    my $job = $servers->ended_job($id, SOON);
    is($job->{state}, 'SUCCESS', 'the job ends well');
    is($servers->lost_attempts($job), 0, 'no attempt was lost');
};


for my $main ('', 'worker_shutdown_timeout 10s;') {

    my $with = $main ? 'with' : 'without';

    story "two reloads while Redis is unavailable, $with worker_shutdown_timeout",
        { main => $main, lease => '10s' }, sub
    {
        my $servers = shift;

        my $path = '/gate/1000/layer';
        my $id = $servers->post_files([$path]);
        $servers->origin->wait_at_gate($path, SOON) or die 'nobody fetches it';

        my @clients = map { $servers->client } 1 .. 3;
        my (@old, $number);

        # each generation of workers has a request that waits

        $servers->redis_kill;

        for my $client (@clients) {
            my $job = $servers->files([ '/quick/1000/file-' . ++$number ]);
            $client->start('POST', '/oapi/v1/jobs', encode_json($job));
            push @old, $servers->nginx_reload if $number < @clients;
        }

        $servers->origin->open_gate($path);
        sleep 1;
        ok(!(grep { $_->answered(0) } @clients), 'nobody gets an error');

        $servers->redis_start;

        my @answers = map { $_->finish(SOON) } @clients;
        is_deeply([ map { $_->{status} } @answers ], [ 200, 200, 200 ],
                  'all get their answers');

        for my $job ($id, map { $_->{json}{id} } @answers) {
            my $ended = $servers->ended_job($job, SOON);
            is($ended->{state}, 'SUCCESS', "job $job ends well");
            is($servers->lost_attempts($ended), 0, 'no attempt was lost');
        }

        is($servers->stored_jobs, 4, 'no job is there twice');
        ok(all_gone(LEAVE, @old), 'the old workers leave');
    };
}


story 'a reload with nothing to do while Redis is unavailable', {}, sub
{
    my $servers = shift;

    $servers->redis_kill;
    sleep 1;

    my @old = $servers->nginx_reload;
    ok(all_gone(LEAVE, @old), 'the old workers do not wait for it');
};


# What the old workers have put where clients looked before the reload is not what
# SUCCESS promises.

for my $files (1, 3) {

    my $dir = tempdir('dfpreheat-other-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

    story "a reload that gives the location another cache: $files files",
        { http => "proxy_cache_path $dir keys_zone=other:1m;" }, sub
    {
        my $servers = shift;

        my $origin = $servers->origin;
        my $gate = '/gate/1000/moves';
        my @paths = ($gate, map { "/quick/1000/moves-$_" } 2 .. $files);
        my $id = $servers->post_files(\@paths);

        $origin->wait_at_gate($gate, SOON) or die 'nobody fetches it';
        $servers->nginx_configure(zone => 'other');

        my @old = $servers->nginx_reload;
        $origin->open_gate($gate);

        is($servers->ended_job($id, SOON)->{state}, 'SUCCESS',
           'the job ends well');
        ok(all_gone(LEAVE, @old), 'the old workers leave');

        my @asked = map { $origin->requests($_) } @paths;
        my $http = HTTP::Tiny->new(timeout => SOON);

        is(length $http->get("http://127.0.0.1:$servers->{port}$_")->{content},
           1000, 'a client gets a file') for @paths;
        is_deeply([ map { $origin->requests($_) } @paths ], \@asked,
                  'from the cache');
    };
}


done_testing();
