# get_task, delete_task and get_image_distribution where peers of Dragonfly hold the
# tasks: each of them is asked itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use Test::More;

use DFP::Dragonfly;
use DFP::Facts;
use DFP::Image;
use DFP::Swarm;

use constant {
    WAIT     => '40s',
    ANSWER   => 45,         # s
    TIME     => qr/^20\d\d-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/,
    URL      => FILES . '/files/a',
    INTERNAL => 13,
};


sub post
{
    my ($warm, $type, %args) = @_;

    return $warm->{servers}->client->post('/oapi/v1/jobs', {
        type => $type, args => \%args, scheduler_cluster_ids => [2] });
}

sub ended
{
    my ($warm, @job) = @_;

    my $answer = post($warm, @job);

    die "no job: $answer->{body}" if $answer->{status} != 200;

    my $client = $warm->{servers}->client;

    $client->start('GET', "/oapi/v1/jobs/$answer->{json}{id}?wait=" . WAIT);

    return $client->finish(ANSWER)->{json};
}


sub result { $_[0]{result}{job_states}[0]{results}[0] }

# Who is in a list of the result.

sub in
{
    my ($job, $list) = @_;

    return join ' ', $job->{state},
           sort map { $_->{hostname} } @{ result($job)->{$list} // [] };
}

sub task_id { sha256_hex(join('', @_) . 'STANDARD') }


for my $engine (qw( peers scheduler )) {
    swarm_story "a client verifies and purges what peers hold: $engine", {
        engine => $engine, seeds => 1, peers => 2 }, sub
    {
        my ($warm, $dragonfly) = @_;

        my ($one, $two) = @{ $dragonfly->peers };
        my $get = sub { ended($warm, 'get_task', @_ ? @_ : (url => URL)) };

        is(in($get->(), 'peers'), 'SUCCESS', 'nobody holds it at first');

        # what has downloaded it does not matter

        $_->holds(task_id(URL)) for $dragonfly->all;

        my $job = $get->();

        is(in($job, 'peers'), 'SUCCESS peer-1 peer-2 seed-1', 'all hold it');

        my ($peer) = grep { $_->{hostname} eq 'peer-1' }
                          @{ result($job)->{peers} };
        my ($seed) = grep { $_->{hostname} eq 'seed-1' }
                          @{ result($job)->{peers} };

        is_deeply([ @$peer{qw( IsFinished host_type id ip )} ],
                  [ JSON::PP::true, 'normal', $one->id, $one->ip ], 'a peer');
        is($seed->{host_type}, 'super', 'a seed');
        like($peer->{$_}, TIME, $_) for qw( created_at updated_at );

        is(in($get->(task_id => task_id(URL)), 'peers'),
           'SUCCESS peer-1 peer-2 seed-1', 'its id is enough');
        is(in($get->(url => URL, tag => 't'), 'peers'), 'SUCCESS',
           'with a tag it is another one');
        is(in($get->(content_for_calculating_task_id => URL . 'STANDARD'),
              'peers'), 'SUCCESS peer-1 peer-2 seed-1', 'as is other content');

        $job = ended($warm, 'delete_task', url => URL);
        is(in($job, 'success_tasks'), 'SUCCESS peer-1 peer-2 seed-1',
           'it is deleted from all');
        is_deeply([ sort keys %{ result($job) } ],
                  [qw( failure_tasks scheduler_cluster_id success_tasks )],
                  'as the manager says');
        is(in($get->(), 'peers'), 'SUCCESS', 'nobody holds it');
        is(in(ended($warm, 'delete_task', task_id => task_id(URL)),
              'success_tasks'), 'SUCCESS', 'to delete it again succeeds');

        # a peer that says that it has deleted it

        $_->holds(task_id(URL)) for $one, $two;
        $one->script({ delete_task => { keeps => 1 } });

        $job = ended($warm, 'delete_task', url => URL);
        is(in($job, 'success_tasks'), 'FAILURE peer-2', 'one keeps it');
        like(result($job)->{failure_tasks}[0]{description}, facts('DeleteTask'),
             '... and is named');
        like($job->{result}{job_states}[0]{error}, facts('peer-1 | 1 | 3'),
             '... in the error');
        is(in($get->(), 'peers'), 'SUCCESS peer-1', '... and holds it');

        # one that has deleted it, and says that it has not

        $one->script({ delete_task => { status => INTERNAL,
                                        message => 'no scheduler' } });
        is(in(ended($warm, 'delete_task', url => URL), 'success_tasks'),
           'SUCCESS peer-1', 'what it holds is the truth');
    };
}


swarm_story 'peers that do not answer', { seeds => 0, peers => 3,
    http => 'dfpreheat_peer_timeout 1s; dfpreheat_unreachable_peers 2;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two, $three) = @{ $dragonfly->peers };

    $_->holds(task_id(URL)) for $one, $two, $three;
    $two->stop;
    $three->freeze;

    my $job = ended($warm, 'get_task', url => URL);

    is(in($job, 'peers'), 'SUCCESS peer-1', 'the others tell');
    is(in($job, 'unreachable'), 'SUCCESS peer-2 peer-3', 'they are named');

    $job = ended($warm, 'delete_task', url => URL);
    is(in($job, 'success_tasks'), 'FAILURE peer-1', 'nothing is known deleted');
    is(in($job, 'unreachable'), 'FAILURE peer-2 peer-3', 'where they are named');

    $one->stop;
    $job = ended($warm, 'get_task', url => URL);
    is($job->{state}, 'FAILURE', 'if nobody answers, nothing is known');
};


swarm_story 'the layers of an image', { seeds => 1, peers => 2,
    cluster => 'blob_digest=on' }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my ($one, $two) = @{ $dragonfly->peers };
    my $image = DFP::Image->new($upstream, 'app');
    my $manifest = $image->manifest($image->layer('one'), $image->layer('two'));

    $image->tag('1', $manifest);

    my @urls = map { REGISTRY . $_ } $image->paths($manifest);
    my ($config, $first, $second) = map { { url => $_ } } @urls[ 1 .. 3 ];
    my $digest = sub { $_[0]{url} =~ s/.*sha256://r };

    $_->holds($digest->($first)) for $one, $two;
    $one->holds($digest->($config));
    ($dragonfly->all)[0]->holds($digest->($second));

    my $answer = post($warm, 'get_image_distribution',
                      url => REGISTRY . $image->by_tag('1'));

    is($answer->{status}, 200, 'are told');
    is_deeply($answer->{json}{image}{layers}, [ $config, $first, $second ],
              'all of them');
    is_deeply([ sort { $a->{hostname} cmp $b->{hostname} }
                @{ $answer->{json}{peers} } ], [
        { cached_layers => [ $config, $first ], hostname => 'peer-1',
          ip => $one->ip, scheduler_cluster_id => 2 },
        { cached_layers => [$first], hostname => 'peer-2', ip => $two->ip,
          scheduler_cluster_id => 2 } ],
        'and which peer holds which; seeds are left out, as by the manager');

    is(in(ended($warm, 'get_task', url => $second->{url}), 'peers'),
       'SUCCESS seed-1', 'a blob is a task of its digest');

    $two->stop;
    $answer = post($warm, 'get_image_distribution',
                   url => REGISTRY . $image->by_tag('1'));
    like((map { $_->{error} } grep { $_->{hostname} eq 'peer-2' }
                                   @{ $answer->{json}{peers} // [] })[0]
         // $answer->{json}{message}, facts($two->address),
         'a peer that is unreachable is named');
};


done_testing;
