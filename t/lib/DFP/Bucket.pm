# A bucket of an object store whose URLs are signed as those of S3 (Signature
# Version 4 in the query): it answers to who has signed this method, host, path and
# query, until the signature expires, and 403 to all others, also to HEAD with a
# signature for GET.
#
#     my $bucket = DFP::Bucket->start('bucket.test');
#     $bucket->put('/models/a b.bin', $bytes);
#     my $target = $bucket->signed('/models/a b.bin');    # path and query
#
# It has ranges and ETags, and keeps what it was asked.

package DFP::Bucket;

use strict;
use warnings;

use Digest::SHA qw( hmac_sha256 hmac_sha256_hex sha256_hex );
use File::Temp ();
use IO::Handle;
use IO::Socket::INET;
use POSIX qw( strftime );

use DFP::Process qw( run_child );

use constant {
    BACKLOG => 64,
    HEAD_MAX => 65536,
    KEY_ID  => 'AKIDEXAMPLE',
    SECRET  => 'the-secret-of-the-bucket',
    REGION  => 'test-1',
    DAY     => 86_400,          # s
};


# The host is the one in the URLs that are signed.

sub start
{
    my ($class, $host) = @_;

    my $listen = IO::Socket::INET->new(Listen => BACKLOG,
                                       LocalAddr => '127.0.0.1')
        or die "no port: $!";

    my $self = bless {
        host => $host, port => $listen->sockport,
        dir  => File::Temp->newdir('dfpreheat-bucket-XXXXXXXX', TMPDIR => 1),
    }, $class;

    run_child(sub { $self->_serve($listen) });

    return $self;
}


sub port { $_[0]{port} }


sub put
{
    my ($self, $key, $bytes) = @_;

    my $file = $self->_file($key);

    open my $out, '>:raw', "$file.new" or die "$file: $!";
    print {$out} $bytes;
    close $out or die "$file: $!";
    rename "$file.new", $file or die "$file: $!";
}


# A signed path and query. Options: method, date (of the signature), expires (s after
# it), token (a session token), query (more parameters, as a hash).

sub signed
{
    my ($self, $key, %options) = @_;

    my $date = strftime '%Y%m%dT%H%M%SZ', gmtime($options{date} // time);
    my %query = (
        'X-Amz-Algorithm'     => 'AWS4-HMAC-SHA256',
        'X-Amz-Credential'    => join('/', KEY_ID, substr($date, 0, 8), REGION, 's3',
                                           'aws4_request'),
        'X-Amz-Date'          => $date,
        'X-Amz-Expires'       => $options{expires} // DAY,
        'X-Amz-SignedHeaders' => 'host',
        $options{token} ? ('X-Amz-Security-Token' => $options{token}) : (),
        %{ $options{query} // {} },
    );
    my $path = join '/', map { _escaped($_) } split m{/}, $key, -1;
    my $query = join '&', map { _escaped($_) . '=' . _escaped($query{$_}) }
                          sort keys %query;

    return "$path?$query&X-Amz-Signature="
           . $self->_signature($options{method} // 'GET', $path, $query, $date);
}


sub _escaped
{
    my $text = shift;

    return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger;
}


sub _signature
{
    my ($self, $method, $path, $query, $date) = @_;

    my $day = substr $date, 0, 8;
    my $scope = join '/', $day, REGION, 's3', 'aws4_request';
    my $request = join "\n", $method, $path, $query, "host:$self->{host}", '',
                             'host', 'UNSIGNED-PAYLOAD';
    my $text = join "\n", 'AWS4-HMAC-SHA256', $date, $scope, sha256_hex($request);
    my $key = 'AWS4' . SECRET;

    $key = hmac_sha256($_, $key) for $day, REGION, 's3', 'aws4_request';

    return hmac_sha256_hex($text, $key);
}


# What it was asked for: the method, the target, and its headers by name.

sub requests
{
    my $self = shift;

    open my $file, '<', "$self->{dir}/requests" or return;
    local $/ = "\r\n\r\n";

    return map {
        my ($method, $target) = /^(\S+) (\S+)/;
        my %headers = map { lc } /^([\w-]+): (.*?)\r$/mg;
        +{ method => $method, target => $target, headers => \%headers };
    } <$file>;
}


sub forget_requests
{
    my $self = shift;

    unlink "$self->{dir}/requests";
}


sub _file { return "$_[0]{dir}/object-" . sha256_hex($_[1]) }


sub _serve
{
    my ($self, $listen) = @_;

    while (my $client = $listen->accept) {
        my $head = '';

        until ($head =~ /\r\n\r\n/) {
            last if !sysread $client, $head, HEAD_MAX, length $head;
        }

        next if $head !~ /\r\n\r\n/;

        open my $out, '>>', "$self->{dir}/requests" or next;
        $out->autoflush;
        print {$out} $head;
        close $out;

        print {$client} $self->_answer($head);
        close $client;
    }
}


sub _answer
{
    my ($self, $head) = @_;

    my ($method, $target) = $head =~ m{^(\S+) (\S+)};
    my %headers = map { lc } $head =~ /^([\w-]+): (.*?)\r$/mg;
    my ($path, $query) = split /\?/, $target, 2;

    return _printed($method, 403, "<Error><Code>AccessDenied</Code></Error>")
        if ($headers{host} // '') ne $self->{host}
           || !$self->_allowed($method, $path, $query // '');

    my $key = $path =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger;

    open my $file, '<:raw', $self->_file($key)
        or return _printed($method, 404, '<Error><Code>NoSuchKey</Code></Error>');
    my $bytes = do { local $/; <$file> };
    my $tag = '"' . sha256_hex($bytes) . '"';
    my @more = ("ETag: $tag", 'Accept-Ranges: bytes');
    my ($from, $to) = ($headers{range} // '') =~ /^bytes=(\d+)-(\d*)$/;

    return _printed($method, 304, '', @more)
        if ($headers{'if-none-match'} // '') eq $tag;
    return _printed($method, 200, $bytes, @more) if !defined $from;

    $to = length($bytes) - 1 if !length $to || $to >= length $bytes;

    return _printed($method, 206, substr($bytes, $from, $to - $from + 1), @more,
                    "Content-Range: bytes $from-$to/" . length $bytes);
}


sub _allowed
{
    my ($self, $method, $path, $query) = @_;

    my ($signature) = $query =~ /(?:^|&)X-Amz-Signature=([0-9a-f]{64})(?:&|\z)/;
    my ($date) = $query =~ /(?:^|&)X-Amz-Date=(\d{8}T\d{6}Z)/;
    my ($expires) = $query =~ /(?:^|&)X-Amz-Expires=(\d+)/;

    return 0 if !$signature || !$date || !$expires;

    my @date = $date =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/;
    my $now = strftime '%Y%m%dT%H%M%SZ', gmtime;
    my $end = strftime '%Y%m%dT%H%M%SZ', $date[5] + $expires, @date[4, 3, 2],
                                         $date[1] - 1, $date[0] - 1900;
    my $unsigned = join '&', sort grep { !/^X-Amz-Signature=/ } split /&/, $query;

    return $now lt $end
           && $signature eq $self->_signature($method, $path, $unsigned, $date);
}


sub _printed
{
    my ($method, $status, $body, @headers) = @_;

    return join "\r\n", "HTTP/1.1 $status Status", 'Connection: close',
                        $status == 304 ? () : 'Content-Length: ' . length $body,
                        @headers, '', $method eq 'HEAD' ? '' : $body;
}

1;
