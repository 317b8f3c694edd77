# What the scripts count for the metrics: each job once, whoever stores or ends it,
# and however often a script is sent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Process qw( wait_until );
use DFP::Scripts;

use constant {
    ONE   => 'p:counts:one',
    TWO   => 'p:counts:two',
    DAY   => 86_400_000,    # ms
    SOON  => 5,             # s
};

my $scripts = DFP::Scripts->start;


# Scripts are sent by the nginx with this key, from now on.

sub from { $scripts->{counts} = shift }


sub fresh
{
    $scripts->fresh;
    from(ONE);
}


# Without the sum of times, which is not known; the times by how many there are.

sub counted
{
    my $counted = $scripts->counted(shift);

    delete $counted->{ms};

    my @times = grep { /^le:/ } keys %$counted;
    my $sum = 0;

    $sum += delete $counted->{$_} for @times;

    return { %$counted, @times ? (jobs => $sum) : () };
}


sub finish
{
    my ($part, $state, $id) = @_;

    return $scripts->script('finish', $id // 1, $part, 1, 'a', $state, '', '', '');
}


sub look
{
    my $look = ++$scripts->{looks};

    return $scripts->look('w', $look, $look - 1, @_);
}


subtest 'a job of two clusters' => sub {
    fresh();

    $scripts->post('a', parts => 2) for 1 .. 2;
    is_deeply(counted(ONE), { accepted => 1 }, 'it is accepted once');

    look();
    finish(1, 'SUCCESS') for 1 .. 2;
    is_deeply(counted(ONE), { accepted => 1, '1:SUCCESS' => 1 },
              'one cluster has ended, and the script was sent twice');

    finish(2, 'FAILURE') for 1 .. 2;
    is_deeply(counted(ONE), { accepted => 1, '1:SUCCESS' => 1, '2:FAILURE' => 1,
                              jobs => 1 }, 'the other, and the job');
};


subtest 'a job that is refused' => sub {
    fresh();
    $scripts->post('a');

    is($scripts->post('b', limit => 1), 'full', 'the queue is full');
    is_deeply(counted(ONE), { accepted => 1 }, 'it is not accepted');
};


subtest 'a job that is not listed, and one with an Idempotency-Key' => sub {
    fresh();
    $scripts->post('a', user => '');
    $scripts->post($_, once => 'key') for qw( b c );
    is_deeply(counted(ONE), { accepted => 1 }, 'only the second, once');

    look();
    finish(1, 'SUCCESS', 1);
    $scripts->script('finish', 2, 1, 1, 'b', 'SUCCESS', '', '', '');
    is_deeply(counted(ONE), { accepted => 1, '1:SUCCESS' => 1, jobs => 1 },
              'and so are their ends');
};


subtest 'jobs that are deleted' => sub {
    fresh();
    $scripts->post('a');
    $scripts->post('b', user => '');
    $scripts->post('c');
    look();
    finish(1, 'SUCCESS');
    from(TWO);

    $scripts->script('delete', $_, "delete-$_") for 1, 2, 3, 3;
    is_deeply([ counted(ONE), counted(TWO) ],
              [ { accepted => 2, '1:SUCCESS' => 1, jobs => 1 }, { deleted => 1 } ],
              'one had not ended, and was listed');
};


subtest 'the parts of a cluster are one job' => sub {
    fresh();

    my @queues = map { $scripts->alive($_) } qw( one two );

    $scripts->post('a', name => 'one', queue => $queues[0],
                   who => '192.0.2.1 one', clusters => [ [ 1, 'all' ] ]);
    look(name => 'one', queue => $queues[0]);
    look(name => 'two', queue => $queues[1]);

    finish(1, 'SUCCESS');
    is_deeply(counted(ONE), { accepted => 1 }, 'one of two has ended');

    from(TWO);
    finish(2, 'SUCCESS');
    is_deeply([ counted(ONE), counted(TWO) ],
              [ { accepted => 1 }, { '1:SUCCESS' => 1, jobs => 1 } ],
              'who ends the last one counts it');
};


subtest 'a job for an address that nobody has' => sub {
    fresh();
    $scripts->post('a', ips => '192.0.2.9', clusters => [ [ 1, 'all' ] ]);

    is_deeply(counted(ONE), { accepted => 1, '1:FAILURE' => 1, jobs => 1 },
              'it ends at once');
};


for my $how ([ 'a look' => sub { look(wanted => 0) } ],
             [ 'a GET' => sub { $scripts->script('settle', 1) } ])
{
    my ($name, $end) = @$how;

    subtest "a job whose timeout has passed: $name ends it" => sub {
        fresh();
        $scripts->post('a', timeout => 1);
        from(TWO);

        ok(wait_until(SOON, sub {
            $end->();
            ($scripts->field(1, 'state') // '') eq 'FAILURE';
        }), 'it ends');
        $end->();

        is_deeply([ counted(ONE), counted(TWO) ],
                  [ { accepted => 1 }, { '1:FAILURE' => 1, jobs => 1 } ],
                  'and is counted once');
    };
}


subtest 'a job that is given up' => sub {
    fresh();
    $scripts->post('a');

    ok(wait_until(SOON, sub {
        look(lease => 1);
        $scripts->field(1, 'state') eq 'FAILURE';
    }), 'it ends');

    is_deeply(counted(ONE), { accepted => 1, '1:FAILURE' => 1, jobs => 1 },
              'and is counted once');
};


subtest 'jobs that take longer' => sub {
    fresh();

    for my $took (50, 4000, 50_000_000) {
        my $id = $scripts->post("took-$took");

        look();
        $scripts->redis('hincrby', "p:job:$id", 'created', -$took);
        $scripts->script('finish', $id, 1, 1, "took-$took", 'SUCCESS', '', '', '');
    }

    my %counted = %{ $scripts->counted(ONE) };

    is_deeply([ @counted{qw( le:100 le:5000 le:inf )} ], [ 1, 1, 1 ],
              'have buckets of their own');
    cmp_ok($counted{ms}, '>=', 50_004_050, 'and are in the sum');
    cmp_ok($counted{ms}, '<', 50_010_000, 'as long as they took');
};


subtest 'counts are kept as long as the nginx runs' => sub {
    fresh();
    $scripts->post('a');

    my $left = $scripts->redis('pttl', ONE);
    cmp_ok($left, '>', DAY - 1000 * SOON, 'a day');
    cmp_ok($left, '<=', DAY, 'at most');

    $scripts->redis('pexpire', ONE, 1000 * SOON);
    $scripts->alive('name');
    cmp_ok($scripts->redis('pttl', ONE), '>', DAY - 1000 * SOON,
           'from each heartbeat on');
};


subtest 'what is told to who asks' => sub {
    fresh();

    is_deeply([ $scripts->script('status', 'edge') ], [ (0) x 5 ], 'nothing');

    # the second token has its turn first

    $scripts->post('a', token => 1) for 1 .. 2;
    $scripts->post("b$_", token => 1) for 1 .. 3;
    $scripts->post('c', token => 2);
    look(wanted => 1);
    $scripts->redis('hincrby', 'p:job:2', 'created', -60_000);

    my ($waiting, $running, $oldest, $hooks, $age, %counts)
        = $scripts->script('status', 'edge');

    is_deeply([ $waiting, $running, $hooks, $age ], [ 4, 1, 0, 0 ], 'parts');
    cmp_ok($oldest, '>=', 60_000, 'the age of the oldest that waits');
    cmp_ok($oldest, '<', 60_000 + 1000 * SOON, 'and not more');
    is_deeply(\%counts, { accepted => 5 }, 'and the counts');
};


subtest 'webhooks that wait' => sub {
    fresh();

    for my $uuid (qw( a b )) {
        my $id = $scripts->post($uuid, hook => 'sealed');

        look();
        $scripts->script('finish', $id, 1, 1, $uuid, 'SUCCESS', '', '', '');
    }

    $scripts->redis('hincrby', 'p:job:2', 'hook_until', -60_000);

    my (undef, undef, undef, $hooks, $age) = $scripts->script('status', 'other');

    is($hooks, 2, 'are told to each nginx');
    cmp_ok($age, '>=', 60_000, 'with the time since the end of one of their jobs');
    cmp_ok($age, '<', 60_000 + 1000 * SOON, 'and not more');

    $scripts->redis('del', 'p:job:2');
    (undef, undef, undef, $hooks, $age) = $scripts->script('status', 'other');
    cmp_ok($age, '<', 1000 * SOON, 'a job that Redis has lost has no age');
};

done_testing();
