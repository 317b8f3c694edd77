# A real pull: containerd, with a peer of Dragonfly as the mirror of a registry, gets
# from it what a job has preheated.

use strict;
use warnings;

use File::Path qw( make_path );
use File::Temp ();
use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";

use DFP::Containerd;

use Interop::Stories;

my $lab = lab('a seed and two other peers');

dragonfly_story 'containerd pulls through a peer what was preheated', {
    lab => $lab }, sub
{
    my $servers = shift;

    my $dir = File::Temp->newdir('dfpreheat-pulls-XXXXXXXX', TMPDIR => 1);
    my $name = registry_url() =~ s{^http://}{}r;

    make_path("$dir/hosts/$name");
    open my $hosts, '>', "$dir/hosts/$name/hosts.toml" or die "hosts.toml: $!";
    print {$hosts} <<"END";
server = "${\ registry_url() }"

[host."${\ $lab->proxy('peer-2') }"]
  capabilities = ["pull", "resolve"]

[host."${\ $lab->proxy('peer-2') }".header]
  X-Dragonfly-Registry = ["${\ registry_url() }"]
END
    close $hosts or die "hosts.toml: $!";

    my $containerd = DFP::Containerd->start("$dir/containerd");
    my ($app, $other) = map { image("containerd/$_", $_) } qw( app other );

    state_is(job($servers, 'image', url => $app->{url}, scope => 'all_peers'),
             'SUCCESS', 'an image is preheated');

    for ([ 'app', '' ], [ 'other', 'blobs' ]) {
        my ($image, $asked) = @$_;

        forget_requests();
        is($containerd->fetch("$dir/hosts", "$name/containerd/$image:1.0",
                              '--plain-http'), '', "$image is pulled");
        is((grep { m{/blobs/} } asked_for()) ? 'blobs' : '', $asked,
           $asked ? 'from the registry, as it was not preheated'
                  : 'and the registry is asked for no blob');
    }

    $containerd->stop;
};

done_testing();
