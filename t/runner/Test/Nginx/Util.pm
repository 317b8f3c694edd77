# The state that the runner's other modules share: what the environment and
# the test file ask for, the paths of the server root, and the hooks.
#
# The names of the variables are part of the format: code in "init" sections
# is evaluated in this package and may use $ServRoot, $RandPorts and so on.

package Test::Nginx::Util;

use strict;
use warnings;

use Carp qw( croak );
use Exporter qw( import );
use File::Spec ();
use Test::More ();

use Test::Nginx::Runner::Port ();

our @EXPORT = qw(
    add_block_preprocessor add_cleanup_handler add_response_body_check
    add_test_cleanup_handler bail_out check_accum_error_log
    config_preamble env_to_nginx expand_env_in_text html_dir log_level
    master_off master_on master_process_enabled no_long_string
    no_root_location no_shuffle parse_time repeat_each run_init
    server_addr server_name server_port server_port_for_client
    server_root timeout use_hup worker_connections workers
);

our $NginxBinary          = $ENV{TEST_NGINX_BINARY} || 'nginx';
our $LoadModules          = $ENV{TEST_NGINX_LOAD_MODULES} || '';
our $LogLevel             = $ENV{TEST_NGINX_LOG_LEVEL} || 'debug';
our $MasterProcessEnabled = $ENV{TEST_NGINX_MASTER_PROCESS} || 'off';
our $NoShuffle            = $ENV{TEST_NGINX_NO_SHUFFLE} || 0;
our $Randomize            = $ENV{TEST_NGINX_RANDOMIZE};
our $TestNginxSleep       = $ENV{TEST_NGINX_SLEEP} || 0.015;
our $Timeout              = $ENV{TEST_NGINX_TIMEOUT} || 3;
our $UseHup               = $ENV{TEST_NGINX_USE_HUP};
our $UseValgrind          = $ENV{TEST_NGINX_USE_VALGRIND};

our $ConfigPreamble    = '';
our $CheckAccumErrLog  = 0;
our $NoLongString      = 0;
our $NoRootLocation    = 0;
our $RepeatEach        = 1;
our $ServerAddr        = '127.0.0.1';
our $ServerName        = 'localhost';
our $WorkerConnections = 64;
our $Workers           = 1;

our @BlockPreprocessors;
our @CleanupHandlers;
our @EnvToNginx;
our @ResponseBodyChecks;
our @TestCleanupHandlers;

# The ports of $TEST_NGINX_RAND_PORT_N in the block that is being run.
our $RandPorts = {};

our ($ServerPort, $ServerPortForClient, $ServRoot);

if ($Randomize) {
    ($ServerPort, $ServRoot) = Test::Nginx::Runner::Port::claim('t');
    $ServerPortForClient = $ServerPort;

} else {
    $ServerPort = $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT}
                  || 1984;
    $ServerPortForClient = $ENV{TEST_NGINX_CLIENT_PORT} || $ServerPort;
    $ServRoot = $ENV{TEST_NGINX_SERVROOT}
                || File::Spec->rel2abs('t/servroot');
}

$ENV{TEST_NGINX_SERVER_PORT} = $ServerPort;
$ENV{TEST_NGINX_SERVER_ROOT} = $ServRoot;

our $CacheDir   = "$ServRoot/cache";
our $ConfDir    = "$ServRoot/conf";
our $HtmlDir    = "$ServRoot/html";
our $LogDir     = "$ServRoot/logs";
our $AccLogFile = "$LogDir/access.log";
our $ConfFile   = "$ConfDir/nginx.conf";
our $ErrLogFile = "$LogDir/error.log";
our $PidFile    = "$LogDir/nginx.pid";


# Settings: with an argument they set, without one they tell.

sub log_level (@)              { $LogLevel = shift if @_; $LogLevel }
sub repeat_each (@)            { $RepeatEach = shift if @_; $RepeatEach }
sub server_addr (@)            { $ServerAddr = shift if @_; $ServerAddr }
sub server_name (@)            { $ServerName = shift if @_; $ServerName }
sub server_port (@)            { $ServerPort = shift if @_; $ServerPort }
sub timeout (@)                { $Timeout = shift if @_; $Timeout }
sub workers (@)                { $Workers = shift if @_; $Workers }

sub server_port_for_client (@)
{
    $ServerPortForClient = shift if @_;
    return $ServerPortForClient;
}

sub worker_connections (@)
{
    $WorkerConnections = shift if @_;
    return $WorkerConnections;
}

sub master_process_enabled (@)
{
    $MasterProcessEnabled = shift() ? 'on' : 'off' if @_;
    return $MasterProcessEnabled;
}


# Switches.

sub check_accum_error_log () { $CheckAccumErrLog = 1 }
sub config_preamble ($)      { $ConfigPreamble = shift }
sub master_off ()            { $MasterProcessEnabled = 'off' }
sub master_on ()             { $MasterProcessEnabled = 'on' }
sub no_long_string ()        { $NoLongString = 1 }
sub no_root_location ()      { $NoRootLocation = 1 }
sub no_shuffle ()            { $NoShuffle = 1 }
sub use_hup ()               { $UseHup = 1 }


sub html_dir ()    { $HtmlDir }
sub server_root () { $ServRoot }


# Hooks. Those that are added last run first, except for the body checks.

sub add_block_preprocessor (&)   { unshift @BlockPreprocessors, shift }
sub add_cleanup_handler ($)      { unshift @CleanupHandlers, shift }
sub add_response_body_check ($)  { push @ResponseBodyChecks, shift }
sub add_test_cleanup_handler ($) { unshift @TestCleanupHandlers, shift }


sub env_to_nginx (@)
{
    croak 'env_to_nginx: a name is missing' if !@_;

    for my $env (@_) {
        croak "env_to_nginx: bad name or value: $env"
            if $env !~ /^[A-Za-z_]/ || $env =~ /\n/;
    }

    push @EnvToNginx, @_;
}


# The code of "init" is compiled here, so that it sees the variables above.

sub run_init ($)
{
    my $block = shift;

    return if !$block->init;

    eval $block->init;
    bail_out($block->name, " - init: $@") if $@;
}


# For mistakes in the test file: nothing that follows would mean anything.

sub bail_out (@)
{
    Test::More::BAIL_OUT(join '', @_);
}


# "200ms", "3s" and "3" in seconds.

sub parse_time ($)
{
    my $time = shift;

    return $time if !defined $time;
    return $1 / 1000 if $time =~ /^(.*\d)ms$/;
    return $1 if $time =~ /^(.*\d)s$/;
    return $time;
}


# Puts in the values of $TEST_NGINX_... variables. A random port gets its
# number where it is first mentioned and keeps it throughout the block.

sub expand_env_in_text ($$;$)
{
    my ($text, $name) = @_;

    return $text if !defined $text || ref $text;

    $text =~ s/\$(TEST_NGINX_[_A-Z0-9]+)/_variable($1, $name)/eg;

    return $text;
}


sub _variable
{
    my ($var, $name) = @_;

    if ($var =~ /^TEST_NGINX_RAND_PORT_\d+$/) {
        $RandPorts->{$var} = Test::Nginx::Runner::Port::free(
                                 $ServerPort, values %$RandPorts)
            if !exists $RandPorts->{$var};
        return $RandPorts->{$var};
    }

    bail_out("$name - the environment variable $var is not set")
        if !defined $ENV{$var};

    return $ENV{$var};
}

1;
