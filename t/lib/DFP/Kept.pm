# Jobs with keep_until, for tests that watch how they are looked at.

package DFP::Kept;

use strict;
use warnings;

use Exporter qw( import );
use POSIX qw( strftime );

use DFP::Process qw( wait_until );

our @EXPORT = qw( HOUR LOOKS in_seconds kept_of looked );

use constant {
    HOUR  => 3600,      # s
    LOOKS => 20,        # s: some intervals, and what a busy machine adds
};


# A time as args.keep_until has it.

sub in_seconds
{
    my $seconds = shift;

    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $seconds));
}


# What the job tells of the looks of an nginx, by its name, or of the first one; undef:
# nothing.

sub kept_of
{
    my ($servers, $id, $name) = @_;

    my ($look) = grep { !defined $name || $_->{hostname} eq $name }
                      @{ $servers->client->get("/oapi/v1/jobs/$id")->{json}{kept}
                         // [] };

    return $look;
}


# Waits for a look that has begun after this: what is told of it.

sub looked
{
    my ($servers, $id, $name) = @_;

    my $look = kept_of($servers, $id, $name);

    # one may be under way already

    for (1 .. 2) {
        my $last = $look ? $look->{checked_at} // '' : '';

        wait_until(LOOKS, sub {
            $look = kept_of($servers, $id, $name);
            $look && defined $look->{checked_at} && $look->{checked_at} ne $last;
        }) or die "nobody looks at job $id\n";
    }

    return $look;
}

1;
