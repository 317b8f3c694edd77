# A token service, as the "Token Authentication Specification" of the
# distribution project has it, with TLS:
#
#     my $service = DFP::TokenServer->start($ca,
#         users  => { alice => { password => 'secret',
#                                pulls => ['team/app'] } },
#         public => ['library/app']);
#     my $registry = DFP::Registry->start(token => $service);
#
# Who is known gets a token for what he may pull, everybody for what is public;
# a wrong password gets 401. Options: name (of the service's host; 127.0.0.1),
# expires (seconds; 300).

package DFP::TokenServer;

use strict;
use warnings;

use File::Temp ();
use IO::Handle;
use IO::Socket::INET;
use IPC::Open2 qw( open2 );
use JSON::PP ();
use MIME::Base64 qw( decode_base64 encode_base64url );

use DFP::Certificates;
use DFP::Process qw( run_child );

use constant {
    ISSUER   => 'the token service of the tests',
    AUDIENCE => 'registry.test',
    EXPIRES  => 300,
    BACKLOG  => 128,
    HEAD_MAX => 65536,
};

my $json = JSON::PP->new->canonical;


sub start
{
    my ($class, $ca, %options) = @_;

    my $listen = IO::Socket::INET->new(Listen => BACKLOG,
                                       LocalAddr => '127.0.0.1')
        or die "no port: $!";

    my $self = bless {
        users => {}, public => [], name => '127.0.0.1', expires => EXPIRES,
        %options, ca => $ca, signer => $ca->issue_rsa('a signer of tokens'),
        log => File::Temp->new(TEMPLATE => 'dfpreheat-tokens-XXXXXXXX',
                               TMPDIR => 1),
    }, $class;

    run_child(sub { $self->_serve($listen) });

    $self->{tls} = DFP::Certificates::Server->start(
        $listen->sockport, $ca->issue($self->{name}));

    return $self;
}


sub origin { "https://$_[0]{name}:" . $_[0]{tls}->port }

sub realm { $_[0]->origin . '/token' }

# The names by which it was asked (SNI).

sub names { $_[0]{tls}->names }


# What a registry has to know of it, as lines of its configuration.

sub registry_conf
{
    my $self = shift;

    return <<"END";
auth:
  token:
    realm: ${\ $self->realm }
    service: ${\ AUDIENCE }
    issuer: ${\ ISSUER }
    rootcertbundle: ${\ $self->{ca}->file }
END
}


# The requests: references to the query, and to the Authorization where there
# was one.

sub requests
{
    my $self = shift;

    open my $file, '<', $self->{log}->filename or die "log: $!";

    return map { chomp; [ split /\t/ ] } <$file>;
}


sub forget_requests
{
    my $self = shift;

    truncate $self->{log}, 0 or die "log: $!";
}


# A token for the scopes that a user has asked for (each is "NAME:ACTIONS"), as
# far as he may.

sub token
{
    my ($self, $user, @scopes) = @_;

    my $now = time;
    my %claims = (iss => ISSUER, sub => $user, aud => AUDIENCE,
                  exp => $now + $self->{expires}, nbf => $now - 10,
                  iat => $now, jti => sprintf('%d-%d', $$, ++$self->{serial}),
                  access => [ map { $self->_access($user, $_) } @scopes ]);
    my %header = (typ => 'JWT', alg => 'RS256', x5c => [ $self->_signer ]);

    my $signed = join '.', map { encode_base64url($json->encode($_)) }
                           \%header, \%claims;

    return "$signed." . encode_base64url($self->_signature($signed));
}


sub _access
{
    my ($self, $user, $scope) = @_;

    my ($name, $actions) = $scope =~ /^(\S+):(\S*)$/ or return;
    my $known = $self->{users}{$user} // {};
    my @may = (@{ $self->{public} }, @{ $known->{pulls} // [] });
    my $pull = (grep { $_ eq $name } @may) && $actions =~ /\bpull\b/;

    return { type => 'repository', name => $name,
             actions => [ $pull ? 'pull' : () ] };
}


# The certificate in a line.

sub _signer
{
    my $self = shift;

    open my $file, '<', $self->{signer}{certificate} or die "signer: $!";

    return join '', map { /^[^-\s]+$/ ? $_ =~ s/\s//gr : () } <$file>;
}


sub _signature
{
    my ($self, $text) = @_;

    my $pid = open2(my $out, my $in, 'openssl', 'dgst', '-sha256', '-sign',
                    $self->{signer}{key});
    binmode $out;
    print {$in} $text;
    close $in;

    local $/;
    my $signature = <$out>;
    waitpid $pid, 0;

    return $signature;
}


# The server, of one request after the other.

sub _serve
{
    my ($self, $listen) = @_;

    open my $log, '>>', $self->{log}->filename or die "log: $!";
    $log->autoflush;

    while (my $client = $listen->accept) {
        my $head = '';

        while ($head !~ /\r\n\r\n\z/) {
            sysread $client, $head, HEAD_MAX, length $head or last;
        }

        my ($query) = $head =~ m{^GET /token\??(\S*) HTTP} or next;
        my ($authorization) = $head =~ /^Authorization: (.*)\r$/mi;

        print {$log} join("\t", $query, $authorization // ()), "\n";
        _answer($client, $self->_judge($query, $authorization));
    }
}


# Status, and what the body is made of.

sub _judge
{
    my ($self, $query, $authorization) = @_;

    my $user = '';

    if (defined $authorization) {
        my ($basic) = $authorization =~ /^Basic (\S+)$/;
        ($user, my $password) = decode_base64($basic // '') =~ /^(.*?):(.*)/;
        my $known = $self->{users}{ $user // '' };

        return (401, { errors => [ { code => 'UNAUTHORIZED', message =>
                'the user name or the password is wrong' } ] })
            if !$known || $known->{password} ne $password;
    }

    $query =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    my @scopes = $query =~ /(?:^|&)scope=repository:([^&]*)/g;

    return (200, { token => $self->token($user, @scopes),
                   expires_in => $self->{expires} });
}


sub _answer
{
    my ($client, $status, $value) = @_;

    my $body = $json->encode($value);

    print {$client} "HTTP/1.1 $status Status\r\n",
                    "Content-Type: application/json\r\n",
                    'Content-Length: ', length $body, "\r\n",
                    "Connection: close\r\n\r\n", $body;
    close $client;
}

1;
