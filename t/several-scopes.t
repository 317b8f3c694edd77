# Which nginx of a cluster a job chooses: by scope, address, number and share.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw( sum );
use Test::More;

use DFP::Cluster;
use DFP::Facts;

use constant {
    URLS    => 30,
    ABSENT  => '192.0.2.99',
    SIX     => '2001:db8::ab',
};

my $files = 0;


# A job with these args of a file that no other job has had: the file, and the
# job at its end.

sub run
{
    my ($servers, %args) = @_;

    my $path = '/quick/1000/file-' . ++$files;

    return ($path, $servers->ended_job($servers->post_files([$path], %args),
                                       SOON));
}


# Whom it has warmed.

sub chosen
{
    my $job = (run(@_))[1];

    return $job->{state} eq 'SUCCESS' ? hosts($job)
                                      : "$job->{state}: " . error($job);
}


# The one of all these files, by which each of them was warmed alone.

sub seeds
{
    my ($servers, @paths) = @_;

    my @ids = map { $servers->post_files([$_], scope => 'single_seed_peer') }
                  @paths;

    return { map { $paths[$_] => hosts($servers->ended_job($ids[$_], SOON)) }
                 0 .. $#paths };
}


cluster_story 'single_seed_peer', {}, sub {
    my ($cluster, @all) = @_;

    my %by_name = (one => $all[0], two => $all[1], three => $all[2]);
    my @paths = map { "/quick/1000/seed-$_" } 1 .. URLS;
    my $seeds = seeds($all[0], @paths);
    my %count;
    $count{$_}++ for values %$seeds;

    is_deeply([ sort keys %count ], [qw( one three two )],
              'each URL is warmed by one, and each of them has some')
        or diag(explain($seeds));
    is_deeply(seeds($_, @paths), $seeds, 'the same ones again')
        for @all[1, 2];
    is_deeply([ map { my $path = $_;
                      join ' ', grep { $by_name{$_}->origin->requests($path) }
                                     sort keys %by_name } @paths ],
              [ @$seeds{@paths} ], 'the others do not ask for it');

    my ($job) = map { $_->ended_job($_->post_files([ $paths[0] ],
                          scope => 'single_seed_peer'), SOON) } $all[0];
    is($job->{args}{scope}, 'single_seed_peer', 'the scope is shown');

    $by_name{three}->nginx_end('QUIT');

    my $without = seeds($all[0], @paths);

    is_deeply({ map { $_ => $without->{$_} }
                    grep { $seeds->{$_} ne 'three' } @paths },
              { map { $_ => $seeds->{$_} }
                    grep { $seeds->{$_} ne 'three' } @paths },
              'when one has stopped, the others keep theirs');
    is_deeply([ grep { $without->{$_} !~ /^(?:one|two)$/ } @paths ], [],
              'and have those of the third');

    $by_name{three}->nginx_start;
    $cluster->gathered;
    is_deeply(seeds($all[1], @paths), $seeds, 'it is back, and has them again');
};


cluster_story 'a default of the cluster', {
        cluster => 'default_scope=single_seed_peer' }, sub
{
    my ($cluster, $one, $two) = @_;

    my ($path, $job) = run($one);

    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is(scalar @{ told($job, 'success_tasks') }, 1, 'one is warmed');
    is($job->{args}{scope}, 'single_seed_peer', 'the scope is the default');
    is_deeply(seeds($two, $path), { $path => hosts($job) },
              'the same as with the scope');
    is(chosen($one, scope => 'all_peers'), 'one three two',
       'a job may want another one');
};


cluster_story 'all, or how many', {}, sub {
    my ($cluster, @all) = @_;

    for (qw( all_peers all_seed_peers single_peer )) {
        is(chosen($all[1], scope => $_), 'one three two', $_);
    }

    for ([ 2, count => 2 ], [ 1, count => 1 ], [ 3, count => 200 ],
         [ 1, percentage => 50 ], [ 1, percentage => 1 ], [ 2, percentage => 67 ],
         [ 2, percentage => 99 ], [ 3, percentage => 100 ])
    {
        my ($wanted, %args) = @$_;
        my ($path, $job) = run($all[0], scope => 'all_peers', %args);
        my @names = split ' ', hosts($job);

        is($job->{state}, 'SUCCESS', "@{[ %args ]}: it ends well")
            or diag(error($job));
        is(scalar @names, $wanted, "@{[ %args ]} of three: $wanted");
        is_deeply(told($job, 'success_tasks'), all_of([$path], @names),
                  'each has it once');
        is(sum(map { $_->origin->requests($path) } @all), $wanted,
           'and no other has asked for it');
    }
};


cluster_story 'addresses', { each => { three => { address => uc SIX } } }, sub {
    my ($cluster, @all) = @_;

    my @addresses = ('192.0.2.11', '192.0.2.12', SIX);

    for ([ one => '192.0.2.11' ], [ two => '192.0.2.12' ],
         [ 'one two' => '192.0.2.12', '192.0.2.11' ],
         [ two => ('192.0.2.12') x 3 ], [ three => SIX ],
         [ three => '2001:0DB8:0:0:0:0:0:00ab' ],
         [ three => SIX, '2001:db8:0::0:AB' ],
         [ 'one three two' => @addresses ])
    {
        my ($names, @ips) = @$_;
        my ($path, $job) = run($all[0], scope => 'all_peers', ips => \@ips);

        is($job->{state}, 'SUCCESS', "@ips: it ends well") or diag(error($job));
        is(hosts($job), $names, "@ips: $names");
        is(sum(map { $_->origin->requests($path) } @all),
           scalar(split ' ', $names), 'each has fetched it once');
    }

    my ($path, $job) = run($all[0], scope => 'all_peers',
                           ips => [ '192.0.2.12', ABSENT, '192.0.2.11' ]);

    is($job->{state}, 'FAILURE', 'one that is not there fails');
    like(error($job), facts('/^1 of 3\b/', ABSENT), 'the error names it');
    is_deeply(told($job, 'success_tasks'), all_of([$path], qw( one two )),
              'the others are warmed');
    is($all[2]->origin->requests($path), 0, 'but not one that was not named');

    ($path, $job) = run($all[0], scope => 'all_peers', ips => [ABSENT]);
    is($job->{state}, 'FAILURE', 'if it is the only one, too');
    like(error($job), facts(ABSENT), 'and it is named');
};


# The second and the third have one more.

my $second = 'dfpreheat_cluster 7 name=seven engine=cache;';

cluster_story 'a cluster that not all have', { each => {
        two => { http => $second }, three => { http => $second } } }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my $post = sub {
        my ($servers, $path, @clusters) = @_;

        return $servers->client->post('/oapi/v1/jobs', {
            %{ $servers->files([$path]) }, scheduler_cluster_ids => \@clusters });
    };
    my $names_of = sub {
        return { map { my $state = $_;
                       $state->{results}[0]{scheduler_cluster_id} =>
                       join ' ', sort map { $_->{success_tasks}[0]{hostname} }
                                          @{ $state->{results} } }
                     @{ $_[0]{result}{job_states} } };
    };

    is($post->($one, '/quick/1000/a', 7)->{status}, 422,
       'one that has not got it does not know it');

    for ([ [7], { 7 => 'three two' } ],
         [ [ 1, 7 ], { 1 => 'one three two', 7 => 'three two' } ],
         [ [], { 1 => 'one three two', 7 => 'three two' } ],
         [ [1], { 1 => 'one three two' } ])
    {
        my ($ids, $names) = @$_;
        my $id = $post->($two, '/quick/1000/b', @$ids)->{json}{id};
        my $job = $one->ended_job($id, SOON);

        is($job->{state}, 'SUCCESS', "clusters @$ids: it ends well")
            or diag(error($job));
        is_deeply($names_of->($job), $names, "clusters @$ids: each has its own");
    }
};


# The URL of its location is another one.

my %unbound = (each => { three => { origin_url => 'http://other.test' } });

cluster_story 'how many may fail', { %unbound }, sub {
    my ($cluster, $one) = @_;

    for ([ 'FAILURE' ], [ 'FAILURE', 70 ], [ 'SUCCESS', 60 ], [ 'SUCCESS', 1 ],
         [ 'FAILURE', 67 ], [ 'SUCCESS', 66 ])
    {
        my ($state, $threshold) = @$_;
        my %args = $threshold ? (success_threshold => $threshold) : ();
        my ($path, $job) = run($one, %args);
        my $name = $threshold // 'no threshold';

        is($job->{state}, $state, "$name: $state") or diag(error($job));
        like(error($job), $state eq 'SUCCESS' ? qr/^$/
             : facts('/^1 of 3 instances\b/', '/\bthree \(192\.0\.2\.13\)/',
                     FILES), "$name: the error says who and why");
        is_deeply(told($job, 'success_tasks'), all_of([$path], qw( one two )),
                  "$name: the others have it");
        like("@{ told($job, 'failure_tasks') }", qr/^three 192\.0\.2\.13\b/,
             "$name: it is listed");
    }
};


cluster_story 'how many may fail, as configured', { %unbound,
        http => 'dfpreheat_success_threshold 50;' }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    is(chosen($one), 'one two', 'one of three may');
    like(chosen($two, success_threshold => 100), qr/^FAILURE: /,
         'not where the job says so');
};


done_testing();
