# An HTTP client of the Open API that shows how each answer came about: over
# one connection, kept alive as long as the server keeps it.
#
# A kept connection that the server closes while the next request is on its
# way tells nothing about that request; it is sent once more, as every client
# does, and counted in "repeated". Every other loss is a failure.

package DFP::Client;

use strict;
use warnings;

use Errno ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP qw( decode_json encode_json );
use Time::HiRes qw( time );

use constant {
    CONNECT_SECONDS => 5,
    ANSWER_SECONDS  => 10,
    READ_MAX        => 65536,
};


sub new
{
    my ($class, %args) = @_;

    return bless { %args, repeated => 0 }, $class;
}


sub get
{
    my ($self, $path) = @_;

    return $self->request('GET', $path);
}


sub post
{
    my ($self, $path, $value) = @_;

    return $self->request('POST', $path, encode_json($value));
}


sub request
{
    my ($self, @request) = @_;

    $self->start(@request);

    return $self->finish(ANSWER_SECONDS);
}


# Sends a request whose answer is to be fetched later, with finish(). SENDS: how
# much of the body is sent; the rest is sent with more().

sub start
{
    my ($self, $method, $path, $body, $headers, $sends) = @_;

    my %more = %{ $headers // {} };
    my $type = delete $more{'Content-Type'} // 'application/json';
    my $more = join '', map { "$_: $more{$_}\r\n" } sort keys %more;
    my $token = defined $self->{token}
                ? "Authorization: Bearer $self->{token}\r\n" : '';
    my $length = defined $body ? "Content-Type: $type\r\n"
                                 . 'Content-Length: ' . length($body) . "\r\n"
                               : '';
    $body //= '';

    $self->{message} = "$method $path HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        . "$token$more$length\r\n" . substr $body, 0, $sends // length $body;

    $self->_send;
}


sub more
{
    my ($self, $bytes) = @_;

    print { $self->{socket} } $bytes;
    $self->{socket}->flush;
}


# Whether something of the answer has come within the time.

sub answered
{
    my ($self, $seconds) = @_;

    return IO::Select->new($self->{socket})->can_read($seconds) ? 1 : 0;
}


# The answer: status, headers (small letters), body, and json where it is so.

sub finish
{
    my ($self, $seconds) = @_;

    my $end = time + $seconds;
    my $answer = $self->_receive($end);

    if (!$answer && $self->{reused}) {
        $self->{repeated}++;
        $self->_hang_up;
        $self->_send;
        $answer = $self->_receive($end);
    }

    die "the connection was closed before an answer came\n" if !$answer;

    $self->_hang_up if ($answer->{headers}{connection} // '') eq 'close';

    if (($answer->{headers}{'content-type'} // '') =~ m{^application/json}) {
        $answer->{json} = JSON::PP->new->allow_nonref
                                       ->decode($answer->{body});
    }

    return $answer;
}


sub _hang_up
{
    my $self = shift;

    delete $self->{socket};
}


sub _send
{
    my $self = shift;

    $self->{reused} = defined $self->{socket};

    $self->{socket} //= IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{port},
        Timeout => CONNECT_SECONDS)
        or die "no connection: $!\n";

    # where it fails, reading tells

    print { $self->{socket} } $self->{message};
    $self->{socket}->flush;
}


# Nothing where the connection was closed without a byte of an answer.

sub _receive
{
    my ($self, $end) = @_;

    my $data = '';

    while (1) {
        my $left = $end - time;

        die "no answer in time\n" if $left <= 0 || !$self->answered($left);

        my $n = sysread $self->{socket}, $data, READ_MAX, length $data;

        if (!$n) {
            return if $data eq '';
            die "the answer was cut off: $data\n";
        }

        my $answer = _parse($data);
        return $answer if $answer;
    }
}


sub _parse
{
    my $data = shift;

    my ($head, $body) = $data =~ /^(.*?)\r\n\r\n(.*)\z/s or return;
    my ($line, @lines) = split /\r\n/, $head;
    my ($status) = $line =~ m{^HTTP/1\.1 (\d{3}) }
        or die "this is no answer: $line\n";
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines;

    my $length = $headers{'content-length'};

    die "an answer without its length: $head\n" if !defined $length;
    return if length $body < $length;

    return { status => $status, headers => \%headers, body => $body };
}

1;
