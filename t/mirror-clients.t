# Debian's containerd (also by CRI, as kubelet uses it), docker, skopeo, buildah and
# podman pull through the mirror of conf/examples/registries: what a job has warmed comes
# from the cache, and what it has not warmed from the registry.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Clients;
use DFP::Internet;
use DFP::Process qw( wait_until );
use DFP::RegistryStory;

plan skip_all => 'port 443 and containerd need root'
    if $> != 0 || !DFP::Internet->possible;

use constant LOG_SECONDS => 5;

my $hosted = hosted();
my $internet = $hosted->internet;
my $user = join ':', { $hosted->login }->@{qw( username password )};
my %server = ('docker.io' => 'https://registry-1.docker.io', _default => undef);


# A story with clients that have these mirrors in registries.conf, and docker this one.

sub client_story
{
    my ($how, $mirrors, $docker, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    example_story 'mirror', sub {
        my $front = shift;

        my $clients = DFP::Clients->start(
            ca => ca(), internet => $internet, server => \%server,
            mirrors => $mirrors, docker => $docker,
            logins => { map { $_ => $user } qw( nginx.lan registry.lan
                                                registry.nginx.lan ) });

        ok(eval { $code->($front, $clients); 1 }, "$how: to the end")
            or diag($@);
        $clients->stop_all;
    };
}


# A client pulls an image: how the front has answered, what it has connected to, and
# what registries were asked for.

sub pull
{
    my ($front, $clients, $client, $name, @options) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $pull = "${client}_pull";

    $hosted->forget_requests;
    $internet->forget;
    $front->forget_requests;
    is($clients->$pull($name, @options), '', "$client pulls $name");

    return { connected => [ $internet->connected ],
             asked => [ map { $hosted->requests($_) } $hosted->names ] };
}


# All of it from the cache: so many manifests and blobs, with nothing asked of
# anybody else.

sub from_the_cache
{
    my ($front, $clients, $client, $name, $host, $count, @options) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $pulled = pull($front, $clients, $client, $name, @options);
    my @files;

    # nginx writes what it has done when the client knows it already

    wait_until(LOG_SECONDS, sub {
        @files = grep { m{/(?:manifests|blobs)/} } $front->requests;
        @files >= $count;
    });

    is(scalar @files, $count, "$client: each manifest and blob");
    is_deeply([ grep { !/^\Q$host\E \S+ \S+ 200 HIT$/ } @files ], [],
              "$client: is a HIT at $host");
    is_deeply($pulled->{connected}, ["$host:443"],
              "$client: it has contacted nobody else");

    return $pulled;
}


my %names = (dockerhub => 'docker.io/library/app:1.0',
             ghcr => 'ghcr.io/org/app:1.0');
my %prefixes = map { $_ => "nginx.lan/$_" } qw( docker.io ghcr.io registry.lan );
my %hosts = ('docker.io' => 'dockerhub.nginx.lan',
             'ghcr.io' => 'ghcr.nginx.lan',
             'registry.lan' => 'registry.nginx.lan');

# Who pulls which image by prefixes, with how many requests: containerd and docker ask by
# HEAD what the tag stands for, and then for the index.

my %pulls = (
    dockerhub => [ [ containerd => 6 ], [ docker => 6 ], [ skopeo => 5 ],
                   [ podman => 5 ] ],
    ghcr      => [ [ containerd => 6 ], [ kubelet => 6 ], [ buildah => 5 ],
                   [ podman => 5 ] ],
);

client_story 'prefixes', \%prefixes, 'https://nginx.lan', sub {
    my ($front, $clients) = @_;

    for my $name (sort keys %names) {
        my $image = $hosted->image($name, $names{$name} =~ m{/(.*):});

        warm($front, $name, $image);

        for my $client (@{ $pulls{$name} }) {
            my $pulled = from_the_cache($front, $clients, $client->[0],
                                        $names{$name}, 'nginx.lan',
                                        $client->[1]);
            is_deeply($pulled->{asked}, [], 'no registry was asked');
        }
    }

    # podman asks for a token for the name with the prefix, if at all: the mirror
    # says that it needs none, and Docker Hub that it does

    for my $case ([ skopeo => GET => '/docker.io/', 'cold' ],
                  [ docker => HEAD => '/', 'colder' ])
    {
        my ($client, $method, $path, $name) = @$case;
        my $cold = $hosted->image('dockerhub', "library/$name");
        my $pulled = pull($front, $clients, $client,
                          "docker.io/library/$name:1.0");

        is_deeply([ ($front->requests)[0, 1] ],
                  [ 'nginx.lan GET /v2/ 200 -', "nginx.lan $method "
                    . "/v2${path}library/$name/manifests/1.0 401 MISS" ],
                  "$client: what is not warmed does not come through nginx.lan");
        is_deeply([ grep { / 200 / && m{/(?:manifests|blobs)/} }
                    $front->requests ], [], 'also not later');
        is_deeply($pulled->{connected},
                  [ map { "$_:443" } qw( auth.docker.io nginx.lan
                        production.cloudflare.docker.com registry-1.docker.io ) ],
                  'the client gets it from Docker Hub itself');
    }

    # of a private registry, too

    warm($front, 'private', $hosted->image('private', 'team/tool'));

    pull($front, $clients, 'skopeo', 'registry.lan/team/tool:1.0');
    is_deeply([ $front->requests ],
              [ 'nginx.lan GET /v2/ 200 -', 'nginx.lan GET '
                . '/v2/registry.lan/team/tool/manifests/1.0 401 BYPASS' ],
              'a private image is for nobody who has no token');
};


client_story 'names', \%hosts, 'https://dockerhub.nginx.lan', sub {
    my ($front, $clients) = @_;

    named($front, $clients);
    stored($front, $clients);
    private($front, $clients);
};


# docker pulls images of other registries than Docker Hub by the name of the mirror.

sub named
{
    my ($front, $clients) = @_;

    my $image = $hosted->image('ghcr', 'org/app');

    warm($front, 'ghcr', $image);

    for my $client ([ docker => 'ghcr.nginx.lan/org/app:1.0' ], ['skopeo'],
                    ['buildah'], ['podman'])
    {
        my ($who, $name) = @$client;
        my $pulled = pull($front, $clients, $who, $name // $names{ghcr});

        is_deeply([ grep { m{/(?:manifests|blobs)/} && !/ 200 HIT$/ }
                    $front->requests ], [], "$who: all from the cache");
        is_deeply($pulled->{connected}, [ 'ghcr.io:443', 'ghcr.nginx.lan:443' ],
                  "$who: and a token of the registry's service");
        is_deeply([ map { m{^(\S+ [^ ?]+)} } @{ $pulled->{asked} } ],
                  [ 'GET /v2/', 'GET /token' ],
                  "$who: which is all that it has sent");
    }
}


# What is not warmed is stored when it is pulled through the name.

sub stored
{
    my ($front, $clients) = @_;

    for my $case ([ skopeo => 'ghcr' ], [ containerd => 'ghcr' ],
                  [ docker => 'dockerhub' ])
    {
        my ($client, $registry) = @$case;
        my $name = $names{$registry} =~ s{app}{cold-$client}r;
        my $cold = $hosted->image($registry, $name =~ m{/(.*):});
        my $pulled = pull($front, $clients, $client, $name);
        my ($host) = $name =~ m{^([^/]+)};

        is_deeply([ grep { !/nginx\.lan|^(?:ghcr\.io|auth\.docker\.io):/ }
                    @{ $pulled->{connected} } ], [],
                  "$client: not past the mirror");
        pulled($front, $registry, { %$cold, index => $cold->{tag} },
               host => 'nginx.lan', base => "/$host");
    }
}


sub private
{
    my ($front, $clients) = @_;

    my $name = 'registry.lan/team/app:1.0';
    my $image = $hosted->image('private', 'team/app');
    warm($front, 'private', $image);

    for my $client ([ containerd => (user => $user) ],
                    [ kubelet => (user => $user) ], ['skopeo'], ['buildah'])
    {
        my ($who, @options) = @$client;
        my $pulled = pull($front, $clients, $who, $name, @options);
        is_deeply([ grep { m{/(?:manifests|blobs)/} && !/ (?:200 HIT|401 \S+)$/ }
                    $front->requests ], [], "$who: from the cache");
        is_deeply([ grep { !m{^HEAD |^GET /v2/ } && /^Authorization/m }
                    @{ $pulled->{asked} } ], [],
                  "$who: the registry is only asked whether it may have it");
        is_deeply([ grep { /registry\.lan/ } @{ $pulled->{connected} } ], [],
                  "$who: through the mirror");
    }

    for my $client (qw( containerd kubelet )) {
        my $pull = "${client}_pull";

        isnt($clients->$pull($name, user => 'alice:wrong'), '',
             "$client: with a wrong password there is nothing");
    }
}


done_testing;
