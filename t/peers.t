# Jobs for Dragonfly's peers: which of them are asked, and what for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Image;
use DFP::Swarm;


swarm_story 'a file', { seeds => 1, peers => 3 }, sub {
    my ($warm, $dragonfly) = @_;

    my $job = $warm->run('file', url => FILES . '/files/a',
                         scope => 'all_peers');

    is($job->{state}, 'SUCCESS', 'goes to all peers') or diag(error($job));
    is_deeply(told($job, 'success_tasks'),
              [ map { "peer-$_ /files/a" } 1 .. 3 ], 'and to no seed');
    diag(explain($job->{result})) if $ENV{SHOW};
};

done_testing();
