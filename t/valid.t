# How long what is cached is valid: files as nginx is told, digests for ever, and tags
# for a minute, whatever a job needs them for.

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
    FILES    => 'http://files.test',
    YEAR     => 31_536_000,
    SOON     => 10,         # s
};

my $upstream = DFP::Upstream->start;
my $port = $upstream->port;
my @caching = ('proxy_cache files;', 'include cache.conf;');
my $second = location('/v2/', REGISTRY, $port, 'dfpreheat_tag_valid 1s;',
                      @caching);

sub image_of { return DFP::Image->of_layer($upstream, @_) }


sub job { return ('image', url => REGISTRY . $_[0]) }


# A part of it is cached before, as it is by a job.

my $times = join '',
    location('/v2/', REGISTRY, $port),
    location('/short/v2/', 'http://short.test', $port,
             'proxy_cache_valid 200 10s;', @caching),
    location('/long/v2/', 'http://long.test', $port,
             'dfpreheat_tag_valid 1h;', @caching),
    location('/never/v2/', 'http://never.test', $port,
             'proxy_cache_key $dfpreheat_cache_key;', 'proxy_cache files;'),
    location('/files/', FILES, $port);

for my $case ([ 'what the configuration leaves open', '', 60, YEAR ],
              [ 'a location whose proxy_cache_valid is shorter', '/short', 10,
                YEAR ],
              [ 'a location of its own mind', '/long', 3600, YEAR ],
              [ 'a location that stores nothing', '/never' ])
{
    my ($name, $base, $tag_time, $digest_time) = @$case;

    warm_story $name, {}, $times, sub
    {
        my $warm = shift;

        my ($image, $tag, $manifest) = image_of('times');
        my @digests = $image->paths($manifest);

        $image->publish("$base$tag", $manifest);
        $upstream->answers("$base$_", { body => $upstream->body($_) })
            for @digests;
        $warm->pull("$base$_") for $tag, @digests;

        is($warm->valid_for("$base$tag"), $tag_time, 'the time of a tag');
        is_deeply([ map { $warm->valid_for("$base$_") } @digests ],
                  [ ($digest_time) x @digests ], 'and of digests');
        return if !$tag_time;

        $warm->expire("$base$tag");
        is(($warm->pull("$base$tag"))[1], 'REVALIDATED',
           'a tag that has not changed');

        # which is written when the answer has been sent

        ok(wait_until(SOON, sub {
               $warm->valid_for("$base$tag") == $tag_time }),
           'has as long once more');
    };
}


warm_story 'what a job has stored', { http => 'dfpreheat_tag_valid 2h;' },
           $times, sub
{
    my $warm = shift;

    my ($image, $tag, $manifest) = image_of('job');
    my @digests = $image->paths($manifest);

    $upstream->answers('/files/a', { body => 'a' });

    is($warm->run(job($tag))->{state}, 'SUCCESS', 'an image');
    is($warm->run('file', url => FILES . '/files/a')->{state}, 'SUCCESS',
       'and a file');
    is_deeply([ map { $warm->valid_for($_) } $tag, @digests, '/files/a' ],
              [ 7200, (YEAR) x @digests, 86400 ],
              'is as valid as what clients have stored');
};


warm_story 'a tag that is pushed again', {}, $second, sub
{
    my $warm = shift;

    my ($image, $tag, $manifest) = image_of('pushed');
    my $next = $image->manifest($image->layer('the next version'));

    $image->publish($tag, $manifest);
    my ($first) = $warm->pull($tag);
    $image->publish($tag, $next);

    my @got;
    wait_until(SOON, sub { @got = $warm->pull($tag); $got[0] ne $first });
    is($got[0], $upstream->body($image->path($next)),
       'is soon the new one for clients');
    is(($warm->pull($tag))[1], 'HIT', 'who get it from the cache');
};


warm_story 'a tag that is asked for each time', {},
           location('/v2/', REGISTRY, $port, 'dfpreheat_tag_valid 0;', @caching),
           sub
{
    my $warm = shift;

    my ($image, $tag, $manifest) = image_of('each');

    $image->publish($tag, $manifest);
    $upstream->forget_requests;
    is($warm->run(job($tag))->{state}, 'SUCCESS', 'is preheated');
    is_deeply($warm->cached($tag, $tag),
              [ "REVALIDATED $tag", "REVALIDATED $tag" ],
              'and the registry is asked about it');
    is(scalar $upstream->requests($tag), 3, 'by all');
};


# The layer comes when the tag is no longer valid.

for my $case ([ 'a job that lasts longer than a tag is valid' ],
              [ 'so it does where a client has fetched it once more', 'same' ],
              [ 'and where it is another one by then', 'moved' ])
{
    my ($name, $how) = @$case;

    $how //= 'expires';

    warm_story $name, {}, $second, sub
    {
        my $warm = shift;

        my ($image, $tag, $manifest) = image_of("lasts-$how", after => 3);
        my ($answer, $other) = ($manifest, $image->manifest(
            $image->layer('a layer of lasts-_____' . 'x' x length $how)));

        $upstream->forget_requests;
        my $id = $warm->post(job($tag));

        wait_until(SOON, sub { ($warm->valid_for($tag) // 0) == 1 })
            or die 'the tag is not stored';
        $image->tag('1', $other) if $how eq 'moved';

        if ($how ne 'expires') {
            wait_until(SOON, sub { ($warm->pull($tag))[1] eq 'EXPIRED' })
                or die 'the tag is not fetched again';
        }

        my $job = $warm->ended($id);

        if ($how eq 'moved') {
            is($job->{state}, 'FAILURE', 'fails');
            like(reason($job), facts('tag | /chang|moved|another/'),
                 'with the reason');
            return;
        }

        is($job->{state}, 'SUCCESS', 'ends well') or diag(reason($job));

        # on a busy machine it may expire for the client twice

        like(scalar $upstream->requests($tag), $how eq 'same' ? qr/^[23]$/ : qr/^1$/,
             'and asks for the tag once');
    };
}

done_testing();
