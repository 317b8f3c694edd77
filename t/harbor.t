# The calls of Harbor's Dragonfly driver, as it makes them: one connection that is
# kept, a token with each call, 30 s for an answer, and no second chance. What it
# does not tolerate in an answer is in reads().
#
# A burst of jobs, one for each of 3,000 tags, is in t/fair.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Client;
use DFP::Cluster qw( at_gates cluster_story hosts open_gates );
use DFP::Facts;
use DFP::Image;
use DFP::Process qw( free_port wait_until );
use DFP::Results qw( error );
use DFP::Servers;
use DFP::Story qw( story );
use DFP::Upstream qw( guarded );
use DFP::Warm;

use constant {
    REGISTRY  => 'http://harbor.test',
    TOKEN     => 'Bearer ready',
    JOBS      => '/oapi/v1/jobs',
    POLL      => 10,        # s between two looks at a job
    PATIENCE  => 30,        # s for an answer
    POLLS     => 4,
    GRACE     => 5,         # s: NGX_DFP_HEALTH_WAIT
    AT_ONCE   => 1,
    LATER     => 4,         # s: less than that
    LIFE      => 1_000,     # ms
};

my $time = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;


# The driver: its headers, and its connection.

sub driver
{
    my ($servers, $token) = @_;

    return DFP::Client->new(port => $servers->{port},
                            token => $token // $servers->token);
}


sub answer_to
{
    my ($driver, $method, $path, $body) = @_;

    $driver->start($method, $path, defined $body ? encode_json($body) : undef,
                   { Accept => 'application/json', 'Accept-Encoding' => 'gzip',
                     'User-Agent' => 'Go-http-client/1.1' });

    return $driver->finish(PATIENCE);
}


# What is sent for an image: each field, whether it is set or not.

sub preheat
{
    my ($url, %with) = @_;

    return {
        type => 'preheat',
        args => { type => 'image', url => $url, tag => '',
                  filtered_query_params => '',
                  headers => { Authorization => $with{token} // TOKEN },
                  scope => $with{scope} // '', concurrent_count => 0,
                  timeout => 0 },
        scheduler_cluster_ids => $with{clusters},
    };
}


# The answer as the driver's types take it: the job; or it dies.

sub reads
{
    my $answer = shift;

    die "status $answer->{status}: $answer->{body}\n"
        if $answer->{status} !~ /^2/;
    die "compressed\n" if $answer->{headers}{'content-encoding'};

    my $job = JSON::PP->new->decode($answer->{body});

    die "no object\n" if ref $job ne 'HASH';
    _once($job);
    die "id\n" if $answer->{body} !~ /^\{"id":[1-9]\d{0,17}[,}]/;
    $job->{$_} =~ $time or die "$_: $job->{$_}\n" for qw( created_at updated_at );
    $job->{state} =~ /^(?:PENDING|SUCCESS|FAILURE)$/
        or die "state: $job->{state}\n";

    for my $state (@{ ($job->{result} // {})->{job_states} // [] }) {
        die "error\n" if ref $state->{error};

        for my $result (@{ $state->{results} // [] }) {
            $result->{scheduler_cluster_id} =~ /^\d+$/ or die "cluster\n";

            for my $task (map { @{ $result->{$_} // [] } }
                              qw( success_tasks failure_tasks ))
            {
                die "a task that is null\n" if !defined $task;
                ref $task->{$_} and die "$_\n"
                    for qw( url hostname ip description );
            }
        }
    }

    return $job;
}


# Go compares names in any letter case.

sub _once
{
    my $object = shift;
    my %names;

    $names{lc $_}++ and die "two names: $_\n" for keys %$object;
}


# A job from its POST to its end, as Harbor sees it.

sub preheats
{
    my ($driver, $body, $each) = @_;

    my $id = reads(answer_to($driver, POST => JOBS, $body))->{id};
    my $job;

    for my $n (1 .. POLLS * PATIENCE) {
        $each->($n, $id) if $each;
        $job = reads(answer_to($driver, GET => JOBS . "/$id"));
        last if $job->{state} ne 'PENDING';
        sleep 0.1 if !$each;
    }

    return $job;
}


my $upstream = DFP::Upstream->start;
my $image = DFP::Image->new($upstream, 'library/app', sub {
    guarded(TOKEN, 'Bearer realm="http://harbor.test/service/token",'
                   . 'service="harbor-registry"', @_) });
my $manifest = $image->manifest($image->layer('one'), $image->layer('two'));
my @paths = ($image->by_tag('1'), $image->paths($manifest));
my $location = location('/v2/', REGISTRY, $upstream->port);

$image->tag('1', $manifest);


# TEST CONNECTION, and the first call of each job

sub healthy
{
    my ($driver) = @_;

    my $began = time;
    my $answer = answer_to($driver, GET => '/healthy');

    return ($answer->{status}, time - $began, $answer);
}

sub status { (healthy(@_))[0] }


story 'the connection is tested', {}, sub
{
    my $servers = shift;

    my $token = $servers->token;
    my $answer = (healthy(driver($servers, $token)))[2];

    is("$answer->{status} $answer->{body}", '200 "OK"', 'with its token');
    is(status(driver($servers, 'unknown')), 401, 'with an unknown one');
    is(status(driver($servers, DFP::Servers::ADMIN_KEY)), 401,
       'with the admin key');
    is(status(driver($servers, '')), 401, 'with an empty one');
    is(status(driver($servers, $servers->token('cluster'))), 401,
       'with one that cannot post jobs');

    my $nobody = DFP::Client->new(port => $servers->{port});

    is(status($nobody), 200, 'without a token');
    $nobody->start(GET => '/healthy', undef,
                   { Authorization => 'Basic YWxpY2U6c2VjcmV0' });
    is($nobody->finish(PATIENCE)->{status}, 401, 'with another scheme');

    # a token that is known already

    for ([ state => 'inactive', 'active', qr/^Token is inactive$/ ],
         [ expired_at => LIFE, 2_000_000_000_000, qr/^Token has expired$/ ])
    {
        my ($field, $bad, $good, $text) = @$_;
        my $driver = driver($servers, $token);

        is(status($driver), 200, "$field is good");
        $servers->redis('hset', 'dfpreheat:token:1', $field, $bad);

        my $answer = (healthy($driver))[2];

        is($answer->{status}, 401, '... and is not from that moment on');
        like($answer->{json}{message}, $text, '... as the answer says');
        is($answer->{headers}{'www-authenticate'}, 'Bearer', '... by its header');
        $servers->redis('hset', 'dfpreheat:token:1', $field, $good);
    }
};


story 'the connection is tested, and Redis is unavailable', {
    workers => 1, http => 'dfpreheat_redis_timeout 2s;' }, sub
{
    my $servers = shift;

    my $driver = driver($servers);

    is(status($driver), 200, 'it is there');

    # a short outage

    $servers->redis_kill;
    $driver->start(GET => '/healthy');
    ok(!$driver->answered(AT_ONCE), 'a short outage is waited for');
    $servers->redis_start;
    is($driver->finish(LATER)->{status}, 200, 'until it is over');

    # one that goes on

    $servers->redis_kill;
    my ($status, $seconds, $answer) = healthy($driver);
    is($status, 503, 'a longer one');
    is($answer->{headers}{'retry-after'}, 10, '... is named so');
    cmp_ok($seconds, '<', GRACE + AT_ONCE, '... after some seconds');

    ($status, $seconds) = healthy($driver);
    is($status, 503, 'from then on');
    cmp_ok($seconds, '<', AT_ONCE, '... at once');

    is(status(DFP::Client->new(port => $servers->{port})), 200,
       'without a token it is 200');

    $servers->redis_start;
    ok(wait_until(LATER, sub { status($driver) == 200 }), 'until it is back');

    # one that hangs

    $servers->redis_signal('STOP');
    ($status, $seconds) = healthy($driver);
    $servers->redis_signal('CONT');
    is($status, 503, 'one that does not answer');
    cmp_ok($seconds, '<', GRACE + AT_ONCE, '... after some seconds, too');
};


story 'the connection is tested in the middle of a reload', {}, sub
{
    my $servers = shift;

    my $token = $servers->token;

    for (1 .. 5) {
        $servers->nginx_reload;
        is(status(driver($servers, $token)), 200, 'new workers');
    }
};


# Jobs

warm_story 'a job', {}, $location, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $driver = driver($servers);

    is(status($driver), 200, 'the connection is tested');

    my $answer = answer_to($driver, POST => JOBS, preheat(REGISTRY . $paths[0]));
    my $job = reads($answer);

    is($job->{state}, 'PENDING', 'the job is accepted');
    is($job->{args}{timeout}, 3_600_000_000_000, '0 is not given: timeout');
    is($job->{args}{scope}, 'all_peers', '"" is not given: scope');
    is_deeply([ map { $_->{id} } @{ $job->{scheduler_clusters} } ], [1],
              'null is not given: clusters');
    is($job->{args}{headers}{Authorization}, '***', 'its token is not shown');
    is($driver->{repeated}, 0, 'by the same connection');

    $job = $servers->ended_job($job->{id}, POLL);
    is($job->{state}, 'SUCCESS', 'it ends well') or diag(error($job));

    my $seen = reads(answer_to($driver, GET => JOBS . "/$job->{id}"));
    is_deeply([ map { $_->{url} =~ s/^\Q${\REGISTRY}\E//r }
                map { @{ $_->{success_tasks} } }
                map { @{ $_->{results} } } @{ $seen->{result}{job_states} } ],
              \@paths, 'Harbor lists what was warmed');
    $warm->hits('clients get it from the cache', @paths);
};


warm_story 'a job that takes a while', {}, $location, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $driver = driver($servers);
    my $slow = DFP::Image->new($upstream, 'library/slow', sub {
        my %answer = @_;
        return { %answer, after => POLL / 2 } });
    my $of = $slow->manifest($slow->layer('slow'));

    $slow->tag('1', $of);

    my $looks = 0;
    my $job = preheats($driver, preheat(REGISTRY . $slow->by_tag('1')),
                       sub { $looks++; sleep POLL });

    is($job->{state}, 'SUCCESS', 'it is polled until it has ended');
    cmp_ok($looks, '>', 0, 'every 10 seconds');
    is($driver->{repeated}, 0, 'by one connection');
};


warm_story 'jobs that fail', {}, $location, sub
{
    my $warm = shift;

    my $driver = driver($warm->{servers});

    for ([ 'a tag that is gone', '/v2/library/app/manifests/2', {}, '404' ],
         [ 'a token that has expired', $paths[0], { token => 'Bearer old' },
           '401' ])
    {
        my ($name, $path, $with, $facts) = @$_;
        my $job = preheats($driver, preheat(REGISTRY . $path, %$with));

        is($job->{state}, 'FAILURE', $name);
        like($job->{result}{job_states}[0]{error}, facts($facts),
             '... and Harbor shows why');
    }

    my $answer = answer_to($driver, POST => JOBS, preheat(REGISTRY . $paths[0],
                                                      clusters => [9]));
    is($answer->{status}, 422, 'a policy with an unknown cluster');
    like($answer->{body}, facts('9'), '... which is named');
};


cluster_story 'a policy with a scope and clusters', {
    http => "dfpreheat_cluster 2 name=two engine=cache;\n" }, sub
{
    my ($cluster, @all) = @_;

    my $driver = driver($all[0], $all[0]->client->{token});
    my $post = sub {
        my ($scope, @clusters) = @_;

        my $body = preheat('', scope => $scope, clusters => \@clusters);

        # any image would do
        $body->{args} = { %{ $body->{args} }, type => 'file',
                          url => 'http://files.test/quick/10/a' };

        return preheats($driver, $body);
    };

    my $job = $post->('single_seed_peer', 1);

    is($job->{state}, 'SUCCESS', 'single_seed_peer: it ends well')
        or diag(error($job));
    is(scalar(split / /, hosts($job)), 1, '... in one nginx');
    is(hosts($post->('all_seed_peers', 1)), 'one three two',
       'all_seed_peers: in all');
    is(hosts($post->('all_peers', 1)), 'one three two', 'all_peers: in all');
    is_deeply([ map { $_->{id} }
                    @{ $post->('all_peers', 2, 1)->{scheduler_clusters} } ],
              [ 2, 1 ], 'of two clusters');
};


# One bad answer would be the end of the job.

warm_story 'a job, while Redis and nginx restart', {}, $location, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $driver = driver($servers);
    my $gate = '/gate/1000/a';
    my $id = $servers->post_files([$gate]);

    at_gates($gate, $servers);

    for my $event (
        [ 'Redis restarts' => sub { $servers->redis_kill;
                                    $driver->start(GET => JOBS . "/$id");
                                    $driver->answered(AT_ONCE);
                                    $servers->redis_start } ],
        [ 'nginx reloads' => sub { $servers->nginx_reload;
                                   $driver->start(GET => JOBS . "/$id") } ],
        [ 'a worker dies' => sub {
              $servers->expects(1, qr/exited on signal 9$/);
              kill 'KILL', ($servers->workers)[0];
              $driver->start(GET => JOBS . "/$id") } ])
    {
        my ($name, $code) = @$event;

        $code->();
        is(eval { reads($driver->finish(PATIENCE))->{state} } // $@, 'PENDING',
           "$name: the job is still there");
    }

    open_gates($gate, $servers);
    is($servers->ended_job($id, POLL)->{state}, 'SUCCESS', 'and ends well');
};

done_testing();
