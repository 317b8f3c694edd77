# Peers that the scheduler lists and that are not there: what a job waits for, how
# many of them it puts up with, and what it says of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw( encode_base64 );
use Socket qw( AF_INET INADDR_ANY SOCK_STREAM pack_sockaddr_in
               unpack_sockaddr_in );
use Test::More;

use DFP::Dragonfly;
use DFP::Facts;
use DFP::Process qw( wait_until );
use DFP::Story qw( meanwhile );
use DFP::Swarm;

use constant {
    CALL_SECONDS => 10,     # for a peer to be asked
    LOOK_AFTER   => 2,      # s; a list is asked for, since a peer was lost
    LOOK_SECONDS => 10,     # for a new list, which is asked for after 2 s
    LONG_SECONDS => 42,     # for a peer to be called again, after 30 s
    AWAY_SECONDS => 26,     # of these, at least
    LOG_LINES    => 1000,
    FIRST_CASE   => 3,      # the id of its cluster
    BASIC        => 'Basic ' . encode_base64('bob:secret', ''),
    REFUSED      => 'connect() failed (111: Connection refused)',
    DELISTED     => ' | scheduler | /\blist/',
    NOBODY       => '/\bnone\b|\bno peer/ | peers | reached',
    NOT_FOUND    => { status => 13, message => 'backend error: 404 Not Found' },
};

my @file = (url => FILES . '/files/a', scope => 'all_peers');

# one that answers at all addresses of this machine, and a port of these that is
# taken, and at which nobody listens

my $crowd = DFP::Dragonfly->peer(address => '0.0.0.0');
socket my $taken, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
bind $taken, pack_sockaddr_in(0, INADDR_ANY) or die "no port: $!";
my ($nobody) = unpack_sockaddr_in(getsockname $taken);


# So many peers that are there, and then so many that are not, as a scheduler
# lists them: 1 to 250 in all.

sub listed
{
    my ($there, $gone) = @_;

    return map { $crowd->host(id => "id-$_", hostname => "peer-$_",
                              ip => "127.0.1.$_",
                              $_ > $there ? (port => $nobody) : ()) }
           1 .. $there + $gone;
}


# What is said of a peer that refused, by its name and address.

sub unreached
{
    my ($name, $address) = @_;

    return "/\\bUNAVAILABLE: .*peer $name\\b/ | $address | " . REFUSED;
}

sub unreached_listed
{
    my $number = shift;

    return unreached("peer-$number", "127.0.1.$number:$nobody");
}


# The jobs at their ends, of which the scheduler told one list at first, and later
# another one.

sub while_they_leave
{
    my ($warm, $scheduler, $before, $after, @jobs) = @_;

    $scheduler->forget_calls;
    $scheduler->hosts(@$before);

    my @ids = map { $warm->post('file', @file, %$_) } @jobs ? @jobs : {};

    # jobs of one worker share a list

    wait_until(CALL_SECONDS, sub { $scheduler->ended })
        or die 'the scheduler was not asked';

    $scheduler->hosts(@$after);

    return map { $warm->ended($_) } @ids;
}


# Of so many that are there, and so many that have gone: what a job comes to,
# and of how many that may be away it tells where it fails. Each case has a cluster
# of its own: they wait together.

sub comes_to
{
    my ($name, $http, @cases) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @schedulers = map { DFP::Dragonfly->scheduler } @cases;
    my @ids = map { $_ + FIRST_CASE } 0 .. $#cases;
    my $clusters = join "\n", map {
        "dfpreheat_cluster $ids[$_] name=case-$_ engine=peers "
        . $schedulers[$_]->address . ';' } 0 .. $#cases;

    swarm_story $name, { http => "$http\n$clusters" }, sub {
        my $warm = shift;

        my @jobs;

        for my $i (0 .. $#cases) {
            my ($there, $gone) = @{ $cases[$i] };

            $schedulers[$i]->hosts(listed($there, $gone));
            $warm->clusters($ids[$i]);
            push @jobs, $warm->post('file', @file);
        }

        for my $i (0 .. $#cases) {
            wait_until(CALL_SECONDS, sub { $schedulers[$i]->ended })
                or die 'the scheduler was not asked';
            $schedulers[$i]->hosts(listed($cases[$i][0], 0));
        }

        came_to($cases[$_], $warm->ended($jobs[$_])) for 0 .. $#cases;
    };

    $_->stop for @schedulers;
}

sub came_to
{
    my ($case, $job) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($there, $gone, $state, $may) = @$case;
    my $all = $there + $gone;
    my $name = "$gone of $all";

    is($job->{state}, $state, "$name: $state") or diag(error($job));
    is(scalar @{ told($job, 'success_tasks') }, $there,
       "$name: the others have the file");
    like_facts(reasons($job, 'unreachable'),
               [ map { "/^peer-$_: / | " . unreached_listed($_) . DELISTED }
                     sort $there + 1 .. $all ],
               "$name: these are told");
    is_deeply(told($job, 'failure_tasks'), [], "$name: and are no failures");
    like(error($job), $state eq 'SUCCESS' ? qr/^$/
         : facts("/^$gone of $all peers\\D+$may\\b/"),
         "$name: and what may be");
}


# Half a minute passes in it: it is told while the others are.

my $back = meanwhile(sub {
    my $other = DFP::Dragonfly->cluster(peers => 3);
    my $other_address = $other->scheduler->address;

    swarm_story 'peers that come back', { peers => 3, http => <<"END" }, sub {
    dfpreheat_unreachable_peers 1;
    dfpreheat_cluster 3 name=other engine=peers $other_address;
END
        my ($warm, $dragonfly, $upstream) = @_;

        my $back = stays_and_comes_back($warm, $dragonfly);
        $warm->clusters(3);
        my $fails = comes_back_and_fails($warm, $other, $upstream);

        subtest 'one that comes back, and fails' => $fails;
        subtest 'one that stays away, and one that comes back' => $back;
    };

    $_->stop for $other->scheduler, $other->all;
});


swarm_story 'a peer that is gone', { peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->peers };
    my $reason = unreached('peer-2', $two->address) . DELISTED;

    $two->stop;

    my ($job) = while_they_leave($warm, $dragonfly->scheduler,
                                 [ $one->host, $two->host ], [ $one->host ]);

    is($job->{state}, 'FAILURE', 'is one too many of two');
    like(error($job), facts('/^1 of 2 peers\D+0\b/',
                            'dfpreheat_unreachable_peers', $reason),
         'the job says who, and why');

    my $results = $job->{result}{job_states}[0]{results}[0];
    my ($told, @others) = @{ $results->{unreachable} };
    is_deeply([ @$told{qw( hostname ip )}, @others ], [ 'peer-2', $two->ip ],
              'there is a list of such peers');
    like($told->{description}, facts($reason), 'and why');
    is_deeply($results->{failure_tasks}, [], 'it is not a failure of the file');
    is_deeply(told($job, 'success_tasks'), ['peer-1 /files/a'],
              'which the other one has');
    is(progress($job)->{downloads_failed}, 0, 'no download has failed');
    is(scalar $dragonfly->scheduler->calls, 2, 'the scheduler was asked twice');
};


swarm_story 'a peer that has moved', { peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->peers };

    $two->stop;

    my ($job) = while_they_leave($warm, $dragonfly->scheduler,
                                 [ $one->host, $two->host ],
                                 [ $one->host, $two->host(ip => '127.0.9.9') ]);

    like_facts(words($job, 'unreachable'),
               [ unreached('peer-2', $two->address) . DELISTED ],
               'is not waited for where it was');
};


comes_to 'by default', '', [ 8, 1, 'FAILURE', 0 ], [ 9, 1, 'SUCCESS' ],
         [ 8, 2, 'FAILURE', 1 ], [ 198, 2, 'SUCCESS' ], [ 197, 3, 'FAILURE', 2 ];

comes_to 'dfpreheat_unreachable_peers 0', 'dfpreheat_unreachable_peers 0;',
         [ 19, 1, 'FAILURE', 0 ];

comes_to 'dfpreheat_unreachable_peers 2', 'dfpreheat_unreachable_peers 2;',
         [ 1, 2, 'SUCCESS' ], [ 1, 3, 'FAILURE', 2 ], [ 17, 3, 'FAILURE', 2 ];

comes_to 'dfpreheat_unreachable_peers 50%', 'dfpreheat_unreachable_peers 50%;',
         [ 2, 2, 'SUCCESS' ], [ 2, 1, 'SUCCESS' ], [ 1, 2, 'FAILURE', 1 ];

comes_to 'dfpreheat_unreachable_peers 0%', 'dfpreheat_unreachable_peers 0%;',
         [ 19, 1, 'FAILURE', 0 ];


swarm_story 'peers that a job names',
    { http => 'dfpreheat_unreachable_peers 100%;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my @ips = map { "127.0.1.$_" } 1 .. 3;
    my @lists = ([ listed(2, 2) ], [ listed(2, 0) ]);
    my ($named, $some) = while_they_leave(
        $warm, $dragonfly->scheduler, @lists, { ips => \@ips },
        { count => 4 });

    is($named->{state}, 'FAILURE', 'have to be there');
    like(error($named), facts('/^1 of 3 peers\D+0\b/',
                              'dfpreheat_unreachable_peers',
                              unreached_listed(3) . DELISTED),
         'the job says who is not');
    is($some->{state}, 'SUCCESS', 'those of a count do not');
};


swarm_story 'a file that nobody got',
    { http => 'dfpreheat_unreachable_peers 100%; dfpreheat_success_threshold 1;'
    }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($job) = while_they_leave($warm, $dragonfly->scheduler,
                                 [ listed(0, 3) ], []);

    is($job->{state}, 'FAILURE', 'is a failure, whoever may be away');
    like(error($job), facts('1 of 1 | ' . FILES . '/files/a: | ' . NOBODY),
         'the job says so');
    is_deeply([ map { s/:.*//r } @{ reasons($job, 'unreachable') } ],
              [qw( peer-1 peer-2 peer-3 )], 'and who was away');

    # one is there, and does not get it

    $crowd->script({ urls => { FILES . '/files/a' => NOT_FOUND } });
    ($job) = while_they_leave($warm, $dragonfly->scheduler,
                              [ listed(1, 2) ], [ listed(1, 0) ],
                              { urls => files(qw( a b )), url => undef });
    is($job->{state}, 'FAILURE', 'also where somebody has the other file');
    is_deeply(told($job, 'success_tasks'), ['peer-1 /files/b'], 'which is told');
    is_deeply(told($job, 'failure_tasks'), ['peer-1 /files/a'],
              'as is where it failed');
    $crowd->script({});
};


# Peers do not get these files, by the peers' numbers.

sub failing
{
    my ($dragonfly, %missing) = @_;

    my $peers = $dragonfly->peers;

    for my $i (1 .. @$peers) {
        $peers->[$i - 1]->script({ urls => { map {
            (FILES . "/files/$_" => NOT_FOUND) } @{ $missing{$i} // [] } } });
    }
}


# The states of jobs for /files/a and /files/b, of each of these thresholds.

sub states
{
    my ($warm, @thresholds) = @_;

    my @jobs = map { $warm->run('file', scope => 'all_peers',
                                urls => files(qw( a b )),
                                $_ ? (success_threshold => $_) : ()) }
                   @thresholds;

    return [ map { $_->{state} } @jobs ];
}


swarm_story 'a success threshold',
    { peers => 4, http => 'dfpreheat_success_threshold 50;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my @thresholds = (undef, 25, 50, 51, 75, 100);

    failing($dragonfly, 1 => ['a']);
    is_deeply(states($warm, @thresholds), [ ('SUCCESS') x 5, 'FAILURE' ],
              'three of four have all');

    failing($dragonfly, 1 => ['a'], 2 => [qw( a b )]);
    is_deeply(states($warm, @thresholds), [ ('SUCCESS') x 3, ('FAILURE') x 3 ],
              'two of four have all');

    my $job = $warm->run('file', scope => 'all_peers',
                         urls => files(qw( a b )));
    is($job->{state}, 'SUCCESS', 'the configured one is that of a job without');
    is_deeply(told($job, 'failure_tasks'),
              [ 'peer-1 /files/a', 'peer-2 /files/a', 'peer-2 /files/b' ],
              'where it ends well, failures are told as well');
};


swarm_story 'one of ten that fails', { peers => 10 }, sub {
    my ($warm, $dragonfly) = @_;

    $dragonfly->peers->[3]->script({ default => NOT_FOUND });
    my $job = $warm->run('file', @file);
    is($job->{state}, 'FAILURE',
       'is there, and is not one of those that may be unreachable');
    is($warm->run('file', @file, success_threshold => 90)->{state}, 'SUCCESS',
       'a threshold is for that');
};


swarm_story 'files that peers do not hold together', { peers => 4 }, sub {
    my ($warm, $dragonfly) = @_;

    # these hold half of the downloads, and none of them all of the files

    failing($dragonfly, 1 => ['a'], 2 => ['b'], 3 => ['a'], 4 => ['b']);
    is_deeply(states($warm, 50, 1), [ ('FAILURE') x 2 ],
              'no peer has all of the files');

    failing($dragonfly, 1 => ['a'], 2 => ['b'], 3 => ['a']);
    is_deeply(states($warm, undef, 26, 25), [ ('FAILURE') x 2, 'SUCCESS' ],
              'one of four has');

    failing($dragonfly, map { $_ => ['a'] } 1 .. 4);
    is_deeply(states($warm, 1), ['FAILURE'], 'a file that nobody has');
};


swarm_story 'a success threshold, and a peer that is gone', {}, sub {
    my ($warm, $dragonfly) = @_;

    my @jobs = while_they_leave(
        $warm, $dragonfly->scheduler, [ listed(1, 1) ], [ listed(1, 0) ],
        map { { success_threshold => $_ } } 50, 51);

    is($jobs[0]{state}, 'SUCCESS', 'a half of them is enough')
        or diag(error($jobs[0]));
    like_facts(reasons($jobs[0], 'unreachable'),
               [ '/^peer-2: / | ' . unreached_listed(2) . DELISTED ],
               'who is gone is told');
    is($jobs[1]{state}, 'FAILURE', 'it is not more than a half');

    # of ten one may be away, and of the nine others five are a half

    @jobs = while_they_leave(
        $warm, $dragonfly->scheduler, [ listed(5, 5) ], [ listed(5, 0) ],
        map { { success_threshold => $_ } } 55, 56);
    is_deeply([ map { $_->{state} } @jobs ], [qw( SUCCESS FAILURE )],
              'who may be away does not count');
};


swarm_story 'one that is there, and that is not listed any more',
    { peers => 2, http => 'dfpreheat_unreachable_peers 1;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($stays, $gone) = @{ $dragonfly->peers };

    $stays->script({ urls => { FILES . '/files/a' => {
        wait_for => $stays->gate('a') } } });
    $gone->stop;

    my $id = $warm->post('file', urls => files(qw( a b )),
                         scope => 'all_peers', concurrent_task_count => 1);

    ok(wait_until(CALL_SECONDS, sub { $stays->calls }), 'it is asked');
    $dragonfly->scheduler->hosts;
    ok(wait_until(CALL_SECONDS, sub {
           grep { /dfpreheat: .*peer peer-2 .*unreachable/ }
                $warm->{servers}->log_tail(LOG_LINES) }),
       'the new list has nobody');
    $stays->open_gate('a');

    my $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'and it gets what follows')
        or diag(error($job));
    is_deeply(told($job, 'unreachable'), ['peer-2 '], 'as who answers is there');
};


# Peers are called again after 30 s. What follows waits once: each of these stories
# has a cluster of its own, and returns what there is to see when its jobs have
# ended.

sub stays_and_comes_back
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two, $three) = @{ $dragonfly->peers };
    my @names = map { "file-$_" } 1 .. 12;

    $_->stop for $two, $three;

    my $posted = time;
    my $id = $warm->post('file', urls => files(@names), scope => 'all_peers',
                         concurrent_task_count => 2);
    my $lonely = $warm->post('file', urls => files(@names),
                             scope => 'all_peers', ips => [ $two->ip ],
                             concurrent_task_count => 2);

    for ($two, $three) {
        ok(logged($warm, 1, facts(unreached($_->hostname, $_->address))),
           $_->hostname . ' is not there');
    }

    $three->restart;
    ok(wait_until(LOOK_SECONDS, sub {
           $dragonfly->scheduler->called >= $posted + LOOK_AFTER }),
       'the scheduler is asked again');
    is($warm->{servers}->job($id)->{state}, 'PENDING',
       'and lists all of them: the job waits');

    return sub {
        my $job = ended_within($warm, $id, LONG_SECONDS);
        is($job->{state}, 'SUCCESS', 'one that was away does not spoil it')
            or diag(error($job));
        like_facts(reasons($job, 'unreachable'),
                   [ '/^peer-2: / | ' . unreached('peer-2', $two->address)
                     . ' | twice' ], 'who did not come back is told');
        is_deeply(told($job, 'success_tasks'),
                  [ sort map { ("peer-1 /files/$_", "peer-3 /files/$_") }
                         @names ], 'who came back has all');
        is(scalar $three->calls, 12, 'and was asked once for each');

        $job = ended_within($warm, $lonely, CALL_SECONDS);
        is($job->{state}, 'FAILURE', 'a job for nobody else fails');
        like(error($job), facts('12 of 12 | ' . NOBODY),
             'with all of its files');
    };
}


# Of what it is asked for again, it does not get the one, and the other only with
# a password.

sub comes_back_and_fails
{
    my ($warm, $dragonfly, $upstream) = @_;

    my ($one, $two, $three) = @{ $dragonfly->peers };

    $upstream->answers('/files/c', {
        body => 'x', wants => 'Authorization: ' . BASIC,
        refusal => { status => 401, body => 'no',
                     headers => [ 'WWW-Authenticate', 'Basic realm="x"' ] } });
    $two->script({ urls => {
        FILES . '/files/a' => NOT_FOUND,
        FILES . '/files/c' => [ { status => 13,
            message => 'backend error: 401 Unauthorized' }, {} ] } });
    $_->stop for $two, $three;

    my @ids = ($warm->post('file', urls => files(qw( a b )),
                           scope => 'all_peers', concurrent_task_count => 1),
               $warm->post('file', url => FILES . '/files/c', username => 'bob',
                           password => 'secret', scope => 'all_peers'));

    for ($two, $three) {
        ok(logged($warm, 2, facts(unreached($_->hostname, $_->address))),
           $_->hostname . ' is not there');
    }

    my $since = time;
    my $address = $three->address;

    $dragonfly->scheduler->hosts(map { $_->host } $one, $two);
    $two->restart;
    ok(logged($warm, 2, facts("peer-3 | $address | unreachable")),
       'peer-3 is not listed any more');
    $three->restart;

    return sub {
        my ($missing, $private) = map { ended_within($warm, $_, LONG_SECONDS) }
                                      @ids;

        cmp_ok(time - $since, '>', AWAY_SECONDS, 'peer-2 is not called at once');
        is($missing->{state}, 'FAILURE', 'a file that it does not get');
        is_deeply(told($missing, 'success_tasks'),
                  [ 'peer-1 /files/a', 'peer-1 /files/b', 'peer-2 /files/b' ],
                  'does not keep it from the next one');
        is($private->{state}, 'SUCCESS', 'a file that it is refused, it gets '
           . 'with a password') or diag(error($private));
        is_deeply(told($_, 'unreachable'), ['peer-3 '],
                  'who is not listed any more stays away')
            for $missing, $private;
        is(scalar $three->calls, 0, 'and is not called');
    };
}


# So many lines of the log match, or more, soon.

sub logged
{
    my ($warm, $count, $pattern) = @_;

    return wait_until(CALL_SECONDS, sub {
        $count <= grep { $_ =~ $pattern } $warm->{servers}->log_tail(LOG_LINES)
    });
}


swarm_story 'nobody is there any more', {}, sub {
    my ($warm, $dragonfly) = @_;

    my @names = map { "file-$_" } 1 .. 20;
    my ($job) = while_they_leave(
        $warm, $dragonfly->scheduler, [ listed(0, 2) ], [],
        { url => undef, urls => files(@names), concurrent_task_count => 2 });

    is($job->{state}, 'FAILURE', 'also a job that is mostly not begun ends');
    like(error($job), facts('20 of 20 | ' . NOBODY),
         'with all of its files');
    is(progress($job)->{tasks_failed}, 20, 'which are counted');
    is_deeply([ map { s/:.*//r } @{ reasons($job, 'unreachable') } ],
              [qw( peer-1 peer-2 )], 'who was away is told');
};


# Each of: how the stream that is still there ends, and whether it is a success.

for ([ 'and ends what it has begun', sub { $_[0]->open_gate('a') }, 1 ],
     [ 'and does not end what it has begun', sub { $_[0]->kill }, 0 ])
{
    my ($name, $end, $whole) = @$_;

    swarm_story "a peer that leaves, $name", { peers => 2 }, sub {
        my ($warm, $dragonfly) = @_;

        my ($one, $two) = @{ $dragonfly->peers };
        my %stream = (messages => [
            { started => { content_length => 8, pieces => 2 } },
            { piece => { number => 0, length => 4 } },
            { wait_for => $two->gate('a') },
            { piece => { number => 1, length => 4 } } ]);

        $two->script({ urls => {
            FILES . '/files/a' => \%stream,
            FILES . '/files/b' => { wait_for => $two->gate('b'), status => 14,
                                    message => 'busy' } } });

        my $id = $warm->post('file', urls => files(qw( a b )),
                             scope => 'all_peers');

        ok(wait_until(CALL_SECONDS, sub { $two->calls == 2 }),
           'it is asked for two files');
        $two->drain;
        $dragonfly->scheduler->hosts($one->host);
        $two->open_gate('b');
        ok(wait_until(LOOK_SECONDS, sub {
               grep { /dfpreheat: .*peer peer-2 .*unreachable/ }
                    $warm->{servers}->log_tail(LOG_LINES) }),
           'it is not there for another try');
        is($warm->{servers}->job($id)->{state}, 'PENDING',
           'what it has begun goes on');
        $end->($two);

        my $job = $warm->ended($id);
        is($job->{state}, 'FAILURE', 'the job ends');
        is_deeply(told($job, 'success_tasks'),
                  [ 'peer-1 /files/a', 'peer-1 /files/b',
                    $whole ? 'peer-2 /files/a' : () ], 'who has what is told');
        like_facts(reasons($job, 'unreachable'),
                   [ '/^peer-2: / | ' . unreached('peer-2', $two->address)
                     . DELISTED ], 'and who is gone');
        is_deeply(told($job, 'failure_tasks'), [], 'nothing else has failed');
        is(progress($job)->{bytes_done}, $whole ? 24 : 16,
           'what was fetched to its end counts');
    };
}

$crowd->stop;


$back->();

done_testing();
