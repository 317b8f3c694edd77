# Answers that are compressed though nobody asked for that.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Compress::Gzip qw( gzip );
use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Swarm;
use DFP::Upstream;
use DFP::Warm;

use constant PACKED => 'Content-Encoding';

my $service = DFP::Upstream->start;


sub packed
{
    my $bytes = shift;

    gzip(\$bytes, \my $packed) or die 'gzip';

    return $packed;
}


# An image whose documents are sent so; its URL by tag, and the paths of its blobs.

sub packed_image
{
    my ($upstream, $name) = @_;

    my $image = DFP::Image->new($upstream, $name);
    my $manifest = $image->manifest($image->layer("one of $name"));

    $image->tag('1', $manifest);
    my ($by_digest, @blobs) = $image->paths($manifest);

    pack_answer($upstream, $_) for $image->by_tag('1'), $by_digest;

    return (REGISTRY . $image->by_tag('1'), @blobs);
}


# What is at this path is sent so from now on.

sub pack_answer
{
    my ($upstream, $path, @headers) = @_;

    $upstream->answers($path, { body => packed($upstream->body($path)),
                                headers => [ PACKED, 'gzip', @headers ] });
}


swarm_story 'a packed manifest, for Dragonfly',
            { seeds => 1, locations => calls('http://127.0.0.1:'
                                             . $service->port) }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my ($url) = packed_image($upstream, 'app');
    my $job = $warm->run('image', url => $url);

    is($job->{state}, 'FAILURE', 'is not read');
    like(error($job), facts('compressed | Content-Encoding | "gunzip on"'),
         'and the job says what unpacks it');

    $upstream->answers('/v2/plain/manifests/1', {
        body => '{}', headers => [ PACKED, 'Identity' ] });
    $job = $warm->run('image', url => REGISTRY . '/v2/plain/manifests/1');
    unlike(error($job), qr/compressed/, 'what is not packed may say so');

    $upstream->answers('/v2/closed/manifests/1', { status => 401, headers => [
        'WWW-Authenticate' => 'Bearer realm="http://127.0.0.1:' . $service->port
                              . '/token"' ] });
    $service->answers('/token', { body => packed('{"token":"a"}'),
                                  headers => [ PACKED, 'gzip' ] });
    $job = $warm->run('image', url => REGISTRY . '/v2/closed/manifests/1');
    like(error($job), facts('/127\.0\.0\.1:\d+:/ | answer | compressed'),
         'nor is a packed token read');
};


swarm_story 'a packed manifest, for Dragonfly, where nginx unpacks',
            { seeds => 1, http => "gunzip on;\ndfpreheat_max_manifest_size 8k;" },
            sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my ($url, @blobs) = packed_image($upstream, 'app');
    my $job = $warm->run('image', url => $url);

    is($job->{state}, 'SUCCESS', 'is read') or diag(error($job));
    is(scalar @{ told($job, 'success_tasks') }, @blobs,
       'and a peer has what is in it');

    # a thousand times its size

    $upstream->answers('/v2/bomb/manifests/1', {
        body => packed(' ' x 8_000_000), headers => [ PACKED, 'gzip' ] });
    $job = $warm->run('image', url => REGISTRY . '/v2/bomb/manifests/1');
    like(error($job), facts('answer | 8192 bytes'),
         'dfpreheat_max_manifest_size is for what comes out');
};


my $upstream = DFP::Upstream->start;

warm_story 'a packed image, for the cache', {},
           location('/v2/', REGISTRY, $upstream->port), sub
{
    my $warm = shift;

    my ($url, @blobs) = packed_image($upstream, 'app');
    my $job = $warm->run('image', url => $url);

    is($job->{state}, 'FAILURE', 'is not warmed');
    like(error($job), facts('compressed | Content-Encoding'), 'and the job says why');
    is(($warm->pull('/v2/app/manifests/1'))[1], 'MISS',
       'clients get it from the registry');

    # the manifest is in order, a blob is packed on its way

    my $image = DFP::Image->new($upstream, 'other');
    my $manifest = $image->manifest($image->layer('to be packed ' x 100));

    $image->tag('1', $manifest);
    my (undef, undef, $blob) = $image->paths($manifest);
    pack_answer($upstream, $blob);

    $job = $warm->run('image', url => REGISTRY . $image->by_tag('1'));
    is($job->{state}, 'FAILURE', 'nor is a blob');
    like(error($job), facts('compressed | origin'), 'of which the job says the same');
};

done_testing();
