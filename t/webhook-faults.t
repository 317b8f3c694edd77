# Receivers of webhooks that mean no good, and an nginx that ends while it waits for
# one. (What is wrong with ordinary ones: webhook.t)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Hooks;
use DFP::Process qw( gone wait_until );
use DFP::Warm;

use constant {
    SOON   => 15,       # s
    HANGS  => 8,        # s: longer than the next worker needs
    THINKS => 2,        # s
    SECRET => DFP::Hooks::SECRET,
};

my $quick = '/quick/100/a';


# What a receiver does, its answer, and what the job says; '': it is delivered.

my @receivers = (
    [ 'sends a header without end', { raw => "HTTP/1.1 200 OK\r\nX: "
                                             . 'x' x 1_000_000 }, 'header' ],
    [ 'sends thousands of header fields',
      { raw => "HTTP/1.1 200 OK\r\n" . "X: y\r\n" x 50_000 }, 'header' ],
    [ 'has an invalid status', { raw => "HTTP/1.1 99999 OK\r\n\r\n" }, 'invalid' ],
    [ 'redirects to where nobody may call', { status => 302, headers => [
        Location => 'http://169.254.169.254/latest' ] },
      'answered 302 | not followed' ],
    [ 'redirects to a script', { status => 301, headers => [
        Location => "javascript:\e[1m//" ] }, 'answered 301' ],
    [ 'wants credentials', { status => 401, headers => [ 'WWW-Authenticate' =>
        'Bearer realm="http://127.0.0.1:1/token",service="s"' ] },
      'answered 401' ],
    [ 'is gone', { status => 410, body => 'gone' }, 'answered 410: gone' ],
    [ 'says the secret', { status => 500, body => "\e[31m " . SECRET },
      'answered 500 | ***' ],
    [ 'sends a long error', { status => 500, body => 'x' x 1_000_000 },
      'answered 500 | /x{200}$/' ],
    [ 'redirects within nginx', { headers => [
        'X-Accel-Redirect' => '/oapi/v1/jobs/1', 'X-Accel-Limit-Rate' => 1 ] },
      '' ],
    [ 'sends its body for ever', { body => 'x' x 1000, every => 0.2 }, '' ],
);

warm_story 'receivers', { workers => 1, lease => '2s' },
           DFP::Hooks->location, sub
{
    my $servers = shift->{servers};

    my ($worker) = $servers->workers;
    my @hooks = map { DFP::Hooks->new("/faults/$_", $receivers[$_][1]) }
                    0 .. $#receivers;
    my @ids = map { scalar $_->post($servers, [$quick]) } @hooks;

    for my $i (0 .. $#receivers) {
        my ($what, undef, $facts) = @{ $receivers[$i] };
        my $webhook = $hooks[$i]->state_of($servers, $ids[$i], SOON, sub {
            $_[0]{error} || $_[0]{state} ne 'PENDING' });

        if ($facts) {
            like($webhook->{error}, facts($facts), "one that $what");
        } else {
            is($webhook->{state}, 'SUCCESS', "one that $what");
        }
    }

    my $shown = join '', map { $servers->client->get("/oapi/v1/jobs/$_")->{body} }
                             @ids;

    unlike($shown, qr/\Q${\ SECRET }/, 'no job shows the secret');
    is_deeply([ $servers->logged(qr/\Q${\ SECRET }\E|\e/) ], [],
              'nor does the log, nor has it escape sequences');
    is(($servers->workers)[0], $worker, 'nginx goes on');
};


my $thinks = DFP::Hooks->new('/thinks', { after => THINKS });

warm_story 'nginx is told to quit while a receiver thinks', { lease => '2s' },
           DFP::Hooks->location, sub
{
    my $servers = shift->{servers};

    my $id = $thinks->post($servers, [$quick]);

    wait_until(SOON, sub { $thinks->deliveries }) or die 'no delivery';
    $servers->nginx_end('QUIT');
    $servers->nginx_start;
    delete $servers->{reader};

    my $webhook = $thinks->state_of($servers, $id, SOON);

    is($webhook->{state}, 'SUCCESS', 'it waits for the answer, and stores it');
    is($webhook->{attempts}, 1, 'by one attempt');
    is(scalar $thinks->deliveries, 1, 'that has arrived');
};


my $hangs = DFP::Hooks->new('/hangs', { after => HANGS }, {});

warm_story 'a worker is killed while a receiver hangs', { workers => 1, lease => '2s' },
           DFP::Hooks->location, sub
{
    my $servers = shift->{servers};

    my ($worker) = $servers->workers;
    my $id = $hangs->post($servers, [$quick]);

    wait_until(SOON, sub { $hangs->deliveries }) or die 'no delivery';
    $servers->expects(1, qr/worker process $worker exited on signal 9$/);
    kill 'KILL', $worker;
    wait_until(SOON, sub { gone($worker) }) or die 'it lives';

    # its lease has expired

    $servers->redis('zadd', 'dfpreheat:hooks', 1, $id);

    my $webhook = $hangs->state_of($servers, $id, SOON);

    is($webhook->{state}, 'SUCCESS', 'the next worker delivers the webhook');
    is($webhook->{attempts}, 2, 'by a second attempt');
};


done_testing();
