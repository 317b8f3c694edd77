# Lists of peers that are not whole yet, or that have shrunk.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Process qw( wait_until );
use DFP::Stat;
use DFP::Swarm;

use constant {
    SOON     => 15,     # s; a list is asked for again after 5 s
    LOG_LINES => 1000,
    UNLISTED => 'answers | dfpreheat_settle',
};

my @job = ('file', url => FILES . '/files/a', scope => 'all_peers');


# Jobs that know all peers; the scheduler lists those that stay from now on.

sub knows_all
{
    my ($warm, $dragonfly, @stay) = @_;

    my $job = $warm->run('file', url => FILES . '/files/first',
                         scope => 'all_peers');

    is(scalar @{ told($job, 'success_tasks') }, scalar @{ $dragonfly->peers },
       'a job knows all peers') or diag(error($job));

    $dragonfly->scheduler->forget_calls;
    $dragonfly->scheduler->hosts(map { $_->host } @stay);
}


sub holders { [ map { s/ .*//r } @{ told($_[0], 'success_tasks') } ] }


swarm_story 'a list that grows', { peers => 3, seeds => 1, settle => '1m' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two, $three) = @{ $dragonfly->peers };
    my $scheduler = $dragonfly->scheduler;

    knows_all($warm, $dragonfly, $one);

    my $id = $warm->post(@job);

    ok(wait_until(SOON, sub { $scheduler->calls >= 2 }), 'it is asked again');
    ok(scalar(grep { /dfpreheat: the scheduler: .*\b1 hosts .*\b2 peers/ }
              $warm->{servers}->log_tail(LOG_LINES)), 'the log says why');
    is($warm->{servers}->job($id)->{state}, 'PENDING', 'and the job waits');
    is(scalar $one->calls, 1, 'also with the peer that is listed');
    is(scalar $dragonfly->seeds->[0]->questions, 0,
       'a seed is not missing: the job is not about it');

    $scheduler->hosts(map { $_->host } $one, $two, $three);

    my $job = ended_within($warm, $id, SOON);
    is($job->{state}, 'SUCCESS', 'it ends well') or diag(error($job));
    is_deeply(holders($job), [qw( peer-1 peer-2 peer-3 )], 'on all peers');
};


swarm_story 'a list that has shrunk', { peers => 3, settle => '1m' }, sub {
    my ($warm, $dragonfly) = @_;

    my ($one, $two, $three) = @{ $dragonfly->peers };

    knows_all($warm, $dragonfly, $one);
    $_->stop for $two, $three;

    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'is whole, if the others do not answer')
        or diag(error($job));
    is_deeply(holders($job), ['peer-1'], 'the job is about those listed');
    is(scalar $dragonfly->scheduler->calls, 1, 'which is asked once');

    $two->restart;
    is($warm->run(@job)->{state}, 'SUCCESS', 'and the next one');
    is(scalar $two->questions, 0, 'who did not answer is forgotten');
};


swarm_story 'Redis does not know', { peers => 2, settle => '1m' }, sub {
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->peers };
    my $servers = $warm->{servers};

    knows_all($warm, $dragonfly, $one);

    my ($key) = $servers->redis('keys', '*peers:2') =~ /(\S+)/;
    ok($key, 'which peers there are');
    cmp_ok($servers->redis('pttl', $key), '<=', 3600 * 1000, 'for an hour');
    $servers->redis('del', $key);

    is_deeply(holders($warm->run(@job)), ['peer-1'],
              'any more: a list is whole');

    $servers->redis('set', $key, "\n x \n99999999999999 n 1 10.0.0.1 a\n");
    is_deeply(holders($warm->run(@job)), ['peer-1'], 'nor is what is no list');
};


swarm_story 'a list that does not become whole', { peers => 2, settle => '1s' },
    sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->peers };

    knows_all($warm, $dragonfly, $one);

    my $job = ended_within($warm, $warm->post(@job), SOON);
    is($job->{state}, 'FAILURE', 'is not waited for longer');
    like(error($job), facts('/^1 of 2 peers\D+0\b/ | peer-2 | ' . UNLISTED),
         'the job says why');
    like_facts(reasons($job, 'unreachable'), [ '/^peer-2: / | ' . UNLISTED ],
               'and who was missing');
    is_deeply(holders($job), ['peer-1'], 'the other one has the file');

    $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'the next job does not wait for it')
        or diag(error($job));
};


swarm_story 'engine=scheduler, and a list that grows',
    { engine => 'scheduler', peers => 2, settle => '1m' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->peers };
    my $scheduler = $dragonfly->scheduler;

    $scheduler->script({ stat => stat_of([],
        map { [ $_, [ FILES . '/files/a' ] ] } $one, $two) });

    is($warm->run(@job)->{state}, 'SUCCESS', 'a job knows all peers');

    $scheduler->forget_calls;
    $scheduler->hosts($one->host);

    my $id = $warm->post(@job);

    ok(wait_until(SOON, sub { $scheduler->calls('ListHosts') >= 2 }),
       'the list is asked for again');
    is(scalar $scheduler->calls('PreheatFile'), 0, 'nothing is ordered yet');

    $scheduler->hosts(map { $_->host } $one, $two);

    my $job = ended_within($warm, $id, SOON);
    is($job->{state}, 'SUCCESS', 'it ends well') or diag(error($job));
    is_deeply(holders($job), [qw( peer-1 peer-2 )], 'on all peers');
};


swarm_story 'a list without peers', { seeds => 1, settle => '2s' }, sub {
    my ($warm, $dragonfly) = @_;

    my $job = ended_within($warm, $warm->post(@job), SOON);

    is($job->{state}, 'FAILURE', 'ends a job, after that time');
    like(error($job), facts('scheduler | no peer'), 'which says why');
};


done_testing();
