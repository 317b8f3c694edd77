# One file of conf/examples/registries in an nginx of its own, with a private Redis.
# Nothing in the file is replaced but paths, the name server, Redis, the port of the
# front and a name that is allowed by a suffix: the names of registries are their real ones (DFP::Internet).
#
#     my $front = DFP::ExampleRegistries->start('mirror',
#         internet => $internet, ca => $ca);
#     my $answer = $front->get('nginx.lan', $path);
#
# With "rehearsals", mirror.conf has the location of docs/mirrors.md for them.

package DFP::ExampleRegistries;

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( basename dirname );
use File::Temp ();
use JSON::PP qw( decode_json encode_json );

use DFP::File qw( read_file write_file );
use DFP::Process qw( children forget free_port gone spawn stop wait_until );

use constant {
    START_SECONDS => 10,
    CURL_SECONDS  => 30,
    JOB_SECONDS   => 30,
    ADMIN_KEY     => 'the-admin-key-of-the-tests',
    SEAL_KEY      => '0123456789abcdef' x 4,
};

my $top = abs_path(dirname(__FILE__) . '/../../..');
my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                         || "$top/build/ngx_http_dfpreheat_module.so";


sub start
{
    my ($class, $example, %options) = @_;

    my $self = bless {
        dir => File::Temp->newdir('dfpreheat-registries-XXXXXXXX', TMPDIR => 1),
        port => free_port(), redis_port => free_port(), example => $example,
        pair => $options{ca}->issue('nginx.lan', '*.nginx.lan'), %options,
    }, $class;

    my $dir = $self->{dir};

    mkdir "$dir/$_" or die "$_: $!" for qw( temp registries );
    $self->_write('redis.conf', "bind 127.0.0.1\nport $self->{redis_port}\n"
                                . "dir $dir\nsave ''\n");
    $self->_write('admin.key', ADMIN_KEY);
    $self->_write('seal.key', SEAL_KEY);
    $self->_write('nginx.conf', $self->_nginx_conf);
    $self->_write(basename($_), read_file($_)) for glob "$top/conf/*.conf";
    $self->_write('registries/' . basename($_), $self->_replaced(read_file($_)))
        for glob "$top/conf/examples/registries/*.conf";

    $self->{redis} = spawn("$dir/redis.out", 'redis-server',
                           "$dir/redis.conf");
    $self->{nginx} = spawn("$dir/out", $nginx, '-e', "$dir/error.log", '-c',
                           "$dir/nginx.conf");

    wait_until(START_SECONDS, sub {
        gone($self->{nginx})
        || -s "$dir/nginx.pid"
           && $self->get('nginx.lan', '/healthy')->{status} == 200
    }) && !gone($self->{nginx})
        or die "nginx does not start: " . read_file("$dir/out");

    $self->{internet}->front("127.0.0.1:$self->{port}", '.nginx.lan');

    return $self;
}


sub stop_all
{
    my $self = shift;

    my $master = $self->{nginx};
    my @all = ($master, children($master));

    kill 'TERM', $master;
    wait_until(START_SECONDS, sub { !grep { !gone($_) } @all })
        or die 'nginx does not leave';
    forget($master);
    stop($self->{redis});
}


sub log_of { read_file("$_[0]{dir}/error.log") }

sub severe
{
    my $self = shift;

    return grep { / \[(?:alert|crit|emerg)\] / } split /\n/, $self->log_of;
}


# What a client gets of the front by one of its names: status, cache, headers (by
# names in lower case) and body. Options: method, headers, authorization, body.

sub get
{
    my ($self, $host, $path, %options) = @_;

    my @command = ('curl', '-s', '-i', '-m', CURL_SECONDS, '--path-as-is',
                   '--cacert', $self->{ca}->file, '--connect-to',
                   "$host:443:127.0.0.1:$self->{port}");
    my $method = $options{method} // (defined $options{body} ? 'POST' : 'GET');

    push @command, $method eq 'HEAD' ? '-I' : ('-X', $method);
    push @command, '-d', $options{body} if defined $options{body};
    push @command, map { ('-H', $_) } @{ $options{headers} // [] },
        $options{authorization} ? "Authorization: $options{authorization}" : ();

    open my $out, '-|', @command, "https://$host$path" or die "curl: $!";
    binmode $out;
    local $/;
    my ($head, $body) = split /\r\n\r\n/, <$out> // '', 2;
    close $out;

    my %headers = map { /^([^:]+): (.*)$/ ? (lc $1 => $2) : () }
                  split /\r\n/, $head // '';

    return { status => ($head // '') =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0,
             cache => $headers{'x-cache'} // '-', headers => \%headers,
             body => $body // '' };
}


# A job of an image at its end.

sub run
{
    my ($self, %args) = @_;

    $self->{token} //= $self->_api(ADMIN_KEY,
        '/api/v1/personal-access-tokens', {
            name => 'test', scopes => ['job'],
            expired_at => '2037-01-01T00:00:00Z' })->{token};

    my $id = $self->_api($self->{token}, '/oapi/v1/jobs', {
        type => 'preheat', args => { type => 'image', %args } })->{id};
    my $job;

    wait_until(JOB_SECONDS, sub {
        $job = $self->_api($self->{token}, "/oapi/v1/jobs/$id");
        $job->{state} ne 'PENDING';
    });

    return $job;
}


sub _api
{
    my ($self, $token, $path, $body) = @_;

    my $answer = $self->get('nginx.lan', $path,
                            authorization => "Bearer $token",
                            body => $body && encode_json($body));

    die "$path: $answer->{status} $answer->{body}" if $answer->{status} != 200;

    return decode_json($answer->{body});
}


# nginx would keep sessions of TLS until it exits, and the sanitizers would call
# that a leak.

sub _nginx_conf
{
    my $self = shift;

    my $dir = $self->{dir};
    my $modules = join '', map { "load_module $_;\n" } @modules;
    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join '', map { "    ${_}_temp_path $dir/temp/$_;\n" }
               qw( client_body proxy fastcgi uwsgi scgi );

    return <<"END";
$modules
$user
daemon off;
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log info;

events {
    worker_connections 512;
}

http {
    log_format how '\$host \$request_method \$request_uri \$status '
                   '\$upstream_cache_status';
    access_log $dir/access.log how;
$temp
    proxy_ssl_session_reuse off;
    add_header X-Cache \$upstream_cache_status always;

    include registries/$self->{example}.conf;
}
END
}


sub _replaced
{
    my ($self, $text) = @_;

    my $dir = $self->{dir};

    $text =~ s{^(?=    location \@ping)}{$self->_rehearsals}me
        if $self->{rehearsals};

    my %new = (
        '127.0.0.1:6379' => "127.0.0.1:$self->{redis_port}",
        '/var/cache/nginx/registry' => "$dir/cache",
        '/etc/nginx/dfpreheat.key' => "$dir/seal.key",
        '/etc/nginx/dfpreheat-admin.key' => "$dir/admin.key",
        '/etc/nginx/nginx.lan.pem' => $self->{pair}{certificate},
        '/etc/nginx/nginx.lan.key' => $self->{pair}{key},
        '/etc/nginx/ca.pem' => $self->{ca}->file,
        '/etc/ssl/certs/ca-certificates.crt' => $self->{ca}->file,
        '443 ssl' => "127.0.0.1:$self->{port} ssl",
        '127.0.0.53' => '127.0.0.1:' . $self->{internet}->dns->port,
    );
    my $old = join '|', map { quotemeta } sort { length $b <=> length $a }
                                          keys %new;

    # a host that is not named in full must not be on loopback

    $text =~ s{(?=https://quayio-production)}{https://cdn01.quay.io };

    return $text =~ s/($old)/$new{$1}/gr;
}


# The front has another port than 443 here.

sub _rehearsals
{
    my $self = shift;

    my ($location) = read_file("$top/docs/mirrors.md")
                     =~ /^## Rehearsals\n.*?```nginx\n(.*?)```/ms
        or die 'docs/mirrors.md has no location';

    return $location =~ s{(nginx\.lan)(?=[/;\s])}{$1:$self->{port}}gr;
}


# What was requested, as "HOST METHOD URI STATUS CACHE", of paths below /v2/.

sub requests
{
    my $self = shift;

    return grep { m{^\S+ \S+ /v2/} } split /\n/, read_file("$self->{dir}/access.log");
}


sub forget_requests
{
    my $self = shift;

    truncate "$self->{dir}/access.log", 0 or die "access.log: $!";
}


sub _write
{
    my ($self, $name, $text) = @_;

    write_file("$self->{dir}/$name", $text);
}

1;
