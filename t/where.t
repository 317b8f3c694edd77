# Where is it: GET and DELETE of /oapi/v1/cache tell which nginx has which layers of
# an image, or a file, and remove them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw( tempdir );
use HTTP::Tiny;
use JSON::PP qw( encode_json );
use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Facts;
use DFP::Image;
use DFP::Process qw( free_port wait_until );
use DFP::Servers;
use DFP::Story qw( story );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    RIGHT    => 'Bearer right',
    SOON     => 10,         # s: what needs no timer, or a short lease
    ANSWER   => 28,         # s: Harbor waits 30 s for an answer
    LARGE    => 8_000_000,  # bytes: more than sockets hold
    WAITS    => 1.2,         # s: long enough for something to happen meanwhile
    POLL     => 4,          # s: less than between two looks without a message
    KEEP     => 600,        # s
};

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port);


sub image { DFP::Image->tagged($upstream, @_) }


sub escaped { $_[0] =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger }

sub path_of
{
    my %query = (url => @_);

    return '/oapi/v1/cache?'
           . join '&', map { "$_=" . escaped($query{$_}) } sort keys %query;
}


# The answer to a request about a URL; more parameters are those of its query.

sub where
{
    my ($servers, $url, %query) = @_;

    my $method = delete $query{method} // 'GET';
    my $client = $servers->client;

    $client->start($method, path_of($url, %query));

    return $client->finish(ANSWER);
}


# What an answer says, by the paths of one origin: all layers, and for each nginx
# those that it has, or its error.

sub told
{
    my ($answer, $origin) = @_;

    $origin //= REGISTRY;

    my $short = sub { $_[0]{url} =~ s/^\Q$origin\E//r };

    return {
        layers => [ map { $short->($_) } @{ $answer->{json}{image}{layers} } ],
        map { my $peer = $_;
              $peer->{hostname} => length $peer->{error} ? 'error'
                  : [ map { $short->($_) } @{ $peer->{cached_layers} } ] }
            @{ $answer->{json}{peers} } };
}


sub error_of { $_[0]{json}{peers}[ $_[1] // 0 ]{error} }

my @named = (http => "dfpreheat_instance one address=192.0.2.1;\n");


warm_story 'a warm image', { @named }, $locations, sub
{
    my $warm = shift;

    my @paths = image();
    my $url = REGISTRY . $paths[0];

    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'it is warmed');
    my $until = time + WAITS;
    $upstream->forget_requests;

    my $asked = time;
    my $answer = where($warm->{servers}, $url);
    my $peer = $answer->{json}{peers}[0];

    cmp_ok(time - $asked, '<', POLL, 'a message tells that it is there');

    is($answer->{status}, 200, 'is found');
    is_deeply(told($answer), { layers => \@paths, one => \@paths },
              'with its manifest, by tag and by digest, config and layers');
    is_deeply([ @$peer{qw( hostname ip scheduler_cluster_id error )} ],
              [ 'one', '192.0.2.1', 1, '' ], 'in the nginx that has it');
    is_deeply([ sort keys %{ $answer->{json} } ], [qw( image peers )],
              'in the form of get_image_distribution');
    is_deeply($peer->{images},
              [ { url => $url, digest => $paths[1] =~ s{.*/}{}r } ],
              'and with the digest of its tag');

    for my $layer (@{ $peer->{cached_layers} }) {
        my $path = $layer->{url} =~ s/^\Q${\REGISTRY}\E//r;

        is($layer->{size}, length $upstream->body($path), "size of $path");
        is($layer->{valid}, JSON::PP::true, '... which is valid');
        cmp_ok($layer->{age}, '<=', SOON, '... and new');
        like($layer->{last_used_at}, qr/^20\d\d-\d\d-\d\dT[\d:]{8}\.000Z$/,
             '... and was used');
    }

    sleep $until - time if $until > time;

    my $later = where($warm->{servers}, $url)->{json}{peers}[0];

    is_deeply([ map { $_->{last_used_at} } @{ $later->{cached_layers} } ],
              [ map { $_->{last_used_at} } @{ $peer->{cached_layers} } ],
              'to look is not to use');
    cmp_ok($later->{cached_layers}[0]{age}, '>', 0, 'time goes by');
    is(scalar $upstream->requests, 0, 'the registry was not asked');
};


warm_story 'an image that is not there', { @named }, $locations, sub
{
    my $warm = shift;

    my @paths = image();
    my $answer = where($warm->{servers}, REGISTRY . $paths[0]);

    is_deeply(told($answer), { layers => \@paths, one => [] },
              'is known, and nowhere');
    is_deeply([ map { /^(\S+ \S+)/ } $upstream->requests ],
              ["GET $paths[0]"], 'the registry was asked for the manifest');
    is(($warm->pull($_))[1], 'MISS', "it was not stored: $_") for @paths[0, 1];
};


warm_story 'an image that is not quite there', { @named }, $locations, sub
{
    my $warm = shift;

    my ($tag, $manifest, $config, $one, $two) = image();

    $warm->pull($_) for $tag, $two;
    $upstream->forget_requests;

    my $answer = where($warm->{servers}, REGISTRY . $tag);

    is_deeply(told($answer)->{one}, [ $tag, $two ], 'the one that is there');
    is(scalar $upstream->requests, 0, 'the manifest is that of the cache');

    # a tag expires

    $warm->expire($tag);
    $answer = where($warm->{servers}, REGISTRY . $tag);

    is_deeply([ map { $_->{valid} ? 1 : 0 }
                @{ $answer->{json}{peers}[0]{cached_layers} } ], [ 0, 1 ],
              'an expired manifest is there, and not valid');
    is(scalar $upstream->requests, 1, 'what the tag is now, the registry says');

    $answer = where($warm->{servers}, REGISTRY . $tag);
    is($answer->{json}{peers}[0]{cached_layers}[0]{valid}, JSON::PP::false,
       'that has not renewed it');

    # the registry is unavailable, or says that there is no such tag

    $upstream->answers($tag, { status => 503 });
    is_deeply(told(where($warm->{servers}, REGISTRY . $tag))->{one},
              [ $tag, $two ], 'without the registry the expired one is enough');
    $upstream->answers($tag, { status => 404 });
    like(error_of(where($warm->{servers}, REGISTRY . $tag)), facts('404'),
         'for a tag that does not exist it is not');
    $upstream->answers($tag, { body => $upstream->body($manifest), headers => [
        'Content-Type' => DFP::Image::MANIFEST ] });

    # files that are gone without nginx

    $warm->lose_files;
    is_deeply(told(where($warm->{servers}, REGISTRY . $tag))->{one}, [],
              'lost files are not there');
};


warm_story 'an image is removed', { @named }, $locations, sub
{
    my $warm = shift;

    my @paths = image();
    my @other = image();

    for my $path ($paths[0], $other[0]) {
        is($warm->run('image', url => REGISTRY . $path)->{state}, 'SUCCESS',
           "$path is warmed");
    }

    my $answer = where($warm->{servers}, REGISTRY . $paths[0],
                       method => 'DELETE');

    is($answer->{status}, 200, 'it is removed');
    is_deeply(told($answer), { layers => \@paths, one => \@paths },
              'the answer says what was');
    is_deeply(told(where($warm->{servers}, REGISTRY . $paths[0]))->{one}, [],
              'it is not there any more');
    is_deeply(told(where($warm->{servers}, REGISTRY . $paths[0],
                         method => 'DELETE'))->{one}, [],
              'and cannot be removed once more');
    is_deeply($warm->cached(@paths), [ map { "MISS $_" } @paths ],
              'clients get it from the registry');
    $warm->hits('the other image is there', @other);
};


warm_story 'a client that downloads what is removed', { @named }, $locations,
    sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'large');
    my $layer = $image->layer('x' x LARGE);
    my $manifest = $image->manifest($layer);

    $image->tag('1', $manifest);
    is($warm->run('image', url => REGISTRY . $image->by_tag('1'))->{state},
       'SUCCESS', 'an image is warmed');
    $upstream->forget_requests;

    my $client = $warm->ask($image->path($layer));
    sysread $client, my $first, 1000;

    my $answer = where($warm->{servers}, REGISTRY . $image->by_tag('1'),
                       method => 'DELETE');
    is(scalar @{ told($answer)->{one} }, 4, 'it is removed');

    my $body = ($first . whole_answer($client, SOON)) =~ s/.*?\r\n\r\n//sr;

    is(length $body, LARGE, 'the client gets all of it');
    is(scalar $upstream->requests, 0, 'out of the cache');
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
    my @amd = (@both, $image->paths($amd));
    my @arm = (@both, $image->paths($arm));

    is($warm->run('image', url => $url, platform => 'linux/amd64')->{state},
       'SUCCESS', 'one of them is warmed');

    my $answer = where($warm->{servers}, $url, platform => 'linux/amd64');
    is_deeply([ sort @{ told($answer)->{one} } ], [ sort @amd ],
              'its layers, and the index');

    $answer = where($warm->{servers}, $url, platform => 'linux/arm64');
    is_deeply([ sort @{ told($answer)->{layers} } ], [ sort @arm ],
              'another one');
    is_deeply([ sort @{ told($answer)->{one} } ], [ sort @both ],
              'of which only the index is there');

    $answer = where($warm->{servers}, $url, platform => 'linux/s390x');
    like(error_of($answer), facts('linux/s390x'), 'one that does not exist');
};


story 'a file', { @named }, sub
{
    my $servers = shift;

    my $origin = $servers->origin->url;
    my $path = '/quick/100/a';
    my $signed = '/quick/100/b?X-Amz-Signature=secret-signature';

    is($servers->ended_job($servers->post_files([ $path, $signed ]), SOON)
       ->{state}, 'SUCCESS', 'two files are warmed');

    my $answer = where($servers, $origin . $path);

    is_deeply(told($answer, $origin), { layers => [$path], one => [$path] },
              'is found');
    is($answer->{json}{peers}[0]{cached_layers}[0]{size}, 100, 'its size');
    is_deeply(told(where($servers, "$origin/quick/100/c"), $origin),
              { layers => ['/quick/100/c'], one => [] }, 'another one is not');
    is($servers->origin->requests($path), 1, 'it was fetched for its job only');

    $answer = where($servers, $origin . $signed);
    is_deeply(told($answer, $origin)->{one},
              ['/quick/100/b?X-Amz-Signature=***'], 'a signature is hidden');

    $servers->{token} = 'wrong';
    is(where($servers, $origin . $signed)->{status}, 401, 'a wrong token');
    is_deeply([ $servers->logged(qr/secret-signature/) ], [],
              'it is not in the log, either');
    delete $servers->{token};

    # as by a client that does not escape values

    my $plain = sub { $servers->client->get("/oapi/v1/cache?url=$origin$_[0]") };

    is_deeply(told($plain->("$path?x=1"), $origin)->{layers}, ["$path?x=1"],
              'a "?" may be in a value');
    $plain->("$signed&X-Amz-Security-Token=secret-signature");
    is_deeply([ $servers->logged(qr/secret-signature/) ], [],
              'the log has nothing of its signature');

    where($servers, $origin . $path, method => 'DELETE');
    is_deeply(told(where($servers, $origin . $path), $origin)->{one}, [],
              'it is removed');

    my $id = $answer->{status} == 200 && (split /\n/, $servers->redis('keys',
                                          'dfpreheat:job:*'))[0];
    is($id ? 1 : 0, 1, 'the questions are jobs');
    my @short = grep { $_ > 0 && $_ <= KEEP }
                map { $servers->redis('ttl', $_) }
                grep { /job:\d+$/ }
                split /\n/, $servers->redis('keys', 'dfpreheat:job:*');
    is(scalar @short, 7, 'that live for ten minutes');
};


# Two nginx, each with a cache of its own.

sub second
{
    my ($servers, %options) = @_;

    my $port = free_port();
    my $second = DFP::Servers->new(%options, no_redis => 1,
        redis_port => $servers->{redis_port}, http => <<"END");
    dfpreheat_instance two address=192.0.2.2;
    server {
        listen 127.0.0.1:$port;
        $locations
    }
END

    $second->{tokens} = 100;    # names of its own
    $second->start;
    $second->{pulls} = $port;

    return $second;
}


warm_story 'two nginx', { @named, lease => '1s' }, $locations, sub
{
    my $warm = shift;

    my ($one, $two) = ($warm->{servers}, second($warm->{servers},
                                                lease => '1s'));
    my @paths = image();
    my $url = REGISTRY . $paths[0];

    ok(wait_until(SOON, sub { keys %{ told(where($one, $url)) } == 3 }),
       'both are asked');
    is_deeply(told(where($_, $url)), { layers => \@paths, one => [],
                                       two => [] }, 'neither has it')
        for $one, $two;

    $warm->pull($_) for @paths[0, 2];
    HTTP::Tiny->new->get("http://127.0.0.1:$two->{pulls}$_") for @paths[1, 3];

    for my $servers ($one, $two) {
        is_deeply(told(where($servers, $url)),
                  { layers => \@paths, one => [ @paths[0, 2] ],
                    two => [ @paths[1, 3] ] }, 'each is asked what it has');
    }

    is_deeply(told(where($two, $url, method => 'DELETE')),
              { layers => \@paths, one => [ @paths[0, 2] ],
                two => [ @paths[1, 3] ] }, 'both are told to remove it');
    is_deeply(told(where($one, $url)), { layers => \@paths, one => [],
                                         two => [] }, 'neither has it now');

    # one that does not answer

    my @frozen = ($two->{nginx}, $two->workers);

    kill 'STOP', @frozen;
    my $answer = where($one, $url);
    kill 'CONT', @frozen;

    is_deeply(told($answer), { layers => \@paths, one => [], two => 'error' },
              'one that is stopped is not left out');
    like((map { $_->{error} } grep { $_->{hostname} eq 'two' }
                                   @{ $answer->{json}{peers} })[0],
         facts('two | 192.0.2.2 | dfpreheat_lease'), 'and the reason is given');

    $two->stop_all;
};


warm_story 'an nginx that hangs, and has a long lease', {
    @named, lease => '60s' }, $locations, sub
{
    my $warm = shift;

    my ($one, $two) = ($warm->{servers}, second($warm->{servers},
                                                lease => '60s'));
    my @paths = image();

    ok(wait_until(SOON, sub {
           keys %{ told(where($one, REGISTRY . $paths[0])) } == 3 }),
       'both are asked');

    my @frozen = ($two->{nginx}, $two->workers);

    kill 'STOP', @frozen;
    my $answer = where($one, REGISTRY . $paths[0]);
    kill 'CONT', @frozen;

    is_deeply(told($answer), { layers => \@paths, one => [], two => 'error' },
              'the others answer before a client gives up');
    like((map { $_->{error} } grep { $_->{hostname} eq 'two' }
                                   @{ $answer->{json}{peers} })[0],
         facts('20 s'), 'and the reason is given');

    $two->stop_all;
};


# What the registry says

warm_story 'a registry that refuses', { @named }, $locations, sub
{
    my $warm = shift;

    my @paths = image(sub { +{ @_, wants => 'Authorization: ' . RIGHT,
                               refusal => { status => 401 } } });
    my $url = REGISTRY . $paths[0];

    like(error_of(where($warm->{servers}, $url)), facts("401 | $url"),
         'its status is the error');
    like(error_of(where($warm->{servers}, REGISTRY . '/v2/none/manifests/1')),
         facts('404'), 'another one');

    is($warm->run('image', url => $url, headers => { Authorization => RIGHT })
       ->{state}, 'SUCCESS', 'a job with credentials warms it');
    $upstream->forget_requests;
    is_deeply(told(where($warm->{servers}, $url))->{one}, \@paths,
              'the manifest in the cache of a public location is enough');
    is(scalar $upstream->requests, 0, 'the registry is not asked');
};


my $dir = tempdir('dfpreheat-where-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

open my $config, '>', "$dir/config.json" or die "$dir: $!";
print {$config} encode_json({ auths => { 'registry.test' => {
    username => 'alice', password => 'secret' } } });
close $config or die "$dir: $!";
chmod 0600, "$dir/config.json";

warm_story 'a private image', {
    http => "$named[1] dfpreheat_credentials $dir/config.json;\n" },
    location('/v2/', REGISTRY, $upstream->port, 'dfpreheat_access on;',
             'proxy_cache files;', 'include cache.conf;'), sub
{
    my $warm = shift;

    my $basic = 'Basic YWxpY2U6c2VjcmV0';   # alice:secret
    my @paths = image(sub { +{ @_, wants => "Authorization: $basic",
        refusal => { status => 401, headers => [
            'WWW-Authenticate' => 'Basic realm="registry"' ] } } });
    my $url = REGISTRY . $paths[0];

    $warm->scopes(qw( job origin-credentials ));
    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'is warmed');
    is_deeply(told(where($warm->{servers}, $url))->{one}, \@paths,
              'a token that may use credentials finds it');

    my $blob = where($warm->{servers}, REGISTRY . $paths[3]);
    like(error_of($blob), facts('dfpreheat_access'),
         'but not a blob, about which the registry cannot be asked');

    $warm->scopes('job');

    for my $method (qw( GET DELETE )) {
        my $answer = where($warm->{servers}, $url, method => $method);

        like(error_of($answer), facts('401'), "$method: another one does not");
        is_deeply($answer->{json}{peers}[0]{cached_layers}, [],
                  '... even though its manifest is in the cache');
        is_deeply($answer->{json}{image}{layers}, [ { url => $url } ],
                  '... and is told nothing about it');
    }

    $warm->scopes(qw( job origin-credentials ));
    is_deeply(told(where($warm->{servers}, $url))->{one}, \@paths,
              'nothing was removed');
};


warm_story 'a location with a condition', { @named },
    location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
             'if ($request_method = GET) { set $get 1; }',
             'include cache.conf;'), sub
{
    my $warm = shift;

    my @paths = image();

    is($warm->run('image', url => REGISTRY . $paths[0])->{state}, 'SUCCESS',
       'an image is warmed');
    is_deeply(told(where($warm->{servers}, REGISTRY . $paths[0]))->{one},
              \@paths, 'is found');
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

    my $url = REGISTRY . $paths[0];

    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'are warmed');
    is_deeply(told(where($warm->{servers}, $url, method => 'DELETE'))->{one},
              \@paths, 'are found');
    is_deeply(told(where($warm->{servers}, $url))->{one}, [], 'and removed');
};


warm_story 'locations without a cache', { @named },
    location('/v2/', REGISTRY, $upstream->port, 'proxy_cache off;')
    . location('/v2/other/', 'http://other.test', $upstream->port,
               'proxy_cache files;'), sub
{
    my $warm = shift;

    my @paths = image();

    like(error_of(where($warm->{servers}, REGISTRY . $paths[0])),
         facts('proxy_cache'), 'have nothing');
    is(scalar(grep { m{ /v2/app-\d+/blobs/} } $upstream->requests), 0,
       'and no layer is fetched');

    my $image = DFP::Image->simple($upstream, 'other');

    $upstream->forget_requests;
    like(error_of(where($warm->{servers}, "http://other.test$image")),
         facts('proxy_cache_key | $dfpreheat_cache_key'),
         'nor has one with another key');
    is(scalar(grep { m{/blobs/} } $upstream->requests), 0,
       'and no layer is fetched');
    like(error_of(where($warm->{servers}, "http://nobody.test$image")),
         facts('dfpreheat_origin | http://nobody.test'), 'nor an unknown origin');
};


# The API

story 'requests that are wrong', { http => <<'END' }, sub {
    dfpreheat_cluster 7 name=other engine=cache;
END
    my $servers = shift;

    my $client = $servers->client;
    my $path = '/oapi/v1/cache';
    my $file = escaped('http://files.test/a');

    for (
        [ '', 'url | required' ],
        [ '?url=', 'url | required' ],
        [ '?url=' . escaped('http://files.test/' . 'x' x 4096), 'url | 4096' ],
        [ '?url=' . escaped('http://user:password@files.test/'), 'url' ],
        [ '?url=http%3A//files.test/%0A', 'url' ],
        [ '?url=ftp%3A//files.test/a', 'url' ],
        [ '?url=Not%20An%20Image', 'url' ],
        [ '?url=' . escaped(REGISTRY . '/v2/App/manifests/1'), 'url' ],
        [ "?url=$file&platform=linux", 'platform' ],
        [ "?url=$file&platform=" . 'x' x 1025, 'platform | 1024' ],
        [ "?url=$file&scheduler_cluster_id=9", 'scheduler_cluster_id' ],
        [ "?url=$file&scheduler_cluster_id=x", 'scheduler_cluster_id' ],
    ) {
        my ($query, $facts) = @$_;
        my $answer = $client->get($path . $query);

        is($answer->{status}, 422, "422: $facts: " . substr $query, 0, 60);
        like($answer->{json}{errors}, facts($facts), '... and why');
    }

    is($servers->stored_jobs, 0, 'no job was stored');

    my $post = $client->post($path, {});
    is("$post->{status} $post->{headers}{allow}",
       '405 GET, HEAD, DELETE, OPTIONS', 'POST');

    my $head = HTTP::Tiny->new->head(
        "http://127.0.0.1:$servers->{port}$path?url=$file",
        { headers => { Authorization => "Bearer $servers->{token}" } });
    is($head->{status} . ($head->{content} // ''), '200', 'HEAD');
    is(scalar @{ $client->get("$path?url=$file")->{json}{peers} }, 2,
       'all clusters');
    is_deeply([ map { $_->{scheduler_cluster_id} } @{ $client->get(
                "$path?url=$file&scheduler_cluster_id=7")->{json}{peers} } ],
              [7], 'one of them');

    $servers->{token} = $servers->token('cluster');
    is($servers->client->get("$path?url=$file")->{status}, 403,
       'a token of another scope');
};


story 'a job cannot be posted that removes', { @named }, sub
{
    my $servers = shift;

    my $url = $servers->origin->url . '/quick/100/a';
    my $answer = $servers->client->post('/oapi/v1/jobs', {
        type => 'preheat', action => 'remove',
        args => { type => 'file', url => $url, action => 'remove' } });

    is($servers->ended_job($answer->{json}{id}, SOON)->{state}, 'SUCCESS',
       'it preheats');
    ok(!exists $answer->{json}{args}{action}, 'it has no such field');
    is(scalar @{ where($servers, $url)->{json}{peers}[0]{cached_layers} }, 1,
       'what it has warmed is there');
};


# While a request waits

warm_story 'a client that goes away', { @named }, $locations, sub
{
    my $warm = shift;

    my ($tag) = image(sub { +{ @_, after => SOON } });
    my $client = $warm->{servers}->client;

    $client->start('DELETE', path_of(REGISTRY . $tag));
    ok(wait_until(SOON, sub { grep { / $tag / } $upstream->requests }),
       'waits for the registry');
    close $client->{socket};

    ok(wait_until(SOON / 2, sub { $warm->{servers}->logged(
           qr{closed.*DELETE /oapi/v1/cache}) }), 'and is not waited for');
};


sub waits
{
    my ($name, $options, $code) = @_;

    warm_story $name, { @named, %$options }, $locations, sub {
        my $warm = shift;

        my ($tag, @paths) = image(sub { +{ @_, after => WAITS } });

        $warm->pull($paths[1]);

        my $client = $warm->{servers}->client;

        $client->start('GET', path_of(REGISTRY . $tag));
        ok(wait_until(SOON, sub { grep { / $tag / } $upstream->requests }),
           'a request waits for the registry');

        $code->($warm->{servers}, $client);

        my $answer = $client->finish(ANSWER);
        is($answer->{status}, 200, 'is answered');
        is_deeply(told($answer)->{one}, [ $paths[1] ], 'as if nothing had been');
    };
}


waits 'a request, and nginx reloads', {}, sub { $_[0]->nginx_reload };

waits 'a request, and Redis stops for a while', {}, sub
{
    my $servers = shift;

    $servers->redis_signal('STOP');
    sleep WAITS;
    $servers->redis_signal('CONT');
};

waits 'a request, and the message is lost', {}, sub
{
    my $servers = shift;

    for my $key (split /\n/, $servers->redis('keys', 'dfpreheat:job:*')) {
        $servers->redis('hdel', $key, 'wait');
    }
};

done_testing();
