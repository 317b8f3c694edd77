# What "error_log ... debug" shows of the module: one line for each step that a
# person would ask for, and no secret in any of them.
#
# A row is a name, and what a line of the module says (after "dfpreheat ", where
# nginx's own lines begin otherwise). A step is added by a row below the story in
# which it happens.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw( tempdir );
use JSON::PP qw( encode_json );
use MIME::Base64 qw( encode_base64 );
use Test::More;

use DFP::Events;
use DFP::Hooks;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    SECOND   => 1_000_000_000,  # ns
    SLOW     => 5,              # s, of an answer that is not waited for
    SOON     => 5,              # s: a line that is still to be written
};

my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my $built = `$nginx -V 2>&1`;

plan skip_all => 'this nginx has no debug log (--with-debug)'
    if $built !~ /--with-debug/;

my %secret = (
    password  => 'the-password-of-the-job',
    token     => 'the-token-of-the-service',
    client    => 'the-token-of-a-client',
    key       => 'the-key-in-a-header-of-the-job',
    signature => 'the-signature-of-a-url',
    redirect  => 'the-signature-of-a-redirect',
    webhook   => 'the-secret-of-a-webhook',
);
$secret{basic} = encode_base64("user:$secret{password}", '');

my $upstream = DFP::Upstream->start;
my $cdn = DFP::Upstream->start;
my $service = DFP::Upstream->start;
my ($cdn_url, $service_url) = map { 'http://127.0.0.1:' . $_->port }
                                  $cdn, $service;

my $logs = tempdir('dfpreheat-debug-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $number = 0;


# A story whose nginx has a debug log, with the lines that the module has to write,
# by rows.

sub debug_story
{
    my ($name, $options, $locations, $rows, $code) = @_;

    my $log = "$logs/" . ++$number;

    warm_story $name, { %$options, main => "error_log $log debug;" },
               $locations, sub {
        my $warm = shift;

        $secret{api} = $warm->{servers}->token;
        $warm->{servers}{token} = $secret{api};

        $code->($warm);

        my @rows = map { [ @$rows[ 2 * $_, 2 * $_ + 1 ] ] } 0 .. $#$rows / 2;
        my @lines;

        wait_until(SOON, sub {
            @lines = lines($log);
            return !grep { my $line = $_->[1]; !grep { /$line/ } @lines } @rows;
        });

        for my $row (@rows) {
            my ($what, $line) = @$row;
            ok((grep { /$line/ } @lines), $what);
        }

        my %shown = map { my $secret = $_;
                          (grep { index($_, $secret{$secret}) >= 0 } @lines)
                              ? ($secret => 1) : () } keys %secret;

        is_deeply([ sort keys %shown ], [], 'no secret is in these lines');

        if (!Test::More->builder->is_passing) {
            diag(join "\n", 'the lines of the module:', @lines);
        }
    };
}


# The module's own lines.

sub lines
{
    my $log = shift;

    open my $file, '<', $log or return;

    return map { m/\[debug\][^:]*: (?:\*\d+ )?(dfpreheat .*)/ ? $1 : () }
               <$file>;
}


# An image that is guarded by a token service, with one layer, which is elsewhere.

sub guarded_image
{
    my $name = shift;

    my $image = DFP::Image->new($upstream, $name, sub { return {
        @_, wants => "Authorization: Bearer $secret{token}",
        refusal => { status => 401, headers => [ 'WWW-Authenticate' =>
            qq(Bearer realm="$service_url/token",service="registry") ] } } });
    my $layer = $image->layer("the layer of $name");
    my $path = $image->path($layer);

    $cdn->answers($path, { body => $upstream->body($path) });
    $image->tag('1', $image->manifest($layer));
    $upstream->answers($path, { status => 307, headers => [
        Location => "$cdn_url$path?X-Amz-Signature=$secret{redirect}" ],
        wants => "Authorization: Bearer $secret{token}" });

    $service->answers('/token', {
        wants => "Authorization: Basic $secret{basic}",
        body => encode_json({ token => $secret{token} }),
        refusal => { status => 401 } });

    return ($image->by_tag('1'), $path);
}


my $caching = "proxy_cache files;\ninclude cache.conf;";

debug_story 'an image of a private registry', {},
    location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;', $caching,
             'include follow.conf;')
    . calls($service_url) . <<"END",
location \@dfpreheat_redirect {
    dfpreheat_redirect $cdn_url;
    $caching
    include redirect.conf;
    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
}
END
[
    'a call, with its method and URL' =>
        qr{^dfpreheat call: job \d+, GET "\S+/v2/team/app/manifests/1", timeout \d+ ms$},
    'the location that it goes through' =>
        qr{^dfpreheat call in location "/v2/": "\Q${\ REGISTRY }\E/v2/},
    'a named location, and a URL without its query' =>
        qr{^dfpreheat call in location "\@dfpreheat_calls": "$service_url/token"$},
    'that it goes past the cache' =>
        qr{^dfpreheat call goes past the cache: "\S+/manifests/1"$},
    'its answer, and how the cache had a part in it' =>
        qr{^dfpreheat call answered: "\S+/manifests/1", status 200, cache BYPASS$},
    'its end, with the bytes' =>
        qr{^dfpreheat call over: job \d+, "\S+/manifests/1", status 200, [1-9]\d* bytes$},
    'one that was refused' =>
        qr{^dfpreheat call over: job \d+, "\S+/manifests/1", status 401,},
    'a redirect, without the path that it leads to' =>
        qr{^dfpreheat redirect 1 leads to "$cdn_url"$},
    'the address that was checked' =>
        qr{^dfpreheat target "127\.0\.0\.1" may have the address 127\.0\.0\.1},
    'that it is contacted' =>
        qr{^dfpreheat target "127\.0\.0\.1" is contacted, addresses: 1$},
    'that a redirect leads away from the credentials' =>
        qr{^dfpreheat target gets no Authorization: },
    'the key of the cache' =>
        qr{^dfpreheat cache key: "http://127\.0\.0\.1:\d+ \Q${\ REGISTRY }\E/v2/},
    'a manifest that was checked' => qr{^dfpreheat manifest "1" may be stored$},
    'how long an entry is valid' => qr{^dfpreheat cache entry is valid for 60 s$},
    'the lock of one that is filled' =>
        qr{^dfpreheat cache lock is renewed for \d+ ms$},
    'an entry that was stored' =>
        qr{^dfpreheat cache entry [0-9a-f]{32} is stored$},
    'one that was looked up' =>
        qr{^dfpreheat cache entry [0-9a-f]{32} is present$},
    'the check of a digest' =>
        qr{^dfpreheat digest check: sha256:[0-9a-f]{64} of "\S+", \d+ bytes$},
    'its result' =>
        qr{^dfpreheat digest check of "\S+" is over: the same$},
    'the question to the registry' =>
        qr{^dfpreheat access: the registry is asked by HEAD for "/v2/team/app/},
    'its answer' => qr{^dfpreheat access: the registry answered 200$},
    'the consequence' => qr{^dfpreheat access: allowed, for 60000 ms$},
    'another request of the same client' =>
        qr{^dfpreheat access: allowed, as remembered$},
    'one that the registry refuses' =>
        qr{^dfpreheat access: refused, the registry itself answers$},
    'what is not cached' =>
        qr{^dfpreheat cache is bypassed: .*\bmanifests and blobs\b},
], sub {
    my $warm = shift;

    my ($tag, $layer) = guarded_image('team/app');

    my $job = $warm->run('image', url => REGISTRY . $tag, username => 'user',
                         password => $secret{password},
                         headers => { 'X-Api-Key' => $secret{key} });
    is($job->{state}, 'SUCCESS', 'the job ends well');

    for my $token ($secret{token}, $secret{token}, $secret{client}) {
        $warm->{http}->get("http://127.0.0.1:$warm->{port}$tag", {
            headers => { Authorization => "Bearer $token" } });
    }

    $warm->pull('/v2/');
};


debug_story 'a file', { http => 'dfpreheat_rate 1m;' },
    location('/files/', FILES, $upstream->port), [
    'a call, without the signature' =>
        qr{^dfpreheat call: job \d+, GET "\S+\?sig=\*\*\*", timeout},
    'its cache key' => qr{^dfpreheat cache key: ".+\?sig=\*\*\* [0-9a-f]{64}"$},
    'what was read of it at a limited rate' =>
        qr{^dfpreheat rate: 6 bytes were read, -6 of its share are left$},
    'one that has to be confirmed by the origin' =>
        qr{^dfpreheat cache file "\S+" is expired: },
    'the answer to that' =>
        qr{^dfpreheat call answered: "\S+", status 200, cache EXPIRED$},
], sub {
    my $warm = shift;

    my $path = "/files/a?sig=$secret{signature}";

    $upstream->answers('/files/a', { body => 'a file' });

    for (1 .. 2) {
        is($warm->run('file', url => FILES . $path)->{state}, 'SUCCESS',
           'a job ends well');
    }
};


debug_story 'metrics', {}, location('/files/', FILES, $upstream->port), [
    'their size' => qr{^dfpreheat status: \d+ bytes$},
    'the question to Redis' => qr{^dfpreheat redis: status has a reply after},
], sub {
    my $warm = shift;

    is($warm->{servers}->client->get('/metrics')->{status}, 200,
       'they are shown');
};


debug_story 'where a file is', {}, location('/files/', FILES, $upstream->port), [
    'the wait of the request' =>
        qr{^dfpreheat wait: for the end of job \d+$},
    'a call that does not reach the upstream' =>
        qr{^dfpreheat call looked: "\S+\?sig=\*\*\*", 1 places$},
    'one that is not there' =>
        qr{^dfpreheat cache entry [0-9a-f]{32} is absent$},
    'the message' => qr{^dfpreheat redis: job \d+ has ended$},
    'the job, as it is read' =>
        qr{^dfpreheat wait: job \d+ is read, rc 0, state "SUCCESS"$},
    'the end of the wait' =>
        qr{^dfpreheat api: the wait for job \d+ is over, rc 0$},
], sub {
    my $warm = shift;

    my $url = FILES . "/files/b?sig=$secret{signature}";
    my $answer = $warm->{servers}->client->get('/oapi/v1/cache?url='
        . $url =~ s{([^\w.-])}{sprintf '%%%02X', ord $1}ger);

    is($answer->{status}, 200, 'it is nowhere');
};


debug_story 'a webhook', {}, location('/files/', FILES, $upstream->port)
                             . DFP::Hooks->location, [
    'those that are due' =>
        qr{^dfpreheat hook: 1 are due, 1 tries started, 1 under way, next:-1 ms$},
    'the claim' =>
        qr{^dfpreheat hook: job \d+: claim after 0 tries: rc:0$},
    'the job that is read' => qr{^dfpreheat hook: job \d+: read: rc:0$},
    'the call, without the signature' =>
        qr{^dfpreheat call: job \d+, POST "\S+\?sig=\*\*\*", timeout 10000 ms$},
    'the end of a try' =>
        qr{^dfpreheat hook: job \d+: end of try 1 stored: rc:0$},
], sub {
    my $warm = shift;

    my $hooks = DFP::Hooks->new('/debug', {});
    my $servers = $warm->{servers};

    $hooks->{secret} = $secret{webhook};
    $hooks->{query} = "?sig=$secret{signature}";

    my $id = $hooks->post($servers, ['/quick/100/a']);

    is($hooks->state_of($servers, $id, SOON)->{state}, 'SUCCESS',
       'it is delivered');
};


debug_story 'events of a job, and of all', {},
    location('/files/', FILES, $upstream->port), [
    'a stream' =>
        qr{^dfpreheat api: stream of events, \d+ in this worker$},
    'that Redis is told that somebody listens' =>
        qr{^dfpreheat listen: redis is told, rc 0, since \d+$},
    'a message of a new job' => qr{^dfpreheat redis: job 1 is new$},
    'one of its end' => qr{^dfpreheat redis: job 1 has ended$},
    'one of its deletion' => qr{^dfpreheat redis: job 1 was deleted$},
    'what is read of jobs' =>
        qr{^dfpreheat listen: jobs that have changed: 1, read: 1, rc 0$},
    'the job of a stream of its own' =>
        qr{^dfpreheat wait: job 1 is read, rc 0, state "SUCCESS"$},
    'the token of a stream, which is deleted' =>
        qr{^dfpreheat auth: token \d+ of requests that are held is looked up, rc -5$},
], sub {
    my $warm = shift;

    my $servers = $warm->{servers};
    my $all = DFP::Events->open($servers, '/oapi/v1/events');

    $upstream->answers('/files/events', { body => 'a file', after => 1 });
    is($all->next(SOON)->{event}, 'hello', 'a page listens');

    my $id = $warm->post('file', url => FILES . '/files/events');
    my $one = DFP::Events->open($servers, "/oapi/v1/jobs/$id/events");

    ok($one->ended(SOON), 'another one watches a job');
    is($servers->client->request('DELETE', "/oapi/v1/jobs/$id")->{status}, 200,
       'it is deleted');

    my $event = $all->next(SOON);

    $event = $all->next(SOON) while $event && $event->{event} ne 'deleted';
    ok($event, 'the page hears it');

    my ($token) = @{ $servers->admin->get('/api/v1/personal-access-tokens')
                             ->{json} };

    $servers->admin->request('DELETE',
                             "/api/v1/personal-access-tokens/$token->{id}");
    ok($all->ended(SOON), 'until its token is deleted');
};


debug_story 'a token that is changed', {}, '', [
    'the message' => qr{^dfpreheat redis: token 1 was changed$},
    'its next use' => qr{^dfpreheat auth: token 1, inactive, expires in },
], sub {
    my $warm = shift;

    my $servers = $warm->{servers};

    is($servers->admin->request('PATCH', '/api/v1/personal-access-tokens/1',
                                '{"state":"inactive"}')->{status}, 200,
       'it is inactive');
    ok(wait_until(SOON, sub {
           $servers->client->get('/oapi/v1/jobs/1')->{status} == 403 }),
       'and refused');
};


debug_story 'an origin that does not answer',
    { http => 'dfpreheat_task_timeout 2s;' },
    location('/files/', FILES, $upstream->port), [
    'a time-out' => qr{^dfpreheat call timed out: job \d+, "\S+/files/slow"$},
    'what a failure means for the next try' =>
        qr{^dfpreheat call failed, another try may succeed: "\S+/files/slow": },
    'a call that ends with its job' =>
        qr{^dfpreheat call cancelled: job \d+, "\S+/files/slow"$},
], sub {
    my $warm = shift;

    $upstream->answers('/files/slow', { body => 'late', after => SLOW });

    my @job = ('file', url => FILES . '/files/slow');

    is($warm->run(@job)->{state}, 'FAILURE', 'a call takes too long');
    is($warm->run(@job, timeout => SECOND)->{state}, 'FAILURE',
       'a job takes too long');
};

done_testing();
