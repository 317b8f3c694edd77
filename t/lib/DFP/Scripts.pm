# The scripts of src/redis/lua in a private Redis, as workers send them, for
# tests of the scripts alone. All keys begin with "p:".

package DFP::Scripts;

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );

use IO::Socket::INET;
use Socket qw( IPPROTO_TCP TCP_NODELAY );

use DFP::Redis;

use constant {
    LEASE    => 60_000,     # ms
    ATTEMPTS => 2,
    CLAIM    => 12,         # elements of a claim
};

my $lua = abs_path(dirname(__FILE__) . '/../../../src/redis/lua');


sub start
{
    my $redis = DFP::Redis->start;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $redis->port)
        or die "no connection: $!";

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

    return bless { redis => $redis, socket => $socket, looks => 0 }, shift;
}


# The reply of a command as lines, like DFP::Redis, but by one connection: there
# are many.

sub redis
{
    my ($self, @command) = @_;

    print { $self->{socket} } '*' . @command . "\r\n",
          map { '$' . length($_) . "\r\n$_\r\n" } @command;
    $self->{socket}->flush;

    return join "\n", $self->_reply;
}


sub _reply
{
    my $self = shift;

    my $socket = $self->{socket};
    my ($type, $rest) = (<$socket> // '') =~ /^(.)(.*)\r\n$/
        or die 'no reply';

    return map { $self->_reply } 1 .. $rest if $type eq '*';
    return $rest if $type ne '$';
    return '' if $rest < 0;

    read $socket, my $text, $rest + 2;

    return substr $text, 0, $rest;
}


sub fresh
{
    my $self = shift;

    $self->redis('flushall');
    $self->{looks} = 0;
}


# A script with its arguments; its reply as lines. What is counted is in the hash
# "counts", if there is one.

sub script
{
    my ($self, $name, @args) = @_;

    my $text = join '', map { text($_) } $name eq 'check' ? () : 'common', $name;

    my @key = $self->{counts} // ();

    return split /\n/, $self->redis('eval', $text, scalar @key, @key, 'p:', @args);
}


sub text
{
    my $name = shift;

    open my $file, '<', "$lua/$name.lua" or die "$name: $!";
    local $/;

    return scalar <$file>;
}


# A job, posted to the nginx with this queue; its id, or what the reply has
# instead. Its clusters are [ id, mode ].

sub post
{
    my ($self, $uuid, %with) = @_;

    my $clusters = $with{clusters}
                   // [ map { [ $_, 'here' ] } 1 .. $with{parts} // 1 ];

    my ($id) = $self->script('create', $uuid, $with{timeout} // 3_600_000,
        1_000_000, $with{limit} // 1000, ',"bio":""', '{"args":1}',
        $with{sealed} // '', 0, $with{token} // 1, $with{newest} // 0,
        $with{name} // 'name', $with{queue} // 'edge',
        $with{who} // '192.0.2.1 edge', $with{url} // 'url', $with{ips} // '',
        $with{count} // 0, $with{percentage} // 0, $with{unreachable} // 0,
        $with{share} // 0, $with{threshold} // 100,
        $with{user} // 0, $with{once} // '', $with{body} // 'body',
        $with{hook} // '', $with{hook_url} // 'http://hooks.test/a',
        $with{kind} // '', $with{task} // '', $with{keep_until} // '',
        map { ("$_->[0] task-$_->[0]", $_->[1]) } @$clusters);

    return $id;
}


# What a worker claims by its look number LOOK, of which it has had the answers
# up to ANSWERED: "id:part run", sorted.

sub look
{
    my ($self, $worker, $look, $answered, %with) = @_;

    return [ sort $self->claims($worker, $look, $answered, %with) ];
}


# The same in the order of the claims.

sub claims
{
    my ($self, $worker, $look, $answered, %with) = @_;

    my ($next, @claims) = $self->script('look', $with{lease} // LEASE, ATTEMPTS,
        100, $with{wanted} // 16, $worker, $look, $answered,
        $with{name} // 'name', $with{queue} // 'edge', $with{without} // '');
    my @found;

    while (my ($id, $part, $run) = splice @claims, 0, CLAIM) {
        push @found, "$id:$part $run";
    }

    return @found;
}


# The heartbeat and a look of the nginx NAME, which wants nothing.

sub alive
{
    my ($self, $name, %with) = @_;

    my $queue = "instance:$name:$name" . ($with{master} // 1);
    my $lease = $with{lease} // LEASE;

    $self->script('instance', $name, $queue, $name, $with{ip} // '192.0.2.1',
                  $with{clusters} // 1, $lease, 'host', 1, 0, 0,
                  ($with{ip} // '192.0.2.1') . " $name",
                  $with{definitions} // '', 1);
    $self->look("worker-$queue", ++$self->{looks}, 0, wanted => 0,
                lease => $lease, name => $name, queue => $queue);

    return $queue;
}


# What an nginx has counted, by the name of the count.

sub counted
{
    my ($self, $key) = @_;

    return { split /\n/, $self->redis('hgetall', $key) };
}


sub field
{
    my ($self, $id, $field) = @_;

    return $self->redis('hget', "p:job:$id", $field);
}


# All that is stored; a hash tells its fields in any order.

sub stored
{
    my $self = shift;

    return [ sort split /\n/, $self->{redis}->everything ];
}


1;
