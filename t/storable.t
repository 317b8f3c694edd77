# What the caching location keeps: manifests, blobs and files, and nothing that is
# one client's own. And what it answers when the registry is unavailable.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use JSON::PP qw( encode_json );
use MIME::Base64 qw( encode_base64 );
use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Process qw( dead_port );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    DIGEST   => 'sha256:' . '0123456789abcdef' x 4,
};

my $upstream = DFP::Upstream->start;
my $port = $upstream->port;
my $all = location('/', REGISTRY, $port);
my $only = location('/v2/', REGISTRY, $port)
           . location('/files/', FILES, $port);


# "200 body" of a path, and "HIT" before it where that was the case.

sub got
{
    my ($warm, $path, %headers) = @_;

    my $method = delete $headers{method} // 'GET';
    my $answer = $warm->{http}->request($method,
        "http://127.0.0.1:$warm->{port}$path", { headers => \%headers });
    my $cache = $answer->{headers}{'x-cache'} // '';

    return ($cache eq 'HIT' ? 'HIT ' : '') . "$answer->{status} "
           . ($answer->{content} // '');
}


sub basic { 'Basic ' . encode_base64("alice:$_[0]", '') }


# A registry's image for who has a token of a service at this path, which gives
# one to alice, and another one to everybody.

sub image_with_tokens
{
    my ($name, $path) = @_;

    my %refusal = (status => 401, headers => [ 'WWW-Authenticate' =>
        qq(Bearer realm="@{[REGISTRY]}$path",service="r") ]);
    my $image = DFP::Image->new($upstream, $name, sub {
        +{ @_, wants => 'Authorization: Bearer of-alice',
           refusal => \%refusal } });

    $image->tag('1', $image->manifest($image->layer("one of $name")));

    $upstream->answers($path, {
        wants => 'Authorization: ' . basic('secret'),
        body => encode_json({ token => 'of-alice' }),
        refusal => { body => encode_json({ token => 'of-nobody' }) } });

    return REGISTRY . $image->by_tag('1');
}


for my $case ([ 'below /v2/', '/v2/auth' ], [ 'elsewhere', '/service/token' ],
              [ 'under the name of a manifest', '/v2/app/manifests/token' ])
{
    my ($where, $path) = @$case;

    warm_story "tokens of a service $where", {}, $all, sub
    {
        my $warm = shift;

        my $url = image_with_tokens('app', $path);
        my $job = $warm->run('image', url => $url, username => 'alice',
                             password => 'secret');

        is($job->{state}, 'SUCCESS', 'a job gets one');

        my ($request) = $upstream->requests($path);
        my ($query) = $request =~ /^GET \S+\?(\S+)/;

        is(got($warm, "$path?$query"), '200 {"token":"of-nobody"}',
           'which is not for the next who asks');
        return if $path =~ /manifests/;

        is(got($warm, "$path?service=r", Authorization => basic('secret')),
           '200 {"token":"of-alice"}', 'a client gets one');
        is_deeply([ map { got($warm, "$path?service=r") } 1, 2 ],
                  [ ('200 {"token":"of-nobody"}') x 2 ],
                  'which is not for the next, either, nor is theirs');
        is(got($warm, $path, Authorization => basic('secret')),
           '200 {"token":"of-alice"}', 'one without a query');
        is(got($warm, $path), '200 {"token":"of-nobody"}', 'is not kept, too');
    };
}


warm_story 'a token service that is called through the location of files', {},
           $all, sub
{
    my $warm = shift;

    # nothing in the request tells that it is for a token

    my $image = DFP::Image->new($upstream, 'plain', sub {
        +{ @_, wants => 'Authorization: Bearer first',
           refusal => { status => 401, headers => [ 'WWW-Authenticate' =>
               qq(Bearer realm="@{[REGISTRY]}/get") ] } } });

    $image->tag('1', $image->manifest($image->layer('plain')));
    $upstream->answers('/get', map { +{ body => encode_json({ token => $_ }) } }
                               'first', 'second');

    is($warm->run('image', url => REGISTRY . $image->by_tag('1'))->{state},
       'SUCCESS', 'gives a job its token');
    is(got($warm, '/get'), '200 {"token":"second"}', 'which is not kept');
};


warm_story 'a login', {}, $only, sub
{
    my $warm = shift;

    $upstream->answers('/v2/', {
        wants => 'Authorization: ' . basic('secret'), body => '{}',
        refusal => { status => 401, body => 'no' } });

    my @secret = (Authorization => basic('secret'));
    my @wrong = (Authorization => basic('wrong'));

    is(got($warm, '/v2/', @secret), '200 {}', 'succeeds');
    is(got($warm, '/v2/', @wrong), '401 no', 'and not by a wrong password');
    is(got($warm, '/v2/'), '401 no', 'or by none');
    is(got($warm, '/v2/', @secret, method => 'HEAD'), '200 ',
       'HEAD is one, too');
    is(got($warm, '/v2/', @wrong), '401 no', 'which is not kept');
};


warm_story 'what else a registry has', {}, $only, sub
{
    my $warm = shift;

    my @others = map { "/v2/$_" } '_catalog', 'app/tags/list',
                 'app/referrers/' . DIGEST, 'app/blobs/uploads/1',
                 'app/manifests/x/y', 'App/manifests/1', 'token',
                 'app/blobs/1', 'app/manifests/a%2Db', 'app//manifests/1';

    for my $path (@others) {
        my $sent = $path;
        $upstream->answers($sent, { body => 'first' }, { body => 'second' });

        is_deeply([ map { got($warm, $path) } 1, 2 ],
                  [ '200 first', '200 second' ], "$path passes through");
    }

    my $image = DFP::Image->new($upstream, 'app');
    my $manifest = $image->manifest($image->layer('first'));

    $image->tag('1', $manifest);

    for my $path ($image->by_tag('1'), $image->paths($manifest)) {
        my $body = $upstream->body($path);

        is_deeply([ map { got($warm, $path) } 1, 2 ],
                  [ "200 $body", "HIT 200 $body" ], "$path is kept");
    }

    my $job = $warm->run('file', url => REGISTRY . '/v2/_catalog');
    my $failed = $job->{result}{job_states}[0]{results}[0]{failure_tasks}[0];

    is($job->{state}, 'FAILURE', 'a job cannot warm the others');
    like($failed->{description}, facts('/manifests/ | blobs'),
         'and is told so');
};


warm_story 'a location without any line about this', {},
    "proxy_cache_valid 200 1h;\n"
    . location('/v2/', REGISTRY, $port, 'proxy_cache files;',
               'proxy_cache_key $uri;', 'location /v2/_ {',
               "proxy_pass http://127.0.0.1:$port;", '}'), sub
{
    my $warm = shift;

    for my $path ('/v2/token', '/v2/_catalog') {
        $upstream->answers($path, { body => 'first' }, { body => 'second' });
        is_deeply([ map { got($warm, $path) } 1, 2 ],
                  [ '200 first', '200 second' ], "$path passes through");
    }
};


warm_story 'files', {}, $only, sub
{
    my $warm = shift;

    for my $header ([ Authorization => 'Bearer mine' ], [ Cookie => 'a=b' ]) {
        my $path = "/files/$header->[0]";

        $upstream->answers($path, { wants => "$header->[0]: $header->[1]",
                                    body => 'mine',
                                    refusal => { body => 'for all' } });

        is(got($warm, $path, @$header), '200 mine',
           "$header->[0]: what a client gets with it");
        is(got($warm, $path), '200 for all', 'is not for the others');
        is(got($warm, $path), 'HIT 200 for all', 'what is without is kept');
        is(got($warm, $path, @$header), 'HIT 200 for all',
           'and is for those who have one, too');
    }

    $upstream->answers('/files/warm', { body => 'warm' });
    is($warm->run('file', url => FILES . '/files/warm', headers => {
           Authorization => 'Bearer job' })->{state}, 'SUCCESS',
       'a job says that a file is for everybody');
    is(got($warm, '/files/warm', Authorization => 'Bearer mine'),
       'HIT 200 warm', 'and it is');
};


warm_story 'a range', {}, location('/files/', FILES, $port, 'proxy_cache off;',
                                   'include cache.conf;')
                          . location('/v2/', REGISTRY, $port), sub
{
    my $warm = shift;

    my $range = 'Range: bytes=1-2';
    my $path = '/v2/app/blobs/' . DIGEST;

    $upstream->answers($_, { wants => $range, status => 206,
                             body => 'a part', refusal => { body => 'the whole' } })
        for '/files/range', $path;

    is(got($warm, '/files/range', Range => 'bytes=1-2'), '206 a part',
       'is passed on by a location that does not cache');
    is(got($warm, $path, Range => 'bytes=1-2'), '206 he',
       'and not by one that does, which has the whole');
    is(got($warm, $path), 'HIT 200 the whole', 'for others, too');
};


# /v2/ when the registry is unavailable.

sub mute
{
    our $mute //= IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1')
        or die "no port: $!";

    return $mute->sockport;
}


sub login_of
{
    my ($warm, %headers) = @_;

    my $answer = $warm->{http}->request($headers{method} // 'GET',
        "http://127.0.0.1:$warm->{port}/v2/");

    return join ' ', $answer->{status}, $answer->{content} // '',
                map { $_ // '-' } @{ $answer->{headers} }{
                    qw( content-type docker-distribution-api-version
                        retry-after www-authenticate ) };
}

use constant ITSELF => 'application/json registry/2.0 - -';

my ($nobody, $held) = dead_port();

for my $case ([ 'is not there', $nobody ], [ 'says nothing', mute() ],
              [ 'has an error page', $nobody,
                'error_page 502 503 504 /sorry.html;' ])
{
    my ($how, $where, @lines) = @$case;

    warm_story "a registry that $how", {},
        location('/v2/', REGISTRY, $where, 'proxy_read_timeout 300ms;',
                 'proxy_cache files;', 'include cache.conf;', @lines)
        . "location = /sorry.html { return 200 'we are sorry, all of us'; }\n",
        sub
    {
        my $warm = shift;

        is(login_of($warm), '200 {} ' . ITSELF, 'does not keep clients out');
        is(login_of($warm, method => 'HEAD'), '200  ' . ITSELF,
           'whatever they ask by');
        is(login_of($warm), '200 {} ' . ITSELF, 'connections are kept');
        unlike(got($warm, '/v2/app/manifests/1'), qr/^200 \{/,
               'what is not cached is not there');
    };
}


warm_story 'a registry that is unwell', {}, $only, sub
{
    my $warm = shift;

    for my $status (502, 503, 504) {
        $upstream->answers('/v2/', { status => $status, body => 'z' x 100_000,
            headers => [ 'Retry-After' => 9, 'Content-Encoding' => 'gzip',
                         ETag => '"a"', 'Content-Type' => 'text/html' ] });
        is(login_of($warm), '200 {} ' . ITSELF,
           "$status does not keep clients out");
    }

    for my $status (401, 403, 404, 429, 500) {
        $upstream->answers('/v2/', { status => $status, body => 'no',
            headers => [ 'WWW-Authenticate' => 'Basic realm="r"' ] });
        is(got($warm, '/v2/'), "$status no", "$status is the registry's own");
    }
};


warm_story 'a private cache', {},
    location('/v2/', REGISTRY, $nobody, 'dfpreheat_access on;',
             'proxy_cache files;', 'include cache.conf;'), sub
{
    my $warm = shift;

    like(got($warm, '/v2/'), qr/^502 /, 'promises nothing');
};

done_testing();
