# What was in the cache and does not stay there is not SUCCESS.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find qw( find );
use File::Temp qw( tempdir );
use Test::More;
use Time::HiRes qw( time );

use DFP::Facts;
use DFP::Image;
use DFP::Process qw( free_port wait_until );
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    FILES => 'http://files.test',
    REGISTRY => 'http://registry.test',
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


# What is stored, but not what is being written.

sub remove_cached_files
{
    my $dir = shift;

    find({ no_chdir => 1,
           wanted => sub { unlink if -f && m{/[0-9a-f]{32}\z} } }, $dir);
}


# The same of one path.

sub remove_cached
{
    my ($warm, $path) = @_;

    find({ no_chdir => 1, wanted => sub {
        return if !-f || !m{/[0-9a-f]{32}\z};

        open my $file, '<:raw', $_ or die "$_: $!";
        local $/;
        unlink $_ if <$file> =~ /\nKEY: \N*\Q$path\E\n/;
    } }, "$warm->{servers}{dir}/cache");
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
    like(failed($job)->[0]{description}, facts('600 entries | keys_zone | /\d+$/'),
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
    like(failed($job)->[0]{description}, facts('location | slice | /client/'),
         'with the reason');
};


# Files lie where the cache has its folders, so that not even root can write
# there: with use_temp_path=off a file cannot be begun, else not put into place.

for ([ 'use_temp_path=off', 'answer | cache | disk full | error log' ],
     [ '', 'cache file | /place|renam|mov/' ])
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
        like(failed($job)->[0]{description}, facts("$reason | 4 tries"),
             'with the reason');
        is(scalar $upstream->requests('/full/a'), 4, 'after as many tries');

        $warm->{servers}->expects(4,
            qr/\[crit\] .* failed \(20: Not a directory\)/);
    };
}


# A cache that keeps less than the job has: nginx would take out the first when the
# last had come, some seconds later.


my $limited = <<"END";
    proxy_cache_path $root/limited levels=1:2 keys_zone=limited:1m max_size=1m
                     use_temp_path=off;
END
my @limited = ('proxy_cache limited;', 'include cache.conf;');


warm_story 'an image that is larger than max_size', { http => $limited },
    location('/v2/', REGISTRY, $upstream->port, @limited), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'team/large');
    my @layers = map { $image->layer($_ x 300_000) } 'a' .. 'd';
    my @small = $image->layer('small');

    $image->tag('large', $image->manifest(@layers));
    $image->tag('small', $image->manifest(@small));
    $image->tag('again', $image->manifest(@layers[0 .. 2], @small));
    $upstream->forget_requests;

    my $job = $warm->run('image', url => REGISTRY . $image->by_tag('large'));

    is($job->{state}, 'FAILURE', 'the job fails');
    like(error($job), facts('/\b120\d{4}\b/ | "limited" | max_size | 1048576'),
         'with both figures');
    is(scalar(grep { m{/blobs/} } $upstream->requests), 0,
       'and has fetched no layer');
    is(failed($job)->[0]{description}, error($job), 'each layer has the reason');

    $job = $warm->run('image', url => REGISTRY . $image->by_tag('again'));
    is($job->{state}, 'SUCCESS', 'one that fits is warmed');

    $job = $warm->run('image', urls => [
        map { REGISTRY . $image->by_tag($_) } qw( small again ) ]);
    is($job->{state}, 'SUCCESS', 'layers that two have in common count once');
};


warm_story 'files that are larger than max_size', { http => $limited },
    location('/files/', FILES, $upstream->port, @limited), sub
{
    my $warm = shift;

    my @paths = map { "/files/large-$_" } 1 .. 20;
    $upstream->answers($_, { body => 'x' x 100_000 }) for @paths;
    $upstream->forget_requests;

    my $job = $warm->run('file', urls => [ map { FILES . $_ } @paths ],
                         concurrent_task_count => 1);

    is($job->{state}, 'FAILURE', 'the job fails');
    like(error($job), facts('/\b\d{7} bytes\b/ | max_size | 1048576'),
         'with both figures');
    cmp_ok(scalar $upstream->requests, '<', 15, 'and does not fetch the rest');

    $job = $warm->run('file', urls => [ map { FILES . $_ } @paths[0 .. 5] ]);
    is($job->{state}, 'SUCCESS', 'those that fit are warmed');
};


warm_story 'a file system that has less than min_free', { http => <<"END" },
    proxy_cache_path $root/free levels=1:2 keys_zone=free:1m min_free=1000000g
                     use_temp_path=off;
END
    location('/files/', FILES, $upstream->port,
             'proxy_cache free;', 'include cache.conf;'), sub
{
    my $warm = shift;

    $upstream->answers('/files/free', { body => 'x' });

    my $job = $warm->run('file', url => FILES . '/files/free');

    is($job->{state}, 'FAILURE', 'the job fails');
    like(error($job), facts('"free" | /\d+ bytes.*\d+ bytes/ | min_free'),
         'with both figures');
};


# More files than are looked up in one turn, of which some are lost; jobs that end
# meanwhile.

warm_story 'many files, of which some go before the end', { http => $static },
    location('/files/', FILES, $static_port) . <<"END", sub
    location /lost/ {
        dfpreheat_origin http://lost.test;
        proxy_pass http://127.0.0.1:@{[ $upstream->port ]};
        proxy_cache files;
        include cache.conf;
    }
END
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $gate = '/gate/1000/many';
    my @lost = map { "/lost/$_" } 1 .. 3;

    $upstream->answers($_, { body => $_ }) for @lost;
    $upstream->forget_requests;

    my $id = $warm->post('file', urls => [
        (map { "http://lost.test$_" } @lost),
        (map { FILES . "/files/$_" } 1 .. MANY),
        $servers->origin->url . $gate ]);

    $servers->origin->wait_at_gate($gate, SOON) or die 'nobody fetches it';
    wait_until(SOON, sub {
        my $progress = $servers->job($id)->{result}{job_states}[0]{progress};
        $progress && $progress->[0]{tasks_done} == MANY + 3;
    }) or die 'the others are not fetched';

    remove_cached($warm, $_) for @lost;
    $servers->origin->open_gate($gate);

    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
    is_deeply([ map { scalar $upstream->requests($_) } @lost ], [ 2, 2, 2 ],
              'after those were fetched again');
    $warm->hits('clients get them from the cache', @lost);
};


# The manifest of a tag goes while the layers come, and by then the tag may stand for
# another one: then nobody has looked what is in that.

for my $moves (0, 1) {

    warm_story 'a tag that goes from the cache'
               . ($moves ? ', and has moved' : ''), {},
        location('/v2/', REGISTRY, $upstream->port), sub
    {
        my $warm = shift;

        my $servers = $warm->{servers};
        my $image = DFP::Image->new($upstream, "team/lost-$moves");
        my $layer = $image->layer('a layer that takes its time', after => 3);
        my $tag = $image->by_tag('1');

        $image->tag('1', $image->manifest($layer));
        $image->tag('2', $image->manifest($image->layer('another')));
        $upstream->forget_requests;

        my $id = $warm->post('image', url => REGISTRY . $tag);

        wait_until(SOON, sub {
            my $progress = $servers->job($id)->{result}{job_states}[0]{progress};
            $progress && $progress->[0]{tasks_done} == 3;
        }) or die 'the manifests are not fetched';

        remove_cached($warm, $tag);
        $image->tag('1', $image->manifest($image->layer('another'))) if $moves;

        my $job = $warm->ended($id);

        is(scalar $upstream->requests($tag), 2, 'it is asked for again');

        if ($moves) {
            is($job->{state}, 'FAILURE', 'the job fails');
            like(failed($job)->[0]{description},
                 facts('tag | /chang|moved|another/'),
                 'with the reason');

        } else {
            is($job->{state}, 'SUCCESS', 'the job ends well');
            $warm->hits('clients get it from the cache', $tag);
        }
    };
}


# nginx counts "inactive" from the begin of a request, and the job began long before
# its end.

my $forgetful = File::Temp->newdir('dfpreheat-cache-XXXXXXXX', TMPDIR => 1);
chmod 0777, $forgetful;

warm_story 'a cache that forgets what was not asked for', { http =>
    "proxy_cache_path $forgetful keys_zone=forgetful:1m inactive=7s "
    . 'use_temp_path=off;' },
    location('/files/', FILES, $upstream->port, 'proxy_cache forgetful;',
             'include cache.conf;'), sub
{
    my $warm = shift;

    my @paths = map { "/files/kept/$_" } qw( soon late );

    $upstream->answers($paths[0], { body => 'soon' });
    $upstream->answers($paths[1], { body => 'late', after => 5 });
    is($warm->run('file', urls => [ map { FILES . $_ } @paths ])->{state},
       'SUCCESS', 'a job of two files ends well');

    # nginx counts whole seconds, and looks every ten, or sooner

    my $until = time + 5.9;

    wait_until(2 * SOON, sub {
        time > $until || 2 != grep { -f } glob "$forgetful/*" });

    cmp_ok(time, '>', $until, 'both stay as if they were asked for at its end');
};

done_testing();
