# What Dragonfly's scheduler, and its peers, see of the credentials of a job that
# it does by itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw( encode_base64 );
use Test::More;

use DFP::Image;
use DFP::Stat;
use DFP::Swarm;
use DFP::Upstream;
use DFP::Warm qw( calls );

use constant {
    LOG_LINES   => 10_000,
    SIX_SECONDS => 6_000_000_000,
    USERNAME    => 'robot$of-the-job',
    PASSWORD    => 'the-password-of-the-job',
    TOKEN       => 'the.token-of.the-registry',
};

my @file = ('file', url => FILES . '/files/a');
my $basic = 'Basic ' . encode_base64(USERNAME . ':' . PASSWORD, '');


# An answer that only who sends this Authorization gets.

sub guarded
{
    my ($authorization, $challenge, %answer) = @_;

    return { %answer, wants => "Authorization: $authorization",
             refusal => { status => 401, headers =>
                          [ 'WWW-Authenticate' => $challenge ] } };
}


swarm_story 'a Basic registry', { engine => 'scheduler', seeds => 1 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my @login = (username => USERNAME, password => PASSWORD);
    my $url = REGISTRY . DFP::Image->simple($upstream, 'basic', sub {
        guarded($basic, 'Basic realm="x"', @_) });

    $upstream->answers('/files/a', guarded($basic, 'Basic realm="x"',
                                           body => 'a file'));
    $scheduler->script({ stat => all_on($seed, $file[2]) });

    for ([ 'image', url => $url ], \@file) {
        my @job = @$_;

        $scheduler->forget_calls;
        my $job = $warm->run(@job, @login, headers => { 'X-One-Key' => '1' });
        my @calls = called($scheduler, 'Preheat|Stat');

        is($job->{state}, 'SUCCESS', "$job[0]: ends well")
            or diag(error($job));
        is_deeply([ map { $_->{header} } @calls ],
                  [ ({ Authorization => $basic, 'X-One-Key' => '1' }) x 2 ],
                  "$job[0]: peers get what the registry takes");
        is_deeply([ grep { exists $_->{username} || exists $_->{password} }
                    @calls ], [], "$job[0]: and no password beside it");
    }

    # nobody asks: the password is of use for a token that it may want

    my $open = REGISTRY . DFP::Image->simple($upstream, 'open');
    $scheduler->forget_calls;
    is($warm->run('image', url => $open, @login)->{state}, 'SUCCESS',
       'a registry that does not ask');
    ok(!grep({ $_->{header} } called($scheduler, 'Preheat|Stat')),
       'gets no Authorization');

    $scheduler->forget_calls;
    my $job = $warm->run('image', url => $url, @login, password => 'wrong');
    is(error($job), "1 of 1 tasks failed; $url: the origin answered 401",
       'a wrong password');
    is(scalar called($scheduler, 'Preheat'), 0, 'it goes no further');

    $job = $warm->run('image', url => $url,
                      headers => { authorization => $basic });
    is($job->{state}, 'SUCCESS', 'an Authorization of the job');
    is_deeply([ map { $_->{header} } called($scheduler, 'Preheat') ],
              [ { Authorization => $basic } ], 'goes on as it is');
};


my $logins = File::Temp->new(TEMPLATE => 'dfpreheat-config-XXXXXXXX', TMPDIR => 1);

print {$logins} JSON::PP->new->encode({ auths => {
    FILES, { auth => encode_base64(USERNAME . ':' . PASSWORD, '') } } });
$logins->flush;

swarm_story 'a login of the configuration',
    { engine => 'scheduler', seeds => 1,
      http => "dfpreheat_credentials $logins;" }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;

    $upstream->answers('/files/a', guarded($basic, 'Basic realm="x"',
                                           body => 'a file'));
    $scheduler->script({ stat => all_on($dragonfly->seeds->[0], $file[2]) });
    $warm->scopes(qw( origin-credentials job ));

    my $job = $warm->run(@file);
    is($job->{state}, 'SUCCESS', 'a file') or diag(error($job));
    is_deeply([ map { $_->{header} } called($scheduler, 'Preheat') ],
              [ { Authorization => $basic } ], 'is preheated with it');
};


my $service = DFP::Upstream->start;
my $realm = 'http://127.0.0.1:' . $service->port;

swarm_story 'a registry with tokens',
    { engine => 'scheduler', seeds => 1,
      grpc => "}\n" . calls($realm) =~ s/\}\s*\z//r }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my ($seed) = @{ $dragonfly->seeds };
    my @job = (username => USERNAME, password => PASSWORD);
    my $challenge = qq(Bearer realm="$realm/token",service="x",)
                    . 'scope="repository:tokens:pull"';
    my $url = REGISTRY . DFP::Image->simple($upstream, 'tokens', sub {
        guarded('Bearer ' . TOKEN, $challenge, @_) });

    $service->answers('/token', guarded($basic, 'Basic x', body =>
        '{"token":"' . TOKEN . '","expires_in":300}'));
    $scheduler->script({ stat => all_on($seed, REGISTRY . '/layer') });

    my $job = $warm->run('image', url => $url, @job);
    my @calls = called($scheduler, 'Preheat|Stat');

    is($job->{state}, 'SUCCESS', 'a job ends well') or diag(error($job));
    is_deeply([ map { $_->{header} } @calls ],
              [ ({ Authorization => 'Bearer ' . TOKEN }) x 2 ],
              'peers get the token');
    is_deeply([ grep { exists $_->{username} || exists $_->{password} }
                @calls ], [], 'and no password');

    # two seconds, and then another; of two images one renews it for both, some
    # time before the other one is asked for

    my $twin = $url =~ s/v1$/v2/r;

    $upstream->answers("/v2/tokens/manifests/$_", guarded('Bearer first',
        $challenge, body => $upstream->body('/v2/tokens/manifests/v1')))
        for qw( v1 v2 );
    $service->answers('/token', map { { body => $_ } }
        '{"token":"first","expires_in":2}', '{"token":"second"}');
    my $done = all_on($seed, REGISTRY . '/layer');

    $scheduler->script({ stat => [ ({}) x 4, $done ], urls => {
        $twin => { stat => [ { before => 0.5 }, ({}) x 3, $done ] } } });
    $scheduler->forget_calls;

    $job = $warm->run('image', urls => [ $url, $twin ], @job);
    is($job->{state}, 'SUCCESS', 'also where it lasts long')
        or diag(error($job));

    for my $one ($url, $twin) {
        @calls = grep { $_->{url} eq $one } called($scheduler, 'Stat');
        is($calls[0]{header}{Authorization}, 'Bearer first', 'with one token');
        is($calls[-1]{header}{Authorization}, 'Bearer second',
           'and another when that has run out');
    }

    is(scalar called($scheduler, 'Preheat'), 2, 'each preheat is sent once');

    # and that one is in its words

    $service->answers('/token', { body => '{"token":"' . TOKEN . '"}' });
    $upstream->answers('/v2/tokens/manifests/v1', guarded('Bearer ' . TOKEN,
        $challenge, body => $upstream->body('/v2/tokens/manifests/v1')));

    for my $status (3, 14) {
        $scheduler->script({ preheat => {
            status => $status, message => 'odd: Bearer ' . TOKEN } });
        $job = run_out($warm, 'image', url => $url, @job,
                       timeout => SIX_SECONDS);
        like(error($job), qr/odd: (?:Bearer )?\*\*\*$/,
             "status $status: what is repeated is hidden");
    }

    my $log = join "\n", $warm->{servers}->log_tail(LOG_LINES);
    is(index($log, TOKEN), -1, 'in the log, too');
};


swarm_story 'a scheduler that repeats what it was told',
    { engine => 'scheduler', seeds => 1 }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $scheduler = $dragonfly->scheduler;
    my $url = REGISTRY . DFP::Image->simple($upstream, 'echo', sub {
        guarded($basic, 'Basic realm="x"', @_) });
    my ($sealed) = $basic =~ /^Basic (.*)/;
    my $echo = join ' ', 'no such user', USERNAME, PASSWORD, $basic;
    my @secrets = (USERNAME, PASSWORD, $sealed);
    my $json = JSON::PP->new->canonical;

    for ([ { preheat => { status => 3, message => $echo } }, 'a refusal' ],
         [ { stat => { status => 13, message => $echo } }, 'an error' ],
         [ { preheat => { status => 14, message => $echo } }, 'busy' ],
         [ { stat => { status => 14, message => $echo } }, 'busy later' ])
    {
        my ($script, $name) = @$_;

        $scheduler->script($script);
        my $job = run_out($warm, 'image', url => $url, username => USERNAME,
                          password => PASSWORD, timeout => SIX_SECONDS);
        my $text = $json->encode($job->{result});

        is($job->{state}, 'FAILURE', $name);
        like(error($job), qr/no such user/, "$name: it is heard");
        is_deeply([ grep { index($text, $_) >= 0 } @secrets ], [],
                  "$name: the job does not repeat it");
    }

    my $log = join "\n", $warm->{servers}->log_tail(LOG_LINES);
    like($log, qr/no such user/, 'nor does the log, which has its words');
    is_deeply([ grep { index($log, $_) >= 0 } @secrets ], [], 'but these');
};

done_testing();
