# Debian's containerd, skopeo and buildah, with the settings of docs/mirrors.md for a
# mirror, which they find through the proxy of a DFP::Internet:
#
#     my $clients = DFP::Clients->start(ca => $ca, internet => $internet,
#         server => { 'docker.io' => 'https://registry-1.docker.io',
#                     _default => undef },
#         mirrors => { 'docker.io' => 'nginx.lan/docker.io' });
#     ok($clients->containerd_pull('docker.io/library/app:1.0'));
#
# server: the registries for which containerd uses the mirror, at nginx.lan, and
# where it goes otherwise. mirrors: those of registries.conf. logins: "NAME:PASSWORD"
# by mirrors, of "podman login".
#
# A pull is what the client has said: "" if it has succeeded.

package DFP::Clients;

use strict;
use warnings;

use File::Path qw( make_path );
use File::Temp ();
use JSON::PP qw( encode_json );
use MIME::Base64 qw( encode_base64 );

use DFP::Containerd;
use DFP::Process qw( complaint );

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
    $self->_write('auth.json', encode_json({ auths => {
        map { $_ => { auth => encode_base64($self->{logins}{$_}, '') } }
            keys %{ $self->{logins} // {} } } }));
    $self->{containerd} = $self->_alone(sub { DFP::Containerd->start("$dir/containerd") });

    return $self;
}


sub stop_all
{
    my $self = shift;

    $self->{containerd}->stop;
}


# Options: user ("NAME:PASSWORD").

sub containerd_pull
{
    my ($self, $name, %options) = @_;

    my @user = $options{user} ? ('--user', $options{user}) : ();

    return $self->_alone(sub {
        $self->{containerd}->pull("$self->{dir}/hosts", $name, @user) });
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
