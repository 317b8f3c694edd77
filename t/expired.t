# Entries that have expired: what it costs when many clients want one at once, and
# what is left when a worker dies.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Socket qw( SOL_SOCKET SO_LINGER );
use Test::More;

use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    SOON     => 10,         # s
    CLIENTS  => 20,
    SLOW     => 1,          # s that the registry takes
};

my $upstream = DFP::Upstream->start;
my $port = $upstream->port;
my @caching = ('proxy_cache files;', 'include cache.conf;');


sub image_of { return DFP::Image->of_layer($upstream, @_) }


sub asked
{
    my $path = shift;

    wait_until(SOON, sub { scalar $upstream->requests($path) })
        or die "$path is not asked for";
}


# Many requests of a path, while the origin has been asked by the first of them; how
# the cache answered each, and its body.

sub at_once
{
    my ($warm, $path, $clients) = @_;

    my @sockets = $warm->ask($path);
    asked($path);
    push @sockets, map { $warm->ask($path) } 2 .. $clients;

    return map { [ answer($_) ] } @sockets;
}


sub answer
{
    my $answer = whole_answer($_[0], SOON);
    my ($how) = $answer =~ /^X-Cache: (\w+)\r$/m;

    return ($how // '-', $answer =~ s/.*?\r\n\r\n//sr);
}


# What many clients of an expired tag cost.

for my $case ([ 'has not changed', 'same', 'HIT', 1 ],
              [ 'has changed', 'moved', 'HIT', 1 ],
              [ 'cannot be asked for', 'away', 'STALE', CLIENTS ])
{
    my ($name, $how, $others, $requests) = @$case;

    warm_story "clients that want a tag which $name", {},
               location('/v2/', REGISTRY, $port), sub
    {
        my $warm = shift;

        my ($image, $tag, $manifest) = image_of("many-$how");
        my $other = $image->manifest($image->layer('another one'));

        $image->publish($tag, $manifest);
        my ($first) = $warm->pull($tag);
        $warm->expire($tag);
        $upstream->forget_requests;

        $image->publish($tag, $how eq 'moved' ? $other : $manifest,
                after => SLOW);
        $upstream->answers($tag, { status => 503, after => SLOW })
            if $how eq 'away';

        my $expected = $how eq 'moved'
                       ? $upstream->body($image->path($other)) : $first;
        my @got = at_once($warm, $tag, CLIENTS);

        is_deeply([ map { $_->[1] } @got ], [ ($expected) x CLIENTS ],
                  'all get what it stands for');
        is(scalar(grep { $_->[0] eq $others } @got),
           $others eq 'HIT' ? CLIENTS - 1 : CLIENTS, "most by a $others");
        is(scalar $upstream->requests($tag), $requests,
           "and the registry is asked $requests times");
    };
}


warm_story 'clients of a file that a job has revalidated', {},
           location('/files/', FILES, $port), sub
{
    my $warm = shift;

    my $path = '/files/job';

    $upstream->answers($path, { body => 'old' });
    $warm->pull($path);
    $upstream->answers($path, { body => 'new', after => 1 });
    $upstream->forget_requests;

    my $id = $warm->post('file', url => FILES . $path);
    asked($path);

    is_deeply([ at_once($warm, $path, 3) ], [ ([ HIT => 'new' ]) x 3 ],
              'wait for what the job gets');
    is($warm->ended($id)->{state}, 'SUCCESS', 'which ends well');
    is(scalar $upstream->requests($path), 1, 'and the origin was asked once');
};


# A lock that is not renewed in time, on a busy machine, would end the wait of all.

warm_story 'clients that hang up while they wait', { lease => '15s' },
           location('/files/', FILES, $port), sub
{
    my $warm = shift;

    my $path = '/files/leave';

    $upstream->answers($path, { body => 'old' });
    $warm->pull($path);
    $warm->expire($path);
    $upstream->forget_requests;
    $upstream->answers($path, { body => 'new', after => SLOW });

    my @stay = $warm->ask($path);
    asked($path);

    for my $client (1 .. CLIENTS) {
        my $socket = $warm->ask($path);

        if ($client % 2) {
            push @stay, $socket;

        } else {
            setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
                or die "SO_LINGER: $!";
            close $socket;
        }
    }

    # old workers wait for those that wait

    $warm->{servers}->nginx_reload;

    is_deeply([ map { (answer($_))[1] } @stay ], [ ('new') x @stay ],
              'do not keep the others from what they want');
    is(scalar $upstream->requests($path), 1, 'which is asked for once');
    $warm->another_client;
    is(($warm->pull($path))[1], 'HIT', 'and is there for the next one');
};


# What a dead worker has begun, nobody ends.

my $updating = 'proxy_cache_use_stale updating;';

for my $case ([ $updating, 'EXPIRED' ],
              [ "$updating proxy_cache_background_update on;", 'STALE' ])
{
    my ($lines, $how) = @$case;

    warm_story "an update whose worker died, with \"$lines\"",
               { lease => '1s' },
               location('/files/', FILES, $port, @caching, $lines), sub
    {
        my $warm = shift;

        my $servers = $warm->{servers};
        my $path = '/files/dead';

        $upstream->answers($path, { body => 'old' });
        $warm->pull($path);
        $warm->expire($path);
        $upstream->forget_requests;
        $upstream->answers($path, { body => 'lost', after => SOON },
                           { body => 'new' });
        $servers->expects(2, qr/exited on signal 9/);

        my $socket = $warm->ask($path);
        asked($path);

        my @workers = $servers->workers;
        kill 'KILL', @workers;
        wait_until(SOON, sub {
            my %now = map { $_ => 1 } $servers->workers;
            keys %now == @workers && !grep { $now{$_} } @workers });
        $warm->another_client;

        my (@got, %how);
        ok(wait_until(SOON, sub {
               @got = $warm->pull($path);
               $how{ $got[1] }++;
               $got[0] eq 'new';
           }), 'is made up for by a client');
        is(scalar $upstream->requests($path), 2, 'of many, one');
        ok($how{$how}, "which has got \"$how\"");
        is(($warm->pull($path))[1], 'HIT', 'the next one hits');
    };
}


warm_story 'an update in the background that takes its time', { lease => '1s' },
           location('/files/', FILES, $port, @caching, $updating,
                    'proxy_cache_background_update on;'), sub
{
    my $warm = shift;

    my $path = '/files/slow';
    my $new = 'n' x 120;

    # of the same length: between its rename of the file and its update of the zone,
    # nginx finds that a longer header is a broken file

    $upstream->answers($path, { body => 'o' x length $new });
    $warm->pull($path);
    $warm->expire($path);
    $upstream->forget_requests;
    $upstream->answers($path, { body => $new, every => 0.02 });

    my @got;
    ok(wait_until(SOON, sub {
           $warm->another_client;
           @got = $warm->pull($path);
           $got[0] eq $new;
       }), 'ends well');
    is(scalar $upstream->requests($path), 1, 'and is made once');
};


done_testing();
