# tag and application of a job, where the operator has added their variables to the key
# of the cache: each pair is another entry, which clients get that name it by the headers
# of Dragonfly's proxies.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use JSON::PP ();
use Test::More;

use DFP::Facts;
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    FILES => 'http://files.test',
    SOON  => 10,        # s
    KEY   => '"$dfpreheat_cache_key $dfpreheat_tag $dfpreheat_application"',
};

my $upstream = DFP::Upstream->start;
my $locations = location('/files/', FILES, $upstream->port);


# The options of a story whose locations have this key.

sub keyed
{
    my $key = shift;

    return { before_nginx => sub {
        my $file = "$_[0]{dir}/cache.conf";

        open my $in, '<', $file or die "$file: $!";
        my $text = do { local $/; <$in> };
        $text =~ s/^(proxy_cache_key\s+)\$dfpreheat_cache_key;$/$1$key;/m
            or die 'no key';
        open my $out, '>', $file or die "$file: $!";
        print {$out} $text;
        close $out or die "$file: $!";
    } };
}


# How the cache answers a client with a tag and an application.

sub how
{
    my ($warm, $path, $tag, $application) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $warm->{port})
        or die "no connection: $!";
    my @headers = (defined $tag ? "X-Dragonfly-Tag: $tag" : (),
                   defined $application
                   ? "x-dragonfly-application: $application" : ());

    syswrite $socket, join "\r\n", "GET $path HTTP/1.0", @headers, '', '';

    return whole_answer($socket, SOON) =~ /^X-Cache: (\S+)\r$/m ? $1 : '-';
}


warm_story 'files with a tag and an application', keyed(KEY), $locations, sub
{
    my $warm = shift;

    my $path = '/files/tagged';

    $upstream->answers($path, { body => 'tagged' });

    my @pairs = ([ undef, undef ], [ 'blue', undef ], [ 'blue', 'app' ],
                 [ undef, 'blue' ], [ 'a b', 'c' ], [ 'a', 'b c' ],
                 [ 'x|y', "caf\xc3\xa9" ]);

    for my $pair (@pairs) {
        my ($tag, $application) = @$pair;
        my $name = join ', ', map { $_ // 'none' } @$pair;

        # text of JSON has characters, headers have bytes

        my %args = (tag => $tag, application => $application);
        utf8::decode($_) for grep { defined } values %args;

        $upstream->forget_requests;
        is($warm->run('file', url => FILES . $path, %args)->{state}, 'SUCCESS',
           "$name: a job");
        is(scalar $upstream->requests, 1, 'asks the origin');
        is(how($warm, $path, @$pair), 'HIT', 'a client of both gets a HIT');
        is(scalar $upstream->requests, 1, 'without the origin');
    }

    is(how($warm, $path, 'green'), 'MISS', 'one of another tag does not');
    is(how($warm, $path, 'green'), 'HIT', 'and has an entry of its own then');
};


warm_story 'a rehearsal of a file with a tag', keyed(KEY),
           $locations . rehearsal(), sub
{
    my $warm = shift;

    $upstream->answers('/files/rehearsed', { body => 'rehearsed' });

    my $job = $warm->run('file', url => FILES . '/files/rehearsed',
                         tag => 'blue', application => 'a b',
                         verify => JSON::PP::true);

    is($job->{state}, 'SUCCESS', 'requests the entry of that tag')
        or diag(explain $job->{result});
    is($warm->run('file', url => FILES . '/files/rehearsed',
                  verify => JSON::PP::true)->{state}, 'SUCCESS',
       '... and one without, that of none');
};


# How many nginx hold a task, as get_task has found.

sub holders
{
    my ($warm, %args) = @_;

    my $answer = $warm->{servers}->client->post('/oapi/v1/jobs', {
        type => 'get_task', args => { url => FILES . '/files/task', %args } });
    my $job = $warm->ended($answer->{json}{id});

    return scalar map { @{ $_->{peers} } }
                  map { @{ $_->{results} // [] } } @{ $job->{result}{job_states} };
}


warm_story 'who has the task of a tag', keyed(KEY), $locations, sub
{
    my $warm = shift;

    $upstream->answers('/files/task', { body => 'task' });
    is($warm->run('file', url => FILES . '/files/task', tag => 'blue',
                  application => 'app')->{state}, 'SUCCESS', 'a job');
    is(holders($warm, tag => 'blue', application => 'app'), 1,
       'this nginx, when it is asked for both');
    is(holders($warm, tag => 'blue'), 0, 'and nobody has that without one');
};


warm_story 'a tag of a job where the key has none', {}, $locations, sub
{
    my $warm = shift;

    my $path = '/files/untagged';

    $upstream->answers($path, { body => 'untagged' });
    is($warm->run('file', url => FILES . $path, tag => 'blue')->{state}, 'SUCCESS',
       'is no part of it');
    is(how($warm, $path), 'HIT', 'clients need none');
    is(how($warm, $path, 'green'), 'HIT', 'and another one does not matter');
};


my $behind = location('/files/', FILES, $upstream->port, 'proxy_cache files;',
                      'include cache.conf;', 'include follow.conf;')
             . redirects('http://127.0.0.1:' . $upstream->port);

warm_story 'tags of files behind a redirect', keyed(KEY), $behind, sub
{
    my $warm = shift;

    $upstream->answers('/files/led', { status => 302, headers =>
        [ Location => '/elsewhere/led' ] });
    $upstream->answers('/elsewhere/led', { body => 'led' });

    is($warm->run('file', url => FILES . '/files/led', tag => 'blue')->{state},
       'FAILURE', 'the origin is not the address of the redirect');

    $upstream->answers('/files/led', { status => 302, headers => [
        Location => 'http://127.0.0.1:' . $upstream->port . '/elsewhere/led' ] });

    is($warm->run('file', url => FILES . '/files/led', tag => 'blue')->{state},
       'SUCCESS', 'a job');
    is(how($warm, '/files/led', 'blue'), 'HIT', 'a client of the tag gets it');
    is(how($warm, '/files/led'), 'MISS', 'one without does not');
};


for my $key ('"$dfpreheat_cache_key $http_host"', '$uri',
             '"$dfpreheat_cache_key tag=$dfpreheat_tag"',
             '"$dfpreheat_tag $dfpreheat_cache_key"')
{
    warm_story "another key: $key", keyed($key), $locations, sub
    {
        my $warm = shift;

        $upstream->answers('/files/key', { body => 'key' });

        my $job = $warm->run('file', url => FILES . '/files/key', tag => 'blue');

        is($job->{state}, 'FAILURE', 'a job does not know what clients have');
        like(reason($job), facts('proxy_cache_key | $dfpreheat_cache_key'),
             'and says so');
    };
}

done_testing();
