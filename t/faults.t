# Redis goes away in every way it has: requests wait for it, and jobs go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw( encode_json );
use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Client;
use DFP::Process qw( run_child stop wait_until );
use DFP::Story qw( story );

use constant {
    SOON    => 5,       # s: what needs no timer
    OUTAGE  => 3,       # s: longer than a pause between two connects
    WAIT    => 25,      # s: how long a request waits for Redis
    PATIENT => 30,      # s: and a client for its answer (Harbor)
};


# Sends requests that are to be finished later: [METHOD, PATH, BODY] each.

sub begin
{
    my ($servers, @requests) = @_;

    my @clients = map { $servers->client } @requests;

    $clients[$_]->start(@{ $requests[$_] }) for 0 .. $#clients;

    return @clients;
}


sub post_request
{
    my ($servers, @paths) = @_;

    return [ 'POST', '/oapi/v1/jobs',
             encode_json($servers->files(\@paths)) ];
}


sub none_answered
{
    my ($seconds, @clients) = @_;

    sleep $seconds;

    return !grep { $_->answered(0) } @clients;
}


# The statuses of all answers, and the ids in them.

sub finish
{
    my @answers = map { $_->finish(SOON) } @_;

    return [ map { $_->{status} } @answers ],
           [ map { $_->{json}{id} } @answers ];
}


# A job that stands before a gate when this returns.

sub begin_job
{
    my ($servers, $path) = @_;

    my $id = $servers->post_files([$path]);

    $servers->origin->wait_at_gate($path, SOON) or die 'nobody fetches it';

    return $id;
}


sub ends_well
{
    my ($servers, $id, $name) = @_;

    my $job = $servers->ended_job($id, SOON);

    is($job->{state}, 'SUCCESS', $name);
    is($servers->lost_attempts($job), 0, 'no attempt was lost');
}


story 'Redis is killed and started again: requests wait, and jobs go on',
    { lease => '10s' }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/layer';
    my $id = begin_job($servers, $path);

    # one that no worker has seen is looked up in Redis, too
    my $stranger = DFP::Client->new(port => $servers->client->{port},
                                    token => $servers->token);

    $servers->redis_kill;

    my @clients = begin($servers, ['GET', "/oapi/v1/jobs/$id"],
                        post_request($servers, '/quick/1000/meanwhile'));
    $stranger->start('GET', "/oapi/v1/jobs/$id");
    push @clients, $stranger;

    # the run ends while its end can't be stored
    $servers->origin->open_gate($path);

    ok(none_answered(OUTAGE, @clients), 'nobody gets an error');
    is(DFP::Client->new(port => $servers->{port})->get('/healthy')->{status}, 200,
       'what needs no Redis works');

    $servers->redis_start;

    my ($statuses, $ids) = finish(@clients);
    is_deeply($statuses, [200, 200, 200], 'all get their answers');
    is($servers->stored_jobs, 2, 'no job is there twice');

    ends_well($servers, $id, 'the job in flight ends well');
    ends_well($servers, $ids->[1], 'the new job ends well');
    is($servers->origin->requests($path), 1, 'the file was fetched once');
};


story 'Redis hangs: a job that is posted meanwhile is there once',
    { workers => 1, http => 'dfpreheat_redis_timeout 500ms;',
      lease => '10s' }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/layer';
    my $id = begin_job($servers, $path);

    # the worker knows the token, so it is the jobs that Redis is sent; and
    # what it gets while it is stopped lies in its socket: it runs that, too

    $servers->redis_signal('STOP');
    my @clients = begin($servers, post_request($servers, '/quick/1000/a'),
                        post_request($servers, '/quick/1000/b'));
    ok(none_answered(2, @clients), 'nobody gets an error');
    $servers->redis_signal('CONT');

    my ($statuses, $ids) = finish(@clients);
    is_deeply($statuses, [200, 200], 'all get their answers');
    is($servers->stored_jobs, 3, 'no job is there twice');

    $servers->origin->open_gate($path);
    ends_well($servers, $_, "job $_ ends well") for $id, @$ids;
};


story 'Redis becomes a replica: requests wait until it is a master again',
    { lease => '10s' }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/layer';
    my $id = begin_job($servers, $path);

    # of a master that is not there, so it keeps what it has

    like($servers->redis(qw( replicaof 127.0.0.1 1 )), qr/^OK/,
         'it is a replica');
    my @clients = begin($servers, post_request($servers, '/quick/1000/new'));
    ok(none_answered(1, @clients), 'READONLY is not shown to anybody');

    $servers->redis(qw( config set replica-serve-stale-data no ));
    push @clients, begin($servers, ['GET', "/oapi/v1/jobs/$id"]);
    $servers->origin->open_gate($path);
    ok(none_answered(1, @clients), 'nor is MASTERDOWN');

    $servers->redis(qw( replicaof no one ));

    my ($statuses, $ids) = finish(@clients);
    is_deeply($statuses, [200, 200], 'all get their answers');
    ends_well($servers, $id, 'the job in flight ends well');
    ends_well($servers, $ids->[0], 'the new job ends well');
    is($servers->stored_jobs, 2, 'no job is there twice');
};


story 'Redis loads its data: requests wait', { lease => '10s' }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/layer';
    my $id = begin_job($servers, $path);

    # 60 more keys, 50 ms each to load, and it answers in between

    $servers->redis('eval', 'for i = 1, 60 do redis.call("set", "more:" .. i,'
                            . ' string.rep("x", 2000)) end', 0);
    $servers->redis('bgrewriteaof');
    wait_until(SOON, sub {
        $servers->redis(qw( info persistence )) =~
            /^aof_rewrite_in_progress:0/m
            && $servers->redis(qw( info persistence )) =~
               /^aof_last_bgrewrite_status:ok/m
            && -s glob "$servers->{dir}/redis/appendonlydir/*.2.base.rdb";
    }) or die 'the log was not written anew';

    $servers->redis_kill;
    $servers->redis_start('key-load-delay 50000',
                          'loading-process-events-interval-bytes 1024');

    my @clients = begin($servers, ['GET', "/oapi/v1/jobs/$id"],
                        post_request($servers, '/quick/1000/new'));
    $servers->origin->open_gate($path);
    ok(none_answered(1, @clients), 'nobody gets an error');
    like($servers->redis('dbsize'), qr/LOADING/, 'while it is loading');

    my ($statuses, $ids) = finish(@clients);
    is_deeply($statuses, [200, 200], 'all get their answers');
    ends_well($servers, $id, 'the job in flight ends well');
    ends_well($servers, $ids->[1], 'the new job ends well');
};


story 'a script of somebody else blocks Redis: requests wait',
    { http => 'dfpreheat_redis_timeout 500ms;', lease => '10s' }, sub
{
    my $servers = shift;

    my $id = begin_job($servers, '/gate/1000/layer');

    $servers->redis(qw( config set busy-reply-threshold 50 ));

    my $busy = run_child(sub {
        $servers->redis('eval', 'local function now() local t = '
            . 'redis.call("time") return t[1] + t[2] / 1000000 end '
            . 'local e = now() + 1.5 repeat until now() > e', 0);
    });

    wait_until(SOON, sub { $servers->redis('dbsize') =~ /BUSY/ })
        or die 'it is not busy';

    my @clients = begin($servers, post_request($servers, '/quick/1000/new'));
    ok(none_answered(0.5, @clients), 'nobody gets an error');
    like($servers->redis('dbsize'), qr/BUSY/, 'while it is busy');

    my ($statuses, $ids) = finish(@clients);
    is_deeply($statuses, [200], 'the answer comes');
    ends_well($servers, $ids->[0], 'the new job ends well');
    is($servers->stored_jobs, 2, 'no job is there twice');

    stop($busy);
};


story 'Redis forgets its scripts: nobody notices', { lease => '10s' }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/layer';
    my $id = begin_job($servers, $path);
    my $client = $servers->client;

    $servers->redis(qw( script flush ));

    my $answer = $client->post('/oapi/v1/jobs',
                               $servers->files(['/quick/1000/new']));
    is($answer->{status}, 200, 'a job is posted');

    $servers->redis(qw( script flush ));
    $servers->origin->open_gate($path);
    ends_well($servers, $id, 'the job in flight ends well');
    ends_well($servers, $answer->{json}{id}, 'the new job ends well');
};


story 'nginx starts before Redis: requests wait for it', { no_redis => 1 },
    sub
{
    my $servers = shift;

    my $client = DFP::Client->new(port => $servers->{port}, token => 'none');

    $client->start('GET', '/oapi/v1/jobs/1');
    ok(none_answered(1, $client), 'nobody gets an error');
    $servers->redis_start;
    is($client->finish(SOON)->{status}, 401, 'the token is looked up');

    ends_well($servers, $servers->post_files(['/quick/1000/file']),
              'a job ends well');
};


story 'Redis stays away: requests get 503 before their clients give up',
    { no_redis => 1 }, sub
{
    my $servers = shift;

    my $client = DFP::Client->new(port => $servers->{port}, token => 'none');
    my $begun = time;

    $client->start('GET', '/oapi/v1/jobs/1');
    my $answer = $client->finish(PATIENT);
    my $waited = time - $begun;

    is($answer->{status}, 503, 'an error');
    like($answer->{json}{message}, qr/\bRedis\b/, 'which says why, in JSON');
    like($answer->{headers}{'retry-after'}, qr/^\d+$/,
         'and when to try again');
    cmp_ok($waited, '>=', WAIT - 1, 'not too soon');
};


done_testing();
