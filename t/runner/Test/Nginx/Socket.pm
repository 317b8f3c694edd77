# A runner for suites in the format of Test::Nginx::Socket, where that module is
# not installed. README.md tells what it reads.
#
# For each block it starts an nginx, sends the requests, and checks the answers
# and the logs.

package Test::Nginx::Socket;

use strict;
use warnings;

use Test::Base -base;

use List::Util qw( shuffle );

use Test::Nginx::Runner::Answer qw( check_answer );
use Test::Nginx::Runner::Log qw( check_after_request check_after_stop log_tail
                                 );
use Test::Nginx::Runner::Server qw( start_nginx stop_nginx );
use Test::Nginx::Runner::Request qw( exchange requests_of );
use Test::Nginx::Util;

our @EXPORT = (@Test::Nginx::Util::EXPORT, 'run_tests');

# A block with any other section would pass without having been tested.

my %known = map { $_ => 1 } qw(
    config http_config log_level init
    request raw_request more_headers
    error_code response_body response_body_like response_headers
    raw_response_headers_like
    error_log no_error_log no_shutdown_error_log grep_error_log
    grep_error_log_out access_log
    redis
);


sub run_tests
{
    for my $block (shuffle(Test::Base::blocks())) {
        $_->($block) for @Test::Nginx::Util::BlockPreprocessors;

        my $name = $block->name;

        for my $section (@{ $block->_section_order }) {
            bail_out("$name - the runner does not know the section $section")
                if !$known{$section};
        }

        my $failed = _failures();

        _run_block($block);

        diag("$name - the end of error.log:\n", log_tail())
            if _failures() > $failed;
    }
}


sub _failures { scalar grep { !$_ } Test::More->builder->summary }


sub _run_block
{
    my $block = shift;

    Test::Nginx::Util::forget_ports();

    start_nginx($block) or return fail($block->name . ' - nginx does not start');
    Test::Nginx::Util::run_init($block) if $block->init;

    my @requests = requests_of($block);

    for my $i (0 .. $#requests) {
        my $at = @requests > 1 ? $i : undef;

        check_answer($block, exchange($block, $requests[$i]), $at);
        check_after_request($block);
    }

    $_->($block) for @Test::Nginx::Util::TestCleanupHandlers;

    my $trouble = stop_nginx();
    fail($block->name . " - $trouble") if defined $trouble;
    check_after_stop($block);
}

1;
