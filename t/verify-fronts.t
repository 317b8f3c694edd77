# A rehearsal asks each registry where its clients reach it: a mirror by "ns", by
# another name, or by a first part of the path; files by a server of their own.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Process qw( free_port );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    SECOND   => 'http://second.test',
    HUB      => 'https://registry-1.docker.io',
    FILES    => 'http://files.test',
    OTHER    => 'http://other.test',
};

my $upstream = DFP::Upstream->start;
my $second = DFP::Upstream->start;
my $asked = DFP::Upstream->start;
my @caching = ('proxy_cache files;', 'include cache.conf;');
my @verify = (verify => JSON::PP::true);


sub mirrored
{
    my ($name, $origin, $port, @lines) = @_;

    return location("\@$name", $origin, $port, @caching, @lines);
}


# Clients are led to the named location.

sub leads
{
    my ($path, $name, @lines) = @_;

    return "location $path { @lines error_page 418 = \@$name; return 418; }\n";
}


# The location of rehearsals with these lines of dfpreheat_verify.

sub fronts
{
    my @lines = map { "dfpreheat_verify $_;" } @_;

    return "location \@dfpreheat_verify { @lines include calls.conf; "
           . 'proxy_ssl_trusted_certificate '
           . "/etc/ssl/certs/ca-certificates.crt; }\n";
}


sub state_of { $_[0]{result}{job_states}[0] }

sub found { state_of($_[0])->{results}[0] // {} }


sub hits
{
    my ($job, $n, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($job->{state}, 'SUCCESS', "$name: the job succeeds")
        or diag(state_of($job)->{error});
    is_deeply([ @{ found($job) }{qw( verified_hits verified_misses )} ],
              [ $n, 0 ], "... with $n hits");
}


# Two registries have the same image, and another one each.

sub images
{
    for ($upstream, $second) {
        DFP::Image->tagged($_);
    }

    my $image = DFP::Image->new($second, 'only');

    $image->tag('1', $image->manifest($image->layer('of the second')));

    return $image->by_tag('1');
}


my $prefix = leads('/v2/', 'first')
             . leads('/v2/second/', 'second', 'rewrite ^/v2/second(/.*) /v2$1;')
             . mirrored('first', REGISTRY, $upstream->port)
             . mirrored('second', SECOND, $second->port);


warm_story 'a mirror whose registries are parts of the path', {},
           $prefix . fronts('http://FRONT',
                            'http://FRONT/v2/second/ ' . SECOND), sub
{
    my $warm = shift;

    my $path = images();

    hits($warm->run('image', url => SECOND . $path, @verify), 7, 'the second');
    is_deeply($warm->cached($path =~ s{^/v2}{/v2/second}r), [
              "HIT " . $path =~ s{^/v2}{/v2/second}r ],
              'as a client gets it');
    hits($warm->run('image', url => REGISTRY . (DFP::Image->tagged($upstream))[0],
                    @verify), 9, 'the first');
};


warm_story '... and whose rehearsal asks the first of them', {},
           $prefix . fronts('http://FRONT'), sub
{
    my $warm = shift;

    my $job = $warm->run('image', url => SECOND . images(), @verify);

    is($job->{state}, 'FAILURE', 'is no SUCCESS');
    like(state_of($job)->{error}, facts('verify | 404'), '... and says why');

    # an image of the same name is in the cache, of the other registry

    my ($first, $same) = map {
        my $image = DFP::Image->new($_, 'same');

        $image->tag('1', $image->manifest($image->layer('of ' . $_->port)));
        $image->by_tag('1');
    } $upstream, $second;

    is($first, $same, 'an image of the same name');
    is($warm->run('image', url => REGISTRY . $first)->{state}, 'SUCCESS',
       '... is in the cache');
    $job = $warm->run('image', url => SECOND . $same, @verify);
    is($job->{state}, 'FAILURE', '... which is no hit of this one');
    is((grep { $_->{hit} } @{ found($job)->{verified} }), 0,
       '... by no request');
};


warm_story 'what each front is asked', {
    http => "dfpreheat_instance one address=192.0.2.1;\n" },
    location('/v2/', REGISTRY, $upstream->port)
    . mirrored('hub', HUB, $second->port, 'proxy_ssl_verify on;',
               'proxy_ssl_trusted_certificate '
               . '/etc/ssl/certs/ca-certificates.crt;')
    . mirrored('second', SECOND, $second->port)
    . location('/files/', FILES, $second->port)
    . fronts('http://127.0.0.1:' . $asked->port,
             'http://127.0.0.1:' . $asked->port . '/v2/second ' . SECOND,
             'http://127.0.0.1:' . $asked->port . '/docker https://docker.io',
             'http://127.0.0.1:' . $asked->port . '/s3/ ' . FILES), sub
{
    my $warm = shift;

    my $path = images();
    my ($tag) = DFP::Image->tagged($upstream);

    $second->answers('/files/a%20b', { body => 'file' });

    my %ways = (
        "$tag?ns=registry.test"               => [ 'image', REGISTRY . $tag ],
        ($path =~ s{^/v2}{/v2/second}r)       => [ 'image', SECOND . $path ],
        "/docker$path"                        => [ 'image', HUB . $path ],
        '/s3/files/a%20b?x=1+2%2F3'           =>
            [ 'file', FILES . '/files/a%20b?x=1+2%2F3' ],
    );

    for my $way (sort keys %ways) {
        my ($type, $url) = @{ $ways{$way} };

        $asked->forget_requests;
        is($warm->run($type, url => $url, @verify)->{state}, 'FAILURE',
           "$url: another server is no hit");

        my ($request) = grep { /^\w+ \Q$way\E HTTP/ } $asked->requests;

        ok($request, "... and is asked $way")
            or diag(map { (split /\r\n/)[0] . "\n" } $asked->requests);
    }
};


# A server of its own, by another name, as files of a bucket have it.

my $port = free_port();

warm_story 'files that another server has', { http => <<"END" },
server {
    listen 127.0.0.1:$port;
    @{[ location('/', FILES, $upstream->port) ]}
}
END
    location('/v2/', REGISTRY, $upstream->port)
    . fronts('http://FRONT', "http://127.0.0.1:$port " . FILES), sub
{
    my $warm = shift;

    $upstream->answers('/a.bin', { body => 'aaa' });

    hits($warm->run('file', url => FILES . '/a.bin', @verify), 2, 'a file');
    hits($warm->run('image', url => REGISTRY
                    . (DFP::Image->tagged($upstream))[0], @verify), 9,
         'an image');
};


warm_story 'files of the same path and size of another origin', {},
           location('/files/', FILES, $upstream->port)
           . mirrored('other', OTHER, $second->port)
           . fronts('http://FRONT'), sub
{
    my $warm = shift;

    $_->answers('/files/a.bin', { body => 'of ' . $_->port })
        for $upstream, $second;

    hits($warm->run('file', url => FILES . '/files/a.bin', @verify), 2,
         'a file');

    my $job = $warm->run('file', url => OTHER . '/files/a.bin', @verify);

    is($job->{state}, 'FAILURE', 'the other one is no hit');
    like(state_of($job)->{error}, facts('verify | HIT | another entry'),
         '... and the job says why');
};


warm_story 'a front that does not serve the origin', { http => <<"END" },
server {
    listen 127.0.0.1:$port;
    @{[ location('/', FILES, $upstream->port) ]}
}
END
    location('/v2/', REGISTRY, $upstream->port) . fronts('http://FRONT'), sub
{
    my $warm = shift;

    $upstream->answers('/a.bin', { body => 'aaa' });

    my $job = $warm->run('file', url => FILES . '/a.bin', @verify);

    is($job->{state}, 'FAILURE', 'the job fails');
    like(state_of($job)->{error}, facts('verify | first byte | 404'),
         '... and says why');
};

done_testing;
