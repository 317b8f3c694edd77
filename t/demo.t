# The demonstration of the README, as a newcomer runs it, in a folder of its
# own: a real image from a real registry, warmed by a job and pulled by skopeo.

use strict;
use warnings;

use Cwd qw( getcwd );
use File::Path qw( make_path remove_tree );
use IO::Socket::INET;
use Test::More;

my $dir = getcwd() . "/build/demo-test-$$";

make_path('build');

subtest 'an image that was preheated is pulled without the registry' => sub {
    my ($status, $output) = demo();

    is($status, 0, 'the demonstration ends well') or diag($output);

    like($output, qr/"state": "SUCCESS"/, 'the job ends with SUCCESS');
    is(() = $output =~ m{^HIT GET /v2/library/demo/manifests/\S+ 200 }mg, 2,
       'the manifest comes from the cache, by tag and by digest');
    is(() = $output =~ m{^HIT GET /v2/library/demo/blobs/\S+ 200 }mg, 4,
       'so do configuration and layers');
    like($output, qr/^hits: 12, others: 0$/m, 'the rehearsal has said so before');
    like($output, qr/from the registry: 0$/m, 'the registry is not asked');

    stopped($output, qw( redis registry nginx ));
};

subtest 'a demonstration that cannot go on says so and cleans up' => sub {
    local $ENV{TEST_NGINX_BINARY} = '/bin/false';

    my ($status, $output) = demo();

    isnt($status, 0, 'it fails');
    like($output, qr/^error: nginx does not start/m, 'it says why');

    my %ports = ports_of_configuration();
    is(scalar keys %ports, 2, 'two servers had been started');
    ok(!listens($ports{$_}), "$_ is stopped") for sort keys %ports;
};

remove_tree($dir) if Test::More->builder->is_passing;

done_testing();


sub demo
{
    my $output = `bash demo/demo.sh $dir 2>&1`;

    return ($? >> 8, $output);
}


sub listens
{
    my $port = shift;

    return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 1);
}


sub stopped
{
    my ($output, @names) = @_;

    for my $name (@names) {
        my ($port) = $output =~ /^$name\s+\S*127\.0\.0\.1:(\d+)$/m;

        ok($port && !listens($port), "$name is stopped");
    }
}


sub ports_of_configuration
{
    my %ports;

    for (['redis', "$dir/redis.conf", qr/^port (\d+)$/],
         ['registry', "$dir/registry.yml", qr/addr: 127\.0\.0\.1:(\d+)$/])
    {
        my ($name, $file, $pattern) = @$_;

        open my $fh, '<', $file or next;
        /$pattern/ and $ports{$name} = $1 while <$fh>;
    }

    return %ports;
}
