# Debian's containerd, docker, skopeo, buildah and podman, with the settings of
# docs/mirrors.md for a mirror, which they find through the proxy of a DFP::Internet:
#
#     my $clients = DFP::Clients->start(ca => $ca, internet => $internet,
#         server => { 'docker.io' => 'https://registry-1.docker.io',
#                     _default => undef },
#         mirrors => { 'docker.io' => 'nginx.lan/docker.io' });
#     is($clients->containerd_pull('docker.io/library/app:1.0'), '');
#
# server: the registries for which containerd uses the mirror, at nginx.lan, and
# where it goes otherwise. mirrors: those of registries.conf. logins: "NAME:PASSWORD"
# by mirrors, of "podman login" and "docker login". docker: the mirror of dockerd, which is not started
# without.
#
# A pull is what the client has said: "" if it has succeeded. kubelet_pull is one of
# containerd by CRI.

package DFP::Clients;

use strict;
use warnings;

use File::Path qw( make_path );
use File::Temp ();
use JSON::PP qw( encode_json );
use MIME::Base64 qw( encode_base64 );

use DFP::Containerd;
use DFP::Process qw( complaint gone spawn wait_until );

use constant START_SECONDS => 20;

sub start
{
    my ($class, %options) = @_;

    my $self = bless {
        %options, dir => File::Temp->newdir('dfpreheat-clients-XXXXXXXX',
                                            TMPDIR => 1),
    }, $class;

    my $dir = $self->{dir};
    my $ca = $self->{ca}->file;

    for my $registry (keys %{ $self->{server} }) {
        my $server = $self->{server}{$registry};

        $server = $server ? qq{server = "$server"} : '';
        $self->_write("hosts/$registry/hosts.toml", <<"END");
$server

[host."https://nginx.lan"]
  capabilities = ["pull", "resolve"]
  ca = "$ca"
END
    }

    $self->_write('registries.conf', join '', map { <<"END" }
[[registry]]
location = "$_"

[[registry.mirror]]
location = "$self->{mirrors}{$_}"
END
        sort keys %{ $self->{mirrors} });
    $self->_write('policy.json',
                  '{"default":[{"type":"insecureAcceptAnything"}]}');
    $self->_write($_, encode_json({ auths => {
        map { $_ => { auth => encode_base64($self->{logins}{$_}, '') } }
            keys %{ $self->{logins} // {} } } }))
        for 'auth.json', '.docker/config.json';
    $self->_alone(sub {
        $self->{containerd} = DFP::Containerd->start("$dir/containerd",
                                                     "$dir/hosts");
        $self->_dockerd if $self->{docker};
    });

    return $self;
}


sub stop_all
{
    my $self = shift;

    DFP::Process::stop($self->{dockerd}) if $self->{dockerd};
    $self->{containerd}->stop;
}


# Images only: it changes nothing of the machine's network.

sub _dockerd
{
    my $self = shift;

    my $dir = $self->{dir};
    my $no = JSON::PP::false;

    $self->_write('daemon.json', encode_json({
        'registry-mirrors' => [ $self->{docker} ],
        'containerd' => $self->{containerd}->socket,
        'hosts' => [ "unix://$dir/docker" ],
        'data-root' => "$dir/docker-data", 'exec-root' => "$dir/docker-exec",
        'pidfile' => "$dir/docker.pid",
        'deprecated-key-path' => "$dir/docker.key",
        'storage-driver' => 'vfs', 'log-level' => 'error', 'bridge' => 'none',
        'iptables' => $no, 'ip-forward' => $no, 'userland-proxy' => $no }));

    $self->{dockerd} = spawn("$dir/docker.out", 'dockerd', '--config-file',
                             "$dir/daemon.json");

    wait_until(START_SECONDS, sub {
        gone($self->{dockerd}) || complaint($self->_docker('version')) eq ''
    }) && !gone($self->{dockerd}) or die 'dockerd does not start';
}


# Options: user ("NAME:PASSWORD").

sub containerd_pull
{
    my ($self, $name, %options) = @_;

    my @user = $options{user} ? ('--user', $options{user}) : ();

    return $self->_alone(sub {
        $self->{containerd}->pull("$self->{dir}/hosts", $name, @user) });
}


sub kubelet_pull
{
    my ($self, $name, %options) = @_;

    return $self->_alone(sub {
        $self->{containerd}->cri_pull($name, $options{user} // ()) });
}


sub docker_pull
{
    my ($self, $name) = @_;

    return $self->_run($self->_docker('pull', '-q', $name));
}


sub _docker
{
    my ($self, @command) = @_;

    return ('/usr/bin/docker', '-H', "unix://$self->{dir}/docker", @command);
}


sub skopeo_pull
{
    my ($self, $name) = @_;

    my $dir = $self->{dir};
    my $to = "$dir/pulled-" . ++$self->{pulled};

    return $self->_run('skopeo', '--registries-conf', "$dir/registries.conf",
                       '--policy', "$dir/policy.json", '--override-os',
                       'linux', '--override-arch', 'amd64', 'copy',
                       "docker://$name", "dir:$to");
}


sub buildah_pull
{
    my ($self, $name) = @_;

    my $dir = $self->{dir};

    return $self->_run('buildah', '--root', "$dir/buildah", '--runroot',
                       "$dir/buildah-run", '--storage-driver', 'vfs',
                       '--registries-conf', "$dir/registries.conf", 'pull',
                       '--signature-policy', "$dir/policy.json", '--platform',
                       'linux/amd64', '--policy', 'always', $name);
}


sub podman_pull
{
    my ($self, $name) = @_;

    my $dir = $self->{dir};

    local $ENV{CONTAINERS_REGISTRIES_CONF} = "$dir/registries.conf";

    return $self->_run('podman', '--root', "$dir/podman", '--runroot',
                       "$dir/podman-run", '--storage-driver', 'vfs',
                       '--events-backend', 'none', '--cgroup-manager',
                       'cgroupfs', 'pull', '-q', '--signature-policy',
                       "$dir/policy.json", '--platform', 'linux/amd64', $name);
}


# Nobody's settings, and no certificates but those of the test.

sub _alone
{
    my ($self, $code) = @_;

    my $dir = $self->{dir};

    local $ENV{HTTPS_PROXY} = $self->{internet}->proxy;
    local $ENV{SSL_CERT_FILE} = $self->{ca}->file;
    local $ENV{REGISTRY_AUTH_FILE} = "$dir/auth.json";
    local @ENV{qw( HOME XDG_RUNTIME_DIR XDG_CONFIG_HOME )} = ("$dir") x 3;
    delete local @ENV{qw( https_proxy NO_PROXY no_proxy )};

    return $code->();
}


sub _run
{
    my ($self, @command) = @_;

    return $self->_alone(sub { complaint(@command) });
}


sub _write
{
    my ($self, $name, $text) = @_;

    my $path = "$self->{dir}/$name";

    make_path($path =~ s{/[^/]*\z}{}r);
    open my $file, '>', $path or die "$path: $!";
    print {$file} $text;
    close $file or die "$path: $!";
}

1;
