# What a job says at its end.

package DFP::Results;

use strict;
use warnings;

use Exporter qw( import );

our @EXPORT = qw( error failed reason );


# Its first line; the URLs that failed; and why the first of them did.

sub error { $_[0]{result}{job_states}[0]{error} }

sub failed { $_[0]{result}{job_states}[0]{results}[0]{failure_tasks} }

sub reason { (failed($_[0]) // [])->[0]{description} // '' }

1;
