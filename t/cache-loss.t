# What was in the cache and does not stay there is not SUCCESS.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find qw( find );
use File::Temp qw( tempdir );
use Test::More;

use DFP::Process qw( free_port wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    FILES => 'http://files.test',
    SOON  => 5,         # s
    MANY  => 600,       # more entries than the smallest zone has room for
};

my $upstream = DFP::Upstream->start;

# an origin that knows ranges

my $root = tempdir('dfpreheat-root-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $static_port = free_port();
my $static = <<"END";
    server {
        listen 127.0.0.1:$static_port;
        root $root;
        location /files/ { return 200 "what is in \$uri"; }
    }
END

mkdir "$root/sliced" or die "mkdir: $!";
open my $large, '>', "$root/sliced/large" or die "large: $!";
print {$large} 'large ' x 500_000;
close $large or die "large: $!";

sub failed { $_[0]{result}{job_states}[0]{results}[0]{failure_tasks} }


# What is stored, but not what is being written.

sub remove_cached_files
{
    my $dir = shift;

    find({ no_chdir => 1,
           wanted => sub { unlink if -f && m{/[0-9a-f]{32}\z} } }, $dir);
}


warm_story 'files that go while others come are fetched again', {},
    location('/files/', FILES, $upstream->port), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $gate = '/gate/1000/last';

    $upstream->answers('/files/first', { body => 'first' });

    my $id = $warm->post('file', urls => [ FILES . '/files/first',
                                           $servers->origin->url . $gate ]);

    $servers->origin->wait_at_gate($gate, SOON) or die 'nobody fetches it';
    wait_until(SOON, sub {
        my $progress = $servers->job($id)->{result}{job_states}[0]{progress};
        $progress && $progress->[0]{tasks_done} == 1;
    }) or die 'the first is not fetched';

    remove_cached_files("$servers->{dir}/cache");
    $servers->origin->open_gate($gate);

    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
    is(scalar $upstream->requests('/files/first'), 2, 'after a second fetch');
    $warm->hits('clients get it from the cache', '/files/first');
};


# The smallest zone has room for fewer entries than the job has: nginx drops
# the oldest, as it does where max_size is reached.

warm_story 'a cache that is too small for a job', { http => <<"END" },
    proxy_cache_path $root/small levels=1:2 keys_zone=small:32k use_temp_path=off;
    $static
END
    location('/files/', FILES, $static_port,
             'proxy_cache small;', 'include cache.conf;'), sub
{
    my $warm = shift;

    my $job = $warm->run('file', urls => [ map { FILES . "/files/$_" }
                                           1 .. MANY ]);

    is($job->{state}, 'FAILURE', 'the job fails');
    like(failed($job)->[0]{description}, qr/^the job has 600 entries .* room for \d+$/,
         'with both figures');
};


# A client's request is many entries there, a job's would be one of its own.

warm_story 'a location that caches in slices', { http => $static },
    location('/sliced/', FILES, $static_port,
             'slice 1m;', 'proxy_cache files;',
             'proxy_cache_valid 200 206 1d;',
             'proxy_cache_key $dfpreheat_cache_key$slice_range;',
             'proxy_set_header Range $slice_range;'), sub
{
    my $warm = shift;

    my $job = $warm->run('file', url => FILES . '/sliced/large');
    my ($body, $how) = $warm->pull('/sliced/large');

    is(length $body, 3_000_000, 'a client gets the file');
    is("$job->{state}, and then a $how", 'FAILURE, and then a MISS',
       'a job that has not warmed what clients get has failed');
    is(failed($job)->[0]{description}, 'its location caches in slices (the '
       . q{slice directive), which only a client's request can fill},
       'with the reason');
};


# Files lie where the cache has its folders, so that not even root can write
# there: with use_temp_path=off a file cannot be begun, else not put into place.

for ([ 'use_temp_path=off', 'the answer could not be written into the cache: '
       . 'is the disk full? See the error log' ],
     [ '', 'the cache file could not be put into place' ])
{
    my ($temp_path, $reason) = @$_;
    my $dir = tempdir('dfpreheat-full-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

    for my $name (0 .. 9, 'a' .. 'f') {
        open my $file, '>', "$dir/$name" or die "$dir/$name: $!";
    }

    warm_story "a cache that cannot be written: $reason", { http =>
        "proxy_cache_path $dir levels=1:2 keys_zone=full:1m $temp_path;" },
        location('/full/', FILES, $upstream->port,
                 'proxy_cache full;', 'include cache.conf;'), sub
    {
        my $warm = shift;

        $upstream->answers('/full/a', { body => 'a' });
        $upstream->forget_requests;

        my $job = $warm->run('file', url => FILES . '/full/a');

        is($job->{state}, 'FAILURE', 'the job fails');
        is(failed($job)->[0]{description}, "$reason (4 tries)",
           'with the reason');
        is(scalar $upstream->requests('/full/a'), 4, 'after as many tries');

        $warm->{servers}->expects(4,
            qr/\[crit\] .* failed \(20: Not a directory\)/);
    };
}


done_testing();
