# Personal access tokens as their administrator sees them: the list, one of them,
# its changes and its end.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use HTTP::Tiny;
use JSON::PP qw( encode_json );
use Test::More;

use DFP::Client;
use DFP::Facts;
use DFP::Process qw( wait_until );
use DFP::Story qw( story );

use constant {
    PATH    => '/api/v1/personal-access-tokens',
    LATE    => '2037-01-01T00:00:00Z',
    MANY    => 25_000,  # ids: more than one script looks at
    REVOKED => 1,       # second, until all workers know
};


sub created
{
    my ($servers, $name, %fields) = @_;

    my $answer = $servers->admin->post(PATH, {
        name => $name, expired_at => LATE, %fields });

    die "no token: $answer->{body}" if $answer->{status} != 200;

    return $answer->{json};
}


sub names { [ map { $_->{name} } @{ $_[0]{json} } ] }

sub patch
{
    my ($servers, $id, $change) = @_;

    return $servers->admin->request('PATCH', PATH . "/$id",
                                    ref $change ? encode_json($change) : $change);
}


# The status of a request for a job that does not exist.

sub status
{
    my ($servers, $token) = @_;

    return DFP::Client->new(port => $servers->{port}, token => $token)
                      ->get('/oapi/v1/jobs/1')->{status};
}


story 'the list', {}, sub
{
    my $servers = shift;

    my $admin = $servers->admin;
    my $empty = $admin->get(PATH);

    is("$empty->{status} $empty->{body}", '200 []', 'is empty at first');
    is($empty->{headers}{'x-total-count'}, 0, '... and says so');
    is($empty->{headers}{link}, join(',', map {
           '<' . PATH . "?page=$_->[1]&per_page=10>;rel=$_->[0]" }
           [ prev => 1 ], [ next => 2 ], [ first => 1 ], [ last => 0 ]),
       '... with the links of the manager');

    my @all = map { created($servers, "token-$_", user_id => $_ % 3,
                            bio => "bio $_") } 1 .. 12;
    my $list = $admin->get(PATH);

    is_deeply(names($list), [ map { "token-$_" } reverse 3 .. 12 ],
              'has the newest first, ten on a page');
    is($list->{headers}{'x-total-count'}, 12, '... and tells how many there are');
    is_deeply($list->{json}[0], { %{ $all[11] }, token => '' },
              'shows all of a token but its secret');

    is_deeply(names($admin->get(PATH . '?page=2')), [qw( token-2 token-1 )],
              'has a second page');
    is_deeply(names($admin->get(PATH . '?page=3&per_page=4')),
              [ map { "token-$_" } reverse 1 .. 4 ], 'of a length that is wanted');
    is($admin->get(PATH . '?page=9')->{body}, '[]', 'and an end');
    is($admin->get(PATH . '?page=100000000000&per_page=10000000')->{body}, '[]',
       '... however far one goes');

    my $whole = $admin->get(PATH . '?per_page=10000000');

    is(scalar @{ $whole->{json} }, 12, 'is there as a whole');
    like($whole->{headers}{link}, qr/per_page=1000>;rel=last$/,
         '... up to a limit, which the links tell');

    my $head = HTTP::Tiny->new->head("http://127.0.0.1:$servers->{port}" . PATH,
        { headers => { Authorization => 'Bearer ' . $admin->{token} } });

    is("$head->{status} $head->{headers}{'x-total-count'}", '200 12',
       'can be asked for its length alone');
};


story 'the list with a filter', {}, sub
{
    my $servers = shift;

    my $admin = $servers->admin;

    created($servers, "token-$_", user_id => $_ % 3) for 1 .. 9;
    is(patch($servers, $_, { state => 'inactive' })->{status}, 200,
       "token-$_ is inactive now") for 2, 5, 6;

    my $list = $admin->get(PATH . '?state=inactive');

    is_deeply(names($list), [qw( token-6 token-5 token-2 )], 'by state');
    is($list->{headers}{'x-total-count'}, 3, '... with the number of these');

    $list = $admin->get(PATH . '?user_id=2&per_page=2');

    is_deeply(names($list), [qw( token-8 token-5 )], 'by user');
    is($list->{headers}{'x-total-count'}, 3, '... with the number of these');
    like($list->{headers}{link}, qr/[?]page=2&per_page=2&user_id=2>;rel=last$/,
         '... which the links keep');

    is_deeply(names($admin->get(PATH . '?state=active&user_id=2')), ['token-8'],
              'by both');
    is(scalar @{ $admin->get(PATH . '?user_id=0&state=&unknown=x')->{json} }, 9,
       'by none');
};


story 'a token that is damaged in Redis', {}, sub
{
    my $servers = shift;

    my @ids = map { created($servers, "token-$_")->{id} } 1 .. 3;

    $servers->redis('hset', "dfpreheat:token:$ids[1]", 'expired_at', 'never');

    is($servers->admin->get(PATH . "/$ids[1]")->{status}, 500, 'it is damaged');

    for my $query ('', '?state=active') {
        is_deeply(names($servers->admin->get(PATH . $query)),
                  [qw( token-3 token-1 )], "the list$query has the others");
    }

    ok($servers->logged(qr/token $ids[1] is damaged/), 'it is logged');
    is($servers->admin->request('DELETE', PATH . "/$ids[1]")->{status}, 200,
       'and can be deleted');
};


story 'requests for a list that are wrong', {}, sub
{
    my $servers = shift;

    for (
        [ 'page=-1', 'page | integer' ],
        [ 'page=x', 'page | integer' ],
        [ 'per_page=10000001', 'per_page | 10000000' ],
        [ 'state=Active', 'state | active | inactive' ],
        [ 'user_id=me', 'user_id | integer' ],
        [ 'user_id=-1', 'user_id | integer' ],
    ) {
        my ($query, $facts) = @$_;
        my $answer = $servers->admin->get(PATH . "?$query");

        is($answer->{status}, 422, "$query is 422");
        like($answer->{json}{errors}, facts($facts), '... and why');
    }
};


story 'tokens that have no list yet', {}, sub
{
    my $servers = shift;

    my $admin = $servers->admin;

    # as a release that has no list leaves them, and goes on making them

    created($servers, "token-$_") for 1 .. 3;
    is($servers->redis('exists', 'dfpreheat:token:list'), 0, 'there is none');
    is_deeply(names($admin->get(PATH)), [ map { "token-$_" } 3, 2, 1 ],
              'they are found');

    $servers->redis('set', 'dfpreheat:token:next', MANY - 1);
    created($servers, 'far-away');

    my $list = $admin->get(PATH . '?state=active');

    is_deeply(names($list), [ 'far-away', map { "token-$_" } 3, 2, 1 ],
              'however far their ids are apart');
    is($list->{headers}{'x-total-count'}, 4, 'in one answer');
    is($list->{json}[0]{id}, MANY, 'ids stay as they are');
};


story 'more tokens than are compared with a filter', {}, sub
{
    my $servers = shift;

    created($servers, 'oldest');
    $servers->redis('eval', <<'END', 0);
        for id = 2, 10003 do
            redis.call('HSET', 'dfpreheat:token:' .. id, 'hash', id, 'name', id,
                       'bio', '', 'scopes', 1, 'state', 'active', 'created', 1,
                       'user_id', 7, 'expired_at', 2000000000000)
        end
        redis.call('SET', 'dfpreheat:token:next', 10003)
END

    my $list = $servers->admin->get(PATH . '?user_id=7&per_page=1');

    is_deeply(names($list), ['10003'], 'the newest are');
    is($list->{headers}{'x-incomplete-results'}, 'true',
       'the answer says that there may be more');
    is($list->{headers}{'x-total-count'}, undef, '... and not how many');
    unlike($list->{headers}{link}, qr/rel=last/, '... nor which page is the last');

    $list = $servers->admin->get(PATH . '?page=10003&per_page=1');
    is_deeply(names($list), ['oldest'], 'without a filter all are there');
    is($list->{headers}{'x-total-count'}, 10_003, '... and counted');
};


story 'one token', {}, sub
{
    my $servers = shift;

    my $admin = $servers->admin;
    my $made = created($servers, 'ci', bio => 'a "b"', user_id => 4);

    is($made->{last_used_at}, undef, 'a new one was never used');
    is_deeply($admin->get(PATH . '/1')->{json}, { %$made, token => '' },
              'is shown without its secret');
    is($admin->get(PATH . '/001')->{json}{id}, 1, 'zeros before an id are none');

    for my $method (qw( GET PATCH DELETE )) {
        my $body = $method eq 'PATCH' ? '{}' : '';
        my $answer = $admin->request($method, PATH . '/2', $body);

        is("$answer->{status} $answer->{body}",
           '404 {"message":"record not found"}', "$method: one that is not there");

        for my $id ('0', '-1', 'abc', '9223372036854775808') {
            $answer = $admin->request($method, PATH . "/$id", $body);
            is($answer->{status}, 422, "$method: $id is no id");
            like($answer->{json}{errors}, facts('token id | integer'),
                 '... and why');
        }

        my $wrong = DFP::Client->new(port => $servers->{port},
                                     token => $made->{token});
        is($wrong->request($method, PATH . '/1', $body)->{status}, 401,
           "$method: a token is not the admin key");
    }

    my $put = $admin->request('PUT', PATH . '/1', '{}');

    is("$put->{status} $put->{headers}{allow}",
       '405 GET, HEAD, PATCH, DELETE, OPTIONS', 'PUT is not allowed');
    is($admin->get(PATH . '/1/2')->{status}, 404, 'nothing is below a token');
};


story 'a token is changed', {}, sub
{
    my $servers = shift;

    my $made = created($servers, 'ci', bio => 'old', user_id => 4,
                       scopes => [qw( job origin-credentials )]);
    my $before = { %$made, token => '' };

    my $changed = sub {
        my ($change, $fields, $name) = @_;

        my $answer = patch($servers, 1, $change);
        my %now = %{ $answer->{json} };

        is($answer->{status}, 200, $name);
        is_deeply({ %now, updated_at => '' },
                  { %$before, %$fields, updated_at => '' },
                  '... and nothing else');
        is_deeply($servers->admin->get(PATH . '/1')->{json}, \%now,
                  '... GET shows the same');
        $before = \%now;
    };

    $changed->({}, {}, 'nothing');
    is($before->{updated_at}, $made->{updated_at}, 'which is no update');
    $changed->({ bio => 'new' }, { bio => 'new' }, 'its bio');
    isnt($before->{updated_at}, $made->{updated_at}, 'which is one');
    $changed->({ bio => '' }, { bio => '' }, 'its bio is cleared');
    $changed->({ scopes => ['cluster'] }, { scopes => ['cluster'] },
               'its scopes');
    $changed->({ state => 'inactive', name => 'other', token => 'x', id => 9 },
               { state => 'inactive' }, 'its state, and unknown fields');
    $changed->({ state => 'active', user_id => 5 },
               { state => 'active', user_id => 5 }, 'several things at once');
    $changed->({ expired_at => '2001-01-01T00:00:00+01:00' },
               { expired_at => '2000-12-31T23:00:00.000Z' }, 'its end');
    $changed->({ bio => undef, scopes => undef, state => '', user_id => 0,
                 expired_at => '0001-01-01T00:00:00Z' }, {},
               'what a client in Go sends for nothing');

    for (
        [ '[]', 'JSON object' ], [ '{', 'JSON' ], [ '', 'JSON' ],
        [ { scopes => [] }, 'scopes | element' ],
        [ { scopes => ['admin'] }, 'scopes[0] | job' ],
        [ { state => 'deleted' }, 'state | active or inactive' ],
        [ { expired_at => 'soon' }, 'expired_at | RFC 3339' ],
        [ { bio => 'b' x 1025 }, 'bio | 1024' ],
    ) {
        my ($change, $facts) = @$_;
        my $answer = patch($servers, 1, $change);

        is($answer->{status}, 422, "422: $facts");
        like($answer->{json}{errors}, facts($facts), '... and why');
    }

    is(patch($servers, 1, ' ' x 2_000_000)->{status}, 413, 'a large one is 413');
    is_deeply($servers->admin->get(PATH . '/1')->{json}, $before,
              'and nothing has changed');
    is(scalar $servers->logged(qr/\[notice\] .* token 1 "ci" changed/), 8,
       'changes are in the log');
};


story 'a token is deleted', {}, sub
{
    my $servers = shift;

    my $admin = $servers->admin;
    my ($made, $other) = map { created($servers, $_) } qw( ci other );

    is(status($servers, $made->{token}), 404, 'it works');

    my $answer = $admin->request('DELETE', PATH . "/$made->{id}");

    is("$answer->{status} '$answer->{body}'", "200 ''", 'it is deleted');
    is($answer->{headers}{'content-type'}, undef, '... with an empty answer');
    ok(wait_until(REVOKED, sub { status($servers, $made->{token}) == 401 }),
       'it does not work any more');
    is($admin->request('DELETE', PATH . "/$made->{id}")->{status}, 404,
       'it is deleted once');
    is($admin->get(PATH . "/$made->{id}")->{status}, 404, 'it is gone');
    is_deeply(names($admin->get(PATH)), ['other'], 'also from the list');
    is(status($servers, $other->{token}), 404, 'another one works');
    ok(scalar $servers->logged(qr/\[notice\] .* token 1 deleted/),
       'the log says so');

    my $again = created($servers, 'ci');

    is($again->{id}, 3, 'its name is free, its id is not used again');
    is($admin->post(PATH, { name => 'ci', expired_at => LATE })->{status}, 409,
       'and then the name is taken');
    is_deeply([ sort map { s/hash:.*/hash/r }
                     split /\n/, $servers->redis('keys', 'dfpreheat:token:*') ],
              [ map { "dfpreheat:token:$_" }
                qw( 2 3 hash hash list listed names next ) ],
              'of the first one nothing is left');

    # as a token of that name, which an older release has made meanwhile

    $servers->redis(qw( hset dfpreheat:token:names other 77 ));
    is($admin->request('DELETE', PATH . '/2')->{status}, 200, 'another');
    is($servers->redis(qw( hget dfpreheat:token:names other )), 77,
       'leaves a name that is not its own');
};


story 'Redis is stopped while tokens are managed', {}, sub
{
    my $servers = shift;

    created($servers, $_) for qw( one two );

    my @requests = ([ GET => PATH ], [ GET => PATH . '/1' ],
                    [ PATCH => PATH . '/1', '{"bio":"b"}' ],
                    [ DELETE => PATH . '/2' ]);
    my @clients;

    $servers->redis_signal('STOP');

    for my $request (@requests) {
        my $client = $servers->admin;

        $client->start(@$request);
        push @clients, $client;
    }

    $servers->redis_signal('CONT');

    is_deeply([ map { $_->finish(10)->{status} } @clients ],
              [ (200) x 4 ], 'all are answered when it goes on');
};

done_testing();
