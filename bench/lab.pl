#!/usr/bin/perl
#
# bench/lab.pl REDIS_PORT: the real Dragonfly of Interop::Lab, with DFDAEMON and
# DRAGONFLY_SCHEDULER, for bench/dfctl.py. Prints the scheduler's address when all
# peers are listed, and ends with its standard input. A line there is the name of
# a peer to be killed, and is answered with "killed".

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../t/lib", "$FindBin::Bin/../t/interop/lib";

use Interop::Lab;

$| = 1;
$SIG{TERM} = sub { exit 1 };

my $lab = Interop::Lab->start(scheduler => $ENV{DRAGONFLY_SCHEDULER},
                              dfdaemon => $ENV{DFDAEMON},
                              job_redis => shift);

END { local $?; $lab->stop_all if $lab }

print $lab->address, "\n";

while (my $name = <STDIN>) {
    chomp $name;
    $lab->kill_peer($name);
    print "killed\n";
}
