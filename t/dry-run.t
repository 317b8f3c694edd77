# "dry_run": true tells what a job would preheat, and what is there already. Nothing
# is warmed, and nobody but the token that has posted it can read it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep time );

use DFP::Facts;
use DFP::Image;
use DFP::Process qw( free_port wait_until );
use DFP::Servers;
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
my $number = 0;
my @named = (http => "dfpreheat_instance one address=192.0.2.1;\n");


# An image of a tag, "1", that no other story uses: the paths of its tag, its
# manifest, its config and its layers.

sub image
{
    my ($wrap) = @_;

    my $image = DFP::Image->new($upstream, 'app-' . ++$number, $wrap);
    my $manifest = $image->manifest($image->layer("one $number"),
                                    $image->layer("two $number"));

    $image->tag('1', $manifest);
    $upstream->forget_requests;

    return ($image->by_tag('1'), $image->paths($manifest));
}


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

    is($warm->run('image', url => $url)->{state}, 'SUCCESS',
       'a job warms what was missing');
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

done_testing();
