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
use DFP::Process qw( connected free_port wait_until );
use DFP::Upstream qw( guarded );
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    LONG     => 300,    # bytes, and ...
    EVERY    => 0.02,   # ... s between two: longer than nginx's own limit for a
                        # wait, of 5 s
    BYTES    => 100,    # longer than a lock is held, here
    LOCK     => '1s',
    BEGINS   => 1.5,    # s until an answer begins, likewise
    LEASE    => 2,      # s, and the age of a lock of a dead worker
    SILENT   => '2s',
    CLIENTS  => 50,
    FEW      => 8,
    GIVE_UP  => 5,      # so many of them do
    SOON     => 10,     # s
    SHORT    => 4,      # s: not one look of a client after the other, of which there
                        # are two in a second
    ENDED    => 60,
    TRIES    => 3,
};

my $upstream = DFP::Upstream->start;
my $cdn = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port);
my %lock = (lease => LOCK);
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


# Those of HTTP/2: the version, the status, and how many bytes each of them gets.

sub http2_clients
{
    my ($number, @args) = @_;

    return map {
        open my $curl, '-|', 'curl', '-s', '--http2-prior-knowledge', '-m', ENDED,
             '-o', '/dev/null', '-w', '%{http_version} %{http_code} '
             . '%{size_download}', @args or die "curl: $!";
        $curl;
    } 1 .. $number;
}


sub told { return map { scalar readline $_ } @_ }


my $http2 = free_port();

warm_story 'clients of a layer that a job warms', \%lock,
           "listen 127.0.0.1:$http2 http2;\n$locations", sub
{
    my $warm = shift;

    my ($url, $path) = image_of('x' x LONG, { every => EVERY });
    my $id = $warm->post('image', url => $url);

    ok(wait_until(SOON, sub { requested($path) }), 'the job downloads it');

    my @clients = map { client($warm, 'GET', $path) } 1 .. CLIENTS;
    my @heads = map { client($warm, 'HEAD', $path) } 1 .. FEW;
    my @parts = map { client($warm, 'GET', $path, 'Range: bytes=100-') } 1 .. FEW;
    my @ends = map { client($warm, 'GET', $path, 'Range: bytes=-1') } 1 .. FEW;
    my $there = "http://127.0.0.1:$http2$path";
    my @modern = http2_clients(FEW, $there);
    my @modern_parts = http2_clients(FEW, '-r', '100-', $there);
    my @impatient = http2_clients(FEW, '-m', 1, $there);

    close $_ for splice @clients, 0, GIVE_UP;
    told(@impatient);

    is_deeply([ map { IO::Select->new($_)->can_read(0) ? 1 : () }
                @clients, @heads, @parts, @ends, @modern, @modern_parts ], [],
              'nobody gets anything while it is under way');

    is_deeply(counted(map { got($_) } @clients),
              { '200 ' . LONG, CLIENTS - GIVE_UP }, 'they get all of it');
    is_deeply(counted(map { got($_) } @heads), { '200 0', FEW },
              'by HEAD they learn that it is there');
    is_deeply(counted(map { got($_) } @parts), { '206 ' . (LONG - 100), FEW },
              'those who continue get the rest');
    is_deeply(counted(map { got($_) } @ends), { '206 1', FEW },
              'and those who want its end get that');
    is_deeply(counted(told(@modern, @modern_parts)),
              { '2 200 ' . LONG, FEW, '2 206 ' . (LONG - 100), FEW },
              'so do those with HTTP/2');

    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
    is(requested($path), 1, 'and the registry was asked once');
};


warm_story 'a layer that is elsewhere', \%lock,
           location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
                    'include cache.conf;', 'include follow.conf;')
           . redirects('http://127.0.0.1:' . $cdn->port), sub
{
    my $warm = shift;

    for my $who ('a job', 'a client') {

        my $there = '/for-' . $who =~ tr/ /-/r;
        my ($url, $path) = image_of("for $who" . 'c' x BYTES, {
            status => 307, body => 'there',
            headers => [ Location => 'http://127.0.0.1:' . $cdn->port
                                     . "$there?signature=a" ] });

        $cdn->answers($there, { body => "for $who" . 'c' x BYTES,
                                after => BEGINS, every => EVERY });

        my $id = $warm->post('image', url => $url) if $who eq 'a job';
        my $first = client($warm, 'GET', $path) if $who eq 'a client';

        ok(wait_until(SOON, sub { scalar $cdn->requests($there) }),
           "$who downloads it");

        my @clients = map { client($warm, 'GET', $path) } 1 .. CLIENTS;

        is_deeply(counted(map { got($_) } @clients),
                  { '200 ' . (BYTES + length "for $who"), CLIENTS },
                  'all get all of it');
        is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well') if $id;
        is(requested($path), 1, 'the registry was asked once');
        is(scalar $cdn->requests($there), 1, 'and so was the other place');
    }
};


# Some registries fetch a layer themselves before they answer.

warm_story 'a registry that takes long to answer', \%lock, $locations, sub
{
    my $warm = shift;

    for my $who ('a job', 'a client', 'a client that gives up', 'a HEAD') {

        my ($url, $path) = image_of("for $who", { after => BEGINS });
        my $id = $warm->post('image', url => $url) if $who eq 'a job';
        my $first = client($warm, $who =~ /HEAD/ ? 'HEAD' : 'GET', $path)
            if $who ne 'a job';

        ok(wait_until(SOON, sub { requested($path) }), "$who asks it");
        close $first if $who =~ /gives up/;

        my @clients = map { client($warm, 'GET', $path) } 1 .. FEW;

        is_deeply(counted(map { got($_) } @clients),
                  { '200 ' . length "for $who", FEW }, 'all get the layer');
        is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well') if $id;
        is(requested($path), 1, 'and it was asked once');
    }
};


# containerd asks without a token first, and so do all nodes at the same time.

warm_story 'clients that are refused', { %lock, workers => 1 }, $locations, sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'refused', sub {
        guarded('Bearer token', 'Bearer realm="http://auth.test/"', @_) });
    my $manifest = $image->manifest($image->layer('of those who may'));

    $image->tag('1', $manifest);

    for my $path ($image->by_tag('1'), ($image->paths($manifest))[-1]) {

        my @clients = map { client($warm, 'HEAD', $path) } 1 .. FEW * 2;
        my @allowed = map { client($warm, 'GET', $path,
                                   'Authorization: Bearer token') } 1 .. FEW;

        ok(wait_until(SHORT, sub { !grep { !IO::Select->new($_)->can_read(0) }
                                   @clients, @allowed }),
           "$path: all have their answers soon");
        is_deeply(counted(map { got($_) =~ s/ .*//r } @clients, @allowed),
                  { 401 => 2 * FEW, 200 => FEW }, 'each its own');
    }
};


# One after the other they would wait for ever.

warm_story 'a registry that does not answer', \%lock,
           location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
                    'include cache.conf;', 'proxy_read_timeout ' . SILENT . ';'), sub
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


warm_story 'a download that ends too early', \%lock, $locations, sub
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


for my $how (qw( reload quit )) {

    warm_story "$how of nginx while a job warms a layer", \%lock,
               "location = /requests { stub_status; }\n$locations", sub
    {
        my $warm = shift;

        my $servers = $warm->{servers};
        my ($url, $path) = image_of("$how: " . 'r' x BYTES, { every => EVERY });
        my $id = $warm->post('image', url => $url);

        wait_until(SOON, sub { requested($path) });
        my @clients = map { client($warm, 'GET', $path) } 1 .. CLIENTS;

        # a worker that quits accepts nobody any more

        ok(wait_until(SOON, sub {
               my ($n) = ($warm->pull('/requests'))[0] =~ /Writing: (\d+)/;
               $n > CLIENTS }), 'clients wait');

        if ($how eq 'reload') {
            $servers->nginx_reload;
            push @clients, map { client($warm, 'GET', $path) } 1 .. FEW;

        } else {
            $servers->nginx_end('QUIT');
        }

        is_deeply(counted(map { got($_) } @clients),
                  { '200 ' . (BYTES + length "$how: "), scalar @clients },
                  'all get all of it');
        is(requested($path), 1, 'and the registry was asked once');
        is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well')
            if $how eq 'reload';
    };
}


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
