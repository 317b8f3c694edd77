# The cluster of conf/examples/cluster: three nginx, and one that balances, on
# loopback addresses of their own, from the very files, in which only addresses,
# paths and the registry's name are replaced.
#
#     my $cluster = DFP::ExampleCluster->start(registry => $registry, ca => $ca);
#     my $answer = $cluster->get(2, $path);       # of the second instance
#     my $answer = $cluster->get(BALANCER, $path);
#
# Options: registry (a DFP::Registry with TLS), ca (the DFP::Certificates that has
# signed it), alone (true: no instance asks another one), access (true: the line
# with dfpreheat_access is no comment), follows (an origin to which the registry
# redirects: the lines for that are no comments).

package DFP::ExampleCluster;

use strict;
use warnings;

use Cwd qw( abs_path );
use Exporter qw( import );
use File::Basename qw( dirname );
use File::Find qw( find );
use File::Temp ();
use JSON::PP qw( decode_json encode_json );

use DFP::File qw( read_file write_file );
use DFP::Process qw( spawn gone stop forget children wait_until free_port );

our @EXPORT_OK = qw( BALANCER INSTANCES );

use constant {
    BALANCER      => 0,
    INSTANCES     => 3,
    START_SECONDS => 10,
    CURL_SECONDS  => 30,
    KEY_MAX       => 1024,      # of the beginning of a file of the cache
    ADMIN_KEY     => 'the-admin-key-of-the-tests',
    SEAL_KEY      => '0123456789abcdef' x 4,
};

my $top = abs_path(dirname(__FILE__) . '/../../..');
my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                         || "$top/build/ngx_http_dfpreheat_module.so";


sub start
{
    my ($class, %options) = @_;

    my $self = bless {
        dir => File::Temp->newdir('dfpreheat-cluster-XXXXXXXX', TMPDIR => 1),
        port => free_port(), redis_port => free_port(),
        pair => $options{ca}->issue('nginx.lan'), %options,
    }, $class;

    $self->_write('redis.conf', "bind 127.0.0.1\nport $self->{redis_port}\n"
                                . "dir $self->{dir}\nsave ''\n");
    $self->{redis} = spawn("$self->{dir}/redis.out", 'redis-server',
                           "$self->{dir}/redis.conf");

    $self->_write("$_->[0].key", $_->[1])
        for [ admin => ADMIN_KEY ], [ seal => SEAL_KEY ];

    # the balancer is told that it runs by one of the others

    $self->start_nginx($_) for 1 .. INSTANCES, BALANCER;

    wait_until(START_SECONDS, sub {
        `redis-cli -p $self->{redis_port} zcard dfpreheat:members` == INSTANCES;
    }) or die 'not all instances are members of the cluster';

    return $self;
}


sub stop_all
{
    my $self = shift;

    $self->kill_nginx($_, 'TERM') for keys %{ $self->{nginx} };
    stop($self->{redis});
}


# The port is that of all; the balancer is at 127.0.0.1.

sub port { $_[0]{port} }

sub address { '127.0.0.' . ($_[1] == BALANCER ? 1 : 10 + $_[1]) }


# Starts an instance, or the balancer.

sub start_nginx
{
    my ($self, $n) = @_;

    my $dir = "$self->{dir}/$n";

    mkdir $_ for $dir, "$dir/temp", "$dir/cluster";

    $self->_write("$n/nginx.conf", $self->_nginx_conf($n));
    $self->_write("$n/cluster/" . $_->[0], $_->[1]) for $self->_example($n);
    $self->_write("$n/dfpreheat_$_.conf", read_file("$top/conf/dfpreheat_$_.conf"))
        for qw( cache follow redirect );

    my $pid = spawn("$dir/out", $nginx, '-e', "$dir/error.log",
                    '-c', "$dir/nginx.conf");

    wait_until(START_SECONDS, sub {
        gone($pid) || -s "$dir/nginx.pid"
                      && $self->get($n, '/healthy')->{status} == 200
    }) && !gone($pid)
        or die "nginx $n does not start: " . read_file("$dir/out");

    $self->{nginx}{$n} = $pid;
}


sub signal
{
    my ($self, $n, $signal) = @_;

    my $master = $self->{nginx}{$n};

    kill $signal, $master, children($master);
}


# Ends it at once, with its workers.

sub kill_nginx
{
    my ($self, $n, $signal) = @_;

    my $master = delete $self->{nginx}{$n};
    my @all = ($master, children($master));

    kill $signal, @all;
    wait_until(START_SECONDS, sub { !grep { !gone($_) } @all })
        or die "nginx $n does not leave";
    forget($master);
}


sub severe
{
    my $self = shift;

    return map { my $n = $_;
                 map { "$n: $_" } grep { / \[(?:alert|crit|emerg)\] / }
                 split /\n/, read_file("$self->{dir}/$n/error.log") }
           BALANCER .. INSTANCES;
}


# What a client gets: status, cache (X-Cache) and body. From is the client's
# address, authorization that header.

sub get
{
    my ($self, $n, $path, %options) = @_;

    return $self->finish($self->begin($n, $path, %options));
}


# The same in two steps, for several at once.

sub begin
{
    my ($self, $n, $path, %options) = @_;

    my $address = $self->address($n);
    my @command = ('curl', '-s', '-i', '-m', CURL_SECONDS, '--path-as-is',
                   '--cacert', $self->{ca}->file, '--connect-to',
                   "nginx.lan:443:$address:$self->{port}");

    push @command, '--interface', $options{from} if $options{from};
    push @command, '-H', "Authorization: $options{authorization}"
        if $options{authorization};
    push @command, '-d', $options{body} if defined $options{body};

    open my $out, '-|', @command, "https://nginx.lan$path"
        or die "curl: $!";

    return $out;
}


sub finish
{
    my ($self, $out) = @_;

    binmode $out;
    local $/;
    my $answer = <$out> // '';
    close $out;

    $answer =~ s{^HTTP/1\.1 100 .*?\r\n\r\n}{}s;
    my ($head, $body) = split /\r\n\r\n/, $answer, 2;

    $head //= '';

    # an answer of the owner has that of the owner before its own

    my ($cache) = $head =~ /.*^X-Cache: (\S+)/msi;

    return { status => $head =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0,
             cache => $cache // '-', body => $body // '' };
}


# Posts a job to an instance; its id.

sub post
{
    my ($self, $n, %args) = @_;

    $self->{token} //= $self->_api($n, ADMIN_KEY,
        '/api/v1/personal-access-tokens', {
            name => 'test', scopes => ['job'],
            expired_at => '2037-01-01T00:00:00Z' })->{token};

    return $self->_api($n, $self->{token}, '/oapi/v1/jobs', {
        type => 'preheat', args => { type => 'image', %args } })->{id};
}


sub job
{
    my ($self, $n, $id) = @_;

    return $self->_api($n, $self->{token}, "/oapi/v1/jobs/$id");
}


# The job as soon as it has ended, or as it is when time is up.

sub ended_job
{
    my ($self, $n, $id, $seconds) = @_;

    my $job;

    wait_until($seconds, sub {
        $job = $self->job($n, $id);
        $job->{state} ne 'PENDING';
    });

    return $job;
}


sub _api
{
    my ($self, $n, $token, $path, $body) = @_;

    my $answer = $self->get($n, $path, authorization => "Bearer $token",
                            body => $body && encode_json($body));

    die "$path: $answer->{status} $answer->{body}" if $answer->{status} != 200;

    return decode_json($answer->{body});
}


# The files of an instance's cache that hold what was requested by this path.

sub copies
{
    my ($self, $n, $path) = @_;

    my @found;

    find({ no_chdir => 1, wanted => sub {
        return if !-f;
        open my $file, '<:raw', $_ or return;
        read $file, my $begin, KEY_MAX;
        push @found, $_ if $begin =~ /^KEY: \S+ \S+\Q$path\E$/m;
    } }, "$self->{dir}/$n/cache");

    return @found;
}


# What surrounds the example, as Debian's nginx.conf does, with shorter times and
# with the address of each instance as its own. nginx would keep sessions of TLS
# until it exits, and the sanitizers would call that a leak.

sub _nginx_conf
{
    my ($self, $n) = @_;

    my $dir = "$self->{dir}/$n";
    my $modules = join '', map { "load_module $_;\n" } @modules;
    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join '', map { "    ${_}_temp_path $dir/temp/$_;\n" }
               qw( client_body proxy fastcgi uwsgi scgi );
    my $address = $self->address($n);
    my ($file, $more) = ('balancer', '');

    if ($n != BALANCER) {
        $file = 'instance';
        $more = "dfpreheat_instance nginx-$n address=$address;"
                . ' dfpreheat_tag_valid 1s;'
                . " add_header X-Cache \$upstream_cache_status always;";
    }

    return <<"END";
$modules
$user
daemon off;
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log info;

events {
    worker_connections 512;
}

http {
    access_log off;
$temp
    proxy_bind $address;
    proxy_ssl_session_reuse off;
    $more
    include cluster/$file.conf;
}
END
}


# Files of the example, with this machine's values: [name, text].

sub _example
{
    my ($self, $n) = @_;

    my $address = $self->address($n);
    my ($keys, $pair) = @$self{qw( dir pair )};

    my %new = (
        '10.0.0.10:6379' => "127.0.0.1:$self->{redis_port}",
        '/var/cache/nginx/registry' => "$self->{dir}/$n/cache",
        '/etc/nginx/dfpreheat.key' => "$keys/seal.key",
        '/etc/nginx/dfpreheat-admin.key' => "$keys/admin.key",
        '/etc/nginx/nginx.lan.pem' => $pair->{certificate},
        '/etc/nginx/nginx.lan.key' => $pair->{key},
        '/etc/nginx/ca.pem' => $self->{ca}->file,
        '/etc/ssl/certs/ca-certificates.crt' => $self->{ca}->file,
        'https://storage.lan' => $self->{follows} // 'https://storage.test',
        'https://registry.lan' => "https://127.0.0.1:" . $self->{registry}->port,
        '$hostname' => "nginx-$n",
        ':443;' => ":$self->{port};",
        '443 ssl' => "$address:$self->{port} ssl",
        map({ ("10.0.0.1$_" => $self->address($_)) } 1 .. INSTANCES),
    );
    my $old = join '|', map { quotemeta } sort { length $b <=> length $a }
                                          keys %new;

    return map {
        my $text = read_file("$top/conf/examples/cluster/$_");

        if ($self->{alone} && $_ eq 'instance.conf') {
            $text =~ s{https://cluster/cluster\$uri;}{https://registry.lan;};
            $text =~ s{proxy_ssl_name +nginx\.lan;}{};
        }

        $text =~ s/^# (?=dfpreheat_access )//m if $self->{access};

        if ($self->{follows}) {
            $text =~ s/^( +)# (?=include +dfpreheat_follow)/$1/m;
            $text =~ s/^    # (?=location \@.*\{|    |\})/    /mg;
        }

        [ $_ => $text =~ s/($old)/$new{$1}/gr ];
    } qw( members.conf registry.conf owner.conf instance.conf balancer.conf );
}


sub _write
{
    my ($self, $name, $text) = @_;

    write_file("$self->{dir}/$name", $text);
}

1;
