# The server root: its directories, the block's files and nginx.conf.

package Test::Nginx::Runner::Root;

use strict;
use warnings;

use Exporter qw( import );
use File::Find ();
use File::Path qw( make_path remove_tree );

use Test::Nginx::Util;

our @EXPORT = qw( setup_server_root write_user_files write_config_file );

# What the running nginx and what was put there for it to read again survive
# a reload.
my $kept_over_reload = qr/(?:\bnginx\.pid|\.sock|\.crt|\.key)$/;


# An empty server root. Only what this module or nginx makes is removed: a
# directory of somebody else's, named by mistake, is left as it is.

sub setup_server_root
{
    my $keep_running = shift;

    my $root = $Test::Nginx::Util::ServRoot;

    if (-d $root) {
        remove_tree($Test::Nginx::Util::ConfDir, glob("$root/*_cache"),
                    glob("$root/*_temp"));

        if ($keep_running) {
            _remove_files($root);

        } else {
            remove_tree($Test::Nginx::Util::CacheDir,
                        $Test::Nginx::Util::HtmlDir,
                        $Test::Nginx::Util::LogDir);
            _check_empty($root);
        }
    }

    make_path($root, $Test::Nginx::Util::ConfDir,
              $Test::Nginx::Util::HtmlDir, $Test::Nginx::Util::LogDir);

    _write_file("$Test::Nginx::Util::HtmlDir/index.html",
                '<html><head><title>It works!</title></head>'
                . '<body>It works!</body></html>');
}


# The directory itself stays, as it is the claim to the file's ports.

sub _check_empty
{
    my $root = shift;

    opendir my $dir, $root or bail_out("cannot read $root: $!");
    my @left = grep { !/^\.\.?$/ } readdir $dir;

    bail_out("$root holds files that no test made: @left") if @left;
}


sub _remove_files
{
    my $root = shift;

    my $remove = sub {
        unlink $_ if !-d $_ && $_ !~ $kept_over_reload;
    };

    File::Find::find({ no_chdir => 1, wanted => $remove }, $root);
}


sub _write_file
{
    my ($path, $content) = @_;

    open my $out, '>', $path or bail_out("cannot write $path: $!");
    binmode $out;
    print {$out} $content;
    close $out or bail_out("cannot write $path: $!");
}


# "user_files": ">>> NAME [DATE]" lines with what belongs into each file, or
# an array of [name, content, date]. Names are relative to the html folder.

sub write_user_files
{
    my $block = shift;

    my $files = $block->user_files or return;
    my $name = $block->name;

    $files = _split_user_files($files) if !ref $files;

    bail_out("$name - user_files is neither a text nor an array")
        if ref $files ne 'ARRAY';

    for my $file (@$files) {
        my ($path, $content, $date) = @$file;

        $path = "$Test::Nginx::Util::HtmlDir/$path" if $path !~ m{^/};

        make_path($1) if $path =~ m{(.*)/};
        _write_file($path, expand_env_in_text($content // '', $name));

        if ($date) {
            local $ENV{TZ} = 'GMT';
            system('touch', '-t', $date, $path) == 0
                or bail_out("$name - touch -t $date $path failed");
        }
    }
}


sub _split_user_files
{
    my $text = shift;

    my @files;

    for my $line ($text =~ /^.*\n?/mg) {
        if ($line =~ />>> (\S+)(?:[ \t]+(\S.*))?/) {
            push @files, [$1, '', $2];

        } elsif (@files) {
            $files[-1][1] .= $line;
        }
    }

    return \@files;
}


# nginx.conf for $block. With $version, a server that answers /ver with it
# tells from outside when a reload has taken effect.

sub write_config_file
{
    my ($block, $config, $nginx_features, $version) = @_;

    my $name = $block->name;

    # a section that is not there is an empty list, hence the scalars
    my ($main, $http, $post_main) = map {
        expand_env_in_text($_, $name) // ''
    } _main_config($block), scalar $block->http_config,
      scalar $block->post_main_config;

    my $server = _server($block, $config);
    my $error_log = expand_env_in_text(scalar $block->error_log_file, $name)
                    // $Test::Nginx::Util::ErrLogFile;
    my $temp_paths = _temp_paths($http, $nginx_features);

    my $ver_server = defined $version ? _version_server($version) : '';
    my $env = join '', map { /\s/ ? "env '$_';\n" : "env $_;\n" }
              @Test::Nginx::Util::EnvToNginx;
    my $user = $> == 0 ? "user root;\n" : '';

    _write_file($Test::Nginx::Util::ConfFile, <<_EOC_);
worker_processes $Test::Nginx::Util::Workers;
daemon off;
master_process $Test::Nginx::Util::MasterProcessEnabled;
error_log $error_log $Test::Nginx::Util::LogLevel;
pid $Test::Nginx::Util::PidFile;
env LD_PRELOAD;
env LD_LIBRARY_PATH;
env ASAN_OPTIONS;
$env$user
$main

http {
    access_log $Test::Nginx::Util::AccLogFile;
$temp_paths
    default_type text/plain;
    keepalive_timeout 68000ms;

$http

$server
$ver_server
}

$post_main

events {
    accept_mutex off;
    worker_connections $Test::Nginx::Util::WorkerConnections;
}
_EOC_
}


# load_module must come before everything that a module might define.

sub _main_config
{
    my $block = shift;

    my @modules = split ' ', $Test::Nginx::Util::LoadModules;

    return join "\n", (map { "load_module $_;" } @modules),
                      $block->main_config // '';
}


sub _temp_paths
{
    my ($http, $nginx_features) = @_;

    my $paths = '';

    for my $kind (qw( client_body proxy fastcgi scgi uwsgi )) {
        next if $http =~ /\b${kind}_temp_path\b/;
        next if $nginx_features =~ /--without-http_${kind}_module/;

        $paths .= "    ${kind}_temp_path"
                  . " $Test::Nginx::Util::ServRoot/${kind}_temp;\n";
    }

    return $paths;
}


sub _server
{
    my ($block, $config) = @_;

    my $server_name = $block->server_name // $Test::Nginx::Util::ServerName;

    my $root_location = $Test::Nginx::Util::NoRootLocation ? '' : <<_EOC_;
        location / {
            root $Test::Nginx::Util::HtmlDir;
            index index.html index.htm;
        }
_EOC_

    return <<_EOC_;
    server {
        listen $Test::Nginx::Util::ServerPort;
        server_name '$server_name';
        client_max_body_size 30M;

$Test::Nginx::Util::ConfigPreamble
$config

$root_location    }
_EOC_
}


sub _version_server
{
    my $version = shift;

    return <<_EOC_;
    server {
        listen $Test::Nginx::Util::ServerPort;
        server_name Test-Nginx;
        location = /ver { return 200 '$version'; }
    }
_EOC_
}

1;
