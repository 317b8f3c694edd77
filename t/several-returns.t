# One of several nginx, or all of them, or Redis, goes away and comes back in the
# middle of a job.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw( encode_json );
use Test::More;
use Time::HiRes qw( sleep );

use DFP::Cluster;
use DFP::Process qw( wait_until );

use constant {
    LEASE    => '2s',
    LEASE_MS => 2000,
    AWAY     => 5,      # s: more than two leases
};

my $quick = '/quick/1000/a';
my $gate = '/gate/1000/a';
my %lease = (lease => LEASE);


cluster_story 'one is killed, and back within the lease', { %lease }, sub {
    my ($cluster, $one, $two, $three) = @_;

    my $id = $one->post_files([$gate]);
    at_gates($gate, $one, $two, $three);

    $three->nginx_kill;
    $three->nginx_start;
    open_gates($gate, $one, $two, $three);

    my $job = $one->ended_job($id, SOON);

    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply(told($job, 'success_tasks'), all_of([$gate], qw( one two three )),
              'all have the file');
    is_deeply(told($job, 'unreachable'), [], 'nobody is unreachable');
    is($three->origin->requests($gate), 2, 'it was fetched again');
    is($three->client->get($gate)->{headers}{'x-cache'}, 'HIT',
       'and is in its cache');
    $cluster->gathered;
};


# All of them are gone; Redis has what they have to do.

sub all_down
{
    my ($end, @all) = @_;

    my $id = $all[0]->post_files([$gate]);

    at_gates($gate, @all);
    $end->($_) for @all;
    wait_until(SOON, sub { !living($all[0]) }) or die 'they are not forgotten';
    is($all[0]->stored_state($id), 'PENDING', 'nobody ends the job');
    open_gates($gate, @all);

    return $id;
}

for ([ 'stopped', sub { $_[0]->nginx_end('TERM') } ],
     [ 'killed', sub { $_[0]->nginx_kill } ])
{
    my ($how, $end) = @$_;

    cluster_story "all are $how, and start again", { %lease }, sub {
        my ($cluster, @all) = @_;

        my $id = all_down($end, @all);

        $_->nginx_start for @all;

        my $job = $all[2]->ended_job($id, SOON);

        is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
        is_deeply(told($job, 'success_tasks'),
                  all_of([$gate], qw( one two three )), 'all have the file');
        is_deeply(told($job, 'unreachable'), [], 'nobody is unreachable');
    };
}


cluster_story 'all are killed, and one stays away', { %lease }, sub {
    my ($cluster, @all) = @_;

    my $id = all_down(sub { $_[0]->nginx_kill }, @all);
    my $since = redis_ms($all[0]);

    $_->nginx_start for @all[0, 1];

    my $job = $all[1]->ended_job($id, SOON);

    is($job->{state}, 'FAILURE', 'the job ends');
    is_deeply(told($job, 'success_tasks'), all_of([$gate], qw( one two )),
              'the others have the file');
    is_deeply(told($job, 'unreachable'), ['three 192.0.2.13'],
              'who has stayed away is listed');
    cmp_ok(ms_of($job->{updated_at}) - $since, '>=', LEASE_MS,
           'the third had a lease to come back');
};


cluster_story 'Redis is away for longer than a lease', { %lease }, sub {
    my ($cluster, @all) = @_;

    my $id = $all[0]->post_files([$gate]);
    at_gates($gate, @all);

    $all[0]->redis_kill;
    sleep AWAY;
    $all[0]->redis_start;
    open_gates($gate, @all);

    my $job = $all[1]->ended_job($id, SOON);

    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply(told($job, 'success_tasks'), all_of([$gate], qw( one two three )),
              'all have the file');
    is_deeply(told($job, 'unreachable'), [], 'nobody is unreachable');

    $cluster->gathered;
    $job = $all[2]->ended_job($all[2]->post_files([$quick]), SOON);
    is(hosts($job), 'one three two', 'the next job warms all');
};


# Those that have not come back yet are chosen, too.

cluster_story 'jobs that wait for Redis, or find it just back', { %lease }, sub {
    my ($cluster, $one, $two) = @_;

    my $client = $two->client;

    $one->redis_kill;
    sleep AWAY;
    $client->start('POST', '/oapi/v1/jobs',
                   encode_json($two->files(["$quick-waits"])));
    ok(!$client->answered(0), 'one is posted in the meantime');
    $one->redis_start;

    my $id = $one->post_files([$quick]);
    my %jobs = (waits => $client->finish(SOON)->{json}{id}, next => $id);

    for my $name (sort keys %jobs) {
        my $job = $one->ended_job($jobs{$name}, SOON);

        is($job->{state}, 'SUCCESS', "$name: it ends well") or diag(error($job));
        is(hosts($job), 'one three two', "$name: it warms all");
    }
};


done_testing();
