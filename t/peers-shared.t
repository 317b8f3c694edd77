# Jobs that start together share one list of the scheduler's hosts, and none of
# them depends on the one that has asked for it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Process qw( wait_until );
use DFP::Swarm;

use constant {
    SOON          => 15,    # s; a list is asked for again after 5 s
    TRIES         => 20,
    TWO_SECONDS   => 2_000_000_000,
    THREE_SECONDS => 3_000_000_000,
    JOBS          => '/oapi/v1/jobs',
    ONE_WORKER    => { workers => 1 },
};


sub lists { scalar $_[0]->scheduler->calls('ListHosts') }


# Jobs of one file each, which all run when this returns.

sub start
{
    my ($warm, $n, %args) = @_;

    my $before = $warm->{servers}->logged(qr/: run \S+ starts in cluster/);
    my @ids = map { $warm->post('file', url => FILES . "/files/$_",
                                scope => 'all_peers', %args) } 1 .. $n;

    ok(wait_until(SOON, sub {
           $warm->{servers}->logged(qr/: run \S+ starts in cluster/)
           == $before + $n }), "$n more jobs have started");

    return @ids;
}


# The first of them has asked.

sub asks_once
{
    my ($dragonfly, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    wait_until(SOON, sub { lists($dragonfly) });
    is(lists($dragonfly), 1, $name);
}


sub states
{
    my ($warm, @ids) = @_;

    my %states = map { ended_within($warm, $_, SOON)->{state} => 1 } @ids;

    return [ sort keys %states ];
}


# A scheduler whose first answer waits for a gate.

sub first_waits
{
    my ($dragonfly, $gate, %behaviour) = @_;

    my $scheduler = $dragonfly->scheduler;

    $scheduler->script({ list_hosts => [
        { wait_for => $scheduler->gate($gate), %behaviour }, {} ] });
    $scheduler->forget_calls;
}


for my $engine (qw( peers scheduler )) {
    swarm_story "engine=$engine, ten jobs at once",
        { engine => $engine, peers => 2, story => ONE_WORKER }, sub
    {
        my ($warm, $dragonfly) = @_;

        my $scheduler = $dragonfly->scheduler;

        first_waits($dragonfly, 'go');

        my @ids = start($warm, 10, timeout => 60_000_000_000);
        asks_once($dragonfly, 'and the list is asked for once');
        $scheduler->open_gate('go');

        if ($engine eq 'peers') {
            is_deeply(states($warm, @ids), ['SUCCESS'], 'they end well');
            is(scalar $_->calls, 10, 'on ' . $_->hostname)
                for @{ $dragonfly->peers };

        } else {
            ok(wait_until(SOON, sub {
                   $scheduler->calls('PreheatFile') == 10 }), 'they go on');
        }

        is(lists($dragonfly), 1, 'with that list');
    };
}


swarm_story 'jobs one after the other', { peers => 1, story => ONE_WORKER }, sub {
    my ($warm, $dragonfly) = @_;

    my $job = sub { $warm->run('file', url => FILES . '/files/a',
                               scope => 'all_peers')->{state} };
    my $shared;

    # a slow machine may need more than a second for both

    for (1 .. TRIES) {
        $dragonfly->scheduler->outdated;
        $dragonfly->scheduler->forget_calls;
        $job->();
        $job->();

        $shared = lists($dragonfly) == 1;
        last if $shared;
    }

    ok($shared, 'share a list for a moment');

    $dragonfly->scheduler->outdated;
    is($job->(), 'SUCCESS', 'another job');
    is(lists($dragonfly), 2, 'asks for a new one when that is old');
};


swarm_story 'the job that has asked is deleted',
    { peers => 1, story => ONE_WORKER }, sub
{
    my ($warm, $dragonfly) = @_;

    first_waits($dragonfly, 'never');

    my ($first, @others) = start($warm, 4);
    asks_once($dragonfly, 'and one list is asked for');

    is($warm->{servers}->client->request('DELETE', JOBS . "/$first")->{status},
       200, 'the first job is deleted');
    is_deeply(states($warm, @others), ['SUCCESS'], 'the others end well');
    is(lists($dragonfly), 2, 'by one more call');
};


swarm_story 'a job that waits for another one is deleted',
    { peers => 1, story => ONE_WORKER }, sub
{
    my ($warm, $dragonfly) = @_;

    first_waits($dragonfly, 'go');

    my ($first, $second, $third) = start($warm, 3);

    is($warm->{servers}->client->request('DELETE', JOBS . "/$second")->{status},
       200, 'the second one');
    $dragonfly->scheduler->open_gate('go');
    is_deeply(states($warm, $first, $third), ['SUCCESS'],
              'the others end well');
    is(lists($dragonfly), 1, 'with one list');
};


swarm_story 'the timeout of the job that has asked',
    { peers => 1, story => ONE_WORKER }, sub
{
    my ($warm, $dragonfly) = @_;

    first_waits($dragonfly, 'never');

    my ($first) = start($warm, 1, timeout => TWO_SECONDS);
    my @others = start($warm, 3);

    is_deeply(states($warm, @others), ['SUCCESS'], 'the others end well');
    is_deeply(states($warm, $first), ['FAILURE'], 'and that one does not');
    is(lists($dragonfly), 2, 'one of them has asked again');
};


for my $engine (qw( peers scheduler )) {
    swarm_story "engine=$engine, a scheduler that hangs",
        { engine => $engine, peers => 1, story => ONE_WORKER }, sub
    {
        my ($warm, $dragonfly) = @_;

        my $scheduler = $dragonfly->scheduler;

        $scheduler->freeze;
        my @ids = start($warm, 3, timeout => THREE_SECONDS);

        ok(wait_until(SOON, sub { !grep {
               $warm->{servers}->stored_state($_) eq 'PENDING' } @ids }),
           'is not waited for beyond the timeout');

        like(error($warm->{servers}->job($_)), facts('timeout | 3 s | scheduler '
                 . $scheduler->address . ' | ListHosts | answered'),
             'each job says for what it has waited') for @ids;
        $scheduler->thaw;
    };
}


swarm_story 'a scheduler that answers with an error',
    { peers => 1, story => ONE_WORKER }, sub
{
    my ($warm, $dragonfly) = @_;

    first_waits($dragonfly, 'go', status => 13, message => 'database is locked');

    my @ids = start($warm, 3);
    $dragonfly->scheduler->open_gate('go');

    my @jobs = map { ended_within($warm, $_, SOON) } @ids;
    like(error($_), facts('ListHosts | INTERNAL: database is locked'),
         'each job says so') for @jobs;
    is(lists($dragonfly), 1, 'it is asked once');

    is($warm->run('file', url => FILES . '/files/a')->{state}, 'FAILURE',
       'a job for seeds is not answered by that');
    is(lists($dragonfly), 2, 'the next job asks again');
};


swarm_story 'a scheduler that is unavailable',
    { peers => 1, story => ONE_WORKER }, sub
{
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my $busy = { status => 14, message => 'busy' };

    $scheduler->script({ list_hosts => $busy });

    my ($first) = start($warm, 1);
    ok(wait_until(SOON, sub { lists($dragonfly) >= 3 }), 'is asked again');
    my $short = run_out($warm, 'file', url => FILES . '/files/a',
                        scope => 'all_peers', timeout => TWO_SECONDS);

    like(error($short), facts('timeout | 2 s | scheduler ' . $scheduler->address
                              . ': UNAVAILABLE: busy'),
         'a job that waits with another one says for what');

    $scheduler->script({});
    is_deeply(states($warm, $first), ['SUCCESS'], 'the other one ends well');
};


for my $workers (1, 0) {
    my $mode = $workers ? 'a worker' : 'a process without a master';

    swarm_story "$mode leaves while a list is waited for",
        { peers => 1, story => { workers => $workers } }, sub
    {
        my ($warm, $dragonfly) = @_;

        first_waits($dragonfly, 'never');

        my @ids = start($warm, 4);
        my $servers = $warm->{servers};

        if ($workers) {
            $servers->nginx_reload;
            ok(wait_until(SOON, sub { lists($dragonfly) == 2 }),
               'a new one asks for the list');
            $dragonfly->scheduler->open_gate('never');

        } else {
            $servers->nginx_end('TERM');
            $servers->nginx_start;
        }

        is_deeply(states($warm, @ids), ['SUCCESS'], 'all jobs end well');
    };
}


swarm_story 'a list that grows', { peers => 3, settle => '1m',
                                   story => ONE_WORKER }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, @others) = @{ $dragonfly->peers };
    my $scheduler = $dragonfly->scheduler;

    is_deeply(states($warm, start($warm, 1)), ['SUCCESS'],
              'one knows all peers');

    $scheduler->hosts($one->host);
    first_waits($dragonfly, 'go');

    my @ids = start($warm, 5);
    $scheduler->open_gate('go');
    ok(wait_until(SOON, sub { $others[-1]->questions >= 5 }),
       'each asks who is missing');
    is(lists($dragonfly), 1, 'of one list');
    $scheduler->hosts(map { $_->host } $one, @others);

    is_deeply(states($warm, @ids), ['SUCCESS'], 'they end well');
    is(scalar $_->calls, 6, 'on ' . $_->hostname) for $one, @others;
    cmp_ok(lists($dragonfly), '<', 5, 'new lists are shared, too');
};


swarm_story 'a peer that is lost while another job waits for a list',
    { peers => 2, story => ONE_WORKER }, sub
{
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my $two = $dragonfly->peers->[1];

    $two->script({ default => { wait_for => $two->gate('never') } });
    my ($first) = start($warm, 1);
    ok(wait_until(SOON, sub { $two->calls }), 'a peer downloads something');

    first_waits($dragonfly, 'never');
    my ($second) = start($warm, 1);
    asks_once($dragonfly, 'a second job asks for a list');
    my ($call) = $scheduler->calls;

    $two->kill;
    ok(wait_until(SOON, sub { lists($dragonfly) == 2 }),
       'the first job asks for another one');
    ok(!(grep { $_->{ended} == $call->{call} } $scheduler->ended),
       'and has not waited for that one, which was asked for before');

    is($warm->{servers}->client->request('DELETE', JOBS . "/$_")->{status}, 200,
       'both can be deleted') for $first, $second;
};

done_testing();
