# Jobs survive the death of workers and of nginx, and end at their time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Process qw( wait_until );
use DFP::Story qw( story );

# no wait for what is to happen by itself is shorter than a busy machine needs

use constant {
    SOON     => 5,              # s: what needs no timer
    A_SECOND => 1_000_000_000,  # ns: the unit of a job's timeout
};


# Kills the worker that stands before a gate.

sub kill_fetcher
{
    my ($servers, $path) = @_;

    my $port = $servers->origin->wait_at_gate($path, SOON)
        or die 'nobody fetches the file';
    my $worker = $servers->worker_of($port) or die 'no worker fetches it';

    $servers->expects(1, qr/worker process $worker exited on signal 9$/);
    kill 'KILL', $worker;
}


story 'a worker is killed in the middle of a run: another finishes it',
    { lease => '1s' }, sub
{
    my $servers = shift;

    my $path = '/gate/100000/layer';
    my $origin = $servers->origin;
    my $id = $servers->post_files([ $path, '/quick/1000/small' ]);

    kill_fetcher($servers, $path);
    my $killed = time;

    wait_until(SOON, sub { $origin->requests($path) == 2 });
    cmp_ok(time - $killed, '<', 2,
           'the file is fetched again within the lease and a second');

    $origin->open_gate($path);

    my $job = $servers->ended_job($id, SOON);
    is($job->{state}, 'SUCCESS', 'the job ends well');
    is($servers->lost_attempts($job), 1, 'one attempt was lost');

    my $pulled = $servers->client->get($path);
    is(length $pulled->{body}, 100000, 'a client gets the whole file');
    is($origin->requests($path), 2, 'from the cache');
};


story 'workers are killed again and again: the job is given up, and says why',
    { lease => '1s', http => 'dfpreheat_max_attempts 2;' }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/poison';
    my $id = $servers->post_files([$path]);

    for my $attempt (1 .. 2) {
        wait_until(SOON, sub {
            $servers->origin->requests($path) == $attempt;
        });
        kill_fetcher($servers, $path);
    }

    my $job = $servers->ended_job($id, SOON);
    is($job->{state}, 'FAILURE', 'the job has failed');
    like($job->{result}{job_states}[0]{error},
         qr/\b2 attempts\b/, 'with the reason');
    is($servers->lost_attempts($job), 2, 'both attempts were lost');
    is($servers->origin->requests($path), 2, 'there was no third');
};


# One file after the other, so that one has not begun when nginx is told to go.

sub two_files
{
    my $servers = shift;

    return $servers->post_files([qw( /gate/1000/first /quick/1000/second )],
                                concurrent_task_count => 1);
}


story 'nginx quits: what is in flight ends, the rest is for the next start',
    {}, sub
{
    my $servers = shift;

    my $origin = $servers->origin;
    my $id = two_files($servers);

    $origin->wait_at_gate('/gate/1000/first', SOON);
    $servers->nginx_signal('QUIT');
    ok(wait_until(SOON, sub { !$servers->workers }), 'the workers quit');
    $origin->open_gate('/gate/1000/first');
    $servers->nginx_end('QUIT');

    is($origin->requests('/quick/1000/second'), 0,
       'a worker that quits starts no call');
    is($servers->stored_state($id), 'PENDING', 'the job is kept');

    $servers->nginx_start;

    my $job = $servers->ended_job($id, SOON);
    is($job->{state}, 'SUCCESS', 'it ends well after the next start');
    is($servers->lost_attempts($job), 0, 'no attempt was lost');
    is($origin->requests('/gate/1000/first'), 1, 'no file was fetched twice');
};


# A worker that is told to stop hands its parts back; one that is killed can't.

for my $end ([ 'is stopped', 0, sub { $_[0]->nginx_end('TERM') } ],
             [ 'is killed', 1, sub { $_[0]->nginx_kill } ])
{
    my ($how, $lost, $end_nginx) = @$end;

    story "nginx $how: the job goes on after the next start",
        { lease => '1s' }, sub
    {
        my $servers = shift;

        my $path = '/gate/1000/first';
        my $id = two_files($servers);

        $servers->origin->wait_at_gate($path, SOON);
        $end_nginx->($servers);
        is($servers->stored_state($id), 'PENDING', 'the job is kept');

        $servers->nginx_start;
        $servers->origin->open_gate($path);

        my $job = $servers->ended_job($id, SOON);
        is($job->{state}, 'SUCCESS', 'the job ends well');
        is($servers->lost_attempts($job), $lost,
           "attempts that were lost: $lost");
    };
}


# Looks into Redis, since a request of nginx would settle what is overdue; how
# many seconds after the start of the watch the job had ended.

sub settled_after
{
    my ($servers, $id, $from, $seconds) = @_;

    wait_until($seconds, sub { $servers->stored_state($id) ne 'PENDING' })
        or return 'never';

    return time - $from;
}


story 'the time of a running job passes: it fails within a second', {}, sub
{
    my $servers = shift;

    my $path = '/gate/1000/stalled';
    my $begun = time;
    my $id = $servers->post_files([ $path, '/quick/1000/good' ],
                                  timeout => 2 * A_SECOND);
    my $posted = time;

    cmp_ok(settled_after($servers, $id, $begun, 4), '>=', 2,
           'it has its time');
    cmp_ok(time - $posted, '<', 3, 'and not much more');

    my $job = $servers->job($id);
    my $state = $job->{result}{job_states}[0];
    is($job->{state}, 'FAILURE', 'the job has failed');
    like($state->{error}, qr/timeout.*\b2 s\b/,
         'with the reason');
    is($servers->lost_attempts($job), 0, 'that is no lost attempt');
    ok(wait_until(SOON, sub {
           !$servers->origin->wait_at_gate($path, 0);
       }), 'the call that stalled is ended');

    is($servers->ended_job($servers->post_files(['/quick/1000/next']),
                           SOON)->{state},
       'SUCCESS', 'and the next job is not held up');
};


story 'the time of a waiting job passes: it fails within a second',
    { workers => 1, http => 'dfpreheat_worker_calls 1;' }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/long';
    my $front = $servers->post_files([$path]);
    $servers->origin->wait_at_gate($path, SOON) or die 'nobody fetches it';

    my $begun = time;
    my $id = $servers->post_files(['/quick/1000/short'],
                                  timeout => 2 * A_SECOND);
    my $posted = time;

    cmp_ok(settled_after($servers, $id, $begun, 4), '>=', 2,
           'it has its time');
    cmp_ok(time - $posted, '<', 3, 'and not much more');

    my $job = $servers->job($id);
    is($job->{state}, 'FAILURE', 'the job has failed');
    like($job->{result}{job_states}[0]{error},
         qr/timeout.*\bno worker\b/, 'with the reason');
    is($servers->origin->requests('/quick/1000/short'), 0,
       'nothing of it was fetched');

    $servers->origin->open_gate($path);
    is($servers->ended_job($front, SOON)->{state}, 'SUCCESS',
       'the job before it ends well');
};


story 'the time of a job passes while nginx is down: it fails at the start',
    {}, sub
{
    my $servers = shift;

    my $path = '/gate/1000/stalled';
    my $id = $servers->post_files([$path], timeout => 1 * A_SECOND);

    $servers->origin->wait_at_gate($path, SOON);
    $servers->nginx_kill;
    sleep 1.2;
    is($servers->stored_state($id), 'PENDING', 'nobody has settled it');

    $servers->nginx_start;
    cmp_ok(settled_after($servers, $id, time, SOON), '<', 1,
           'it is settled when nginx is up');

    my $job = $servers->job($id);
    is($job->{state}, 'FAILURE', 'the job has failed');
    like($job->{result}{job_states}[0]{error},
         qr/timeout.*\b1 s\b/, 'with the reason');
};


done_testing();
