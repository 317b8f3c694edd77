# Whole files of tests.

package DFP::File;

use strict;
use warnings;

use Exporter qw( import );

our @EXPORT_OK = qw( read_file write_file );


# What is in a file; '': there is none.

sub read_file
{
    my $path = shift;

    open my $file, '<', $path or return '';
    local $/;

    return <$file> // '';
}


# Only the user may read it: some are secrets.

sub write_file
{
    my ($path, $text) = @_;

    my $mask = umask 077;
    open my $file, '>', $path or die "$path: $!";
    umask $mask;

    print {$file} $text;
    close $file or die "$path: $!";
}

1;
