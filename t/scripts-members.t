# The scripts that run inside Redis, on their own: which nginx of a cluster get
# a part, what becomes of those that are away, and whose turn it is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Process qw( wait_until );
use DFP::Scripts;

use constant {
    SHORT => 1000,      # ms, a lease
    SOON  => 10,        # s
    NAMES => [qw( a b c )],
};

my $scripts = DFP::Scripts->start;


# Three nginx are running; their queues by name.

sub three
{
    my %with = @_;

    $scripts->fresh;

    my $n = 0;

    return map { $_ => $scripts->alive($_, %with, ip => '192.0.2.' . ++$n) }
               @{+NAMES};
}


# ms, by the clock of Redis

sub now
{
    return 1000 * (split /\n/, $scripts->redis('time'))[0];
}


# A job that is posted to the nginx "a".

my $posted = 0;

sub post
{
    my ($mode, %with) = @_;

    my $queue = $with{from} // 'instance:a:a1';
    my ($name) = $queue =~ /:(.*):/;

    return $scripts->post('uuid-' . ++$posted, name => $name, queue => $queue,
                          who => '192.0.2.1 ' . $name,
                          clusters => [ [ 1, $mode ] ], %with);
}


# The names of those that have a part of the job.

sub chosen
{
    my $id = shift;

    my @names;

    for my $part (1 .. $scripts->field($id, 'parts')) {
        push @names, $scripts->field($id, "h:$part") =~ / (.*)$/;
    }

    return [ sort @names ];
}


sub finish
{
    my ($id, $part, $state) = @_;

    my $uuid = $scripts->field($id, 'uuid');
    my $run = $scripts->field($id, "n:$part");

    $scripts->script('finish', $id, $part, $run, $uuid, $state,
                     $state eq 'FAILURE' ? 'no' : '', '', '');
}


# All parts of the job that wait are claimed, each by its nginx.

sub claim_all
{
    my ($queues, %with) = @_;

    $scripts->look("worker-$_", 1000, 1000, %with, name => $_,
                   queue => $queues->{$_}) for sort keys %$queues;
}


subtest 'a job is for all members, some of them, or one' => sub {
    three();

    is_deeply(chosen(post('all')), [qw( a b c )], 'all');
    is_deeply(chosen(post('all', count => 200)), [qw( a b c )],
              'more than there are are all');
    is(@{ chosen(post('all', count => 2)) }, 2, 'two');
    is(@{ chosen(post('all', percentage => 67)) }, 2, 'two thirds');
    is(@{ chosen(post('all', percentage => 66)) }, 1, 'less than two thirds');
    is(@{ chosen(post('all', percentage => 1)) }, 1, 'at least one');
    is_deeply(chosen(post('all', ips => ' 192.0.2.3 192.0.2.1 192.0.2.3')),
              [qw( a c )], 'those with the addresses, each once');
    is(@{ chosen(post('one')) }, 1, 'one');
};


subtest 'the same text selects the same nginx, whoever is asked' => sub {
    my %queues = three();
    my %of = map { $_ => chosen(post('one', url => $_))->[0] } 1 .. 60;
    my %n;

    $n{$_}++ for values %of;
    is_deeply([ sort keys %n ], [qw( a b c )], 'all of them are used');

    for my $name (qw( b c )) {
        my %same = map { $_ => chosen(post('one', url => $_,
                                           from => $queues{$name},
                                           who => "192.0.2.9 $name"))->[0] }
                       1 .. 60;
        is_deeply(\%same, \%of, "$name selects the same");
    }

    $scripts->script('leave', 'c', $queues{c});
    my %rest = map { $_ => chosen(post('one', url => $_))->[0] } 1 .. 60;
    is_deeply([ grep { $rest{$_} ne $of{$_} } sort keys %of ],
              [ grep { $of{$_} eq 'c' } sort keys %of ],
              'when one has gone, only its texts move');
};


subtest 'members are those that run and have the cluster' => sub {
    my %queues = three();

    $scripts->alive('d', ip => '192.0.2.4', clusters => '11,21');
    is_deeply(chosen(post('all')), [qw( a b c )], 'it has other clusters');
    $scripts->script('leave', 'b', $queues{b});
    is_deeply(chosen(post('all')), [qw( a c )], 'one has stopped');
    is_deeply(chosen(post('all', from => $queues{b})), [qw( a c )],
              'also if it takes the job while it stops');
    $scripts->script('leave', $_, $queues{$_}) for qw( a c );
    is_deeply(chosen(post('all')), ['a'], 'all are stopping');

    $scripts->fresh;
    is_deeply(chosen(post('all')), ['a'], 'who takes the job runs');
    $scripts->alive($_, lease => SHORT) for qw( a b );
    is_deeply(chosen(post('all')), [qw( a b )], 'two run');
    ok(wait_until(SOON, sub { $scripts->alive('a', lease => SHORT);
                              @{ chosen(post('all')) } == 1 }),
       'until one is silent for its lease');
};


subtest 'an address that nobody has is a failure, and the others go on' => sub {
    my %queues = three();
    my $id = post('all', ips => ' 192.0.2.2 192.0.2.99');

    is($scripts->field($id, 'state'), 'PENDING', 'one of two is to be warmed');
    like($scripts->field($id, 'e:2'), qr/^192\.0\.2\.99: .*address/,
         'the other has its reason');
    claim_all(\%queues);
    finish($id, 1, 'SUCCESS');
    is($scripts->field($id, 'state'), 'FAILURE', 'the job has failed');
    is($scripts->field($id, 's:1'), 'SUCCESS', 'but not its first part');

    $id = post('all', ips => ' 192.0.2.99');
    is($scripts->field($id, 'state'), 'FAILURE', 'nobody is left');
    is($scripts->redis('zcard', 'p:deadlines'), 0, 'and nothing waits for it');
};


# Of ten parts so many succeed.

sub state_of
{
    my ($done, %with) = @_;

    $scripts->fresh;

    my %queues = map { $_ => $scripts->alive($_) } 'a' .. 'j';
    my $id = post('all', %with);

    claim_all(\%queues);
    finish($id, $_, $_ <= $done ? 'SUCCESS' : 'FAILURE') for reverse 1 .. 10;

    return $scripts->field($id, 'state');
}


subtest 'enough of the parts must succeed' => sub {
    is(state_of(9), 'FAILURE', 'nine of ten are not all');
    is(state_of(10), 'SUCCESS', 'ten are');
    is(state_of(6, threshold => 60), 'SUCCESS', 'six are 60 per cent');
    is(state_of(6, threshold => 61), 'FAILURE', 'and not 61');
    is(state_of(0, threshold => 1), 'FAILURE', 'none is never enough');
    is(state_of(9, unreachable => 100, share => 1), 'FAILURE',
       'who fails is not unreachable');
};


# Two nginx with a short lease; one of them becomes silent, with a part in its
# queue and another one that it runs. The other looks until CHECK is true.

sub silent
{
    my ($check, %with) = @_;

    my %job = (clusters => [ [ 1, 'all' ] ], %with);

    $scripts->fresh;
    my %queues = map { $_ => $scripts->alive($_, lease => SHORT) } qw( a b );
    my $running = post('all', %job);
    claim_all(\%queues, lease => SHORT);
    my $waiting = post('all', %job);
    claim_all({ a => $queues{a} }, lease => SHORT);

    finish($_, $scripts->field($_, 'h:1') =~ / a$/ ? 1 : 2, 'SUCCESS')
        for $running, $waiting;

    my $ok = wait_until(SOON, sub {
        $scripts->alive('a', lease => SHORT);
        $check->($running, $waiting);
    });

    return ($ok, $running, $waiting, %queues);
}


sub ended
{
    return 2 == grep { $scripts->field($_, 'state') ne 'PENDING' } @_;
}


subtest 'the parts of a member that is away fail, and say why' => sub {
    my ($ok, @ids) = silent(\&ended);

    ok($ok, 'both jobs end');

    for my $id (@ids[0, 1]) {
        my ($part) = grep { $scripts->field($id, "h:$_") =~ / b$/ } 1, 2;

        is($scripts->field($id, 'state'), 'FAILURE', 'one has failed');
        like($scripts->field($id, "e:$part"), qr/^b \(192\.0\.2\.1\) .*lease/,
             'it names the nginx');
        is($scripts->field($id, "u:$part"), 1, 'which was away');
        is((finish($id, $part, 'SUCCESS'))[0], 0,
           'what it reports later is not stored');
    }

    is($scripts->redis('zcard', 'p:members'), 1, 'nobody looks after it again');
};


subtest 'many parts of one that is away end together' => sub {
    $scripts->fresh;

    my %queues = map { $_ => $scripts->alive($_, lease => SHORT) } qw( a b );

    # those for Dragonfly wait for an nginx that has their cluster

    post('here', from => $queues{b}, clusters => [ [ 2, 'here' ] ])
        for 1 .. 150;
    my ($first, @ids) = map { post('all') } 1 .. 150;
    my $part = $scripts->field($first, 'h:1') =~ / b$/ ? 1 : 2;

    ok(wait_until(SOON, sub {
           $scripts->alive('a', lease => SHORT);
           $scripts->field($first, "s:$part") ne 'PENDING';
       }), 'the first has ended');
    is((grep { $scripts->field($_, "s:$part") eq 'PENDING' } @ids), 0,
       'and all others');
    is($scripts->redis('zcard', "p:ready:$queues{b}"), 150,
       'but those for Dragonfly');
};


subtest 'queues that nobody may touch do not hide those of others' => sub {
    $scripts->fresh;

    # two nginx have one name, which many have had before them

    my $beat = sub {
        $scripts->alive('twin', lease => SHORT, master => $_) for 1, 2;
        $scripts->alive('a', lease => SHORT);
    };

    $scripts->alive('twin', lease => SHORT, master => $_) for 3 .. 20;
    post('all');
    ok(wait_until(SOON, sub {
           $beat->();
           $scripts->redis('zcount', 'p:members', '(' . now(), '+inf') == 3;
       }), 'three of them are running');

    $scripts->alive('b', lease => SHORT, ip => '192.0.2.2');
    my $id = post('all', ips => ' 192.0.2.2');

    ok(wait_until(SOON, sub { $beat->();
                              $scripts->field($id, 'state') ne 'PENDING' }),
       'the part of one that is away ends');
    is($scripts->redis('zcard', 'p:members'), 3 + 18,
       'and those with parts wait for their name');
};


subtest 'a member that takes a job after others have forgotten it' => sub {
    $scripts->fresh;

    my %queues = map { $_ => $scripts->alive($_, lease => SHORT) } qw( a b );

    $scripts->script('leave', 'b', $queues{b});
    ok(wait_until(SOON, sub { $scripts->alive('a', lease => SHORT);
                              $scripts->redis('zcard', 'p:members') == 1 }),
       'one has stopped');

    my $id = post('here', from => $queues{b});

    ok(wait_until(SOON, sub { $scripts->alive('a', lease => SHORT);
                              $scripts->field($id, 'q:1') eq $queues{a} }),
       'another one takes over its part');
};


subtest 'one that is away can be tolerated' => sub {
    my ($ok, @ids) = silent(\&ended, unreachable => 1);

    ok($ok, 'both jobs end');
    is($scripts->field($_, 'state'), 'SUCCESS', 'well') for @ids[0, 1];
    is($scripts->field($ids[0], 'z:1'), 'SUCCESS', 'so does the cluster');
};


subtest 'who comes back with the same name goes on' => sub {
    my ($ok, $running, $waiting) = silent(sub {
        $scripts->alive('b', lease => SHORT, master => 2);
        $scripts->redis('zcard', 'p:ready:instance:b:b2') == 2;
    });

    ok($ok, 'it has both parts');
    is($scripts->field($_, 'state'), 'PENDING', 'nothing has failed')
        for $running, $waiting;
};


subtest 'a part for Dragonfly is run by another nginx' => sub {
    my %queues = three(lease => SHORT);
    my $id = post('here', from => $queues{b});

    ok(wait_until(SOON, sub {
           $scripts->alive('a', lease => SHORT);
           $scripts->redis('zcard', 'p:ready:instance:a:a1') == 1;
       }), 'which takes it over');
    is_deeply($scripts->look('w', 1, 0, name => 'a', queue => $queues{a}),
              ["$id:1 1"], 'and claims it');
};


subtest 'after an outage of Redis everybody has time to come back' => sub {
    my %queues = three(lease => SHORT);
    my $id = post('all');

    # nobody has looked meanwhile

    ok(wait_until(SOON, sub {
           $scripts->redis('zcount', 'p:members', '-inf', now()) == 3;
       }), 'all are silent');
    $scripts->alive('a', lease => SHORT) for 1, 2;
    is($scripts->field($id, 'state'), 'PENDING', 'the first is no judge');
    is($scripts->field($id, "u:$_"), '', "part $_ has not failed") for 1 .. 3;
};


subtest 'a look ends some overdue jobs of many members at once' => sub {
    $scripts->fresh;

    my %queues = map { $_ => $scripts->alive($_) } 'a' .. 'z';
    my $last = (map { post('all', timeout => 200) } 1 .. 40)[-1];
    my $left = sub { $scripts->redis('zcard', 'p:deadlines') };

    ok(wait_until(SOON, sub {
           my ($s, $us) = split /\n/, $scripts->redis('time');
           $s * 1000 + $us / 1000 > $scripts->field($last, 'deadline');
       }), 'all are overdue');
    $scripts->alive('a');
    cmp_ok($left->(), '>', 10, 'some are left');
    $scripts->alive('a') for 1 .. 3;
    is($left->(), 0, 'the next looks end them');
};


subtest 'tokens take turns' => sub {
    $scripts->fresh;
    $scripts->post("burst-$_", token => 1) for 1 .. 12;

    is_deeply([ $scripts->claims('w', 1, 0, wanted => 4) ],
              [ map { "$_:1 1" } 1 .. 4 ], 'the first come first');

    $scripts->post("other-$_", token => 2) for 1 .. 2;
    $scripts->post('third', token => 3);

    my @claims = $scripts->claims('w', 2, 1, wanted => 5);

    is_deeply([ sort @claims[0 .. 2] ], [ '13:1 1', '15:1 1', '5:1 1' ],
              'one of each token');
    is_deeply([ sort @claims[3 .. 4] ], [ '14:1 1', '6:1 1' ],
              'and again of those that have more');
    is_deeply([ $scripts->claims('w', 3, 2) ],
              [ map { "$_:1 1" } 7 .. 12 ], 'then the rest');
};


subtest 'a worker without room takes parts of other tokens' => sub {
    $scripts->fresh;
    $scripts->post("burst-$_", token => 1) for 1 .. 5;
    $scripts->claims('w', 1, 0, wanted => 1);
    is_deeply([ $scripts->claims('w', 2, 1, without => ' 1 ') ], [],
              'there are none');

    $scripts->post("other-$_", token => 11) for 1 .. 2;
    $scripts->post('third', token => 2);
    is_deeply([ sort $scripts->claims('w', 3, 2, without => ' 1 ') ],
              [ '6:1 1', '8:1 1' ], 'one of each');
    is_deeply([ $scripts->claims('w', 4, 3, without => ' 1 2 11 ') ], [],
              'and no more');
    is_deeply([ sort $scripts->claims('w', 5, 4) ],
              [ map { "$_:1 1" } 2 .. 5, 7 ], 'the rest waits for room');
};


subtest 'what comes back to the queue is next' => sub {
    $scripts->fresh;
    $scripts->post("job-$_") for 1 .. 3;
    $scripts->look('w', 1, 0, wanted => 1);
    $scripts->script('requeue', 1, 1, 1, 'job-1');

    is_deeply($scripts->look('w', 2, 1, wanted => 1), ['1:1 2'], 'it is');
};


subtest 'what comes back at a reload takes turns, too' => sub {
    $scripts->fresh;
    $scripts->post("burst-$_") for 1 .. 200;

    my @claims = map { $scripts->claims('w', $_, $_ - 1) } 1 .. 10;

    for (@claims) {
        my ($id, $part, $run) = split /[: ]/;

        $scripts->script('requeue', $id, $part, $run, "burst-$id");
    }

    my $id = $scripts->post('single', token => 2);

    cmp_ok($scripts->field($id, 'b:1'), '<=', 2, 'one of another token is next');
    is_deeply([ $scripts->claims('w', 11, 10, without => ' 1 ') ], ["$id:1 1"],
              'also for a worker without room');
};


subtest 'a job that was never run says how many were before it' => sub {
    $scripts->fresh;
    $scripts->post("burst-$_") for 1 .. 5;
    my $id = $scripts->post('last', timeout => 100);

    $scripts->look('w', 1, 0, wanted => 2);
    ok(wait_until(SOON, sub { $scripts->script('settle', $id);
                              $scripts->field($id, 'state') eq 'FAILURE' }),
       'its time is over');
    like($scripts->field($id, 'e:1'), qr/\b5 parts\b.*\b3\b/,
         'then, and at the end');
};


# What is told of each member, by its name.

sub listed
{
    my ($of, @reply) = ({}, $scripts->script('members'));

    while (my ($id, @rest) = splice @reply, 0, 11) {
        my %m;

        @m{qw( name ip clusters definitions running since seen ready lease
               oldest )} = @rest;
        $of->{$id} = \%m;
    }

    return $of;
}


subtest 'all members are listed, with their queues' => sub {
    my %queues = three(definitions => '1 keys=1');

    is_deeply([ sort keys %{ listed() } ], NAMES, 'all of them');
    is_deeply([ @{ listed()->{b} }{qw( name ip clusters definitions running
                                       ready lease oldest )} ],
              [ 'b', '192.0.2.2', 1, '1 keys=1', 1, 0, 0, -1 ], 'what is known');

    $scripts->script('leave', 'b', $queues{b});
    is_deeply([ map { listed()->{$_}{running} } @{+NAMES} ], [ 1, 0, 1 ],
              'one has stopped');

    $scripts->redis('hdel', "p:$queues{c}", 'clusters');
    is_deeply([ sort keys %{ listed() } ], [qw( a b )],
              'one has not said what it has');
};


# Tokens take turns, so that the part that came last may be the next.

subtest 'the age of the oldest part that waits' => sub {
    my %queues = three();
    my ($now) = $scripts->redis('time') =~ /^(\d+)/;

    my ($old, @new) = map { post('all', ips => ' 192.0.2.1',
                                 token => $_) } 1, 1, 2;

    $scripts->redis('hset', "p:job:$old", 'created', 1000 * ($now - 100));

    my $age = listed()->{a}{oldest};
    ok($age >= 100_000 && $age < 160_000, 'it is that of the first');
    is(listed()->{a}{ready}, 3, 'of three');
    is(listed()->{b}{oldest}, -1, 'another queue is empty');

    my $claimed = $scripts->look('worker-a', 1000, 1000, wanted => 1, name => 'a',
                                 queue => $queues{a});
    is_deeply($claimed, ["$old:1 1"], 'it is claimed');
    is_deeply([ @{ listed()->{a} }{qw( ready lease )} ], [ 2, 1 ], 'it runs');
    ok(listed()->{a}{oldest} < 60_000, 'others are younger');

    $scripts->redis('del', map { "p:job:$_" } @new);
    is(listed()->{a}{oldest}, 0, 'jobs that are gone have no age');
};

done_testing();
