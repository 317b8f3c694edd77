# Jobs of different tokens take turns in a queue: a burst of one does not hold up
# the single job of another.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Client;
use DFP::Facts;
use DFP::Process qw( wait_until );
use DFP::Results qw( error );
use DFP::Story qw( story );

use constant {
    SOON     => 20,             # s: what needs no timer
    LONG     => 90,
    MOMENT   => 10,
    A_SECOND => 1_000_000_000,  # ns: the unit of a job's timeout
    BURST    => 300,
    MANY     => 3000,
    HANDFUL  => 5,
    FEW      => 40,             # jobs of two tokens that have ended
};

my $gate = '/gate/1000/front';

# one at a time, so that there is an order
my %slow = (workers => 1, http => 'dfpreheat_worker_calls 1;');


# A client with a token of its own.

sub somebody
{
    my $servers = shift;

    return DFP::Client->new(port => $servers->{port}, token => $servers->token);
}


# Posts a job for each of these; their ids.

sub post
{
    my ($servers, $client, @paths) = @_;

    return map {
        my $answer = $client->post('/oapi/v1/jobs', $servers->files([$_]));

        die "no job: $answer->{body}" if $answer->{status} != 200;
        $answer->{json}{id};
    } @paths;
}


sub named
{
    my ($name, $count) = @_;

    return map { "/quick/10/$name-$_" } 1 .. $count;
}


# Something that keeps all others waiting, until the gate is opened.

sub in_front
{
    my ($servers, $client) = @_;

    my ($id) = post($servers, $client, $gate);

    $servers->origin->wait_at_gate($gate, SOON) or die 'nobody fetches it';

    return $id;
}


sub ended
{
    my ($servers, $seconds) = @_;

    return wait_until($seconds, sub {
        $servers->redis('zcard', 'dfpreheat:deadlines') eq '0';
    });
}


# Jobs of several names, in the order in which they have ended.

sub order
{
    my ($servers, %ids) = @_;

    my %ended;

    for my $who (keys %ids) {
        $ended{"$who $_"} = $servers->job($_)->{updated_at} for @{ $ids{$who} };
    }

    return map { s/ .*//r } sort { $ended{$a} cmp $ended{$b} } keys %ended;
}


sub states
{
    my ($servers, @ids) = @_;

    my %count;
    $count{ $servers->job($_)->{state} }++ for @ids;

    return \%count;
}


# Of the first that have ended, both have about as many.

sub take_turns
{
    my ($servers, $few, %ids) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %count = map { $_ => 0 } keys %ids;
    $count{$_}++ for (order($servers, %ids))[0 .. $few - 1];

    my ($one, $other) = values %count;

    cmp_ok(abs($one - $other), '<=', HANDFUL,
           'both have as many of the first that end')
        or diag(explain(\%count));
}


story 'a single job beside a burst', { %slow }, sub {
    my $servers = shift;

    my ($first, $second) = map { somebody($servers) } 1 .. 2;
    my $front = in_front($servers, $first);
    my @burst = post($servers, $first, named('burst', BURST));
    my ($single) = post($servers, $second, '/quick/10/single');

    $servers->origin->open_gate($gate);
    ok(ended($servers, LONG), 'all jobs end');
    is_deeply(states($servers, $front, @burst, $single), { SUCCESS => BURST + 2 },
              'all of them well');

    my @order = order($servers, burst => \@burst, single => [$single]);
    my ($place) = grep { $order[$_] eq 'single' } 0 .. $#order;

    cmp_ok($place, '<=', HANDFUL, 'the single one is among the first');
};


story 'two bursts take turns', { %slow }, sub {
    my $servers = shift;

    my %client = map { $_ => somebody($servers) } qw( first second );
    in_front($servers, $client{first});
    my %ids = map { $_ => [ post($servers, $client{$_}, named($_, BURST / 3)) ] }
                  qw( first second );

    $servers->origin->open_gate($gate);
    ok(ended($servers, LONG), 'all jobs end');
    take_turns($servers, FEW, %ids);
};


story 'who had a burst before is no worse off later', { %slow }, sub {
    my $servers = shift;

    my %client = map { $_ => somebody($servers) } qw( first second );

    post($servers, $client{first}, named('before', BURST / 3));
    ok(ended($servers, LONG), 'the burst is over');

    in_front($servers, $client{second});
    my %ids = map { $_ => [ post($servers, $client{$_}, named($_, BURST / 10)) ] }
                  qw( second first );

    $servers->origin->open_gate($gate);
    ok(ended($servers, LONG), 'all jobs end');
    take_turns($servers, FEW / 2, %ids);
};


# Workers look every 20 seconds, unless they are told to.

story 'a single job while others have all runs', { %slow, lease => '60s' }, sub {
    my $servers = shift;

    my ($first, $second) = map { somebody($servers) } 1 .. 2;
    my @files = map { "/gate/1000/$_" } 1 .. 3;
    my $long = $first->post('/oapi/v1/jobs', $servers->files(
                   \@files, concurrent_task_count => 1))->{json}{id};

    $servers->origin->wait_at_gate($files[0], SOON) or die 'nobody fetches it';
    my @burst = post($servers, $first, named('burst', HANDFUL));
    my ($single) = post($servers, $second, '/quick/10/single');

    ok(wait_until(MOMENT, sub {
           $servers->logged(qr/run 1 starts\b.*\bjob: $single\b/) }),
       'it does not wait for a run to end');
    $servers->origin->open_gate($_) for @files[0, 1];
    is($servers->ended_job($single, SOON)->{state}, 'SUCCESS',
       'it has the first call that is free, or the second');
    is($servers->job($_)->{state}, 'PENDING', 'the others go on')
        for $long, @burst;

    $servers->origin->open_gate($_) for @files;
    ok(ended($servers, SOON), 'and end');
};


story 'a job that times out while it is queued', { %slow }, sub {
    my $servers = shift;

    my $client = somebody($servers);

    in_front($servers, $client);
    post($servers, $client, named('burst', 7));

    my $answer = $client->post('/oapi/v1/jobs',
                               $servers->files(['/quick/10/late'],
                                               timeout => A_SECOND));
    my $job = $servers->ended_job($answer->{json}{id}, SOON);

    is($job->{state}, 'FAILURE', 'it fails');
    like(error($job), facts('timeout | 1 s', '7 parts were before it'),
         'and says how many were before it');
    is($servers->origin->requests('/quick/10/late'), 0, 'nothing was fetched');

    $servers->origin->open_gate($gate);
    ok(ended($servers, SOON), 'the others end');
};


story 'a job for each of thousands of tags', {}, sub {
    my $servers = shift;

    my ($first, $second) = map { somebody($servers) } 1 .. 2;
    my @ids = post($servers, $first, named('tag', MANY));
    my ($single) = post($servers, $second, '/quick/10/single');

    is($servers->ended_job($single, SOON)->{state}, 'SUCCESS',
       'the job of somebody else ends well');
    ok(ended($servers, LONG), 'all jobs end');
    is_deeply(states($servers, @ids), { SUCCESS => MANY }, 'all of them well');
};


done_testing();
