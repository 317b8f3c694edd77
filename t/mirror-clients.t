# Debian's containerd, skopeo and buildah pull through the mirror of
# conf/examples/registries: what a job has warmed comes from the cache, and what it
# has not warmed from the registry.

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


# A story with clients that have these mirrors in registries.conf.

sub client_story
{
    my ($how, $mirrors, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    example_story 'mirror', sub {
        my $front = shift;

        my $clients = DFP::Clients->start(
            ca => ca(), internet => $internet, server => \%server,
            mirrors => $mirrors,
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
my %prefixes = (map { $_ => "nginx.lan/$_" } qw( docker.io ghcr.io ));
my %hosts = ('docker.io' => 'dockerhub.nginx.lan',
             'ghcr.io' => 'ghcr.nginx.lan',
             'registry.lan' => 'registry.nginx.lan');

client_story 'prefixes', \%prefixes, sub {
    my ($front, $clients) = @_;

    for my $name (sort keys %names) {
        my $image = $hosted->image($name, $names{$name} =~ m{/(.*):});

        warm($front, $name, $image);

        # containerd asks by HEAD what the tag stands for, and then for the index

        for my $client ([ containerd => 6 ], [ skopeo => 5 ], [ buildah => 5 ])
        {
            my $pulled = from_the_cache($front, $clients, $client->[0],
                                        $names{$name}, 'nginx.lan',
                                        $client->[1]);
            is_deeply($pulled->{asked}, [], 'no registry was asked');
        }
    }

    # podman asks for a token for the name with the prefix, if at all: the mirror
    # says that it needs none, and Docker Hub that it does

    my $cold = $hosted->image('dockerhub', 'library/cold');
    my $pulled = pull($front, $clients, 'skopeo', 'docker.io/library/cold:1.0');

    is_deeply([ $front->requests ],
              [ 'nginx.lan GET /v2/ 200 -', 'nginx.lan GET '
                . '/v2/docker.io/library/cold/manifests/1.0 401 MISS' ],
              'what is not warmed does not come through a prefix');
    is_deeply($pulled->{connected},
              [ map { "$_:443" } qw( auth.docker.io nginx.lan
                    production.cloudflare.docker.com registry-1.docker.io ) ],
              'the client gets it from Docker Hub itself');
};


client_story 'a private registry by a prefix',
    { 'registry.lan' => 'nginx.lan/registry.lan' }, sub
{
    my ($front, $clients) = @_;

    warm($front, 'private', $hosted->image('private', 'team/tool'));

    # what has no token is not asked for one, and goes to the registry

    pull($front, $clients, 'skopeo', 'registry.lan/team/tool:1.0');
    is_deeply([ $front->requests ],
              [ 'nginx.lan GET /v2/ 200 -', 'nginx.lan GET '
                . '/v2/registry.lan/team/tool/manifests/1.0 401 BYPASS' ],
              'is for nobody');
};


client_story 'names', \%hosts, sub {
    my ($front, $clients) = @_;

    my $image = $hosted->image('ghcr', 'org/app');

    warm($front, 'ghcr', $image);

    for my $client (qw( skopeo buildah )) {
        my $pulled = pull($front, $clients, $client, $names{ghcr});
        is_deeply([ grep { m{/(?:manifests|blobs)/} && !/ 200 HIT$/ }
                    $front->requests ], [], "$client: all from the cache");
        is_deeply($pulled->{connected}, [ 'ghcr.io:443', 'ghcr.nginx.lan:443' ],
                  "$client: and a token of the registry's service");
        is_deeply([ map { m{^(\S+ [^ ?]+)} } @{ $pulled->{asked} } ],
                  [ 'GET /v2/', 'GET /token' ],
                  "$client: which is all that it has sent");
    }

    # what is not warmed is stored when it is pulled through the name

    for my $case ([ skopeo => 'one' ], [ buildah => 'two' ],
                  [ containerd => 'three' ])
    {
        my ($client, $name) = @$case;
        my $cold = $hosted->image('ghcr', "org/$name");
        my $pulled = pull($front, $clients, $client, "ghcr.io/org/$name:1.0");

        is_deeply([ grep { !/nginx\.lan|^ghcr\.io/ } @{ $pulled->{connected} } ],
                  [], "$client: not past the mirror");
        pulled($front, 'ghcr', { %$cold, index => $cold->{tag} },
               host => 'nginx.lan', base => '/ghcr.io');
    }
};


client_story 'a private registry', \%hosts, sub {
    my ($front, $clients) = @_;

    my $name = 'registry.lan/team/app:1.0';
    my $image = $hosted->image('private', 'team/app');
    warm($front, 'private', $image);

    for my $client ([ containerd => (user => $user) ], ['skopeo'], ['buildah'])
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

    isnt($clients->containerd_pull($name, user => 'alice:wrong'), '',
         'with a wrong password there is nothing');
};


done_testing;
