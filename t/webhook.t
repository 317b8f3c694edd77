# The webhook of a job: what its receiver gets, when, and how often; what the job
# says about it. (Several nginx: webhook-several.t)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::PP qw( encode_json );
use MIME::Base64 qw( encode_base64 );
use Test::More;
use Time::HiRes qw( sleep );

use DFP::Facts;
use DFP::Hooks;
use DFP::Process qw( gone wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    SOON    => 5,       # s: what needs no timer
    RETRY   => 8,       # s: until the second try
    HANGS   => 30,      # s: longer than nginx waits for an answer
    TIMEOUT => 10,      # s: as long as it does
    JOBS    => 100,     # more than nginx looks at at once
    QUIET   => 4,       # s: longer than the pause before a second try
    SECRET  => DFP::Hooks::SECRET,
};

my $quick = '/quick/100/a';
my $gate = '/gate/100/a';


sub hook_story
{
    my ($name, $options, $answers, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $path = '/' . $name =~ s/\W+/-/gr;
    my $hooks = DFP::Hooks->new($path, @$answers);

    warm_story $name, $options, DFP::Hooks->location, sub {
        $code->($hooks, shift->{servers});
    };
}


hook_story 'a job that ends well', {}, [ { status => 204 } ], sub {
    my ($hooks, $servers) = @_;

    my ($id, $answer) = $hooks->post($servers, [$gate]);
    my $posted = $answer->{json}{webhook};

    is($posted->{state}, 'PENDING', 'the delivery is pending');
    is($posted->{attempts}, 0, 'without an attempt');
    is($posted->{url}, $hooks->url, 'its URL is shown');
    is_deeply([ sort keys %$posted ],
              [ qw( attempts delivery_id error state updated_at url ) ],
              'and nothing else is');

    $servers->origin->wait_at_gate($gate, SOON);
    is_deeply($servers->job($id)->{webhook}, $posted, 'GET shows the same');
    is(scalar $hooks->deliveries, 0, 'nothing is delivered yet');
    is($servers->redis('hexists', "dfpreheat:job:$id", 'hook'), 1,
       'the secret is stored');
    $servers->origin->open_gate($gate);

    my $webhook = $hooks->state_of($servers, $id, SOON);
    my ($delivery, @more) = $hooks->deliveries;
    my $headers = $delivery->{headers};
    my $job = $servers->job($id);

    is($webhook->{state}, 'SUCCESS', 'it is delivered');
    is($webhook->{attempts}, 1, 'by one attempt');
    is($webhook->{error}, '', 'without an error');
    is(scalar @more, 0, 'once');
    ok($hooks->is_signed($delivery), 'and signed');
    is($headers->{'webhook-id'}, $posted->{delivery_id}, 'it has its id');
    cmp_ok(abs($headers->{'webhook-timestamp'} - time), '<', SOON,
           'and the time');
    is($headers->{'content-type'}, 'application/json; charset=utf-8',
       'it is JSON');
    is($headers->{'content-length'}, length $delivery->{body}, 'as a whole');
    is($delivery->{job}{state}, 'SUCCESS', 'it tells how the job has ended');

    delete $_->{webhook}{updated_at} for $job, $delivery->{job};
    is_deeply($delivery->{job}, { %$job, webhook => { %{ $job->{webhook} },
                                                      state => 'PENDING' } },
              'as GET does');

    is($servers->redis('hexists', "dfpreheat:job:$id", 'hook'), 0,
       'the secret is erased');
    is($servers->redis('zcard', 'dfpreheat:hooks'), 0, 'nothing is due');
};


hook_story 'a job that fails', {}, [ {} ], sub {
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, ['/none']);
    my $webhook = $hooks->state_of($servers, $id, SOON);
    my ($delivery) = $hooks->deliveries;

    is($webhook->{state}, 'SUCCESS', 'the failure is delivered');
    is($delivery->{job}{state}, 'FAILURE', 'as what it is');
    like($delivery->{job}{result}{job_states}[0]{error}, facts('404'),
         'with its reason');
};


hook_story 'a job that times out, with no worker to run it', {}, [ {} ], sub {
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, [$gate], timeout => 1_000_000_000);
    my $webhook = $hooks->state_of($servers, $id, SOON);
    my ($delivery) = $hooks->deliveries;

    is($webhook->{state}, 'SUCCESS', 'that is delivered');
    is($delivery->{job}{state}, 'FAILURE', 'as a failure');
};


hook_story 'a secret as Standard Webhooks writes it', {}, [ {} ], sub {
    my ($hooks, $servers) = @_;

    my $key = "\0\1\2 any bytes \xff";
    my $id = $hooks->post($servers, [$quick],
                          secret => 'whsec_' . encode_base64($key, ''));

    is($hooks->state_of($servers, $id, SOON)->{state}, 'SUCCESS',
       'it is delivered');
    ok($hooks->is_signed(($hooks->deliveries)[0], $key),
       'the key is what the base64 stands for');
};


# What docs/open-api.md shows, with a delivery, and with one that was altered.

sub documented
{
    my ($delivery, $secret) = @_;

    my $program = "$FindBin::Bin/../docs/open-api.md";
    my $folder = File::Temp->newdir('dfpreheat-hook-XXXXXXXX', TMPDIR => 1);

    open my $document, '<', $program or die "$program: $!";
    my ($code) = do { local $/; <$document> } =~ /^```python\n(.*?)^```$/ms
        or die 'there is no example';

    for ([ 'verify.py', "$code\nimport json, sys\n"
           . "print(verified(json.load(open(sys.argv[1])), "
           . "open(sys.argv[2], 'rb').read(), sys.argv[3]))\n" ],
         [ 'headers', encode_json($delivery->{headers}) ],
         [ 'body', $delivery->{body} ])
    {
        my ($name, $text) = @$_;

        open my $file, '>:raw', "$folder/$name" or die "$name: $!";
        print {$file} $text;
        close $file or die "$name: $!";
    }

    open my $python, '-|', 'python3', map({ "$folder/$_" }
                                          qw( verify.py headers body )), $secret
        or die "python3: $!";

    return join '', <$python>;
}

for my $secret (SECRET, 'whsec_' . encode_base64('the key', '')) {
    hook_story "the documented example, with $secret", {}, [ {} ], sub {
        my ($hooks, $servers) = @_;

        my $id = $hooks->post($servers, [$quick], secret => $secret);

        $hooks->state_of($servers, $id, SOON);

        my ($delivery) = $hooks->deliveries;

        is(documented($delivery, $secret), "True\n", 'a delivery is verified');
        $delivery->{body} =~ s/SUCCESS/FAILURE/;
        is(documented($delivery, $secret), "False\n", 'an altered one is not');
    };
}


hook_story 'a receiver that fails at first', {},
    [ { status => 500, body => "out of\n  order" }, { status => 202 } ], sub
{
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, [$quick]);
    my $webhook = $hooks->state_of($servers, $id, SOON, sub { $_[0]{error} });

    is($webhook->{state}, 'PENDING', 'it is tried again');
    like($webhook->{error}, facts('answered 500 | out of order'),
         'the job says what the receiver has answered');

    $webhook = $hooks->state_of($servers, $id, RETRY);
    my @deliveries = $hooks->deliveries;

    is($webhook->{state}, 'SUCCESS', 'then it is delivered');
    is($webhook->{attempts}, 2, 'by two attempts');
    is($webhook->{error}, '', 'the error is gone');
    is(scalar @deliveries, 2, 'that many have arrived');
    is($deliveries[0]{headers}{'webhook-id'},
       $deliveries[1]{headers}{'webhook-id'}, 'with the same id');
    cmp_ok($deliveries[1]{headers}{'webhook-timestamp'}, '>',
           $deliveries[0]{headers}{'webhook-timestamp'}, 'at different times');
    is(scalar(grep { $hooks->is_signed($_) } @deliveries), 2, 'both are signed');
};


# What a receiver does wrong, and the facts that the job tells about it.

my @wrong = (
    [ 'closes the connection', { raw => '' }, 'could not be reached' ],
    [ 'answers nonsense', { raw => "what?\r\n\r\n" }, 'receiver' ],
    [ 'redirects', { status => 307, headers => [
        Location => DFP::Hooks->origin . '/elsewhere' ] },
      'answered 307 | redirect | not followed' ],
    [ 'answers with a long page', { status => 404, body => 'x' x 10_000 },
      'answered 404 | /x{200}$/' ],
    [ 'answers 304', { status => 304 }, 'answered 304' ],
);

for (@wrong) {
    my ($what, $answer, $facts) = @$_;

    hook_story "a receiver that $what", {}, [ $answer, {} ], sub {
        my ($hooks, $servers) = @_;

        DFP::Hooks->receiver->answers('POST /elsewhere', {});

        my $id = $hooks->post($servers, [$quick]);
        my $webhook = $hooks->state_of($servers, $id, SOON,
                                       sub { $_[0]{error} });

        like($webhook->{error}, facts($facts), 'the job says so');
        is($hooks->state_of($servers, $id, RETRY)->{state}, 'SUCCESS',
           'another try delivers it');
        is(scalar DFP::Hooks->receiver->requests('POST /elsewhere'), 0,
           'nobody else is called');
    };
}


hook_story 'a receiver that hangs', {}, [ { after => HANGS }, {} ], sub {
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, [$quick]);
    my $webhook = $hooks->state_of($servers, $id, TIMEOUT + SOON,
                                   sub { $_[0]{error} });

    like($webhook->{error}, facts('did not answer within 10 s'),
         'the job says so');
    is($hooks->state_of($servers, $id, RETRY)->{state}, 'SUCCESS',
       'another try delivers it');
};


# Each has an origin of its own.

my $hanging = DFP::Hooks->new('/holds', { after => HANGS });
my $other = DFP::Upstream->start;
my $other_origin = 'http://127.0.0.1:' . $other->port;

warm_story 'a receiver that hangs does not hold up another one', {},
           calls(DFP::Hooks->origin, $other_origin), sub
{
    my $servers = shift->{servers};

    $other->answers('POST /quick', {});
    $hanging->post($servers, [$quick]) for 1 .. JOBS;
    wait_until(SOON, sub { $hanging->deliveries > 1 }) or die 'no delivery';

    my $id = $hanging->post($servers, [$quick], url => "$other_origin/quick");

    is($hanging->state_of($servers, $id, SOON)->{state}, 'SUCCESS',
       'it is delivered at once');
};


hook_story 'a receiver with a long answer', {},
    [ { body => 'x' x 1_000_000 } ], sub
{
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, [$quick]);

    is($hooks->state_of($servers, $id, SOON)->{state}, 'SUCCESS',
       'it is delivered');
};


# The location is a client's, too: what it lets clients send does not matter.

my $long = DFP::Hooks->new('/long', {});

warm_story 'a long job, in a location for short requests', {},
    location('/long', DFP::Hooks->origin, DFP::Hooks->receiver->port,
             'client_max_body_size 100;', 'limit_except GET { deny all; }'), sub
{
    my $servers = shift->{servers};

    my $id = $long->post($servers, [ map { "/none/$_" } 1 .. 1000 ]);

    is($long->state_of($servers, $id, SOON)->{state}, 'SUCCESS',
       'it is delivered');

    my ($delivery) = $long->deliveries;

    cmp_ok(length $delivery->{body}, '>', 100_000, 'all of it');
    ok($long->is_signed($delivery), 'and signed');
};


hook_story 'a receiver that never answers well', {}, [ { status => 503 } ], sub {
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, [$quick]);

    $hooks->state_of($servers, $id, SOON, sub { $_[0]{error} });
    cmp_ok($servers->redis('pttl', "dfpreheat:job:$id"), '>', 3_600_000,
           'the job is kept until the hour is over');

    # the hour is over

    $servers->redis('hset', "dfpreheat:job:$id", 'hook_until', 1);

    my $webhook = $hooks->state_of($servers, $id, RETRY);

    is($webhook->{state}, 'FAILURE', 'the delivery is given up');
    like($webhook->{error}, facts('answered 503'), 'for the last reason');
    ok(wait_until(SOON, sub { $servers->logged(qr/job $id: .*is given up after/) }),
       'which is logged');
    is($servers->redis('hexists', "dfpreheat:job:$id", 'hook'), 0,
       'the secret is erased');
    is($servers->redis('zcard', 'dfpreheat:hooks'), 0, 'nothing is due');
};


hook_story 'a job that is deleted', {}, [ { status => 503 } ], sub {
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, [$quick]);

    $hooks->state_of($servers, $id, SOON, sub { $_[0]{error} });
    is($servers->client->request('DELETE', "/oapi/v1/jobs/$id")->{status}, 200,
       'it is deleted between two tries');

    my $tries = $hooks->deliveries;

    sleep QUIET;
    is(scalar $hooks->deliveries, $tries, 'there is no further try');
    is($servers->redis('zcard', 'dfpreheat:hooks'), 0, 'nothing is due');

    $id = $hooks->post($servers, [$gate]);
    $servers->origin->wait_at_gate($gate, SOON);
    $servers->client->request('DELETE', "/oapi/v1/jobs/$id");
    $servers->origin->open_gate($gate);

    sleep QUIET;
    is(scalar $hooks->deliveries, $tries, 'nor one of a job that was stopped');
};


hook_story 'a reload while a receiver thinks', {}, [ { after => 3 } ], sub {
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, [$quick]);

    wait_until(SOON, sub { $hooks->deliveries }) or die 'no delivery';
    my @old = $servers->nginx_reload;

    is($hooks->state_of($servers, $id, SOON)->{state}, 'SUCCESS',
       'it is delivered');
    is(scalar $hooks->deliveries, 1, 'once');
    ok(wait_until(SOON, sub { !grep { !gone($_) } @old }), 'old workers leave');
};


hook_story 'nginx is stopped while a receiver thinks', {},
    [ { after => HANGS }, {} ], sub
{
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, [$quick]);

    wait_until(SOON, sub { $hooks->deliveries }) or die 'no delivery';
    $servers->nginx_end('TERM');
    $servers->nginx_start;
    delete $servers->{reader};

    my $webhook = $hooks->state_of($servers, $id, SOON);

    is($webhook->{state}, 'SUCCESS', 'the next one delivers it at once');
    is($webhook->{attempts}, 2, 'by a second attempt');
};


hook_story 'nginx quits before a job has ended', {}, [ {} ], sub {
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, [$gate]);

    $servers->origin->wait_at_gate($gate, SOON);
    $servers->nginx_end('TERM');
    $servers->origin->open_gate($gate);
    $servers->nginx_start;
    delete $servers->{reader};

    is($hooks->state_of($servers, $id, SOON)->{state}, 'SUCCESS',
       'the next one delivers it');
    is(scalar $hooks->deliveries, 1, 'once');
};


hook_story 'Redis is away when a receiver answers', {}, [ { after => 2 } ], sub {
    my ($hooks, $servers) = @_;

    my $id = $hooks->post($servers, [$quick]);

    wait_until(SOON, sub { $hooks->deliveries }) or die 'no delivery';
    $servers->redis_kill;
    sleep QUIET;
    $servers->redis_start;

    is($hooks->state_of($servers, $id, SOON)->{state}, 'SUCCESS',
       'it is stored that it was delivered');
    is(scalar $hooks->deliveries, 1, 'once');
};


warm_story 'without a master process', { workers => 0 }, DFP::Hooks->location, sub
{
    my $servers = shift->{servers};

    my $hooks = DFP::Hooks->new('/single', {});
    my $id = $hooks->post($servers, [$quick]);

    is($hooks->state_of($servers, $id, SOON)->{state}, 'SUCCESS',
       'it is delivered');
};


# What is refused.

hook_story 'webhooks that are refused', {}, [ {} ], sub {
    my ($hooks, $servers) = @_;

    my %good = (url => $hooks->url, secret => SECRET);

    for ([ { %good, url => 'http://elsewhere.test/' },
           'no location is bound | http://elsewhere.test | dfpreheat_origin' ],
         [ { %good, secret => '' }, 'webhook.secret | required' ],
         [ { %good, url => $hooks->url =~ s{//}{//u:p\@}r }, 'webhook.url' ],
         [ { secret => SECRET }, 'webhook.url | required' ],
         [ $hooks->url, 'webhook' ])
    {
        my ($webhook, $facts) = @$_;
        my $answer = $servers->client->post('/oapi/v1/jobs', {
            %{ $servers->files([$quick]) }, webhook => $webhook });

        is($answer->{status}, 422, "$facts: 422");
        like($answer->{json}{errors}, facts($facts), 'with the reason');
        unlike($answer->{body}, qr/\Q@{[ SECRET ]}/, 'without the secret');
    }

    is($servers->stored_jobs, 0, 'none of them is stored');
};


done_testing();
