# Ports for servers of tests. Files that run in parallel must not be given
# the same ones, and a port that is free now may be taken by another file
# before nginx binds it. So each file claims a range of its own: making the
# directory t/servroot_PORT is the claim, as only one process can make it.

package Test::Nginx::Runner::Port;

use strict;
use warnings;

use File::Spec ();
use IO::Socket::INET ();

# Below the ports that Linux gives to outgoing connections, where a port may
# be taken at any moment.
use constant {
    FIRST_PORT => 10000,
    NRANGES    => 500,      # DFP::Process has those above
    RANGE_SIZE => 20,
    MAX_TRIES  => 1000,
};

my ($claimed, $turn);


# Claims a range below $dir: its first port and its directory.

sub claim
{
    my $dir = shift;

    for (1 .. MAX_TRIES) {
        my $port = FIRST_PORT + RANGE_SIZE * int rand NRANGES;
        my $root = File::Spec->rel2abs("$dir/servroot_$port");

        if (!mkdir $root) {
            next if $!{EEXIST};
            die "cannot make $root: $!; tests are run from the folder that",
                " holds $dir\n";
        }

        if (!is_free($port)) {
            rmdir $root;
            next;
        }

        ($claimed, $turn) = ($port, 0);

        return ($port, $root);
    }

    die "no free port for nginx in ", MAX_TRIES, " tries\n";
}


# A free port that is none of @used, out of the claimed range if there is
# one. The ports of a range take turns, since one that was used a moment ago
# may still have connections that are being closed.

sub free
{
    my %used = map { $_ => 1 } @_;

    for (1 .. MAX_TRIES) {
        my $port;

        if (defined $claimed) {
            $port = $claimed + 1 + $turn++ % (RANGE_SIZE - 1);

        } else {
            $port = FIRST_PORT + int rand NRANGES * RANGE_SIZE;
        }

        return $port if !$used{$port} && is_free($port);
    }

    die "no free port in ", MAX_TRIES, " tries\n";
}


sub is_free
{
    my $port = shift;

    my $sock = IO::Socket::INET->new(
        LocalAddr => '0.0.0.0',
        LocalPort => $port,
        Proto     => 'tcp',
        Listen    => 1,
        ReuseAddr => 1,
    );

    return defined $sock;
}

1;
