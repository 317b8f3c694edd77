# Redis loses its newest writes:
#
#     saved($servers);                  # what is written until now stays
#     ...
#     loses_newest_writes($servers);    # the rest is gone, Redis is there again

package DFP::Loss;

use strict;
use warnings;

use Exporter qw( import );

our @EXPORT = qw( saved loses_newest_writes );


# What Redis has on disk, to be put back in the place of what it has later.

sub saved
{
    my $servers = shift;

    $servers->redis(qw( config set appendfsync always ));
    system 'cp', '-r', "$servers->{dir}/redis", "$servers->{dir}/redis.saved";
}


sub loses_newest_writes
{
    my $servers = shift;

    $servers->redis_kill;
    system 'rm', '-r', "$servers->{dir}/redis";
    system 'mv', "$servers->{dir}/redis.saved", "$servers->{dir}/redis";
    $servers->redis_start;
}

1;
