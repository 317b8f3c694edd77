# conf/examples/s3-files.conf: nginx in front of a bucket with signed URLs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::PP ();
use Test::More;

use DFP::Bucket;
use DFP::Certificates;
use DFP::Dns;
use DFP::ExampleFiles;
use DFP::Process qw( free_port );
use DFP::Warm;

use constant {
    HOST  => 'models.s3.eu-central-1.amazonaws.com',
    FRONT => 'files.lan',
    FILE  => "/llm/caf\xc3\xa9 1+2.bin",
    DAY   => 86_400,
};

my $dir = File::Temp->newdir('dfpreheat-s3-XXXXXXXX', TMPDIR => 1);
my $ca = DFP::Certificates->new;
my $bucket = DFP::Bucket->start(HOST);
my $server = DFP::Certificates::Server->start($bucket->port, $ca->issue(HOST));
my $pair = $ca->issue(FRONT);
my $port = free_port();
my $dns = DFP::Dns->start(FRONT, ['127.0.0.1']);
my $rehearsal = rehearsal('https://' . FRONT . ":$port", $ca->file);

$rehearsal =~ s/\{/{ resolver 127.0.0.1:${\$dns->port};/;

my $example = example('s3-files.conf', {
    '443 ssl'                            => "127.0.0.1:$port ssl",
    '/etc/nginx/files.lan.pem'           => $pair->{certificate},
    '/etc/nginx/files.lan.key'           => $pair->{key},
    '/etc/ssl/certs/ca-certificates.crt' => $ca->file,
    '127.0.0.53'                         => '127.0.0.1:' . $dns->port,
    '/var/cache/nginx/s3_files'          => "$dir/cache",
}) . served_by(HOST, $server->port);


# What curl gets for a path and query: the status and the body.

sub curl
{
    my ($target, @options) = @_;

    open my $out, '-|', 'curl', '-sS', '--noproxy', '*', '--cacert', $ca->file,
         '--connect-to', FRONT . ":443:127.0.0.1:$port", '-w', '%{http_code}',
         @options, 'https://' . FRONT . $target or die "curl: $!";
    local $/;
    my $text = <$out>;
    close $out;

    return $text =~ /\A(.*)(\d{3})\z/s ? "$2 $1" : "? $text";
}


warm_story 'a bucket behind nginx', { http => $example }, $rehearsal, sub
{
    my $warm = shift;

    my $bytes = 'weights ' x 10_000;

    $bucket->put(FILE, $bytes);

    my $url = 'https://' . HOST . $bucket->signed(FILE);
    my $job = $warm->run('file', url => $url, verify => JSON::PP::true);
    my $state = $job->{result}{job_states}[0];

    is($job->{state}, 'SUCCESS', 'a job has the URL that was signed for it')
        or diag(explain $job);
    is_deeply([ map { "$_->{request} $_->{cache}" }
                @{ $state->{results}[0]{verified} } ],
              [ 'first byte HIT', 'last byte HIT' ],
              '... which clients get, as its rehearsal has seen');
    unlike(JSON::PP::encode_json($job), qr/Signature=[0-9a-f]/,
           '... and shows to nobody');

    $bucket->forget_requests;

    my $tomorrow = $bucket->signed(FILE, date => time - 1, expires => 2 * DAY,
                                   token => 'x/+=' x 500);

    ok(curl($tomorrow) eq "200 $bytes", 'a client has another one');
    is(curl($tomorrow, '-r', '8-15'), '206 weights ', 'and gets parts of the file');
    is_deeply([ map { join ' ', @$_{qw( method target )}, $_->{headers}{range} // '' }
                $bucket->requests ], [ "GET $tomorrow bytes=0-0" ],
              'the bucket was asked for one byte, once');

    # as an SDK signs it

    for my $mode ('x-amz-checksum-mode', 'X-Amz-Checksum-Mode') {
        my $url = $bucket->signed(FILE, query => { 'x-id' => 'GetObject',
                                                   $mode => 'ENABLED' });

        $bucket->forget_requests;
        ok(curl($url) eq "200 $bytes", "somebody has $mode in it");
        is_deeply([ map { $_->{headers}{range} } $bucket->requests ],
                  ['bytes=0-0'], 'and gets the same file');
    }

    like(curl('/llm/caf%C3%A9%201%2B2.bin'), qr/^403 .*AccessDenied/,
         'without a signature, the bucket refuses it');
};

done_testing();
