# "dry_run": true tells what a job would preheat, and what is there already. Nothing
# is warmed, and nobody but the token that has posted it can read it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw( tempdir );
use HTTP::Tiny;
use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Cluster qw( cluster_story kept_until pause resume );
use DFP::Dragonfly;
use DFP::Facts;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Story qw( story );
use DFP::Swarm qw( swarm_story );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    RIGHT    => 'Bearer right',
    SOON     => 15,         # s: what needs no timer, or a short lease
    WAIT     => '40s',
    KEEP     => 600,        # s
    TWO_S    => 2_000_000_000,   # ns
    MANY     => 1200,       # files: more than a list shows
    LISTED   => 1000,
};

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port)
                . location('/files/', FILES, $upstream->port);
my @named = (http => "dfpreheat_instance one address=192.0.2.1;\n");


sub image { DFP::Image->tagged($upstream, @_) }


# Posts a dry run; the answer to POST, and the job at its end.

sub post_dry
{
    my ($servers, $type, %args) = @_;

    my %beside = %{ delete $args{beside} // {} };

    return $servers->client->post('/oapi/v1/jobs', {
        type => 'preheat', dry_run => JSON::PP::true,
        args => { type => $type, %args }, %beside });
}

sub dry
{
    my ($servers, @job) = @_;

    my $answer = post_dry($servers, @job);

    die "no job: $answer->{body}" if $answer->{status} != 200;

    my $client = $servers->client;

    $client->start('GET', "/oapi/v1/jobs/$answer->{json}{id}?wait=" . WAIT);

    return $client->finish(2 * SOON + 15)->{json};
}


sub state_of { $_[0]{result}{job_states}[0] }

# What is held of each task, by its path: "1", "0" or "?".

sub held
{
    my $job = shift;

    return { map { $_->{url} =~ s{^http://[^/]+}{}r => _known($_->{held}) }
             @{ state_of($job)->{tasks} // [] } };
}

sub _known { defined $_[0] ? $_[0] ? 1 : 0 : '?' }

sub all_are { my $held = shift; return { map { $_ => $held } @_ } }


# What each target holds, by its name.

sub targets
{
    my $job = shift;

    return { map { $_->{hostname} => $_->{held} // '?' }
             @{ state_of($job)->{targets} // [] } };
}


# What the origin was asked for: "GET /path", each once.

sub asked
{
    my %asked = map { /^(\S+ \S+)/ => 1 } $upstream->requests;

    return [ sort keys %asked ];
}


warm_story 'an image that is not there', { @named }, $locations, sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my @paths = image();
    my $answer = post_dry($servers, 'image', url => REGISTRY . $paths[0]);
    my $posted = $answer->{json};

    is($answer->{status}, 200, 'a dry run is posted');
    is($posted->{dry_run}, JSON::PP::true, '... and says that it is one');
    is($posted->{type}, 'preheat', '... with the type that was posted');

    my $job = $servers->ended_job($posted->{id}, SOON);
    my $state = state_of($job);

    is($job->{state}, 'SUCCESS', 'it succeeds') or diag($state->{error});
    is($job->{dry_run}, JSON::PP::true, 'GET says it, too');
    is_deeply([ map { [ @$_{qw( type media_type size held )},
                        $_->{url} =~ s/^\Q${\REGISTRY}\E//r ] }
                @{ $state->{tasks} } ],
              [ map { [ $_->[0], $_->[1], length $upstream->body($_->[2]),
                        JSON::PP::false, $_->[2] ] }
                [ 'manifest', DFP::Image::MANIFEST, $paths[0] ],
                [ 'manifest', DFP::Image::MANIFEST, $paths[1] ],
                [ 'config', DFP::Image::CONFIG, $paths[2] ],
                [ 'layer', DFP::Image::LAYER, $paths[3] ],
                [ 'layer', DFP::Image::LAYER, $paths[4] ] ],
              'each task has its type, size and media type');
    is_deeply($state->{targets}, [ { hostname => 'one', ip => '192.0.2.1',
                                     held => 0 } ], 'nginx would warm it');

    my $bytes = 0;
    $bytes += length $upstream->body($_) for @paths;
    my ($progress) = @{ $state->{progress} };
    is("$progress->{bytes_done} of $progress->{bytes_total}", "0 of $bytes",
       'the sizes are added up');

    is_deeply(asked(), ["GET $paths[0]"], 'the manifest was requested only');
    is_deeply($warm->cached(@paths), [ map { "MISS $_" } @paths ],
              'and nothing is in the cache');
};


warm_story 'an image that is there', { @named }, $locations, sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my @paths = image();
    my $url = REGISTRY . $paths[0];

    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'it is warmed');
    $upstream->forget_requests;

    my $job = dry($servers, 'image', url => $url);

    is_deeply(held($job), all_are(1, @paths), 'all of it is held');
    is_deeply(targets($job), { one => 5 }, '... by the nginx');

    my ($progress) = @{ state_of($job)->{progress} };
    is($progress->{bytes_done}, $progress->{bytes_total}, '... all bytes');
    is_deeply(asked(), ["GET $paths[0]"], 'the registry knows what it is now');
    $warm->run('image', url => $url);
    is_deeply(asked(), ["GET $paths[0]"], 'a job has nothing else to request');

    is_deeply(held(dry($servers, 'image', url => $url,
                       refresh => JSON::PP::true)), all_are(0, @paths),
              'a job that refreshes it fetches everything again');

    # each of them in a way that a job does not accept

    $warm->expire($paths[0]);
    is(held(dry($servers, 'image', url => $url))->{ $paths[0] }, 0,
       'an expired manifest is not held');

    my $layer = $upstream->body($paths[3]);

    $warm->alter($paths[3], sub { $_ = 'x' x length });
    is_deeply(held(dry($servers, 'image', url => $url)),
              { %{ all_are(1, @paths) }, $paths[0] => 0, $paths[3] => 0 },
              'nor is a layer of another digest');
    $warm->alter($paths[3], sub { $_ = substr $layer, 1 });
    is(held(dry($servers, 'image', url => $url))->{ $paths[3] }, 0,
       'nor one of another size');
    $warm->alter($paths[3], sub { $_ = $layer });
    is(held(dry($servers, 'image', url => $url))->{ $paths[3] }, 1,
       'but the right one is, and was not deleted');

    $warm->alter($paths[3], sub { $_ = 'x' x length });
    $upstream->forget_requests;
    is($warm->run('image', url => $url)->{state}, 'SUCCESS',
       'a job warms what was missing');
    is_deeply(asked(), [ sort "GET $paths[0]", "GET $paths[3]" ],
              '... and nothing else');
    is_deeply(held(dry($servers, 'image', url => $url)), all_are(1, @paths),
              'which is held now');

    # the tag has moved

    my @other = image();

    $upstream->answers($paths[0], { body => $upstream->body($other[0]),
        headers => [ 'Content-Type' => DFP::Image::MANIFEST ] });
    my $held = held(dry($servers, 'image', url => $url));
    is($held->{ $paths[0] }, 0, 'the manifest that the tag had is not that of now');
    is(scalar(grep { $_ } values %$held), 0, 'nor is there anything else');

    $warm->lose_files;
    is(scalar(grep { $_ } values %{ held(dry($servers, 'image',
                                             url => $url)) }), 0,
       'lost files are not held');
};


warm_story 'an image of several platforms', { @named }, $locations, sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'multi');
    my ($amd, $arm) = map { $image->manifest($image->layer("for $_")) }
                      qw( amd64 arm64 );
    my $index = $image->index([ 'linux/amd64', $amd ], [ 'linux/arm64', $arm ]);

    $image->tag('1', $index);

    my $url = REGISTRY . $image->by_tag('1');
    my @both = ($image->by_tag('1'), $image->path($index));
    my ($servers, @amd) = ($warm->{servers}, $image->paths($amd));
    my @arm = $image->paths($arm);

    is($warm->run('image', url => $url, platform => 'linux/amd64')->{state},
       'SUCCESS', 'one of them is warmed');
    $upstream->forget_requests;

    is_deeply(held(dry($servers, 'image', url => $url,
                       platform => 'linux/amd64,linux/arm64')),
              { %{ all_are(1, @both, @amd) }, %{ all_are(0, @arm) } },
              'of both it is told which is held');
    is_deeply(asked(), [ sort "GET $both[0]", "GET $amd[0]", "GET $arm[0]" ],
              'manifests were requested only');

    my $job = dry($servers, 'image', url => $url, platform => 'linux/s390x');
    is($job->{state}, 'FAILURE', 'a platform that does not exist');
    like(state_of($job)->{error}, facts('linux/s390x'), '... is named');
};


warm_story 'files', { @named }, $locations, sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    $upstream->answers("/files/$_", { body => "of $_" }) for qw( a b );

    my @urls = map { FILES . "/files/$_" } qw( a b );

    is($warm->run('file', url => $urls[0])->{state}, 'SUCCESS', 'one is warmed');
    $upstream->forget_requests;

    my $job = dry($servers, 'file', urls => \@urls);

    is_deeply([ map { [ @$_{qw( url type media_type size held )} ] }
                @{ state_of($job)->{tasks} } ],
              [ [ $urls[0], 'file', undef, 4, JSON::PP::true ],
                [ $urls[1], 'file', undef, undef, JSON::PP::false ] ],
              'it is held, the other one is not, and its size is not known');
    is_deeply(asked(), [], 'no file is requested');

    is(held(dry($servers, 'file', url => $urls[0], size => 5))->{'/files/a'}, 0,
       'a file of another size is not held');
    is(held(dry($servers, 'file', url => $urls[0],
                digest => 'sha256:' . '0' x 64))->{'/files/a'}, 0,
       '... nor one of another digest');
    is((state_of(dry($servers, 'file', url => $urls[1], size => 7))
        ->{tasks}[0]{size}), 7, 'the size that the job names is shown');

    my @signed = map { FILES . "/files/a?X-Amz-Signature=secret-$_" } 1, 2;
    $job = dry($servers, 'file', urls => \@signed);
    is(scalar @{ state_of($job)->{tasks} }, 2, 'two that look the same are two');
    unlike(JSON::PP->new->encode($job), qr/secret-/, 'and their secrets are hidden');

    $job = dry($servers, 'file', urls => [ map { FILES . "/files/many-$_" }
                                           1 .. MANY ]);
    is(scalar @{ state_of($job)->{tasks} }, LISTED, 'a list is limited');
    is(state_of($job)->{tasks_omitted}, MANY - LISTED, '... and says it');
    is_deeply(asked(), [], 'no file was requested');
};


warm_story 'a copy for some clients only', { @named },
    location('/files/', FILES, $upstream->port, 'proxy_cache files;',
             'proxy_cache_key $dfpreheat_cache_key;',
             'proxy_cache_valid 200 1d;',
             'add_header X-Cache $upstream_cache_status;'), sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    $upstream->answers('/files/vary', { body => 'some',
        headers => [ Vary => 'Accept-Language' ] });
    $warm->pull('/files/vary');
    is(($warm->pull('/files/vary'))[1], 'HIT', 'a client has its copy');

    my $url = FILES . '/files/vary';

    is($warm->run('file', url => $url)->{state}, 'FAILURE',
       'a job would fetch another one, and fail');
    is(held(dry($servers, 'file', url => $url))->{'/files/vary'}, 0,
       'so it is not held');
};


warm_story 'a private image', { @named },
    location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;',
             'proxy_cache files;', 'include cache.conf;')
    . location('/files/', FILES, $upstream->port, 'dfpreheat_access on;',
               'proxy_cache files;', 'include cache.conf;'), sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my @paths = image(sub { +{ @_, wants => 'Authorization: ' . RIGHT,
                               refusal => { status => 401 } } });
    my @right = (url => REGISTRY . $paths[0],
                 headers => { Authorization => RIGHT });

    is($warm->run('image', @right)->{state}, 'SUCCESS', 'is warmed');
    is_deeply(held(dry($servers, 'image', @right)), all_are(1, @paths),
              'who may read it is told that it is held');

    my $job = dry($servers, 'image', url => REGISTRY . $paths[0]);
    my $real = $warm->run('image', url => REGISTRY . $paths[0]);

    is($job->{state}, 'FAILURE', 'who may not is told nothing');
    is_deeply(held($job), { $paths[0] => '?' }, '... not even of the manifest');
    is_deeply(targets($job), { one => '?' }, '... nor how much is held');
    is(state_of($job)->{error}, state_of($real)->{error},
       'the reason is that of a job');

    $upstream->answers('/files/p', { body => 'private' });
    $job = dry($servers, 'file', url => FILES . '/files/p');
    is($job->{state}, 'SUCCESS', 'a file there');
    is_deeply(held($job), { '/files/p' => '?' },
              '... is not told about: nobody was asked who may have it');
};


# Registries as jobs know them

my $service = DFP::Upstream->start;
my $auth = 'http://127.0.0.1:' . $service->port;

warm_story 'a registry with a token service', { @named },
    $locations . calls($auth), sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my $basic = 'Basic YWxpY2U6c2VjcmV0';   # alice:secret
    my @paths = image(sub { +{ @_, wants => 'Authorization: Bearer good',
        refusal => { status => 401, headers => [ 'WWW-Authenticate' =>
            qq(Bearer realm="$auth/token",scope="a:b:pull") ] } } });

    $service->answers('/token', { wants => "Authorization: $basic",
        body => '{"token":"good"}', refusal => { status => 401 } });

    my @job = ('image', url => REGISTRY . $paths[0], username => 'alice',
               password => 'secret');
    my $job = dry($servers, @job);

    is($job->{state}, 'SUCCESS', 'the credentials of the job are used')
        or diag(state_of($job)->{error});
    is_deeply(held($job), all_are(0, @paths), 'and what is in the image is told');
    is_deeply(asked(), [ "GET $paths[0]" ], 'the manifest was requested only');
    is(scalar(grep { m{^GET /token} } $service->requests), 1, '... with a token');
    unlike(JSON::PP->new->encode($job), qr/secret/, 'the password is hidden');

    is($warm->run(@job)->{state}, 'SUCCESS', 'a job warms it');
    is_deeply(held(dry($servers, @job)), all_are(1, @paths), 'it is held now');

    $job[-1] = 'wrong';
    $job = dry($servers, @job);
    is($job->{state}, 'FAILURE', 'a wrong password');
    is_deeply([ values %{ held($job) } ], ['?'], '... opens nothing');
    like(state_of($job)->{error}, facts('401'), '... as in a job');
};


warm_story 'what cannot be preheated', { http => "$named[1]"
    . 'proxy_cache_path small keys_zone=small:1m max_size=8k;' },
    $locations
    . location('/v2/none/', 'http://uncached.test', $upstream->port,
               'proxy_cache off;')
    . location('/small/', 'http://small.test', $upstream->port,
               'proxy_cache small;', 'include cache.conf;'), sub
{
    my $warm = shift;

    my $check = sub {
        my ($name, $facts, @job) = @_;

        my $job = dry($warm->{servers}, @job);

        is($job->{state}, 'FAILURE', $name);
        like(state_of($job)->{error}, facts($facts), '... and why');
        is(scalar(grep { $_ eq '1' } values %{ held($job) }), 0,
           '... and nothing is said to be held');

        my $real = $warm->run(@job);
        is(state_of($job)->{error} =~ s/^[^;]*; //r,
           state_of($real)->{error} =~ s/^[^;]*; //r,
           '... with the words of a job');
    };

    $check->('a tag that does not exist', '404', 'image',
             url => REGISTRY . '/v2/none-of-it/manifests/1');
    $check->('an origin without a location', 'dfpreheat_origin', 'image',
             url => 'http://nobody.test/v2/a/manifests/1');
    $check->('a cache that is too small', 'max_size', 'file',
             url => 'http://small.test/small/a', size => 100_000);

    $upstream->answers('/v2/bad/manifests/1', { body => '{', headers => [
        'Content-Type' => DFP::Image::MANIFEST ] });
    $check->('a manifest that is none', 'JSON', 'image',
             url => REGISTRY . '/v2/bad/manifests/1');

    my $image = DFP::Image->simple($upstream, 'none');
    my $job = dry($warm->{servers}, 'image', url => "http://uncached.test$image");

    is($job->{state}, 'FAILURE', 'a location without a cache');
    like(state_of($job)->{error}, facts('proxy_cache'), '... and why');
};


warm_story 'a registry that does not answer', { @named }, $locations, sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my ($tag) = image(sub { +{ @_, after => 2 * SOON } });
    my $began = time;
    my $job = dry($servers, 'image', url => REGISTRY . $tag, timeout => TWO_S);

    is($job->{state}, 'FAILURE', 'ends with its timeout');
    cmp_ok(time - $began, '<', SOON, '... soon');
    like(state_of($job)->{error}, facts('2 s'), '... which is the reason');

    is(post_dry($servers, 'image', url => REGISTRY . $tag)->{json}{args}{timeout},
       300_000_000_000, 'which is five minutes at most');
};


my $cdn = DFP::Upstream->start;
my $cdn_dir = tempdir('dfpreheat-cdn-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

warm_story 'blobs behind redirects, in a cache of their own', {
    http => "$named[1] proxy_cache_path $cdn_dir keys_zone=cdn:1m;\n" },
    location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
             'include cache.conf;', 'include follow.conf;')
    . redirects('http://127.0.0.1:' . $cdn->port)
      =~ s/proxy_cache files/proxy_cache cdn/r, sub
{
    my $warm = shift;

    my @paths = image();

    for my $path (@paths[2 .. 4]) {
        $cdn->answers($path, { body => $upstream->body($path) });
        $upstream->answers($path, { status => 307, headers => [
            Location => 'http://127.0.0.1:' . $cdn->port . $path ] });
    }

    my @job = ('image', url => REGISTRY . $paths[0]);

    is_deeply(held(dry($warm->{servers}, @job)), all_are(0, @paths),
              'are not held');
    is($warm->run(@job)->{state}, 'SUCCESS', 'are warmed');
    is_deeply(held(dry($warm->{servers}, @job)), all_are(1, @paths),
              'are held');
};


# The API

story 'requests', { @named }, sub
{
    my $servers = shift;

    my $url = $servers->origin->url . '/quick/100/a';
    my @job = (type => 'preheat', args => { type => 'file', url => $url });
    my $post = sub { $servers->client->post('/oapi/v1/jobs' . shift, { @job, @_ }) };

    for (
        [ 'dry_run | true or false', dry_run => 1 ],
        [ 'dry_run | true or false', dry_run => 'true' ],
        [ 'dry_run | true or false', dry_run => {} ],
        [ 'webhook | dry_run', dry_run => JSON::PP::true,
          webhook => { url => 'http://files.test/', secret => 's' } ],
        [ 'scheduler_cluster_ids | 9', dry_run => JSON::PP::true,
          scheduler_cluster_ids => [9] ],
    ) {
        my ($facts, @fields) = @$_;
        my $answer = $post->('', @fields);

        is($answer->{status}, 422, "422: $facts");
        like($answer->{json}{errors}, facts($facts), '... and why');
    }

    is($servers->stored_jobs, 0, 'no job was stored');

    my $fetched = 0;

    for ([ null => undef ], [ false => JSON::PP::false ]) {
        my $answer = $post->('?wait=' . WAIT, dry_run => $_->[1]);

        ok(!exists $answer->{json}{dry_run}, "$_->[0] is a job");
        is($servers->origin->requests('/quick/100/a'), ++$fetched,
           '... which is run');
    }

    my $metrics = sub { join "\n", grep { /^dfpreheat_(?:job|run|tasks|bytes)/ }
                        split /\n/, $servers->client->get('/metrics')->{body} };
    my $before = $metrics->();
    my $answer = $post->('?wait=' . WAIT, dry_run => JSON::PP::true);

    is($answer->{status}, 200, 'POST waits for a dry run');
    is($answer->{json}{state}, 'SUCCESS', '... which has ended');
    is_deeply(targets($answer->{json}), { one => 1 }, '... and tells what is held');
    is($metrics->(), $before, 'it is not counted');
    is(scalar @{ $servers->client->get('/oapi/v1/jobs')->{json} }, 2,
       'it is not listed');

    my $id = $answer->{json}{id};
    my $ttl = $servers->redis('ttl', "dfpreheat:job:$id");
    ok($ttl > KEEP - SOON && $ttl <= KEEP, 'it lives for ten minutes');

    my $again = sub {
        my $client = $servers->client;

        $client->start('POST', '/oapi/v1/jobs?wait=' . WAIT,
            JSON::PP->new->canonical->encode({ @job,
                dry_run => JSON::PP::true, bio => shift }),
            { 'Idempotency-Key' => 'key' });

        return $client->finish(SOON);
    };

    is($servers->origin->requests('/quick/100/a'), $fetched,
       'nothing was fetched');

    my $first = $again->('a')->{json};
    is($again->('a')->{json}{id}, $first->{id}, 'the same request, repeated');
    is($first->{dry_run}, JSON::PP::true, '... is a dry run');
    is($again->('b')->{status}, 422, 'another one with the same key');

    is($post->('?wait=' . WAIT . '&fail=1', dry_run => JSON::PP::true,
               args => { type => 'file', url => 'http://nobody.test/' })
       ->{status}, 424, 'one that fails, with fail=1');

    my $patched = $servers->client->request('PATCH', "/oapi/v1/jobs/$id",
                                            '{"bio":",\"dry_run\":true"}');
    is($patched->{json}{bio}, ',"dry_run":true', 'it can be changed');
    is($patched->{json}{dry_run}, JSON::PP::true, '... and is a dry run still');
    is($servers->client->request('DELETE', "/oapi/v1/jobs/$id")->{status}, 200,
       'and deleted');
    is($servers->client->get("/oapi/v1/jobs/$id")->{status}, 404,
       '... so it is not there');
};


story 'who has not posted it', { @named }, sub
{
    my $servers = shift;

    my $url = $servers->origin->url . '/quick/100/a';
    my ($mine, $other) = map { $servers->token } 1, 2;

    $servers->{token} = $mine;
    my $id = dry($servers, 'file', url => $url)->{id};
    $servers->client->get('/oapi/v1/cache?url='
                          . $url =~ s{[:/]}{sprintf '%%%02X', ord $&}ger);

    my %ids = ('a dry run' => $id, 'a lookup' => $id + 1);
    my @requests = ([ 'GET', '' ], [ 'GET', '?wait=1s' ],
                    [ 'GET', '/events' ], [ 'PATCH', '', '{"bio":"mine"}' ],
                    [ 'DELETE', '' ]);

    for my $what (sort keys %ids) {
        my $path = "/oapi/v1/jobs/$ids{$what}";

        $servers->{token} = $other;

        for (@requests) {
            my ($method, $query, @body) = @$_;
            my $answer = DFP::Client->new(port => $servers->{port},
                                          token => $other)
                         ->request($method, $path . $query, @body);

            is($answer->{status}, 404, "$what: $method$query of another token");
        }

        is(HTTP::Tiny->new->head("http://127.0.0.1:$servers->{port}$path",
               { headers => { Authorization => "Bearer $other" } })->{status},
           404, "$what: HEAD of another token");

        $servers->{token} = $mine;
        my $answer = $servers->client->get($path);
        is($answer->{status}, 200, "$what: is there");
        is($answer->{json}{bio}, '', '... and was not changed');
        is($servers->client->request('DELETE', $path)->{status}, 200,
           '... until it is deleted');
    }

    $servers->{token} = $mine;
    $id = $servers->post_files(['/quick/100/b']);
    $servers->{token} = $other;
    is($servers->client->get("/oapi/v1/jobs/$id")->{status}, 200,
       'jobs that are listed are for all');
};


# Several nginx

my $quick = '/quick/1000/a';

sub dry_files { return post_dry($_[0], 'file', url => FILES . $quick,
                                @_[1 .. $#_])->{json}{id} }

cluster_story 'several nginx', { lease => '2s' }, sub
{
    my ($cluster, $one, $two, $three) = @_;

    my $dry = sub { $one->ended_job(dry_files($one, @_), SOON) };

    is($one->ended_job($one->post_files([$quick], ips => ['192.0.2.11']), SOON)
       ->{state}, 'SUCCESS', 'one is warm');

    my $job = $dry->();

    is_deeply(held($job), { $quick => 0 }, 'not all of them hold the file');
    is_deeply(targets($job), { one => 1, two => 0, three => 0 },
              'each says what it holds');
    is_deeply({ map { $_->{targets}[0]{hostname} => _known($_->{tasks}[0]{held}) }
                @{ state_of($job)->{results} } },
              { one => 1, two => 0, three => 0 }, '... and of each task');
    is_deeply(held($dry->(ips => ['192.0.2.11'])), { $quick => 1 },
              'the one that is named holds it');
    is(scalar keys %{ targets($dry->(scope => 'single_seed_peer')) }, 1,
       'a job for one of them is for one');

    $job = $dry->(ips => [ '192.0.2.11', '192.0.2.99' ]);
    is($job->{state}, 'FAILURE', 'an address that nobody has');
    like(state_of($job)->{error}, facts('192.0.2.99'), '... is named');
    is_deeply(held($job), { $quick => '?' }, '... nobody knows what it has');

    is($one->ended_job($one->post_files([$quick]), SOON)->{state}, 'SUCCESS',
       'all are warm');
    my $fetched = sub { join ' ', map { $_->origin->requests($quick) }
                                  $one, $two, $three };
    my $before = $fetched->();

    $job = $dry->();
    is_deeply(held($job), { $quick => 1 }, 'all of them hold it');
    is_deeply(targets($job), { one => 1, two => 1, three => 1 }, '... each');
    is($fetched->(), $before, 'no origin is asked');

    # one does not answer

    pause($three);
    my $id = dry_files($one);
    my $tolerant = dry_files($one, success_threshold => 60);
    $job = $one->ended_job($id, SOON);

    is($job->{state}, 'FAILURE', 'one of them is unreachable');
    like(state_of($job)->{error}, facts('three | 192.0.2.13 | dfpreheat_lease'),
         '... as in a job');
    is_deeply(held($job), { $quick => '?' }, '... so it is not known');
    is_deeply(targets($job), { one => 1, two => 1, three => '?' },
              '... but of the others it is');
    is_deeply([ map { map { $_->{hostname} } @{ $_->{unreachable} // [] } }
                @{ state_of($job)->{results} } ], ['three'],
              '... and it is in the results');

    $job = $one->ended_job($tolerant, SOON);
    is($job->{state}, 'SUCCESS', 'unless fewer are enough');
    is_deeply(held($job), { $quick => '?' }, '... which does not make it known');
    resume($three);
};


cluster_story 'one that hangs, and has a long lease', {
    lease => '60s', names => [qw( one two )] }, sub
{
    my ($cluster, $one, $two) = @_;

    pause($two);
    my $job = $one->ended_job(dry_files($one, timeout => TWO_S), SOON);
    resume($two);

    is($job->{state}, 'FAILURE', 'a dry run does not wait longer than its timeout');
    like(state_of($job)->{error}, facts('2 s'), '... and says so');
    is_deeply(targets($job), { one => 0, two => '?' },
              'what the other holds is told');
};


story 'nginx is killed, and started again', { @named, lease => '1s' }, sub
{
    my $servers = shift;

    my $url = $servers->origin->url . $quick;
    my $id = do {
        pause($servers);    # so that nobody runs it before
        resume($servers);
        post_dry($servers, 'file', url => $url)->{json}{id};
    };

    $servers->nginx_kill;
    $servers->nginx_start;
    delete $servers->{reader};

    is($servers->ended_job($id, SOON)->{state}, 'SUCCESS', 'a dry run ends');
    is($servers->origin->requests($quick), 0, 'and nothing was warmed');
};


# In the middle of it

sub waits
{
    my ($name, $options, $code) = @_;

    warm_story $name, { @named, %$options }, $locations, sub {
        my $warm = shift;
        my $servers = $warm->{servers};

        my ($tag, @paths) = image(sub { +{ @_, after => 1.5 } });

        $warm->pull($paths[1]);
        $upstream->forget_requests;

        my $answer = post_dry($servers, 'image', url => REGISTRY . $tag);

        ok(wait_until(SOON, sub { grep { / $tag / } $upstream->requests }),
           'a dry run waits for the registry');

        $code->($servers);

        my $job = $servers->ended_job($answer->{json}{id}, SOON);

        is($job->{state}, 'SUCCESS', 'it ends well')
            or diag(state_of($job)->{error});
        is_deeply(held($job), { %{ all_are(0, $tag, @paths) }, $paths[1] => 1 },
                  'and tells what is held');
        is_deeply([ grep { !/ $tag/ } @{ asked() } ], [],
                  'nothing else was requested');
    };
}


waits 'nginx reloads in the middle of it', {}, sub { $_[0]->nginx_reload };

waits 'a worker dies in the middle of it', { lease => '1s' }, sub
{
    my $servers = shift;

    kill 'KILL', $servers->workers;
    delete $servers->{reader};
    $servers->expects(undef, qr/exited on signal 9/);
};

waits 'Redis stops for a while', {}, sub
{
    my $servers = shift;

    $servers->redis_signal('STOP');
    sleep 2;
    $servers->redis_signal('CONT');
};


warm_story 'Redis loses it', { @named }, $locations, sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    my ($tag) = image(sub { +{ @_, after => 2 } });
    my $id = post_dry($servers, 'image', url => REGISTRY . $tag)->{json}{id};
    my $client = $servers->client;

    $client->start('GET', "/oapi/v1/jobs/$id?wait=" . WAIT);
    ok(wait_until(SOON, sub { grep { / $tag / } $upstream->requests }),
       'somebody waits for a dry run');
    $servers->redis('del', "dfpreheat:job:$id");
    is($client->finish(SOON)->{status}, 404, 'and is told that it is gone');
};


# Dragonfly

sub nobody_called
{
    my ($dragonfly, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply([ map { $_->calls } $dragonfly->all ], [], "$name: no peer");
    is_deeply([ grep { !/ListHosts/ }
                map { $_->{method} } $dragonfly->scheduler->calls ], [],
              "$name: the scheduler only for its hosts");
}


swarm_story 'peers', { seeds => 2, peers => 3, cached => 1 }, sub
{
    my ($warm, $dragonfly) = @_;
    my @two = (beside => { scheduler_cluster_ids => [2] });

    my $swarm = sub {
        my ($type, @args) = @_;

        return dry($warm->{servers}, $type, @args, @two);
    };

    # this upstream is that of the stories above

    my ($run, $own) = ($warm, $_[2]);
    my $image = DFP::Image->new($own, 'app');
    my $manifest = $image->manifest($image->layer('base'), $image->layer('top'));

    $image->tag('1', $image->index([ 'linux/amd64' => $manifest ]));

    my ($path, @blobs) = $image->paths($manifest);
    my $job = $swarm->('image', url => REGISTRY . $image->by_tag('1'),
                       scope => 'all_peers');

    is($job->{state}, 'SUCCESS', 'an image') or diag(state_of($job)->{error});
    is_deeply(held($job), all_are('?', @blobs), 'its blobs are told');
    is_deeply([ map { $_->{type} } @{ state_of($job)->{tasks} } ],
              [qw( config layer layer )], '... and what they are');
    is_deeply(targets($job), all_are('?', qw( peer-1 peer-2 peer-3 )),
              'and the peers that are chosen');
    is_deeply([ grep { m{/blobs/} } $own->requests ], [], 'no blob is requested');
    nobody_called($dragonfly, 'an image');
    is(($warm->pull($path))[1], 'MISS', 'its manifest is not in the cache');

    my @file = ('file', url => FILES . '/files/a');

    is_deeply(targets($swarm->(@file, scope => 'all_seed_peers')),
              all_are('?', qw( seed-1 seed-2 )), 'all seeds');
    is(scalar keys %{ targets($swarm->(@file, scope => 'all_peers',
                                       count => 2)) }, 2, 'two of the peers');

    my $one = targets($swarm->(@file, scope => 'single_seed_peer'));
    my $real = $warm->run(@file, scope => 'single_seed_peer');
    my ($task) = @{ $real->{result}{job_states}[0]{results}[0]{success_tasks} };

    is_deeply($one, { $task->{hostname} => '?' },
              'one seed, which is the one that a job takes');
    $_->forget_calls for $dragonfly->scheduler, $dragonfly->all;

    my $named = $dragonfly->peers->[1];
    is_deeply(targets($swarm->(@file, scope => 'all_peers',
                               ips => [ $named->ip ])),
              { 'peer-2' => '?' }, 'the one that is named');

    $job = $swarm->(@file, scope => 'all_peers', ips => ['127.0.0.1']);
    is($job->{state}, 'FAILURE', 'one that does not exist');
    like(state_of($job)->{error}, facts('127.0.0.1'), '... is named');

    $job = $swarm->('image', url => REGISTRY . '/v2/none/manifests/1',
                    scope => 'all_peers');
    is($job->{state}, 'FAILURE', 'an image that does not exist');
    like(state_of($job)->{error}, facts('404'), '... as in a job');

    nobody_called($dragonfly, 'all of them');
};


swarm_story 'a scheduler', { engine => 'scheduler', seeds => 1, peers => 2 }, sub
{
    my ($warm, $dragonfly, $own) = @_;
    my @two = (beside => { scheduler_cluster_ids => [2] });

    my $swarm = sub {
        my ($type, @args) = @_;

        return dry($warm->{servers}, $type, @args, @two);
    };

    my $image = DFP::Image->new($own, 'app');
    my $manifest = $image->manifest($image->layer('base'));

    $image->tag('1', $manifest);

    my (undef, @blobs) = $image->paths($manifest);
    my @image = ('image', url => REGISTRY . $image->by_tag('1'));
    my $job = $swarm->(@image, scope => 'all_peers');

    is($job->{state}, 'SUCCESS', 'an image') or diag(state_of($job)->{error});
    is_deeply(held($job), all_are('?', @blobs), 'its blobs are told');
    is_deeply(targets($job), all_are('?', qw( peer-1 peer-2 )),
              'and all peers that the scheduler lists');

    for ([ count => 1 ], [ percentage => 50 ], [ scope => 'single_seed_peer' ]) {
        $job = $swarm->(@image, scope => 'all_peers', @$_);
        is($job->{state}, 'SUCCESS', "$_->[0]");
        is(state_of($job)->{targets}, undef, '... is for the scheduler to choose');
    }

    $job = $swarm->(@image, scope => 'all_peers', platform => 'all');
    is($job->{state}, 'FAILURE', 'all platforms');
    like(state_of($job)->{error}, facts('args.platform'), '... as in a job');

    $job = $swarm->('file', url => FILES . '/files/a', scope => 'all_peers');
    is_deeply(held($job), { '/files/a' => '?' }, 'a file');

    is_deeply([ grep { m{/blobs/|/files/} } $own->requests ], [],
              'nothing is requested but manifests');
    nobody_called($dragonfly, 'all of them');

    $dragonfly->scheduler->outdated;
    $dragonfly->scheduler->stop;
    $job = $swarm->(@image, scope => 'all_peers', timeout => TWO_S);
    is($job->{state}, 'FAILURE', 'without a scheduler');
    like(state_of($job)->{error}, facts('2 s | scheduler'), '... it says so');
    $dragonfly->scheduler->restart;
};

done_testing();
