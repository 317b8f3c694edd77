# Registries that keep their blobs elsewhere: nginx follows the redirect, for
# jobs and for clients, and caches what is there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Dns;
use DFP::Facts;
use DFP::Image;
use DFP::Process qw( dead_port );
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant REGISTRY => 'http://registry.test';

my $upstream = DFP::Upstream->start;
my $cdn = DFP::Upstream->start;
my $other = DFP::Upstream->start;
my ($cdn_url, $other_url) = map { 'http://127.0.0.1:' . $_->port }
                                $cdn, $other;


sub locations
{
    my @redirects = @_;

    return location('/', REGISTRY, $upstream->port, 'proxy_cache files;',
                    'include cache.conf;', 'include follow.conf;')
           . redirects(@redirects);
}


# An image of which each blob is redirected by this function of its path.

sub image_elsewhere
{
    my ($name, $redirect) = @_;

    my $image = DFP::Image->new($upstream, $name);
    my $manifest = $image->manifest($image->layer("one of $name"),
                                    $image->layer("two of $name"));
    my @blobs = grep { m{/blobs/} } $image->paths($manifest);

    for my $path (@blobs) {
        $cdn->answers($path, { body => $upstream->body($path) });
        $upstream->answers($path, $redirect->($path));
    }

    $image->tag('1', $manifest);

    return (REGISTRY . $image->by_tag('1'), @blobs);
}


sub redirect
{
    my ($status, $to) = @_;

    return { status => $status, headers => [ Location => $to ],
             body => 'look there' };
}


warm_story 'blobs behind each kind of redirect', {},
           locations($cdn_url, $other_url), sub
{
    my $warm = shift;

    for my $status (301, 302, 303, 307, 308) {
        my ($url, @blobs) = image_elsewhere("app-$status", sub {
            redirect($status, "$cdn_url$_[0]?X-Amz-Signature=abc%2F") });

        my $job = $warm->run('image', url => $url,
                             headers => { Authorization => 'Bearer secret',
                                          'X-Api-Key' => 'secret' });

        is($job->{state}, 'SUCCESS', "$status: the job ends well")
            or diag(reason($job));
        $warm->hits("$status: clients get the blobs from the cache", @blobs);
        is(($warm->pull($blobs[1]))[0], "one of app-$status",
           "$status: and not the redirect");
    }

    my @requests = $cdn->requests;
    is(scalar @requests, 15, 'each was fetched once');
    is(scalar(grep { /secret/ } @requests), 0,
       'and nobody else has seen the credentials');
    is(scalar(grep { m{^GET \S+\?X-Amz-Signature=abc%2F HTTP}
                     && /^Host: 127\.0\.0\.1:\d+\r$/m } @requests), 15,
       'the signature and the name were those of the redirect');
};


warm_story 'a client that comes before any job', {},
           locations($cdn_url, $other_url), sub
{
    my $warm = shift;

    my (undef, @blobs) = image_elsewhere('client', sub {
        redirect(307, "$cdn_url$_[0]") });

    is_deeply([ $warm->pull($blobs[1]) ], [ 'one of client', 'MISS' ],
              'gets the blob');
    is_deeply([ $warm->pull($blobs[1]) ], [ 'one of client', 'HIT' ],
              'which is in the cache then');
};


warm_story 'redirects to oneself', {}, locations($cdn_url, REGISTRY), sub
{
    my $warm = shift;

    # relative ones, and the credentials go along

    my $body = 'what has moved';
    my $image = DFP::Image->new($upstream, 'moved');
    my $manifest = $image->manifest($image->layer($body));
    my ($blob) = grep { $upstream->body($_) eq $body }
                      $image->paths($manifest);

    $image->tag('1', $manifest);
    $cdn->answers('/step', redirect(302, 'second?a=b'));
    $cdn->answers('/second', redirect(302, $blob));
    $cdn->answers($blob, { body => $body });
    $upstream->answers($blob, redirect(302, "$cdn_url/step"));

    my $job = $warm->run('image', url => REGISTRY . $image->by_tag('1'));

    is($job->{state}, 'SUCCESS', 'one after the other, to relative places')
        or diag(reason($job));
    $warm->hits('and clients get the blob', $blob);
};


warm_story 'redirects that lead nowhere', {}, locations($cdn_url), sub
{
    my $warm = shift;

    $cdn->answers("/loop$_", redirect(302, '/loop' . ($_ + 1))) for 1 .. 9;

    my @cases = (
        [ 'to one that is not named', "$other_url/a",
          "redirect | $other_url | dfpreheat_redirect" ],
        [ 'to another scheme', 'ftp://127.0.0.1/a',
          'redirect | http or https' ],
        [ 'with a user name', "http://u:p\@127.0.0.1:1/a",
          'redirect | user name | password' ],
        [ 'with a line break', "$cdn_url/%0d%0aHost:%20x",
          'redirect | %0D' ],
        [ 'round and round', "$cdn_url/loop1",
          '/\b5 .*\bredirects\b/' ],
        [ 'to a file of the machine', 'file:///etc/passwd',
          'redirect | http or https' ],
    );

    for my $case (@cases) {
        my ($name, $to, $reason) = @$case;
        my ($url, @blobs) = image_elsewhere('nowhere', sub {
            redirect(307, $to) });

        my $job = $warm->run('image', url => $url);
        is($job->{state}, 'FAILURE', "$name: the job fails");
        like(reason($job), facts($reason), "$name: and says why");

        my ($body, $how) = $warm->pull($blobs[0]);
        like($body, qr/502 Bad Gateway/, "$name: a client gets no further");
    }

    is(scalar $other->requests, 0, 'nobody was asked who is not named');

    my ($url) = image_elsewhere('headless', sub { { status => 302 } });
    like(reason($warm->run('image', url => $url)),
         facts('redirect | Location'), 'without Location');
};


warm_story 'a location that does not follow redirects', {},
           location('/v2/', REGISTRY, $upstream->port), sub
{
    my $warm = shift;

    my ($url, @blobs) = image_elsewhere('away', sub {
        redirect(307, "$cdn_url$_[0]") });

    like(reason($warm->run('image', url => $url)),
         facts("origin answered 307 | $cdn_url | location | /redirect/"),
         'fails, and tells what there is to do');
};

# A file behind a redirect may change, too: who has it is asked, not who sends there.

warm_story 'a file behind a redirect is revalidated', {}, locations($cdn_url), sub
{
    my $warm = shift;

    my $path = '/files/file';

    $upstream->answers($path, redirect(307, "$cdn_url$path"));

    for my $version (1, 2, 2) {
        my @headers = (ETag => qq("$version"));

        $cdn->answers($path, {
            wants => qq(If-None-Match: "$version"), status => 304,
            headers => [ @headers ],
            refusal => { body => "version $version", headers => [ @headers ] } });

        is($warm->run('file', url => REGISTRY . $path)->{state}, 'SUCCESS',
           'a job ends well');
        is_deeply([ $warm->pull($path) ], [ "version $version", 'HIT' ],
                  'clients get what there is');
    }

    my @requests = $cdn->requests($path);
    is(scalar @requests, 3, 'it was asked for by each job');
    like($requests[2], qr/^If-None-Match: "2"\r$/m, 'and fetched when it changed');
};


my $dns = DFP::Dns->start('cdn.test' => ['127.0.0.1']);
my $named_url = 'http://cdn.test:' . $cdn->port;

warm_story 'a redirect to a name, and no name server', {},
    "resolver 127.0.0.1:${\ $dns->port }; resolver_timeout 200ms;"
    . locations($named_url), sub
{
    my $warm = shift;

    my ($path, $cold) = ('/files/named', '/files/cold');

    for ($path, $cold) {
        $upstream->answers($_, redirect(302, "$named_url$_"));
        $cdn->answers($_, { body => 'what is there' });
    }

    is($warm->run('file', url => REGISTRY . $path)->{state}, 'SUCCESS', 'a job');

    my $port = (dead_port())[0];
    my $servers = $warm->{servers};

    $servers->nginx_configure(http => $servers->{http}
                                      =~ s/(resolver 127\.0\.0\.1):\d+/$1:$port/r);
    $servers->nginx_reload;
    $warm->another_client;
    $warm->expire($path);

    is_deeply([ $warm->pull($path) ], [ 'what is there', 'STALE' ],
              'a file that has expired is answered');
    like(($warm->pull($cold))[0], qr/502 Bad Gateway/,
         'what is not cached is an error');

    my $job = $warm->run('file', url => REGISTRY . $path);

    is($job->{state}, 'FAILURE', 'a job has no stale copy');
    like(reason($job), facts('cdn.test could not be resolved'), 'and says why');
};


done_testing();
