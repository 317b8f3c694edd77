# From the sections of a block to the bytes of its requests.
#
# A request is a list of packets, and a packet is a hash of "value" and, if
# it is to be sent later than at once, "delay_before".

package Test::Nginx::Runner::Request;

use strict;
use warnings;

use Test::Nginx::Util;


# A reference to the list of requests.

sub requests
{
    my $block = shift;

    my $name = $block->name;

    if (defined $block->raw_request) {
        my $raw = $block->raw_request;
        return [_delayed($block, ref $raw eq 'ARRAY' ? @$raw : $raw)];
    }

    if ($block->pipelined_requests) {
        return [_pipelined($block)];
    }

    my $request = $block->request;

    bail_out("$name - there is no request") if !defined $request;

    if (!ref $request) {
        # comments may stand above the request line
        1 while $request =~ s/^\s*\#[^\n]+\s+|^\s+//g;
        $request = [$request];
    }

    bail_out("$name - request is neither a text nor an array")
        if ref $request ne 'ARRAY';

    my @requests;

    for my $i (0 .. $#$request) {
        my ($headers, $chunked) = _more_headers($block, $i);
        my $packets = $request->[$i];

        $packets = [$packets] if !ref $packets;
        push @requests, _complete($name, $packets, "close", $headers,
                                  $chunked);
    }

    return \@requests;
}


# For a raw request every packet after the first waits equally long.

sub _delayed
{
    my ($block, $first, @rest) = @_;

    my $delay = $block->raw_request_middle_delay;

    return [{ value => $first },
            map { { value => $_, delay_before => $delay } } @rest];
}


# All requests in one packet; the last one closes the connection.

sub _pipelined
{
    my $block = shift;

    my $name = $block->name;
    my $requests = $block->pipelined_requests;

    bail_out("$name - pipelined_requests is not an array")
        if ref $requests ne 'ARRAY';

    my $all = '';

    for my $i (0 .. $#$requests) {
        my ($headers, $chunked) = _more_headers($block, $i);
        my $connection = $i == $#$requests ? 'close' : 'keep-alive';
        my $request = expand_env_in_text($requests->[$i], $name);

        my $packets = _complete($name, [$request], $connection, $headers,
                                $chunked);
        $all .= $packets->[0]{value};
    }

    return [{ value => $all }];
}


# "more_headers" for the request number $i, with CRLF, and whether they say
# that the body is chunked.

sub _more_headers
{
    my ($block, $i) = @_;

    my $lines = $block->more_headers // '';

    if (ref $lines eq 'ARRAY') {
        $lines = $lines->[$i]
            // bail_out($block->name, " - no more_headers for request $i");
    }

    my ($headers, $chunked) = ('', 0);

    for my $line (split /\n+/, $lines) {
        next if $line =~ /^\s*\#/;

        my ($key, $value) = split /:\s*/, $line, 2;
        $value //= '';

        $chunked = 1 if lc $key eq 'transfer-encoding'
                        && $value eq 'chunked';
        $headers .= "$key: $value\r\n";
    }

    return ($headers, $chunked);
}


# Turns "GET /path" and a body below it into an HTTP request: what is missing
# of the request line, the headers, the body without white space at its ends.
# Where the request was given in packets, it stays split at the same places.

sub _complete
{
    my ($name, $packets, $connection, $more, $chunked) = @_;

    my @packets = map { ref $_ ? { %$_ } : { value => $_ } } @$packets;

    my $text = join '', map { $_->{value} } @packets;
    my ($line, $body) = $text =~ /\A(\s*[^\n]*\n?)(.*)\z/s;

    my ($indent, $method, $url, $version)
        = $line =~ /^(\s*)(\S+)(?: +(\S+))?(?: +(\S+))? *\s*$/
        or bail_out("$name - this is no request line: $line");

    $url //= '/';
    $version //= 'HTTP/1.1';

    my $stripped = 0;
    my $length;

    if ($body ne '' && !$chunked && $more !~ /^Content-Length:/m) {
        $stripped = $body =~ s/^(\s+)// ? length $1 : 0;
        $body =~ s/\s+$//;
        $length = length $body;
    }

    my $head = "$method $url $version\r\n";

    $head .= "Host: $Test::Nginx::Util::ServerName\r\n"
        if $more !~ /^Host:/mi;
    $head .= "Connection: $connection\r\n" if $more !~ /^Connection/mi;
    $head .= $more;
    $head .= "Content-Length: $length\r\n" if defined $length;
    $head .= "\r\n";

    # where a byte of the text as it was given is now
    my $place = sub {
        my $offset = shift;

        return $offset - length $indent if $offset < length $line;

        $offset -= length($line) + $stripped;
        return length($head) + ($offset > 0 ? $offset : 0);
    };

    return _split_again("$head$body", $place, @packets);
}


sub _split_again
{
    my ($request, $place, @packets) = @_;

    my ($old, $new) = (0, 0);

    for my $packet (@packets) {
        $old += length $packet->{value};

        my $end = $place->($old);
        $end = length $request if $packet == $packets[-1]
                                  || $end > length $request;
        $end = $new if $end < $new;

        $packet->{value} = substr $request, $new, $end - $new;
        $new = $end;
    }

    return [grep { $_->{value} ne '' } @packets];
}

1;
