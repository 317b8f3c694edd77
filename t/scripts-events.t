# The scripts about streams of all jobs, on their own: what is told while somebody
# listens, and what is read of jobs that have changed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Scripts;

use constant {
    TIME  => 60_000,        # ms
    PARTS => 1000,
    BYTES => 1_000_000,
};

my $scripts = DFP::Scripts->start;


sub script { $scripts->script(@_) }
sub redis { $scripts->redis(@_) }


# How many messages the scripts send in CODE.

sub sent
{
    my $code = shift;

    my $count = sub {
        redis('info', 'commandstats') =~ /cmdstat_publish:calls=(\d+)/ ? $1 : 0;
    };
    my $before = $count->();

    $code->();

    return $count->() - $before;
}


# The jobs that are read: how many ids were looked at, and each as a hash.

sub changed
{
    my ($ids, $parts, $bytes) = @_;

    my ($looked, undef, @fields) = script('changed', $ids, $parts // PARTS,
                                          $bytes // BYTES);
    my @jobs;

    while (my ($name, $value) = splice @fields, 0, 2) {
        push @jobs, {} if $name eq 'id';
        $jobs[-1]{$name} = $value;
    }

    return ($looked, @jobs);
}


subtest 'who listens is told of listed jobs, and others are not' => sub {
    $scripts->fresh;

    my $story = sub {
        my ($uuid, %with) = @_;

        return sent(sub {
            my $id = $scripts->post($uuid, queue => 'q', %with);

            $scripts->look('w', $scripts->{looks}++, 0, queue => 'q',
                           name => 'name');
            script('report', $id, 1, 1, $uuid, TIME, '{}');
            script('finish', $id, 1, 1, $uuid, 'SUCCESS', '', '', '');
            script('delete', $id, "delete-$uuid", 1);
        });
    };

    is($story->('a'), 1, 'nobody listens: that a part waits');
    script('listen', TIME);
    is($story->('b'), 5, 'somebody does: new, progress, end, deleted, too');
    is($story->('c', user => ''), 2, 'one that is not listed: progress only');
    redis('hset', 'p:schema', 'listen', 1);
    is($story->('d'), 1, 'nobody does any more');
};


subtest 'a part that ends is progress' => sub {
    $scripts->fresh;
    script('listen', TIME);
    $scripts->post('a', parts => 2, queue => 'q');
    $scripts->look('w', 1, 0, queue => 'q');

    is(sent(sub {
           script('finish', 1, 1, 1, 'a', 'SUCCESS', '', '', ''); }), 1,
       'of the job');
};


subtest 'it is known since when somebody listens' => sub {
    $scripts->fresh;

    my ($since) = script('listen', TIME);

    cmp_ok($since, '>', 0, 'from now on');
    select undef, undef, undef, 0.01;
    is((script('listen', TIME))[0], $since, 'still');
    redis('hset', 'p:schema', 'listen', 1);

    my ($again) = script('listen', TIME);

    cmp_ok($again, '>', $since, 'there was a gap');
    redis('hdel', 'p:schema', 'listen');
    select undef, undef, undef, 0.01;
    cmp_ok((script('listen', TIME))[0], '>', $again, 'Redis has lost it');
};


subtest 'what has changed of jobs' => sub {
    $scripts->fresh;
    $scripts->post($_, queue => 'q') for qw( a b );
    $scripts->post('c', user => '');
    $scripts->post('d', parts => 250, queue => 'r');
    $scripts->look('w', 1, 0, queue => 'q');
    script('report', 1, 1, 1, 'a', TIME, '{"tasks":1}');
    script('finish', 2, 1, 1, 'b', 'FAILURE', 'why', '{"url":"long"}', '');

    my ($looked, $one, $two, @others) = changed('1 +2 3 9');

    is($looked, 4, 'all are looked at');
    is_deeply(\@others, [], 'others are not listed, or not there');
    is_deeply([ @$one{qw( id state g:1 )}, exists $one->{args} ],
              [ 1, 'PENDING', '{"tasks":1}', '' ], 'one has progress');
    is_deeply([ @$two{qw( id state e:1 args uuid )} ],
              [ 2, 'FAILURE', 'why', '{"args":1}', 'b' ], 'a new one in full');
    ok(!exists $two->{'r:1'}, 'but without results');

    my $many = (changed('4'))[1];

    is_deeply([ @$many{qw( parts s:1 s:250 )} ], [qw( 250 PENDING PENDING )],
              'one with many parts');
};


subtest 'what is read at once is limited' => sub {
    $scripts->fresh;
    $scripts->post($_, parts => 6) for qw( a b c );

    my ($looked, @jobs) = changed('1 2 3', 12);

    is_deeply([ $looked, map { $_->{id} } @jobs ], [ 2, 1, 2 ], 'by parts');
    ($looked, @jobs) = changed('1 2 3', 1);
    is_deeply([ $looked, map { $_->{id} } @jobs ], [ 1, 1 ],
              'one is always read');
    ($looked, @jobs) = changed('+1 +2 3', PARTS, 10);
    is_deeply([ $looked, map { $_->{args} // 'none' } @jobs ],
              [ 3, '{"args":1}', 'none', 'none' ], 'by their arguments');
};

done_testing();
