# Who runs which jobs: two nginx of one name, one after the other, and both
# binaries of an upgrade.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use JSON::PP qw( encode_json );
use Test::More;

use DFP::Facts;
use DFP::Process qw( wait_until );
use DFP::Servers;
use DFP::Story qw( story );
use DFP::Upgrade;

use constant {
    SOON  => 10,        # s: what needs no timer, or a short lease
    JOBS  => 10,
    LEASE => '1s',
};

# both serve the same URLs

my %edge = (lease => LEASE, http => 'dfpreheat_instance edge;',
            origin_url => 'http://files.test');

my %upgraded = (%edge, daemon => 1, main => kept_variables());


# Another nginx that shares the Redis of the first, and has a cache, an origin
# and a folder of its own.

sub second
{
    my ($servers, %options) = @_;

    my $second = DFP::Servers->new(%options, no_redis => 1,
                                   redis_port => $servers->{redis_port});

    $second->{tokens} = 100;    # names of its own
    $second->start;

    return $second;
}


sub all_end_well
{
    my ($servers, $name, @ids) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @states = map { $servers->ended_job($_, SOON)->{state} } @ids;

    is_deeply(\@states, [ ('SUCCESS') x @ids ], $name);
}


# How many requests its origin had for these files.

sub fetched
{
    my ($servers, @paths) = @_;

    my $n = 0;
    $n += $servers->origin->requests($_) for @paths;

    return $n;
}


story 'two nginx of one name: what one is posted is in its own cache',
    { %edge }, sub
{
    my $one = shift;

    my $two = second($one, %edge);
    my %both = (one => $one, two => $two);
    my %paths = map { my $name = $_;
                      $name => [ map { "/quick/1000/$name-$_" } 1 .. JOBS ] }
                    keys %both;
    my %ids = map { my $name = $_;
                    $name => [ map { $both{$name}->post_files([$_],
                                         scope => 'single_seed_peer') }
                                   @{ $paths{$name} } ] } keys %both;

    for my $name (sort keys %both) {
        my ($servers, @paths) = ($both{$name}, @{ $paths{$name} });

        all_end_well($servers, "$name: its jobs end well", @{ $ids{$name} });
        is(fetched($servers, @paths), JOBS, "$name: it has fetched its files");
        $servers->client->get($_) for @paths;
        is(fetched($servers, @paths), JOBS, "$name: clients get them from the "
                                            . 'cache');
    }

    my %pids = (one => $two->{nginx}, two => $one->{nginx});

    for my $name (sort keys %both) {
        my $other = facts(qq(nginx | instance "edge" | pid $pids{$name}));

        ok(wait_until(SOON, sub { $both{$name}->logged($other) }),
           "$name: the log names the other");
        is(scalar $both{$name}->logged(qr/ \[\w+\] .*"edge".*\bpid /), 1,
           "$name: once");
    }

    $two->stop_all;
    ok(wait_until(SOON, sub { $one->logged(qr/no (?:other|longer).*"edge"/) }),
       'when the other has gone, the log says so');
    is_deeply([ $two->severe ], [], 'the other had no alert');
};


# A request may be under way when nginx is told to quit, and its body may come later
# than the next nginx has looked for what is left.

story 'a job that is posted when the next nginx has taken over', { %edge }, sub
{
    my $one = shift;

    my $token = $one->client->{token};
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $one->{port})
        or die "no connection: $!";

    syswrite $socket, "POST /oapi/v1/jobs HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: Bearer $token\r\nConnection: close\r\n"
        . "Content-Length: 1000\r\n\r\n";

    ok(wait_until(SOON, sub { $one->redis('zcard', 'dfpreheat:owners:edge') == 1 }),
       'one nginx runs');
    $one->nginx_signal('QUIT');

    my $two = second($one, %edge);

    ok(wait_until(SOON, sub {
        $two->redis('zcard', 'dfpreheat:owners:edge') == 1 }),
       'the next has taken over all it had');

    syswrite $socket, sprintf '%-1000s',
                      encode_json($two->files(['/quick/1000/late']));

    my $answer = do { local $/; <$socket> };
    my ($id) = $answer =~ /"id":(\d+)/;

    like($answer, qr{^HTTP/1.1 200 }, 'the job is accepted');
    all_end_well($two, 'and run by the next', $id);
    $two->stop_all;
};


story 'a reload is no other nginx', { %edge }, sub
{
    my $servers = shift;

    $servers->nginx_reload;
    my $id = $servers->post_files(['/quick/1000/a']);

    all_end_well($servers, 'a job ends well', $id);
    $servers->nginx_reload;
    ok(wait_until(SOON, sub {
           $servers->redis('zcard', 'dfpreheat:owners:edge') eq '1';
       }), 'it has one queue');
    is_deeply([ $servers->logged(qr/ \[\w+\] .*"edge".*\bpid /) ], [],
              'and the log names nobody');
};


story 'nginx is killed and started again: no other nginx is suspected',
    { %edge }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/a';
    my $id = $servers->post_files([$path]);

    $servers->origin->wait_at_gate($path, SOON) or die 'nobody fetches it';
    $servers->nginx_kill;
    $servers->nginx_start;
    my $next = $servers->post_files(['/quick/1000/b']);

    all_end_well($servers, 'new jobs are run at once', $next);
    $servers->origin->open_gate($path);
    all_end_well($servers, 'the old one after a lease', $id);
    is_deeply([ $servers->logged(qr/ \[\w+\] .*"edge".*\bpid /) ], [],
              'the log names nobody');
};


story 'the binary is upgraded: jobs of both are run, none is lost',
    \%upgraded, sub
{
    my $servers = shift;

    my $path = '/gate/1000/long';
    my $origin = $servers->origin;
    my $id = $servers->post_files([$path]);
    $origin->wait_at_gate($path, SOON) or die 'nobody fetches it';

    my $old = $servers->{nginx};
    my $new = upgrade($servers);

    # both take requests, and each runs what it was posted

    my @ids = map { $servers->post_files(["/quick/1000/both-$_"]) } 1 .. JOBS;
    my @failed = grep { $servers->ended_job($_, SOON)->{state} ne 'SUCCESS' } @ids;

    # both store the same files, each without a zone that knows of the other
    is_deeply([ grep { $servers->job($_)->{result}{job_states}[0]{error}
                       !~ /another request was filling the same entry/ } @failed ],
              [], 'jobs end while both are there, and say so if both have stored');
    all_end_well($servers, '... and others end well',
                 map { $servers->post_files(["/quick/1000/again-$_"]) } 1);

    kill 'QUIT', $old;
    $origin->open_gate($path);
    ok(replaced($servers, $new), 'the old one leaves');

    my $job = $servers->ended_job($id, SOON);
    is($job->{state}, 'SUCCESS', 'the job in flight has ended well');
    is($servers->lost_attempts($job), 0, 'no attempt was lost');
    all_end_well($servers, 'and the next one, too',
                 $servers->post_files(['/quick/1000/next']));
};


# More jobs than the old workers take up at once wait in their queue.

story 'the binary is upgraded: what the old one leaves, the new one runs',
    { %upgraded, workers => 1,
      http => "$edge{http} dfpreheat_worker_calls 1;" }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/long';
    my $origin = $servers->origin;
    my $id = $servers->post_files([$path]);
    $origin->wait_at_gate($path, SOON) or die 'nobody fetches it';
    my @waiting = map { $servers->post_files(["/quick/1000/w-$_"]) } 1 .. 3;

    my $old = $servers->{nginx};
    my $new = upgrade($servers);

    kill 'QUIT', $old;
    $origin->open_gate($path);
    ok(replaced($servers, $new), 'the old one leaves');

    all_end_well($servers, 'all jobs end well', $id, @waiting);
};


# There is no event loop any more that could send a script again.

story 'a single process that quits leaves at once',
    { %edge, workers => 0, lease => '60s' }, sub
{
    my $servers = shift;

    my $queue;

    wait_until(SOON, sub {
        $queue = $servers->redis('zrange', 'dfpreheat:owners:edge', 0, -1) });
    $servers->nginx_end('QUIT');
    is($servers->redis('zscore', 'dfpreheat:owners:edge', $queue), 0,
       'Redis knows');
    $servers->nginx_start;
};


done_testing();
