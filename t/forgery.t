# Whoever may post a job chooses URLs, and registries choose where they lead:
# nobody gets anywhere that the operator has not opened.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Dns;
use DFP::Facts;
use DFP::Image;
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    METADATA => '169.254.169.254',
};

my $upstream = DFP::Upstream->start;
my $origin = 'http://127.0.0.1:' . $upstream->port;

my $dns = DFP::Dns->start(
    'loop.test'    => ['127.0.0.1'],
    'named.test'   => ['127.0.0.1'],
    'cloud.test'   => [METADATA],
    'inside.test'  => ['10.1.2.3', 'fd00::1'],
    'mapped.test'  => ['::ffff:127.0.0.1'],
    'nothing.test' => [],
);

my $resolver = 'resolver 127.0.0.1:' . $dns->port . ' valid=1s;'
               . 'resolver_timeout 2s;';


# A location that calls whom these words allow.

sub files_of
{
    return <<"END";
location \@files {
    dfpreheat_origin @_;
    proxy_cache files;
    include cache.conf;
    proxy_pass \$dfpreheat_target;
    proxy_ssl_name \$dfpreheat_host;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
}
END
}


warm_story 'any, but for special addresses', {}, $resolver . files_of('any'),
           sub
{
    my $warm = shift;

    my $port = $upstream->port;
    my %special = (
        "http://127.0.0.1:$port"          => '127.0.0.1 (loopback)',
        "http://127.9.9.9:$port"          => '127.9.9.9 (loopback)',
        'http://169.254.169.254'          => METADATA . ' (link-local)',
        'http://10.0.0.1'                 => '10.0.0.1 (private)',
        'http://192.168.1.1'              => '192.168.1.1 (private)',
        'http://100.64.0.1'               => '100.64.0.1 (',
        'http://0.0.0.0'                  => '0.0.0.0 (',
        "http://[::1]:$port"              => '::1 (loopback)',
        "http://[::ffff:127.0.0.1]:$port" => '::ffff:127.0.0.1 (loopback)',
        'http://[::ffff:169.254.169.254]'
            => '::ffff:169.254.169.254 (link-local)',
        'http://[64:ff9b::7f00:1]'        => '64:ff9b::7f00:1 (loopback)',
        'http://[2002:7f00:1::]'          => '2002:7f00:1:: (loopback)',
        'http://[fe80::1]'                => 'fe80::1 (link-local)',
        'http://[fd00::1]'                => 'fd00::1 (',
        "http://loop.test:$port"          => '127.0.0.1 (loopback)',
        'http://cloud.test'               => METADATA . ' (link-local)',
        'http://mapped.test'              => '::ffff:127.0.0.1 (loopback)',
        'https://cloud.test'              => METADATA . ' (link-local)',
    );

    for my $url (sort keys %special) {
        my $reason = reason($warm->run('file', url => "$url/a"));
        my ($host) = $url =~ m{//(\[.*\]|[^:]*)};

        like($reason, qr/^\Q$host\E has the address \[?\Q$special{$url}\E/, $url)
            or diag($reason);
    }

    like(reason($warm->run('file', url => 'http://inside.test/a')),
         facts('inside.test | /10\.1\.2\.3|fd00::1/'),
         'a name with several');
    is(scalar $upstream->requests, 0, 'nobody was asked');

    like(reason($warm->run('file', url => 'http://none.test/a')),
         facts('none.test | resolved | 3: Host not found'),
         'a name that there is not');
};


warm_story 'an origin that is named in full may be inside', {},
           $resolver . files_of("http://named.test:" . $upstream->port,
                                '.example.test'), sub
{
    my $warm = shift;

    my $url = 'http://named.test:' . $upstream->port . '/inside';
    $upstream->answers('/inside', { body => 'inside' });

    is($warm->run('file', url => $url)->{state}, 'SUCCESS', 'by its name');
    is($dns->questions('named.test'), 1, 'which is looked up once');

    my ($request) = $upstream->requests('/inside');
    like($request, qr/^Host: named\.test:\d+\r$/m, 'and told to it');

    like(reason($warm->run('file', url => 'http://named.test/inside')),
         facts('no location | http://named.test | dfpreheat_origin'),
         'another port is another origin');
    like(reason($warm->run('file', url => 'http://notexample.test/a')),
         facts('no location | http://notexample.test | dfpreheat_origin'),
         'half a name is no suffix');
    like(reason($warm->run('file', url => 'http://a.example.test/a')),
         facts('a.example.test | resolved'), 'a whole one is');
};


warm_story 'no resolver', {}, files_of('any'), sub
{
    my $warm = shift;

    like(reason($warm->run('file', url => 'http://named.test/a')),
         facts('resolver | named.test'), 'is told');
};


warm_story 'paths into other locations', {},
           location('/v2/', REGISTRY, $upstream->port) . <<"END", sub
location /v2/secret/ { internal; return 200 "secret"; }
location /v2/denied/ { deny all; root /; }
location /v2/oapi/ { dfpreheat on; }
location \@hidden { return 200 "secret"; }
END
{
    my $warm = shift;

    $upstream->forget_requests;

    for my $path (qw( /v2/secret/a /v2/denied/etc/passwd /v2/oapi/ /elsewhere
                      /v2//secret/a /@hidden ))
    {
        like(reason($warm->run('file', url => REGISTRY . $path)),
             facts('path | location | dfpreheat_origin'), $path);
    }

    is(scalar $upstream->requests, 0, 'nobody was asked');
};


warm_story 'where a registry leads to', {},
    $resolver
    . location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
               'include cache.conf;', 'include follow.conf;')
    . calls('any') . redirects('any'), sub
{
    my $warm = shift;

    for my $host (METADATA, '[::1]', 'cloud.test', '127.0.0.1') {
        $upstream->answers('/v2/a', { status => 302, headers => [
            Location => "http://$host/latest/meta-data" ] });

        like(reason($warm->run('file', url => REGISTRY . '/v2/a')),
             facts("$host | address"), "a redirect to $host");
        like(($warm->pull('/v2/a'))[0], qr/502 Bad Gateway/,
             'neither for clients');

        $upstream->answers('/v2/b', { status => 401, headers => [
            'WWW-Authenticate' => qq(Bearer realm="http://$host/token") ] });

        like(reason($warm->run('file', url => REGISTRY . '/v2/b',
                               username => 'u', password => 'p')),
             facts("http://$host: | /: \Q$host\E / | address"),
             "a token service at $host");
    }
};

done_testing();
