# What a test says on stderr while it goes well:
#
#     announce('1000 allocations, one of 12 fails');
#
# prove, once it has read from a test's stderr, waits for this test's next line on
# stdout, and starts no other test before it has come. So one follows at once.

package DFP::Announce;

use strict;
use warnings;

use Exporter qw( import );
use Test::More;

our @EXPORT = qw( announce );


sub announce
{
    diag(@_);
    note('');
}

1;
