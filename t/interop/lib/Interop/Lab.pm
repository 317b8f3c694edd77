# The real Dragonfly on loopback: a scheduler without a manager, and dfdaemons,
# each on an address of its own, of which the first are seed peers:
#
#     my $lab = Interop::Lab->start(scheduler => $path, dfdaemon => $path);
#     ... $lab->address, $lab->peer('peer-2')->{ip}, $lab->proxy('peer-2')
#
# seed-1 is on 127.0.0.1, peer-2 on 127.0.0.2, and so on. Options: peers (how
# many; 3), seeds (how many of them; 1), blob_digest (true: peers identify blobs by
# their digest), announce (how often peers tell the scheduler of themselves),
# job_redis (the port of a Redis: with it the scheduler's job service runs; without
# it that is off, as Dragonfly is set up without a manager).
#
# Ports are other ones each time: those of a seed that has ended are not free
# for a minute.

package Interop::Lab;

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use Time::HiRes qw( sleep );

use DFP::Process qw( spawn gone stop forget wait_until );

use constant {
    PEERS         => 3,
    SEEDS         => 1,
    START_TRIES   => 3,
    START_SECONDS => 20,
    LIST_SECONDS  => 40,    # peers announce themselves every ANNOUNCE
    ANNOUNCE      => '2s',
    SEED_SECONDS  => 60,    # the scheduler looks for seeds every 30
    SEED_POLL     => 1,
    CALL_SECONDS  => 5,
    SOON          => 5,     # s: what the kernel does
    PORT_FIRST    => 20000, # below those that the kernel hands out by itself
    PORT_COUNT    => 12000,
    PORT_TRIES    => 200,
    LOG_TAIL      => 8,     # lines of each log
    LOG_WIDTH     => 400,
};

my %taken;                  # ports that were given to somebody


sub start
{
    my ($class, %options) = @_;

    my $self = bless {
        peers => PEERS, seeds => SEEDS, announce => ANNOUNCE, members => [],
        %options,
        dir => File::Temp->newdir('dfpreheat-lab-XXXXXXXX', TMPDIR => 1),
    }, $class;

    mkdir "$self->{dir}/$_" or die "mkdir: $!" for qw( run log data );

    $self->_start_scheduler;
    $self->_start_peers;

    my @names = map { $_->{name} } @{ $self->{members} };

    wait_until(LIST_SECONDS, sub {
        my $list = $self->_hosts;
        !grep { $list !~ /\b$_\b/ } @names;
    }) or die "the scheduler does not list @names\n" . $self->logs;

    return $self;
}


# Where the scheduler takes calls.

sub address { "127.0.0.1:$_[0]{port}" }


sub peer
{
    my ($self, $name) = @_;

    my ($peer) = grep { $_->{name} eq $name } @{ $self->{members} };

    return $peer // die "there is no $name";
}


sub proxy
{
    my ($self, $name) = @_;

    my $peer = $self->peer($name);

    return "http://$peer->{ip}:$peer->{ports}{proxy}";
}


# Whether the scheduler takes a peer for one that is there.

sub lists
{
    my ($self, $name) = @_;

    return $self->_hosts =~ /\b$name\b/;
}


# A scheduler whose job service runs looks for seed peers twice a minute only.
# What is to be done by a single one is dropped until then: it says OK, and does
# nothing. So it is told to fetch a URL until that has arrived.

sub wait_for_seeds
{
    my ($self, $url, $arrived) = @_;

    wait_until(SEED_SECONDS, sub {
        $self->_call('PreheatFile', _text(1, $url)
                                    . _text(7, 'single_seed_peer'));
        sleep SEED_POLL;
        $arrived->();
    }) or die "the scheduler finds no seed peer\n" . $self->logs;
}


# A scheduler as it is released talks to no registry on loopback; what it says
# then. Only for one whose job service runs. There is no such image, so that
# nothing is preheated.

sub refuses_loopback
{
    my ($self, $registry) = @_;

    my $url = "$registry/v2/nothing/manifests/none";
    my $answer = $self->_call('PreheatImage', _text(1, $url)
                                              . _text(10, 'single_seed_peer'));

    return $answer =~ /^grpc-message: (.*\bip \S+ is invalid.*)$/mi ? $1 : '';
}


# A peer that takes connections and does nothing, until it goes on.

sub freeze { kill 'STOP', $_[0]->peer($_[1])->{pid} }

sub thaw { kill 'CONT', $_[0]->peer($_[1])->{pid} }


# One that has forgotten all peers, at the same address.

sub restart_scheduler
{
    my $self = shift;

    stop(delete $self->{pid});
    $self->{pid} = spawn("$self->{dir}/log/scheduler.out", $self->{scheduler},
                         '--config', "$self->{dir}/scheduler.yaml",
                         '--dynconfig', "$self->{dir}/scheduler-dynamic.yaml");

    $self->_started($self->{pid}, '127.0.0.1', $self->{port})
        or die "the scheduler does not start again\n" . $self->logs;
}


# No chance to tell the scheduler that it goes.

sub kill_peer
{
    my ($self, $name) = @_;

    my $pid = delete $self->peer($name)->{pid};

    kill 'KILL', $pid;
    wait_until(SOON, sub { gone($pid) }) or die "$name lives";
    forget($pid);
}


sub stop_all
{
    my $self = shift;

    my @pids = map { delete $_->{pid} // () } @{ $self->{members} };

    # all leave at the same time, while there is still a scheduler to tell

    kill 'CONT', @pids;
    kill 'TERM', @pids;
    stop($_) for @pids;
    stop(delete $self->{pid}) if $self->{pid};
}


# The ends of all logs, for who wants to know what went wrong.

sub logs
{
    my $self = shift;

    my $text = '';

    my @paths = map { glob "$self->{dir}/log/$_" }
                qw( *.out */*.log */*/core.log );

    for my $path (@paths) {
        open my $file, '<', $path or next;
        chomp(my @lines = <$file>);
        my $first = @lines > LOG_TAIL ? @lines - LOG_TAIL : 0;

        $text .= substr($path, length "$self->{dir}/log/") . ":\n";
        $text .= '  ' . substr($_, 0, LOG_WIDTH) . "\n"
            for @lines[$first .. $#lines];
    }

    return $text;
}


sub _start_scheduler
{
    my $self = shift;

    my $dynamic = $self->_write('scheduler-dynamic.yaml', <<'END');
seedPeerClusterConfig: {loadLimit: 2000}
schedulerClusterConfig: {candidateParentLimit: 3, filterParentLimit: 15}
schedulerClusterClientConfig: {loadLimit: 200}
applications: []
END

    for (1 .. START_TRIES) {
        my $port = _free_port('127.0.0.1');
        my $conf = $self->_write('scheduler.yaml',
                                 $self->_scheduler_conf($port));

        my $pid = spawn("$self->{dir}/log/scheduler.out", $self->{scheduler},
                        '--config', $conf, '--dynconfig', $dynamic);

        next if !$self->_started($pid, '127.0.0.1', $port);

        @$self{qw( pid port )} = ($pid, $port);
        return;
    }

    die "the scheduler does not start\n" . $self->logs;
}


sub _scheduler_conf
{
    my ($self, $port) = @_;

    my $dir = $self->{dir};
    my $metrics = _free_port('127.0.0.1');
    my ($job, $redis) = ('false', '');

    if ($self->{job_redis}) {
        $job = 'true';
        $redis = "database: {redis: {addrs: [\"127.0.0.1:$self->{job_redis}\"],"
                 . " brokerDB: 1, backendDB: 2}}\n";
    }

    return $redis . <<"END";
server:
  advertiseIP: 127.0.0.1
  advertisePort: $port
  listenIP: 127.0.0.1
  port: $port
  host: scheduler
  logDir: $dir/log/scheduler
  pluginDir: $dir/data/scheduler-plugins
scheduler: {algorithm: default}
dynConfig: {refreshInterval: 10s}
job: {enable: $job}
metrics: {enable: true, addr: "127.0.0.1:$metrics"}
END
}


# They take some seconds each, so they start at the same time. One whose ports
# were taken by somebody else in between gets other ones.

sub _start_peers
{
    my $self = shift;

    my @missing = 1 .. $self->{peers};

    $self->_write('peer-dynamic.yaml',
                  "scheduler: {addrs: [\"${\ $self->address }\"]}\n");

    for (1 .. START_TRIES) {
        my @peers = map { $self->_spawn_peer($_) } @missing;

        @missing = map { $self->_started(@$_{qw( pid ip )},
                                         @{ $_->{ports} }{qw( upload proxy )})
                         ? () : $_->{number} } @peers;

        push @{ $self->{members} }, grep {
            my $number = $_->{number};
            !grep { $_ == $number } @missing;
        } @peers;

        return if !@missing;
    }

    die "of the peers these do not start: @missing\n" . $self->logs;
}


sub _spawn_peer
{
    my ($self, $number) = @_;

    my $seed = $number <= $self->{seeds};
    my $name = ($seed ? 'seed-' : 'peer-') . $number;
    my $ip = "127.0.0.$number";
    my %port = map { $_ => _free_port($ip) }
               qw( upload tcp quic proxy health metrics stats );
    my $peer = { number => $number, name => $name, ip => $ip,
                 seed => $seed, ports => \%port };

    $peer->{pid} = spawn("$self->{dir}/log/$name.out", $self->{dfdaemon},
                         '--config',
                         $self->_write("$name.yaml", $self->_peer_conf($peer)),
                         '--dynconfig', "$self->{dir}/peer-dynamic.yaml",
                         '--log-dir', "$self->{dir}/log/$name");

    return $peer;
}


# Whether it is a seed peer is all that tells one peer from another. What is
# pulled through the proxy goes through Dragonfly if it is a blob or a file.

sub _peer_conf
{
    my ($self, $peer) = @_;

    my ($name, $ip, $port) = @$peer{qw( name ip ports )};
    my $data = "$self->{dir}/data/$name";
    my $seed = $peer->{seed} ? 'true' : 'false';
    my $announce = $self->{announce};
    my $mirror = $self->{blob_digest}
                 ? "\n  registryMirror: {enableTaskIDBasedBlobDigest: true}" : '';

    return <<"END";
host: {idc: lab, location: lab, hostname: $name, ip: $ip, schedulerClusterID: 1}
server: {pluginDir: $data/plugins, cacheDir: $data/cache}
download: {server: {socketPath: $self->{dir}/run/$name.sock}}
upload: {server: {ip: $ip, port: $port->{upload}}}
storage:
  server: {ip: $ip, tcpPort: $port->{tcp}, quicPort: $port->{quic}}
  dir: $data/storage
  keep: true
seedPeer: {enable: $seed}
scheduler: {announceInterval: $announce}
dynconfig: {refreshInterval: 10s}
proxy:
  server: {ip: $ip, port: $port->{proxy}}$mirror
  rules: [{regex: 'blobs/sha256.*'}, {regex: 'file/.*'}]
health: {server: {ip: $ip, port: $port->{health}}}
metrics: {server: {ip: $ip, port: $port->{metrics}}}
stats: {server: {ip: $ip, port: $port->{stats}}}
gc:
  interval: 900s
  policy:
    taskTTL: 24h
    diskHighThresholdPercent: 98
    diskLowThresholdPercent: 97
END
}


# Whether a process takes connections at all of these ports; one that does not
# in time is ended.

sub _started
{
    my ($self, $pid, $ip, @ports) = @_;

    my $started = wait_until(START_SECONDS, sub {
        gone($pid) || !grep { !_listens($ip, $_) } @ports;
    });

    return 1 if $started && !gone($pid);

    stop($pid);

    return 0;
}


sub _listens
{
    my ($ip, $port) = @_;

    return IO::Socket::INET->new(PeerAddr => $ip, PeerPort => $port,
                                 Timeout => 1);
}


# Without ReuseAddr, so that one that was in use a minute ago is not free: not
# everything here is as tolerant. QUIC is UDP.

sub _free_port
{
    my $ip = shift;

    for (1 .. PORT_TRIES) {
        my $port = PORT_FIRST + int rand PORT_COUNT;

        next if $taken{$port};

        my $tcp = IO::Socket::INET->new(Listen => 1, LocalAddr => $ip,
                                        LocalPort => $port) or next;
        my $udp = IO::Socket::INET->new(Proto => 'udp', LocalAddr => $ip,
                                        LocalPort => $port) or next;

        $taken{$port} = 1;

        return $port;
    }

    die "no free port was found on $ip";
}


sub _hosts
{
    my $self = shift;

    return $self->_call('ListHosts', '');
}


# A call of the scheduler that needs no client of gRPC: head, message and
# trailer as they came, or nothing.

sub _call
{
    my ($self, $method, $message) = @_;

    my $request = $self->_write('request', pack('CN', 0, length $message)
                                           . $message);

    open my $out, '-|', 'curl', '-s', '-i', '-m', CALL_SECONDS, '--noproxy',
         '*', '--http2-prior-knowledge', '-H', 'Content-Type: application/grpc',
         '-H', 'TE: trailers', '--data-binary', "\@$request",
         "http://${\ $self->address }/scheduler.v2.Scheduler/$method"
         or die "curl: $!";
    local $/;
    my $answer = <$out> // '';
    close $out;

    return $answer =~ s/\r\n/\n/gr;
}


# A field of a message, of at most 127 bytes.

sub _text
{
    my ($number, $text) = @_;

    return pack 'C C/a', $number << 3 | 2, $text;
}


sub _write
{
    my ($self, $name, $text) = @_;

    my $path = "$self->{dir}/$name";

    open my $file, '>:raw', $path or die "$path: $!";
    print {$file} $text;
    close $file or die "$path: $!";

    return $path;
}

1;
