# Certificates: who is not who he says gets nothing, and the job tells why.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Certificates;
use DFP::Facts;
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant LOG_LINES => 1000;

my $ca = DFP::Certificates->new;
my $other_ca = DFP::Certificates->new;
my $upstream = DFP::Upstream->start;
my $good = tls_server($ca->issue('registry.test'));

# nginx looks for an address among the names: the subject's is the only one here
my $address = tls_server($ca->issue('127.0.0.1'));
my $good_url = 'https://127.0.0.1:' . $address->port;

# what is wrong, and what nginx, or OpenSSL, says of it

my %bad = (
    'another name' => [
        $ca->issue('other.test', '127.0.0.2'),
        qr/does not match "%s"/,
    ],
    'one that has expired' => [
        $ca->issue_expired('registry.test', '127.0.0.1'),
        qr/verify error: \(10:certificate has expired\)/,
    ],
    'one that nobody has signed' => [
        $ca->self_signed('registry.test', '127.0.0.1'),
        qr/verify error: \(18:self.signed certificate\)/,
    ],
    'one of an authority that nobody knows' => [
        $other_ca->issue('registry.test', '127.0.0.1'),
        qr/verify error: \(2[01]:unable to [^)]*\)/,
    ],
);

my @kinds = sort keys %bad;
my %server = map { $_ => tls_server($bad{$_}[0]) } @kinds;


sub tls_server
{
    my $pair = shift;

    return DFP::Certificates::Server->start($upstream->port, $pair);
}


sub port_of { $server{ $_[0] }->port }

sub url_of { 'https://127.0.0.1:' . port_of(@_) }


# What is told of a kind of certificate that should have been for this name.

sub trouble
{
    my ($kind, $name) = @_;

    my $from = qr/origin|token service|redirect's target \S+/;
    my $pattern = $bad{$kind}[1] =~ s/%s/$name/r;

    return qr/(?:$from) .*reached.* upstream SSL certificate $pattern/;
}


# A location for an origin that is behind TLS at a port, in which registry.test
# is asked for. nginx would keep sessions of such a server until it exits, and
# the sanitizers would call that a leak.

sub tls_location
{
    my ($path, $origin, $port, @lines) = @_;

    return <<"END";
location $path {
    dfpreheat_origin $origin;
    proxy_pass https://127.0.0.1:$port;
    proxy_ssl_name registry.test;
    proxy_ssl_server_name on;
    proxy_ssl_session_reuse off;
    proxy_cache files;
    include cache.conf;
    @lines
}
END
}


sub verified
{
    return 'proxy_ssl_verify on;', 'proxy_ssl_trusted_certificate '
                                   . $ca->file . ';', @_;
}


sub redirect_location
{
    my @redirects = @_;

    return <<"END";
location \@dfpreheat_redirect {
    dfpreheat_redirect @redirects;
    proxy_cache files;
    include cache.conf;
    include redirect.conf;
    proxy_ssl_trusted_certificate ${\ $ca->file };
}
END
}


sub calls_location
{
    my @origins = @_;

    return <<"END";
location \@dfpreheat_calls {
    dfpreheat_origin @origins;
    include calls.conf;
    proxy_ssl_trusted_certificate ${\ $ca->file };
}
END
}


# What an origin that wants a token says of where there is one.

sub challenge
{
    my $service = shift;

    return { status => 401, headers => [
        'WWW-Authenticate' => qq(Bearer realm="$service/token") ] };
}


warm_story 'a certificate that is right', {},
           tls_location('/', 'https://registry.test', $good->port, verified()),
           sub
{
    my $warm = shift;

    $upstream->answers('/right', { body => 'right' });
    my $job = $warm->run('file', url => 'https://registry.test/right');

    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(reason($job));
    is_deeply([ $good->names ], ['registry.test'],
              'the server was told who is meant');
    $warm->hits('clients get the file from the cache', '/right');
};


warm_story 'a certificate that is wrong', {},
           join('', map { tls_location("/$_/", "https://$_.test",
                                       port_of($kinds[$_]), verified()) }
                    0 .. $#kinds), sub
{
    my $warm = shift;

    $upstream->forget_requests;

    for my $n (0 .. $#kinds) {
        my $kind = $kinds[$n];
        my $server = $server{$kind};

        $upstream->answers("/$n/file", { body => 'secret' });
        my $before = $server->connections;
        my $job = $warm->run('file', url => "https://$n.test/$n/file");

        is($job->{state}, 'FAILURE', "$kind: the job fails");
        like(reason($job), qr/${\ trouble($kind, 'registry.test') }$/,
             "$kind: and says why");
        is($server->connections - $before, 1, "$kind: it was tried once");
        like(($warm->pull("/$n/file"))[0], qr/502 Bad Gateway/,
             "$kind: clients get no further");
    }

    is(scalar $upstream->requests, 0, 'nothing was asked of any of them');
};


warm_story 'a token service with a certificate that is wrong', {},
           location('/', 'http://registry.test', $upstream->port)
           . calls_location($good_url, map { url_of($_) } @kinds), sub
{
    my $warm = shift;

    $upstream->answers('/token', { body => '{"token":"t"}' });

    for my $kind (@kinds) {
        my $server = $server{$kind};
        my $before = $server->connections;

        $upstream->answers('/guarded', challenge(url_of($kind)));
        $upstream->forget_requests;
        my $job = $warm->run('file', url => 'http://registry.test/guarded',
                             username => 'alice', password => 'secret');

        is($job->{state}, 'FAILURE', "$kind: the job fails");
        like(reason($job), qr/^\Q${\ url_of($kind) }\E:.*
                              ${\ trouble($kind, '127\.0\.0\.1') }$/x,
             "$kind: and says who it was, and why");
        is($server->connections - $before, 1, "$kind: it was tried once");
        is(scalar $upstream->requests('/token'), 0,
           "$kind: and has not seen the password");
    }

    $upstream->answers('/guarded', { %{ challenge($good_url) }, body => '' },
                       { body => 'guarded' });
    is($warm->run('file', url => 'http://registry.test/guarded')->{state},
       'SUCCESS', 'one that is right is asked');
};


warm_story 'a redirect to who has a certificate that is wrong', {},
           location('/', 'http://registry.test', $upstream->port,
                    'proxy_cache files;', 'include cache.conf;',
                    'include follow.conf;')
           . redirect_location($good_url, map { url_of($_) } @kinds), sub
{
    my $warm = shift;

    $upstream->answers('/elsewhere', { body => 'elsewhere' });

    for my $kind (@kinds) {
        my $server = $server{$kind};
        my $before = $server->connections;

        $upstream->answers('/moved', { status => 307, headers => [
            Location => url_of($kind) . '/elsewhere' ] });
        my $job = $warm->run('file', url => 'http://registry.test/moved');

        is($job->{state}, 'FAILURE', "$kind: the job fails");
        like(reason($job), qr/${\ trouble($kind, '127\.0\.0\.1') }$/,
             "$kind: and says why");
        is($server->connections - $before, 1, "$kind: it was tried once");
    }

    $upstream->answers('/moved', { status => 307, headers => [
        Location => "$good_url/elsewhere" ] });
    is($warm->run('file', url => 'http://registry.test/moved')->{state},
       'SUCCESS', 'one that is right is followed');
    is(($warm->pull('/moved'))[0], 'elsewhere', 'and clients get it');
};


warm_story 'from TLS to where there is none', {},
           tls_location('/', 'https://registry.test', $good->port,
                        verified('include follow.conf;'))
           . calls_location('http://127.0.0.1:' . $upstream->port)
           . redirect_location('http://127.0.0.1:' . $upstream->port), sub
{
    my $warm = shift;

    my $plain = 'http://127.0.0.1:' . $upstream->port;
    $upstream->forget_requests;
    my @job = ('file', url => 'https://registry.test/down');

    $upstream->answers('/plain', { body => 'plain' });
    $upstream->answers('/token', { body => '{"token":"t"}' });
    $upstream->answers('/down', { status => 302,
                                  headers => [ Location => "$plain/plain" ] });
    like(reason($warm->run(@job)), facts("redirect | $plain | TLS"),
         'a redirect is not followed');

    $upstream->answers('/down', challenge($plain));
    like(reason($warm->run(@job)),
         facts("token service | TLS | $plain"),
         'no token is asked for');
    is(scalar $upstream->requests('/plain') + $upstream->requests('/token'), 0,
       'nobody was asked');
};


warm_story 'dfpreheat_insecure_skip_verify',
           { http => "dfpreheat_insecure_skip_verify on;\n" },
           join('', map { tls_location("/$_/", "https://$_.test",
                                       port_of($kinds[$_])) } 0 .. $#kinds),
           sub
{
    my $warm = shift;

    for my $n (0 .. $#kinds) {
        $upstream->answers("/$n/file", { body => 'whatever' });
        my $job = $warm->run('file', url => "https://$n.test/$n/file");

        is($job->{state}, 'SUCCESS', "$kinds[$n] does") or diag(reason($job));
        $warm->hits("$kinds[$n]: clients get it from the cache", "/$n/file");
    }

    my @warnings = grep { /dfpreheat_insecure_skip_verify is on/ }
                   $warm->{servers}->log_tail(LOG_LINES);

    is(scalar @warnings, 1, 'a line is logged when nginx starts');
    like($warnings[0], facts('[warn] | certificates | credentials'),
         'which says what that means');
};

done_testing();
