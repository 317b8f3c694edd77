# Fails every block whose error.log holds a line of level alert, crit or
# emerg that the block does not name in its error_log section, also where nginx
# writes it while it stops.
#
#     use Test::Nginx::Socket 'no_plan';
#     use DFP::Log;
#
# It adds a pattern to the no_error_log and no_shutdown_error_log sections of
# each block, so it counts as tests, and needs nothing of a runner but these.

package DFP::Log;

use strict;
use warnings;

use Test::Nginx::Util ();

Test::Nginx::Util::add_block_preprocessor(sub {
    my $block = shift;

    # an empty pattern would match, and so excuse, every line
    my @expected = grep { ref || length }
                   _patterns($block->error_log);
    my $severe = DFP::Log::Severe->new(@expected);

    for my $section (qw( no_error_log no_shutdown_error_log )) {
        $block->set_value($section, [_patterns($block->$section), $severe]);
    }
});


# A section of patterns is one, an array of them, or a text with one in each
# line.

sub _patterns
{
    my $value = shift;

    return if !defined $value;
    return grep { defined } @$value if ref $value eq 'ARRAY';
    return $value if ref $value;

    chomp $value;
    return split /\n+/, $value;
}


# The pattern, with a name that can be read in the result of a test.

package DFP::Log::Severe;

use strict;
use warnings;

use overload
    'qr'     => sub { $_[0]{pattern} },
    '""'     => sub { 'alert, crit or emerg that error_log does not name' },
    fallback => 1;

sub new
{
    my ($class, @expected) = @_;

    my $severe = qr/ \[(?:alert|crit|emerg)\] /;
    my $expected = join '|', map { ref $_ ? $_ : quotemeta } @expected;

    return bless {
        pattern => @expected ? qr/^(?!.*(?:$expected)).*$severe/ : $severe,
    }, $class;
}

1;
