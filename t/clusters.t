# The clusters of this nginx, as Dragonfly's manager shows its own, and what is
# going on in them: who is a member, and how long the queues are.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use HTTP::Tiny;
use JSON::PP;
use Test::More;
use Time::HiRes qw( time );

use DFP::Client;
use DFP::Cluster;
use DFP::Process qw( free_port wait_until );
use DFP::Story qw( story );

use constant {
    CLUSTERS => '/oapi/v1/clusters',
    LONG     => '60s',      # a lease that does not end meanwhile
    KNOWN    => 1000,       # members that are looked at
    LISTED   => 10_000,     # ... and shown in one answer
    NO_TIME  => '0001-01-01T00:00:00Z',
    NOBODY   => { parts_waiting => 0, parts_running => 0,
                  oldest_waiting_age => undef },
    FIELDS   => [qw( bio created_at id is_default name peer_cluster_config
                     scheduler_cluster_config scheduler_cluster_id scopes
                     seed_peer_cluster_config seed_peer_cluster_id status
                     updated_at )],
};

my $gate = '/gate/1000/a';


# A client whose token has these scopes.

sub client
{
    my ($servers, @scopes) = @_;

    # several nginx share the names of tokens
    $servers->{tokens} ||= $servers->{port};

    return DFP::Client->new(port => $servers->{port},
                            token => $servers->token(@scopes));
}


# The answer to GET, or just its JSON.

sub answer
{
    my ($servers, $rest) = @_;

    $servers->{watcher} //= client($servers, 'cluster');

    return $servers->{watcher}->get(CLUSTERS . ($rest // ''));
}

sub got { answer(@_)->{json} }
sub ids { [ map { $_->{id} } @{ got(@_) } ] }
sub status { got($_[0], '/1')->{status} }


# The members of cluster 1 by their names, as one of them tells.

sub members
{
    return { map { $_->{hostname} => $_ } @{ status(@_)->{instances} } };
}

sub field
{
    my ($servers, $field) = @_;

    my $members = members($servers);

    return { map { $_ => $members->{$_}{$field} } keys %$members };
}


sub parts
{
    my $from = shift;

    return { map { $_ => $from->{$_} } keys %{+NOBODY} };
}


# The API

my $port = free_port();

my %several = (http => join '', map({ "dfpreheat_cluster $_;\n" }
    '12 name=b engine=cache', '3 "name=c\'s &\\"" engine=cache',
    '200 name=b engine=cache',
    '7 name=swarm engine=peers 127.0.0.1:1 grpcs://127.0.0.1:2 location=@grpc'),
    <<"END");
    server {
        listen 127.0.0.1:$port;
        location \@grpc {
            include grpc.conf;
            grpc_ssl_verify on;
            grpc_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
        }
    }
END

story 'in the form of the manager', { %several }, sub
{
    my $servers = shift;

    my $one = got($servers, '/1');
    my $limits = { load_limit => 0, block_list => { map { $_ => undef }
                   qw( task persistent_task persistent_cache_task ) } };

    is_deeply([ sort keys %$one ], FIELDS, 'it has all fields');
    is_deeply({ %$one, status => '' }, {
        id => 1, name => 'cluster-1', bio => 'cache', is_default => JSON::PP::true,
        created_at => NO_TIME, updated_at => NO_TIME, status => '',
        scheduler_cluster_id => 1, seed_peer_cluster_id => 0,
        scopes => { idc => '', location => '', cidrs => undef,
                    hostnames => undef },
        scheduler_cluster_config => { candidate_parent_limit => 0,
            filter_parent_limit => 0, job_rate_limit => 0 },
        seed_peer_cluster_config => $limits, peer_cluster_config => $limits,
    }, 'and their types');

    is_deeply([ map { $_->{name} } @{ got($servers) } ],
              [ 'cluster-1', "c's &\"", 'swarm', 'b', 'b' ], 'names');
    is_deeply([ map { $_->{is_default} ? 1 : 0 } @{ got($servers) } ],
              [ 1, 0, 0, 0, 0 ], 'the first of the configuration is the default');
    is_deeply(got($servers)->[2]{status}{schedulers},
              [ '127.0.0.1:1', '127.0.0.1:2' ], 'a cluster of Dragonfly');
    is(got($servers)->[2]{status}{engine}, 'peers', '... and its engine');
    is($one->{status}{schedulers}, undef, 'others have no schedulers');
};


story 'the list, page by page', { %several }, sub
{
    my $servers = shift;

    is_deeply(ids($servers), [ 1, 3, 7, 12, 200 ], 'all, by id');
    is_deeply(ids($servers, '?per_page=2'), [ 1, 3 ], 'two');
    is_deeply(ids($servers, '?per_page=2&page=3'), [200], 'the last page');
    is_deeply(ids($servers, '?per_page=2&page=4'), [], 'beyond the end');
    is_deeply(ids($servers, '?page=100000000000&per_page=10000000'), [],
              'far beyond it');
    is_deeply(ids($servers, '?name=b'), [ 12, 200 ], 'a name');
    is_deeply(ids($servers, '?name=c%27s+%26%22'), [], '+ is not a blank');
    is_deeply(ids($servers, '?name=c%27s%20%26%22'), [3], 'an escaped name');
    is_deeply(ids($servers, '?name=B'), [], 'an unknown one');

    my $answer = answer($servers, '?name=b&per_page=1&page=2');

    is($answer->{headers}{'x-total-count'}, 2, 'the total');
    is($answer->{headers}{link},
       join(',', map { my ($page, $rel) = @$_;
                       "<@{[CLUSTERS]}?page=$page&per_page=1&name=b>;rel=$rel" }
                     [ 1, 'prev' ], [ 3, 'next' ], [ 1, 'first' ], [ 2, 'last' ]),
       'the other pages, with the filter');

    for my $query (qw( page=-1 page=x per_page=-1 per_page=10000001 )) {
        my $answer = answer($servers, "?$query");
        my ($name) = $query =~ /^(\w+)=/;

        is($answer->{status}, 422, "$query is refused");
        like($answer->{json}{errors}, qr/\b$name\b/, 'by its name');
    }
};


story 'requests that are wrong', { %several }, sub
{
    my $servers = shift;

    is(answer($servers, '/2')->{status}, 404, 'no such cluster');
    is(got($servers, '/2')->{message}, 'record not found', '... by its text');
    is(answer($servers, "/$_")->{status}, 422, "id $_")
        for qw( 0 abc -1 9223372036854775808 );
    is(answer($servers, $_)->{status}, 404, "path $_") for qw( / /1/ /1/x );

    for ([ POST => '' ], [ PATCH => '/1' ], [ DELETE => '/1' ], [ PUT => '/1' ],
         [ DELETE => '/2' ])
    {
        my ($method, $rest) = @$_;
        my $answer = $servers->{watcher}->request($method, CLUSTERS . $rest,
                                                  '{}');

        is("$answer->{status} $answer->{headers}{allow}",
           '405 GET, HEAD, OPTIONS', "$method $rest");
    }

    my $url = "http://127.0.0.1:$servers->{port}@{[CLUSTERS]}";
    my $head = HTTP::Tiny->new->head($url, { headers => {
        Authorization => "Bearer $servers->{watcher}{token}" } });
    is($head->{status} . ($head->{content} // ''), '200', 'HEAD');
    is(HTTP::Tiny->new->get($url)->{status}, 401, 'without a token');

    for my $path (CLUSTERS, CLUSTERS . '/1', CLUSTERS . '/2') {
        my $answer = client($servers, 'job')->get($path);

        is($answer->{status}, 403, 'with a token of another scope');
        is($answer->{json}{message}, "Token doesn't have permission to access "
           . 'this resource. Required permission: cluster', '... says which');
    }
};


# The status

cluster_story 'members', { lease => LONG }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my $now = redis_ms($one);
    my $members = members($one);

    is_deeply({ map { $_ => $members->{$_}{ip} } keys %$members },
              { one => '192.0.2.11', two => '192.0.2.12',
                three => '192.0.2.13' }, 'are listed by name');
    is_deeply([ map { $_->{hostname} } @{ status($two)->{instances} } ],
              [qw( one three two )], 'in order');
    is_deeply(field($one, 'id'), { map { $_ => $_ } qw( one two three ) },
              'their ids');

    for my $name (sort keys %$members) {
        my $m = $members->{$name};

        is($m->{running}, JSON::PP::true, "$name is running");
        cmp_ok(abs(ms_of($m->{running_since}) - $now), '<', 1000 * SOON,
               '... for a short time');
        cmp_ok(abs(ms_of($m->{seen_at}) - $now), '<', 1000 * SOON,
               '... and was seen');
        is_deeply($m->{differs_in}, [], '... and is like the others');
        is_deeply(parts($m), NOBODY, '... and has nothing to do');
    }

    is_deeply(parts(status($one)), NOBODY, 'nor has the cluster');
    is(status($one)->{instances_omitted}, 0, 'all are listed');

    $two->nginx_end('QUIT');
    ok(wait_until(SOON, sub { !members($one)->{two}{running} }),
       'one that has stopped is not running');
    is(members($one)->{two}{running_since}, undef, '... since any time');
    is(members($one)->{three}{running}, JSON::PP::true, 'another one is');
    $two->nginx_start;
    ok(wait_until(SOON, sub { members($one)->{two}{running} }),
       'it has started again');
};


cluster_story 'one that hangs', { lease => '1s' }, sub
{
    my ($cluster, $one, $two) = @_;

    pause($two);
    ok(wait_until(SOON, sub { !members($one)->{two}{running} }),
       'is not running, after its lease');
    resume($two);
    ok(wait_until(SOON, sub { members($one)->{two}{running} }), 'until it is');
};


cluster_story 'members that differ', { lease => LONG,
    each => { two => { http => "dfpreheat_task_timeout 7s;\n"
                               . "dfpreheat_platform linux/s390x;\n" } } }, sub
{
    my ($cluster, $one, $two) = @_;

    is_deeply(field($one, 'differs_in'),
              { one => [], two => [qw( platform limits )], three => [] },
              'one differs, as the others see it');
    is_deeply(field($two, 'differs_in'),
              { one => [qw( platform limits )], two => [],
                three => [qw( platform limits )] }, 'or they, as it sees them');
};


sub engine
{
    my $engine = shift;

    my $port = free_port();

    return "dfpreheat_cluster 2 name=other engine=$engine;\n"
           . "server { listen 127.0.0.1:$port;\n"
           . "location \@grpc { include grpc.conf; } }\n";
}

cluster_story 'members with another engine', { lease => LONG, each => {
    one => { http => engine('peers 127.0.0.1:1 location=@grpc') },
    two => { http => engine('scheduler 127.0.0.1:1 location=@grpc') },
    three => { http => engine('cache') } } }, sub
{
    my ($cluster, @all) = @_;

    my @names = qw( one two three );

    for my $i (0 .. 2) {
        is_deeply({ map { $_->{hostname} => $_->{differs_in} }
                    @{ got($all[$i], '/2')->{status}{instances} } },
                  { map { $_ => $_ eq $names[$i] ? [] : ['engine'] } @names },
                  "the others differ from $names[$i]");
    }
};


cluster_story 'parts that wait and run', { lease => LONG }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my $number = sub { field($one, $_[0]) };

    pause($two);
    my $id = $one->post_files([$gate]);
    at_gates($gate, $one, $three);

    is_deeply($number->('parts_running'), { one => 1, two => 0, three => 1 },
              'two run their part');
    is_deeply($number->('parts_waiting'), { one => 0, two => 1, three => 0 },
              'that of the third waits');
    $one->post_files(['/quick/10/b']);
    is($number->('parts_waiting')->{two}, 2, 'one more waits');
    ok(wait_until(SOON, sub { status($one)->{oldest_waiting_age} }),
       'for how long');
    cmp_ok(status($one)->{oldest_waiting_age}, '<=', SOON, 'in seconds');
    is($number->('oldest_waiting_age')->{one}, undef, 'others have none');

    my $status = status($one);

    is($status->{parts_running}, 2, 'in all of the cluster');
    is($status->{parts_waiting}, 2, '... are so many');

    resume($two);
    open_gates($gate, $one, $two, $three);
    is($one->ended_job($id, SOON)->{state}, 'SUCCESS', 'the job ends');
    ok(wait_until(SOON, sub { status($one)->{parts_running} == 0 }),
       'when all have ended');
    is_deeply(parts(status($one)), NOBODY, 'nothing is left');
};


# Hashes of so many nginx that are not there, in Redis.

sub pretend
{
    my ($servers, $n) = @_;

    return $servers->redis('eval', <<'END', 0, $n);
        local kept = redis.call('TIME')[1] * 1000 + 3600000
        for i = 1, ARGV[1] do
          local id = 'pretended-' .. i
          local queue = 'instance:' .. id .. ':1'
          redis.call('HSET', 'dfpreheat:' .. queue, 'id', id, 'name', id,
                     'address', '192.0.2.1', 'who', '192.0.2.1 ' .. id,
                     'clusters', '1,3,12', 'definitions', '1 keys=00000000')
          redis.call('ZADD', 'dfpreheat:owners:' .. id, kept, queue)
          redis.call('ZADD', 'dfpreheat:members', kept, queue)
        end
        return redis.call('ZCARD', 'dfpreheat:members')
END
}

my %many = (lease => LONG, http => join '', map {
    "dfpreheat_cluster $_ name=$_ engine=cache;\n" } 2 .. 12);

story 'more members than can be listed', { %many }, sub
{
    my $servers = shift;

    ok(pretend($servers, KNOWN + 100) > KNOWN, 'there are many');

    my $status = status($servers);

    is(scalar @{ $status->{instances} }, KNOWN, 'so many are looked at');
    is($status->{instances_omitted}, 0, 'and all of these are shown');
    is_deeply($status->{instances}[0]{differs_in}, ['keys'], 'and compared');

    my $list = got($servers, '?per_page=100');
    my $each = int(LISTED / 12);

    is_deeply([ map { scalar @{ $_->{status}{instances} } } @$list[0, 2, 11] ],
              [ ($each) x 3 ], 'of several clusters fewer are shown');
    is($list->[0]{status}{instances_omitted}, KNOWN - $each,
       'it is told how many are not');
};


# While a request waits

sub waits
{
    my ($name, $code) = @_;

    story $name, { lease => LONG }, sub {
        my $servers = shift;

        got($servers);
        $servers->redis_signal('STOP');

        my $client = client_of($servers);
        $client->start('GET', CLUSTERS . '/1');

        $code->($servers, $client);

        $servers->redis_signal('CONT');

        my $answer = eval { $client->finish(SOON) } // { status => $@ };
        is($answer->{status}, 200, 'is answered');
    };
}

sub client_of
{
    my $servers = shift;

    return DFP::Client->new(port => $servers->{port},
                            token => $servers->{watcher}{token});
}

waits 'a request, and Redis stops for a while', sub
{
    my ($servers, $client) = @_;

    ok(!$client->answered(1), 'it waits');
};

waits 'a request, and nginx reloads', sub { $_[0]->nginx_reload };


story 'Redis is unavailable', {}, sub
{
    my $servers = shift;

    got($servers);
    $servers->redis_kill;

    my $client = client_of($servers);
    my $began = time;

    $client->start('GET', CLUSTERS);

    my $answer = $client->finish(28);

    is($answer->{status}, 503, 'the answer');
    cmp_ok(time - $began, '<', 28, 'in time');
};

done_testing();
