# conf/examples/huggingface.conf: huggingface_hub and its command line get a model that a
# job has warmed from nginx, with its commit and its ETag.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use File::Path qw( make_path );
use File::Temp ();
use JSON::PP qw( decode_json encode_json );
use Test::More;

use DFP::Certificates;
use DFP::Dns;
use DFP::ExampleFiles;
use DFP::Process qw( spawn gone forget free_port wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    HOST    => 'huggingface.co',
    CDN     => 'cas-bridge.xethub.hf.co',
    REPO    => 'acme/model',
    COMMIT  => 'a' x 40,
    NEXT    => 'b' x 40,
    SLOW    => 'c' x 40,
    TOKEN   => 'Bearer hf_right',
    PART    => 1_000_000,       # bytes that a client has already
    BEGINS  => 4,               # s before the first byte: python needs some to start
    CLIENT_SECONDS => 60,
};

my $bin = "$FindBin::Bin/../build/venv/bin";

die "$bin/hf is missing: run make build/venv/made\n" if !-x "$bin/hf";

my $dir = File::Temp->newdir('dfpreheat-hf-XXXXXXXX', TMPDIR => 1);
my $ca = DFP::Certificates->new;
my $dns = DFP::Dns->start(map { $_ => ['127.0.0.1'] } HOST, CDN);
my ($hub, $cdn) = map { DFP::Upstream->start } 1, 2;
my ($hub_tls, $cdn_tls) = map {
    DFP::Certificates::Server->start($_->[0]->port, $ca->issue($_->[1]))
} [ $hub, HOST ], [ $cdn, CDN ];
my $hub_url = 'https://' . HOST . ':' . $hub_tls->port;
my $cdn_url = 'https://' . CDN . ':' . $cdn_tls->port;
my $port = free_port();

my %replaced = (
    '443 ssl'                             => "127.0.0.1:$port",
    'ssl_certificate      /etc/nginx/hf.lan.pem;' => '',
    'ssl_certificate_key  /etc/nginx/hf.lan.key;' => '',
    '/etc/ssl/certs/ca-certificates.crt'  => $ca->file,
    '/var/cache/nginx/huggingface'        => "$dir/cache",
    '127.0.0.53'                          => '127.0.0.1:' . $dns->port,
    'https://huggingface.co'              => $hub_url,
    '.hf.co'                              => $cdn_url,
);

my $example = example('huggingface.conf', \%replaced);

my $weights = join '', map { pack 'N', $_ } 1 .. 500_000;
my $config = '{"architectures": ["Model"]}';
my $etag = sha256_hex($weights);
my $config_etag = 'c' x 40;


# What the Hub has at a commit: a large file at the CDN, and a small one. Others may be
# asked for a token, or have to wait for the large one.

sub publish
{
    my ($commit, %more) = @_;

    my @head = ('X-Repo-Commit' => $commit, 'Set-Cookie' => 'session=1',
                'Cache-Control' => 'no-store', Vary => 'Origin');
    my $small = "/api/resolve-cache/models/${\REPO}/$commit/config.json";
    my %answers = (
        'model.safetensors' => { status => 302, headers => [
            @head, Location => "$cdn_url/xet/$etag?X-Amz-Signature=" . rand,
            'X-Linked-Etag' => qq("$etag"), 'X-Linked-Size' => length $weights,
            'X-Xet-Hash' => 'd' x 64,
            Link => '<https://huggingface.co/api/x>; rel="xet-auth"' ] },
        'config.json' => { status => 307, headers => [
            @head, Location => "$small?x", 'X-Linked-Etag' => qq("$config_etag"),
            'X-Linked-Size' => length $config ] },
    );

    for my $name (keys %answers) {
        my %answer = %{ $answers{$name} };

        if ($more{token}) {
            %answer = (%answer, wants => "Authorization: $more{token}", refusal => {
                status => 401, headers => [ 'X-Error-Code' => 'GatedRepo',
                                            'X-Error-Message' => 'ask for it' ] });
        }

        $hub->answers("/${\REPO}/resolve/$_/$name", { %answer }) for 'main', $commit;
    }

    $hub->answers($small, { body => $config, headers => [
        @head, ETag => qq("$config_etag"), 'Content-Type' => 'text/plain' ] });

    $cdn->answers("/xet/$etag", {
        wants => qq(If-None-Match: "blob"), status => 304,
        headers => [ ETag => '"blob"' ], refusal => { body => $weights,
            after => $more{after}, headers => [ ETag => '"blob"', 'Accept-Ranges' => 'bytes' ] } });

    $hub->answers("/api/models/${\REPO}/revision/main", {
        headers => [ 'Content-Type' => 'application/json' ],
        body => encode_json({ id => REPO, sha => $commit, siblings => [
            map { { rfilename => $_ } } sort keys %answers ] }) });
    $hub->answers("/api/models/${\REPO}/tree/$commit", {
        headers => [ 'Content-Type' => 'application/json' ],
        body => encode_json([
            { type => 'file', path => 'config.json', oid => $config_etag,
              size => length $config },
            { type => 'file', path => 'model.safetensors', oid => 'e' x 40,
              size => length $weights, xetHash => 'd' x 64,
              lfs => { oid => $etag, size => length $weights, pointerSize => 1 } },
        ]) });

    $_->forget_requests for $hub, $cdn;
}


sub warm
{
    my ($warm, $revision, %args) = @_;

    return $warm->run('file', %args, urls => [
        map { "$hub_url/${\REPO}/resolve/$revision/$_" } 'model.safetensors',
                                                         'config.json' ]);
}


# A client with a folder of its own; its output.

my $clients = 0;

our @settings = (HF_ENDPOINT => "http://127.0.0.1:$port");

sub client
{
    my ($home, @command) = @_;

    my %env = (@settings, HF_HOME => $home, HF_HUB_DISABLE_TELEMETRY => 1, HF_HUB_DISABLE_PROGRESS_BARS => 1,
               HF_HUB_DISABLE_XET => 1, NO_PROXY => '*', HOME => $home);
    my $out = "$dir/client-" . ++$clients;

    local @ENV{ keys %env } = values %env;
    make_path($home);

    my $pid = spawn($out, @command);

    wait_until(CLIENT_SECONDS, sub { gone($pid) }) or die "$command[0] hangs";
    forget($pid);

    open my $file, '<', $out or die "$out: $!";
    local $/;

    return <$file>;
}


sub download
{
    my ($home, $name, $more) = @_;

    return client($home, "$bin/python", '-c', <<"END");
import huggingface_hub
print(huggingface_hub.hf_hub_download("${\REPO}", "$name"${\($more // '')}))
END
}


sub content
{
    open my $file, '<:raw', $_[0] or return '-';
    local $/;

    return <$file>;
}


sub snapshot
{
    my ($home, $commit, $name) = @_;

    return "$home/hub/models--acme--model/snapshots/$commit/$name";
}


# How the Hub was asked for files, without the commit.

sub asked
{
    return [ sort map { join ' ', m{^(\S+ \S+)}, /^Range: (\S+)\r$/mi ? $1 : () }
             grep { m{^\S+ \S*/resolve} } $hub->requests ];
}


warm_story 'a model that a job has warmed', { http => $example }, '', sub
{
    my $warm = shift;

    publish(COMMIT);

    my $job = warm($warm, 'main');

    is($job->{state}, 'SUCCESS', 'a job of its files') or diag(explain $job);

    $_->forget_requests for $hub, $cdn;

    my $home = "$dir/first";
    my $said = download($home, 'model.safetensors');
    my $path = snapshot($home, COMMIT, 'model.safetensors');

    is($said, "$path\n", 'huggingface_hub has the weights, of the commit');
    ok(content($path) eq $weights, 'all of them');
    like(readlink $path, qr{/blobs/$etag$}, 'by their ETag');

    $path = snapshot($home, COMMIT, 'config.json');
    is(download($home, 'config.json'), "$path\n", 'and the configuration');
    is(content($path), $config, 'all of it');
    like(readlink $path, qr{/blobs/$config_etag$}, 'by its ETag');

    is_deeply(asked(), [ map { "GET $_ bytes=0-0" }
                         "/${\REPO}/resolve/main/config.json",
                         "/${\REPO}/resolve/main/model.safetensors",
                         "/api/resolve-cache/models/${\REPO}/${\COMMIT}/config.json?x" ],
              'the Hub was asked whether the client may have them, once');
    is(scalar $cdn->requests, 0, 'and its CDN for nothing');

    # as huggingface_hub goes on when its connection was lost

    my $rest = "$dir/rest";
    my $url = "http://127.0.0.1:$port/${\REPO}/resolve/main/model.safetensors";

    client("$dir/resumed", "$bin/python", '-c', <<"END");
import huggingface_hub.file_download as download
with open("$rest", "wb") as file:
    download.http_get("$url", file, resume_size=${\PART},
                      expected_size=${\length $weights})
END
    ok(content($rest) eq substr($weights, PART), 'a download goes on to its end');

    # the command line, and a download of all that the model has

    $home = "$dir/hf";
    like(client($home, "$bin/hf", 'download', REPO, 'model.safetensors'),
         qr{/snapshots/${\COMMIT}/model\.safetensors\n}, '"hf download" of a file');

    # which requests files by the commit

    is(warm($warm, COMMIT)->{state}, 'SUCCESS', 'a job of the commit');
    $_->forget_requests for $hub, $cdn;

    $home = "$dir/whole";
    like(client($home, "$bin/hf", 'download', REPO), qr{/snapshots/${\COMMIT}\n},
         '"hf download" of the model');
    ok(content(snapshot($home, COMMIT, 'model.safetensors')) eq $weights,
       'with its weights');
    is(content(snapshot($home, COMMIT, 'config.json')), $config,
       'and its configuration');
    is(scalar $cdn->requests, 0, 'without the CDN');
};


warm_story 'a model that a job is fetching', { http => $example }, '', sub
{
    my $warm = shift;

    publish(SLOW, after => BEGINS);

    my $id = $warm->post('file', url =>
                         "$hub_url/${\REPO}/resolve/${\SLOW}/model.safetensors");

    wait_until(CLIENT_SECONDS, sub { scalar $cdn->requests })
        or die 'the job does not begin';

    my $home = "$dir/meanwhile";
    my $path = snapshot($home, SLOW, 'model.safetensors');

    is(download($home, 'model.safetensors', qq(, revision="${\SLOW}")), "$path\n",
       'huggingface_hub has the weights');
    ok(content($path) eq $weights, 'all of them');
    is($warm->ended($id)->{state}, 'SUCCESS', 'the job ends well');
    is(scalar $cdn->requests, 1, 'the CDN was asked once');
};


my $public = example('huggingface.conf', {
    %replaced, 'dfpreheat_access            on;' => '' });

warm_story 'public models, when the Hub is not there', { http => $public }, '', sub
{
    my $warm = shift;

    publish(COMMIT);
    is(warm($warm, 'main')->{state}, 'SUCCESS', 'a job');
    $_->forget_requests for $hub, $cdn;

    my $home = "$dir/public";

    for my $name ('model.safetensors', 'config.json') {
        is(download($home, $name), snapshot($home, COMMIT, $name) . "\n",
           "huggingface_hub has $name");
    }

    is(scalar($hub->requests) + scalar($cdn->requests), 0, 'and nobody was asked');
};


warm_story 'a branch that has moved, with the same weights', { http => $example }, '',
    sub
{
    my $warm = shift;

    publish(COMMIT);
    is(warm($warm, 'main')->{state}, 'SUCCESS', 'a job');
    publish(NEXT);
    is(warm($warm, 'main')->{state}, 'SUCCESS', 'and one of the next commit');

    my $home = "$dir/moved";

    for my $name ('model.safetensors', 'config.json') {
        is(download($home, $name), snapshot($home, NEXT, $name) . "\n",
           "$name is of that commit");
    }

    my @requests = $cdn->requests;

    is(scalar @requests, 1, 'the CDN was asked once');
    like($requests[0], qr/^If-None-Match: "blob"\r$/m, 'and sent nothing');
};


warm_story 'a gated model', { http => $example }, '', sub
{
    my $warm = shift;

    publish(COMMIT, token => TOKEN);
    is(warm($warm, 'main', headers => { Authorization => TOKEN })->{state}, 'SUCCESS',
       'a job with a token');

    my $home = "$dir/gated";

    like(download($home, 'model.safetensors'), qr/GatedRepoError/,
         'a client without one is told that it is gated');
    like(download($home, 'model.safetensors', ', token="hf_wrong"'),
         qr/GatedRepoError/, 'so is one with another token');
    is(download($home, 'model.safetensors', ', token="hf_right"'),
       snapshot($home, COMMIT, 'model.safetensors') . "\n",
       'one with the right one gets it');
    is(scalar(grep { /Authorization/i } $cdn->requests), 0,
       'and the CDN has seen no token');
    is(scalar $cdn->requests, 1, 'as it was asked by the job only');

    # by a name that it had once: the Hub leads everybody to the new one

    my $file = 'resolve/main/model.safetensors';

    $hub->answers("/acme/old/$file", { status => 307, headers => [
        Location => "/${\REPO}/$file", 'X-Repo-Commit' => COMMIT ] });
    is($warm->run('file', url => "$hub_url/acme/old/$file",
                  headers => { Authorization => TOKEN })->{state}, 'SUCCESS',
       'a job of an old name');
    $cdn->forget_requests;

    my $get = sub {
        my $answer = $warm->{http}->get("http://127.0.0.1:$port/acme/old/$file",
            { headers => { @_ ? (Authorization => $_[0]) : () } });

        return $answer->{content} eq $weights ? 'all' : $answer->{status};
    };

    is_deeply([ map { $get->(@$_) } [], ['Bearer hf_wrong'], [TOKEN] ],
              [ 401, 401, 'all' ], 'gives it to nobody else');
    is(scalar $cdn->requests, 0, 'and from the cache');
};

# With a certificate of an authority of one's own, as docs/cache.md has it.

my $tls_port = free_port();
my $pair = $ca->issue('127.0.0.1');
my $tls = example('huggingface.conf', {
    %replaced, '443 ssl' => "127.0.0.1:$tls_port ssl",
    'ssl_certificate      /etc/nginx/hf.lan.pem;' =>
        "ssl_certificate $pair->{certificate};",
    'ssl_certificate_key  /etc/nginx/hf.lan.key;' =>
        "ssl_certificate_key $pair->{key};" });

warm_story 'by TLS', { http => $tls }, '', sub
{
    my $warm = shift;

    publish(COMMIT);
    is(warm($warm, 'main')->{state}, 'SUCCESS', 'a job');

    local @settings = (HF_ENDPOINT => "https://127.0.0.1:$tls_port",
                       SSL_CERT_FILE => $ca->file);

    $cdn->forget_requests;

    for my $name ('model.safetensors', 'config.json') {
        is(download("$dir/tls", $name), snapshot("$dir/tls", COMMIT, $name) . "\n",
           "huggingface_hub has $name");
    }

    is(scalar $cdn->requests, 0, 'from nginx');
};


# The job of docs/cache.md, which is made by jq, for a model whose file needs escapes.

sub documented
{
    my $model = shift;

    open my $page, '<', "$FindBin::Bin/../docs/cache.md" or die "cache.md: $!";
    my ($program) = do { local $/; <$page> } =~ m{/api/models/org/model \| jq '(.*?)' \|}s
        or die 'no jq';

    $program =~ s{https://huggingface.co/org/model}{$hub_url/${\REPO}} or die $program;

    my $answer = "$dir/model.json";

    open my $file, '>', $answer or die "$answer: $!";
    print {$file} encode_json($model);
    close $file or die "$answer: $!";

    open my $jq, '-|', 'jq', $program, $answer or die "jq: $!";
    local $/;

    return decode_json(<$jq>);
}


warm_story 'the job of the documentation', { http => $example }, '', sub
{
    my $warm = shift;

    my $name = "sub dir/b\x{fc}ro+1 (it's 2)!*~.bin";
    my $path = "/${\REPO}/resolve/${\COMMIT}/sub%20dir/"
               . 'b%C3%BCro%2B1%20%28it%27s%202%29%21%2A~.bin';

    $hub->answers($path, { status => 302, headers => [
        'X-Repo-Commit' => COMMIT, Location => "$cdn_url/xet/$etag",
        'X-Linked-Etag' => qq("$etag"), 'X-Linked-Size' => length $weights ] });
    $cdn->answers("/xet/$etag", { body => $weights });

    my $request = documented({ sha => COMMIT, siblings => [ { rfilename => $name } ] });

    is($request->{type}, 'preheat', 'jq makes a job of the list of files');

    my $job = $warm->run('file', %{ $request->{args} });

    is($job->{state}, 'SUCCESS', '... which is run') or diag(explain $job);

    $_->forget_requests for $hub, $cdn;
    utf8::encode(my $bytes = $name);

    my $home = "$dir/documented";

    is(download($home, $bytes, qq(, revision="${\COMMIT}")),
       snapshot($home, COMMIT, $bytes) . "\n", 'huggingface_hub has the file');
    ok(content(snapshot($home, COMMIT, $bytes)) eq $weights, 'all of it');
    is_deeply(asked(), ["GET $path bytes=0-0"], 'the Hub was asked for one byte');
    is(scalar $cdn->requests, 0, 'and its CDN for nothing');
};

done_testing();
