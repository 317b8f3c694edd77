# The HTTP client: one connection, the bytes of a request out, all bytes in
# until the server closes.

package Test::Nginx::Runner::Client;

use strict;
use warnings;

use Errno qw( EAGAIN EINTR );
use IO::Select ();
use IO::Socket::INET ();
use Time::HiRes qw( sleep time );

use constant {
    CONNECT_TIME  => 3,
    CONNECT_PAUSE => 0.02,
    READ_SIZE     => 65536,
};


# Sends @$packets, hashes of "value" and "delay_before" (seconds), and
# returns what came and, if something went wrong, what. The time limit is for
# silence, not for the whole exchange. With "shutdown", that side of the
# connection is closed once all is sent.

sub exchange
{
    my ($packets, %opt) = @_;

    my $sock = _connect($opt{addr}, $opt{port}, $opt{timeout})
        or return ('', "cannot connect to $opt{addr}:$opt{port}: $!");

    # a server may close before it has read all, and still have answered
    local $SIG{PIPE} = 'IGNORE';

    my $c = {
        sock     => $sock,
        packets  => [@$packets],
        out      => '',
        in       => '',
        shutdown => $opt{shutdown},
    };

    _next_packet($c);

    my $trouble;
    my $read = IO::Select->new($sock);

    while (1) {
        my $write = defined $c->{out} ? $read : undef;

        my ($readable, $writable) = IO::Select->select($read, $write, undef,
                                                       $opt{timeout});

        if (!defined $readable) {
            next if $!{EINTR};
            $trouble = "no answer within $opt{timeout} s";
            last;
        }

        last if @$readable && !_read($c);
        _write($c) if @$writable;
    }

    close $sock;

    return ($c->{in}, $trouble);
}


# nginx is known to listen when this is called, but a test may have just
# stopped or reloaded it.

sub _connect
{
    my ($addr, $port, $timeout) = @_;

    my $end = time() + CONNECT_TIME;

    while (1) {
        my $sock = IO::Socket::INET->new(
            PeerAddr => $addr,
            PeerPort => $port,
            Proto    => 'tcp',
            Timeout  => $timeout,
        );

        if (defined $sock) {
            $sock->blocking(0);
            return $sock;
        }

        return if time() >= $end;

        sleep CONNECT_PAUSE;
    }
}


sub _next_packet
{
    my $c = shift;

    my $packet = shift @{ $c->{packets} };

    if (!defined $packet) {
        undef $c->{out};
        shutdown $c->{sock}, $c->{shutdown} if defined $c->{shutdown};
        return;
    }

    sleep $packet->{delay_before} if $packet->{delay_before};

    $c->{out} = $packet->{value};
}


# False at the end of what the server sends.

sub _read
{
    my $c = shift;

    my $n = sysread $c->{sock}, $c->{in}, READ_SIZE, length $c->{in};

    return $n if defined $n;
    return $!{EAGAIN} || $!{EINTR};
}


sub _write
{
    my $c = shift;

    my $n = syswrite $c->{sock}, $c->{out};

    if (!defined $n) {
        # after an error there is only the answer left to read
        undef $c->{out} unless $!{EAGAIN} || $!{EINTR};
        return;
    }

    substr($c->{out}, 0, $n) = '';

    _next_packet($c) if $c->{out} eq '';
}

1;
