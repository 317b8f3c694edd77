# What registries hold: manifests and indexes of every kind, images as people
# name them, and several of them in one job.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha512_hex );
use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Process qw( free_port );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    OCI      => 'application/vnd.oci.image',
    DOCKER   => 'application/vnd.docker.distribution.manifest',
    ROOTFS   => 'application/vnd.docker.image.rootfs',
};

my @tls = ('proxy_cache files;', 'include cache.conf;', 'proxy_ssl_verify on;');

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port);


sub state { $_[0]{result}{job_states}[0] }

sub results { main::state($_[0])->{results}[0] }


# An image of one layer; what it is for is in the bytes.

sub image_for
{
    my ($image, $platform) = @_;

    return $image->manifest($image->layer("for $platform"));
}


# The same as Docker writes it down.

sub docker_image
{
    my ($image, @layers) = @_;

    my $config = $image->blob('application/vnd.docker.container.image.v1+json',
                              qq({"os":"linux","layers":"@layers"}));

    return $image->document(DOCKER . '.v2+json', {
        config => $config,
        layers => [ map { $image->blob(ROOTFS . '.diff.tar.gzip', $_) }
                        @layers ] });
}


# The job has ended well, and these paths are in the cache.

sub warmed
{
    my ($warm, $name, $job, @paths) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %paths = map { $_ => 1 } @paths;
    my @done = map { $_->{url} =~ s{^https?://[^/]+}{}r }
                   @{ results($job)->{success_tasks} };

    is($job->{state}, 'SUCCESS', "$name: the job ends well")
        or diag(main::state($job)->{error});
    is_deeply([ sort @done ], [ sort keys %paths ],
              "$name: it has warmed what it should have");
    $warm->hits("$name: which clients get from the cache", sort keys %paths);

    return $job;
}


# Runs a job of an image with this manifest or index: that, and these which it
# leads to, and all that is in them.

sub warms
{
    my ($warm, $name, $image, $top, $taken, %args) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $image->tag('1', $top);

    return warmed($warm, $name,
                  $warm->run('image', url => REGISTRY . $image->by_tag('1'),
                             %args),
                  $image->by_tag('1'),
                  map { $image->paths($_) } $top, @$taken);
}


# Runs one that fails.

sub fails
{
    my ($warm, $name, $image, $top, $reason, %args) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $image->tag('1', $top);
    my $job = $warm->run('image', url => REGISTRY . $image->by_tag('1'), %args);

    is($job->{state}, 'FAILURE', "$name: the job fails");
    like(results($job)->{failure_tasks}[0]{description}, facts($reason),
         "$name: and says why");
}


warm_story 'images that Docker has pushed', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'docker');
    my ($amd64, $arm64) = map { docker_image($image, "base $_", "top $_") }
                              qw( amd64 arm64 );
    my %linux = (os => 'linux');
    my $list = $image->document(DOCKER . '.list.v2+json', { manifests => [
        { %$amd64, platform => { %linux, architecture => 'amd64' } },
        { %$arm64, platform => { %linux, architecture => 'arm64' } } ] });

    warms($warm, 'a manifest list', $image, $list, [$amd64]);
    warms($warm, 'a manifest of schema 2', $image, $arm64, []);
    warms($warm, 'beside one of OCI', $image,
          $image->index([ 'linux/amd64' => image_for($image, 'amd64') ],
                        [ 'linux/arm64' => $arm64 ]),
          [$arm64], platform => 'linux/arm64');

    for my $type ('v1+prettyjws', 'v1+json') {
        my $old = $image->document(DOCKER . ".$type", {
            schemaVersion => 1, mediaType => undef, name => 'docker',
            tag => '1', fsLayers => [ { blobSum => 'sha256:' . 'a' x 64 } ],
            signatures => [] });

        fails($warm, "schema 1 as $type", $image, $old,
              'manifest | schema 1 | not supported');
    }
};


warm_story 'types that are told in one place only', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'types');
    my $config = $image->blob(OCI . '.config.v1+json', '{}');
    my $layer = $image->layer('a layer');

    my %cases = (
        'in the body' => [ {}, 'application/json' ],
        'by the registry' => [ { mediaType => undef }, OCI
                               . '.manifest.v1+json' ],
        'with a parameter' => [ {}, OCI . '.manifest.v1+json; charset=utf-8' ],
        'nowhere' => [ { mediaType => undef }, 'text/plain' ],
    );

    for my $name (sort keys %cases) {
        my ($fields, $type) = @{ $cases{$name} };

        warms($warm, $name, $image, $image->document(
            OCI . '.manifest.v1+json',
            { config => $config, layers => [$layer],
              annotations => { name => $name }, %$fields },
            headers => [ 'Content-Type' => $type ]), []);
    }

    my $manifest = image_for($image, 'any');
    warms($warm, 'nowhere, an index', $image, $image->document(
        OCI . '.index.v1+json', { mediaType => undef,
                                  manifests => [$manifest] }, headers => []),
        [$manifest]);

    fails($warm, 'two types', $image, $image->document(
        OCI . '.manifest.v1+json', { config => $config, layers => [] },
        headers => [ 'Content-Type' => DOCKER . '.v2+json' ]),
        'manifest | ' . OCI . '.manifest.v1+json | ' . DOCKER . '.v2+json');
};


warm_story 'indexes inside indexes', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'nested');
    my %manifests = map { $_ => image_for($image, $_) }
                        qw( linux/amd64 linux/arm64 linux/s390x );
    my $inner = $image->index(map { [ $_ => $manifests{$_} ] }
                                  sort keys %manifests);
    my $outer = $image->index($inner);
    my ($amd64, $arm64) = map { $image->index([ $_ => $manifests{$_} ]) }
                              qw( linux/amd64 linux/arm64 );

    warms($warm, 'one in one', $image, $outer,
          [ $inner, $manifests{'linux/amd64'} ]);
    warms($warm, 'a platform of the inner one', $image, $outer,
          [ $inner, $manifests{'linux/s390x'} ], platform => 'linux/s390x');
    fails($warm, 'a platform of neither', $image, $outer,
          'no linux/riscv64 | linux/amd64, linux/arm64, linux/s390x',
          platform => 'linux/riscv64');
    warms($warm, 'two that tell their platforms', $image,
          $image->index([ 'linux/amd64' => $amd64 ],
                        [ 'linux/arm64' => $arm64 ]),
          [ $arm64, $manifests{'linux/arm64'} ], platform => 'linux/arm64');

    # both have to be looked into, and one of them has it

    warms($warm, 'two that do not', $image, $image->index($amd64, $arm64),
          [ $amd64, $arm64, $manifests{'linux/arm64'} ],
          platform => 'linux/arm64');
};


# What is asked for, and the entries that are meant.

my @asked = (
    [ 'linux/arm64'              => 'linux/arm64/v8' ],
    [ 'linux/arm64/v8'           => 'linux/arm64/v8' ],
    [ 'linux/arm64/8'            => 'linux/arm64/v8' ],
    [ 'Linux/ARM64'              => 'linux/arm64/v8' ],
    [ 'linux/aarch64'            => 'linux/arm64/v8' ],
    [ 'linux/x86_64'             => 'linux/amd64' ],
    [ 'LINUX/X86-64'             => 'linux/amd64' ],
    [ 'linux/amd64/v1'           => 'linux/amd64' ],
    [ 'linux/arm'                => 'linux/arm/v7' ],
    [ 'linux/armhf'              => 'linux/arm/v7' ],
    [ 'linux/armel'              => 'linux/arm/v6' ],
    [ 'windows/amd64'            => 'windows/amd64', 'windows/amd64 2' ],
    [ 'linux/amd64,linux/arm/v6' => 'linux/amd64', 'linux/arm/v6' ],
    [ ' linux/arm64, linux/aarch64 ,linux/arm64/v8' => 'linux/arm64/v8' ],
    [ 'all' => 'linux/amd64', 'linux/arm64/v8', 'linux/arm/v6', 'linux/arm/v7',
               'windows/amd64', 'windows/amd64 2' ],
);


warm_story 'platforms as people write them', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'platforms');
    my (undef, @names) = @{ $asked[-1] };
    my %manifests = map { $_ => image_for($image, $_) } @names;
    my $index = $image->index(map { [ s/ \d//r => $manifests{$_} ] } @names);

    for my $asked (@asked) {
        my ($platform, @meant) = @$asked;

        warms($warm, $platform, $image, $index, [ @manifests{@meant} ],
              platform => $platform);
    }

    my $only = 'linux/amd64, linux/arm64, linux/arm/v6, linux/arm, '
               . 'windows/amd64';

    fails($warm, 'one that there is not', $image, $index,
          "no linux/s390x | $only", platform => 'linux/s390x');
    fails($warm, 'a variant that there is not', $image, $index,
          "no linux/arm/v5 | $only",
          platform => 'linux/arm64,linux/arm/v5');

    # what registries write is as manifold

    $index = $image->index(
        [ 'Linux/AARCH64'   => $manifests{'linux/arm64/v8'} ],
        [ 'linux/x86_64/v1' => $manifests{'linux/amd64'} ],
        [ 'linux/arm/v5'    => $manifests{'linux/arm/v6'} ],
        [ 'linux/arm/6'     => $manifests{'linux/arm/v7'} ]);

    for ([ 'linux/arm64' => 'linux/arm64/v8' ],
         [ 'linux/amd64' => 'linux/amd64' ],
         [ 'linux/arm' => 'linux/arm/v7' ])
    {
        my ($platform, @meant) = @$_;

        warms($warm, "$platform among odd names", $image, $index,
              [ @manifests{@meant} ], platform => $platform);
    }
};


warm_story 'what is taken where nobody asks, and what is not', {},
           $locations, sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'attested');
    my ($amd64, $s390x, $one, $two) =
        map { image_for($image, $_) } qw( linux/amd64 linux/s390x one two );
    my @attestations = (
        [ 'unknown/unknown' => $one ],
        [ 'linux/amd64' => $two, annotations => {
            'vnd.docker.reference.type' => 'attestation-manifest' } ],
    );

    warms($warm, 'a single platform beside attestations', $image,
          $image->index([ 'linux/s390x' => $s390x ], @attestations), [$s390x]);
    warms($warm, 'a single one that nobody tells', $image,
          $image->index($s390x), [$s390x]);
    warms($warm, 'two entries of a single one', $image,
          $image->index([ 'linux/s390x' => $s390x ], [ 'linux/s390x' => $one ]),
          [ $s390x, $one ]);
    warms($warm, 'all, and that is all', $image,
          $image->index(@attestations, [ 'linux/s390x' => $s390x ],
                        [ 'linux/amd64' => $amd64 ]),
          [ $one, $two, $s390x, $amd64 ], platform => 'all');

    fails($warm, 'attestations alone', $image, $image->index(@attestations),
          'index | no image');
    fails($warm, 'several, and the default is none of them', $image,
          $image->index([ 'linux/s390x' => $one ], [ 'linux/arm64' => $two ]),
          'platforms | default linux/amd64 | linux/s390x, linux/arm64');
    fails($warm, 'a single one that was not asked for', $image,
          $image->index([ 'linux/s390x' => $s390x ]),
          'no linux/amd64 | linux/s390x', platform => 'linux/amd64');
};


warm_story 'what is no image of a container', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'artifacts');
    my $empty = $image->blob('application/vnd.oci.empty.v1+json', '{}');
    my $chart = $image->blob('application/vnd.cncf.helm.config.v1+json',
                             '{"name":"chart"}');
    my %helm = ('application/vnd.cncf.helm.chart.content.v1.tar+gzip' => 'x');
    my %tar = map { OCI . ".layer.v1.tar$_" => "tar$_" } qw( +zstd +gzip ), '';

    my %artifacts = (
        'a file' => [ { 'text/plain' => 'some text' }, artifactType => 'a/b' ],
        'a chart' => [ \%helm, config => $chart ],
        'a signature' => [ { 'application/vnd.dev.cosign.simplesigning.v1+json'
                                 => '{"critical":{}}' },
                           subject => { mediaType => OCI . '.manifest.v1+json',
                                        digest => 'sha256:' . 'd' x 64,
                                        size => 7 } ],
        'no layer' => [ {} ],
        'null in place of layers' => [ {}, layers => undef ],
        'layers of zstd, of gzip and plain' => [ \%tar ],
    );

    for my $name (sort keys %artifacts) {
        my ($blobs, %fields) = @{ $artifacts{$name} };
        my @layers = map { $image->blob($_, $blobs->{$_}) } sort keys %$blobs;

        warms($warm, $name, $image, $image->document(
            OCI . '.manifest.v1+json',
            { config => $empty, layers => \@layers, %fields }), []);
    }
};


warm_story 'layers that are not in the registry', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'foreign');
    my $config = $image->blob(OCI . '.config.v1+json', '{"os":"windows"}');
    my $layer = $image->layer('a layer of ours');
    my ($first, $second) = map {
        my ($type, $letter) = @$_;
        +{ mediaType => $type, digest => 'sha256:' . $letter x 64,
           size => 1_000_000, urls => ["https://elsewhere.test/$letter"] };
    } [ ROOTFS . '.foreign.diff.tar.gzip', 'a' ],
      [ OCI . '.layer.nondistributable.v1.tar+gzip', 'b' ];
    my $manifest = sub { $image->document(OCI . '.manifest.v1+json', {
        config => $config, layers => [@_] }) };

    $image->tag('1', $manifest->($first, $second, $layer, $first));
    my $job = warmed($warm, 'an image of Windows',
        $warm->run('image', url => REGISTRY . $image->by_tag('1')),
        $image->by_tag('1'), map { $image->path($_) }
        $manifest->($first, $second, $layer, $first), $config, $layer);

    my $skipped = results($job)->{skipped_tasks};
    is_deeply([ map { $_->{url} } @$skipped ],
              [ map { REGISTRY . $image->path($_) } $first, $second ],
              'what was left out is told');
    like_facts([ map { $_->{description} } @$skipped ],
               [ ('foreign layer | registry') x 2 ], 'and why');
    is_deeply(results($job)->{failure_tasks}, [], 'and is no failure');
    is(scalar(map { $upstream->requests($image->path($_)) } $first, $second),
       0, 'nor was it asked for');

    my $progress = main::state($job)->{progress}[0];
    is($progress->{bytes_done}, $progress->{bytes_total},
       'no bytes of it are missing');

    # for another image the same layer is in the registry, and comes later

    my $there = $image->layer('somebody has pushed it');
    $image->tag('with', $manifest->({ %$there, urls => $first->{urls} }));
    $image->tag('without', $manifest->($there));
    $upstream->answers($image->by_tag('without'), { after => 0.3,
        body => $upstream->body($image->by_tag('without')) });

    $job = $warm->run('image', urls => [ map { REGISTRY . $image->by_tag($_) }
                                             qw( with without ) ]);
    is($job->{state}, 'SUCCESS', 'of two images one has it: the job ends well');
    $warm->hits('and who pulls that one gets it from the cache',
                $image->path($there));
};


warm_story 'blobs that are there twice, and digests', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'digests');
    my $layer = $image->layer('there twice');
    my $bytes = 'a layer by another digest';
    my $long = { %{ $image->layer($bytes) },
                 digest => 'sha512:' . sha512_hex($bytes) };
    my $manifest = $image->manifest($layer, $long, $layer, $layer);
    my $index = $image->index([ 'linux/amd64' => $manifest ],
                              [ 'linux/arm64' => $manifest ]);
    my @paths = $image->paths($manifest);

    $upstream->answers($image->path($long), { body => $bytes });

    warmed($warm, 'a manifest by its digest',
           $warm->run('image', url => REGISTRY . $paths[0]), @paths);
    is(scalar $upstream->requests($image->path($layer)), 1,
       'each was asked for once');

    my $url = REGISTRY . $image->path($index);
    my $job = warmed($warm, 'an index by its digest, for all',
                     $warm->run('image', url => $url, platform => 'all'),
                     $image->path($index), @paths);
    is_deeply(results($job)->{images},
              [ { digest => $index->{digest}, url => $url } ],
              'which is what the job tells');
    is(scalar(map { $upstream->requests($_) } @paths[0 .. 3]), 4,
       'what was in the cache was not asked for again');
};


# Where registries are: under any path and at any port.

for ([ 'below a path', 'http://hub.test', '/mirror/hub/v2/' ],
     [ 'at a port', 'http://registry.test:5000', '/v2/' ],
     [ 'at an address', 'http://[::1]:5000', '/v2/' ],
     [ 'with TLS', 'https://index.docker.io', '/v2/' ])
{
    my ($name, $origin, $base) = @$_;

    warm_story "a registry $name", {},
               location($base, $origin, $upstream->port, @tls), sub
    {
        my $warm = shift;

        my $image = DFP::Image->new($upstream, 'library/alpine');
        my $manifest = $image->manifest($image->layer($name));
        my @paths = ($image->by_tag('3.19'), $image->paths($manifest));

        $image->tag('3.19', $manifest);
        $upstream->answers($_ =~ s{^/v2/}{$base}r, {
            body => $upstream->body($_) }) for @paths;
        s{^/v2/}{$base} for @paths;

        warmed($warm, $origin,
               $warm->run('image', url => "$origin$paths[0]"), @paths);

        my ($host) = $origin =~ m{//(.*)};
        my $request = ($upstream->requests($paths[0]))[-1];
        like($request, qr/^Host: \Q$host\E\r$/m, 'it is called by its name');
    };
}


# References as people type them: where they lead when these origins are bound.

my %typed = (
    'with http only' => [ [REGISTRY],
        'registry.test/team/app:1.2' => REGISTRY . '/v2/team/app/manifests/1.2',
        'Registry.test:80/app'       => REGISTRY . '/v2/app/manifests/latest' ],
    'with https only' => [ ['https://registry.test:8443'],
        'registry.test:8443/team/app:1.2'
            => 'https://registry.test:8443/v2/team/app/manifests/1.2' ],
    'with a transport before them' => [ [REGISTRY],
        'docker://registry.test/skopeo/app:1'
            => REGISTRY . '/v2/skopeo/app/manifests/1',
        'oci://registry.test/charts/app:0.1'
            => REGISTRY . '/v2/charts/app/manifests/0.1' ],
    'with https, and http as well' => [ [ 'https://registry.test', REGISTRY ],
        'registry.test/app:1' => 'https://registry.test/v2/app/manifests/1' ],
    'of Docker Hub' => [ ['https://index.docker.io'],
        'alpine:3.19'
            => 'https://index.docker.io/v2/library/alpine/manifests/3.19',
        'docker.io/team/app'
            => 'https://index.docker.io/v2/team/app/manifests/latest' ],
    'of Docker Hub by its other name' => [ ['https://registry-1.docker.io'],
        'alpine:3.19'
            => 'https://registry-1.docker.io/v2/library/alpine/manifests/3.19',
        'index.docker.io/alpine'
            => 'https://registry-1.docker.io/v2/library/alpine/manifests/'
               . 'latest' ],
);

for my $name (sort keys %typed) {
    my ($origins, @images) = @{ $typed{$name} };
    my ($first, @others) = map { location('/v2/', $_, $upstream->port, @tls) }
                               @$origins;
    my $port = free_port();
    my $http = "server { listen 127.0.0.1:$port; @others }";

    warm_story "references $name", { http => $http }, $first, sub {
        my $warm = shift;

        while (my ($image, $url) = splice @images, 0, 2) {
            my ($repository, $tag) = $url =~ m{/v2/(.*)/manifests/(.*)};
            my $registry = DFP::Image->new($upstream, $repository);
            my $manifest = image_for($registry, $image);
            $registry->tag($tag, $manifest);

            my $job = $warm->run('image', urls => [
                $image, "$image\@$manifest->{digest}" ]);
            my @urls = map { $_->{url} } @{ results($job)->{success_tasks} };

            is($job->{state}, 'SUCCESS', "$image: the job ends well")
                or diag(main::state($job)->{error});
            is($urls[0], $url, "$image: is at that place");
            is_deeply(results($job)->{images},
                      [ map { { digest => $manifest->{digest}, url => $_ } }
                            map { s{^(?:docker|oci)://}{}r }
                                $image, "$image\@$manifest->{digest}" ],
                      "$image: also with its digest");

            $warm->hits("$image: clients get it from the cache",
                        map { s{^https?://[^/]+}{}r } @urls);
        }

        like(main::state($warm->run('image', url => 'else.test/app'))->{error},
             facts('no location | https://else.test'), 'and no other');
    };
}


warm_story 'several images with layers in common', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'several');
    my $base = $image->layer('the base of all');
    my %manifests = map { $_ => $image->manifest($base, $image->layer($_)) }
                        qw( one two three );
    my $index = $image->index([ 'linux/amd64' => $manifests{one} ],
                              [ 'linux/arm64' => $manifests{two} ]);

    $image->tag($_, $manifests{$_}) for keys %manifests;
    $image->tag('index', $index);

    my @tags = map { $image->by_tag($_) } qw( one two index );
    my $other = REGISTRY . $image->path($manifests{three});
    my $job = $warm->run('image', url => REGISTRY . $tags[0], urls => [
        map({ REGISTRY . $_ } @tags), 'registry.test/several:one', $other ]);
    my @all = map { $image->paths($_) } values %manifests;

    warmed($warm, 'all of them', $job, @tags, $image->path($index), @all);
    is_deeply(results($job)->{images}, [
        { digest => $manifests{one}{digest}, url => REGISTRY . $tags[0] },
        { digest => $manifests{two}{digest}, url => REGISTRY . $tags[1] },
        { digest => $index->{digest}, url => REGISTRY . $tags[2] },
        { digest => $manifests{one}{digest},
          url => 'registry.test/several:one' },
        { digest => $manifests{three}{digest}, url => $other },
    ], 'what each stood for is told');

    my %asked = map { $_ => scalar $upstream->requests($_) } @tags, @all;
    is_deeply(\%asked, { map { $_ => 1 } keys %asked },
              'and nothing was asked for twice');
};


warm_story 'several images of which one fails', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'partly');
    my %manifests = map { $_ => $image->manifest($image->layer($_)) }
                        qw( good fine );
    $image->tag($_, $manifests{$_}) for keys %manifests;

    my @urls = map { REGISTRY . $image->by_tag($_) } qw( good gone fine );
    my $job = $warm->run('image', urls => \@urls);

    is($job->{state}, 'FAILURE', 'the job fails');
    like(main::state($job)->{error},
         facts("1 of 9 | $urls[1]: | origin answered 404"), 'and says for which');
    is_deeply(results($job)->{images}, [
        { digest => $manifests{good}{digest}, url => $urls[0] },
        { digest => '', url => $urls[1] },
        { digest => $manifests{fine}{digest}, url => $urls[2] },
    ], 'what that stood for is not known');
    $warm->hits('clients get the others from the cache',
                map({ $image->by_tag($_) } qw( good fine )),
                map { $image->paths($_) } values %manifests);
};


done_testing();
