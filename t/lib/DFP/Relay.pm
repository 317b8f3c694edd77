# A relay to Redis, which can lose a connection without a word: what Redis says
# on it does not arrive any more, and nobody is told. Or it holds replies for a
# while, but not what comes by a subscription.
#
#     my $relay = DFP::Relay->start($redis_port);
#     ... dfpreheat_redis 127.0.0.1:$relay->port ...
#     $relay->mute_subscriptions;     # those that there are
#     $relay->subscriptions;          # how many there have been so far
#     $relay->hold;
#     $relay->held;                   # whether there is something by now
#     $relay->release;
#     $relay->holds; $relay->goes_on; # nothing passes in between

package DFP::Relay;

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use IO::Socket::INET;

use DFP::Process qw( run_child );

use constant {
    BACKLOG  => 128,
    READ_MAX => 65536,
    TICK     => 0.05,       # s
};


sub start
{
    my ($class, $to) = @_;

    my $listen = IO::Socket::INET->new(Listen => BACKLOG,
                                       LocalAddr => '127.0.0.1')
        or die "no port: $!";

    my $self = bless {
        port => $listen->sockport,
        dir  => File::Temp->newdir('dfpreheat-relay-XXXXXXXX', TMPDIR => 1),
    }, $class;

    $self->{pid} = run_child(sub { $self->_serve($listen, $to) });

    return $self;
}


sub port { $_[0]{port} }


sub holds { kill 'STOP', $_[0]{pid} }

sub goes_on { kill 'CONT', $_[0]{pid} }


sub mute_subscriptions
{
    my $self = shift;

    open my $file, '>', "$self->{dir}/mute" or die "mute: $!";
    close $file;

    # until it has been done
    while (-e "$self->{dir}/mute") { select undef, undef, undef, TICK }
}


sub hold
{
    my $self = shift;

    open my $file, '>', "$self->{dir}/hold" or die "hold: $!";
    close $file;

    # what was on its way has come, or is held
    select undef, undef, undef, 2 * TICK;
}


sub held { -e "$_[0]{dir}/held" }

sub release { unlink map { "$_[0]{dir}/$_" } qw( hold held ) }


sub subscriptions
{
    my $self = shift;

    return -s "$self->{dir}/subscriptions" // 0;
}


sub _subscribed
{
    my $self = shift;

    open my $file, '>>', "$self->{dir}/subscriptions" or die "relay: $!";
    print {$file} '.';
}


# Each connection is two sockets, of which the other is the peer.

sub _serve
{
    my ($self, $listen, $to) = @_;

    my $all = IO::Select->new($listen);
    my (%peer, %subscribed, %muted, %redis, %held);

    while (1) {
        if (!-e "$self->{dir}/hold") {
            for my $redis (keys %held) {
                syswrite $peer{$redis}, $held{$redis} if $peer{$redis};
            }

            %held = ();
        }

        if (-e "$self->{dir}/mute") {
            %muted = (%muted, map { $peer{$_} => 1 } keys %subscribed);
            unlink "$self->{dir}/mute";
        }

        for my $from ($all->can_read(TICK)) {
            if ($from == $listen) {
                my $client = $listen->accept or next;
                my $redis = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                                  PeerPort => $to) or next;
                @peer{ $client, $redis } = ($redis, $client);
                $redis{$redis} = 1;
                $all->add($client, $redis);
                next;
            }

            # both ends of one may be readable

            next if !defined fileno $from;

            if (!sysread $from, my $bytes, READ_MAX) {
                my @both = grep { defined } $from, $peer{$from};

                delete @peer{@both};
                delete @subscribed{@both};
                delete @muted{@both};
                delete @redis{@both};
                delete @held{@both};
                $all->remove($_), close $_ for @both;

            } elsif (-e "$self->{dir}/hold" && $redis{$from}
                     && !$subscribed{ $peer{$from} // '' })
            {
                $held{$from} .= $bytes;
                open my $file, '>', "$self->{dir}/held" or die "held: $!";

            } else {
                $self->_subscribed
                    if $bytes =~ /SUBSCRIBE/ && !$subscribed{$from}++;

                syswrite $peer{$from}, $bytes
                    if $peer{$from} && !$muted{$from};
            }
        }
    }
}

1;
