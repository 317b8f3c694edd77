# A user of Redis with the rights that it needs, and with fewer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw( encode_json );
use Test::More;

use DFP::Client;
use DFP::Process qw( wait_until );
use DFP::Story qw( story );

use constant {
    SOON     => 10,     # s: what needs no timer
    PASSWORD => 'the-password-of-the-tests',
};


# The line of docs/operations.md, as arguments of redis-cli.

sub documented
{
    open my $file, '<', "$FindBin::Bin/../docs/operations.md"
        or die "docs/operations.md: $!";
    local $/;

    my ($line) = <$file> =~ /^ *(ACL SETUSER dfpreheat (?:[^\n]*\\\n)*[^\n]*)/m
        or die 'docs/operations.md names no rights';

    $line =~ s/\\\n/ /g;
    $line =~ s/>PASSWORD/'>' . PASSWORD/e or die 'there is no password in it';

    return split ' ', $line;
}


# A story whose nginx logs in as that user, with these rights more or less.

sub user_story
{
    my ($name, $rights, $options, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    story $name, { workers => 1, no_redis => 1, redis_user => 'dfpreheat',
                   redis_password => PASSWORD, %$options,
                   before_nginx => sub {
        my $servers = shift;

        $servers->redis_start;
        like($servers->redis(documented()), qr/^OK/, 'the user is there');
        rights($servers, @$rights) if @$rights;
    } }, $code;
}


sub rights
{
    my ($servers, @rights) = @_;

    like($servers->redis('acl', 'setuser', 'dfpreheat', @rights), qr/^OK/,
         "its rights: @rights");
}


# How many times Redis has refused to subscribe.

sub denied
{
    my $servers = shift;

    my ($count) = $servers->redis('acl', 'log') =~ /^count\n(\d+)\nreason\n
                                                    channel\ncontext\n
                                                    toplevel\n/mx;

    return $count // 0;
}


user_story 'a user with the documented rights: all works, nothing is denied',
    [], {}, sub
{
    my $servers = shift;

    my $id = $servers->post_files(['/quick/1000/a']);
    is($servers->ended_job($id, SOON)->{state}, 'SUCCESS', 'a job ends well');

    # all that is done with tokens

    my $path_of_tokens = '/api/v1/personal-access-tokens';
    my $admin = $servers->admin;

    $servers->token;
    is_deeply([ map { $admin->request(@$_)->{status} }
                [ GET => "$path_of_tokens?state=active" ],
                [ GET => $path_of_tokens ], [ GET => "$path_of_tokens/2" ],
                [ PATCH => "$path_of_tokens/2", '{"bio":"b"}' ],
                [ DELETE => "$path_of_tokens/2" ] ], [ (200) x 5 ],
              'tokens are managed');

    # what else there is to do in Redis: time that passes, quitting, looking up

    my $path = '/gate/1000/b';
    $id = $servers->post_files([$path], timeout => 1_000_000_000);
    $servers->origin->wait_at_gate($path, SOON) or die 'nobody fetches it';
    is($servers->ended_job($id, SOON)->{state}, 'FAILURE', 'one fails in time');

    $id = $servers->post_files(['/gate/1000/c']);
    $servers->origin->wait_at_gate('/gate/1000/c', SOON);
    $servers->nginx_end('TERM');
    $servers->nginx_start;
    $servers->origin->open_gate('/gate/1000/c');
    is($servers->ended_job($id, SOON)->{state}, 'SUCCESS',
       'one goes on after a restart');

    is($servers->redis('acl', 'log'), '', 'Redis has denied nothing');
    is_deeply([ $servers->logged(qr/ \[error\] .*redis/) ], [],
              'and the log has no error about it');
};


user_story 'a user without channels: jobs are run, and the log says what is '
           . 'missing', [ 'resetchannels' ], { lease => '1s' }, sub
{
    my $servers = shift;

    my $client = $servers->client;
    my $answer = $client->post('/oapi/v1/jobs',
                               $servers->files(['/quick/1000/a']));
    is($answer->{status}, 200, 'POST is answered');
    is($servers->ended_job($answer->{json}{id}, SOON)->{state}, 'SUCCESS',
       'its job ends well');
    is($servers->stored_jobs, 1, 'it is there once');

    ok(wait_until(SOON, sub { $servers->logged(qr/[Rr]edis.*NOPERM/) }),
       'the log says that the subscription is refused');
    ok(scalar $servers->logged(qr/"PUBLISH dfpreheat:wake"/),
       'and what else the user may not do');

    ok(wait_until(SOON, sub { denied($servers) > 3 }), 'it tries again');
    is(scalar $servers->logged(qr/[Rr]edis.*NOPERM/), 1,
       'and says it once');
    is(scalar $servers->logged(qr/redis .* is ready/), 1,
       'nor does it call ready what is not');

    rights($servers, '&dfpreheat:*');
    ok(wait_until(SOON, sub {
           $servers->redis('pubsub', 'numsub', 'dfpreheat:wake') =~ /1\z/;
       }), 'when it may, it subscribes');
};


for my $case ([ '-zadd', '+zadd', 'ZADD dfpreheat:ready:' ],
              [ '-evalsha', '+evalsha', 'evalsha' ],
              [ '-info', '+info', 'INFO' ],
              [ '-eval', '+eval', 'EVAL' ])
{
    my ($less, $more, $named) = @$case;

    user_story "a user with $less: requests are refused, nothing is stored",
        [ $less ], {}, sub
    {
        my $servers = shift;

        my $client = DFP::Client->new(port => $servers->{port},
                                      token => 'none');
        my $answer;

        ok(wait_until(SOON, sub {
               $answer = $client->get('/oapi/v1/jobs/1');
               $answer->{status} == 503;
           }), 'an error, at once');
        like($answer->{json}{message}, qr/^Redis /,
             'which says why');
        ok(scalar $servers->logged(qr/[Rr]edis.*\Q$named\E/),
           'the log says what is missing');
        is($servers->redis('keys', 'dfpreheat:job:*'), '',
           'nothing is stored');

        rights($servers, $more);
        ok(wait_until(SOON, sub {
               $client->get('/oapi/v1/jobs/1')->{status} == 401;
           }), 'with the right, requests are answered');
        is($servers->ended_job($servers->post_files(['/quick/1000/a']),
                               SOON)->{state}, 'SUCCESS', 'and jobs run');
    };
}


user_story 'a right is taken away while nginx runs: no half of a job is stored',
    [], { lease => '2s' }, sub
{
    my $servers = shift;

    my $path = '/gate/1000/a';
    my $id = $servers->post_files([$path]);
    my $client = $servers->client;
    $servers->origin->wait_at_gate($path, SOON) or die 'nobody fetches it';

    # the first write of all, and a hint

    for my $less ('-set', 'resetchannels') {
        rights($servers, $less);
        my $answer = $client->post('/oapi/v1/jobs',
                                   $servers->files(["/quick/1000/$less"]));
        my $stored = $servers->stored_jobs;

        is($answer->{status}, $less eq '-set' ? 503 : 200, "$less: an answer");
        is($stored, $less eq '-set' ? 1 : 2, 'that is true');
        rights($servers, '+set', '&dfpreheat:*');
        ok(wait_until(SOON, sub {
               $client->get("/oapi/v1/jobs/$id")->{status} == 200;
           }), 'with the right it goes on');
    }

    # the end of a run waits until it may be stored

    rights($servers, '-hmget');
    $servers->origin->open_gate($path);
    ok(wait_until(SOON, sub { $servers->logged(qr/run 1 ends.*job: $id,/) }),
       'a run ends meanwhile');
    rights($servers, '+hmget');

    my $job;
    ok(wait_until(SOON, sub { $servers->stored_state($id) eq 'SUCCESS' }),
       'its end is stored');
    is(scalar $servers->logged(qr/run 2\b.*job: $id,/), 0,
       'it is not run again');
};


done_testing();
