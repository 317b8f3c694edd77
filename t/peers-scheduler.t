# Dragonfly's scheduler has troubles, or lists what cannot be used: a job waits
# for as long as it may, and says what it has waited for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Dragonfly;
use DFP::Facts;
use DFP::Process qw( free_port wait_until );
use DFP::Story qw( meanwhile );
use DFP::Swarm;
use DFP::Upstream;

use constant {
    CALL_SECONDS => 10,
    LONG_SECONDS => 45,     # for a job that waits for half a minute
    TWO_SECONDS  => 2_000_000_000,
    SIX_SECONDS  => 6_000_000_000,
    LOG_LINES    => 1000,
    REFUSED      => 'connect() failed (111: Connection refused)',
    PASSED       => 'timeout | 2 s | 1 of 1',
};

my @job = ('file', url => FILES . '/files/a', scope => 'all_peers');


sub logged
{
    my ($warm, $facts) = @_;

    my $pattern = facts($facts);

    return grep { /$pattern/ } $warm->{servers}->log_tail(LOG_LINES);
}


# What a job says of a scheduler that cannot be reached.

sub unreached
{
    my $address = shift;

    return "scheduler $address: UNAVAILABLE: | reached | " . REFUSED;
}


# Half a minute passes in it: it is told while the others are.

my $told = meanwhile(sub {
    my $silent = DFP::Dragonfly->scheduler;
    $silent->freeze;

    swarm_story 'several schedulers, of which the first says nothing',
        { peers => 1, before => [ $silent->address ] }, sub
    {
        my ($warm, $dragonfly) = @_;

        my $job = ended_within($warm, $warm->post(@job), LONG_SECONDS);

        is($job->{state}, 'SUCCESS', 'the second one is asked in the end')
            or diag(error($job));
    };

    $silent->stop;
});


swarm_story 'a scheduler that is down', { peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    $scheduler->stop;

    my $job = run_out($warm, @job, timeout => TWO_SECONDS);
    is($job->{state}, 'FAILURE', 'is waited for until time is up');
    like(error($job), facts(PASSED, unreached($scheduler->address)),
         'the job says for whom');
    like_facts([ map { $_->{description} } @{
                     $job->{result}{job_states}[0]{results}[0]{failure_tasks}
                 } ], ['timeout'], 'so does its file');

    my $tries = () = logged($warm, unreached($scheduler->address));
    my $id = $warm->post(@job);
    ok(wait_until(CALL_SECONDS, sub {
           logged($warm, unreached($scheduler->address)) > $tries }),
       'another job waits');
    is($warm->{servers}->job($id)->{state}, 'PENDING', 'and has not failed');

    $scheduler->restart;
    $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'where it comes back the job ends well')
        or diag(error($job));
    is(error($job), '', 'and says nothing of it');
};


my $dead = DFP::Dragonfly->scheduler;
$dead->stop;

swarm_story 'several schedulers, of which the first is dead',
    { peers => 1, before => [ $dead->address ], story => { workers => 1 } }, sub
{
    my ($warm, $dragonfly) = @_;

    is($warm->run(@job)->{state}, 'SUCCESS', 'the second one is asked');
    is($warm->run(@job)->{state}, 'SUCCESS', 'the next job goes on with that');
    is(scalar(() = logged($warm, unreached($dead->address))), 1,
       'and does not try the first');

    $dragonfly->scheduler->outdated;
    $dragonfly->scheduler->stop;
    $dead->hosts($dragonfly->peers->[0]->host);
    $dead->restart;
    is($warm->run(@job)->{state}, 'SUCCESS', 'until it is needed');
    $dead->stop;
};


swarm_story 'a scheduler that lists nobody', { seeds => 1, settle => '1m' }, sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };

    my $job = run_out($warm, @job, timeout => TWO_SECONDS);
    like(error($job), facts(PASSED, 'scheduler | no peer'), 'a seed is no peer');

    $scheduler->hosts($seed->host(type => 0));
    for my $scope (qw( single_seed_peer all_seed_peers )) {
        $job = run_out($warm, @job, scope => $scope,
                       timeout => TWO_SECONDS);
        like(error($job), facts(PASSED, 'scheduler | no seed peer'),
             "nor is a peer a seed, for $scope");
    }

    $scheduler->hosts;
    $scheduler->forget_calls;
    my $id = $warm->post(@job);
    ok(wait_until(CALL_SECONDS, sub { $scheduler->calls }), 'it is asked');
    $scheduler->hosts($seed->host(type => 0));
    $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'and asked again: peers may come')
        or diag(error($job));
};


swarm_story 'what a scheduler answers', { peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my $who = 'scheduler ' . $scheduler->address;

    for ([ { status => 13, message => 'database is locked' },
           'INTERNAL: database is locked', 'an error' ],
         [ { status => 12, message => 'x', trailers_only => 1 },
           'UNIMPLEMENTED: x', 'an error without anything before it' ],
         [ { messages => [] }, '/nothing|no message|empty/', 'nothing' ],
         [ { raw => 'ffffffff' }, '/INTERNAL: .*\blist of hosts\b/',
           'what is no list' ],
         [ { big => 67_108_865 }, '/INTERNAL: / | 67108865 bytes | 67108864',
           'more than anybody would' ])
    {
        my ($behaviour, $reason, $name) = @$_;

        $scheduler->script({ list_hosts => $behaviour });
        my $job = $warm->run(@job);

        is($job->{state}, 'FAILURE', "$name: the job fails");
        like(error($job), facts("$who | ListHosts | $reason"),
             "$name: it says so");
    }

    $scheduler->script({ list_hosts => [ ({ status => 14, message => 'busy' })
                                         x 2, {} ] });
    $scheduler->forget_calls;
    is($warm->run(@job)->{state}, 'SUCCESS', 'UNAVAILABLE is asked again');
    is(scalar $scheduler->calls, 3, 'as often as it takes');

    $scheduler->script({ list_hosts => { status => 14, message => 'busy' } });
    like(error(run_out($warm, @job, timeout => TWO_SECONDS)),
         facts(PASSED, "$who: UNAVAILABLE: busy"), 'but not for ever');
};


swarm_story 'a scheduler that says nothing', { peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;

    $scheduler->script({ list_hosts => { wait_for => $scheduler->gate('no') } });

    my $job = run_out($warm, @job, timeout => TWO_SECONDS);
    is($job->{state}, 'FAILURE', 'fails a job whose time is up');
    like(error($job), facts(PASSED, $scheduler->address
                            . ' | not answered ListHosts'), 'and is named');

    $scheduler->freeze;
    like(error(run_out($warm, @job, timeout => TWO_SECONDS)),
         facts(PASSED, $scheduler->address), 'also one that was stopped');
    $scheduler->thaw;

    $scheduler->script({});
    is($warm->run(@job)->{state}, 'SUCCESS', 'the worker goes on');
};


swarm_story 'a scheduler that had troubles', { peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($peer) = @{ $dragonfly->peers };

    $dragonfly->scheduler->script({ list_hosts => [
        { status => 14, message => 'busy' }, {} ] });
    $peer->script({ default => { wait_for => $peer->gate('never') } });

    my $job = run_out($warm, @job, timeout => SIX_SECONDS);
    like(error($job), facts('1 of 1 | peer peer-1 | ' . FILES . '/files/a'),
         'is not what a job waited for in the end');
};


swarm_story 'a list that cannot be had again', { peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my $two = $dragonfly->peers->[1];

    $scheduler->script({ list_hosts => [ {}, {
        status => 13, message => 'database is locked' } ] });
    $two->stop;

    my $job = run_out($warm, @job, timeout => SIX_SECONDS);
    is(scalar $scheduler->calls, 2, 'is asked for');
    like(error($job), facts('1 of 1 | peer peer-2 | reached'),
         'is not what the job waited for');
    is_deeply(told($job, 'success_tasks'), ['peer-1 /files/a'],
              'which goes on with the first one');
};


my @web = map { free_port() } 1 .. 5;

swarm_story 'what is no scheduler',
    { peers => 1, scheduler => "127.0.0.1:$web[0]",
      http => "server { listen 127.0.0.1:$web[0]; }" }, sub
{
    my ($warm) = @_;

    my $job = run_out($warm, @job, timeout => TWO_SECONDS);

    is($job->{state}, 'FAILURE', 'a server of HTTP/1: a job fails');
    like(error($job), facts(PASSED, "scheduler 127.0.0.1:$web[0]: UNAVAILABLE: | "
                                    . 'reached | error log'), 'it says so');
};


swarm_story 'what speaks HTTP/2, and no gRPC',
    { peers => 1, scheduler => "127.0.0.1:$web[1]",
      http => "server { listen 127.0.0.1:$web[1] http2; return 404; }" }, sub
{
    my ($warm) = @_;

    my $job = $warm->run(@job);

    like(error($job), facts("scheduler 127.0.0.1:$web[1] | ListHosts | UNKNOWN: | "
                            . 'HTTP 404 | gRPC'), 'a job asks just that');
};


swarm_story 'what ends a call before it answers',
    { peers => 1, scheduler => "127.0.0.1:$web[2]",
      http => "server { listen 127.0.0.1:$web[2] http2; return 444; }" }, sub
{
    my ($warm) = @_;

    my $job = run_out($warm, @job, timeout => TWO_SECONDS);

    like(error($job), facts(PASSED, "scheduler 127.0.0.1:$web[2]: UNAVAILABLE: | "
                                    . 'upstream rejected request with error 1'),
         'a job says so');
};


swarm_story 'a proxy whose scheduler is unavailable',
    { peers => 1, scheduler => "127.0.0.1:$web[3]",
      http => "server { listen 127.0.0.1:$web[3] http2; return 503; }" }, sub
{
    my ($warm) = @_;

    my $job = run_out($warm, @job, timeout => TWO_SECONDS);

    like(error($job), facts(PASSED, "scheduler 127.0.0.1:$web[3]: UNAVAILABLE: | "
                                    . 'HTTP 503 | gRPC'), 'is waited for');
};


my $cut = DFP::Upstream->start;

$cut->answers('/scheduler.v2.Scheduler/ListHosts', {
    headers => [ 'Content-Type', 'application/grpc' ],
    body => "\0\0\0\0\x05ab" });

swarm_story 'an answer that ends within a message',
    { peers => 1, scheduler => "127.0.0.1:$web[4]",
      http => "server { listen 127.0.0.1:$web[4] http2; location / {
               proxy_pass http://127.0.0.1:" . $cut->port . ";
               proxy_method GET; proxy_pass_request_body off;
               proxy_set_header Content-Length '';
               add_trailer grpc-status 0; } }" }, sub
{
    my ($warm) = @_;

    my $job = $warm->run(@job);
    like(error($job), facts("scheduler 127.0.0.1:$web[4] | ListHosts | INTERNAL: "
                            . '| answer | message'), 'is no answer');
};


swarm_story 'a list with oddities',
    { peers => 2, http => 'dfpreheat_unreachable_peers 5;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my $six = DFP::Dragonfly->peer(address => '::1', hostname => 'peer-six');
    my ($one, $two) = @{ $dragonfly->peers };

    $dragonfly->scheduler->hosts(
        $one->host, $one->host, $one->host(id => 'another'),
        $two->host(port => 0), $two->host, $six->host,
        $two->host(id => 'no-port', hostname => 'no-port', port => 0),
        $two->host(id => 'no-ip', hostname => 'no-ip', ip => ''),
        $two->host(id => 'wrong', hostname => 'wrong', ip => '127.0.0.300'),
        $two->host(id => 'zero', hostname => 'zero', ip => '0.0.0.0'),
        $two->host(id => 'name', hostname => 'name', ip => 'localhost'));

    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'is no failure where some may be unreachable')
        or diag(error($job));
    is_deeply([ sort map { s/^another/peer-1/r } @{
                    told($job, 'success_tasks') } ],
              [ map { "$_ /files/a" } qw( peer-1 peer-2 peer-six ) ],
              'who can be called is called, in IPv6, too');
    is_deeply([ map { scalar $_->calls } $one, $two, $six ], [ 1, 1, 1 ],
              'once, however often the list has it');
    like_facts(reasons($job, 'unreachable'),
               [ map { "/^$_: / | scheduler | address | port" }
                     qw( name no-ip no-port wrong zero ) ],
               'who cannot be called is named');

    $job = $warm->run(@job, ips => [ '0:0:0:0:0:0:0:1' ]);
    is_deeply(told($job, 'success_tasks'), ['peer-six /files/a'],
              'an address is known in any spelling');

    $job = $warm->run(@job, count => 3);
    is($job->{state}, 'SUCCESS', 'three of them');
    ok(!$job->{result}{job_states}[0]{results}[0]{unreachable},
       'are three that can be called');

    $dragonfly->scheduler->hosts(
        $one->host, $two->host(id => 'no-port', hostname => 'no-port',
                               port => 0));
    $job = $warm->run(@job, ips => [ $one->ip, $two->ip ]);
    is($job->{state}, 'FAILURE', 'who is named has to be there');
    like(error($job), facts('/1 of 2 peers\D+0\b/',
                            'dfpreheat_unreachable_peers',
                            'no-port: | scheduler | address | port'),
         'the job says who is not');
    $six->stop;
};


swarm_story 'a list with an address that may not be called',
    { seeds => 1, peers => 2,
      http => 'dfpreheat_unreachable_peers 100%;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my $reason = 'address | dfpreheat_peers_allow';
    my ($one, $two) = @{ $dragonfly->peers };
    my ($seed) = @{ $dragonfly->seeds };

    for my $ip ('8.8.8.8', '169.254.169.254', '2001:db8::1',
                '::ffff:8.8.8.8')
    {
        $dragonfly->scheduler->hosts(
            $one->host, $two->host(ip => $ip, hostname => 'outside'));
        my $job = $warm->run(@job);

        is($job->{state}, 'FAILURE', "$ip is a failure, and not tolerated");
        like(error($job), facts($reason), 'the job says why');
        like_facts(reasons($job, 'failure_tasks'), ["/^outside: / | $reason"],
                   'so does the list');
        is_deeply(told($job, 'success_tasks'), ['peer-1 /files/a'],
                  'the other peer was served');
    }

    $dragonfly->scheduler->hosts($seed->host(ip => '8.8.8.8'));
    my $job = $warm->run('file', url => FILES . '/files/a');
    like(error($job), facts("8.8.8.8 | $reason"), 'nor is a seed called there');
};


swarm_story 'a seed that may not be called', { seeds => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->seeds };

    $dragonfly->scheduler->hosts($one->host, $two->host(ip => '8.8.8.8'));
    my $job = $warm->run('file', urls => files(1 .. 10));

    is($job->{state}, 'SUCCESS', 'one is enough') or diag(error($job));
    is_deeply(told($job, 'success_tasks'),
              [ sort map { "seed-1 /files/$_" } 1 .. 10 ], 'it has all');
    is_deeply(told($job, 'failure_tasks'), [], 'the other one is no failure');
};


$told->();

done_testing();
