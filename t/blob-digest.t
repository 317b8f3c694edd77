# Task ids that are the digest of a blob: a job says whether they are, or else its
# cluster does, and Dragonfly is told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Stat;
use DFP::Swarm;

use constant {
    FIELD => 'enable_task_id_based_blob_digest',
    YES   => JSON::PP::true,
    NO    => JSON::PP::false,
};

# What a cluster says, what a job says, and how it is then.

my @cases = (
    [ '',                 [],                0, 'nobody says so' ],
    [ '',                 [ FIELD, undef ],  0, 'null is not given' ],
    [ '',                 [ FIELD, YES ],    1, 'the job says so' ],
    [ ' blob_digest=on',  [],                1, 'the cluster says so' ],
    [ ' blob_digest=on',  [ FIELD, NO ],     0, 'the job has the last word' ],
    [ ' blob_digest=off', [ FIELD, YES ],    1, 'also against "off"' ],
);


# An image of two layers: its URL, and those of its blobs.

sub an_image
{
    my $upstream = shift;

    my $image = DFP::Image->new($upstream, 'app');
    my $manifest = $image->manifest($image->layer('base'), $image->layer('top'));

    $image->tag('v1', $manifest);

    my (undef, @blobs) = $image->paths($manifest);

    return (REGISTRY . $image->by_tag('v1'), map { REGISTRY . $_ } @blobs);
}


# That of these calls each, or none, has the field.

sub told_so
{
    my ($yes, $name, @calls) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply([ map { $_->{+FIELD} ? 1 : 0 } @calls ], [ ($yes) x @calls ], $name);
}


for my $cluster ('', ' blob_digest=on', ' blob_digest=off') {
    my @here = grep { $_->[0] eq $cluster } @cases;

    swarm_story "engine=peers$cluster", { peers => 1, cluster => $cluster }, sub {
        my ($warm, $dragonfly, $upstream) = @_;

        my ($peer) = @{ $dragonfly->peers };
        my ($url, @blobs) = an_image($upstream);

        for (@here) {
            my (undef, $args, $yes, $name) = @$_;

            $peer->forget_calls;
            my $job = $warm->run('image', url => $url, scope => 'all_peers', @$args);
            my @calls = $peer->calls;

            is($job->{state}, 'SUCCESS', $name) or diag(error($job));
            is(scalar @calls, @blobs, "$name: each blob is downloaded");
            told_so($yes, "$name: the peer is told", @calls);
            ok(exists $job->{args}{+FIELD}, "$name: the job has the field");
            is($job->{args}{+FIELD}, $args->[1], "$name: as it was posted");
        }
    };

    swarm_story "engine=scheduler$cluster",
        { engine => 'scheduler', seeds => 1, peers => 1, cluster => $cluster }, sub
    {
        my ($warm, $dragonfly, $upstream) = @_;

        my $scheduler = $dragonfly->scheduler;
        my ($url, @blobs) = an_image($upstream);
        my $file = FILES . '/files/a';

        for (@here) {
            my (undef, $args, $yes, $name) = @$_;

            $scheduler->forget_calls;
            $scheduler->script({ stat => all_on($dragonfly->seeds->[0], @blobs) });

            my $job = $warm->run('image', url => $url, @$args);
            my @calls = map { called($scheduler, $_) } qw( Preheat Stat );

            is($job->{state}, 'SUCCESS', $name) or diag(error($job));
            is(scalar @calls, 2, "$name: a preheat and a stat");
            told_so($yes, "$name: the scheduler is told in both", @calls);

            $scheduler->script({ stat => all_on($dragonfly->seeds->[0], $file) });
            is($warm->run('file', url => $file, @$args)->{state}, 'SUCCESS',
               "$name: a file is preheated, too");
        }
    };
}


swarm_story 'what is refused', { peers => 1 }, sub {
    my ($warm) = @_;

    for my $value (1, '"true"', '{}') {
        my $answer = $warm->{servers}->client->request('POST', '/oapi/v1/jobs', qq({
            "type": "preheat", "args": { "type": "file",
            "url": "${\ FILES }/files/a", "${\ FIELD }": $value } }));

        is($answer->{status}, 422, "$value: refused");
        like($answer->{body}, facts(FIELD, 'true | false'), "$value: with a reason");
    }
};

done_testing();
