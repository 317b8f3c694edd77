# When the registry is unavailable, clients get what is cached, but no more than they
# may have, and jobs get nothing that is old.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
};

my $upstream = DFP::Upstream->start;
my $port = $upstream->port;
my @caching = ('proxy_cache files;', 'include cache.conf;');

sub image_of { return DFP::Image->of_layer($upstream, @_) }


sub job { return ('image', url => REGISTRY . $_[0]) }


# A registry that has no answer, in several ways, and one that has.

my @unavailable = (
    (map { [ "answers $_", { status => $_ }, "origin answered $_" ] }
     500, 502, 503, 504, 429),
    [ 'hangs up', { raw => '' }, 'origin | reached' ],
    [ 'makes no sense', { raw => "HTTP/1.1 200 OK\r\n\001: a\r\n\r\n" },
      'origin | reached' ],
    [ 'says nothing', { raw => '', after => 1.5 },
      'origin | /in time|timed out/' ],
);

my $impatient = location('/v2/', REGISTRY, $port, 'proxy_read_timeout 300ms;',
                         @caching)
                . location('/files/', FILES, $port,
                           'proxy_read_timeout 300ms;', @caching);

warm_story 'an image, when the registry is unavailable', {}, $impatient, sub
{
    my $warm = shift;

    my ($image, $tag, $manifest) = image_of('away');
    my @digests = $image->paths($manifest);

    is($warm->run(job($tag))->{state}, 'SUCCESS', 'was preheated before');
    my ($body) = $warm->pull($tag);
    $warm->expire($tag);

    for my $case (@unavailable) {
        my ($how, $answer) = @$case;

        $upstream->answers($_, $answer) for $tag, @digests;
        is_deeply([ $warm->pull($tag) ], [ $body, 'STALE' ],
                  "which $how: the tag is answered");
        $warm->hits('and all that it stands for', @digests);
    }

    for my $status (401, 403, 404) {
        $upstream->answers($_, { status => $status, body => 'no' })
            for $tag, @digests;
        is_deeply([ $warm->pull($tag) ], [ 'no', 'EXPIRED' ],
                  "which answers $status: that is passed on for the tag");
        $warm->hits('and no digest is asked for', @digests);
    }
};


warm_story 'jobs, when the registry is unavailable', {}, $impatient, sub
{
    my $warm = shift;

    my (@cases, @ids);

    for my $i (0 .. $#unavailable) {
        my ($how, $answer, $reason) = @{ $unavailable[$i] };
        my (undef, $tag) = image_of("jobs-$i");
        my $file = "/files/$i";

        $upstream->answers($file, { body => $how });
        $warm->pull($_) for $tag, $file;
        $warm->expire($tag, $file);
        $upstream->answers($_, $answer) for $tag, $file;

        push @cases, [ "$how: a tag", $reason ], [ "$how: a file", $reason ];
        push @ids, $warm->post(job($tag)),
                   $warm->post('file', url => FILES . $file);
    }

    for my $i (0 .. $#cases) {
        my ($name, $reason) = @{ $cases[$i] };
        my $job = $warm->ended($ids[$i]);

        is($job->{state}, 'FAILURE', "which $name has no stale copy");
        like(reason($job), facts($reason), 'for the reason that it has');
    }
};


warm_story 'a private cache', {},
           location('/v2/', REGISTRY, $port, 'dfpreheat_access on;', @caching),
           sub
{
    my $warm = shift;

    my @right = (headers => { Authorization => 'Bearer right' });
    my (undef, $tag) = image_of('private');
    my $url = "http://127.0.0.1:$warm->{port}$tag";
    my $body = $upstream->body($tag);
    my %answer = (headers => [ 'Content-Type' => DFP::Image::MANIFEST ],
                  body => $body);
    my %no = (status => 401, body => 'no', headers => [
                  'WWW-Authenticate' => 'Basic realm="r"' ]);
    my $got = sub {
        my $answer = $warm->{http}->get($url, @_ ? { @_ } : ());
        return "$answer->{status} "
               . ($answer->{headers}{'x-cache'} // '-');
    };

    $upstream->answers($tag, { %answer,
        wants => 'Authorization: Bearer right', refusal => { %no } });
    is($got->(@right), '200 MISS', 'who may have it gets it');
    $warm->expire($tag);
    is($got->(), '401 BYPASS', 'who may not does not get it when it is old');

    $upstream->answers($tag, { status => 503 });
    is($got->(), '503 -', 'nor when nobody can be asked');
    is($got->(@right), '200 STALE', 'who was let in before does');
};

done_testing();
