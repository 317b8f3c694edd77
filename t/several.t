# Several nginx in one cluster: a job warms all of them, whichever it is posted to.
# They come and go, and their clocks are off.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use HTTP::Tiny;
use List::Util qw( uniq );
use Test::More;
use Time::HiRes qw( time );

use DFP::Cluster;
use DFP::Facts;
use DFP::Image;
use DFP::Process qw( free_port wait_until );
use DFP::Upgrade;
use DFP::Upstream qw( guarded );
use DFP::Warm qw( location );

use constant {
    REGISTRY  => 'http://registry.test',
    HOUR      => 3600,          # s
    BURST     => 50,
    SHORT     => 2,             # s: the timeout of a job
    LONG      => '5s',          # a lease that a busy machine renews in time
    A_SECOND  => 1_000_000_000, # ns: the unit of a job's timeout
    TOLERANCE => 60,            # s: between a clock's time and its look
};

my $quick = '/quick/1000/a';
my $gate = '/gate/1000/a';


# All that a job says at its end, if all went well: who has the files.

sub warmed
{
    my ($name, $job, $paths, @names) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($job->{state}, 'SUCCESS', "$name: it ends well") or diag(error($job));
    is_deeply(told($job, 'success_tasks'), all_of($paths, @names),
              "$name: @names have it");
    is_deeply([ map { @{ told($job, $_) } } qw( failure_tasks unreachable ) ], [],
              "$name: nothing has failed");
}


sub fetched { $_[1]->origin->requests($_[0]) }

sub cached { $_[1]->client->get($_[0])->{headers}{'x-cache'} }


cluster_story 'a job warms all, whichever it is posted to', {}, sub {
    my ($cluster, @all) = @_;

    for my $i (0 .. $#all) {
        my $name = qw( one two three )[$i];
        my $path = "/quick/1000/to-$name";
        my $id = $all[$i]->post_files([$path]);
        my $job = $all[$i]->ended_job($id, SOON);

        warmed("posted to $name", $job, [$path], qw( one two three ));
        is($job->{args}{scope}, 'all_peers', 'the scope is the default');
        is_deeply([ map { cached($path, $_) } @all ], [ ('HIT') x 3 ],
                  'clients of each get it from the cache');
        is_deeply([ map { fetched($path, $_) } @all ], [ (1) x 3 ],
                  'each has fetched it once');
        is_deeply([ map { $_->job($id)->{state} } @all ], [ ('SUCCESS') x 3 ],
                  'each knows the job');

        is_deeply([ map { $_->{scheduler_cluster_id} }
                        @{ $job->{result}{job_states}[0]{results} } ],
                  [ (1) x 3 ], 'there is a result of each instance');
        is_deeply([ sort map { join ' ', @$_{qw( hostname ip tasks_done
                                                 bytes_done )} }
                        @{ $job->{result}{job_states}[0]{progress} } ],
                  [ 'one 192.0.2.11 1 1000', 'three 192.0.2.13 1 1000',
                    'two 192.0.2.12 1 1000' ], 'and its progress');
    }
};


# The body has each field, and no scope. The registry wants the token that comes
# with it.

my $upstream = DFP::Upstream->start;
my $image = DFP::Image->new($upstream, 'app', sub {
    guarded('Bearer ready', 'Bearer realm="http://registry.test/token"', @_) });
my $manifest = $image->manifest($image->layer('a layer'));
my @ports;

$image->tag('1', $manifest);

cluster_story 'a private image, as Harbor posts it', { http => sub {
        push @ports, free_port();

        return "server {\n listen 127.0.0.1:$ports[-1];\n"
            . "add_header X-Cache \$upstream_cache_status always;\n"
            . location('/v2/', REGISTRY, $upstream->port) . "}\n";
    } }, sub
{
    my ($cluster, $one) = @_;

    my $answer = $one->client->post('/oapi/v1/jobs', {
        type => 'preheat',
        args => { type => 'image', url => REGISTRY . $image->by_tag('1'),
                  tag => '', filtered_query_params => '',
                  headers => { Authorization => 'Bearer ready' },
                  scope => '', concurrent_count => 0, timeout => 0 },
        scheduler_cluster_ids => undef,
    });

    is($answer->{status}, 200, 'the job is accepted') or diag($answer->{body});

    my $id = $answer->{json}{id};
    my $job = $one->ended_job($id, SOON);

    is($job->{state}, 'SUCCESS', 'it ends well') or diag(error($job));
    is(hosts($job), 'one three two', 'all have it');
    is($one->redis('hexists', "dfpreheat:job:$id", 'sealed'), 0,
       'when the last has ended, the token is erased');

    for my $port (@ports) {
        my $http = HTTP::Tiny->new;

        is_deeply([ map { $http->get("http://127.0.0.1:$port$_")
                               ->{headers}{'x-cache'} }
                        $image->by_tag('1'), $image->paths($manifest) ],
                  [ ('HIT') x 4 ], 'clients get all of it from the cache');
    }
};


cluster_story 'a burst, while one reloads and a worker of another is killed', {},
    sub
{
    my ($cluster, @all) = @_;

    my $post = sub { $all[$_[0] % 3]->post_files(["/slow/1000/burst-$_[0]"]) };
    my @ids = map { $post->($_) } 1 .. BURST;
    my ($worker) = $all[1]->workers;

    $all[2]->nginx_signal('HUP');
    $all[1]->expects(1, qr/worker process $worker exited on signal 9$/);
    kill 'KILL', $worker;
    push @ids, map { $post->($_) } BURST + 1 .. 2 * BURST;

    my %states;
    $states{ $_->{state} . ' ' . hosts($_) . error($_) }++
        for map { $all[0]->ended_job($_, SOON) } @ids;

    is_deeply(\%states, { 'SUCCESS one three two' => 2 * BURST },
              'all jobs warm all');
};


cluster_story 'one that joins while a job runs', { names => [qw( one two )] }, sub {
    my ($cluster, $one, $two) = @_;

    my $id = $one->post_files([$gate]);
    at_gates($gate, $one, $two);

    my $three = $cluster->add('three');
    $cluster->gathered;
    open_gates($gate, $one, $two);

    warmed('the running job', $one->ended_job($id, SOON), [$gate], qw( one two ));
    is(fetched($gate, $three), 0, 'the third one has not asked for it');
    warmed('the next', $one->ended_job($one->post_files([$quick]), SOON), [$quick],
           qw( one two three ));
};


cluster_story 'one that stops is not chosen any more', { lease => LONG }, sub {
    my ($cluster, $one, $two, $three) = @_;

    my $until = kept_until($one, 'three');

    $three->nginx_end('QUIT');

    my $job = $one->ended_job($one->post_files([$quick]), SOON);

    warmed('the next job', $job, [$quick], qw( one two ));
    cmp_ok(ms_of($job->{updated_at}), '<', $until,
           'before it would have counted as dead');

    $three->nginx_start;
    $cluster->gathered;
    warmed('when it is back', $one->ended_job($one->post_files(["$quick-2"]), SOON),
           ["$quick-2"], qw( one two three ));
};


# Whoever looks at the clock of an nginx sees it.

sub hours_off
{
    my $servers = shift;

    my $date = $servers->client->get('/healthy')->{headers}{date};
    my @months = qw( Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec );
    my %month = map { $months[$_] => sprintf '%02d', $_ + 1 } 0 .. $#months;
    my ($day, $month, $year, $time) = $date =~ /(\d+) (\w{3}) (\d+) ([\d:]+) GMT/;

    my $off = ms_of("$year-$month{$month}-${day}T${time}Z") / 1000 - time;

    return sprintf '%.1f', $off / HOUR;
}

cluster_story 'clocks that are off by an hour', {
        each => { two => { clock => HOUR }, three => { clock => -HOUR } } }, sub
{
    my ($cluster, @all) = @_;

    is_deeply([ map { 0 + hours_off($_) } @all ], [ 0, 1, -1 ],
              'the clocks are off');

    for my $i (0 .. $#all) {
        my $name = qw( one two three )[$i];
        my $stalled = "/gate/1000/stalled-$name";
        my $begun = time;
        my ($good, $late) = ($all[$i]->post_files(["$quick-$name"]),
                             $all[$i]->post_files([$stalled],
                                                  timeout => SHORT * A_SECOND));

        my $job = $all[$i]->ended_job($good, SOON);

        warmed("posted to $name", $job, ["$quick-$name"], qw( one two three ));
        cmp_ok(abs(ms_of($job->{created_at}) / 1000 - $begun), '<', TOLERANCE,
               'the job has the time of Redis');

        ok(wait_until(SOON, sub {
               $all[$i]->stored_state($late) ne 'PENDING' }),
           'one that takes too long is ended');
        cmp_ok(time - $begun, '>=', SHORT, 'not before its time');
        cmp_ok(time - $begun, '<', SHORT + 2, 'and not much later');

        $job = $all[$i]->job($late);
        is($job->{state}, 'FAILURE', 'it has failed');
        like(error($job), facts('timeout | 2 s'), 'with the reason');
        is_deeply(told($job, 'unreachable'), [], 'nobody is unreachable');
    }

    is_deeply([ living($all[0]) ], [qw( one three two )], 'all are alive');
    is_deeply([ map { cached("$quick-one", $_) } @all ], [ ('HIT') x 3 ],
              'what was warmed first is still there');
};


cluster_story 'a reload of one in the middle of a job', { lease => LONG }, sub {
    my ($cluster, $one, $two, $three) = @_;

    my $id = $one->post_files([$gate]);
    at_gates($gate, $one, $two, $three);

    $three->nginx_reload;
    my $next = $one->post_files([$quick]);

    warmed('the next job', $one->ended_job($next, SOON), [$quick],
           qw( one two three ));
    open_gates($gate, $one, $two, $three);

    my $job = $one->ended_job($id, SOON);

    warmed('the job', $job, [$gate], qw( one two three ));
    is($one->lost_attempts($job), 0, 'no attempt was lost');
    is(fetched($gate, $three), 1, 'it has not fetched it again');
};


cluster_story 'a reload gives one another name in the middle of a job',
              { lease => LONG }, sub {
    my ($cluster, $one, $two, $three) = @_;

    my $id = $one->post_files([$gate]);
    at_gates($gate, $one, $two, $three);

    $three->nginx_configure(http => $three->{http} =~ s/ three / four /r);
    $three->nginx_reload;
    open_gates($gate, $one, $two, $three);

    my $job = $one->ended_job($id, SOON);

    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    like(hosts($job), qr/^one (?:three|four) two$|^four one two$/,
         'all three have it');
    is(scalar @{ told($job, 'success_tasks') }, 3, 'each once');
    is_deeply(told($job, 'unreachable'), [], 'nobody is unreachable');

    $cluster->gathered(qw( one two four ));
    $job = $one->ended_job($one->post_files([$quick]), SOON);
    is($job->{state}, 'SUCCESS', 'the next one, too') or diag(error($job));
    is(hosts($job), 'four one two', 'with the new name');
};


cluster_story 'the binary of one is upgraded in the middle of a job', {
        lease => LONG,
        each => { three => { daemon => 1, main => kept_variables() } } }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my $id = $one->post_files([$gate]);
    at_gates($gate, $one, $two, $three);

    my $old = $three->{nginx};
    my $new = upgrade($three);
    $cluster->gathered(qw( one two three three ));

    # either may answer a client, so that both of them are warmed

    my $both = $one->ended_job($one->post_files([$quick]), SOON);
    my @seeds = map { "$quick-seed-$_" } 1 .. 10;
    my %seed = map {
        my $id = $two->post_files([$_], scope => 'single_seed_peer');

        $_ => hosts($two->ended_job($id, SOON));
    } @seeds;

    is($both->{state}, 'SUCCESS', 'while both are there: it ends well')
        or diag(error($both));
    is_deeply([ uniq(@{ told($both, 'success_tasks') }) ],
              all_of([$quick], qw( one two three )),
              'while both are there: one two three have it');
    is_deeply([ sort { $a cmp $b } uniq(values %seed) ], [qw( one three two )],
              'a single one has one name');

    kill 'QUIT', $old;
    open_gates($gate, $one, $two, $three);
    ok(replaced($three, $new), 'the old one leaves');

    my $job = $one->ended_job($id, SOON);

    warmed('the job', $job, [$gate], qw( one two three ));
    is($one->lost_attempts($job), 0, 'no attempt was lost');
    is_deeply([ map { cached($_, $three) } $quick,
                grep { $seed{$_} eq 'three' } @seeds ],
              [ map { 'HIT' } $quick, grep { $seed{$_} eq 'three' } @seeds ],
              'the new one has what was warmed before');

    warmed('the next', $one->ended_job($one->post_files(["$quick-2"]), SOON),
           ["$quick-2"], qw( one two three ));
};


done_testing();
