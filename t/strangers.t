# Strangers at a cache that others have filled: what they try does not get them
# what they have no right to, and does not change what others get.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use IO::Socket::INET;
use Test::More;

use DFP::Image;
use DFP::Process qw( free_port run_child );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    RIGHT    => 'Bearer right',
};

my $upstream = DFP::Upstream->start;
my $public = DFP::Upstream->start;

my @caching = ('proxy_cache files;', 'include cache.conf;');


# What only who has the right gets.

sub guarded
{
    my ($upstream, $path, $body) = @_;

    $upstream->answers($path, { body => $body, refusal => { status => 401 },
                                wants => 'Authorization: ' . RIGHT });
}


sub pulled
{
    my ($warm, $path, %headers) = @_;

    my $answer = $warm->{http}->get("http://127.0.0.1:$warm->{port}$path",
                                    { headers => \%headers });

    return "$answer->{status} " . ($answer->{headers}{'x-cache'} // '-')
           . ($answer->{status} == 200 ? " $answer->{content}" : '');
}


# A request as it is written here, and the answer to it.

sub said
{
    my ($warm, @lines) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $warm->{port}, Timeout => 5)
        or die "no connection: $!";

    print {$socket} join("\r\n", @lines, 'Connection: close', '', '');

    return do { local $/; <$socket> } // '';
}


warm_story 'a yes for one spelling of a path', {},
    "merge_slashes on;\n"
    . location('/files/', FILES, $upstream->port, 'dfpreheat_access on;',
               @caching), sub
{
    my $warm = shift;

    guarded($upstream, '/files/secret', 'the secret');
    is($warm->run('file', url => FILES . '/files/secret',
                  headers => { Authorization => RIGHT })->{state}, 'SUCCESS',
       'a private file is warmed');

    my @others = ('/files//secret', '/files/x/../secret', '/files/%73ecret',
                  '/files/x%2F..%2Fsecret', '//files/secret',
                  '/files/./secret');

    $upstream->answers($_, { body => 'what is there' }) for @others;

    for my $path (@others) {
        pulled($warm, $path);
        like(pulled($warm, '/files/secret'), qr/^401/,
             "$path does not open another one");
    }
};


warm_story 'hosts with an upstream each', { http => <<"END" },
map \$host \$backend {
    default 127.0.0.1:${\ $upstream->port };
    public.test 127.0.0.1:${\ $public->port };
}
END
    <<"END", sub
location /v2/ {
    dfpreheat_origin ${\ REGISTRY };
    dfpreheat_access on;
    proxy_pass http://\$backend;
    proxy_cache files;
    include cache.conf;
}
END
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'team/app');
    my $manifest = $image->manifest($image->layer('private'));
    my $path = $image->path($manifest);

    $image->tag('1', $manifest);
    is($warm->run('image', url => REGISTRY . $image->by_tag('1'))->{state},
       'SUCCESS', 'an image is warmed');

    $upstream->answers($path, { status => 401 });
    $public->answers($path, { body => '{}' });

    like(said($warm, "GET http://public.test$path HTTP/1.1",
              'Host: private.test'), qr/^HTTP\S+ 200 /,
         'the other one says yes');
    like(said($warm, "GET $path HTTP/1.1", 'Host: private.test'),
         qr/^HTTP\S+ 401 /, 'which does not count here');
};


warm_story 'a file that a client requests with credentials', {},
    location('/files/', FILES, $upstream->port), sub
{
    my $warm = shift;

    my $n = 0;

    for my $name (qw( X-Access-Token X-Jwt X-Pat X-Passwd X-Vault-Token
                      Api-Key X-Registry-Auth X-Otp X-Amz-Security-Token ))
    {
        my $path = '/files/mine/' . $n++;

        $upstream->answers($path, { body => 'mine', wants => "$name: mine",
                                    refusal => { status => 401 } });
        like(pulled($warm, $path, $name => 'mine'), qr/^200/, "$name: opens it");
        like(pulled($warm, $path), qr/^401/, "$name: and for nobody else");
    }
};


warm_story 'an image by its digest', {},
    location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;',
             @caching), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'team/hidden', sub {
        +{ @_, wants => 'Authorization: ' . RIGHT,
           refusal => { status => 401 } } });
    my $manifest = $image->manifest($image->layer('private'));
    my @job = ('image', url => REGISTRY . $image->path($manifest));

    is($warm->run(@job, headers => { Authorization => RIGHT })->{state},
       'SUCCESS', 'is warmed');
    is($warm->run(@job)->{state}, 'FAILURE',
       'a job without the right does not read it');
    is($warm->run(@job, headers => { Authorization => RIGHT })->{state},
       'SUCCESS', 'but one that has it');
};


warm_story 'headers of a stranger', {},
    location('/files/', FILES, $upstream->port)
    . location('/own/', FILES, $upstream->port, @caching,
               'proxy_set_header X-Forwarded-Host $http_x_forwarded_host;')
    . location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;',
               @caching), sub
{
    my $warm = shift;

    my %names = map { $_ => 'evil.test' } qw( Forwarded X-Forwarded-Host
        X-Forwarded-Server X-Forwarded-Prefix X-Host X-Original-Host
        X-Original-URL X-Rewrite-URL X-HTTP-Method X-HTTP-Method-Override
        X-Method-Override Accept-Language );

    $upstream->answers('/files/index', { body => 'the index' });
    pulled($warm, '/files/index', %names);

    my ($request) = $upstream->requests('/files/index');
    unlike($request, qr/^\Q$_\E:/mi, "$_ does not decide what all get")
        for sort keys %names;

    my $image = DFP::Image->new($upstream, 'team/mine');
    my $manifest = $image->manifest($image->layer('mine'));
    my $path = $image->path($manifest);

    $image->tag('1', $manifest);
    $warm->run('image', url => REGISTRY . $image->by_tag('1'));

    # what a registry does that goes by it

    $upstream->answers($path, { body => 'another', wants => 'X-Rewrite-URL: /x',
                                refusal => { status => 401 } });
    like(pulled($warm, $path, 'X-Rewrite-URL' => '/x'), qr/^401/,
         'nor what the registry is asked about');
    pulled($warm, '/own/index', %names);
    ($request) = $upstream->requests('/own/index');
    like($request, qr/^X-Forwarded-Host: evil/m, 'where it is configured it is '
         . 'sent');

    open my $said, '<', "$warm->{servers}{dir}/nginx.out" or die "nginx.out: $!";
    is(scalar(grep { /headers_hash/ } <$said>), 0,
       'and nginx does not warn of the headers');
};


warm_story 'a file at the end of whose path is "v2"', {},
    location('/', FILES, $upstream->port, @caching,
             'proxy_read_timeout 500ms;'), sub
{
    my $warm = shift;

    $upstream->answers('/tool/v2', { body => 'the tool' });
    is($warm->run('file', url => FILES . '/tool/v2')->{state}, 'SUCCESS',
       'is warmed');
    like(pulled($warm, '/tool/v2'), qr/^200 HIT the tool/, 'and cached');

    $upstream->answers("/other$_", { status => 503 }) for '/v2', '/v2/';
    like(pulled($warm, "/other$_"), qr/^503/,
         "$_: no other answer takes its place") for '/v2', '/v2/';
};


warm_story 'blobs that repositories share', {},
    location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_share_blobs on;',
               @caching)
    . location('/', REGISTRY, $upstream->port, 'dfpreheat_share_blobs on;',
                 @caching),
    sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'team/shared');
    my $layer = $image->layer('the layer');
    my $path = $image->path($layer);
    my ($blob) = $path =~ m{(/blobs/.+)};

    for my $other ("/uploads/mallory$blob", "/uploads/v2/x$blob") {
        $upstream->answers($other, { body => 'malware' });
        pulled($warm, $other);
        like(pulled($warm, $path), qr/the layer/,
             "$other is no blob of the registry");
    }
};


# An application that gives its secret to who has the right: its port.

sub scgi
{
    my $listen = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1')
        or die "no port: $!";

    run_child(sub {
        while (my $client = $listen->accept) {
            sysread $client, my $request, 65536;
            my $right = $request =~ /HTTP_AUTHORIZATION\0@{[ RIGHT ]}\0/;

            print {$client} 'Status: ', $right ? '200' : '401', "\r\n",
                  "Content-Type: text/plain\r\nContent-Length: 6\r\n\r\n",
                  $right ? 'secret' : 'no one';
            close $client;
        }
    });

    return $listen->sockport;
}


my $scgi = File::Temp->newdir('dfpreheat-scgi-XXXXXXXX', TMPDIR => 1);
chmod 0777, $scgi;

warm_story 'an application that is asked by SCGI',
    { http => "scgi_cache_path $scgi keys_zone=scgi:1m use_temp_path=off;" },
    <<"END",
location /v2/ {
    dfpreheat_origin ${\ REGISTRY };
    dfpreheat_access on;
    scgi_pass 127.0.0.1:${\ scgi() };
    scgi_param HTTP_AUTHORIZATION \$http_authorization;
    scgi_cache scgi;
    scgi_cache_key \$uri;
    scgi_cache_valid 200 1d;
}
END
    sub
{
    my $warm = shift;

    my $path = '/v2/app/blobs/sha256:' . 'a' x 64;

    is(pulled($warm, $path, Authorization => RIGHT), '200 MISS secret',
       'what it gives to who has the right');
    is(pulled($warm, $path, Authorization => RIGHT), '200 HIT secret',
       'is cached');
    like(pulled($warm, $path), qr/^401/, 'and for nobody else');
};


warm_story 'a page to log in, where redirects may lead to all of a domain', {},
    location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;',
             @caching, 'include follow.conf;') . redirects('.test'), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'team/page');
    my $manifest = $image->manifest($image->layer('a private layer'));
    my $path = ($image->paths($manifest))[-1];

    $image->tag('1', $manifest);
    $warm->run('image', url => REGISTRY . $image->by_tag('1'));

    for my $location ('/users/sign_in', REGISTRY . '/login') {
        $upstream->answers($path, { status => 302,
                                    headers => [ Location => $location ] });
        unlike(pulled($warm, $path), qr/200|HIT/,
               "$location is no place for blobs");
    }
};


my $h2 = free_port();

warm_story 'a GET with a body', {},
    "listen 127.0.0.1:$h2 http2;\n"
    . location('/files/', FILES, $upstream->port), sub
{
    my $warm = shift;

    my $n = 0;

    for my $how ([ '--http2-prior-knowledge', '-H', 'Content-Length:' ],
                 [ '--http2-prior-knowledge' ], [ '--http1.1' ],
                 [ '--http1.1', '-H', 'Transfer-Encoding: chunked' ])
    {
        my $path = '/files/body/' . $n++;
        my $port = $how->[0] =~ /2/ ? $h2 : $warm->{port};

        $upstream->answers($path, { body => 'what the body decides' });

        system 'curl', '-s', '-m', '3', '-o', '/dev/null',
               '-X', 'GET', '-d', 'evil',
               @$how, "http://127.0.0.1:$port$path";
        like(pulled($warm, $path), qr/^200 MISS/,
             "@$how: is not what others get");
    }
};

done_testing();
