# What a block expects of error.log and access.log.

package Test::Nginx::Runner::Logs;

use strict;
use warnings;

use Exporter qw( import );
use Test::More ();
use Time::HiRes qw( sleep );

use Test::Nginx::Runner::Check qw( is_str );
use Test::Nginx::Util;

our @EXPORT = qw( check_logs check_error_log check_shutdown_log
                  rewind_error_log error_log_tail );

use constant {
    TAIL_LINES => 20,
    TAIL_BYTES => 256 * 1024,
};

# nginx writes its last lines about a request after the client has seen the
# end of the answer: so many times the base sleep is what it is given.
use constant LOG_SLEEPS => 3;

my $position = 0;


# From here on all lines of error.log are new.

sub rewind_error_log
{
    $position = 0;
}


# After a request of the block. The lines that were there after the one
# before are not looked at again.

sub check_logs
{
    my ($block, $repeat) = @_;

    check_error_log($block, $repeat);

    if (!defined $block->ignore_response) {
        my $lines;

        for my $section (qw( access_log no_access_log )) {
            next if !defined $block->$section;
            $lines //= _access_log();
            _match($block, $section, 'access.log', $lines);
        }
    }
}


sub check_error_log
{
    my ($block, $repeat) = @_;

    my $lines = _error_log();

    _check_grep($block, $lines, $repeat);
    _match($block, 'error_log', 'error.log', $lines);
    _match($block, 'no_error_log', 'error.log', $lines);

    for my $line (@$lines) {
        Test::More::fail($block->name . " - $line")
            if $line =~ /\bAssertion .*failed\b/;
    }
}


# After nginx has stopped: the lines that it wrote since the last request.

sub check_shutdown_log
{
    my ($block) = @_;

    return if !defined $block->shutdown_error_log
              && !defined $block->no_shutdown_error_log;

    my $lines = _error_log();

    _match($block, 'shutdown_error_log', 'error.log', $lines);
    _match($block, 'no_shutdown_error_log', 'error.log', $lines);
}


# The last lines of error.log for a person who looks for the reason of a
# failure, without those of level debug if there are others.

sub error_log_tail
{
    open my $in, '<', $Test::Nginx::Util::ErrLogFile or return '';

    my $size = -s $in;
    seek $in, $size - TAIL_BYTES, 0 if $size > TAIL_BYTES;

    # a line of level debug may go on in lines that have no time
    my @all = <$in>;
    my $shown = 0;
    my @lines = grep {
        $shown = !/ \[debug\] / if m{^\d{4}/\d\d/\d\d };
        $shown;
    } @all;

    @lines = @all if !@lines;
    splice @lines, 0, @lines - TAIL_LINES if @lines > TAIL_LINES;

    return join '', @lines;
}


sub _error_log
{
    sleep LOG_SLEEPS * $Test::Nginx::Util::TestNginxSleep;

    open my $in, '<', $Test::Nginx::Util::ErrLogFile or return [];

    seek $in, $position, 0 if !$Test::Nginx::Util::CheckAccumErrLog;

    my @lines = <$in>;

    $position = tell $in;

    return \@lines;
}


sub _access_log
{
    sleep LOG_SLEEPS * $Test::Nginx::Util::TestNginxSleep;

    open my $in, '<', $Test::Nginx::Util::AccLogFile
        or bail_out("cannot read $Test::Nginx::Util::AccLogFile: $!");

    return [<$in>];
}


# "grep_error_log" is a pattern, and what it matches, a line for each line it
# is found in, must be what "grep_error_log_out" says. Arrays of them are for
# repeat_each.

sub _check_grep
{
    my ($block, $lines, $repeat) = @_;

    my ($pattern, $expected) = ($block->grep_error_log,
                                $block->grep_error_log_out);

    return if !defined $pattern && !defined $expected;

    bail_out($block->name, ' - grep_error_log and grep_error_log_out need',
             ' each other') if !defined $pattern || !defined $expected;

    $expected = expand_env_in_text($expected, $block->name);

    $pattern = $pattern->[$repeat] if ref $pattern eq 'ARRAY';
    $expected = $expected->[$repeat] if ref $expected eq 'ARRAY';

    return if !defined $pattern;

    $pattern = qr/\Q$pattern\E/ if !ref $pattern;

    my $found = '';

    for my $line (@$lines) {
        $found .= "$&\n" if $line =~ $pattern && $& !~ /\n/;
    }

    is_str($found, $expected,
           $block->name . " - found in error.log (repeat $repeat)");
}


# The patterns of a section, each of which must match a line, or, if the
# section's name begins with "no_", none.

sub _match
{
    my ($block, $section, $file, $lines) = @_;

    my $wanted = $section !~ /^no_/;

    for my $pattern (_patterns($block->$section)) {
        my ($first) = grep { _matches($_, $pattern) } @$lines;

        my $name = $block->name . " - $section: " . _one_line($pattern);

        next if Test::More::ok(defined $first == $wanted, $name);

        if ($wanted) {
            Test::More::diag('no line of ', $file, ' matches among ',
                             scalar @$lines, ' new ones');
        } else {
            Test::More::diag("line of $file: ", $first);
        }
    }
}


# A section is a pattern, an array of patterns, or a text with one in each
# line. Undefined members of an array stand for nothing.

sub _patterns
{
    my $value = shift;

    return if !defined $value;
    return grep { defined } @$value if ref $value eq 'ARRAY';
    return $value if ref $value;

    chomp $value;
    return split /\n+/, $value;
}


sub _matches
{
    my ($line, $pattern) = @_;

    return ref $pattern ? $line =~ /$pattern/ : $line =~ /\Q$pattern\E/;
}


sub _one_line
{
    my $text = "$_[0]";

    $text =~ s/\r/\\r/g;
    $text =~ s/\n/\\n/g;

    return $text;
}

1;
