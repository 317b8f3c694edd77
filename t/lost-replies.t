# Requests whose reply of Redis is lost with the connection: nginx sends the script
# again, and the client gets the answer that it would have got, not a complaint
# about what its own request has done.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw( encode_json );
use Test::More;

use DFP::Process qw( free_port wait_until );
use DFP::Relay;
use DFP::Story qw( story );

use constant {
    SOON   => 15,       # s
    JOBS   => '/oapi/v1/jobs',
    TOKENS => '/api/v1/personal-access-tokens',
    LOST   => qr/redis \S+ (?:is|was|has|closed|connection)/,
};

my $redis_port = free_port();
my $relay = DFP::Relay->start($redis_port);


# The answer to a request whose first reply does not arrive. It holds in Redis when
# the script has been run.

sub answer
{
    my ($servers, $client, $done, $method, $path, $body) = @_;

    # the token is known, so only one script is sent

    $servers->client->get(JOBS . '/999');

    my $lost = () = $servers->logged(LOST);

    $relay->hold;
    $client->start($method, $path, $body && encode_json($body));
    wait_until(SOON, $done) or die 'the script is not run';
    wait_until(SOON, sub { $relay->held }) or die 'Redis does not reply';
    $servers->redis(qw( client kill type normal ));
    wait_until(SOON, sub { (() = $servers->logged(LOST)) > $lost })
        or die 'the connection is not lost';
    $relay->release;

    return $client->finish(SOON);
}


story 'replies are lost', { workers => 1, lease => '60s',
    redis_port => $redis_port, via => $relay->port,
    http => 'dfpreheat_redis_timeout 20s;' }, sub
{
    my $servers = shift;

    my ($client, $admin) = ($servers->client, $servers->admin);
    my $job = $servers->files(['/quick/10/a']);
    my %new = (name => 'n', expired_at => '2037-01-01T00:00:00Z');

    my $field = sub {
        my ($key, $field) = @_;
        return sub { $servers->redis('hget', "dfpreheat:$key", $field) };
    };
    my $gone = sub {
        my $key = shift;
        return sub { !$servers->redis('exists', "dfpreheat:$key") };
    };

    # Redis knows the scripts from now on

    my ($id, $next) = map { $servers->post_files(["/quick/10/$_"]) } 1, 2;
    my $first = $admin->post(TOKENS, { %new, name => 'first' })->{json}{id};

    $servers->ended_job($_, SOON) for $id, $next;
    $client->request('DELETE', JOBS . "/$next");
    $admin->request('PATCH', TOKENS . "/$first", '{"bio":"a"}');
    $admin->request('DELETE', TOKENS . "/$first");

    my $made = $next + 1;
    my $answer = answer($servers, $client, $field->("job:$made", 'uuid'),
                        POST => JOBS, $job);
    is($answer->{status}, 200, 'a POST is answered');
    is($answer->{json}{id}, $made, 'with the job');
    is($servers->stored_jobs, 2, 'of which there is one');

    $answer = answer($servers, $client, $gone->("job:$id"),
                     DELETE => JOBS . "/$id");
    is($answer->{status}, 200, 'a DELETE is answered');
    is($client->get(JOBS . "/$id")->{status}, 404, 'and the job is gone');
    is($client->request('DELETE', JOBS . "/$id")->{status}, 404,
       'for the next DELETE, too');

    my $token = $first + 1;

    $answer = answer($servers, $admin, $field->("token:$token", 'name'),
                     POST => TOKENS, \%new);
    is($answer->{status}, 200, 'the POST of a token is answered');
    is($answer->{json}{id}, $token, 'with the token');

    $answer = answer($servers, $admin, $field->("token:$token", 'bio'),
                     PATCH => TOKENS . "/$token", { bio => 'b' });
    is($answer->{status}, 200, 'its PATCH is answered');
    is($answer->{json}{bio}, 'b', 'with what it has changed');

    $answer = answer($servers, $admin, $gone->("token:$token"),
                     DELETE => TOKENS . "/$token");
    is($answer->{status}, 200, 'its DELETE is answered');
    is($admin->get(TOKENS . "/$token")->{status}, 404, 'and the token is gone');
};


done_testing();
