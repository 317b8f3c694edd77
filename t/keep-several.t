# Jobs with args.keep_until and several nginx of one cluster: each keeps what it was
# chosen for, and one that joins gets it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find qw( find );
use Test::More;

use DFP::Cluster;
use DFP::Kept;
use DFP::Process qw( wait_until );

my $quick = '/quick/1000/a';
my %often = (http => 'dfpreheat_keep_interval 1s;');


sub kept
{
    my ($servers, @args) = @_;

    my $id = $servers->post_files([$quick], keep_until => in_seconds(HOUR), @args);
    my $job = $servers->ended_job($id, SOON);

    is($job->{state}, 'SUCCESS', 'the job succeeds') or diag(error($job));

    return $id;
}

sub lose_files { my $dir = "$_[0]{dir}/cache"; find(sub { unlink if -f }, $dir) }

sub cached { $_[0]->client->get($quick)->{headers}{'x-cache'} }

sub keepers
{
    my ($servers, $id) = @_;

    my $job = $servers->job($id);

    return join ' ', sort map { $_->{hostname} } @{ $job->{kept} };
}


cluster_story 'one joins, one leaves and comes back', { %often,
    names => [qw( one two )], lease => '1s' }, sub
{
    my ($cluster, $one, $two) = @_;

    my $id = kept($one);

    looked($one, $id, 'two');
    is(keepers($one, $id), 'one two', 'both keep it');

    my $three = $cluster->add('three');

    my $look = looked($one, $id, 'three');
    is("@$look{qw( hostname ip scheduler_cluster_id state )}",
       'three 192.0.2.13 1 SUCCESS', 'one that joins keeps it, too');
    is(cached($three), 'HIT', '... and has it');

    lose_files($two);
    looked($one, $id, 'two');
    is(cached($two), 'HIT', 'what one has lost comes back there');
    is($one->origin->requests($quick), 1, '... and nowhere else');

    # it is gone, which its last look shows

    $two->nginx_end('QUIT');
    $cluster->gathered(qw( one three ));
    looked($one, $id, 'one');
    $look = kept_of($one, $id, 'two');
    looked($one, $id, 'one');
    is(kept_of($one, $id, 'two')->{checked_at}, $look->{checked_at},
       'one that has left is not looked at');

    lose_files($two);
    $two->nginx_start;
    wait_until(LOOKS, sub { kept_of($one, $id, 'two')->{checked_at}
                            ne $look->{checked_at} }) or die "no look\n";
    is(cached($two), 'HIT', 'it has everything when it is back');
    is(keepers($one, $id), 'one three two', 'each is shown once');
};


cluster_story 'only those that were chosen', { %often, names => [qw( one two )] }, sub
{
    my ($cluster, $one, $two) = @_;

    my $all = kept($one);
    my %chosen = (
        addresses  => kept($one, ips => ['192.0.2.12']),
        count      => kept($one, count => 1),
        percentage => kept($one, percentage => 50),
        'one seed' => kept($one, scope => 'single_seed_peer'),
    );

    my %who = map { $_ => hosts($one->job($chosen{$_})) } keys %chosen;

    is($who{addresses}, 'two', 'the address was chosen');
    looked($one, $chosen{$_}) for keys %chosen;

    $cluster->add('three');
    looked($one, $all, 'three') for 1, 2;
    is_deeply({ map { $_ => keepers($one, $chosen{$_}) } keys %chosen }, \%who,
              'those that were chosen keep it, and no others');
    is(keepers($one, $all), 'one three two', 'what all have, all keep');
};


# Two addresses of which one is nobody's yet: that is a failure, unless tolerated.

cluster_story 'an address that comes later', { names => ['one'], %often }, sub
{
    my ($cluster, $one) = @_;

    my $id = kept($one, ips => [ '192.0.2.11', '192.0.2.13' ],
                  success_threshold => 50);

    $cluster->add('two');
    my $three = $cluster->add('three');

    looked($one, $id, 'three');
    is(cached($three), 'HIT', 'it gets what it was to have');
    looked($one, $id, 'one');
    is(keepers($one, $id), 'one three', '... and nobody else does');
};


done_testing;
