# Several nginx of one cluster: they share a Redis, and each has a name, an address,
# a cache and an origin of its own, where all of them find the files of FILES:
#
#     cluster_story 'what a user would see', { lease => '1s' }, sub {
#         my ($cluster, $one, $two, $three) = @_;
#         my $id = $one->post_files(['/quick/1000/a'], scope => 'all_peers');
#         is_deeply(told($one->ended_job($id, SOON), 'success_tasks'), [ ... ]);
#     };
#
# The options are those of DFP::Servers for all of them, and names (NAMES, the first
# of them, unless given), each (options of one, by its name; clock is how many
# seconds its clock is off, address is another address) and seconds.

package DFP::Cluster;

use strict;
use warnings;

use Cwd qw( abs_path );
use Exporter qw( import );
use File::Basename qw( dirname );
use File::Temp ();
use Test::More;
use Time::Local qw( timegm );

use DFP::Process qw( children wait_until );
use DFP::Results qw( error );
use DFP::Servers;
use DFP::Story qw( story );

our @EXPORT = qw( FILES SOON all_of at_gates cluster_story error hosts kept_until
                  living ms_of open_gates pause redis_ms resume told );

use constant {
    FILES    => 'http://files.test',
    SOON     => 15,         # s: what needs no timer, or a short lease
    LOG_TAIL => 30,         # lines shown when a story fails
};

my @names = qw( one two three );
my %address = (one => '192.0.2.11', two => '192.0.2.12', three => '192.0.2.13',
               four => '192.0.2.14');

my $source = abs_path(dirname(__FILE__) . '/../../../tools/shifted_clock.c');
my $clock;      # the folder of the library, as long as the test runs


sub cluster_story
{
    my ($name, $options, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %options = %$options;
    my ($first, @others) = @{ delete $options{names} // \@names };

    my $self = bless { each    => delete $options{each} // {},
                       options => \%options }, __PACKAGE__;

    story $name, $self->_options_of($first), sub {
        $self->{servers} = { $first => shift };

        my $told = eval {
            $self->add($_) for @others;
            $self->gathered;
            $code->($self, map { $self->{servers}{$_} } $first, @others);
            1;
        };
        my $reason = $@;

        $self->_leave($first);
        die $reason if !$told;
    };
}


sub _options_of
{
    my ($self, $name) = @_;

    my %options = (%{ $self->{options} }, %{ $self->{each}{$name} // {} });
    my $address = $options{address} // $address{$name};
    my $http = ref $options{http} ? $options{http}->() : $options{http} // '';

    $options{http} = "dfpreheat_instance $name address=$address;\n"
        . "    add_header X-Cache \$upstream_cache_status always;\n    $http";
    $options{origin_url} //= FILES;
    $options{command} = _with_clock($options{clock}) if $options{clock};

    return \%options;
}


# The command that starts an nginx whose clock is off. The sanitizers want to be
# the first library.

sub _with_clock
{
    my $seconds = shift;

    if (!$clock) {
        $clock = File::Temp->newdir('dfpreheat-clock-XXXXXXXX', TMPDIR => 1);
        system('cc', '-O1', '-shared', '-fPIC', '-o', "$clock/clock.so",
               $source, '-ldl') == 0 or die 'the clock is not compiled';
    }

    my $asan = join ':', $ENV{ASAN_OPTIONS} // (), 'verify_asan_link_order=0';

    return [ '/usr/bin/env', "LD_PRELOAD=$clock/clock.so", "ASAN_OPTIONS=$asan",
             "DFPREHEAT_CLOCK=$seconds",
             $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx' ];
}


# One more nginx, which is a member when the other nginx know it.

sub add
{
    my ($self, $name) = @_;

    my ($any) = values %{ $self->{servers} };
    my $servers = DFP::Servers->new(%{ $self->_options_of($name) },
                                    no_redis => 1,
                                    redis_port => $any->{redis_port});

    $servers->{token} = $any->client->{token};
    $servers->start;

    return $self->{servers}{$name} = $servers;
}


# Waits until exactly these nginx are alive, by their names: all, unless given.

sub gathered
{
    my ($self, @names) = @_;

    @names = sort @names ? @names : keys %{ $self->{servers} };

    my ($any) = values %{ $self->{servers} };

    wait_until(SOON, sub { "@{[ living($any) ]}" eq "@names" })
        or die "alive: @{[ living($any) ]}, expected: @names\n";
}


# The others end; the first one is the story's.

sub _leave
{
    my ($self, $first) = @_;

    for my $name (grep { $_ ne $first } sort keys %{ $self->{servers} }) {
        my $servers = $self->{servers}{$name};

        ok(eval { $servers->stop_all; 1 }, "$name was stopped") or diag($@);
        is_deeply([ $servers->severe ], [], "$name had no alert");

        if (!Test::More->builder->is_passing) {
            diag(join "\n", "the end of error.log of $name:",
                            $servers->log_tail(LOG_TAIL));
        }
    }
}


# The names of those that are alive and have said who they are, as Redis has them.

sub living
{
    my $servers = shift;

    my @queues = split /\n/, $servers->redis('zrangebyscore',
        'dfpreheat:members', redis_ms($servers), '+inf');

    @queues = grep { $servers->redis('hexists', "dfpreheat:$_", 'who') eq '1' }
                   @queues;

    return sort map { /^instance:(.*):[^:]+$/ } @queues;
}


# The time until which an nginx counts as alive, and that of Redis, in ms.

sub kept_until
{
    my ($servers, $name) = @_;

    my @list = split /\n/, $servers->redis('zrange', 'dfpreheat:members', 0, -1,
                                           'withscores');

    while (my ($queue, $until) = splice @list, 0, 2) {
        return $until if $queue =~ /^instance:\Q$name\E:/;
    }

    die "$name is no member";
}

sub redis_ms
{
    my ($seconds, $us) = split ' ', $_[0]->redis('time');

    return int($seconds * 1000 + $us / 1000);
}


# A time of an answer, in ms.

sub ms_of
{
    my ($year, $month, @rest) = shift =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)
                                          (?:\.(\d{1,3}))?Z$/x
        or die 'no time';
    my ($day, $hour, $min, $sec, $ms) = @rest;

    return 1000 * timegm($sec, $min, $hour, $day, $month - 1, $year)
           + substr +($ms // 0) . '00', 0, 3;
}


# No process of an nginx runs until it is told to go on.

sub pause
{
    my $servers = shift;

    $servers->{paused} = [ $servers->{nginx}, children($servers->{nginx}) ];
    kill 'STOP', @{ $servers->{paused} };
}

sub resume
{
    my $servers = shift;

    kill 'CONT', @{ delete $servers->{paused} };
}


# Waits until a file is fetched by all of these.

sub at_gates
{
    my ($path, @servers) = @_;

    for my $servers (@servers) {
        $servers->origin->wait_at_gate($path, SOON)
            or die "nobody fetches $path\n";
    }
}

sub open_gates
{
    my ($path, @servers) = @_;

    $_->origin->open_gate($path) for @servers;
}


# What a list of the results names, of all instances: "name address path", sorted.

sub told
{
    my ($job, $list) = @_;

    return [ sort map { join ' ', $_->{hostname}, $_->{ip},
                             defined $_->{url}
                             ? $_->{url} =~ s{^http://[^/]+}{}r : () }
             map { @{ $_->{$list} // [] } }
             map { @{ $_->{results} // [] } }
                 @{ $job->{result}{job_states} } ];
}


# What told() says of files that these nginx have, by their names.

sub all_of
{
    my ($paths, @names) = @_;

    return [ sort map { my $name = $_; map { "$name $address{$name} $_" } @$paths }
                  @names ];
}


# The names of those that have something.

sub hosts
{
    my $job = shift;

    my %names = map { /^(\S+)/ => 1 } @{ told($job, 'success_tasks') };

    return join ' ', sort keys %names;
}

1;
