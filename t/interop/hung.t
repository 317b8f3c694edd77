# A peer whose process is stopped: it takes connections and says nothing. What the
# others hold meanwhile, when, and what the job says.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw( time );

use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";

use DFP::Facts;
use DFP::Process qw( wait_until );

use Interop::Stories;

use constant {
    FILES => 20,
    JOBS  => 6,
    SOON  => 60,            # s
};


# Files that nobody has asked for.

my $made;

sub files { map { origin->file('hung-' . ++$made) } 1 .. $_[0] }


# Posts a job, and waits until it has ended, or has so many bytes. Its id, and how long
# that took.

sub has_bytes
{
    my ($servers, $bytes, %args) = @_;

    my $began = time;
    my $id = $servers->client->post('/oapi/v1/jobs', {
        type => 'preheat', scheduler_cluster_ids => [CLUSTER],
        args => { type => 'file', %args } })->{json}{id};

    ok(wait_until(SOON, sub {
           my $job = $servers->client->get("/oapi/v1/jobs/$id")->{json};

           my $progress = $job->{result}{job_states}[0]{progress}[0];

           return ($progress->{bytes_done} // 0) >= $bytes
                  || $job->{state} ne 'PENDING';
       }), 'peers have it');

    return ($id, time - $began);
}


my $lab = lab('a seed and three other peers', peers => 4);

dragonfly_story 'one of three peers is stopped', {
    lab => $lab, seconds => 300, http => 'dfpreheat_unreachable_peers 1;' }, sub
{
    my $servers = shift;

    my @with = files(FILES);
    my $bytes = 0;
    $bytes += $_->{size} for @with;

    my ($id, $with) = has_bytes($servers, 3 * $bytes, scope => 'all_peers',
                                urls => [ map { $_->{url} } @with ]);
    state_is($servers->ended_job($id, SOON), 'SUCCESS', 'without it');

    $lab->freeze('peer-4');

    my @without = files(FILES);
    my $began = time;

    ($id, my $without) = has_bytes($servers, 2 * $bytes, scope => 'all_peers',
                                   urls => [ map { $_->{url} } @without ]);
    my $job = $servers->ended_job($id, SOON);

    note sprintf 'all_peers: %.1f s; with one stopped the others have all after %.1f s,'
                 . ' and the job ends after %.1f s', $with, $without, time - $began;

    state_is($job, 'SUCCESS', 'one of three may be unreachable');
    is_deeply(landed($job), { map { $_->{url} => [ named($lab, qw( peer-2 peer-3 )) ] }
                              @without }, 'the others hold everything');

    my $unreachable = results($job)->{unreachable} // [];
    is_deeply([ map { $_->{hostname} } @$unreachable ], ['peer-4'],
              'the one that hangs is named');
    like($unreachable->[0]{description}, facts('hangs | StatLocalTask'),
         '... with the reason');

    $lab->thaw('peer-4');
};

$lab = lab('two seeds and a peer', peers => 3, seeds => 2);

dragonfly_story 'one of two seeds is stopped', { lab => $lab }, sub
{
    my $servers = shift;

    my @files = files(2 * JOBS);
    my $run = sub {
        my $began = time;
        my @jobs = map { $servers->client->post('/oapi/v1/jobs', {
            type => 'preheat', scheduler_cluster_ids => [CLUSTER],
            args => { type => 'file', url => $_->{url},
                      scope => 'single_seed_peer' } })->{json}{id} } @_;
        my @ended = map { $servers->ended_job($_, SOON) } @jobs;

        return (time - $began, @ended);
    };

    my ($with, @with) = $run->(splice @files, 0, JOBS);
    is(scalar(grep { $_->{state} eq 'SUCCESS' } @with), JOBS, 'without it');

    my %seeds = map { $_ => 1 } map { values %{ landed($_) } } @with;

    $lab->freeze('seed-2');

    my ($without, @without) = $run->(@files);

    note sprintf 'single_seed_peer: %.1f s, with one stopped: %.1f s', $with,
                 $without;
    is(scalar(grep { $_->{state} eq 'SUCCESS' } @without), JOBS,
       'all jobs succeed by the other');
    is_deeply([ map { values %{ landed($_) } } @without ],
              [ map { [ named($lab, 'seed-1') ] } 1 .. JOBS ],
              'which holds the files');

    $lab->thaw('seed-2');
};

done_testing();
