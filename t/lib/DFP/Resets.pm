# Clients that reset their connections: a request is sent, whole or in part, over
# HTTP/1.1 or HTTP/2, and the connection is reset at once, or a moment later.
#
#     my $resets = DFP::Resets->new(port => $port);
#     $resets->run(100, http1('GET', '/healthy'));

package DFP::Resets;

use strict;
use warnings;

use Exporter qw( import );
use IO::Select;
use IO::Socket::INET;
use Socket qw( IPPROTO_TCP SOL_SOCKET SO_LINGER TCP_NODELAY );
use Time::HiRes qw( sleep );

our @EXPORT_OK = qw( http1 http2 );

use constant {
    CONNECT_SECONDS => 5,
    ANSWER_SECONDS  => 10,
    PAUSE_MAX       => 0.003,   # s: some resets come while a request waits
    AT_ONCE         => 3,       # one reset in so many comes without a pause
    READ_MAX        => 65536,

    # frames of HTTP/2 (RFC 9113)
    PREFACE     => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    DATA        => 0,
    HEADERS     => 1,
    RST_STREAM  => 3,
    SETTINGS    => 4,
    END_STREAM  => 0x1,
    END_HEADERS => 0x4,
    CANCEL      => 8,
};


sub new
{
    my ($class, %args) = @_;

    return bless { %args }, $class;
}


# Sends the bytes COUNT times, each time over a connection of its own that is
# reset afterwards. Options: answered (an answer is awaited first), then (more
# bytes that are sent after it).

sub run
{
    my ($self, $count, $bytes, %how) = @_;

    for (1 .. $count) {
        my $socket = $self->_connect;

        syswrite $socket, $bytes;
        $self->_read($socket) if $how{answered};
        syswrite $socket, $how{then} if defined $how{then};

        sleep rand PAUSE_MAX if int rand AT_ONCE;

        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)
            or die "setsockopt: $!";
        close $socket;
    }
}


sub _connect
{
    my $self = shift;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{port},
        Timeout => CONNECT_SECONDS) or die "no connection: $!";

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1 or die "setsockopt: $!";

    return $socket;
}


sub _read
{
    my ($self, $socket) = @_;

    IO::Select->new($socket)->can_read(ANSWER_SECONDS)
        or die "no answer in time\n";
    sysread $socket, my $data, READ_MAX;
}


# A request. Options: token, body, sends (how much of the body is sent).

sub http1
{
    my ($method, $path, %options) = @_;

    my $body = $options{body} // '';
    my $sent = substr $body, 0, $options{sends} // length $body;

    return "$method $path HTTP/1.1\r\nHost: 127.0.0.1\r\n"
           . (defined $options{token}
              ? "Authorization: Bearer $options{token}\r\n" : '')
           . (length $body ? 'Content-Length: ' . length($body) . "\r\n" : '')
           . "\r\n$sent";
}


# The same as streams of one connection, of which each third is cancelled.

sub http2
{
    my @requests = @_;

    my $bytes = PREFACE . _frame(SETTINGS, 0, 0, '');
    my $stream = 1;

    for my $request (@requests) {
        my ($method, $path, %options) = @$request;
        my $body = $options{body} // '';
        my $sent = substr $body, 0, $options{sends} // length $body;
        my $whole = length $sent == length $body;

        $bytes .= _frame(HEADERS,
                         END_HEADERS | (length $body ? 0 : END_STREAM),
                         $stream, _headers($method, $path, $options{token}));
        $bytes .= _frame(DATA, $whole ? END_STREAM : 0, $stream, $sent)
            if length $body;
        $bytes .= _frame(RST_STREAM, 0, $stream, pack 'N', CANCEL)
            if $stream % 3 == 0;

        $stream += 2;
    }

    return $bytes;
}


sub _frame
{
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
           . pack('CCN', $type, $flags, $stream) . $payload;
}


# Literals that are in no table (RFC 7541, 6.2.2), with new names.

sub _headers
{
    my ($method, $path, $token) = @_;

    my @headers = ([ ':method', $method ], [ ':scheme', 'http' ],
                   [ ':path', $path ], [ ':authority', '127.0.0.1' ]);

    push @headers, [ authorization => "Bearer $token" ] if defined $token;

    return join '', map { "\0" . join '', map { pack 'C/a*', $_ } @$_ } @headers;
}

1;
