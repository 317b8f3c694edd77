# A name server of the test's own names:
#
#     my $dns = DFP::Dns->start('a.test' => ['127.0.0.1', '::1'], ...);
#     ... "resolver 127.0.0.1:" . $dns->port
#
# What is not in the list does not exist. It counts the questions.

package DFP::Dns;

use strict;
use warnings;

use File::Temp ();
use IO::Handle;
use IO::Socket::INET;
use Socket qw( AF_INET AF_INET6 inet_pton );

use DFP::Process qw( run_child );

use constant {
    TYPE_A    => 1,
    TYPE_AAAA => 28,
    CLASS_IN  => 1,
    TTL       => 300,
    QUERY_MAX => 512,
    NXDOMAIN  => 3,
};


sub start
{
    my ($class, %names) = @_;

    my $socket = IO::Socket::INET->new(Proto => 'udp',
                                       LocalAddr => '127.0.0.1')
        or die "no port: $!";

    my $self = bless {
        port  => $socket->sockport,
        names => \%names,
        log   => File::Temp->new(TEMPLATE => 'dfpreheat-dns-XXXXXXXX',
                                 TMPDIR => 1),
    }, $class;

    run_child(sub { $self->_serve($socket) });

    return $self;
}


sub port { $_[0]{port} }


# How often this name was asked for, in IPv4.

sub questions
{
    my ($self, $name) = @_;

    open my $file, '<', $self->{log}->filename or return 0;

    return scalar grep { $_ eq TYPE_A . " $name\n" } <$file>;
}


sub _serve
{
    my ($self, $socket) = @_;

    open my $log, '>>', $self->{log}->filename or die "log: $!";
    $log->autoflush;

    while (defined $socket->recv(my $query, QUERY_MAX)) {
        my ($id, $question) = unpack 'n x10 a*', $query;
        my @labels;

        while ((my $len = unpack 'C', $question) > 0) {
            push @labels, substr $question, 1, $len;
            substr $question, 0, $len + 1, '';
        }

        my $type = unpack 'x n', $question;
        my $name = lc join '.', @labels;

        print {$log} "$type $name\n";
        $socket->send($self->_answer($id, $name, $type));
    }
}


sub _answer
{
    my ($self, $id, $name, $type) = @_;

    my $family = $type == TYPE_AAAA ? AF_INET6 : AF_INET;
    my $known = $self->{names}{$name};

    my @records = map { pack 'n n n N n/a', 0xc00c, $type, CLASS_IN, TTL, $_ }
                  grep { defined }
                  map { inet_pton($family, $_) } @{ $known // [] };

    return pack('n6', $id, 0x8180 | ($known ? 0 : NXDOMAIN), 1,
                scalar @records, 0, 0)
           . join('', map { pack 'C/a', $_ } split(/\./, $name), '')
           . pack('n n', $type, CLASS_IN) . join '', @records;
}

1;
