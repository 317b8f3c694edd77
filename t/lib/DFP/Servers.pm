# A private Redis with an append-only file, an origin, and an nginx with the
# module, for tests that kill and restart them (see DFP::Story). Options:
# workers (how many; 0: "master_process off"), connections (of a worker), command
# (that starts nginx) and modules, lease, main and http (more lines of nginx's
# configuration), cluster (more parameters of dfpreheat_cluster), zone (of the cache
# of its location), origin_url (of the URLs that its location serves, where that is
# not the origin's address), no_redis (true: the test starts it), redis_port (of
# one that is somebody else's, with no_redis), via (the port where nginx finds it,
# where that is another one), redis_user and redis_password (as which nginx logs
# in), before_nginx (what is done before it is started), daemon (true: the master
# is nobody's child, as its binary can only be upgraded then).
#
# TEST_NGINX_BINARY and TEST_NGINX_LOAD_MODULES, where set, name the nginx and
# the module.

package DFP::Servers;

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );

use DFP::Client;
use DFP::Origin;
use DFP::File qw( read_file write_file );
use DFP::Process qw( spawn gone stop forget adopt children title connected
                     wait_until free_port dead_port );

use constant {
    START_TRIES   => 5,
    START_SECONDS => 15,
    SOON          => 5,     # s: what the kernel does
    ADMIN_KEY     => 'the-admin-key-of-the-tests',
    SEAL_KEY      => '0123456789abcdef' x 4,
};

my $top = abs_path(dirname(__FILE__) . '/../../..');
my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                         || "$top/build/ngx_http_dfpreheat_module.so";


sub new
{
    my ($class, %options) = @_;

    return bless { workers => 2, connections => 512, command => [$nginx],
                   modules => \@modules, lease => '2s', zone => 'files',
                   expected => [], %options },
                 $class;
}


sub start
{
    my $self = shift;

    $self->{dir} = tempdir('dfpreheat-test-XXXXXXXX', TMPDIR => 1,
                           CLEANUP => 1);

    mkdir "$self->{dir}/$_" or die "mkdir: $!" for qw( redis temp cache );
    $self->_write('seal.key', SEAL_KEY);
    $self->_write('admin.key', ADMIN_KEY);
    $self->_write('redis.key', $self->{redis_password} // '');
    $self->_write('cache.conf', $self->_cache_conf);
    $self->_write($_, _conf($_))
        for qw( calls.conf follow.conf redirect.conf grpc.conf );

    $self->{origin} = DFP::Origin->start;
    $self->redis_start if !$self->{no_redis};
    @$self{qw( redis_port held )} = dead_port() if !$self->{redis_port};
    $self->{before_nginx}->($self) if $self->{before_nginx};
    $self->nginx_start;
}


sub stop_all
{
    my $self = shift;

    $self->nginx_end('TERM') if $self->{nginx};
    stop($self->{redis}) if $self->{redis};
    $self->{origin}->stop_serving if $self->{origin};
}


sub _write
{
    my ($self, $name, $text) = @_;

    write_file("$self->{dir}/$name", $text);
}


sub _read
{
    my ($self, $name) = @_;

    return read_file("$self->{dir}/$name");
}


# The settings that users include. A killed worker leaves its lock in the
# cache for as long as its part is leased; so it is where the lease is shorter.

sub _cache_conf
{
    my $self = shift;

    my $text = _conf('cache.conf');

    $text =~ s/^(proxy_cache_lock_age\s+)15s;$/$1$self->{lease};/m
        or die "the lock's age is not that of the default lease";

    return $text;
}


sub _conf
{
    my $name = shift;

    open my $file, '<', "$top/conf/dfpreheat_$name" or die "$name: $!";
    local $/;

    return scalar <$file>;
}


sub origin { $_[0]{origin} }


sub origin_url { $_[0]{origin_url} // $_[0]{origin}->url }


# Redis. More lines of its configuration are for this start only.

sub redis_start
{
    my ($self, @lines) = @_;

    # the first time on any free port, then always on that one

    delete $self->{held};

    for (1 .. START_TRIES) {
        my $port = $self->{redis_port} // free_port();

        $self->_write('redis.conf', $self->_redis_conf($port, @lines));

        my $pid = spawn("$self->{dir}/redis.out", 'redis-server',
                        "$self->{dir}/redis.conf");

        my $started = wait_until(START_SECONDS, sub {
            gone($pid) || $self->_redis_cli($port, 'info', 'server')
                          =~ /^process_id:$pid\b/m;
        });

        if ($started && !gone($pid)) {
            @$self{qw( redis redis_port )} = ($pid, $port);
            return;
        }

        stop($pid);
    }

    die 'redis does not start: ' . $self->_read('redis.out');
}


sub _redis_conf
{
    my ($self, $port, @lines) = @_;

    return join "\n", 'bind 127.0.0.1', "port $port",
                      "dir $self->{dir}/redis", 'appendonly yes', 'save ""',
                      'maxmemory-policy noeviction', @lines, '';
}


# Redis holds what it has answered back while the disk is busy (appendfsync
# everysec), and would lose it.

sub redis_kill
{
    my $self = shift;

    my $pid = delete $self->{redis};

    wait_until(SOON, sub {
        _stopped($pid) || $self->redis('info', 'persistence')
                          =~ /^aof_buffer_length:0\r?$/m;
    }) or die 'redis does not write';

    kill 'KILL', $pid;
    wait_until(SOON, sub { gone($pid) }) or die 'redis lives';
    forget($pid);

    # another suite might start its own there
    (undef, $self->{held}) = dead_port($self->{redis_port});
}


sub _stopped
{
    my $pid = shift;

    open my $file, '<', "/proc/$pid/stat" or return 1;

    return scalar(<$file>) =~ /\) [Tt] /;
}


sub redis_signal
{
    my ($self, $signal) = @_;

    kill $signal, $self->{redis};
}


# The reply of a command, as redis-cli prints it.

sub redis
{
    my ($self, @command) = @_;

    return $self->_redis_cli($self->{redis_port}, @command);
}


sub _redis_cli
{
    my ($self, $port, @command) = @_;

    open my $out, '-|', 'sh', '-c', 'exec redis-cli "$@" 2>/dev/null',
         'redis-cli', '-p', $port, @command or die "redis-cli: $!";
    local $/;
    my $reply = <$out> // '';
    close $out;
    $reply =~ s{\n\z}{};

    return $reply;
}


# What is stored, without a request to nginx, which would settle a job whose
# time is over.

sub stored_state
{
    my ($self, $id) = @_;

    return $self->redis('hget', "dfpreheat:job:$id", 'state');
}


# How many jobs are stored; those that have ended are kept, too.

sub stored_jobs
{
    my $self = shift;

    return scalar grep { /:\d+$/ }
                  split /\n/, $self->redis('keys', 'dfpreheat:job:*');
}


# nginx

sub nginx_start
{
    my $self = shift;

    for (1 .. START_TRIES) {
        my $port = $self->{port} // free_port();

        unlink "$self->{dir}/nginx.pid";
        $self->_write('nginx.conf', $self->_nginx_conf($port));

        my $pid = spawn("$self->{dir}/nginx.out", @{ $self->{command} },
                        '-e', "$self->{dir}/error.log",
                        '-c', "$self->{dir}/nginx.conf");

        # the file is written when the port is taken, and workers follow

        $pid = $self->_daemon($pid) if $self->{daemon};

        my $started = wait_until(START_SECONDS, sub {
            gone($pid) || $self->_read('nginx.pid') =~ /^$pid$/
                          && _workers($pid) == $self->{workers};
        });

        if ($started && !gone($pid)) {
            @$self{qw( nginx port )} = ($pid, $port);
            return;
        }

        stop($pid);
        last if $self->_read('nginx.out') !~ /Address already in use/;
    }

    die 'nginx does not start: ' . $self->_read('nginx.out');
}


# The master, which the process that was started leaves behind.

sub _daemon
{
    my ($self, $pid) = @_;

    my $master;

    wait_until(START_SECONDS, sub {
        ($master) = $self->_read('nginx.pid') =~ /^(\d+)$/;
        $master && gone($pid);
    }) or return $pid;

    forget($pid);
    adopt($master);

    return $master;
}


sub _nginx_conf
{
    my ($self, $port) = @_;

    my $modules = join '', map { "load_module $_;\n" } @{ $self->{modules} };
    my $user = $> == 0 ? 'user root;' : '';
    my $dir = $self->{dir};
    my $origin = $self->{origin}->url;
    my $url = $self->origin_url;
    my ($main, $http, $server, $cluster) = map { $self->{$_} // '' }
                                               qw( main http server cluster );
    my $redis = $self->{via} // $self->{redis_port};
    my $args = defined $self->{redis_user}
               ? "user=$self->{redis_user} password_file=$dir/redis.key" : '';
    my ($daemon, $master) = map { $_ ? 'on' : 'off' } @$self{qw( daemon workers )};

    return <<"END";
$modules
$user
daemon $daemon;
master_process $master;
worker_processes $self->{workers};
pid $dir/nginx.pid;
error_log $dir/error.log info;
$main

events {
    worker_connections $self->{connections};
}

http {
    access_log off;
    client_body_temp_path $dir/temp/body;
    proxy_temp_path $dir/temp/proxy;
    fastcgi_temp_path $dir/temp/fastcgi;
    uwsgi_temp_path $dir/temp/uwsgi;
    scgi_temp_path $dir/temp/scgi;

    proxy_cache_path $dir/cache levels=1:2 keys_zone=files:4m inactive=1d
                     use_temp_path=off;

    dfpreheat_redis 127.0.0.1:$redis $args;
    dfpreheat_key $dir/seal.key;
    dfpreheat_admin_key $dir/admin.key;
    dfpreheat_cluster 1 name=cluster-1 engine=cache $cluster;
    dfpreheat_lease $self->{lease};
    $http

    server {
        listen 127.0.0.1:$port;

        location /oapi/ { dfpreheat on; }
        location /healthy { dfpreheat on; }
        location /api/ { dfpreheat on; }
        location = /metrics { dfpreheat_status on; }
        $server

        location / {
            dfpreheat_origin $url;
            proxy_pass $origin;
            proxy_cache $self->{zone};
            include $dir/cache.conf;
        }
    }
}
END
}


sub nginx_signal
{
    my ($self, $signal) = @_;

    kill $signal, $self->{nginx};
}


# Tells the master to go, and waits until it and all workers are gone.

sub nginx_end
{
    my ($self, $signal) = @_;

    my $master = delete $self->{nginx};
    my @all = ($master, children($master));

    kill $signal, $master;

    if (!wait_until(SOON, sub { !grep { !gone($_) } @all })) {
        kill 'KILL', @all;
        die "nginx does not leave on $signal";
    }

    forget($master);
}


# No process of it has a chance to do anything any more.

sub nginx_kill
{
    my $self = shift;

    my $master = delete $self->{nginx};
    my @workers = children($master);

    kill 'KILL', $master, @workers;

    wait_until(SOON, sub { !grep { !gone($_) } $master, @workers })
        or die 'nginx lives';

    forget($master);
}


# Other options, for the next reload.

sub nginx_configure
{
    my ($self, %options) = @_;

    @$self{ keys %options } = values %options;
    $self->_write('nginx.conf', $self->_nginx_conf($self->{port}));
}


# Reloads, and waits until the new workers are there and the old ones have
# been told to quit; the pids of the old.

sub nginx_reload
{
    my $self = shift;

    my @before = $self->workers;

    $self->nginx_signal('HUP');

    wait_until(START_SECONDS, sub {
        my %now = map { $_ => 1 } $self->workers;
        keys %now == $self->{workers} && !grep { $now{$_} } @before;
    }) or die 'no new workers';

    return @before;
}


# Those that take requests.

sub workers
{
    my $self = shift;

    return _workers($self->{nginx});
}


sub _workers
{
    my $master = shift;

    return grep { title($_) =~ /worker process *$/ } children($master);
}


# The worker whose connection to the origin has this port at its end.

sub worker_of
{
    my ($self, $port) = @_;

    return connected($port, $self->{origin}->port,
                     children($self->{nginx}));
}


# The Open API

sub client
{
    my $self = shift;

    $self->{token} //= $self->token;

    return DFP::Client->new(port => $self->{port}, token => $self->{token});
}


# With the admin key, and with a token; new tokens.

sub admin
{
    my $self = shift;

    return DFP::Client->new(port => $self->{port}, token => ADMIN_KEY);
}


sub token
{
    my ($self, @scopes) = @_;

    @scopes = ('job') if !@scopes;

    my $answer = $self->admin->post('/api/v1/personal-access-tokens', {
        name => 'test-' . ++$self->{tokens}, scopes => \@scopes,
        expired_at => '2037-01-01T00:00:00Z',
    });

    die "no token: $answer->{body}" if $answer->{status} != 200;

    return $answer->{json}{token};
}


# The body of a job of files, by their paths at the origin.

sub files
{
    my ($self, $paths, %args) = @_;

    return {
        type => 'preheat',
        args => {
            type => 'file',
            urls => [ map { $self->origin_url . $_ } @$paths ],
            %args,
        },
    };
}


# Posts such a job; its id.

sub post_files
{
    my ($self, @job) = @_;

    my $answer = $self->client->post('/oapi/v1/jobs', $self->files(@job));

    die "no job: $answer->{body}" if $answer->{status} != 200;

    return $answer->{json}{id};
}


sub job
{
    my ($self, $id) = @_;

    $self->{reader} //= $self->client;

    my $answer = $self->{reader}->get("/oapi/v1/jobs/$id");

    die "no job $id: $answer->{body}" if $answer->{status} != 200;

    return $answer->{json};
}


# The job as soon as it has ended, or as it is when time is up.

sub ended_job
{
    my ($self, $id, $seconds) = @_;

    my $job;

    wait_until($seconds, sub {
        $job = $self->job($id);
        $job->{state} ne 'PENDING';
    });

    return $job;
}


sub lost_attempts
{
    my ($self, $job) = @_;

    return $job->{result}{job_states}[0]{lost_attempts};
}


# The log

# COUNT lines (any number where it is undef) of level alert, crit or emerg match,
# and are what the story itself has brought about.

sub expects
{
    my ($self, $count, $pattern) = @_;

    push @{ $self->{expected} }, [ $count, $pattern ];
}


# The other such lines, and what is wrong about the expected ones.

sub severe
{
    my $self = shift;

    return if !$self->{dir};

    my @lines = grep { / \[(?:alert|crit|emerg)\] / }
                split /\n/, $self->_read('error.log');

    for my $expected (@{ $self->{expected} }) {
        my ($count, $pattern) = @$expected;
        my $found = grep { /$pattern/ } @lines;

        @lines = grep { !/$pattern/ } @lines;
        push @lines, "$found lines instead of $count match $pattern"
            if defined $count && $found != $count;
    }

    return @lines;
}


# The lines of the log that match.

sub logged
{
    my ($self, $pattern) = @_;

    return grep { /$pattern/ } split /\n/, $self->_read('error.log');
}


# The last lines of the log, as many as are given.

sub log_tail
{
    my ($self, $count) = @_;

    return if !$self->{dir};

    my @lines = split /\n/, $self->_read('error.log');
    my $first = @lines > $count ? @lines - $count : 0;

    return @lines[$first .. $#lines];
}

1;
