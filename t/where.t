# Where is it: GET and DELETE of /oapi/v1/cache.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Image;
use DFP::Upstream;
use DFP::Warm;

use constant REGISTRY => 'http://registry.test';

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port);


sub escaped { $_[0] =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger }

sub asked
{
    my ($warm, $url, %query) = @_;

    my $method = delete $query{method} // 'GET';
    my $query = join '&', map { "$_=" . escaped($query{$_}) } sort keys %query;

    return $warm->{servers}->client->request($method,
        '/oapi/v1/cache?url=' . escaped($url) . ($query && "&$query"));
}


warm_story 'an image', {}, $locations, sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'app');
    my $manifest = $image->manifest($image->layer('one'), $image->layer('two'));

    $image->tag('1', $manifest);
    is($warm->run('image', url => REGISTRY . $image->by_tag('1'))->{state}, 'SUCCESS');
    my $answer = asked($warm, REGISTRY . $image->by_tag('1'));
    diag($answer->{status}, $answer->{body});
    $upstream->forget_requests;
    $answer = asked($warm, REGISTRY . $image->by_tag('1'), method => 'DELETE');
    diag($answer->{status}, $answer->{body});
    is(scalar $upstream->requests, 0);
    $answer = asked($warm, REGISTRY . $image->by_tag('1'));
    diag($answer->{status}, $answer->{body});
    is(scalar $upstream->requests, 1);
    diag($warm->{servers}->log_tail(20));
};

done_testing();
