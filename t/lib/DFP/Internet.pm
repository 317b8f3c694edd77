# Servers under the names and ports that they have in the Internet, on a loopback
# address that nobody else uses:
#
#     my $internet = DFP::Internet->start(ca => $ca, hosts => {
#         'ghcr.io' => $upstream->port, 'minio.lan:9000' => $other->port, ... });
#     ... "resolver 127.0.0.1:" . $internet->dns->port     # local => names of 127.0.0.1
#     ... HTTPS_PROXY => $internet->proxy
#
# An nginx speaks TLS for all of them, for that to those ports. Clients find the
# names through a proxy (CONNECT), which keeps what they connected to; front() tells
# it where further names are. Ports below 1024 need root: possible() tells.

package DFP::Internet;

use strict;
use warnings;

use File::Temp ();
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use POSIX ();

use DFP::Dns;
use DFP::Process qw( gone run_child spawn stop wait_until );

use constant {
    HTTPS         => 443,
    START_SECONDS => 10,
    BACKLOG       => 128,
    READ_SIZE     => 65536,
};

# another one for each process

my $address = sprintf '127.%d.%d.%d', 1 + $$ % 250, ($$ >> 8) % 250, 7;


sub possible
{
    return IO::Socket::INET->new(Listen => 1, LocalAddr => $address,
                                 LocalPort => HTTPS, ReuseAddr => 1) ? 1 : 0;
}


sub start
{
    my ($class, %options) = @_;

    my $self = bless {
        %options,
        dir => File::Temp->newdir('dfpreheat-internet-XXXXXXXX', TMPDIR => 1),
    }, $class;

    my @names = map { s/:\d+\z//r } sort keys %{ $self->{hosts} };

    $self->{dns} = DFP::Dns->start(
        (map { $_ => [$address] } @names),
        map { $_ => ['127.0.0.1'] } @{ $self->{local} // [] });
    $self->{pair} = $self->{ca}->issue(@names);
    $self->_write('nginx.conf', $self->_conf);
    $self->_write('fronts', '');

    my $pid = spawn("$self->{dir}/out", '/usr/sbin/nginx', '-p',
                    "$self->{dir}/", '-e', "$self->{dir}/error.log", '-c',
                    "$self->{dir}/nginx.conf");

    wait_until(START_SECONDS, sub {
        gone($pid) || IO::Socket::INET->new(PeerAddr => $address,
                                            PeerPort => HTTPS);
    }) && !gone($pid) or die "nginx for $address does not start";

    $self->_proxy_start;

    return $self;
}


sub dns { $_[0]{dns} }

sub proxy { "http://127.0.0.1:$_[0]{proxy_port}" }


# Clients find these names (".nginx.lan" is those below it, too) here.

sub front
{
    my ($self, $where, @names) = @_;

    $self->_write('fronts', join '', map { "$_ $where\n" } @names);
}


# What clients have connected to, each once: "nginx.lan:443".

sub connected
{
    my $self = shift;

    open my $file, '<', "$self->{dir}/connected" or return;
    my %seen = map { chomp; $_ => 1 } <$file>;

    return sort keys %seen;
}


sub forget
{
    my $self = shift;

    unlink "$self->{dir}/connected";
}


sub _conf
{
    my $self = shift;

    my $hosts = $self->{hosts};
    my %ports = map { (/:(\d+)\z/ ? $1 : HTTPS) => 1 } keys %$hosts;
    my $listen = join "\n", map { "listen $address:$_ ssl;" } sort keys %ports;
    my $map = join "\n", map { s/:\d+\z//r . " $hosts->{$_};" } keys %$hosts;
    my $temp = join "\n", map { "${_}_temp_path temp-$_;" }
                          qw( client_body proxy fastcgi uwsgi scgi );
    my $user = $> == 0 ? 'user root;' : '';

    return <<"END";
$user
daemon off;
pid nginx.pid;

events {
    worker_connections 256;
}

http {
    access_log off;
    map_hash_bucket_size 128;
    $temp

    map \$host \$port {
        $map
    }

    server {
        $listen
        ssl_certificate $self->{pair}{certificate};
        ssl_certificate_key $self->{pair}{key};
        client_max_body_size 0;

        location / {
            proxy_pass http://127.0.0.1:\$port;
            proxy_set_header Host \$http_host;
            proxy_redirect off;
            proxy_max_temp_file_size 0;
        }
    }
}
END
}


# The proxy for clients

sub _proxy_start
{
    my $self = shift;

    my $listen = IO::Socket::INET->new(Listen => BACKLOG,
                                       LocalAddr => '127.0.0.1')
        or die "no port: $!";

    $self->{proxy_port} = $listen->sockport;

    run_child(sub {
        local $SIG{CHLD} = 'IGNORE';

        while (my $client = $listen->accept) {
            my $pid = fork // die "fork: $!";

            if ($pid == 0) {
                close $listen;
                $self->_connect($client);
                POSIX::_exit(0);
            }
        }
    });
}


sub _connect
{
    my ($self, $client) = @_;

    my $head = '';

    until ($head =~ /\r\n\r\n/) {
        sysread $client, $head, READ_SIZE, length $head or return;
    }

    my ($name, $port) = $head =~ /^CONNECT ([^ :]+):(\d+) / or return;

    open my $log, '>>', "$self->{dir}/connected" or return;
    $log->autoflush;
    print {$log} "$name:$port\n";

    my $to = IO::Socket::INET->new(PeerAddr => $self->_find($name, $port));

    if (!$to) {
        print {$client} "HTTP/1.1 502 Bad Gateway\r\n\r\n";
        return;
    }

    print {$client} "HTTP/1.1 200 OK\r\n\r\n";
    $client->flush;
    _copy($client, $to);
}


sub _find
{
    my ($self, $name, $port) = @_;

    open my $file, '<', "$self->{dir}/fronts" or return '';

    for (<$file>) {
        my ($front, $where) = split;
        return $where if $name eq $front
                         || $front =~ /^\./ && ".$name" =~ /\Q$front\E\z/;
    }

    my $known = grep { $_ eq $name || $_ eq "$name:$port" }
                keys %{ $self->{hosts} };

    return $known ? "$address:$port" : '127.0.0.1:1';
}


sub _copy
{
    my ($one, $other) = @_;

    my $select = IO::Select->new($one, $other);

    while (my @ready = $select->can_read) {
        for my $from (@ready) {
            my $to = $from == $one ? $other : $one;

            sysread $from, my $bytes, READ_SIZE or return;
            print {$to} $bytes or return;
            $to->flush;
        }
    }
}


sub _write
{
    my ($self, $name, $text) = @_;

    open my $file, '>', "$self->{dir}/$name.new" or die "$name: $!";
    print {$file} $text;
    close $file or die "$name: $!";
    rename "$self->{dir}/$name.new", "$self->{dir}/$name" or die "$name: $!";
}

1;
