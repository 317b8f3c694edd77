# Parts of what is cached: clients get them whatever the origin says of ranges, also
# of answers that came in chunks, and never what is not a part of the whole.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Compress::Gzip qw( gzip );
use IO::Uncompress::Gunzip qw( gunzip );
use Test::More;

use DFP::Image;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    CHUNK    => 700,
};

my $upstream = DFP::Upstream->start;
my $port = $upstream->port;
my $bytes = join '', map { sprintf '%04d', $_ } 0 .. 999;
my $length = length $bytes;
my $locations = location('/v2/', REGISTRY, $port)
                . location('/files/', FILES, $port);
my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';


# The status, the body (unpacked) and one header of an answer, "-" where there is
# none.

sub got
{
    my ($warm, $path, $range, %more) = @_;

    my $answer = $warm->{http}->request($more{method} // 'GET',
        "http://127.0.0.1:$warm->{port}$path", { headers => {
            defined $range ? (Range => $range) : (), %{ $more{headers} // {} } } });

    my $body = $answer->{content} // '';

    if (($answer->{headers}{'content-encoding'} // '') eq 'gzip') {
        gunzip(\(my $packed = $body), \$body) or die 'gunzip';
    }

    return [ $answer->{status}, $body,
             $answer->{headers}{ $more{header} // 'content-range' } // '-' ];
}


# A body as an answer whose length nobody knows before its end.

sub chunked
{
    my ($body, @headers) = @_;

    my $text = join "\r\n", 'HTTP/1.1 200 OK', 'Transfer-Encoding: chunked',
                            @headers, '', '';

    $text .= sprintf "%x\r\n%s\r\n", length, $_
        for $body =~ /(.{1,${\ CHUNK }})/gs;

    return { raw => "${text}0\r\n\r\n" };
}


# One blob for each way in which an origin may send it; its path.

sub blob
{
    my ($name, $how) = @_;

    my $image = DFP::Image->new($upstream, $name);
    my $path = $image->path($image->layer($bytes));

    $upstream->answers($path, $how);

    return $path;
}

my %ways = (
    'with a length' => { body => $bytes },
    'in chunks'     => chunked($bytes),
    'until it closes the connection'
                    => { raw => "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                                . $bytes },
    'and says that it has no ranges'
                    => { body => $bytes,
                         headers => [ 'Accept-Ranges' => 'none' ] },
);


for my $way (sort keys %ways) {

    warm_story "a blob that the registry sends $way", {}, $locations, sub
    {
        my $warm = shift;

        my $path = blob('parts', $ways{$way});

        is(($warm->pull($path))[1], 'MISS', 'it is fetched once');

        is_deeply(got($warm, $path, 'bytes=0-9'),
                  [ 206, substr($bytes, 0, 10), "bytes 0-9/$length" ],
                  'its first bytes');
        is_deeply(got($warm, $path, 'bytes=1000-1999'),
                  [ 206, substr($bytes, 1000, 1000),
                    "bytes 1000-1999/$length" ], 'some from the middle');
        is_deeply(got($warm, $path, 'bytes=3990-'),
                  [ 206, substr($bytes, 3990), "bytes 3990-3999/$length" ],
                  'from one to the end');
        is_deeply(got($warm, $path, 'bytes=-5'),
                  [ 206, substr($bytes, -5), "bytes 3995-3999/$length" ],
                  'its last bytes');
        is_deeply(got($warm, $path, 'bytes=3990-9999'),
                  [ 206, substr($bytes, 3990), "bytes 3990-3999/$length" ],
                  'more than there are');
        is_deeply([ @{ got($warm, $path, 'bytes=4000-') }[0, 2] ],
                  [ 416, "bytes */$length" ], 'what is beyond its end');

        my $parts = got($warm, $path, 'bytes=0-3,3996-3999');
        is($parts->[0], 206, 'several parts');
        like($parts->[1], qr{^Content-Range:\ bytes\ 0-3/$length\r\n\r\n0000\r\n
                             .*^Content-Range:\ bytes\ 3996-3999/$length\r\n
                             \r\n0999\r\n}msx, 'are in one answer');

        is_deeply(got($warm, $path, undef, header => 'content-length'),
                  [ 200, $bytes, $length ], 'the whole has its length');
        is_deeply(got($warm, $path, undef, method => 'HEAD',
                      header => 'content-length'), [ 200, '', $length ],
                  'so it has for HEAD');
        is_deeply([ @{ got($warm, $path, 'bytes=0-9', headers => {
                      'If-Range' => '"other"' }) }[0, 1] ], [ 200, $bytes ],
                  'of another version no part is sent');
        is_deeply(got($warm, $path, 'lines=1-2'), [ 200, $bytes, '-' ],
                  'what is no range is none');
        is(scalar $upstream->requests($path), 1, 'the registry was asked once');
        $upstream->forget_requests;
    };
}


warm_story 'a part of a version that the client has', {}, $locations, sub
{
    my $warm = shift;

    my $path = blob('versions', chunked($bytes, 'ETag: "1"'));
    $warm->pull($path);

    is_deeply([ @{ got($warm, $path, 'bytes=4-7', headers => {
                  'If-Range' => '"1"' }) }[0, 1] ], [ 206, '0001' ],
              'is sent');
    is_deeply([ @{ got($warm, $path, 'bytes=4-7', headers => {
                  'If-Range' => '"2"' }) }[0, 1] ], [ 200, $bytes ],
              'of another one it is not');
};


# What a client asks for decides nothing for the others.

for my $way (sort keys %ways) {

    warm_story "a part that is asked for first, of what is sent $way", {},
               $locations, sub
    {
        my $warm = shift;

        my $path = blob('first', $ways{$way});
        my $first = got($warm, $path, 'bytes=4-7');

        ok($first->[0] == 206 && $first->[1] eq '0001'
           || $first->[0] == 200 && $first->[1] eq $bytes,
           'the client gets the part, or the whole');
        unlike(($upstream->requests($path))[0], qr/^Range:/mi,
               'the registry is asked for the whole');
        is_deeply([ $warm->pull($path) ], [ $bytes, 'HIT' ],
                  'which the next one gets from the cache');
        $upstream->forget_requests;
    };
}


warm_story 'a part of what a job has fetched', {}, $locations, sub
{
    my $warm = shift;

    my $path = '/files/warm';

    $upstream->answers($path, chunked($bytes));
    is($warm->run('file', url => FILES . $path)->{state}, 'SUCCESS',
       'a file that comes in chunks is preheated');
    is_deeply(got($warm, $path, 'bytes=4-7'),
              [ 206, '0001', "bytes 4-7/$length" ], 'clients get a part of it');
};


# A body that is changed on its way to the client has another length.

my %changes = (
    'unpacks'  => [ 'gunzip on;', 'gunzip' ],
    'packs'    => [ 'gzip on; gzip_types *; gzip_min_length 1;', 'gzip' ],
    'rewrites' => [ "sub_filter 0001 'one thousand'; sub_filter_types *;",
                    'sub' ],
    'adds to'  => [ 'add_after_body /more; addition_types *;', 'addition' ],
);

my $built = `$nginx -V 2>&1`;

for my $change (sort keys %changes) {

    my ($lines, $module) = @{ $changes{$change} };

    SKIP: {
        skip "nginx has no $module filter", 1
            if $module ne 'gzip' && $built !~ /http_${module}_module/;

        warm_story "a location that $change what came in chunks", {},
            location('/v2/', REGISTRY, $port, 'proxy_cache files;',
                     'include cache.conf;', $lines)
            . "location /more { return 200 'and more'; }\n", sub
        {
            my $warm = shift;

            my ($body, @headers) = ($bytes);

            if ($module eq 'gunzip') {
                gzip(\$bytes, \$body) or die 'gzip';
                @headers = ('Content-Encoding: gzip');
            }

            my $packs = $module eq 'gzip';
            my %packed = $packs
                         ? (headers => { 'Accept-Encoding' => 'gzip' }) : ();
            my $path = blob("changed-$module", chunked($body, @headers));

            my $first = got($warm, $path, undef, %packed,
                            header => 'content-length');

            if ($packs) {
                is(got($warm, $path, undef, %packed,
                       header => 'content-encoding')->[2], 'gzip', 'it does');

            } else {
                isnt($first->[1], $body, 'it does');
            }

            is_deeply(got($warm, $path, undef, %packed,
                          header => 'content-length'), $first,
                      'also for the next one, who gets all of it');

            my $part = got($warm, $path, 'bytes=4-7', %packed);
            is_deeply($part, [ 200, $first->[1], '-' ],
                      'and no part of what the client does not get');
        };
    }
}

done_testing();
