# What a stand-in for Dragonfly's scheduler was told, and who it says has what:
#
#     $scheduler->script({ stat => stat_of(\@layers, [ $peer, \@layers ]) });
#     called($scheduler, 'Preheat')

package DFP::Stat;

use strict;
use warnings;

use Exporter qw( import );

our @EXPORT = qw( all_on called stat_of );


# Its calls, by the beginning of their method.

sub called
{
    my ($scheduler, $begin) = @_;

    return grep { $_->{method} =~ /^$begin/ } $scheduler->calls;
}


# A reply to a stat of a file, or of an image with its layers: who has finished
# all of it, and who a part: [ $peer, the finished URLs, others ].

sub stat_of
{
    my ($layers, @holders) = @_;

    return { layers => $layers, peers => [ map {
        my ($peer, $done, $begun) = @$_;

        { ip => $peer->ip, hostname => $peer->hostname, layers => [
            (map { { url => $_, finished => 1 } } @$done),
            (map { { url => $_, finished => 0 } } @{ $begun // [] }) ] };
    } @holders ] };
}


# The same: these URLs, which are the layers, are on this peer.

sub all_on
{
    my ($peer, @urls) = @_;

    return stat_of(\@urls, [ $peer, \@urls ]);
}

1;
