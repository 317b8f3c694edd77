# Registries as they are in the Internet, with their quirks: token services, users,
# redirects to the signed URLs of a CDN. Their names are those of
# conf/examples/registries.
#
#     my $hosted = DFP::Hosted->start($ca);
#     my $image = $hosted->image('ghcr', 'org/app');     # url, paths
#     my @requests = $hosted->requests('ghcr');

package DFP::Hosted;

use strict;
use warnings;

use Digest::SHA qw( sha256_hex );
use File::Temp ();
use IO::Compress::Gzip qw( gzip );
use JSON::PP ();
use MIME::Base64 qw( encode_base64 );

use DFP::Image;
use DFP::Internet;
use DFP::Upstream qw( guarded );

use constant {
    TOKEN    => 'Bearer t-o-k-e-n',
    USER     => 'alice',
    PASSWORD => 'secret',
    SIGNED   => 'X-Amz-Signature=0f1e%2F2d',
};

my $ecr = '123456789012.dkr.ecr.eu-central-1.amazonaws.com';

# host: of the registry. realm: of its token service; the registries that have
# none want a user. moves: the host of its blobs. status: of the redirects. first:
# where a blob is before that, by a relative Location.

my %registries = (
    dockerhub => { host => 'registry-1.docker.io',
                   realm => 'https://auth.docker.io/token',
                   moves => 'production.cloudflare.docker.com' },
    ghcr      => { host => 'ghcr.io', realm => 'https://ghcr.io/token',
                   moves => 'pkg-containers.githubusercontent.com' },
    quay      => { host => 'quay.io', realm => 'https://quay.io/v2/auth',
                   moves => 'cdn01.quay.io', status => 302,
                   first => '/_storage' },
    ecr       => { host => $ecr, moves =>
                   'prod-eu-central-1-starport-layer-bucket'
                   . '.s3.eu-central-1.amazonaws.com' },
    harbor    => { host => 'harbor.lan',
                   realm => 'https://harbor.lan/service/token',
                   private => 1, moves => 'minio.lan:9000' },
    private   => { host => 'registry.lan' },
);

my $json = JSON::PP->new->canonical;


sub start
{
    my ($class, $ca) = @_;

    my $self = bless {}, $class;
    my %hosts;

    for my $registry (values %registries) {
        for my $name ($registry->{host}, $registry->{moves} // (),
                      ($registry->{realm} // '') =~ m{^https://([^/]+)})
        {
            $self->{upstreams}{$name} //= DFP::Upstream->start;
            $hosts{$name} = $self->{upstreams}{$name}->port;
        }
    }

    $self->_token_service($_) for values %registries;
    $self->{internet} = DFP::Internet->start(ca => $ca, hosts => \%hosts,
        local => [ 'nginx.lan', 'dockerhub.nginx.lan' ]);

    return $self;
}


sub names { sort keys %registries }

sub internet { $_[0]{internet} }

sub origin { "https://$registries{ $_[1] }{host}" }

sub host { $registries{ $_[1] }{host} }


# Who has to log in, and how.

sub closed
{
    my ($self, $name) = @_;

    return $registries{$name}{private} || !$registries{$name}{realm};
}

sub login { return (username => USER, password => PASSWORD) }

sub authorization
{
    my ($self, $name) = @_;

    return _realm($name) ? TOKEN : _basic();
}


sub _realm { $registries{ $_[0] }{realm} }

sub _basic { 'Basic ' . encode_base64(USER . ':' . PASSWORD, '') }


sub _token_service
{
    my ($self, $registry) = @_;

    my ($host, $path) = ($registry->{realm} // '') =~ m{^https://([^/]+)(.*)}
        or return;
    my %answer = (body => $json->encode({ token => TOKEN =~ s/^\S+ //r,
                                          expires_in => 300 }),
                  headers => [ 'Content-Type' => 'application/json' ]);

    $self->{upstreams}{$host}->answers($path, $registry->{private}
        ? guarded(_basic(), 'Basic realm="harbor"', %answer) : \%answer);
}


# The token service of a registry answers with this status; or as it does otherwise.

sub token_fails
{
    my ($self, $name, $status) = @_;

    my ($host, $path) = _realm($name) =~ m{^https://([^/]+)(.*)};

    $self->{upstreams}{$host}->answers($path, { status => $status });
}

sub token_works { $_[0]->_token_service($registries{ $_[1] }) }


# An image that a client can unpack, of Linux on amd64, as NAME:1.0.

sub image
{
    my ($self, $name, $repository) = @_;

    my $registry = $registries{$name};
    my $upstream = $self->{upstreams}{ $registry->{host} };

    $upstream->answers('/v2/', _guarded($registry, '', body => '{}'));

    my $image = DFP::Image->new($upstream, $repository, sub {
        _guarded($registry, $repository, @_) });
    my @layers = map { _layer($image, "$repository $_") } 1, 2;
    my $config = $image->blob(DFP::Image::CONFIG, $json->encode({
        os => 'linux', architecture => 'amd64', config => {},
        rootfs => { type => 'layers', diff_ids => [ map { $_->[1] } @layers ] },
    }));
    my $manifest = $image->document(DFP::Image::MANIFEST, {
        config => $config, layers => [ map { $_->[0] } @layers ] });
    my $index = $image->index([ 'linux/amd64', $manifest ]);

    $image->tag('1.0', $index);

    my @paths = $image->paths($manifest);

    $self->_moved($registry, $_) for grep { m{/blobs/} } @paths;

    return { url => "https://$registry->{host}" . $image->by_tag('1.0'),
             tag => $image->by_tag('1.0'), index => $image->path($index),
             paths => \@paths };
}


# An answer that needs no login.

sub passes
{
    my ($self, $name, $path, $body) = @_;

    $self->{upstreams}{ $registries{$name}{host} }->answers($path, {
        body => $body, headers => [ 'Content-Type' => 'application/json' ] });
}


sub _guarded
{
    my ($registry, $repository, %answer) = @_;

    my $digest = 'sha256:' . sha256_hex($answer{body});

    push @{ $answer{headers} }, 'Docker-Content-Digest' => $digest,
         'Docker-Distribution-Api-Version' => 'registry/2.0';

    my $challenge = 'Basic realm="' . $registry->{host} . '"';

    $challenge = qq{Bearer realm="$registry->{realm}",}
                 . qq{service="$registry->{host}"}
                 . ($repository && qq{,scope="repository:$repository:pull"})
        if $registry->{realm};

    return guarded($registry->{realm} ? TOKEN : _basic(), $challenge, %answer);
}


# The blob of a path is elsewhere.

sub _moved
{
    my ($self, $registry, $path) = @_;

    my $moves = $registry->{moves} or return;
    my $upstream = $self->{upstreams}{ $registry->{host} };
    my $body = $upstream->body($path);
    my $status = $registry->{status} // 307;
    my ($digest) = $path =~ /sha256:(.*)/;
    my $at = '/data/' . substr($digest, 0, 2) . "/$digest";
    my $signed = "https://$moves$at?" . SIGNED;

    $self->{upstreams}{$moves}->answers($at, { body => $body });

    if (my $first = $registry->{first}) {
        $upstream->answers("$first/$digest", { status => $status,
            headers => [ Location => $signed ] });
        $signed = "$first/$digest";
    }

    $upstream->answers($path, _guarded($registry, '', status => $status,
        body => '', headers => [ Location => $signed ]));
}


# A layer and the digest of what is in it.

sub _layer
{
    my ($image, $text) = @_;

    my $dir = File::Temp->newdir('dfpreheat-layer-XXXXXXXX', TMPDIR => 1);
    my $name = $text =~ s/\W/-/gr;

    open my $file, '>', "$dir/$name" or die "$name: $!";
    print {$file} "this is $text\n" x 1000;
    close $file or die "$name: $!";

    my $tar = `tar -C $dir --owner=0 --group=0 --mtime=\@1 -cf - $name`;

    gzip(\$tar, \my $packed, Minimal => 1) or die 'gzip';

    return [ $image->layer($packed), 'sha256:' . sha256_hex($tar) ];
}


# All requests to a registry, its token service and the host of its blobs.

sub requests
{
    my ($self, $name) = @_;

    return map { $_->requests } $self->_upstreams($name);
}


sub forget_requests
{
    my ($self, $name) = @_;

    $_->forget_requests for $name ? $self->_upstreams($name)
                                  : values %{ $self->{upstreams} };
}


sub _upstreams
{
    my ($self, $name) = @_;

    my $registry = $registries{$name};
    my %upstreams = map { $_ => $self->{upstreams}{$_} }
                    $registry->{host}, $registry->{moves} // (),
                    ($registry->{realm} // '') =~ m{^https://([^/]+)};

    return @upstreams{ sort keys %upstreams };
}

1;
