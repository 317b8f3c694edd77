# However a suite ends, its nginx ends too, and its server root is gone. The status
# of a process is known, whenever it ends.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Temp qw( tempdir );
use POSIX qw( _exit );
use Test::More;

use DFP::Process qw( forget gone run_child wait_until );

use constant {
    SOON      => 5,     # s
    PROCESSES => 100,   # of these many end while they are looked at
    STATUS    => 7,
};

my ($module) = grep { -e "$_/Test/Nginx/Socket.pm" } grep { !ref } @INC;

plan(skip_all => 'this is about the runner of this tree')
    if !-d "$module/Test/Nginx/Runner";

my $dir = tempdir(CLEANUP => 1);

$ENV{PERL5LIB} = join ':', map { abs_path($_) // () } grep { !ref } @INC;
$ENV{TMPDIR} = $dir;
delete $ENV{TEST_NGINX_LOAD_MODULES};

# Each way ends the suite while nginx runs, whose pid has been written.

my %ways = (
    'bails out'          => 'Test::Nginx::Util::bail_out("meant to");',
    'crashes nginx'      => 'kill SEGV => $pid;',
    'dies'               => 'die "meant to\n";',
    'exits'              => 'exit 3;',
    'is interrupted'     => 'kill INT => $$; sleep 10;',
    'is told to stop'    => 'kill TERM => $$; sleep 10;',
    'stops nginx itself' => 'kill KILL => $pid;',
);

for my $way (sort keys %ways) {
    isnt(run($ways{$way}), 0, "a suite that $way fails");

    open my $file, '<', "$dir/pid" or die "pid: $!";
    chomp(my $pid = <$file>);

    ok(wait_until(SOON, sub { !-e "/proc/$pid" || -z "/proc/$pid/cmdline" }),
       'its nginx has ended');
    is_deeply([ glob "$dir/test-nginx-*" ], [], 'and its server root is gone');
}

isnt(run('', "--- no_such_section\nx\n"), 0,
     'a suite with a section that the runner does not know fails');

my @statuses = map {
    my $pid = run_child(sub { _exit(STATUS) });

    1 until gone($pid);
    forget($pid);
    $? >> 8;
} 1 .. PROCESSES;

is_deeply([ grep { $_ != STATUS } @statuses ], [],
          'a process has the status that it ended with');

done_testing();


# Its status.

sub run
{
    my ($code, $section) = @_;

    open my $out, '>', "$dir/suite.t" or die "suite.t: $!";
    print {$out} <<"END";
use Test::Nginx::Socket 'no_plan';

Test::Nginx::Util::add_test_cleanup_handler(sub {
    my \$pid = qx(cat \$ENV{TEST_NGINX_SERVER_ROOT}/logs/nginx.pid);

    open my \$out, '>', '$dir/pid' or die \$!;
    print {\$out} \$pid;
    close \$out;

    chomp \$pid;
    $code
});

run_tests();

__DATA__

=== TEST 1: one
--- config
--- request
GET /index.html
@{[ $section // '' ]}
END
    close $out or die "suite.t: $!";

    return system("cd '$dir' && $^X suite.t > suite.log 2>&1 < /dev/null");
}
