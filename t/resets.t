# Clients that reset their connections, at each step of each route, thousands of
# times: nginx frees each request once, and goes on. (An answer that is given
# within the content handler must not run posted requests: the request would be
# freed under nginx.)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use JSON::PP qw( encode_json );
use Test::More;

use DFP::Client;
use DFP::Kept qw( HOUR in_seconds );
use DFP::Process qw( free_port wait_until );
use DFP::Resets qw( http1 http2 );
use DFP::Story qw( story );

use constant {
    TIMES     => 100,       # for each kind of request
    JOB_LIMIT => 15,        # s
    SLOW      => 40,        # s, for a machine that answers few of them in time
    UNKNOWN   => 'a-token-that-nobody-has',
    POLICY    => "dfpreheat_policy all match=**;\n",
};


# The kinds of requests: a name, and what DFP::Resets makes bytes of.

sub requests
{
    my ($servers) = @_;

    my $token = $servers->token;
    my $other = $servers->token('cluster');
    my $admin = DFP::Servers::ADMIN_KEY;
    my $job = encode_json($servers->files([ '/quick/100/a' ]));
    my $kept = $servers->files([ '/quick/100/a' ]);
    $kept->{args}{keep_until} = in_seconds(HOUR);
    my $keep = encode_json($kept);
    my $ends = '/oapi/v1/jobs/' . $servers->post_files(
        [ '/quick/100/a' ], keep_until => in_seconds(HOUR));
    my $dry = encode_json({ %{ $servers->files([ '/quick/100/a' ]) },
                            dry_run => JSON::PP::true });
    my $found = sha256_hex($servers->origin->url . '/quick/100/a' . 'STANDARD');
    my ($get, $delete, $unknown, $image) = map { encode_json($_) }
        { type => 'get_task', args => { task_id => $found } },
        { type => 'delete_task', args => { task_id => $found } },
        { type => 'get_task', args => { task_id => 'unknown' } },
        { type => 'get_image_distribution', args => {
            url => $servers->origin->url . '/v2/none/manifests/1' } };
    my $cache = '/oapi/v1/cache?url='
                . $servers->origin->url =~ s{[:/]}{sprintf '%%%02X', ord $&}ger
                . '/quick/100/a';
    my $pushes = encode_json({ events => [ map {
        my $digest = 'sha256:' . sha256_hex($_);

        { action => 'push', target => {
            mediaType => 'application/vnd.oci.image.manifest.v1+json',
            repository => 'none', tag => "v$_", digest => $digest,
            url => $servers->origin->url . "/v2/none/manifests/$digest" } }
    } 1 .. 3 ] });
    my $wait = '/oapi/v1/jobs/' . $servers->post_files([ '/gate/100/w' ]);
    my $removed = '/oapi/v1/jobs/' . $servers->post_files([ '/quick/100/r' ]);
    my $tokens = '/api/v1/personal-access-tokens';
    my ($changed, $deleted) = map { $servers->token('cluster');
        "$tokens/" . $servers->admin->get($tokens)->{json}[0]{id} } 1, 2;
    my $change = encode_json({ bio => 'b', scopes => ['cluster'] });
    my $new = encode_json({ name => 'n', expired_at => '2037-01-01T00:00:00Z' });

    return (
        [ 'a job, without a token' => 'GET', '/oapi/v1/jobs/1' ],
        [ 'a job, with an unknown token' => 'GET', '/oapi/v1/jobs/1',
          token => UNKNOWN ],
        [ 'a job, with a token of another scope' => 'GET', '/oapi/v1/jobs/1',
          token => $other ],
        [ 'a job' => 'GET', '/oapi/v1/jobs/1', token => $token ],
        [ 'a job that is not there' => 'GET', '/oapi/v1/jobs/999',
          token => $token ],
        [ 'a job, HEAD' => 'HEAD', '/oapi/v1/jobs/1', token => $token ],
        [ 'a job that is waited for' => 'GET', "$wait?wait=30s",
          token => $token ],
        [ 'a job that is waited for, and times out' => 'GET',
          "$wait?wait=1ms&fail=1", token => $token ],
        [ 'a job that is waited for, HEAD' => 'HEAD', "$wait?wait=2ms",
          token => $token ],
        [ 'events of a job' => 'GET', "$wait/events", token => $token ],
        [ 'events of a job that has ended' => 'GET', '/oapi/v1/jobs/1/events',
          token => $token ],
        [ 'events, HEAD' => 'HEAD', "$wait/events", token => $token ],
        [ 'events, and a body' => 'GET', "$wait/events", token => $token,
          body => 'some', sends => 2 ],
        [ 'events of all jobs' => 'GET', '/oapi/v1/events', token => $token ],
        [ 'events of all jobs, HEAD' => 'HEAD', '/oapi/v1/events',
          token => $token ],
        [ 'events of all jobs, and a body' => 'GET', '/oapi/v1/events',
          token => $token, body => 'some', sends => 2 ],
        [ 'events of all jobs, without a token' => 'GET', '/oapi/v1/events' ],
        [ 'a new job that is waited for' => 'POST',
          '/oapi/v1/jobs?wait=30s&fail=1', token => $token, body => $job ],
        [ 'a new job' => 'POST', '/oapi/v1/jobs', token => $token,
          body => $job ],
        [ 'a new job that is kept' => 'POST', '/oapi/v1/jobs', token => $token,
          body => $keep ],
        [ 'a job that is kept' => 'GET', $ends, token => $token ],
        [ 'a dry run that is waited for' => 'POST', '/oapi/v1/jobs?wait=30s',
          token => $token, body => $dry ],
        [ 'a dry run' => 'POST', '/oapi/v1/jobs', token => $token,
          body => $dry ],
        [ 'who has a task, by its id' => 'POST', '/oapi/v1/jobs',
          token => $token, body => $get ],
        [ 'who has a task, by its id, waited for' => 'POST',
          '/oapi/v1/jobs?wait=30s', token => $token, body => $get ],
        [ 'who has a task, by an unknown id' => 'POST', '/oapi/v1/jobs?wait=30s',
          token => $token, body => $unknown ],
        [ 'who has a task, half of it' => 'POST', '/oapi/v1/jobs',
          token => $token, body => $get, sends => 30 ],
        [ 'a task is deleted, by its id' => 'POST', '/oapi/v1/jobs?wait=30s',
          token => $token, body => $delete ],
        [ 'the distribution of an image' => 'POST', '/oapi/v1/jobs',
          token => $token, body => $image ],
        [ 'a new job, half of it' => 'POST', '/oapi/v1/jobs', token => $token,
          body => $job, sends => length($job) / 2 ],
        [ 'a new job, without a token' => 'POST', '/oapi/v1/jobs',
          body => $job ],
        [ 'a new job that is wrong' => 'POST', '/oapi/v1/jobs',
          token => $token, body => '{"type":' ],
        [ 'a new job that is too large' => 'POST', '/oapi/v1/jobs',
          token => $token, body => ' ' x 2_000_000, sends => 1000 ],
        [ 'pushes' => 'POST', '/oapi/v1/notifications', token => $token,
          body => $pushes ],
        [ 'pushes, half of them' => 'POST', '/oapi/v1/notifications',
          token => $token, body => $pushes, sends => length($pushes) / 2 ],
        [ 'pushes that are wrong' => 'POST', '/oapi/v1/notifications',
          token => $token, body => '{"events":' ],
        [ 'clusters' => 'GET', '/oapi/v1/clusters', token => $other ],
        [ 'a page of clusters that is wrong' => 'GET',
          '/oapi/v1/clusters?page=x', token => $other ],
        [ 'a cluster, HEAD' => 'HEAD', '/oapi/v1/clusters/1', token => $other ],
        [ 'a cluster that is not there' => 'GET', '/oapi/v1/clusters/9',
          token => $other ],
        [ 'clusters, with a token of another scope' => 'GET',
          '/oapi/v1/clusters', token => $token ],
        [ 'where a file is' => 'GET', $cache, token => $token ],
        [ 'where a file is, HEAD' => 'HEAD', $cache, token => $token ],
        [ 'where a file is, without a token' => 'GET', $cache ],
        [ 'where nothing is' => 'GET', '/oapi/v1/cache', token => $token ],
        [ 'a file is removed' => 'DELETE', $cache, token => $token ],
        [ 'a new token, with a wrong key' => 'POST', $tokens,
          token => UNKNOWN, body => $new ],
        [ 'a new token, half of it' => 'POST', $tokens, token => $admin,
          body => $new, sends => 10 ],
        [ 'a new token of a name that is taken' => 'POST', $tokens,
          token => $admin, body => $new ],
        [ 'the list of tokens' => 'GET',
          "$tokens?per_page=3", token => $admin ],
        [ 'the list of tokens, HEAD, with a filter' => 'HEAD',
          "$tokens?state=active", token => $admin ],
        [ 'a page that is wrong' => 'GET',
          "$tokens?page=x", token => $admin ],
        [ 'a token' => 'GET', $changed, token => $admin ],
        [ 'a token that is not there' => 'GET',
          "$tokens/999999999", token => $admin ],
        [ 'a token, with a wrong key' => 'GET', $changed,
          token => UNKNOWN ],
        [ 'a change of a token' => 'PATCH', $changed, token => $admin,
          body => $change ],
        [ 'a change of a token, half of it' => 'PATCH', $changed,
          token => $admin, body => $change, sends => 5 ],
        [ 'a token is deleted' => 'DELETE', $deleted, token => $admin ],
        [ 'a path that is not there' => 'GET', '/oapi/v1/none' ],
        [ 'a wrong method' => 'PUT', '/oapi/v1/jobs/1', token => $token ],
        [ 'a list' => 'GET', '/oapi/v1/jobs?state=SUCCESS&user_id=0',
          token => $token ],
        [ 'a job is changed' => 'PATCH', '/oapi/v1/jobs/1', token => $token,
          body => '{"bio":"new"}' ],
        [ 'a job that is kept is deleted' => 'DELETE', $ends, token => $token ],
        [ 'a job is deleted' => 'DELETE', $removed, token => $token ],
        [ 'the health' => 'GET', '/healthy' ],
        [ 'the health, with a token' => 'GET', '/healthy', token => $token ],
        [ 'the health, with an unknown token' => 'GET', '/healthy',
          token => UNKNOWN ],
        [ 'the metrics' => 'GET', '/metrics' ],
    );
}


# The workers are those that were there, and answer.

sub still_there
{
    my ($servers, $name, @workers) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    # without a token, as Redis may have been stopped
    my $status = eval {
        DFP::Client->new(port => $servers->{port})->get('/healthy')->{status}
    } // $@;

    is_deeply([ $status, sort $servers->workers ], [ 200, sort @workers ],
              $name);
}


story 'over HTTP/1.1', { http => POLICY }, sub {
    my $servers = shift;

    $servers->post_files([ '/quick/100/a' ]);

    my $resets = DFP::Resets->new(port => $servers->{port});
    my @workers = $servers->workers;

    for (requests($servers)) {
        my ($name, @request) = @$_;
        my $bytes = http1(@request);

        $resets->run(TIMES, $bytes);
        $resets->run(TIMES / 4, http1('GET', '/healthy') . $bytes . $bytes);
        $resets->run(TIMES / 4, http1('GET', '/healthy'), answered => 1,
                     then => $bytes);
        still_there($servers, $name, @workers);
    }
};


my $port = free_port();

story 'over HTTP/2', { http => POLICY . <<"END" }, sub {
    server {
        listen 127.0.0.1:$port http2;
        location /oapi/ { dfpreheat on; }
        location /healthy { dfpreheat on; }
        location /api/ { dfpreheat on; }
        location = /metrics { dfpreheat_status on; }
    }
END
    my $servers = shift;

    $servers->post_files([ '/quick/100/a' ]);

    my $resets = DFP::Resets->new(port => $port);
    my @workers = $servers->workers;
    my @requests = map { [ @$_[ 1 .. $#$_ ] ] } requests($servers);

    for my $request (@requests) {
        $resets->run(TIMES / 4, http2(($request) x 4));
    }

    still_there($servers, 'a stream of each kind', @workers);

    $resets->run(TIMES, http2(@requests));
    $resets->run(TIMES, http2(@requests), answered => 1);

    # how many are answered before their reset depends on the machine

    ok(wait_until(SLOW, sub {
           return 1 if $servers->stored_jobs > TIMES;
           $resets->run(TIMES / 10, http2(@requests), answered => 1);
           return 0;
       }), 'some of them were answered');
    still_there($servers, 'all kinds at once', @workers);
};


story 'while nginx reloads', { http => POLICY }, sub {
    my $servers = shift;

    my $resets = DFP::Resets->new(port => $servers->{port});
    my @requests = map { http1(@$_[ 1 .. $#$_ ]) } requests($servers);

    # the first worker that fetches the file at the gate stays

    for my $stay (1, 0, 0) {
        my @old = $servers->nginx_reload;

        $resets->run(TIMES / 10, $_) for @requests;
        ok(wait_until(JOB_LIMIT, sub { $stay >= grep { kill 0, $_ } @old }),
           'the old workers leave');
    }

    still_there($servers, 'the last workers are there', $servers->workers);
};


# requests of clients that have gone wait for Redis, too

story 'while Redis is stopped', { connections => 2048, http => POLICY }, sub {
    my $servers = shift;

    my $resets = DFP::Resets->new(port => $servers->{port});
    my @workers = $servers->workers;
    my @requests = map { http1(@$_[ 1 .. $#$_ ]) } requests($servers);
    my $id = $servers->post_files([ '/quick/100/a' ]);

    $servers->redis_signal('STOP');
    $resets->run(TIMES / 4, $_) for @requests;
    $servers->redis_signal('CONT');
    $resets->run(TIMES / 4, $_) for @requests;

    still_there($servers, 'all go on', @workers);
    is($servers->ended_job($id, JOB_LIMIT)->{state}, 'SUCCESS',
       'and the job of a client that stayed has ended');
};

done_testing();
