# The scripts about tokens, on their own: what they leave in Redis.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Scripts;

use constant {
    LATE   => 4_000_000_000_000,    # ms
    MINUTE => 60_000,
};

my $scripts = DFP::Scripts->start;


sub script { $scripts->script(@_) }
sub redis { $scripts->redis(@_) }

sub create
{
    my ($name, %with) = @_;

    my ($id) = script('token_create', "hash-$name", $name, $with{bio} // '',
                      $with{scopes} // 1, $with{expired_at} // LATE, 0);

    return $id;
}

# The ids of a list, and the first two elements of its reply.

sub list
{
    my @reply = script('token_list', @_);
    my @head = splice @reply, 0, 2;
    my @ids;

    while (my ($id) = splice @reply, 0, 10) { push @ids, $id }

    return [ "@head", @ids ];
}


subtest 'a token is deleted once, however often that is sent' => sub {
    $scripts->fresh;
    create('a');
    create('b');
    list(0, 10, '', '');

    is_deeply([ script('token_delete', 1, 'one') ], [1], 'the first time');
    is_deeply([ script('token_delete', 1, 'one') ], [1], 'the same once more');
    is_deeply([ script('token_delete', 1, 'two') ], [0], 'another request');
    is_deeply([ script('token_delete', 2, 'one') ], [1], 'of another token');
    is_deeply([ script('token_find', 'hash-a') ], [], 'it is not found');
    is_deeply(list(0, 10, '', ''), ['0 0'], 'nor listed');
    is(redis('keys', 'p:token:hash:*'), '', 'its hash is gone');
    is(create('a'), 3, 'its name is free');
};


subtest 'a token can be revoked while Redis has no memory' => sub {
    $scripts->fresh;
    create('a');
    create('b');
    redis('config', 'set', 'maxmemory', 1);

    is((script('token_change', 1, 'state', 'inactive'))[4], 'inactive',
       'by a change');
    is_deeply([ script('token_delete', 2, 'one') ], [1], 'or deleted');
    redis('config', 'set', 'maxmemory', 0);
    is((script('token_find', 'hash-a'))[2], 'inactive', 'it is inactive');
    is_deeply([ script('token_find', 'hash-b') ], [], 'the other is gone');
};


subtest 'a token that does not exist is not made by a change' => sub {
    $scripts->fresh;

    is_deeply([ script('token_change', 1, 'bio', 'b') ], [], 'it is not there');
    is(redis('exists', 'p:token:1'), 0, 'and was not made');
};


subtest 'a token of which only the hash is left is not there' => sub {
    $scripts->fresh;
    create('a');
    redis('pexpire', 'p:token:1', 0);

    is_deeply([ script('token_find', 'hash-a') ], [], 'it is not found');
    is(redis('exists', 'p:token:1'), 0, 'and is not made');
    is_deeply([ script('token_delete', 1, 'one') ], [0], 'nor deleted');
};


subtest 'the last use is a minute, of a valid token' => sub {
    $scripts->fresh;
    create('a');
    create('past', expired_at => 1);
    create('off');
    script('token_change', 3, 'state', 'inactive');

    my ($seconds) = split /\n/, redis('time');

    script('token_find', "hash-$_") for qw( a past off );

    my ($until) = split /\n/, redis('time');
    my $used = redis('hget', 'p:token:1', 'used');

    is($used % MINUTE, 0, 'a whole one');
    ok((grep { $used == $_ - $_ % MINUTE } $seconds * 1000, $until * 1000),
       'that of the request');
    is(redis('hget', "p:token:$_", 'used'), '', "token $_ was not valid")
        for 2, 3;

    redis('config', 'resetstat');
    script('token_find', 'hash-a') for 1 .. 10;

    my ($writes) = redis('info', 'commandstats')
                   =~ /cmdstat_hset:calls=(\d+)/;

    cmp_ok($writes // 0, '<=', 1, 'it is written once in a minute');
};


subtest 'a list has the newest first, and a part of it' => sub {
    $scripts->fresh;
    create("token-$_") for 1 .. 7;
    script('token_change', $_, 'state', 'inactive') for 2, 3, 6;
    script('token_change', 6, 'user_id', 5);

    is_deeply(list(0, 3, '', ''), [ '0 7', 7, 6, 5 ], 'the first part');
    is_deeply(list(6, 3, '', ''), [ '0 7', 1 ], 'the last');
    is_deeply(list(7, 3, '', ''), ['0 7'], 'no part');
    is_deeply(list('999999999990000000', 3, '', ''), ['0 7'], 'nor far beyond');
    is_deeply(list(1, 1, 'inactive', ''), [ '0 3', 3 ], 'with a filter');
    is_deeply(list(3, 1, 'inactive', ''), ['0 3'], '... beyond the end');
    is_deeply(list(0, 9, 'inactive', 5), [ '0 1', 6 ], 'with two');
    is_deeply(list(0, 9, 'active', 5), ['0 0'], 'with none left');
};


subtest 'ids are added to the list in several steps' => sub {
    $scripts->fresh;
    redis('set', 'p:token:next', 24_999);
    is(create('far'), 25_000, 'a token with a great id');

    is_deeply([ map { list(0, 10, '', '') } 1 .. 3 ],
              [ ['15000 0'], ['5000 0'], [ '0 1', 25_000 ] ],
              'is listed when all ids have been looked at');
    is(redis('get', 'p:token:listed'), 25_000, 'which is not done again');
};

done_testing();
