# The nginx process: start, stop, reload.
#
# nginx runs in the foreground as a child of the test, in a process group of
# its own. So its end is seen at once, its exit status is known, and whatever
# it leaves behind can be found.

package Test::Nginx::Runner::Process;

use strict;
use warnings;

use POSIX qw( SIGTERM WNOHANG _exit );
use Time::HiRes qw( sleep time );

use Test::Nginx::Util;

# In seconds. Valgrind makes everything slower by a factor of ten and more.
use constant {
    START_TIME    => 10,
    TERM_TIME     => 2,
    GROUP_TIME    => 1,
    VALGRIND_TIME => 60,
    POLL_MIN      => 0.002,
    POLL_MAX      => 0.05,
};

# Of prctl(2).
use constant PR_SET_PDEATHSIG => 1;

# What a program that was told to stop must not die of.
my %crash_signals = (4 => 'ILL', 6 => 'ABRT', 7 => 'BUS', 8 => 'FPE',
                     11 => 'SEGV');

my ($pid, $exit_status, $features);


# What "nginx -V" prints.

sub features
{
    if (!defined $features) {
        $features = `$Test::Nginx::Util::NginxBinary -V 2>&1`;

        bail_out("cannot run $Test::Nginx::Util::NginxBinary -V: ",
                 $features // $!) if $? != 0 || !defined $features;
    }

    return $features;
}


# The version as a number that can be compared: 1.22.1 is 1022001.

sub version_number
{
    my @parts = @_ ? @_ : features() =~ m{/(\d+)\.(\d+)\.(\d+)};

    return $parts[0] * 1_000_000 + $parts[1] * 1_000 + $parts[2];
}


# Starts nginx and waits until it listens (true) or has ended (false, and
# exit_code() tells how).

sub start
{
    my $quiet = shift;

    my @cmd = ($Test::Nginx::Util::NginxBinary,
               '-e', $Test::Nginx::Util::ErrLogFile,
               '-p', "$Test::Nginx::Util::ServRoot/",
               '-c', $Test::Nginx::Util::ConfFile);

    unshift @cmd, _valgrind() if $Test::Nginx::Util::UseValgrind;

    # the child must not print again what waits in a buffer of the parent
    STDOUT->flush();
    STDERR->flush();

    $pid = fork() // bail_out("fork() failed: $!");

    if ($pid == 0) {
        _exec($quiet, @cmd);
    }

    undef $exit_status;

    my $limit = $Test::Nginx::Util::UseValgrind ? VALGRIND_TIME : START_TIME;

    _poll($limit, sub { !running() || _pid_file_names($pid) });

    # nginx may have written its pid and died since
    return 1 if running() && _pid_file_names($pid);

    stop() if running();

    return 0;
}


sub _exec
{
    my ($quiet, @cmd) = @_;

    setpgrp;
    _die_with_parent();

    open STDIN, '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null' if $quiet;

    $SIG{$_} = 'DEFAULT' for qw( INT TERM HUP PIPE );

    { no warnings 'exec'; exec { $cmd[0] } @cmd; }

    print STDERR "cannot execute $cmd[0]: $!\n";

    # not exit(): the test's END blocks are not the child's
    _exit(127);
}


# A test that is killed outright, by a time limit say, cannot stop nginx. Then
# the kernel does, where the numbers of system calls are known.

sub _die_with_parent
{
    eval {
        local $SIG{__DIE__};
        require 'syscall.ph';
        syscall(SYS_prctl(), PR_SET_PDEATHSIG, SIGTERM);
    };
}


sub _valgrind
{
    my $opts = $Test::Nginx::Util::UseValgrind;

    my @cmd = ('valgrind', '-q');

    if ($opts !~ /^\d+$/) {
        return @cmd, split ' ', $opts;
    }

    push @cmd, '--num-callers=100', '--leak-check=full',
               '--show-possibly-lost=no', '--gen-suppressions=all';
    push @cmd, '--suppressions=valgrind.suppress' if -f 'valgrind.suppress';

    return @cmd;
}


sub _pid_file_names
{
    my $wanted = shift;

    open my $in, '<', $Test::Nginx::Util::PidFile or return 0;
    my $line = <$in> // '';

    return $line =~ /^\Q$wanted\E\n/;
}


# Calls $done until it says yes, for $limit seconds.

sub _poll
{
    my ($limit, $done) = @_;

    my $end = time() + $limit;
    my $pause = POLL_MIN;

    until ($done->()) {
        return 0 if time() >= $end;

        sleep $pause;
        $pause *= 1.5 if $pause < POLL_MAX;
    }

    return 1;
}


sub running
{
    return 0 if !defined $pid;

    if (waitpid($pid, WNOHANG) == $pid) {
        $exit_status = $?;
        undef $pid;
        return 0;
    }

    return 1;
}


# Of an nginx that has ended; undefined where a signal ended it.

sub exit_code
{
    return undef if !defined $exit_status || $exit_status & 127;
    return $exit_status >> 8;
}


# Stops nginx, with force if it has to. Nothing is returned where it went as
# it should, else what went wrong.

sub stop
{
    return _end_of_its_own() if !running();

    my $group = $pid;
    my $limit = $Test::Nginx::Util::UseValgrind ? VALGRIND_TIME
                                                : $Test::Nginx::Util::Timeout;

    my $trouble;

    kill QUIT => $pid;

    if (!_poll($limit, sub { !running() })) {
        $trouble = "nginx did not quit within $limit s";

        kill TERM => $pid;

        if (!_poll(TERM_TIME, sub { !running() })) {
            kill KILL => -$group;
            _poll(TERM_TIME, sub { !running() });
        }
    }

    if (!_poll(GROUP_TIME, sub { !_group_lives($group) })) {
        $trouble //= 'nginx left processes behind';
        kill KILL => -$group;
    }

    return $trouble // _crash();
}


# Whether a process of the group still runs. Orphans that have ended stay in
# it until process 1 collects them, which in a container may take seconds.

sub _group_lives
{
    my $group = shift;

    return 0 if !kill 0 => -$group;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $file or next;
        my $stat = <$in> // next;

        # after the name: state, parent, process group
        return 1 if $stat =~ /\) ([A-Z]) \d+ $group / && $1 ne 'Z';
    }

    return 0;
}


# Where nginx has ended before it was told to.

sub _end_of_its_own
{
    my $trouble = _crash();

    undef $exit_status;

    return $trouble;
}


sub _crash
{
    return if !defined $exit_status || $exit_status == 0;

    my $signal = $exit_status & 127;

    if ($signal) {
        # a test may kill nginx itself, but no test makes it crash
        return if !$crash_signals{$signal};
        return "nginx died of SIG$crash_signals{$signal}";
    }

    return 'nginx exited with code ' . ($exit_status >> 8);
}


# Has nginx open its logs again and read its configuration, and waits until
# $is_new says that the new one is in force. With no $is_new, waits for a
# while only.

sub reload
{
    my $is_new = shift;

    my $log = $Test::Nginx::Util::ErrLogFile;

    kill USR1 => $pid;
    _poll($Test::Nginx::Util::Timeout, sub { -e $log });

    my @old = _accepting(_children());

    kill HUP => $pid;

    if (!defined $is_new) {
        sleep 20 * $Test::Nginx::Util::TestNginxSleep;
        return 1;
    }

    # until the old workers are told to quit, each connection may be one of theirs

    return _poll(START_TIME, sub { !_accepting(@old) && $is_new->() });
}


# Those of these processes that are workers and take connections. One that was told
# to quit says so in its title.

sub _accepting
{
    my @pids = @_;

    return grep {
        open my $in, '<', "/proc/$_/cmdline";
        $in && (readline($in) // '') =~ /worker process[\s\0]*$/;
    } @pids;
}


sub _children
{
    open my $in, '<', "/proc/$pid/task/$pid/children" or return;

    return split ' ', readline($in) // '';
}

1;
