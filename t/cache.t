# Jobs that warm the cache: what clients get afterwards comes from there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
};

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port)
                . location('/files/', FILES, $upstream->port);


# What the first cluster's part of a job has done, as sorted paths.

sub done
{
    my $job = shift;

    my $tasks = $job->{result}{job_states}[0]{results}[0]{success_tasks};

    return [ sort map { $_->{url} =~ s{^http://[^/]+}{}r } @$tasks ];
}


sub progress { $_[0]{result}{job_states}[0]{progress}[0] }


# An image of two layers; what platform it is of is in the bytes.

sub image_for
{
    my ($image, $platform) = @_;

    return $image->manifest($image->layer("the base of $platform"),
                            $image->layer("the top of $platform"));
}


warm_story 'files', {}, $locations, sub {
    my $warm = shift;

    my @names = map { "/files/$_" } qw( a b c );
    $upstream->answers($_, { body => "what is in $_" }) for @names;
    $upstream->answers('/files/large', { body => 'large ' x 1_000_000 });
    $upstream->answers('/files/empty', {});

    my $job = $warm->run('file', url => FILES . $names[0],
                         urls => [ map { FILES . $_ } @names, '/files/large',
                                   '/files/empty' ]);

    is($job->{state}, 'SUCCESS', 'a job of files ends well');
    is_deeply(done($job), [ sort @names, '/files/large', '/files/empty' ],
              'each URL is told once');

    my %progress = %{ progress($job) };

    is_deeply([ delete @progress{qw( hostname ip )} ],
              [ $job->{result}{job_states}[0]{results}[0]{success_tasks}[0]
                    ->@{qw( hostname ip )} ], 'progress names the nginx');
    is_deeply(\%progress,
              { tasks_done => 5, tasks_failed => 0, tasks_total => 5,
                bytes_done => 6_000_057, bytes_total => 6_000_057 },
              'so are the bytes');

    $warm->hits('clients get them from the cache', @names, '/files/large',
                '/files/empty');
    is(($warm->pull('/files/b'))[0], 'what is in /files/b', 'as they are');
    is(length +($warm->pull('/files/large'))[0], 6_000_000, 'whole');
    is(scalar $upstream->requests, 5, 'and the origin was asked once for each');

    is_deeply($warm->cached('/files/a?version=2'),
              ['MISS /files/a?version=2'], 'another query is another file');
    is($warm->run('file', url => FILES . '/files/a?ns=x&version=3')->{state},
       'SUCCESS', 'the ns that containerd adds');
    $warm->hits('is no other file', '/files/a?version=3',
                '/files/a?version=3&ns=y', '/files/a?ns=files.test&version=3');
    $warm->hits('whatever it is', '/files/b?ns=files.test');
};


warm_story 'headers of a job go out with its requests', {}, $locations, sub {
    my $warm = shift;

    $upstream->answers('/files/private', { body => 'private' });

    my $job = $warm->run('file', url => FILES . '/files/private',
                         headers => { Authorization => 'Bearer one',
                                      'X-Two-Key' => '2' });

    is($job->{state}, 'SUCCESS', 'the job ends well');

    my ($request) = $upstream->requests('/files/private');
    like($request, qr/^Authorization: Bearer one\r$/m, 'the secret');
    like($request, qr/^X-Two-Key: 2\r$/m, 'and the other');
};


warm_story 'what origins forbid is cached all the same', {}, $locations, sub {
    my $warm = shift;

    my %headers = (
        'no-store'   => [ 'Cache-Control' => 'no-store, private' ],
        'expired'    => [ Expires => 'Thu, 01 Jan 1970 00:00:00 GMT' ],
        'cookie'     => [ 'Set-Cookie' => 'session=1' ],
        'vary'       => [ Vary => '*' ],
        'unbuffered' => [ 'X-Accel-Buffering' => 'no' ],
        'expires'    => [ 'X-Accel-Expires' => 0 ],
        'redirect'   => [ 'X-Accel-Redirect' => '/files/elsewhere' ],
    );
    my @paths = map { "/files/$_" } sort keys %headers;

    $upstream->answers("/files/$_", { headers => $headers{$_}, body => $_ })
        for keys %headers;

    is($warm->run('file', urls => [ map { FILES . $_ } @paths ])->{state},
       'SUCCESS', 'the job ends well');
    $warm->hits('clients get all of it from the cache', @paths);
    is(($warm->pull('/files/redirect'))[0], 'redirect', 'it is not obeyed');
};


warm_story 'an image of several platforms', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'several');
    my %manifests = map { $_ => image_for($image, $_) }
                    qw( linux/amd64 linux/arm64 linux/arm/v7 );
    my @entries = map { [ $_ => $manifests{$_} ] } sort keys %manifests;
    my $index = $image->index(@entries);

    $image->tag('v1', $index);

    my $url = REGISTRY . $image->by_tag('v1');
    my %paths = map { $_ => [ $image->paths($manifests{$_}) ] }
                keys %manifests;
    my @always = ($image->by_tag('v1'), $image->path($index));

    my $job = $warm->run('image', url => $url);
    is($job->{state}, 'SUCCESS', 'one is taken where none is asked for');
    is_deeply(done($job), [ sort @always, @{ $paths{'linux/amd64'} } ],
              'that of Linux on amd64');
    $warm->hits('a client gets all of it from the cache', @always,
                @{ $paths{'linux/amd64'} });
    is(scalar $upstream->requests($paths{'linux/arm64'}[0]), 0,
       'nothing else was fetched');

    $job = $warm->run('image', url => $url, platform => 'linux/arm64');
    is_deeply(done($job), [ sort @always, @{ $paths{'linux/arm64'} } ],
              'another one, when asked for');
    $warm->hits('it is in the cache', @{ $paths{'linux/arm64'} });

    $job = $warm->run('image', url => $url,
                      platform => 'linux/arm/v7,linux/amd64');
    is_deeply(done($job), [ sort @always, @{ $paths{'linux/arm/v7'} },
                            @{ $paths{'linux/amd64'} } ], 'two');

    $job = $warm->run('image', url => $url, platform => 'all');
    is_deeply(done($job), [ sort @always, map { @$_ } values %paths ], 'all');

    $job = $warm->run('image', url => $url, platform => 'linux/s390x');
    is($job->{state}, 'FAILURE', 'one that there is not is a failure');
    like(error($job), facts('no linux/s390x | /linux\/amd64/'),
         'that says what there is');

    $job = $warm->run('image', url => $url,
                      platform => 'linux/amd64,linux/s390x');
    is($job->{state}, 'FAILURE', 'also beside one that there is');
};


warm_story 'an image with attestations', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'attested');
    my %manifests = map { $_ => image_for($image, $_) }
                    qw( linux/amd64 unknown/unknown );
    my $inner = $image->index([ 'unknown/unknown'
                                => image_for($image, 'unknown/inner') ]);
    my $index = $image->index(map({ [ $_ => $manifests{$_} ] }
                                  sort keys %manifests), $inner);

    $image->tag('v1', $index);

    my $url = REGISTRY . $image->by_tag('v1');
    my @image = ($image->by_tag('v1'), $image->path($index),
                 $image->path($inner),
                 $image->paths($manifests{'linux/amd64'}));

    is_deeply(done($warm->run('image', url => $url)), [ sort @image ],
              'a machine that pulls it needs none');

    my $job = $warm->run('image', url => $url, platform => 'all');
    my @all = (@image, $image->paths($manifests{'unknown/unknown'}),
               $image->paths(image_for($image, 'unknown/inner')));

    is_deeply(done($job), [ sort @all ], 'a copy of all of it has them');
    $warm->hits('which are in the cache', @all);
};


warm_story 'a platform that a machine of another one takes', {}, $locations,
    sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'older');
    my %manifests = map { $_ => image_for($image, $_) }
                    qw( linux/amd64 linux/arm64 linux/arm/v6 linux/arm/v7 );
    my $index = $image->index(map { [ $_ => $manifests{$_} ] }
                              sort keys %manifests);

    $image->tag('v1', $index);

    my %taken = ('linux/amd64/v2' => 'linux/amd64',
                 'linux/arm64/v9' => 'linux/arm64',
                 'linux/arm/v8'   => 'linux/arm/v7',
                 'linux/arm'      => 'linux/arm/v7');

    for my $wanted (sort keys %taken) {
        my $job = $warm->run('image', url => REGISTRY . $image->by_tag('v1'),
                             platform => $wanted);

        is_deeply(done($job), [ sort $image->by_tag('v1'),
                                $image->path($index),
                                $image->paths($manifests{ $taken{$wanted} }) ],
                  "$wanted takes $taken{$wanted}");
    }
};


warm_story 'an image of one platform is taken as it is', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'single');
    my $manifest = image_for($image, 'linux/s390x');
    my $index = $image->index([ 'linux/s390x' => $manifest ]);

    $image->tag('index', $index);
    $image->tag('manifest', $manifest);

    for my $tag (qw( index manifest )) {
        my $job = $warm->run('image', url => REGISTRY . $image->by_tag($tag));

        is($job->{state}, 'SUCCESS', "behind an $tag");
        $warm->hits('it is in the cache', $image->by_tag($tag),
                    $image->paths($manifest));
    }

    $warm->hits('the index, too', $image->path($index));

    my $job = $warm->run('image', url => REGISTRY . $image->path($index));
    is($job->{state}, 'SUCCESS', 'by digest');
};


warm_story 'the platform that nobody has to ask for is configured',
    { http => 'dfpreheat_platform linux/arm64,linux/arm/v7;' }, $locations, sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'configured');
    my %manifests = map { $_ => image_for($image, $_) }
                    qw( linux/amd64 linux/arm64 linux/arm/v7 );
    my $index = $image->index(map { [ $_ => $manifests{$_} ] }
                              sort keys %manifests);
    $image->tag('v1', $index);

    my $job = $warm->run('image', url => REGISTRY . $image->by_tag('v1'));

    is_deeply(done($job), [ sort $image->by_tag('v1'), $image->path($index),
                            $image->paths($manifests{'linux/arm64'}),
                            $image->paths($manifests{'linux/arm/v7'}) ],
              'those two are taken');
};


warm_story 'a tag moves', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'moving');
    my @manifests = map { $image->manifest($image->layer("version $_")) } 1, 2;
    my $tag = $image->by_tag('latest');

    $image->tag('latest', $manifests[0]);
    is($warm->run('image', url => REGISTRY . $tag)->{state}, 'SUCCESS',
       'the first version is preheated');

    my ($first) = $warm->pull($tag);
    $image->tag('latest', $manifests[1]);
    $warm->hits('until the next job clients get it from the cache', $tag);
    is(($warm->pull($tag))[0], $first, 'as it was');

    is($warm->run('image', url => REGISTRY . $tag)->{state}, 'SUCCESS',
       'the tag is preheated once more');
    $warm->hits('clients get the second version from the cache', $tag,
                $image->paths($manifests[1]));
    is(($warm->pull($tag))[0], ($warm->pull($image->path($manifests[1])))[0],
       'it is that one');
    isnt(($warm->pull($tag))[0], $first, 'and not the first');
    is(scalar $upstream->requests($tag), 2,
       'the registry was asked by the two jobs only');
};


warm_story 'no more at once than concurrent_task_count', {}, $locations, sub {
    my $warm = shift;

    for my $case ([ 1, 1 ], [ 3, 3 ], [ undef, 8 ]) {
        my ($most, $at_once) = @$case;
        my $name = $most // 'default';
        my @paths = map { "/files/$name-$_" } 1 .. 12;

        # the first one takes so long that the others have begun by then

        $upstream->answers($_, { body => $_, after => $at_once / 10 })
            for @paths;
        $upstream->forget_requests;

        my $job = $warm->run('file', urls => [ map { FILES . $_ } @paths ],
                             concurrent_task_count => $most);

        is($job->{state}, 'SUCCESS', "$name: the job ends well");
        is($upstream->most_at_once, $at_once, 'as many as that, no more');
    }
};


warm_story 'images of several repositories', {},
    location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_share_blobs on;',
             'proxy_cache files;', 'include cache.conf;'), sub {
    my $warm = shift;

    my (@urls, @paths);

    for my $name (qw( release/app release/web )) {
        my $image = DFP::Image->new($upstream, $name);
        my $manifest = $image->manifest($image->layer('the base of both'),
                                        $image->layer("the top of $name"));

        $image->tag('1', $manifest);
        push @urls, REGISTRY . $image->by_tag('1');
        push @paths, $image->by_tag('1'), $image->paths($manifest);
    }

    $upstream->forget_requests;

    my $job = $warm->run('image', urls => \@urls);
    my $fetched = grep { m{^GET /v2/release/\w+/blobs/} } $upstream->requests;

    is($job->{state}, 'SUCCESS', 'are one release');
    is($fetched, 5, 'what they share is fetched once');
    $warm->hits('and clients get it by each name', @paths);
};

done_testing();
