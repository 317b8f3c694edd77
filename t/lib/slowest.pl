# Passes on what prove --timer prints, and ends with the slowest of its files:
#
#     prove --timer t/*.t | perl t/lib/slowest.pl

use strict;
use warnings;

use constant SHOWN => 10;

my $begin = time;
my %seconds;

$| = 1;

while (my $line = <STDIN>) {
    print $line;
    $seconds{$1} = $2 / 1000 if $line =~ /^\[[\d:]+\] (\S+) .* (\d+) ms\b/;
}

my @files = sort { $seconds{$b} <=> $seconds{$a} } keys %seconds;
my $last = @files > SHOWN ? SHOWN - 1 : $#files;

printf "The slowest, in seconds:\n" if @files > 1;
printf "%7.1f  %s\n", $seconds{$_}, $_ for @files > 1 ? @files[0 .. $last] : ();
printf "%7.1f  all %d\n", time - $begin, scalar @files if @files > 1;
