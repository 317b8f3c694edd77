# A client of Server-Sent Events, over HTTP/1.1.
#
#     my $events = DFP::Events->open($servers, '/oapi/v1/jobs/1/events');
#     my $event = $events->next(5);     # { event, id, data }; undef: none in time
#
# Options: port (of another server), buffer (bytes, of the socket), last (the id of
# the last event that was seen), token (another one),
# method.

package DFP::Events;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP qw( decode_json );
use Socket qw( SOL_SOCKET SO_RCVBUF );
use Time::HiRes qw( time );

use constant {
    CONNECT_SECONDS => 5,
    ANSWER_SECONDS  => 10,
    READ_MAX        => 65536,
    WIDE            => 1_000_000,
};


sub open
{
    my ($class, $servers, $path, %options) = @_;

    my $self = bless { data => '', text => '' }, $class;
    my $token = $options{token} // ($servers->{token} //= $servers->token);

    $self->{socket} = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $options{port} // $servers->{port},
        Timeout => CONNECT_SECONDS, $options{buffer}
            ? (Sockopts => [[ SOL_SOCKET, SO_RCVBUF, $options{buffer} ]]) : ())
        or die "no connection: $!\n";

    my $method = $options{method} // 'GET';

    print { $self->{socket} } "$method $path HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "Authorization: Bearer $token\r\n",
        defined $options{last} ? "Last-Event-ID: $options{last}\r\n" : '',
        "\r\n";
    $self->{socket}->flush;

    my $end = time + ANSWER_SECONDS;

    until ($self->{data} =~ /\r\n\r\n/) {
        $self->_read($end) or die "no answer\n";
    }

    (my $head, $self->{data}) = split /\r\n\r\n/, $self->{data}, 2;
    my ($line, @lines) = split /\r\n/, $head;

    $self->_unchunk;

    ($self->{status}) = $line =~ m{^HTTP/1\.1 (\d{3}) };
    $self->{headers} = { map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines };

    return $self;
}


sub status { $_[0]{status} }

sub header { $_[0]{headers}{ $_[1] } }


# The next event; comments are counted.

sub next
{
    my ($self, $seconds) = @_;

    my $end = time + $seconds;

    while (1) {
        while ($self->{text} =~ s/^(.*?)\n\n//s) {
            my %event = map { /^(\w*):\s?(.*)$/ ? ($1, $2) : () } split /\n/, $1;

            return { %event, data => decode_json($event{data}) }
                if defined $event{event};
            $self->{comments}++;
        }

        return if $self->{ended} || !$self->_read($end);

        $self->_unchunk;
    }
}


# Whether the answer has come to its end, as HTTP has it.

sub ended
{
    my ($self, $seconds) = @_;

    my $end = time + $seconds;

    while (!$self->{ended}) {
        $self->_read($end) or return 0;
        $self->_unchunk;
    }

    return 1;
}


# A large buffer of the socket from now on, so that reading takes no longer.

sub widen
{
    my $self = shift;

    setsockopt $self->{socket}, SOL_SOCKET, SO_RCVBUF, WIDE
        or die "setsockopt: $!\n";
}


sub close
{
    my $self = shift;

    CORE::close $self->{socket};
}


sub _unchunk
{
    my $self = shift;

    while ($self->{data} =~ /^([0-9a-f]+)\r\n/i) {
        my ($length, $head) = (hex $1, length $&);

        last if length $self->{data} < $head + $length + 2;

        $self->{text} .= substr $self->{data}, $head, $length;
        substr $self->{data}, 0, $head + $length + 2, '';
        $self->{ended} = 1 if $length == 0;
    }
}


sub _read
{
    my ($self, $end) = @_;

    my $left = $end - time;

    return 0 if $left <= 0
                || !IO::Select->new($self->{socket})->can_read($left);

    return sysread $self->{socket}, $self->{data}, READ_MAX,
                   length $self->{data};
}

1;
