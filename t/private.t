# Private images behind a shared cache: who may not have one does not get it from
# there, either.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find;
use IO::Socket::INET;
use Test::More;

use DFP::Image;
use DFP::Process qw( free_port dead_port );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    OTHER    => 'http://other.test',
    RIGHT    => 'Bearer right',
};

my $upstream = DFP::Upstream->start;
my $other = DFP::Upstream->start;
my $cdn = DFP::Upstream->start;
my $cdn_url = 'http://127.0.0.1:' . $cdn->port;

my @caching = ('proxy_cache files;', 'include cache.conf;');
my $locations = location('/v2/', REGISTRY, $upstream->port,
                         'dfpreheat_access on;', @caching);


# Behind one location, and where redirects may lead.

sub following
{
    my @redirects = @_;

    return location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;',
                    @caching, 'include follow.conf;')
           . redirects(@redirects);
}


# What only this Authorization gets; the others get the refusal.

sub guarded
{
    my ($authorization, $refusal, %answer) = @_;

    $refusal //= { status => 401, headers => [
        'WWW-Authenticate' => 'Bearer realm="http://auth.test/",'
                              . 'scope="repository:team/app:pull"',
        'X-Registry' => 'says no' ], body => '{"errors":["no"]}' };

    return { %answer, wants => "Authorization: $authorization",
             refusal => $refusal };
}


# A warm image of a repository: its paths.

sub warmed
{
    my ($warm, $name, %options) = @_;

    my $registry = $options{upstream} // $upstream;
    my $image = DFP::Image->new($registry, $name, sub {
        guarded(RIGHT, $options{refusal}, @_) });
    my $manifest = $image->manifest($image->layer("one of $name"));

    $image->tag('1', $manifest);

    my $job = $warm->run('image', headers => { Authorization => RIGHT },
                         url => ($options{origin} // REGISTRY)
                                . $image->by_tag('1'));
    is($job->{state}, 'SUCCESS', "$name is warmed");
    $registry->forget_requests;

    return ($image->by_tag('1'), $image->paths($manifest));
}


# Another answer of a blob or manifest that is in the cache.

sub now
{
    my ($path, @answers) = @_;

    $upstream->answers($path, map { +{ body => 'x', %$_ } } @answers);
}


sub answer
{
    my ($warm, $path, %headers) = @_;

    my $method = delete $headers{method} // 'GET';
    my $port = delete $headers{port} // $warm->{port};

    return $warm->{http}->request($method, "http://127.0.0.1:$port$path",
                                  { headers => \%headers });
}


sub pulled
{
    my ($warm, $path, $authorization, %more) = @_;

    my $answer = answer($warm, $path, %more, defined $authorization
                        ? (Authorization => $authorization) : ());

    return "$answer->{status} " . ($answer->{headers}{'x-cache'} // '-');
}


sub questions { grep { /^HEAD/ } $upstream->requests }


warm_story 'a private image that is in the cache', {}, $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'team/app');

    is_deeply([ map { pulled($warm, $_) } @paths ],
              [ ('401 BYPASS') x @paths ], 'is not given to anybody');
    is_deeply([ map { pulled($warm, $_, 'Bearer wrong') } @paths ],
              [ ('401 BYPASS') x @paths ], 'nor to somebody else');

    $upstream->forget_requests;
    is_deeply([ map { pulled($warm, $_, RIGHT) } @paths ],
              [ ('200 HIT') x @paths ], 'but to who has the right');
    is(scalar questions(), 1, 'the registry was asked once for all of it');
    is(scalar(grep { /^GET/ } $upstream->requests), 0, 'and for no bytes');

    is_deeply([ map { pulled($warm, $_) } @paths ],
              [ ('401 BYPASS') x @paths ], 'and to nobody else then');
    is(pulled($warm, $paths[2], RIGHT, method => 'HEAD'), '200 HIT',
       'HEAD is answered from the cache');
    is(pulled($warm, $paths[2], RIGHT, Range => 'bytes=0-2'), '206 HIT',
       'so is a range');
    is(pulled($warm, $paths[2], undef, Range => 'bytes=0-2'), '401 BYPASS',
       'which needs the right, too');
};


warm_story 'a refusal is the registry\'s own', {}, $locations, sub
{
    my $warm = shift;

    my %refusals = (
        401 => [ 'WWW-Authenticate' => 'Bearer realm="http://auth.test/"' ],
        403 => [ 'X-Reason' => 'denied' ],
        404 => [ 'X-Reason' => 'there is no such thing' ],
        400 => [ 'X-Reason' => 'bad' ],
        302 => [ Location => '/users/sign_in' ],
        307 => [ Location => "$cdn_url/login" ],
    );

    for my $status (sort keys %refusals) {
        my @paths = warmed($warm, "no/$status", refusal => {
            status => $status, headers => $refusals{$status},
            body => "the words of $status" });

        for my $path (@paths) {
            my $answer = answer($warm, $path);
            my ($name, $value) = @{ $refusals{$status} };

            is("$answer->{status} $answer->{content}",
               "$status the words of $status", "$status $path: as it is");
            is($answer->{headers}{ lc $name }, $value, 'with its headers');
        }

        is(pulled($warm, $paths[0], RIGHT), '200 HIT',
           "$status: who has the right gets it");
        is(pulled($warm, $paths[1], 'Bearer wrong'), "$status BYPASS",
           "$status: nobody else");
    }
};


warm_story 'a registry in trouble', {}, $locations, sub
{
    my $warm = shift;

    for my $status (429, 500, 502, 503, 504, 599) {
        my @paths = warmed($warm, "busy/$status");

        now($_, { status => $status, headers => [ 'Retry-After' => 17 ] })
            for @paths;

        my $answer = answer($warm, $paths[0], Authorization => RIGHT);

        is($answer->{status}, $status, "$status: is passed on");
        is($answer->{headers}{'retry-after'}, 17, "$status: with its pause");
        is(scalar $upstream->requests, 1, "$status: it was asked once");
    }
};


{
    my ($nobody, $held) = dead_port();

    warm_story 'a registry that cannot be reached', {},
        location('/v2/', REGISTRY, $upstream->port, @caching,
                 'proxy_connect_timeout 1s;')
        . location('/v2/down/', 'http://down.test', $nobody,
                   'dfpreheat_access on;', @caching)
        . location('/v2/mute/', 'http://mute.test', mute()->sockport,
                   'dfpreheat_access on;', 'proxy_read_timeout 300ms;',
                   @caching),
        sub
    {
        my $warm = shift;

        is(pulled($warm, '/v2/down/manifests/1'), '502 -', 'is no yes');
        is(pulled($warm, '/v2/mute/manifests/1'), '504 -',
           'nor is one that says nothing');
        is(pulled($warm, '/v2/down/manifests/1', RIGHT), '502 -',
           'whoever asks');
    };
}


# It takes connections, and says nothing.

sub mute
{
    our $mute //= IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1')
        or die "no port: $!";

    return $mute;
}


warm_story 'a registry that does not answer HEAD', {}, $locations, sub
{
    my $warm = shift;

    for my $status (405, 501) {
        my @paths = warmed($warm, "headless/$status");

        # HEAD, and GET of one byte

        now($paths[0], { status => $status },
                       { status => 206, body => '{',
                         headers => [ 'Content-Range' => 'bytes 0-0/9' ] });

        is(pulled($warm, $paths[0], RIGHT), '200 HIT', "$status: is asked by "
           . 'GET');

        my @requests = $upstream->requests;
        is_deeply([ map { /^(\w+)/ } @requests ], [qw( HEAD GET )],
                  "$status: after that");
        like($requests[1], qr/^Range: bytes=0-0\r$/m, "$status: for one byte");
        is(pulled($warm, $paths[2], RIGHT), '200 HIT',
           "$status: and the answer counts");

        now($paths[0], { status => $status }, { status => 401 });
        is(pulled($warm, $paths[0], 'Bearer wrong'), '401 BYPASS',
           "$status: also where it is no");
    }

    # one that does not know Range sends all of it

    my @paths = warmed($warm, 'headless/whole');
    now($paths[2], { status => 405 }, { times => 50_000_000 });

    is(pulled($warm, $paths[2], RIGHT), '200 HIT', 'a large body is not read');
};


warm_story 'another repository is another question', {}, $locations, sub
{
    my $warm = shift;

    my @mine = warmed($warm, 'mine');
    my @yours = warmed($warm, 'yours');

    is(pulled($warm, $mine[0], RIGHT), '200 HIT', 'one is allowed');

    now($_, { status => 403 }) for @yours;
    is(pulled($warm, $yours[0], RIGHT), '403 BYPASS', 'the other is not');

    for my $path ('/v2/mine/../yours/manifests/1',
                  '/v2/mine/manifests/../../yours/manifests/1',
                  '/v2//yours/manifests/1', '/v2/your%73/manifests/1',
                  '/v2/mine/%2e%2e/yours/manifests/1', '//v2/yours/manifests/1')
    {
        unlike(pulled($warm, $path, RIGHT), qr/200|HIT/, "nor by $path");
    }
};


warm_story 'a yes for a blob', {}, $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'parts');

    now($paths[0], { status => 404 });
    is(pulled($warm, $paths[2], RIGHT), '200 HIT', 'is one');
    is(pulled($warm, $paths[0], RIGHT), '404 BYPASS', 'and not for a manifest');
    is(pulled($warm, $paths[3] // $paths[1], RIGHT), '200 HIT',
       'which has its own');
};


warm_story 'what a client shows besides Authorization', {}, $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'other/ways');

    for my $line ('Cookie: session=mine', 'X-JFrog-Art-Api: mine') {
        my ($name, $value) = split /: /, $line;

        now($_, { wants => $line, refusal => { status => 401 } }) for @paths;

        is(pulled($warm, $paths[0], undef, $name => $value), '200 HIT',
           "$name: opens it");
        is(pulled($warm, $paths[0], undef, $name => 'yours'), '401 BYPASS',
           "$name: for that client only");
        is(pulled($warm, $paths[0]), '401 BYPASS', "$name: and no other");
    }
};


my $second = free_port();

warm_story 'two registries with one repository', { http =>
    "server {\nlisten 127.0.0.1:$second;\n"
    . "add_header X-Cache \$upstream_cache_status always;\n"
    . location('/v2/', OTHER, $other->port, 'dfpreheat_access on;', @caching)
    . "location /rewritten/ { rewrite ^/rewritten(.*) \$1 last; }\n}\n" },
    $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'team/app');
    my @there = (port => $second);

    warmed($warm, 'team/app', upstream => $other, origin => OTHER);

    # the first one gives it to everybody

    now($_, {}) for @paths;

    is(pulled($warm, $paths[0]), '200 HIT', 'a yes of one');
    is(pulled($warm, $paths[0], undef, @there), '401 BYPASS',
       'is none of the other');
    is(pulled($warm, $paths[0], RIGHT, @there), '200 HIT', 'which decides');
    is(pulled($warm, "/rewritten$paths[0]", undef, @there), '401 BYPASS',
       'also where a rewrite leads there');
};


warm_story 'blobs that are elsewhere', {}, following($cdn_url), sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'elsewhere');
    my $moved = sub { guarded(RIGHT, { status => 401 }, status => 307,
                              headers => [ Location => $_[0] ]) };

    $cdn->answers($_, { body => 'the blob' }) for @paths, '/login';

    $upstream->answers($paths[0], $moved->("$cdn_url$paths[0]"));
    is(pulled($warm, $paths[0], RIGHT), '200 BYPASS',
       'a redirect of a manifest is no yes');
    $upstream->answers($paths[2], $moved->('/login'));
    isnt(pulled($warm, $paths[2], RIGHT), '200 HIT',
         'nor one to the registry itself');
    $upstream->answers($paths[2], $moved->('http://nobody.test/'));
    is(pulled($warm, $paths[2], RIGHT), '502 BYPASS',
       'nor one to who is not named');
    is(pulled($warm, $paths[1], RIGHT), '200 HIT',
       'none of these is remembered as a no');

    my @more = warmed($warm, 'elsewhere/too');
    $cdn->answers($_, { body => 'from there' }) for @more;
    $upstream->answers($_, $moved->("$cdn_url$_")) for @more;
    is(pulled($warm, $more[2], RIGHT), '200 HIT',
       'of a blob it is one, to who is named');
    is(pulled($warm, $more[2]), '401 BYPASS', 'for that client');
    is(pulled($warm, $more[0], RIGHT), '200 BYPASS',
       'and opens no manifest');

    # a client that comes first

    my $image = DFP::Image->new($upstream, 'first');
    my $layer = $image->layer('new');
    my $path = $image->path($layer);
    $upstream->answers($path, $moved->("$cdn_url$path"));
    $cdn->answers($path, { body => 'new' });

    is_deeply([ map { pulled($warm, $path, @$_) } [ RIGHT ], [ RIGHT ], [] ],
              [ '200 MISS', '200 HIT', '401 BYPASS' ], 'fills the cache');
};


warm_story 'blobs that repositories share', {},
    location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;',
             'dfpreheat_share_blobs on;', @caching), sub
{
    my $warm = shift;

    my @mine = warmed($warm, 'sharing/mine');
    my @yours = warmed($warm, 'sharing/yours');
    my ($digest) = $yours[2] =~ m{([^/]+)\z};

    is(pulled($warm, $mine[0], RIGHT), '200 HIT', 'who may pull one');
    is(pulled($warm, $mine[2], RIGHT), '200 HIT', 'and a blob of it');
    is(pulled($warm, "/v2/sharing/mine/blobs/$digest", RIGHT), '404 BYPASS',
       'does not get the blob of another by its name');
};


warm_story 'who else decides', {},
    location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;',
             'satisfy any;', 'allow 127.0.0.1;', 'deny all;', @caching)
    . location('/v2/closed/', REGISTRY, $upstream->port, 'deny all;',
               'dfpreheat_access on;', @caching)
    . location('/v2/nested/', REGISTRY, $upstream->port,
               'dfpreheat_access on;', @caching, 'location ~ nested/app {',
               'dfpreheat_origin ' . REGISTRY . ';',
               'proxy_pass http://127.0.0.1:' . $upstream->port . ';', '}')
    . "location /page { ssi on; ssi_types *; return 200 "
      . "'<!--# include virtual=\"/v2/team/app/manifests/1\" -->'; }\n", sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'team/app');

    is(pulled($warm, $paths[0]), '401 BYPASS',
       '"satisfy any" does not open an image');
    is(pulled($warm, $paths[0], RIGHT), '200 HIT', 'the registry does');

    my @nested = warmed($warm, 'nested/app');
    is(pulled($warm, $nested[0]), '401 BYPASS',
       'a location below it is protected, too');

    $upstream->forget_requests;
    is(pulled($warm, '/v2/closed/manifests/1', RIGHT), '403 -',
       'who is refused by nginx');
    is(scalar $upstream->requests, 0, 'is no question');

    my $page = answer($warm, '/page')->{content};
    unlike($page, qr/schemaVersion/, 'a page that includes it has nothing');
    like(answer($warm, '/page', Authorization => RIGHT)->{content},
         qr/schemaVersion/, 'but for who has the right');
};


warm_story 'a yes ends', { workers => 1 }, $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'limited');

    is(pulled($warm, $paths[0], RIGHT), '200 HIT', 'there was one');

    # without it in the zone: a new one, as after a restart

    $warm->{servers}->nginx_end('TERM');
    now($_, { status => 403 }) for @paths;
    $warm->{servers}->nginx_start;
    is(pulled($warm, $paths[0], RIGHT), '403 BYPASS', 'and is asked for again');
};


warm_story 'clients that leave while the registry thinks', { workers => 1 },
           $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'slow');
    now($paths[0], map { { after => 0.3 * ($_ % 2) } } 1 .. 200);

    for (1 .. 60) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                           PeerPort => $warm->{port})
            or die "no connection: $!";

        # two in a row, and a reset

        print {$socket} "GET $paths[0] HTTP/1.1\r\nHost: x\r\n\r\n" x 2;
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
        select undef, undef, undef, 0.01 if $_ % 3 == 0;
        close $socket;
    }

    now($paths[0], {});
    is(pulled($warm, $paths[0], RIGHT), '200 HIT', 'leave nothing behind');

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $warm->{port});
    print {$socket} "GET $paths[2] HTTP/1.1\r\nHost: x\r\n"
                    . "Authorization: @{[RIGHT]}\r\n$_\r\n"
        for '', '', "Connection: close\r\n";
    my $all = do { local $/; <$socket> };
    is(scalar(() = $all =~ m{HTTP/1.1 200 }g), 3, 'who stays gets answers');
};


my $h2 = free_port();

warm_story 'over HTTP/2', { workers => 1 }, "listen 127.0.0.1:$h2 http2;\n"
                                            . $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'two');

    my $curl = sub {
        my ($seconds, @options) = @_;

        open my $out, '-|', 'curl', '-s', '--http2-prior-knowledge', '-m',
             $seconds, '-o', '/dev/null', '-w', '%{http_code} %{http_version} ',
             @options or die "curl: $!";
        local $/;

        return <$out> // '';
    };

    my $get = sub {
        my @options = @_;

        return join '', map { $curl->(@options, "http://127.0.0.1:$h2$_") }
                        @paths;
    };

    is($get->(5, '-H', 'Authorization: ' . RIGHT), '200 2 ' x @paths,
       'who has the right gets it');
    is($get->(5), '401 2 ' x @paths, 'and nobody else');

    now($_, { after => 0.5 }) for @paths;
    $get->(0.1, '-H', 'Authorization: Bearer ' . $_) for 1 .. 5;
    now($_, { status => 403 }) for @paths;
    is($get->(5), '403 2 ' x @paths, 'who leaves, leaves nothing behind');
};


warm_story 'credentials on disk', {}, $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'disk');
    my $found = '';

    pulled($warm, $_, 'Bearer right-and-secret') for @paths;
    pulled($warm, $_, RIGHT) for @paths;

    find(sub {
        return if !-f;
        open my $file, '<:raw', $_ or return;
        local $/;
        $found .= "$File::Find::name\n"
            if <$file> =~ /right-and-secret|Bearer right/;
    }, map { "$warm->{servers}{dir}/$_" } qw( cache temp ));

    is($found, '', 'there are none');
};

done_testing();
