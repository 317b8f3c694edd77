# With use_hup, blocks after the first are given to a running nginx.

use Test::Nginx::Socket 'no_plan';
use DFP::Log;

use_hup();
no_shuffle();

our $pid;

run_tests();

__DATA__

=== TEST 1: the first block starts nginx
--- config
    location = /t { return 200 "one\n"; }
--- init
open my $in, '<', $PidFile or die $!;
chomp($main::pid = <$in>);
--- request
GET /t
--- response_body
one



=== TEST 2: the second reloads it, with files and logs of its own
--- config
    location = /t { return 200 "two\n"; }
--- user_files
>>> two.txt
two
--- init
open my $in, '<', $PidFile or die $!;
chomp(my $pid = <$in>);
die "another nginx, $pid instead of $main::pid" if $pid != $main::pid;
--- request eval
["GET /t", "GET /two.txt"]
--- response_body eval
["two\n", "two\n"]
--- no_error_log
add_header



=== TEST 3: a reload that fails leaves the old configuration
--- config
    no_such_directive on;
--- reload_fails
--- request
GET /t
--- response_body
two
--- error_log
unknown directive "no_such_directive"



=== TEST 4: and the next is good again
--- config
    location = /t { return 200 "four\n"; }
--- request
GET /t
--- response_body
four
