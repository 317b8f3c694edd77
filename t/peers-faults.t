# Peers that fail, or do not do what they should: what is tried again, and what a
# job says of the rest.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Process qw( free_port wait_until );
use DFP::Results;
use DFP::Swarm;

use constant {
    CALL_SECONDS => 10,
    LONG_SECONDS => 45,
    TWO_SECONDS  => 2_000_000_000,
    TRIES        => 4,      # for what may pass
    PAUSES       => 1.7,    # s between them: half of 0.5, of 1 and of 2
    MESSAGE_MAX  => 4_194_304,
};

my $malformed = '/INTERNAL: .*peer/ | message';

# a name, what the peer does, how often it is asked, and what the job says: its
# words, or facts of this module's

my @failures = (
    [ 'a file that there is not'
      => { status => 13, message => 'backend error: 404 Not Found',
           details => { status_code => 404 } },
      1, 'INTERNAL: backend error: 404 Not Found' ],
    [ 'a file that is forbidden'
      => { status => 13, message => 'backend error: 403 Forbidden' },
      1, 'INTERNAL: backend error: 403 Forbidden' ],
    [ 'an origin with troubles'
      => { status => 13, message => 'backend error: 503 Service Unavailable' },
      TRIES, 'INTERNAL: backend error: 503 Service Unavailable' ],
    [ 'an origin that times out'
      => { status => 13, message => 'backend error: 408 Request Timeout' },
      TRIES, 'INTERNAL: backend error: 408 Request Timeout' ],
    [ 'an origin with a fault'
      => { status => 13, message => 'backend error: 500 Internal Server Error' },
      TRIES, 'INTERNAL: backend error: 500 Internal Server Error' ],
    [ 'an origin that is busy'
      => { status => 13, message => 'backend error: 429 Too Many Requests' },
      TRIES, 'INTERNAL: backend error: 429 Too Many Requests' ],
    [ 'an origin that is not there'
      => { status => 13, message => 'backend error: ' },
      TRIES, 'INTERNAL: backend error:' ],
    [ 'a fault of the peer'
      => { status => 13, message => 'disk is full' },
      1, 'INTERNAL: disk is full' ],
    [ 'no words at all' => { status => 13 }, 1, 'INTERNAL: ' ],
    [ 'a peer that is busy'
      => { status => 14, message => 'busy' }, TRIES, 'UNAVAILABLE: busy' ],
    [ 'a peer with a limit'
      => { status => 8, message => 'too many tasks' },
      TRIES, 'RESOURCE_EXHAUSTED: too many tasks' ],
    [ 'a peer that gives up'
      => { status => 1, message => 'stop' }, TRIES, 'CANCELLED: stop' ],
    [ 'a peer that aborts'
      => { status => 10, message => 'no' }, TRIES, 'ABORTED: no' ],
    [ 'a peer that refuses'
      => { status => 7, message => 'no' }, 1, 'PERMISSION_DENIED: no' ],
    [ 'a method that it does not know'
      => { status => 12, message => 'no', trailers_only => 1 },
      1, 'UNIMPLEMENTED: no' ],
    [ 'an error after pieces'
      => { messages => [ { started => { content_length => 8, pieces => 2 } },
                         { piece => { number => 0, length => 4 } } ],
           status => 13, message => 'backend error: 416 Range' },
      1, 'INTERNAL: backend error: 416 Range' ],
    [ 'words in other languages'
      => { status => 13, message => "100% d\x{e9}fect \x{65e5}\x{672c}" },
      1, "INTERNAL: 100% d\xc3\xa9fect \xe6\x97\xa5\xe6\x9c\xac" ],
    [ 'words that would be two lines'
      => { status => 13, message => "one\r\ntwo\x{1b}[31m" },
      1, 'INTERNAL: one two[31m' ],
    [ 'a message that is none'
      => { raw => 'ffffffff' }, 1, facts($malformed) ],
    [ 'a message that is cut off'
      => { raw => '0a7f61' }, 1, facts($malformed) ],
    [ 'a message that is too long'
      => { big => MESSAGE_MAX + 1 }, 1,
      facts('/INTERNAL: / | 4194305 bytes | 4194304') ],
);


# What a job of two seconds tells whose time is over, waiting for this peer.

sub passed
{
    my ($tasks, $peer, @more) = @_;

    return facts('timeout | 2 s', "$tasks of $tasks", $peer->hostname,
                 $peer->address, @more);
}


swarm_story 'what a file fails for', { peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($peer) = @{ $dragonfly->peers };
    my %urls = map { +"/files/$_" => $_ } 0 .. $#failures;

    $peer->script({ urls => { map {
        (FILES . "/files/$_" => $failures[$_][1]) } 0 .. $#failures } });

    # they wait between their tries: all at once

    my @ids = map { $warm->post('file', url => FILES . "/files/$_",
                                scope => 'all_peers') } 0 .. $#failures;

    for my $i (0 .. $#failures) {
        my ($name, undef, $tries, $reason) = @{ $failures[$i] };
        my $job = $warm->ended($ids[$i]);
        my $url = FILES . "/files/$i";

        subtest $name => sub {
            is($job->{state}, 'FAILURE', 'the job fails');
            my ($told, @others) = @{ failed($job) };
            is_deeply([ @$told{qw( hostname ip url )}, @others ],
                      [ 'peer-1', $peer->ip, $url ], 'it says where');

            my $why = ref $reason ? $reason : qr/(?:^|: )\Q$reason\E$/;
            like($told->{description}, $why, 'and why');
            like(error($job), $why, 'also in one line');
            like(error($job), facts("1 of 1 | $url | peer-1 | "
                                    . $peer->address), 'and where');
            my @calls = grep { $_->{url} eq $url } $peer->calls;

            is(scalar @calls, $tries,
               'the peer was asked as often as makes sense');

            # each call says what time is left

            cmp_ok($calls[0]{grpc_timeout} - $calls[-1]{grpc_timeout}, '>',
                   PAUSES, 'with pauses that grow') if $tries > 1;
            is(progress($job)->{bytes_done}, 0, 'nothing was done');
        };
    }
};


swarm_story 'what passes', { peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($peer, $other) = @{ $dragonfly->peers };
    my @piece = ({ started => { content_length => 8, pieces => 2 } },
                 { piece => { number => 0, length => 4 } });
    my %behaviour = (
        'busy'  => [ { status => 14, message => 'busy' }, {} ],
        '503'   => [ ({ status => 13, message => 'backend error: 503 No' }) x 3,
                     {} ],
        'after' => [ { messages => \@piece, status => 14, message => 'busy' },
                     {} ],
    );

    $peer->script({ urls => { map { (FILES . "/files/$_" => $behaviour{$_}) }
                              keys %behaviour } });

    my @names = sort keys %behaviour;
    my @ids = map { $warm->post('file', url => FILES . "/files/$_",
                                scope => 'all_peers') } @names;

    for my $i (0 .. $#names) {
        my $job = $warm->ended($ids[$i]);

        is($job->{state}, 'SUCCESS', "$names[$i]: is tried again")
            or diag(error($job));
        is_deeply(told($job, 'success_tasks'),
                  [ map { "peer-$_ /files/$names[$i]" } 1, 2 ],
                  "$names[$i]: both peers have it");
        is_deeply(progress($job),
                  { tasks_done => 1, tasks_failed => 0, tasks_total => 1,
                    downloads_done => 2, downloads_failed => 0,
                    downloads_total => 2,
                    pieces_done => $names[$i] eq 'after' ? 3 : 2,
                    bytes_done => 16, bytes_total => 16 },
                  "$names[$i]: it is counted once");
    }

    is(scalar $other->calls, 3, 'the other peer was asked once for each');
};


swarm_story 'what is odd, but no fault', { peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($peer) = @{ $dragonfly->peers };

    for ([ 'no message at all' => { messages => [] }, 0, 0 ],
         [ 'an empty message' => { messages => [ { raw => '' } ] }, 0, 0 ],
         [ 'an empty file'
           => { messages => [ { started => { content_length => 0 } } ] }, 0, 0 ],
         [ 'the longest message' => { big => MESSAGE_MAX }, 0, 0 ],
         [ 'a field that nobody knows yet'
           => { messages => [ { raw => 'fa7f0161' } ] }, 0, 0 ],
         [ 'more than there is'
           => { messages => [ { started => { content_length => 8 } },
                              map { { piece => { number => $_,
                                                 length => 2**62 } } } 1 .. 3 ]
              }, 8, 8 ],
         [ 'pieces of which no size was told'
           => { messages => [ { piece => { number => 0, length => 5 } } ] },
           0, 0 ],
         [ 'a size that cannot be'
           => { messages => [ { started => { content_length => 2**63 } },
                              { piece => { number => 0, length => 5 } } ] },
           0, 0 ])
    {
        my ($name, $behaviour, $done, $total) = @$_;

        $peer->script({ default => $behaviour });
        my $job = $warm->run('file', url => FILES . '/files/a',
                             scope => 'all_peers');

        is($job->{state}, 'SUCCESS', $name) or diag(error($job));
        is(progress($job)->{bytes_done}, $done, "$name: the bytes done");
        is(progress($job)->{bytes_total}, $total, "$name: of so many");
    }
};


swarm_story 'a peer that dies', { seeds => 3, peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($one, $two) = @{ $dragonfly->peers };
    my %die = (die => 1, messages => [
        { started => { content_length => 8, pieces => 2 } },
        { piece => { number => 0, length => 4 } } ]);

    $two->script({ default => { %die } });

    my $id = $warm->post('file', url => FILES . '/files/a',
                         scope => 'all_peers');
    ok(wait_until(CALL_SECONDS, sub { $two->died }), 'in the middle of a file');
    $scheduler->hosts(map { $_->host } $one, @{ $dragonfly->seeds });

    my $job = $warm->ended($id);
    is($job->{state}, 'FAILURE', 'and does not come back');
    is_deeply(told($job, 'success_tasks'), ['peer-1 /files/a'],
              'the other one has it');
    like_facts(reasons($job, 'unreachable'),
               [ '/^peer-2: UNAVAILABLE: / | ' . $two->address . ' | connect() '
                 . 'failed (111: Connection refused) | scheduler | /\blist/' ],
               'what has become of it is told');
    is(progress($job)->{bytes_done}, 8, 'what it had does not count');

    # whichever seed is asked first

    $_->script({ default => { wait_for => $_->gate('go'), %die } })
        for @{ $dragonfly->seeds };

    $id = $warm->post('file', url => FILES . '/files/b');
    my ($first, @others);
    wait_until(CALL_SECONDS, sub {
        ($first) = grep { $_->calls } @{ $dragonfly->seeds } });
    @others = grep { $_ != $first } @{ $dragonfly->seeds };
    $_->script({}) for @others;
    $first->open_gate('go');

    $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'where a seed dies another one fetches it')
        or diag(error($job));
    is(scalar(map { $_->calls } @others), 1, 'one of the others');
    is_deeply(told($job, 'success_tasks'), asked(@others),
              'and that one is told');
    is_deeply(failed($job), [], 'nothing else is');

    $_->stop for @others;
    $scheduler->hosts(map { $_->host } @{ $dragonfly->seeds });
    $job = ended_within($warm, $warm->post('file', url => FILES . '/files/c'),
                        LONG_SECONDS);
    is($job->{state}, 'FAILURE', 'where no seed is there the job fails');
    like(error($job), facts('1 of 1 | UNAVAILABLE | /peer seed-\d\b/ | reached '
                            . '| 4 tries'),
         'and says who could not be reached');
};


swarm_story 'one seed fails', { seeds => 3 }, sub {
    my ($warm, $dragonfly) = @_;

    my @seeds = @{ $dragonfly->seeds };
    my @job = ('file', url => FILES . '/files/a');

    my ($first) = map { /^(\S+)/ } @{ told($warm->run(@job), 'success_tasks') };
    my ($bad) = grep { $_->hostname eq $first } @seeds;

    for ([ { status => 14, message => 'busy' }, 'busy' ],
         [ { status => 13, message => 'disk is full' }, 'full' ],
         [ { status => 13, message => 'backend error: ' }, 'cut off' ],
         [ { raw => 'ffffffff' }, 'out of its mind' ])
    {
        my ($behaviour, $name) = @$_;

        $bad->script({ default => $behaviour });
        $_->forget_calls for @seeds;
        my $job = $warm->run(@job);

        is($job->{state}, 'SUCCESS', "$name: another one is asked")
            or diag(error($job));
        is(scalar $bad->calls, 1, "$name: after it was asked once");
        isnt(told($job, 'success_tasks')->[0], "$first /files/a",
             "$name: that one is told");
        is_deeply(failed($job), [], "$name: and no failure");
    }

    $bad->script({ default => {
        status => 13, message => 'backend error: 404 Not Found' } });
    $_->forget_calls for @seeds;
    my $job = $warm->run(@job);
    is($job->{state}, 'FAILURE', 'what the origin does not have');
    is(scalar(map { $_->calls } @seeds), 1, 'is not asked of all of them');
    is_deeply(reasons($job, 'failure_tasks'),
              ["$first: INTERNAL: backend error: 404 Not Found"],
              'and is told once');

    $_->script({ default => { status => 13, message => 'disk is full' } })
        for @seeds;
    $_->forget_calls for @seeds;
    $job = $warm->run(@job);
    is($job->{state}, 'FAILURE', 'all of them are full');
    is_deeply([ map { scalar $_->calls } @seeds ], [ 1, 1, 1 ],
              'each is asked once');
    is_deeply([ map { $_->{description} } @{ failed($job) } ],
              ['INTERNAL: disk is full'], 'and it is told once');

    $_->script({ default => { status => 14, message => 'busy' } }) for @seeds;
    $_->forget_calls for @seeds;
    $job = $warm->run(@job);
    is($job->{state}, 'FAILURE', 'all of them are busy');
    is_deeply([ map { scalar $_->calls } @seeds ], [ (TRIES) x 3 ],
              'each is asked as often as any peer');
    is(scalar @{ failed($job) }, 1, 'the file is told once');
};


my $closing = free_port();

swarm_story 'a peer that ends calls before it answers',
    { peers => 1, http => "server { listen 127.0.0.1:$closing http2;
                           return 444; }" }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($peer) = @{ $dragonfly->peers };

    $dragonfly->scheduler->hosts($peer->host(
        ip => '127.0.0.1', port => $closing, hostname => 'closing'));
    my $job = ended_within($warm, $warm->post('file', url => FILES . '/files/a',
                                              scope => 'all_peers'),
                           CALL_SECONDS);
    is($job->{state}, 'FAILURE', 'is there, and is not waited for');
    is_deeply(told($job, 'failure_tasks'), ['closing /files/a'],
              'and is not unreachable');
};


swarm_story 'a peer that does not answer', { peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($good, $bad) = @{ $dragonfly->peers };

    $bad->script({ default => { wait_for => $bad->gate('never') } });

    my $job = run_out($warm, 'file', urls => files(qw( a b )),
                      scope => 'all_peers', timeout => TWO_SECONDS);

    is($job->{state}, 'FAILURE', 'is waited for until time is up');
    like(error($job), passed(2, $bad, FILES . '/files/a'),
         'the job says so, and for whom');
    like_facts(reasons($job, 'failure_tasks'), [ ('/^peer-2: / | timeout') x 2 ],
               'so does the list');
    is_deeply(told($job, 'success_tasks'),
              [ map { "peer-1 /files/$_" } qw( a b ) ], 'the other has all');
    ok(wait_until(CALL_SECONDS, sub {
           2 == grep { $_->{cancelled} } $bad->ended }),
       'the peer was told that nobody waits any more');
    is(scalar(grep { $_->{cancelled} } $good->ended), 0, 'the other was not');
};


swarm_story 'a peer in trouble when the time is up', { peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($good, $bad) = @{ $dragonfly->peers };
    my @job = ('file', url => FILES . '/files/a', scope => 'all_peers',
               timeout => TWO_SECONDS);

    $bad->script({ default => [ { status => 14, message => 'busy' },
                                { wait_for => $bad->gate('never') } ] });
    like(error(run_out($warm, @job)), passed(1, $bad, 'UNAVAILABLE: busy'),
         'its last words are in the job');

    $bad->script({ default => [ { status => 14, message => 'busy' }, {} ] });
    $good->script({ default => { wait_for => $good->gate('never') } });
    like(error(run_out($warm, @job)), passed(1, $good, FILES . '/files/a'),
         'unless it has done its part since');

    $good->script({ default => {} });
    $bad->stop;
    like(error(run_out($warm, @job)),
         passed(1, $bad, 'UNAVAILABLE | reached'),
         'that nobody is there, too');
};


swarm_story 'dfpreheat_task_timeout',
    { peers => 2, http => 'dfpreheat_task_timeout 1s;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($good, $bad) = @{ $dragonfly->peers };

    $bad->script({ default => { wait_for => $bad->gate('never') } });

    my $job = $warm->run('file', url => FILES . '/files/a',
                         scope => 'all_peers');

    is($job->{state}, 'FAILURE', 'is what a file may take');

    # whichever of the two has the clock that is ahead

    like(join('; ', @{ reasons($job, 'failure_tasks') }),
         qr/^peer-2: DEADLINE_EXCEEDED: (?:.*\b1000 ms\b|Deadline Exceeded$)/,
         'the job says that it was too little');
    cmp_ok(($bad->calls)[0]{grpc_timeout}, '<=', 1, 'the peer was told, too');
    ok(wait_until(CALL_SECONDS, sub {
           1 == grep { $_->{cancelled} } $bad->ended }),
       'and that nobody waits any more');
};

done_testing();
