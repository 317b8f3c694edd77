# A private certificate authority, what it signs, and a server for TLS:
#
#     my $ca = DFP::Certificates->new;
#     my $pair = $ca->issue('registry.test', 'localhost');
#     ... $ca->file, $pair->{certificate}, $pair->{key}
#
#     my $server = DFP::Certificates::Server->start($upstream->port, $pair);
#     ... 'https://127.0.0.1:' . $server->port
#
# Files are PEM, and gone with the authority.

package DFP::Certificates;

use strict;
use warnings;

use File::Temp ();

use constant {
    DAYS    => 2,
    EXPIRED => -1,
};

my %algorithm = (
    EC  => [qw( -newkey ec -pkeyopt ec_paramgen_curve:P-256 )],
    RSA => [qw( -newkey rsa:2048 )],
);


sub new
{
    my $class = shift;

    my $self = bless {
        dir => File::Temp->newdir('dfpreheat-ca-XXXXXXXX', TMPDIR => 1),
    }, $class;

    $self->{ca} = $self->self_signed('an authority');

    return $self;
}


# What has to be trusted.

sub file { $_[0]{ca}{certificate} }


# For names and addresses, of which the first is also the subject.

sub issue
{
    my ($self, @names) = @_;

    return $self->_issue(EC => DAYS, @names);
}


sub issue_expired
{
    my ($self, @names) = @_;

    return $self->_issue(EC => EXPIRED, @names);
}


# With a key for RS256.

sub issue_rsa
{
    my ($self, @names) = @_;

    return $self->_issue(RSA => DAYS, @names);
}


sub self_signed
{
    my ($self, @names) = @_;

    my $pair = $self->_pair;

    _openssl('req', '-x509', @{ $algorithm{EC} }, '-nodes', '-days', DAYS,
             '-keyout', $pair->{key}, '-out', $pair->{certificate},
             _subject(@names));

    return $pair;
}


# req would not sign what has expired already.

sub _issue
{
    my ($self, $algorithm, $days, @names) = @_;

    my $pair = $self->_pair;
    my $request = "$pair->{certificate}.req";

    _openssl('req', '-new', @{ $algorithm{$algorithm} }, '-nodes',
             '-keyout', $pair->{key}, '-out', $request, _subject(@names));
    _openssl('x509', '-req', '-in', $request, '-days', $days,
             '-copy_extensions', 'copyall', '-CA', $self->{ca}{certificate},
             '-CAkey', $self->{ca}{key}, '-out', $pair->{certificate});

    return $pair;
}


sub _pair
{
    my $self = shift;

    my $name = "$self->{dir}/" . ++$self->{issued};

    return { certificate => "$name.crt", key => "$name.key" };
}


sub _subject
{
    my @names = @_;

    my @alternatives = map { /^[\d.]+$/ ? "IP:$_" : "DNS:$_" }
                       grep { !/ / } @names;

    return ('-subj', "/CN=$names[0]",
            @alternatives ? ('-addext', 'subjectAltName='
                                        . join ',', @alternatives) : ());
}


sub _openssl
{
    my @command = @_;

    open my $out, '-|', 'sh', '-c', 'exec openssl "$@" 2>&1', 'openssl',
         @command or die "openssl: $!";
    local $/;
    my $output = <$out> // '';

    close $out or die "openssl @command: $output";
}


# It speaks TLS for one on another port that does not: an nginx of its own. It
# counts connections, each of which has one handshake, and keeps the names that
# clients have asked for (SNI).

package DFP::Certificates::Server;

use strict;
use warnings;

use File::Temp ();
use HTTP::Tiny;

use DFP::Process qw( spawn gone stop wait_until free_port );

use constant {
    NGINX         => '/usr/sbin/nginx',
    START_TRIES   => 5,
    START_SECONDS => 10,
};


sub start
{
    my ($class, $to, $pair) = @_;

    my $self = bless {
        dir => File::Temp->newdir('dfpreheat-tls-XXXXXXXX', TMPDIR => 1),
        to => $to, pair => $pair,
    }, $class;

    for (1 .. START_TRIES) {
        @$self{qw( port status_port asked )} = (free_port(), free_port(), 0);

        my $pid = $self->_spawn;

        return $self if wait_until(START_SECONDS, sub {
            gone($pid) || $self->_status }) && !gone($pid);

        stop($pid);
    }

    die 'nginx for TLS does not start';
}


sub port { $_[0]{port} }


sub connections
{
    my $self = shift;

    my ($accepted) = $self->_status =~ /^ (\d+) \d+ \d+/m
        or die 'nginx for TLS is gone';

    # those that have asked for this

    return $accepted - $self->{asked};
}


# The names in order, "-" where there was none, of what became a request.

sub names
{
    my $self = shift;

    open my $file, '<', "$self->{dir}/names" or return;
    chomp(my @names = <$file>);

    return @names;
}


sub _status
{
    my $self = shift;

    my $answer = HTTP::Tiny->new->get(
        "http://127.0.0.1:$self->{status_port}/");

    return if !$answer->{success};

    $self->{asked}++;

    return $answer->{content};
}


sub _spawn
{
    my $self = shift;

    my $dir = $self->{dir};

    open my $file, '>', "$dir/nginx.conf" or die "nginx.conf: $!";
    print {$file} $self->_conf;
    close $file or die "nginx.conf: $!";

    return spawn("$dir/out", NGINX, '-p', "$dir/", '-e', "$dir/error.log",
                 '-c', "$dir/nginx.conf");
}


sub _conf
{
    my $self = shift;

    my $temp = join "\n", map { "${_}_temp_path temp-$_;" }
                          qw( client_body proxy fastcgi uwsgi scgi );

    # one process, so that what it counts is all

    return <<"END";
daemon off;
master_process off;
pid nginx.pid;

events {
    worker_connections 256;
}

http {
    log_format names \$ssl_server_name;
    access_log off;
    $temp

    server {
        listen 127.0.0.1:$self->{port} ssl;
        ssl_certificate $self->{pair}{certificate};
        ssl_certificate_key $self->{pair}{key};
        access_log names names;

        location / {
            proxy_pass http://127.0.0.1:$self->{to};
            proxy_set_header Host \$http_host;
            proxy_redirect off;
        }
    }

    server {
        listen 127.0.0.1:$self->{status_port};
        stub_status;
    }
}
END
}

1;
