# Directives about upstreams, processes and connections beside the module: a job is
# a SUCCESS and clients get all from the cache, or it fails with the reason.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use Test::More;

use DFP::Certificates;
use DFP::Configurations;
use DFP::Process qw( free_port wait_until );
use DFP::Results;
use DFP::Upgrade;

use constant {
    SOON    => 10,      # s
    SECOND  => 1_000_000_000,   # ns
    CLIENTS => 12,      # that say nothing
    MANY    => 24,
    AGES    => 0.2,     # s until an upstream answers
};

my $port = upstream()->port;


# The body of a job of a file.

sub job
{
    my $path = shift;

    return '{"type":"preheat","args":{"type":"file",'
           . qq("url":"http://origin.test$path"}});
}


# Upstreams

my $registry = 'server 127.0.0.1:' . $port;
my $middle = free_port();

configuration 'an upstream with keepalive and a zone', pass => 'http://reg',
    http => <<"END";
    upstream reg { zone reg 64k; server 127.0.0.1:$middle; keepalive 4; }
    server {
        listen 127.0.0.1:$middle;
        location / { proxy_pass http://127.0.0.1:$port; }
    }
END
configuration 'an upstream with a backup', pass => 'http://reg',
    http => "upstream reg { server 127.0.0.1:1; $registry backup; }";
configuration 'an upstream that is down', pass => 'http://reg',
    http => 'upstream reg { server 127.0.0.1:1 max_fails=1; '
            . 'server 127.0.0.1:2 max_fails=1; }',
    fails => qr/origin.*(?:connect\(\) failed|no live)/;

# more is under way at once than it takes

for ('', 'zone reg 64k; ') {
    my $zone = $_;
    my @paths = map { "/files/slow-$_" } 1 .. MANY / 2;

    configuration "max_conns of an upstream $zone", pass => 'http://reg',
        http => "upstream reg { $zone$registry max_conns=1; }", then => sub
    {
        my ($warm, @others) = @_;

        upstream()->answers($_, { body => $_, after => AGES }) for @paths;

        my $job = $warm->run('file',
                             urls => [ map { "http://origin.test$_" } @paths ]);
        is($job->{state}, 'SUCCESS', 'a job waits for its turns')
            or diag(error($job));
        $warm->hits('and clients hit', @paths);

        upstream()->answers('/files/long', { body => 'x' x 100, every => 1 });
        $warm->post('file', url => 'http://origin.test/files/long',
                    timeout => 3 * SECOND);
        wait_until(SOON, sub { upstream()->requests('/files/long') });
        $job = $warm->run('file', url => 'http://origin.test/files/long-2',
                          timeout => SECOND);
        like(error($job), qr/timeout.*max_conns/, 'one that has none says why');
    };
}

# Few connections and files

# the clients say nothing, and no other can ask how the job does

configuration '24 connections', connections => MANY, layers => MANY,
    files => MANY, logs => qr/24 worker_connections are not enough/, then => sub
{
    my ($warm, @others) = @_;

    my @paths = map { "/files/starved-$_" } 1 .. MANY;

    upstream()->answers($_, { body => $_, after => 0.1 }) for @paths;

    my $id = $warm->post('file', urls => [ map { "http://origin.test$_" }
                                               @paths ]);
    my @clients = map {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                           PeerPort => $warm->{port});
        syswrite $socket, 'GET /';
        $socket } 1 .. CLIENTS;

    ok(wait_until(SOON, sub {
           $warm->{servers}->stored_state($id) ne 'PENDING' }),
       'a job ends while clients have most of them');
    close $_ for @clients;

    my $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'well') or diag(error($job));
    $warm->another_client;
    $warm->hits('and clients hit', @paths);
};
configuration 'worker_rlimit_nofile 60', main => 'worker_rlimit_nofile 60;',
    layers => MANY, files => MANY, args => { concurrent_task_count => 100 },
    logs => qr/Too many open files/;

# Processes

configuration 'master_process off', workers => 0;
configuration 'an upgrade of the binary', daemon => 1,
    main => kept_variables(), then => sub
{
    my ($warm, @paths) = @_;

    my $servers = $warm->{servers};
    my $new = upgrade($servers);

    $servers->nginx_signal('QUIT');
    ok(replaced($servers, $new), 'the old one leaves');
    $warm->another_client;
    $warm->hits('clients of the new one hit', @paths);
    is($warm->run('file', url => "http://origin.test$paths[-1]")->{state},
       'SUCCESS', 'and jobs go well');
};

# Connections of clients

my $h2 = free_port();
my $ca = DFP::Certificates->new;
my $pair = $ca->issue('localhost');


# The output of a curl that speaks HTTP/2, over one connection.

sub curl
{
    my @args = @_;

    open my $out, '-|', 'curl', '-s', '--http2', '--cacert', $ca->file, @args
        or die "curl: $!";
    local $/;

    return <$out> // '';
}


configuration 'HTTP/2', server => "listen 127.0.0.1:$h2 ssl http2;"
    . "ssl_certificate $pair->{certificate}; ssl_certificate_key $pair->{key};"
    . 'location /oapi/ { dfpreheat on; }', then => sub
{
    my ($warm, @paths) = @_;

    my $base = "https://localhost:$h2";
    my $token = $warm->{servers}->token;

    is(curl('-w', '%{http_version} %header{x-cache}.',
            map { ('-o', '/dev/null', $base . $_) } @paths),
       '2 HIT.' x @paths, 'clients hit');

    my $answer = curl('-H', "Authorization: Bearer $token", '-d',
                      job($paths[-1]), "$base/oapi/v1/jobs");
    my ($id) = $answer =~ /^\{"id":(\d+)/ or diag($answer);
    is($warm->ended($id)->{state}, 'SUCCESS', 'and jobs are posted');
};

configuration 'pipelining', server => 'location /oapi/ { dfpreheat on; }',
    then => sub
{
    my ($warm, @paths) = @_;

    my $token = $warm->{servers}->token;
    my $job = job('/files/piped');
    my $length = length $job;
    my $post = "POST /oapi/v1/jobs HTTP/1.1\r\nHost: a\r\n"
               . "Authorization: Bearer $token\r\nContent-Length: $length\r\n"
               . "\r\n$job";
    upstream()->answers('/files/piped', { body => 'piped' });

    my @gets = map { "GET $_ HTTP/1.1\r\nHost: a\r\n\r\n" } @paths;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $warm->{port})
        or die "no connection: $!";

    syswrite $socket, join '', (map { $post, $_ } @gets),
             "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    my $answers = '';

    while (IO::Select->new($socket)->can_read(SOON)) {
        sysread $socket, $answers, 65536, length $answers or last;
    }

    my @hits = $answers =~ /^X-Cache: HIT/mg;
    my @ids = $answers =~ /^\{"id":(\d+)/mg;

    is(scalar @hits, scalar @paths, 'each request has its answer');
    is_deeply([ map { $warm->ended($_)->{state} } @ids ],
              [ ('SUCCESS') x @paths ], 'and each job ends well');
};

configuration 'connections that linger, and others that do not',
    server => 'lingering_close always; keepalive_timeout 0;'
              . 'reset_timedout_connection on;';

# A log of the calls, with all that it may ask of their connections.

configuration 'log_subrequest', http => 'log_format all "$remote_addr '
    . '$remote_port $binary_remote_addr $server_addr $server_port $request '
    . '$connection $connection_requests $request_length $bytes_sent $pipe '
    . '$tcpinfo_rtt $status $request_time $request_id $proxy_protocol_addr '
    . '$realip_remote_addr $http_cookie $host $upstream_addr '
    . '$upstream_response_time $dfpreheat_cache_key $dfpreheat_target";',
    server => 'log_subrequest on; access_log /dev/null all;';

done_testing();
