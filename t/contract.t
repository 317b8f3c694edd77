# The contract: docs/openapi.yaml is served, and schemathesis, which makes requests
# of it, right ones and wrong ones, finds no answer that it does not describe.
# (What it has of fields and limits: contract-fields.t)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use HTTP::Tiny;
use Test::More;

use DFP::Client;
use DFP::Contract qw( document schemathesis );
use DFP::Story qw( story );

use constant {
    PATH     => '/oapi/v1/openapi.yaml',
    JOB      => '{"type": "preheat", "args": {"type": "file",'
                . ' "url": "http://nobody.test/file"}}',
    OTHERS   => 4_000_000_000,      # ids that schemathesis does not choose
};


story 'the document', {}, sub
{
    my $servers = shift;

    my $http = HTTP::Tiny->new;
    my $url = "http://127.0.0.1:$servers->{port}" . PATH;
    my $answer = $http->get($url);
    my $tag = $answer->{headers}{etag};

    open my $file, '<:raw', "$FindBin::Bin/../docs/openapi.yaml"
        or die "openapi.yaml: $!";
    my $text = do { local $/; <$file> };

    is($answer->{status}, 200, 'needs no token');
    is($answer->{headers}{'content-type'}, 'application/yaml', 'is YAML');
    ok($answer->{content} eq $text, 'is docs/openapi.yaml, byte for byte');

    my $head = $http->head($url);

    is($head->{status}, 200, 'HEAD shows it, too');
    is($head->{headers}{'content-length'}, length $text, 'with its length');

    is($http->get($url, { headers => { 'If-None-Match' => $tag } })->{status},
       304, 'who has it is told so');
    is($http->get($url, { headers => { 'If-None-Match' => '"x"' } })->{status},
       200, 'who has another one gets it');

    my $other = $http->post($url);

    is($other->{status}, 405, 'nothing is posted there');
    is($other->{headers}{allow}, 'GET, HEAD, OPTIONS', 'and what is done is said');
};


# nginx compares such headers when the answer begins, and said 412 of jobs that it
# had accepted.

story 'preconditions', {}, sub
{
    my $servers = shift;

    my $client = $servers->client;

    for my $header ('If-Unmodified-Since: Mon, 01 Jan 2024 00:00:00 GMT',
                    'If-Match: "x"')
    {
        my ($name, $value) = split /: /, $header;
        my $answer = $client->request('POST', '/oapi/v1/jobs', JOB,
                                      { $name => $value });

        is($answer->{status}, 200, "$name does not hide what was done");
    }
};


story 'the methods of each path', {}, sub
{
    my $servers = shift;

    my $client = DFP::Client->new(port => $servers->{port});
    my $paths = document()->{paths};

    for my $path (sort keys %$paths) {
        my @methods = sort map { uc } grep { $_ ne 'parameters' }
                      keys %{ $paths->{$path} };
        my $answer = HTTP::Tiny->new->request('OPTIONS',
            "http://127.0.0.1:$servers->{port}" . $path =~ s/\{id\}/1/r);

        is_deeply([ sort split /, /, $answer->{headers}{allow} // '' ],
                  \@methods, "$path: @methods");
    }
};


# Streams of events are left out, as they do not end: see contract-fields.t.

story 'requests with a token', {}, sub
{
    my $servers = shift;

    $servers->redis('set', 'dfpreheat:token:next', OTHERS);

    my ($good, $text) = asked($servers, $servers->token('job', 'cluster'),
                              '--exclude-path-regex', '^/api/|/events$');

    ok($good, 'all answers are as they are described') or diag($text);
};


story 'requests with the admin key', {}, sub
{
    my $servers = shift;

    my ($good, $text) = asked($servers, $servers->ADMIN_KEY,
                              '--include-path-regex', '^/api/');

    ok($good, 'all answers are as they are described') or diag($text);
};

done_testing();


sub asked
{
    my ($servers, $token, @options) = @_;

    return schemathesis($servers->{dir}, $servers->{port}, $token,
                        '--exclude-method', 'OPTIONS', @options);
}
