# Jobs that Dragonfly's scheduler does by itself, and it does not: it refuses,
# dies, or tells nothing that makes sense.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use DFP::Dragonfly;
use DFP::Facts;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Stat;
use DFP::Story qw( meanwhile );
use DFP::Swarm;

use constant {
    CALL_SECONDS  => 10,
    LONG_SECONDS  => 42,    # for half a minute
    LOG_LINES     => 10_000,
    TWO_SECONDS   => 2_000_000_000,
    THREE_SECONDS => 3_000_000_000,
    HINT          => 'Redis | engine=peers',
    MANIFEST      => 'failed to resolve manifests: failed to pull image '
                     . 'manifest: manifest unknown: manifest unknown',
};

my @file = ('file', url => FILES . '/files/a');


# What a job says of its only URL: in the list, and in one line.

sub is_failure
{
    my ($job, $url, $reason, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($job->{state}, 'FAILURE', "$name: the job fails");
    like_facts(words($job, 'failure_tasks'), [$reason], "$name: it says why");
    like(error($job), facts("1 of 1 | $url: | $reason"), 'also in one line');
}


# Half a minute passes in it: it is told while the others are.

my $silent = meanwhile(sub {
    my $second = DFP::Dragonfly->scheduler;

    swarm_story 'a scheduler that says nothing for half a minute',
        { engine => 'scheduler', seeds => 1, cluster => $second->address,
          story => { workers => 1 } }, sub
    {
        my ($warm, $dragonfly) = @_;

        my $scheduler = $dragonfly->scheduler;
        my ($seed) = @{ $dragonfly->seeds };

        $scheduler->script({ preheat => { wait_for => $scheduler->gate('no') } });
        $second->script({ hosts => [ $seed->host ],
                          stat => all_on($seed, $file[2]) });

        my $job = ended_within($warm, $warm->post(@file), LONG_SECONDS);
        is($job->{state}, 'FAILURE', 'the job fails');
        like(error($job), facts($scheduler->address
                                . ' | not answered the preheat: DEADLINE_EXCEEDED'),
             'it says why');
        is(scalar called($second, 'Preheat'), 0,
           'the other one is not told: nobody knows what this one does');
    };

    $second->stop;
});


swarm_story 'platforms', { engine => 'scheduler', seeds => 1 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $url = REGISTRY . DFP::Image->simple($upstream, 'app');

    for my $platform ('linux/amd64,linux/arm64', 'all') {
        my $job = $warm->run('image', url => $url, platform => $platform);

        is($job->{state}, 'FAILURE', "$platform: is more than one");
        like(error($job), facts("args.platform | \"$platform\" | engine=peers"),
             'the job says so');
    }

    is(scalar called($dragonfly->scheduler, 'Preheat'), 0, 'nothing is sent');
};


swarm_story 'a query whose keys are not sorted',
    { engine => 'scheduler', seeds => 1 }, sub
{
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my ($bad, $good) = map { FILES . "/files/a?$_" } 'b=2&a=1', 'a=1&b=2';

    $scheduler->script({ stat => all_on($seed, $good) });
    my $job = $warm->run('file', urls => [ $bad, $good ]);
    my $reason = 'StatFile | query | sorted | engine=peers';

    is($job->{state}, 'FAILURE', 'is a failure');
    like(error($job), facts("1 of 2 | $bad: | $reason"), 'the job says why');
    like_facts(words($job, 'failure_tasks'), [$reason], 'so does the list');
    is_deeply(told($job, 'success_tasks'), ['seed-1 /files/a?a=1&b=2'],
              'the other file is there');
    is_deeply([ map { $_->{url} } called($scheduler, 'Preheat') ], [$good],
              'and nothing else was sent');

    $job = $warm->run('file', url => $bad, filtered_query_params => 'b');
    is($job->{state}, 'SUCCESS', 'what is filtered may stand anywhere')
        or diag(error($job));
};


swarm_story 'a file with a tag', {
    engine => 'scheduler', seeds => 1,
    http => 'dfpreheat_cluster 7 name=other engine=cache;' }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my $client = $warm->{servers}->client;
    my %tagged = (type => 'file', url => $file[2], tag => 'one');
    my $post = sub {
        my ($args, @more) = @_;
        return $client->post('/oapi/v1/jobs', { type => 'preheat', args => $args,
                                                @more });
    };

    for ([ 'all clusters' ], [ 'a dry run', dry_run => JSON::PP::true ]) {
        my ($name, @more) = @$_;
        my $answer = $post->(\%tagged, @more);

        is($answer->{status}, 422, "$name: is refused");
        like($answer->{body},
             facts('args.tag | engine=scheduler | PreheatFile | engine=peers'),
             "$name: with the reason");
    }

    is($post->(\%tagged, scheduler_cluster_ids => [7])->{status}, 200,
       'clusters of another engine may be named');
    is(scalar called($scheduler, 'Preheat'), 0, 'the scheduler is not told');

    $scheduler->script({ stat => all_on($seed, $file[2]) });
    is($warm->run(@file, application => 'one', piece_length => 4194304)->{state},
       'SUCCESS', 'an application and a piece length are no fault');

    my $url = REGISTRY . DFP::Image->simple($upstream, 'app');

    is($warm->run('image', url => $url, tag => 'one')->{state}, 'SUCCESS',
       'nor is the tag of an image');
};


swarm_story 'what a scheduler refuses', { engine => 'scheduler', seeds => 1 },
sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my $who = 'scheduler ' . $scheduler->address;
    my $url = REGISTRY . DFP::Image->simple($upstream, 'app');

    for ([ { status => 3, message => MANIFEST },
           'INVALID_ARGUMENT: ' . MANIFEST, 'an image' ],
         [ { status => 12, message => 'unknown method', trailers_only => 1 },
           'UNIMPLEMENTED: unknown method', 'what it does not know' ],
         [ { status => 13, message => "one\r\ntwo" }, 'INTERNAL: one two',
           'words in two lines' ])
    {
        my ($behaviour, $text, $name) = @$_;

        $scheduler->script({ preheat => $behaviour });
        $scheduler->forget_calls;
        is_failure($warm->run('image', url => $url), $url,
                   "$who | preheat: $text", $name);
        is(scalar called($scheduler, 'Preheat'), 1, "$name: it is sent once");
        is(scalar called($scheduler, 'Stat'), 0, "$name: and not asked for");
    }

    $url = REGISTRY . '/v2/none/manifests/1';
    $scheduler->forget_calls;
    is_failure($warm->run('image', url => $url), $url,
               'origin answered 404', 'what the registry does not have');
    is(scalar called($scheduler, 'Preheat'), 0, 'is not sent');
};


# The real one dies before it answers anything; one behind a proxy may be cut
# off later.

for my $early (1, 0) {
    my $other = DFP::Dragonfly->scheduler;
    my $when = $early ? 'before it answers' : 'within its answer';
    my %die = (die => 1, trailers_only => $early);

    swarm_story "a scheduler that dies of a preheat $when",
        { engine => 'scheduler', seeds => 1,
          cluster => $other->address, story => { workers => 1 } }, sub
    {
        my ($warm, $dragonfly, $upstream) = @_;

        my $scheduler = $dragonfly->scheduler;
        my ($seed) = @{ $dragonfly->seeds };
        my $url = REGISTRY . DFP::Image->simple($upstream, 'app');

        for ([ 'PreheatFile', @file ],
             [ 'PreheatImage', 'image', url => $url ])
        {
            my ($method, @job) = @$_;

            $scheduler->script({ preheat => { %die } });
            $other->script({ hosts => [ $seed->host ],
                             stat => all_on($seed, $file[2]) });
            my $job = $warm->run(@job);

            is($job->{state}, 'FAILURE', "$method: the job fails");
            like(error($job), facts('preheat: UNAVAILABLE | ' . HINT),
                 "$method: it says what may be the matter");
            ok(wait_until(CALL_SECONDS, sub { $scheduler->died }),
               "$method: one has died of it");
            is(scalar called($other, 'Preheat'), 0,
               "$method: the other is not killed, too");
            is(scalar called($scheduler, 'Preheat'), 1, "$method: sent once");
            $scheduler->forget_calls;
            $scheduler->restart;
        }
    };

    $other->stop;

    swarm_story "a scheduler that dies of a stat $when",
        { engine => 'scheduler', seeds => 1 }, sub
    {
        my ($warm, $dragonfly) = @_;

        my $scheduler = $dragonfly->scheduler;

        $scheduler->script({ stat => { %die } });
        my $job = $warm->run(@file);

        is($job->{state}, 'FAILURE', 'a job fails');
        like(error($job), facts('stat: UNAVAILABLE | ' . HINT),
             'it says what may be the matter');
        is(scalar called($scheduler, 'Stat'), 1, 'it is asked once');
    };
}


swarm_story 'a scheduler that is down', { engine => 'scheduler', seeds => 1 },
sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my $refused = sub { grep { /scheduler.* reached.*connect\(\)/ }
                        $warm->{servers}->log_tail(LOG_LINES) };

    # one that dies within a call may have died of it

    my $answered = sub {
        my %ended = map { $_->{ended} => 1 } $scheduler->ended;
        return grep { $ended{ $_->{call} } } called($scheduler, 'Stat');
    };

    $scheduler->script({ stat => all_on($seed, $file[2]) });
    $scheduler->stop;

    my $id = $warm->post(@file);
    ok(wait_until(CALL_SECONDS, $refused), 'a job waits for it');
    is($warm->{servers}->job($id)->{state}, 'PENDING', 'and has not failed');
    $scheduler->restart;
    my $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'where it comes back the job ends well')
        or diag(error($job));

    # again between the preheat and its end

    $scheduler->script({ stat => {} });
    $scheduler->forget_calls;
    $id = $warm->post(@file);
    wait_until(CALL_SECONDS, $answered);
    my $before = () = $refused->();
    $scheduler->stop;
    ok(wait_until(CALL_SECONDS, sub { $refused->() > $before }),
       'also while the job asks it');
    $scheduler->script({ stat => all_on($seed, $file[2]) });
    $scheduler->restart;
    $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'goes on where it was') or diag(error($job));
    is(scalar called($scheduler, 'Preheat'), 1, 'the preheat was sent once');

    # and once more, until there is no time left

    $scheduler->script({ stat => {} });
    $scheduler->forget_calls;
    $id = $warm->post(@file, timeout => THREE_SECONDS);
    wait_until(CALL_SECONDS, $answered);
    $scheduler->stop;
    wait_until(CALL_SECONDS, sub {
        $warm->{servers}->stored_state($id) ne 'PENDING' });
    like(error($warm->{servers}->job($id)),
         facts('timeout | 3 s | 1 of 1 | scheduler | UNAVAILABLE | reached'),
         'in the end the job says so');
};


swarm_story 'a scheduler that says nothing to a preheat',
    { engine => 'scheduler', seeds => 1 }, sub
{
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;

    $scheduler->script({ preheat => { wait_for => $scheduler->gate('no') } });
    my $job = run_out($warm, @file, timeout => TWO_SECONDS);
    is($job->{state}, 'FAILURE', 'until time is up');
    like(error($job), facts('timeout | 2 s | ' . $scheduler->address
                            . ' | not answered PreheatFile'), 'it is named');
    ok(wait_until(CALL_SECONDS, sub {
           1 == grep { $_->{cancelled} } $scheduler->ended }),
       'is told that nobody waits any more');

    $scheduler->script({ stat => all_on($dragonfly->seeds->[0], $file[2]) });
    is($warm->run(@file)->{state}, 'SUCCESS', 'and the worker goes on');

    for my $what ([ 'stat', 'StatFile' ], [ 'list_hosts', 'ListHosts' ]) {
        my ($begin, $method) = @$what;

        $scheduler->script({ $begin => { wait_for => $scheduler->gate('no') } });
        $job = run_out($warm, @file, timeout => TWO_SECONDS);
        like(error($job), facts('timeout | ' . $scheduler->address
                                . " | not answered $method"),
             "$method: it is named, too");
    }
};


swarm_story 'a peer without a port', { engine => 'scheduler', peers => 10 },
sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($one, $two, @others) = @{ $dragonfly->peers };
    my $why = '/^peer-2: / | scheduler | address | port';
    my @job = (@file, scope => 'all_peers');

    $scheduler->hosts($one->host, $two->host(port => 0));
    $scheduler->script({ stat => all_on($one, $file[2]) });

    for ([ 'all' ], [ 'those that are named', ips => [ $one->ip, $two->ip ] ]) {
        my ($name, @args) = @$_;
        my $job = $warm->run(@job, @args);

        is($job->{state}, 'FAILURE', "one is not $name");
        like(error($job), facts('/1 of 2 peers\D+0\b/ | '
                                . 'dfpreheat_unreachable_peers | peer-2: | '
                                . 'scheduler | address | port'),
             'the job says so');
        like_facts(reasons($job, 'unreachable'), [$why], 'so does the list');
    }

    is(scalar called($scheduler, 'Preheat'), 0, 'nothing was sent');
    is($warm->run(@job, count => 2)->{state}, 'SUCCESS',
       'a count is of those that can be called');

    $scheduler->hosts($two->host(port => 0), map { $_->host } $one, @others);
    $scheduler->script({ stat => { peers => [ map {
        @{ all_on($_, $file[2])->{peers} } } $one, @others ] } });
    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'of ten one may be missing')
        or diag(error($job));
    like_facts(reasons($job, 'unreachable'), [$why], 'and is told');
};


swarm_story 'UNAVAILABLE', { engine => 'scheduler', seeds => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my @busy = ({ status => 14, message => 'busy' }) x 2;

    $scheduler->script({ preheat => [ @busy, {} ],
                         stat => [ @busy, all_on($seed, $file[2]) ] });
    my $job = $warm->run(@file);

    is($job->{state}, 'SUCCESS', 'is waited out') or diag(error($job));
    is(scalar called($scheduler, $_), 3, "$_: it is asked again")
        for qw( Preheat Stat );
};


swarm_story 'stats that fail', { engine => 'scheduler', seeds => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my $who = 'scheduler ' . $scheduler->address;

    # they wait between their tries: all at once

    my %behaviour = (
        locked   => { status => 13, message => 'database is locked' },
        unknown  => { status => 12, message => 'x', trailers_only => 1 },
        nonsense => { raw => 'ffffffff' },
        huge     => { big => 67_108_865 },
    );
    my %words = (
        locked   => qr/INTERNAL: database is locked/,
        unknown  => qr/UNIMPLEMENTED: x/,
        nonsense => qr/INTERNAL: .*\blayers\b.*/,
        huge     => qr/INTERNAL: .*\b67108865 bytes\b.*\b67108864\b.*/,
    );
    my $locked = $behaviour{locked};
    my ($passes) = @{ files('passes') };

    my ($had) = @{ files('had') };

    $scheduler->script({ urls => {
        $had => { stat => [ stat_of([], [ $seed, [], [$had] ]), ($locked) x 4 ] },
        $passes => { stat => [ ($locked) x 3, {}, ($locked) x 2,
                               all_on($seed, $passes) ] },
        map { (files($_)->[0] => { stat => $behaviour{$_} }) }
            keys %behaviour } });

    my @names = sort keys %behaviour;
    my %ids = map { $_ => $warm->post('file', url => files($_)->[0],
                                      timeout => 60_000_000_000) }
              @names, 'passes';

    for my $name (@names) {
        my $job = $warm->ended($ids{$name});

        is($job->{state}, 'FAILURE', "$name: a job fails");
        like(error($job), qr/\b\Q$who\E .*\bstat: $words{$name}$/,
             "$name: it says why");
        is(scalar(grep { $_->{url} eq files($name)->[0] }
                  called($scheduler, 'Stat')), 4, "$name: after four in a row");
    }

    is_deeply(told($warm->run('file', url => $had), 'failure_tasks'),
              ['seed-1 /files/had'], 'what was reported before is told');

    my $job = $warm->{servers}->ended_job($ids{passes}, 30);
    is($job->{state}, 'SUCCESS', 'three in a row are none')
        or diag(error($job));
};


$silent->();

done_testing();
