# Memory that ends at any allocation of a job, from its POST to its end: the job
# ends, as SUCCESS or as FAILURE, nginx goes on, and the next job is a SUCCESS. Or
# at any allocation while nginx asks a registry who may have what.
#
# Only the nginx of the sanitizers can do that (make asan-test; see
# tools/failing_malloc.c). With MEMORY_EVERY=1 it fails at each allocation, one
# after the other, which takes long; without, at some of them, others each time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use File::Temp ();
use HTTP::Tiny;
use JSON::PP qw( encode_json );
use Test::More;

use DFP::Announce;
use DFP::Client;
use DFP::Dns;
use DFP::Events;
use DFP::Hooks;
use DFP::Image;
use DFP::Kept qw( HOUR in_seconds );
use DFP::Process qw( wait_until );
use DFP::Story qw( story );
use DFP::Upstream;
use DFP::Warm;

plan skip_all => 'only the nginx of make asan-test can run out of memory'
    if !$ENV{DFPREHEAT_MEMORY_ENDS};

use constant {
    REGISTRY    => 'http://registry.test',
    AUTH        => 'http://auth.test',
    SAMPLES     => 20,      # of all allocations
    LOOKS       => 8,       # of those of a look
    STORY_SECONDS => 1800,
    JOB_SECONDS => 20,      # with leases that run out
    ANSWER_SECONDS => 28,
    HOOK_SECONDS => 50,     # with leases of tries that run out

    # the second: nginx frees a request whose answer it could not process
    FAILED      => qr/(?:malloc|posix_memalign)\(.*\)\ failed
                      |stalled\ cache\ updating/x,
};

my $upstream = DFP::Upstream->start;
my $cdn = DFP::Upstream->start;
my $port = $upstream->port;
my $shared = File::Temp->new(TEMPLATE => 'dfpreheat-memory-XXXXXXXX',
                             TMPDIR => 1);

$ENV{DFPREHEAT_MEMORY} = $shared->filename;
set(0);


# How many allocations are left, and how many were made since then.

sub set
{
    my $left = shift;

    open my $file, '+<', $shared->filename or die "$shared: $!";
    binmode $file;
    syswrite $file, pack 'qq', $left, 0;
}


sub made
{
    open my $file, '<', $shared->filename or die "$shared: $!";
    binmode $file;
    sysread $file, my $numbers, 16;

    return (unpack 'qq', $numbers)[1];
}


# An image that needs a token, and whose blobs are elsewhere.

sub image
{
    my $name = shift;

    my $image = DFP::Image->new($upstream, $name, sub {
        return { @_, wants => 'Authorization: Bearer good', refusal => {
            status => 401, headers => [ 'WWW-Authenticate' =>
                qq(Bearer realm="@{[ AUTH ]}/token",scope="a:b:pull") ] } } });
    my $manifest = $image->manifest($image->layer('one'),
                                    $image->layer('two'));

    $image->tag('1', $image->index([ 'linux/amd64', $manifest ]));
    $upstream->answers('/token', { body => '{"token":"good"}' });

    for my $path (grep { m{/blobs/} } $image->paths($manifest)) {
        $cdn->answers($path, { body => $upstream->body($path) });
        $upstream->answers($path, { status => 307, headers => [
            Location => 'http://127.0.0.1:' . $cdn->port . $path,
            'X-Kept' => 'kept' ] });
    }

    return REGISTRY . $image->by_tag('1');
}


# What is stored of the jobs that have not ended.

sub unfinished
{
    my $servers = shift;

    return $servers->redis('zcard', 'dfpreheat:deadlines');
}


my @registry = (
    location('/v2/', REGISTRY, $port, 'proxy_cache files;',
             'include cache.conf;', 'include follow.conf;',
             'dfpreheat_redirect_headers X-Kept;'),
    location('/token', AUTH, $port, '#'),
    redirects('http://127.0.0.1:' . $cdn->port));

# nginx's own lines about it are of level emerg, and are expected

for my $verify (JSON::PP::false, JSON::PP::true) {
    my $what = $verify ? 'a job with a rehearsal' : 'a job';

    warm_story "memory ends once in $what", { workers => 1, lease => '1s',
                                              seconds => STORY_SECONDS },
               join('', @registry, rehearsal()),
               sub { memory_ends(shift, $verify) };
}


sub memory_ends
{
    my ($warm, $verify) = @_;

    my $servers = $warm->{servers};
    my @job = ('image', url => image('app'), username => 'u',
               password => 'p', verify => $verify);
    my ($worker) = $servers->workers;

    $servers->expects(undef, FAILED);

    my $first = $warm->run(@job);

    is($first->{state}, 'SUCCESS', 'the first job is a SUCCESS');

    set(0);
    $warm->run(@job);
    my $all = made();
    my $every = $ENV{MEMORY_EVERY} // int($all / SAMPLES) || 1;

    announce("$all allocations, one of $every fails");

    for (my $n = 1 + int rand $every; $n <= $all; $n += $every) {
        $warm->lose_files if $n % 2;

        set($n);
        my $id = eval { $warm->post(@job) };

        if (!wait_until(JOB_SECONDS, sub { unfinished($servers) == 0 })) {
            fail("allocation $n: the job ends");
            last;
        }

        set(0);

        if ($verify && $id && !rehearsed($servers->job($id), $first)) {
            fail("allocation $n: no SUCCESS without a rehearsal of all");
            last;
        }

        if (($servers->workers)[0] != $worker) {
            fail("allocation $n: nginx goes on");
            last;
        }
    }

    set(0);
    is($warm->run(@job)->{state}, 'SUCCESS', 'and so is the last');
}


# A job with a rehearsal has failed, or it has seen as many hits as the first one.

sub rehearsed
{
    my ($job, $first) = @_;

    my ($found, $all) = map { $_->{result}{job_states}[0]{results}[0] } $job,
                                                                       $first;

    return $job->{state} ne 'SUCCESS'
           || $found->{verified_misses} == 0
              && $found->{verified_hits} == $all->{verified_hits};
}


# What is answered by 200 is stored, and what is not is sent again, as registries do:
# each push is one job, which tells what signs the image. Fewer samples do: jobs have
# their own.

warm_story 'memory ends once while pushes become jobs', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS,
    http => "dfpreheat_policy all match=app:* subjects=on;\n" },
    location('/v2/', REGISTRY, $port), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($worker) = $servers->workers;
    my ($image, undef, $manifest) = DFP::Image->of_layer($upstream, 'app');
    my $tag = 0;
    my $round = sub {
        my @events = map {
            $image->tag("v$_", $manifest);

            { action => 'push', target => {
                mediaType => $manifest->{mediaType}, repository => 'app',
                digest => $manifest->{digest}, tag => "v$_",
                url => REGISTRY . $image->path($manifest) } }
        } map { ++$tag } 1 .. 2;
        my $jobs = sub {
            my $client = $servers->client;

            $client->start('POST', '/oapi/v1/notifications',
                           encode_json({ events => \@events }));

            my $answer = eval { $client->finish(ANSWER_SECONDS) } // {};

            return ($answer->{status} // 0) != 200 ? undef
                   : scalar @{ $answer->{json}{jobs} };
        };

        return $jobs->() // do { set(0); $jobs->() };
    };

    $servers->expects(undef, FAILED);
    $round->();
    wait_until(JOB_SECONDS, sub { unfinished($servers) == 0 });

    set(0);
    is($round->(), 2, 'pushes are jobs');
    ok(wait_until(JOB_SECONDS, sub { unfinished($servers) == 0 }), '... that end');

    my $made = made();
    my $every = $ENV{MEMORY_EVERY} // int(4 * $made / SAMPLES) || 1;

    announce("$made allocations, one of $every fails");

    for (my $n = 1 + int rand $every; $n <= $made; $n += $every) {
        set($n);

        my $jobs = $round->();

        if ($jobs != 2
            || !wait_until(JOB_SECONDS, sub { unfinished($servers) == 0 })
            || ($servers->workers)[0] != $worker)
        {
            fail("allocation $n: both are jobs that end, nginx goes on: $jobs");
            last;
        }
    }

    set(0);
    is($round->(), 2, 'and so are the last');
    is($servers->stored_jobs, $tag, 'none is there twice');
};


# A try that is lost is made again when its lease has expired.

warm_story 'memory ends once while a webhook is delivered', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS },
    DFP::Hooks->location, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $hooks = DFP::Hooks->new('/memory', {});
    my ($worker) = $servers->workers;

    $servers->expects(undef, FAILED);

    my $delivered = sub {
        my $id = eval { $hooks->post($servers, ['/quick/100/a']) } or return 1;

        return wait_until(HOOK_SECONDS, sub {
            my $webhook = $servers->redis('hget', "dfpreheat:job:$id",
                                          'webhook');
            $webhook =~ /^SUCCESS/; });
    };

    ok($delivered->(), 'the first one is delivered');

    set(0);
    $delivered->();
    my $all = made();
    my $every = $ENV{MEMORY_EVERY} // int($all / SAMPLES) || 1;

    announce("$all allocations, one of $every fails");

    for (my $n = 1 + int rand $every; $n <= $all; $n += $every) {
        set($n);

        if (!$delivered->()) {
            fail("allocation $n: it is delivered");
            last;
        }

        if (($servers->workers)[0] != $worker) {
            fail("allocation $n: nginx goes on");
            last;
        }
    }

    set(0);
    ok($delivered->(), 'and so is the last');
};


# A look at a kept job, which fails or is made again. Looks take their time: a few of
# all allocations fail.

warm_story 'memory ends once in a look at a kept job', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS,
    http => "dfpreheat_keep_interval 1s;\n" }, join('', @registry), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($worker) = $servers->workers;

    $servers->expects(undef, FAILED);

    my $id = $warm->run('image', url => image('kept'), username => 'u',
                        password => 'p', keep_until => in_seconds(HOUR))->{id};
    my $last = '';

    # the state of the next look that ends

    my $look = sub {
        my $told = '';

        wait_until(JOB_SECONDS, sub {
            $told = $servers->redis('hget', "dfpreheat:job:$id", 'l:2');
            $told ne $last;
        }) or return 'none';
        $last = $told;

        return $told =~ /^(\w+)/ ? $1 : '';
    };

    is($look->(), 'SUCCESS', 'a look');

    set(0);
    $warm->lose_files;
    is($look->(), 'SUCCESS', 'one that has to fetch all of it');

    my $all = made();
    my $every = $ENV{MEMORY_EVERY} // int($all / LOOKS) || 1;

    announce("$all allocations, one of $every fails");

    for (my $n = 1 + int rand $every; $n <= $all; $n += $every) {
        $warm->lose_files;
        set($n);
        my $state = $look->();

        if ($state eq 'none' || ($servers->workers)[0] != $worker) {
            fail("allocation $n: nginx goes on, and the next look ends: $state");
            last;
        }
    }

    set(0);
    ok(wait_until(JOB_SECONDS, sub { $look->() eq 'SUCCESS' }),
       'and then one succeeds');
    is(($servers->workers)[0], $worker, 'nginx goes on');
};


# Nobody waits for longer than an answer may take.

sub asked
{
    my ($servers, $method, $url) = @_;

    my $client = $servers->client;

    $client->start($method, '/oapi/v1/cache?url='
                   . $url =~ s{[:/]}{sprintf '%%%02X', ord $&}ger);

    return eval { $client->finish(ANSWER_SECONDS)->{status} } // 'none';
}


warm_story 'memory ends once while nginx looks into its cache', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS },
    location('/v2/', REGISTRY, $port), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($worker) = $servers->workers;
    my $url = REGISTRY . DFP::Image->simple($upstream, 'where');

    $servers->expects(undef, FAILED);
    is($warm->run('image', url => $url)->{state}, 'SUCCESS',
       'an image is warmed');

    for my $method (qw( GET DELETE )) {
        set(0);
        is(asked($servers, $method, $url), 200, "$method is answered");

        my $made = made();
        my $every = $ENV{MEMORY_EVERY} // int($made / SAMPLES) || 1;

        announce("$made allocations, one of $every fails");

        for (my $n = 1 + int rand $every; $n <= $made; $n += $every) {
            set($n);
            my $status = asked($servers, $method, $url);

            if ($status !~ /^(?:200|500|503|none)$/
                || ($servers->workers)[0] != $worker)
            {
                fail("allocation $n: nginx goes on, $status");
                last;
            }
        }
    }

    set(0);
    is(asked($servers, 'GET', $url), 200, 'the last one is answered');
    is(($servers->workers)[0], $worker, 'nginx goes on');
};


# What is held is known, or it is not.

warm_story 'memory ends once in a dry run', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS },
    location('/v2/', REGISTRY, $port), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($worker) = $servers->workers;
    my $url = REGISTRY . DFP::Image->simple($upstream, 'dry');

    my $held = sub {
        my $client = $servers->client;

        $client->start('POST', '/oapi/v1/jobs?wait=20s', encode_json({
            type => 'preheat', dry_run => JSON::PP::true,
            args => { type => 'image', url => $url } }));

        my $job = eval { $client->finish(ANSWER_SECONDS)->{json} } // {};
        my $state = ref $job && $job->{result}
                    ? $job->{result}{job_states}[0] : {};

        return join ' ', map { !defined $_->{held} ? '?' : $_->{held} ? 1 : 0 }
                         @{ $state->{tasks} // [] };
    };

    $servers->expects(undef, FAILED);
    is($warm->run('image', url => $url)->{state}, 'SUCCESS',
       'an image is warmed');

    set(0);
    is($held->(), '1 1 1 1', 'it is held');

    my $made = made();
    my $every = $ENV{MEMORY_EVERY} // int($made / SAMPLES) || 1;

    diag("$made allocations, one of $every fails");

    for (my $n = 1 + int rand $every; $n <= $made; $n += $every) {
        set($n);
        my $told = $held->();

        if ($told =~ /0/ || ($servers->workers)[0] != $worker) {
            fail("allocation $n: it is held, or not known: $told");
            last;
        }
    }

    set(0);
    is($held->(), '1 1 1 1', 'it is held at last');
    is(($servers->workers)[0], $worker, 'nginx goes on');
};


# What is told of a task is true, or nothing is told: by its id, so that the job
# that has preheated it is looked up, too.

warm_story 'memory ends once in a job about a task', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS },
    location('/v2/', REGISTRY, $port), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($worker) = $servers->workers;
    my $url = REGISTRY . DFP::Image->simple($upstream, 'task');
    my $id = sha256_hex($url . 'STANDARD');

    $servers->expects(undef, FAILED);

    # "held", "not held", "deleted" or "unknown"; else the status or the state

    my $tells = sub {
        my ($type, $args) = @_;
        my $client = $servers->client;

        $client->start('POST', '/oapi/v1/jobs?wait=20s',
                       encode_json({ type => $type, args => $args }));

        my $answer = eval { $client->finish(ANSWER_SECONDS) };
        my $json = $answer ? $answer->{json} : undef;

        return $answer ? $answer->{status} : 'none'
            if !$answer || $answer->{status} != 200 || ref $json ne 'HASH';

        if (my $image = $json->{image}) {
            my $peers = $json->{peers};

            return 'unknown' if grep { $_->{error} } @$peers;
            return @$peers && @{ $image->{layers} } == @{ $peers->[0]{cached_layers} }
                   ? 'held' : 'not held';
        }

        my $result = $json->{result}{job_states}[0]{results}[0];

        return $json->{state} if $json->{state} ne 'SUCCESS';
        return @{ $result->{success_tasks} } ? 'deleted' : 'not held'
            if $type eq 'delete_task';
        return (grep { $_->{IsFinished} } @{ $result->{peers} })
               ? 'held' : 'not held';
    };

    for ([ 'get_task', { task_id => $id }, 'held' ],
         [ 'get_image_distribution', { url => $url }, 'held' ],
         [ 'delete_task', { task_id => $id }, 'deleted' ])
    {
        my ($type, $args, $right) = @$_;

        set(0);
        is($warm->run('image', url => $url)->{state}, 'SUCCESS',
           'an image is warmed');

        set(0);
        is($tells->($type, $args), $right, "$type is answered");

        my $made = made();
        my $every = $ENV{MEMORY_EVERY} // int($made / SAMPLES) || 1;

        announce("$made allocations, one of $every fails");

        for (my $n = 1 + int rand $every; $n <= $made; $n += $every) {
            if ($right eq 'deleted') {
                set(0);
                $warm->run('image', url => $url);
            }

            set($n);
            my $told = $tells->($type, $args);

            set(0);

            if ($told !~ /^(?:\Q$right\E|unknown|FAILURE|PENDING|424|500|503|none)$/
                || ($told eq 'deleted'
                    && $tells->('get_task', { url => $url }) ne 'not held')
                || ($servers->workers)[0] != $worker)
            {
                fail("allocation $n: it is true and nginx goes on: $told");
                last;
            }
        }

        is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'warmed again');
        is($tells->($type, $args), $right, 'the last one is answered');
    }

    is(($servers->workers)[0], $worker, 'nginx goes on');
};


# Each request about tokens, by the administrator and by who has one. Once more it
# is the same question, whatever has become of the last.

story 'memory ends once while tokens are managed', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS }, sub
{
    my $servers = shift;

    my $path = '/api/v1/personal-access-tokens';
    my ($worker) = $servers->workers;
    my $token = $servers->token;
    my $new = encode_json({ name => 'test-1', scopes => ['job'],
                            expired_at => '2037-01-01T00:00:00Z' });
    my $change = encode_json({ bio => 'b', scopes => ['job'],
                               state => 'active' });

    my $status = sub {
        my ($admin, @request) = @_;

        my $client = $admin ? $servers->admin
            : DFP::Client->new(port => $servers->{port}, token => $token);

        $client->start(@request);

        return eval { $client->finish(ANSWER_SECONDS)->{status} } // 'none';
    };

    $servers->expects(undef, FAILED);
    $servers->token;

    for ([ 200, 1, GET => "$path?state=active&user_id=0" ],
         [ 200, 1, GET => "$path/1" ],
         [ 200, 1, PATCH => "$path/1", $change ],
         [ 409, 1, POST => $path, $new ],
         [ 404, 1, DELETE => "$path/999" ],
         [ 404, 0, GET => '/oapi/v1/jobs/999' ])
    {
        my ($right, @request) = @$_;

        set(0);
        $servers->redis('hset', 'dfpreheat:token:1', 'state', 'active');
        is($status->(@request), $right, "@request[1, 2] is answered");

        my $made = made();
        my $every = $ENV{MEMORY_EVERY} // int($made / SAMPLES) || 1;

        announce("$made allocations, one of $every fails");

        for (my $n = 1 + int rand $every; $n <= $made; $n += $every) {
            set($n);
            my $got = $status->(@request);

            if ($got !~ /^(?:$right|500|503|none)$/
                || ($servers->workers)[0] != $worker)
            {
                fail("allocation $n: nginx goes on, $got");
                last;
            }
        }
    }

    set(0);
    is($status->(1, DELETE => "$path/1"), 200, 'a token is deleted');
    is($status->(0, GET => '/oapi/v1/jobs/999'), 401, 'and refused');
    is(($servers->workers)[0], $worker, 'nginx goes on');
};


story 'memory ends once while metrics are shown', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS }, sub
{
    my $servers = shift;

    my ($worker) = $servers->workers;
    my $scrape = sub {
        my $http = HTTP::Tiny->new(keep_alive => 0, timeout => ANSWER_SECONDS);

        return $http->get("http://127.0.0.1:$servers->{port}/metrics");
    };

    $servers->expects(undef, FAILED);

    set(0);
    is($scrape->()->{status}, 200, 'they are shown');

    my $made = made();

    for my $n (1 .. $made) {
        set($n);
        my $answer = $scrape->();

        # 599: the connection was closed before the answer was complete

        if ($answer->{status} !~ /^(?:200|500|599)$/
            || ($servers->workers)[0] != $worker)
        {
            fail("allocation $n: nginx goes on, $answer->{status}");
            last;
        }
    }

    set(0);
    is($scrape->()->{status}, 200, 'and shown again');
};


# Requests that wait for Redis only.

story 'memory ends once in a request about clusters, or the health', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS }, sub
{
    my $servers = shift;

    my ($worker) = $servers->workers;
    my $client = DFP::Client->new(port => $servers->{port}, token =>
                                  $servers->token(qw( job cluster )));

    $servers->expects(undef, FAILED);

    for my $path ('/oapi/v1/clusters?name=cluster-1', '/oapi/v1/clusters/1',
                  '/healthy')
    {
        my $status = sub {
            $client->start('GET', $path);
            eval { $client->finish(ANSWER_SECONDS)->{status} } // 'none';
        };

        $status->();
        set(0);
        is($status->(), 200, "$path is answered");

        for my $n (1 .. made()) {
            set($n);
            my $got = $status->();

            if ($got !~ /^(?:200|500|503|none)$/
                || ($servers->workers)[0] != $worker)
            {
                fail("allocation $n: nginx goes on, $got");
                last;
            }

            delete $client->{socket} if $got eq 'none';
        }

        set(0);
        is($status->(), 200, 'so is the last');
    }

    is(($servers->workers)[0], $worker, 'nginx goes on');
};


# A file that is not there: the job ends as soon as it is run, and is posted
# again and again.

warm_story 'memory ends once while requests wait for the end of a job', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS },
    location('/v2/', REGISTRY, $port), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($worker) = $servers->workers;
    my $body = $servers->files(['/status/404/waited']);
    my $path = '/oapi/v1/jobs?wait=20s&fail=1';
    my $long = '/oapi/v1/jobs/'
               . $servers->post_files(['/gate/100/memory']) . '?wait=50ms';

    $servers->expects(undef, FAILED);

    my $ask = sub {
        return map { my ($method, $path, $body) = @$_;
                     my $client = $servers->client;
                     $client->start($method, $path, $body && encode_json($body));
                     eval { $client->finish(ANSWER_SECONDS)->{status} }
                         // 'none' }
                   [ 'POST', $path, $body ], [ 'GET', $long ];
    };

    # a stream is left after its first event, or when none comes

    my $watch = sub {
        my $stream = $long =~ s/\?.*/\/events/r;
        my $events = eval { DFP::Events->open($servers, $stream) };

        return if !$events;
        $events->next(1) if $events->status == 200;
        $events->close;
    };

    set(0);
    is(join(' ', $ask->()), '424 200', 'both are answered');
    $watch->();

    my $made = made();
    my $every = $ENV{MEMORY_EVERY} // int($made / SAMPLES) || 1;

    announce("$made allocations, one of $every fails");

    for (my $n = 1 + int rand $every; $n <= $made; $n += $every) {
        set($n);
        my @status = $ask->();

        $watch->();

        if ((grep { !/^(?:424|200|500|503|504|none)$/ } @status)
            || ($servers->workers)[0] != $worker)
        {
            fail("allocation $n: nginx goes on, @status");
            last;
        }
    }

    set(0);
    is(join(' ', $ask->()), '424 200', 'the last ones are answered');
    is(($servers->workers)[0], $worker, 'nginx goes on');
};


# A stream of all jobs, from its beginning to the deletion of a job.

story 'memory ends once while all jobs are listened to', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS }, sub
{
    my $servers = shift;

    my ($worker) = $servers->workers;

    $servers->expects(undef, FAILED);

    my $listen = sub {
        my $events = eval { DFP::Events->open($servers, '/oapi/v1/events') };
        my $id = eval { $servers->post_files(['/status/404/listen']) };
        my @seen;

        if ($events && $events->status == 200) {
            while (my $event = $events->next(2)) {
                push @seen, $event->{event};
                last if $event->{event} =~ /^(?:end|reset)$/;
            }

            $events->close;
        }

        eval { $servers->client->request('DELETE', "/oapi/v1/jobs/$id") } if $id;

        return join ' ', grep { $_ ne 'progress' } @seen;
    };

    set(0);
    is($listen->(), 'hello created end', 'all is heard');

    my $made = made();
    my $every = $ENV{MEMORY_EVERY} // int($made / SAMPLES) || 1;

    diag("$made allocations, one of $every fails");

    for (my $n = 1 + int rand $every; $n <= $made; $n += $every) {
        set($n);

        my $heard = $listen->();

        if ($heard !~ /^(?:hello(?: created)?(?: end| reset)?)?$/
            || ($servers->workers)[0] != $worker)
        {
            fail("allocation $n: nginx goes on, $heard");
            last;
        }
    }

    set(0);
    is($listen->(), 'hello created end', 'and again');
    is(($servers->workers)[0], $worker, 'nginx goes on');
};


warm_story 'memory ends once while a registry is asked', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS },
    join('', location('/v2/', REGISTRY, $port, 'dfpreheat_access on;',
                      'proxy_cache files;', 'include cache.conf;',
                      'include follow.conf;'),
         @registry[1, 2]), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($worker) = $servers->workers;
    my $image = DFP::Image->new($upstream, 'private', sub {
        +{ @_, wants => 'Authorization: Bearer good',
           refusal => { status => 401 } } });
    my $manifest = $image->manifest($image->layer('private'));
    my @paths = $image->paths($manifest);

    $servers->expects(undef, FAILED);
    $image->tag('1', $manifest);

    my $right = { Authorization => 'Bearer good' };

    is($warm->run('image', url => REGISTRY . $image->by_tag('1'),
                  headers => $right)->{state}, 'SUCCESS', 'an image is warmed');

    # each time it is another client

    my $n = 0;

    my $all = sub {
        my %rights = @_;

        $n++;

        return map {
            HTTP::Tiny->new(timeout => JOB_SECONDS)->get(
                "http://127.0.0.1:$warm->{port}$_",
                { headers => { %rights, 'X-Client' => $n } })->{status}
        } @paths;
    };

    for my $rights ({}, $right) {
        set(0);
        $all->(%$rights);
        my $made = made();
        my $every = $ENV{MEMORY_EVERY} // int($made / SAMPLES) || 1;

        announce("$made allocations, one of $every fails");

        my @given;

        for (my $k = 1 + int rand $every; $k <= $made; $k += $every) {
            set($k);
            push @given, $all->(%$rights);
        }

        is(scalar(grep { $_ == 200 && !%$rights } @given), 0,
           'nobody gets what is not theirs');
    }

    set(0);
    is(join(' ', $all->(%$right)), join(' ', map { 200 } @paths),
       'who has the right gets it');
    is(($servers->workers)[0], $worker, 'nginx goes on');
};


my ($known, $unknown) = (DFP::Dns->start('named.test' => ['127.0.0.1']),
                         DFP::Dns->start);

warm_story 'memory ends once while a name cannot be resolved', {
    workers => 1, lease => '1s', seconds => STORY_SECONDS }, <<"END", sub
resolver 127.0.0.1:${\ $known->port };

location /v2/ {
    dfpreheat_origin http://named.test:$port;
    proxy_pass \$dfpreheat_target;
    proxy_cache files;
    include cache.conf;
}
END
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my (undef, $tag) = DFP::Image->of_layer($upstream, 'unresolved');
    my $pull = sub {
        $warm->another_client;
        return ($warm->pull($tag))[1];
    };

    $servers->expects(undef, FAILED);
    is($pull->(), 'MISS', 'a tag is stored');

    my ($old, $new) = map { $_->port } $known, $unknown;

    $servers->nginx_configure(http => $servers->{http}
                                      =~ s/resolver 127\.0\.0\.1:\K$old/$new/r);
    $servers->nginx_reload;
    $warm->expire($tag);
    is($pull->(), 'STALE', 'and has expired');

    my ($worker) = $servers->workers;

    set(0);
    $pull->();
    my $made = made();
    my $every = $ENV{MEMORY_EVERY} // int($made / SAMPLES) || 1;

    announce("$made allocations, one of $every fails");

    for (my $k = 1 + int rand $every; $k <= $made; $k += $every) {
        set($k);
        $pull->();
    }

    set(0);
    is($pull->(), 'STALE', 'nginx goes on with it');
    is(($servers->workers)[0], $worker, 'and is the same');
};

done_testing();
