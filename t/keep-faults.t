# Jobs with args.keep_until go on whatever happens to nginx and Redis meanwhile.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Image;
use DFP::Kept;
use DFP::Process qw( wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    SLOW     => 3,      # s: a layer
};

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port);
my %often = (http => "dfpreheat_keep_interval 1s;\n", lease => '1s');


# A job of an image that is kept: its id, and the paths of the image.

sub kept
{
    my $warm = shift;

    my @paths = DFP::Image->tagged($upstream);
    my $job = $warm->run('image', url => REGISTRY . $paths[0],
                         keep_until => in_seconds(HOUR));

    is($job->{state}, 'SUCCESS', 'the job succeeds');

    return ($job->{id}, @paths);
}


# All is lost, and a look waits for the last layer, which comes with the next try.

sub interrupted
{
    my ($warm, $path, $after) = @_;

    my $body = $upstream->body($path);

    $upstream->answers($path, { after => $after // HOUR, body => $body });
    $upstream->forget_requests;
    $warm->lose_files;
    wait_until(LOOKS, sub { grep { / \Q$path\E / } $upstream->requests })
        or die "no look\n";
    $upstream->answers($path, { body => $body });
}


sub all_is_back
{
    my ($warm, $id, @paths) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $look;

    wait_until(2 * LOOKS, sub {
        $look = looked($warm->{servers}, $id);
        $look->{state} eq 'SUCCESS';
    });

    is($look->{state}, 'SUCCESS', 'it is looked at') or diag($look->{error});
    $warm->another_client;
    $warm->hits('... and all is back', @paths);
}


warm_story 'a reload', { %often }, $locations, sub
{
    my $warm = shift;

    my ($id, @paths) = kept($warm);

    $warm->{servers}->nginx_reload;
    $warm->lose_files;
    all_is_back($warm, $id, @paths);

    interrupted($warm, $paths[-1], SLOW);
    $warm->{servers}->nginx_reload;
    all_is_back($warm, $id, @paths);
};


warm_story 'a worker is killed during a look', { %often }, $locations, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($id, @paths) = kept($warm);

    $servers->expects(undef, qr/exited on signal 9/);
    interrupted($warm, $paths[-1]);
    kill 'KILL', $servers->workers;
    all_is_back($warm, $id, @paths);
};


# The first time that this nginx asks what is to be looked at, it gets an error.

warm_story 'Redis is full for a while when nginx starts',
    { http => "dfpreheat_keep_interval 1h;\n", lease => '1s' }, $locations, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($id, @paths) = kept($warm);

    $servers->nginx_kill;
    $warm->lose_files;
    $servers->redis('config', 'set', 'maxmemory', 1);
    $servers->nginx_start;
    ok(wait_until(LOOKS, sub { $servers->logged(qr/OOM|maxmemory/) }), 'it is refused');
    $servers->redis('config', 'set', 'maxmemory', 0);

    my $look;

    wait_until(2 * LOOKS, sub {
        $look = kept_of($servers, $id);
        $look && $look->{state} ne 'PENDING';
    });
    is($look->{state}, 'SUCCESS', 'it is looked at long before an interval is over');
    $warm->another_client;
    $warm->hits('... and all is back', @paths);
};


warm_story 'nginx is killed during a look, and starts again', { %often }, $locations,
    sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($id, @paths) = kept($warm);

    interrupted($warm, $paths[-1]);
    $servers->nginx_kill;
    $servers->nginx_start;
    all_is_back($warm, $id, @paths);
};


warm_story 'Redis is killed during a look, and starts again', { %often }, $locations,
    sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($id, @paths) = kept($warm);

    interrupted($warm, $paths[-1], SLOW);
    $servers->redis_kill;
    $servers->redis_start;
    all_is_back($warm, $id, @paths);
};


# Its newest data is gone: the job, and what it had under way.

warm_story 'Redis loses the job', { %often }, $locations, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my ($lost, @lost) = kept($warm);

    looked($servers, $lost);
    $servers->redis('del', "dfpreheat:job:$lost");

    my ($id, @paths) = kept($warm);

    $warm->lose_files;
    $upstream->forget_requests;
    all_is_back($warm, $id, @paths);
    is_deeply([ grep { / \Q$lost[-1]\E / } $upstream->requests ], [],
              'what is lost is not kept');
    ok(wait_until(LOOKS, sub {
           $servers->redis('zrange', 'dfpreheat:kept', 0, -1) eq $id }),
       '... nor known');
};


done_testing;
