# nginx as a block wants it: one process, in the foreground.

package Test::Nginx::Runner::Server;

use strict;
use warnings;

use Exporter qw( import );
use File::Path qw( make_path remove_tree );

use DFP::Process qw( forget gone spawn stop wait_until );
use Test::Nginx::Util;

our @EXPORT_OK = qw( start_nginx stop_nginx );

use constant {
    START_SECONDS => 10,
    QUIT_TRIES    => 3,
};

my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';
my $pid;


# Starts it in an empty server root; false where it does not start.

sub start_nginx
{
    my $block = shift;

    my $root = "$Test::Nginx::Util::ServRoot";

    remove_tree($root, { keep_root => 1 });
    make_path("$root/logs", "$root/html", "$root/conf");
    _write("$root/html/index.html", 'It works!');
    _write("$root/conf/nginx.conf", _configuration($block));

    $pid = spawn("$root/logs/output", $nginx, '-p', "$root/",
                 '-e', "$root/logs/error.log", '-c', "$root/conf/nginx.conf");

    wait_until(START_SECONDS, sub {
        gone($pid) || _content("$root/logs/nginx.pid") =~ /^$pid$/;
    });

    return !gone($pid);
}


# Has it quit; what is wrong with how it did, where something is.

sub stop_nginx
{
    # A signal that comes after nginx has looked for one, and before it waits for
    # events, is seen when the next event comes: nginx is told again.

    my $quit;

    for (1 .. QUIT_TRIES) {
        kill QUIT => $pid;
        $quit = wait_until($Test::Nginx::Util::Timeout / QUIT_TRIES,
                           sub { gone($pid) }) and last;
    }

    if (!$quit) {
        stop($pid);
        return "nginx did not quit within $Test::Nginx::Util::Timeout s";
    }

    my $status = $?;

    forget($pid);

    return if $status == 0;
    return 'nginx died of signal ' . ($status & 127) if $status & 127;
    return 'nginx exited with code ' . ($status >> 8);
}


sub _content
{
    my $path = shift;

    open my $file, '<', $path or return '';

    return <$file> // '';
}


sub _write
{
    my ($path, $content) = @_;

    open my $file, '>', $path or die "$path: $!";
    print {$file} $content;
    close $file or die "$path: $!";
}


sub _configuration
{
    my $block = shift;

    my $root = "$Test::Nginx::Util::ServRoot";
    my $level = $block->log_level || $Test::Nginx::Util::LogLevel;
    my $load = join '', map { "load_module $_;\n" } @modules;
    my $user = $> == 0 ? 'user root;' : '';
    my ($http, $server) = map { Test::Nginx::Util::expand($_) }
                          scalar $block->http_config, scalar $block->config;
    my $location = $Test::Nginx::Util::NoRootLocation
                   ? '' : "location / { root $root/html; }";

    return <<"CONF";
$load
$user
daemon off;
master_process off;
error_log $root/logs/error.log $level;
pid $root/logs/nginx.pid;

events { worker_connections 64; }

http {
    access_log $root/logs/access.log;
    client_body_temp_path $root/client_body_temp;
    proxy_temp_path $root/proxy_temp;
    fastcgi_temp_path $root/fastcgi_temp;
    scgi_temp_path $root/scgi_temp;
    uwsgi_temp_path $root/uwsgi_temp;
    default_type text/plain;

$http

    server {
        listen $Test::Nginx::Util::ServerPort;
        server_name localhost;
        client_max_body_size 30M;

$server
        $location
    }
}
CONF
}

1;
