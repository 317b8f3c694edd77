# Signatures, attestations and SBOMs of images, which jobs with "subjects" warm, too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex sha512_hex );
use HTTP::Tiny;
use JSON::PP qw( encode_json );
use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Kept;
use DFP::Registry;
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    INDEX    => 'application/vnd.oci.image.index.v1+json',
    MANIFEST => 'application/vnd.oci.image.manifest.v1+json',
    EMPTY    => 'application/vnd.oci.empty.v1+json',
    SIGNED   => 'application/vnd.dev.cosign.simplesigning.v1+json',
    SBOM     => 'application/spdx+json',
    BUNDLE   => 'application/vnd.dev.sigstore.bundle.v0.3+json',
    SECONDS  => 5,
};

my $upstream = DFP::Upstream->start;
my $location = location('/v2/', REGISTRY, $upstream->port);


# An image of two platforms with the tag 1, in a repository of its own.

sub image_of
{
    my $name = shift;

    my $image = DFP::Image->new($upstream, $name);
    my $manifest = $image->manifest($image->layer("a layer of $name"));
    my $other = $image->manifest($image->layer("another one of $name"));
    my $index = $image->index([ 'linux/amd64', $manifest ],
                              [ 'linux/arm64', $other ]);

    $image->tag('1', $index);

    return ($image, $index, $manifest, $other);
}


# What refers to a manifest, of so many bytes that it is told from others.

sub artifact
{
    my ($image, $type, $text, $subject) = @_;

    return $image->document(MANIFEST, {
        artifactType => $type, config => $image->blob(EMPTY, '{}'),
        layers => [ $image->blob($type, $text) ],
        $subject ? (subject => $subject) : () });
}


sub status_of
{
    my ($warm, $path) = @_;

    return HTTP::Tiny->new(timeout => SECONDS)
        ->get("http://127.0.0.1:$warm->{port}$path")->{status};
}


sub tag_of { $_[0]{digest} =~ s/:/-/r . ($_[1] // '') }


# The registry's list of what refers to a manifest.

sub lists
{
    my ($name, $subject, @artifacts) = @_;

    $upstream->answers("/v2/$name/referrers/$subject->{digest}", {
        headers => [ 'Content-Type' => INDEX ], body => encode_json({
            schemaVersion => 2, mediaType => INDEX,
            manifests => [ map { +{ %$_, artifactType => SBOM } }
                           @artifacts ] }) });
}


sub skipped
{
    my $job = shift;

    return [ map { $_->{description} }
             @{ $job->{result}{job_states}[0]{results}[0]{skipped_tasks} } ];
}


warm_story 'tags of cosign', {}, $location, sub
{
    my $warm = shift;

    my ($image, $index, $manifest) = image_of('cosign');
    my $signature = artifact($image, SIGNED, 'a signature');
    my $attestation = artifact($image, SIGNED, 'an attestation');
    my $sbom = artifact($image, SBOM, 'an SBOM');

    $image->tag(tag_of($index, '.sig'), $signature);
    $image->tag(tag_of($index, '.att'), $attestation);
    $image->tag(tag_of($manifest, '.sbom'), $sbom);

    my @paths = (map({ $image->paths($_) } $signature, $attestation, $sbom),
                 $image->by_tag(tag_of($index, '.sig')),
                 $image->by_tag(tag_of($index, '.att')),
                 $image->by_tag(tag_of($manifest, '.sbom')));
    my $job = $warm->run(image => url => REGISTRY . $image->by_tag('1'));

    is($job->{state}, 'SUCCESS', 'without "subjects"') or diag(error($job));
    is_deeply([ grep { m{referrers|sha256-} } $upstream->requests ], [],
              '... nobody looks for them');

    $job = $warm->run(image => url => REGISTRY . $image->by_tag('1'),
                      subjects => JSON::PP::true);
    is($job->{state}, 'SUCCESS', 'with it') or diag(error($job));
    is($job->{args}{subjects}, JSON::PP::true, '... which the job shows');
    is_deeply(skipped($job), [], '... what is not there is no matter');
    $warm->hits('clients get them from the cache', @paths,
                $image->by_tag('1'), $image->paths($manifest));
    ok(!(grep { m{referrers|sha256-} } map { $_->{url} }
         @{ failed($job) // [] }), 'nothing has failed');
};


warm_story 'the list of the registry', {}, $location, sub
{
    my $warm = shift;

    my ($image, $index, $manifest) = image_of('listed');
    my $sbom = artifact($image, SBOM, 'an SBOM', $index);
    my $second = artifact($image, SIGNED, 'a signature', $manifest);
    my $of_sbom = artifact($image, SIGNED, 'a signature of the SBOM', $sbom);

    lists('listed', $index, $sbom);
    lists('listed', $manifest, $second);
    lists('listed', $sbom, $of_sbom);

    my $job = $warm->run(image => url => REGISTRY . $image->by_tag('1'),
                         subjects => JSON::PP::true);

    is($job->{state}, 'SUCCESS', 'it ends well') or diag(error($job));
    $warm->hits('what is listed comes from the cache', $image->paths($sbom),
                $image->paths($second));
    is_deeply([ $upstream->requests($image->path($of_sbom)) ], [],
              'what refers to that is not looked for');
    is(($warm->pull("/v2/listed/referrers/$index->{digest}"))[1], 'BYPASS',
       'the list itself is never cached');
    is_deeply([ grep { m{/referrers/} } map { $_->{url} }
                @{ $job->{result}{job_states}[0]{results}[0]{success_tasks} } ],
              [], '... and is no task that has been warmed');
};


# Pages of a list: each answer but the last one names the next page.

sub pages
{
    my ($name, $subject, $links, @parts) = @_;

    $upstream->answers("/v2/$name/referrers/$subject->{digest}", map {
        my ($part, $link) = ($parts[$_], $links->[$_]);

        { headers => [ 'Content-Type' => INDEX,
                       $link ? (Link => qq{<$link>; rel="next"}) : () ],
          body => encode_json({ schemaVersion => 2, mediaType => INDEX,
                                manifests => [ $part // () ] }) }
    } 0 .. ($#parts < $#$links ? $#$links : $#parts));
}


warm_story 'a list of several pages', {}, $location, sub
{
    my $warm = shift;

    my ($image, undef, $manifest) = image_of('pages');
    my $url = REGISTRY . $image->path($manifest);
    my $path = "/v2/pages/referrers/$manifest->{digest}";
    my @parts = map { artifact($image, SBOM, "the SBOM $_", $manifest) } 1 .. 3;
    my $run = sub {
        pages('pages', $manifest, @_);
        $upstream->forget_requests;

        return $warm->run(image => url => $url, subjects => JSON::PP::true);
    };

    # as behind a proxy, which the registry knows nothing of

    my $job = $run->([ "http://internal:5000$path?last=1", '?last=2' ], @parts);

    is($job->{state}, 'SUCCESS', 'it ends well') or diag(error($job));
    is_deeply([ map { m{^GET (\S+)} } $upstream->requests($path) ],
              [ $path, "$path?last=1", "$path?last=2" ], '... all are read');
    $warm->hits('... and what is on them comes from the cache',
                map { $image->paths($_) } @parts);

    for ([ 'a page that comes again', 'leads back', '?a=1', '?a=2', '?a=1' ],
         [ 'another list', 'path', '/v2/other/referrers/sha256:1?a=1' ],
         [ 'more pages than are read', '100 pages', map { "?a=$_" } 1 .. 100 ])
    {
        my ($name, $facts, @links) = @$_;

        $job = $run->(\@links, $parts[0]);
        is($job->{state}, 'FAILURE', $name);
        like(error($job), facts("/referrers/ | the list of referrers | $facts"),
             '... is named');
    }

    is(scalar $upstream->requests($path), 100, '... so many are read');

    $upstream->answers($path, { headers => [ 'Content-Type' => INDEX,
        Link => '<?a=1>; rel="next"' ], body => encode_json({ schemaVersion => 2,
        mediaType => INDEX, manifests => [] }) }, { status => 404 });
    $job = $warm->run(image => url => $url, subjects => JSON::PP::true);
    is($job->{state}, 'FAILURE', 'a page that is not there');
    like(error($job), facts('a=1 | 404'), '... is named');
};


warm_story 'a registry without the list', {}, $location, sub
{
    my $warm = shift;

    for my $status (404, 405, 400) {
        my ($image, $index) = image_of("fallback-$status");
        my $sbom = artifact($image, SBOM, "an SBOM $status", $index);
        my $list = $image->index({ %$sbom, artifactType => SBOM });

        $image->tag(tag_of($index), $list);
        $upstream->answers("/v2/fallback-$status/referrers/$index->{digest}",
                           { status => $status, body => 'no' });

        my $job = $warm->run(image => url => REGISTRY . $image->by_tag('1'),
                             subjects => JSON::PP::true);

        is($job->{state}, 'SUCCESS', "it answers $status") or diag(error($job));
        $warm->hits('... the index with the tag is read instead',
                    $image->by_tag(tag_of($index)), $image->path($list),
                    $image->paths($sbom));
    }

    # of a longer digest, the tag has the first 64 digits

    my ($image, undef, $manifest) = image_of('longer');
    my $of = $image->{answers}{ $manifest->{digest} };
    my $hex = sha512_hex($of->{body});
    my $tag = 'sha512-' . substr $hex, 0, 64;
    my $sbom = artifact($image, SBOM, 'an SBOM of sha512',
                        { %$manifest, digest => "sha512:$hex" });

    $upstream->answers("/v2/longer/manifests/sha512:$hex", $of);
    $image->tag($tag, $image->index({ %$sbom, artifactType => SBOM }));

    my $job = $warm->run(image => url => REGISTRY
                                         . "/v2/longer/manifests/sha512:$hex",
                         subjects => JSON::PP::true);

    is($job->{state}, 'SUCCESS', 'a longer digest') or diag(error($job));
    $warm->hits('... has a tag, too', $image->by_tag($tag), $image->paths($sbom));
};


warm_story 'what cannot be warmed', {}, $location, sub
{
    my $warm = shift;

    my ($image, $index) = image_of('broken');
    my $odd = $image->raw('application/vnd.oci.artifact.manifest.v1+json',
                          '{"blobs":[]}');
    my $url = REGISTRY . $image->by_tag('1');

    lists('broken', $index, $odd);

    my $job = $warm->run(image => url => $url, subjects => JSON::PP::true);

    is($job->{state}, 'SUCCESS', 'a manifest of another type')
        or diag(error($job));
    like(skipped($job)->[0], facts('not cached'), '... is skipped');

    $upstream->answers('/v2/broken/manifests/' . tag_of($index, '.sig'),
                       { status => 500 });
    $job = $warm->run(image => url => $url, subjects => JSON::PP::true);
    is($job->{state}, 'FAILURE', 'a signature that is there and not served');
    like(error($job), facts('.sig | 500'), '... is named');
};


warm_story 'what takes no "subjects"', {
    http => "dfpreheat_cluster 2 name=two engine=scheduler "
            . "127.0.0.1:1 location=\@grpc;\n" },
    $location . "location \@grpc { include grpc.conf; }\n", sub
{
    my $warm = shift;

    for ([ 'a file', { type => 'file', url => REGISTRY . '/a' }, [1],
           'args.subjects' ],
         [ 'another engine', { type => 'image', url => REGISTRY . '/v2/a/manifests/1' },
           [2], 'args.subjects | engine=cache' ])
    {
        my ($name, $args, $clusters, $facts) = @$_;
        my $answer = $warm->{servers}->client->post('/oapi/v1/jobs', {
            type => 'preheat', scheduler_cluster_ids => $clusters,
            args => { %$args, subjects => JSON::PP::true } });

        is($answer->{status}, 422, $name);
        like($answer->{json}{errors}, facts($facts), '... with the reason');
    }
};


# What is told of a push to "signed": the answer.

sub pushed
{
    my ($warm, $image, $tag, $manifest) = @_;

    return $warm->{servers}->client->post('/oapi/v1/notifications', {
        events => [ { action => 'push', target => {
            mediaType => $manifest->{mediaType}, repository => 'signed',
            digest => $manifest->{digest}, tag => $tag,
            url => REGISTRY . $image->path($manifest) } } ] });
}


my %signed = (http => "dfpreheat_policy signed match=signed:v* subjects=on;\n"
                      . "dfpreheat_policy all match=*;\n");


warm_story 'a signature is pushed after its image', \%signed, $location, sub
{
    my $warm = shift;

    my ($image, $index) = image_of('signed');
    my $signature = artifact($image, SIGNED, 'a signature of the tag v1');
    my @parts = map { artifact($image, SBOM, $_) } 'an SBOM of v1', 'another one';
    my $list = $image->index(map { +{ %$_, artifactType => SBOM } } @parts);

    for ([ tag_of($index, '.sig'), $signature ],
         [ tag_of($index), $list, @parts ])
    {
        my ($tag, $manifest, @more) = @$_;

        $image->tag($tag, $manifest);

        my $answer = pushed($warm, $image, $tag, $manifest);
        my @jobs = @{ $answer->{json}{jobs} };

        is_deeply([ map { $_->{policy} } @jobs ], ['signed'],
                  'the policy that takes signatures')
            or diag($answer->{body});

        my $job = $warm->ended($jobs[0]{id});

        is($job->{state}, 'SUCCESS', '... warms it') or diag(error($job));
        $warm->hits('... so clients get it from the cache',
                    $image->by_tag($tag),
                    map { $image->paths($_) } $manifest, @more);
    }
};


# Only the tag that was pushed is waited for.

warm_story 'an image is pushed whose parts are signed already', \%signed,
$location, sub
{
    my $warm = shift;

    my ($image, $index, $manifest) = image_of('signed');
    my $signature = artifact($image, SIGNED, 'a signature of a part');
    my $sbom = artifact($image, SBOM, 'an SBOM of a part');

    $image->tag('v1', $index);
    $image->tag(tag_of($manifest, '.sig'), $signature);
    lists('signed', $manifest, $sbom);
    $upstream->forget_requests;

    my $answer = pushed($warm, $image, 'v1', $index);
    my ($of) = grep { $_->{policy} eq 'signed' } @{ $answer->{json}{jobs} };
    my $job = $warm->ended($of->{id});

    is($job->{state}, 'SUCCESS', 'it is warmed') or diag(error($job));
    $warm->hits('... with what signs it', $image->by_tag('v1'),
                $image->by_tag(tag_of($manifest, '.sig')),
                map { $image->paths($_) } $manifest, $signature, $sbom);
    is_deeply([ map { scalar $upstream->requests($_) }
                map { ("/v2/signed/referrers/$_->{digest}",
                       map({ $image->by_tag(tag_of($manifest, $_)) }
                           qw( .sig .att .sbom ))) } $manifest ], [ (1) x 4 ],
              '... and each is asked for once, whether it is there or not');
};


warm_story 'an image that is kept', {
    http => "dfpreheat_keep_interval 1s;\n" }, $location, sub
{
    my $warm = shift;

    my ($image, $index) = image_of('kept');
    my $signature = artifact($image, SIGNED, 'a signature that is kept');

    $image->tag(tag_of($index, '.sig'), $signature);

    my $job = $warm->run(image => url => REGISTRY . $image->by_tag('1'),
                         subjects => JSON::PP::true,
                         keep_until => in_seconds(HOUR));

    is($job->{state}, 'SUCCESS', 'it is warmed') or diag(error($job));
    $warm->lose_files;

    my $look = looked($warm->{servers}, $job->{id});

    is($look->{error}, '', 'it is looked at');
    $warm->hits('its signature comes back, too',
                $image->by_tag(tag_of($index, '.sig')),
                $image->paths($signature));

    my $sbom = artifact($image, SBOM, 'an SBOM that comes later', $index);

    lists('kept', $index, $sbom);
    is(looked($warm->{servers}, $job->{id})->{error}, '',
       'a look after more refers to it');
    $warm->hits('... has it warmed, too', $image->paths($sbom));
};


warm_story 'an image that is kept while the registry lists nothing', {
    http => "dfpreheat_keep_interval 1s;\n" }, $location, sub
{
    my $warm = shift;

    for my $api (1, 0) {
        my $name = $api ? 'outage' : 'outage-without-api';
        my ($image, $index) = image_of($name);
        my $sbom = artifact($image, SBOM, "an SBOM of $name", $index);
        my $list = "/v2/$name/referrers/$index->{digest}";

        $api ? lists($name, $index, $sbom)
             : $image->tag(tag_of($index), $image->document(INDEX, {
                   manifests => [ { %$sbom, artifactType => SBOM } ] }));

        my $job = $warm->run(image => url => REGISTRY . $image->by_tag('1'),
                             subjects => JSON::PP::true,
                             keep_until => in_seconds(HOUR));

        is($job->{state}, 'SUCCESS', "it is warmed: $name") or diag(error($job));
        is(status_of($warm, $list), $api ? 200 : 404, 'clients ask the registry');

        $upstream->answers($list, { status => 503 });
        $warm->lose_files($image->paths($sbom));

        my $look = looked($warm->{servers}, $job->{id});

        is($look->{state}, 'FAILURE', 'the look says that it is not known');
        like($look->{error}, qr/referrers.*503/, '... why');
        $warm->another_client;
        $warm->hits('... and keeps what was known', $image->paths($sbom));
        is(status_of($warm, $list), 503, '... which clients are not told');
    }
};


# docker-registry has no list of referrers. cosign writes a tag for each kind of
# signature, or, since its third version, a bundle that refers to the image by "subject":
# by its digest, and in the index with the tag that stands for the list
# (pkg/oci/remote/write.go; go-containerregistry, pkg/v1/remote/write.go).

my $registry = DFP::Registry->start;
my $pushed = $registry->push_image('team/signed');
my $real = 'http://127.0.0.1:' . $registry->port;

warm_story 'a real registry', {}, location('/v2/', $real, $registry->port), sub
{
    my $warm = shift;

    my ($digest) = $pushed->{index} =~ /:([0-9a-f]{64})$/;
    my $http = HTTP::Tiny->new(timeout => SECONDS);
    my $put = sub {
        my $bytes = shift;

        my $begun = $http->post("$real/v2/team/signed/blobs/uploads/");
        my $of = 'sha256:' . sha256_hex($bytes);
        my $url = "$begun->{headers}{location}&digest=$of";
        my $answer = $http->put($url, { content => $bytes, headers => {
            'Content-Type' => 'application/octet-stream' } });

        is($answer->{status}, 201, 'a blob is pushed');

        return { mediaType => SIGNED, digest => $of, size => length $bytes };
    };
    my $config = { %{ $put->('{}') },
                   mediaType => 'application/vnd.oci.image.config.v1+json' };
    my $body = encode_json({ schemaVersion => 2, mediaType => MANIFEST,
        config => $config, layers => [ $put->('a real signature') ] });

    is($http->put("$real/v2/team/signed/manifests/sha256-$digest.sig", {
        content => $body, headers => { 'Content-Type' => MANIFEST } })->{status},
       201, 'a signature is pushed');

    my $bundle = encode_json({ schemaVersion => 2, mediaType => MANIFEST,
        artifactType => BUNDLE, config => { %$config, mediaType => EMPTY },
        layers => [ { %{ $put->('{"a":"bundle"}') }, mediaType => BUNDLE } ],
        subject => { mediaType => INDEX, digest => "sha256:$digest", size => 1 } });
    my $of_bundle = 'sha256:' . sha256_hex($bundle);

    for ([ $of_bundle, MANIFEST, $bundle ],
         [ "sha256-$digest", INDEX, encode_json({ schemaVersion => 2,
           mediaType => INDEX, manifests => [ { mediaType => MANIFEST,
               digest => $of_bundle, size => length $bundle,
               artifactType => BUNDLE } ] }) ])
    {
        my ($reference, $type, $content) = @$_;

        is($http->put("$real/v2/team/signed/manifests/$reference", {
            content => $content, headers => { 'Content-Type' => $type } })->{status},
           201, 'a bundle is pushed');
    }

    my $job = $warm->run(image => url => "$real$pushed->{url}",
                         subjects => JSON::PP::true);

    is($job->{state}, 'SUCCESS', 'it is warmed') or diag(error($job));
    $warm->hits('... with its image', $pushed->{url}, @{ $pushed->{paths} },
                "/v2/team/signed/manifests/sha256-$digest.sig",
                '/v2/team/signed/manifests/sha256:' . sha256_hex($body),
                '/v2/team/signed/blobs/sha256:' . sha256_hex('a real signature'),
                "/v2/team/signed/manifests/sha256-$digest",
                "/v2/team/signed/manifests/$of_bundle",
                '/v2/team/signed/blobs/sha256:' . sha256_hex('{"a":"bundle"}'));
};

done_testing();
