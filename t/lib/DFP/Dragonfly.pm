# Stand-ins for Dragonfly's scheduler and its peers (dragonfly.py, which says
# what a script is):
#
#     my $dragonfly = DFP::Dragonfly->cluster(seeds => 1, peers => 2);
#     ... $dragonfly->scheduler->address ...
#     $dragonfly->peers->[0]->script({ default => { status => 13,
#         message => 'backend error: 404 Not Found' } });
#
# or one by one, each on an address and a port of its own:
#
#     my $seed = DFP::Dragonfly->peer(address => '127.0.0.2', seed => 1,
#         hostname => 'seed-1', tls => [ $certificate, $key, $client_ca ]);
#     my $scheduler = DFP::Dragonfly->scheduler(hosts => [ $seed->host ]);
#
# A server's scripts may hold a call until a file is there: wait_for of
# $seed->gate('go'), which $seed->open_gate('go') makes.

package DFP::Dragonfly;

use strict;
use warnings;

use File::Basename qw( dirname );
use File::Temp ();
use IO::Socket::IP;
use JSON::PP ();
use Time::HiRes qw( stat time );

use DFP::Process qw( spawn gone wait_until free_port );

use constant {
    PYTHON        => '/usr/bin/python3',    # Debian's, which has grpc
    START_TRIES   => 5,
    START_SECONDS => 20,
    ADDRESSES     => 200,
    FIRST_ADDRESS => 2,
    LIST_SECONDS  => 1.1,   # that nginx uses a list of hosts, and a little more
};

my $server = dirname(__FILE__) . '/../dragonfly.py';
my $json = JSON::PP->new->utf8->canonical;
my $started = 0;


sub scheduler
{
    my ($class, %options) = @_;

    return $class->_spawned('scheduler', %options)->_ready;
}


sub peer
{
    my ($class, %options) = @_;

    return $class->_spawned('peer', %options)->_ready;
}


# A scheduler, and the peers that it lists. Options: seeds and peers (how many),
# tls (of the peers), scheduler_tls, script (of the scheduler).

sub cluster
{
    my ($class, %options) = @_;

    my @tls = $options{tls} ? (tls => $options{tls}) : ();
    my $scheduler = $class->_spawned('scheduler', script => $options{script},
                                     tls => $options{scheduler_tls} // []);

    my @seeds = map { $class->_spawned('peer', hostname => "seed-$_",
                                       seed => 1, @tls) }
                1 .. $options{seeds} // 0;
    my @peers = map { $class->_spawned('peer', hostname => "peer-$_", @tls) }
                1 .. $options{peers} // 0;

    $_->_ready for $scheduler, @seeds, @peers;
    $scheduler->hosts(map { $_->host } @seeds, @peers);

    return bless { scheduler => $scheduler, seeds => \@seeds,
                   peers => \@peers }, 'DFP::Dragonfly::Cluster';
}


sub _spawned
{
    my ($class, $kind, %options) = @_;

    my $number = $started++;

    my $self = bless {
        kind     => $kind,
        address  => $kind eq 'peer'
                    ? '127.0.0.' . (FIRST_ADDRESS + $number % ADDRESSES)
                    : '127.0.0.1',
        hostname => "$kind-$number",
        hosts    => [],
        tls      => [],
        dir      => File::Temp->newdir('dfpreheat-dragonfly-XXXXXXXX',
                                       TMPDIR => 1),
        %options,
    }, $class;

    $self->script($self->{script} // {});
    $self->{port} = _free_port($self->{address});
    $self->_spawn;

    return $self;
}


sub _spawn
{
    my $self = shift;

    unlink "$self->{dir}/listening";

    # -B: it leaves no compiled files next to the sources

    $self->{pid} = spawn("$self->{dir}/out", PYTHON, '-B', $server,
                         $self->{kind}, $self->address, "$self->{dir}",
                         @{ $self->{tls} } ? ('--tls', @{ $self->{tls} }) : ());
}


# It listens; on another port where somebody else has got this one.

sub _ready
{
    my $self = shift;

    for (1 .. START_TRIES) {
        wait_until(START_SECONDS, sub {
            gone($self->{pid}) || -s "$self->{dir}/listening" });

        return $self if -s "$self->{dir}/listening" && !gone($self->{pid});

        $self->stop;
        $self->{port} = _free_port($self->{address}) if !$self->{restarted};
        $self->_spawn;
    }

    die "the $self->{kind} does not start: " . $self->output;
}


# Also on another address than 127.0.0.1.

sub _free_port
{
    my $address = shift;

    for (1 .. START_TRIES) {
        my $port = free_port();

        return $port if IO::Socket::IP->new(
            Listen => 1, LocalHost => $address, LocalPort => $port,
            ReuseAddr => 1);
    }

    die "no free port was found on $address";
}


sub ip { $_[0]{address} }
sub port { $_[0]{port} }
sub hostname { $_[0]{hostname} }


sub address
{
    my $self = shift;

    return ($self->ip =~ /:/ ? '[' . $self->ip . ']' : $self->ip)
           . ":$self->{port}";
}


sub id
{
    my $self = shift;

    return $self->ip . "-$self->{hostname}" . ($self->{seed} ? '-seed' : '');
}


# As a scheduler has it, with some of what else the real ones tell.

sub host
{
    my ($self, %changes) = @_;

    return {
        id => $self->id, type => $self->{seed} ? 1 : 0,
        hostname => $self->{hostname}, ip => $self->ip,
        port => $self->{port} + 0, download_port => $self->{port} + 0,
        os => 'linux', platform => 'linux', platform_family => 'unix',
        cpu => { logical_count => 2, percent => 51.5, times => {} },
        network => { location => 'rack|1', idc => 'lab' },
        build => { git_version => '1.5.1', go_version => '' },
        scheduler_cluster_id => 1,
        %changes,
    };
}


# What a scheduler lists from now on, with any script that does not say.

sub hosts
{
    my ($self, @hosts) = @_;

    $self->{hosts} = \@hosts;
    $self->script($self->{script});
}


# Calls that begin from now on do what the script says; they get the old one or
# the new one.

sub script
{
    my ($self, $script) = @_;

    $self->outdated;
    $self->{script} = $script;

    my $file = "$self->{dir}/script.json";
    my %whole = (hosts => $self->{hosts}, host_id => $self->id,
                 holds => $self->{holds} // [], %$script,
                 written => ++$self->{written});

    open my $out, '>', "$file.new" or die "$file: $!";
    print {$out} $json->encode(\%whole);
    close $out or die "$file: $!";
    rename "$file.new", $file or die "$file: $!";
}


# A scheduler's next job asks for a list: the last one is too old by now.

sub outdated
{
    my $self = shift;

    return if $self->{kind} ne 'scheduler';

    wait_until(START_SECONDS, sub { time - $self->called > LIST_SECONDS });
}


# When it was called last; 0: never.

sub called
{
    my $self = shift;

    return (stat "$self->{dir}/calls.log")[9] // $self->{called} // 0;
}


# For wait_for.

# From now on a peer also holds the tasks with these ids.

sub holds
{
    my ($self, @ids) = @_;

    push @{ $self->{holds} }, @ids;
    $self->script($self->{script} // {});
}


sub gate
{
    my ($self, $name) = @_;

    return "$self->{dir}/gate-$name";
}


sub open_gate
{
    my ($self, $name) = @_;

    open my $file, '>', $self->gate($name) or die "$name: $!";
    close $file or die "$name: $!";
}


# The calls it has got, in order, of one method or of all: the fields of the
# request, and call (its number), method, active (how many calls there were at
# that moment), grpc_timeout, metadata, client (its address).

sub calls
{
    my ($self, $method) = @_;

    return grep { $_->{call} && (!defined $method || $_->{method} eq $method) }
           $self->_lines;
}


# The same of StatLocalTask, which is not among them.

sub questions { grep { $_->{call} } $_[0]->_lines('questions.log') }


# The calls that have ended: ended (its number), cancelled (by the client,
# before it was answered).

sub ended
{
    my $self = shift;

    return grep { $_->{ended} } $self->_lines;
}


# How many calls there were at once, at the most.

sub most_at_once
{
    my $self = shift;

    my $most = 0;

    for ($self->calls) {
        $most = $_->{active} if $most < $_->{active};
    }

    return $most;
}


sub forget_calls
{
    my $self = shift;

    $self->{called} = $self->called;
    unlink "$self->{dir}/calls.log";
}


sub _lines
{
    my ($self, $name) = (@_, 'calls.log');

    return map { $json->decode($_) } split /\n/, $self->_read($name);
}


# What it has complained of.

sub output { $_[0]->_read('out') }


sub _read
{
    my ($self, $name) = @_;

    open my $file, '<', "$self->{dir}/$name" or return '';
    local $/;

    return <$file> // '';
}


# Nobody can call it any more, and calls that it has go on.

sub drain
{
    my $self = shift;

    CORE::kill('USR1', $self->{pid});

    wait_until(START_SECONDS, sub {
        !IO::Socket::IP->new(PeerHost => $self->ip, PeerPort => $self->port)
    }) or die 'it goes on listening';
}


# Whether it has died by itself.

sub died { gone($_[0]{pid}) }


# It neither answers nor refuses, as when a machine hangs.

sub freeze { CORE::kill('STOP', $_[0]{pid}) }
sub thaw { CORE::kill('CONT', $_[0]{pid}) }


# Without a goodbye, as when a machine is lost.

sub kill { $_[0]->stop('KILL') }


sub stop
{
    my ($self, $signal) = @_;

    my $pid = delete $self->{pid};
    DFP::Process::stop($pid, $signal) if $pid;
}


# On the same port, also where it has died by itself.

sub restart
{
    my $self = shift;

    $self->stop;
    $self->{restarted} = 1;
    $self->_spawn;

    return $self->_ready;
}


package DFP::Dragonfly::Cluster;

use strict;
use warnings;


sub scheduler { $_[0]{scheduler} }
sub seeds { $_[0]{seeds} }
sub peers { $_[0]{peers} }


# Seeds and peers, in the order of the scheduler's list.

sub all
{
    my $self = shift;

    return @{ $self->{seeds} }, @{ $self->{peers} };
}

1;
