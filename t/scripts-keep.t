# The scripts about kept jobs, on their own: which nginx looks at which job, when, and
# what becomes of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Scripts;

use constant {
    LEASE    => 60_000,     # ms
    INTERVAL => 300_000,
    AT_ONCE  => 4,
    HOUR     => 3_600_000,
    DAY      => 86_400_000,
    NONE     => -1,
};

my $scripts = DFP::Scripts->start;
my $looks = 0;

sub script { $scripts->script(@_) }
sub field  { $scripts->field(@_) }
sub redis  { $scripts->redis(@_) }

sub now
{
    my ($seconds, $us) = split /\n/, redis('time');

    return int($seconds * 1000 + $us / 1000);
}


# A job of the nginx "edge" that is kept, at its end.

sub kept
{
    my ($uuid, %with) = @_;

    my $state = delete $with{state} // 'SUCCESS';
    my $id = $scripts->post($uuid, clusters => [ [ 1, 'all' ] ],
                            keep_until => now() + HOUR, %with);

    for my $claim (@{ claims($with{queue}) }) {
        my ($member, $run) = split / /, $claim;
        my ($job, $part) = split /:/, $member;

        script('finish', $job, $part, $run, $uuid, $state, '', '{}', '')
            if $job eq $id;
    }

    return $id;
}

sub claims
{
    my $queue = shift // 'edge';

    return $scripts->look("w-$queue", ++$looks, $looks - 1, queue => $queue);
}


# Looks are started: ms until the next one is due, and how many are under way.

sub keep
{
    my (%with) = @_;

    my $name = $with{name} // 'name';

    return join ' ', script('keep', $with{queue} // 'edge', $name,
        $with{who} // "192.0.2.1 edge", $with{clusters} // '1',
        $with{interval} // INTERVAL, AT_ONCE);
}

# What claims have if a look is run once more.

sub next_run { $_[0] =~ s/(\d+)$/$1 + 1/er }


sub end_look
{
    my ($claim, $uuid, $state, $error, $warmed) = @_;

    my ($member, $run) = split / /, $claim;
    my ($job, $part) = split /:/, $member;

    return (script('finish', $job, $part, $run, $uuid, $state, $error // '',
                   $warmed // 0, '{}'))[0];
}


subtest 'a look, and the next one' => sub {
    $scripts->fresh;

    my $id = kept('uuid');

    is(redis('zrange', 'p:kept', 0, -1), $id, 'the job is kept');
    cmp_ok(redis('pttl', "p:job:$id"), '>', HOUR, '... and so is what it tells');
    is(keep(), "@{[ NONE ]} 1", 'a look is started');
    like(keep(), qr/^\d{6} 1$/, '... one');

    my ($first) = @{ claims() };
    my $second = next_run($first);

    like($first, qr/^$id:2 \d+$/, '... behind the parts');
    is(end_look($first, 'other', 'SUCCESS'), 0, 'somebody else cannot end it');
    is(end_look($first, 'uuid', 'SUCCESS', '', 3), 1, 'it ends');
    like(field($id, 'l:2'), qr/^SUCCESS \d+ 3$/, 'the job tells it');
    is(field($id, 's:2'), '', 'nothing is under way');
    is(field($id, 'state'), 'SUCCESS', 'the job itself is as it was');
    like(keep(), qr/^\d{6} 0$/, 'the next one is due an interval later');

    redis('zincrby', 'p:looked:edge', -INTERVAL, $id);
    like(keep(), qr/ 1$/, 'then it is started');
    is_deeply(claims(), [$second], '... with the number of the first');
    is(end_look($first, 'uuid', 'FAILURE'), 0, 'the old one has no say');
    is(end_look($second, 'uuid', 'FAILURE', 'why'), 1, 'the new one has');
    like(field($id, 'l:2'), qr/^FAILURE \d+ 0$/, 'it has failed');
    is(field($id, 'e:2'), 'why', '... and why');
};


subtest 'who looks' => sub {
    $scripts->fresh;

    my $edge = $scripts->alive('edge');
    my $two = $scripts->alive('two', ip => '192.0.2.2');
    my %where = (name => 'edge', queue => $edge);

    my $all = $scripts->post('all', clusters => [ [ 1, 'all' ] ], %where,
                             keep_until => now() + HOUR);
    my $ips = $scripts->post('ips', clusters => [ [ 1, 'all' ] ], %where,
                             ips => ' 192.0.2.2 192.0.2.3',
                             keep_until => now() + HOUR, threshold => 50);
    my $one = $scripts->post('one', clusters => [ [ 1, 'one' ] ], %where,
                             keep_until => now() + HOUR);
    my $other = $scripts->post('other', clusters => [ [ 2, 'all' ] ], %where,
                               keep_until => now() + HOUR);

    for my $queue ([ edge => $edge ], [ two => $two ]) {
        for my $claim (@{ $scripts->look("w-$queue->[0]", ++$looks, 0,
                                         name => $queue->[0],
                                         queue => $queue->[1]) }) {
            my ($id, $part, $run) = split /[: ]/, $claim;

            script('finish', $id, $part, $run, field($id, 'uuid'), 'SUCCESS', '',
                   '{}', '');
        }
    }

    my ($chosen) = map { /^\S+ (.*)$/ } field($one, 'h:1');
    my $who = sub {
        my ($name, $ip, $clusters) = @_;

        keep(name => $name, queue => "q-$name", who => "$ip $name",
             clusters => $clusters // '1');

        return [ grep { field($_, "kept:$name") =~ /^[1-9]/ } $all, $ips, $one, $other ];
    };

    is_deeply($who->('edge', '192.0.2.1'), [ $all, $chosen eq 'edge' ? $one : () ],
              'one that has posted them');
    is_deeply($who->('two', '192.0.2.2'), [ $all, $ips,
                                            $chosen eq 'two' ? $one : () ],
              'one that was named');
    is_deeply($who->('three', '192.0.2.3'), [ $all, $ips ], 'one that was named, and '
              . 'was not there');
    is_deeply($who->('four', '192.0.2.4'), [ $all ], 'one that has joined');
    is_deeply($who->('five', '192.0.2.5', '2'), [ $other ], '... another cluster');
    is_deeply($who->('six', '192.0.2.6', '12'), [], '... one whose id is longer');
};


subtest 'as many at once as may be, the oldest first' => sub {
    $scripts->fresh;

    my @ids = map { kept("uuid-$_") } 1 .. 6;

    like(keep(), qr/^0 4$/, 'four are started, and more are due');
    like(keep(), qr/^0 4$/, '... and no more');

    my @claims = @{ claims() };

    is_deeply([ map { /^(\d+):/ } @claims ], [ @ids[0 .. 3] ], 'those of the first');
    end_look($claims[0], 'uuid-1', 'SUCCESS');
    like(keep(), qr/^0 4$/, 'one has ended, another one begins');
    is_deeply([ map { /^(\d+):/ } @{ claims() } ], [ $ids[4] ], '... the next');
};


subtest 'a worker that dies' => sub {
    $scripts->fresh;

    my $id = kept('uuid');

    keep();

    my ($claim) = @{ claims() };

    redis('zadd', 'p:lease:edge', 1, "$id:2");
    $claim = next_run($claim);
    is_deeply(claims(), [$claim], 'another one goes on');
    redis('zadd', 'p:lease:edge', 1, "$id:2");
    claims();
    like(field($id, 'l:2'), qr/^FAILURE /, 'the second death ends the look');
    like(field($id, 'e:2'), qr/^given up after 2 attempts/, '... with the reason');

    redis('zincrby', 'p:looked:edge', -INTERVAL, $id);
    like(keep(), qr/ 1$/, 'the next look');
    is_deeply(claims(), [ next_run($claim) ], '... counts deaths anew');
};


subtest 'a look that nobody has any more' => sub {
    $scripts->fresh;

    my $id = kept('uuid');

    keep();
    redis('zincrby', 'p:looked:edge', -INTERVAL, $id);
    redis('del', 'p:looking:edge');
    like(keep(), qr/ 0$/, 'while it is queued, there is no second one');
    redis('del', 'p:ready:edge');
    redis('zincrby', 'p:looked:edge', -INTERVAL, $id);
    like(keep(), qr/ 1$/, 'Redis has lost it: there is a new one');
};


subtest 'the end' => sub {
    $scripts->fresh;

    my $id = kept('uuid', sealed => 'sealed');
    my $other = kept('other', sealed => 'sealed');

    is(redis('get', "p:sealed:$id"), 'sealed', 'what is sealed is kept');
    cmp_ok(redis('pttl', "p:sealed:$id"), '<=', HOUR, '... no longer than the job');
    is(field($id, 'sealed'), '', '... at one place');

    keep();

    my ($claim) = @{ claims() };

    redis('zadd', 'p:kept', 1, $id);
    claims();

    is(redis('exists', "p:sealed:$id"), '0', 'at its time it is erased');
    is(redis('zrange', 'p:kept', 0, -1), $other, 'the job is not kept any more');
    is(redis('zscore', 'p:lease:edge', "$id:2"), '', 'its look is not run any more');
    is(end_look($claim, 'uuid', 'SUCCESS'), 0, '... and cannot end');

    is((script('delete', $other, 'request', 1))[0], 1, 'the other one is deleted');
    is(redis('keys', "p:*:$other"), '', 'nothing is left of it');
    is(redis('zcard', 'p:looking:edge'), '0', '... nor under way');
    is(redis('zcard', 'p:lease:edge'), '0', '... nor leased');
};


subtest 'credentials that Redis has lost' => sub {
    $scripts->fresh;

    my $id = kept('uuid', sealed => 'sealed');

    redis('del', "p:sealed:$id");
    keep();
    is_deeply(claims(), [], 'nothing is run without them');
    is(field($id, 'e:2'), 'its credentials are not stored any more', 'it says so');
};


subtest 'jobs that are not kept' => sub {
    $scripts->fresh;

    my $failed = kept('failed', state => 'FAILURE', sealed => 'sealed');

    is(redis('exists', 'p:kept', "p:sealed:$failed"), '0', 'one that has failed');

    my $waits = $scripts->post('waits', keep_until => now() + HOUR);

    is(keep(), NONE . ' 0', 'one that has not ended is not looked at');

    redis('zadd', 'p:kept', 1, $waits);
    is_deeply(claims(), [ "$waits:1 1" ], 'its time may be over before its end');
    is(field($waits, 'state'), 'PENDING', '... which changes nothing');
    redis('hset', "p:job:$waits", 'keep_until', 1);
    script('finish', $waits, 1, 1, 'waits', 'SUCCESS', '', '{}', '');
    is(field($waits, 'looks'), '', 'then it is not kept');

    redis('zadd', 'p:kept', now() + HOUR, 77);
    is(keep(), NONE . ' 0', 'one that is lost');
    is(redis('zcard', 'p:kept'), '0', '... is forgotten');
};


subtest 'a damaged job raises nothing' => sub {
    for my $missing (qw( parts looks uuid kept_in kept_by timeout state keep_until
                         c:1 )) {
        $scripts->fresh;

        my $id = kept('uuid', sealed => 'sealed');

        redis('hdel', "p:job:$id", $missing);
        like(join(' ', keep()), qr/^-?\d+ \d$/, "without $missing: it is looked at");
        claims();
        redis('zadd', 'p:kept', 1, $id);
        claims();
        is(redis('zcard', 'p:kept'), '0', '... until its time');
    }
};


subtest 'numbers of those that are gone' => sub {
    $scripts->fresh;

    my $id = kept('uuid');

    keep();
    end_look(claims()->[0], 'uuid', 'FAILURE', 'why');

    my $second = sub {
        keep(queue => 'second', name => $_[0], who => "192.0.2.9 $_[0]");

        return field($id, "kept:$_[0]");
    };

    is($second->('two'), 3, 'another nginx has another number');

    redis('hset', "p:job:$id", 'l:2', 'FAILURE ' . (now() - DAY - 1000) . ' 0');
    redis('del', 'p:looked:second', 'p:looking:second');
    is($second->('three'), 2, 'one that has not looked for a day is replaced');
    is(field($id, 'kept:name'), '', '... and is known no more');
    is(field($id, 'e:2'), '', '... nor its last look');
    is(field($id, 'looks'), 2, 'there are no more numbers than before');
};


subtest 'more numbers than one script looks through' => sub {
    $scripts->fresh;

    my @ids = map { kept("uuid-$_") } 1 .. 6;

    for my $id (@ids) {
        redis('hset', "p:job:$id", 'looks', 1000,
              map { ("l:$_", 'SUCCESS ' . now() . ' 0') } 2 .. 1001);
    }

    my $tried = sub { split /\n/, redis('zrange', 'p:looked:edge', 0, -1) };

    is(keep(), '0 0', 'none is free, and some jobs are left for the next time');
    is_deeply([ sort $tried->() ], [ @ids[0 .. 3] ], '... as many as may be at once');
    like(keep(), qr/^\d{6} 0$/, 'then the rest');
    is_deeply([ sort $tried->() ], \@ids, '... is tried');

    redis('zadd', 'p:kept', 1, $_) for @ids;
    claims();
    is(redis('zcard', 'p:kept'), 5, 'of many looks, one job ends at once');
    claims() for 2 .. @ids;
    is(redis('zcard', 'p:kept'), 0, '... and all of them one after the other');
};


# A failover: what was written last is gone, and two nginx are given one number.

subtest 'Redis has lost who has a number' => sub {
    $scripts->fresh;

    my $id = kept('uuid');
    my %other = (name => 'other', queue => 'other', who => '192.0.2.2 other');

    redis('copy', "p:job:$id", 'p:before');
    keep();

    my ($claim) = @{ claims() };

    # a failover takes longer than that

    my $then = now();

    1 while now() < $then + 10;

    redis('copy', 'p:before', "p:job:$id", 'replace');
    redis('del', map { "p:$_:edge" } qw( ready lease looked looking ));
    keep(%other);

    my ($another) = @{ claims('other') };

    like($another, qr/^$id:2 /, 'another nginx has the number');
    is(end_look($claim, 'uuid', 'SUCCESS'), 0, 'the look of the first one ends nothing');
    is(end_look($another, 'uuid', 'FAILURE', 'why'), 1, '... that of the other does');
    keep();
    is(field($id, 'kept:name'), 3, 'the first one gets another number');
};


# Jobs of a policy, of one tag.

subtest 'a job that is kept instead of another' => sub {
    $scripts->fresh;

    my $push = sub {
        my ($digest, $state) = @_;

        kept("uuid-$digest", once => '-tag', body => $digest, state => $state);
    };
    my $kept = sub { redis('zrange', 'p:kept', 0, -1) };

    my $first = $push->('first', 'SUCCESS');
    my $failed = $push->('failed', 'FAILURE');

    claims();
    is($kept->(), $first, 'one that fails is not: the tag is still kept');

    my $waits = $scripts->post('waits', once => '-tag', body => 'waits',
                               keep_until => now() + HOUR);

    claims();
    is($kept->(), "$first\n$waits", 'nor one that has not ended');
    script('finish', $waits, 1, 1, 'waits', 'SUCCESS', '', '{}', '');
    claims();
    is($kept->(), $waits, 'then it is');
    is(field($first, 'timeout'), '', '... and what looks at the first need is gone');

    cmp_ok(redis('pttl', 'p:once:-tag'), '<=', DAY, 'it is known for a day');

    my $long = $scripts->post('long', once => '-tag', body => 'long',
                              keep_until => now() + 7 * DAY);

    script('finish', $long, 1, 1, 'long', 'SUCCESS', '', '{}', '')
        if @{ claims() };
    cmp_ok(redis('pttl', 'p:once:-tag'), '>', 6 * DAY, 'or as long as it is kept');
    is($scripts->post('again', once => '-tag', body => 'long'), 'once',
       'a repeated push is no other job');
    redis('hset', "p:job:$long", 'created', now() - DAY - 1000);
    is($scripts->post('later', once => '-tag', body => 'long'), $long + 1,
       '... within a day');
};


subtest 'looks and others in one queue' => sub {
    $scripts->fresh;

    my @ids = map { kept("uuid-$_") } 1 .. 4;

    keep();

    my $posted = $scripts->post('posted', token => 7);

    is_deeply([ map { /^(\S+)/ } $scripts->claims('w', 1, 0, wanted => 2) ],
              [ "$ids[0]:2", "$posted:1" ], 'a job waits for one look at most');
    is((script('status', 'edge'))[2], 0, 'the age of what waits is not that of jobs '
       . 'that have ended');
};


done_testing;
