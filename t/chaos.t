# Faults at random, of everything at once: workers that are killed, reloads, Redis
# that stops or dies, origins that fail, clients that reset their connections, and
# files of the cache that are deleted. All jobs end, none is a SUCCESS without
# its bytes, and nginx goes on.
#
# It belongs to the sanitizers (make asan-test), and takes CHAOS_SECONDS. What
# is chosen depends on CHAOS_SEED, when it happens does not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find qw( find );
use File::Temp ();
use HTTP::Tiny;
use IO::Handle;
use JSON::PP ();
use List::Util qw( shuffle );
use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Announce;
use DFP::Client;
use DFP::Image;
use DFP::Kept qw( HOUR in_seconds kept_of );
use DFP::Process qw( children run_child stop title wait_until );
use DFP::Resets qw( http1 );
use DFP::Upstream;
use DFP::Warm;

plan skip_all => 'it belongs to make asan-test' if !$ENV{DFPREHEAT_CHAOS};

use constant {
    REGISTRY     => 'http://registry.test',
    AUTH         => 'http://auth.test',
    FILES        => 'http://files.test',
    TOKEN        => 'Bearer good',
    SECONDS      => $ENV{CHAOS_SECONDS} // 40,
    SEED         => $ENV{CHAOS_SEED} // time % 1_000_000,
    IMAGES       => 12,     # each third is bad
    FILE_COUNT   => 16,     # the same
    BIG          => 20_000,     # times that the name of an image is in a layer
    SECOND       => 1_000_000_000,  # ns
    TIMEOUT_MAX  => 8,      # s, of jobs
    LEASE        => 1,      # s
    SOON         => 10,     # s: what needs no timer, on a busy machine
    SETTLED      => 60,     # s for the last jobs
    PROCESSES    => 9,      # of nginx, above which it does not reload
    KEPT         => 3,      # one of so many jobs is kept
    POSTERS      => 2,
    PULLERS      => 2,
};

announce('CHAOS_SEED=' . SEED . ' CHAOS_SECONDS=' . SECONDS);
srand SEED;

my $upstream = DFP::Upstream->start;
my $cdn = DFP::Upstream->start;
my $port = $upstream->port;
my $posted = File::Temp->new(TEMPLATE => 'dfpreheat-chaos-XXXXXXXX', TMPDIR => 1);
my $complaints = File::Temp->new(TEMPLATE => 'dfpreheat-chaos-XXXXXXXX',
                                 TMPDIR => 1);


sub one_of { return $_[ rand @_ ] }


# What there is: each with its type, the arguments of a job, the paths that a SUCCESS
# has in the cache, and whether it is bad, so that there can be no SUCCESS.

my @things;
my %body;       # of a path
my %well;       # how the origin answers when it is well
my %served_by;


sub put
{
    my ($server, $path, %answer) = @_;

    $well{$path} = \%answer;
    $served_by{$path} = $server;
    $server->answers($path, \%answer);
}


# An image that needs a token, and whose blobs are elsewhere.

sub image
{
    my ($name, $bad) = @_;

    my @guard = (wants => 'Authorization: ' . TOKEN, refusal => {
        status => 401, headers => [ 'WWW-Authenticate' =>
            qq(Bearer realm="@{[ AUTH ]}/token",scope="repository:$name:pull")
    ] });
    my $image = DFP::Image->new($upstream, $name, sub { +{ @_, @guard } });
    my $big = $image->layer("$name " x BIG);
    my $layer = $image->layer("a layer of $name");
    my $manifest = $image->manifest($big, $layer);
    my @paths = $image->paths($manifest);

    $image->tag('1', $image->index([ 'linux/amd64', $manifest ]));
    $body{$_} = $upstream->body($_) for $image->by_tag('1'), @paths;

    for my $path (grep { m{/blobs/} } @paths) {
        put($cdn, $path, $path eq $image->path($big)
            ? (body => "$name ", times => BIG) : (body => $body{$path}));
        $upstream->answers($path, { @guard, status => 307, headers => [
            Location => 'http://127.0.0.1:' . $cdn->port . $path ] });
    }

    spoil($image->path($layer)) if $bad;
    push @things, { type => 'image', bad => $bad,
                    args => { url => REGISTRY . $image->by_tag('1') },
                    paths => [ $image->by_tag('1'), @paths ] };
}


sub file
{
    my ($path, $bad) = @_;

    my $times = one_of(1, 1000);

    $body{$path} = "what is in $path " x $times;
    put($upstream, $path, body => "what is in $path ", times => $times);
    spoil($path) if $bad;
    push @things, { type => 'file', args => { url => FILES . $path },
                    bad => $bad, paths => [$path] };
}


# The origin never has it.

sub spoil
{
    my $path = shift;

    my $length = length delete $body{$path};
    my %good = %{ $well{$path} };

    put($served_by{$path}, $path, %{ one_of(
        { status => 500 }, { status => 404 },
        { %good, sends => int $length / 2 },
        $path =~ m{/blobs/} ? { body => $good{body} =~ tr/a-y/b-z/r } : () ) });
}


# How an origin may fail before it is well again.

sub trouble
{
    my $path = shift;

    my %good = defined $body{$path} ? %{ $well{$path} } : (body => 'some text');
    my $length = length($good{body}) * ($good{times} // 1);
    my @half = (%good, sends => int $length / 2);

    return one_of(
        { status => 500 }, { status => 502 }, { status => 404 },
        { status => 429, headers => [ 'Retry-After' => 1 ] },
        { status => 503, headers => [ 'Retry-After' => 1 ] },
        { @half }, { @half, holds => 2 },
        { raw => "HTTP/1.1 200 OK\r\nContent-Le" }, { raw => '' },
        !defined $body{$path} ? () : (
            { %good, after => rand 2 }, { %good, holds => 1 },
            $length < 100 ? { %good, every => 0.02 } : ()),
    );
}


image("v2-$_", $_ % 3 == 0) for 1 .. IMAGES;
image("private/v2-$_", 0) for 1 .. IMAGES / 3;
file("/files/$_", $_ % 3 == 0) for 1 .. FILE_COUNT;
$upstream->answers('/token', { body => '{"token":"good","expires_in":60}' });

# not each time: a worker of nginx that quits does not wait for what its threads
# read, and says that it left connections open

my $threads = one_of(0, 1);
my $caching = ($threads ? 'aio threads; aio_write on;' : '') . <<'END';
proxy_cache files;
proxy_cache_use_stale updating error timeout http_500 http_503;
proxy_cache_background_update on;
include cache.conf;
END

my $locations = location('/v2/', REGISTRY, $port, $caching,
                         'include follow.conf;')
    . location('/v2/private/', REGISTRY, $port, $caching,
               'include follow.conf;', 'dfpreheat_access on;')
    . location('/files/', FILES, $port, $caching)
    . location('/token', AUTH, $port, '#') . <<"END";
location \@dfpreheat_redirect {
    dfpreheat_redirect http://127.0.0.1:${\ $cdn->port };
    $caching
    include redirect.conf;
    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
}
END


# Lines that several processes write.

sub note_down
{
    my ($file, @words) = @_;

    open my $out, '>>', $file->filename or die "$file: $!";
    $out->autoflush;
    print {$out} "@words\n";
}


sub noted
{
    my $file = shift;

    open my $in, '<', $file->filename or die "$file: $!";
    chomp(my @lines = <$in>);

    return @lines;
}


# Those who are there besides, until they are stopped. What fails for them is no
# matter, unless they say so.

sub actor
{
    my ($seed, $code) = @_;

    return run_child(sub {
        srand $seed;

        while (1) {
            eval { $code->(); 1 } or sleep 0.1;
            sleep rand 0.2;
        }
    });
}


sub poster
{
    my ($servers, $token) = @_;

    my $n = int rand @things;
    my $thing = $things[$n];
    my $client = DFP::Client->new(port => $servers->{port}, token => $token);

    my $answer = $client->post('/oapi/v1/jobs', { type => 'preheat', args => {
        type => $thing->{type}, %{ $thing->{args} },
        timeout => (1 + int rand TIMEOUT_MAX) * SECOND,
        concurrent_task_count => one_of(1, 2, 8),
        one_of(0, 1) ? (refresh => JSON::PP::true) : (),
        one_of(1 .. KEPT) > 1 ? () : (keep_until => in_seconds(HOUR)),
        username => 'u', password => 'p',
    } });

    note_down($posted, $answer->{json}{id}, $n) if $answer->{status} == 200;
}


# A whole answer has the right bytes, and what is private is for who may have it.

sub puller
{
    my $warm = shift;

    my $path = one_of(keys %well, keys %body);
    my $known = one_of(0, 1, 1);
    my $answer = HTTP::Tiny->new(timeout => 5)->get(
        "http://127.0.0.1:$warm->{port}$path",
        { headers => { $known ? (Authorization => TOKEN) : () } });

    return if $answer->{status} != 200;

    note_down($complaints, 'wrong bytes of', $path)
        if defined $body{$path} && $answer->{content} ne $body{$path};
    note_down($complaints, 'private for all:', $path)
        if $path =~ m{/private/} && !$known;
}


sub resetter
{
    my ($warm, $token) = @_;

    my $path = one_of(keys %body);
    my %api = (port => $warm->{servers}{port});

    DFP::Resets->new(port => $warm->{port})->run(5, http1('GET', $path));
    DFP::Resets->new(%api)->run(2, http1('GET', '/oapi/v1/jobs/1',
                                         token => $token));
    DFP::Resets->new(%api)->run(1, http1('POST', '/oapi/v1/jobs',
        token => $token, body => '{"type":"preheat","args":{"type":"file",'
        . '"url":"' . FILES . '/files/1","timeout":' . SECOND . '}}'));
}


# The faults. Each may leave something to be done later.

my @later;      # [ when, what ]

sub later { push @later, [ time + $_[0], $_[1] ] }

sub catch_up
{
    my $all = shift;

    my @due = grep { $all || $_->[0] <= time } @later;

    @later = grep { !$all && $_->[0] > time } @later;
    $_->[1]->() for @due;
}


my $redis_is_well = 1;

my @faults = (
    sub {
        my ($worker) = shuffle grep { title($_) =~ /worker process/ }
                       children($_[0]{nginx}) or return;
        kill 'KILL', $worker;
    },
    sub {
        my $servers = shift;

        $servers->nginx_signal('HUP') if children($servers->{nginx}) < PROCESSES;
    },
    sub {
        my $servers = shift;

        return if !$redis_is_well;

        $redis_is_well = 0;
        $servers->redis_signal('STOP');
        later(rand 3, sub { $servers->redis_signal('CONT');
                            $redis_is_well = 1 });
    },
    sub {
        my $servers = shift;

        return if !$redis_is_well;

        $redis_is_well = 0;
        $servers->redis_kill;
        later(rand 2, sub { $servers->redis_start; $redis_is_well = 1 });
    },
    sub {
        find(sub { unlink if /^[0-9a-f]{32}$/ && one_of(0, 1) },
             "$_[0]{dir}/cache");
    },
    (sub {
        my $path = one_of(keys %well);

        $served_by{$path}->answers($path,
            (map { trouble($path) } 0 .. rand 3), $well{$path});
    }) x 8,
);


# What nginx says about processes that were killed, and files that are gone.

my $expected = qr/worker\ process\ \d+\ exited\ on\ signal\ 9
    |shared\ memory\ zone\ "\w+"\ was\ locked\ by
    |unlink\(\)\ "[^"]+\/cache\/[^"]+"\ failed\ \(2:/x;


warm_story 'faults at random', { workers => 2, lease => LEASE . 's',
                                 seconds => SECONDS + 5 * SETTLED,
                                 http => "dfpreheat_keep_interval 2s;\n" },
           $locations, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $token = $servers->token('job');
    my $master = $servers->{nginx};

    $servers->expects(undef, $expected);
    $servers->expects(undef, qr/open socket #\d+ left in connection \d+|aborting/)
        if $threads;

    my $seed = SEED;
    my @actors = map { my $code = $_; actor(++$seed, $code) }
        (sub { poster($servers, $token) }) x POSTERS,
        (sub { puller($warm) }) x PULLERS,
        sub { resetter($warm, $token) };

    my $end = time + SECONDS;
    my $pause = one_of(0.3, 0.6, 1.2);

    while (time < $end) {
        one_of(@faults)->($servers);
        catch_up(0);
        sleep rand $pause;
    }

    catch_up(1);
    stop($_) for @actors;
    $served_by{$_}->answers($_, $well{$_}) for keys %well;

    ok(wait_until(TIMEOUT_MAX + 2 * LEASE + SOON, sub {
           $servers->redis('zcard', 'dfpreheat:deadlines') eq '0' }),
       'all jobs have ended');
    is_deeply([ noted($complaints) ], [], 'clients got nothing wrong');
    check_jobs($warm);
    is_deeply([ $master, scalar $servers->workers ], [ $servers->{nginx}, 2 ],
              'nginx is there');

    my @good = grep { !$_->{bad} } @things;

    $_->{id} = $warm->post($_->{type}, %{ $_->{args} }) for @good;

    for my $thing (@good) {
        my $job = $servers->ended_job($thing->{id}, SETTLED);

        is($job->{state}, 'SUCCESS', "all is well: $thing->{args}{url}")
            or diag($job->{result}{job_states}[0]{error});
    }

    check_kept($servers);

    my @paths = map { @{ $_->{paths} } } @good;

    $warm->another_client;
    $warm->{http}->default_headers({ Authorization => TOKEN });
    $warm->hits('clients get it from the cache', @paths);
    is_deeply([ grep { ($warm->pull($_))[0] ne $body{$_} } @paths ], [],
              'and have the right bytes');
};


# Those that are kept have succeeded once, so the origin has all of them now.

sub check_kept
{
    my $servers = shift;

    my @ids = split /\n/, $servers->redis('zrange', 'dfpreheat:kept', 0, -1);
    my @left = @ids;

    wait_until(SETTLED, sub {
        @left = grep { my $look = kept_of($servers, $_);
                       !$look || $look->{state} ne 'SUCCESS' } @left;
        !@left;
    });

    announce(@ids . ' jobs are kept');
    is_deeply([ map { [ $_, kept_of($servers, $_) ] } @left ], [],
              'what is kept is there');
}


sub check_jobs
{
    my $warm = shift;

    my (%count, @wrong);

    for (noted($posted)) {
        my ($id, $n) = split;
        my $job = $warm->{servers}->job($id);
        my $state = $job->{state};
        my $error = $job->{result}{job_states}[0]{error} // '';

        $count{$state}++;
        push @wrong, "$id: $state" if $state eq 'PENDING';
        push @wrong, "$id: SUCCESS of $things[$n]{args}{url}"
            if $state eq 'SUCCESS' && $things[$n]{bad};
        push @wrong, "$id: FAILURE without a reason"
            if $state eq 'FAILURE' && $error eq '';

        $count{$error =~ s/\d+|"[^"]*"|http\S+//gr}++ if $error ne '';
    }

    announce(map { "$count{$_}\t$_\n" } sort keys %count);
    is_deeply(\@wrong, [], 'and each in the right way');
    cmp_ok($count{SUCCESS} // 0, '>', 0, 'some as SUCCESS');
}

done_testing();
