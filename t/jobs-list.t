# The list of jobs, and what may be changed of one: GET of the list, PATCH,
# DELETE, and a POST that is repeated with a key.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use JSON::PP qw( encode_json );
use Test::More;

use DFP::Cluster;
use DFP::Process qw( wait_until );
use DFP::Servers;
use DFP::Story qw( story );

use constant {
    LEASE => '1s',
    JOBS  => '/oapi/v1/jobs',
};


# So many jobs that end; their ids, the newest first.

sub posted
{
    my ($servers, $n, @with) = @_;

    my @ids = map { post($servers, "/quick/10/$_", @with) } 1 .. $n;

    $servers->ended_job($_, SOON) for @ids;

    return reverse @ids;
}


sub post
{
    my ($servers, $path, %with) = @_;

    my $job = $servers->files([$path]);
    my $answer = $servers->client->post(JOBS, { %$job, %with });

    return $answer->{json}{id} // die "no job: $answer->{body}";
}


sub send_json
{
    my ($client, $method, $path, $value) = @_;

    return $client->request($method, $path, encode_json($value));
}


sub listed
{
    my ($servers, $query) = @_;

    my $answer = $servers->client->get(JOBS . ($query // ''));

    return [ map { $_->{id} } @{ $answer->{json} } ];
}


story 'the list has the newest jobs first, page by page', {}, sub
{
    my $servers = shift;

    is_deeply(listed($servers), [], 'it is empty');

    my @ids = posted($servers, 12);

    is_deeply(listed($servers), [ @ids[0 .. 9] ], 'ten of them');
    is_deeply(listed($servers, '?page=2'), [ @ids[10, 11] ], 'the rest');
    is_deeply(listed($servers, '?page=3'), [], 'no more');
    is_deeply(listed($servers, '?per_page=5&page=2'), [ @ids[5 .. 9] ],
              'pages of five');
    is_deeply(listed($servers, '?per_page=10000000'), \@ids, 'all');

    my $answer = $servers->client->get(JOBS . '?per_page=5&state=SUCCESS');

    is($answer->{headers}{'x-total-count'}, 12, 'the total');
    is($answer->{headers}{link},
       '</oapi/v1/jobs?page=1&per_page=5&state=SUCCESS>;rel=prev,'
       . '</oapi/v1/jobs?page=2&per_page=5&state=SUCCESS>;rel=next,'
       . '</oapi/v1/jobs?page=1&per_page=5&state=SUCCESS>;rel=first,'
       . '</oapi/v1/jobs?page=3&per_page=5&state=SUCCESS>;rel=last',
       'the other pages, with the filter');

    my $one = $servers->job($ids[0]);
    my $job = $answer->{json}[0];

    delete @$one{qw( seed_peer_clusters scheduler_clusters )};

    is_deeply([ delete @$job{qw( seed_peer_clusters scheduler_clusters )} ],
              [ undef, undef ], 'a list has none');
    is_deeply($job, $one, 'but all the rest');
};


story 'filters of the list', {}, sub
{
    my $servers = shift;

    my @ok = posted($servers, 2, user_id => 7);
    my @failed = posted($servers, 1);
    my $failed = $servers->client->post(JOBS,
        { type => 'preheat', user_id => 7,
          args => { type => 'file', url => 'http://unbound.test/a' } })
        ->{json}{id};
    my $pending = post($servers, '/gate/10/a', user_id => 8);

    $servers->ended_job($failed, SOON);

    is_deeply(listed($servers, '?state=SUCCESS'), [ @failed, @ok ], 'SUCCESS');
    is_deeply(listed($servers, '?state=FAILURE'), [ $failed ], 'FAILURE');
    is_deeply(listed($servers, '?state=PENDING'), [ $pending ], 'PENDING');
    is_deeply(listed($servers, '?state=RETRY'), [], 'one that is never used');
    is_deeply(listed($servers, '?user_id=7'), [ $failed, @ok ], 'a user');
    is_deeply(listed($servers, '?user_id=9'), [], 'another');
    is_deeply(listed($servers, '?user_id=7&state=SUCCESS'), \@ok, 'both');
    is_deeply(listed($servers, '?type=preheat&per_page=2'),
              [ $pending, $failed ], 'a type');
    is_deeply(listed($servers, '?type=gc'), [], 'another type');
    is_deeply(listed($servers, '?anything=1&per_page=1'), [ $pending ],
              'what is unknown is ignored');

    for my $query (qw( state=success state=X page=-1 page=x per_page=-1
                       per_page=10000001 user_id=x user_id=-1 ))
    {
        my ($name) = $query =~ /^(\w+)=/;
        my $answer = $servers->client->get(JOBS . "?$query");

        is($answer->{status}, 422, "$query is refused");
        like($answer->{json}{errors}, qr/\b$name\b/, 'by its name');
    }

    $servers->origin->open_gate('/gate/10/a');
};


story 'a page of large jobs has the newest in full', {}, sub
{
    my $servers = shift;

    my @ids = posted($servers, 3);

    # a field that is not shown is as large as many jobs

    $servers->redis('eval', q{return redis.call('HSET', KEYS[1], 'x',
        string.rep('x', 17000000))}, 1, "dfpreheat:job:$ids[0]");

    my @jobs = @{ $servers->client->get(JOBS)->{json} };

    is_deeply([ map { $_->{id} } @jobs ], \@ids, 'all are listed');
    ok($jobs[0]{args}{urls}, 'the newest with its URLs');
    is(@{ $jobs[0]{result}{job_states} }, 1, 'and its result');
    is_deeply([ map { @$_{qw( args result )} } @jobs[1, 2] ], [ (undef) x 4 ],
              'the others have neither');
    is_deeply([ map { $_->{state} } @jobs ], [ ('SUCCESS') x 3 ],
              'but their state');
};


story 'jobs that are damaged in Redis', {}, sub
{
    my $servers = shift;

    my @ids = posted($servers, 5);
    my ($good, $stateless, $unowned, $partless, $other) = @ids;
    my $key = sub { "dfpreheat:job:$_[0]" };

    $servers->redis('hdel', $key->($stateless), 'state');
    $servers->redis('hset', $key->($unowned), 'c:1', 'x');
    $servers->redis('hset', $key->($partless), 'parts', 1_000_000_000);

    is($servers->client->get(JOBS . "/$_")->{status}, 500, "job $_ is damaged")
        for $stateless, $unowned, $partless;

    for my $query ('', '?state=SUCCESS', '?user_id=0') {
        is_deeply(listed($servers, $query), [ $good, $other ],
                  "the list$query has the others");
    }

    cmp_ok(scalar(my @logged = $servers->logged(qr/job \d+ is damaged/)), '<=',
           3 * 2, 'each worker logs each of them once');
    cmp_ok(scalar @logged, '>=', 3, '... at least one does');

    is($servers->client->request('DELETE', JOBS . "/$_")->{status}, 200,
       "job $_ can be deleted") for $stateless, $unowned, $partless;
    is($servers->client->get(JOBS)->{headers}{'x-total-count'}, 2,
       'and is gone');
};


story 'a job leaves the list when its time is over',
    { http => 'dfpreheat_job_retention 1s;', lease => LEASE }, sub
{
    my $servers = shift;

    my ($id) = posted($servers, 1, user_id => 3);

    ok(wait_until(SOON, sub { !@{ listed($servers) } }), 'the list is empty');
    is($servers->client->get(JOBS . "/$id")->{status}, 404, 'it is gone');
    ok(wait_until(SOON, sub {
           ! grep { /jobs|expiry/ } $servers->redis('keys', 'dfpreheat:*');
       }), 'nothing of it is left');
};


story 'PATCH changes bio and user_id, and nothing else', {}, sub
{
    my $servers = shift;

    my ($id) = posted($servers, 1, bio => "a\n\"b\"", user_id => 7);
    my $path = JOBS . "/$id";
    my $client = $servers->client;
    my $before = $servers->job($id);

    my $answer = send_json($client, 'PATCH', $path,
        { bio => 'new', user_id => 8, state => 'FAILURE', unknown => 1 });

    is($answer->{status}, 200, 'it is changed');
    is($answer->{json}{bio}, 'new', 'the bio');
    is($answer->{json}{user_id}, 8, 'the user');
    is($answer->{json}{state}, 'SUCCESS', 'not the state');
    is_deeply($answer->{json}{result}{job_states},
              $before->{result}{job_states}, 'nor its results');
    is_deeply(listed($servers, '?user_id=7'), [], 'it left its old user');
    is_deeply(listed($servers, '?user_id=8'), [$id], 'for the new one');

    is(send_json($client, 'PATCH', $path, { user_id => 9 })->{json}{bio}, 'new',
       'what is not given stays');
    is(send_json($client, 'PATCH', $path, { bio => '' })->{json}{bio}, '',
       'a bio can be cleared');

    for ([ $path, { bio => 1 }, 422 ], [ $path, { bio => 'x' x 1025 }, 422 ],
         [ $path, { user_id => '8' }, 422 ], [ $path, [], 422 ],
         [ JOBS . '/99', { bio => '' }, 404 ], [ JOBS . '/x', {}, 422 ])
    {
        my ($to, $body, $status) = @$_;
        is(send_json($client, 'PATCH', $to, $body)->{status}, $status,
           "$to: $status");
    }
};


story 'a deleted job is stopped, and is gone', { lease => '60s' }, sub
{
    my $servers = shift;

    my $path = '/gate/10/a';
    my $origin = $servers->origin;
    my $client = $servers->client;
    my $id = post($servers, $path);

    $origin->wait_at_gate($path, SOON) or die 'nobody fetches it';

    my $answer = $client->request('DELETE', JOBS . "/$id");

    is($answer->{status}, 200, 'it is deleted');
    is($answer->{body}, '', 'the answer is empty');
    is($answer->{headers}{'content-type'}, undef, 'and has no type');
    ok(wait_until(1, sub { $servers->logged(qr/stops: .*deleted/) }),
       'its run stops within a second');
    is($client->get(JOBS . "/$id")->{status}, 404, 'it is gone');
    is($client->request('DELETE', JOBS . "/$id")->{status}, 404,
       'for a second DELETE, too');
    is_deeply(listed($servers), [], 'the list is empty');
    is_deeply([ grep { /job:\d|ready|lease|deadlines|jobs/ }
                     split /\n/, $servers->redis('keys', 'dfpreheat:*') ], [],
              'nothing of it is left');

    $origin->open_gate($path);
    my ($next) = posted($servers, 1);
    ok($next > $id, 'its id is not used again');
    is($client->request('DELETE', JOBS . "/$next")->{status}, 200,
       'one that has ended can be deleted, too');
};


story 'a POST with a key creates one job', {}, sub
{
    my $servers = shift;

    my $client = $servers->client;
    my $body = $servers->files(['/quick/10/a']);

    my $again = sub {
        my ($key, $job) = @_;
        $client->request('POST', JOBS, encode_json($job),
                         { 'Idempotency-Key' => $key });
    };

    my $id = $again->('one', $body)->{json}{id};
    $servers->ended_job($id, SOON);

    my $answer = $again->('one', $body);
    is($answer->{status}, 200, 'it may be repeated');
    is($answer->{json}{id}, $id, 'it is the same job');
    is($answer->{json}{state}, 'SUCCESS', 'as it is now');
    isnt($again->('two', $body)->{json}{id}, $id, 'another key is another job');

    $answer = $again->('one', $servers->files(['/quick/10/b']));
    is($answer->{status}, 422, 'another body is refused');
    like($answer->{json}{errors}, qr/^Idempotency-Key\b/, 'by its name');

    is($again->('', $body)->{status}, 422, 'an empty key');
    is($again->('x' x 256, $body)->{status}, 422, 'a long one');
    is($again->('x' x 255, $body)->{status}, 200, 'not too long');

    like($servers->redis('keys', '*:once:*'), qr/:once:/, 'keys are stored');
    unlike(join(' ', map { $servers->redis('get', $_) }
                         split /\n/, $servers->redis('keys', '*:once:*')),
           qr/${\ sha256_hex(encode_json($body)) }/,
           'but no hash by which a body could be guessed');

    $client->request('DELETE', JOBS . "/$id");
    isnt($again->('one', $body)->{json}{id}, $id,
         'after a DELETE it is a new job');
};


cluster_story 'a job is deleted by one nginx, and stops on all of them',
    { lease => '60s' }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my $path = '/gate/1000/a';
    my $id = $one->post_files([$path]);

    at_gates($path, $one, $two, $three);
    is($two->client->request('DELETE', JOBS . "/$id")->{status}, 200,
       'it is deleted');

    for my $servers ($one, $two, $three) {
        ok(wait_until(SOON, sub { $servers->logged(qr/stops: .*deleted/) }),
           'its run stops');
    }

    is($three->client->get(JOBS . "/$id")->{status}, 404, 'it is gone');
    open_gates($path, $one, $two, $three);
    is($one->ended_job($three->post_files(['/quick/1000/b']), SOON)->{state},
       'SUCCESS', 'the next one ends well');
};


done_testing();
