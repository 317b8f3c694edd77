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
use DFP::Warm;

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


# The requests for manifests and blobs, at least so many: nginx writes what it has done
# when the client knows it already.

sub files
{
    my ($front, $count) = @_;

    my @files;

    wait_until(LOG_SECONDS, sub {
        @files = grep { m{/(?:manifests|blobs)/} } $front->requests;
        @files >= $count;
    });

    return @files;
}


# All of it from the cache: so many manifests and blobs, with nothing asked of
# anybody else.

sub from_the_cache
{
    my ($front, $clients, $client, $name, $host, $count, @options) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $pulled = pull($front, $clients, $client, $name, @options);
    my @files = files($front, $count);

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

# Who pulls which image by prefixes, and with how many requests: containerd and docker
# ask by HEAD what the tag stands for, and then for the index. containerd asks for no
# token until it is told to, the others begin with that.

my %pulls = (
    dockerhub => [ [ containerd => 6 ], [ docker => 6, 'token' ],
                   [ skopeo => 5, 'token' ], [ podman => 5, 'token' ] ],
    ghcr      => [ [ containerd => 6 ], [ kubelet => 6 ],
                   [ buildah => 5, 'token' ], [ podman => 5, 'token' ],
                   [ docker => 6, 'token', 'nginx.lan/ghcr.io/org/app:1.0' ] ],
);
my %tokens = (
    dockerhub => 'GET /token?service=registry.docker.io'
                 . '&scope=repository:library%2Fapp:pull',
    ghcr => 'GET /token?service=ghcr.io&scope=repository:org%2Fapp:pull',
);


# The tag of an image has expired.

sub expire
{
    my ($front, $image) = @_;

    (bless { servers => $front }, 'DFP::Warm')->expire($image->{tag});
}

client_story 'prefixes', \%prefixes, 'https://nginx.lan', sub {
    my ($front, $clients) = @_;

    for my $name (sort keys %names) {
        my $image = $hosted->image($name, $names{$name} =~ m{/(.*):});

        warm($front, $name, $image);

        for my $client (@{ $pulls{$name} }) {
            my $pulled = from_the_cache($front, $clients, $client->[0],
                                        $client->[3] // $names{$name},
                                        'nginx.lan', $client->[1]);
            is_deeply([ map { m{^(\S+ \S+)} } @{ $pulled->{asked} } ],
                      $client->[2] ? [ $tokens{$name} ] : [],
                      'no registry was asked but for a token, if at all');
        }

        # who has a token has an expired tag revalidated; who gets none, because its
        # service is unavailable, gets what is valid

        expire($front, $image);
        pull($front, $clients, 'skopeo', $names{$name});
        is_deeply([ map { / (\S+ \S+)$/ } files($front, 5) ],
                  [ '200 EXPIRED', ('200 HIT') x 4 ],
                  'the registry is asked for the tag when it has expired');

        $hosted->token_fails($name, 503);
        from_the_cache($front, $clients, 'skopeo', $names{$name}, 'nginx.lan', 5);
        $hosted->token_works($name);
    }

    # what is not warmed is stored when somebody pulls it

    for my $case ([ skopeo => '/docker.io', 'cold' ], [ docker => '', 'colder' ])
    {
        my ($client, $base, $name) = @$case;
        my $cold = $hosted->image('dockerhub', "library/$name");
        my $pulled = pull($front, $clients, $client,
                          "docker.io/library/$name:1.0");

        is_deeply($pulled->{connected}, ['nginx.lan:443'],
                  "$client: what is not warmed comes through nginx.lan");
        pulled($front, 'dockerhub', { %$cold, index => $cold->{tag} },
               host => 'nginx.lan', base => $base);
    }

    warm($front, 'private', $hosted->image('private', 'team/tool'));

    pull($front, $clients, 'skopeo', 'registry.lan/team/tool:1.0');
    is_deeply([ $front->requests ],
              [ 'nginx.lan GET /v2/ 401 -', 'nginx.lan GET '
                . '/v2/registry.lan/team/tool/manifests/1.0 401 BYPASS' ],
              'a private image is for nobody who has no login');
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
                    [ kubelet => (user => $user) ], ['skopeo'], ['buildah'],
                    [ docker => (name => 'registry.nginx.lan/team/app:1.0') ])
    {
        my ($who, %options) = @$client;
        my $pulled = pull($front, $clients, $who, delete $options{name} // $name,
                          %options);
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
