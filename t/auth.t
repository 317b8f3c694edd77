# Registries that want to know who asks: what jobs log in with, and where.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Results;
use DFP::Upstream qw( guarded );
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
};

my $upstream = DFP::Upstream->start;
my $service = DFP::Upstream->start;
my $realm = 'http://127.0.0.1:' . $service->port . '/token';

my $locations = location('/v2/', REGISTRY, $upstream->port)
                . location('/files/', FILES, $upstream->port)
                . calls('http://127.0.0.1:' . $service->port);


# A challenge.

sub bearer
{
    my $repository = shift;

    return qq(Bearer realm="$realm",service="registry.test",)
           . qq(scope="repository:$repository:pull");
}

# An image of two layers in a repository of that name; all of its paths.

sub private_image
{
    my ($name, $authorization, $challenge) = @_;

    my $image = DFP::Image->new($upstream, $name,
        sub { guarded($authorization, $challenge, @_) });
    my $manifest = $image->manifest($image->layer("one of $name"),
                                    $image->layer("two of $name"));

    $image->tag('1', $manifest);

    return ($image->by_tag('1'), $image->paths($manifest));
}


sub token { { body => qq({"token":"$_[0]","expires_in":$_[1]}) } }


# How often, and how, the token service was asked.

sub asked
{
    return map { [ m{^GET /token(\S*)}, /^Authorization: (.*)\r$/m ] }
           $service->requests;
}


warm_story 'a token for everybody', {}, $locations, sub {
    my $warm = shift;

    my @paths = private_image('open', 'Bearer anonymous', bearer('open'));
    $service->answers('/token', token('anonymous', 300));
    $service->forget_requests;

    my $job = $warm->run('image', url => REGISTRY . $paths[0]);

    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(reason($job));
    is_deeply([asked()],
              [ [ '?service=registry.test&scope=repository%3Aopen%3Apull' ] ],
              'one token is fetched anonymously, for all calls');
};


warm_story 'a token for who has a password', {}, $locations, sub {
    my $warm = shift;

    my @paths = private_image('team/app', 'Bearer for-alice',
                              bearer('team/app'));
    $service->answers('/token', guarded('Basic YWxpY2U6cEA6dw==', 'Basic x',
                                        body => '{"access_token":"for-alice"}'));
    $service->forget_requests;

    my $job = $warm->run('image', url => REGISTRY . $paths[0],
                         username => 'alice', password => 'p@:w');

    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(reason($job));
    is_deeply([asked()], [ [ '?service=registry.test&scope=repository%3A'
                             . 'team%2Fapp%3Apull&account=alice',
                             'Basic YWxpY2U6cEA6dw==' ] ],
              'the service sees the password, once');
    is(scalar(grep { /^Authorization: Basic/m } $upstream->requests), 0,
       'the registry never does');

    $job = $warm->run('image', url => REGISTRY . $paths[0],
                      username => 'alice', password => 'wrong');

    is($job->{state}, 'FAILURE', 'a wrong one does not do');
    like(reason($job), qr{^http://127\.0\.0\.1:\d+:\ the\ token\ service
                          \ answered\ 401:\ UNAUTHORIZED:\ authentication
                          \ required$}x,
         'and the job tells who said so');
};


warm_story 'tokens that run out', {}, $locations, sub {
    my $warm = shift;

    my @paths = private_image('short', 'Bearer second', bearer('short'));

    # 2 seconds, of which a quarter is for the way

    $upstream->answers($paths[0], guarded('Bearer first', bearer('short'),
        after => 2, body => $upstream->body($paths[0])));
    $service->answers('/token', token('first', 2), token('second', 300));
    $service->forget_requests;

    my $job = $warm->run('image', url => REGISTRY . $paths[0]);

    is($job->{state}, 'SUCCESS', 'are renewed while the job runs')
        or diag(reason($job));
    is(scalar asked(), 2, 'in time');
    is(scalar(grep { /^Authorization: Bearer first/m }
              map { $upstream->requests($_) } @paths[1 .. $#paths]), 0,
       'not when they are refused');
};


warm_story 'tokens that are refused too early', {}, $locations, sub {
    my $warm = shift;

    my @paths = private_image('revoked', 'Bearer second', bearer('revoked'));

    $upstream->answers($paths[0], guarded('Bearer first', bearer('revoked'),
        body => $upstream->body($paths[0])));
    $service->answers('/token', token('first', 300), token('second', 300));
    $service->forget_requests;

    my $job = $warm->run('image', url => REGISTRY . $paths[0]);

    is($job->{state}, 'SUCCESS', 'are fetched anew') or diag(reason($job));
    is(scalar asked(), 2, 'once for all who were refused');
};


warm_story 'a token that is never good', {}, $locations, sub {
    my $warm = shift;

    my @paths = private_image('never', 'Bearer unknown', bearer('never'));
    $service->answers('/token', token('useless', 300));
    $service->forget_requests;

    my $job = $warm->run('image', url => REGISTRY . $paths[0]);

    is($job->{state}, 'FAILURE', 'is the end');
    is(reason($job), 'the origin answered 401: UNAUTHORIZED: authentication '
                     . 'required', 'in the words of the registry');
    is(scalar asked(), 1, 'and no reason to fetch another');
};


warm_story 'Basic', {}, $locations, sub {
    my $warm = shift;

    my $basic = 'Basic Ym9iOnNlY3JldA==';
    my @paths = private_image('basic', $basic, 'basic realm="registry, of us"');

    my $job = $warm->run('image', url => REGISTRY . $paths[0],
                         username => 'bob', password => 'secret');
    is($job->{state}, 'SUCCESS', 'of an image') or diag(reason($job));

    $upstream->answers('/files/basic', guarded($basic, 'Basic realm="x"',
                                               body => 'a file'));
    $job = $warm->run('file', url => FILES . '/files/basic',
                      username => 'bob', password => 'secret');
    is($job->{state}, 'SUCCESS', 'of a file') or diag(reason($job));

    $upstream->answers('/files/other', guarded($basic, 'Basic realm="x"',
                                               body => 'a file'));
    $job = $warm->run('file', url => FILES . '/files/other');
    is(reason($job), 'the origin answered 401: UNAUTHORIZED: authentication '
                     . 'required', 'without a password there is no answer');

    $job = $warm->run('file', url => FILES . '/files/other',
                      username => 'bob', password => 'wrong');
    is(reason($job), 'the origin answered 401: UNAUTHORIZED: authentication '
                     . 'required', 'with a wrong one there is none, either');
};


warm_story 'a job that brings its own Authorization', {}, $locations, sub {
    my $warm = shift;

    my @paths = private_image('harbor', 'Bearer ready', bearer('harbor'));
    my %own = (headers => { authorization => 'Bearer ready' });

    $service->answers('/token', token('other', 300));
    $service->forget_requests;

    my $job = $warm->run('image', url => REGISTRY . $paths[0], %own);

    is($job->{state}, 'SUCCESS', 'needs no other') or diag(reason($job));
    is(scalar asked(), 0, 'and none is fetched');

    # it runs out when the manifest has been read

    @paths = private_image('expired', 'Bearer other', bearer('expired'));
    $upstream->answers($paths[0], guarded('Bearer ready', bearer('expired'),
        body => $upstream->body($paths[0])));

    $job = $warm->run('image', url => REGISTRY . $paths[0], %own);

    is($job->{state}, 'FAILURE', 'one that runs out cannot be renewed');
    my $second = qr/2\d{3}-\S+Z/;
    like(reason($job), qr/\bjob\b.* $second .*$second.*\b(?:renew|expired)/,
         'and the job says so, with the times');

    $job = $warm->run('image', url => REGISTRY . $paths[0], %own,
                      username => 'carol', password => 'secret');
    is($job->{state}, 'SUCCESS', 'but by a password that came with it')
        or diag(reason($job));
};


warm_story 'what a registry may ask', {}, $locations, sub {
    my $warm = shift;

    my %asks = (
        'nothing that makes sense' => [ 'Bearer realm=', 'Bearer' ],
        'Negotiate' => [ 'Negotiate', 'Negotiate' ],
        'to log in elsewhere' => [ 'Bearer realm="http://elsewhere.test/token"',
            'token service | http://elsewhere.test | dfpreheat_origin' ],
    );

    for my $name (sort keys %asks) {
        my ($challenge, $reason) = @{ $asks{$name} };

        $upstream->answers('/files/asks', guarded('x', $challenge));
        my $job = $warm->run('file', url => FILES . '/files/asks',
                             username => 'u', password => 'p');
        like(reason($job), facts('origin | 401: UNAUTHORIZED: authentication '
                                 . "required | $reason"), $name);
    }

    # two headers, of which the first is of no use

    my @paths = private_image('two', 'Bearer two', 'Negotiate, Digest a=b');
    $upstream->answers($_, {
        wants => 'Authorization: Bearer two', body => $upstream->body($_),
        refusal => { status => 401, headers => [
            'WWW-Authenticate' => 'Negotiate, Digest realm="a, b", qop="auth"',
            'www-authenticate' => bearer('two') ] } }) for @paths;
    $service->answers('/token', token('two', 300));

    is($warm->run('image', url => REGISTRY . $paths[0])->{state}, 'SUCCESS',
       'one of several things');
};


warm_story 'a token service in trouble', {}, $locations, sub {
    my $warm = shift;

    my @paths = private_image('busy', 'Bearer late', bearer('busy'));
    $service->answers('/token', { status => 503 },
                      { status => 429, headers => [ 'Retry-After' => 1 ] },
                      token('late', 300));
    $service->forget_requests;

    my $job = $warm->run('image', url => REGISTRY . $paths[0]);

    is($job->{state}, 'SUCCESS', 'is asked again') or diag(reason($job));
    is(scalar asked(), 3, 'after a while');

    for my $case ([ '{}', 'has no token' ], [ 'token', 'is no JSON' ],
                  [ '{"token":"a b"}', 'has a token with blanks' ])
    {
        $service->answers('/token', { body => $case->[0] });
        @paths = private_image('odd', 'Bearer odd', bearer('odd'));
        $job = $warm->run('image', url => REGISTRY . $paths[0]);
        like(reason($job), facts('http://127.0.0.1 | token service'),
             "an answer that $case->[1] is none");
    }

    $service->answers('/token', { status => 403, body =>
        '{"details":"incorrect username or password"}' });
    $job = $warm->run('image', url => REGISTRY . $paths[0]);
    like(reason($job), facts('token service answered 403: incorrect username'),
         'its own words are told');
};

done_testing();
