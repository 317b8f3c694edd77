# Jobs that Dragonfly's scheduler does by itself, and the origin: the scheduler says
# nothing of what the origin does not have, so nginx asks for it once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Process qw( wait_until );
use DFP::Stat;
use DFP::Swarm;

use constant {
    SOON          => 10,     # s
    FORTY_SECONDS => 40_000_000_000,
    LONG_SECONDS  => 50,
};

my $quiet = files('quiet')->[0];


# Requests for a file: their first lines, and those of a range.

sub asked_of
{
    my ($upstream, $name) = @_;

    return map { m{^(\S+ \S+)}, m{^(Range: .*?)\r$}mi }
           $upstream->requests("/files/$name");
}


swarm_story 'the origin of a file',
    { engine => 'scheduler', seeds => 1, peers => 2 }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my ($one, $two) = @{ $dragonfly->peers };
    my %urls = map { $_ => files($_)->[0] }
               qw( good none busy broken moved closed signed?a=1&X-Amz-Signature=s );

    $upstream->answers('/files/none', { status => 404 });
    $upstream->answers('/files/busy', ({ status => 503 }) x 2, { body => 'x' });
    $upstream->answers('/files/broken', { status => 500 });
    $upstream->answers('/files/moved', { status => 302, headers =>
        [ Location => 'http://elsewhere.test/x' ] });
    $upstream->answers('/files/closed', { status => 403 });
    $scheduler->script({ urls => {
        $quiet => { stat => stat_of([], [ $one, [$quiet] ]) },
        map { ($_ => { stat => all_on($seed, $_) }) } values %urls } });

    # one that needs time, for the end

    my $long = $warm->post('file', url => $quiet, scope => 'all_peers',
                           timeout => FORTY_SECONDS);
    ok(wait_until(SOON, sub { grep { $_->{url} eq $quiet }
                              called($scheduler, 'Stat') }), 'a job is under way');
    $upstream->answers('/files/quiet', { status => 502 });

    for ([ 'none', 404 ], [ 'broken', 500 ], [ 'closed', 403 ]) {
        my ($name, $status) = @$_;

        $scheduler->forget_calls;
        my $began = time;
        my $job = $warm->run('file', urls => [ @urls{ $name, 'good' } ]);

        is($job->{state}, 'FAILURE', "$status: the job fails");
        like(error($job), facts("1 of 2 | $urls{$name}: | origin answered $status"),
             "$status: with the answer of the origin");
        like_facts(words($job, 'failure_tasks'), ["origin answered $status"],
                   "$status: also in the list");
        cmp_ok(time - $began, '<', SOON, "$status: soon");
        is_deeply([ map { $_->{url} } grep { $_->{url} ne $quiet }
                    called($scheduler, 'Preheat') ], [ $urls{good} ],
                  "$status: only the other file is preheated");
        is_deeply(told($job, 'success_tasks'), ['seed-1 /files/good'],
                  "$status: which succeeds");
    }

    is_deeply([ asked_of($upstream, 'none') ], ['GET /files/none'],
              '404: it is asked once');
    is(scalar asked_of($upstream, 'broken'), 4, '500: it is asked again');

    is($warm->run('file', url => $urls{$_})->{state}, 'SUCCESS', "$_: goes on")
        for qw( busy moved );

    my ($signed) = grep { /signed/ } values %urls;

    is($warm->run('file', url => $signed)->{state}, 'SUCCESS', 'a signed URL');
    is_deeply([ asked_of($upstream, 'signed') ],
              ['GET /files/signed?a=1&X-Amz-Signature=s'],
              'is requested as it was signed');

    # the origin has died when one of two peers had the file

    my $job = ended_within($warm, $long, LONG_SECONDS);

    is($job->{state}, 'FAILURE', 'an origin that died: the job fails');
    like(error($job), facts('timeout | 1 of 2 | copies | origin answered 502'),
         'the job says so');
    is_deeply(told($job, 'success_tasks'), ['peer-1 /files/quiet'], 'who has it');
    is_deeply(told($job, 'failure_tasks'), ['peer-2 /files/quiet'],
              'who does not');
    like_facts(words($job, 'failure_tasks'), ['timeout | origin answered 502'],
               'and why');
};

done_testing();
