# Dragonfly with TLS: who is not who he says is told nothing, and the job tells why.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Certificates;
use DFP::Dragonfly;
use DFP::Swarm;

use constant {
    THREE_SECONDS => 3_000_000_000,
    VERIFY        => 'upstream SSL certificate verify error',
};

# a server that does not like us goes without a word: when, depends on the version of
# TLS

my $closed = join '|', 'peer closed connection in SSL handshake',
                       'upstream prematurely closed connection',
                       '(?:SSL_\w+|recv)\(\) failed';

my @job = ('file', url => FILES . '/files/a', scope => 'all_peers');

my $ca = DFP::Certificates->new;
my $other_ca = DFP::Certificates->new;

# the scheduler is called by its address, and peers have a name together

my $scheduler = $ca->issue('127.0.0.1');
my $peer = $ca->issue('dragonfly.test');
my $nginx = $ca->issue('an nginx of the tests');

my %both = (
    scheme => 'grpcs://', scheduler_tls => pair($scheduler),
    tls => pair($peer), grpc => verified(),
    cluster => 'peers_tls=on location=@dfpreheat_grpc '
               . 'peers_location=@dfpreheat_peers',
    locations => peers_location(verified()),
);


# What a server has: its certificate, and the CA of the client certificates that
# it requires.

sub pair
{
    my ($pair, @client_ca) = @_;

    return [ $pair->{certificate}, $pair->{key}, map { $_->file } @client_ca ];
}


# Lines of a location. nginx would keep sessions until it exits, and the sanitizers
# would call that a leak.

sub verified
{
    my @lines = @_;

    return join "\n", 'grpc_ssl_verify on;', 'grpc_ssl_session_reuse off;',
                      'grpc_ssl_trusted_certificate ' . $ca->file . ';', @lines;
}


# What nginx shows of itself.

sub shown
{
    my $pair = shift;

    return "grpc_ssl_certificate $pair->{certificate};",
           "grpc_ssl_certificate_key $pair->{key};";
}


# As conf/dfpreheat_grpc.conf has it, with the name that peers have together.

sub peers_location
{
    my @lines = @_;

    open my $file, '<', "$FindBin::Bin/../conf/dfpreheat_grpc.conf"
        or die "dfpreheat_grpc.conf: $!";
    my $conf = do { local $/; <$file> };

    $conf =~ s/^(grpc_ssl_name\s+)\S+;$/$1dragonfly.test;/m
        or die 'there is no grpc_ssl_name';

    return join "\n", 'location @dfpreheat_peers {', $conf, @lines, '}';
}


# A job for which the scheduler is not good enough: what it says of that.

sub is_not_called
{
    my ($warm, $dragonfly, $pattern, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $who = 'scheduler ' . $dragonfly->scheduler->address;
    my $job = run_out($warm, @job, timeout => THREE_SECONDS);

    is($job->{state}, 'FAILURE', "$name: the job fails");
    like(error($job), qr/\Q$who\E\b.* reached.*$pattern/,
         "$name: it says who it is, and why");
    is(scalar $dragonfly->scheduler->calls, 0, "$name: nobody is called");

    # what stays as bad as it is is not waited for

    unlike(error($job), qr/timeout/, "$name: it says so at once")
        if $pattern =~ /certificate /;
}


# A job for which the peers are not.

sub is_not_told
{
    my ($warm, $dragonfly, $pattern, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $job = $warm->run(@job);
    my $results = $job->{result}{job_states}[0]{results}[0];
    my @told = map { $_->{description} } @{ $results->{failure_tasks} },
                                         @{ $results->{unreachable} // [] };

    is($job->{state}, 'FAILURE', "$name: the job fails");
    like(join("\n", error($job), @told), $pattern, "$name: it says why")
        or diag(join "\n", error($job), @told);
    is_deeply(told($job, 'success_tasks'), [], "$name: no peer has it");
    is(scalar(map { $_->calls } @{ $dragonfly->peers }), 0,
       "$name: no peer was told");
}


swarm_story 'a scheduler with TLS',
    { peers => 2, scheme => 'grpcs://', scheduler_tls => pair($scheduler),
      grpc => verified() }, sub
{
    my ($warm, $dragonfly) = @_;

    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'a job ends well') or diag(error($job));
    is(scalar @{ told($job, 'success_tasks') }, 2,
       'also where peers have no TLS');
};


swarm_story 'all of them with TLS', { peers => 2, %both }, sub {
    my ($warm, $dragonfly) = @_;

    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'a job ends well') or diag(error($job));
    is_deeply(told($job, 'success_tasks'),
              [ map { "peer-$_ /files/a" } 1, 2 ], 'of all peers');
};


# Those that want to see certificates of their clients.

my %mutual = (%both, scheduler_tls => pair($scheduler, $ca),
              tls => pair($peer, $ca));

swarm_story 'mutual TLS',
    { peers => 1, %mutual, grpc => verified(shown($nginx)),
      locations => peers_location(verified(shown($nginx))) }, sub
{
    my ($warm, $dragonfly) = @_;

    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'a job ends well') or diag(error($job));
    is_deeply([ map { ($_->calls)[0]{client_certificate} }
                $dragonfly->scheduler, $dragonfly->all ],
              [ ('an nginx of the tests') x 2 ],
              'scheduler and peer have seen the certificate');
};

swarm_story 'mutual TLS, and a scheduler that is shown nothing',
    { peers => 1, %mutual }, sub
{
    is_not_called(@_[0, 1], qr/(?:$closed)/, 'no certificate');
};

swarm_story 'mutual TLS, and peers that are shown nothing',
    { peers => 1, %mutual, grpc => verified(shown($nginx)) }, sub
{
    is_not_told(@_[0, 1], qr/(?:$closed)/, 'no certificate');
};

swarm_story 'mutual TLS, and a certificate of somebody else',
    { peers => 1, %mutual, grpc => verified(shown($nginx)),
      locations => peers_location(verified(shown(
          $other_ca->issue('an nginx of the tests')))) }, sub
{
    is_not_told(@_[0, 1], qr/(?:$closed)/, 'a wrong certificate');
};


# Certificates that are not good, and what OpenSSL says of them.

my @bad = (
    [ 'an authority that nobody knows', $other_ca, 'issue',
      qr/${\ VERIFY }: \(2[01]:unable to [^)]*\)/ ],
    [ 'one that nobody has signed', $ca, 'self_signed',
      qr/${\ VERIFY }: \(18:self.signed certificate\)/ ],
    [ 'one that has expired', $ca, 'issue_expired',
      qr/${\ VERIFY }: \(10:certificate has expired\)/ ],
);

for (@bad) {
    my ($name, $authority, $issue, $pattern) = @$_;

    swarm_story "the scheduler's certificate: $name",
        { peers => 1, %both,
          scheduler_tls => pair($authority->$issue('127.0.0.1')) }, sub
    {
        is_not_called(@_[0, 1], $pattern, $name);
    };

    swarm_story "the peers' certificate: $name",
        { peers => 1, %both,
          tls => pair($authority->$issue('dragonfly.test')) }, sub
    {
        is_not_told(@_[0, 1], $pattern, $name);
    };
}


swarm_story 'names',
    { peers => 1, %both, tls => pair($ca->issue('127.0.0.1', 'other.test')) },
    sub
{
    is_not_told(@_[0, 1],
                qr/upstream SSL certificate does not match "dragonfly.test"/,
                'a peer of another name');
};

swarm_story 'names of schedulers',
    { peers => 1, %both, scheduler_tls => pair($peer) }, sub
{
    is_not_called(@_[0, 1],
                  qr/upstream SSL certificate does not match "127.0.0.1"/,
                  'a scheduler of another name');
};


swarm_story 'a scheduler without TLS, where there should be one',
    { peers => 1, %both, scheduler_tls => undef }, sub
{
    # its SETTINGS come of themselves, before the handshake or in it

    my $troubles = join '|', 'SSL_do_handshake\(\) failed .*wrong version number',
                             'upstream prematurely sent response';

    is_not_called(@_[0, 1], qr/(?:$troubles)/, 'no TLS');
};

swarm_story 'a scheduler with TLS, where there should be none',
    { peers => 1, scheduler_tls => pair($scheduler) }, sub
{
    is_not_called(@_[0, 1], qr/(?:$closed)/, 'TLS');
};


my $wrong = DFP::Dragonfly->scheduler(
    tls => pair($other_ca->issue('127.0.0.1')));

swarm_story 'several schedulers, of which the first is not the one that it says',
    { peers => 1, %both, before => [ 'grpcs://' . $wrong->address ] }, sub
{
    my ($warm, $dragonfly) = @_;

    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'the second one is asked')
        or diag(error($job));
};

$wrong->stop;


swarm_story 'locations',
    { peers => 1, grpc => 'grpc_set_header X-Via one;',
      cluster => 'location=@dfpreheat_grpc peers_location=@dfpreheat_peers',
      locations => peers_location('grpc_set_header X-Via two;') }, sub
{
    my ($warm, $dragonfly) = @_;

    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'a job ends well') or diag(error($job));
    is_deeply([ map { ($_->calls)[0]{metadata}{'x-via'} }
                $dragonfly->scheduler, $dragonfly->all ], [qw( one two )],
              'scheduler and peers are called through their own');
};

done_testing();
