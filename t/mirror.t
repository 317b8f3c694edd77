# One front for several registries: a named location for each, which clients are
# led to by "ns", by the name of the host, or by a prefix of the path. What a job
# has warmed is what each client gets.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;

use DFP::Dns;
use DFP::Image;
use DFP::Process qw( dead_port );
use DFP::Results;
use DFP::Upstream qw( guarded );
use DFP::Warm;

use constant {
    UNKNOWN => '{"errors":[{"code":"NAME_UNKNOWN"}]}',
    ANSWER  => 10,      # s
    CLIENTS => 8,       # at once
};

my $hub = DFP::Upstream->start;
my $ghcr = DFP::Upstream->start;
my $storage = DFP::Upstream->start;
my $dns = DFP::Dns->start(map { $_ => ['127.0.0.1'] }
                          qw( hub.test ghcr.test storage.test ));

my $hub_origin = 'http://hub.test:' . $hub->port;
my $ghcr_origin = 'http://ghcr.test:' . $ghcr->port;

my $map = <<'END';
map $arg_ns $mirror {
    ""         $mirror_host;
    docker.io  @hub;
    ghcr.io    @ghcr;
    default    @unknown;
}

map $host $mirror_host {
    nginx.lan       @hub;
    ghcr.nginx.lan  @ghcr;
    default         @unknown;
}
END


# The front. Lines are those of each registry's location.

sub front
{
    my @lines = @_;

    return <<"END";
resolver 127.0.0.1:${\ $dns->port };
recursive_error_pages on;

location /v2/ {
    error_page 418 = \$mirror;
    return 418;
}

location /v2/dockerhub/ {
    rewrite ^/v2/dockerhub(/.*)\$ /v2\$1;
    error_page 418 = \@hub;
    return 418;
}

location /v2/ghcr/ {
    rewrite ^/v2/ghcr(/.*)\$ /v2\$1;
    error_page 418 = \@ghcr;
    return 418;
}

location \@unknown {
    default_type application/json;
    return 404 '${\ UNKNOWN }';
}

location \@hub {
    dfpreheat_origin $hub_origin;
    @lines
}

location \@ghcr {
    dfpreheat_origin $ghcr_origin;
    @lines
}
END
}

my @resolved = ('proxy_pass $dfpreheat_target;',
                'proxy_cache files;', 'include cache.conf;');


# A request to the byte, sent now; status, headers and body, later.

sub ask
{
    my ($warm, $line, @headers) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $warm->{port})
        or die "no connection: $!";

    syswrite $socket, join "\r\n", "$line HTTP/1.1", 'Connection: close',
                                   @headers, '', '';

    return $socket;
}


sub answer
{
    my $socket = shift;

    local $/;
    my ($head, $body) = split /\r\n\r\n/, <$socket> // '', 2;
    my %headers = map { /^([^:]+): (.*)$/ ? (lc $1 => $2) : () }
                  split /\r\n/, $head;

    return { status => $head =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0, body => $body,
             cache => $headers{'x-cache'} // '-', headers => \%headers };
}


sub request { return answer(ask(@_)) }


# How each way to the front gets a path: cache, status and way.

my %ways = (
    hub  => [
        [ containerd => 'nginx.lan', '/v2/', '?ns=docker.io' ],
        [ 'docker, by its registry-mirrors' => 'nginx.lan:5000', '/v2/', '' ],
        [ 'podman, by a prefix' => 'nginx.lan', '/v2/dockerhub/', '' ],
    ],
    ghcr => [
        [ containerd => 'nginx.lan', '/v2/', '?ns=ghcr.io' ],
        [ 'podman, by a name' => 'ghcr.nginx.lan', '/v2/', '' ],
        [ 'podman, by a prefix' => 'nginx.lan', '/v2/ghcr/', '' ],
    ],
);


sub ways_get
{
    my ($warm, $registry, $expected, @paths) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    for my $way (@{ $ways{$registry} }) {
        my ($who, $host, $base, $query) = @$way;
        my @got;

        for my $path (@paths) {
            my $target = $path =~ s{^/v2/}{$base}r . $query;

            for my $method ('HEAD', 'GET') {
                my $answer = request($warm, "$method $target", "Host: $host");
                push @got, "$answer->{cache} $answer->{status} $method $path";
            }
        }

        is_deeply(\@got, [ map { ("$expected 200 HEAD $_",
                                  "$expected 200 GET $_") } @paths ],
                  "$who: $expected");
    }
}


sub image
{
    my ($upstream, $name) = @_;

    my $image = DFP::Image->new($upstream, $name);
    my $manifest = $image->manifest($image->layer("one of $name"),
                                    $image->layer("two of $name"));

    $image->tag('1.0', $manifest);

    return ($image->by_tag('1.0'), $image->paths($manifest));
}


for my $case ([ 'an upstream whose name is resolved when it is needed',
                front(@resolved) ],
              [ 'an upstream in proxy_pass',
                front(@resolved) =~ s{(\@(hub|ghcr) .*?)\$dfpreheat_target}
                    {"$1http://$2_server"}gser ])
{
    my ($how, $locations) = @$case;
    my $servers = join '', map {
        "upstream $_->[0]_server { server 127.0.0.1:" . $_->[1]->port . '; }'
    } [ hub => $hub ], [ ghcr => $ghcr ];

    warm_story "each client gets what a job has warmed: $how",
        { http => $map . $servers }, $locations, sub
    {
        my $warm = shift;

        my @alike = image($hub, 'library/app');

        image($ghcr, 'library/app');

        for my $warmed ([ $hub_origin => $hub => 'hub', 'library/app' ],
                        [ $ghcr_origin => $ghcr => 'ghcr', 'org/app' ])
        {
            my ($origin, $upstream, $registry, $name) = @$warmed;
            my @paths = image($upstream, $name);
            my ($host) = ($registry eq 'hub' ? $hub_origin : $ghcr_origin)
                         =~ m{//(.*)};

            $upstream->forget_requests;
            my $job = $warm->run('image', url => $origin . $paths[0]);
            is($job->{state}, 'SUCCESS', "a job for $origin")
                or diag(explain($job));
            is_deeply([ sort { $a cmp $b }
                        map { m{^(\S+ \S+)} ? $1 : () } $upstream->requests ],
                      [ sort map { "GET $_" } @paths ],
                      'has fetched each file once');
            is_deeply([ grep { !/^Host: \Q$host\E\r$/m } $upstream->requests ],
                      [], 'under the name of the registry');

            $upstream->forget_requests;
            ways_get($warm, $registry, 'HIT', @paths);
            is_deeply([ $upstream->requests ], [],
                      'the registry is not asked');
        }

        is(request($warm, "GET $alike[0]?ns=ghcr.io", 'Host: nginx.lan')
           ->{cache}, 'MISS', 'the same path of another registry is another file');
    };
}


warm_story 'what is not in the list is not requested from anywhere',
    { http => $map }, front(@resolved), sub
{
    my $warm = shift;

    my ($path) = image($hub, 'library/closed');

    $_->forget_requests for $hub, $ghcr;

    for my $case ([ 'an unknown ns', "$path?ns=evil.test", 'nginx.lan' ],
                  [ 'a name beside the list', "$path?ns=docker.io.evil.test",
                    'nginx.lan' ],
                  [ 'an unknown host', $path, 'evil.test' ])
    {
        my ($which, $target, $host) = @$case;
        my $answer = request($warm, "GET $target", "Host: $host");

        is("$answer->{status} $answer->{body}", '404 ' . UNKNOWN,
           "$which: an error of a registry");
    }

    is_deeply([ map { $_->requests } $hub, $ghcr ], [],
              'no registry is asked');

    my $job = $warm->run('image', url => "http://evil.test$path");
    like(reason($job), qr/dfpreheat_origin/, 'nor for a job');
};


warm_story 'paths and queries of other spellings', { http => $map },
    front(@resolved), sub
{
    my $warm = shift;

    my ($path) = image($hub, 'library/spelled');
    my $other = $path =~ s{spelled}{sp%65lled}r;

    $hub->answers($other, { body => 'what is at the other path' });
    $hub->answers($path =~ s{spelled}{sp%2565lled}r, { body => 'a third' });
    is($warm->run('image', url => $hub_origin . $path)->{state}, 'SUCCESS',
       'a job');

    my @get = map { my $answer = request($warm, "GET $_", 'Host: nginx.lan');
                    "$answer->{cache} $answer->{status}" }
              "$other?ns=docker.io", "$other?ns=docker.io",
              ($path =~ s{/v2/}{/v2/dockerhub/}r =~ s{spelled}{sp%2565lled}r),
              "$path?ns=docker.io&a=b", "$path?a=b&ns=docker.io",
              ($path =~ s{/v2/}{/v2/dockerhub/}r) . '?a=b',
              ($path =~ s{/v2/}{/v2/%64ockerhub/}r);

    is_deeply(\@get, [ 'BYPASS 200', 'BYPASS 200', 'BYPASS 200', 'MISS 200',
                       'HIT 200', 'HIT 200', 'HIT 200' ],
              'what is sent otherwise is another file, or none');
};


warm_story 'blobs elsewhere, with relative and signed redirects',
    { http => $map },
    front(@resolved, 'include follow.conf;')
    . redirects('http://storage.test:' . $storage->port), sub
{
    my $warm = shift;

    my @paths = image($hub, 'library/elsewhere');
    my ($at_registry, $at_storage) = grep { m{/blobs/} } @paths;
    my $storage_url = 'http://storage.test:' . $storage->port;

    $hub->answers('/v2/_stored' . $at_registry,
                  { body => $hub->body($at_registry) });
    $hub->answers($at_registry, { status => 307, headers => [
        Location => "/v2/_stored$at_registry" ] });
    $storage->answers($at_storage, { body => $hub->body($at_storage) });
    $hub->answers($at_storage, { status => 307, headers => [
        Location => "$storage_url$at_storage?X-Signature=abc" ] });

    is($warm->run('image', url => $hub_origin . $paths[0])->{state},
       'SUCCESS', 'a job follows them');
    is_deeply([ map { m{^GET (\S+)} } $storage->requests ],
              [ "$at_storage?X-Signature=abc" ], 'with the signature');

    $_->forget_requests for $hub, $storage;
    ways_get($warm, 'hub', 'HIT', @paths);
    is_deeply([ map { $_->requests } $hub, $storage ], [],
              'nobody is asked again');

    # what no job has warmed: a client's request fills the same entry

    my @cold = image($hub, 'library/cold');
    my $blob = $cold[-1];

    $storage->answers($blob, { body => $hub->body($blob) });
    $hub->answers($blob, { status => 307, headers => [
        Location => "$storage_url$blob?X-Signature=def" ] });

    is_deeply([ map { request($warm, "GET $_", "Host: nginx.lan")->{cache} }
                "$blob?ns=docker.io", $blob,
                $blob =~ s{/v2/}{/v2/dockerhub/}r ],
              [ qw( MISS HIT HIT ) ], 'clients follow them, too');
};


# GHCR's token service has the registry's name, so it is reached through the same
# location.

warm_story 'a token service at the origin of the registry', { http => $map },
    front(@resolved), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($ghcr, 'org/closed', sub { guarded(
        'Bearer right', qq{Bearer realm="$ghcr_origin/token",service="ghcr"},
        @_) });
    my $manifest = $image->manifest($image->layer('a layer'));

    $image->tag('1.0', $manifest);
    $ghcr->answers('/token', { body => '{"token":"right"}', headers => [
        'Content-Type' => 'application/json' ] });
    $ghcr->forget_requests;

    my $job = $warm->run('image', url => $ghcr_origin . $image->by_tag('1.0'));

    is($job->{state}, 'SUCCESS', 'a job gets its token') or diag(reason($job));
    is(scalar($ghcr->requests('/token')), 1, 'from there');

    my $answer = request($warm, 'GET /v2/org/other/manifests/1?ns=ghcr.io',
                         'Host: nginx.lan');
    is($answer->{status}, 404, 'another image is the registry\'s affair');
    ways_get($warm, 'ghcr', 'HIT', $image->by_tag('1.0'),
             $image->paths($manifest));

    $ghcr->answers('/v2/org/cold/manifests/1', guarded('Bearer right',
        qq{Bearer realm="$ghcr_origin/token",scope="repository:org/cold:pull"}));
    $answer = request($warm, 'HEAD /v2/org/cold/manifests/1?ns=ghcr.io',
                      'Host: nginx.lan');
    is("$answer->{status} $answer->{headers}{'www-authenticate'}",
       qq{401 Bearer realm="$ghcr_origin/token",}
       . 'scope="repository:org/cold:pull"',
       'a client without a token is told where to get one');

    $warm->{servers}->stop_all;
    my @stored = split /\n/, `grep -rl right $warm->{servers}{dir}/cache`;
    is_deeply(\@stored, [], 'no token is stored');
};


warm_story 'private images', { http => $map },
    front(@resolved, 'dfpreheat_access on;'), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($ghcr, 'org/private', sub { guarded(
        'Authorization: Basic cmlnaHQ=' =~ s/^\S+ //r, 'Basic realm="ghcr"',
        @_) });
    my $manifest = $image->manifest($image->layer('a private layer'));

    $image->tag('1.0', $manifest);
    my @paths = ($image->by_tag('1.0'), $image->paths($manifest));
    my $job = $warm->run('image', url => $ghcr_origin . $paths[0],
                         headers => { Authorization => 'Basic cmlnaHQ=' });

    is($job->{state}, 'SUCCESS', 'a job that may have them')
        or diag(reason($job));

    for my $target (map { ("$paths[$_]?ns=ghcr.io",
                           $paths[$_] =~ s{/v2/}{/v2/ghcr/}r) } 0 .. $#paths)
    {
        my @get = map { my $answer = request($warm, "GET $target",
                                             'Host: nginx.lan', @$_);
                        "$answer->{status} $answer->{cache}" }
                  [], ['Authorization: Basic d3Jvbmc='],
                  ['Authorization: Basic cmlnaHQ='];

        is_deeply(\@get, [ '401 BYPASS', '401 BYPASS', '200 HIT' ],
                  "who may have them gets them: $target");
    }
};


# Origins whose location has a proxy_pass of its own, as in docs/mirrors.md.

warm_story 'all names of Docker Hub are one registry', {
    http => $map . 'dfpreheat_insecure_skip_verify on;' },
    front("proxy_pass http://127.0.0.1:${\ $hub->port };",
          'proxy_cache files;', 'include cache.conf;')
    =~ s{\Q$hub_origin}{https://registry-1.docker.io}r, sub
{
    my $warm = shift;

    my ($path, @paths) = image($hub, 'library/names');

    $hub->forget_requests;

    for my $name (qw( registry-1.docker.io index.docker.io docker.io )) {
        my $job = $warm->run('image', url => "https://$name$path");
        is($job->{state}, 'SUCCESS', $name) or diag(reason($job));
    }

    for my $reference (qw( names:1.0 docker.io/library/names:1.0 )) {
        is($warm->run('image', url => $reference)->{state}, 'SUCCESS',
           $reference);
    }

    is_deeply([ sort map { m{^(\S+ \S+)} ? $1 : () } $hub->requests ],
              [ sort map({ "GET $_" } @paths), ("GET $path") x 5 ],
              'each has warmed the same files');
    is_deeply([ grep { !/^Host: registry-1\.docker\.io\r$/m } $hub->requests ],
              [], 'under the name that is bound');
    ways_get($warm, 'hub', 'HIT', $path, @paths);
};


warm_story 'what the API says about it', { http => $map }, front(@resolved), sub
{
    my $warm = shift;

    my @paths = image($hub, 'library/told');

    $warm->run('image', url => $hub_origin . $paths[0]);

    my $path = '/oapi/v1/cache?url='
               . "$hub_origin$paths[0]" =~ s/([:\/])/sprintf '%%%02X', ord $1/ger;
    my $client = $warm->{servers}->client;
    my @layers = map { $_->{url} =~ s/^\Q$hub_origin\E//r }
                 map { @{ $_->{cached_layers} } }
                 @{ $client->get($path)->{json}{peers} };

    is_deeply([ sort @layers ], [ sort @paths ], 'where it is');
    $client->start('DELETE', $path);
    is($client->finish(ANSWER)->{status}, 200, 'it is removed');
    is(request($warm, "GET $paths[-1]?ns=docker.io", 'Host: nginx.lan')
       ->{cache}, 'MISS', 'and clients do not get it from the cache then');
};


warm_story 'a tag that has expired', { http => $map }, front(@resolved), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($hub, 'library/moving');
    my $manifest = $image->manifest($image->layer('a layer'));
    my $path = $image->by_tag('1.0');

    $image->publish($path, $manifest);
    is($warm->run('image', url => $hub_origin . $path)->{state}, 'SUCCESS',
       'a job');

    for my $target ("$path?ns=docker.io", $path =~ s{/v2/}{/v2/dockerhub/}r) {
        $warm->expire($path);
        $hub->forget_requests;

        my @get = map { my $answer = request($warm, "GET $target",
                                             'Host: nginx.lan');
                        "$answer->{status} $answer->{cache}" } 1, 2;

        is_deeply(\@get, [ '200 REVALIDATED', '200 HIT' ],
                  "$target: is the same");
        is_deeply([ map { /^If-None-Match: /m ? 'If-None-Match' : $_ }
                    $hub->requests ], ['If-None-Match'],
                  'the registry was asked once whether it is');
    }
};


# Names are resolved when an upstream is needed, and not for what is cached. The
# stories begin with a job, and go on with a name server that is down, or that does
# not know the name any more.

my %no_names = (
    'no name server' => {
        resolver => sub { (dead_port())[0] },
        error => 'could not be resolved (110: Operation timed out)' },
    'a name server that does not know the registry' => {
        resolver => sub { DFP::Dns->start->port },
        error => 'could not be resolved (3: Host not found)' },
);


sub without_names
{
    my ($warm, $which) = @_;

    my $servers = $warm->{servers};
    my $port = $no_names{$which}{resolver}->();

    $servers->nginx_configure(http => $servers->{http}
                                      =~ s/(resolver 127\.0\.0\.1):\d+/$1:$port/r);
    $servers->nginx_reload;
    $warm->another_client;
}


sub answered
{
    my ($warm, $path, @headers) = @_;

    my $answer = request($warm, "GET $path", 'Host: nginx.lan', @headers);

    return "$answer->{status} $answer->{cache}";
}


for my $which (sort keys %no_names) {

    warm_story $which, { http => $map },
        front(@resolved, 'resolver_timeout 200ms;'), sub
    {
        my $warm = shift;

        my @paths = image($hub, 'library/unnamed');
        my $other = $paths[0] =~ s{/1\.0\z}{/2.0}r;

        is($warm->run('image', url => $hub_origin . $paths[0])->{state},
           'SUCCESS', 'a job');
        without_names($warm, $which);
        ways_get($warm, 'hub', 'HIT', @paths);

        $warm->expire($paths[0]);
        $hub->forget_requests;

        # some leave while the name is looked up

        my @sockets = map { ask($warm, "GET $paths[0]?ns=docker.io",
                                'Host: nginx.lan') } 1 .. 2 * CLIENTS;

        close $_ for splice @sockets, 0, CLIENTS;

        is_deeply([ map { answer($_)->{cache} } @sockets ],
                  [ ('STALE') x CLIENTS ],
                  'clients get a tag that has expired, also several at once');
        ways_get($warm, 'hub', 'STALE', $paths[0]);
        is(answered($warm, "$other?ns=docker.io"), '502 MISS',
           'what is not cached is an error');

        is(answered($warm, '/v2/?ns=docker.io'), '200 -',
           'a client that begins with GET /v2/ may go on');

        my $job = $warm->run('image', url => $hub_origin . $paths[0]);

        is($job->{state}, 'FAILURE', 'a job has no stale copy');
        is(reason($job), 'the origin could not be reached: hub.test '
                         . "$no_names{$which}{error} (4 tries)",
           'and says why');
        is_deeply([ $hub->requests ], [], 'the registry could not be asked');
    };
}


warm_story 'no name server, and no stale copies', { http => $map },
    front(@resolved, 'resolver_timeout 200ms;', 'proxy_cache_use_stale off;')
    =~ s{include cache\.conf;}{}gr
    =~ s{(resolver_timeout)}{proxy_cache_key \$dfpreheat_cache_key;
                             proxy_cache_valid 200 1h; $1}gr, sub
{
    my $warm = shift;

    my ($path) = image($hub, 'library/never-stale');

    answered($warm, "$path?ns=docker.io");
    without_names($warm, 'no name server');
    $warm->expire($path);
    is(answered($warm, "$path?ns=docker.io"), '502 EXPIRED',
       'a tag that has expired is an error');
};


warm_story 'no name server, and private images', { http => $map },
    front(@resolved, 'resolver_timeout 200ms;', 'dfpreheat_access on;'), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($ghcr, 'org/unnamed', sub {
        guarded('Basic cmlnaHQ=', 'Basic realm="ghcr"', @_) });
    my $manifest = $image->manifest($image->layer('a private layer'));
    my $path = $image->by_tag('1.0');
    my @right = 'Authorization: Basic cmlnaHQ=';

    $image->tag('1.0', $manifest);

    is(answered($warm, "$path?ns=ghcr.io", @right), '200 MISS',
       'who may have one gets it');
    without_names($warm, 'no name server');
    $warm->expire($path);

    is_deeply([ map { answered($warm, "$path?ns=ghcr.io", @$_) }
                [], ['Authorization: Basic d3Jvbmc='], \@right ],
              [ '502 -', '502 -', '200 STALE' ],
              'and later, too; nobody else does, when nobody can be asked');
};

done_testing;
