# However a test file ends, its nginx ends too and its server root is gone.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Path qw( remove_tree );
use File::Temp qw( tempdir );
use Test::More;
use Time::HiRes qw( sleep time );

my ($module) = grep { -e "$_/Test/Nginx/Socket.pm" } grep { !ref } @INC;

plan(skip_all => 'this is about the runner of this tree')
    if !-d "$module/Test/Nginx/Runner";

$ENV{PERL5LIB} = join ':', map { abs_path($_) // () } grep { !ref } @INC;
$ENV{TEST_NGINX_RANDOMIZE} = 1;

my $dir = tempdir(CLEANUP => 1);

mkdir "$dir/t" or die "mkdir: $!";

# Each way ends the file while nginx runs, after "started" holds its pid.
my %ways = (
    'cannot print'       => 'close STDOUT; kill PIPE => $$; sleep 10;',
    'crashes nginx'      => 'kill SEGV => $pid; sleep 0.2;',
    'dies in a hook'     => 'die "meant to\n";',
    'dies in clean-up'   => 'add_cleanup_handler(sub { die "meant to\n" });',
    'exits'              => 'exit 3;',
    'bails out'          => 'bail_out("meant to");',
    'is told to stop'    => 'kill TERM => $$; sleep 10;',
    'is killed outright' => 'kill KILL => $$; sleep 10;',
    'is interrupted'     => 'kill INT => $$; sleep 10;',
    'stops nginx itself' => 'kill KILL => $pid; sleep 0.2;',
);

for my $way (sort keys %ways) {
    my $name = $way =~ tr/ /_/r;

    write_inner("$dir/t/$name.t", $ways{$way});

    my $start = time();

    system("cd '$dir' && $^X t/$name.t > t/$name.log 2>&1 < /dev/null");

    my $status = $?;
    my $pid = slurp("$dir/t/started");

    if ($way eq 'stops nginx itself') {
        is($status, 0, "a file that $way: no failure");

    } else {
        isnt($status, 0, "a file that $way: failure");
    }

    ok(ends($pid), "a file that $way: nginx has ended");

    # nobody is left to remove it where the file was killed
    is_deeply([glob "$dir/t/servroot*"], [],
              "a file that $way: the server root is gone")
        if $way ne 'is killed outright';

    cmp_ok(time() - $start, '<', 9, "a file that $way: quickly");

    remove_tree("$dir/t/started", glob "$dir/t/servroot*");
}

done_testing();


sub write_inner
{
    my ($path, $code) = @_;

    open my $out, '>', $path or die "$path: $!";
    print {$out} <<"_EOC_";
use Test::Nginx::Socket 'no_plan';

add_test_cleanup_handler(sub {
    my \$root = server_root();
    my \$pid = qx(cat \$root/logs/nginx.pid);

    open my \$out, '>', 't/started' or die \$!;
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
_EOC_
    close $out or die "$path: $!";
}


sub slurp
{
    my $path = shift;

    open my $in, '<', $path or die "$path: $!";
    my $line = <$in> // die "$path is empty";
    chomp $line;

    return $line;
}


# Process 1 may take its time to collect what has ended.

sub ends
{
    my $pid = shift;

    for (1 .. 100) {
        return 1 if !kill 0 => $pid;

        open my $in, '<', "/proc/$pid/stat" or return 1;
        return 1 if <$in> =~ /\) Z /;

        sleep 0.05;
    }

    return 0;
}
