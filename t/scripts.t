# The scripts that run inside Redis, on their own: who gets which part, and
# when.

use strict;
use warnings;

use File::Path qw( remove_tree );
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Process qw( wait_until );
use DFP::Scripts;

use constant {
    LEASE    => 60_000,     # ms
    SOON     => 5,          # s
};

my $scripts = DFP::Scripts->start;
my $redis = $scripts->{redis};


sub script { $scripts->script(@_) }
sub post   { $scripts->post(@_) }
sub look   { $scripts->look(@_) }
sub stored { $scripts->stored }
sub fresh  { $scripts->fresh }


subtest 'a job is stored once, however often it is sent' => sub {
    fresh();

    is(post('a'), 1, 'the first');
    is(post('b'), 2, 'another');
    is(post('a'), 1, 'the first again');
    is_deeply(look('w', 1, 0), [ '1:1 1', '2:1 1' ], 'and each waits once');
};


subtest 'a full queue still knows what it has' => sub {
    fresh();

    is(post('a', limit => 1), 1, 'there is room for one');
    is(post('b', limit => 1), 'full', 'and not for two');
    is(post('a', limit => 1), 1, 'but the first is answered again');
};


subtest 'parts are claimed once, and no more than are wanted' => sub {
    fresh();
    post('a', parts => 3);

    is_deeply(look('w', 1, 0, wanted => 0), [], 'none');
    is_deeply(look('w', 2, 1, wanted => 2), [ '1:1 1', '1:2 1' ], 'two');
    is_deeply(look('v', 1, 0), [ '1:3 1' ], 'the rest is for the next');
    is_deeply(look('w', 3, 2), [], 'and nothing is left');
};


subtest 'what was claimed by a look without an answer is claimed again' => sub {
    fresh();
    post('a', parts => 2);
    look('w', 1, 0);

    my ($fenced) = script('finish', 1, 2, 1, 'a', 'SUCCESS', '', '', '');

    is($fenced, 1, 'one of the two has ended meanwhile');
    post('b');

    is_deeply(look('v', 1, 0, wanted => 0), [], 'another worker has no share');
    is_deeply(look('w', 2, 0), [ '1:1 1' ], 'the other comes again, alone');
    is_deeply(look('w', 3, 0), [ '1:1 1' ], 'and again');
    is_deeply(look('w', 4, 3), [ '2:1 1' ], 'until it has come');
};


subtest 'a worker that dies has had its attempt' => sub {
    fresh();
    post('a');

    is_deeply(look('w', 1, 0, lease => 1), [ '1:1 1' ], 'it claims, and dies');

    ok(wait_until(SOON, sub { look('v', 1, 0, wanted => 0);
                              $redis->command('zcard', 'p:ready:edge') eq 1 }),
       'its lease runs out');
    is_deeply(look('v', 2, 1, lease => 1), [ '1:1 2' ], 'another goes on');

    is((script('finish', 1, 1, 1, 'a', 'SUCCESS', '', '', ''))[0], 0,
       'the first comes back and is refused');
    is((script('report', 1, 1, 1, 'a', LEASE, ''))[0], 0, 'whatever it says');

    ok(wait_until(SOON, sub { look('u', 1, 0, wanted => 0);
                              $redis->command('hget', 'p:job:1', 'state')
                              eq 'FAILURE' }),
       'when the last attempt has died, the job has failed');
    like($redis->command('hget', 'p:job:1', 'e:1'), qr/\b2 attempts\b|after 2/,
         'and says so');
};


subtest 'a part that is handed back has lost no attempt' => sub {
    fresh();
    post('a');

    look('w', 1, 0);
    is((script('requeue', 1, 1, 1, 'a'))[0], 1, 'it is handed back');
    is_deeply(look('v', 1, 0), [ '1:1 2' ], 'another takes it');
    is($redis->command('hget', 'p:job:1', 'd:1'), '', 'nobody has died');
    is((script('requeue', 1, 1, 1, 'a'))[0], 0, 'nobody hands back what is not his');
};


subtest 'a job ends with its last part, and its secrets with it' => sub {
    fresh();
    post('a', parts => 2, sealed => 'SECRET');
    look('w', 1, 0);

    script('finish', 1, 1, 1, 'a', 'FAILURE', 'no', '', '');
    is($redis->command('hget', 'p:job:1', 'state'), 'PENDING', 'one is left');
    is($redis->command('hget', 'p:job:1', 'sealed'), 'SECRET',
       'which needs them');

    script('finish', 1, 2, 1, 'a', 'SUCCESS', '', '', '');
    is($redis->command('hget', 'p:job:1', 'state'), 'FAILURE',
       'one failure is enough');
    is($redis->command('hget', 'p:job:1', 'sealed'), '', 'they are gone');
    cmp_ok($redis->command('pttl', 'p:job:1'), '>', 0, 'and it will be, too');
    is($redis->command('zcard', 'p:deadlines'), 0, 'nothing waits for it');
};


subtest 'a job ends when its time is over, whoever looks' => sub {
    fresh();
    post('a', timeout => 1, parts => 2);
    look('w', 1, 0, wanted => 1);

    ok(wait_until(SOON, sub { script('settle', 1);
                              $redis->command('hget', 'p:job:1', 'state')
                              eq 'FAILURE' }), 'it has failed');
    is_deeply(look('w', 2, 1), [], 'and is not claimed any more');
};

subtest 'after Redis lost its newest jobs, an old run cannot touch a new one'
    => sub {
    fresh();
    post('lost');
    look('w', 1, 0);

    fresh();
    is(post('new'), 1, 'another job has the id');
    look('v', 1, 0);

    is((script('finish', 1, 1, 1, 'lost', 'SUCCESS', '', '', ''))[0], 0,
       'the old run does not end it');
    is((script('report', 1, 1, 1, 'lost', LEASE, '{}'))[0], 0,
       'reports nothing');
    is((script('requeue', 1, 1, 1, 'lost'))[0], 0, 'hands nothing back');
    is($redis->command('hget', 'p:job:1', 'state'), 'PENDING',
       'the new job goes on');
    is((script('finish', 1, 1, 1, 'new', 'SUCCESS', '', '', ''))[0], 1,
       'and is ended by its own run');
};


subtest 'what a look claimed before the loss is not taken for a new job' => sub {
    fresh();
    post('lost');
    look('w', 1, 0);

    # as if only the job had been lost
    $redis->command('del', 'p:job:1', 'p:uuid:lost', 'p:job:next',
                    'p:lease:edge', 'p:deadlines');
    post('new');
    look('v', 1, 0);

    is_deeply(look('w', 2, 0), [], 'the worker does not get it');
};


subtest 'a job gets no id that this nginx has seen, whatever Redis has lost'
    => sub {
    fresh();
    is(post('a', newest => 41), 42, 'not one of those');
    is(post('b', newest => 41), 43, 'nor one that Redis knows');

    script('instance', 'name', 'edge', 'n', 'a', '1', 1000, 'h', 1, 99, 0, 'a n',
           '', 1);
    is(post('c'), 100, 'nor one that another nginx has told of');
};


subtest 'a POST that is sent again finds no job of another' => sub {
    fresh();
    post('a');
    $redis->command('del', 'p:job:1');

    is(post('a'), 2, 'its job is lost: it is stored again');
    is(post('a'), 2, 'and then found');
};


subtest 'a job that Redis has evicted leaves nothing behind' => sub {
    fresh();
    post('a', parts => 2);
    look('w', 1, 0, wanted => 1, lease => 1);
    $redis->command('del', 'p:job:1');

    ok(wait_until(SOON, sub { look('v', 1, 0);
                              !$redis->command('zcard', 'p:lease:edge') }),
       'its lease runs out');
    is($redis->command('exists', 'p:job:1'), 0, 'no part of it is made anew');
    is($redis->command('zcard', 'p:ready:edge'), 0, 'nothing waits');

    # whoever comes by to end it, or to say how far it is

    script('finish', 1, 1, 1, 'a', 'SUCCESS', '', '', '');
    script('report', 1, 1, 1, 'a', LEASE, '{}');
    script('requeue', 1, 1, 1, 'a');
    script('settle', 1);
    $redis->command('zadd', 'p:deadlines', 1, 1);
    look('v', 2, 1);

    is($redis->command('exists', 'p:job:1'), 0, 'whatever is done');
    is($redis->command('zcard', 'p:deadlines'), 0, 'and it is not due');
};


subtest 'without memory: nothing is stored by half, and jobs still end' => sub {
    fresh();
    post('a', timeout => 1);
    post('b');
    look('w', 1, 0, lease => 1);
    post('c');

    # a look writes down when it was, and that it lives, now and then
    $redis->command('hset', 'p:schema', 'last', 1);
    $redis->command('config', 'set', 'maxmemory', 1);
    my $before = stored();
    like(post('d'), qr/OOM/, 'a new job is refused');
    is_deeply(stored(), $before, 'and nothing of it is there');

    ok(wait_until(SOON, sub { look('v', 1, 0, wanted => 0);
                              $redis->command('hget', 'p:job:1', 'state')
                              eq 'FAILURE' }), 'one whose time is over ends');
    is_deeply(look('v', 2, 1), [ '2:1 2', '3:1 1' ], 'others are claimed');
    is((script('finish', 2, 1, 2, 'b', 'SUCCESS', '', '', ''))[0], 1,
       'and ended');
    $redis->command('config', 'set', 'maxmemory', 0);
};


subtest 'a job is deleted once, however often that is sent, and without memory'
    => sub
{
    fresh();
    post($_) for qw( a b );
    look('w', 1, 0, wanted => 1);
    $redis->command('config', 'set', 'maxmemory', 1);

    is_deeply([ script('delete', 1, 'one') ], [1], 'the first time');
    is_deeply([ script('delete', 1, 'one') ], [1], 'the same once more');
    is_deeply([ script('delete', 1, 'two') ], [0], 'another request');
    is_deeply([ script('delete', 2, 'one') ], [1], 'of another job');
    $redis->command('config', 'set', 'maxmemory', 0);

    is_deeply([ grep { /job:\d|ready|lease|deadlines|jobs|expiry/ }
                split /\n/, $redis->command('keys', '*') ], [],
              'nothing is left of them');
};


subtest 'a number of parts that is damaged stops nothing for long' => sub {
    fresh();

    for my $parts (100_000_000, 'many', '') {
        $redis->command('flushall');
        post('a', timeout => 1);
        post('b');
        $redis->command('hset', 'p:job:1', 'parts', $parts);

        my $start = time;
        my @claimed = @{ look('w', 1, 0, wanted => 2) };

        ok(scalar(grep { $_ eq '2:1 1' } @claimed), "$parts: others run");
        ok(wait_until(SOON, sub {
               look('w', 2, 1);
               $redis->command('zscore', 'p:deadlines', 1) eq '';
           }), 'it does not stay overdue');
        script('changed', '1', 1000, 1_000_000);
        is_deeply([ script('delete', 1, 'one') ], [1], 'it is deleted');
        cmp_ok(time - $start, '<', SOON, 'soon');
    }
};


subtest 'a change of a job that is sent again is seen to be done' => sub {
    fresh();
    post('a');

    is_deeply([ script('patch', 1, ',"bio":""', ',"bio":"b"', 2) ], [1],
              'the first time');
    is_deeply([ script('patch', 1, ',"bio":""', ',"bio":"b"', 2) ], [2],
              'once more: read it again');
    is_deeply([ script('patch', 1, ',"bio":"b"', ',"bio":"b"', 2) ], [1],
              'then nothing changes');
};


# As if Redis's clock had been set by so many milliseconds.

sub set_clock
{
    my $by = shift;

    my $offset = $redis->command('hget', 'p:schema', 'offset') || 0;

    $redis->command('hset', 'p:schema', 'offset', $offset + $by);
}


use constant HOUR => 3_600_000;

subtest 'the clock goes back an hour: a dead worker\'s part is taken up' => sub {
    fresh();
    post('a');
    look('w', 1, 0, lease => 2000);

    set_clock(-HOUR);
    ok(wait_until(SOON, sub { look('v', 1, 0, wanted => 0);
                              $redis->command('zcard', 'p:ready:edge') }),
       'when its lease is over');
};


subtest 'the clock goes back an hour: a job ends when its time is over' => sub {
    fresh();
    post('a', timeout => 2000);
    look('w', 1, 0);

    set_clock(-HOUR);
    ok(wait_until(SOON, sub { look('v', 1, 0, wanted => 0);
                              $redis->command('hget', 'p:job:1', 'state')
                              eq 'FAILURE' }), 'it does');
    like($redis->command('hget', 'p:job:1', 'e:1'), qr/timeout.*\b2 s\b/,
         'and says how long that was');
};


subtest 'the clock goes back an hour: what is shown is what it shows' => sub {
    fresh();
    post('a');
    look('w', 1, 0);
    set_clock(-HOUR);
    look('w', 2, 1);
    post('b');

    my ($old, $new) = map { $redis->command('hget', "p:job:$_", 'created') }
                          1, 2;
    cmp_ok(abs($new - $old), '<', HOUR / 2, 'no hour is added');
};


subtest 'an nginx of the same name does not run what another has queued' => sub {
    fresh();
    post('a', queue => 'one');
    post('b', queue => 'two');
    look('w', 1, 0, queue => 'one', wanted => 0);

    is_deeply(look('v', 1, 0, queue => 'two'), [ '2:1 1' ], 'but its own');
    is_deeply(look('v', 2, 1, queue => 'two'), [], 'and no more');
    is_deeply(look('w', 2, 1, queue => 'one'), [ '1:1 1' ],
              'that is for the other');
};


subtest 'an nginx that is restarted goes on with what it had queued' => sub {
    fresh();
    post('a', parts => 2, queue => 'old');
    look('w', 1, 0, queue => 'old', wanted => 1, lease => 1000);

    my @new = (queue => 'new', lease => 1000);
    is_deeply(look('v', 1, 0, @new), [], 'not while the other may live');

    my %claims;
    ok(wait_until(SOON, sub {
           $claims{$_} = 1 for @{ look('v', 1, 0, @new) };
           keys %claims == 2;
       }), 'when it has been silent for a lease');
    is_deeply([ sort keys %claims ], [ '1:1 2', '1:2 1' ],
              'the part that it ran has lost an attempt, the other has not');
    ok(wait_until(SOON, sub { look('v', 1, 0, @new);
                              $redis->command('zcard', 'p:owners:name') == 1 }),
       'and it is forgotten');
};


subtest 'an nginx that has stopped is succeeded at once' => sub {
    fresh();
    post('a', queue => 'old');
    look('w', 1, 0, queue => 'old', wanted => 0);
    script('leave', 'name', 'old');

    is_deeply(look('v', 1, 0, queue => 'new'), [ '1:1 1' ], 'by the next look');
};


subtest 'while two live under one name, neither takes what a third has left'
    => sub {
    fresh();
    post('a', queue => 'third');
    look('u', 1, 0, queue => 'third', wanted => 0);
    look('w', 1, 0, queue => 'one');
    look('v', 1, 0, queue => 'two');
    script('leave', 'name', 'third');

    is_deeply(look('w', 2, 1, queue => 'one'), [], 'not the one');
    is_deeply(look('v', 2, 1, queue => 'two'), [], 'not the other');
    script('leave', 'name', 'one');
    is_deeply(look('v', 3, 2, queue => 'two'), [ '1:1 1' ],
              'the one that is left does');
};


subtest 'an nginx is told of another that lives under its name' => sub {
    fresh();

    my @one = ('name', 'one', 'n', '192.0.2.1', '1', LEASE, 'host-1', 11, 0);
    my @two = ('name', 'two', 'n', '192.0.2.2', '1', LEASE, 'host-2', 22, 0);
    my ($first) = script('instance', @one, 0, '192.0.2.1 n', '', 1);

    script('instance', @two, 0, '192.0.2.2 n', '', 1);
    is(scalar(script('instance', @one, $first, '192.0.2.1 n', '', 1)), 1,
       'not of one that was there');

    look('v', 1, 0, queue => 'two');
    is_deeply([ (script('instance', @one, $first - 1, '192.0.2.1 n', '',
                        1))[1 .. 4] ],
              [ 'n', '192.0.2.2', 'host-2', 22 ], 'but of one that is');
};


# What the heartbeat of an nginx is told of others, if it has these definitions.

sub beat
{
    my ($name, $master, $definitions, $cycle) = @_;

    my ($now, @reply) = script('instance', $name, "instance:$name:$master",
                               $name, 'a', '1', LEASE, 'h', 1, 0, 0, "a $name",
                               $definitions, $cycle // 1);

    return [ @reply[4 .. $#reply] ];
}


# It looks for parts, so that it counts as running.

sub runs
{
    my ($name, $master, $definitions, $lease) = @_;

    look("w-$name", 1, 0, name => $name, queue => "instance:$name:$master",
         lease => $lease // LEASE);

    return beat($name, $master, $definitions);
}


subtest 'an nginx is told of others with other definitions' => sub {
    fresh();

    my @two = ('instance:two:2', 'a two', '1 a=1');
    my @three = ('instance:three:3', 'a three', '1 a=3');

    is_deeply(runs('one', 1, '1 a=1'), [], 'there is no other');
    runs('two', 2, '1 a=1');
    runs('three', 3, '1 a=3');

    is_deeply(beat('one', 1, '1 a=1'), [ @three ], 'of the one that differs');
    is_deeply(beat('one', 1, '1 a=2'), [ @three, @two ], 'of both');
    is_deeply(beat('three', 4, '1 a=2'), [ @two ],
              'not of itself, before it was killed');
    is_deeply(beat('renamed', 3, '1 a=2'), [ @two ],
              'or before a reload has renamed it');

    script('leave', 'three', 'instance:three:3');
    is_deeply(beat('one', 1, '1 a=2'), [ @two ], 'of none that has stopped');
    $redis->command('zadd', 'p:members', 1, 'instance:two:2');
    is_deeply(beat('one', 1, '1 a=2'), [], 'of none that is away');
};


subtest 'an old worker does not replace what a new one has told' => sub {
    fresh();
    runs('two', 2, '1 a=1');

    beat('two', 2, '1 a=2', 2);
    beat('two', 2, '1 a=1', 1);
    is((@{ beat('one', 1, '1 a=3') })[2], '1 a=2', 'it is kept');
    beat('two', 2, '1 a=4', 2);
    is((@{ beat('one', 1, '1 a=3') })[2], '1 a=4', 'by this one it is');
};


subtest 'of many nginx with other definitions, always the same are told' => sub {
    fresh();
    runs("n-$_", $_, "1 a=$_") for 10 .. 30;

    my $told = beat('one', 1, '1 a=1');

    is(scalar @$told, 30, 'ten of them');
    runs("n-$_", $_, "1 a=$_", 2 * LEASE) for reverse 10 .. 20;
    is_deeply(beat('one', 1, '1 a=1'), $told, 'and these again');
};


subtest 'jobs of the time before there was a version are run' => sub {
    fresh();
    post('a', queue => 'instance:name');
    $redis->command('del', 'p:schema');

    script('instance', 'name', 'q', 'n', 'a', '1', LEASE, 'h', 1, 0, 0, 'a n',
           '', 1);
    is_deeply(look('w', 1, 0, queue => 'q'), [ '1:1 1' ], 'by who has the name');
};


subtest 'data of another version is left alone' => sub {
    fresh();
    post('a');
    $redis->command('hset', 'p:schema', 'version', 2);
    my $before = stored();

    for my $script ([ 'create', 'b', 1, 1, 9, '', '', '', 0, 1, 0, 'name',
                      '1 t', 'q' ],
                    [ 'look', 1, 1, 1, 1, 'w', 1, 0, 'name', 'edge' ],
                    [ 'finish', 1, 1, 1, 'a', 'SUCCESS', '', '', '' ],
                    [ 'report', 1, 1, 1, 'a', 1, '' ],
                    [ 'requeue', 1, 1, 1, 'a' ],
                    [ 'settle', 1 ],
                    [ 'instance', 'name', 'q', 'n', 'a', '1', 1, 'h', 1, 0, 0,
                      'a n', '', 1 ],
                    [ 'leave', 'name', 'edge' ],
                    [ 'token_create', 'h', 'n', '', 1, 1, 1 ],
                    [ 'token_find', 'h' ])
    {
        my ($name, @args) = @$script;
        like((script($name, @args))[0], qr/^DFPSCHEMA 2/, "$name says so");
    }

    is((script('check'))[0], 2, 'who connects is told');
    is_deeply(stored(), $before, 'nothing has changed');
};


# The commands of scripts, as they are written there.

subtest 'the rights that are asked for are those that the scripts need' => sub {
    my %used;

    for my $file (glob "$FindBin::Bin/../src/redis/lua/*.lua") {
        next if $file =~ /check\.lua$/;
        my ($name) = $file =~ m{(\w+)\.lua$};
        $used{$_} = 1 for DFP::Scripts::text($name) =~ /call\('([A-Z]+)'/g;
    }

    my %asked = map { $_ => 1 }
                DFP::Scripts::text('check')
                    =~ /may\('([A-Z]+)'/g;

    is_deeply([ sort keys %asked ], [ sort keys %used ], 'all of them');
};

subtest 'Redis cannot write to its disk: nothing is stored by half' => sub {
    fresh();
    post('a');
    look('w', 1, 0, lease => 1);
    post('b', timeout => 1);

    # it saves into a folder that is gone: nothing comes after this one

    $redis->command('config', 'set', 'save', '3600 1');
    remove_tree("$redis->{dir}");
    $redis->command('bgsave');
    wait_until(SOON, sub {
        $redis->command('info', 'persistence') =~
            /^rdb_last_bgsave_status:err/m;
    }) or die 'it is saved';

    my $before = stored();

    for my $script ([ 'create', 'c', 1, 1, 9, '', '', '', 0, 1, 0, 'name', 'q',
                      'a n', 'url', '', 0, 0, 0, 0, 100, 0, '', 'b', '1 t',
                      'here' ],
                    [ 'patch', 1, ',"bio":""', '', 1 ], [ 'delete', 1, 'u' ],
                    [ 'look', 1, 1, 1, 1, 'w', 2, 1, 'name', 'edge', '' ],
                    [ 'finish', 1, 1, 1, 'a', 'SUCCESS', '', '', '' ],
                    [ 'report', 1, 1, 1, 'a', 1, '' ],
                    [ 'requeue', 1, 1, 1, 'a' ],
                    [ 'settle', 2 ],
                    [ 'instance', 'name', 'q', 'n', 'a', '1', 1, 'h', 1, 0, 0,
                      'a n', '', 1 ],
                    [ 'token_create', 'h', 'n', '', 1, 1, 1 ])
    {
        my ($name, @args) = @$script;
        like((script($name, @args))[0], qr/MISCONF/, "$name says so");
    }

    is_deeply(stored(), $before, 'nothing has changed');
};

done_testing();
