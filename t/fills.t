# Clients and jobs that want what is being fetched: they wait for the one that
# fetches it, however long that takes, but not for one that has died.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    FILES      => 'http://files.test',
    CLIENTS    => 4,
    EVERY      => 0.02,     # s between two bytes, of which there are
    BYTES      => 200,      # so many: several times the age of a lock
    ANSWERED   => 20,       # s
    SECOND     => 1_000_000_000,    # ns
};

my $upstream = DFP::Upstream->start;
my $locations = location('/files/', FILES, $upstream->port);


sub answer { return whole_answer($_[0], ANSWERED) }


sub requested
{
    my $path = shift;

    return wait_until(ANSWERED, sub { scalar $upstream->requests($path) });
}


sub slow
{
    my $path = shift;

    $upstream->answers($path, { body => 'x' x BYTES, every => EVERY });
}


my %lease = (lease => '1s');

warm_story 'clients of what another client fetches', \%lease, $locations, sub
{
    my $warm = shift;

    slow('/files/client');

    my @sockets = map { $warm->ask('/files/client') } 1 .. CLIENTS;
    my @whole = grep { /\r\n\r\nx{${\ BYTES }}\z/ } map { answer($_) } @sockets;

    is(scalar @whole, CLIENTS, 'get all of it');
    is(scalar $upstream->requests('/files/client'), 1,
       'and the origin was asked once');
};


warm_story 'clients of what a job fetches', \%lease, $locations, sub
{
    my $warm = shift;

    slow('/files/job');

    my $id = $warm->post('file', url => FILES . '/files/job');
    requested('/files/job');

    my @sockets = map { $warm->ask('/files/job') } 1 .. CLIENTS;
    my @whole = grep { /^X-Cache: HIT\r$/m && /\r\n\r\nx{${\ BYTES }}\z/ }
                map { answer($_) } @sockets;

    is(scalar @whole, CLIENTS, 'get all of it from the cache');
    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
    is(scalar $upstream->requests('/files/job'), 1,
       'and the origin was asked once');
};


warm_story 'a job for a layer that a client fetches', \%lease,
           location('/v2/', FILES, $upstream->port), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'app');
    my $layer = $image->layer('x' x BYTES, every => EVERY);
    my $path = $image->path($layer);

    $image->tag('1', $image->manifest($layer));

    my $socket = $warm->ask($path);
    requested($path);

    my $job = $warm->run('image', url => FILES . $image->by_tag('1'));

    is($job->{state}, 'SUCCESS', 'waits for it');
    is(scalar $upstream->requests($path), 1, 'and does not ask the registry');
    like(answer($socket), qr/\r\n\r\nx{${\ BYTES }}\z/, 'the client has it, too');
};


# A client may be slower than the job that was posted after it.

warm_story 'a job for a file while a client gets what it was before', \%lease,
           $locations, sub
{
    my $warm = shift;

    my $path = '/files/overtaken';

    $upstream->answers($path, { body => 'x' x BYTES, every => EVERY / 2 },
                       { body => 'what it is now' });

    my $socket = $warm->ask($path);
    requested($path);

    my $job = $warm->run('file', url => FILES . $path,
                         refresh => JSON::PP::true());

    is($job->{state}, 'SUCCESS', 'ends well');
    like(answer($socket), qr/\r\n\r\nx{${\ BYTES }}\z/,
         'the client gets what it asked for');
    is_deeply([ $warm->pull($path) ], [ 'what it is now', 'HIT' ],
              'and others what the job has fetched');
};


warm_story 'a job for a tag while a client gets what it was before', \%lease,
           location('/v2/', FILES, $upstream->port), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'moving');
    my ($old, $new) = map { $image->manifest($image->layer($_)) } qw( one two );
    my $tag = $image->by_tag('1');
    my ($was, $is) = map { +{ body => $upstream->body($image->path($_)),
        headers => [ 'Content-Type' =>
                     'application/vnd.oci.image.manifest.v1+json' ] } }
        $old, $new;

    $upstream->answers($tag, { %$was, every => EVERY / 5 }, $is);

    my $socket = $warm->ask($tag);
    requested($tag);

    is($warm->run('image', url => FILES . $tag)->{state}, 'SUCCESS',
       'ends well');
    like(answer($socket), qr/\Q$was->{body}\E\z/,
         'the client gets what it asked for');
    is_deeply([ $warm->pull($tag) ], [ $is->{body}, 'HIT' ],
              'and others what the job has fetched');
};


# Nothing renews the lock of a dead worker.

warm_story 'a client of what a worker fetched that died', \%lease, $locations,
sub
{
    my $warm = shift;

    my $servers = $warm->{servers};

    $upstream->answers('/files/dead', { body => 'y' x BYTES, every => EVERY },
                       { body => 'whole' });
    $servers->expects(2, qr/exited on signal 9/);

    my $first = $warm->ask('/files/dead');
    requested('/files/dead');

    my @workers = $servers->workers;
    kill 'KILL', @workers;
    wait_until(ANSWERED, sub {
        my %now = map { $_ => 1 } $servers->workers;
        keys %now == @workers && !grep { $now{$_} } @workers });

    like(answer($warm->ask('/files/dead')), qr/\r\n\r\nwhole\z/,
         'goes to the origin itself');
    is(($warm->pull('/files/dead'))[1], 'HIT', 'and the next one hits');
};

done_testing();
