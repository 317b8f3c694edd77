# The server of "tcp_listen": it takes one connection, reads, answers with
# "tcp_reply" and closes.

package Test::Nginx::Runner::TcpServer;

use strict;
use warnings;

use IO::Socket::INET ();
use IO::Socket::UNIX ();
use POSIX qw( _exit );
use Socket qw( SOCK_STREAM );

use Test::Nginx::Util;

use constant {
    READ_SIZE => 4096,
    BACKLOG   => 5,
};

my ($pid, $listener, $path);


sub start
{
    my $block = shift;

    my $target = expand_env_in_text($block->tcp_listen, $block->name)
        // return;
    my $reply = $block->tcp_reply;

    bail_out($block->name, ' - tcp_listen without tcp_reply')
        if !defined $reply;

    $listener = _listen($target)
        or bail_out($block->name, " - cannot listen on $target: $!");

    STDOUT->flush();
    STDERR->flush();

    $pid = fork() // bail_out("fork() failed: $!");

    if ($pid == 0) {
        eval { _serve($reply) };
        warn $@ if $@;

        # the test's END blocks are not the child's
        _exit(0);
    }
}


sub _listen
{
    my $target = shift;

    if ($target =~ /^\d+$/) {
        return IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $target,
            Proto     => 'tcp',
            ReuseAddr => 1,
            Listen    => BACKLOG,
        );
    }

    $path = $target;
    unlink $path;

    return IO::Socket::UNIX->new(
        Local  => $path,
        Type   => SOCK_STREAM,
        Listen => BACKLOG,
    );
}


sub _serve
{
    my $reply = shift;

    $SIG{$_} = 'DEFAULT' for qw( INT TERM HUP );

    my $client = $listener->accept() or die "accept() failed: $!\n";

    my $request = '';
    defined $client->recv($request, READ_SIZE) or die "recv() failed: $!\n";

    $reply = $reply->($request) if ref $reply eq 'CODE';

    for my $part (ref $reply eq 'ARRAY' ? @$reply : $reply) {
        $client->send($part) // die "send() failed: $!\n";
    }

    close $client;
}


sub stop
{
    return if !defined $pid;

    kill TERM => $pid;
    waitpid $pid, 0;
    undef $pid;

    close $listener;
    undef $listener;

    unlink $path if defined $path;
    undef $path;
}

1;
