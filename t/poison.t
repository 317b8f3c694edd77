# A registry that answers with something else than the manifest: nobody gets that
# from the cache, and what is there stays.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    OCI      => 'application/vnd.oci.image.manifest.v1+json',
    SOON     => 5,      # s
};

my $upstream = DFP::Upstream->start;
my @caching = ('proxy_cache files;', 'include cache.conf;');
my $locations = location('/v2/', REGISTRY, $upstream->port);

my $page = '<html>maintenance</html>';

# What a registry answers in the place of a manifest, and the reason of the job.

my %wrong = (
    'a page' => [ [ 'Content-Type' => 'text/html' ], $page,
                  facts('Content-Type | "text/html" | manifest') ],
    'a page that is called a manifest' =>
        [ [ 'Content-Type' => OCI ], $page, facts('manifest | JSON') ],
    'an error as JSON' =>
        [ [ 'Content-Type' => 'application/json' ], '{"error":"sorry"}',
          facts('manifest') ],
    'nothing' => [ [ 'Content-Type' => OCI ], '', facts('manifest') ],
    'a part of it' => [ [ 'Content-Type' => OCI ], '{"schemaVersion":2,"media',
                        facts('manifest | JSON') ],
    'a manifest that is packed' =>
        [ [ 'Content-Type' => OCI, 'Content-Encoding' => 'gzip' ], 'packed',
          facts('compressed') ],
    'more than a manifest can be' =>
        [ [ 'Content-Type' => OCI ], '{' . ' ' x 70_000 . '}',
          facts('answer | 65536 bytes') ],
);


# An image of one layer: its name, its path by tag, its manifest.

sub image_of
{
    my ($name) = @_;

    my $image = DFP::Image->new($upstream, $name);
    my $manifest = $image->manifest($image->layer("the layer of $name"));

    $image->tag('v1', $manifest);

    return ($image, $image->by_tag('v1'), $manifest);
}


for ([ 'the registry has another answer for the tag', \@caching ],
     [ 'so it does where threads read and write files',
       [ @caching, 'aio threads;', 'aio_write on;' ] ])
{
    my ($name, $lines) = @$_;

    warm_story $name, { http => 'dfpreheat_max_manifest_size 64k;' },
        location('/v2/', REGISTRY, $upstream->port, @$lines), sub
    {
        my $warm = shift;

        my ($image, $tag) = image_of('team/app');

        # of A5 a story of its own tells how jobs do with threads: here clients
        # fetch

        my ($good) = $warm->pull($tag);
        my %ids;

        for my $case (sort keys %wrong) {
            my ($headers, $body, $why) = @{ $wrong{$case} };

            $upstream->answers($tag, { headers => $headers, body => $body });

            my $job = $warm->run('image', url => REGISTRY . $tag);

            is($job->{state}, 'FAILURE', "$case: a job fails");
            like(reason($job), $why, 'with the reason')
                if "@$lines" !~ /threads/;
            is_deeply([ $warm->pull($tag) ], [ $good, 'HIT' ],
                      'and clients get the manifest');
        }
    };
}


warm_story 'a client that asks first gets what the registry says, and no other',
    { http => 'dfpreheat_max_manifest_size 64k;' }, $locations, sub
{
    my $warm = shift;

    for my $case (sort keys %wrong) {
        my ($headers, $body) = @{ $wrong{$case} };

        my ($image, $tag, $manifest) = image_of('first/' . lc($case) =~ tr/ /-/r);
        my $path = $image->path($manifest);

        for ($tag, $path) {
            my $good = $upstream->body($_);

            $upstream->answers($_, { headers => $headers, body => $body });
            is(($warm->pull($_))[0], $body, "$case: it is passed on");
            isnt(($warm->pull($_))[1], 'HIT', 'from the registry');

            $warm->head($_);

            $upstream->answers($_, { headers => [ 'Content-Type' => OCI ],
                                     body => $good });
            is(($warm->pull($_))[0], $good, 'the next gets the manifest');
            $warm->hits('and from then on it is in the cache', $_);
        }
    }
};


warm_story 'a manifest of another digest', {}, $locations, sub
{
    my $warm = shift;

    my ($one, undef, $first) = image_of('team/one');
    my ($two, undef, $second) = image_of('team/two');
    my $path = $one->path($first);
    my $good = $upstream->body($path);
    my $other = $upstream->body($two->path($second));

    $upstream->answers($path, { headers => [ 'Content-Type' => OCI ],
                                body => $other });

    is(($warm->pull($path))[0], $other, 'a client gets it');
    isnt(($warm->pull($path))[1], 'HIT', 'but not from the cache');

    my $job = $warm->run('image', url => REGISTRY . $path);
    is($job->{state}, 'FAILURE', 'a job fails');
    like(reason($job), facts('digest'), 'with the reason');

    $upstream->answers($path, { headers => [ 'Content-Type' => OCI ],
                                body => $good });
    is($warm->run('image', url => REGISTRY . $path)->{state}, 'SUCCESS',
       'until it is the right one');
    is_deeply([ $warm->pull($path) ], [ $good, 'HIT' ], 'which clients get');
};


# docker asks by HEAD first, of which nginx makes a GET that fills the cache.

warm_story 'HEAD fills the cache with a manifest, and with nothing else', {},
    $locations, sub
{
    my $warm = shift;

    my (undef, $tag) = image_of('team/head');
    my $good = $upstream->body($tag);

    $upstream->answers($tag, { headers => [ 'Content-Type' => OCI ],
                               body => $page });
    is($warm->head($tag), 'MISS', 'a page');
    is(($warm->pull($tag))[1], 'MISS', 'is not in the cache');

    $upstream->answers($tag, { headers => [ 'Content-Type' => OCI ],
                               body => $good });
    $warm->head($tag);
    is_deeply([ $warm->pull($tag) ], [ $good, 'HIT' ], 'a manifest is');
};


# chunks, and an end that is only told by the end of the connection

warm_story 'a manifest whose length nobody tells', {}, $locations, sub
{
    my $warm = shift;

    my (undef, $tag) = image_of('team/long');
    my $good = $upstream->body($tag);

    for my $raw ([ 'Transfer-Encoding: chunked',
                   sub { sprintf "%x\r\n%s\r\n0\r\n\r\n", length $_[0], $_[0] } ],
                 [ 'Connection: close', sub { $_[0] } ])
    {
        my ($header, $wrap) = @$raw;

        for ([ $page, $page, 'MISS' ], [ $good, $good, 'HIT' ]) {
            my ($body, $expected, $how) = @$_;
            my $path = $tag =~ s/v1$/"v" . int rand 1e9/er;

            $upstream->answers($path, {
                raw => "HTTP/1.1 200 OK\r\nContent-Type: " . OCI
                       . "\r\n$header\r\n\r\n" . $wrap->($body) });

            is(($warm->pull($path))[0], $expected, "$header: it is passed on");
            is(($warm->pull($path))[1], $how, "and then a $how");
        }
    }
};


# Long after a job, when the entry has expired, clients are those who ask.

warm_story 'a client asks whether a manifest has changed, and gets a page', {},
    location('/v2/', REGISTRY, $upstream->port, 'proxy_cache_valid 200 1s;',
             @caching, 'proxy_cache_use_stale http_500;'), sub
{
    my $warm = shift;

    my (undef, $tag) = image_of('team/old');
    my ($good) = $warm->pull($tag);
    my @got;

    $upstream->answers($tag, { headers => [ 'Content-Type' => OCI ],
                               body => $page });

    wait_until(SOON, sub { @got = $warm->pull($tag); $got[1] ne 'HIT' });
    is_deeply(\@got, [ $page, 'EXPIRED' ], 'as the registry says');

    $upstream->answers($tag, { status => 500 });
    is_deeply([ $warm->pull($tag) ], [ $good, 'STALE' ],
              'the manifest is still there when the registry is not');
};


done_testing();
