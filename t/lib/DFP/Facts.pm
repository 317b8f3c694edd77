# Texts are compared by their facts: the name of the field, the value, the limit,
# the status. The wording around them may change without a change of tests.
#
#     like($error, facts('the origin answered | 404'), 'the job says so');
#
# Texts of Dragonfly, and those that its clients know, are compared as a whole.

package DFP::Facts;

use strict;
use warnings;

use Exporter qw( import );
use Test::More ();

our @EXPORT = qw( facts like_facts );


# A pattern for a line that has all of these parts, in any order. They are words:
# "1" is not found in "10". A part between slashes is a regular expression.

sub facts
{
    my @facts = map { split /\s\|\s+/ } @_;

    return qr/^${\ join '', map { '(?=.*' . _pattern($_) . ')' } @facts }/m;
}


# A test: a list of texts has as many as are expected, each with its facts.

sub like_facts
{
    my ($texts, $expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @patterns = map { facts($_) } @$expected;
    my @wrong = grep { ($texts->[$_] // '') !~ ($patterns[$_] // qr/(?!)/) }
                0 .. (@$texts > @$expected ? $#$texts : $#$expected);

    return Test::More::ok(!@wrong, $name)
           || Test::More::diag(map { 'got: ' . ($texts->[$_] // 'nothing')
                                     . ', expected: '
                                     . ($expected->[$_] // 'nothing') . "\n" }
                                   @wrong);
}


sub _pattern
{
    my $fact = shift;

    return "(?:$1)" if $fact =~ m{^/(.+)/\n?\z};

    chomp $fact;

    return ($fact =~ /^\w/ ? '(?<!\w)' : '') . quotemeta($fact)
           . ($fact =~ /\w\z/ ? '(?!\w)' : '');
}

1;
