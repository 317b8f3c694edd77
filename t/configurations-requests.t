# Directives about requests beside the module: a job is a SUCCESS
# and clients get all from the cache, or it fails with the reason.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Client;
use DFP::Configurations;
use DFP::Results;

use constant {
    SECOND => 1_000_000_000,    # ns
};

my $port = upstream()->port;


# The body of a job of a file.

sub job
{
    my $path = shift;

    return '{"type":"preheat","args":{"type":"file",'
           . qq("url":"http://origin.test$path"}});
}


# Who else decides about requests: a job is no client of the location.

configuration 'auth_request',
    server => 'location = /auth { internal; return 204; }',
    lines => 'auth_request /auth; auth_request_set $who $upstream_http_who;';
configuration 'auth_request that refuses', pulls => '-', altered => 1,
    server => 'location = /auth { internal; return 401; }',
    lines => 'auth_request /auth;';
configuration 'deny all', pulls => '-', altered => 1, lines => 'deny all;';
configuration 'allow', server => 'allow 127.0.0.1; deny all;';
configuration 'limit_except', lines => 'limit_except GET { deny all; }';

# as many as clients pull afterwards

configuration 'limit_req', http => 'limit_req_zone $binary_remote_addr zone=r:64k'
    . ' rate=1r/m; limit_conn_zone $server_name zone=c:64k;',
    server => 'limit_req zone=r burst=6 nodelay; limit_conn c 1;';
configuration 'proxy_limit_rate', lines => 'proxy_limit_rate 100k;';
configuration 'real IP', server => 'set_real_ip_from 0.0.0.0/0;'
    . 'set_real_ip_from unix:; real_ip_header X-Forwarded-For;';
configuration 'mirror', lines => 'mirror /mirror;', server => <<"END";
    location = /mirror {
        internal;
        proxy_pass http://127.0.0.1:$port/mirrored;
    }
END

# Where requests are led

configuration 'try_files that finds nothing', lines => 'try_files /none =404;',
    fails => qr/answered 404/;
configuration 'try_files that leads to a location',
    locations => 'location / { dfpreheat_origin http://origin.test;'
                 . 'try_files /none @there; }'
                 . configuration_location('@there')
                   =~ s/dfpreheat_origin [^;]*;//r,
    fails => qr/location.* not bound/;
configuration 'error_page', server => 'location = /error { return 200 ok; }',
    lines => 'error_page 404 500 502 503 504 =200 /error;'
             . 'proxy_intercept_errors on; recursive_error_pages on;';
configuration 'error_page for who is not there',
    pass => 'http://127.0.0.1:1',
    server => 'location = /error { return 200 ok; }',
    lines => 'error_page 502 504 =200 /error;',
    fails => qr/origin.*connect\(\) failed/;
configuration 'error_page for what is not there',
    pass => "http://127.0.0.1:$port/none/",
    server => 'location = /error { return 200 ok; }',
    lines => 'error_page 404 =200 /error; proxy_intercept_errors on;',
    fails => qr/origin answered 404/;

configuration 'regex locations', locations =>
    configuration_location('~ ^/v2/(.+)/(blobs|manifests)/')
    . configuration_location('~* ^/FILES/');
configuration 'nested locations', locations =>
    configuration_location('/', lines =>
        configuration_location('/v2/', lines =>
            configuration_location('~ /blobs/')));
configuration 'a nested location that is not bound', locations =>
    configuration_location('/', lines => 'location ~ ^/(v2|files)/ {'
                                         . "proxy_pass http://127.0.0.1:$port; }"),
    fails => qr/location.* not bound/;

configuration 'a rewrite of the server', server =>
    'rewrite ^/(v2|files)/(.*)$ /there/$1/$2 last; set $seen $uri;'
    . 'if ($request_method = POST) { return 405; }', locations =>
    configuration_location('/there/', pass => "http://127.0.0.1:$port/");
configuration 'a rewrite of the location', locations =>
    configuration_location('/there/', pass => "http://127.0.0.1:$port/")
    . configuration_location('/',
                             lines => 'rewrite ^/(.*)$ /there/$1 last;');
configuration 'a rewrite that never ends', lines => 'rewrite ^ /a$uri last;',
    fails => qr/location answered 500/;

# the request of a client has a port

for my $where (qw( server lines )) {
    my $path = "/posted-$where";
    my %more = (server => '', lines => '');

    $more{$where} = 'post_action @post;';

    configuration "post_action of the $where", lines => $more{lines},
        server => $more{server} . "location /oapi/ { dfpreheat on; }"
        . "location \@post { rewrite ^ $path break;"
        . "proxy_pass http://127.0.0.1:$port;"
        . 'proxy_set_header X-Port "port $remote_port"; }', then => sub
    {
        my ($warm, @paths) = @_;

        my $client = DFP::Client->new(port => $warm->{port},
                                      token => $warm->{servers}->token);
        my $posted = $client->request('POST', '/oapi/v1/jobs',
                                      job($paths[-1]));
        is($warm->ended($posted->{json}{id})->{state}, 'SUCCESS',
           'a job is posted there, and ends well');

        upstream()->answers('/files/slow', { body => 'x' x 100, every => 1 });
        my $job = $warm->run('file', url => 'http://origin.test/files/slow',
                             timeout => SECOND);
        like(error($job), qr/timeout/, 'a job that is cut off ends');
        is($warm->run('file', url => "http://origin.test$paths[-1]")->{state},
           'SUCCESS', 'and the next one goes well');

        my @from = map { /^X-Port: port (\d*)/m } upstream()->requests($path);
        cmp_ok(scalar @from, '>=', @paths, 'what clients pull has it');
        is_deeply([ grep { !$_ } @from ], [], 'and no job');
    };
}

done_testing();
