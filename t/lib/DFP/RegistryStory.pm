# Stories of conf/examples/registries: an nginx with one of the files, before the
# registries of a DFP::Hosted.
#
#     example_story 'ghcr', sub { my $front = shift; ... };
#     # options of DFP::ExampleRegistries may follow
#     warm($front, 'ghcr', $image);
#     pulled($front, 'ghcr', $image, host => 'nginx.lan', base => '');

package DFP::RegistryStory;

use strict;
use warnings;

use Digest::SHA qw( sha256_hex );
use Exporter qw( import );
use Test::More;

use DFP::Announce;
use DFP::Certificates;
use DFP::ExampleRegistries;
use DFP::Hosted;
use DFP::Results;

our @EXPORT = qw( ca example_story hosted pulled refused warm );

use constant STORY_SECONDS => 100;

my ($ca, $hosted);


sub ca { return $ca //= DFP::Certificates->new }

sub hosted { return $hosted //= DFP::Hosted->start(ca()) }


sub example_story
{
    my ($example, $code, %options) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    subtest "$example.conf" => sub {
        local $SIG{ALRM} = sub { die "the story takes too long\n" };
        alarm STORY_SECONDS;

        my $front = DFP::ExampleRegistries->start($example, ca => ca(),
            internet => hosted()->internet, %options);

        ok(eval { $code->($front); 1 }, 'the story was told to its end')
            or diag($@);
        alarm 0;
        $front->stop_all;

        is_deeply([ $front->severe ], [], 'no alert, crit or emerg was logged');
        diag($front->log_of) if !Test::More->builder->is_passing;
    };
}


# A job of an image of a registry, which reads each file once.

sub warm
{
    my ($front, $name, $image, $url) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @login = $hosted->closed($name) ? $hosted->login : ();

    $hosted->forget_requests;

    my $job = $front->run(url => $url // $image->{url}, @login);

    is($job->{state}, 'SUCCESS', "$name: a job") or diag(reason($job));

    my %count;
    $count{$_}++ for map { m{^GET (\S+)} ? $1 : () } $hosted->requests($name);

    is_deeply([ grep { $count{$_} != 1 } @{ $image->{paths} }, $image->{index} ],
              [], "$name: each file was requested once");
}


# Clients of the front get all of an image, by this name and base of paths, and
# nobody is asked but who has to allow it.

sub pulled
{
    my ($front, $name, $image, %way) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $how = "$name by $way{host}" . ($way{base} // '') . ($way{query} // '');
    my @paths = ($image->{tag}, $image->{index}, @{ $image->{paths} });
    my @login = $hosted->closed($name)
                ? (authorization => $hosted->authorization($name)) : ();
    my @wrong;

    $hosted->forget_requests;

    for my $path (@paths) {
        my $target = ($path =~ s{^/v2}{/v2$way{base}}r) . ($way{query} // '');
        my $head = $front->get($way{host}, $target, method => 'HEAD', @login);
        my $get = $front->get($way{host}, $target, @login);
        my ($digest) = $path =~ /sha256:(.*)/;

        push @wrong, map { "$_->{status} $_->{cache} $target" }
                     grep { $_->{status} != 200 || $_->{cache} ne 'HIT' }
                     $head, $get;
        push @wrong, "other bytes $target"
            if $digest && sha256_hex($get->{body}) ne $digest;
        push @wrong, "no digest $target"
            if $path =~ /manifests/ && !$head->{headers}{'docker-content-digest'};
    }

    is_deeply(\@wrong, [], "$how: each manifest and blob is a HIT");
    is_deeply([ grep { !$hosted->closed($name) || !/^HEAD / }
                $hosted->requests($name) ], [],
              "$how: and the registry is not asked for it");
}


# Without the right to it.

sub refused
{
    my ($front, $name, $image, %way) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @statuses = map {
        my $target = ($_ =~ s{^/v2}{/v2$way{base}}r) . ($way{query} // '');
        $front->get($way{host}, $target)->{status};
    } $image->{tag}, @{ $image->{paths} };

    is_deeply(\@statuses, [ map { 401 } @statuses ],
              "$name by $way{host}: strangers get nothing");
}

1;
