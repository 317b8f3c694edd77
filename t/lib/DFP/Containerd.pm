# Debian's containerd, with folders of its own:
#
#     my $containerd = DFP::Containerd->start($dir);
#     is($containerd->pull($hosts, 'docker.io/library/app:1.0'), '');
#
# HOSTS is a folder of hosts.toml files; more options are those of "ctr images pull".
# A pull is what ctr has said: "" if it has succeeded.
#
#     my $containerd = DFP::Containerd->start($dir, $hosts);
#     is($containerd->cri_pull('docker.io/library/app:1.0'), '');
#
# is a pull as kubelet has it made, through the interface for that (CRI).

package DFP::Containerd;

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );

use DFP::Process qw( complaint gone spawn wait_until );

use constant {
    START_SECONDS => 20,
    PYTHON        => '/usr/bin/python3',    # Debian's, which has grpc
};

# what Debian's containerd would look for, and complain about

my @plugins = map { "io.containerd.$_" }
              qw( snapshotter.v1.aufs snapshotter.v1.btrfs
                  snapshotter.v1.devmapper snapshotter.v1.zfs
                  internal.v1.opt tracing.processor.v1.otlp );
my $cri = 'io.containerd.grpc.v1.cri';
my $cri_pull = abs_path(dirname(__FILE__) . '/../cri_pull.py');


sub start
{
    my ($class, $dir, $hosts) = @_;

    my $disabled = join ', ', map { qq("$_") } @plugins, $hosts ? () : $cri;
    my $self = bless { dir => $dir }, $class;
    my $settings = $hosts ? <<"END" : '';

[plugins."$cri".containerd]
  snapshotter = "native"

[plugins."$cri".registry]
  config_path = "$hosts"
END

    mkdir $dir or die "$dir: $!";
    open my $conf, '>', "$dir/containerd.toml" or die "$dir: $!";
    print {$conf} <<"END";
version = 2
root = "$dir/root"
state = "$dir/state"
disabled_plugins = [$disabled]

[grpc]
  address = "$dir/sock"

[ttrpc]
  address = "$dir/ttrpc"

[debug]
  level = "warn"

# what one client has pulled is not there for another one

[plugins."io.containerd.metadata.v1.bolt"]
  content_sharing_policy = "isolated"
$settings
END
    close $conf or die "$dir: $!";

    $self->{pid} = spawn("$dir/out", 'containerd', '-c', "$dir/containerd.toml");

    wait_until(START_SECONDS, sub {
        gone($self->{pid}) || complaint($self->_ctr('version')) eq ''
    }) && !gone($self->{pid}) or die 'containerd does not start';

    return $self;
}


sub stop { DFP::Process::stop($_[0]{pid}) }

sub socket { "$_[0]{dir}/sock" }


sub pull
{
    my ($self, $hosts, $name, @options) = @_;

    return complaint($self->_ctr('images', 'pull', '--hosts-dir', $hosts,
                                 '--snapshotter', 'native', '--platform',
                                 'linux/amd64', @options, $name));
}


# The same without unpacking it.

sub fetch
{
    my ($self, $hosts, $name, @options) = @_;

    return complaint($self->_ctr('content', 'fetch', '--hosts-dir', $hosts,
                                 '--platform', 'linux/amd64', @options, $name));
}


# USER is "NAME:PASSWORD", or nothing.

sub cri_pull
{
    my ($self, $name, @user) = @_;

    return complaint(PYTHON, $cri_pull, $self->socket, $name, @user);
}


sub _ctr
{
    my ($self, @command) = @_;

    return ('ctr', '-a', $self->socket, @command);
}

1;
