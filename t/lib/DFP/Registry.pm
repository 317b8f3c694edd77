# Debian's docker-registry, on a port of its own:
#
#     my $open = DFP::Registry->start;
#     my $image = $open->push_image('team/app');
#     my $closed = DFP::Registry->start(images_of => $open,
#         users => { alice => 'secret' }, tls => $ca->issue('registry.test'));
#
# Options: users (with passwords, for Basic), token (a DFP::TokenServer), tls (a
# pair of DFP::Certificates), images_of (another registry: what is there is
# here, too), port (the first one that is tried). It tells what it was asked.

package DFP::Registry;

use strict;
use warnings;

use Exporter qw( import );
use File::Temp ();
use IO::Compress::Gzip qw( gzip );

use DFP::Image;
use DFP::Process qw( spawn gone stop wait_until free_port );

our @EXPORT_OK = qw( skopeo_pull );

use constant {
    START_TRIES   => 5,
    START_SECONDS => 10,
    LOG_SECONDS   => 5,
    CURL_SECONDS  => 5,
    LAYER_LINES   => 10_000,
    BCRYPT        => '$2y$05$',     # as cheap as it gets
    SALT          => 'abcdefghijklmnopqrstuu',
};


sub start
{
    my ($class, %options) = @_;

    my $self = bless {
        dir => File::Temp->newdir('dfpreheat-registry-XXXXXXXX', TMPDIR => 1),
        seen => 0, %options,
    }, $class;

    $self->{data} = $self->{images_of} ? $self->{images_of}{data}
                                       : "$self->{dir}/data";

    for (1 .. START_TRIES) {
        $self->{port} = delete $options{port} // free_port();
        $self->_write('registry.yml', $self->_conf);

        my $pid = spawn("$self->{dir}/out", 'docker-registry', 'serve',
                        "$self->{dir}/registry.yml");

        $self->{pid} = $pid;

        return $self if wait_until(START_SECONDS, sub {
            gone($pid) || $self->_mark }) && !gone($pid);

        stop($pid);
    }

    die 'docker-registry does not start: ' . $self->_log;
}


# From now on it sends notifications to this URL, with this token. It is another one at
# the same port, with the same images.

sub notify
{
    my ($self, $url, $token) = @_;

    $self->stop_serving;

    return ref($self)->start(images_of => $self, port => $self->{port},
                             notifies => { url => $url, token => $token });
}


sub port { $_[0]{port} }


sub stop_serving
{
    my $self = shift;

    stop($self->{pid});
}


# What it has answered, in order: "GET /v2/... 200". Without a pattern it is
# about all manifests and blobs.

sub requests
{
    my ($self, $pattern) = @_;

    my $end = $self->_settled;

    return grep { $_ =~ ($pattern // qr{/(?:manifests|blobs)/}) }
           _parse(substr $self->_log, $self->{seen}, $end - $self->{seen});
}


# How often each path of a manifest or a blob was handed out.

sub served
{
    my $self = shift;

    my %count;

    for ($self->requests) {
        $count{$1}++ if /^GET (\S+) 200$/;
    }

    return \%count;
}


# The manifests and blobs that it has sent: client (the address of who has
# requested it), path and bytes of each.

sub transfers
{
    my $self = shift;

    my $end = $self->_settled;
    my @sent;

    for (split /\n/, substr $self->_log, $self->{seen}, $end - $self->{seen}) {
        next if !m{^(\S+) .*"GET (\S+/(?:manifests|blobs)/\S+) \S+" 20\d (\d+)};
        push @sent, { client => $1, path => $2, bytes => $3 };
    }

    return @sent;
}


sub forget_requests
{
    my $self = shift;

    $self->{seen} = $self->_settled;
}


# An image of Linux on amd64 and arm64, of three layers each, of which the first
# is the same, as NAME:1.0; of another version, if one is given, and with so many more
# layers, of so many lines. The paths of a pull on amd64.

sub push_image
{
    my ($self, $name, $version, $more, $lines) = @_;

    my $layout = DFP::Registry::Layout->new;
    my $image = DFP::Image->new($layout, $name);
    my $of = $version ? ", $version" : '';
    my $base = $image->layer(_layer("the base$of"));
    my @more = map { $image->layer(_layer("$_$of", $lines)) }
               1 .. $more // 0;

    my %manifests = map {
        $_ => $image->manifest($base, $image->layer(_layer("one for $_$of")),
                               $image->layer(_layer("two for $_$of")), @more)
    } qw( amd64 arm64 );

    my $index = $image->index(map { [ "linux/$_" => $manifests{$_} ] }
                              sort keys %manifests);

    $image->tag('1.0', $index);

    _skopeo('copy', '--all', '--preserve-digests', '--dest-tls-verify=false',
            '--dest-no-creds', 'oci:' . $layout->dir . ':1.0',
            "docker://127.0.0.1:$self->{port}/$name:1.0");

    return { url => $image->by_tag('1.0'), index => $image->path($index),
             paths => [ $image->paths($manifests{amd64}) ] };
}


# Pulls an image for Linux on amd64 from whoever speaks HTTP at a port; options
# are those of skopeo. What it has said, where it did not succeed.

sub skopeo_pull
{
    my ($port, $name, @options) = @_;

    my $dir = File::Temp->newdir('dfpreheat-pulled-XXXXXXXX', TMPDIR => 1);

    eval {
        _skopeo('--override-os', 'linux', '--override-arch', 'amd64', 'copy',
                '--src-tls-verify=false', @options,
                "docker://127.0.0.1:$port/$name", "dir:$dir");
        1;
    } or return $@;

    return '';
}


sub _skopeo
{
    my @command = @_;

    open my $out, '-|', 'sh', '-c', 'exec skopeo "$@" 2>&1', 'skopeo',
         '--insecure-policy', @command or die "skopeo: $!";
    local $/;
    my $output = <$out> // '';

    close $out or die "skopeo @command: $output";
}


# More than goes into a buffer, and the same each time. skopeo would compress
# what is not a gzip file.

sub _layer
{
    my ($text, $lines) = @_;

    my $packed;
    my $bytes = join '', map { "$text, line $_\n" } 1 .. $lines // LAYER_LINES;

    gzip(\$bytes, \$packed, Minimal => 1, Level => 0) or die 'gzip';

    return $packed;
}


sub _conf
{
    my $self = shift;

    my ($tls, $auth, $notify) = ('', '', '');

    $tls = "  tls:\n    certificate: $self->{tls}{certificate}\n"
           . "    key: $self->{tls}{key}\n" if $self->{tls};
    $auth = $self->{token}->registry_conf if $self->{token};
    $auth = $self->_htpasswd if $self->{users};
    $notify = $self->_notifications if $self->{notifies};

    return <<"END";
version: 0.1
log:
  level: error
storage:
  filesystem:
    rootdirectory: $self->{data}
http:
  addr: 127.0.0.1:$self->{port}
  secret: of the tests
$tls
$auth
$notify
END
}


sub _notifications
{
    my $self = shift;

    my ($url, $token) = @{ $self->{notifies} }{qw( url token )};

    return <<"END";
notifications:
  endpoints:
    - name: dfpreheat
      url: $url
      headers:
        Authorization: [Bearer $token]
      timeout: 5s
      threshold: 5
      backoff: 200ms
END
}


sub _htpasswd
{
    my $self = shift;

    my $users = $self->{users};

    $self->_write('htpasswd', join '', map {
        "$_:" . crypt($users->{$_}, BCRYPT . SALT) . "\n" } sort keys %$users);

    return <<"END";
auth:
  htpasswd:
    realm: the registry of the tests
    path: $self->{dir}/htpasswd
END
}


# The log

sub _log
{
    my $self = shift;

    open my $file, '<', "$self->{dir}/out" or return '';
    local $/;

    return <$file> // '';
}


# Common Log Format

sub _parse
{
    return map { /"(\w+ \S+) HTTP[^"]*" (\d{3}) / ? "$1 $2" : () }
           split /\n/, shift;
}


# A request of our own, which is looked for in the log: what was answered before
# is there, too. Its end.

sub _settled
{
    my $self = shift;

    return wait_until(LOG_SECONDS, sub { $self->_mark })
        || die 'docker-registry is gone';
}


sub _mark
{
    my $self = shift;

    my $mark = sprintf '/v2/?mark=%d', ++$self->{marks};
    my $scheme = $self->{tls} ? 'https' : 'http';

    system('curl', '-sk', '-m', CURL_SECONDS, '-o', '/dev/null',
           "$scheme://127.0.0.1:$self->{port}$mark") == 0 or return;

    return wait_until(LOG_SECONDS, sub {
        my $log = $self->_log;
        return $log =~ /"GET \Q$mark\E .*\n/ ? $+[0] : 0;
    });
}


sub _write
{
    my ($self, $name, $text) = @_;

    open my $file, '>', "$self->{dir}/$name" or die "$name: $!";
    print {$file} $text;
    close $file or die "$name: $!";
}


# An OCI image layout, for skopeo to push. DFP::Image puts images into it as it
# puts them into a DFP::Upstream.

package DFP::Registry::Layout;

use strict;
use warnings;

use Digest::SHA qw( sha256_hex );
use File::Path qw( make_path );
use File::Temp ();
use JSON::PP ();

my $json = JSON::PP->new->canonical;


sub new
{
    my $class = shift;

    my $self = bless {
        dir => File::Temp->newdir('dfpreheat-layout-XXXXXXXX', TMPDIR => 1),
        tags => {},
    }, $class;

    make_path("$self->{dir}/blobs/sha256");
    $self->_write('oci-layout', '{"imageLayoutVersion":"1.0.0"}');

    return $self;
}


sub dir { "$_[0]{dir}" }


sub answers
{
    my ($self, $path, $answer) = @_;

    my ($reference) = $path =~ m{([^/]+)\z};
    my ($digest) = $reference =~ /^sha256:(.*)/;

    if (defined $digest) {
        $self->_write("blobs/sha256/$digest", $answer->{body});
        return;
    }

    $self->{tags}{$reference} = {
        mediaType => $json->decode($answer->{body})->{mediaType},
        digest => 'sha256:' . sha256_hex($answer->{body}),
        size => length $answer->{body},
        annotations => { 'org.opencontainers.image.ref.name' => $reference },
    };

    $self->_write('index.json', $json->encode({
        schemaVersion => 2,
        manifests => [ map { $self->{tags}{$_} } sort keys %{ $self->{tags} } ],
    }));
}


sub _write
{
    my ($self, $name, $bytes) = @_;

    open my $file, '>:raw', "$self->{dir}/$name" or die "$name: $!";
    print {$file} $bytes;
    close $file or die "$name: $!";
}

1;
