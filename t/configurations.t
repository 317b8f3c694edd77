# Directives about files and the cache beside the module: a job is a SUCCESS and
# clients get all from the cache, or it fails with the reason.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw( tempdir );
use Test::More;

use DFP::Configurations;
use DFP::Facts;

my $dir = tempdir('dfpreheat-cache-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;


# A cache beside that of all stories, in the place of it.

sub cache
{
    my ($zone, @parameters) = @_;

    return (http => "proxy_cache_path $dir/$zone levels=1:2 keys_zone=$zone:"
                    . "@parameters inactive=1d use_temp_path=off;",
            caching => {}, zone => $zone);
}


# Threads and files

configuration 'threads read the cache', lines => 'aio threads;';
configuration 'threads read and write the cache',
    lines => 'aio threads; aio_write on;';
configuration 'threads and directio',
    lines => 'aio threads; aio_write on; directio 1;';
configuration 'directio without threads', lines => 'directio 1;';
configuration 'sendfile on', lines => 'sendfile on; tcp_nopush on;';
configuration 'sendfile with threads',
    lines => 'sendfile on; aio threads; sendfile_max_chunk 1;';
configuration 'sendfile off', lines => 'sendfile off;';
configuration 'files for temporary data are elsewhere',
    lines => 'proxy_temp_file_write_size 8k; proxy_max_temp_file_size 8k;';

configuration 'open_file_cache', lines => 'open_file_cache max=100 inactive=1h;'
    . 'open_file_cache_errors on; open_file_cache_min_uses 1;'
    . 'open_file_cache_valid 1h;', then => sub
{
    my ($warm, @paths) = @_;

    # nginx has them open

    $warm->lose_files;

    for ([ image => $paths[0] ], [ file => $paths[-1] ]) {
        my ($type, $path) = @$_;
        my $job = $warm->run($type, url => "http://origin.test$path");

        is($job->{state}, 'SUCCESS', "what is gone is fetched anew: $type")
            or diag($job->{result}{job_states}[0]{error});
    }

    my @files = glob "$warm->{servers}{dir}/cache/*/*/*";

    is(scalar @files, scalar @paths, 'and is on disk');
    $warm->hits('clients still hit', @paths);
};

# What is sent

configuration 'proxy_buffering off', caching => { proxy_buffering => 'off' },
    fails => qr/proxy_buffering/;
configuration 'slice', lines => 'slice 1k;', caching => {
        proxy_cache_key => '$dfpreheat_cache_key$slice_range',
        'proxy_set_header        Range' => '$slice_range',
        proxy_cache_valid => '200 206 1d',
    }, fails => qr/location.*\bslice/;
configuration 'gzip and gunzip',
    lines => 'gzip on; gzip_types *; gzip_min_length 1; gunzip on;';
configuration 'sub_filter', altered => 1, lines => 'sub_filter_types *;'
    . 'sub_filter "what is in" "this is in"; sub_filter_once off;';
configuration 'sub_filter that alters manifests', altered => 1, lines =>
    'sub_filter_types *; sub_filter sha256 sha512; sub_filter_once off;';
configuration 'small buffers', server => 'client_header_buffer_size 256;'
    . 'large_client_header_buffers 4 1k; output_buffers 1 512;'
    . 'postpone_output 0; connection_pool_size 256; request_pool_size 256;',
    lines => 'proxy_buffer_size 1k; proxy_buffers 2 1k;'
             . 'proxy_busy_buffers_size 1k;';
configuration 'a buffer that is too small for the key',
    lines => 'proxy_buffer_size 512; proxy_buffers 2 512;'
             . 'proxy_busy_buffers_size 512;',
    fails => facts('proxy_buffer_size | cache key');

# The cache

configuration 'min_uses 2', caching => { proxy_cache_min_uses => 2 };
configuration 'min_uses 20', caching => { proxy_cache_min_uses => 20 },
    fails => qr/proxy_cache_min_uses/;
configuration 'cache_lock off', caching => { proxy_cache_lock => 'off' };
configuration 'convert_head off', lines => 'proxy_cache_convert_head off;',
    then => sub
{
    my ($warm, @paths) = @_;

    is($warm->head($_), 'MISS', 'a HEAD is not of the same entry') for @paths;
    $warm->hits('a GET still is', @paths);
};

configuration 'updates in the background', workers => 2,
    lines => 'proxy_cache_background_update on;'
             . 'proxy_cache_use_stale updating error timeout http_500;',
    then => sub
{
    my ($warm, @paths) = @_;

    $warm->expire(@paths);

    my $job = $warm->run('file', url => "http://origin.test$paths[-1]");
    is($job->{state}, 'SUCCESS', 'an expired file')
        or diag($job->{result}{job_states}[0]{error});
    $warm->hits('is updated', $paths[-1]);
};

for (['small zones' => 'small', '32k', 40], ['a zone that is too small' =>
     'tiny', '32k', 600, qr/\b600\b.*keys_zone/])
{
    my ($name, $zone, $size, $files, $fails) = @$_;
    my %cache = cache($zone, $size);

    configuration $name, http => $cache{http}, files => $files,
        locations => configuration_location('/') =~ s/files;/$zone;/r,
        ($fails ? (fails => { file => $fails }) : ()),
        logs => qr/could not allocate node in cache keys zone
                   |ngx_slab_alloc\(\) failed: no memory/x;
}

for (['a small max_size' => 'short', 'max_size=4m', 20],
     ['a max_size that is too small' => 'shorter', 'max_size=64k', 40,
      qr/max_size.*\b65536\b/])
{
    my ($name, $zone, $size, $files, $fails) = @$_;
    my %cache = cache($zone, '1m', $size);

    configuration $name, http => $cache{http}, files => $files,
        locations => configuration_location('/') =~ s/files;/$zone;/r,
        ($fails ? (fails => { file => $fails }) : ());
}

done_testing();
