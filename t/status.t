# dfpreheat_status: what Prometheus reads, before and after jobs, from each worker,
# over a reload, and while workers or Redis are away; and what access logs may show.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP qw( decode_json encode_json );
use List::Util qw( sum0 );
use Test::More;

use DFP::Client;
use DFP::Cluster;
use DFP::Hooks;
use DFP::Image;
use DFP::Process qw( free_port wait_until );
use DFP::Story qw( story );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES_OF => 'http://status.test',
    SCRAPES  => 12,     # so many that each worker answers some
    SOON     => 15,     # s

    SUCCESS  => 'jobs_ended_total{cluster="1",state="SUCCESS"}',
    FAILURE  => 'jobs_ended_total{cluster="1",state="FAILURE"}',
};

my $src = "$FindBin::Bin/../src";
my $port = free_port();
my $promtool = grep { -x "$_/promtool" } split /:/, $ENV{PATH};

my $server = <<"END";
server {
    listen 127.0.0.1:$port;
    location = /metrics { dfpreheat_status on; }
}
END


# The answer, over a connection of its own, so that any worker takes it.

sub scrape
{
    my $at = shift // $port;

    my $answer = HTTP::Tiny->new(keep_alive => 0, timeout => SOON)
                           ->get("http://127.0.0.1:$at/metrics");

    die "no metrics: $answer->{status} $answer->{content}"
        if $answer->{status} != 200;

    return $answer;
}


# Values by the name with its labels, without "dfpreheat_".

sub metrics
{
    my $at = shift;

    return { map { /^dfpreheat_(\S+) (\S+)$/ ? ($1 => $2) : () }
             split /\n/, scrape($at)->{content} };
}


# Those that are not 0, of these names.

sub values_of
{
    my ($metrics, @names) = @_;

    return { map { my $name = $_; map { $_ => $metrics->{$_} }
                   grep { /^\Q$name\E(?:\{|$)/ && $metrics->{$_} != 0 }
                   keys %$metrics } @names };
}


sub becomes
{
    my ($name, $value) = @_;

    return wait_until(SOON, sub { (metrics()->{$name} // '') eq $value });
}


my $upstream = DFP::Upstream->start;
my $image = DFP::Image->new($upstream, 'app');
my $manifest = $image->manifest($image->layer('a layer'), $image->layer('another'));

$image->tag('1', $manifest);
# another layer comes first

my $altered = DFP::Image->new($upstream, 'altered');
my $right = $altered->manifest($altered->layer('right'));
my ($layer) = grep { $upstream->body($_) eq 'right' } $altered->paths($right);

$altered->tag('1', $right);
$upstream->answers($layer, { body => 'wrong' }, { body => 'right' });
$upstream->answers('/busy', { status => 503 }, { body => 'b' x 10 });
$upstream->answers('/cut', { body => 'c' x 20, sends => 10 }, { body => 'c' x 20 });

warm_story 'jobs', { http => $server },
           location('/v2/', REGISTRY, $upstream->port)
           . location('/', FILES_OF, $upstream->port), sub
{
    my $warm = shift;

    my $before = metrics();

    is_deeply([ @$before{ qw( redis_up jobs_accepted_total
                              job_duration_seconds_count ), SUCCESS, FAILURE,
                          qw( tasks_total{result="warmed"}
                              run_duration_seconds_bucket{le="+Inf"} ) } ],
              [ 1, (0) x 6 ], 'before the first job, all are there');

    my @image = ('image', url => REGISTRY . $image->by_tag('1'));

    is($warm->run(@image)->{state}, 'SUCCESS', 'an image is warmed');

    my $bytes = sum0(map { length $upstream->body($_) }
                     $image->by_tag('1'), $image->paths($manifest));
    my $first = metrics();

    is_deeply(values_of($first, qw( jobs_accepted_total jobs_ended_total
                                    job_duration_seconds_count
                                    run_duration_seconds_count tasks_total
                                    bytes_total retries_total
                                    parts_waiting parts_running
                                    calls_in_flight )),
              { jobs_accepted_total => 1, job_duration_seconds_count => 1,
                run_duration_seconds_count => 1,
                (SUCCESS) => 1,
                'tasks_total{result="warmed"}' => 5,
                'bytes_total{result="warmed"}' => $bytes }, 'then it is counted');

    is($warm->run(@image)->{state}, 'SUCCESS', 'it is warmed again');

    my $cached = values_of(metrics(), qw( tasks_total ));
    is($cached->{'tasks_total{result="cached"}'}, 4,
       'what was there is counted as that, and the tag was asked for');

    my $job = $warm->run('file', urls => [ map { FILES_OF . $_ }
                                           qw( /busy /cut /none ) ]);

    is($job->{state}, 'FAILURE', 'files, of which one is not there');

    my $last = metrics();

    is_deeply(values_of($last, qw( jobs_ended_total retries_total )),
              { (SUCCESS) => 2,
                (FAILURE) => 1,
                'retries_total{reason="status"}' => 1,
                'retries_total{reason="connection"}' => 1 },
              'the failure, and retries by what went wrong');
    is($last->{'tasks_total{result="failed"}'}, 1, 'the file');
    is($warm->run('image', url => REGISTRY . $altered->by_tag('1'))->{state},
       'SUCCESS', 'an image whose layer was altered on its way');
    is(metrics()->{'retries_total{reason="content"}'}, 1, 'another retry');

    cmp_ok($last->{redis_latency_seconds_count},
           '>', $first->{redis_latency_seconds_count}, 'commands to Redis');
    cmp_ok($last->{job_duration_seconds_sum},
           '>=', $last->{run_duration_seconds_sum}, 'jobs take longer than runs');
};


story 'the format', { http => $server }, sub {
    my $servers = shift;

    $servers->ended_job($servers->post_files(['/quick/10/a']), SOON);

    my $answer = scrape();

    is($answer->{headers}{'content-type'}, 'text/plain; version=0.0.4',
       'the content type');

    my $client = DFP::Client->new(port => $port, token => 'none');
    is($client->post('/metrics', {})->{status}, 405, 'a POST is refused');

    my $head = HTTP::Tiny->new->head("http://127.0.0.1:$port/metrics");
    is("$head->{status} " . ($head->{content} // ''), '200 ',
       'a HEAD has no body');

    my %buckets;

    while ($answer->{content} =~ /^(\w+)_bucket\{le="(\S+)"\} (\d+)$/mg) {
        push @{ $buckets{$1} }, $3;
    }

    for my $name (sort keys %buckets) {
        my @sorted = sort { $a <=> $b } @{ $buckets{$name} };

        is_deeply($buckets{$name}, \@sorted, "$name is cumulative");
        like($answer->{content}, qr/^${name}_count $sorted[-1]$/m,
             'and ends with its count');
    }

    SKIP: {
        skip 'promtool is not installed', 1 if !$promtool;

        open my $check, '|-', 'promtool check metrics 2>&1' or die $!;
        print {$check} $answer->{content};
        ok(close $check, 'promtool finds nothing');
    }
};


story 'each worker tells the same, also after a reload', { workers => 4,
      http => $server }, sub
{
    my $servers = shift;

    my @ids = map { $servers->post_files(["/quick/100/$_"]) } 1 .. 20;
    $servers->ended_job($_, SOON) for @ids;

    my @names = qw( jobs_accepted_total jobs_ended_total tasks_total bytes_total
                    run_duration_seconds_count job_duration_seconds_count );
    my $expected = { jobs_accepted_total => 20,
                     (SUCCESS) => 20,
                     'tasks_total{result="warmed"}' => 20,
                     'bytes_total{result="warmed"}' => 2000,
                     run_duration_seconds_count => 20,
                     job_duration_seconds_count => 20 };

    my @told = map { values_of(metrics(), @names) } 1 .. SCRAPES;
    is_deeply(\@told, [ ($expected) x SCRAPES ], 'all workers');

    $servers->nginx_reload;
    @told = map { values_of(metrics(), @names) } 1 .. SCRAPES;
    is_deeply(\@told, [ ($expected) x SCRAPES ], 'those of the next configuration');
};


story 'a cluster that a reload removes keeps its counts', { http => $server .
      'dfpreheat_cluster 2 name=second engine=cache;' }, sub
{
    my $servers = shift;

    my $answer = $servers->client->post('/oapi/v1/jobs', {
        %{ $servers->files(['/quick/10/a']) },
        scheduler_cluster_ids => [ 1, 2 ] });
    $servers->ended_job($answer->{json}{id}, SOON);

    my $expected = { (SUCCESS) => 1,
                     'jobs_ended_total{cluster="2",state="SUCCESS"}' => 1 };

    is_deeply(values_of(metrics(), 'jobs_ended_total'), $expected,
              'a job of two clusters');
    is(metrics()->{job_duration_seconds_count}, 1, 'is one job');

    $servers->nginx_configure(http => $server);
    $servers->nginx_reload;
    is_deeply(values_of(metrics(), 'jobs_ended_total'), $expected,
              'after the reload');
};


story 'parts that wait and run, and a worker that is killed',
    { workers => 2, lease => '1s', http => "$server dfpreheat_worker_calls 1;" },
    sub
{
    my $servers = shift;

    my $origin = $servers->origin;
    my @ids = map { $servers->post_files(["/gate/10/$_"]) } 1 .. 4;
    my @first = map { $origin->wait_at_gate("/gate/10/$_", SOON) } 1 .. 2;

    ok(becomes(calls_in_flight => 2), 'two calls wait for an answer');
    is_deeply(values_of(metrics(), qw( parts_waiting parts_running )),
              { parts_waiting => 2, parts_running => 2 }, 'parts');
    ok(wait_until(SOON, sub {
           metrics()->{oldest_waiting_part_age_seconds} > 0.2 }),
       'the oldest that waits gets older');

    my $worker = $servers->worker_of($first[0]) or die 'no worker';

    $servers->expects(1, qr/worker process $worker exited on signal 9$/);
    kill 'KILL', $worker;
    wait_until(SOON, sub { $servers->workers == 2 });
    cmp_ok(metrics()->{calls_in_flight}, '<=', 2, 'its call is gone with it');

    $origin->open_gate("/gate/10/$_") for 1 .. 4;
    $servers->ended_job($_, SOON) for @ids;

    ok(becomes(calls_in_flight => 0), 'no call is left');
    is_deeply(values_of(metrics(), qw( parts_waiting parts_running
                                       oldest_waiting_part_age_seconds
                                       jobs_accepted_total jobs_ended_total )),
              { jobs_accepted_total => 4,
                (SUCCESS) => 4 },
              'each job is counted once');
};


story 'Redis is away', { http => $server }, sub {
    my $servers = shift;

    $servers->ended_job($servers->post_files(['/quick/10/a']), SOON);
    is(metrics()->{redis_up}, 1, 'it is there');

    $servers->redis_signal('STOP');
    my $silent = metrics();
    is($silent->{redis_up}, 0, 'it says nothing');
    is($silent->{'tasks_total{result="warmed"}'}, 1, 'other metrics are shown');
    is_deeply([ grep { /^(?:jobs|parts|oldest|job)_/ } keys %$silent ], [],
              'and not those that are in Redis');
    $servers->redis_signal('CONT');
    ok(becomes(redis_up => 1), 'it goes on');

    $servers->redis_kill;
    is(metrics()->{redis_up}, 0, 'it is killed');
    $servers->redis_start;
    ok(becomes(redis_up => 1), 'it is back');

    my $back = metrics();
    is($back->{jobs_accepted_total}, 1, 'what it had counted is not lost');
    ok(wait_until(SOON, sub { metrics()->{redis_reconnects_total} >= 4 }),
       'two connections of two workers were replaced');
};


story 'why requests were not authorized', { workers => 1, http => $server }, sub {
    my $servers = shift;

    my %client = map { $_ => DFP::Client->new(port => $servers->{port},
                                              token => $_) } '', 'nobody-s';
    my $other = $servers->token('cluster');
    my ($expired, $inactive) = ($servers->token, $servers->token);

    for ([ 2, expired_at => 1 ], [ 3, state => 'inactive' ]) {
        my ($id, @change) = @$_;
        $servers->redis('hset', "dfpreheat:token:$id", @change);
    }

    $_->get('/oapi/v1/jobs/1') for values %client,
        map { DFP::Client->new(port => $servers->{port}, token => $_) }
            $other, $expired, $inactive;
    $client{'nobody-s'}->post('/api/v1/personal-access-tokens', {});

    is_deeply(values_of(metrics(), 'token_failures_total'),
              { map { (qq(token_failures_total{reason="$_"}) => 1) }
                qw( missing unknown inactive expired scope admin_key ) },
              'each is counted');
};


# The receiver is busy at first, and then for longer than it is waited for.

my $hooks = DFP::Hooks->new('/status', { status => 503 }, {}, { status => 503 });

warm_story 'webhooks', { workers => 1, lease => '1s', http => $server },
           DFP::Hooks->location, sub
{
    my $servers = shift->{servers};

    my @names = qw( webhook_attempts_total webhooks_ended_total webhooks_waiting
                    oldest_waiting_webhook_age_seconds );

    is_deeply([ @{ metrics() }{ @names[2, 3],
              map({ qq(webhook_attempts_total{result="$_"}) } qw( delivered failed )),
              map({ qq(webhooks_ended_total{state="$_"}) } qw( SUCCESS FAILURE )) } ],
              [ (0) x 6 ], 'before the first, all are there');

    my $id = $hooks->post($servers, ['/quick/10/a']);

    ok(becomes('webhook_attempts_total{result="failed"}' => 1), 'a try fails');
    is(metrics()->{webhooks_waiting}, 1, 'it waits for the next');
    ok(wait_until(SOON, sub {
           metrics()->{oldest_waiting_webhook_age_seconds} > 0.2 }),
       'and gets older');
    $hooks->state_of($servers, $id, SOON);
    is_deeply(values_of(metrics(), @names),
              { 'webhook_attempts_total{result="failed"}' => 1,
                'webhook_attempts_total{result="delivered"}' => 1,
                'webhooks_ended_total{state="SUCCESS"}' => 1 },
              'then it is delivered');

    $id = $hooks->post($servers, ['/quick/10/b']);
    ok(becomes('webhook_attempts_total{result="failed"}' => 2), 'another try fails');
    $servers->redis('hset', "dfpreheat:job:$id", 'hook_until', 1);
    ok(becomes('webhooks_ended_total{state="FAILURE"}' => 1),
       'when its time is over it is given up');
    is(metrics()->{webhooks_waiting}, 0, 'and does not wait');
    is(scalar $servers->logged(qr/\[warn\].*job $id: its webhook .* is given up/),
       1, 'which is logged once');
};


# A part of each nginx; the last one to end ends the job.

my %ports = map { $_ => free_port() } qw( one two three );

cluster_story 'several nginx', { each => { map { $_ => { http => $server
      =~ s/:$port;/:$ports{$_};/r } } keys %ports } }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my $total = sub {
        my @all = map { metrics($ports{$_}) } @_;
        return [ map { my $name = $_; sum0(map { $_->{$name} } @all) }
                 qw( jobs_accepted_total job_duration_seconds_count ),
                 SUCCESS, FAILURE ];
    };

    my @servers = ($one, $two, $three);
    my @ids = map { $servers[$_ % 3]->post_files(["/quick/10/$_"]) } 1 .. 12;

    $one->ended_job($_, SOON) for @ids;
    is_deeply($total->(qw( one two three )), [ 12, 12, 12, 0 ],
              'each job is counted by one of them');

    my $id = $one->post_files(['/gate/10/a']);
    at_gates('/gate/10/a', $one, $two, $three);
    open_gates('/gate/10/a', $one, $two);
    $three->nginx_kill;

    is($one->ended_job($id, SOON)->{state}, 'FAILURE',
       'one dies, and the others end what it had');

    my $counted = $total->(qw( one two ));
    is($counted->[3], 1, 'they count it once');
};


my $log = free_port();
my $file = File::Temp->new(TEMPLATE => 'dfpreheat-status-XXXXXXXX', TMPDIR => 1);

story 'access logs', { workers => 1, http => <<"END" }, sub {
    log_format api '\$request_uri \$status \$dfpreheat_token_name '
                   '\$dfpreheat_job_id';
    server {
        listen 127.0.0.1:$log;
        access_log $file api;
        location /oapi/ { dfpreheat on; }
        location /api/ { dfpreheat on; }
        location = /metrics { dfpreheat_status on; }
        location /other { return 204; }
    }
END
    my $servers = shift;

    my ($mine, $revoked, $none)
        = map { DFP::Client->new(port => $log, token => $_) }
              $servers->token, $servers->token, 'nobody-s';

    $servers->redis('hset', 'dfpreheat:token:2', 'state', 'inactive');

    my $id = $mine->post('/oapi/v1/jobs', $servers->files(['/quick/10/a']))
                  ->{json}{id};
    $mine->get("/oapi/v1/jobs/$id");
    $none->get('/oapi/v1/jobs/7');
    $mine->get('/metrics');

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$log");
    print {$socket} "GET /other HTTP/1.0\r\n\r\n";
    my @rest = <$socket>;

    $revoked->get('/oapi/v1/jobs/x');
    DFP::Client->new(port => $log, token => DFP::Servers::ADMIN_KEY)
               ->get('/api/v1/personal-access-tokens/1');

    my @lines;

    wait_until(SOON, sub { @lines = split /\n/, _slurp($file); @lines == 7 });

    is_deeply(\@lines,
              [ "/oapi/v1/jobs 200 test-1 $id", "/oapi/v1/jobs/$id 200 test-1 $id",
                '/oapi/v1/jobs/7 401 - 7', '/metrics 200 - -', '/other 204 - -',
                '/oapi/v1/jobs/x 403 test-2 -',
                '/api/v1/personal-access-tokens/1 200 - -' ],
              'the name of the token, and the id of the job');
};


subtest 'the times of jobs and those of runs have the same buckets' => sub {
    my ($lua) = _slurp("$src/redis/lua/common.lua") =~ /DURATIONS = \{(.*?)\}/s;
    my ($c) = _slurp("$src/core/ngx_dfp_counters.c")
              =~ /ngx_dfp_duration_bounds\[\] = \{(.*?)\};/s;
    my %unit = (MS => 1, S => 1000);

    is_deeply([ map { /(\d+) \* NGX_DFP_(\w+)/ ? $1 * $unit{$2} : () }
                split /,/, $c ],
              [ $lua =~ /\d+/g ], 'in ms');
};


# Each expression is a rule for promtool, with values for Grafana's variables.

subtest 'the dashboard' => sub {
    my $dashboard = decode_json(_slurp("$src/../contrib/grafana-dashboard.json"));
    my @expressions = map { map { $_->{expr} } @{ $_->{targets} } }
                      @{ $dashboard->{panels} };

    plan(skip_all => 'promtool is not installed') if !$promtool;

    cmp_ok(scalar @expressions, '>', 15, 'it has expressions');

    my $rules = File::Temp->new(SUFFIX => '.yml', TMPDIR => 1);
    my $n = 0;

    s/\$__rate_interval/5m/g for @expressions;
    print {$rules} encode_json({ groups => [ { name => 'dashboard', rules =>
        [ map { { record => 'panel' . ++$n, expr => $_ } } @expressions ] } ] });
    close $rules;

    my $said = `promtool check rules $rules 2>&1`;

    is($?, 0, 'which promtool accepts') or diag($said);
};


sub _slurp
{
    open my $text, '<', $_[0] or die "$_[0]: $!";
    local $/;

    return <$text> // '';
}

done_testing();
