# Bytes that are not what their digest says: they are found wherever they were
# altered, and nobody pulls them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find;
use Test::More;

use DFP::Image;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    TRIES    => 4,
    REASON   => 'its bytes do not have this digest: they were altered on their '
                . 'way, or in the cache',
};

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port);


# An image with one layer; its URL, and the path of the layer.

sub image_of
{
    my ($name, $bytes) = @_;

    my $image = DFP::Image->new($upstream, $name);
    my $layer = $image->layer($bytes);

    $image->tag('1', $image->manifest($layer));

    return (REGISTRY . $image->by_tag('1'), $image->path($layer));
}


sub failed
{
    my $job = shift;

    return $job->{result}{job_states}[0]{results}[0]{failure_tasks};
}


warm_story 'a layer that the registry alters', {}, $locations, sub
{
    my $warm = shift;

    my ($url, $blob) = image_of('altered', 'a layer of bytes');
    $upstream->answers($blob, { body => 'a layer of bitts' });
    $upstream->forget_requests;

    my $job = $warm->run('image', url => $url);

    is($job->{state}, 'FAILURE', 'is no success');
    is_deeply([ map { $_->{description} } @{ failed($job) } ],
              [ REASON . ' (' . TRIES . ' tries)' ], 'and says what is wrong');
    is(scalar $upstream->requests($blob), TRIES, 'after several tries');
    is(($warm->pull($blob))[1], 'MISS', 'a client does not get it from here');
};


warm_story 'a layer that is altered on its way, once', {}, $locations, sub
{
    my $warm = shift;

    my ($url, $blob) = image_of('once', 'a layer of bytes');
    $upstream->answers($blob, { body => 'a layer of bitts' },
                       { body => 'a layer of bytes' });

    is($warm->run('image', url => $url)->{state}, 'SUCCESS',
       'is fetched again');
    is_deeply([ $warm->pull($blob) ], [ 'a layer of bytes', 'HIT' ],
              'and clients get the right one');
};


warm_story 'a layer that rots in the cache', {}, $locations, sub
{
    my $warm = shift;

    my ($url, $blob) = image_of('rotten', 'a layer that rots');
    my @files;

    is($warm->run('image', url => $url)->{state}, 'SUCCESS', 'it was warmed');

    find(sub { push @files, $File::Find::name if -f },
         "$warm->{servers}{dir}/cache");

    for my $path (@files) {
        open my $file, '+<:raw', $path or die "$path: $!";
        local $/;
        my $text = <$file>;

        if ($text =~ s/a layer that rots/a layer that ruts/) {
            seek $file, 0, 0;
            print {$file} $text;
        }

        close $file or die "$path: $!";
    }

    is(($warm->pull($blob))[0], 'a layer that ruts', 'and has changed since');
    is($warm->run('image', url => $url)->{state}, 'SUCCESS',
       'the next job mends it');
    is_deeply([ $warm->pull($blob) ], [ 'a layer that rots', 'HIT' ],
              'clients get the right one again');
};

done_testing();
