# From the sections of a block to the bytes of its requests, and of these to
# the bytes of the answer.

package Test::Nginx::Runner::Request;

use strict;
use warnings;

use Exporter qw( import );
use IO::Select ();
use IO::Socket::INET ();
use Test::More ();

use Test::Nginx::Util;

our @EXPORT_OK = qw( exchange requests_of );

use constant READ_SIZE => 65536;


# "request" is one or an array; "more_headers" are those of all, or an array.

sub requests_of
{
    my $block = shift;

    return $block->raw_request if defined $block->raw_request;

    my $request = $block->request
        // bail_out($block->name, ' - there is no request');
    my $more = $block->more_headers;
    my @requests = ref $request ? @$request : $request;

    return map { _complete($requests[$_], ref $more ? $more->[$_] : $more) }
               0 .. $#requests;
}


# "GET /path", with a body below it that loses white space at its ends, as with
# the real module.

sub _complete
{
    my ($text, $more) = @_;

    my ($line, $body) = split /\n/, $text =~ s/^\s+//r, 2;
    my @headers = map { my ($name, $value) = split /:\s*/, $_, 2;
                        "$name: $value" }
                  split /\n+/, $more // '';

    if (($body // '') ne '') {
        $body =~ s/^\s+|\s+$//g;
        push @headers, 'Content-Length: ' . length $body;
    }

    return join("\r\n", "$line HTTP/1.1", 'Host: localhost',
                'Connection: close', @headers) . "\r\n\r\n" . ($body // '');
}


# All that comes until the server closes, and nothing has come for too long.

sub exchange
{
    my ($block, $request) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $Test::Nginx::Util::ServerPort)
        or bail_out($block->name, " - cannot connect: $!");

    $socket->autoflush(1);

    # it may close before it has read all, and still have answered

    local $SIG{PIPE} = 'IGNORE';
    print {$socket} $request;

    my $answer = '';
    my $select = IO::Select->new($socket);

    while ($select->can_read($Test::Nginx::Util::Timeout)) {
        sysread($socket, $answer, READ_SIZE, length $answer) or return $answer;
    }

    Test::More::fail($block->name . ' - no answer within '
                     . "$Test::Nginx::Util::Timeout s");

    return $answer;
}

1;
