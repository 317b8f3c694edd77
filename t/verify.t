# "verify": true in args: after warming, nginx asks its own front what a client
# would ask, over a real connection, and a job succeeds with hits only.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find qw( find );
use HTTP::Tiny;
use JSON::PP ();
use Test::More;

use DFP::Certificates;
use DFP::Facts;
use DFP::Image;
use DFP::Loss;
use DFP::Process qw( free_port wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    RIGHT    => 'Bearer right',
    GATE     => '/hold/2/verify',
    SOON     => 15,              # s
    TWO_S    => 2_000_000_000,   # ns
    KEY_MAX  => 8192,
    URL_MAX  => 4096,
    MANIFEST_MAX => 4_194_304,
    MANY     => 600,             # files: with two requests each, more than a
    LISTED   => 1000,            # list shows
};

my $upstream = DFP::Upstream->start;
my $other = DFP::Upstream->start;
my $ca = DFP::Certificates->new;
my $other_ca = DFP::Certificates->new;
my $pair = $ca->issue('127.0.0.1');
my $registry = location('/v2/', REGISTRY, $upstream->port);
my $files = location('/files/', FILES, $upstream->port);
my @verify = (verify => JSON::PP::true);
my @named = (http => "dfpreheat_instance one address=192.0.2.1;\n");


sub image { DFP::Image->tagged($upstream, @_) }

sub state_of { $_[0]{result}{job_states}[0] }

sub found { state_of($_[0])->{results}[0] // {} }


# A registry whose clients pass what the test holds up: jobs do not.

sub gated
{
    my @lines = @_;

    return location('/v2/', REGISTRY, $upstream->port, 'auth_request /gate;',
                    'proxy_cache files;', 'include cache.conf;', @lines)
           . 'location = /gate { internal; proxy_pass $gate; }';
}


# What such a story needs of nginx: the gate's server is started before nginx.

sub gate
{
    my @options = @_;

    return {
        @named, @options,
        before_nginx => sub {
            my $servers = shift;
            my $url = $servers->origin->url . GATE;

            $servers->{http} .= "map \$uri \$gate { default $url; }\n";
        },
    };
}


# What was found, as "request status cache path".

sub verified
{
    my $job = shift;

    return [ map { join ' ', $_->{request}, $_->{status} // '-',
                             $_->{cache} // '-',
                             $_->{url} =~ s{^http://[^/]+}{}r }
             @{ found($job)->{verified} // [] } ];
}


# What is found of an image that is there.

sub all_hits
{
    my ($tag, $manifest, @blobs) = @_;

    return [ "HEAD 200 HIT $tag", "GET 200 HIT $tag", "GET 200 HIT $manifest",
             map { ("first byte 206 HIT $_", "last byte 206 HIT $_") } @blobs ];
}


sub counts
{
    my $found = found(shift);

    return join ' of ', map { $_ // '-' } @$found{qw( verified_misses
                                                      verified_hits )};
}


# A job that has failed, since the rehearsal says so.

sub fails
{
    my ($job, $name, @facts) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($job->{state}, 'FAILURE', "$name: the job fails");
    like(state_of($job)->{error}, facts(@facts), '... and says why');
}


# A file of the cache is removed, which nginx does not know.

sub lose
{
    my ($warm, $path) = @_;

    my $lost = 0;

    find(sub {
        return if !-f;

        open my $file, '<:raw', $_ or return;
        read $file, my $head, KEY_MAX;
        $lost += unlink if $head =~ m{^KEY: \N*\Q$path\E$}m;
    }, "$warm->{servers}{dir}/cache");

    is($lost, 1, "$path is lost");
}


warm_story 'an image that clients get', { @named, workers => 3 },
           $registry . rehearsal(), sub
{
    my $warm = shift;

    my @paths = image();

    for (1 .. 6) {
        my $job = $warm->run('image', url => REGISTRY . $paths[0], @verify);

        is($job->{state}, 'SUCCESS', 'the job succeeds')
            or diag(state_of($job)->{error});
        is_deeply([ sort @{ verified($job) } ], [ sort @{ all_hits(@paths) } ],
                  'each request was a hit');
        is(counts($job), '0 of 9', '... and they are counted');
        is(found($job)->{verified}[0]{hostname}, 'one',
           '... with the nginx that has asked');
        is($job->{args}{verify}, JSON::PP::true, 'args has the field');
    }

    is_deeply([ grep { !m{^GET \Q$paths[0]\E } } $upstream->requests ],
              [ map { my $path = $_; grep { m{^GET \Q$path\E } }
                      $upstream->requests } @paths[1 .. 4] ],
              'the registry has handed out no more than was warmed');
};


warm_story 'what clients see of a rehearsal', { @named }, $registry . rehearsal(),
           sub
{
    my $warm = shift;

    my @paths = image();

    is($warm->run('image', url => REGISTRY . $paths[0], @verify)->{state},
       'SUCCESS', 'a job succeeds');

    my $url = "http://127.0.0.1:$warm->{port}$paths[0]";

    for my $value ('', 'a' x 36, 'a' x 36 . '.' . 'b' x 36, 'c' x 4000) {
        my $answer = HTTP::Tiny->new->get($url, {
            headers => { 'X-Dfpreheat-Verify' => $value } });

        is($answer->{headers}{'x-dfpreheat-cache'}, undef,
           'a client that has no key is told nothing');
    }
};


warm_story 'files', { @named }, $files . rehearsal(), sub
{
    my $warm = shift;

    $upstream->answers("/files/$_", { body => $_ x 3 }) for 'a', 'b';
    $upstream->answers('/files/empty', { body => '' });

    my $job = $warm->run('file', @verify,
                         urls => [ map { FILES . "/files/$_" }
                                   'a?x=%20y', 'b', 'empty' ]);

    is($job->{state}, 'SUCCESS', 'files are requested')
        or diag(state_of($job)->{error});
    is_deeply([ sort @{ verified($job) } ],
              [ sort 'GET 200 HIT /files/empty',
                     map { ("first byte 206 HIT /files/$_",
                            "last byte 206 HIT /files/$_") } 'a?x=%20y', 'b' ],
              '... by their first and last byte');
};


warm_story 'a URL that is too long with the name of the front', { @named },
           location('/files/', FILES, $upstream->port, 'proxy_cache files;',
                    'include cache.conf;', 'proxy_buffer_size 16k;',
                    'proxy_buffers 4 16k;', 'proxy_busy_buffers_size 16k;')
           . rehearsal(), sub
{
    my $warm = shift;

    my $path = '/files/' . 'l' x (URL_MAX - length FILES . '/files/');

    $upstream->answers($path, { body => 'long' });

    my $job = $warm->run('file', url => FILES . $path, @verify);

    is($job->{state}, 'FAILURE', 'the job does not run for ever');
    like(found($job)->{failure_tasks}[0]{description},
         facts('verify | 4096 bytes'), '... and says why');
};


warm_story 'more files than a list shows', { @named }, $files . rehearsal(), sub
{
    my $warm = shift;

    $upstream->answers("/files/n$_", { body => 'n' }) for 1 .. MANY;

    my $job = $warm->run('file', @verify, concurrent_task_count => 50,
                         urls => [ map { FILES . "/files/n$_" } 1 .. MANY ]);
    my $found = found($job);

    is($job->{state}, 'SUCCESS', 'the job succeeds')
        or diag(state_of($job)->{error});
    is(@{ $found->{verified} // [] }, LISTED, 'the list has its limit');
    is($found->{verified_omitted}, 2 * MANY - LISTED,
       '... and what is beyond it is counted');
    is($found->{verified_hits}, 2 * MANY, '... as all hits are');
};


# Another location than the one that was warmed.

sub elsewhere
{
    my @lines = @_;

    my $port = free_port();
    my $http = "proxy_cache_path cache-$port keys_zone=others:1m;"
               . "server { listen 127.0.0.1:$port; location /v2/ { proxy_pass "
               . 'http://127.0.0.1:' . $upstream->port . '; '
               . "proxy_cache_valid 200 1h; @lines } }\n";

    return ({ http => $named[1] . $http },
            $registry . rehearsal("http://127.0.0.1:$port"));
}


for my $case ([ 'no cache', '-', '' ],
              [ 'another cache', 'MISS', 'proxy_cache others;' ],
              [ 'another key', 'MISS', 'proxy_cache files; '
                                       . 'proxy_cache_key $uri;' ],
              [ 'a cache that is bypassed', 'BYPASS',
                'proxy_cache others; proxy_cache_bypass 1;' ])
{
    my ($name, $cache, @lines) = @$case;

    warm_story "clients get it from $name", elsewhere(@lines), sub
    {
        my $warm = shift;

        my @paths = image();
        my $job = $warm->run('image', url => REGISTRY . $paths[0], @verify);

        fails($job, $name, $cache, 'HEAD', $paths[0]);
        is_deeply([ sort @{ verified($job) } ],
                  [ sort "HEAD 200 $cache $paths[0]",
                         "GET 200 $cache $paths[1]",
                         map { "first byte 200 $cache $_" } @paths[2 .. 4] ],
                  'each task ends with its first miss');
        is(counts($job), '5 of 0', '... and they are counted');
        is(@{ found($job)->{failure_tasks} }, 5, '... and have failed');
    };
}


warm_story 'another cache, which a rehearsal has filled',
           elsewhere('proxy_cache others; proxy_force_ranges on;'), sub
{
    my $warm = shift;

    my @paths = image();
    my @job = ('image', url => REGISTRY . $paths[0], @verify);

    fails($warm->run(@job), 'first', 'MISS', 'HEAD', $paths[0]);

    my $job = $warm->run(@job);

    fails($job, 'then', 'HIT', 'another entry', 'HEAD', $paths[0]);
    is(counts($job), '5 of 0', 'clients do not get what the job has warmed');
};


for my $case ([ 'denies its clients', 403, 'deny all;' ],
              [ 'knows its users', 401, 'auth_basic front; '
                                        . 'auth_basic_user_file cache.conf;' ],
              [ 'limits its clients', 503, 'limit_req zone=few;' ])
{
    my ($name, $status, @lines) = @$case;

    warm_story "a front that $name",
        { http => $named[1] . 'limit_req_zone $uri zone=few:1m rate=1r/m;' },
        location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
                 'include cache.conf;', @lines) . rehearsal(), sub
    {
        my $warm = shift;

        my @paths = image();
        my $job = $warm->run('image', url => REGISTRY . $paths[0], @verify);

        fails($job, $name, $status);
    };
}


warm_story 'a front that is another server', { @named },
           $registry . rehearsal('http://127.0.0.1:' . $other->port), sub
{
    my $warm = shift;

    my @paths = image();

    $other->answers($_, { body => $upstream->body($_), headers => [
        'X-Dfpreheat-Cache' => ('a' x 36) . ' HIT' ] }) for @paths;

    my $job = $warm->run('image', url => REGISTRY . $paths[0], @verify);

    fails($job, 'another server', 'dfpreheat_verify');
    is(counts($job), '5 of 0', 'what it says about its cache is nothing');
};


warm_story 'a front that closes the connection', { @named },
           $registry . rehearsal('http://127.0.0.1:' . $other->port), sub
{
    my $warm = shift;

    my @paths = image();

    for my $raw ('', "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc") {
        $other->answers($_, { raw => $raw }) for @paths;

        my $job = $warm->run('image', url => REGISTRY . $paths[0], @verify);

        fails($job, 'no answer', '5 of 5');
        is(counts($job), '5 of 0', '... to any request');
    }
};


warm_story 'a front without ranges', { @named },
           location('/files/', FILES, $upstream->port, 'max_ranges 0;',
                    'proxy_cache files;', 'include cache.conf;') . rehearsal(), sub
{
    my $warm = shift;

    my %reasons = (small => '200, not 206', large => 'more than that');

    $upstream->answers('/files/small', { body => 'small' });
    $upstream->answers('/files/large', { body => 'x' x (2 * MANIFEST_MAX) });

    for my $name (sort keys %reasons) {
        my $job = $warm->run('file', url => FILES . "/files/$name", @verify);

        is($job->{state}, 'FAILURE', "$name: the job fails");
        like(found($job)->{failure_tasks}[0]{description},
             facts("verify | first byte | $reasons{$name}"), '... and says why');
    }
};


# A front with TLS, of which the rehearsal trusts this authority.

sub with_tls
{
    my $trusted = shift;

    my $port = free_port();

    return $registry . rehearsal("https://127.0.0.1:$port", $trusted->file)
           . "listen 127.0.0.1:$port ssl; ssl_certificate $pair->{certificate}; "
           . "ssl_certificate_key $pair->{key};";
}


warm_story 'a front with TLS', { @named }, with_tls($ca), sub
{
    my $warm = shift;

    my @paths = image();
    my $job = $warm->run('image', url => REGISTRY . $paths[0], @verify);

    is($job->{state}, 'SUCCESS', 'the job succeeds')
        or diag(state_of($job)->{error});
    is(counts($job), '0 of 9', 'with hits');
};


warm_story 'a front with a certificate of somebody', { @named },
           with_tls($other_ca), sub
{
    my $warm = shift;

    my @paths = image();

    fails($warm->run('image', url => REGISTRY . $paths[0], @verify), 'somebody',
          'certificate');
};


warm_story 'a front that nobody serves', { @named },
           $registry . rehearsal('http://127.0.0.1:1'), sub
{
    my $warm = shift;

    my @paths = image();

    fails($warm->run('image', url => REGISTRY . $paths[0], @verify), 'nobody',
          'could not be reached');
};


warm_story 'images for some clients only', { @named },
           location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;',
                    'proxy_cache files;', 'include cache.conf;')
           . rehearsal(), sub
{
    my $warm = shift;

    my @paths = image(sub {
        DFP::Upstream::guarded(RIGHT, 'Bearer realm="http://auth.test/"', @_)
    });

    my $job = $warm->run('image', url => REGISTRY . $paths[0], @verify,
                         headers => { Authorization => RIGHT });

    is($job->{state}, 'SUCCESS', 'the credentials of the job are sent')
        or diag(state_of($job)->{error});
    is_deeply([ sort @{ verified($job) } ], [ sort @{ all_hits(@paths) } ],
              '... and each request was a hit');
    is((HTTP::Tiny->new->get("http://127.0.0.1:$warm->{port}$paths[3]"))
           ->{status}, 401, 'others still get nothing');
};


warm_story 'a blob that is lost after it was warmed', gate(),
           gated() . rehearsal(), sub
{
    my $warm = shift;
    my $origin = $warm->{servers}->origin;

    my @paths = image();
    my $id = $warm->post('image', url => REGISTRY . $paths[0], @verify);

    ok($origin->wait_at_gate(GATE, SOON), 'the rehearsal has begun');
    is($warm->{servers}->job($id)->{state}, 'PENDING',
       'the job has not ended before that has');
    lose($warm, $paths[4]);
    $origin->open_gate(GATE);

    my $job = $warm->ended($id);

    fails($job, 'a lost blob', '1 of 5', 'MISS', 'first byte', $paths[4]);
    is_deeply([ grep { !/HIT/ } @{ verified($job) } ],
              [ "first byte 206 MISS $paths[4]" ], 'the others are hits');

    my @requests = $upstream->requests($paths[4]);

    is(@requests, 2, 'the registry was asked for it again');
    like($requests[1], qr/^GET \Q$paths[4]\E\?ns=registry\.test /,
         '... as containerd names it to a mirror');
    unlike($requests[1], qr/^x-dfpreheat-verify: *\S/mi,
           '... and was not sent the key');
};


warm_story 'a front that does not answer',
           gate(http => $named[1] . "dfpreheat_task_timeout 1s;\n"),
           gated() . rehearsal(), sub
{
    my $warm = shift;

    my @paths = image();

    fails($warm->run('image', url => REGISTRY . $paths[0], @verify),
          'a slow front', 'dfpreheat_task_timeout');
};


warm_story 'the timeout of a job', gate(), gated() . rehearsal(), sub
{
    my $warm = shift;

    my @paths = image();
    my $job = $warm->run('image', url => REGISTRY . $paths[0], @verify,
                         timeout => TWO_S);

    fails($job, 'a timeout', '5 of 5', 'timeout');
};


warm_story 'a job that is deleted', gate(), gated() . rehearsal(), sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my @paths = image();
    my $id = $warm->post('image', url => REGISTRY . $paths[0], @verify);

    ok($servers->origin->wait_at_gate(GATE, SOON), 'the rehearsal has begun');
    is($servers->client->request('DELETE', "/oapi/v1/jobs/$id")->{status}, 200,
       'the job is deleted');
    ok(wait_until(SOON, sub {
        $servers->client->get('/metrics')->{body} =~ /^dfpreheat_calls\S* 0$/m
    }), 'its requests end');
    $servers->origin->open_gate(GATE);
    is($warm->run('image', url => REGISTRY . $paths[0], @verify)->{state},
       'SUCCESS', 'another job succeeds');
};


warm_story 'workers that quit', gate(), gated() . rehearsal(), sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my @paths = image();
    my $id = $warm->post('image', url => REGISTRY . $paths[0], @verify);

    ok($servers->origin->wait_at_gate(GATE, SOON), 'the rehearsal has begun');
    $servers->nginx_reload;
    $servers->origin->open_gate(GATE);

    my $job = $warm->ended($id);

    is($job->{state}, 'SUCCESS', 'the job goes on in new workers')
        or diag(state_of($job)->{error});
    is(counts($job), '0 of 9', '... which start the rehearsal again');
    is($servers->lost_attempts($job), 0, '... and no attempt is lost');
};


warm_story 'workers that quit after a miss', gate(), gated() . rehearsal(), sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my @paths = image();
    my $id = $warm->post('image', url => REGISTRY . $paths[0], @verify);

    ok($servers->origin->wait_at_gate(GATE, SOON), 'the rehearsal has begun');
    lose($warm, $paths[4]);
    $servers->nginx_reload;
    $servers->origin->open_gate(GATE);

    fails($warm->ended($id), 'a miss that is not forgotten', 'MISS', $paths[4]);
};


# The id of the lost job is not given to another one.

warm_story 'Redis loses a job during its rehearsal', gate(), gated() . rehearsal(),
           sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my @paths = image();
    my @job = ('image', url => REGISTRY . $paths[0], @verify);

    is($warm->run('image', url => REGISTRY . $paths[0])->{state}, 'SUCCESS',
       'an image is warmed');
    saved($servers);

    my $id = $warm->post(@job);

    ok($servers->origin->wait_at_gate(GATE, SOON), 'the rehearsal has begun');
    loses_newest_writes($servers);

    my $next = $warm->post(@job);

    $servers->origin->open_gate(GATE);
    is($servers->client->get("/oapi/v1/jobs/$id")->{status}, 404,
       'the job is gone');

    my $job = $warm->ended($next);

    is($job->{state}, 'SUCCESS', 'the next one is a SUCCESS')
        or diag(state_of($job)->{error});
    is(counts($job), '0 of 9', '... by a rehearsal of its own');
    ok(wait_until(SOON, sub {
        $servers->client->get('/metrics')->{body} =~ /^dfpreheat_calls\S* 0$/m
    }), 'no request is left');
};


# A registry that confirms what has an ETag, or has none.

my %validators = (
    REVALIDATED => sub {
        my %answer = (@_, headers => [ @{ { @_ }->{headers} // [] },
                                       ETag => '"one"' ]);

        return { %answer, wants => 'If-None-Match: "one"', refusal => \%answer,
                 raw => "HTTP/1.1 304 Not Modified\r\nETag: \"one\"\r\n\r\n" };
    },
    EXPIRED => undef,
);

for my $cache (sort keys %validators) {
    warm_story "a tag that has expired meanwhile, $cache", gate(),
               gated() . rehearsal(), sub
    {
        my $warm = shift;
        my $servers = $warm->{servers};

        my @paths = image($validators{$cache});
        my $id = $warm->post('image', url => REGISTRY . $paths[0], @verify);

        ok($servers->origin->wait_at_gate(GATE, SOON), 'the rehearsal has begun');
        $warm->expire($paths[0]);
        $servers->origin->open_gate(GATE);

        my $job = $warm->ended($id);

        is($job->{state}, 'SUCCESS', 'the job succeeds')
            or diag(state_of($job)->{error});
        is((grep { /^HEAD/ } @{ verified($job) })[0],
           "HEAD 200 $cache $paths[0]", '... and tells what clients see');
    };
}


warm_story 'a tag that moves meanwhile', gate(), gated() . rehearsal(), sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my $image = DFP::Image->new($upstream, 'moving');

    $image->tag('1', $image->manifest($image->layer('one')));

    my $id = $warm->post('image', url => REGISTRY . $image->by_tag('1'),
                         @verify);

    ok($servers->origin->wait_at_gate(GATE, SOON), 'the rehearsal has begun');
    $image->tag('1', $image->manifest($image->layer('two')));
    $warm->expire($image->by_tag('1'));
    $servers->origin->open_gate(GATE);

    fails($warm->ended($id), 'another image', 'tag | changed',
          $image->by_tag('1'));
};


warm_story 'what a job cannot do', { @named }, $registry . rehearsal(), sub
{
    my $warm = shift;

    my $client = $warm->{servers}->client;
    my $answer = $client->post('/oapi/v1/jobs', {
        type => 'preheat', dry_run => JSON::PP::true,
        args => { type => 'image', url => REGISTRY . '/v2/a/manifests/1',
                  @verify } });

    is($answer->{status}, 422, 'a dry run warms nothing');
    like($answer->{json}{message} // $answer->{body},
         facts('args.verify | dry_run'), '... which the answer says');

    fails($warm->run('file', url => "http://127.0.0.1:$warm->{port}/v2/"),
          'a URL of the front', 'no location is bound | dfpreheat_origin');
};


warm_story 'an nginx without a front to ask', { @named }, $registry, sub
{
    my $warm = shift;

    my $answer = $warm->{servers}->client->post('/oapi/v1/jobs', {
        type => 'preheat',
        args => { type => 'image', url => REGISTRY . '/v2/a/manifests/1',
                  @verify } });

    is($answer->{status}, 422, 'the job is rejected');
    like($answer->{json}{message} // $answer->{body},
         facts('args.verify | dfpreheat_verify'),
         '... and the directive is named');
};

done_testing;
