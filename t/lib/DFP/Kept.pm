# Jobs with keep_until, for tests that watch how they are looked at.

package DFP::Kept;

use strict;
use warnings;

use Exporter qw( import );
use POSIX qw( strftime );
use Test::More;

use DFP::Process qw( wait_until );

our @EXPORT = qw( HOUR LOOKS in_seconds kept_of looked );
our @EXPORT_OK = qw( kept );
our %EXPORT_TAGS = (DEFAULT => \@EXPORT);

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


# A job of DFP::Warm that is kept for some seconds, at its end; its id.

sub kept
{
    my ($warm, $seconds, @job) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $job = $warm->run(@job, keep_until => in_seconds($seconds));

    is($job->{state}, 'SUCCESS', 'the job succeeds')
        or diag($job->{result}{job_states}[0]{error});

    return $job->{id};
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


# The number of the last run of these looks, and whether one is under way; 0: there was
# none (src/redis/lua/common.lua).

sub _runs
{
    my ($servers, $id, $name) = @_;

    my $read = sub {
        return split /\n/, $servers->redis($_[0], "dfpreheat:job:$id", @_[1 .. $#_]);
    };
    my ($who) = grep { defined $name ? $_ eq "kept:$name" : /^kept:/ } $read->('hkeys')
        or return (0, 0);
    my ($number) = $read->('hget', $who);

    return (0, 0) if !$number;

    my ($runs, $state) = $read->('hmget', "n:$number", "s:$number");

    return ($runs || 0, $state // '');
}


# Waits for a look that has begun after this: what is told of it.

sub looked
{
    my ($servers, $id, $name) = @_;

    my ($before) = _runs($servers, $id, $name);
    my $look;

    wait_until(LOOKS, sub {
        my ($runs, $state) = _runs($servers, $id, $name);

        return if $runs <= $before || $state;

        $look = kept_of($servers, $id, $name);

        return $look && defined $look->{checked_at};
    }) or die "nobody looks at job $id\n";

    return $look;
}

1;
