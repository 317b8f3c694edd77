# Webhooks where several nginx share a Redis: one of them delivers each, whichever
# can, also when the one that ran the job has died.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use DFP::Cluster;
use DFP::Facts;
use DFP::Hooks;
use DFP::Process qw( free_port wait_until );
use DFP::Story qw( meanwhile );

use constant {
    HANGS => 60,        # s: longer than the story
    LATER => 45,        # s: longer than a try is left to an nginx that is gone
    RETRY => 8,         # s: until the second try
    QUIET => 4,         # s: longer than the pause before a second try
    JOBS  => 20,
};

my $quick = '/quick/100/a';


# One more server, with the location through which webhooks are called.

sub calling
{
    return "server { listen 127.0.0.1:@{[ free_port() ]}; "
           . DFP::Hooks->location . '}';
}


# Half a minute passes in it: it is told while the others are.

my $dies = meanwhile(sub {
    cluster_story 'the nginx that delivers dies', {
        lease => '2s', names => [qw( one two )],
        each => { one => { http => \&calling }, two => { http => \&calling } } }, sub
    {
        my ($cluster, $one, $two) = @_;

        my $hooks = DFP::Hooks->new('/dies', { after => HANGS }, {});

        pause($two);
        my $id = $hooks->post($one, [$quick], ips => ['192.0.2.11']);

        wait_until(SOON, sub { $hooks->deliveries }) or die 'no delivery';
        $one->nginx_kill;
        resume($two);

        my $webhook = $hooks->state_of($two, $id, LATER);

        is($webhook->{state}, 'SUCCESS', 'another one delivers the webhook');
        is($webhook->{attempts}, 2, 'by a second attempt');

        my @deliveries = $hooks->deliveries;

        is(scalar @deliveries, 2, 'that many have arrived');
        is($deliveries[0]{headers}{'webhook-id'},
           $deliveries[1]{headers}{'webhook-id'}, 'with the same id');
        is(scalar(grep { $hooks->is_signed($_) } @deliveries), 2, 'both are signed');
    };
});


cluster_story 'the nginx that ran the job dies, and its receiver is late', {
    lease => '2s', names => [qw( one two )],
    each => { one => { http => \&calling }, two => { http => \&calling } } }, sub
{
    my ($cluster, $one, $two) = @_;

    my $hooks = DFP::Hooks->new('/late', { status => 503 });
    my $id = $hooks->post($one, [$quick], ips => ['192.0.2.11']);

    $hooks->state_of($one, $id, SOON, sub { $_[0]{error} });
    $one->nginx_kill;
    $hooks->answers({});

    is($hooks->state_of($two, $id, LATER)->{state}, 'SUCCESS',
       'another one delivers the webhook');
};


cluster_story 'only one has a location for it', {
    lease => '2s', names => [qw( one two )],
    each => { one => { http => \&calling } } }, sub
{
    my ($cluster, $one, $two) = @_;

    my $hooks = DFP::Hooks->new('/located', { status => 503 }, {});
    my $answer = $two->client->post('/oapi/v1/jobs', {
        %{ $two->files([$quick]) },
        webhook => { url => $hooks->url, secret => DFP::Hooks::SECRET } });

    is($answer->{status}, 422, 'the other one rejects such a job');

    my $id = $hooks->post($one, [$quick], ips => ['192.0.2.12']);
    my $webhook = $hooks->state_of($one, $id, RETRY);

    is(hosts($one->job($id)), 'two', 'but it runs it');
    is($webhook->{state}, 'SUCCESS', 'and this one delivers the webhook');
    is($webhook->{attempts}, 2, 'with each of its attempts');

    # while that is away

    $hooks->answers({ status => 503 });
    $id = $hooks->post($one, [$quick], ips => ['192.0.2.12']);
    $hooks->state_of($one, $id, SOON, sub { $_[0]{error} });
    $one->nginx_kill;
    $hooks->answers({});

    my $tries = $two->job($id)->{webhook}{attempts};

    sleep QUIET;
    is($two->job($id)->{webhook}{attempts}, $tries, 'nobody tries');
    $one->nginx_start;
    is($hooks->state_of($two, $id, SOON)->{state}, 'SUCCESS',
       'until it is back');
};


cluster_story 'only one has the key', {
    lease => '2s', names => [qw( one two )],
    each => { one => { http => \&calling },
              two => { http => \&calling, before_nginx => sub {
                  $_[0]->_write('seal.key', 'f' x 64) } } } }, sub
{
    my ($cluster, $one, $two) = @_;

    my $hooks = DFP::Hooks->new('/key', {});
    my $id = $hooks->post($one, [$quick], ips => ['192.0.2.12']);
    my $webhook = $hooks->state_of($one, $id, SOON);

    is($webhook->{state}, 'SUCCESS', 'it delivers what the other one has run');
    is($webhook->{attempts}, 1, 'by one attempt');
};


cluster_story 'many jobs, and all can deliver', {
    lease => '2s', names => [qw( one two three )],
    each => { map { $_ => { http => \&calling } } qw( one two three ) } }, sub
{
    my ($cluster, @all) = @_;

    my $hooks = DFP::Hooks->new('/many', {});
    my @ids = map { scalar $hooks->post($all[$_ % 3], [$quick]) } 1 .. JOBS;

    for my $id (@ids) {
        $hooks->state_of($all[0], $id, SOON);
    }

    my %count;

    $count{ $_->{job}{id} }++ for $hooks->deliveries;
    is_deeply(\%count, { map { $_ => 1 } @ids }, 'each is delivered once');
};


$dies->();

done_testing();
