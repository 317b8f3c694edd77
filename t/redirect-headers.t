# Headers of a redirect that clients need (Hugging Face's X-Repo-Commit): they come with
# the answer to which the redirect leads, also from the cache, and change with the
# redirect.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;

use DFP::Facts;
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    HUB  => 'http://hub.test',
    PATH => '/files/model',
    SOON => 10,         # s
};

my $hub = DFP::Upstream->start;
my $cdn = DFP::Upstream->start;
my $cdn_url = 'http://127.0.0.1:' . $cdn->port;

my @kept = qw( X-Repo-Commit X-Linked-Etag X-Linked-Size );
my @lines = ("dfpreheat_redirect_headers @kept;", 'proxy_cache files;',
             'include cache.conf;', 'include follow.conf;');
my $locations = location('/files/', HUB, $hub->port, @lines) . redirects($cdn_url);


# The hub's redirect for a commit, with more headers.

sub leads
{
    my ($commit, @more) = @_;

    $hub->answers(PATH, { status => 302, headers => [
        Location => "$cdn_url/blob", 'X-Repo-Commit' => $commit,
        'x-linked-etag' => '"etag"', 'X-Linked-Size' => 5,
        'Set-Cookie' => 'session=1', 'X-Other' => 'other', @more ] });
}


# The blob, which has not changed for who has it.

sub blob
{
    my ($body, $tag, @more) = @_;

    my @headers = (ETag => qq("$tag"), @more);

    $cdn->answers('/blob', { wants => qq(If-None-Match: "$tag"), status => 304,
                             headers => [ @headers ],
                             refusal => { body => $body, headers => [ @headers ] } });
}


# An answer to the byte: its status, how the cache had a part in it, its headers with
# these names, and its body.

sub got
{
    my ($warm, %request) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $warm->{port})
        or die "no connection: $!";
    syswrite $socket, join "\r\n", ($request{method} // 'GET') . ' ' . PATH
        . ' HTTP/1.1', 'Host: hub.test', 'Connection: close',
        @{ $request{headers} // [] }, '', '';

    my ($head, $body) = split /\r\n\r\n/, whole_answer($socket, SOON), 2;
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)};
    my ($cache) = $head =~ /^X-Cache: (\S+)/m;

    return join ' ', $status, $cache // '-',
                     (sort map { lc } $head =~ /^(x-(?:repo|linked)-\w+: \S+)/gmi),
                     $body;
}

sub sent
{
    my $commit = shift;

    return qq(x-linked-etag: "etag" x-linked-size: 5 x-repo-commit: $commit);
}


sub run { return $_[0]->run('file', url => HUB . PATH) }


warm_story 'a file that a job has warmed', {}, $locations, sub
{
    my $warm = shift;

    leads('aaaa');
    blob('model', 1);

    is(run($warm)->{state}, 'SUCCESS', 'a job');
    is(got($warm), '200 HIT ' . sent('aaaa') . ' model',
       'has the headers of its redirect');
    is(got($warm, method => 'HEAD'), '200 HIT ' . sent('aaaa') . ' ', 'for HEAD');
    is(got($warm, headers => ['Range: bytes=1-2']),
       '206 HIT ' . sent('aaaa') . ' od', 'for a part');
    is(got($warm, headers => ['If-None-Match: "1"']),
       '304 HIT ' . sent('aaaa') . ' ', 'and for who has it');

    my $answer = $warm->{http}->get("http://127.0.0.1:$warm->{port}" . PATH);

    is_deeply([ map { $answer->{headers}{$_} } qw( location set-cookie x-other ) ],
              [ undef, undef, undef ], 'and no others');
};


warm_story 'a file that a client was the first to get', {}, $locations, sub
{
    my $warm = shift;

    leads('aaaa');
    blob('model', 1, 'X-Repo-Commit' => 'of the cdn');

    is(got($warm), '200 MISS ' . sent('aaaa') . ' model', 'has them at once');
    is(got($warm), '200 HIT ' . sent('aaaa') . ' model', 'and from the cache');

    # a body that does not fit into the buffer of the header

    my $large = join ' ', 1 .. 100_000;

    leads('bbbb');
    blob($large, 2);
    $warm->expire(PATH);
    is(got($warm), '200 EXPIRED ' . sent('bbbb') . " $large", 'a large one');
    is(got($warm), '200 HIT ' . sent('bbbb') . " $large", 'is whole, too');
};


for my $who ('a job', 'a client') {

    warm_story "a commit that has not changed the file, when $who asks", {},
        $locations, sub
    {
        my $warm = shift;

        my $asks = sub {
            return run($warm)->{state} if $who eq 'a job';
            $warm->expire(PATH);
            return got($warm) =~ /^200 \w+ (\S+ \S+ ){3}model$/ ? 'SUCCESS' : 'FAILURE';
        };

        leads('aaaa');
        blob('model', 1);
        run($warm);
        $cdn->forget_requests;

        leads('bbbb');
        is($asks->(), 'SUCCESS', 'gets the answer');
        is(got($warm), '200 HIT ' . sent('bbbb') . ' model', 'has the new commit');

        my @requests = $cdn->requests;

        is(scalar @requests, 1, 'the file was asked for once');
        like($requests[0], qr/^If-None-Match: "1"\r$/m, 'and did not come again');

        # a header of another length, and one that there was not

        for my $commit ('a-longer-one', 'short') {
            $cdn->forget_requests;
            leads($commit);
            is($asks->(), 'SUCCESS', "$commit: gets the answer");
            is(got($warm), '200 HIT ' . sent($commit) . ' model',
               'has the new commit');
            is(scalar(grep { /^If-None-Match/m } $cdn->requests), 0,
               'the file was fetched again');
        }
    };
}


warm_story 'a file that was stored without them', {}, $locations, sub
{
    my $warm = shift;

    $hub->answers(PATH, { status => 302, headers => [
        Location => "$cdn_url/blob" ] });
    blob('model', 1);
    run($warm);
    is(got($warm), '200 HIT model', 'has none');

    leads('aaaa');
    is(run($warm)->{state}, 'SUCCESS', 'a job');
    is(got($warm), '200 HIT ' . sent('aaaa') . ' model', 'has them then');
};


warm_story 'several redirects', {}, $locations, sub
{
    my $warm = shift;

    blob('model', 1);
    $hub->answers(PATH, { status => 307, headers => [
        Location => "$cdn_url/step", 'X-Repo-Commit' => 'first',
        'X-Linked-Size' => 5 ] });
    $cdn->answers('/step', { status => 302, headers => [
        Location => 'blob', 'X-Repo-Commit' => 'second' ] });

    is(run($warm)->{state}, 'SUCCESS', 'a job follows them');
    is(got($warm), '200 HIT x-linked-size: 5 x-repo-commit: second model',
       'the last one that has a header counts');
};


warm_story 'headers for which there is no room', {}, $locations, sub
{
    my $warm = shift;

    leads('a' x 3000);
    blob('model', 1, 'X-Long' => 'b' x 1500);

    my $job = run($warm);

    is($job->{state}, 'FAILURE', 'are not stored');
    ok(scalar(grep { /proxy_buffer_size/ } $warm->{servers}->log_tail(40)),
       'the error log says what is needed');
    like(got($warm), qr/^200 MISS .* x-repo-commit: a{3000} model$/,
         'clients get them all the same');
};

done_testing();
