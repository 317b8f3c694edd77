# The answer: status, headers and body out of the bytes that came.

package Test::Nginx::Runner::Response;

use strict;
use warnings;

use Test::More ();

# Their answers end with the headers, whatever these say of a length.
my %without_body = map { $_ => 1 } 101, 304;


# Parses the first answer in $raw. Returns it, or nothing where the body is
# broken (and the test has failed), and what is left for the next answer.

sub parse
{
    my ($class, $name, $raw, $is_head) = @_;

    my ($head, $body) = split /\r?\n\r?\n/, $raw, 2;
    my ($status, @lines) = split /\r?\n/, $head // '';

    my $self = bless {
        code        => '',
        headers     => [],
        raw_headers => $raw =~ /^(.*?\r\n)\r\n/s ? $1 : '',
        content     => $body // '',
    }, $class;

    if (defined $status && $status =~ m{^HTTP/\S+ (\d{3})(?: |$)}) {
        $self->{code} = $1;
    }

    for my $line (@lines) {
        if ($line =~ /^([^:\s]+)\s*:\s*(.*?)\s*$/) {
            push @{ $self->{headers} }, [$1, $2];

        } elsif ($line =~ /^\s+(.*)/ && @{ $self->{headers} }) {
            $self->{headers}[-1][1] .= "\n $1";
        }
    }

    return $self if $without_body{ $self->{code} };

    return $self->_take_body($name, $is_head);
}


sub code        { $_[0]{code} }
sub content     { $_[0]{content} }
sub raw_headers { $_[0]{raw_headers} }


# The values of a header, with commas between where there are several.

sub header
{
    my ($self, $name) = @_;

    my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name }
                 @{ $self->{headers} };

    return @values ? join(', ', @values) : undef;
}


sub _take_body
{
    my ($self, $name, $is_head) = @_;

    my $raw = $self->{content};
    my $left;

    if (($self->header('Transfer-Encoding') // '') eq 'chunked') {
        my ($body, $trouble);

        ($body, $left, $trouble) = _decode_chunks($raw);

        if (defined $trouble) {
            Test::More::fail("$name - chunked body: $trouble");
            return;
        }

        $self->{content} = $body;
        return ($self, $left);
    }

    my $length = $self->header('Content-Length');

    return $self if !defined $length || $length !~ /^\d+$/;

    if (length $raw > $length) {
        $self->{content} = substr $raw, 0, $length;
        $left = substr $raw, $length;

    } elsif (length $raw < $length && !$is_head) {
        Test::More::diag("$name - the body is ", length $raw, " bytes of ",
                         $length);
    }

    return ($self, $left);
}


# The body, what follows it, and what is wrong if anything is.

sub _decode_chunks
{
    my $raw = shift;

    my $body = '';

    while ($raw =~ /\G[ \t]*([0-9A-Fa-f]+)[ \t]*\r\n/gc) {
        my $size = hex $1;

        if ($size == 0) {
            return (undef, undef, 'no empty line after the last chunk')
                if $raw !~ /\G\r\n/gc;

            my $left = substr $raw, pos $raw;
            return ($body, $left eq '' ? undef : $left);
        }

        my $start = pos $raw;

        return (undef, undef, "$size bytes announced, "
                              . (length($raw) - $start) . ' came')
            if length($raw) - $start < $size;

        $body .= substr $raw, $start, $size;
        pos($raw) = $start + $size;

        return (undef, undef, 'no CRLF after a chunk')
            if $raw !~ /\G\r\n/gc;
    }

    return (undef, undef, 'the last chunk is missing');
}

1;
