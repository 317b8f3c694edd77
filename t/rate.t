# A limit for what jobs read: dfpreheat_rate is what the calls of a worker share.
# How long a job takes at least is known; how long it takes at most is not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( time );

use DFP::Certificates;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    FILES    => 'http://files.test',
    RATE     => 200_000,    # bytes a second
    CRAWL    => 10_000,     # a rate at which a buffer of nginx takes seconds
    NEARLY   => 0.9,        # of the time that so many bytes take at a rate: what
                            # is read in advance is not waited for
    SOON     => 10,         # s
    ENDED    => 40,
    TIMEOUT  => 3,
    SECOND   => 1_000_000_000,  # ns
};

my $upstream = DFP::Upstream->start;
my @caching = ('proxy_cache files;', 'include cache.conf;');


sub front { return location('/files/', FILES, $upstream->port, @caching, @_) }


# One worker, whose jobs may read so many bytes a second.

sub at_rate
{
    my ($rate, %options) = @_;

    return { workers => 1, lease => '1s', %options,
             http => ($options{http} // '') . "\ndfpreheat_rate $rate;\n" };
}


sub sized
{
    my ($path, $size, %answer) = @_;

    $upstream->answers($path, { body => 'x' x 1000, times => $size / 1000,
                                %answer });
    return FILES . $path;
}


# Whether a job of so many bytes is not faster than they are allowed to be.

sub not_faster
{
    my ($name, $took, $size, $rate) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    cmp_ok($took, '>=', NEARLY * $size / $rate,
           "$name: $size bytes at $rate a second");
}


sub timed
{
    my $code = shift;

    my $began = time;
    my $got = $code->();

    return ($got, time - $began);
}


sub bytes_done
{
    my ($warm, $id) = @_;

    my $progress = $warm->{servers}->job($id)
                        ->{result}{job_states}[0]{progress};

    return $progress ? $progress->[0]{bytes_done} : 0;
}


my %variants = (
    'a file'                           => [],
    'a file that threads write'        => [ 'aio threads;', 'aio_write on;' ],
    'a file that is read in large buffers'
        => [ 'proxy_buffers 2 128k;', 'proxy_busy_buffers_size 128k;' ],
    'a file in a location with a limit of its own that is higher'
        => [ 'proxy_limit_rate 2m;' ],
    'a file from an origin that is not to be silent for long'
        => [ 'proxy_read_timeout 1s;' ],
);

for my $name (sort keys %variants) {

    warm_story $name, at_rate(RATE), front(@{ $variants{$name} }), sub
    {
        my $warm = shift;

        my $url = sized('/files/one', 400_000);
        my ($job, $took) = timed(sub { $warm->run('file', url => $url) });

        is($job->{state}, 'SUCCESS', 'is warmed');
        not_faster('as fast as allowed', $took, 400_000, RATE);
        $warm->hits('all of it', '/files/one');
        is(($warm->pull('/files/one'))[0], 'x' x 400_000, 'as it is');
        is(scalar $upstream->requests('/files/one'), 1, 'by one request');
        $upstream->forget_requests;
    };
}


warm_story 'a limit of the location that is lower', at_rate(RATE * 10),
           front('proxy_limit_rate ' . RATE . ';'), sub
{
    my $warm = shift;

    my $url = sized('/files/lower', 500_000);
    my ($job, $took) = timed(sub { $warm->run('file', url => $url) });

    is($job->{state}, 'SUCCESS', 'allows the job');

    # nginx allows a second more
    not_faster('but not faster', $took, 500_000 - RATE, RATE);
};


warm_story 'jobs at the same time', at_rate(RATE), front(), sub
{
    my $warm = shift;

    my @ids = map { $warm->post('file', url => sized("/files/$_", 400_000)) }
              'a', 'b';
    my $began = time;
    my $first;

    wait_until(ENDED, sub {
        ($first) = grep { $warm->{servers}->job($_)->{state} ne 'PENDING' } @ids;
        return defined $first;
    });

    my ($other) = grep { $_ != $first } @ids;
    cmp_ok(bytes_done($warm, $other), '>', 200_000,
           'have read about as much when the first of them ends');

    is($warm->ended($_)->{state}, 'SUCCESS', "job $_ ends well") for @ids;
    not_faster('both of them', time - $began, 800_000, RATE);
};


warm_story 'a small file beside a large one', at_rate(RATE), front(), sub
{
    my $warm = shift;

    my $large = $warm->post('file', url => sized('/files/large', 800_000));
    wait_until(SOON, sub { scalar $upstream->requests('/files/large') });

    is($warm->run('file', url => sized('/files/small', 100_000))->{state},
       'SUCCESS', 'is warmed');
    is($warm->{servers}->job($large)->{state}, 'PENDING',
       'while the large one still is on its way');
    is($warm->ended($large)->{state}, 'SUCCESS', 'which ends well, too');
};


# A slow origin does not take from others what it cannot use.

warm_story 'a file beside one of a slow origin', at_rate(RATE), front(), sub
{
    my $warm = shift;

    $upstream->answers('/files/trickle', { body => 'x' x 250, every => 0.02 });

    my $slow = $warm->post('file', url => FILES . '/files/trickle');
    wait_until(SOON, sub { scalar $upstream->requests('/files/trickle') });

    is($warm->run('file', url => sized('/files/quick', 200_000))->{state},
       'SUCCESS', 'is warmed');
    is($warm->{servers}->job($slow)->{state}, 'PENDING',
       'while that one still is on its way');
    is($warm->ended($slow)->{state}, 'SUCCESS', 'which ends well, too');
};


# Each of them is there before nginx could pause.

warm_story 'many small files', at_rate(RATE), front(), sub
{
    my $warm = shift;

    my @paths = map { "/files/small-$_" } 1 .. 150;
    my $urls = [ map { sized($_, 3000) } @paths ];
    my ($job, $took) = timed(sub {
        $warm->run('file', urls => $urls, concurrent_task_count => 50) });

    is($job->{state}, 'SUCCESS', 'are warmed');
    not_faster('all together', $took, 450_000, RATE);
};


warm_story 'an image', at_rate(RATE),
           location('/v2/', FILES, $upstream->port, @caching), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'app');
    my @layers = map { $image->layer($_ x 150_000) } 'a', 'b';

    $image->tag('1', $image->manifest(@layers));

    my @post = ('image', url => FILES . $image->by_tag('1'));
    my ($job, $took) = timed(sub { $warm->run(@post) });

    is($job->{state}, 'SUCCESS', 'is warmed');
    not_faster('its layers', $took, 300_000, RATE);

    $upstream->forget_requests;
    is($warm->run(@post)->{state}, 'SUCCESS', 'once more');
    is_deeply([ map { /^GET (\S+)/ } $upstream->requests ],
              [ $image->by_tag('1') ], 'without another layer');
};


# The rate is for jobs.

warm_story 'clients while a job crawls', at_rate(CRAWL), front(), sub
{
    my $warm = shift;

    my $id = $warm->post('file', url => sized('/files/crawl', 100_000));
    wait_until(SOON, sub { scalar $upstream->requests('/files/crawl') });

    sized('/files/other', 5_000_000);
    my ($body, $cache) = $warm->pull('/files/other');

    is(length $body, 5_000_000, 'get another file from the origin');
    is($cache, 'MISS', 'themselves');
    is($warm->{servers}->job($id)->{state}, 'PENDING', 'at their own rate');

    # a pause is longer than the age of a lock, which ends where nobody reads

    my @sockets = map { $warm->ask('/files/crawl') } 1 .. 4;
    my @got = map { my ($head, $file) = split /\r\n\r\n/;
                    ($head =~ /^X-Cache: (\w+)\r$/m)[0] . ' ' . length $file }
              map { whole_answer($_, ENDED) } @sockets;

    is_deeply(\@got, [ ('HIT 100000') x 4 ],
              'wait for the file of the job, and get all of it');
    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
    is(scalar $upstream->requests('/files/crawl'), 1,
       'and the origin was asked once');
};


# The connection of an answer serves the next one.

my $ca = DFP::Certificates->new;
my $tls = DFP::Certificates::Server->start($upstream->port,
                                           $ca->issue('kept.test'));
my $kept = at_rate(RATE, http => 'upstream kept { server 127.0.0.1:' . $tls->port
                                 . '; keepalive 1; }');

warm_story 'files over a connection that is kept, with TLS', $kept, <<"LOCATION",
location /kept/ {
    dfpreheat_origin https://kept.test;
    proxy_pass https://kept;
    proxy_ssl_name kept.test;
    proxy_ssl_server_name on;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate ${\ $ca->file };
    proxy_ssl_session_reuse off;
    @caching
}
LOCATION
sub
{
    my $warm = shift;

    my @paths = map { "/kept/$_" } 1 .. 4;
    sized($_, 100_000) for @paths;

    my ($job, $took) = timed(sub {
        $warm->run('file', urls => [ map { "https://kept.test$_" } @paths ],
                   concurrent_task_count => 1) });

    is($job->{state}, 'SUCCESS', 'are warmed');
    not_faster('one after the other', $took, 400_000, RATE);
    $warm->hits('all of them', @paths);
    is($tls->connections, 1, 'by one connection');
};


warm_story 'a job that is deleted in its pause', at_rate(CRAWL), front(), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $id = $warm->post('file', url => sized('/files/deleted', 200_000));

    wait_until(SOON, sub { bytes_done($warm, $id) > 0 });
    is($servers->client->request('DELETE', "/oapi/v1/jobs/$id")->{status}, 200,
       'is gone');
    ok(wait_until(SOON, sub {
           $servers->client->get('/metrics')->{body}
               =~ /^dfpreheat_calls_in_flight 0$/m
       }), 'and its call');
    is($warm->run('file', url => sized('/files/next', 1000))->{state},
       'SUCCESS', 'the next job is run');
};


warm_story 'a job whose time ends in a pause', at_rate(CRAWL), front(), sub
{
    my $warm = shift;

    my $job = $warm->run('file', url => sized('/files/timeout', 500_000),
                         timeout => TIMEOUT * SECOND);

    is($job->{state}, 'FAILURE', 'fails');
    like(error($job), qr/timeout of the job/,
         'and tells why');
};


warm_story 'a reload in a pause', at_rate(RATE), front(), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $id = $warm->post('file', url => sized('/files/reload', 600_000));

    wait_until(SOON, sub { bytes_done($warm, $id) > 0 });
    $upstream->forget_requests;
    $servers->nginx_reload;

    my ($job, $took) = timed(sub {
        $warm->run('file', url => sized('/files/reloaded', 300_000)) });

    is($job->{state}, 'SUCCESS', 'does not keep the new worker from its jobs');
    not_faster('at its own rate', $took, 300_000, RATE);

    $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'the old worker ends what it has begun');
    is($servers->lost_attempts($job), 0, 'no attempt was lost');
    is(scalar $upstream->requests('/files/reload'), 0,
       'and the file was fetched once');
};

done_testing();
