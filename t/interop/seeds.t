# A layer goes to the seed that the scheduler would pick, so a pull makes no seed fetch
# or copy anything; get_task and delete_task tell what is where.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";

use DFP::Facts;
use DFP::Process qw( wait_until );

use Interop::Stories;

use constant {
    LAYERS => 30,
    LINES  => 250_000,      # of a layer; peers fetch what is smaller than a piece, of
                            # 4 MiB, from the registry, whoever holds it
    SOON   => 30,           # s
};


# Who holds a task as a whole, by its URL.

sub holders
{
    my ($servers, $url) = @_;

    my $job = about($servers, 'get_task', url => $url);

    return $job->{state} if $job->{state} ne 'SUCCESS';

    return join ' ', sort map { $_->{hostname} } grep { $_->{IsFinished} }
                          @{ results($job)->{peers} };
}


my $lab = lab('three seeds and a peer', peers => 4, seeds => 3);

dragonfly_story 'each layer goes to the seed that the scheduler picks', {
    lab => $lab }, sub
{
    my $servers = shift;

    my $image = image('ring', 'ring', LAYERS, LINES);
    my @urls = map { registry_url() . $_ } @{ $image->{blobs} };

    # the config and the three layers of each image come first

    splice @urls, 0, 4;
    is(@urls, LAYERS, '30 layers');

    my $job = job($servers, 'image', url => $image->{url},
                  scope => 'single_seed_peer');
    state_is($job, 'SUCCESS', 'the image is preheated');

    my $landed = landed($job);
    my %seeds;

    $seeds{ join ' ', @{ $landed->{$_} } }++ for @urls;
    is_deeply([ sort keys %seeds ], [ sort(named($lab, qw( seed-1 seed-2 seed-3 ))) ],
              'by all of them, each layer by one');

    # the peer asks whether the registry has it

    forget_requests();
    pulled($lab, 'peer-4', $_, /sha256:(\w+)/) for @urls;
    is_deeply([ map { $_->{bytes} > 1 ? "$_->{path} $_->{bytes}" : () }
                registry->transfers ], [],
              'a pull takes no more than a byte of each from the registry');

    my @wrong = grep { my ($seed) = $landed->{$_}[0] =~ /^(\S+)/;
                       holders($servers, $_) ne "peer-4 $seed" } @urls;

    is_deeply(\@wrong, [], 'and no other seed has a copy');
};

dragonfly_story 'a client preheats, verifies and purges', { lab => $lab }, sub
{
    my $servers = shift;

    my $file = origin->file('purged');
    my $all = 'peer-4 seed-1 seed-2 seed-3';

    is(holders($servers, $file->{url}), '', 'nobody has it');
    state_is(job($servers, 'file', url => $file->{url}, scope => 'all_peers'),
             'SUCCESS', 'it is preheated');
    like(holders($servers, $file->{url}), qr/^peer-4/, 'the peer has it');
    state_is(job($servers, 'file', url => $file->{url}, scope => 'all_seed_peers'),
             'SUCCESS', 'for seeds, too');
    is(holders($servers, $file->{url}), $all, 'all of them have it');

    my $job = about($servers, 'delete_task', url => $file->{url});

    state_is($job, 'SUCCESS', 'it is purged');
    is(join(' ', sort map { $_->{hostname} } @{ results($job)->{success_tasks} }),
       $all, '... everywhere');
    is(holders($servers, $file->{url}), '', 'nobody has it any more');

    forget_requests();
    pulled($lab, 'peer-4', $file->{url}, $file->{sha256});
    ok(scalar(asked_for()), 'a pull asks the origin');
};

dragonfly_story 'a scheduler that starts again does not know all peers', {
    lab => $lab }, sub
{
    my $servers = shift;

    my ($one, $two) = map { origin->file("restart-$_") } 1 .. 2;

    state_is(job($servers, 'file', url => $one->{url}, scope => 'all_seed_peers'),
             'SUCCESS', 'the seeds are known');
    $lab->restart_scheduler;

    my $job = job($servers, 'file', url => $two->{url}, scope => 'all_seed_peers');

    state_is($job, 'SUCCESS', 'a job right after that');
    is_deeply(landed($job), { $two->{url} =>
                              [ named($lab, qw( seed-1 seed-2 seed-3 )) ] },
              'is for all of them');
};

done_testing();
