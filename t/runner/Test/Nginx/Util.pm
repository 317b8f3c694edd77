# What the suites set and ask for, under the names of the real module. Code of
# "init" sections is evaluated in this package.

package Test::Nginx::Util;

use strict;
use warnings;

use Exporter qw( import );
use File::Temp ();
use Test::More ();

use DFP::Process qw( free_port );

our @EXPORT = qw( add_block_preprocessor add_test_cleanup_handler bail_out
                  log_level no_long_string no_root_location server_port );

our $LogLevel       = 'debug';
our $NoRootLocation = 0;
our $ServRoot       = File::Temp->newdir('test-nginx-XXXXXXXX', TMPDIR => 1);
our $ServerPort     = free_port();
our $Timeout        = $ENV{TEST_NGINX_TIMEOUT} || 3;

our (@BlockPreprocessors, @TestCleanupHandlers);

# the ports of $TEST_NGINX_RAND_PORT_N in the block that is run
my %ports;

$ENV{TEST_NGINX_SERVER_PORT} = $ServerPort;
$ENV{TEST_NGINX_SERVER_ROOT} = "$ServRoot";


sub log_level        { $LogLevel = shift }
sub no_long_string   { }
sub no_root_location { $NoRootLocation = 1 }
sub server_port      { $ServerPort }

sub add_block_preprocessor   { unshift @BlockPreprocessors, shift }
sub add_test_cleanup_handler { unshift @TestCleanupHandlers, shift }


# For mistakes in the suite: nothing that follows would mean anything.

sub bail_out { Test::More::BAIL_OUT(join '', @_) }


sub run_init
{
    my $block = shift;

    eval $block->init;
    bail_out($block->name, " - init: $@") if $@;
}


# A configuration with the values of $TEST_NGINX_... variables. A random port has
# its number throughout the block.

sub forget_ports { %ports = () }

sub expand
{
    my $text = shift;

    return $text =~ s/\$(TEST_NGINX_\w+)/_variable($1)/egr;
}


sub _variable
{
    my $name = shift;

    return $ports{$name} //= free_port() if $name =~ /RAND_PORT/;

    return $ENV{$name} // bail_out("$name is not set");
}

1;
