# Jobs for Dragonfly's peers: which of them are asked, and what for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Dragonfly;
use DFP::Facts;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Swarm;

use constant {
    CALL_SECONDS   => 10,   # for a peer to be asked
    NO_MORE        => 0.5,  # s, in which another call would have come
    REPORT_SECONDS => 5,    # for progress to be seen
};


# The names of those that have a file, or more than one.

sub holders
{
    my $job = shift;

    my %names = map { s/ .*//r => 1 } @{ told($job, 'success_tasks') };

    return [ sort keys %names ];
}


# "peer-1 /files/a", ... for all of these.

sub pairs
{
    my ($hosts, @names) = @_;

    return [ sort map { my $host = $_; map { "$host /files/$_" } @names }
                  @$hosts ];
}


sub all_calls { return map { $_->calls } @_ }


swarm_story 'a file', { seeds => 1, peers => 3 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $job = $warm->run('file', url => FILES . '/files/a',
                         scope => 'all_peers');

    is($job->{state}, 'SUCCESS', 'goes to all peers') or diag(error($job));
    is_deeply(told($job, 'success_tasks'),
              pairs([qw( peer-1 peer-2 peer-3 )], 'a'), 'and to no seed');
    is_deeply(told($job, 'failure_tasks'), [], 'nothing failed');
    is(scalar $upstream->requests, 0, 'nginx does not fetch it');
    is_deeply(asked($dragonfly->all), told($job, 'success_tasks'),
              'each is asked once');

    my $peer = $dragonfly->peers->[0];
    my ($task) = grep { $_->{hostname} eq 'peer-1' }
                 @{ $job->{result}{job_states}[0]{results}[0]{success_tasks} };
    is($task->{ip}, $peer->ip, 'the result has its address');
    is($task->{url}, FILES . '/files/a', 'and the whole URL');
};


swarm_story 'an image', { seeds => 1, peers => 2 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $image = DFP::Image->new($upstream, 'app');
    my $manifest = $image->manifest($image->layer('base'),
                                    $image->layer('top'));
    my $index = $image->index([ 'linux/amd64' => $manifest ]);

    $image->tag('v1', $index);

    my (undef, @blobs) = $image->paths($manifest);
    my $job = $warm->run('image', url => REGISTRY . $image->by_tag('v1'),
                         scope => 'all_peers');

    is($job->{state}, 'SUCCESS', 'ends well') or diag(error($job));
    is_deeply(told($job, 'success_tasks'),
              [ sort map { ("peer-1 $_", "peer-2 $_") } @blobs ],
              'each peer has config and layers');
    is_deeply(asked($dragonfly->all), told($job, 'success_tasks'),
              'and was asked for nothing else');
    is(progress($job)->{downloads_total}, 2 * @blobs,
       'nor is anything else counted');

    my @requests = $upstream->requests;
    is_deeply([ map { m{^GET (\S+)} } @requests ],
              [ $image->by_tag('v1'), $image->path($manifest) ],
              'nginx has read the manifests, and nothing else');

    my ($accept) = $requests[0] =~ /^Accept: (.*)\r$/m;
    like($accept, qr/\Qapplication\/vnd.oci.image.$_.v1+json\E/,
         "with OCI's $_ among the types") for qw( index manifest );
};


swarm_story 'single_seed_peer', { seeds => 3, peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my @names = map { "file-$_" } 1 .. 20;
    my $job = $warm->run('file', urls => files(@names));
    my $told = told($job, 'success_tasks');

    is($job->{state}, 'SUCCESS', 'is the default') or diag(error($job));
    is_deeply([ sort map { m{/files/(.*)} } @$told ], [ sort @names ],
              'each file is told once');
    is(progress($job)->{downloads_total}, scalar @names, 'and counts once');
    is_deeply(holders($job), [qw( seed-1 seed-2 seed-3 )],
              'the seeds share them');
    is_deeply(asked($dragonfly->all), $told, 'no other peer was asked');

    $_->forget_calls for $dragonfly->all;
    $job = $warm->run('file', urls => files(@names),
                      scope => 'single_seed_peer');

    is_deeply(told($job, 'success_tasks'), $told,
              'the next job finds each file where it is');
    is_deeply(asked($dragonfly->all), $told, 'the same seeds were asked');

    # one that comes takes files over; nothing moves between the others

    my $seed = DFP::Dragonfly->peer(hostname => 'seed-4', seed => 1);
    $dragonfly->scheduler->hosts(map { $_->host } $dragonfly->all, $seed);
    $job = $warm->run('file', urls => files(@names));

    my %was = map { reverse split / / } @$told;
    my %is = map { reverse split / / } @{ told($job, 'success_tasks') };
    my @moved = grep { $was{$_} ne $is{$_} } sort keys %is;

    cmp_ok(scalar @moved, '<', 15, 'most files stay where another seed comes');
    is_deeply([ grep { $is{$_} ne 'seed-4' } @moved ], [],
              'and what moves goes to that one');
    $seed->stop;
};


swarm_story 'all_seed_peers', { seeds => 3, peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my $job = $warm->run('file', urls => files(qw( a b )),
                         scope => 'all_seed_peers');

    is($job->{state}, 'SUCCESS', 'goes to every seed') or diag(error($job));
    is_deeply(told($job, 'success_tasks'),
              pairs([qw( seed-1 seed-2 seed-3 )], qw( a b )),
              'and to no other peer');

    $job = $warm->run('file', urls => files('c'), scope => 'all_seed_peers',
                      count => 2);
    is(scalar @{ holders($job) }, 2, 'with a count, to so many');
    unlike(join(' ', @{ holders($job) }), qr/peer/, 'all of them seeds');
};


swarm_story 'ips', { seeds => 1, peers => 3 }, sub {
    my ($warm, $dragonfly) = @_;

    my @ips = map { $_->ip } @{ $dragonfly->peers };
    my @args = (urls => files(qw( a b )), scope => 'all_peers');
    my $job = $warm->run('file', @args, ips => [ @ips[2, 0] ], count => 1);

    is($job->{state}, 'SUCCESS', 'name peers') or diag(error($job));
    is_deeply(told($job, 'success_tasks'),
              pairs([qw( peer-1 peer-3 )], qw( a b )), 'and mean these');

    my $seed = $dragonfly->seeds->[0]->ip;

    for ([ '127.0.0.1', 'that nobody has' ], [ $seed, 'of a seed' ]) {
        my ($ip, $name) = @$_;

        $job = $warm->run('file', @args, ips => [ $ips[1], $ip ]);

        is($job->{state}, 'FAILURE', "an address $name is a failure");
        like(error($job), facts("$ip | no peer"), 'which says so');

        my $results = $job->{result}{job_states}[0]{results}[0];
        my ($told, @others) = @{ $results->{failure_tasks} };
        is_deeply([ @$told{qw( hostname ip url )}, @others ],
                  [ '', $ip, FILES . '/files/a' ], 'also in the list');
        like($told->{description}, facts('no peer'), 'with the reason');
        is_deeply(told($job, 'success_tasks'), pairs(['peer-2'], qw( a b )),
                  'the others were served');
    }

    $job = $warm->run('file', @args, ips => ['127.0.0.1']);
    like(error($job), facts('127.0.0.1 | no peer'),
         'where nobody is there, it is said at once');
};


swarm_story 'count and percentage', { seeds => 1, peers => 5 }, sub {
    my ($warm, $dragonfly) = @_;

    my @cases = (
        [ { count => 2 }, 2, 'two' ],
        [ { count => 5 }, 5, 'all' ],
        [ { count => 200 }, 5, 'more than there are' ],
        [ { percentage => 50 }, 2, 'a half, rounded down' ],
        [ { percentage => 1 }, 1, 'at least one' ],
        [ { percentage => 100 }, 5, 'all of them' ],
        [ { percentage => 100, count => 3 }, 3, 'a count comes first' ],
    );

    for (@cases) {
        my ($args, $count, $name) = @$_;
        my @jobs = map { $warm->run('file', urls => files(qw( a b )),
                                    scope => 'all_peers', %$args) } 1, 2;
        my $holders = holders($jobs[0]);

        is($jobs[0]{state}, 'SUCCESS', $name) or diag(error($jobs[0]));
        is(scalar @$holders, $count, "$count peers have it");
        is_deeply(told($jobs[0], 'success_tasks'), pairs($holders, qw( a b )),
                  'all of it');
        is_deeply(holders($jobs[1]), $holders, 'the next job means the same');
    }

    is(scalar $dragonfly->seeds->[0]->calls, 0, 'the seed was never asked');
};


swarm_story 'concurrent_task_count', { peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my $peer = $dragonfly->peers->[0];
    $peer->script({ default => { before => 0.1 } });

    for my $most (1, 3, undef) {
        my $name = $most // 'default';

        $peer->forget_calls;
        my $job = $warm->run('file', scope => 'all_peers',
                             urls => files(map { "$name-$_" } 1 .. 12),
                             concurrent_task_count => $most);

        is($job->{state}, 'SUCCESS', "$name: the job ends well");
        is($peer->most_at_once, $most // 8, 'so many at once, and no more');
    }
};


swarm_story 'concurrent_peer_count', { peers => 5 }, sub {
    my ($warm, $dragonfly) = @_;

    my @peers = @{ $dragonfly->peers };

    $_->script({ default => { wait_for => $_->gate('go') } }) for @peers;

    my $id = $warm->post('file', url => FILES . '/files/a',
                         scope => 'all_peers', concurrent_peer_count => 2);

    ok(wait_until(CALL_SECONDS, sub { all_calls(@peers) == 2 }),
       'two are asked');
    ok(!wait_until(NO_MORE, sub { all_calls(@peers) > 2 }),
       'and the others wait');

    my ($first) = grep { $_->calls } @peers;
    $first->open_gate('go');
    ok(wait_until(CALL_SECONDS, sub { all_calls(@peers) == 3 }),
       'where one has it, the next is asked');
    ok(!wait_until(NO_MORE, sub { all_calls(@peers) > 3 }), 'and no other');

    $_->open_gate('go') for @peers;
    my $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'at the end all have it');
    is(scalar @{ holders($job) }, 5, 'all five');
};


swarm_story 'what has begun', { peers => 3 }, sub {
    my ($warm, $dragonfly) = @_;

    my @peers = @{ $dragonfly->peers };

    $_->script({ default => { wait_for => $_->gate('go') } }) for @peers;

    my $id = $warm->post('file', urls => files(qw( a b )),
                         scope => 'all_peers', concurrent_task_count => 1,
                         concurrent_peer_count => 2);

    ok(wait_until(CALL_SECONDS, sub { all_calls(@peers) == 2 }),
       'one file at once may be on several peers');

    my ($first) = grep { $_->calls } @peers;
    $first->open_gate('go');
    ok(wait_until(CALL_SECONDS, sub { all_calls(@peers) == 3 }),
       'where one has it, the next is asked');

    my %urls = map { $_->{url} => 1 } all_calls(@peers);
    is(scalar keys %urls, 1, 'for that file, and not yet for the other one');

    $_->open_gate('go') for @peers;
    is($warm->ended($id)->{state}, 'SUCCESS', 'which follows');
};


swarm_story 'several files begin', { peers => 4 }, sub {
    my ($warm, $dragonfly) = @_;

    my @peers = @{ $dragonfly->peers };

    $_->script({ default => { wait_for => $_->gate('go') } }) for @peers;

    my $id = $warm->post('file', urls => files(1 .. 8), scope => 'all_peers',
                         concurrent_peer_count => 1);

    ok(wait_until(CALL_SECONDS, sub { all_calls(@peers) == 8 }),
       'each with one peer');
    is_deeply([ map { scalar $_->calls } @peers ], [ (2) x 4 ],
              'and not all with the same one');

    $_->open_gate('go') for @peers;
    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
};


swarm_story 'what a peer is told', { peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my $peer = $dragonfly->peers->[0];
    my $url = FILES . '/files/a?b=2&a=1&X-Amz-Date=3';
    my @filter = qw( X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires
                     X-Amz-SignedHeaders X-Amz-Signature X-Amz-Security-Token
                     X-Amz-User-Agent X-Goog-Algorithm X-Goog-Credential
                     X-Goog-Date X-Goog-Expires X-Goog-SignedHeaders
                     X-Goog-Signature OSSAccessKeyId Expires Signature
                     SecurityToken AccessKeyId Signature Expires X-Obs-Date
                     X-Obs-Security-Token q-sign-algorithm q-ak q-sign-time
                     q-key-time q-header-list q-url-param-list q-signature
                     x-cos-security-token ns );

    is($warm->run('file', url => $url, scope => 'all_peers')->{state},
       'SUCCESS', 'a job that says little');

    my ($call) = $peer->calls;
    my %told = %$call;
    delete @told{qw( call active metadata client method )};
    cmp_ok(delete $told{timeout}, '>', 3500, 'the time that is left');
    cmp_ok(delete $told{grpc_timeout}, '>', 3500, 'also as that of the call');
    is_deeply(\%told, { url => $url, filtered_query_params => \@filter },
              'the URL as it is, the default filter, and nothing else');

    $peer->forget_calls;
    my $job = $warm->run('file', url => $url, scope => 'all_peers',
                         tag => 'one', application => 'two',
                         filtered_query_params => 'a&b',
                         piece_length => 8388608, timeout => 60_000_000_000,
                         headers => { 'X-One-Key' => '1', 'X-Two-Key' => '2' });

    is($job->{state}, 'SUCCESS', 'a job that says more') or diag(error($job));
    ($call) = $peer->calls;
    %told = %$call;
    delete @told{qw( call active metadata client method )};
    my $timeout = delete $told{timeout};
    ok($timeout > 50 && $timeout <= 60, 'its timeout');
    cmp_ok(delete $told{grpc_timeout}, '<=', 60, 'in both places');
    is_deeply(\%told, { url => $url, filtered_query_params => [qw( a b )],
                        tag => 'one', application => 'two',
                        piece_length => 8388608,
                        request_header => { 'X-One-Key' => '1',
                                            'X-Two-Key' => '2' } },
              'is passed on');
};


swarm_story 'map=',
    { peers => 1, cluster => 'map=http://registry.test=http://mirror.test:5000'
                             . ' blob_digest=on' }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $image = DFP::Image->new($upstream, 'app');
    my $manifest = $image->manifest($image->layer('a layer'));
    my (undef, @blobs) = $image->paths($manifest);
    my $peer = $dragonfly->peers->[0];

    $image->tag('v1', $manifest);

    my $job = $warm->run('image', url => REGISTRY . $image->by_tag('v1'),
                         scope => 'all_peers');
    my $results = $job->{result}{job_states}[0]{results}[0];
    my @calls = $peer->calls;

    is($job->{state}, 'SUCCESS', 'a job for what pullers call otherwise')
        or diag(error($job));
    is_deeply([ sort map { $_->{url} } @calls ],
              [ sort map { "http://mirror.test:5000$_" } @blobs ],
              'peers are told of it as they call it');
    is_deeply([ sort map { $_->{url} } @{ $results->{success_tasks} } ],
              [ sort map { REGISTRY . $_ } @blobs ],
              'the job has it as it was posted');
    is_deeply([ grep { !$_->{enable_task_id_based_blob_digest} } @calls ], [],
              'blob_digest=on: by the digest alone');

    $peer->forget_calls;
    is($warm->run('file', url => FILES . '/files/a',
                  scope => 'all_peers')->{state}, 'SUCCESS',
       'a file of elsewhere');
    is(($peer->calls)[0]{url}, FILES . '/files/a', 'is called what it is');
};


swarm_story 'what a peer holds already', { seeds => 1, peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my @job = ('file', urls => files(qw( a b )), scope => 'all_peers');
    my @jobs = map { $warm->run(@job) } 1, 2;

    is($jobs[1]{state}, 'SUCCESS', 'of which it says nothing');
    is_deeply(told($jobs[1], 'success_tasks'),
              pairs([qw( peer-1 peer-2 )], qw( a b )),
              'counts as well, with its name');
    is_deeply(progress($jobs[0]),
              { tasks_done => 2, tasks_failed => 0, tasks_total => 2,
                downloads_done => 4, downloads_failed => 0,
                downloads_total => 4, pieces_done => 4,
                bytes_done => 32, bytes_total => 32 },
              'what was fetched is counted');
    is_deeply(progress($jobs[1]),
              { tasks_done => 2, tasks_failed => 0, tasks_total => 2,
                downloads_done => 4, downloads_failed => 0,
                downloads_total => 4, pieces_done => 0,
                bytes_done => 0, bytes_total => 0 },
              'what was not is not');
};


swarm_story 'progress', { peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my @pieces = map { { piece => { number => $_, length => 25 } } } 0 .. 3;

    $_->script({ default => { messages => [
        { started => { content_length => 100, pieces => 4 } }, $pieces[0],
        { wait_for => $_->gate('go') }, @pieces[1 .. 3] ] } })
        for @{ $dragonfly->peers };

    my $id = $warm->post('file', urls => files(qw( a b )),
                         scope => 'all_peers');
    my $job;

    ok(wait_until(REPORT_SECONDS, sub {
           $job = $warm->{servers}->job($id);
           (progress($job) // {})->{pieces_done};
       }), 'pieces are seen as they come');
    is($job->{state}, 'PENDING', 'while the job goes on');

    wait_until(REPORT_SECONDS, sub {
        $job = $warm->{servers}->job($id);
        progress($job)->{bytes_done} == 100;
    });
    is_deeply(progress($job),
              { tasks_done => 0, tasks_failed => 0, tasks_total => 2,
                downloads_done => 0, downloads_failed => 0,
                downloads_total => 4, pieces_done => 4,
                bytes_done => 100, bytes_total => 400 }, 'and their bytes');

    $dragonfly->peers->[0]->open_gate('go');
    ok(wait_until(REPORT_SECONDS, sub {
           progress($job = $warm->{servers}->job($id))->{downloads_done} == 2;
       }), 'one peer has both files');
    is(progress($job)->{tasks_done}, 0, 'which are done with the other');

    $dragonfly->peers->[1]->open_gate('go');
    is_deeply(progress($warm->ended($id)),
              { tasks_done => 2, tasks_failed => 0, tasks_total => 2,
                downloads_done => 4, downloads_failed => 0,
                downloads_total => 4, pieces_done => 16,
                bytes_done => 400, bytes_total => 400 }, 'at the end all');
};


swarm_story 'more downloads than anybody reads about', { peers => 3 }, sub {
    my $warm = shift;

    my $job = $warm->run('file', scope => 'all_peers',
                         urls => [ map { FILES . "/files/$_" } 1 .. 400 ]);
    my $results = $job->{result}{job_states}[0]{results}[0];

    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is(scalar @{ $results->{success_tasks} }, 1000, 'a thousand are listed');
    is($results->{success_tasks_omitted}, 200, 'the others are counted');
    ok(!exists $results->{failure_tasks_omitted}, 'nothing else is');
    is(progress($job)->{downloads_done}, 1200, 'and all were done');
};


swarm_story 'more failures than anybody reads about', { peers => 3 }, sub {
    my ($warm, $dragonfly) = @_;

    $_->script({ default => {
        status => 13, message => 'backend error: 404 Not Found' } })
        for @{ $dragonfly->peers };

    my $job = $warm->run('file', scope => 'all_peers', urls => files(1 .. 400));
    my $results = $job->{result}{job_states}[0]{results}[0];

    is($job->{state}, 'FAILURE', 'the job fails');
    is(scalar @{ $results->{failure_tasks} }, 1000, 'a thousand are listed');
    is($results->{failure_tasks_omitted}, 200, 'the others are counted');
    is(progress($job)->{downloads_failed}, 1200, 'all of them have failed');
    is(progress($job)->{tasks_failed}, 400, 'as have the files');
};


swarm_story 'more downloads than there may be', { peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($peer) = @{ $dragonfly->peers };

    $dragonfly->scheduler->hosts(map {
        $peer->host(id => "id-$_", hostname => "peer-$_",
                    ip => '127.1.' . int($_ / 250) . '.' . (1 + $_ % 250))
    } 1 .. 1700);

    my $job = $warm->run('file', urls => files(1 .. 10_000),
                         scope => 'all_peers');

    is($job->{state}, 'FAILURE', 'are refused');
    like(error($job), facts('10000 tasks | 1700 peers | 16777216'), 'in words');
    is(scalar $peer->calls, 0, 'and nobody is called');
};

done_testing();
