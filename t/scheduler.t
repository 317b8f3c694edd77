# Jobs that Dragonfly's scheduler does by itself: what it is told, and when a
# job takes its word for it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use MIME::Base64 qw( decode_base64 );
use Test::More;

use DFP::Certificates;
use DFP::Facts;
use DFP::Image;
use DFP::Jobs qw( default_filter );
use DFP::Process qw( wait_until );
use DFP::Stat;
use DFP::Story qw( meanwhile );
use DFP::Swarm;

use constant {
    CALL_SECONDS => 10,
    LONG_SECONDS => 45,
    MANY         => 90,     # peers, and layers
    LISTED       => 1000,
    HALF_MINUTE  => 35,     # s, after which a preheat is sent again
    TWO_SECONDS  => 2_000_000_000,
    PASSED       => 'timeout | 2 s | 1 of 1 | scheduler',
};

my @file = ('file', url => FILES . '/files/a');


# A reply to a stat of the file: who has finished it.

sub finished { return stat_of([], map { [ $_, [ FILES . '/files/a' ] ] } @_) }


# What a call said about a job: not when, and how, it was made.

sub said
{
    my $call = shift;

    my %said = %$call;
    delete @said{qw( call active metadata client grpc_timeout timeout )};

    return \%said;
}


# An image of two layers, and the URLs that a scheduler has of it.

sub an_image
{
    my ($upstream, $name, $wrap) = @_;

    my $image = DFP::Image->new($upstream, $name, $wrap);
    my $manifest = $image->manifest($image->layer("base of $name"),
                                    $image->layer("top of $name"));

    $image->tag('v1', $manifest);

    my (undef, @blobs) = $image->paths($manifest);

    return (REGISTRY . $image->by_tag('v1'), map { REGISTRY . $_ } @blobs);
}

sub path { $_[0] =~ s{^http://[^/]+}{}r }


# The lines of a result for each of these peers and URLs.

sub lines
{
    my ($peers, @urls) = @_;

    return [ sort map { my $peer = $_;
                        map { $peer->hostname . ' ' . path($_) } @urls }
                  @$peers ];
}


# That a job with the first replies goes on until it gets the last one.

sub waits
{
    my ($warm, $scheduler, $name, $job, @replies) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $scheduler->script({ stat => \@replies });
    $scheduler->forget_calls;

    my $ended = $warm->run(@$job);

    is($ended->{state}, 'SUCCESS', $name) or diag(error($ended));
    is(scalar called($scheduler, 'Stat'), scalar @replies,
       "$name: not earlier, and not later");
    is(scalar called($scheduler, 'Preheat'), 1, "$name: sent once");

    return $ended;
}


# Half a minute passes in it: it is told while the others are.

my $dropped = meanwhile(sub {
    swarm_story 'a preheat that was dropped', { engine => 'scheduler', peers => 2 },
    sub {
        my ($warm, $dragonfly) = @_;

        my $scheduler = $dragonfly->scheduler;
        my ($one) = @{ $dragonfly->peers };
        my ($dropped, $slow) = @{ files(qw( dropped slow )) };
        my $times = sub {
            my ($begin, $url) = @_;

            return scalar grep { $_->{url} eq $url } called($scheduler, $begin);
        };

        $scheduler->script({ urls => { $slow => {
            stat => stat_of([], [ $one, [$slow] ]) } } });
        $warm->post('file', url => $_, scope => 'all_peers') for $slow, $dropped;

        ok(wait_until(CALL_SECONDS, sub { $times->('Stat', $dropped) >= 4 }),
           'a job asks how it is');
        my $sent = time;
        ok(wait_until(LONG_SECONDS, sub { $times->('Preheat', $dropped) > 1 }),
           'and sends the preheat again where there is nothing');
        cmp_ok(time - $sent, '>', HALF_MINUTE - CALL_SECONDS, 'after a while');
        cmp_ok($times->('Stat', $dropped), '<=', 10,
               'it asks more and more seldom');
        cmp_ok(scalar called($scheduler, 'ListHosts'), '<=', 2,
               'and for peers only once');

        my $asked = $times->('Stat', $slow);

        ok(wait_until(LONG_SECONDS, sub { $times->('Stat', $slow) > $asked }),
           'what somebody has is asked for, too');
        is($times->('Preheat', $slow), 1, 'but not sent again');
    };
});


swarm_story 'a file', { engine => 'scheduler', seeds => 1, peers => 2 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($one, $two) = @{ $dragonfly->peers };
    my ($seed) = @{ $dragonfly->seeds };
    my $url = FILES . '/files/a';

    my $job = waits($warm, $scheduler, 'all_peers: where all have it',
                    [ @file, scope => 'all_peers' ],
                    stat_of([]), stat_of([], [ $one, [], [$url] ]),
                    stat_of([], [ $one, [$url] ], [ $two, [], [$url] ],
                            [ $seed, [$url] ]),
                    finished($one, $two, $seed));

    is_deeply(told($job, 'success_tasks'), lines([ $one, $two ], $url),
              'each peer is told, and no seed');
    is_deeply(told($job, 'failure_tasks'), [], 'nothing failed');

    my ($task) = grep { $_->{hostname} eq 'peer-1' }
                 @{ $job->{result}{job_states}[0]{results}[0]{success_tasks} };
    is($task->{ip}, $one->ip, 'the result has its address');
    is($task->{url}, $url, 'and the whole URL');

    is_deeply(progress($job),
              { tasks_done => 1, tasks_failed => 0, tasks_total => 1,
                downloads_done => 2, downloads_failed => 0,
                downloads_total => 2, pieces_done => 0,
                bytes_done => 0, bytes_total => 0 }, 'so does the progress');
    is_deeply([ map { $_->calls } $dragonfly->all ], [], 'no peer is called');
    is_deeply([ map { m{^GET (\S+)} } $upstream->requests ], ['/files/a'],
              'and nginx has asked the origin once');

    $job = waits($warm, $scheduler, 'single_seed_peer: where a seed has it',
                 \@file, finished($one, $two), finished($two, $seed));
    is_deeply(told($job, 'success_tasks'), lines([$seed], $url),
              'that seed is told');
};


swarm_story 'several files', { engine => 'scheduler', peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($peer) = @{ $dragonfly->peers };
    my @urls = @{ files(map { "f$_" } 1 .. 12) };

    $scheduler->script({
        preheat => { before => 0.5 },
        urls => { map { ($_ => { stat => stat_of([], [ $peer, [$_] ]) }) }
                  @urls } });

    for my $most (3, undef) {
        my $name = $most // 'default';

        $scheduler->forget_calls;
        my $job = $warm->run('file', urls => \@urls, scope => 'all_peers',
                             concurrent_task_count => $most);

        is($job->{state}, 'SUCCESS', "$name: end well") or diag(error($job));
        is_deeply(told($job, 'success_tasks'), lines([$peer], @urls),
                  "$name: each of them is told");
        is(scalar called($scheduler, 'Preheat'), 12, "$name: each is sent");
        is($scheduler->most_at_once, $most // 8,
           "$name: so many at once, and no more");
    }
};


swarm_story 'an image', { engine => 'scheduler', seeds => 1, peers => 2 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($one, $two) = @{ $dragonfly->peers };
    my ($seed) = @{ $dragonfly->seeds };
    my ($url, @urls) = an_image($upstream, 'app');
    my @job = ('image', url => $url);

    my $job = waits($warm, $scheduler, 'all_peers: where all have all layers',
                    [ @job, scope => 'all_peers' ],
                    stat_of(\@urls),
                    stat_of(\@urls, [ $one, \@urls ],
                            [ $two, [ @urls[0, 1] ], [ $urls[2] ] ]),
                    stat_of(\@urls, [ $one, \@urls ], [ $two, \@urls ],
                            [ $seed, \@urls ]));

    is_deeply(told($job, 'success_tasks'), lines([ $one, $two ], @urls),
              'each layer is told of each peer, and of no seed');
    is(progress($job)->{downloads_done}, 6, 'so does the progress');
    is_deeply([ map { m{^GET (\S+)} } $upstream->requests ], [ path($url) ],
              'nginx has read the manifest once, and nothing else');

    waits($warm, $scheduler, 'single_seed_peer: where seeds have each layer',
          \@job, stat_of(\@urls, [ $one, \@urls ]),
          stat_of(\@urls, [ $seed, [ @urls[1, 2] ] ]),
          stat_of(\@urls, [ $seed, \@urls ]));

    waits($warm, $scheduler, 'where it tells of no layers it is asked again',
          \@job, {}, { peers => stat_of([], [ $seed, \@urls ])->{peers} },
          stat_of(\@urls, [ $seed, \@urls ]));

    my @twice = (@urls, $urls[1]);
    $job = waits($warm, $scheduler, 'a layer that an image has twice', \@job,
                 stat_of(\@twice, [ $seed, \@twice ]));
    is_deeply(told($job, 'success_tasks'), lines([$seed], @urls),
              'is told once');
};


swarm_story 'all_seed_peers', { engine => 'scheduler', seeds => 3, peers => 1 },
sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my @seeds = @{ $dragonfly->seeds };
    my ($peer) = @{ $dragonfly->peers };
    my ($url, @urls) = an_image($upstream, 'app');

    my $job = waits($warm, $scheduler, 'are all seeds',
                    [ @file, scope => 'all_seed_peers' ],
                    finished(@seeds[0, 1], $peer), finished(@seeds));
    is_deeply(told($job, 'success_tasks'),
              lines(\@seeds, FILES . '/files/a'), 'which are told');

    # the seeds of single_seed_peer may share an image; here each has all of it

    my @shared = map { [ $seeds[$_], [ $urls[$_] ] ] } 0 .. 2;

    waits($warm, $scheduler, 'have all layers of an image',
          [ 'image', url => $url, scope => 'all_seed_peers' ],
          stat_of(\@urls, @shared),
          stat_of(\@urls, map { [ $_, \@urls ] } @seeds));
    $job = waits($warm, $scheduler, 'which is otherwise with single_seed_peer',
                 [ 'image', url => $url ], stat_of(\@urls, @shared));
    is_deeply(told($job, 'success_tasks'),
              [ sort map { $seeds[$_]->hostname . ' ' . path($urls[$_]) }
                     0 .. 2 ],
              'the job tells who has what');
};


swarm_story 'some of the peers',
    { engine => 'scheduler', seeds => 1, peers => 4 }, sub
{
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my @peers = @{ $dragonfly->peers };
    my ($seed) = @{ $dragonfly->seeds };
    my @job = (@file, scope => 'all_peers');

    for ([ { count => 2 }, 2, 'a count' ],
         [ { count => 9 }, 4, 'more than there are' ],
         [ { percentage => 50 }, 2, 'a percentage' ],
         [ { percentage => 1 }, 1, 'one at least' ],
         [ { success_threshold => 75 }, 3, 'a threshold' ],
         [ { success_threshold => 51 }, 3, 'a threshold, rounded up' ],
         [ { count => 2, success_threshold => 50 }, 1, 'of a count' ])
    {
        my ($args, $n, $name) = @$_;

        # whichever it takes: the last ones

        my @holders = @peers[4 - $n .. 3];
        my $job = waits($warm, $scheduler, $name, [ @job, %$args ],
                        finished(@holders[1 .. $#holders], $seed),
                        finished(@holders, $seed));
        is_deeply(told($job, 'success_tasks'),
                  lines(\@holders, FILES . '/files/a'), 'they are told');
    }

    $scheduler->script({ stat => finished(@peers[0 .. 2]) });
    my $job = $warm->run(@job, count => 2);
    is($job->{state}, 'SUCCESS', 'more than were wanted') or diag(error($job));
    is_deeply([ @{ progress($job) }{qw( downloads_done downloads_total )} ],
              [ 2, 2 ], 'count for those that were');
};


# It comes in many pieces, and not a byte of it may be lost.

swarm_story 'a reply of a megabyte', { engine => 'scheduler', peers => 1 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($peer) = @{ $dragonfly->peers };
    my ($url) = an_image($upstream, 'app');
    my @layers = map { REGISTRY . '/v2/app/blobs/sha256:' . sha256_hex($_) }
                     1 .. MANY;
    my @many = map { $peer->host(id => "id-$_", hostname => "many-$_",
                                 ip => "127.1.0.$_") } 1 .. MANY;

    $scheduler->hosts(@many);

    # the last one of the last one

    my @replies = map { {
        layers => \@layers, peers => [ map {
            my $host = $_;

            { ip => $host->{ip}, hostname => $host->{hostname},
              layers => [ map { { url => $_, finished => 1 } } @layers ] }
        } @many ]
    } } 1 .. 2;

    $replies[0]{peers}[-1]{layers}[-1]{finished} = 0;

    my $job = waits($warm, $scheduler, 'all have all of it',
                    [ 'image', url => $url, scope => 'all_peers' ], @replies);
    my $results = $job->{result}{job_states}[0]{results}[0];

    is(scalar @{ $results->{success_tasks} }, LISTED, 'some are listed');
    is($results->{success_tasks_omitted}, MANY * MANY - LISTED,
       'all are counted');
    is(progress($job)->{downloads_done}, MANY * MANY, 'also in the progress');
};


swarm_story 'ips', { engine => 'scheduler', seeds => 1, peers => 3 }, sub {
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my @peers = @{ $dragonfly->peers };
    my ($seed) = @{ $dragonfly->seeds };
    my @job = (@file, scope => 'all_peers');

    my $job = waits($warm, $scheduler, 'name peers', [ @job,
                    ips => [ map { $_->ip } @peers[2, 0] ] ],
                    finished(@peers[0, 1]), finished(@peers));

    is_deeply(told($job, 'success_tasks'),
              lines([ @peers[0, 2] ], FILES . '/files/a'), 'which are told');

    for my $ip ('127.0.0.1', $seed->ip) {
        $scheduler->forget_calls;
        $job = $warm->run(@job, ips => [ $peers[0]->ip, $ip ]);

        is($job->{state}, 'FAILURE', "$ip is no peer's");
        like(error($job), facts("$ip | no peer"), 'the job says so');
        is(scalar called($scheduler, 'Preheat'), 0, 'and nothing is sent');
    }

    waits($warm, $scheduler, 'where less will do one may be missing',
          [ @job, ips => [ $peers[0]->ip, '127.0.0.1' ],
            success_threshold => 50 ], finished($peers[1]),
          finished($peers[0]));
};


swarm_story 'who it lists twice, and otherwise',
    { engine => 'scheduler', seeds => 1, peers => 2 }, sub
{
    my ($warm, $dragonfly) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($one, $two) = @{ $dragonfly->peers };
    my $url = FILES . '/files/a';
    my @hosts = map { $_->host } $one, $two;
    my $reply = finished($one, $one);

    $reply->{peers}[1]{hostname} = 'another';
    $scheduler->hosts(@hosts, $hosts[0]);

    my $job = waits($warm, $scheduler, 'a peer counts once',
                    [ @file, scope => 'all_peers' ], finished($one, $one),
                    $reply, finished($one, $two, $one));
    is_deeply(told($job, 'success_tasks'), lines([ $one, $two ], $url),
              'and is told once');
};


swarm_story 'what the scheduler is told',
    { engine => 'scheduler', seeds => 1, peers => 2 }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($one, $two) = @{ $dragonfly->peers };
    my ($seed) = @{ $dragonfly->seeds };
    my ($url, @urls) = an_image($upstream, 'app');
    my @filter = split /&/, default_filter();

    $scheduler->script({ stat => finished($seed) });
    is($warm->run(@file)->{state}, 'SUCCESS', 'of a job that says little');

    my ($preheat) = called($scheduler, 'PreheatFile');
    my ($stat) = called($scheduler, 'StatFile');
    my %little = (url => $file[2], filtered_query_params => \@filter,
                  concurrent_peer_count => 500);

    is_deeply(said($preheat), { %little, method => 'PreheatFile',
              scope => 'single_seed_peer', concurrent_task_count => 8 },
              'the defaults, and nothing else');
    is_deeply(said($stat), { %little, method => 'StatFile' },
              'the same when it is asked');
    cmp_ok($_->{timeout}, '>', 3500, "$_->{method}: the time that is left")
        for $preheat, $stat;

    my %more = (tag => 'one', application => 'two', piece_length => 8388608,
                filtered_query_params => [qw( a b )],
                concurrent_peer_count => 7, url => $url,
                platform => 'linux/arm64');

    $scheduler->script({ stat => stat_of(\@urls, map { [ $_, \@urls ] }
                                                 $one, $two) });
    my $job = $warm->run('image', %more, concurrent_task_count => 3,
                         filtered_query_params => 'a&b', percentage => 70,
                         count => 2, ips => [ '::ffff:' . $one->ip, $two->ip ],
                         timeout => 60_000_000_000, scope => 'all_peers',
                         headers => { 'X-One-Key' => '1', 'X-Two-Key' => '2' });

    is($job->{state}, 'SUCCESS', 'of one that says more') or diag(error($job));
    $more{header} = { 'X-One-Key' => '1', 'X-Two-Key' => '2' };
    ($preheat) = called($scheduler, 'PreheatImage');
    ($stat) = called($scheduler, 'StatImage');
    is_deeply(said($preheat), { %more, method => 'PreheatImage',
              scope => 'all_peers', ips => [ $one->ip, $two->ip ],
              percentage => 70, count => 2, concurrent_task_count => 3 },
              'all of it');
    is_deeply(said($stat), { %more, method => 'StatImage',
              scope => 'all_peers', concurrent_layer_count => 3 },
              'when it is asked, what a layer is known by');
    ok($_->{timeout} > 50 && $_->{timeout} <= 60, "$_->{method}: its timeout")
        for $preheat, $stat;
};


my $ca = DFP::Certificates->new;

swarm_story 'what the operator tells it',
    { engine => 'scheduler', seeds => 1,
      cluster => 'map=http://registry.test=http://mirror.test:5000',
      http => 'dfpreheat_certificate_chain ' . $ca->file . ';' }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my ($url, @urls) = an_image($upstream, 'app');
    my @mapped = map { s/registry\.test/mirror.test:5000/r } $url, @urls;
    my $mapped = shift @mapped;

    $scheduler->script({ stat => stat_of(\@mapped, [ $seed, \@mapped ]) });
    my $job = $warm->run('image', url => $url);

    is($job->{state}, 'SUCCESS', 'a job') or diag(error($job));
    is_deeply([ sort map { $_->{url} } @{
                    $job->{result}{job_states}[0]{results}[0]{success_tasks}
                } ], [ sort @urls ], 'has its layers as it was posted');

    open my $file, '<', $ca->file or die $!;
    my $der = decode_base64(join '', grep { !/-----/ } <$file>);
    $der = { length => length $der, sha256 => sha256_hex($der) };

    for my $call (grep { $_->{method} ne 'ListHosts' } $scheduler->calls) {
        is($call->{url}, $mapped, "$call->{method}: as pullers call it");
        is($call->{platform}, 'linux/amd64', "$call->{method}: a platform");
        is_deeply($call->{certificate_chain}, [$der],
                  "$call->{method}: and who signs for the registry");
    }
};


swarm_story 'dfpreheat_platform',
    { engine => 'scheduler', seeds => 1,
      http => 'dfpreheat_platform linux/arm/v7;' }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my ($url, @urls) = an_image($upstream, 'app');

    $scheduler->script({ stat => stat_of(\@urls, [ $seed, \@urls ]) });
    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'a job');
    is_deeply([ map { $_->{platform} // () } $scheduler->calls ],
              [ ('linux/arm/v7') x 2 ], 'is for that platform');
};


swarm_story 'a job that is never done',
    { engine => 'scheduler', seeds => 1, peers => 2 }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($one, $two) = @{ $dragonfly->peers };
    my ($url, @urls) = an_image($upstream, 'app');
    my @args = (scope => 'all_peers', timeout => TWO_SECONDS);

    my @twice = (@urls, $urls[1]);

    for ([ [ @file, @args ], stat_of([]), '/: \D*\b0\D+2 .*\bcopies/',
           'nobody has the file', [], lines([ $one, $two ], $file[2]) ],
         [ [ @file, @args ], finished($one), '/: \D*\b1\D+2 .*\bcopies/',
           'one has', lines([$one], $file[2]), lines([$two], $file[2]) ],
         [ [ 'image', url => $url, @args ],
           stat_of(\@urls, [ $one, \@urls ], [ $two, [], \@urls ]),
           '/: \D*\b3\D+6 .*\bcopies/', 'one has the image',
           lines([$one], @urls), lines([$two], @urls) ],
         [ [ 'image', url => $url, @args ],
           stat_of(\@twice, [ $one, \@twice ], [ $two, [ $urls[1] ] ]),
           '/: \D*\b6\D+8 .*\bcopies/', 'a layer that is there twice',
           [ sort @{ lines([$one], @urls) }, @{ lines([$two], $urls[1]) } ],
           lines([$two], @urls[0, 2]) ],
         [ [ 'image', url => $url, @args ], stat_of([]),
           '/: \D*\b0\D+0 .*\bcopies.*\bno layers/', 'an image of nothing' ])
    {
        my ($job, $reply, $copies, $name, $have, $lack) = @$_;

        $scheduler->script({ stat => $reply });
        my $ended = run_out($warm, @$job);

        is($ended->{state}, 'FAILURE', $name);
        like(error($ended), facts(PASSED, $copies),
             "$name: the job says what is not");
        like_facts(words($ended, 'failure_tasks'), ['timeout'],
                   "$name: so does the list");
        next if !$have;

        is_deeply(told($ended, 'success_tasks'), $have, "$name: who has what");
        is_deeply(told($ended, 'failure_tasks'), $lack, "$name: who lacks what");
    }
};


$dropped->();

done_testing();
