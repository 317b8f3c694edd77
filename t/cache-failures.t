# Jobs that cannot keep what SUCCESS would promise, each with its reason.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    MANIFEST => 'http://registry.test/v2/app/manifests/',
    TRIES    => 4,      # for what may pass
    RETRIES  => '4 tries',
};

my $upstream = DFP::Upstream->start;
my $port = $upstream->port;
my $cached = 'proxy_cache files; include cache.conf;';

# no line of the settings that are included, for what they would change
my $bare = 'proxy_cache files; proxy_cache_key $dfpreheat_cache_key; '
           . 'proxy_cache_valid 200 1d;';

my $locations = join '',
    location('/v2/',        'http://registry.test', $port),
    location('/files/',     'http://files.test',    $port),
    location('/impatient/', 'http://impatient.test', $port, $cached,
             'proxy_read_timeout 600ms;'),
    location('/down/',      'http://down.test',     1),
    location('/plain/',     'http://plain.test',    $port,
             'proxy_buffering on;'),
    location('/never/',     'http://never.test',    $port, $cached,
             'proxy_no_cache 1;'),
    location('/unbuffered/', 'http://unbuffered.test', $port, $bare,
             'proxy_buffering off;'),
    location('/obedient/',  'http://obedient.test', $port, $bare),
    location('/keyed/',     'http://keyed.test',    $port,
             'proxy_cache files; proxy_cache_key $scheme$uri;',
             'proxy_cache_valid 200 1d;'),
    location('/second/',    'http://second.test',   $port, $bare,
             'proxy_cache_min_uses 2;'),
    location('/stale/',     'http://stale.test',    $port,
             'proxy_cache files; proxy_cache_key $dfpreheat_cache_key;',
             'proxy_cache_valid 200 1s;', 'proxy_cache_use_stale http_500;'),
    <<"END";
    location /static/ {
        dfpreheat_origin http://static.test;
        empty_gif;
    }
    location /forgotten/ { proxy_pass http://127.0.0.1:$port; $cached }
    location /denied/ { deny all; proxy_pass http://127.0.0.1:$port; $cached }
    location /internal/ {
        internal;
        proxy_pass http://127.0.0.1:$port;
        $cached
    }
    location /rewritten/ {
        dfpreheat_origin http://rewritten.test;
        rewrite ^/rewritten/(.*) /internal/\$1;
        proxy_pass http://127.0.0.1:$port;
    }
END

my $no_location = 'path | location | dfpreheat_origin';
my $not_stored = 'proxy_cache_valid | proxy_no_cache | proxy_cache_min_uses';
my $no_caching = 'location | cache | proxy_buffering';
my $broken_off = 'origin | answer | /closed|incomplete/';

# What the origin does, how often it is asked, and the facts of the reason. URLs
# of files tell which location they belong to.

my @failures = (
    [ '404: it is not there'
      => '/files/404', [ { status => 404 } ], 1, 'origin answered 404' ],
    [ '401: who asks is not known'
      => '/files/401', [ { status => 401 } ], 1,
         'origin answered 401 | WWW-Authenticate' ],
    [ '403: who asks is not welcome'
      => '/files/403', [ { status => 403 } ], 1, 'origin answered 403' ],
    [ '500, again and again'
      => '/files/500', [ { status => 500 } ], TRIES,
      'origin answered 500 | ' . RETRIES ],
    [ 'a body that is cut off'
      => '/files/cut', [ { body => 'x' x 1000, sends => 500 } ], TRIES,
      "$broken_off | " . RETRIES ],
    [ 'a body that stops in the middle'
      => '/impatient/stall',
      [ { body => 'x' x 1000, sends => 500, holds => 1 } ], TRIES,
      "$broken_off | " . RETRIES ],
    [ 'no answer'
      => '/impatient/silent', [ { after => 1 } ], TRIES,
      'origin | proxy_connect_timeout | proxy_read_timeout | ' . RETRIES ],
    [ 'nobody is there'
      => '/down/a', [], 0,
      'origin | connect() failed (111: Connection refused) | ' . RETRIES ],
    [ 'a location without proxy_cache'
      => '/plain/a', [ {} ], 1, 'location has no proxy_cache' ],
    [ 'proxy_no_cache'
      => '/never/a', [ {} ], TRIES, "$not_stored | " . RETRIES ],
    [ 'proxy_buffering off'
      => '/unbuffered/a', [ {} ], 1, $no_caching ],
    [ 'an answer that forbids it, where the location obeys'
      => '/obedient/a', [ { headers => [ 'Cache-Control' => 'no-store' ] } ],
      TRIES, "$not_stored | " . RETRIES ],
    [ 'an answer that switches buffering off, where the location obeys'
      => '/obedient/b', [ { headers => [ 'X-Accel-Buffering' => 'no' ] } ], 1,
      $no_caching ],
    [ 'an answer that is for some clients, where the location obeys'
      => '/obedient/d', [ { headers => [ Vary => 'Accept' ] } ], 1,
      'location | "proxy_ignore_headers Vary"' ],
    [ 'an answer that leads into an internal location'
      => '/obedient/c',
      [ { headers => [ 'X-Accel-Redirect' => '/internal/secret' ] } ], 1,
      $no_location ],
    [ 'a rewrite that leads into an internal location'
      => '/rewritten/a', [ {} ], 0, $no_location ],
    [ 'a location with a key that depends on the client'
      => '/keyed/a', [ {} ], 1,
      'location | proxy_cache_key | $dfpreheat_cache_key | '
      . 'dfpreheat_cache.conf' ],
    [ 'a location without an upstream'
      => '/static/a', [], 0, 'location | /upstream|proxy_pass/' ],
);

# URLs of an origin whose server has other locations, too.
my @strays = map { "/$_/a" } qw( forgotten denied internal );


sub state { $_[0]{result}{job_states}[0] }


sub url { my ($where) = $_[0] =~ m{^/(\w+)/}; return "http://$where.test$_[0]" }


warm_story 'what a job of a file fails for', {}, $locations, sub {
    my $warm = shift;

    # a copy that has grown old by the time when it is asked for

    $upstream->answers('/stale/a', { body => 'good' }, { status => 500 });
    is($warm->run('file', url => url('/stale/a'))->{state}, 'SUCCESS',
       'a copy is in the cache');
    my $copied = time;

    # they wait between their tries: all at once

    my @ids = map {
        my (undef, $path, $answers) = @$_;

        $upstream->answers($path, @$answers) if @$answers;
        $warm->post('file', url => url($path));
    } @failures;

    for my $i (0 .. $#failures) {
        my ($name, $path, undef, $requests, $reason) = @{ $failures[$i] };
        my $job = $warm->ended($ids[$i]);
        my $url = url($path);

        subtest $name => sub {
            is($job->{state}, 'FAILURE', 'the job has failed');
            like(failed($job)->[0]{description}, facts($reason),
                 'so has the URL');
            like(state($job)->{error},
                 facts("1 of 1 | failed | $url: | $reason"),
                 'and the first line tells why');
            is(scalar $upstream->requests($path), $requests,
               'the origin was asked as often as makes sense');
        };
    }

    is_deeply([ $upstream->requests('/internal/secret'),
                $upstream->requests('/internal/a') ], [],
              'nothing internal was asked for');

    for my $path (@strays) {
        my $job = $warm->run('file', url => "http://files.test$path");

        like(failed($job)->[0]{description}, facts($no_location),
             "$path of another location is refused");
        is(scalar $upstream->requests($path), 0, 'and not asked for');
    }

    my $job = $warm->run('file', url => 'http://elsewhere.test/a');
    like(failed($job)->[0]{description},
         facts('no location | http://elsewhere.test | dfpreheat_origin'),
         'an origin of nowhere');

    cmp_ok(time - $copied, '>', 1, 'the copy is old now');
    $job = $warm->run('file', url => url('/stale/a'));
    like(failed($job)->[0]{description},
         facts('origin answered 500 | ' . RETRIES),
         'it does not count as preheated');
    is(($warm->pull('/stale/a'))[1], 'STALE', 'which clients would get');
};


warm_story 'what passes is tried again', {}, $locations, sub {
    my $warm = shift;

    my %answers = (
        '/files/once-500'   => [ { status => 500 }, { body => 'good' } ],
        '/files/once-cut'   => [ { body => 'good', sends => 2 },
                                 { body => 'good' } ],
        '/files/thrice-502' => [ ({ status => 502 }) x 3, { body => 'good' } ],
        '/files/busy'       => [ { status => 429,
                                   headers => [ 'Retry-After' => 2 ] },
                                 { body => 'good' } ],
        '/second/a'         => [ { body => 'good' } ],
    );
    my %ids;

    for my $path (sort keys %answers) {
        $upstream->answers($path, @{ $answers{$path} });
        $ids{$path} = $warm->post('file', url => url($path));
    }

    for my $path (sort keys %answers) {
        my $job = $warm->ended($ids{$path});
        my $tries = $path eq '/second/a' ? 2 : @{ $answers{$path} };

        is($job->{state}, 'SUCCESS', "$path ends well");
        is(scalar $upstream->requests($path), $tries, "after $tries tries");
        $warm->hits('and is in the cache', $path);
    }
};


warm_story 'what a job of an image fails for', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'app');
    my $layer = $image->layer('a layer');
    my $good = $image->manifest($layer);

    # these end with their first answer: they once waited for their timeout

    my ($unknown, $other) = map { 'sha256:' . $_ x 64 } qw( a b );
    $image->tag($other, $good);

    for ([ none => 'origin answered 404', 'a tag that there is not' ],
         [ $unknown => 'origin answered 404', 'nor a digest' ],
         [ $other => 'manifest | digest', 'a manifest of another digest' ])
    {
        my ($reference, $reason, $name) = @$_;
        my $job = $warm->run('image', url => MANIFEST . $reference,
                             timeout => 5_000_000_000);

        like(state($job)->{error},
             facts('1 of 1 | ' . MANIFEST . "$reference: | $reason"), $name);
    }

    $image->tag('large', $image->manifest($layer, { %$layer, size => 9,
                digest => $image->layer('it is 24 bytes in truth!')->{digest}
    }));
    my $job = $warm->run('image', url => MANIFEST . 'large');
    is($job->{state}, 'FAILURE', 'a layer that is not as large as was said');
    like(failed($job)->[0]{description},
         facts('24 bytes | manifest | 9 | ' . RETRIES), 'it says so');

    my $gone = { %$layer, digest => 'sha256:' . 'c' x 64 };
    $image->tag('part', $image->manifest($layer, $gone));
    $job = $warm->run('image', url => MANIFEST . 'part');
    is($job->{state}, 'FAILURE', 'an image of which a layer is missing');
    is_deeply([ map { $_->{url} } @{ failed($job) } ],
              [ 'http://registry.test' . $image->path($gone) ],
              'it says which');
    is(scalar @{ state($job)->{results}[0]{success_tasks} }, 4,
       'the rest is in the cache');

    $upstream->answers('/v2/app/manifests/page', {
        headers => [ 'Content-Type' => 'text/html' ], body => '<html></html>',
    });
    $job = $warm->run('image', url => MANIFEST . 'page');
    is($job->{state}, 'FAILURE', 'what is no manifest at all');
    like(failed($job)->[0]{description},
         facts('Content-Type | "text/html" | manifest | ' . RETRIES),
         'it says so');
};


done_testing();
