# What a block expects of error.log and access.log.

package Test::Nginx::Runner::Log;

use strict;
use warnings;

use Exporter qw( import );
use Test::More ();

use DFP::Process qw( wait_until );
use Test::Nginx::Util;

our @EXPORT_OK = qw( check_after_request check_after_stop log_tail );

use constant TAIL_LINES => 20;

my $position;


# nginx may log after the client has its answer: the lines that must be there are
# waited for. Those of the requests before do not count.

sub check_after_request
{
    my $block = shift;

    $position //= 0;
    my $begin = $position;

    for my $pattern (_patterns($block->error_log)) {
        Test::More::ok(wait_until($Test::Nginx::Util::Timeout, sub {
                           grep { _matches($_, $pattern) }
                                _lines('error.log', $begin) }),
                       $block->name . " - error_log: $pattern");
    }

    for my $pattern (_patterns($block->access_log)) {
        Test::More::ok(wait_until($Test::Nginx::Util::Timeout, sub {
                           grep { _matches($_, $pattern) }
                                _lines('access.log', 0) }),
                       $block->name . " - access_log: $pattern");
    }

    $position = -s "$Test::Nginx::Util::ServRoot/logs/error.log";
}


# No more lines come: those that must not be there are not, and all that a pattern
# finds is what was expected.

sub check_after_stop
{
    my $block = shift;

    my @lines = _lines('error.log', 0);

    for my $section (qw( no_error_log no_shutdown_error_log )) {
        for my $pattern (_patterns($block->$section)) {
            my @found = grep { _matches($_, $pattern) } @lines;

            Test::More::is("@found", '', $block->name . " - $section: $pattern");
        }
    }

    if (defined $block->grep_error_log) {
        my $pattern = $block->grep_error_log;
        my $found = join '', map { /($pattern)/ ? "$1\n" : () } @lines;

        Test::More::is($found, $block->grep_error_log_out,
                       $block->name . ' - grep_error_log');
    }

    undef $position;
}


# For a person: the last lines, without those of level debug.

sub log_tail
{
    my $shown = 0;
    my @lines = grep {
        # a line of level debug may go on in lines that have no time
        $shown = !/ \[debug\] / if m{^\d{4}/\d\d/\d\d };
        $shown;
    } _lines('error.log', 0);

    return join '', @lines > TAIL_LINES ? @lines[-TAIL_LINES() .. -1] : @lines;
}


sub _lines
{
    my ($name, $begin) = @_;

    open my $file, '<', "$Test::Nginx::Util::ServRoot/logs/$name" or return;
    seek $file, $begin, 0;

    return <$file>;
}


# A section is a pattern, an array of patterns, or a text with one in each line.

sub _patterns
{
    my $value = shift;

    return if !defined $value;
    return @$value if ref $value eq 'ARRAY';
    return $value if ref $value;
    return split /\n+/, $value;
}


sub _matches
{
    my ($line, $pattern) = @_;

    return ref $pattern ? $line =~ /$pattern/ : $line =~ /\Q$pattern\E/;
}

1;
