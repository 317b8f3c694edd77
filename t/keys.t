# What shares an entry of the cache: requests that nginx sends alike, and no
# others. Each of the paths below is another resource to its origin.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IO::Socket::INET;

use DFP::Upstream;
use DFP::Warm;

use constant FILES => 'http://files.test';

# what a job may ask for, too
my @alike = qw( /files/a/b /files/a%2Fb /files//a/b /files/a+b /files/a%2Bb
                /files/%61/b /files/a%20b /files/a|b /files/a%7Cb
                /files/a%2fb /files/a;b /files/a%3Bb /files/a%3Fb
                /files/a%23b );

# what only a client sends
my @odd = ('/files/x/../a/b', '/files/./a/b', '/files/x/%2E%2E/a/b',
           '/files/a%5Cb', '/files/a%252Fb', "/files/\xc3\xa9",
           '/files/%C3%A9', '/files/a"b', '/files/a%22b');

my @queries = ('/files/q', '/files/q?', '/files/q?a', '/files/q?a&',
               '/files/q?&a', '/files/q?a&&b', '/files/q?a&b', '/files/q?b&a',
               '/files/q?NS=1', '/files/q?n%73=1', '/files/q?ns', '/files/q?xns=1',
               '/files/q?token=1', '/files/q?token=2', '/files/q?token=***',
               '/files/q;token=1', '/files/q;token=2');

my $upstream = DFP::Upstream->start;
my $port = $upstream->port;


# What the origin was asked for, to the byte.

sub asked
{
    return map { m{^\w+ (\S+)} ? $1 : () } $upstream->requests;
}


# A request that no library has changed: the body, and X-Cache.

sub pull
{
    my ($warm, $target, @headers) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $warm->{port})
        or die "no connection: $!";

    print {$socket} join "\r\n", "GET $target HTTP/1.0", @headers, '', '';
    local $/;
    my ($head, $body) = split /\r\n\r\n/, <$socket> // '', 2;

    return ($body, $head =~ /^X-Cache: (\S+)/m ? $1 : '-');
}

sub body { (pull(@_))[0] }

sub cached
{
    my ($warm, @paths) = @_;

    return [ map { (pull($warm, $_))[1] . " $_" } @paths ];
}

sub each_has_its_own
{
    my ($name, $warm, $from, @paths) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply([ map { body($warm, $_) } @paths ],
              [ map { 'what is in ' . $from->($_) } @paths ], $name);
}

sub same { $_[0] }


my $locations = location('/files/', FILES, $port);

warm_story 'a client gets what it asked for, whatever others ask for', {},
    $locations, sub
{
    my $warm = shift;

    $upstream->answers($_, { body => "what is in $_" }) for @alike, @odd;

    each_has_its_own('each from the origin', $warm, \&same, @alike, @odd);
    each_has_its_own('and once more', $warm, \&same, @alike, @odd);
    is_deeply(cached($warm, @alike, @odd),
              [ map { "HIT $_" } @alike, @odd ], 'from the cache');
};


warm_story 'a job warms what its URL says, to the byte', {}, $locations, sub {
    my $warm = shift;

    $upstream->answers($_, { body => "what is in $_" }) for @alike;

    for my $path (@alike) {
        $upstream->forget_requests;
        my $job = $warm->run('file', url => FILES . $path);

        is($job->{state}, 'SUCCESS', "$path: SUCCESS");
        is_deeply([ asked() ], [ $path ], 'the origin is asked for that');
        is_deeply(cached($warm, $path), [ "HIT $path" ],
                  'a client gets it from the cache');
    }

    each_has_its_own('each has its own', $warm, \&same, @alike);
};


# As people write it: what clients make of it, and the job with them.

my %written = (
    '/files/a model (1).bin'          => '/files/a%20model%20(1).bin',
    "/files/gr\x{f6}\x{df}e/\x{6a21}\x{578b}.bin"
        => '/files/gr%C3%B6%C3%9Fe/%E6%A8%A1%E5%9E%8B.bin',
    '/files/a+b%2Fc%20d'              => '/files/a+b%2Fc%20d',
    "/files/query?name=a b&m=\x{e9}+"  => '/files/query?name=a%20b&m=%C3%A9+',
    '/files/long?' . 'q=0123456789&' x 240 => '/files/long?' . 'q=0123456789&' x 240,
);

warm_story 'names with blanks, letters of all kinds, and long queries', {}, $locations,
    sub
{
    my $warm = shift;

    for my $path (sort keys %written) {
        my $sent = $written{$path};
        my $name = substr $sent, 0, 40;

        $upstream->answers($sent =~ s/\?.*//r, { body => 'written' });
        $upstream->forget_requests;

        my $job = $warm->run('file', url => FILES . $path);

        is($job->{state}, 'SUCCESS', "$name: a job");
        is($job->{args}{url}, FILES . $sent, 'shows it as it is sent');
        is_deeply([ asked() ], [ $sent ], 'to the origin');
        is_deeply(cached($warm, $sent), [ "HIT $sent" ], 'a client gets a HIT');
    }
};


warm_story 'queries', {}, $locations, sub {
    my $warm = shift;

    $upstream->answers('/files/q', { body => 'query' });
    $upstream->answers($_, { body => $_ }) for '/files/q;token=1',
                                               '/files/q;token=2';

    is_deeply(cached($warm, @queries), [ map { "MISS $_" } @queries ],
              'each is another request');
    is_deeply(cached($warm, @queries), [ map { "HIT $_" } @queries ],
              'and is stored');

    my @named = ('/files/q?ns=docker.io', '/files/q?a&ns=x', '/files/q?ns=x&a',
                 '/files/q?ns=1&ns=2', '/files/q?a&ns=&b');
    is_deeply(cached($warm, @named), [ map { "HIT $_" } @named ],
              'but for the ns of containerd');

    my @fragments = ('/files/q#1', '/files/q#2', '/files/q#?ns=1',
                     '/files/q?ns=1#2');
    is_deeply(cached($warm, @fragments), [ map { "MISS $_" } @fragments ],
              'what a fragment is to the origin nobody knows');
};


# The location of a path that serves the origin of a name from an upstream.

sub passes
{
    my ($path, $name, $pass, @lines) = @_;

    return join "\n", "location $path {",
                      defined $name ? "dfpreheat_origin http://$name.test;" : (),
                      @lines, "proxy_pass http://$pass;", 'proxy_cache files;',
                      'include cache.conf;', '}', '';
}


# One location for each way in which nginx sends something else than it got.

my $to = "127.0.0.1:$port";
my $sending = join '',
    passes('/uri/', 'uri', "$to/files/"),
    passes('/exact', 'exact', "$to/files/exact"),
    passes('/rewritten/', 'rewritten', $to,
           'rewrite ^/rewritten/(.*) /files/$1 break;'),
    passes('/captured/', 'captured', $to,
           'rewrite ^/captured/(.*) /files/captured?name=$1 break;'),
    passes('/variable/', 'variable', '$to', "set \$to $to;"),
    passes('/whole/', 'whole', '$to/files$request_uri', "set \$to $to;"),
    passes('/args/', 'args', $to, 'set $args tag=$arg_tag;');

warm_story 'what nginx sends in the place of what it got', {}, $sending, sub {
    my $warm = shift;

    my $tags = 0;
    my @prefixes = map { "/$_" } qw( uri exact rewritten captured variable
                                  whole args );

    for my $path (map { my $prefix = $_; map { s{^/files}{$prefix}r } @alike }
                  @prefixes)
    {
        my ($name) = $path =~ m{^/(\w+)};
        my $tag = 'tag=' . ++$tags;
        my $url = "http://$name.test$path?$tag";

        # the first time only to see what is sent

        $upstream->forget_requests;
        $warm->run('file', url => $url);
        my ($by_job) = asked();

        $upstream->answers($by_job =~ s/\?.*//r, {});
        is($warm->run('file', url => $url)->{state}, 'SUCCESS', $path);

        is_deeply(cached($warm, "$path?$tag"), [ "HIT $path?$tag" ],
                  'a client gets that from the cache');

        # one that is not there yet

        $upstream->forget_requests;
        pull($warm, "$path?$tag.");

        is_deeply([ asked() ], [ "$by_job." ],
                  'and it would have been sent the same');
    }
};


my $second = DFP::Upstream->start;
my $second_port = $second->port;

my $by_header = 'set $to 127.0.0.1:$http_x_port;';
my $shared = join '',
    passes('/chosen/', 'chosen', '$to', $by_header),
    passes('/if/', 'if', $to, "if (\$http_x_port = $second_port) {",
           "proxy_pass http://127.0.0.1:$second_port;", '}'),
    passes('/unbound/', undef, '$to', $by_header),
    passes('/mirror/', 'mirror', "$to/files/"),
    passes('/files/', 'mirror', "127.0.0.1:$second_port");

warm_story 'what one upstream has is not given out for what another has', {},
    $shared, sub
{
    my $warm = shift;

    my @paths = qw( /chosen/a /if/a /unbound/a );

    for my $path (@paths, '/files/a') {
        $upstream->answers($path, { body => "first $path" });
        $second->answers($path, { body => "second $path" });
    }

    for my $path (@paths) {
        for (1, 2) {
            is(body($warm, $path, "X-Port: $port"), "first $path",
               "$path of the first");
            is(body($warm, $path, "X-Port: $second_port"), "second $path",
               "$path of the second");
        }
    }

    # two paths, which become one

    is($warm->run('file', url => 'http://mirror.test/mirror/a')->{state},
       'SUCCESS', 'a job of a location that sends another path');
    is_deeply([ pull($warm, '/mirror/a') ], [ 'first /files/a', 'HIT' ],
              'its clients get what it has warmed');
    is_deeply([ pull($warm, '/files/a') ], [ 'second /files/a', 'MISS' ],
              'and nobody else does');
};


my $moved = passes('/moved/', 'moved', "$to/files/", 'include follow.conf;')
            . redirects("http://127.0.0.1:$second_port");

warm_story 'redirects of an origin that is sent another path', {}, $moved, sub {
    my $warm = shift;

    my @paths = ('/a%2Fb', '/a/b');

    for my $path (@paths) {
        $upstream->answers("/files$path", { status => 307, headers =>
            [ Location => "http://127.0.0.1:$second_port/blob$path" ] });
        $second->answers("/blob$path", { body => "blob $path" });
    }

    # both are sent alike, so they are one

    is($warm->run('file', url => 'http://moved.test/moved/a%2Fb')->{state},
       'SUCCESS', 'a job');
    is_deeply([ pull($warm, $_) ], [ 'blob /a/b', 'HIT' ],
              'what it leaves is what a client gets')
        for '/moved/a%2Fb', '/moved/a/b';
};


# a location of calls, which goes to whom the URL says

my $called = <<"END";
location \@files {
    dfpreheat_origin http://127.0.0.1:$port http://127.0.0.1:$second_port;
    proxy_pass \$dfpreheat_target;
    proxy_cache files;
    include cache.conf;
}
END

warm_story 'jobs of two origins in one location', {}, $called, sub {
    my $warm = shift;

    for my $origin ($upstream, $second) {
        $origin->answers('/called', { body => 'called' });
        $origin->forget_requests;

        my $url = 'http://127.0.0.1:' . $origin->port . '/called';

        is($warm->run('file', url => $url)->{state}, 'SUCCESS', $url);
        is(scalar $origin->requests, 1, 'is what that origin has');
    }
};


warm_story 'a client that asks for the head alone', {}, $locations, sub {
    my $warm = shift;

    $upstream->answers('/files/head', { body => 'whole' });

    my $head = $warm->{http}->head("http://127.0.0.1:$warm->{port}/files/head");

    is($head->{headers}{'x-cache'}, 'MISS', 'is the first to come');
    is_deeply([ pull($warm, '/files/head') ], [ 'whole', 'HIT' ],
              'and leaves all of it to the next');
};


warm_story 'a location that does not turn HEAD into GET', {},
    location('/files/', FILES, $port, 'proxy_cache files;',
             'include cache.conf;', 'proxy_cache_convert_head off;',
             'proxy_cache_methods POST;'), sub
{
    my $warm = shift;

    $upstream->answers('/files/head', { body => 'whole' });

    my $url = "http://127.0.0.1:$warm->{port}/files/head";

    $warm->{http}->head($url) for 1, 2;
    is_deeply([ pull($warm, '/files/head') ], [ 'whole', 'MISS' ],
              'has another entry for each');
};


done_testing();
