# get_task, delete_task and get_image_distribution, as a client of Dragonfly's
# manager uses them: preheat, get_task to verify, delete_task to purge.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use File::Temp qw( tempdir );
use JSON::PP qw( encode_json );
use Test::More;

use DFP::Cluster qw( cluster_story pause resume );
use DFP::Facts;
use DFP::Hooks;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Story qw( story );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    SOON     => 15,         # s: what needs no timer, or a short lease
    WAIT     => '40s',
    KEEP     => 86_400_000, # ms: the default of dfpreheat_job_retention
    TIME     => qr/^20\d\d-\d\d-\d\dT[\d:]{8}(?:\.\d+)?Z$/,
};

my $true = JSON::PP::true;
my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port);
my @named = (http => "dfpreheat_instance one address=192.0.2.1;\n");


sub image { DFP::Image->tagged($upstream, @_) }


# The job of this type at its end; more fields of the body are BESIDE.

sub post
{
    my ($servers, $type, $args, %beside) = @_;

    return $servers->client->post('/oapi/v1/jobs', {
        type => $type, args => $args, %beside });
}

sub ended
{
    my ($servers, @job) = @_;

    my $answer = post($servers, @job);

    die "no job: $answer->{body}" if $answer->{status} != 200;

    my $client = $servers->client;

    $client->start('GET', "/oapi/v1/jobs/$answer->{json}{id}?wait=" . WAIT);

    return $client->finish(2 * SOON + 15)->{json};
}


sub results { @{ $_[0]{result}{job_states}[0]{results} // [] } }

# What a get_task has found: the names of those that hold the task, with a "!" those
# that do not hold all of it.

sub holders
{
    my $job = shift;

    return $job->{state} if $job->{state} ne 'SUCCESS';

    return join ' ', sort map { $_->{hostname} . ($_->{IsFinished} ? '' : '!') }
                          map { @{ $_->{peers} } } results($job);
}

sub deleted
{
    my $job = shift;

    return join ' ', $job->{state},
           sort map { $_->{hostname} } map { @{ $_->{success_tasks} } }
                                       results($job);
}

# The id of a task as dfdaemon computes it.

sub task_id { sha256_hex(join('', @_) . 'STANDARD') }


story 'a client verifies what it has preheated, and purges it', { @named }, sub
{
    my $servers = shift;

    my $path = '/quick/1000/a';
    my $url = $servers->origin->url . $path;
    my $id = task_id($url);
    my $known = sub { [ holders(ended($servers, 'get_task', { url => $url })),
                        holders(ended($servers, 'get_task',
                                      { task_id => $id })) ] };

    is_deeply($known->(), [ '', '' ], 'nobody has it at first');

    my $preheat = $servers->post_files([$path]);
    is($servers->ended_job($preheat, SOON)->{state}, 'SUCCESS',
       'it is preheated');
    is_deeply($known->(), [qw( one one )], 'this nginx has it: by url, by id');

    my $job = ended($servers, 'delete_task', { task_id => $id });
    is(deleted($job), 'SUCCESS one', 'it is purged by its id');
    is_deeply($known->(), [ '', '' ], 'nobody has it any more');
    is(deleted(ended($servers, 'delete_task', { url => $url })), 'SUCCESS',
       'to purge it again succeeds');
    is($servers->origin->requests($path), 1, 'the origin was asked once');

    is($servers->ended_job($servers->post_files([$path]), SOON)->{state},
       'SUCCESS', 'it can be preheated again');
    is($servers->origin->requests($path), 2, '... and is fetched again');
    is(deleted(ended($servers, 'delete_task', { url => $url })),
       'SUCCESS one', 'it is purged by its url');
};


story 'a job about a task is a job', { @named }, sub
{
    my $servers = shift;

    my $url = $servers->origin->url . '/quick/1000/b';
    my $preheat = $servers->post_files(['/quick/1000/b']);

    $servers->ended_job($preheat, SOON);

    my $answer = post($servers, 'get_task', { url => $url, tag => 't' },
                      bio => 'is it there?', user_id => 7);
    my $job = $answer->{json};

    is($answer->{status}, 200, 'it is accepted');
    is_deeply([ @$job{qw( type state bio user_id result )} ],
              [ 'get_task', 'PENDING', 'is it there?', 7, undef ],
              'with an id, at once');

    my $filter = delete $job->{args}{filtered_query_params};

    like($filter, qr/^X-Amz-Algorithm&.*&ns$/, 'the filter of the manager');
    is_deeply($job->{args}, {
        action => 'get_task', application => '', concurrent_peer_count => 500,
        content_for_calculating_task_id => undef, piece_length => undef,
        tag => 't', task_id => '', timeout => 3600000000000, url => $url },
        'its other args, as the manager shows them');

    $job = $servers->ended_job($job->{id}, SOON);

    my $state = $job->{result}{job_states}[0];
    my ($result) = results($job);
    my $peer = $result->{peers}[0];

    is($job->{state}, 'SUCCESS', 'it has ended');
    is($state->{task_name}, 'get_task', 'the name of its task');
    is_deeply([ sort keys %$result ],
              [qw( failure_tasks peers scheduler_cluster_id )], 'its result');
    is_deeply([ sort keys %$peer ],
              [qw( IsFinished created_at host_type hostname id ip updated_at )],
              'a peer, as the manager shows it');
    is_deeply([ @$peer{qw( IsFinished host_type hostname id ip )} ],
              [ $true, 'normal', 'one', '192.0.2.1-one', '192.0.2.1' ],
              'this nginx');
    like($peer->{$_}, TIME, $_) for qw( created_at updated_at );

    my $purge = ended($servers, 'delete_task', { url => $url });

    ok(!exists $purge->{args}{concurrent_peer_count},
       'delete_task does not have all of these args');
    is_deeply([ results($purge) ], [ {
        failure_tasks => [], scheduler_cluster_id => 1, success_tasks => [ {
            host_type => 'normal', hostname => 'one', ip => '192.0.2.1' } ] } ],
        'its result');

    # the list

    my $listed = sub {
        my $list = $servers->client->get('/oapi/v1/jobs' . shift)->{json};

        return join ' ', map { $_->{type} } @$list;
    };

    is($listed->(''), 'delete_task get_task preheat', 'all are listed');
    is($listed->('?type=preheat'), 'preheat', 'those that preheat');
    is($listed->('?type=get_task'), 'get_task', 'those that get a task');
    is($listed->('?type=get_task&state=SUCCESS&user_id=7'), 'get_task',
       '... with other filters');
    is($listed->('?type=get_task&user_id=8'), '', '... that do not match');
    is($listed->('?type=delete_task&state=FAILURE'), '', '... nor here');
    is($listed->('?type=cache'), '', 'an unknown type');

    my $client = $servers->client;

    $client->request('PATCH', "/oapi/v1/jobs/$job->{id}",
                     encode_json({ user_id => 9 }));
    is($listed->('?type=get_task&user_id=9'), 'get_task', 'it can be changed');
    $client->request('DELETE', "/oapi/v1/jobs/$job->{id}");
    is($listed->('?type=get_task'), '', 'and deleted');

    # what finds a task by its id

    like($servers->redis('KEYS', 'dfpreheat:task:*'), qr/task:[0-9a-f]{32}$/m,
         'the job that has preheated finds it');
    cmp_ok($servers->redis('PTTL', scalar
                           $servers->redis('KEYS', 'dfpreheat:task:*')),
           '>', KEEP - SOON * 1000, '... as long as it is kept');
    $client->request('DELETE', "/oapi/v1/jobs/$preheat");
    is($servers->redis('KEYS', 'dfpreheat:task:*') =~ s/\s+//r, '',
       '... until it is deleted');

    # metrics count what preheats

    my $metrics = $servers->client->get('/metrics');

    like($metrics->{body}, qr/^dfpreheat_jobs_accepted_total 1$/m,
         'metrics count jobs that preheat');
    like($metrics->{body},
         qr/^dfpreheat_job_duration_seconds_count 1$/m, '... and their time');
};


warm_story 'an image', { @named }, $locations, sub
{
    my $warm = shift;

    my @paths = image();
    my ($tag, $manifest, $config, $layer) = map { REGISTRY . $_ } @paths;
    my $servers = $warm->{servers};
    my $holders = sub { holders(ended($servers, 'get_task', { url => shift })) };
    my $distribution = sub {
        post($servers, 'get_image_distribution', { url => $tag });
    };

    is($holders->($tag), '', 'is not there');
    is($warm->run('image', url => $tag)->{state}, 'SUCCESS', 'is preheated');
    is($holders->($_), 'one', "is there: $_") for $tag, $manifest, $config, $layer;

    my $answer = $distribution->();
    my @layers = map { { url => REGISTRY . $_ } } @paths[ 2 .. $#paths ];

    is($answer->{status}, 200, 'its distribution');
    is_deeply($answer->{json}, { image => { layers => \@layers }, peers => [ {
        cached_layers => \@layers, hostname => 'one', ip => '192.0.2.1',
        scheduler_cluster_id => 1 } ] },
        'has config and layers, and who holds which, and is no job');

    is(deleted(ended($servers, 'delete_task', { url => $layer })),
       'SUCCESS one', 'a layer is purged');
    is($holders->($layer), '', '... it is not there');
    is($holders->($tag), 'one!', '... not all of the image is');

    my ($gone) = splice @layers, 1, 1;

    is_deeply($distribution->()->{json}{peers}[0]{cached_layers}, \@layers,
              '... and its distribution tells what is');
    is_deeply($warm->cached($paths[3]), ["MISS $paths[3]"],
              'a client gets it from the registry');
    ok(wait_until(SOON, sub { $holders->($layer) eq 'one' }),
       '... which brings it back');

    is(deleted(ended($servers, 'delete_task', { url => $tag })), 'SUCCESS one',
       'the image is purged');
    is($holders->($tag), '', '... it is not there');
    is_deeply($distribution->()->{json}{peers}, [], '... nobody holds a layer');
    is_deeply($warm->cached(@paths), [ map { "MISS $_" } @paths ],
              'clients get it from the registry');

    # what has expired is there, but is not whole

    is($warm->run('image', url => $tag)->{state}, 'SUCCESS', 'preheated again');
    $warm->expire($paths[0]);
    is($holders->($tag), 'one!', 'an expired tag');

    $answer = post($servers, 'get_image_distribution',
                   { url => REGISTRY . '/v2/none/manifests/1' });
    is($answer->{status}, 424, 'an image that does not exist is an error');
    like($answer->{json}{message}, facts('404 | none'), '... with the reason');

    my $job = ended($servers, 'get_task',
                    { url => REGISTRY . '/v2/none/manifests/1' });

    is($job->{state}, 'FAILURE', 'a job about it fails');
    like((results($job))[0]{failure_tasks}[0]{description}, facts('404'),
         '... with the reason');
};


warm_story 'an image of several platforms', { @named }, $locations, sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'multi');
    my ($amd, $arm) = map { $image->manifest($image->layer("for $_")) }
                      qw( amd64 arm64 );
    my $index = $image->index([ 'linux/amd64', $amd ], [ 'linux/arm64', $arm ]);

    $image->tag('1', $index);

    my $servers = $warm->{servers};
    my $url = REGISTRY . $image->by_tag('1');
    my $get = sub { holders(ended($servers, 'get_task', { @_ })) };

    is($warm->run('image', url => $url, platform => 'linux/arm64')->{state},
       'SUCCESS', 'one of them is preheated');
    is($get->(url => $url), 'one!', 'not the default one');
    is($get->(url => $url, platform => 'linux/arm64'), 'one', 'but this one');
    is($get->(task_id => task_id($url)), 'one', 'it is found by the id');
    is(deleted(ended($servers, 'delete_task', { task_id => task_id($url) })),
       'SUCCESS one', 'and purged by it');
    is($get->(url => $url, platform => 'all'), '', 'nothing is left');
};


my $hooks = DFP::Hooks->new('/tasks', { status => 204 });

warm_story 'a webhook', { @named }, $locations . DFP::Hooks->location, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $answer = post($servers, 'get_task', { task_id => 'unknown' },
        webhook => { url => $hooks->url, secret => DFP::Hooks::SECRET });

    is($answer->{status}, 200, 'is accepted');
    is($hooks->state_of($servers, $answer->{json}{id}, SOON)->{state}, 'SUCCESS',
       'and delivered');
};


# Several nginx

cluster_story 'several nginx', { lease => '2s' }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my $url = FILES . '/quick/1000/c';
    my $get = sub { ended($one, 'get_task', { @_ }) };

    is($two->ended_job($two->post_files(['/quick/1000/c'],
                                        ips => [qw( 192.0.2.11 192.0.2.12 )]),
                       SOON)->{state}, 'SUCCESS', 'two of them preheat it');

    my $job = $get->(url => $url);

    is(holders($job), 'one two', 'they have it');
    is(scalar results($job), 1, 'in one result, as of a scheduler');
    is(holders($get->(task_id => task_id($url))), 'one two', 'also by its id');

    is($one->ended_job($one->post_files(['/quick/1000/c'], scope => 'all_peers'),
                       SOON)->{state}, 'SUCCESS', 'all of them preheat it');
    is(holders($get->(url => $url)), 'one three two', 'all of them have it');

    is(deleted(ended($three, 'delete_task', { url => $url })),
       'SUCCESS one three two', 'it is purged from all');
    is(holders($get->(url => $url)), '', 'nobody has it');

    # one that hangs is not left out

    is($one->ended_job($one->post_files(['/quick/1000/c'], scope => 'all_peers'),
                       SOON)->{state}, 'SUCCESS', 'all of them have it again');
    pause($three);

    my $purge = ended($one, 'delete_task', { url => $url });

    is(deleted($purge), 'FAILURE one two', 'a purge fails if one hangs');
    is_deeply([ map { $_->{hostname} } @{ (results($purge))[0]{unreachable} } ],
              ['three'], '... and names it');
    like($purge->{result}{job_states}[0]{error}, facts('three'),
         '... in its error');

    resume($three);
    ok(wait_until(SOON, sub { deleted(ended($one, 'delete_task',
                                            { url => $url })) eq 'SUCCESS three' }),
       'later it is purged there, too');
    is(holders($get->(url => $url)), '', 'nobody has it');
};


# Private content

my $dir = tempdir('dfpreheat-get-task-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

open my $config, '>', "$dir/config.json" or die "$dir: $!";
print {$config} encode_json({ auths => { 'registry.test' => {
    username => 'alice', password => 'secret' } } });
close $config or die "$dir: $!";
chmod 0600, "$dir/config.json";

warm_story 'a private image', {
    http => "$named[1] dfpreheat_credentials $dir/config.json;\n" },
    location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;',
             'proxy_cache files;', 'include cache.conf;'), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $basic = 'Basic YWxpY2U6c2VjcmV0';   # alice:secret
    my @paths = image(sub { +{ @_, wants => "Authorization: $basic",
        refusal => { status => 401, headers => [
            'WWW-Authenticate' => 'Basic realm="registry"' ] } } });
    my $url = REGISTRY . $paths[0];

    $warm->scopes(qw( job origin-credentials ));
    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'is preheated');
    is(holders(ended($servers, 'get_task', { url => $url })), 'one',
       'a token that may use credentials finds it');

    for my $type (qw( get_task delete_task )) {
        my $job = ended($servers, $type, { url => REGISTRY . $paths[3] });

        is($job->{state}, 'FAILURE', "$type of a blob, which needs no manifest");
        like($job->{result}{job_states}[0]{error}, facts('dfpreheat_access'),
             '... is refused');
    }

    $warm->scopes('job');

    for my $args ({ url => $url }, { task_id => task_id($url) }) {
        for my $type (qw( get_task delete_task )) {
            my $job = ended($servers, $type, $args);

            is($job->{state}, 'FAILURE', "$type: another token is refused");
            like($job->{result}{job_states}[0]{error}, facts('401'),
                 '... by the registry');
            unlike(encode_json($job->{result}), qr/IsFinished/,
                   '... and is told nothing');
        }
    }

    my $answer = post($servers, 'get_image_distribution', { url => $url });

    is($answer->{status}, 424, 'nor is it told the distribution');
    like($answer->{json}{message}, facts('401'), '... by the registry');

    $answer = post($servers, 'get_image_distribution', {
        url => $url, headers => { Authorization => $basic } });
    is(scalar @{ $answer->{json}{peers}[0]{cached_layers} }, @paths - 2,
       'with credentials of its own it is');
    unlike($servers->redis('HGETALL', 'dfpreheat:job:' . ($servers->redis(
           'GET', 'dfpreheat:job:next') =~ s/\s+//r)), qr/YWxpY2U6/,
           '... which are not stored in clear');

    $warm->scopes(qw( job origin-credentials ));
    is(holders(ended($servers, 'get_task', { url => $url })), 'one',
       'nothing was purged');
};


# What is refused

story 'what is refused', { @named }, sub
{
    my $servers = shift;

    my $none = 'invalid params: task_id, content_for_calculating_task_id or url '
               . 'is required';
    my $file = $servers->origin->url . '/quick/1/a';

    for my $type (qw( get_task delete_task )) {
        for my $args ({}, { task_id => '' }, undef) {
            my $answer = post($servers, $type, $args);

            is($answer->{status}, 422, "$type of nothing");
            is_deeply($answer->{json}, { errors => $none },
                      "... in the manager's words");
        }
    }

    for my $case (
        [ 'get_task', { url => 'a' }, {}, 'args.url' ],
        [ 'get_task', { task_id => 'a' x 129 }, {}, 'args.task_id | 128' ],
        [ 'get_task', { task_id => 1 }, {}, 'args.task_id | string' ],
        [ 'get_task', { url => $file, concurrent_peer_count => 1001 }, {},
          'args.concurrent_peer_count | 1000' ],
        [ 'get_task', { url => $file, piece_length => 1 }, {},
          'args.piece_length | 4194304' ],
        [ 'delete_task', { url => $file, timeout => 1 }, {}, 'args.timeout' ],
        [ 'get_task', { url => $file }, { dry_run => $true },
          'dry_run | preheat' ],
        [ 'get_task', { url => $file }, { scheduler_cluster_ids => [9] },
          'scheduler_cluster_ids | 9' ],
        [ 'get_image_distribution', {}, {}, 'args.url | required' ],
        [ 'get_image_distribution', undef, {}, 'args | required' ],
        [ 'get_image_distribution', { url => $file }, {}, 'args.url | manifest' ],
        [ 'get_image_distribution', { url => 'a/b', concurrent_layer_count => 101 },
          {}, 'args.concurrent_layer_count | 100' ],
        map { my $type = $_;
              [ $type, {}, {}, 'type | preheat | get_task | delete_task'
                               . ' | get_image_distribution' ] }
            qw( sync_peers gc list_task_entries ))
    {
        my ($type, $args, $beside, $facts) = @$case;
        my $answer = post($servers, $type, $args, %$beside);

        is($answer->{status}, 422, "$type is refused");
        like($answer->{json}{errors}, facts($facts), "... $facts");
    }

    my ($job) = ended($servers, 'get_task',
                      { content_for_calculating_task_id => "any\ntext" });

    is(holders($job), '', 'nobody has a task of other content');
    is($job->{args}{content_for_calculating_task_id}, "any\ntext",
       '... which is shown');
};


done_testing;
