# What a job says that peers hold they give to clients, without a byte from the
# origin: for each scope, with passwords, and if something is missing or has died.

use strict;
use warnings;

use FindBin;
use MIME::Base64 qw( encode_base64 );
use Test::More;

use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";

use DFP::Redis;
use DFP::Registry;

use Interop::Origin;
use Interop::Stories;

use constant {
    LOG_LINES => 1000,
    USER      => 'alice',
    PASSWORD  => 'p@:w',
};

my %hosts = (
    single_seed_peer => ['seed-1'],
    all_seed_peers   => ['seed-1'],
    all_peers        => [qw( peer-2 peer-3 )],
);


# A job for every peer of a scope, and pulls from all of these.

sub scope_story
{
    my ($lab, $scope) = @_;

    dragonfly_story "scope $scope", { lab => $lab }, sub {
        my $servers = shift;

        my @hosts = @{ $hosts{$scope} };
        my @named = named($lab, @hosts);
        my $image = image("team/$scope");
        my $file = origin->file($scope);

        my $job = job($servers, 'image', url => $image->{url},
                      scope => $scope);

        state_is($job, 'SUCCESS', 'an image: the job ends well');
        is_deeply(landed($job), { map { registry_url() . $_ => \@named }
                                  @{ $image->{blobs} } },
                  "an image: config and layers are on @hosts");

        $job = job($servers, 'file', url => $file->{url}, scope => $scope);

        state_is($job, 'SUCCESS', 'a file: the job ends well');
        is_deeply(landed($job), { $file->{url} => \@named },
                  "a file: it is on @hosts");

        pulls_from_peers($lab, $image, $file, @hosts);
        pulls_from_the_seed($lab, $file) if "@hosts" eq 'seed-1';
    };
}


sub pulls_from_peers
{
    my ($lab, $image, $file, @hosts) = @_;

    forget_requests();

    for my $host (@hosts) {
        pulled_at_once($lab, $host, registry_url() . $_, /sha256:(\w+)/)
            for @{ $image->{blobs} };

        pulled_at_once($lab, $host, $file->{url}, $file->{sha256});
    }

    is_deeply([ asked_for() ], [],
              'neither the registry nor the origin of the file was asked');
}


# A peer that was not warmed asks the origin for a byte, to see that the file is
# there, and has everything else from the seed.

sub pulls_from_the_seed
{
    my ($lab, $file) = @_;

    pulled($lab, 'peer-2', $file->{url}, $file->{sha256});

    is_deeply([ asked_for() ], ["GET $file->{path} bytes=0-0"],
              'of what a seed has another peer gets all, and the origin is '
              . 'asked for a byte');
}


sub password_story
{
    my $lab = shift;

    my $image = image('team/private');
    my $closed = DFP::Registry->start(images_of => registry,
                                      users => { USER() => PASSWORD });
    my $front = Interop::Origin->start(registry => $closed->port);

    dragonfly_story 'a registry with passwords', {
        lab => $lab, images => $front->url }, sub
    {
        my $servers = shift;

        my @named = named($lab, @{ $hosts{all_peers} });
        my $job = job($servers, 'image', url => $front->url . $image->{path},
                      username => USER, password => PASSWORD,
                      scope => 'all_peers');

        state_is($job, 'SUCCESS', 'the job ends well');
        is_deeply(landed($job), { map { $front->url . $_ => \@named }
                                  @{ $image->{blobs} } },
                  'all peers have all of it');

        my $basic = 'Basic ' . encode_base64(USER . ':' . PASSWORD, '');
        my %asked = map { $_->{path} => 1 } $front->requests(qr{/blobs/});

        is_deeply([ sort keys %asked ], [ sort @{ $image->{blobs} } ],
                  'the registry was asked for each blob');
        is_deeply([ grep { $_->{authorization} ne $basic }
                    $front->requests(qr{/blobs/}) ], [],
                  'and each time with the password of the job');

        my $secret = join '|', map { quotemeta } PASSWORD,
                                   encode_base64(USER . ':' . PASSWORD, '');
        is_deeply([ grep { /$secret/ } $servers->log_tail(LOG_LINES) ], [],
                  'which is not in the log');
    };
}


sub missing_story
{
    my $lab = shift;

    dragonfly_story 'a file that is not there', { lab => $lab }, sub {
        my $servers = shift;

        for my $scope (sort keys %hosts) {
            my $url = origin->url . "/file/none-for-$scope";
            my $job = job($servers, 'file', url => $url, scope => $scope);
            my $failures = results($job)->{failure_tasks} // [];

            state_is($job, 'FAILURE', "$scope: the job fails");
            is_deeply([ sort map { "$_->{hostname} $_->{ip} $_->{url}" }
                        @$failures ],
                      [ map { "$_ $url" } named($lab, @{ $hosts{$scope} }) ],
                      "$scope: each peer is named");
            like($_->{description}, qr/backend error: 404 Not Found/,
                 "$scope: with what it has said") for @$failures;
        }
    };
}


# What is preheated by the digest of its blobs is found by peers that identify
# blobs so, and by no others; and the other way round.

sub digest_story
{
    my ($lab, $of_peers) = @_;

    my $name = $of_peers ? 'peers that identify blobs by their digest'
                         : 'peers that do not';

    dragonfly_story $name, { lab => $lab }, sub {
        my $servers = shift;

        for my $of_job (0, 1) {
            my $same = $of_job == $of_peers;
            my $name = "digest/$of_peers-$of_job";
            my $image = image($name, $name);     # no layers of others
            my $job = job($servers, 'image', url => $image->{url},
                          scope => 'all_peers',
                          enable_task_id_based_blob_digest =>
                              $of_job ? JSON::PP::true : JSON::PP::false);

            state_is($job, 'SUCCESS', "$of_job: the job ends well");
            forget_requests();

            for my $url (map { registry_url() . $_ } @{ $image->{blobs} }) {
                $same ? pulled_at_once($lab, 'peer-2', $url, $url =~ /sha256:(\w+)/)
                      : pulled($lab, 'peer-2', $url, $url =~ /sha256:(\w+)/);
            }

            my @asked = asked_for();
            is(@asked > 0, !$same, "$of_job: the registry is "
               . ($same ? 'not asked' : 'asked, for another task'));
        }
    };
}


# It has no chance to say that it leaves, so that the scheduler lists it for
# minutes.

sub dead_peer_story
{
    my $lab = shift;

    dragonfly_story 'a peer that has died', { lab => $lab }, sub {
        my $servers = shift;

        my $file = origin->file('while-one-is-dead');

        $lab->kill_peer('peer-3');
        my $job = job($servers, 'file', url => $file->{url},
                      scope => 'all_peers');

        ok($lab->lists('peer-3'), 'the scheduler takes it for one that lives');
        state_is($job, 'FAILURE', 'one of two is more than is tolerated');

        my $unreachable = results($job)->{unreachable} // [];
        is_deeply([ map { "$_->{hostname} $_->{ip}" } @$unreachable ],
                  [ named($lab, 'peer-3') ], 'it is named as unreachable');
        like($unreachable->[0]{description}, qr/\w/, 'with a reason');
        like($job->{result}{job_states}[0]{error}, qr/peer-3/,
             'and the error of the job names it');
        is_deeply(landed($job), { $file->{url} => [ named($lab, 'peer-2') ] },
                  'the other one has the file');
    };
}


# The scheduler chooses here, and seeds that got something on the way to the
# others are among those that have it.

sub scheduler_story
{
    my ($lab, $scope) = @_;

    dragonfly_story "scope $scope, when the scheduler does it", {
        lab => $lab, engine => 'scheduler' }, sub
    {
        my $servers = shift;

        my $file = origin->file("scheduler-$scope");
        my $job = job($servers, 'file', url => $file->{url}, scope => $scope);

        state_is($job, 'SUCCESS', 'a file: the job ends well');
        has_landed('a file', $lab, $scope, $job, $file->{url});
        forget_requests();
        pulled_at_once($lab, $_, $file->{url}, $file->{sha256})
            for @{ $hosts{$scope} };
        is_deeply([ asked_for() ], [], 'the origin was not asked');

        SKIP: {
            my $refusal = $lab->refuses_loopback(registry_url());

            if ($refusal) {
                skip "this scheduler takes no registry on loopback: $refusal",
                     1;
            }

            my $image = image("scheduler/$scope");
            my @urls = map { registry_url() . $_ } @{ $image->{blobs} };

            $job = job($servers, 'image', url => $image->{url},
                       scope => $scope);

            state_is($job, 'SUCCESS', 'an image: the job ends well');
            has_landed('an image', $lab, $scope, $job, @urls);
            forget_requests();

            for my $host (@{ $hosts{$scope} }) {
                pulled_at_once($lab, $host, $_, /sha256:(\w+)/) for @urls;
            }

            is_deeply([ asked_for() ], [],
                      'the registry was not asked');
        }
    };
}


sub has_landed
{
    my ($what, $lab, $scope, $job, @urls) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $landed = landed($job);
    my @lacking;

    for my $url (@urls) {
        my %has = map { $_ => 1 } @{ $landed->{$url} // [] };

        push @lacking, map { $has{$_} ? () : "$url on $_" }
                       named($lab, @{ $hosts{$scope} });
    }

    is_deeply(\@lacking, [], "$what: the peers of the scope have all of it");
    is_deeply([ sort keys %$landed ], [ sort @urls ],
              "$what: and nothing else is told of");
}


my $lab = lab('a scheduler without a manager, a seed and two other peers');

if ($lab) {
    scope_story($lab, $_) for qw( single_seed_peer all_seed_peers all_peers );
    password_story($lab);
    missing_story($lab);
    digest_story($lab, 0);
    dead_peer_story($lab);      # the last one: it is one peer less
}

$lab = lab('peers that identify blobs by their digest', blob_digest => 1);
digest_story($lab, 1) if $lab;

my $jobs = DFP::Redis->start;

$lab = lab('the same with a Redis, for the job service',
           job_redis => $jobs->port);

if ($lab && finds_seeds($lab)) {
    scheduler_story($lab, $_)
        for qw( single_seed_peer all_seed_peers all_peers );
}

done_testing();
