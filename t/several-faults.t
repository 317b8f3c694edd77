# One of several nginx dies or stalls in the middle of a job: what the job waits
# for, and what it says.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Cluster;
use DFP::Dragonfly;
use DFP::Facts;
use DFP::Process qw( free_port wait_until );
use DFP::Relay;

use constant {
    LEASE => '2s',
    LATE  => 3000,    # ms: after a lease, on a busy machine
    MANY  => 250,
};

my $quick = '/quick/1000/a';
my $gate = '/gate/1000/a';
my %lease = (lease => LEASE);


# Jobs that differ in their args, of which each instance fetches a file of its own
# when one of them goes away. The jobs by their names, with the time until which
# that one counted as alive.

sub while_one_goes
{
    my ($go, $jobs, $one, $two, $three) = @_;

    my %path = map { $_ => "/gate/1000/$_" } keys %$jobs;
    my %id = map { $_ => $one->post_files([ $path{$_} ], %{ $jobs->{$_} }) }
                 keys %$jobs;

    at_gates($_, $one, $two, $three) for values %path;
    $go->($three);

    my $until = kept_until($one, 'three');

    open_gates($_, $one, $two) for values %path;

    return ($until, { map { $_ => $one->ended_job($id{$_}, SOON) } keys %id },
            \%path, \%id);
}


# The third one has died: who has the file, and who has not.

sub lost_one
{
    my ($name, $job, $path) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply(told($job, 'success_tasks'), all_of([$path], qw( one two )),
              "$name: the others have it");
    is_deeply(told($job, 'unreachable'), ['three 192.0.2.13'],
              "$name: who is unreachable is listed");
}


# Not before it had its time, and not long after.

sub at_its_time
{
    my ($name, $job, $until) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $late = ms_of($job->{updated_at}) - $until;

    cmp_ok($late, '>=', 0, "$name: it had a lease to come back");
    cmp_ok($late, '<', LATE, "$name: and no more");
}


for ([ 'is killed', sub { $_[0]->nginx_kill } ],
     [ 'is stopped', sub { $_[0]->nginx_end('TERM') } ],
     [ 'stalls', sub { pause($_[0]) } ])
{
    my ($how, $go) = @$_;

    cluster_story "one $how in the middle of a job", { %lease }, sub {
        my ($cluster, $one, $two, $three) = @_;

        my ($until, $jobs, $paths, $ids) = while_one_goes($go, {
            plain     => {},
            threshold => { success_threshold => 60 },
            many      => { success_threshold => 70 },
        }, $one, $two, $three);

        for my $name (sort keys %$jobs) {
            lost_one($name, $jobs->{$name}, $paths->{$name});
            at_its_time($name, $jobs->{$name}, $until);
        }

        is($jobs->{$_}{state}, 'FAILURE', "$_: it has failed")
            for qw( plain many );
        like(error($jobs->{plain}),
             facts('/^1 of 3 instances\b/', '/\bthree \(192\.0\.2\.13\)/',
                   'dfpreheat_lease'), 'the job says who and why');
        is($jobs->{threshold}{state}, 'SUCCESS', 'unless it may')
            or diag(error($jobs->{threshold}));

        my $job = $one->ended_job($one->post_files([$quick]), SOON);

        is($job->{state}, 'SUCCESS', 'the next job ends well')
            or diag(error($job));
        is(hosts($job), 'one two', 'without the dead one');

        if ($three->{paused}) {
            comes_back($cluster, $one, $three, $paths->{plain}, $ids->{plain});
        }
    };
}


# One that had stalled goes on: what it does then is too late for a job that has
# ended.

sub comes_back
{
    my ($cluster, $one, $three, $path, $id) = @_;

    my $url = "/oapi/v1/jobs/$id";
    my $before = $one->client->get($url)->{body};

    resume($three);
    open_gates($path, $three);
    $cluster->gathered;

    my $job = $one->ended_job($one->post_files(["$quick-2"]), SOON);

    is($job->{state}, 'SUCCESS', 'it takes part in the next job')
        or diag(error($job));
    is(hosts($job), 'one three two', 'as the others');

    is($_->client->get($url)->{body}, $before, 'what has ended stays as it is')
        for $one, $three;
}


cluster_story 'one may be unreachable', { %lease,
        http => 'dfpreheat_unreachable_peers 1;' }, sub
{
    my ($cluster, @all) = @_;

    my ($until, $jobs, $paths) = while_one_goes(sub { $_[0]->nginx_kill }, {
        plain => {},
        ips   => { scope => 'all_peers',
                   ips => [ map { "192.0.2.$_" } 11 .. 13 ] },
    }, @all);

    for my $name (sort keys %$jobs) {
        lost_one($name, $jobs->{$name}, $paths->{$name});
        at_its_time($name, $jobs->{$name}, $until);
    }

    is($jobs->{plain}{state}, 'SUCCESS', 'the job ends well')
        or diag(error($jobs->{plain}));
    is(error($jobs->{plain}), '', 'without an error');
    is($jobs->{ips}{state}, 'FAILURE', 'where it was named, it has failed');
    like(error($jobs->{ips}), facts('/^1 of 3 instances\b/', 'three',
                                    'dfpreheat_lease'), 'and says why');
};


cluster_story 'the one that was posted to is killed, and the only one chosen',
    { %lease }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my $id = $three->post_files([$gate], scope => 'all_peers',
                                ips => ['192.0.2.13']);

    at_gates($gate, $three);
    $three->nginx_kill;

    my $until = kept_until($one, 'three');
    my $job = $one->ended_job($id, SOON);

    is($job->{state}, 'FAILURE', 'the others end its job');
    at_its_time('the job', $job, $until);
    is_deeply(told($job, 'unreachable'), ['three 192.0.2.13'], 'and say why');
};


# What one sends to Redis arrives when it is too late: other nginx have ended its
# part.

my $relay;

cluster_story 'one that cannot reach Redis', { %lease, each => { three => {
        before_nginx => sub {
            $relay = DFP::Relay->start($_[0]{redis_port});
            $_[0]{via} = $relay->port;
        } } } }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my ($until, $jobs, $paths, $ids) = while_one_goes(sub { $relay->holds },
        { plain => {} }, $one, $two, $three);
    my ($job, $path) = ($jobs->{plain}, $paths->{plain});

    is($job->{state}, 'FAILURE', 'the job ends');
    lost_one('the job', $job, $path);
    at_its_time('the job', $job, $until);

    my $url = "/oapi/v1/jobs/$ids->{plain}";
    my $before = $one->client->get($url)->{body};

    open_gates($path, $three);
    wait_until(SOON, sub { !$three->origin->wait_at_gate($path, 0) })
        or die 'it does not fetch the file';
    $relay->goes_on;
    $cluster->gathered;

    $job = $one->ended_job($one->post_files([$quick]), SOON);
    is(hosts($job), 'one three two', 'it takes part in the next job');
    is($one->client->get($url)->{body}, $before,
       'what it had to tell of the first one is too late');
};


# More than one look ends.

cluster_story 'one is killed that has a long queue', { %lease,
        each => { three => { workers => 1 } },
        http => 'dfpreheat_worker_calls 1;' }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my $front = $one->post_files([$gate], scope => 'all_peers',
                                 ips => ['192.0.2.13']);
    at_gates($gate, $three);

    my @ids = map { $one->post_files(["/quick/10/queued-$_"]) } 1 .. MANY;

    $three->nginx_kill;

    my @jobs = map { $one->ended_job($_, SOON) } @ids, $front;
    my %states;
    $states{ $_->{state} . " @{ told($_, 'unreachable') }" }++ for @jobs;

    is_deeply(\%states, { 'FAILURE three 192.0.2.13' => MANY + 1 },
              'all jobs end, and say why');
    is_deeply([ map { hosts($_) } @jobs[0 .. MANY - 1] ], [ ('one two') x MANY ],
              'the others have all files');
};


# A job of Dragonfly's has one part, which any of them may run. What is queued and
# what is running moves to another one.

my $dragonfly = DFP::Dragonfly->cluster(peers => 1);

cluster_story 'one is killed that runs jobs of Dragonfly\'s', { %lease,
        each => { three => { workers => 1 } }, http => sub {
            my $port = free_port();
            my $scheduler = $dragonfly->scheduler->address;

            return <<"END";
    dfpreheat_worker_calls 2;
    dfpreheat_cluster 2 name=swarm engine=peers $scheduler;
    dfpreheat_peers_allow 127.0.0.0/8;
    server {
        listen 127.0.0.1:$port;
        location \@dfpreheat_grpc { include grpc.conf; }
    }
END
        } }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my ($peer) = @{ $dragonfly->peers };
    my @paths = map { "/quick/1000/peer-$_" } 1 .. 4;

    $peer->script({ default => { wait_for => $peer->gate('go') } });

    my @ids = map {
        my $answer = $three->client->post('/oapi/v1/jobs', {
            %{ $three->files([$_], scope => 'all_peers') },
            scheduler_cluster_ids => [2] });

        $answer->{json}{id} // die "no job: $answer->{body}";
    } @paths;

    wait_until(SOON, sub { $peer->calls >= 1 }) or die 'the peer is not called';
    $three->nginx_kill;
    $peer->open_gate('go');

    my @jobs = map { $one->ended_job($_, SOON) } @ids;

    is_deeply([ map { $_->{state} . error($_) } @jobs ], [ ('SUCCESS') x 4 ],
              'all end well');
    is_deeply([ map { @{ told($_, 'success_tasks') } } @jobs ],
              [ map { 'peer-1 ' . $peer->ip . " $_" } @paths ],
              'the peer has the files');
    is($one->lost_attempts($jobs[0]), 1, 'an attempt was lost');
};

$_->stop for $dragonfly->scheduler, $dragonfly->all;


done_testing();
