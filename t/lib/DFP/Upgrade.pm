# The upgrade of nginx's binary (USR2), with servers that have the option daemon.

package DFP::Upgrade;

use strict;
use warnings;

use Exporter qw( import );

use DFP::Process qw( adopt children forget gone title wait_until );

our @EXPORT = qw( kept_variables replaced upgrade );

use constant {
    SOON => 15,     # s
};


# A new binary has only those variables that nginx is told to keep: lines of its
# configuration.

sub kept_variables
{
    return join ' ', map { "env ${_}_OPTIONS;" } qw( ASAN LSAN UBSAN );
}


# The pid of the master that an nginx brings up beside itself.

sub upgrade
{
    my $servers = shift;

    my $old = $servers->{nginx};
    my $new;

    $servers->nginx_signal('USR2');

    wait_until(SOON, sub {
        $new = $servers->_read('nginx.pid') =~ s/\s//gr;
        $new =~ /^\d+$/ && $new != $old
            && (grep { title($_) =~ /worker process *$/ } children($new))
               == $servers->{workers};
    }) or die 'no new master';

    adopt($new);

    return $new;
}


# Whether the old one leaves, after QUIT; the new one takes its place.

sub replaced
{
    my ($servers, $new) = @_;

    my $old = $servers->{nginx};

    wait_until(SOON, sub { gone($old) }) or return 0;

    forget($old);
    $servers->{nginx} = $new;

    return 1;
}

1;
