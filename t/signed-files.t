# Files whose URLs are signed: what was warmed with today's signature is in the cache
# for who has tomorrow's, and for nobody who has none.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find qw( find );
use JSON::PP ();
use Test::More;

use DFP::Bucket;
use DFP::Process qw( wait_until );
use DFP::Warm;

use constant {
    HOST  => 'bucket.test',
    FILE  => '/models/weights.bin',
    OTHER => '/models/other.bin',
    DAY   => 86_400,
    REMEMBERED => 75,       # s, a minute and some more
};

my $bucket = DFP::Bucket->start(HOST);
my $bytes = join '', map { sprintf '%08d', $_ } 1 .. 5000;

$bucket->put(FILE, $bytes);
$bucket->put(OTHER, 'something else');

my @lines = ('proxy_cache files;', 'include cache.conf;');
my @signed = ('dfpreheat_filtered_query_params default;', 'dfpreheat_access on;');


sub models
{
    return location('/models/', 'http://' . HOST, $bucket->port, @_, @lines);
}


sub url { return 'http://' . HOST . $_[0] }


# The status of an answer, how the cache had a part in it, and its body.

sub got
{
    my ($warm, $target, %request) = @_;

    my $answer = $warm->{http}->request($request{method} // 'GET',
        "http://127.0.0.1:$warm->{port}$target",
        { headers => $request{headers} // {} });

    return [ $answer->{status}, $answer->{headers}{'x-cache'} // '-',
             $answer->{content} // '' ];
}


sub shown
{
    my ($status, $cache, $body) = @{ got(@_) };

    return "$status $cache " . ($body eq $bytes ? 'all' : $body =~ s/.*?<Code>|<.*//gr);
}


# How the bucket was asked.

sub asked
{
    my @asked = map { join ' ', $_->{method}, $_->{headers}{range} // (),
                                $_->{headers}{'if-none-match'} ? 'again' : () }
                $bucket->requests;

    $bucket->forget_requests;

    return \@asked;
}


# All text that nginx and Redis keep.

sub kept
{
    my $warm = shift;

    my $text = $warm->{servers}->redis('keys', '*');

    $text .= $warm->{servers}->redis('dump', $_) for split /\n/, $text;

    find(sub {
        return if !-f || /\.(?:key|conf)$/;
        open my $file, '<:raw', $_ or return;
        local $/;
        $text .= "$File::Find::name\n" . (<$file> // '');
    }, "$warm->{servers}{dir}");

    return $text;
}


warm_story 'a file that was warmed with another signature', {}, models(@signed), sub
{
    my $warm = shift;

    my $today = $bucket->signed(FILE, token => 'a session token/+=');
    my $tomorrow = $bucket->signed(FILE, date => time - 1, expires => 2 * DAY);
    my $job = $warm->run('file', url => url($today));

    is($job->{state}, 'SUCCESS', 'a job warms it');
    is_deeply(asked(), ['GET'], 'by one request');

    is(shown($warm, $tomorrow), '200 HIT all', 'is a HIT');
    is_deeply(asked(), ['GET bytes=0-0'], 'for which the bucket gave one byte');
    is(shown($warm, $tomorrow), '200 HIT all', 'once more');
    is_deeply(asked(), [], 'it is remembered');
    is(shown($warm, $today), '200 HIT all', 'is one with the same signature');
    is_deeply(asked(), ['GET bytes=0-0'], 'of which it was not asked');

    is_deeply(got($warm, $tomorrow, method => 'HEAD'), [ 200, 'HIT', '' ], 'HEAD');
    is_deeply(got($warm, $tomorrow, headers => { Range => 'bytes=8-15' }),
              [ 206, 'HIT', '00000002' ], 'a part');
    is_deeply(asked(), [], 'are answered by the cache');

    my $text = kept($warm);
    my @secrets = map { /X-Amz-(?:Signature|Security-Token|Credential)=([^&]+)/g }
                  $today, $tomorrow;

    is_deeply([ grep { index($text, $_) >= 0 } @secrets ], [],
              'nothing secret is in the cache, in Redis or in a log');
    unlike(JSON::PP::encode_json($job), qr/a session token|[0-9a-f]{64}/,
           'or in the job');
};


warm_story 'who has no signature', {}, models(@signed), sub
{
    my $warm = shift;

    is($warm->run('file', url => url($bucket->signed(FILE)))->{state}, 'SUCCESS',
       'a job warms the file');

    my $good = $bucket->signed(FILE);

    is(shown($warm, $good), '200 HIT all', 'and somebody gets it');

    my %others = (
        'no signature'           => FILE,
        'an invented one'        => FILE . '?X-Amz-Signature=' . '0' x 64,
        'one that has expired'   => $bucket->signed(FILE, date => time - DAY,
                                                    expires => 60),
        'that of another file'   => $bucket->signed(OTHER) =~ s/other/weights/r,
        'one for another method' => $bucket->signed(FILE, method => 'PUT'),
        'one that was changed'   => $good =~ s/Expires=/Expires=1/r,
    );

    for my $name (sort keys %others) {
        is(shown($warm, $others{$name}), '403 BYPASS AccessDenied',
           "$name: is refused by the bucket");
    }

    is(shown($warm, $good), '200 HIT all', 'the file is in the cache all the time');
};


warm_story 'a signature that expires', { seconds => 2 * REMEMBERED },
           models(@signed), sub
{
    my $warm = shift;

    my $short = $bucket->signed(FILE, expires => 2);
    my $hits = 0;

    is($warm->run('file', url => url($bucket->signed(FILE)))->{state}, 'SUCCESS',
       'a job warms the file');
    is(shown($warm, $short), '200 HIT all', 'is remembered');

    # whoever asks all the time is not remembered for longer

    my $last;

    ok(wait_until(REMEMBERED, sub {
           $last = shown($warm, $short);
           $hits++ if $last eq '200 HIT all';
           $last ne '200 HIT all';
       }), 'for a minute at most, also if it is used');
    cmp_ok($hits, '>', 1, 'until then it is good');
    is($last, '403 BYPASS AccessDenied', 'then the bucket refuses it');
};


warm_story 'the same file', {}, models(@signed), sub
{
    my $warm = shift;

    $bucket->forget_requests;

    my @jobs = map { $warm->run('file', url => url($bucket->signed(FILE,
                         date => time - $_)))->{state} } 1, 2;

    is_deeply(\@jobs, [ ('SUCCESS') x 2 ], 'is warmed by jobs of two days');
    is_deeply(asked(), [ 'GET', 'GET again' ], 'and fetched once');

    my %more = ('response-content-type' => 'text/plain');
    my $typed = $bucket->signed(FILE, query => \%more);

    is(shown($warm, $typed), '200 MISS all', 'a parameter that is no signature');
    is(shown($warm, $bucket->signed(FILE, query => \%more, date => time - 5)),
       '200 HIT all', 'makes another file of it');

    # the job's own list is for Dragonfly

    my $job = $warm->run('file', url => url($bucket->signed(OTHER)),
                         filtered_query_params => 'page&sort');

    is($job->{state}, 'SUCCESS', 'a job with a list of its own');
    is(got($warm, $bucket->signed(OTHER, date => time - 5))->[1], 'HIT',
       'warms what clients of the location get');
};


warm_story 'a client that comes before any job', {}, models(@signed), sub
{
    my $warm = shift;

    is(shown($warm, FILE), '403 BYPASS AccessDenied', 'gets nothing without a signature');
    is(shown($warm, $bucket->signed(FILE)), '200 MISS all', 'and the file with one');
    is(shown($warm, $bucket->signed(FILE, date => time - 5)), '200 HIT all',
       'which others get with theirs');
    is(shown($warm, FILE), '403 BYPASS AccessDenied', 'and nobody without');
};


warm_story 'a location whose files are public', {},
           models($signed[0], 'dfpreheat_access off;'), sub
{
    my $warm = shift;

    is($warm->run('file', url => url($bucket->signed(FILE)))->{state}, 'SUCCESS',
       'a job needs a signature');
    $bucket->forget_requests;
    is(shown($warm, $_), '200 HIT all', 'clients need none')
        for FILE, FILE . '?X-Amz-Signature=0';
    is_deeply(asked(), [], 'the bucket is not asked');
};


warm_story 'a location that does not say what a signature is', {},
           models('dfpreheat_access on;'), sub
{
    my $warm = shift;

    my @signatures = map { $bucket->signed(FILE, date => time - $_) } 1, 2;

    is($warm->run('file', url => url($signatures[0]))->{state}, 'SUCCESS', 'a job');
    is(shown($warm, $signatures[0]), '200 HIT all',
       'warms the file for who has its signature');
    is(shown($warm, $signatures[1]), '200 MISS all', 'and for nobody else');
};

done_testing();
