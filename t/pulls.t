# Clients that pull a layer while a job warms it: all of them wait for the one
# download, however long it takes, and none of them notices more than that.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use Test::More;

use DFP::Image;
use DFP::Process qw( connected wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    BYTES    => 300,
    EVERY    => 0.02,   # s between two bytes: longer than nginx's own limits, of
                        # 5 s for a wait and, here, of 1 s for a lock
    BEGINS   => 3,      # s until an answer begins
    LEASE    => 2,      # s, and the age of a lock of a dead worker
    CLIENTS  => 50,
    FEW      => 8,
    GIVE_UP  => 5,      # so many of them do
    SOON     => 10,     # s
    ENDED    => 60,
    TRIES    => 3,
};

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port);
my $number = 0;


# An image with one layer, of these answers to requests for it.

sub image_of
{
    my ($body, @answers) = @_;

    my $image = DFP::Image->new($upstream, 'app-' . ++$number);
    my $layer = $image->layer($body);
    my $path = $image->path($layer);

    $upstream->answers($path, map { { body => $body, %$_ } } @answers);
    $image->tag('1', $image->manifest($layer));

    return (REGISTRY . $image->by_tag('1'), $path);
}


sub requested { return scalar $upstream->requests($_[0]) }


# A client's request, as sent.

sub client
{
    my ($warm, $method, $path, @lines) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $warm->{port})
        or die "no connection: $!";

    syswrite $socket, join "\r\n", "$method $path HTTP/1.1", 'Host: registry.test',
                                   'Connection: close', @lines, '', '';

    return $socket;
}


# What it gets: the status, and how many bytes; "nothing" if the worker is gone.

sub got
{
    my $socket = shift;

    my $answer = eval { whole_answer($socket, ENDED) } // die "no answer: $@";
    my ($head, $body) = split /\r\n\r\n/, $answer, 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)} or return 'nothing';

    return "$status " . length $body;
}


# How many got what.

sub counted
{
    my %count;

    $count{$_}++ for @_;

    return \%count;
}


warm_story 'clients of a layer that a job warms', { lease => '1s' }, $locations,
sub
{
    my $warm = shift;

    my ($url, $path) = image_of('x' x BYTES, { every => EVERY });
    my $id = $warm->post('image', url => $url);

    ok(wait_until(SOON, sub { requested($path) }), 'the job downloads it');

    my @clients = map { client($warm, 'GET', $path) } 1 .. CLIENTS;
    my @heads = map { client($warm, 'HEAD', $path) } 1 .. FEW;
    my @parts = map { client($warm, 'GET', $path, 'Range: bytes=100-') } 1 .. FEW;
    my @ends = map { client($warm, 'GET', $path, 'Range: bytes=-1') } 1 .. FEW;

    close $_ for splice @clients, 0, GIVE_UP;

    is_deeply([ map { IO::Select->new($_)->can_read(0) ? 1 : () }
                @clients, @heads, @parts, @ends ], [],
              'nobody gets anything while it is under way');

    is_deeply(counted(map { got($_) } @clients),
              { '200 ' . BYTES, CLIENTS - GIVE_UP }, 'they get all of it');
    is_deeply(counted(map { got($_) } @heads), { '200 0', FEW },
              'by HEAD they learn that it is there');
    is_deeply(counted(map { got($_) } @parts), { '206 ' . (BYTES - 100), FEW },
              'those who continue get the rest');
    is_deeply(counted(map { got($_) } @ends), { '206 1', FEW },
              'and those who want its end get that');

    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
    is(requested($path), 1, 'and the registry was asked once');
};


# Some registries fetch a layer themselves before they answer.

for my $who ('a job', 'a client', 'a client that gives up', 'a HEAD') {

    warm_story "a registry that takes long to answer $who", { lease => '1s' },
               $locations, sub
    {
        my $warm = shift;

        my ($url, $path) = image_of("for $who", { after => BEGINS });
        my $id = $warm->post('image', url => $url) if $who eq 'a job';
        my $first = client($warm, $who =~ /HEAD/ ? 'HEAD' : 'GET', $path)
            if $who ne 'a job';

        ok(wait_until(SOON, sub { requested($path) }), 'is asked');
        close $first if $who =~ /gives up/;

        my @clients = map { client($warm, 'GET', $path) } 1 .. FEW;

        is_deeply(counted(map { got($_) } @clients),
                  { '200 ' . length "for $who", FEW }, 'all get the layer');
        is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well') if $id;
        is(requested($path), 1, 'and it was asked once');
    };
}


# One after the other they would wait for ever.

warm_story 'a registry that does not answer', { lease => '1s' },
           location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
                    'include cache.conf;', 'proxy_read_timeout 3s;'), sub
{
    my $warm = shift;

    my ($url, $path) = image_of('late', { after => ENDED }, {});

    my @clients = client($warm, 'GET', $path);
    ok(wait_until(SOON, sub { requested($path) }), 'is asked');
    push @clients, map { client($warm, 'GET', $path) } 1 .. FEW;

    is_deeply(counted(map { got($_) =~ s/ .*//r } @clients), { 504 => FEW + 1 },
              'all are told when the first one is');
    is(requested($path), 1, 'and it was asked once');

    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'a job waits');
    is_deeply([ $warm->pull($path) ], [ 'late', 'HIT' ], 'until it answers');
};


warm_story 'a download that ends too early', { lease => '1s' }, $locations, sub
{
    my $warm = shift;

    my ($url, $path) = image_of('y' x BYTES, { sends => BYTES / 2, every => EVERY },
                                { every => EVERY });
    my $id = $warm->post('image', url => $url);

    wait_until(SOON, sub { requested($path) });
    my @clients = map { client($warm, 'GET', $path) } 1 .. FEW;

    is_deeply(counted(map { got($_) } @clients), { '200 ' . BYTES, FEW },
              'is repeated, and all clients get all of it');
    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
    is(requested($path), 2, 'and the registry was asked once more');
};


# docker and containerd try again when a connection is reset; those of the worker
# that is killed are.

warm_story 'a worker that is killed while it warms a layer',
           { lease => LEASE . 's', workers => 2 }, $locations, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($url, $path) = image_of('z' x BYTES, { every => EVERY });
    my $id = $warm->post('image', url => $url);

    wait_until(SOON, sub { requested($path) });
    my @clients = map { client($warm, 'GET', $path) } 1 .. CLIENTS;

    my $worker = connected(undef, $upstream->port, $servers->workers)
        or die 'no worker has the connection';
    $servers->expects(1, qr/worker process $worker exited on signal 9$/);
    kill 'KILL', $worker;

    ok(wait_until(2 * LEASE + SOON / 2, sub { requested($path) == 2 }),
       'another one downloads it within the lease');

    my @got;

    for (1 .. TRIES) {
        push @got, grep { $_ ne 'nothing' } map { got($_) } @clients;
        @clients = map { client($warm, 'GET', $path) } @got + 1 .. CLIENTS;
    }

    is_deeply(counted(@got), { '200 ' . BYTES, CLIENTS },
              'all clients get all of it');

    my $job = $warm->ended($id);

    is($job->{state}, 'SUCCESS', 'the job ends well');
    is($servers->lost_attempts($job), 1, 'it was taken over');
    is(requested($path), 2, 'and the registry was asked no more than twice');
};


done_testing();
