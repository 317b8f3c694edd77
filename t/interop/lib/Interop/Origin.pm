# What files come from: an nginx that knows ranges, as dfdaemon needs them, and
# writes down what it was asked. A registry may stand behind it:
#
#     my $origin = Interop::Origin->start(registry => $registry->port);
#     my $file = $origin->file('one');
#     ... $file->{url}, $file->{sha256}, $origin->requests($file->{path})

package Interop::Origin;

use strict;
use warnings;

use Digest::SHA qw( sha256_hex );
use File::Temp ();
use HTTP::Tiny;

use DFP::Process qw( spawn gone stop wait_until free_port );

use constant {
    START_TRIES   => 5,
    START_SECONDS => 10,
    LOG_SECONDS   => 5,
    MARK_SECONDS  => 2,
    FILE_LINES    => 250_000,
};

my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';


sub start
{
    my ($class, %options) = @_;

    my $self = bless {
        dir => File::Temp->newdir('dfpreheat-origin-XXXXXXXX', TMPDIR => 1),
        seen => 0, %options,
    }, $class;

    mkdir "$self->{dir}/$_" or die "mkdir: $!" for qw( temp file );

    for (1 .. START_TRIES) {
        $self->{port} = free_port();
        $self->_write('nginx.conf', $self->_conf);

        my $pid = spawn("$self->{dir}/out", $nginx, '-e',
                        "$self->{dir}/error.log", '-c',
                        "$self->{dir}/nginx.conf");

        return $self if wait_until(START_SECONDS, sub {
            gone($pid) || $self->_mark }) && !gone($pid);

        stop($pid);
    }

    die 'the origin does not start: ' . $self->_read('out');
}


sub url { "http://127.0.0.1:$_[0]{port}" }


# A file of some pieces of Dragonfly's, which are of 4 MiB.

sub file
{
    my ($self, $name) = @_;

    my $path = "/file/$name";
    my $bytes = join '', map { sprintf "%s, line %d of many\n", $name, $_ }
                         1 .. FILE_LINES;

    $self->_write("file/$name", $bytes);

    return { path => $path, url => $self->url . $path, size => length $bytes,
             sha256 => sha256_hex($bytes) };
}


# What it has answered since the last look, in order, of paths that match:
# method, path, status, range and Authorization, which are "-" where there was
# none.

sub requests
{
    my ($self, $pattern) = @_;

    my $end = $self->_settled;
    my @lines = split /\n/, substr $self->_read('access.log'), $self->{seen},
                                   $end - $self->{seen};
    my @names = qw( method path status range authorization );

    return grep { $_->{path} !~ /^\/mark/ && $_->{path} =~ ($pattern // qr//) }
           map {
               my %request;
               @request{@names} = split /\t/;
               \%request;
           } @lines;
}


sub forget_requests
{
    my $self = shift;

    $self->{seen} = $self->_settled;
}


# A request is written down when its end is known, so with one worker our own
# one is behind all that have been answered. Where it ends in the log.

sub _settled
{
    my $self = shift;

    return wait_until(LOG_SECONDS, sub { $self->_mark })
        || die 'the origin is gone';
}


sub _mark
{
    my $self = shift;

    my $mark = sprintf '/mark/%d', ++$self->{marks};

    HTTP::Tiny->new(timeout => MARK_SECONDS)->get($self->url . $mark)
        ->{status} == 204 or return;

    return wait_until(LOG_SECONDS, sub {
        my $log = $self->_read('access.log');
        return $log =~ /^GET\t\Q$mark\E\t.*\n/m ? $+[0] : 0;
    });
}


sub _conf
{
    my $self = shift;

    my $dir = $self->{dir};
    my $user = $> == 0 ? 'user root;' : '';
    my $registry = '';

    $registry = <<"END" if $self->{registry};
        location /v2/ {
            proxy_pass http://127.0.0.1:$self->{registry};
            proxy_set_header Host \$http_host;
            proxy_buffering off;
        }
END

    return <<"END";
$user
daemon off;
worker_processes 1;
pid $dir/nginx.pid;

events {
    worker_connections 256;
}

http {
    log_format asked '\$request_method\t\$request_uri\t\$status\t'
                     '\$http_range\t\$http_authorization';
    access_log $dir/access.log asked;
    client_body_temp_path $dir/temp/body;
    proxy_temp_path $dir/temp/proxy;
    fastcgi_temp_path $dir/temp/fastcgi;
    uwsgi_temp_path $dir/temp/uwsgi;
    scgi_temp_path $dir/temp/scgi;

    server {
        listen 127.0.0.1:$self->{port};
        root $dir;

        location / { return 404; }
        location /mark/ { return 204; }
        location /file/ { }
$registry
    }
}
END
}


sub _write
{
    my ($self, $name, $text) = @_;

    open my $file, '>:raw', "$self->{dir}/$name" or die "$name: $!";
    print {$file} $text;
    close $file or die "$name: $!";
}


sub _read
{
    my ($self, $name) = @_;

    open my $file, '<', "$self->{dir}/$name" or return '';
    local $/;

    return <$file> // '';
}

1;
