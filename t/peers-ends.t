# How jobs for peers end where several things come together.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw( encode_base64 );
use Test::More;

use DFP::Dragonfly;
use DFP::Facts;
use DFP::Process qw( wait_until );
use DFP::Swarm;

use constant {
    SOON        => 10,      # s
    LONG        => 30,      # s: a peer that nobody is at is looked for
    RETRY_AFTER => 5,       # s
    LOG_LINES   => 1000,
    PASSWORD    => 'a-password-of-the-tests',
    CHALLENGE   => [ 'WWW-Authenticate', 'Basic realm="x"' ],
};

my $basic = 'Basic ' . encode_base64('user:' . PASSWORD, '');
my @login = (username => 'user', password => PASSWORD);


swarm_story 'a peer goes while the origin is asked about its download',
    { peers => 2, http => 'dfpreheat_unreachable_peers 1;' }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my ($goes, $stays) = @{ $dragonfly->peers };

    $upstream->answers('/files/a', { status => 401, headers => CHALLENGE,
                                     body => 'no', after => 6 });
    $goes->script({ urls => {
        FILES . '/files/a' => { status => 13,
                                message => 'backend error: 401 Unauthorized' },
        FILES . '/files/b' => { wait_for => $goes->gate('b'), status => 14,
                                message => 'bye' } } });

    my $id = $warm->post('file', scope => 'all_peers', @login,
                         urls => [ map { FILES . "/files/$_" } qw( a b ) ]);

    wait_until(SOON, sub { $upstream->requests('/files/a') })
        or die 'the origin is not asked';
    $goes->drain;
    $dragonfly->scheduler->hosts($stays->host);
    $goes->open_gate('b');

    my $job = $warm->{servers}->ended_job($id, LONG);

    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply(told($job, 'unreachable'), [ 'peer-1 ' ],
              'without the one that went');
    is($warm->run('file', url => FILES . '/files/c',
                  scope => 'all_peers')->{state},
       'SUCCESS', 'and the worker goes on');
};


swarm_story 'a peer goes while the origin gets a rest',
    { peers => 2, http => 'dfpreheat_unreachable_peers 1;' }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my ($goes, $stays) = @{ $dragonfly->peers };

    $upstream->answers('/files/a', { status => 503, body => 'busy', headers =>
                                     [ 'Retry-After', RETRY_AFTER ] });
    $stays->script({ urls => { FILES . '/files/c' => {
        wait_for => $stays->gate('c') } } });
    $goes->script({ urls => {
        FILES . '/files/a' => { status => 13,
                                message => 'backend error: 401 Unauthorized' },
        FILES . '/files/b' => { wait_for => $goes->gate('b'), status => 14,
                                message => 'bye' } } });

    my $id = $warm->post('file', scope => 'all_peers',
                         urls => files(qw( a b c )));

    wait_until(SOON, sub { $goes->calls == 3 && $upstream->requests('/files/a') })
        or die 'the origin is not asked';
    $goes->drain;
    $dragonfly->scheduler->hosts($stays->host);
    $goes->open_gate('b');
    ok(wait_until(LONG, sub {
           grep { /the peer peer-1 \S+ is unreachable/ }
                $warm->{servers}->log_tail(LOG_LINES) }), 'it is gone');

    # 2 s of the rest have passed: this is a little longer than what is left

    my $asked = $upstream->requests('/files/a');

    ok(!wait_until(RETRY_AFTER - 1, sub {
           $upstream->requests('/files/a') > $asked }),
       'nobody needs to ask the origin any more');
    $stays->open_gate('c');

    my $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply(told($job, 'success_tasks'),
              [ 'peer-1 /files/c', map { "peer-2 /files/$_" } qw( a b c ) ],
              'with what each of them has');
};


swarm_story 'peers that nobody may call, and a URL that nobody may fetch',
    { peers => 1 }, sub
{
    my $warm = shift;

    my $job = $warm->run('file', scope => 'all_peers', ips => ['10.9.9.9'],
                         urls => [ FILES . '/files/a',
                                   'http://elsewhere.test/b' ]);

    is($job->{state}, 'FAILURE', 'the job ends');
    like(error($job), facts('10.9.9.9 | no peer'), 'in words');
};


swarm_story 'each peer has got something, and then all are lost',
    { peers => 2, http => 'dfpreheat_unreachable_peers 100%;' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($one, $two) = @{ $dragonfly->peers };
    my $other = DFP::Dragonfly->peer(hostname => 'other');

    $one->script({ urls => { FILES . '/files/b' => {
        wait_for => $one->gate('b'), status => 14, message => 'bye' } } });
    $two->script({ urls => { FILES . '/files/a' => {
        wait_for => $two->gate('a'), status => 14, message => 'bye' } } });

    my $id = $warm->post('file', scope => 'all_peers',
                         urls => [ map { FILES . "/files/$_" } qw( a b ) ]);

    wait_until(SOON, sub { @{ asked($one) } == 2 && @{ asked($two) } == 2 })
        or die 'the peers are not asked';

    $dragonfly->scheduler->hosts($other->host);
    $_->drain for $one, $two;
    $one->open_gate('b');
    $two->open_gate('a');

    is($warm->{servers}->ended_job($id, LONG)->{state}, 'FAILURE',
       'nobody holds all of it, whatever is tolerated');
    $other->stop;
};


swarm_story 'a private file that this nginx has in its cache',
    { peers => 1, cached => 1,
      http => 'dfpreheat_cluster 3 name=here engine=cache;' }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    $upstream->answers('/files/a', {
        body => 'private', wants => "Authorization: $basic",
        refusal => { status => 401, headers => CHALLENGE, body => 'no' } });
    $dragonfly->peers->[0]->script({
        requires_header => { Authorization => $basic } });

    my @job = ('file', url => FILES . '/files/a', scope => 'all_peers',
               @login);

    $warm->clusters(3);
    is($warm->run(@job)->{state}, 'SUCCESS', 'it gets there');

    $warm->clusters(2);
    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'peers get the login all the same')
        or diag(error($job));
};


swarm_story 'sizes that cannot be', { peers => 2 }, sub {
    my ($warm, $dragonfly) = @_;

    $_->script({ default => { messages => [
        { started => { content_length => 9223372036854775807,
                       pieces => 1 } } ] } }) for @{ $dragonfly->peers };

    my $job = $warm->run('file', scope => 'all_peers',
                         urls => [ map { FILES . "/files/$_" } qw( a b ) ]);

    is($job->{state}, 'SUCCESS', 'are nobody\'s problem');
    is(progress($job)->{bytes_done}, 0, 'and are not counted');
};


done_testing();
