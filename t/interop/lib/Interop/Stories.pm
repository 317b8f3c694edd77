# What the suites with the real Dragonfly share: jobs that nginx has it do, and pulls
# through dfdaemons afterwards, for which the origin must not be asked.
#
#     my $lab = lab('a scheduler and three peers');
#     dragonfly_story 'what a user would see', { lab => $lab }, sub {
#         my $servers = shift;
#         my $job = job($servers, 'file', url => origin->file('a')->{url});
#     };
#
# Options of a story: engine (peers), images (the URL of a registry), http (lines),
# seconds.
# Without DRAGONFLY_SCHEDULER and DFDAEMON, paths of the real binaries, all is
# skipped.

package Interop::Stories;

use strict;
use warnings;

use Cwd qw( abs_path );
use Digest::SHA;
use Exporter qw( import );
use File::Temp ();
use FindBin;
use JSON::PP ();
use Test::More;

use DFP::Process qw( free_port );
use DFP::Registry;
use DFP::Story qw( story );

use Interop::Lab;
use Interop::Origin;

our @EXPORT = qw( about asked_for dragonfly_story finds_seeds forget_requests image job
                  lab landed named origin pulled pulled_at_once registry
                  registry_url results state_is CLUSTER );

use constant {
    JOB_SECONDS  => 60,
    PULL_SECONDS => 15,
    CLUSTER      => 2,      # of DFP::Servers' own it is 1
};

my %binary = (scheduler => $ENV{DRAGONFLY_SCHEDULER},
              dfdaemon  => $ENV{DFDAEMON});

plan skip_all => 'DRAGONFLY_SCHEDULER and DFDAEMON have to be the paths of '
                 . 'the real binaries'
    if grep { !defined || $_ eq '' } values %binary;

for my $path (values %binary) {
    die "$path is nothing that can be run\n" if !-f $path || !-x _;
    $path = abs_path($path);
}

# all of it is on loopback, where no proxy is of use

delete $ENV{$_} for grep { /_proxy\z/i } keys %ENV;
$SIG{HUP} = sub { exit 1 };

my $top = abs_path("$FindBin::Bin/../..");
my $dir = File::Temp->newdir('dfpreheat-interop-XXXXXXXX', TMPDIR => 1);
my $registry = DFP::Registry->start;
my $origin = Interop::Origin->start;
my $running;

# all of its processes at once, and not one after the other

END {
    my $status = $?;

    $running->stop_all if $running;
    $? = $status;
}


sub origin { $origin }
sub registry { $registry }
sub registry_url { 'http://127.0.0.1:' . $registry->port }


# In the place of the last one. Nothing where it does not start.

sub lab
{
    my ($name, %options) = @_;

    $running->stop_all if $running;
    $running = eval { Interop::Lab->start(%binary, %options) };

    ok($running, $name) or diag($@);

    return $running;
}


# A story with a cluster that is the lab. Images are of a registry at a URL,
# files of the origin.

sub dragonfly_story
{
    my ($name, $options, $code) = @_;

    my $port = free_port();
    my $files = $origin->url;
    my %options = (engine => 'peers', images => registry_url(), http => '', %$options);
    my ($lab, $engine, $images) = @options{qw( lab engine images )};

    my $http = <<"END";
    dfpreheat_cluster ${\ CLUSTER } name=dragonfly engine=$engine
                      ${\ $lab->address };
    dfpreheat_peers_allow 127.0.0.0/8;
    $options{http}

    server {
        listen 127.0.0.1:$port;

        location \@dfpreheat_grpc {
            include $top/conf/dfpreheat_grpc.conf;
        }

        location /v2/ {
            dfpreheat_origin $images;
            proxy_pass $images;
        }

        location /file/ {
            dfpreheat_origin $files;
            proxy_pass $files;
        }
    }
END

    story $name, {
        http => $http, $options{seconds} ? (seconds => $options{seconds}) : () },
        $code;

    diag($lab->logs) if !(Test::More->builder->summary)[-1];
}


# Has the lab do a job; it as it has ended.

sub job
{
    my ($servers, $type, %args) = @_;

    return about($servers, 'preheat', type => $type, %args);
}


sub about
{
    my ($servers, $type, %args) = @_;

    my $answer = $servers->client->post('/oapi/v1/jobs', {
        type => $type, args => \%args, scheduler_cluster_ids => [CLUSTER] });

    die "no job: $answer->{body}" if $answer->{status} != 200;

    return $servers->ended_job($answer->{json}{id}, JOB_SECONDS);
}


sub results { $_[0]{result}{job_states}[0]{results}[0] // {} }


# The peers that have what, by its URL.

sub landed
{
    my $job = shift;

    my %peers;

    for my $task (@{ results($job)->{success_tasks} // [] }) {
        push @{ $peers{ $task->{url} } }, "$task->{hostname} $task->{ip}";
    }

    return { map { $_ => [ sort @{ $peers{$_} } ] } keys %peers };
}


sub named
{
    my ($lab, @hosts) = @_;

    return map { "$_ " . $lab->peer($_)->{ip} } @hosts;
}


sub state_is
{
    my ($job, $state, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is($job->{state}, $state, $name)
           || diag(JSON::PP->new->canonical->pretty->encode($job->{result}
                                                            // {}));
}


# What is pushed and written for one job each, as URLs with what is there.

sub image
{
    my ($name, @options) = @_;

    my $image = $registry->push_image($name, @options);

    return { path => $image->{url}, url => registry_url() . $image->{url},
             blobs => [ grep { m{/blobs/} } @{ $image->{paths} } ] };
}


# Pulls through the proxy of a peer, and looks at the bytes: a status alone
# tells nothing, since errors of Dragonfly may be an empty 200. The head.

sub pulled
{
    my ($lab, $host, $url, $sha256) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $status = pull($lab->proxy($host), $url);

    if (!defined $status) {
        ok(0, "$host: there is no answer for $url");
        return '';
    }

    my $head = read_head();
    my $sum = Digest::SHA->new(256)->addfile("$dir/body", 'b')->hexdigest;

    is("$status $sum", "200 $sha256", "$host: $url comes, byte for byte")
        or diag($head);

    return $head;
}


# The same of what is on that peer as a whole.

sub pulled_at_once
{
    my ($lab, $host, $url, $sha256) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $head = pulled($lab, $host, $url, $sha256);

    like($head, qr/^X-Dragonfly-Task-Download-Finished: true\r$/mi,
         "$host: it had all of it before");
}


sub pull
{
    my ($proxy, $url) = @_;

    unlink "$dir/head", "$dir/body";

    open my $out, '-|', 'curl', '-s', '-m', PULL_SECONDS, '--noproxy', '',
         '-x', $proxy, '-D', "$dir/head", '-o', "$dir/body", '-w',
         '%{http_code}', $url or die "curl: $!";
    my $status = <$out>;

    return close $out && -f "$dir/body" ? $status : undef;
}


sub read_head
{
    open my $file, '<', "$dir/head" or die "head: $!";
    local $/;

    return <$file>;
}


# What was asked for since then.

sub asked_for
{
    return ($registry->requests,
            map { "$_->{method} $_->{path} $_->{range}" } $origin->requests);
}


sub forget_requests
{
    $_->forget_requests for $registry, $origin;
}


sub finds_seeds
{
    my $lab = shift;

    my $probe = $origin->file('probe');

    my $found = eval {
        $lab->wait_for_seeds($probe->{url}, sub {
            scalar $origin->requests(qr/^\Q$probe->{path}\E$/) });
        1;
    };

    ok($found, 'its scheduler has found the seed') or diag($@);

    return $found;
}

1;
