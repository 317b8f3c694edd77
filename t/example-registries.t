# conf/examples/registries: one file for each registry, and one with all of them
# behind one mirror, against registries that behave as the real ones and have their
# names.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use DFP::Internet;
use DFP::RegistryStory;

plan skip_all => 'port 443 of a loopback address needs root'
    if !DFP::Internet->possible;

my $hosted = hosted();


for my $name ($hosted->names) {
    example_story $name, sub {
        my $front = shift;

        my $image = $hosted->image($name, "of-$name/app");
        my %way = (host => 'nginx.lan', base => '');

        warm($front, $name, $image);
        pulled($front, $name, $image, %way);
        refused($front, $name, $image, %way) if $hosted->closed($name);

        # what no job has warmed: who has a token fills the cache

        my $cold = $hosted->image($name, "of-$name/cold");
        my @login = (authorization => $hosted->authorization($name));
        my @got = map { my $path = $_;
                        map { my $answer = $front->get('nginx.lan', $path, @$_);
                              "$answer->{status} $answer->{cache}" }
                        [], [@login], [@login] }
                  $cold->{tag}, $cold->{paths}[-1];
        my $missed = $hosted->closed($name) ? '401 BYPASS' : '401 MISS';

        is_deeply(\@got, [ ($missed, '200 MISS', '200 HIT') x 2 ],
                  "$name: clients fill the cache, too");
    };
}


# Ways to the mirror: the host, what the path has after /v2, and the query.

my %ways = (
    dockerhub => [
        [ 'nginx.lan', '', '?ns=docker.io' ], [ 'nginx.lan', '', '' ],
        [ 'nginx.lan', '/docker.io', '' ], [ 'nginx.lan', '/dockerhub', '' ],
        [ 'dockerhub.nginx.lan', '', '' ],
    ],
    private => [
        [ 'nginx.lan', '', '?ns=registry.lan' ],
        [ 'nginx.lan', '/registry.lan', '' ], [ 'registry.nginx.lan', '', '' ],
    ],
    map { $_ => [ [ 'nginx.lan', '', '?ns=' . $hosted->host($_) ],
                  [ 'nginx.lan', '/' . $hosted->host($_), '' ],
                  [ "$_.nginx.lan", '', '' ] ] } qw( ghcr quay ecr harbor ),
);

my $docker_types = 'application/vnd.docker.distribution.manifest';
my $oci_types = 'application/vnd.oci.image';
my $manifests = "Accept: $docker_types.v2+json, $docker_types.list.v2+json, "
                . "$oci_types.manifest.v1+json, $oci_types.index.v1+json, */*";

# What clients send, in their order. T: the manifest of the tag; I: the index by
# its digest; M, C, L: manifest, config and layers of the platform.

my %clients = (
    'containerd 1.6' => [ 'nginx.lan', '', '?ns=docker.io',
        [ HEAD => 'T', $manifests ],
        [ GET => 'I', "Accept: $oci_types.index.v1+json, */*" ],
        [ GET => 'M', "Accept: $oci_types.manifest.v1+json, */*" ],
        [ GET => 'C', "Accept: $oci_types.config.v1+json, */*" ],
        [ GET => 'L', "Accept: $oci_types.layer.v1.tar+gzip, */*" ] ],

    # with concurrent_layer_fetch_buffer; manifests are requested in the same way

    'containerd 2.1, of parts' => [ 'nginx.lan', '', '?ns=docker.io',
        [ HEAD => 'T', $manifests ],
        (map { [ GET => $_->[0], "Accept: $oci_types.$_->[1], */*",
                        'Accept-Encoding: zstd;q=1.0, gzip;q=0.8, deflate;q=0.5',
                        "Range: bytes=$_->[2]-" ] }
         [ I => 'index.v1+json', 0 ], [ M => 'manifest.v1+json', 0 ],
         [ C => 'config.v1+json', 0 ], [ L => 'layer.v1.tar+gzip', 0 ],
         [ L => 'layer.v1.tar+gzip', 100 ]) ],
    'docker' => [ 'dockerhub.nginx.lan', '', '',
        [ HEAD => 'T', "Accept: $docker_types.v2+json",
                       "Accept: $docker_types.list.v2+json",
                       "Accept: $oci_types.index.v1+json",
                       "Accept: $docker_types.v1+prettyjws",
                       'Accept: application/json' ],
        [ GET => 'I', "Accept: $docker_types.v2+json",
                      "Accept: $docker_types.list.v2+json" ],
        [ GET => 'M', "Accept: $docker_types.v2+json",
                      "Accept: $oci_types.manifest.v1+json" ],
        [ GET => 'C', 'Accept-Encoding: identity' ],
        [ GET => 'L', 'Accept-Encoding: identity' ] ],
    'podman and CRI-O' => [ 'nginx.lan', '/docker.io', '',
        [ GET => 'T', "Accept: $oci_types.manifest.v1+json",
                      "Accept: $docker_types.v2+json",
                      "Accept: $oci_types.index.v1+json",
                      "Accept: $docker_types.list.v2+json",
                      'Docker-Distribution-Api-Version: registry/2.0' ],
        [ GET => 'M', "Accept: $oci_types.manifest.v1+json",
                      'Docker-Distribution-Api-Version: registry/2.0' ],
        [ GET => 'L', 'Docker-Distribution-Api-Version: registry/2.0' ],
        [ GET => 'C', 'Docker-Distribution-Api-Version: registry/2.0' ] ],
);


example_story 'mirror', sub {
    my $front = shift;

    for my $name ($hosted->names) {
        my $image = $hosted->image($name, 'library/app');

        warm($front, $name, $image);

        for my $way (@{ $ways{$name} }) {
            my %way = (host => $way->[0], base => $way->[1],
                       query => $way->[2]);

            pulled($front, $name, $image, %way);
            refused($front, $name, $image, %way) if $hosted->closed($name);
        }
    }

    names_of_docker_hub($front);
    clients($front);
    pings($front);
    tokens($front);
    closed_list($front);
    passed_on($front);
};


# As docs/mirrors.md has it: how each registry is asked, and the others by "ns".

my %asked = (
    dockerhub => [ 'dockerhub.nginx.lan', '/v2/', '' ],
    ghcr      => [ 'nginx.lan', '/v2/ghcr.io/', '' ],
);

example_story 'mirror', sub {
    my $front = shift;

    for my $name ($hosted->names) {
        my $image = $hosted->image($name, 'library/rehearsed');
        my $job = $front->run(url => $image->{url}, verify => JSON::PP::true,
                              $hosted->closed($name) ? $hosted->login : ());
        my $found = $job->{result}{job_states}[0]{results}[0] // {};

        is($job->{state}, 'SUCCESS', "$name: a job with a rehearsal")
            or diag(explain $job);
        is_deeply([ grep { $_->{cache} ne 'HIT' } @{ $found->{verified} } ], [],
                  '... of hits');

        my ($host, $base, $query) = @{ $asked{$name} // [
            'nginx.lan', '/v2/', '?ns=' . $hosted->host($name) ] };
        my @requests = grep { / HIT$/ } $front->requests;

        is_deeply([ grep { !m{^\Q$host\E \w+ \Q$base\Elibrary/\S+?(\?\S+)? \d+ HIT$}
                           || ($1 // '') ne $query } @requests ], [],
                  "... that asked $host$base$query");
        is(scalar @requests, $found->{verified_hits}, '... each once');
        $front->forget_requests;
    }
}, rehearsals => 1;


sub names_of_docker_hub
{
    my $front = shift;

    for my $url ('https://docker.io/v2/library/one/manifests/1.0',
                 'https://index.docker.io/v2/library/two/manifests/1.0',
                 'three:1.0')
    {
        my ($name) = $url =~ /(one|two|three)/;
        my $image = $hosted->image('dockerhub', "library/$name");

        warm($front, 'dockerhub', $image, $url);
        pulled($front, 'dockerhub', $image, host => 'dockerhub.nginx.lan',
               base => '');
    }
}


sub clients
{
    my $front = shift;

    my $image = $hosted->image('dockerhub', 'library/clients');
    my ($manifest, $config, @layers) = @{ $image->{paths} };
    my %paths = (T => [ $image->{tag} ], I => [ $image->{index} ],
                 M => [$manifest], C => [$config], L => \@layers);

    warm($front, 'dockerhub', $image);
    $hosted->forget_requests;

    for my $client (sort keys %clients) {
        my ($host, $base, $query, @requests) = @{ $clients{$client} };
        my @wrong;

        for my $request (@requests) {
            my ($method, $what, @headers) = @$request;

            for my $path (@{ $paths{$what} }) {
                my $target = ($path =~ s{^/v2}{/v2$base}r) . $query;
                my $answer = $front->get($host, $target, method => $method,
                                         headers => \@headers);

                push @wrong, "$answer->{status} $answer->{cache} $target"
                    if $answer->{status} !~ /^20[06]$/
                       || $answer->{cache} ne 'HIT';
            }
        }

        is_deeply(\@wrong, [], "the requests of $client are a HIT");
    }

    is_deeply([ $hosted->requests('dockerhub') ], [],
              'and Docker Hub is asked for nothing');
}


# What clients are told about logging in before they begin.

sub pings
{
    my $front = shift;

    my %told = map {
        my $answer = $front->get($_, '/v2/');
        my ($realm) = ($answer->{headers}{'www-authenticate'} // '')
                      =~ /realm="([^"]*)"/;
        $_ => $answer->{status} . ($realm ? " $realm" : '');
    } qw( nginx.lan dockerhub.nginx.lan ghcr.nginx.lan quay.nginx.lan
          harbor.nginx.lan registry.nginx.lan other.nginx.lan );

    is_deeply(\%told, {
        'nginx.lan'           => '401 https://nginx.lan/token',
        'dockerhub.nginx.lan' => '401 https://auth.docker.io/token',
        'ghcr.nginx.lan'      => '401 https://ghcr.io/token',
        'quay.nginx.lan'      => '401 https://quay.io/v2/auth',
        'harbor.nginx.lan'    => '401 https://harbor.lan/service/token',
        'registry.nginx.lan'  => '401 registry.lan',
        'other.nginx.lan'     => '404',
    }, 'GET /v2/');
}


# Tokens for clients of nginx.lan: from which service, for which image.

sub tokens
{
    my $front = shift;

    my %scopes = (
        'repository:library/app:pull' =>
            'auth.docker.io /token?service=registry.docker.io'
            . '&scope=repository:library/app:pull',
        'repository%3adocker.io%2Flibrary%2Fapp%3Apull' =>
            'auth.docker.io /token?service=registry.docker.io'
            . '&scope=repository:library%2Fapp:pull',
        'repository%3Adockerhub%2Flibrary%2Fapp%3Apull' =>
            'auth.docker.io /token?service=registry.docker.io'
            . '&scope=repository:library%2Fapp:pull',
        'repository:ghcr.io/org/a.b/c-d_e:pull' =>
            'ghcr.io /token?service=ghcr.io&scope=repository:org/a.b/c-d_e:pull',
        'repository%3Aquay.io%2Forg%2Fapp%3Apull' =>
            'quay.io /v2/auth?service=quay.io&scope=repository:org%2Fapp:pull',
        map { $_ => 'none' } '',
            'repository:harbor.lan/team/app:pull', 'repository:registry.lan/app:pull',
            'repository:evil.lan/app:pull', 'repository:ghcr.io.evil.lan/app:pull',
            'repository:ghcr.io/org/app:pull,push', 'repository:library/app:push',
            'repository:ghcr.io/org/app%26service=x:pull', 'registry:catalog:*',
    );
    my %got;

    for my $scope (keys %scopes) {
        $hosted->forget_requests;

        my $answer = $front->get('nginx.lan', "/token?service=nginx.lan&scope=$scope",
                                 authorization => 'Basic bmdpbng6bGFu');
        my ($token) = $answer->{body} =~ /"token":"([^"]*)"/;
        my %asked = map { ("@{[ /^Host: (\S+)\r$/mi ]} @{[ m{^GET (\S+)} ]}"
                           . (/^Authorization/mi ? ' with a password' : '') => 1) }
                    map { $hosted->requests($_) } $hosted->names;

        $got{$scope} = join ' ', $answer->{status},
            $token eq 'none' ? $token : sort keys %asked;
    }

    is_deeply(\%got, { map { $_ => "200 $scopes{$_}" } keys %scopes },
              'tokens of nginx.lan');

    $hosted->token_fails('ghcr', 500);
    is($front->get('nginx.lan', '/token?scope=repository:ghcr.io/org/app:pull')
       ->{body}, '{"token":"none","expires_in":60}',
       'nobody is stopped when a token service fails');
    $hosted->token_works('ghcr');

    is($front->get('nginx.lan', '/v2/', authorization => 'Bearer t-o-k-e-n')
       ->{status}, 200, 'who has one may go on');
}


sub closed_list
{
    my $front = shift;

    $hosted->forget_requests;

    my $path = '/v2/library/app/manifests/1.0';
    my @got = map {
        my ($host, $target, @options) = @$_;
        my $answer = $front->get($host, $target, @options);
        my ($code) = $answer->{body} =~ /^\{"errors":\[\{"code":"(\w+)"/;
        join ' ', $answer->{status}, $answer->{headers}{'content-type'},
                  $code // '-';
    } [ 'nginx.lan', "$path?ns=evil.lan" ], [ 'other.nginx.lan', $path ],
      [ 'nginx.lan', '/v2/gcr.io/library/app/manifests/1.0' ],
      [ 'ghcr.nginx.lan', "$path?ns=" . 'https://ghcr.io' ],
      [ 'nginx.lan', '/v2/library/app/blobs/uploads/', method => 'POST' ],
      [ 'ghcr.nginx.lan', $path, method => 'PUT', body => '{}' ],
      [ 'nginx.lan', '/v2/ghcr.io/library/app/manifests/1.0',
        method => 'DELETE' ];

    is_deeply(\@got, [ ('404 application/json NAME_UNKNOWN') x 4,
                       ('405 application/json UNSUPPORTED') x 3 ],
              'what is not in the list is refused, as registries refuse');
    is_deeply([ map { $hosted->requests($_) } $hosted->names ], [],
              'and reaches no registry');

    # a name that looks like a prefix where none is meant

    for my $case ([ 'ghcr.nginx.lan', 'ghcr', '' ],
                  [ 'nginx.lan', 'ghcr', '?ns=ghcr.io' ])
    {
        my ($host, $name, $query) = @$case;

        $hosted->forget_requests;
        $front->get($host, "/v2/quay.io/app/manifests/1.0$query");
        is_deeply([ map { m{^GET (\S+)} } map { $hosted->requests($_) }
                    $hosted->names ],
                  [ "/v2/quay.io/app/manifests/1.0$query" ],
                  "$host$query: the path is sent as it is");
    }
}


# What is not cached.

sub passed_on
{
    my $front = shift;

    my $image = $hosted->image('ghcr', 'org/passed');
    my ($digest) = $image->{index} =~ /(sha256:.*)/;
    my %answers = ('tags/list' => '{"tags":["1.0"]}',
                   "referrers/$digest" => '{"manifests":[]}');

    $hosted->passes('ghcr', "/v2/org/passed/$_", $answers{$_})
        for keys %answers;

    for my $what (sort keys %answers) {
        my @got = map { my $answer = $front->get(@$_);
                        "$answer->{status} $answer->{cache} $answer->{body}" }
                  [ 'nginx.lan', "/v2/org/passed/$what?ns=ghcr.io" ],
                  [ 'nginx.lan', "/v2/ghcr.io/org/passed/$what?n=5" ],
                  [ 'ghcr.nginx.lan', "/v2/org/passed/$what" ];

        is_deeply(\@got, [ ("200 BYPASS $answers{$what}") x 3 ],
                  "$what is that of the registry");
    }
}

done_testing;
