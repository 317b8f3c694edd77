# conf/examples/cluster: three nginx that request blobs from each other, and one
# that balances. What the registry sends, and what clients get.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use MIME::Base64 qw( encode_base64 );
use Test::More;

use DFP::Announce;
use DFP::Certificates;
use DFP::ExampleCluster qw( BALANCER INSTANCES );
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Registry qw( skopeo_pull );
use DFP::Upstream;

use constant {
    SUITE_SECONDS => 100,
    JOB_SECONDS   => 20,
    TAG_SECONDS   => 5,         # tags are valid for 1 s here
    LAYERS        => 3,
    WRONG_AT      => -100,      # where a byte of a file is changed
};

my @instances = 1 .. INSTANCES;

my $ca = DFP::Certificates->new;
my $open = DFP::Registry->start;
my $registry = registry();


# Another registry with the same images, behind TLS.

sub registry
{
    my @options = @_;

    return DFP::Registry->start(images_of => $open, @options,
                                tls => $ca->issue('127.0.0.1'));
}


sub cluster_story
{
    my ($name, $options, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    subtest $name => sub {
        local $SIG{ALRM} = sub { die "the story takes too long\n" };
        alarm SUITE_SECONDS;

        my $cluster = DFP::ExampleCluster->start(
            registry => $registry, ca => $ca, %$options);

        $registry->forget_requests;

        ok(eval { $code->($cluster); 1 }, 'the story was told to its end')
            or diag($@);

        $cluster->stop_all;
        alarm 0;

        is_deeply([ $cluster->severe ], [],
                  'no alert, crit or emerg was logged');
    };
}


sub url
{
    my ($cluster, $path) = @_;

    return 'https://127.0.0.1:' . $cluster->{registry}->port . $path;
}


# A job of an image, posted to the balancer, for all instances or for these.

sub warm
{
    my ($cluster, $image, $chosen, %args) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $args{ips} = [ map { $cluster->address($_) } @$chosen ] if $chosen;

    my $id = $cluster->post(BALANCER, url => url($cluster, $image->{url}), %args);
    my $job = $cluster->ended_job(BALANCER, $id, JOB_SECONDS);

    is($job->{state}, 'SUCCESS', 'a job ends well') or diag(explain($job));
    is_deeply([ sort map { $_->{hostname} }
                     map { $_->{success_tasks}[0] }
                     @{ $job->{result}{job_states}[0]{results} } ],
              [ map { "nginx-$_" } $chosen ? @$chosen : @instances ],
              'it has warmed the instances');
}


sub bytes
{
    my $cluster = shift;

    my $sum = 0;
    $sum += $_->{bytes} for $cluster->{registry}->transfers;

    return $sum;
}


# What the registry has sent of what is named by a digest: path and how often.

sub sent
{
    my $cluster = shift;

    my %count;
    $count{ $_->{path} }++
        for grep { $_->{path} =~ /sha256:/ } $cluster->{registry}->transfers;

    return \%count;
}


sub once
{
    my @paths = @_;

    return { map { $_ => 1 } @paths };
}


# What is wrong with an answer for a path with a digest.

sub wrong
{
    my ($path, $answer) = @_;

    my ($digest) = $path =~ /sha256:(\w+)/;

    return "$path: $answer->{status}" if $answer->{status} != 200;
    return "$path: other bytes" if sha256_hex($answer->{body}) ne $digest;

    return;
}


sub everything
{
    my $image = shift;

    return ($image->{index}, @{ $image->{paths} });
}


# All of an image is right on these instances, and in their caches.

sub cached_on
{
    my ($cluster, $image, @where) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @wrong;

    for my $n (@where) {
        for my $path (everything($image)) {
            my $answer = $cluster->get($n, $path);
            push @wrong, map { "$n: $_" } wrong($path, $answer),
                         $answer->{cache} eq 'HIT' ? ()
                                                   : "$path: $answer->{cache}";
        }
    }

    is_deeply(\@wrong, [], 'clients get the right bytes from caches');
}


# The instances to which the registry has sent a path, by number.

sub receivers
{
    my ($cluster, $path) = @_;

    my %client = map { $_->{client} => 1 } grep { $_->{path} eq $path }
                 $cluster->{registry}->transfers;

    return grep { $client{ $cluster->address($_) } } @instances;
}


my $app = $open->push_image('team/app');
my %figures;

cluster_story 'without the example: the registry sends an image three times',
    { alone => 1 }, sub
{
    my $cluster = shift;

    warm($cluster, $app);

    $figures{without} = bytes($cluster);
    is_deeply(sent($cluster), { map { $_ => INSTANCES } everything($app) },
              'each blob was sent to each instance');
    cached_on($cluster, $app, @instances);
};

cluster_story 'with the example', {}, sub
{
    my $cluster = shift;

    warm($cluster, $app);
    $figures{with} = bytes($cluster);
    is_deeply(sent($cluster), once(everything($app)),
              'each blob was sent once');
    cached_on($cluster, $app, @instances);
    is_deeply([ map { my $path = $_; map { scalar $cluster->copies($_, $path) }
                                     @instances } @{ $app->{paths} } ],
              [ map { (1) x INSTANCES } @{ $app->{paths} } ],
              'each cache has one copy');

    clients_at_once($cluster);
    through_the_balancer($cluster);
    strangers($cluster);
    moved_tag($cluster);
    wrong_copy($cluster);
    registry_is_down($cluster);
};


sub clients_at_once
{
    my $cluster = shift;

    my $image = $open->push_image('team/clients');
    my @paths = ($image->{index}, $image->{paths}[-1]);

    $registry->forget_requests;

    my @wrong;

    for my $path (@paths) {
        my @answers = map { $cluster->finish($_) }
                      map { $cluster->begin($_, $path) } @instances, @instances;
        push @wrong, map { wrong($path, $_) } @answers;
    }

    is_deeply(\@wrong, [], 'clients of all instances at once get right bytes');
    is_deeply(sent($cluster), once(@paths), 'each blob was sent once');
}


sub through_the_balancer
{
    my $cluster = shift;

    my $image = $open->push_image('team/balanced');
    my @paths = everything($image);

    $registry->forget_requests;

    is(skopeo_pull($cluster->port, 'team/balanced:1.0'), '',
       'an image is pulled through the balancer');
    is_deeply(sent($cluster), once(grep { $_ ne $image->{index} } @paths),
              'each blob was sent once');
    is_deeply([ map { my $path = $_;
                      scalar map { $cluster->copies($_, $path) } @instances }
                    @{ $image->{paths} } ],
              [ (1) x @{ $image->{paths} } ],
              'the cluster has one copy of each');
}


sub strangers
{
    my $cluster = shift;

    my $path = $app->{paths}[-1];
    my $inner = "/cluster$path";

    is_deeply([ map { $cluster->get($_, $inner)->{status} } @instances ],
              [ (403) x INSTANCES ],
              'nobody but instances gets what is behind /cluster/');
    is_deeply([ map { $cluster->get(BALANCER, "$_$path")->{status} }
                    qw( /cluster /v2/../cluster /v2/%2e%2e/cluster ) ],
              [ (404) x 3 ], 'not through the balancer either');
    is($cluster->get(1, $inner, from => $cluster->address(2))->{status}, 200,
       'an instance does');
}


sub moved_tag
{
    my $cluster = shift;

    my $was = $cluster->get(1, $app->{url})->{body};
    my $now = $open->push_image('team/app', 'second');
    my ($digest) = $now->{index} =~ /sha256:(\w+)/;

    $registry->forget_requests;
    warm($cluster, $now, [1]);
    is(sha256_hex($cluster->get(1, $app->{url})->{body}), $digest,
       'a job gets the tag as it is now');

    for my $n (2, 3, BALANCER) {
        ok(wait_until(TAG_SECONDS, sub {
            sha256_hex($cluster->get($n, $app->{url})->{body}) eq $digest;
        }), "clients of $n get it when dfpreheat_tag_valid has passed");
    }

    is_deeply([ receivers($cluster, $app->{url}) ], \@instances,
              'each instance has requested it from the registry itself');
    isnt(sha256_hex($was), $digest, 'it has moved');
}


# The copy that others get is wrong: each job finds it, and it is replaced.

sub wrong_copy
{
    my $cluster = shift;

    my $image = $open->push_image('team/wrong');
    my $path = $image->{paths}[-1];

    $registry->forget_requests;
    $cluster->get(1, $path);
    my ($owner) = receivers($cluster, $path);
    my ($other) = grep { $_ != $owner && !$cluster->copies($_, $path) }
                  @instances;

    my ($copy) = $cluster->copies($owner, $path);
    open my $file, '+<:raw', $copy or die "$copy: $!";
    seek $file, WRONG_AT, 2 or die "seek: $!";
    print {$file} "\0";
    close $file;

    is(scalar(wrong($path, $cluster->get($other, $path))), "$path: other bytes",
       'the owner has a wrong copy, and another one has got it');

    warm($cluster, $image, [$other]);
    is_deeply([ map { wrong($path, $cluster->get($_, $path)) } $other, $owner ],
              [], 'after a job of the other one, neither has it');
}


sub registry_is_down
{
    my $cluster = shift;

    my $image = $open->push_image('team/down');
    my $path = $image->{paths}[-1];

    $registry->forget_requests;
    $cluster->get(1, $path);

    my ($owner) = receivers($cluster, $path);
    my ($other) = grep { !$cluster->copies($_, $path) } @instances;

    $registry->stop_serving;

    is_deeply([ wrong($path, $cluster->get($other, $path)) ], [],
              'the registry is down: a blob comes from its owner');

    $registry = registry();
}


cluster_story 'an owner is killed', {}, sub
{
    my $cluster = shift;

    # what is pulled through the balancer is at its owner only

    my $path = $app->{paths}[-1];

    $cluster->get(BALANCER, $path);
    my ($owner) = receivers($cluster, $path);
    my @left = grep { $_ != $owner } @instances;

    # it hangs, which the others notice when proxy_connect_timeout has passed

    $cluster->signal($owner, 'STOP');
    is_deeply([ wrong($path, $cluster->get($left[0], $path)) ], [],
              'a blob of an owner that hangs comes from another one');

    $cluster->kill_nginx($owner, 'KILL');

    my $image = $open->push_image('team/app', 'third');

    $registry->forget_requests;
    warm($cluster, $image, \@left);
    is_deeply(sent($cluster), once(everything($image)),
              'each blob was sent once');
    cached_on($cluster, $image, @left);
    is_deeply([ map { wrong($_, $cluster->get(BALANCER, $_)) }
                    everything($image), $path ], [],
              'clients of the balancer get it, too');

    $cluster->start_nginx($owner);
    is_deeply([ map { wrong($_, $cluster->get($owner, $_)) }
                    everything($image) ], [],
              'and those of that nginx, when it is back');
};


my $private = registry(users => { alice => 'secret' });

cluster_story 'private images', { registry => $private, access => 1 }, sub
{
    my $cluster = shift;

    my $image = $open->push_image('team/private');
    my @paths = everything($image);
    my $alice = 'Basic ' . encode_base64('alice:secret', '');

    warm($cluster, $image, undef, username => 'alice', password => 'secret');
    my %sent = %{ sent($cluster) };
    my @blobs = grep { m{/blobs/} } @paths;

    # manifests of private images are always requested from the registry

    is_deeply([ @sent{@blobs} ], [ (1) x @blobs ], 'each blob was sent once');

    for my $n (@instances, BALANCER) {
        is_deeply([ map { $cluster->get($n, $_)->{status} } @paths ],
                  [ map { 401 } @paths ], "$n: strangers get nothing");
        is_deeply([ map { wrong($_, $cluster->get($n, $_,
                                    authorization => $alice)) } @paths ], [],
                  "$n: alice gets all of it");
    }

    is_deeply(sent($cluster), \%sent, 'from caches');
};


# A registry that keeps its blobs elsewhere: what is asked of both goes through
# TLS.

my $elsewhere = DFP::Upstream->start;
my $storage = DFP::Upstream->start;

sub tls
{
    my $upstream = shift;

    return DFP::Certificates::Server->start($upstream->port,
                                            $ca->issue('127.0.0.1'));
}


my $storage_url = 'https://127.0.0.1:' . tls($storage)->port;

cluster_story 'blobs behind redirects',
    { registry => tls($elsewhere), follows => $storage_url }, sub
{
    my $cluster = shift;

    my $image = DFP::Image->new($elsewhere, 'team/far');
    my $manifest = $image->manifest(map { $image->layer("layer $_") } 1 .. LAYERS);
    my ($itself, @blobs) = $image->paths($manifest);

    $image->tag('1', $manifest);

    for my $path (@blobs) {
        $storage->answers($path, { body => $elsewhere->body($path) });
        $elsewhere->answers($path, { status => 307, headers => [
            Location => "$storage_url$path?signature=of-the-registry" ] });
    }

    my $far = { url => $image->by_tag('1'), index => $itself, paths => \@blobs };

    warm($cluster, $far);
    is_deeply([ map { scalar $storage->requests($_) } @blobs ],
              [ (1) x @blobs ], 'each blob was sent once');
    cached_on($cluster, $far, @instances);
};


announce("bytes that the registry has sent for three instances: without the example "
         . "$figures{without}, with it $figures{with}");
cmp_ok($figures{with}, '<', $figures{without} / INSTANCES * 1.01,
       'three instances cost the registry hardly more than one');

done_testing();
