# Jobs that Dragonfly's scheduler does by itself, and it does not: it refuses,
# dies, or tells nothing that makes sense. And what it sees of credentials.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MIME::Base64 qw( encode_base64 );
use Test::More;

use DFP::Dragonfly;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Swarm;
use DFP::Upstream;
use DFP::Warm qw( calls );

use constant {
    CALL_SECONDS => 10,
    LOG_LINES    => 10_000,
    SIX_SECONDS  => 6_000_000_000,
    HINT         => ' (does it have a Redis for its job service? '
                    . 'engine=peers needs none)',
    MANIFEST     => 'failed to resolve manifests: failed to pull image '
                    . 'manifest: manifest unknown: manifest unknown',
    USERNAME     => 'robot$of-the-job',
    PASSWORD     => 'the-password-of-the-job',
    TOKEN        => 'the.token-of.the-registry',
};

my @file = ('file', url => FILES . '/files/a');
my $basic = 'Basic ' . encode_base64(USERNAME . ':' . PASSWORD, '');


# A reply to a stat: these URLs, which are the layers, are on this peer.

sub all_on
{
    my ($peer, @urls) = @_;

    return { layers => \@urls,
             peers => [ { ip => $peer->ip, hostname => $peer->hostname,
                          layers => [ map { { url => $_, finished => 1 } }
                                      @urls ] } ] };
}


sub called
{
    my ($scheduler, $begin) = @_;

    return grep { $_->{method} =~ /^$begin/ } $scheduler->calls;
}


sub an_image
{
    my ($upstream, $name, $wrap) = @_;

    my $image = DFP::Image->new($upstream, $name, $wrap);

    $image->tag('v1', $image->manifest($image->layer("top of $name")));

    return REGISTRY . $image->by_tag('v1');
}


# An answer that only who sends this Authorization gets.

sub guarded
{
    my ($authorization, $challenge, %answer) = @_;

    return { %answer, wants => "Authorization: $authorization",
             refusal => { status => 401, headers =>
                          [ 'WWW-Authenticate' => $challenge ] } };
}


# What a job says of its only URL: in the list, and in one line.

sub is_failure
{
    my ($job, $url, $reason, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($job->{state}, 'FAILURE', "$name: the job fails");
    is_deeply(words($job, 'failure_tasks'), [$reason], "$name: it says why");
    is(error($job), "1 of 1 tasks failed; $url: $reason", 'also in one line');
}


swarm_story 'platforms', { engine => 'scheduler', seeds => 1 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $url = an_image($upstream, 'app');

    for my $platform ('linux/amd64,linux/arm64', 'all') {
        my $job = $warm->run('image', url => $url, platform => $platform);

        is($job->{state}, 'FAILURE', "$platform: is more than one");
        is(error($job), "args.platform \"$platform\": a scheduler takes one "
           . 'platform (engine=peers takes several)', 'the job says so');
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
    my $reason = 'the scheduler\'s StatFile could never find this URL: its '
        . 'query is not spelled as the scheduler does, with sorted keys '
        . '(engine=peers can preheat it)';

    is($job->{state}, 'FAILURE', 'is a failure');
    is(error($job), "1 of 2 tasks failed; $bad: $reason", 'the job says why');
    is_deeply(words($job, 'failure_tasks'), [$reason], 'so does the list');
    is_deeply(told($job, 'success_tasks'), ['seed-1 /files/a?a=1&b=2'],
              'the other file is there');
    is_deeply([ map { $_->{url} } called($scheduler, 'Preheat') ], [$good],
              'and nothing else was sent');

    $job = $warm->run('file', url => $bad, filtered_query_params => 'b');
    is($job->{state}, 'SUCCESS', 'what is filtered may stand anywhere')
        or diag(error($job));
};


swarm_story 'what a scheduler refuses', { engine => 'scheduler', seeds => 1 },
sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my $who = 'the scheduler ' . $scheduler->address;
    my $url = an_image($upstream, 'app');

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
                   "$who answered the preheat: $text", $name);
        is(scalar called($scheduler, 'Preheat'), 1, "$name: it is sent once");
        is(scalar called($scheduler, 'Stat'), 0, "$name: and not asked for");
    }

    $url = REGISTRY . '/v2/none/manifests/1';
    $scheduler->forget_calls;
    is_failure($warm->run('image', url => $url), $url,
               'the origin answered 404', 'what the registry does not have');
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
        my $url = an_image($upstream, 'app');

        for ([ 'PreheatFile', @file ],
             [ 'PreheatImage', 'image', url => $url ])
        {
            my ($method, @job) = @$_;

            $scheduler->script({ preheat => { %die } });
            $other->script({ hosts => [ $seed->host ],
                             stat => all_on($seed, $file[2]) });
            my $job = $warm->run(@job);

            is($job->{state}, 'FAILURE', "$method: the job fails");
            like(error($job), qr/answered\ the\ preheat:\ UNAVAILABLE:\ .*
                                 \Q${\ HINT }\E$/x,
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
        like(error($job), qr/answered the stat: UNAVAILABLE: .*\Q${\ HINT }\E$/,
             'it says what may be the matter');
        is(scalar called($scheduler, 'Stat'), 1, 'it is asked once');
    };
}


swarm_story 'a scheduler that is down', { engine => 'scheduler', seeds => 1 },
sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my $refused = sub { grep { /could not be reached: connect\(\)/ }
                        $warm->{servers}->log_tail(LOG_LINES) };

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
    wait_until(CALL_SECONDS, sub { called($scheduler, 'Stat') });
    my $before = () = $refused->();
    $scheduler->stop;
    ok(wait_until(CALL_SECONDS, sub { $refused->() > $before }),
       'also while the job asks it');
    $scheduler->script({ stat => all_on($seed, $file[2]) });
    $scheduler->restart;
    $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'goes on where it was') or diag(error($job));
    is(scalar called($scheduler, 'Preheat'), 1, 'the preheat was sent once');
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
    my $who = 'the scheduler ' . $scheduler->address;
    my $no_sense = 'INTERNAL: its answer makes no sense: ';

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
        nonsense => qr/$no_sense.*is no message of the kind that it should be/,
        huge     => qr/$no_sense.*67108865 bytes is longer than 67108864/,
    );
    my $locked = $behaviour{locked};
    my ($passes) = @{ files('passes') };

    $scheduler->script({ urls => {
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
        like(error($job), qr/: \Q$who\E answered the stat: $words{$name}$/,
             "$name: it says why");
        is(scalar(grep { $_->{url} eq files($name)->[0] }
                  called($scheduler, 'Stat')), 4, "$name: after four in a row");
    }

    my $job = $warm->{servers}->ended_job($ids{passes}, 30);
    is($job->{state}, 'SUCCESS', 'three in a row are none')
        or diag(error($job));
};


swarm_story 'a Basic registry', { engine => 'scheduler', seeds => 1 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my @login = (username => USERNAME, password => PASSWORD);
    my $url = an_image($upstream, 'basic',
                       sub { guarded($basic, 'Basic realm="x"', @_) });

    $upstream->answers('/files/a', guarded($basic, 'Basic realm="x"',
                                           body => 'a file'));
    $scheduler->script({ stat => all_on($seed, $file[2]) });

    for ([ 'image', url => $url ], \@file) {
        my @job = @$_;

        $scheduler->forget_calls;
        my $job = $warm->run(@job, @login, headers => { 'X-One' => '1' });
        my @calls = called($scheduler, 'Preheat|Stat');

        is($job->{state}, 'SUCCESS', "$job[0]: ends well")
            or diag(error($job));
        is_deeply([ map { $_->{header} } @calls ],
                  [ ({ Authorization => $basic, 'X-One' => '1' }) x 2 ],
                  "$job[0]: peers get what the registry takes");
        is_deeply([ grep { exists $_->{username} || exists $_->{password} }
                    @calls ], [], "$job[0]: and no password beside it");
    }

    # nobody asks: the password is of use for a token that it may want

    my $open = an_image($upstream, 'open');
    $scheduler->forget_calls;
    is($warm->run('image', url => $open, @login)->{state}, 'SUCCESS',
       'a registry that does not ask');
    ok(!grep({ $_->{header} } called($scheduler, 'Preheat|Stat')),
       'gets no Authorization');

    $scheduler->forget_calls;
    my $job = $warm->run('image', url => $url, @login, password => 'wrong');
    is_failure($job, $url, 'the origin answered 401', 'a wrong password');
    is(scalar called($scheduler, 'Preheat'), 0, 'it goes no further');

    $job = $warm->run('image', url => $url,
                      headers => { authorization => $basic });
    is($job->{state}, 'SUCCESS', 'an Authorization of the job');
    is_deeply([ map { $_->{header} } called($scheduler, 'Preheat') ],
              [ { Authorization => $basic } ], 'goes on as it is');
};


my $service = DFP::Upstream->start;
my $realm = 'http://127.0.0.1:' . $service->port;

swarm_story 'a registry with tokens',
    { engine => 'scheduler', seeds => 1,
      grpc => "}\n" . calls($realm) =~ s/\}\s*\z//r }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my @job = (username => USERNAME, password => PASSWORD);
    my $challenge = qq(Bearer realm="$realm/token",service="x",)
                    . 'scope="repository:tokens:pull"';
    my $url = an_image($upstream, 'tokens', sub {
        guarded('Bearer ' . TOKEN, $challenge, @_) });

    $service->answers('/token', guarded($basic, 'Basic x', body =>
        '{"token":"' . TOKEN . '","expires_in":300}'));
    $scheduler->script({ stat => all_on($seed, REGISTRY . '/layer') });

    my $job = $warm->run('image', url => $url, @job);
    my @calls = called($scheduler, 'Preheat|Stat');

    is($job->{state}, 'SUCCESS', 'a job ends well') or diag(error($job));
    is_deeply([ map { $_->{header} } @calls ],
              [ ({ Authorization => 'Bearer ' . TOKEN }) x 2 ],
              'peers get the token');
    is_deeply([ grep { exists $_->{username} || exists $_->{password} }
                @calls ], [], 'and no password');

    # two seconds, and then another

    $upstream->answers('/v2/tokens/manifests/v1', guarded('Bearer first',
        $challenge, body => $upstream->body('/v2/tokens/manifests/v1')));
    $service->answers('/token', map { { body => $_ } }
        '{"token":"first","expires_in":2}', '{"token":"second"}');
    $scheduler->script({ stat => [ ({}) x 4,
                                   all_on($seed, REGISTRY . '/layer') ] });
    $scheduler->forget_calls;

    $job = $warm->run('image', url => $url, @job);
    @calls = called($scheduler, 'Preheat|Stat');
    is($job->{state}, 'SUCCESS', 'also where it lasts long')
        or diag(error($job));
    is($calls[0]{header}{Authorization}, 'Bearer first', 'with one token');
    is($calls[-1]{header}{Authorization}, 'Bearer second',
       'and another when that has run out');

    # and that one is in its words

    $service->answers('/token', { body => '{"token":"' . TOKEN . '"}' });
    $upstream->answers('/v2/tokens/manifests/v1', guarded('Bearer ' . TOKEN,
        $challenge, body => $upstream->body('/v2/tokens/manifests/v1')));

    for my $status (3, 14) {
        $scheduler->script({ preheat => {
            status => $status, message => 'odd: Bearer ' . TOKEN } });
        $job = run_out($warm, 'image', url => $url, @job,
                       timeout => SIX_SECONDS);
        like(error($job), qr/odd: (?:Bearer )?\*\*\*$/,
             "status $status: what is repeated is hidden");
    }

    my $log = join "\n", $warm->{servers}->log_tail(LOG_LINES);
    is(index($log, TOKEN), -1, 'in the log, too');
};


swarm_story 'a scheduler that repeats what it was told',
    { engine => 'scheduler', seeds => 1 }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my $url = an_image($upstream, 'echo',
                       sub { guarded($basic, 'Basic realm="x"', @_) });
    my ($sealed) = $basic =~ /^Basic (.*)/;
    my $echo = join ' ', 'no such user', USERNAME, PASSWORD, $basic;
    my @secrets = (USERNAME, PASSWORD, $sealed);
    my $json = JSON::PP->new->canonical;

    for ([ { preheat => { status => 3, message => $echo } }, 'a refusal' ],
         [ { stat => { status => 13, message => $echo } }, 'an error' ],
         [ { preheat => { status => 14, message => $echo } }, 'busy' ],
         [ { stat => { status => 14, message => $echo } }, 'busy later' ])
    {
        my ($script, $name) = @$_;

        $scheduler->script($script);
        my $job = run_out($warm, 'image', url => $url, username => USERNAME,
                          password => PASSWORD, timeout => SIX_SECONDS);
        my $text = $json->encode($job->{result});

        is($job->{state}, 'FAILURE', $name);
        like(error($job), qr/no such user/, "$name: it is heard");
        is_deeply([ grep { index($text, $_) >= 0 } @secrets ], [],
                  "$name: the job does not repeat it");
    }

    my $log = join "\n", $warm->{servers}->log_tail(LOG_LINES);
    like($log, qr/no such user/, 'nor does the log, which has its words');
    is_deeply([ grep { index($log, $_) >= 0 } @secrets ], [], 'but these');
};

done_testing();
