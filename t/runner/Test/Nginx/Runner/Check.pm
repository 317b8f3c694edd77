# What a block expects of the answer: status, headers, body.

package Test::Nginx::Runner::Check;

use strict;
use warnings;

use Exporter qw( import );
use Test::More ();

use Test::Nginx::Util;

our @EXPORT = qw( check_response expected_of is_str );

# Longer texts are not printed whole where they differ.
use constant {
    LONG_TEXT => 2000,
    CONTEXT   => 100,
};


# $at tells which answer it is: "request" and "repeat" are its numbers, and
# "many" is true where the block has several requests, whose expectations
# must be arrays as well. $res is undefined where there was no answer that
# could be parsed.

sub check_response
{
    my ($block, $res, $at) = @_;

    _check_status($block, $res, $at);
    _check_raw_headers($block, $res, $at);
    _check_headers($block, $res, $at);
    _check_body($block, $res, $at);

    for my $check (@Test::Nginx::Util::ResponseBodyChecks) {
        $check->($block, $res ? $res->content : undef, $at->{request},
                 $at->{repeat}, 0);
    }
}


# What the section says about this answer.

sub expected_of
{
    my ($block, $section, $at) = @_;

    my $value = $block->$section;

    return $value->[$at->{request}] if ref $value eq 'ARRAY';

    bail_out($block->name, " - there are several requests, so $section must",
             " be an array") if $at->{many};

    return $value;
}


# Compares texts, or matches where a pattern is expected.

sub is_str (@)
{
    my ($got, $expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    if (ref $expected eq 'Regexp') {
        return Test::More::like($got, $expected, $name);
    }

    if ($Test::Nginx::Util::NoLongString || !defined $got
        || !defined $expected
        || (length $got < LONG_TEXT && length $expected < LONG_TEXT))
    {
        return Test::More::is($got, $expected, $name);
    }

    return Test::More::ok(1, $name) if $got eq $expected;

    Test::More::ok(0, $name);

    # the first byte that is not the same is the first non-zero one here
    my $same = ($got ^ $expected) =~ /^(\0*)/ ? length $1 : 0;
    my $from = $same > CONTEXT ? $same - CONTEXT : 0;

    Test::More::diag('the texts differ from byte ', $same, ' on',
                     "\n     got, ", length $got, ' bytes: ...',
                     substr($got, $from, 2 * CONTEXT),
                     "\nexpected, ", length $expected, ' bytes: ...',
                     substr($expected, $from, 2 * CONTEXT));

    return 0;
}


sub _check_status
{
    my ($block, $res, $at) = @_;

    my $code = $res ? $res->code : '';
    my $name = $block->name . _number($at) . ' - status';

    if (defined $block->error_code_like) {
        my $pattern = expected_of($block, 'error_code_like', $at);
        Test::More::like($code, qr/$pattern/sm, $name);

    } elsif (defined $block->error_code) {
        Test::More::is($code, expected_of($block, 'error_code', $at), $name);

    } else {
        Test::More::is($code, 200, $name);
    }
}


sub _check_raw_headers
{
    my ($block, $res, $at) = @_;

    my $raw = $res ? $res->raw_headers : undef;
    my $name = $block->name . _number($at);

    if (defined $block->raw_response_headers_like) {
        my $like = expected_of($block, 'raw_response_headers_like', $at);
        Test::More::like($raw, qr/$like/s, "$name - raw headers");
    }

    if (defined $block->raw_response_headers_unlike) {
        my $unlike = expected_of($block, 'raw_response_headers_unlike', $at);
        Test::More::unlike($raw, qr/$unlike/s, "$name - raw headers");
    }
}


sub _check_headers
{
    my ($block, $res, $at) = @_;

    my $section = defined $block->response_headers ? 'response_headers'
                                                   : 'response_headers_like';

    return if !defined $block->$section;

    my $headers = _parse_headers(expected_of($block, $section, $at));

    for my $key (sort keys %$headers) {
        my $name = $block->name . _number($at) . " - header $key";
        my $expected = $headers->{$key};
        my $got = ($res ? $res->header($key) : undef) // '';

        if ($section eq 'response_headers_like') {
            $expected //= '';
            Test::More::like($got, qr/^$expected$/, $name);

        } elsif (defined $expected) {
            Test::More::is($got, _with_ports($expected), $name);

        } else {
            Test::More::unlike($res ? $res->raw_headers : undef,
                               qr/^\s*\Q$key\E\s*:/m, "$name is not there");
        }
    }
}


# "Name: value" lines, or "!Name" for a header that must not be there.

sub _parse_headers
{
    my $text = shift;

    my %headers;

    for my $line (split /\n/, $text // '') {
        $line =~ s/^\s+|\s+$//g;

        if ($line =~ s/^!\s*//) {
            $headers{$line} = undef;

        } elsif ($line ne '') {
            my ($key, $value) = split /\s*:\s*/, $line, 2;
            $headers{$key} = $value;
        }
    }

    return \%headers;
}


sub _check_body
{
    my ($block, $res, $at) = @_;

    my $content = $res ? $res->content : undef;
    my $name = $block->name . _number($at) . ' - body';

    if (defined $block->response_body) {
        my $expected = expected_of($block, 'response_body', $at);

        if (defined $expected && !ref $expected) {
            $expected = expand_env_in_text(_with_ports($expected),
                                           $block->name);
        }

        is_str($content, $expected, $name);

    } elsif (defined $block->response_body_like) {
        my $like = expected_of($block, 'response_body_like', $at);
        $like = _with_ports($like);
        Test::More::like($content, qr/$like/s, $name);

    } elsif (defined $block->response_body_unlike) {
        my $unlike = expected_of($block, 'response_body_unlike', $at);
        $unlike = _with_ports($unlike);
        Test::More::unlike($content, qr/$unlike/s, $name);
    }
}


sub _with_ports
{
    my $text = shift;

    my ($port, $client_port) = (server_port(), server_port_for_client());

    $text =~ s/\$ServerPort\b/$port/g;
    $text =~ s/\$ServerPortForClient\b/$client_port/g;

    return $text;
}


sub _number
{
    my $at = shift;

    return $at->{many} ? " (request $at->{request})" : '';
}

1;
