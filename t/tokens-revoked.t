# A token that is deleted, made inactive, or loses its scope or its time: from when
# on is it refused, by each worker of each nginx? And when it was used last.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw( tempdir );
use JSON::PP qw( encode_json );
use POSIX qw( strftime );
use Test::More;
use Time::HiRes qw( time );

use DFP::Client;
use DFP::Process qw( free_port wait_until );
use DFP::Relay;
use DFP::Servers;
use DFP::Story qw( story );

use constant {
    PATH    => '/api/v1/personal-access-tokens',
    LATE    => '2037-01-01T00:00:00Z',
    SOON    => 10,      # s: what needs no timer
    REVOKED => 1,       # s: until a token is refused everywhere
    CACHED  => 5,       # s: the same without messages
    WORKERS => 4,
    CLIENTS => 40,      # of which each worker gets some
    ANSWER  => 0.2,     # s: an answer without Redis
};


# The kernel gives each worker a share of the connections to this port.

sub shared_port
{
    my $port = free_port();

    return ($port, <<"END");
    server {
        listen 127.0.0.1:$port reuseport;
        location /oapi/ { dfpreheat on; }
    }
END
}


# How often a token gets each status, by clients of their own.

sub statuses
{
    my ($port, $token) = @_;

    my %count;

    for (1 .. CLIENTS) {
        my $client = DFP::Client->new(port => $port, token => $token);

        $count{ $client->get('/oapi/v1/jobs/1')->{status} }++;
    }

    return \%count;
}


sub status
{
    my ($port, $token) = @_;

    return DFP::Client->new(port => $port, token => $token)
                      ->get('/oapi/v1/jobs/1')->{status};
}


sub created
{
    my ($servers, $name, %fields) = @_;

    my $answer = $servers->admin->post(PATH, {
        name => $name, expired_at => LATE, %fields });

    die "no token: $answer->{body}" if $answer->{status} != 200;

    return @{ $answer->{json} }{qw( id token )};
}


# Revokes a token; undef: deletes it.

sub revoke
{
    my ($servers, $id, $change) = @_;

    my $answer = $servers->admin->request($change ? 'PATCH' : 'DELETE',
        PATH . "/$id", $change ? encode_json($change) : '');

    die "not revoked: $answer->{body}" if $answer->{status} != 200;
}


sub used
{
    my ($servers, $id) = @_;

    return $servers->admin->get(PATH . "/$id")->{json}{last_used_at};
}


my @ways = (
    [ 'is deleted'    => 401, undef ],
    [ 'is inactive'   => 403, { state => 'inactive' } ],
    [ 'has expired'   => 403, { expired_at => '2001-01-01T00:00:00Z' } ],
    [ 'has lost its scope' => 403, { scopes => ['cluster'] } ],
);


{
    my ($one, $listen_one) = shared_port();
    my ($two, $listen_two) = shared_port();

    story 'a token that is revoked at one nginx', {
        workers => WORKERS, http => $listen_one }, sub
    {
        my $servers = shift;

        my $second = DFP::Servers->new(workers => WORKERS, no_redis => 1,
            redis_port => $servers->{redis_port}, http => $listen_two);

        $second->start;
        ok(wait_until(SOON, sub {
               $servers->redis(qw( pubsub numsub dfpreheat:wake ))
               =~ /\b${\ (2 * WORKERS)}\z/;
           }), 'all workers of two nginx listen');

        for my $way (@ways) {
            my ($name, $status, $change) = @$way;
            my ($id, $token) = created($servers, $name);

            for my $port ($one, $two) {
                is_deeply(statuses($port, $token), { 404 => CLIENTS },
                          "one that $name worked before")
            }

            revoke($servers, $id, $change);
            my $since = time;

            for my $port ($two, $one) {
                ok(wait_until(REVOKED, sub {
                       my $count = statuses($port, $token);
                       keys %$count == 1 && $count->{$status};
                   }), "... and is refused by all workers, $status");
            }

            cmp_ok(time - $since, '<', REVOKED, '... in time');
        }

        # the way back is as short

        my ($id, $token) = created($servers, 'again', scopes => ['cluster']);

        is_deeply(statuses($two, $token), { 403 => CLIENTS }, 'a wrong scope');
        revoke($servers, $id, { scopes => ['job'] });
        ok(wait_until(REVOKED, sub { (statuses($two, $token)->{404} // 0)
                                     == CLIENTS }), 'a right one');

        $second->stop_all;
    };
}


# A user of Redis without channels

story 'a token that is revoked where there are no messages', { workers => 1,
    no_redis => 1, redis_user => 'dfpreheat', redis_password => 'secret',
    before_nginx => sub {
        my $servers = shift;

        $servers->redis_start;
        $servers->redis(qw( acl setuser dfpreheat on >secret ~* +@all
                            resetchannels ));
    } }, sub
{
    my $servers = shift;

    my ($id, $token) = created($servers, 'ci');

    is(status($servers->{port}, $token), 404, 'it works');
    revoke($servers, $id);
    is(status($servers->{port}, $token), 401,
       'it is refused at once by the worker that has revoked it');

    ($id, $token) = created($servers, 'ci');
    is(status($servers->{port}, $token), 404, 'another one works');

    # as if another nginx had done so

    $servers->redis('hset', "dfpreheat:token:$id", 'state', 'inactive');
    ok(wait_until(CACHED + REVOKED, sub {
           status($servers->{port}, $token) == 403;
       }), 'is refused by others when they do not remember it any more');
};


story 'a token that is revoked while a worker subscribes again', {
    workers => 1 }, sub
{
    my $servers = shift;

    my ($id, $token) = created($servers, 'ci');

    for (1 .. 3) {
        revoke($servers, $id, { state => 'active' });
        is(status($servers->{port}, $token), 404, 'it works');

        $servers->redis(qw( client kill type pubsub ));
        $servers->redis('hset', "dfpreheat:token:$id", 'state', 'inactive');

        ok(wait_until(CACHED - REVOKED, sub {
               status($servers->{port}, $token) == 403;
           }), 'it is refused before it would be forgotten');
    }
};


{
    my $redis_port = free_port();
    my $relay = DFP::Relay->start($redis_port);

    story 'a token that is revoked while it is looked up', {
        workers => 1, lease => '60s', redis_port => $redis_port,
        via => $relay->port,
        http => 'dfpreheat_redis_timeout 20s;' }, sub
    {
        my $servers = shift;

        my $second = DFP::Servers->new(workers => 1, no_redis => 1,
                                       redis_port => $redis_port);

        $second->start;
        ok(wait_until(SOON, sub {
               $servers->redis(qw( pubsub numsub dfpreheat:wake )) =~ /\b2\z/;
           }), 'two workers listen');

        my ($id, $token) = created($servers, 'ci');
        my $client = DFP::Client->new(port => $servers->{port},
                                      token => $token);

        # another one is refused without Redis, as long as it is cached

        my ($other_id, $other) = created($servers, 'other',
                                         scopes => ['cluster']);
        is(status($servers->{port}, $other), 403, 'another one is cached');

        $relay->hold;
        $client->start('GET', '/oapi/v1/jobs/1');
        ok(wait_until(SOON, sub { $relay->held }), 'Redis has found it');

        # messages come one after the other

        revoke($second, $id, { state => 'inactive' });
        revoke($second, $other_id);
        ok(wait_until(SOON, sub {
               my $ask = DFP::Client->new(port => $servers->{port},
                                          token => $other);
               $ask->start('GET', '/oapi/v1/jobs/1');
               !$ask->answered(ANSWER);
           }), 'a message says that it is revoked');
        ok(!$client->answered(0), 'and Redis\'s reply comes after that');
        $relay->release;

        is($client->finish(SOON)->{status}, 404,
           'the request that came before is answered');
        is(status($servers->{port}, $token), 403, 'the next one is refused');

        $second->stop_all;
    };
}


story 'a token that is revoked while the body of a POST comes in', {
    workers => 1 }, sub
{
    my $servers = shift;

    my $body = encode_json($servers->files([ '/quick/100/a' ]));

    for my $revoked (0, 1) {
        my ($id, $token) = created($servers, "ci-$revoked");
        my $client = DFP::Client->new(port => $servers->{port},
                                      token => $token);

        $client->start('POST', '/oapi/v1/jobs', $body, undef,
                       length($body) - 1);
        ok(wait_until(SOON, sub { used($servers, $id) }), 'the token is checked');
        ok(!$client->answered(0), 'most of the body has come');
        revoke($servers, $id) if $revoked;
        $client->more(substr $body, -1);
        is($client->finish(SOON)->{status}, $revoked ? 401 : 200,
           $revoked ? 'the job of a revoked token is refused'
                    : 'the job of another one is accepted');
    }

    is($servers->stored_jobs, 1, 'one job is stored');
};


# The number of commands that may wait for Redis is limited. They are those of
# clients, not look-ups of tokens.

my $debug = tempdir('dfpreheat-debug-XXXXXXXX', TMPDIR => 1, CLEANUP => 1)
            . '/log';

story 'Redis is stopped while requests are held', { workers => 1,
    main => "error_log $debug debug;" }, sub
{
    my $servers = shift;

    my @tokens = map { [ created($servers, "ci-$_") ] } 1 .. 3;
    my $job = $servers->post_files(['/gate/1000/held']);

    my @held = map {
        my $client = DFP::Client->new(port => $servers->{port},
                                      token => $_->[1]);
        $client->start('GET', "/oapi/v1/jobs/$job?wait=60s");
        $client;
    } @tokens;

    ok(wait_until(SOON, sub {
           return $servers->redis('hget', "dfpreheat:job:$job", 'wait') eq '1';
       }), 'some wait');

    $servers->redis_kill;

    my $unknown = DFP::Client->new(port => $servers->{port},
                                   token => 'unknown');

    $unknown->start('GET', '/oapi/v1/jobs/1');
    sleep CACHED + 1;
    $servers->redis_start;
    is($unknown->finish(SOON)->{status}, 401,
       'a client that came meanwhile is answered');

    open my $log, '<', $debug or die "$debug: $!";
    is(scalar(grep { /token_find waits for the connection/ } <$log>), 1,
       'and nothing but its command has waited');

    revoke($servers, $tokens[0][0]);
    is($held[0]->finish(CACHED)->{status}, 401, 'a token is refused again');
};


story 'the last use of a token', { workers => 2 }, sub
{
    my $servers = shift;

    my ($id, $token) = created($servers, 'ci');
    my $minute = sub { strftime('%Y-%m-%dT%H:%M:00.000Z', gmtime $_[0]) };

    is(used($servers, $id), undef, 'is unknown at first');

    my $since = time;
    status($servers->{port}, $token) for 1 .. CLIENTS;
    my $until = time;

    my $used = used($servers, $id);

    cmp_ok($used, 'ge', $minute->($since), 'is its minute');
    cmp_ok($used, 'le', $minute->($until), '... and no later one');

    my ($writes) = $servers->redis('info', 'commandstats')
                   =~ /cmdstat_hset:calls=(\d+)/;

    status($servers->{port}, $token) for 1 .. CLIENTS;

    my ($now) = $servers->redis('info', 'commandstats')
                =~ /cmdstat_hset:calls=(\d+)/;

    cmp_ok($now - $writes, '<', CLIENTS / 4,
           'is not written with each request');

    # an hour ago

    $servers->redis('hset', "dfpreheat:token:$id", 'used', 1_000_000_020_000);
    is(used($servers, $id), '2001-09-09T01:47:00.000Z', 'is what is stored');
    ok(wait_until(CACHED + REVOKED, sub {
           status($servers->{port}, $token);
           used($servers, $id) ge $minute->($since);
       }), 'and is renewed by the next use');

    # what is refused is no use

    my ($idle, $idle_token) = created($servers, 'idle');

    revoke($servers, $idle, { state => 'inactive' });
    is(status($servers->{port}, $idle_token), 403, 'an inactive one is refused');
    is(used($servers, $idle), undef, 'which is no use');
};


story 'a Redis that has no memory for the last use', { workers => 1 }, sub
{
    my $servers = shift;

    my ($id, $token) = created($servers, 'ci');

    $servers->redis(qw( config set maxmemory 1 ));
    is(status($servers->{port}, $token), 404, 'a token works');
    $servers->redis(qw( config set maxmemory 0 ));
    is(used($servers, $id), undef, 'its use is not stored');
};


story 'nginx reloads, and a token is revoked', { workers => 2 }, sub
{
    my $servers = shift;

    my ($id, $token) = created($servers, 'ci');

    is(status($servers->{port}, $token), 404, 'it works');
    $servers->nginx_reload;
    is(status($servers->{port}, $token), 404, 'also afterwards');
    revoke($servers, $id);
    ok(wait_until(REVOKED, sub {
           !grep { status($servers->{port}, $token) != 401 } 1 .. CLIENTS;
       }), 'it is refused by the new workers');
    $servers->nginx_reload;
    is(status($servers->{port}, $token), 401, 'and by the next');
};

done_testing();
