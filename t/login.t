# What a job logs in with where a registry says little, or something else than it
# said before: challenges without a scope, identity tokens, logins that run out, and
# the words of a refusal.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::PP qw( encode_json );
use MIME::Base64 qw( encode_base64 );
use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY     => 'http://registry.test',
    FILES        => 'http://files.test',
    CALL_SECONDS => 10,     # for somebody to be asked
    GUID         => '00000000-0000-0000-0000-000000000000',
    REFRESH      => 'refresh.of-ACR_' . 'r' x 40 . '~!',
};

my $dir = File::Temp->newdir('dfpreheat-test-XXXXXXXX', TMPDIR => 1);
my $upstream = DFP::Upstream->start;
my $service = DFP::Upstream->start;
my $realm = 'http://127.0.0.1:' . $service->port . '/token';

my $locations = location('/v2/', REGISTRY, $upstream->port)
                . location('/files/', FILES, $upstream->port)
                . calls('http://127.0.0.1:' . $service->port);


# A story of jobs that may use this file. Each worker reads it for itself.

sub login_story
{
    my ($name, $auths, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    write_auths(%$auths);

    warm_story $name, { http => "dfpreheat_credentials $dir/config.json;\n",
                        workers => 1 }, $locations, sub {
        my $warm = shift;

        $_->forget_requests for $upstream, $service;
        $warm->scopes(qw( job origin-credentials ));
        $code->($warm);
    };
}


# docker's config.json, as another file, or with new bytes in the old one.

sub write_auths { write_config({ auths => { 'registry.test' => { @_ } } }) }

sub write_config
{
    my ($config, $in_place) = @_;

    my $mask = umask 077;
    open my $file, '>', "$dir/config.json" . ($in_place ? '' : '.new')
        or die "config.json: $!";
    umask $mask;

    print {$file} encode_json($config);
    close $file or die "config.json: $!";

    rename "$dir/config.json.new", "$dir/config.json" or die "config.json: $!"
        if !$in_place;
}


sub login { (auth => encode_base64(join(':', @_), '')) }

sub basic { 'Basic ' . encode_base64(join(':', @_), '') }


sub bearer { qq(Bearer realm="$realm",service="registry.test") }

sub token { { body => qq({"token":"$_[0]","expires_in":300}) } }


# An answer for who sends this Authorization; for who does not, a refusal.

sub guarded
{
    my ($authorization, $refusal, %answer) = @_;

    return { %answer, wants => "Authorization: $authorization",
             refusal => $refusal };
}

sub unauthorized
{
    my $challenge = shift;

    return { status => 401, headers => [ 'WWW-Authenticate' => $challenge ] };
}

my $forbidden = {
    status => 403, headers => [ 'Content-Type' => 'text/plain; charset=utf-8' ],
    body => 'Your authorization token has expired. Reauthenticate and try again.',
};


# An image of two layers: its path by tag, and all paths of what is in it.

sub image
{
    my ($name, $authorization, $challenge) = @_;

    my $image = DFP::Image->new($upstream, $name,
        sub { guarded($authorization, unauthorized($challenge), @_) });
    my $manifest = $image->manifest($image->layer("one of $name"),
                                    $image->layer("two of $name"));

    $image->tag('1', $manifest);

    return ($image->by_tag('1'), $image->paths($manifest));
}


# What is at these paths has another guard from now on.

sub guard
{
    my ($authorization, $refusal, @paths) = @_;

    $upstream->answers($_, guarded($authorization, $refusal,
                                   body => $upstream->body($_)))
        for @paths;
}


sub ends_well
{
    my ($job, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($job->{state}, 'SUCCESS', $name) or diag(reason($job));
}


# How the token service was asked: by a query, or by a form.

sub asked
{
    return map { m{^GET /token(\S*)} ? "GET $1" : 'POST ' . body($_) }
           $service->requests;
}

sub body { (split /\r\n\r\n/, $_[0], 2)[1] }


# The requests for a path with this Authorization.

sub sent
{
    my ($path, $authorization) = @_;

    return scalar grep { /^Authorization: \Q$authorization\E\r$/m }
                       $upstream->requests($path);
}


# Neither the job nor the log has it, nor a part of it.

sub is_hidden
{
    my ($warm, $job, $secret, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $part = substr $secret, 0, 12;

    unlike(encode_json($job), qr/\Q$part\E/, "$name: it is not in the job");
    is_deeply([ $warm->{servers}->logged(qr/\Q$part\E/) ], [],
              "$name: and not in the log");
}


warm_story 'a challenge without a scope', {}, $locations, sub {
    my $warm = shift;

    my @paths = image('team/alone', 'Bearer pull', bearer());

    $service->answers('/token', token('pull'));
    $_->forget_requests for $upstream, $service;

    my @scope = ('GET ?service=registry.test&scope=repository%3Ateam%2Falone'
                 . '%3Apull');

    ends_well($warm->run('image', url => REGISTRY . $paths[0]), 'an image');
    is_deeply([ asked() ], \@scope, 'a token is requested to pull that image');

    $service->forget_requests;
    ends_well($warm->run('file', url => REGISTRY . $paths[-1], refresh =>
                         JSON::PP::true), 'a file of the registry');
    is_deeply([ asked() ], \@scope, 'which needs the same token');

    $upstream->answers('/files/a', guarded('Bearer pull',
                                           unauthorized(bearer()), body => 'a'));
    $service->forget_requests;
    ends_well($warm->run('file', url => FILES . '/files/a'), 'any other file');
    is_deeply([ asked() ], [ 'GET ?service=registry.test' ],
              'is in no repository');
};


login_story 'a login that runs out while a job runs, and is answered by 403',
            { login('AWS', 'of yesterday') }, sub
{
    my $warm = shift;

    my $old = basic('AWS', 'of yesterday');
    my $new = basic('AWS', 'of today!!!!');
    my ($tag, @paths) = image('ecr', $new, 'Basic realm="ecr"');

    $upstream->answers($tag, guarded($old, unauthorized('Basic realm="ecr"'),
                                     body => $upstream->body($tag), after => 1));
    guard($new, $forbidden, @paths);

    my $id = $warm->post('image', url => REGISTRY . $tag);

    ok(wait_until(CALL_SECONDS, sub { sent($tag, $old) }),
       'the manifest is on its way');
    write_auths(login('AWS', 'of today!!!!'));

    ends_well($warm->ended($id), 'the job goes on with what is in the file now');
    is_deeply([ grep { sent($_, $new) != 1 } @paths ], [],
              'by which all else was requested once');
};


login_story 'a 403 that stays', { login('alice', 'secret of alice') }, sub {
    my $warm = shift;

    my $alice = basic('alice', 'secret of alice');
    my ($tag, @paths) = image('denied', $alice, 'Basic realm="x"');

    $upstream->answers($paths[-1], $forbidden);

    my $job = $warm->run('image', url => REGISTRY . $tag);

    is($job->{state}, 'FAILURE', 'is the end');
    is(reason($job), "the origin answered 403: $forbidden->{body}",
       'in the words of the registry');
    is(sent($paths[-1], $alice), 1,
       'the same login is not tried again, since it would be refused again');

    # a token may have been revoked, or have run out before its time

    ($tag, @paths) = image('denied-too', 'Bearer good', bearer());
    $upstream->answers($paths[-1], $forbidden);
    $upstream->answers($paths[-2], $forbidden);
    $service->answers('/token', token('good'));

    $job = $warm->run('image', url => REGISTRY . $tag);

    is($job->{state}, 'FAILURE', 'so it is for a token');
    like(reason($job), qr/403: Your authorization token has expired/,
         'which the registry calls expired');
    is(scalar asked(), 2, 'one more was fetched');
    ok(sent($paths[$_], 'Bearer good') <= 2, 'and tried once') for -1, -2;
};


login_story 'a token that is answered by 403, and was accepted before', {}, sub {
    my $warm = shift;

    my ($tag, @paths) = image('revoked', 'Bearer first', bearer());

    guard('Bearer second', $forbidden, @paths);
    $service->answers('/token', token('first'), token('second'));

    ends_well($warm->run('image', url => REGISTRY . $tag), 'is fetched anew');
    is(scalar asked(), 2, 'once for all that were refused');
};


login_story 'a file that is written in its place, twice in a second',
            { login('bob', 'one') }, sub
{
    my $warm = shift;

    my ($tag) = image('in-place', basic('bob', 'two'), 'Basic realm="x"');

    is($warm->run('image', url => REGISTRY . $tag)->{state}, 'FAILURE',
       'the first is wrong');

    write_config({ auths => { 'registry.test' => { login('bob', 'two') } } }, 1);

    my $job;

    ok(wait_until(CALL_SECONDS, sub {
        $job = $warm->run('image', url => REGISTRY . $tag);
        $job->{state} eq 'SUCCESS' }), 'the second is read')
        or diag(reason($job));
};


login_story 'a login that the token service refuses, while the file changes',
            { login('carol', 'of yesterday') }, sub
{
    my $warm = shift;

    my ($tag) = image('late', 'Bearer for-carol', bearer());
    my $new = basic('carol', 'of today!!!!');

    $service->answers('/token', { %{ guarded($new, { status => 403, after => 1 },
        %{ token('for-carol') }) } });

    my $id = $warm->post('image', url => REGISTRY . $tag);

    ok(wait_until(CALL_SECONDS, sub { asked() }), 'the service is asked');
    write_auths(login('carol', 'of today!!!!'));

    ends_well($warm->ended($id), 'is asked again with what is there now');
    is(scalar asked(), 2, 'once');
};


login_story 'an identity token, as ACR has docker keep it',
            { login(GUID, ''), identitytoken => REFRESH }, sub
{
    my $warm = shift;

    my ($tag) = image('acr/app', 'Bearer access',
                      bearer() . ',scope="repository:acr/app:pull"');

    $service->answers('POST /token', { body => '{"access_token":"access"}' });

    my $job = $warm->run('image', url => REGISTRY . $tag);

    ends_well($job, 'the job ends well');
    is_deeply([ asked() ],
              [ 'POST grant_type=refresh_token&service=registry.test&'
                . 'scope=repository%3Aacr%2Fapp%3Apull&client_id=dfpreheat&'
                . 'refresh_token=' . REFRESH =~ s/!/%21/r ],
              'it is exchanged for a token, once, by a form');

    my ($request) = $service->requests;
    like($request, qr{^POST /token HTTP/1\.1\r$}m, 'of which the query has nothing');
    like($request, qr{^Content-Type: application/x-www-form-urlencoded\r$}m,
         'which is called one');
    unlike($request, qr/^Authorization/m, 'and comes without a password');
    is_hidden($warm, $job, REFRESH, 'a refresh token');

    # an answer that repeats it

    $service->answers('POST /token', { status => 400, body =>
        encode_json({ error => 'invalid_grant: ' . REFRESH }) });
    ($tag) = image('acr/other', 'Bearer none', bearer());
    $job = $warm->run('image', url => REGISTRY . $tag);

    is($job->{state}, 'FAILURE', 'one that is refused is the end');
    like(reason($job), qr/token service answered 400: invalid_grant: \*{3}$/,
         'in the words of the service, without the token');
    is_hidden($warm, $job, REFRESH, 'a refused one');

    # nothing else will do where the registry wants a password

    ($tag) = image('acr/basic', 'Basic x', 'Basic realm="x"');
    $job = $warm->run('image', url => REGISTRY . $tag);
    like(reason($job), facts('origin answered 401 | identity token'),
         'a registry with passwords takes none');
};


login_story 'a token service that takes no POST',
            { login('dave', 'secret of dave'), identitytoken => REFRESH }, sub
{
    my $warm = shift;

    my @get = 'GET ?service=registry.test&scope=repository%3Aget%2F'
              . 'STATUS%3Apull&account=dave';

    for my $status (404, 405) {
        my ($tag) = image("get/$status", 'Bearer for-dave', bearer());

        $service->answers('POST /token', { status => $status });
        $service->answers('/token', guarded(basic('dave', 'secret of dave'),
            { status => 401 }, %{ token('for-dave') }));
        $service->forget_requests;

        ends_well($warm->run('image', url => REGISTRY . $tag),
                  "$status: is asked by GET, with the password");
        is_deeply([ map { s/^POST\K.*//r } asked() ],
                  [ 'POST', map { s/STATUS/$status/r } @get ],
                  "$status: after one try");
    }
};


login_story 'a token service that takes no POST, and no password to ask with',
            { identitytoken => REFRESH }, sub
{
    my $warm = shift;

    my ($tag) = image('get/none', 'Bearer for-dave', bearer());

    $service->answers('POST /token', { status => 405 });
    $service->answers('/token', token('for-dave'));

    my $job = $warm->run('image', url => REGISTRY . $tag);

    like(reason($job), qr/token service answered 405$/, 'is the end');
    is(scalar asked(), 1, 'after one try');
};


# Where the location of the service follows redirects.

{
    my $elsewhere = DFP::Upstream->start;

    write_auths(identitytoken => REFRESH);

    warm_story 'a token service that sends a form elsewhere',
        { http => "dfpreheat_credentials $dir/config.json;\n"
                  . "proxy_ssl_trusted_certificate /etc/ssl/certs/"
                  . "ca-certificates.crt;\n" },
        location('/v2/', REGISTRY, $upstream->port)
        . location('/token', 'http://127.0.0.1:' . $service->port,
                   $service->port, 'proxy_cache off;', 'include follow.conf;')
        . 'location @dfpreheat_redirect { include redirect.conf; '
        . 'dfpreheat_redirect http://127.0.0.1:' . $elsewhere->port . '; }', sub
    {
        my $warm = shift;

        my ($tag) = image('led', 'Bearer x', bearer());

        $warm->scopes(qw( job origin-credentials ));
        $service->answers('POST /token', { status => 307, headers => [
            Location => 'http://127.0.0.1:' . $elsewhere->port . '/token' ] });

        like(reason($warm->run('image', url => REGISTRY . $tag)),
             facts('GET | HEAD | /redirect/'), 'is not followed');
        is(scalar $elsewhere->requests, 0,
           'and nobody else gets to see the refresh token');
    };
}


login_story 'what a refusal says in plain text', { login('edward', 'hunter2!') },
            sub
{
    my $warm = shift;

    my @plain = ('Content-Type' => 'text/plain; charset=utf-8');
    my %says = (
        "denied by policy 7;\r\n\task \x1b[31madmin\x07\n"
            => [ 'denied by policy 7; ask [31madmin', @plain ],
        'no header says what it is' => [ 'no header says what it is' ],
        '<html><script>alert(1)</script></html>'
            => [ 'text/html', 'Content-Type' => 'text/html' ],
        "\n<!DOCTYPE html><title>no</title>" => [ 'text/html', @plain ],
        "\x1f\x8b\x08\x00\x00\x00" => [ '', @plain ],
        'a blob' => [ '', 'Content-Type' => 'application/octet-stream' ],
        'packed' => [ '', @plain, 'Content-Encoding' => 'gzip' ],
        'w' x 5000 => [ 'w' x 256, @plain ],
    );

    for my $body (sort keys %says) {
        my ($words, @headers) = @{ $says{$body} };

        $upstream->answers('/files/says', { status => 403, body => $body,
                                            headers => \@headers });
        is(reason($warm->run('file', url => FILES . '/files/says')),
           'the origin answered 403' . ($words eq '' ? '' : ": $words"),
           substr($body, 0, 40) =~ s/[^ -~]/./gr);
    }

    # what was sent does not come back, not even where it is cut

    my $token = join '', map { sprintf '%04d', $_ } 1 .. 1000;

    for my $before (0, 200, 3000) {
        $upstream->answers('/files/echo', { status => 403, headers => \@plain,
            body => ' ' x $before . "who is Bearer $token?" });

        my $job = $warm->run('file', url => FILES . '/files/echo',
                             headers => { Authorization => "Bearer $token" });

        like(reason($job), qr/origin answered 403: who is(?: \*\*\*\?)?$/,
             "a token after $before blanks is hidden");
        is_hidden($warm, $job, $token, "after $before blanks");
    }

    # nor what is in the file

    my ($tag, @paths) = image('echo', basic('edward', 'hunter2!'),
                              'Basic realm="x"');

    $upstream->answers($paths[-1], { status => 403, headers => \@plain,
        body => 'edward has sent hunter2!, which is wrong' });

    is(reason($warm->run('image', url => REGISTRY . $tag)),
       'the origin answered 403: *** has sent ***, which is wrong',
       'a login of the file is hidden');
};

done_testing();
