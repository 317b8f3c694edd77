# What has changed at the origin since it was cached is seen by the next job, and
# what has not is not fetched again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Upstream;
use DFP::Warm;

use constant {
    FILES    => 'http://files.test',
    REGISTRY => 'http://registry.test',
};

my $upstream = DFP::Upstream->start;
my @caching = ('proxy_cache files;', 'include cache.conf;');
my $locations = location('/files/', FILES, $upstream->port)
                . location('/v2/', REGISTRY, $upstream->port);


# The origin has this version of a file, and answers 304 to who has it, too.

sub publish
{
    my ($path, $version, $body) = @_;

    my @headers = (ETag => qq("$version"),
                   'Last-Modified' => 'Thu, 01 Jan 2026 00:00:0'
                                      . "$version GMT");

    $upstream->answers($path, {
        wants => qq(If-None-Match: "$version"), status => 304,
        headers => [ @headers ],
        refusal => { body => $body, headers => [ @headers ] } });
    $upstream->forget_requests;
}


sub state_of { $_[0]->run('file', url => FILES . $_[1], @_[2 .. $#_])->{state} }

sub asked { scalar $upstream->requests($_[0]) }


for ([ 'a file that changes under its URL', @caching ],
     [ 'so it does where threads read files', @caching, 'aio threads;' ],
     [ 'so it does where nginx keeps files open', @caching,
       'open_file_cache max=100;' ],
     [ 'so it does where only dates are compared', @caching,
       'proxy_set_header If-None-Match "";' ])
{
    my ($name, @lines) = @$_;

    warm_story $name, {}, location('/files/', FILES, $upstream->port, @lines),
        sub
    {
        my $warm = shift;

        my $path = '/files/changes';

        publish($path, 1, 'the first version');
        is(state_of($warm, $path), 'SUCCESS', 'the first version is preheated');
        is_deeply([ $warm->pull($path) ], [ 'the first version', 'HIT' ],
                  'and clients get it');

        publish($path, 2, 'the second version, which is longer');
        is(state_of($warm, $path), 'SUCCESS', 'so is the second');
        is_deeply([ $warm->pull($path) ],
                  [ 'the second version, which is longer', 'HIT' ],
                  'and clients get that');
        is(asked($path), 1, 'after one question');
    };
}


warm_story 'a file that has not changed', {}, $locations, sub
{
    my $warm = shift;

    my $path = '/files/stays';

    publish($path, 1, 'what stays');
    is(state_of($warm, $path), 'SUCCESS', 'it is preheated');
    $upstream->forget_requests;

    is(state_of($warm, $path), 'SUCCESS', 'it is preheated once more');

    my ($request) = $upstream->requests($path);
    like($request, qr/^If-None-Match: "1"\r$/m, 'the origin is asked whether');
    like($request, qr/^If-Modified-Since: /m, 'it has changed');
    is_deeply([ $warm->pull($path) ], [ 'what stays', 'HIT' ],
              'and clients get it from the cache');
    is(asked($path), 1, 'which was asked for once');

    is(state_of($warm, $path, refresh => JSON::PP::true()), 'SUCCESS',
       'one that is to be fetched anew');
    ($request) = reverse $upstream->requests($path);
    unlike($request, qr/^If-/m, 'is asked for as if there was none');
    $warm->hits('and is in the cache', $path);
};


# The clock was ahead when it was stored, and has been set right since.

warm_story 'a file of tomorrow', {}, $locations, sub
{
    my $warm = shift;

    my $path = '/files/tomorrow';

    publish($path, 1, 'the first version');
    is(state_of($warm, $path), 'SUCCESS', 'it is preheated');

    $warm->dated($path, time + 86400);
    publish($path, 2, 'the second version, which is longer');

    is(state_of($warm, $path), 'SUCCESS', 'so is what it is now');
    is_deeply([ $warm->pull($path) ],
              [ 'the second version, which is longer', 'HIT' ],
              'and clients get that');
};


# For clients a job that failed has not been there.

warm_story 'an origin that fails when it is asked', {}, $locations, sub
{
    my $warm = shift;

    my $path = '/files/fails';

    publish($path, 1, 'what is there');
    is(state_of($warm, $path), 'SUCCESS', 'it is preheated');

    for my $status (404, 500) {
        $upstream->answers($path, { status => $status });
        is(state_of($warm, $path), 'FAILURE', "$status: the job fails");
        $upstream->forget_requests;
        is_deeply([ $warm->pull($path) ], [ 'what is there', 'HIT' ],
                  'and clients get what they got before');
        is(asked($path), 0, 'from the cache');
    }
};


warm_story 'a stale copy that is renewed in the background', {},
    location('/files/', FILES, $upstream->port, @caching,
             'proxy_cache_use_stale updating error;',
             'proxy_cache_background_update on;'), sub
{
    my $warm = shift;

    my $path = '/files/background';

    publish($path, 1, 'the first version');
    is(state_of($warm, $path), 'SUCCESS', 'the first version is preheated');

    publish($path, 2, 'the second version');
    is(state_of($warm, $path), 'SUCCESS', 'so is the second');
    is_deeply([ $warm->pull($path) ], [ 'the second version', 'HIT' ],
              'and clients get that');
};


warm_story 'an image that is fetched anew', {}, $locations, sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'team/app');
    my $manifest = $image->manifest($image->layer('a layer'));
    my @paths = ($image->by_tag('1'), $image->paths($manifest));

    $image->tag('1', $manifest);

    for ([ [], 'once' ], [ [], 'not again' ],
         [ [ refresh => JSON::PP::true() ], 'again' ])
    {
        my ($args, $name) = @$_;

        $upstream->forget_requests;
        is($warm->run('image', url => REGISTRY . $paths[0], @$args)->{state},
           'SUCCESS', "it is fetched $name");

        my @fetched = map { $_ => scalar $upstream->requests($_) } @paths;
        my $times = $name eq 'not again' ? 0 : 1;

        is_deeply(\@fetched,
                  [ map { $_ => $_ eq $paths[0] ? 1 : $times } @paths ],
                  'all of it but the tag, which is always asked for');
    }
};


# A location that has not what was included for it.

warm_story 'a location where the cache answers and nobody is asked', {},
    join('', map { location($_->[0], $_->[1], $upstream->port,
                            'proxy_cache files;', 'proxy_cache_valid 200 1d;',
                            'proxy_cache_key $dfpreheat_cache_key;') }
         [ '/files/', FILES ], [ '/v2/', REGISTRY ]), sub
{
    my $warm = shift;

    my $path = '/files/kept';
    my $tag = DFP::Image->simple($upstream, 'team/kept');

    publish($path, 1, 'the first version');
    $warm->pull($_) for $path, $tag;
    publish($path, 2, 'the second version');

    for my $job ($warm->run('file', url => FILES . $path),
                 $warm->run('image', url => REGISTRY . $tag))
    {
        is($job->{state}, 'FAILURE', 'a job fails');
        like($job->{result}{job_states}[0]{error},
             facts('"proxy_cache_bypass $dfpreheat_refresh"'),
             'and says what is missing');
    }
};


done_testing();
