# Digests of what is in the cache are checked by threads: nobody else waits for
# them, neither for a job of many large layers nor when nginx is told to stop.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find qw( find );
use File::Temp qw( tempdir );
use Test::More;

use DFP::Image;
use DFP::Process qw( free_port wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    HUGE     => 40_000_000_000, # bytes, of zeros that are on no disk
    MANY     => 40,             # more than the threads of nginx's pool
    AT_ONCE  => 2,              # digests of a worker
    SOON     => 10,             # s
};

my $upstream = DFP::Upstream->start;
my @caching = ('proxy_cache files;', 'include cache.conf;');
my $locations = location('/v2/', REGISTRY, $upstream->port, @caching);

# another location of the same nginx, whose files are read by threads

my $root = tempdir('dfpreheat-root-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
open my $file, '>', "$root/static" or die "static: $!";
print {$file} 'static ' x 1000;
close $file or die "static: $!";
chmod 0755, $root;

$locations .= "location = /static { root $root; aio threads; directio 1; }\n";


# An image whose layers are in the cache, and very large there: to check them takes
# longer than any story. The number of bytes is written with zeros before it, so that
# another one takes as much room.

sub huge_image
{
    my ($warm, $name, $n) = @_;

    my $image = DFP::Image->new($upstream, $name);
    my @layers = map { $image->layer("layer $_ of $name") } 1 .. $n;

    for my $layer (@layers) {
        my $body = $upstream->body($image->path($layer));

        $upstream->answers($image->path($layer), { raw => sprintf(
            "HTTP/1.1 200 OK\r\nContent-Length: %011d\r\n"
            . "Connection: close\r\n\r\n%s", length $body, $body) });

        my ($got) = $warm->pull($image->path($layer));
        die "$got is not the layer" if $got ne $body;
        swell($warm, $image->path($layer));
    }

    $image->tag('1', $image->manifest(map { +{ %$_, size => HUGE } } @layers));

    return REGISTRY . $image->by_tag('1');
}


sub swell
{
    my ($warm, $path) = @_;

    find({ no_chdir => 1, wanted => sub {
        return if !-f;

        open my $entry, '+<:raw', $_ or die "$_: $!";
        read $entry, my $text, 65536;
        my ($head) = $text =~ /\A(.*?\nKEY: \N*\Q$path\E\n.*?\r\n\r\n)/s
            or return;
        my $length = length $head;

        $head =~ s/(Content-Length: )\d{11}/$1 . sprintf '%011d', HUGE/e
            or die 'no length';

        seek $entry, 0, 0;
        print {$entry} $head;
        truncate $entry, $length + HUGE or die "truncate: $!";
        close $entry or die "$_: $!";
    } }, "$warm->{servers}{dir}/cache");
}


# How many large files of the cache are being read.

sub reading
{
    my $warm = shift;

    return scalar grep { m{/cache/} }
           map { readlink($_) // () } map { glob "/proc/$_/fd/*" }
           $warm->{servers}->workers;
}


# By how much the nice values of threads are above the worker's.

sub politeness
{
    my $warm = shift;

    my ($worker) = $warm->{servers}->workers;

    return [ sort { $a <=> $b }
             grep { $_ }
             map { nice($_) - nice("/proc/$worker/stat") }
             glob "/proc/$worker/task/*/stat" ];
}


sub nice
{
    my $name = shift;

    open my $file, '<', $name or die "$name: $!";

    return (split ' ', <$file> =~ s/.*\)//r)[16];
}


for ([ 'have a lower priority than the worker', [ 10, 10 ] ],
     [ 'keep their priority if it is also for others', [],
       main => 'thread_pool few threads=4;',
       http => 'dfpreheat_thread_pool few;' ]) {
    my ($what, $expected, %options) = @$_;

    warm_story "threads that check digests $what",
        { workers => 1, %options }, $locations, sub
    {
        my $warm = shift;

        $warm->post('image', url => huge_image($warm, 'nice', 2));

        ok(wait_until(SOON, sub { reading($warm) == AT_ONCE }), 'they check');
        is_deeply(politeness($warm), $expected, "they $what");
    };
}


warm_story 'a job of many large layers leaves the threads to others',
    { workers => 1 },
    $locations, sub
{
    my $warm = shift;

    my $id = $warm->post('image', url => huge_image($warm, 'many', MANY));

    ok(wait_until(SOON, sub { reading($warm) }), 'digests are checked');

    for (1 .. 20) {
        is(length +($warm->pull('/static'))[0], 7000, 'a client gets a file');
    }

    is(reading($warm), AT_ONCE, 'some are checked at a time');
    is($warm->{servers}->job($id)->{state}, 'PENDING', 'and the job goes on');
};


for (qw( TERM QUIT )) {
    my $signal = $_;

    warm_story "nginx is told to leave while digests are checked: $signal", {},
        $locations, sub
    {
        my $warm = shift;

        my $servers = $warm->{servers};
        my $id = $warm->post('image', url => huge_image($warm, 'some', 4));

        ok(wait_until(SOON, sub { reading($warm) }), 'digests are checked');

        # one that does not leave by itself is killed, and its part is lost

        $servers->nginx_end($signal);
        is($servers->stored_state($id), 'PENDING', 'the job goes on later');
        $servers->nginx_start;

        ok(wait_until(SOON, sub { reading($warm) }), 'with its digests');
        is($servers->lost_attempts($servers->job($id)), 0, 'no attempt was lost');
    };
}


warm_story 'a job that is over while its digests wait for their turn', {},
    $locations, sub
{
    my $warm = shift;

    my $job = $warm->run('image', url => huge_image($warm, 'over', 6),
                         timeout => 2_000_000_000);

    is($job->{state}, 'FAILURE', 'it ends at its timeout');
    ok(wait_until(SOON, sub { !reading($warm) }), 'and so do its checks');
    is($warm->run('image', url => REGISTRY
                           . DFP::Image->simple($upstream, 'next'))->{state},
       'SUCCESS', 'the next job has its turn');
};


warm_story 'a pool of threads that is shared', {
    main => 'thread_pool few threads=4;', http => 'dfpreheat_thread_pool few;'
}, $locations . "location = /few { alias $root/static; aio threads=few; }", sub
{
    my $warm = shift;

    $warm->post('image', url => huge_image($warm, 'shared', 8));

    ok(wait_until(SOON, sub { reading($warm) }), 'digests are checked');
    is(length +($warm->pull('/few'))[0], 7000, 'a client gets a file')
        for 1 .. 20;
    is(reading($warm), AT_ONCE, 'some are checked at a time');
};


done_testing();
