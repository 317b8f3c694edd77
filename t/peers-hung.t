# Peers that take connections, and do not answer: what a job waits for, and what it
# says of them. And peers that are only silent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::IP;
use Test::More;

use DFP::Dragonfly;
use DFP::Facts;
use DFP::Process qw( wait_until );
use DFP::Story qw( meanwhile );
use DFP::Swarm;

use constant {
    SOON          => 15,    # s
    LONG          => 50,    # s: a peer that hangs is asked again after 30 s
    LOG_LINES     => 1000,
    UNIMPLEMENTED => { status => 12, message => 'unknown method' },
    NANO          => 1_000_000_000,
};

my @names = map { "file-$_" } 1 .. 20;
my $hangs = 'hangs | StatLocalTask';
my $doubtful = 'may hang | StatLocalTask';


# So many lines of the log say that a peer hangs.

sub found_hung
{
    my ($warm, $count) = @_;

    return $count <= grep { /dfpreheat: .*\bhangs\b/ }
                          $warm->{servers}->log_tail(LOG_LINES);
}


# What peers have, by name, of all of these files.

sub all_of
{
    my ($files, @hosts) = @_;

    return [ sort map { my $host = $_; map { "$host /files/$_" } @$files }
                  @hosts ];
}


# Half a minute passes in it: it is told while the others are.

my $some_time = meanwhile(sub {
    swarm_story 'peers that hang for some time', { peers => 3, http => <<'END' }, sub
    dfpreheat_peer_timeout 1s;
    dfpreheat_unreachable_peers 1;
END
    {
        my ($warm, $dragonfly) = @_;

        my ($one, $two, $three) = @{ $dragonfly->peers };

        $_->freeze for $two, $three;

        my $id = $warm->post('file', urls => files(@names), scope => 'all_peers',
                             concurrent_task_count => 2);

        ok(wait_until(SOON, sub { found_hung($warm, 2) }), 'two peers hang');
        $two->thaw;

        my $job = ended_within($warm, $id, LONG);
        is($job->{state}, 'SUCCESS', 'the job ends') or diag(error($job));
        is_deeply(told($job, 'success_tasks'), all_of(\@names, qw( peer-1 peer-2 )),
                  'one has come back');
        like_facts(reasons($job, 'unreachable'), [ "/^peer-3: / | $hangs | twice" ],
                   'and the other has not');
    };
});


swarm_story 'one of three peers hangs', { peers => 3, http => <<'END' }, sub {
    dfpreheat_peer_timeout 5s;
    dfpreheat_unreachable_peers 1;
END
    my ($warm, $dragonfly) = @_;

    my ($one, $two, $three) = @{ $dragonfly->peers };

    $three->freeze;

    my $id = $warm->post('file', urls => files(@names), scope => 'all_peers',
                         concurrent_task_count => 4);

    ok(wait_until(SOON, sub { $one->ended == @names && $two->ended == @names }),
       'the others have everything');
    ok(!found_hung($warm, 1), 'before it is clear that it hangs');

    $dragonfly->scheduler->hosts(map { $_->host } $one, $two);

    my $job = ended_within($warm, $id, SOON);
    is($job->{state}, 'SUCCESS', 'the job ends') or diag(error($job));
    is_deeply(told($job, 'success_tasks'), all_of(\@names, qw( peer-1 peer-2 )),
              'with what they have');
    like_facts(reasons($job, 'unreachable'),
               [ '/^peer-3: / | ' . $three->address . " | $hangs" ],
               'and with who hung');
    is_deeply(told($job, 'failure_tasks'), [], 'which is no failure of a file');
};


# One that accepts and does not answer, one that answers headers and nothing else,
# and one whose process was stopped.

swarm_story 'ways to hang', { peers => 3, http => <<'END' }, sub {
    dfpreheat_peer_timeout 1s;
    dfpreheat_unreachable_peers 3;
END
    my ($warm, $dragonfly) = @_;

    my ($one, $headers, $frozen) = @{ $dragonfly->peers };
    my $mute = IO::Socket::IP->new(Listen => 10, LocalHost => '127.0.0.1')
        or die "no port: $@";
    my $held = { wait_for => $headers->gate('never') };

    $headers->script({ default => { messages => [ { started => {
        content_length => 8, pieces => 1 } }, $held ] }, stat_local => $held });
    $frozen->freeze;
    $dragonfly->scheduler->hosts(
        (map { $_->host } $dragonfly->all),
        $one->host(id => 'mute', hostname => 'mute', ip => '127.0.0.1',
                   port => $mute->sockport));

    my $id = $warm->post('file', urls => files(qw( a b )),
                         scope => 'all_peers');

    ok(wait_until(SOON, sub { found_hung($warm, 3) }), 'all of them hang');
    $dragonfly->scheduler->hosts($one->host);

    my $job = ended_within($warm, $id, SOON);
    is($job->{state}, 'SUCCESS', 'the job ends') or diag(error($job));
    like_facts(reasons($job, 'unreachable'),
               [ map { "/^$_: / | $hangs" } qw( mute peer-2 peer-3 ) ],
               'and names them');
    is(progress($job)->{bytes_done}, 16, 'what was not finished does not count');

    ok(wait_until(SOON, sub {
           $headers->ended == 2 && !grep { !$_->{cancelled} } $headers->ended }),
       'their streams were cancelled');
};


# The files that a seed gets first, by its name.

sub files_of
{
    my ($warm, $seed) = @_;

    my $job = $warm->run('file', urls => files(@names),
                         scope => 'single_seed_peer');

    return map { m{^\Q$seed\E /files/(.+)} } @{ told($job, 'success_tasks') };
}


swarm_story 'one of two seeds hangs', { seeds => 2, http => <<'END',
    dfpreheat_peer_timeout 40s;
END
    story => { workers => 1 } }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->seeds };
    my $held = { wait_for => $one->gate('go') };
    my @job = ('file', urls => files(@names), scope => 'single_seed_peer');

    $one->script({ default => $held, stat_local => $held });

    my $job = ended_within($warm, $warm->post(@job), SOON);
    is($job->{state}, 'SUCCESS', 'the job ends') or diag(error($job));
    ok(!found_hung($warm, 1), 'before it is clear that it hangs');
    is_deeply(told($job, 'success_tasks'), all_of(\@names, 'seed-2'),
              'by the other one');
    like_facts(reasons($job, 'unreachable'),
               [ '/^seed-1: / | ' . $one->address . " | $doubtful" ],
               'and says who may hang');
    is(progress($job)->{bytes_done}, 8 * @names, 'each file counts once');
    ok(wait_until(SOON, sub {
           $one->ended == $one->calls && !grep { !$_->{cancelled} } $one->ended }),
       'its streams were cancelled');

    my ($calls, $questions) = (scalar $one->calls, scalar $one->questions);

    $job = ended_within($warm, $warm->post(@job), SOON);
    is($job->{state}, 'SUCCESS', 'so does the next job') or diag(error($job));
    is(scalar $one->calls, $calls, 'for which it gets no file');
    ok(wait_until(SOON, sub { $one->questions > $questions }), 'but is asked');
    like_facts(reasons($job, 'unreachable'), [ "/^seed-1: / | $doubtful" ],
               'and told about');

    $one->open_gate('go');

    ok(wait_until(SOON, sub {
           $job = $warm->run(@job);
           grep { /^seed-1 / } @{ told($job, 'success_tasks') };
       }), 'when it answers, it gets files again');
    is_deeply(told($job, 'unreachable'), [], 'and nothing is said of it');
};


swarm_story 'the process of one of two seeds is stopped',
    { seeds => 2, http => 'dfpreheat_peer_timeout 40s;' }, sub
{
    my ($warm, $dragonfly) = @_;

    $dragonfly->seeds->[0]->freeze;

    my $job = ended_within(
        $warm, $warm->post('file', urls => files(@names),
                           scope => 'single_seed_peer'), SOON);

    is($job->{state}, 'SUCCESS', 'the job ends') or diag(error($job));
    ok(!found_hung($warm, 1), 'before it is clear that it hangs');
    is_deeply(told($job, 'success_tasks'), all_of(\@names, 'seed-2'),
              'by the other one');
};


# It answers the question: it only takes its time.

swarm_story 'a seed that is slow', { seeds => 2, http => <<'END' }, sub
    dfpreheat_peer_timeout 1s;
END
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->seeds };
    my ($file) = files_of($warm, 'seed-1');

    $one->script({ default => { wait_for => $one->gate('go') } });
    $two->forget_calls;

    my $id = $warm->post('file', urls => files($file),
                         scope => 'single_seed_peer');

    ok(wait_until(SOON, sub { $one->questions >= 4 }), 'is asked');
    is(scalar $two->calls, 0, 'and no other seed takes over');
    $one->open_gate('go');

    my $job = ended_within($warm, $id, SOON);
    is_deeply(told($job, 'success_tasks'), ["seed-1 /files/$file"],
              'it has the file in the end');
};


# It begins after it was asked, and answers nothing any more.

swarm_story 'a seed that hangs when it has begun', { seeds => 2, http => <<'END' },
    dfpreheat_peer_timeout 40s;
END
    sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->seeds };
    my ($file) = files_of($warm, 'seed-1');
    my $held = { wait_for => $one->gate('never') };

    $one->script({ stat_local => $held, default => {
        before => 0.25, messages => [ { started => {
            content_length => 8, pieces => 1 } }, $held ] } });

    my $job = ended_within($warm, $warm->post(
        'file', urls => files($file), scope => 'single_seed_peer',
        timeout => 30 * NANO), LONG);

    is($job->{state}, 'SUCCESS', 'the job ends') or diag(error($job));
    ok(!found_hung($warm, 1), 'before it is clear that it hangs');
    is_deeply(told($job, 'success_tasks'), ["seed-2 /files/$file"],
              'by the other one');
    like_facts(reasons($job, 'unreachable'), [ "/^seed-1: / | $doubtful" ],
               'and says who may hang');
};


# Another seed got the file meanwhile, and does not answer either.

swarm_story 'a seed that answers after all', { seeds => 2, http => <<'END' }, sub
    dfpreheat_peer_timeout 40s;
END
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->seeds };
    my ($file) = files_of($warm, 'seed-1');

    for ($one, $two) {
        my $held = { wait_for => $_->gate('go') };

        $_->forget_calls;
        $_->script({ default => $held, stat_local => $held });
    }

    my $id = $warm->post('file', urls => files($file),
                         scope => 'single_seed_peer');

    ok(wait_until(SOON, sub { $one->calls && $two->calls }), 'both get the file');
    $one->open_gate('go');

    my $job = ended_within($warm, $id, SOON);
    is($job->{state}, 'SUCCESS', 'the job ends') or diag(error($job));
    is_deeply(told($job, 'success_tasks'), ["seed-1 /files/$file"],
              'with the one that has it');
    ok(wait_until(SOON, sub {
           1 == grep { $_->{cancelled} } $two->ended }),
       'and its stream was cancelled');
};


swarm_story 'a seed that cannot take over', { seeds => 2, http => <<'END' }, sub
    dfpreheat_peer_timeout 40s;
END
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->seeds };
    my ($file) = files_of($warm, 'seed-1');
    my $held = { wait_for => $one->gate('go') };
    my @job = ('file', urls => files($file), scope => 'single_seed_peer');

    $one->script({ default => $held, stat_local => $held });
    $two->script({ default => { status => 13, message => 'no space left' } });
    $_->forget_calls for $one, $two;

    my $id = $warm->post(@job);

    ok(wait_until(SOON, sub { $two->ended }), 'is asked');
    is($warm->{servers}->job($id)->{state}, 'PENDING',
       'and has no say about the file');
    $one->open_gate('go');

    my $job = ended_within($warm, $id, SOON);
    is($job->{state}, 'SUCCESS', 'the job ends') or diag(error($job));
    is_deeply(told($job, 'success_tasks'), ["seed-1 /files/$file"],
              'with the first one');

    $held->{wait_for} = $one->gate('never');
    $one->script({ default => $held, stat_local => $held });
    $two->script({ default => { status => 13,
                                message => 'backend error: 404 Not Found' } });

    $job = ended_within($warm, $warm->post(@job), SOON);
    is($job->{state}, 'FAILURE', 'what the origin refuses fails at once');
    like(error($job), facts('seed-2 | 404'), 'and says why');
};


swarm_story 'the only seed hangs',
    { seeds => 1, http => 'dfpreheat_peer_timeout 1s;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($seed) = @{ $dragonfly->seeds };

    $seed->freeze;

    my $job = ended_within(
        $warm, $warm->post('file', urls => files(qw( a b c )),
                           concurrent_task_count => 1,
                           scope => 'single_seed_peer'), SOON);

    is($job->{state}, 'FAILURE', 'the job ends');
    like(error($job), facts('3 of 3 | seed-1 | ' . $seed->address
                            . " | $hangs"), 'and says why');
};


# One of them answers the question, and the other does not know it.

swarm_story 'peers that are silent for long',
    { peers => 2, http => 'dfpreheat_peer_timeout 1s;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->peers };

    $_->script({ default => { wait_for => $one->gate('go') },
                 $_ == $two ? (stat_local => UNIMPLEMENTED) : () })
        for $one, $two;

    my $id = $warm->post('file', url => FILES . '/files/a',
                         scope => 'all_peers');

    ok(wait_until(SOON, sub { $one->questions >= 4 && $two->questions >= 4 }),
       'are asked whether they live, again and again');
    is_deeply([ map { scalar $_->calls } $one, $two ], [ 1, 1 ],
              'the file they are asked for once');
    is($warm->{servers}->job($id)->{state}, 'PENDING', 'the job waits');

    my %task = map { $_->{task_id} => 1 } $one->questions;
    is(scalar keys %task, 1, 'they are asked about that file');
    like((keys %task)[0], qr/^[0-9a-f]{64}$/, 'by its id');

    $one->open_gate('go');

    my $job = ended_within($warm, $id, SOON);
    is($job->{state}, 'SUCCESS', 'and ends well') or diag(error($job));
    is_deeply(told($job, 'unreachable'), [], 'they were there');
};


swarm_story 'the timeout of a job while a peer hangs',
    { peers => 2, http => 'dfpreheat_peer_timeout 1s;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->peers };

    $two->freeze;

    my $job = run_out($warm, 'file', url => FILES . '/files/a',
                      scope => 'all_peers', timeout => 5 * NANO);

    is($job->{state}, 'FAILURE', 'the job fails');
    like(error($job), facts("timeout | peer-2 | $hangs"), 'and says why');
    is_deeply(told($job, 'success_tasks'), ['peer-1 /files/a'],
              'who has the file is told');
    like_facts(reasons($job, 'failure_tasks'), [ "/^peer-2: / | $hangs" ],
               'and why the other one has not');
};


swarm_story 'a reload while a peer is asked whether it lives',
    { peers => 2, http => 'dfpreheat_peer_timeout 20s;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->peers };
    my $held = { wait_for => $two->gate('go') };

    $two->script({ default => $held, stat_local => $held });

    my $id = $warm->post('file', url => FILES . '/files/a',
                         scope => 'all_peers');

    ok(wait_until(SOON, sub { $two->questions }), 'it is asked');
    $warm->{servers}->nginx_reload;
    $two->open_gate('go');

    my $job = ended_within($warm, $id, SOON);
    is($job->{state}, 'SUCCESS', 'and the job ends well') or diag(error($job));
};


$some_time->();

done_testing();
