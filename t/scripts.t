# The scripts that run inside Redis, on their own: who gets which part, and
# when.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Process qw( wait_until );
use DFP::Redis;

use constant {
    LEASE    => 60_000,     # ms
    ATTEMPTS => 2,
    SOON     => 5,          # s
};

my $redis = DFP::Redis->start;


# A script with its arguments; its reply as lines.

sub script
{
    my ($name, @args) = @_;

    my $text = join '', map { slurp("$FindBin::Bin/../src/lua/$_.lua") }
                            $name eq 'check' ? () : 'common', $name;

    return split /\n/, $redis->command('eval', $text, 0, 'p:', @args);
}


sub slurp
{
    my $path = shift;

    open my $file, '<', $path or die "$path: $!";
    local $/;

    return scalar <$file>;
}


# A job of so many parts, all in one queue; its id.

sub post
{
    my ($uuid, %with) = @_;

    my $parts = $with{parts} // 1;

    my ($id) = script('create', $uuid, $with{timeout} // 3_600_000, 1_000_000,
                      $with{limit} // 1000, ',"bio":""', '{"args":1}',
                      $with{sealed} // '', 0, $parts, $with{newest} // 0,
                      map { ("1 task-$_", $with{queue} // 'edge') }
                          1 .. $parts);

    return $id;
}


# What a worker claims by its look number LOOK, of which it has had the answers
# up to ANSWERED: "id:part run", sorted.

sub look
{
    my ($worker, $look, $answered, %with) = @_;

    my ($next, @claims) = script('look', $with{lease} // LEASE, ATTEMPTS, 100,
                                 $with{wanted} // 16, $worker, $look,
                                 $answered, 'name', $with{queue} // 'edge');
    my @found;

    while (my ($id, $part, $run) = splice @claims, 0, 9) {
        push @found, "$id:$part $run";
    }

    return [ sort @found ];
}


sub fresh
{
    $redis->command('flushall');
}


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
    like($redis->command('hget', 'p:job:1', 'e:1'), qr/given up after 2/,
         'and says so');
};


subtest 'a part that is handed back has lost no attempt' => sub {
    fresh();
    post('a');

    look('w', 1, 0);
    is((script('back', 1, 1, 1, 'a'))[0], 1, 'it is handed back');
    is_deeply(look('v', 1, 0), [ '1:1 2' ], 'another takes it');
    is($redis->command('hget', 'p:job:1', 'd:1'), '', 'nobody has died');
    is((script('back', 1, 1, 1, 'a'))[0], 0, 'nobody hands back what is not his');
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

done_testing();
