# Warm on push: what registries tell about pushes becomes jobs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use HTTP::Tiny;
use JSON::PP qw( encode_json );
use Test::More;

use DFP::Client;
use DFP::Facts;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Registry qw( skopeo_pull );
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    PATH      => '/oapi/v1/notifications',
    SOON      => 1,         # s: a push is a job
    LOOKS     => 20,        # s: what is due is done
    LARGE     => 200_000,   # "<", which has six bytes in a notification
    EVENTS    => 'application/vnd.docker.distribution.events.v1+json',
    FAR_FUTURE => 9_999_999_999_999,
    OUTAGE    => 30,        # s: Redis is waited for, and then it is 503
    DIGEST    => 'sha256:' . 'ab' x 32,
    OTHER     => 'sha256:' . 'cd' x 32,
    EARLY     => 'http://early.test',
    MANIFEST  => 'application/vnd.oci.image.manifest.v1+json',
};

my $registry = DFP::Registry->start;
my $upstream = DFP::Upstream->start;
my $origin = 'http://127.0.0.1:' . $registry->port;


# A story with the registry behind nginx, and these policies; with more lines (http)
# and locations.

sub push_story
{
    my ($name, $policies, $code, %more) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $http = join '', $more{http} // '',
                        map { "dfpreheat_policy $_;\n" } @$policies;

    warm_story $name, { http => $http },
               location('/v2/', $origin, $registry->port) . ($more{locations} // ''),
               $code;
}


# The body of a notification of distribution, of these events; each is an image, its
# digest, and what is different.

sub envelope
{
    return { events => [ map {
        my ($image, $digest, %more) = @$_;
        my ($name, $tag) = split /:/, $image;
        my $base = delete $more{at} // $origin;

        { id => 'cafe', timestamp => '2026-11-28T04:51:22.104Z',
          action => delete $more{action} // 'push',
          target => { mediaType => MANIFEST, size => 100, length => 100,
                      digest => $digest, repository => $name,
                      url => "$base/v2/$name/manifests/$digest",
                      $tag ? (tag => $tag) : (), %more },
          request => { id => 'cafe', addr => '127.0.0.1:1', host => 'a',
                       method => 'PUT', useragent => 'skopeo/1.9.3' },
          actor => {}, source => { addr => 'a:5000', instanceID => 'cafe' } }
    } @_ ] };
}


# The answer to a notification, and what it says about jobs and what is ignored.

sub notify
{
    my ($warm, $body) = @_;

    return $warm->{servers}->client->post(PATH, $body);
}


sub jobs_of
{
    my $answer = shift;

    return join ' ', map { "$_->{policy}:$_->{id}" . ($_->{created} ? '+' : '') }
                     @{ $answer->{json}{jobs} };
}


sub ignored { [ map { $_->{description} } @{ $_[0]{json}{ignored} } ] }


push_story 'an image is pushed to a real registry', [
    'all match=team/*', 'releases match=team/*:v* exclude=team/other' ], sub
{
    my $warm = shift;

    my $servers = $warm->{servers};

    $registry = $registry->notify("http://127.0.0.1:$servers->{port}" . PATH,
                                  $servers->token);

    my $image = $registry->push_image('team/pushed');

    ok(wait_until(SOON, sub { $servers->stored_jobs }), 'it becomes a job')
        or return;

    my $job = $warm->ended(1);

    is($job->{state}, 'SUCCESS', '... which ends well') or diag(error($job));
    is($job->{args}{url}, "$origin$image->{url}", '... of the tag');
    is($job->{bio}, 'dfpreheat_policy all', '... and tells why it is there');
    $warm->hits('clients get it from the cache',
                @{ $image->{paths} }, $image->{url});
    $registry->forget_requests;
    is(skopeo_pull($warm->{port}, 'team/pushed:1.0'), '', 'skopeo pulls it');
    is_deeply([ grep { /^GET/ } $registry->requests ], [],
              'the registry is asked for nothing');

    # a second one comes after all events of the first

    $registry->push_image('team/second');
    ok(wait_until(SOON, sub { $servers->stored_jobs > 1 }), 'the next one');
    is($warm->ended(2)->{args}{url} =~ s{.*/v2/}{}r,
       'team/second/manifests/1.0',
       'layers, and the parts of an index, are no jobs of their own');
    is($servers->stored_jobs, 2, '... nor of a policy that it does not match');

    # what whoever pushes has sent is in the notification

    my $manifest = HTTP::Tiny->new->get("$origin$image->{paths}[0]",
                                        { headers => { Accept => MANIFEST } });

    for ([ 'a header of any length', agent => '<' x LARGE ],
         [ 'the name of a host of any length',
           default_headers => { 'X-Forwarded-Host' => 'a' x 5000 } ])
    {
        my ($name, @with) = @$_;
        my $http = HTTP::Tiny->new(@with);
        my $put = $http->put("$origin$image->{paths}[0]", {
            content => $manifest->{content},
            headers => { 'Content-Type' => MANIFEST } });

        is($put->{status}, 201, "a push with $name");
    }

    $registry->push_image('team/third');
    ok(wait_until(SOON, sub { $servers->stored_jobs > 2 }),
       '... does not keep the registry from telling of others');
    ok($servers->logged(qr/a notification is ignored: \Q$_\E/), "... $_ is logged")
        for 'the request body is larger than dfpreheat_max_body_size',
            'events[0].target.url must not be longer';
};


push_story 'which pushes become jobs', [
    'all match=team/*', 'releases "match=team/{app,tool}:v*" exclude=*/*:*-rc*',
    'digests match=parts/**@*' ], sub
{
    my $warm = shift;

    for ([ 'one policy', [ 'team/app:1', DIGEST ], 'all:1+' ],
         [ 'the same once more', [ 'team/app:1', DIGEST ], 'all:1' ],
         [ 'another tag', [ 'team/app:2', DIGEST ], 'all:2+' ],
         [ 'two policies', [ 'team/app:v1', DIGEST ], 'all:3+ releases:4+' ],
         [ 'one that is excluded', [ 'team/app:v1-rc1', DIGEST ], 'all:5+' ],
         [ 'the tag is moved', [ 'team/app:1', OTHER ], 'all:6+' ],
         [ 'which is told twice', [ 'team/app:1', OTHER ], 'all:6' ],
         [ 'and moved back', [ 'team/app:1', DIGEST ], 'all:7+' ],
         [ 'by its digest', [ 'parts/a/b', DIGEST ], 'digests:8+' ])
    {
        my ($name, $event, $jobs) = @$_;
        my $answer = notify($warm, envelope($event));

        is($answer->{status}, 200, $name);
        is(jobs_of($answer), $jobs, '... becomes a job') or diag($answer->{body});
        is_deeply(ignored($answer), [], '... and nothing is ignored');
    }

    my $several = notify($warm, envelope([ 'team/tool:1', DIGEST ],
        [ 'team/tool:1', DIGEST ],
        [ 'team/tool:2', DIGEST, mediaType => 'application/octet-stream' ]));

    my $metrics = $warm->{servers}->client->get('/metrics')->{body};

    is_deeply([ map { $metrics =~ /^dfpreheat_pushes_total\{result="$_"\} (\d+)$/m }
                qw( created repeated ignored ) ], [ 9, 3, 1 ], 'they are counted');
    is(jobs_of($several), 'all:9+ all:9', 'several events');
    is_deeply(ignored($several), ['it is not a manifest'],
              '... of which one is a layer');
};


push_story 'which do not', [ 'all match=team/*' ], sub
{
    my $warm = shift;

    for ([ 'no policy', [ 'other/app:1', DIGEST ], 'no policy matches it' ],
         [ 'a deeper repository', [ 'team/a/b:1', DIGEST ],
           'no policy matches it' ],
         [ 'by its digest', [ 'team/app', DIGEST ], 'no policy matches it' ],
         [ 'another registry', [ 'team/app:1', DIGEST,
                                 at => 'http://elsewhere.test' ],
           'no location is bound to its registry (dfpreheat_origin)' ],
         [ 'a pull', [ 'team/app:1', DIGEST, action => 'pull' ],
           'it is not a push' ],
         [ 'a layer', [ 'team/app', DIGEST,
                        mediaType => 'application/octet-stream' ],
           'it is not a manifest' ],
         [ 'a name that is none', [ 'team/App:1', DIGEST ],
           'its repository, tag or digest is not valid' ],
         [ 'a digest that is none', [ 'team/app:1', 'sha256:1' ],
           'its repository, tag or digest is not valid' ],
         [ 'another path', [ 'team/app:1', DIGEST,
                             url => "$origin/v2/other/manifests/1" ],
           'it does not tell the URL of the registry' ])
    {
        my ($name, $event, $why) = @$_;
        my $answer = notify($warm, envelope($event));

        is($answer->{status}, 200, "$name is accepted");
        is(jobs_of($answer), '', '... and is no job');
        is_deeply(ignored($answer), [$why], '... for a reason');
    }

    is(notify($warm, envelope())->{body}, '{"jobs":[],"ignored":[]}',
       'no event at all');
    is($warm->{servers}->stored_jobs, 0, 'nothing is stored');
    ok($warm->{servers}->logged(qr/elsewhere\.test.*no location is bound/),
       'a registry that is not bound is logged');
    ok($warm->{servers}->logged(qr{other/app:1 is ignored: no policy matches}),
       '... and a tag that no policy matches');
};


push_story 'what no registry sends', [ 'all match=team/*' ], sub
{
    my $warm = shift;

    my $client = $warm->{servers}->client;

    for ([ 'no JSON', 'hello', 'the body' ],
         [ 'another document', '{"a":1}', 'distribution | Harbor' ],
         [ 'no list', '{"events":{}}', 'events must be a list' ],
         [ 'no object', '{"events":[1]}', 'events[0] must be an object' ],
         [ 'another type', '{"events":[{"action":1}]}', 'events[0].action' ],
         [ 'a target of another type',
           '{"events":[{"action":"push","target":{"digest":1}}]}',
           'events[0].target.digest' ],
         [ 'a huge envelope', encode_json(envelope(
               map { [ "team/app:$_", DIGEST ] } 1 .. 101)), 'events | 100' ])
    {
        my ($name, $body, $facts) = @$_;
        my $answer = $client->request(POST => PATH, $body);

        is($answer->{status}, 422, $name);
        like($answer->{json}{errors}, facts($facts), '... is named');
    }

    my $answer = $client->request(POST => PATH, 'x' x (1024 * 1024 + 1));

    is($answer->{status}, 413, 'a body that is too large');

    # distribution would send it again for ever, and nothing else

    for ([ 'no JSON', 'hello', 'JSON' ],
         [ 'a huge envelope', encode_json(envelope(
               map { [ "team/app:$_", DIGEST ] } 1 .. 101)), 'events | 100' ],
         [ 'a body that is too large', 'x' x (1024 * 1024 + 1),
           'dfpreheat_max_body_size' ])
    {
        my ($name, $body, $facts) = @$_;

        $answer = $client->request(POST => PATH, $body,
                                   { 'Content-Type' => EVENTS });
        is($answer->{status}, 200, "$name of distribution is accepted");
        like(ignored($answer)->[0], facts($facts), '... and ignored');
    }
    is($client->get(PATH)->{status}, 405, 'GET is not for it');
    is($warm->{servers}->stored_jobs, 0, 'nothing is stored');
};


push_story 'more jobs than a request may have', [
    map { "p$_ match=team/*" } 1 .. 2 ], sub
{
    my $warm = shift;

    my $answer = notify($warm, envelope(map { [ "team/app:$_", DIGEST ] }
                                            1 .. 51));

    is($answer->{status}, 422, 'are refused');
    like($answer->{json}{errors}, facts('102 | 100'), '... with the number');
    is($warm->{servers}->stored_jobs, 0, '... and none is stored');
    is(scalar @{ notify($warm, envelope(map { [ "team/app:$_", DIGEST ] }
                                            1 .. 50))->{json}{jobs} }, 100,
       'as many as it may have');
};


push_story 'the registry has another name', [
    "named match=team/*:v* origin=$origin", 'own match=team/*:w*' ], sub
{
    my $warm = shift;

    my $image = $registry->push_image('team/named');
    my $answer = notify($warm, envelope([ 'team/named:v1', DIGEST,
                                          at => 'http://registry:5000' ]));

    is($answer->{json}{jobs}[0]{url}, "$origin/v2/team/named/manifests/v1",
       'a policy says how nginx knows it');
    is_deeply(ignored(notify($warm, envelope([ 'team/named:v1', DIGEST,
        at => 'http://known.test' ]))), ['no policy matches it'],
        'not where nginx knows another registry by this name');
}, locations => location('/known/', 'http://known.test', $registry->port);


# The payloads of Harbor, in both of its formats.

sub harbor
{
    my ($host, $name, $tag, $digest) = @_;

    return { resources => [ { digest => $digest, tag => $tag,
                 resource_url => "$host/$name:$tag" } ],
             repository => { date_created => 1_677_053_165, name => 'app',
                             namespace => 'team', repo_full_name => $name,
                             repo_type => 'private' } };
}


push_story 'webhooks of Harbor', [ 'all match=team/*' ], sub
{
    my $warm = shift;

    my $host = $origin =~ s{^http://}{}r;
    my $image = $registry->push_image('team/harbor');
    my ($digest) = $image->{index} =~ /(sha256:.*)/;
    my %default = (occur_at => 1_678_082_923, operator => 'admin');
    my %event = (specversion => '1.0', requestid => 'a', id => 'b',
                 source => '/projects/1/webhook/policies/3',
                 datacontenttype => 'application/json',
                 time => '2023-03-06T06:08:43Z', operator => 'admin');
    my $answer = notify($warm, { type => 'PUSH_ARTIFACT', %default,
        event_data => harbor($host, 'team/harbor', '1.0', $digest) });

    is(jobs_of($answer), 'all:1+', 'its default format')
        or diag($answer->{body});

    my $job = $warm->ended(1);

    is($job->{state}, 'SUCCESS', '... is a job that ends well')
        or diag(error($job));
    is($job->{args}{url}, "$origin$image->{url}",
       '... by the scheme that is bound');
    is($job->{args}{pushed}, $digest, '... which tells what was pushed');
    $warm->hits('clients get it from the cache', $image->{url});

    $answer = notify($warm, { type => 'harbor.artifact.pushed', %event,
        data => harbor($host, 'team/harbor', '1.0', $digest) });
    is(jobs_of($answer), 'all:1', 'CloudEvents: it is the same');

    for ([ 'a pull', { type => 'PULL_ARTIFACT', %default,
               event_data => harbor($host, 'team/harbor', '1.0', $digest) },
           'it is not a push' ],
         [ 'a pull, as CloudEvents', { type => 'harbor.artifact.pulled', %event,
               data => harbor($host, 'team/harbor', '1.0', $digest) },
           'it is not a push' ],
         [ 'what has no tag', { type => 'PUSH_ARTIFACT', %default,
               event_data => harbor($host, 'team/harbor', $digest, $digest) },
           'no policy matches it' ],
         [ 'another Harbor', { type => 'PUSH_ARTIFACT', %default,
               event_data => harbor('harbor', 'team/app', '1', DIGEST) },
           'no location is bound to its registry (dfpreheat_origin)' ])
    {
        my ($name, $body, $why) = @$_;
        my $ignored = notify($warm, $body);

        is($ignored->{status}, 200, "$name is accepted");
        is_deeply(ignored($ignored), [$why], '... and ignored');
    }
};


push_story 'who may send it', [ 'all match=team/*' ], sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $event = envelope([ 'team/app:1', DIGEST ]);

    for ([ 'no token', undef, 401 ], [ 'a wrong one', 'wrong', 401 ],
         [ 'one of another scope', $servers->token('cluster'), 403 ],
         [ 'one that may post jobs', $servers->token('job'), 200 ])
    {
        my ($name, $token, $status) = @$_;
        my $client = DFP::Client->new(port => $servers->{port},
                                      token => $token);

        is($client->post(PATH, $event)->{status}, $status, $name);
    }
};


push_story 'a job that has failed', [ 'all match=team/*' ], sub
{
    my $warm = shift;

    my $event = envelope([ 'team/late:1.0', DIGEST ]);

    is(jobs_of(notify($warm, $event)), 'all:1+', 'an image that is not there');
    is($warm->ended(1)->{state}, 'FAILURE', '... fails');
    $registry->push_image('team/late');
    is(jobs_of(notify($warm, $event)), 'all:2+', 'it is pushed once more');
    is($warm->ended(2)->{state}, 'SUCCESS', '... and is warmed');
    is(jobs_of(notify($warm, $event)), 'all:2', '... which is enough');
};


push_story 'Redis is unavailable', [ 'all match=team/*' ], sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $event = envelope([ 'team/app:1', DIGEST ]);
    my $client = $servers->client;

    is($client->get('/oapi/v1/jobs')->{status}, 200, 'the token is known');
    $servers->redis_kill;
    $client->start(POST => PATH, encode_json($event));

    my $answer = $client->finish(OUTAGE);

    is($answer->{status}, 503, 'the registry is told to send it again');
    is($answer->{headers}{'retry-after'}, 10, '... later');

    $servers->redis_start;
    ok(wait_until(OUTAGE, sub {
        $answer = notify($warm, $event);
        $answer->{status} == 200;
    }), 'which it does');
    is(jobs_of($answer), 'all:1+', '... and it is a job');
};


# distribution sends the event before it stores the tag.

push_story 'a registry that tells of a push early', [ 'early match=early/*' ], sub
{
    my $warm = shift;

    my $other = DFP::Image->new($upstream, 'early/app');
    my ($old, $new) = map { $other->manifest($other->layer($_)) } qw( old new );
    my ($of_old, $of_new) = map { $other->{answers}{ $_->{digest} } } $old, $new;
    my $push = sub {
        my $tag = shift;

        my $answer = notify($warm, envelope([ "early/app:$tag", $new->{digest},
            at => EARLY, url => EARLY . $other->path($new) ]));

        return $warm->ended($answer->{json}{jobs}[0]{id});
    };

    $upstream->answers($other->by_tag('1'), { status => 404 }, $of_new);

    my $job = $push->('1');

    is($job->{state}, 'SUCCESS', 'the tag is not there yet: it is waited for')
        or diag(error($job));

    $upstream->answers($other->by_tag('2'), $of_old, $of_new);
    is($push->('2')->{state}, 'SUCCESS', 'the tag is the one before');
    is(($warm->pull($other->by_tag('2')))[0], $of_new->{body},
       '... clients get what was pushed');
    $warm->hits('... with all that is in it', $other->by_tag('2'),
                $other->paths($new));

    $other->tag('3', $old);
    is($push->('3')->{state}, 'SUCCESS', 'the tag has been moved since');
    $warm->hits('... and what pulls get is warmed', $other->by_tag('3'),
                $other->paths($old));

    is($push->('4')->{state}, 'FAILURE', 'the tag is gone');
}, locations => location('/v2/early/', EARLY, $upstream->port);


push_story 'jobs that are kept', [ 'all match=team/* keep=7d' ], sub
{
    my $warm = shift;

    my $servers = $warm->{servers};

    $registry->push_image('team/kept');
    $registry->push_image('team/more');

    is(jobs_of(notify($warm, envelope([ 'team/kept:1.0', DIGEST ]))), 'all:1+',
       'a push');
    is($warm->ended(1)->{state}, 'SUCCESS', '... is warmed');
    ok($warm->ended(1)->{args}{keep_until}, '... until a time');
    is($servers->redis('zrange', 'dfpreheat:kept', 0, -1), '1',
       '... and is kept');
    is(jobs_of(notify($warm, envelope([ 'team/kept:1.0', OTHER ]))), 'all:2+',
       'the tag is moved');
    is($warm->ended(2)->{state}, 'SUCCESS', '... and what it stands for is warmed');
    ok(wait_until(LOOKS, sub {
           $servers->redis('zrange', 'dfpreheat:kept', 0, -1) eq '2' }),
       '... and kept instead');

    $servers->redis('eval', 'for i = 1, 1000 do redis.call("zadd", KEYS[1], '
                            . 'ARGV[1], "x" .. i) end', 1, 'dfpreheat:kept',
                    FAR_FUTURE);
    is(jobs_of(notify($warm, envelope([ 'team/more:1.0', DIGEST ]))), 'all:3+',
       'too many are kept: the next one');
    is($warm->ended(3)->{state}, 'SUCCESS', '... is warmed all the same');
    ok($servers->logged(qr/policy all: job 3 is not kept/), '... which is logged');
};


push_story 'a full queue', [ 'all match=team/*' ], sub
{
    my $warm = shift;

    my $servers = $warm->{servers};

    $servers->redis('zadd', 'dfpreheat:deadlines', FAR_FUTURE, 8);

    my $answer = notify($warm, envelope([ 'team/app:1', DIGEST ],
                                        [ 'team/app:2', DIGEST ]));

    is($answer->{status}, 429, 'the registry is told to send it again');
    $servers->redis('zrem', 'dfpreheat:deadlines', 8);
    is($warm->ended(1)->{state}, 'FAILURE', 'there is room again');
    $answer = notify($warm, envelope([ 'team/app:2', DIGEST ]));
    is($answer->{status}, 200, '... and it is taken');
}, http => "dfpreheat_queue_limit 2;\n";

done_testing();
