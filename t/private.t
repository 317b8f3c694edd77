# Private images behind a shared cache: who may not have one does not get it from
# there, either.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find;
use File::Temp qw( tempdir );
use Test::More;

use DFP::Image;
use DFP::Upstream;
use DFP::Warm;

use constant REGISTRY => 'http://registry.test';

my $upstream = DFP::Upstream->start;
my $port = $upstream->port;

my $access = tempdir('dfpreheat-access-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my %http = (http => "proxy_cache_path $access keys_zone=access:1m "
                    . 'inactive=1m;');

my $locations = <<"END" . location('/v2/', REGISTRY, $port,
location = /v2/ {
    proxy_pass http://127.0.0.1:$port;
}

location = /dfpreheat-access {
    internal;
    proxy_pass http://127.0.0.1:$port;
    proxy_cache access;
    include private.conf;
}

location \@dfpreheat_allowed { return 204; }
END
    'set $dfpreheat_asked $uri;', 'auth_request /dfpreheat-access;',
    'proxy_cache files;', 'include cache.conf;');


# What only this Authorization gets, as the registry has it.

sub guarded
{
    my ($authorization, %answer) = @_;

    return { %answer, wants => "Authorization: $authorization",
             refusal => { status => 401, headers => [
                 'WWW-Authenticate' => 'Bearer realm="http://auth.test/",'
                                       . 'scope="repository:team/app:pull"' ],
                 body => 'no' } };
}


# A warm image of a repository, its paths, and how a client may get one of them.

sub warmed
{
    my ($warm, $name, $authorization) = @_;

    my $image = DFP::Image->new($upstream, $name,
                                sub { guarded($authorization, @_) });
    my $manifest = $image->manifest($image->layer("one of $name"));

    $image->tag('1', $manifest);

    my $job = $warm->run('image', url => REGISTRY . $image->by_tag('1'),
                         headers => { Authorization => $authorization });
    is($job->{state}, 'SUCCESS', "$name is warmed");
    $upstream->forget_requests;

    return ($image->by_tag('1'), $image->paths($manifest));
}


sub pulled
{
    my ($warm, $path, $authorization) = @_;

    my $answer = $warm->{http}->get("http://127.0.0.1:$warm->{port}$path", {
        headers => { defined $authorization
                     ? (Authorization => $authorization) : () } });

    return "$answer->{status} " . ($answer->{headers}{'x-cache'} // '-');
}


warm_story 'a private image that is in the cache', \%http, $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'team/app', 'Bearer right');

    is_deeply([ map { pulled($warm, $_) } @paths ],
              [ ('401 -') x @paths ], 'is for nobody in particular');
    is_deeply([ map { pulled($warm, $_, 'Bearer wrong') } @paths ],
              [ ('401 -') x @paths ], 'not for another');
    is_deeply([ map { pulled($warm, $_, 'Bearer right') } @paths ],
              [ ('200 HIT') x @paths ], 'but for who has the right');
    is_deeply([ map { pulled($warm, $_) } @paths ],
              [ ('401 -') x @paths ], 'and for nobody else then');

    my @asked = grep { /^HEAD/ && /^Authorization: Bearer right\r$/m }
                     $upstream->requests;

    is(scalar @asked, 1, 'the registry was asked once for the repository');
    is(scalar(grep { /^GET/ } $upstream->requests), 0,
       'and for no bytes');

    my $answer = $warm->{http}->get(
        "http://127.0.0.1:$warm->{port}$paths[0]");
    is($answer->{headers}{'www-authenticate'},
       'Bearer realm="http://auth.test/",scope="repository:team/app:pull"',
       'who is turned away learns how to log in');
};


warm_story 'another repository is another question', \%http, $locations, sub
{
    my $warm = shift;

    my @mine = warmed($warm, 'mine', 'Bearer mine');
    my @yours = warmed($warm, 'yours', 'Bearer yours');

    is(pulled($warm, $mine[0], 'Bearer mine'), '200 HIT', 'mine is mine');
    is(pulled($warm, $yours[0], 'Bearer mine'), '401 -', 'yours is not');
    is(pulled($warm, $yours[1], 'Bearer yours'), '200 HIT', 'but yours');
};


warm_story 'what is not in the registry any more', \%http, $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'gone', 'Bearer right');

    $upstream->answers($_, { status => 404 }) for @paths;
    is(pulled($warm, $paths[0], 'Bearer right'), '200 HIT',
       'is no reason to refuse');

    $upstream->answers('/v2/gone/blobs/elsewhere', { status => 307, headers => [
        Location => 'http://cdn.test/' ] });
    is(pulled($warm, '/v2/gone/blobs/elsewhere', 'Bearer right'), '307 MISS',
       'nor is what is elsewhere');
};


warm_story 'logging in', \%http, $locations, sub
{
    my $warm = shift;

    $upstream->answers('/v2/', guarded('Bearer right', body => '{}'));
    $upstream->forget_requests;

    is(pulled($warm, '/v2/'), '401 -', 'is asked of the registry');
    is(pulled($warm, '/v2/', 'Bearer right'), '200 -', 'with what one has');
    is(pulled($warm, '/v2/'), '401 -', 'each time');
    is(scalar $upstream->requests, 3, 'and not of a cache');
};


warm_story 'credentials on disk', \%http, $locations, sub
{
    my $warm = shift;

    my @paths = warmed($warm, 'disk', 'Bearer right-and-secret');
    my $found = '';

    pulled($warm, $_, 'Bearer right-and-secret') for @paths;

    find(sub {
        return if !-f;
        open my $file, '<:raw', $_ or return;
        local $/;
        $found .= "$File::Find::name\n" if <$file> =~ /right-and-secret/;
    }, $access, map { "$warm->{servers}{dir}/$_" } qw( cache temp ));

    is($found, '', 'there are none');
};

done_testing();
