# An origin whose answers a test holds in its hands. The path says how a file
# is served:
#
#     /quick/SIZE/NAME    at once
#     /slow/SIZE/NAME     in pieces, over SLOW_SECONDS
#     /gate/SIZE/NAME     the first half; the rest when the test opens it
#     /hold/SIZE/NAME     all of it, with its header, when the test opens it
#
# It counts the requests of each path. One process, one request a connection.

package DFP::Origin;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP qw( decode_json encode_json );
use Time::HiRes qw( time );

use DFP::Process qw( run_child stop free_port wait_until );

use constant {
    SLOW_SECONDS  => 0.4,
    SLOW_PIECES   => 4,
    BACKLOG       => 128,
    READ_MAX      => 65536,
    START_TRIES   => 5,
    TICK          => 0.05,  # s: the clock of slow answers
    CONTROL       => '/-/', # paths of the test's own questions
};


sub start
{
    my $class = shift;

    my ($listen, $port);

    for (1 .. START_TRIES) {
        $port = free_port();
        $listen = IO::Socket::INET->new(
            Listen => BACKLOG, LocalAddr => '127.0.0.1', LocalPort => $port,
            ReuseAddr => 1, Blocking => 0);
        last if $listen;
    }

    die 'the origin found no port' if !$listen;

    my $self = bless {
        port => $port,
        url  => "http://127.0.0.1:$port",
    }, $class;

    $self->{pid} = run_child(sub { _serve($listen) });

    return $self;
}


sub url { $_[0]{url} }


sub port { $_[0]{port} }


sub stop_serving
{
    my $self = shift;

    stop($self->{pid});
}


# Lets a gated file through, now and from now on.

sub open_gate
{
    my ($self, $path) = @_;

    $self->_ask("open$path");
}


# How often a path was asked for.

sub requests
{
    my ($self, $path) = @_;

    return $self->_ask("seen$path")->{requests};
}


# Waits for as many requests to stand before a gate; the client's port of the
# first.

sub wait_at_gate
{
    my ($self, $path, $seconds) = @_;

    return wait_until($seconds, sub {
        $self->_ask("seen$path")->{waiting}[0];
    });
}


sub _ask
{
    my ($self, $question) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 5)
        or die "the origin does not answer: $!";

    print {$socket} 'GET ', CONTROL, "$question HTTP/1.1\r\n\r\n";
    local $/;
    my (undef, $body) = split /\r\n\r\n/, <$socket> // '', 2;

    return decode_json($body // '');
}


# The server. Of a connection: in (what was read), out (what is to be
# written), path, rest (what comes later), at (when).

sub _serve
{
    my $listen = shift;

    my $select = IO::Select->new($listen);
    my $state = { connections => {}, counts => {}, open => {} };

    while (1) {
        my $connections = $state->{connections};

        for my $socket ($select->can_read(_pause($connections))) {

            if ($socket == $listen) {
                my $client = $listen->accept or next;
                $client->blocking(0);
                $select->add($client);
                $connections->{$client} = { socket => $client, in => '' };
                next;
            }

            my $connection = $connections->{$socket};

            if (!_read($state, $connection)) {
                $select->remove($socket);
                delete $connections->{$socket};
            }
        }

        for my $connection (values %$connections) {

            if (!_write($state, $connection)) {
                $select->remove($connection->{socket});
                delete $connections->{ $connection->{socket} };
            }
        }
    }
}


# Nothing but readable sockets is waited for, unless there is to write.

sub _pause
{
    my $connections = shift;

    return (grep { length $_->{out} || defined $_->{at} }
            values %$connections) ? TICK : undef;
}


# False when the client has gone.

sub _read
{
    my ($state, $connection) = @_;

    my $n = sysread $connection->{socket}, $connection->{in}, READ_MAX,
                    length $connection->{in};

    return $!{EAGAIN} if !defined $n;
    return 0 if $n == 0;
    return 1 if defined $connection->{path}
                || $connection->{in} !~ /^GET (\S+) .*\r\n\r\n/s;

    $connection->{path} = $1;
    _answer($state, $connection);

    return 1;
}


sub _answer
{
    my ($state, $connection) = @_;

    my $path = $connection->{path};

    if (index($path, CONTROL) == 0) {
        my $answer = encode_json(
            _control($state, substr $path, length CONTROL));
        $connection->{out} = _header(200, length $answer) . $answer;
        return;
    }

    $state->{counts}{$path}++;

    my ($mode, $size) = $path =~ m{^/(quick|slow|gate|hold)/(\d+)/[^/]+$};

    if (!$mode) {
        $connection->{out} = _header(404, 0);
        return;
    }

    my $body = 'x' x $size;
    my $now = $mode eq 'quick' ? $size : int $size / 2;

    $connection->{out} = _header(200, $size) . substr $body, 0, $now;
    $connection->{rest} = substr $body, $now;
    $connection->{gate} = $path if $mode eq 'gate' || $mode eq 'hold';

    if ($mode eq 'hold') {
        $connection->{rest} = $connection->{out} . $connection->{rest};
        $connection->{out} = '';
    }

    if ($mode eq 'slow') {
        $connection->{piece} = 1 + int(length($connection->{rest})
                                       / SLOW_PIECES);
        $connection->{at} = time + SLOW_SECONDS / SLOW_PIECES;
    }
}


sub _header
{
    my ($status, $length) = @_;

    return "HTTP/1.1 $status Status\r\nContent-Length: $length\r\n"
           . "Content-Type: application/octet-stream\r\n"
           . "Connection: close\r\n\r\n";
}


sub _control
{
    my ($state, $question) = @_;

    my ($verb, $path) = $question =~ m{^(\w+)(/.*)};

    $state->{open}{$path} = 1 if $verb eq 'open';

    return {
        requests => $state->{counts}{$path} || 0,
        waiting  => [ map { $_->{socket}->peerport }
                      grep { ($_->{gate} // '') eq $path }
                      values %{ $state->{connections} } ],
    };
}


# False when the answer is complete, or nobody wants it.

sub _write
{
    my ($state, $connection) = @_;

    return 1 if !defined $connection->{path};

    if (defined $connection->{gate} && $state->{open}{ $connection->{gate} }) {
        $connection->{out} .= $connection->{rest};
        $connection->{rest} = '';
    }

    if (defined $connection->{at} && time >= $connection->{at}) {
        $connection->{out} .= substr $connection->{rest}, 0,
                                     $connection->{piece}, '';
        $connection->{at} += SLOW_SECONDS / SLOW_PIECES;
    }

    if (length $connection->{out}) {
        my $n = syswrite $connection->{socket}, $connection->{out};
        return $!{EAGAIN} if !defined $n;
        substr $connection->{out}, 0, $n, '';
    }

    return length $connection->{out} || length($connection->{rest} // '');
}

1;
