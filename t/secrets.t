# What a job logs in with is for the registry and its token service alone: it is
# in no answer, no log, no file, and in Redis sealed, or not at all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use File::Find qw( find );
use File::Temp ();
use JSON::PP qw( encode_json );
use MIME::Base64 qw( encode_base64 );
use Test::More;

use DFP::Client;
use DFP::Facts;
use DFP::Hooks;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Redis;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    SOON     => 5,      # s: what needs no timer
    FORM_MIN => 8,      # bytes of a secret that cannot be there by chance
};

# of bytes that are written in other ways here and there

my %secret = (
    username  => 'robot$the/name+of"it',
    password  => 'the <pass>word/of+the job=~',
    bearer    => 'the.bearer/of+the-job==',
    api_key   => 'the%20key&of=the+job',
    cookie    => 'the{cookie}/of+the*job',
    jfrog     => 'the{other}key/of+the*job',
    pat       => 'the~third/key+of*the=job',
    signature => 'thesignatureofthejob',
    sas       => 'the-sas-of-the-job',
    token     => 'the.token/of+the~service==',
    webhook   => 'the<secret>of/the+webhook==',
);
$secret{basic} = encode_base64("$secret{username}:$secret{password}", '');

my $upstream = DFP::Upstream->start;
my $service = DFP::Upstream->start;
my $service_url = 'http://127.0.0.1:' . $service->port;
my $logs = File::Temp->newdir('dfpreheat-logs-XXXXXXXX', TMPDIR => 1);
my $access = "$logs/access.log";

my $locations = location('/v2/', REGISTRY, $upstream->port)
                . calls($service_url) . <<"END";
access_log $access;
location /oapi/ { dfpreheat on; }
END


# The args of a job that has all of them.

sub args
{
    return (username => $secret{username}, password => $secret{password},
            headers => { Authorization => "Bearer $secret{bearer}",
                         'X-Api-Key' => $secret{api_key},
                         'X-JFrog-Art-Api' => $secret{jfrog},
                         'X-PAT' => $secret{pat},
                         'X-Auth-Token' => "session=$secret{cookie}" }, @_);
}

sub signed
{
    return "$_[0]?X-Amz-Signature=$secret{signature}&name=value"
           . "&sas=$secret{sas}";
}


# The ways in which a text may stand in another one: as it is, in JSON, in a
# URL, in hexadecimal, and in base64 behind 0 to 2 other bytes.

sub forms
{
    my $text = shift;

    my $escaped = $text =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ger;
    my ($json) = encode_json([$text]) =~ /^\["(.*)"\]$/;
    my @base64 = map {
        my $whole = encode_base64('x' x $_ . $text, '') =~ s/=+$//r;
        substr $whole, (0, 2, 3)[$_], -1;
    } 0 .. 2;

    my %forms = map { $_ => 1 } $text, $json, $json =~ s{/}{\\/}gr, $escaped,
        lc $escaped, $escaped =~ s/%20/+/gr, unpack('H*', $text),
        uc unpack('H*', $text), @base64, map { tr{+/}{-_}r } @base64;

    return grep { length >= FORM_MIN } keys %forms;
}

my %forms = map { $_ => [ forms($secret{$_}) ] } keys %secret;


# The names of the secrets that are in a text.

sub found
{
    my $text = shift;

    return grep {
        my $name = $_;
        grep { index($text, $_) >= 0 } @{ $forms{$name} };
    } sort keys %secret;
}


sub is_clean
{
    my ($name, @texts) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @found = map { found($_) } @texts;

    ok(@texts && $texts[0] ne '', "$name: there is something");
    is_deeply(\@found, [], "$name: no secret is in it");
}


sub content
{
    my $path = shift;

    open my $file, '<:raw', $path or return '';
    local $/;

    return <$file> // '';
}


# What is in files below the servers' folder: path => content. Keys are where
# they belong, and the scripted registry is not nginx's.

sub files
{
    my $servers = shift;

    my %files;

    find({ no_chdir => 1, wanted => sub {
        $files{ s{^\Q$servers->{dir}\E/}{}r } = content($_)
            if -f && !/\.(?:key|conf)$/;
    } }, $servers->{dir});

    return \%files;
}

sub files_with_secrets
{
    my $files = shift;

    return [ map { my $path = $_; map { "$_ in $path" } found($files->{$path}) }
                 sort keys %$files ];
}


# All that Redis holds, as values and as it would be dumped.

sub stored
{
    my $servers = shift;

    return $servers->redis(@DFP::Redis::Everything);
}


# A repository that wants the service's token, and a service that wants the
# password; the layer takes a while. The URLs of an image and of a file in it.

sub asking_for_token
{
    my $challenge = qq(Bearer realm="$service_url/$_[0]");

    return (wants => "Authorization: Bearer $secret{token}",
            refusal => { status => 401,
                         headers => [ 'WWW-Authenticate' => $challenge ] });
}

sub guarded_repository
{
    my $name = shift;

    my $image = DFP::Image->new($upstream, $name, sub {
        return { asking_for_token($name), @_ } });

    $image->tag('1', $image->manifest($image->layer('slow', after => 1)));

    my $file = $image->path($image->layer('a file'));

    $service->answers("/$name", {
        wants => "Authorization: Basic $secret{basic}",
        body => encode_json({ token => $secret{token} }),
        refusal => { status => 401 } });

    return map { REGISTRY . $_ } $image->by_tag('1'), signed($file);
}


# Jobs that are refused, each with its secrets, and some of them in the wrong
# place.

sub refused
{
    my $url = shift;

    my %good = args(type => 'file', url => $url);
    my @wrong = (
        { %good, url => $url =~ s{//}{//$secret{username}:pass\@}r },
        { %good, url => "$url\r\n$secret{bearer}" },
        { %good, urls => [ $url, $secret{password} ] },
        { %good, type => 'image' },
        { %good, type => $secret{password} },
        { %good, count => $secret{password} },
        { %good, ips => [ $secret{bearer} ] },
        { %good, scope => $secret{api_key} },
        { %good, platform => $secret{cookie} },
        { %good, username => "$secret{username}:$secret{password}" },
        { %good, password => "$secret{password}\n" },
        { %good, headers => { Authorization => "a\r\n$secret{bearer}" } },
        { %good, headers => { 'X-Api-Key' => $secret{api_key} . 'x' x 8192 } },
        { %good, headers => { Host => $secret{cookie} } },
        { %good, headers => [ $secret{cookie} ] },
    );

    return map({ encode_json({ type => 'preheat', args => $_ }) } @wrong),
           encode_json({ type => 'preheat', args => \%good }) . 'x',
           substr(encode_json({ type => 'preheat', args => \%good }), 0, -1),
           encode_json({ type => $secret{password}, args => \%good }),
           encode_json({ type => 'preheat', args => \%good,
                         scheduler_cluster_ids => [ $secret{password} ] });
}


warm_story 'jobs that end well', {}, $locations, sub {
    my $warm = shift;

    my $servers = $warm->{servers};
    my $client = DFP::Client->new(port => $warm->{port},
                                  token => $servers->token);
    my ($image, $file) = guarded_repository('well');

    my @answers = map {
        my %args = args(@$_, tag => 'x' x 1000);
        $client->post('/oapi/v1/jobs', { type => 'preheat', args => \%args,
                                         padding => 'x' x 500_000 });
    } [ type => 'image', url => $image ], [ type => 'file', url => $file ];

    my @ids = map { $_->{json}{id} } @answers;

    push @answers, map { $client->get("/oapi/v1/jobs/$_") } @ids;
    is($answers[2]{json}{state}, 'PENDING', 'a job is under way');
    is($servers->redis('hexists', "dfpreheat:job:$ids[0]", 'sealed'), 1,
       'its secrets are sealed');
    is_clean('Redis, while it is', stored($servers));

    for my $id (@ids) {
        my $job = $servers->ended_job($id, SOON);
        is($job->{state}, 'SUCCESS', 'a job ends well')
            or diag($job->{result}{job_states}[0]{error});
    }

    push @answers, map { $client->get("/oapi/v1/jobs/$_") } @ids, 1000;
    push @answers, map { $client->request('POST', '/oapi/v1/jobs', $_) }
                       refused($file);

    my %statuses;
    $statuses{ $_->{status} }++ for @answers;
    is_deeply(\%statuses, { 200 => 6, 404 => 1, 422 => 19 }, 'all is answered');
    is_clean('answers', map { join "\n", $_->{body}, %{ $_->{headers} } }
                            @answers);

    is($servers->redis('hexists', "dfpreheat:job:$ids[0]", 'sealed'), 0,
       'at the end nothing is sealed');
    is_clean('Redis, at the end', stored($servers));

    $warm->hits('clients get the image', $image =~ s{^http://[^/]+}{}r);

    my $files = files($servers);
    is_clean("nginx's access log", content($access));
    like($files->{'error.log'}, qr/run 1 ends/, 'the error log tells of it');
    unlike($files->{'error.log'}, qr/request body is buffered/,
           'and of no file that a job was in');
    cmp_ok(scalar(grep { m{^cache/} } keys %$files), '>=', 4,
           'there are files of the cache');
    ok(scalar(grep { m{^redis/.*aof} } keys %$files), 'and one of Redis');

    my %cached = map { $_ => delete $files->{$_} } grep { m{^cache/} }
                                                        keys %$files;
    is_deeply(files_with_secrets($files), [], 'no secret is in a file');
    is_deeply(files_with_secrets(\%cached), [], 'nor in one of the cache');
};


# Upstreams that repeat what they were sent. Of each: how the guarded registry,
# or its token service, answers instead.

sub echoes
{
    my $all = join ' ', map { $secret{$_} } @_;
    my $error = encode_json({ errors => [ { code => 'DENIED',
                                            message => "you have sent $all" } ] });

    return (
        [ 'a body'   => { status => 403, body => $error } ],
        [ 'a header' => { status => 403, headers => [ 'X-Echo' => $all ] } ],
        [ 'its status line' => { status => "403 $all" } ],
        [ 'a header that is none' =>
            { headers => [ 'X-Echo' => "$all\0" ], body => 'x' } ],
        [ 'a status line that is none' => { status => "x $all" } ],
        [ 'a redirect, in its query' =>
            { status => 302, headers => [
                Location => "http://elsewhere.test/?token=$secret{basic}" ] } ],
        [ 'a redirect, in its path' =>
            { status => 302, headers => [
                Location => "http://elsewhere.test/$secret{bearer}" ] } ],
        [ 'a redirect, in its user name' =>
            { status => 302, headers => [
                Location => "http://$secret{bearer}\@elsewhere.test/" ] } ],
        [ 'a redirect to where it is repeated, too' =>
            { status => 302, headers => [
                Location => signed("$service_url/broken") ] } ],
        [ 'a redirect that is none' =>
            { status => 302, headers => [ Location => "//\x01$all" ] } ],
        [ 'a challenge of another scheme' =>
            { status => 401, headers => [
                'WWW-Authenticate' => "Other $secret{basic}" ] } ],
        [ 'the scheme of a challenge' =>
            { status => 401, headers => [
                'WWW-Authenticate' => $secret{signature} ] } ],
        [ 'the realm of a challenge' =>
            { status => 401, headers => [ 'WWW-Authenticate' =>
                qq(Bearer realm="http://elsewhere.test/$secret{bearer}") ] } ],
        [ 'the error of a challenge' =>
            { status => 401, headers => [ 'WWW-Authenticate' =>
                qq(Negotiate realm="x",error_description="$all") ] } ],
    );
}

my @sent = qw( bearer api_key cookie jfrog pat basic );

$service->answers('/broken', { status => "x @secret{ @sent }" });


# Posts a job of a file whose registry, or token service, does so; its name and
# its id.

sub echoing
{
    my ($warm, $who, $echo, @more) = @_;

    my ($where, $answer) = @$echo;
    my $repository = 'echo-' . ++$warm->{echoes};
    my (undef, $url) = guarded_repository($repository);
    my $path = $url =~ s{^http://[^/]+|\?.*}{}gr;

    if ($who eq 'a token service') {
        $service->answers("/$repository", $answer);

    } else {
        # a challenge comes at once, the others when all was sent

        $upstream->answers($path, {
            $where =~ /challenge/ ? () : asking_for_token($repository),
            %$answer });
    }

    return [ "$who in $where", $warm->post('file', args(url => $url, @more)) ];
}


# What such jobs, and the log, say about it.

sub echoed
{
    my ($warm, @posted) = @_;

    my %jobs = map { $_->[1] => $warm->ended($_->[1]) } @posted;
    my %lines;

    for my $line (split /\n/, content("$warm->{servers}{dir}/error.log")) {
        my ($id) = $line =~ /, job: (\d+)/;
        push @{ $lines{ $id // 'none' } }, $line;
    }

    for my $posted (@posted, [ 'what is of no job', 'none' ]) {
        my ($name, $id) = @$posted;

        is_deeply([ found(encode_json($jobs{$id})) ], [],
                  "$name: its error is clean") if $jobs{$id};
        is_deeply([ map { my $line = $_; map { "$_ in $line" } found($line) }
                        @{ $lines{$id} } ], [], "$name: so is the log");
    }

    is_deeply([ grep { $_->{state} ne 'FAILURE' } values %jobs ], [],
              'all of them fail');
}


warm_story 'who repeats what was sent', {},
           location('/v2/', REGISTRY, $upstream->port) . calls($service_url),
           sub
{
    my $warm = shift;

    echoed($warm, map({ echoing($warm, 'a registry', $_) }
                      echoes(@sent, 'token', 'sas')),
           map { echoing($warm, 'a token service', $_) }
           grep { $_->[0] !~ /challenge/ } echoes(@sent));
};


# Each of them is a secret as well.

warm_story 'also where a job has hundreds of signed URLs', {},
           location('/v2/', REGISTRY, $upstream->port)
           . location('/files/', REGISTRY, $upstream->port)
           . calls($service_url),
           sub
{
    my $warm = shift;

    $upstream->answers('/files/many', { body => 'one of them' });
    my @many = map { REGISTRY . "/files/many?X-Amz-Signature=is-the-one-of-$_" }
                   1 .. 300;

    echoed($warm, map({ echoing($warm, 'a registry', $_, urls => \@many) }
                      (echoes(@sent, 'token', 'signature'))[0, 2, 3]),
           map { echoing($warm, 'a token service', $_, urls => \@many) }
               (echoes(@sent))[0, 2, 3]);
};


warm_story 'also where redirects are followed', {},
    location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
             'include cache.conf;', 'include follow.conf;')
    . calls($service_url) . redirects($service_url), sub
{
    my $warm = shift;

    echoed($warm, map { echoing($warm, 'a registry', $_) }
                      grep { $_->[0] =~ /redirect/ } echoes(@sent, 'token', 'sas'));
};


# The receiver of a webhook knows its secret, and may say so.

warm_story 'the secret of a webhook, and the signature of its URL', {
    before_nginx => sub {
        $_[0]{main} = "error_log $_[0]{dir}/hook-debug.log debug;" } }, DFP::Hooks->location, sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $client = $servers->client;
    my $all = join ' ', @secret{qw( webhook signature sas )};
    my $hooks = DFP::Hooks->new('/secret', { status => 500, body => $all },
                                { status => "x $all" }, {});
    my $url = signed($hooks->url);

    my @answers = map {
        $client->post('/oapi/v1/jobs', {
            %{ $servers->files(['/quick/100/a']) },
            webhook => { url => $url, secret => $secret{webhook}, %$_ } })
    } {}, { url => $secret{webhook} }, { url => signed('http://elsewhere.test') },
      { url => "$url\n" }, { secret => "$secret{webhook}\n" },
      { secret => "whsec_$secret{webhook}" };

    is_deeply([ map { $_->{status} } @answers ], [ 200, (422) x 5 ],
              'a job is posted, and others are refused');

    my $id = $answers[0]{json}{id};
    my $webhook = $hooks->state_of($servers, $id, SOON, sub { $_[0]{error} });

    like($webhook->{error}, facts('answered 500 | ***'),
         'what the receiver said is masked');
    is_clean('Redis, while it is to be delivered', stored($servers));
    push @answers, $client->get("/oapi/v1/jobs/$id"),
                   $client->get('/oapi/v1/jobs');

    $webhook = $hooks->state_of($servers, $id, 2 * SOON);
    is($webhook->{state}, 'SUCCESS', 'it is delivered');
    like($webhook->{url}, qr/X-Amz-Signature=\*\*\*/, 'its URL is masked');

    push @answers, $client->get("/oapi/v1/jobs/$id");
    is_clean('answers', map { $_->{body} } @answers);
    is_clean('what was delivered', map { $_->{body} } $hooks->deliveries);
    is_clean('Redis, at the end', stored($servers));

    my $files = files($servers);

    like($files->{'error.log'}, qr/try 3 of its webhook/, 'the log tells of it');
    is_deeply([ grep { !/hook-debug/ } @{ files_with_secrets($files) } ], [],
              'no secret is in a file');
    unlike($files->{'hook-debug.log'}, qr/\Q$secret{webhook}/,
           'its secret is not even in a debug log');
};


# Keys. A job of two files waits for the first one while the keys are changed;
# the second is for another worker, which has to open the secrets again.

sub write_keys
{
    my ($servers, @keys) = @_;

    open my $file, '>', "$servers->{dir}/seal.key" or die "seal.key: $!";
    print {$file} map { "$_\n" } @keys;
    close $file or die "seal.key: $!";
}

sub key_id { return substr sha256_hex(pack 'H*', $_[0]), 0, 8 }


sub job_between_keys
{
    my ($warm, $name, @keys) = @_;

    my $servers = $warm->{servers};
    my %wants = (wants => "X-Api-Key: $secret{api_key}",
                 refusal => { status => 403 });
    my @paths = map { "/files/$name/$_" =~ s/ /-/gr } 1, 2;

    $upstream->answers($paths[0], { %wants, after => 1, body => 'one' });
    $upstream->answers($paths[1], { %wants, body => 'two' });

    my $id = $warm->post('file', concurrent_task_count => 1,
                         headers => { 'X-Api-Key' => $secret{api_key} },
                         urls => [ map { REGISTRY . $_ } @paths ]);

    ok(wait_until(SOON, sub { $upstream->requests($paths[0]) }),
       "$name: a job is under way");
    write_keys($servers, @keys);
    $servers->nginx_reload;

    return $id;
}


my @keys = (DFP::Servers::SEAL_KEY(), map { $_ x 64 } qw( a b ));

warm_story 'keys that change', {},
           location('/files/', REGISTRY, $upstream->port), sub
{
    my $warm = shift;

    my $servers = $warm->{servers};
    my $id = job_between_keys($warm, 'in front', @keys[1, 0]);
    my $job = $warm->ended($id);

    is($job->{state}, 'SUCCESS', 'a new key in front: the job ends well')
        or diag($job->{result}{job_states}[0]{error});
    like(content("$servers->{dir}/error.log"), qr/run 2 starts .* job: $id,/,
         'by a worker that has both keys');

    $id = job_between_keys($warm, 'instead', $keys[2]);
    $job = $warm->ended($id);

    is($job->{state}, 'FAILURE', 'a new key instead: the job fails');
    like($job->{result}{job_states}[0]{error},
         facts('secrets | key ' . key_id($keys[1])), 'and says why');
    is($servers->redis('hexists', "dfpreheat:job:$id", 'sealed'), 0,
       'what nobody can open is gone');

    $id = job_between_keys($warm, 'again', @keys[2, 1]);
    like($servers->redis('hget', "dfpreheat:job:$id", 'sealed'),
         qr/^@{[ key_id($keys[2]) ]}/, 'the first key seals');
    is($warm->ended($id)->{state}, 'SUCCESS', 'and opens');
    is_deeply(files_with_secrets(files($servers)), [],
              'no secret is in a file');
};


done_testing();
