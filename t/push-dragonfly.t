# Pushes that become jobs for Dragonfly: what was pushed is warmed, by its digest, since
# the registry tells of a tag before the tag stands for it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Dragonfly;
use DFP::Image;
use DFP::Stat;
use DFP::Swarm;

my @policy = (http => "dfpreheat_policy all match=* clusters=2 scope=all_peers;\n");


# An image whose tag still stands for another one is pushed: its job at its end, and what
# has been pushed.

sub pushed
{
    my ($warm, $image, $manifest) = @_;

    my ($name) = $image->by_tag('1') =~ m{^/v2/(\w+)/};

    $image->tag('1', $image->manifest($image->layer("before $name")));

    my $answer = $warm->{servers}->client->post('/oapi/v1/notifications', {
        events => [ { action => 'push', target => {
            mediaType => $manifest->{mediaType}, repository => $name, tag => '1',
            digest => $manifest->{digest},
            url => REGISTRY . $image->path($manifest) } } ] });

    is(scalar @{ $answer->{json}{jobs} // [] }, 1, 'a push is a job')
        or diag($answer->{body});

    my $job = $warm->ended($answer->{json}{jobs}[0]{id});

    is($job->{state}, 'SUCCESS', '... that ends well') or diag(error($job));
    is($job->{args}{url}, REGISTRY . $image->by_tag('1'), '... of its tag');
    is($job->{args}{pushed}, $manifest->{digest}, '... and of what was pushed');

    return $job;
}


swarm_story 'engine=peers', { peers => 2, @policy }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $image = DFP::Image->new($upstream, 'peers');
    my $manifest = $image->manifest($image->layer('a layer'));
    my (undef, @blobs) = $image->paths($manifest);
    my $job = pushed($warm, $image, $manifest);

    is_deeply(asked($dragonfly->all),
              [ sort map { ("peer-1 $_", "peer-2 $_") } @blobs ],
              'the peers get what was pushed, and nothing else');
    is_deeply([ map { m{^GET (\S+)} } $upstream->requests ],
              [ $image->path($manifest) ], 'the tag is not asked for');
};


swarm_story 'engine=scheduler', { engine => 'scheduler', peers => 1, @policy }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my ($peer) = @{ $dragonfly->peers };
    my $scheduler = $dragonfly->scheduler;
    my $image = DFP::Image->new($upstream, 'scheduler');
    my $manifest = $image->manifest($image->layer('a layer'));
    my (undef, @blobs) = map { REGISTRY . $_ } $image->paths($manifest);

    $scheduler->script({ stat => all_on($peer, @blobs) });

    my $job = pushed($warm, $image, $manifest);

    is_deeply([ map { $_->{url} } called($scheduler, 'PreheatImage') ],
              [ REGISTRY . $image->path($manifest) ],
              'the scheduler is told what was pushed');
    is_deeply(told($job, 'success_tasks'),
              [ sort map { 'peer-1 ' . s{^http://[^/]+}{}r } @blobs ],
              'the job tells who has it');
};

done_testing();
