# A redirect's target may want credentials, too: it gets a token that anybody would
# get, and nothing of what a job has for the origin.

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
use DFP::Results;
use DFP::Swarm qw( swarm_story );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    LOGIN    => 'Basic ' . encode_base64('alice:p-a-s-s', ''),
    TOKEN    => 'Bearer t-o-k-e-n',
    ANYBODY  => 'Bearer of-anybody',
};

# the registry with its token service, and those of whom it redirects to

my ($registry, $service, $target, $other, $foreign)
    = map { DFP::Upstream->start } 1 .. 5;
my ($service_url, $target_url, $other_url, $foreign_url)
    = map { 'http://127.0.0.1:' . $_->port }
          $service, $target, $other, $foreign;

my $followed = redirects($target_url, $other_url);

my $locations = location('/v2/', REGISTRY, $registry->port,
                         'proxy_cache files;', 'include cache.conf;',
                         'include follow.conf;')
                . calls($service_url, $foreign_url) . $followed;

my $secret = join '|', map { quotemeta } 'p-a-s-s', 't-o-k-e-n', 'k-e-y',
                       encode_base64('alice:p-a-s-s', '');


sub bearer
{
    my ($realm, $name) = @_;

    return { status => 401, headers => [ 'WWW-Authenticate' =>
        qq(Bearer realm="$realm/token",service="s",scope="repository:$name:pull")
    ] };
}


# Only with this Authorization; without one it is for everybody.

sub guarded
{
    my ($authorization, $refusal, %answer) = @_;

    return defined $authorization
           ? { %answer, wants => "Authorization: $authorization",
               refusal => $refusal }
           : \%answer;
}


# An image whose blobs the registry redirects to the target, which requires
# this Authorization, or answers so.

sub image
{
    my ($name, $registry_wants, $refusal) = @_;

    my $own = bearer($service_url, $name);
    $refusal //= bearer($foreign_url, $name);

    my $image = DFP::Image->new($registry, $name, sub {
        guarded($registry_wants, $own, @_) });
    my $manifest = $image->manifest($image->layer("one of $name"),
                                    $image->layer("two of $name"));

    $image->tag('1', $manifest);

    for my $path (grep { m{/blobs/} } $image->paths($manifest)) {
        $target->answers($path, guarded(ANYBODY, $refusal,
                                        body => $registry->body($path)));
        $registry->answers($path, guarded($registry_wants, $own, status => 307,
            headers => [ Location => "$target_url$path" ]));
    }

    $service->answers('/token', guarded(LOGIN, { status => 401 },
        body => encode_json({ token => 't-o-k-e-n' })));
    $foreign->answers('/token', { body => encode_json({
        token => 'of-anybody' }) });

    $_->forget_requests for $registry, $service, $target, $other, $foreign;

    return $image;
}


sub run
{
    my ($warm, $image, @job) = @_;

    return $warm->run('image', url => REGISTRY . $image->by_tag('1'), @job);
}


# What belongs to one is not shown to another.

sub kept_apart
{
    my $name = shift;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(scalar(grep { /$secret|alice/ } $target->requests, $other->requests,
                                       $foreign->requests), 0,
       "$name: whom it redirects to has seen nothing of the job");
    is(scalar(grep { /of-anybody/ } $registry->requests, $service->requests), 0,
       "$name: and the registry nothing of theirs");
}


my $dir = File::Temp->newdir('dfpreheat-test-XXXXXXXX', TMPDIR => 1);

{
    my $mask = umask 077;
    open my $file, '>', "$dir/config.json" or die "config.json: $!";
    umask $mask;
    print {$file} encode_json({ auths => { map {
        $_ => { auth => encode_base64('alice:p-a-s-s', '') } }
        'registry.test', map { m{//(.*)} } $target_url, $foreign_url } });
    close $file or die "config.json: $!";
}

warm_story 'a target that wants a token which anybody gets',
           { http => "dfpreheat_credentials $dir/config.json;\n" },
           $locations, sub
{
    my $warm = shift;

    $warm->scopes(qw( job origin-credentials ));

    my %headers = ('X-Api-Key' => 'k-e-y');
    my @login = (username => 'alice', password => 'p-a-s-s');
    my @cases = (
        [ 'a registry for everybody', undef, @login ],
        [ 'one with tokens', TOKEN, @login ],
        [ 'an Authorization of the job', TOKEN,
          headers => { %headers, Authorization => TOKEN } ],
        [ 'credentials of the configuration', TOKEN ],
        [ 'no credentials', undef, headers => \%headers ],
    );

    for my $case (@cases) {
        my ($name, $wants, @job) = @$case;
        my $image = image('app-' . ($name =~ tr/ A-Z/-a-z/r), $wants);

        my $job = run($warm, $image, @job);

        is($job->{state}, 'SUCCESS', "$name: the job ends well")
            or diag(reason($job));
        kept_apart($name);
        is(scalar $foreign->requests, 1, "$name: one token was fetched");
    }
};


warm_story 'a target that lets nobody in', {}, $locations, sub
{
    my $warm = shift;

    my @login = (username => 'alice', password => 'p-a-s-s');

    my $image = image('closed', undef, {
        status => 401, headers => [ 'WWW-Authenticate' => 'Basic realm="b"' ],
        body => '{"errors":[{"code":"UNAUTHORIZED","message":"go away"}]}' });
    my $job = run($warm, $image, @login);

    is($job->{state}, 'FAILURE', 'by a password: the job fails');
    like(reason($job), qr/\Q$target_url\E answered 401: UNAUTHORIZED: go away/,
         'and says who has refused');
    kept_apart('a password');

    $image = image('other', undef);
    $foreign->answers('/token', { body => encode_json({ token => 'bad' }) });
    $job = run($warm, $image, @login);

    is($job->{state}, 'FAILURE', 'by a token: the job fails');
    like(reason($job), qr/\Q$target_url\E answered 401/, 'and says who');
    kept_apart('a token');

    $image = image('unknown', undef, bearer('http://nobody.test', 'x'));
    $job = run($warm, $image, @login);
    like(reason($job), facts("$target_url | token service | http://nobody.test | no location"),
         'a token service that is not bound is named');
    kept_apart('a service that is not bound');

    $image = image('forbidden', undef, { status => 403 });
    like(reason(run($warm, $image, @login)),
         qr/\Q$target_url\E answered 403/, 'other refusals name it, too');
};


warm_story 'redirects to somebody else each time', {}, $locations, sub
{
    my $warm = shift;

    my $image = image('round', undef);
    my $blob = $image->path($image->layer('round and round'));

    $registry->answers($blob, map { +{ status => 307, headers => [
        Location => "$_$blob" ] } } ($target_url, $other_url) x 50);
    $_->answers($blob, bearer($foreign_url, 'x')) for $target, $other;

    my $job = $warm->run('file', url => REGISTRY . $blob,
                         username => 'alice', password => 'p-a-s-s');

    is($job->{state}, 'FAILURE', 'end');
    cmp_ok(scalar $registry->requests($blob), '<', 10,
           'and are not followed for ever');
    kept_apart('each');
};


warm_story 'an origin that is also whom another redirects to', {},
    location('/a/', REGISTRY, $registry->port, 'proxy_cache files;',
             'include cache.conf;', 'include follow.conf;')
    . location('/b/', $target_url, $target->port) . $locations, sub
{
    my $warm = shift;

    $_->forget_requests for $target, $foreign, $service;

    $target->answers('/b/own', guarded(LOGIN, { status => 401, headers => [
        'WWW-Authenticate' => 'Basic realm="b"' ] }, body => 'own'));
    $target->answers('/b/led', guarded(ANYBODY, bearer($foreign_url, 'x'),
                                       body => 'led'));
    $registry->answers('/a/moved', { status => 307, headers => [
        Location => "$target_url/b/led" ] });
    $foreign->answers('/token', { body => encode_json({
        token => 'of-anybody' }) });

    my $job = $warm->run('file', concurrent_task_count => 1,
                         urls => [ "$target_url/b/own",
                                   REGISTRY . '/a/moved' ],
                         username => 'alice', password => 'p-a-s-s');

    is($job->{state}, 'SUCCESS', 'gets the password as an origin')
        or diag(reason($job));
    is(scalar(grep { /$secret/ } $target->requests('/b/led'),
                                 $foreign->requests), 0,
       'and not when it was led to');
};


warm_story 'a target that redirects on', {}, $locations, sub
{
    my $warm = shift;

    my $image = image('on', undef);
    my $blob = $image->path($image->layer('further on'));

    $registry->answers($blob, { status => 307, headers => [
        Location => "$target_url$blob" ] });
    $target->answers($blob, guarded(ANYBODY, bearer($foreign_url, 'on'),
        status => 307, headers => [ Location => "$other_url$blob" ]));
    $other->answers($blob, { body => 'further on' });

    is($warm->run('file', url => REGISTRY . $blob)->{state}, 'SUCCESS',
       'gets its token');
    is(scalar(grep { /of-anybody/ } $other->requests), 0,
       'and the next one does not');
};


warm_story 'a location of two origins', {}, <<"END", sub
location \@dfpreheat_both {
    dfpreheat_origin $target_url $other_url;
    proxy_pass \$dfpreheat_target;
    proxy_cache files;
    include cache.conf;
    include follow.conf;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
}
location \@dfpreheat_redirect {
    dfpreheat_redirect $target_url $other_url;
    proxy_cache files;
    include cache.conf;
    include redirect.conf;
    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
}
END
{
    my $warm = shift;

    $_->forget_requests for $target, $other;
    $other->answers('/from', { status => 307, headers => [
        Location => "$target_url/to" ] });
    $target->answers('/to', { body => 'there' });

    my $job = $warm->run('file', url => "$other_url/from",
                         headers => { Authorization => TOKEN });

    is($job->{state}, 'SUCCESS', 'redirects from one to the other')
        or diag(reason($job));
    is(scalar(grep { /t-o-k-e-n/ } $other->requests), 1,
       'the one has seen the credentials');
    is(scalar(grep { /t-o-k-e-n/ } $target->requests), 0, 'the other has not');
};


swarm_story 'peers whom a redirect\'s target refuses', {
    peers => 1, locations =>
        location('/led/', 'http://led.test', $registry->port,
                 'proxy_cache off;', 'include cache.conf;',
                 'include follow.conf;')
        . calls($service_url, $foreign_url) . $followed }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($peer) = @{ $dragonfly->peers };

    $_->forget_requests for $target, $other, $foreign;
    $registry->answers('/led/a', { status => 307, headers => [
        Location => "$target_url/led/a" ] });
    $target->answers('/led/a', bearer($foreign_url, 'led'));
    $peer->script({ requires_header => { Authorization => 'another' } });

    my $job = $warm->run('file', url => 'http://led.test/led/a',
                         scope => 'all_peers', username => 'alice',
                         password => 'p-a-s-s');

    is($job->{state}, 'FAILURE', 'cannot be given a token for it');
    is(scalar $foreign->requests, 0, 'so none is fetched');
    kept_apart('a peer');
    is(scalar(grep { %{ $_->{request_header} // {} } } $peer->calls), 0,
       'nor the password');
};


warm_story 'a client', {}, $locations, sub
{
    my $warm = shift;

    my $image = image('client', undef);
    my $path = $image->path($image->layer('new'));

    $registry->answers($path, { status => 307, headers => [
        Location => "$target_url$path" ] });
    $target->answers($path, bearer($foreign_url, 'client'));

    my $answer = $warm->{http}->get("http://127.0.0.1:$warm->{port}$path", {
        headers => { Authorization => TOKEN } });

    is($answer->{status}, 401, 'is refused by whom it was led to');
    is($answer->{headers}{'www-authenticate'}, undef,
       'and not asked for a login by the registry\'s name');
    kept_apart('a client');
};

done_testing();
