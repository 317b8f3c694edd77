# Processes and waiting, for tests that start servers and kill them. What was
# started is stopped when the test ends, however it ends.

package DFP::Process;

use strict;
use warnings;

use Exporter qw( import );
use Fcntl qw( :flock );
use File::Spec ();
use File::Temp ();      # so that its END block, which removes folders that
                        # servers write to, runs after the one here
use IO::Socket::INET;
use List::Util qw( max min );
use POSIX qw( _exit WNOHANG );
use Time::HiRes qw( sleep time );

our @EXPORT_OK = qw( complaint spawn run_child gone stop forget adopt children title
                     connected wait_until busy free_port dead_port independent );

use constant {
    POLL         => 0.02,   # s
    BUSY_MAX     => 4,      # times as long
    STOP_SECONDS => 5,      # to leave after TERM, before KILL
    LIST_SECONDS => 2,      # for a connection to be listed
    PORT_FIRST   => 20000,  # below those that the kernel hands out by itself
    PORT_RANGES  => 120,
    PORT_RANGE   => 100,    # ports of one
};

my $owner = $$;
my $cores = _cores();
my %started;                # pid => 1; the order of stopping does not matter
my ($range, %dead);         # of ports, and of these, which free_port() leaves

$SIG{INT} = $SIG{TERM} = sub { exit 1 };

# a write to a server that was just killed is an error like others
$SIG{PIPE} = 'IGNORE';


# Runs a command, its output appended to a file; its pid.

sub spawn
{
    my ($output, @command) = @_;

    return run_child(sub {
        open STDIN, '<', '/dev/null' or _exit(1);
        open STDOUT, '>>', $output or _exit(1);
        open STDERR, '>&', \*STDOUT or _exit(1);
        exec { $command[0] } @command or _exit(1);
    });
}


# Runs perl code in a process of its own; its pid.

sub run_child
{
    my $code = shift;

    my $pid = fork();
    die "fork: $!" if !defined $pid;

    if ($pid) {
        $started{$pid} = 1;
        return $pid;
    }

    # neither the parent's handlers nor its END blocks are for the child

    $SIG{INT} = $SIG{TERM} = $SIG{ALRM} = 'DEFAULT';
    alarm 0;

    my $done = eval { $code->(); 1 };
    warn $@ if !$done;
    _exit($done ? 0 : 1);
}


# Whether a process has ended; an orphan that nobody has waited for yet has. $? is
# the status of a child that has: if waitpid finds it running, /proc is not read,
# because it may have ended in between.

sub gone
{
    my $pid = shift;

    my $waited = waitpid $pid, WNOHANG;
    return $waited == $pid if $waited >= 0;

    my $state = (_stat($pid))[0];
    return !defined $state || $state eq 'Z';
}


# A child that runs a part of the test by itself: what the parent has started is not
# its own, and it stops what it starts. True when the code has come to its end.

sub independent
{
    my $code = shift;

    %started = ();
    ($range, %dead) = ();

    my $done = eval { $code->(); 1 };
    my $why = $@;

    stop($_) for keys %started;
    warn $why if !$done;

    return $done;
}


# Ends a process, by force where it does not listen.

sub stop
{
    my ($pid, $signal) = @_;

    # one that was stopped (STOP) takes no other signal than KILL

    kill $signal || 'TERM', $pid;
    kill 'CONT', $pid;

    if (!wait_until(STOP_SECONDS, sub { gone($pid) })) {
        kill 'KILL', $pid;
        wait_until(STOP_SECONDS, sub { gone($pid) });
    }

    forget($pid);
}


# It has ended: its pid may be another process's soon.

sub forget
{
    my $pid = shift;

    delete $started{$pid};
}


# One that somebody else has started is stopped at the end, too.

sub adopt
{
    my $pid = shift;

    $started{$pid} = 1;
}


sub children
{
    my $parent = shift;

    opendir my $proc, '/proc' or die "/proc: $!";
    my @pids = grep { /^\d+$/ } readdir $proc;
    closedir $proc;

    return grep {
        my ($state, $ppid) = _stat($_);
        defined $state && $state ne 'Z' && $ppid == $parent;
    } @pids;
}


# The command line, which servers change into what they are doing.

sub title
{
    my $pid = shift;

    open my $file, '<', "/proc/$pid/cmdline" or return '';
    local $/;
    my $title = <$file> // '';
    $title =~ s/\0+/ /g;

    return $title;
}


# State and parent; the name before them may hold spaces and brackets.

sub _stat
{
    my $pid = shift;

    open my $file, '<', "/proc/$pid/stat" or return;
    my $line = <$file> // '';

    return $line =~ /\) (\S) (\d+) [^)]*\z/;
}


# Which of some processes has the TCP connection between two ports of 127.0.0.1,
# of which the first is its own (any, if it is not defined).

sub connected
{
    my ($local, $remote, @pids) = @_;

    # what is listed while connections come and go may lack some

    my $inode = wait_until(LIST_SECONDS, sub { _inode($local, $remote) })
        or return;

    for my $pid (@pids) {
        my @links = map { readlink($_) // '' } glob "/proc/$pid/fd/*";
        return $pid if grep { $_ eq "socket:[$inode]" } @links;
    }

    return;
}


sub _inode
{
    my @ports = @_;

    # 127.0.0.1 as this machine writes it

    my $address = sprintf '%08X', unpack 'L', pack 'C4', 127, 0, 0, 1;
    my @ends = map { defined ? sprintf '%s:%04X', $address, $_ : undef } @ports;

    open my $file, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";

    while (my $line = <$file>) {
        my (undef, $local, $remote, @field) = split ' ', $line;
        return $field[6] if $field[6] && $remote eq $ends[1]
                            && $local eq ($ends[0] // $local);
    }

    return;
}


# Runs a command: "" if it succeeds, else the command and all that it has said.

sub complaint
{
    my @command = @_;

    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command
        or die "$command[0]: $!";
    local $/;
    my $said = <$out> // '';

    return close $out ? '' : "@command: $said";
}


# What the code returns as soon as that is true; false when time is up.

sub wait_until
{
    my ($seconds, $code) = @_;

    my $begin = time;

    while (1) {
        my $late = time >= $begin + $seconds
                   && time >= $begin + $seconds * busy();
        my $value = $code->();
        return $value if $value;
        return if $late;
        sleep POLL;
    }
}


sub _cores
{
    open my $file, '<', '/proc/cpuinfo' or return 1;

    return scalar(grep { /^processor\b/ } <$file>) || 1;
}


# How many times as long things take as on a machine where nothing else runs, at
# least 1: several suites run at once, some of them under sanitizers or valgrind.

sub busy
{
    open my $file, '<', '/proc/loadavg' or return 1;
    my ($load) = split ' ', <$file>;

    return max(1, min(BUSY_MAX, $load / $cores));
}


# Suites run in parallel, and a port that is free now may be another's before a
# server has it: each suite has a range of its own, by a lock that it holds.

sub free_port
{
    $range //= _claim_range();

    for (1 .. PORT_RANGE) {
        my $port = $range->{first} + $range->{turn}++ % PORT_RANGE;
        next if $dead{$port};

        my $socket = IO::Socket::INET->new(
            Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port,
            ReuseAddr => 1);

        return $port if $socket;
    }

    die 'no free port was found';
}


sub _claim_range
{
    my $begin = int rand PORT_RANGES;

    for my $n (map { ($begin + $_) % PORT_RANGES } 1 .. PORT_RANGES) {
        my $name = File::Spec->tmpdir . "/dfpreheat-ports-$n";

        open my $lock, '>>', $name or next;
        next if !flock $lock, LOCK_EX | LOCK_NB;

        return { first => PORT_FIRST + $n * PORT_RANGE, turn => 0,
                 lock => $lock };
    }

    die 'no range of ports is free';
}


# A port (any one, or this one) that refuses connections: free_port() does not find
# it as long as the second value lives.

sub dead_port
{
    my $port = shift // free_port();

    $dead{$port} = 1;

    # who has just been killed may have a thread that still has it

    my $socket = wait_until(STOP_SECONDS, sub {
        IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1',
                              LocalPort => $port, ReuseAddr => 1);
    }) or die "port $port: $!";

    return ($port, $socket);
}


END {
    if ($$ == $owner) {
        my $status = $?;

        stop($_) for keys %started;
        $? = $status;
    }
}

1;
