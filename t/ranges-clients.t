# Parts of a blob, as clients ask for them: several at once (containerd, aria2), and
# the rest of what they have already (curl, wget, Hugging Face). They come from the
# cache, also while a job fetches the blob: then they wait for it, and nothing is
# fetched twice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use List::Util qw( min );
use Test::More;

use DFP::Image;
use DFP::Process qw( spawn gone forget wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    MEGA     => 1_048_576,
    LARGE    => 8,          # MiB of the blob of real clients
    PART     => 1_048_576,  # bytes of one
    PARTS    => 4,          # at once
    BEGINS   => 1.5,        # s before the first byte of a blob
    EVERY    => 0.02,       # s between two bytes of a slow blob, ...
    SLOW     => 120,        # ... of so many: longer than the age of a lock
    ANSWERED => 30,         # s
};

my $upstream = DFP::Upstream->start;
my $dir = File::Temp->newdir('dfpreheat-ranges-XXXXXXXX', TMPDIR => 1);
my $log = "$dir/access.log";

my %options = (lease => '1s', http => 'log_format ranges "$request_method $status'
                                      . ' $upstream_cache_status $http_range";');
my $locations = location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
                         'include cache.conf;', "access_log $log ranges;");


# An image of one layer of these bytes: its URL, and the path of the layer.

sub image_of
{
    my ($name, $bytes, %answer) = @_;

    my $image = DFP::Image->new($upstream, $name);
    my $layer = $image->layer($bytes, %answer);

    $image->tag('1', $image->manifest($layer));

    return (REGISTRY . $image->by_tag('1'), $image->path($layer));
}


# A request with these headers, sent now; its whole answer later, as status, headers
# and body.

sub ask
{
    my ($warm, $path, @headers) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $warm->{port})
        or die "no connection: $!";
    syswrite $socket, join "\r\n", "GET $path HTTP/1.1", 'Host: registry.test',
                                   'Connection: close', @headers, '', '';

    return $socket;
}


sub answer
{
    my ($head, $body) = split /\r\n\r\n/, whole_answer($_[0], ANSWERED), 2;
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)};
    my %headers = map { lc } $head =~ /^([\w-]+): (.*?)\r?$/mg;

    return { status => $status, headers => \%headers, body => $body };
}


sub shown
{
    my $got = shift;

    return join ' ', $got->{status}, $got->{headers}{'x-cache'} // '-',
                     $got->{headers}{'content-range'} // '-', $got->{body};
}


# The lines of the access log since the last call, when there are as many as that.

my $seen = 0;

sub logged
{
    my $count = shift;

    my @lines;

    wait_until(ANSWERED, sub {
        open my $file, '<', $log or return 0;
        @lines = <$file>;
        @lines >= $seen + $count;
    });

    chomp @lines;
    my @new = @lines[ $seen .. $#lines ];
    $seen = @lines;

    return @new;
}


# A client that somebody has installed, from now on; its exit status, later.

sub begins
{
    my @command = @_;

    local @ENV{qw( http_proxy HTTP_PROXY all_proxy no_proxy NO_PROXY )}
        = ('', '', '', '*', '*');

    return spawn("$dir/client.out", @command);
}


sub ends
{
    my $pid = shift;

    wait_until(ANSWERED, sub { gone($pid) }) or die 'a client hangs';
    my $status = $?;
    forget($pid);

    return $status;
}


sub runs { return ends(begins(@_)) }


# A layer as containerd 2.1 fetches it (core/remotes/docker/fetcher.go), from an
# offset to its end, with concurrent_layer_fetch_buffer = PART and PARTS of
# max_concurrent_downloads: the first request tells whether there are ranges, and how
# long the rest is. Each is for all that follows, and its connection is closed when
# PART bytes have come. Returns the bytes, or what is wrong with an answer.

sub containerd_fetches
{
    my ($warm, $path, $offset, $length) = @_;

    my $rest = $length - $offset;
    my $first = _containerd_asks($warm, $path, $offset);
    my ($head, $bytes) = _part_of($first, min(PART, $rest));

    return $head
        if $head !~ m{\AHTTP/1\.1\ 206\b}x
           || $head !~ m{^Content-Range:\ bytes\ $offset-\d+/$length\r$}mx
           || $head !~ /^Content-Length: $rest\r$/m
           || $head =~ /^Content-Encoding:/m;

    for (my $at = $offset + PART; $at < $length; $at += PARTS * PART) {
        my @offsets = grep { $_ < $length } map { $at + $_ * PART } 0 .. PARTS - 1;
        my @sockets = map { _containerd_asks($warm, $path, $_) } @offsets;

        for my $i (0 .. $#offsets) {
            my ($answer, $part) = _part_of($sockets[$i],
                                           min(PART, $length - $offsets[$i]));

            return $answer if $answer !~ m{\AHTTP/1\.1 206\b};
            $bytes .= $part;
        }
    }

    return $bytes;
}


sub _containerd_asks
{
    my ($warm, $path, $offset) = @_;

    return ask($warm, "$path?ns=registry.test", 'User-Agent: containerd/2.1.9',
               'Accept: application/vnd.oci.image.layer.v1.tar+gzip, */*',
               'Accept-Encoding: zstd;q=1.0, gzip;q=0.8, deflate;q=0.5',
               "Range: bytes=$offset-");
}


# The header of an answer, and so many bytes of the body.

sub _part_of
{
    my ($socket, $length) = @_;

    my $answer = '';

    until ($answer =~ /\r\n\r\n/ && length($answer) - $+[0] >= $length) {
        IO::Select->new($socket)->can_read(ANSWERED) or die 'no answer in time';
        sysread $socket, $answer, MEGA, length $answer or last;
    }

    my ($head, $body) = split /\r\n\r\n/, $answer, 2;

    return ("$head\r\n", substr $body // '', 0, $length);
}


sub hash_of
{
    my $name = shift;

    return Digest::SHA->new(256)->addfile("$dir/$name", 'b')->hexdigest;
}


sub write_file
{
    my ($name, $bytes) = @_;

    open my $file, '>:raw', "$dir/$name" or die "$name: $!";
    print {$file} $bytes;
    close $file or die "$name: $!";
}


warm_story 'parts that are pulled at once, of a warm blob', \%options, $locations,
    sub
{
    my $warm = shift;

    my $bytes = join '', map { sprintf '%08d', $_ } 0 .. 4 * MEGA / 8 - 1;
    my ($url, $path) = image_of('team/warm', $bytes);

    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'a job warms it');

    my @sockets = map {
        ask($warm, $path, sprintf 'Range: bytes=%d-%d', $_ * MEGA,
                                  ($_ + 1) * MEGA - 1);
    } 0 .. 3;
    my @got = map { answer($_) } @sockets;

    is_deeply([ map { "$_->{status} $_->{headers}{'x-cache'}" } @got ],
              [ ('206 hit') x 4 ], 'each is a part from the cache');
    ok(join('', map { $_->{body} } @got) eq $bytes, 'together they are the whole');
    is(scalar $upstream->requests($path), 1, 'the registry was asked by the job');
    $upstream->forget_requests;
    logged(4);
};


# What clients can ask for while the blob is on its way.

warm_story 'parts of a blob that a job is fetching', \%options, $locations, sub
{
    my $warm = shift;

    my $bytes = substr join('', map { sprintf '%04d', $_ } 0 .. SLOW), 0, SLOW;
    my ($url, $path) = image_of('team/slow', $bytes, every => EVERY,
                                headers => [ ETag => '"1"' ]);
    my $length = SLOW;

    my $id = $warm->post('image', url => $url);
    wait_until(ANSWERED, sub { scalar $upstream->requests($path) })
        or die 'the job does not begin';

    my @cases = (
        [ [ 'Range: bytes=0-3' ], "206 hit bytes 0-3/$length 0000" ],
        [ [ 'Range: bytes=4-7' ], "206 hit bytes 4-7/$length 0001" ],
        [ [ 'Range: bytes=8-11' ], "206 hit bytes 8-11/$length 0002" ],
        [ [ 'Range: bytes=116-' ], "206 hit bytes 116-119/$length 0029" ],
        [ [ 'Range: bytes=-4' ], "206 hit bytes 116-119/$length 0029" ],
        [ [ 'Range: bytes=4-7', 'If-Range: "1"' ],
          "206 hit bytes 4-7/$length 0001" ],
        [ [ 'Range: bytes=4-7', 'If-Range: "2"' ], "200 hit - $bytes" ],
        [ [], "200 hit - $bytes" ],
    );

    my @sockets = map { ask($warm, $path, @{ $_->[0] }) } @cases;
    my $beyond = ask($warm, $path, "Range: bytes=$length-");
    my $several = ask($warm, $path, 'Range: bytes=0-3,116-119');

    is_deeply([ map { shown(answer($_)) } @sockets ],
              [ map { $_->[1] } @cases ], 'are answered from the cache');

    my $got = answer($beyond);
    is("$got->{status} $got->{headers}{'content-range'}",
       "416 bytes */$length", 'what is beyond its end is no part');

    $got = answer($several);
    is($got->{status}, 206, 'two parts');
    like($got->{body}, qr{^Content-Range:\ bytes\ 0-3/$length\r\n\r\n0000\r\n
                          .*^Content-Range:\ bytes\ 116-119/$length\r\n
                          \r\n0029\r\n}msx, 'are in one answer');

    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
    is(scalar $upstream->requests($path), 1, 'nothing was fetched twice');
    $upstream->forget_requests;
    logged(@cases + 2);
};


# Without a job, the first of the parts has the whole fetched.

warm_story 'parts of a blob that nobody has fetched', \%options, $locations, sub
{
    my $warm = shift;

    my $bytes = substr join('', map { sprintf '%04d', $_ } 0 .. SLOW), 0, SLOW;
    my (undef, $path) = image_of('team/cold', $bytes, every => EVERY);

    my @sockets = map {
        ask($warm, $path, sprintf 'Range: bytes=%d-%d', 4 * $_, 4 * $_ + 3)
    } 0 .. 9;

    is_deeply([ map { my $got = answer($_);
                      "$got->{status} $got->{body}" } @sockets ],
              [ map { sprintf '206 %04d', $_ } 0 .. 9 ], 'each client gets its part');
    is(scalar $upstream->requests($path), 1, 'the registry is asked once');
    unlike(($upstream->requests($path))[0], qr/^Range:/mi, 'for the whole');
    $upstream->forget_requests;
    logged(10);
};


my $large = join '', map { pack 'N', $_ } 0 .. LARGE * MEGA / 4 - 1;
my $hash = sha256_hex($large);
my $half = LARGE * MEGA / 2;

# Those that go on with a file of which a pull had ended half-way.

sub resumed
{
    my $where = shift;

    return ([ aria2 => aria2($where, '-c', '-o', 'rest-aria2') ],
            [ curl  => 'curl', '-sS', '-C', '-', '-o', "$dir/rest-curl", $where ],
            [ wget  => 'wget', '-q', '-c', '-O', "$dir/rest-wget", $where ]);
}


sub aria2
{
    my ($where, @options) = @_;

    return ('aria2c', '--no-conf', '-q', '-d', "$dir", '-k1M', '-x' . PARTS,
            '-s' . PARTS, '--file-allocation=none', @options, $where);
}


warm_story 'clients as they are', \%options, $locations, sub
{
    my $warm = shift;

    my ($url, $path) = image_of('team/large', $large,
                                headers => [ ETag => '"large"' ]);

    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'a job warms a blob');

    my $where = "http://127.0.0.1:$warm->{port}$path";

    is(runs(aria2($where, '-o', 'aria2')), 0, 'aria2, of several connections');
    is(hash_of('aria2'), $hash, 'has all of it');

    my @lines = logged(PARTS);
    cmp_ok(scalar(grep { /^GET 206 HIT bytes=/ } @lines), '>=', PARTS - 1,
           'in parts');
    is_deeply([ grep { !/^GET 20[06] HIT / } @lines ], [], 'from the cache');

    for my $case (resumed($where)) {
        my ($name, @command) = @$case;

        write_file("rest-$name", substr $large, 0, $half);

        is(runs(@command), 0, "$name, of which a pull had ended half-way");
        is(hash_of("rest-$name"), $hash, 'has all of it');

        @lines = logged(1);
        ok(scalar(grep { /^GET 206 HIT bytes=$half-/ } @lines),
           'and got the rest from the cache') or diag(@lines);
        is_deeply([ grep { !/^GET 20[06] HIT / } @lines ], [],
                  'and nothing from elsewhere');
    }

    for my $offset (0, $half) {
        ok(containerd_fetches($warm, $path, $offset, length $large)
           eq substr($large, $offset), "containerd 2.1, from $offset: all of it");
        @lines = logged(($offset ? $half : 2 * $half) / PART);
        is_deeply([ grep { !/^GET 206 HIT bytes=\d+-$/ } @lines ], [],
                  'in parts from the cache');
    }

    is(scalar $upstream->requests($path), 1, 'the registry was asked by the job');
};


warm_story 'clients as they are, while a job fetches the blob', \%options, $locations,
    sub
{
    my $warm = shift;

    my ($url, $path) = image_of('team/large-slow', $large, after => BEGINS,
                                headers => [ ETag => '"large"' ]);
    my $where = "http://127.0.0.1:$warm->{port}$path";
    my $id = $warm->post('image', url => $url);

    wait_until(ANSWERED, sub { scalar $upstream->requests($path) })
        or die 'the job does not begin';

    my @resumed = resumed($where);

    write_file("rest-$_->[0]", substr $large, 0, $half) for @resumed;

    my %clients = (aria2 => begins(aria2($where, '-o', 'slow-aria2')),
                   map { ("rest-$_->[0]" => begins(@{$_}[1 .. $#$_])) } @resumed);

    ok(containerd_fetches($warm, $path, 0, length $large) eq $large,
       'containerd 2.1 has all of it');

    for my $client (sort keys %clients) {
        is(ends($clients{$client}), 0, "$client comes to its end");
    }

    is(hash_of($_), $hash, "$_: all of it")
        for 'slow-aria2', map { "rest-$_->[0]" } @resumed;
    is_deeply([ grep { !/^GET 20[06] HIT / } logged(LARGE + 4) ], [],
              'all of them got it from the cache');
    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
    is(scalar $upstream->requests($path), 1, 'nothing was fetched twice');
};

done_testing();
