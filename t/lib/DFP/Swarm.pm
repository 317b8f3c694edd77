# Jobs for a cluster of Dragonfly, whose scheduler and peers are stand-ins:
#
#     swarm_story 'what a user would see', { seeds => 1, peers => 2 }, sub {
#         my ($warm, $dragonfly, $upstream) = @_;
#         my $job = $warm->run('file', url => FILES . '/files/a',
#                              scope => 'all_peers');
#         is_deeply(told($job, 'success_tasks'), [ ... ]);
#     };
#
# Options are those of DFP::Dragonfly->cluster, and engine, cluster (parameters of
# dfpreheat_cluster), scheduler (another address), scheme (of the scheduler's),
# settle (of dfpreheat_settle; by default lists are taken as they are),
# before (a list of addresses that come before it), http, grpc (lines of the
# location), locations (more of them), cached (true: what goes through this nginx
# is), story (options of a story).

package DFP::Swarm;

use strict;
use warnings;

use Exporter qw( import );

use DFP::Dragonfly;
use DFP::Process qw( wait_until );
use DFP::Results qw( error );
use DFP::Upstream;
use DFP::Warm;

our @EXPORT = qw( FILES REGISTRY asked ended_within error files progress reasons
                  run_out swarm_story told words );

use constant {
    REGISTRY    => 'http://registry.test',
    FILES       => 'http://files.test',
    RUN_SECONDS => 20,
};


sub swarm_story
{
    my ($name, $options, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $upstream = DFP::Upstream->start;
    my $dragonfly = DFP::Dragonfly->cluster(%$options);
    my $address = join ' ', @{ $options->{before} // [] },
                            $options->{scheduler}
                            // ($options->{scheme} // '')
                               . $dragonfly->scheduler->address;
    my %options = (engine => 'peers', settle => 0,
                   map { $_ => '' } qw( cluster http grpc locations ));

    %options = (%options, %$options);

    # what is passed on is not cached, unless a story wants it: peers keep what
    # they are told to

    my $locations = join '', map {
        location(@$_, $upstream->port,
                 $options->{cached} ? () : 'proxy_cache off;')
    } [ '/v2/', REGISTRY ], [ '/files/', FILES ];

    my %story = %{ $options{story} // {} };

    $story{http} = <<"END";
    dfpreheat_cluster 2 name=swarm engine=$options{engine} $address
                      $options{cluster};
    dfpreheat_peers_allow 127.0.0.0/8 ::1;
    dfpreheat_settle $options{settle};
    $options{http}
END

    $locations .= <<"END";
    location \@dfpreheat_grpc {
        include grpc.conf;
        $options{grpc}
    }
    $options{locations}
END

    warm_story $name, \%story, $locations, sub {
        my $warm = shift;

        $warm->clusters(2);
        $code->($warm, $dragonfly, $upstream);
    };

    $_->stop for $dragonfly->scheduler, $dragonfly->all;
}


# What a list of the result names: "hostname path", sorted.

sub told
{
    my ($job, $list) = @_;

    return [ sort map { join ' ', $_->{hostname},
                             ($_->{url} // '') =~ s{^http://[^/]+}{}r }
                  @{ _results($job)->{$list} // [] } ];
}


# The descriptions of a list, each once.

sub words
{
    my ($job, $list) = @_;

    my %words = map { $_->{description} => 1 }
                    @{ _results($job)->{$list} // [] };

    return [ sort keys %words ];
}


# The same with what is said of each: "hostname: description".

sub reasons
{
    my ($job, $list) = @_;

    return [ sort map { "$_->{hostname}: $_->{description}" }
                  @{ _results($job)->{$list} // [] } ];
}


# The URLs of files by their names.

sub files { [ map { FILES . "/files/$_" } @_ ] }


# What peers were asked for, with each call: "hostname path", sorted.

sub asked
{
    my @peers = @_;

    return [ sort map {
        my $peer = $_;
        map { $peer->hostname . ' ' . $_->{url} =~ s{^https?://[^/]+}{}r }
            $peer->calls;
    } @peers ];
}


# The job when its run has ended it. A GET would settle one whose time is over,
# and what the run has to tell would be lost.

sub run_out
{
    my ($warm, @job) = @_;

    my $id = $warm->post(@job);

    wait_until(RUN_SECONDS, sub {
        $warm->{servers}->stored_state($id) ne 'PENDING' });

    return $warm->{servers}->job($id);
}


# The job as soon as it has ended, for one that takes its time.

sub ended_within
{
    my ($warm, $id, $seconds) = @_;

    return $warm->{servers}->ended_job($id, $seconds);
}


sub _results { $_[0]{result}{job_states}[0]{results}[0] // {} }

sub progress { $_[0]{result}{job_states}[0]{progress}[0] }

1;
