# A runner for test files in the format of Test::Nginx::Socket, for where
# that module is not installed. README.md tells what is supported.
#
# This file drives: it starts nginx as a block wants it, sends the block's
# requests and has the answers and logs checked.

package Test::Nginx::Socket;

use strict;
use warnings;

use Test::Base -base;

use File::Path qw( remove_tree );
use List::Util qw( shuffle );
use Time::HiRes qw( sleep );

use Test::Nginx::Runner::Check qw( is_str );
use Test::Nginx::Runner::Client ();
use Test::Nginx::Runner::Logs;
use Test::Nginx::Runner::Process ();
use Test::Nginx::Runner::Request ();
use Test::Nginx::Runner::Response ();
use Test::Nginx::Runner::Root;
use Test::Nginx::Runner::Skip ();
use Test::Nginx::Runner::TcpServer ();
use Test::Nginx::Util;

our @EXPORT = qw(
    add_block_preprocessor add_cleanup_handler add_response_body_check
    add_test_cleanup_handler bail_out check_accum_error_log
    config_preamble env_to_nginx html_dir is_str log_level master_off
    master_on master_process_enabled no_long_string no_root_location
    no_shuffle plan repeat_each run_tests server_addr server_name
    server_port server_port_for_client server_root timeout use_hup
    worker_connections workers
);

# Where nginx fails to start because a port is not yet free again.
use constant {
    START_TRIES => 3,
    START_PAUSE => 0.3,
};

# How often the new configuration must answer in a row after a reload, as
# for a moment old processes accept connections too.
use constant RELOAD_ANSWERS => 10;

# The process that started nginx, the last block that ran, how many tests had
# failed before the current one, and the number of the last reload.
my $owner = $$;
my $last_block;
my $nfailed = 0;
my $version = 0;


sub run_tests ()
{
    my @blocks = Test::Base::blocks();

    @blocks = shuffle(@blocks) if !$Test::Nginx::Util::NoShuffle;

    for my $block (@blocks) {
        $_->($block) for @Test::Nginx::Util::BlockPreprocessors;

        $block->set_value(name => "$0 " . $block->name);

        Test::Nginx::Runner::Skip::check_sections($block);
        _run_block($block);

        $_->($block) for @Test::Nginx::Util::TestCleanupHandlers;
    }

    $_->() for @Test::Nginx::Util::CleanupHandlers;
}


sub _run_block
{
    my $block = shift;

    $Test::Nginx::Util::RandPorts = {};

    local $Test::Nginx::Util::LogLevel
        = $block->log_level || $Test::Nginx::Util::LogLevel;

    my ($verdict, $ntests, $reason) = Test::Nginx::Runner::Skip::verdict(
                                          $block);

    if ($verdict ne 'skip') {
        if (defined $block->must_die) {
            _run_must_die($block);
            _explain($block);
            $last_block = $block;
            return;
        }

        return if !_prepare_nginx($block);

        $last_block = $block;
    }

    run_init($block);

    if ($verdict eq 'skip') {
        SKIP: { skip($block->name . " - $reason", $ntests); }
        return;
    }

    if ($verdict eq 'todo') {
        TODO: { todo_skip($block->name . " - $reason", $ntests); }
        return;
    }

    rewind_error_log();

    for my $repeat (0 .. repeat_each() - 1) {
        write_user_files($block) if $repeat;

        Test::Nginx::Runner::TcpServer::start($block);
        _run_requests($block, $repeat);
        Test::Nginx::Runner::TcpServer::stop();
    }

    _explain($block);
}


# nginx with the block's configuration. A block without one goes on with the
# nginx of the block before.

sub _prepare_nginx
{
    my $block = shift;

    my $name = $block->name;
    my $config = expand_env_in_text($block->config, $name);

    if (!defined $config) {
        bail_out("$name - no config, and no block before has one")
            if !defined $last_block;
        return 1;
    }

    return _reload_nginx($block, $config)
        if $Test::Nginx::Util::UseHup && defined $last_block
           && Test::Nginx::Runner::Process::running();

    _stop_nginx();

    master_on() if $Test::Nginx::Util::UseHup;
    _write_root($block, $config, 0);

    for (1 .. START_TRIES) {
        return 1 if Test::Nginx::Runner::Process::start(
                        defined $block->suppress_stderr);

        last if error_log_tail() !~ /Address already in use/;

        sleep START_PAUSE;
    }

    fail("$name - nginx does not start");
    _explain($block);

    # what it ended with has been told
    Test::Nginx::Runner::Process::stop();

    return 0;
}


sub _write_root
{
    my ($block, $config, $keep_running) = @_;

    setup_server_root($keep_running);
    write_user_files($block);
    write_config_file($block, $config,
                      Test::Nginx::Runner::Process::features(),
                      $Test::Nginx::Util::UseHup ? ++$version : undef);
    rewind_error_log();
}


sub _reload_nginx
{
    my ($block, $config) = @_;

    _write_root($block, $config, 1);

    my $ver = [{ value => "GET /ver HTTP/1.0\r\nHost: Test-Nginx\r\n\r\n" }];

    my $is_new = sub {
        for (1 .. RELOAD_ANSWERS) {
            my ($answer) = _exchange($block, $ver);
            return 0 if $answer !~ /\r\n\r\n$version$/;
        }

        return 1;
    };

    undef $is_new if defined $block->reload_fails;

    return 1 if Test::Nginx::Runner::Process::reload($is_new);

    fail($block->name . ' - nginx does not take the new configuration');
    _explain($block);

    return 0;
}


# Stops the nginx of the last block and lets that block have its say.

sub _stop_nginx
{
    my $trouble = Test::Nginx::Runner::Process::stop();

    return if !defined $last_block;

    if (defined $trouble) {
        fail($last_block->name . " - $trouble");
        _explain($last_block);
    }

    check_shutdown_log($last_block) if !$Test::Nginx::Util::UseHup;
    _explain($last_block);

    undef $last_block;
}


# nginx must refuse to start: with any error, or with the exit code given.

sub _run_must_die
{
    my $block = shift;

    my $name = $block->name;
    my $must_die = $block->must_die;
    my $config = expand_env_in_text($block->config, $name);

    local $Test::Nginx::Util::UseHup = 0;
    local $Test::Nginx::Util::UseValgrind = 0;

    _stop_nginx();
    _write_root($block, $config // '', 0);

    for my $repeat (0 .. repeat_each() - 1) {
        my $started = Test::Nginx::Runner::Process::start(
                          defined $block->suppress_stderr);
        my $code = Test::Nginx::Runner::Process::exit_code();

        if ($must_die =~ /^\d+$/) {
            is($started ? 'none, it runs' : $code, $must_die,
               "$name - exit code");

        } else {
            ok(!$started && defined $code && $code != 0,
               "$name - refuses to start");
        }

        check_error_log($block, $repeat);

        Test::Nginx::Runner::Process::stop();
    }
}


sub _run_requests
{
    my ($block, $repeat) = @_;

    my $requests = Test::Nginx::Runner::Request::requests($block);
    my $npipelined = $block->pipelined_requests
                     ? @{ $block->pipelined_requests } : 1;

    my $at = {
        request => 0,
        repeat  => $repeat,
        many    => @$requests > 1 || $npipelined > 1,
    };

    for my $request (@$requests) {
        my $is_head = $request->[0]{value} =~ /^\s*HEAD\s/;
        my ($raw, $trouble) = _exchange($block, $request);

        fail($block->name . " - $trouble")
            if defined $trouble && !defined $block->abort;

        for (1 .. $npipelined) {
            $raw = _check_answer($block, $raw, $is_head, $at);

            sleep $block->wait if $block->wait;
            check_logs($block, $repeat);

            $at->{request}++;
        }

        diag($block->name, ' - after the last answer came: ', $raw)
            if $raw ne '';
    }
}


sub _exchange
{
    my ($block, $packets) = @_;

    my $shutdown = $block->shutdown;

    # with no value, the side on which it sends
    $shutdown = 1 if defined $shutdown && $shutdown eq '';

    return Test::Nginx::Runner::Client::exchange(
        $packets,
        addr     => server_addr(),
        port     => server_port_for_client(),
        timeout  => parse_time($block->timeout) // timeout(),
        shutdown => $shutdown,
    );
}


# Returns what follows the answer.

sub _check_answer
{
    my ($block, $raw, $is_head, $at) = @_;

    return '' if defined $block->ignore_response;

    my ($res, $left) = Test::Nginx::Runner::Response->parse(
                           $block->name, $raw, $is_head);

    Test::Nginx::Runner::Check::check_response($block, $res, $at);

    return $left // '';
}


# For a person: where a test of the block failed, what nginx had to say.

sub _explain
{
    my $block = shift;

    my $now = grep { !$_ } Test::More->builder->summary();

    return if $now == $nfailed;

    $nfailed = $now;

    diag($block->name, " - the end of error.log:\n",
         error_log_tail() || '(it is empty)');
}


sub _clean_up
{
    # whatever they do, nginx has to be stopped
    for my $handler (@Test::Nginx::Util::CleanupHandlers) {
        eval { $handler->(); 1 } or fail("$0 - cleanup handler: $@");
    }

    Test::Nginx::Runner::TcpServer::stop();
    _stop_nginx();

    if ($Test::Nginx::Util::Randomize) {
        remove_tree($Test::Nginx::Util::ServRoot);
    }
}


# A signal would end the test without its END blocks. PIPE comes when prove
# has given up on all files because of one.
$SIG{$_} = sub { exit 1 } for qw( INT TERM HUP PIPE );

END {
    # keeps the exit status and spares children that a test forked
    local $?;
    local $SIG{PIPE} = 'IGNORE';
    _clean_up() if $$ == $owner;
}

1;
