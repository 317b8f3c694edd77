# The scripts about webhooks, on their own: who may try which one, when, and what
# becomes of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Process qw( wait_until );
use DFP::Scripts;

use constant {
    LEASE => 30_000,    # ms
    HOUR  => 3_600_000,
    PAUSE => 2000,      # ms
    MOST  => 64,
    SOON  => 5,         # s
};

my $scripts = DFP::Scripts->start;

$scripts->{counts} = 'p:counts';

sub script { $scripts->script(@_) }
sub field  { $scripts->field(@_) }


# A job with a webhook, sealed with this key; it has ended, unless it is to wait.

sub hooked
{
    my ($uuid, %with) = @_;

    my $id = $scripts->post($uuid, hook => '01234567 sealed', %with);

    return $id if $with{waits};

    $scripts->look("w-$uuid", 1, 0);
    script('finish', $id, 1, 1, $uuid, 'SUCCESS', '', '{}', '');

    return $id;
}

# The webhooks that are due: "id tries".

sub due
{
    my $skip = shift // 0;

    my ($next, $n, @due) = script('hook_look', $skip, MOST);
    my @found;

    for (1 .. $n) {
        my ($id, $uuid, $tries, $url, $key) = splice @due, 0, 5;
        push @found, "$id $tries";
    }

    return \@found;
}

# Those that a look gives up: "id tries url error".

sub given_up
{
    my ($next, $n, @reply) = script('hook_look', 0, MOST);
    my @found;

    splice @reply, 0, 5 * $n;
    push @found, join ' ', splice @reply, 0, 4 while @reply;

    return \@found;
}

sub next_due { (script('hook_look', 0, MOST))[0] }

sub claim
{
    my ($id, $uuid, $tries) = @_;

    return join '', script('hook_claim', $id, $uuid, $tries, LEASE);
}

sub ended
{
    my ($id, $uuid, $tries, $outcome, $pause, $error) = @_;

    return join '', script('hook_end', $id, $uuid, $tries, $outcome,
                           $pause // PAUSE, $error // '');
}

# The state as GET shows it: without the time.

sub state
{
    return field(shift, 'webhook') =~ s/^(\w+ \d+) \d+ /$1 /r;
}


# What is counted, but for webhooks.

sub jobs_counted
{
    my $counted = $scripts->counted('p:counts');

    delete $counted->{$_} for grep { /^hook:/ } keys %$counted;

    return $counted;
}


subtest 'a webhook is due when its job has ended' => sub {
    $scripts->fresh;

    is(hooked('a', waits => 1), 1, 'a job is posted');
    is_deeply(due(), [], 'nothing is due');
    is(state(1), 'PENDING 0 http://hooks.test/a', 'but pending');

    $scripts->look('w', 1, 0);
    script('finish', 1, 1, 1, 'a', 'FAILURE', 'e', '', '');
    is_deeply(due(), ['1 0'], 'it is due at its end');

    my ($next, @due) = script('hook_look', 0, MOST);
    is("@due", '1 1 a 0 http://hooks.test/a 01234567', 'nginx knows what it needs');
    is($next, -1, 'there is no later one');

    $scripts->post('b');
    $scripts->look('w', 2, 1);
    script('finish', 2, 1, 1, 'b', 'SUCCESS', '', '', '');
    is_deeply(due(), ['1 0'], 'a job without one has none');
};


subtest 'it is due with the last part, and also when nobody has run the job' => sub {
    $scripts->fresh;

    hooked('a', waits => 1, parts => 2);
    $scripts->look('w', 1, 0);
    script('finish', 1, 1, 1, 'a', 'SUCCESS', '', '', '');
    is_deeply(due(), [], 'not with the first part');
    script('finish', 1, 2, 1, 'a', 'SUCCESS', '', '', '');
    is_deeply(due(), ['1 0'], 'with the last one');

    $scripts->fresh;
    hooked('a', waits => 1, timeout => 1);
    wait_until(SOON, sub { (script('settle', 1))[0] });
    is_deeply(due(), ['1 0'], 'nor has a worker to be there');
};


subtest 'one nginx tries at a time' => sub {
    $scripts->fresh;
    hooked('a');

    is(claim(1, 'a', 0), '01234567 sealed', 'the first to claim gets it');
    is(claim(1, 'a', 0), '', 'another one does not');
    is(claim(1, 'a', 1), '', 'whatever it knows');
    is_deeply(due(), [], 'it is not due');
    cmp_ok(next_due(), '>', LEASE - 5000, 'until the lease has expired');
    is(state(1), 'PENDING 1 http://hooks.test/a', 'the try is counted');

    # the lease expires

    $scripts->redis('zadd', 'p:hooks', 1, 1);
    is_deeply(due(), ['1 1'], 'then it is due again');
    is(claim(1, 'a', 0), '', 'not for who has not seen the try');
    isnt(claim(1, 'a', 1), '', 'for the next one');
    is(ended(1, 'a', 1, 'delivered'), 0, 'the first try does not count any more');
    is(ended(1, 'a', 2, 'delivered'), 1, 'the second does');
    is(state(1), 'SUCCESS 2 http://hooks.test/a ', 'it is delivered');
};


subtest 'a late outcome counts as long as nobody has tried again' => sub {
    $scripts->fresh;
    hooked('a');
    claim(1, 'a', 0);
    $scripts->redis('zadd', 'p:hooks', 1, 1);

    is(ended(1, 'a', 1, 'delivered'), 1, 'it is stored');
    is_deeply(due(), [], 'nothing is due');
    is(ended(1, 'a', 1, 'delivered'), 1, 'when it is sent again, it is known');
    is(state(1), 'SUCCESS 1 http://hooks.test/a ', 'it is delivered once');
    is(ended(1, 'a', 1, 'failed', 0, 'e'), 0, 'a failure does not count then');
    is_deeply($scripts->counted('p:counts'), { 'hook:SUCCESS' => 1,
              %{ jobs_counted() } }, 'and it is counted once');
};


subtest 'what was delivered leaves no secret' => sub {
    $scripts->fresh;
    hooked('a');
    claim(1, 'a', 0);
    ended(1, 'a', 1, 'delivered');

    is(field(1, 'hook'), '', 'the webhook is erased');
    is(field(1, 'hook_until'), '', 'and its time');
    is($scripts->redis('exists', 'p:hooks'), 0, 'nothing is due');
};


subtest 'a try that has failed is repeated after a pause' => sub {
    $scripts->fresh;
    hooked('a');
    claim(1, 'a', 0);

    is(ended(1, 'a', 1, 'failed', PAUSE, 'answered 500: no'), 1, 'it is stored');
    is(state(1), 'PENDING 1 http://hooks.test/a answered 500: no',
       'with its error');
    is_deeply(due(), [], 'it is not due');
    cmp_ok(next_due(), '<=', PAUSE, 'but soon');
    cmp_ok(next_due(), '>', 0, 'and not at once');

    $scripts->redis('zadd', 'p:hooks', 1, 1);
    claim(1, 'a', 1);
    is(state(1), 'PENDING 2 http://hooks.test/a answered 500: no',
       'while it is tried again, the error is known');
    ended(1, 'a', 2, 'returned');
    is_deeply(due(), ['1 2'], 'what a worker returns is due at once');
    is(state(1), 'PENDING 2 http://hooks.test/a answered 500: no',
       'the error is kept');
};


subtest 'after an hour it is given up' => sub {
    $scripts->fresh;
    hooked('a');

    my $left = field(1, 'hook_until') - field(1, 'updated');
    ok($left >= HOUR && $left < HOUR + 1000, 'an hour after the end of the job');
    cmp_ok($scripts->redis('pttl', 'p:job:1'), '>', HOUR,
           'the job is kept for longer');

    claim(1, 'a', 0);
    is(ended(1, 'a', 1, 'failed', HOUR, 'no'), 2, 'a pause beyond that is the end')
        for 1, 2;
    is(state(1), 'FAILURE 1 http://hooks.test/a no', 'it has failed');
    is(field(1, 'hook'), '', 'the webhook is erased');
    is($scripts->redis('exists', 'p:hooks'), 0, 'nothing is due');

    hooked('b');
    $scripts->redis('hset', 'p:job:2', 'hook_until', 1);
    is_deeply(given_up(), [ '2 0 http://hooks.test/a '
              . 'no nginx has delivered it: none that ran had a location for '
              . 'its URL and the key' ], 'what nobody could deliver is given up');
    is_deeply(given_up(), [], 'once');
    like(state(2), qr{^FAILURE 0 http://hooks.test/a .*no nginx has delivered},
         'it has failed, too, and says why');
    is(field(2, 'hook'), '', 'the webhook is erased');
    is($scripts->redis('exists', 'p:hooks'), 0, 'nothing is due');

    hooked('c');
    claim(3, 'c', 0);
    ended(3, 'c', 1, 'failed', 0, 'refused');
    $scripts->redis('hset', 'p:job:3', 'hook_until', 1);
    is_deeply(given_up(), ['3 1 http://hooks.test/a refused'], 'another');
    is(state(3), 'FAILURE 1 http://hooks.test/a refused',
       'the reason of the last try is kept');
    is_deeply($scripts->counted('p:counts'), { 'hook:FAILURE' => 3,
              %{ jobs_counted() } }, 'each is counted once');
};


subtest 'what becomes of a try is stored also while Redis has no memory' => sub {
    for my $outcome (qw( delivered failed returned )) {
        $scripts->fresh;
        hooked('a');
        claim(1, 'a', 0);
        $scripts->redis('config', 'set', 'maxmemory', 1);
        is(ended(1, 'a', 1, $outcome), 1, $outcome);
        $scripts->redis('config', 'set', 'maxmemory', 0);
    }

    $scripts->redis('hset', 'p:job:1', 'hook_until', 1);
    $scripts->redis('config', 'set', 'maxmemory', 1);
    is(scalar @{ given_up() }, 1, 'and that it is given up');
    $scripts->redis('config', 'set', 'maxmemory', 0);
};


subtest 'a job that is deleted has no webhook' => sub {
    $scripts->fresh;
    hooked('a');
    script('delete', 1, 'one');
    is_deeply(due(), [], 'it is not due');

    hooked('b');
    claim(2, 'b', 0);
    script('delete', 2, 'two');
    is(ended(2, 'b', 1, 'failed'), 0, 'a try that was under way ends');
    is($scripts->redis('exists', 'p:job:2', 'p:hooks'), 0, 'and nothing is left');
};


subtest 'what Redis has lost is neither due nor another job\'s' => sub {
    $scripts->fresh;
    hooked('a');
    $scripts->redis('del', 'p:job:1');
    is_deeply(due(), [], 'a job that is gone');
    is($scripts->redis('exists', 'p:hooks'), 0, 'is forgotten');

    $scripts->fresh;
    hooked('a');
    claim(1, 'a', 0);
    my $due = $scripts->redis('zscore', 'p:hooks', 1);
    $scripts->redis('flushall');
    $scripts->{looks} = 0;
    hooked('b', waits => 1);
    $scripts->redis('zadd', 'p:hooks', $due, 1);

    is(ended(1, 'a', 1, 'delivered'), 0, 'the old try does not count');
    $scripts->redis('zadd', 'p:hooks', 1, 1);
    is(claim(1, 'a', 0), '', 'nor can another one begin');
    is_deeply(due(), [], 'the new job has not ended');
    is(state(1), 'PENDING 0 http://hooks.test/a', 'its own delivery is pending');
};


subtest 'the oldest come first, and can be passed over' => sub {
    $scripts->fresh;
    hooked("job-$_") for 1 .. 3;
    $scripts->redis('zadd', 'p:hooks', $_, $_) for 1 .. 3;

    is_deeply(due(), [ '1 0', '2 0', '3 0' ], 'in their order');
    is_deeply(due(2), ['3 0'], 'without the first two');
    is_deeply(due(3), [], 'without all');
};


done_testing();
