# An origin whose answers a test writes, to the byte:
#
#     $upstream->answers('/a', { body => 'whole' });
#     $upstream->answers('/b', { status => 500 }, { body => 'second try' });
#
# Of several answers each request takes the next, and those that follow the
# last one. Those of '/c/*' are for each path below /c that has none of its own.
# What is nowhere written is 404. Of an answer: status (200), headers
# (a reference to a list of names and values), body, and
#
#     sends   how many bytes of the body are sent before the end
#     after   seconds before the first byte, in which it counts as under way
#     times   how many times the body is sent, one after the other (1)
#     every   seconds between two bytes of the body
#     holds   seconds before the connection is closed
#     raw     the answer byte for byte, header and body
#     wants   a line that the request has to have; without it the answer is
#     refusal another one
#
# Answers to a POST are those of the path 'POST /a'. It keeps what it was asked, and how many answers were under way at once.

package DFP::Upstream;

use strict;
use warnings;

use Digest::SHA qw( sha256_hex );
use Exporter qw( import );
use File::Temp ();
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use JSON::PP qw( decode_json encode_json );
use MIME::Base64 qw( decode_base64 encode_base64 );
use POSIX qw( _exit );
use Time::HiRes qw( sleep );

use DFP::Process qw( run_child );

our @EXPORT_OK = qw( guarded );

use constant {
    BACKLOG      => 128,
    HEAD_MAX     => 65536,
    BODY_SECONDS => 1,     # s
};


# An answer for who sends this Authorization; who does not is asked for it as a
# registry does.

sub guarded
{
    my ($authorization, $challenge, %answer) = @_;

    return { %answer, wants => "Authorization: $authorization",
             refusal => { status => 401,
                          headers => [ 'WWW-Authenticate' => $challenge ],
                          body => '{"errors":[{"code":"UNAUTHORIZED",'
                                  . '"message":"authentication required"}]}' } };
}


sub start
{
    my $class = shift;

    my $listen = IO::Socket::INET->new(Listen => BACKLOG,
                                       LocalAddr => '127.0.0.1')
        or die "no port: $!";

    my $self = bless {
        port => $listen->sockport,
        dir  => File::Temp->newdir('dfpreheat-upstream-XXXXXXXX',
                                   TMPDIR => 1),
    }, $class;

    run_child(sub { $self->_serve($listen) });

    return $self;
}


sub port { $_[0]{port} }


sub answers
{
    my ($self, $path, @answers) = @_;

    $self->{bodies}{$path} = $answers[-1]{body};
    @answers = map { _encoded($_) } @answers;

    # whoever reads gets the old ones or the new ones

    my $file = $self->_file($path);

    open my $out, '>', "$file.new" or die "$file: $!";
    print {$out} encode_json([ ++$self->{written}, @answers ]);
    close $out or die "$file: $!";
    rename "$file.new", $file or die "$file: $!";
}


# What is there, of the last answer.

sub body { $_[0]{bodies}{ $_[1] } }


sub _encoded
{
    my %answer = %{ +shift };

    $answer{body} = encode_base64($answer{body} // '', '');
    $answer{raw} = encode_base64($answer{raw}, '') if defined $answer{raw};
    $answer{refusal} = _encoded($answer{refusal}) if $answer{refusal};

    return \%answer;
}


# The requests for a path, whole; for all paths where none is given.

sub requests
{
    my ($self, $path) = @_;

    $path =~ tr/ /_/ if defined $path;

    return map { decode_base64($_->[2]) }
           grep { $_->[0] eq 'begin' && (!defined $path || $_->[1] eq $path) }
           $self->_events;
}


# How many answers were under way at once, at the most.

sub most_at_once
{
    my $self = shift;

    my ($now, $most) = (0, 0);

    for my $event ($self->_events) {
        $now += $event->[0] eq 'begin' ? 1 : -1;
        $most = $now if $most < $now;
    }

    return $most;
}


sub forget_requests
{
    my $self = shift;

    unlink "$self->{dir}/events";
}


sub _events
{
    my $self = shift;

    open my $file, '<', "$self->{dir}/events" or return;

    return map { [ split ] } <$file>;
}


# Lines from several processes: each is written at once, at the end. An answer may
# outlive the test, and the folder.

sub _event
{
    my ($self, @words) = @_;

    open my $file, '>>', "$self->{dir}/events" or return;
    $file->autoflush;
    print {$file} "@words\n";
}


sub _file
{
    my ($self, $path) = @_;

    return "$self->{dir}/answers-" . sha256_hex($path);
}


# The server: it counts one request after the other, and a process of its own
# answers each.

sub _serve
{
    my ($self, $listen) = @_;

    local $SIG{CHLD} = 'IGNORE';
    my %counts;

    while (my $client = $listen->accept) {
        my $request = _read_head($client) or next;
        my ($method, $path) = $request =~ /^(GET|HEAD|POST) ([^ ?]+)/ or next;

        $path = "POST $path" if $method eq 'POST';

        my $name = $path =~ tr/ /_/r;

        $self->_event('begin', $name, encode_base64($request, ''));
        my $answer = $self->_answer($path, \%counts, $request);

        my $pid = fork;
        die "fork: $!" if !defined $pid;
        next if $pid;

        close $listen;

        # a client that closes its connection waits no longer, nor does this process
        IO::Select->new($client)->can_read($answer->{after}) if $answer->{after};

        # before the client can know that it has ended
        $self->_event('end', $name);

        _send($client, $answer, $method);
        close $client;
        _exit(0);
    }
}


sub _read_head
{
    my $client = shift;

    my $head = '';

    # the body of a POST, too; post_action announces one that does not come

    until ($head =~ /\r\n\r\n/
           && length($head) - $+[0]
              >= ($head =~ /^Content-Length: (\d+)\r$/mi ? $1 : 0))
    {
        last if $head =~ /\r\n\r\n/
                && !IO::Select->new($client)->can_read(BODY_SECONDS);
        return if !sysread $client, $head, HEAD_MAX, length $head;
    }

    return $head;
}


sub _answer
{
    my ($self, $path, $counts, $request) = @_;

    my $below = $path =~ s{^(/[^/]+/).*}{$1*}r;
    my ($written_file) = grep { -f } map { $self->_file($_) } $path, $below;

    open my $file, '<', $written_file // '' or return { status => 404 };
    local $/;
    my ($written, @answers) = @{ decode_json(<$file>) };
    my $count = \$counts->{"$path $written"};
    my $answer = $answers[ $$count // 0 ] // $answers[-1];

    return $answer->{refusal}
        if defined $answer->{wants} && $request !~ /^\Q$answer->{wants}\E\r$/m;

    $$count++;

    return $answer;
}


sub _send
{
    my ($client, $answer, $method) = @_;

    if (defined $answer->{raw}) {
        print {$client} decode_base64($answer->{raw});
        $client->flush;
        return;
    }

    my $body = decode_base64($answer->{body} // '') x ($answer->{times} // 1);
    my $status = $answer->{status} // 200;
    my @headers = ('Content-Length' => length $body, Connection => 'close',
                   @{ $answer->{headers} // [] });
    my $head = "HTTP/1.1 $status Status\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    my $sends = $method eq 'HEAD' ? 0 : $answer->{sends} // length $body;
    my $every = $answer->{every};

    # byte by byte until nobody is there any more, or all at once

    for my $bytes ("$head\r\n", $every ? split //, substr $body, 0, $sends
                                        : substr $body, 0, $sends)
    {
        print {$client} $bytes or last;
        $client->flush or last;
        sleep $every if $every;
    }

    sleep $answer->{holds} if $answer->{holds};
}

1;
