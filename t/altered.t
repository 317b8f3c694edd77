# Bytes that are not what their digest says: they are found wherever they were
# altered, and nobody pulls them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    TRIES    => 4,
    REASON   => 'digest',
};

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port);


# An image with one layer; its URL, and the path of the layer.

sub image_of
{
    my ($name, $bytes) = @_;

    my $image = DFP::Image->new($upstream, $name);
    my $layer = $image->layer($bytes);

    $image->tag('1', $image->manifest($layer));

    return (REGISTRY . $image->by_tag('1'), $image->path($layer));
}


warm_story 'a layer that the registry alters', {}, $locations, sub
{
    my $warm = shift;

    my ($url, $blob) = image_of('altered', 'a layer of bytes');
    $upstream->answers($blob, { body => 'a layer of bitts' });
    $upstream->forget_requests;

    my $job = $warm->run('image', url => $url);

    is($job->{state}, 'FAILURE', 'is no success');
    like_facts([ map { $_->{description} } @{ failed($job) } ],
               [ REASON . ' | ' . TRIES . ' tries' ], 'and says what is wrong');
    is(scalar $upstream->requests($blob), TRIES, 'after several tries');
    is(($warm->pull($blob))[1], 'MISS', 'a client does not get it from here');
};


warm_story 'a layer that is altered on its way, once', {}, $locations, sub
{
    my $warm = shift;

    my ($url, $blob) = image_of('once', 'a layer of bytes');
    $upstream->answers($blob, { body => 'a layer of bitts' },
                       { body => 'a layer of bytes' });

    is($warm->run('image', url => $url)->{state}, 'SUCCESS',
       'is fetched again');
    is_deeply([ $warm->pull($blob) ], [ 'a layer of bytes', 'HIT' ],
              'and clients get the right one');
};


warm_story 'a layer that rots in the cache', {}, $locations, sub
{
    my $warm = shift;

    my ($url, $blob) = image_of('rotten', 'a layer that rots');

    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'it was warmed');

    $warm->alter($blob, sub { s/rots/ruts/ });

    is(($warm->pull($blob))[0], 'a layer that ruts', 'and has changed since');
    is($warm->run('image', url => $url)->{state}, 'SUCCESS',
       'the next job mends it');
    is_deeply([ $warm->pull($blob) ], [ 'a layer that rots', 'HIT' ],
              'clients get the right one again');
};


# Something else than what was fetched: cut, or what a registry once sent with 200.

my %spoils = (
    'cut off'         => sub { substr($_, -5) = '' },
    'something else'  => sub { $_ = '<html>maintenance</html>' },
    'nothing at all'  => sub { $_ = '' },
    'longer than due' => sub { $_ .= 'more' },
    'zeros'           => sub { tr/\0-\xff/\0/ },
);

# With files that nginx keeps open, it does not see at once that one is shorter: of
# what it reads itself it says so in the log.

for ([ 'all of it', qr/./ ],
     [ 'blobs', qr/blobs/, 'open_file_cache max=100;' ])
{
    my ($which, $paths, @lines) = @$_;

    warm_story "an image of which something in the cache is wrong: $which", {},
        location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
                 'include cache.conf;', @lines), sub
    {
        my $warm = shift;

        my $image = DFP::Image->new($upstream, 'spoilt');
        my $manifest = $image->manifest($image->layer('a layer of bytes'));
        my $index = $image->index([ 'linux/amd64', $manifest ]);
        my ($by_digest, $config, $layer) = $image->paths($manifest);
        my $tag = $image->by_tag('1');

        $image->tag('1', $index);

        my $url = REGISTRY . $tag;
        is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'it is warmed');

        for my $path (grep { $_ =~ $paths } $tag, $image->path($index),
                      $by_digest, $config, $layer)
        {
            my $right = $upstream->body($path);

            for my $name (sort keys %spoils) {
                $warm->alter($path, $spoils{$name});
                $upstream->forget_requests;

                is($warm->run('image', url => $url)->{state}, 'SUCCESS',
                   "$path, $name: the next job mends it");
                is(scalar $upstream->requests($path), 1,
                   'by fetching it again');
                is_deeply([ $warm->pull($path) ], [ $right, 'HIT' ],
                          'clients get it right');
            }
        }
    };
}


warm_story 'an image by its digest whose manifest in the cache is wrong', {},
    $locations, sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'by-digest');
    my $manifest = $image->manifest($image->layer('a layer by digest'));
    my $path = $image->path($manifest);

    for my $name (sort keys %spoils) {
        is($warm->run('image', url => REGISTRY . $path)->{state}, 'SUCCESS',
           "$name: it is warmed");
        $warm->alter($path, $spoils{$name});
        is($warm->run('image', url => REGISTRY . $path)->{state}, 'SUCCESS',
           'the next job mends it');
        is_deeply([ $warm->pull($path) ], [ $upstream->body($path), 'HIT' ],
                  'clients get it right');
    }
};


warm_story 'a layer that is shorter than its manifest says', {}, $locations, sub
{
    my $warm = shift;

    my ($url, $blob) = image_of('short', 'a layer of bytes');

    $upstream->answers($blob, { body => '<html>maintenance</html>' });

    my $job = $warm->run('image', url => $url);

    is($job->{state}, 'FAILURE', 'a job fails while the registry sends it');
    like(failed($job)->[0]{description},
         facts('24 bytes | manifest | 16 | ' . TRIES . ' tries'), 'and says so');
    isnt(($warm->pull($blob))[1], 'HIT', 'it is not kept');

    $upstream->answers($blob, { body => 'a layer of bytes' });
    is($warm->run('image', url => $url)->{state}, 'SUCCESS',
       'the next job gets the right one, although a client has fetched that');
    is_deeply([ $warm->pull($blob) ], [ 'a layer of bytes', 'HIT' ],
              'which clients get');
};


# nginx keeps errors where it is told to.

warm_story 'an error that is in the cache', {},
    location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
             'include cache.conf;', 'proxy_cache_valid 404 503 1h;')
    . location('/files/', FILES, $upstream->port, 'proxy_cache files;',
               'include cache.conf;', 'proxy_cache_valid 404 503 1h;'), sub
{
    my $warm = shift;

    my ($url, $blob) = image_of('errors', 'a layer of bytes');
    my $file = '/files/errors';
    my ($manifest) = $url =~ m{(/v2/.*)};
    my %right = ($blob => 'a layer of bytes', $file => 'a file',
                 $manifest => $upstream->body($manifest));
    my %sent = ($manifest => 'application/vnd.oci.image.manifest.v1+json');

    for my $status (404, 503) {
        for my $path (keys %right) {
            $upstream->answers($path, { status => $status });
            $warm->pull($path);
            $upstream->answers($path, { body => $right{$path},
                $sent{$path} ? (headers => [ 'Content-Type' => $sent{$path} ])
                             : () });
        }

        is($warm->run('image', url => $url)->{state}, 'SUCCESS',
           "$status: it is not the registry's any more");
        is($warm->run('file', url => FILES . $file)->{state}, 'SUCCESS',
           'nor that of an origin of files');
        $warm->hits('clients get what there is', keys %right);
        $warm->alter($_, sub { $_ = '' }) for keys %right;
        $warm->run('image', url => $url);
    }
};


# What a file was is only known from the answer that came with it.

warm_story 'a file of which a part is in the cache', {},
    location('/files/', FILES, $upstream->port), sub
{
    my $warm = shift;

    my $path = '/files/large';
    my $bytes = 'large ' x 10_000;

    # the origin says that it has not changed

    $upstream->answers($path, {
        wants => 'If-None-Match: "1"', status => 304,
        headers => [ ETag => '"1"' ],
        refusal => { body => $bytes, headers => [ ETag => '"1"' ] } });

    is($warm->run('file', url => FILES . $path)->{state}, 'SUCCESS',
       'it is warmed');

    for my $name ('cut off', 'nothing at all', 'longer than due') {
        $warm->alter($path, $spoils{$name});
        is($warm->run('file', url => FILES . $path)->{state}, 'SUCCESS',
           "$name: the next job mends it");
        is(($warm->pull($path))[0], $bytes, 'clients get all of it');
        $warm->hits('from the cache', $path);
    }
};


warm_story 'a file whose digest and size are known', {},
    location('/files/', FILES, $upstream->port), sub
{
    my $warm = shift;

    my $path = '/files/known';
    my $bytes = 'a file of bytes';
    my %known = (digest => 'sha256:' . sha256_hex($bytes),
                 size => length $bytes);

    my $run = sub { $warm->run('file', url => FILES . $path, @_) };

    $upstream->answers($path, { body => $bytes });

    my $job = $run->(%known);
    is($job->{state}, 'SUCCESS', 'it is as it should be');
    is_deeply({ map { $_ => $job->{args}{$_} } keys %known }, \%known,
              'the job shows what was asked of it');
    $warm->hits('and is in the cache', $path);

    # no validators: the origin sends it again, altered

    for (map { [ $_ => $known{$_} ] } sort keys %known) {
        $upstream->answers($path, { body => 'a file of bits' });

        $job = $run->(@$_);
        is($job->{state}, 'FAILURE', "its $_->[0] is another one");
        like(failed($job)->[0]{description},
             facts($_->[0] eq 'size' ? '14 bytes | job | 15' : REASON),
             'the job says so');

        is_deeply([ $warm->pull($path) ], [ 'a file of bits', 'MISS' ],
                  'and it is not kept');

        $upstream->answers($path, { body => 'a file of bits' },
                                  { body => $bytes });
        is($run->(@$_)->{state}, 'SUCCESS', 'until the origin has it right');
        is_deeply([ $warm->pull($path) ], [ $bytes, 'HIT' ], 'for clients, too');
    }
};


done_testing();
