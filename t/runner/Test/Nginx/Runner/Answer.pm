# What a block expects of an answer: its status, headers and body.

package Test::Nginx::Runner::Answer;

use strict;
use warnings;

use Exporter qw( import );
use Test::More ();

use Test::Nginx::Util;

our @EXPORT_OK = qw( check_answer );


# $at is the number of the request, where the block has several. What is expected
# of their answers is an array then.

sub check_answer
{
    my ($block, $raw, $at) = @_;

    my $name = $block->name . (defined $at ? " (request $at)" : '');
    my ($head, $body) = $raw =~ /\A(.*?\r\n)\r\n(.*)\z/s ? ($1, $2) : ('', $raw);
    my ($code) = $head =~ m{\AHTTP/1\.1 (\d{3}) };
    my $expected = sub { _expected($block, $_[0], $at) };

    Test::More::is($code, $expected->('error_code') // 200, "$name - status");

    for my $line (split /\n/, $expected->('response_headers') // '') {
        my ($key, $value) = split /:\s*/, $line, 2;
        my $got = join ', ', $head =~ /^\Q$key\E:\s*(.*?)\r$/mig;

        Test::More::is($got, $value, "$name - header $key");
    }

    my $like = $expected->('raw_response_headers_like');
    Test::More::like($head, qr/$like/s, "$name - headers") if defined $like;

    my $text = $expected->('response_body');
    Test::More::is($body, $text, "$name - body") if defined $text;

    $like = $expected->('response_body_like');
    Test::More::like($body, qr/$like/s, "$name - body") if defined $like;
}


sub _expected
{
    my ($block, $section, $at) = @_;

    my $value = $block->$section;

    return $value if !defined $at || !defined $value;

    bail_out($block->name, " - there are several requests, so $section must",
             ' be an array') if ref $value ne 'ARRAY';

    return $value->[$at];
}

1;
